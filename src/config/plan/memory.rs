//! When the memory of a tree is worth a look or a page, and what follows.

use crate::units::{Bytes, Signal};

/// From which size on a tree counts as warning, or as critical.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Threshold {
    /// As nothing is said: the usual size, or the usual part of the container's limit where that is
    /// less.
    #[default]
    Usual,
    /// So much.
    Size(Bytes),
    /// So many hundredths of the container's limit.
    Percent(u8),
}

/// The sizes that are worth a warning and a page, and what is done when they are reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thresholds {
    /// Worth a look.
    pub warning: Threshold,
    /// Worth a page.
    pub critical: Threshold,
    /// What follows a warning.
    pub on_warning: MemoryActions,
    /// What follows when it is critical.
    pub on_critical: MemoryActions,
}

impl Thresholds {
    /// The usual sizes of a tree, and the usual hundredths of a limit.
    pub const USUAL_WARNING: (Bytes, u8) = (Bytes(4000 << 20), 80);
    /// See [`Thresholds::USUAL_WARNING`].
    pub const USUAL_CRITICAL: (Bytes, u8) = (Bytes(6000 << 20), 90);

    /// Both in bytes.
    pub fn of_sizes(warning: Bytes, critical: Bytes) -> Self {
        let (warning, critical) = (Threshold::Size(warning), Threshold::Size(critical));
        Self { warning, critical, ..Self::default() }
    }
}

impl Threshold {
    /// The size, where it is known: a part of a limit is not without the limit.
    pub fn size(self, usual: (Bytes, u8), limit: Option<Bytes>) -> Option<Bytes> {
        let part = |percent: u8| limit.map(|limit| Bytes(hundredths(limit.0, percent)));
        match self {
            Self::Usual => Some(part(usual.1).map_or(usual.0, |part| part.min(usual.0))),
            Self::Size(size) => Some(size),
            Self::Percent(percent) => part(percent),
        }
    }
}

fn hundredths(whole: u64, percent: u8) -> u64 {
    // First the division, because a limit may be as large as fits.
    whole / 100 * u64::from(percent) + whole % 100 * u64::from(percent) / 100
}

/// What is done beside the event and the metric, which there always are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryActions {
    /// The main process gets this signal.
    pub signal: Option<Signal>,
    /// It is ended.
    pub end: Option<MemoryEnd>,
    /// The command for that is run.
    pub hook: bool,
}

/// How a process that is too large is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryEnd {
    /// It runs again.
    Restart,
    /// It stays ended.
    Stop,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_limit_is_known_with_the_limit_and_does_not_overflow() {
        let usual = Thresholds::USUAL_WARNING;
        let size = |threshold: Threshold, limit| threshold.size(usual, limit);
        assert_eq!(size(Threshold::Percent(80), None), None);
        assert_eq!(size(Threshold::Percent(80), Some(Bytes(199))), Some(Bytes(159)));
        assert_eq!(size(Threshold::Percent(100), Some(Bytes(u64::MAX))), Some(Bytes(u64::MAX)));
        assert_eq!(size(Threshold::Size(Bytes(7)), Some(Bytes(1))), Some(Bytes(7)));
    }

    #[test]
    fn the_usual_size_is_a_part_of_the_limit_where_that_is_less() {
        let warning = |limit| Threshold::Usual.size(Thresholds::USUAL_WARNING, limit);
        assert_eq!(warning(None), Some(Bytes::mib(4000)));
        assert_eq!(warning(Some(Bytes::mib(64_000))), Some(Bytes::mib(4000)));
        assert_eq!(warning(Some(Bytes::mib(1000))), Some(Bytes::mib(800)));
        let critical = Threshold::Usual.size(Thresholds::USUAL_CRITICAL, Some(Bytes::mib(1000)));
        assert_eq!(critical, Some(Bytes::mib(900)));
    }
}
