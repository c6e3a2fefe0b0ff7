//! How a tree's size compares with its thresholds.
//!
//! The size is never the summed resident one, which counts shared pages once for each process: a
//! parent of 400 MB with four forks would be taken for 2 GB.

use std::time::Duration;

use crate::config::plan::Thresholds;
use crate::memory::parts::TreeParts;
use crate::memory::{MemoryLevel, TreeSample};
use crate::units::Bytes;

/// A level is left only when the size is below this many hundredths of its threshold, so that a tree
/// that breathes around it does not tell of it with every breath: a twentieth is more than what
/// garbage collectors and caches of a tree at rest move from sample to sample.
pub const RELEASE_PERCENT: u64 = 95;

/// For how long a proportional figure stands for the size. The interval at which it is read stretches
/// with what it costs; beyond this the anonymous figure of the last sample is nearer to the truth.
pub const FRESH: Duration = Duration::from_secs(120);

/// The thresholds of one tree in bytes; what is not known bounds nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// From here on a warning.
    pub warning: Option<Bytes>,
    /// From here on critical.
    pub critical: Option<Bytes>,
}

impl Bounds {
    /// What thresholds come to under this limit of the container.
    pub fn of(thresholds: &Thresholds, limit: Option<Bytes>) -> Self {
        Self {
            warning: thresholds.warning.size(Thresholds::USUAL_WARNING, limit),
            critical: thresholds.critical.size(Thresholds::USUAL_CRITICAL, limit),
        }
    }

    /// The threshold of a level.
    pub fn of_level(&self, level: MemoryLevel) -> Option<Bytes> {
        match level {
            MemoryLevel::Normal => None,
            MemoryLevel::Warning => self.warning,
            MemoryLevel::Critical => self.critical,
        }
    }
}

/// What the size of a tree is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Proportional memory with what is swapped out of it.
    Proportional,
    /// Anonymous memory of every member, because the other is not known, or was read too long ago.
    Anonymous,
}

impl Basis {
    /// As it is told.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proportional => "proportional",
            Self::Anonymous => "anonymous",
        }
    }
}

/// What a tree held when its costlier figures were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Then {
    /// Resident minus shared, summed.
    pub anonymous: Bytes,
    /// Its processes.
    pub processes: u32,
}

/// The size that thresholds are compared with.
pub fn size(sample: &TreeSample, parts: Option<&TreeParts>, then: Option<Then>) -> (Bytes, Basis) {
    let fresh = parts.filter(|parts| sample.at.mono.since(parts.at.mono) <= FRESH);
    match fresh.and_then(|parts| parts.parts.proportional) {
        Some(proportional) => (carried_on(proportional, sample, then), Basis::Proportional),
        None => {
            let swap = fresh.and_then(|parts| parts.parts.swap).unwrap_or_default();
            (Bytes(sample.anonymous.0.saturating_add(swap.0)), Basis::Anonymous)
        }
    }
}

/// A proportional figure with what anonymous memory has moved since it was read: where somebody holds much,
/// that is a minute ago. Not where the tree is of more or fewer processes than then, because forks count
/// what they share.
fn carried_on(proportional: Bytes, sample: &TreeSample, then: Option<Then>) -> Bytes {
    let Some(then) = then.filter(|then| then.processes == sample.processes) else {
        return proportional;
    };
    let carried = proportional.0.saturating_add(sample.anonymous.0);
    Bytes(carried.saturating_sub(then.anonymous.0))
}

/// The level of a size, coming from `before`: a threshold that is reached counts as passed, and a
/// level is kept until the size is [`RELEASE_PERCENT`] below its threshold. Where the two are set the
/// wrong way round, critical wins, since that is the one that pages somebody.
pub fn level(size: Bytes, bounds: &Bounds, before: MemoryLevel) -> MemoryLevel {
    let holds = |level: MemoryLevel| {
        let Some(threshold) = bounds.of_level(level) else { return false };
        let release = u128::from(threshold.0) * u128::from(RELEASE_PERCENT);
        size >= threshold || before >= level && u128::from(size.0) * 100 >= release && size.0 > 0
    };
    let from_the_top = [MemoryLevel::Critical, MemoryLevel::Warning];
    from_the_top.into_iter().find(|level| holds(*level)).unwrap_or(MemoryLevel::Normal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::parts::Parts;
    use crate::units::{Mono, Now, RunId, Wall};

    const BOUNDS: Bounds = Bounds { warning: Some(Bytes(100)), critical: Some(Bytes(200)) };

    /// The levels that a tree of these sizes goes through.
    fn through(sizes: &[u64]) -> Vec<MemoryLevel> {
        let mut before = MemoryLevel::Normal;
        let next = |size: &u64| {
            before = level(Bytes(*size), &BOUNDS, before);
            before
        };
        sizes.iter().map(next).collect()
    }

    #[test]
    fn a_threshold_that_is_reached_counts_as_passed() {
        use MemoryLevel::{Critical, Normal, Warning};
        for (size, expected) in
            [(0, Normal), (99, Normal), (100, Warning), (199, Warning), (200, Critical)]
        {
            assert_eq!(through(&[size]), [expected], "{size}");
        }
        assert_eq!(through(&[u64::MAX]), [Critical]);
    }

    #[test]
    fn a_level_is_left_a_twentieth_below_its_threshold() {
        use MemoryLevel::{Critical, Normal, Warning};
        assert_eq!(through(&[100, 99, 95, 94, 99]), [Warning, Warning, Warning, Normal, Normal]);
        assert_eq!(through(&[200, 190, 189, 199]), [Critical, Critical, Warning, Warning]);
        assert_eq!(through(&[250, 0]), [Critical, Normal]);
    }

    #[test]
    fn what_is_not_known_bounds_nothing_and_critical_wins() {
        let unknown = Bounds::default();
        assert_eq!(level(Bytes(u64::MAX), &unknown, MemoryLevel::Critical), MemoryLevel::Normal);
        let crossed = Bounds { warning: Some(Bytes(300)), critical: Some(Bytes(200)) };
        assert_eq!(level(Bytes(250), &crossed, MemoryLevel::Normal), MemoryLevel::Critical);
    }

    #[test]
    fn the_defaults_are_4000_and_6000_mib_or_a_part_of_the_limit() {
        let defaults = Thresholds::default();
        let large = Bounds::of(&defaults, Some(Bytes::mib(64_000)));
        assert_eq!(large, Bounds::of(&defaults, None));
        assert_eq!(large.warning, Some(Bytes::mib(4000)));
        assert_eq!(large.critical, Some(Bytes::mib(6000)));
        let small = Bounds::of(&defaults, Some(Bytes::mib(1000)));
        assert_eq!(small.warning, Some(Bytes::mib(800)));
        assert_eq!(small.critical, Some(Bytes::mib(900)));
    }

    #[test]
    fn the_size_is_proportional_while_that_is_fresh_and_never_the_summed_resident_one() {
        let at = |seconds: u64| Now { mono: Mono(seconds * 1_000_000_000), wall: Wall(0) };
        let sample = TreeSample {
            run: RunId(1),
            at: at(1000),
            resident: Bytes(2000),
            anonymous: Bytes(1000),
            virtual_size: Bytes(9000),
            processes: 5,
            zombies: 0,
            oldest_zombie: None,
            cpu_seconds: 0.0,
        };
        let read = |seconds: u64, proportional: Option<u64>| {
            let proportional = proportional.map(Bytes);
            let parts = Parts { proportional, swap: Some(Bytes(7)), ..Parts::NOTHING };
            TreeParts { run: RunId(1), at: at(seconds), parts }
        };
        let check = |parts: Option<TreeParts>, expected: (u64, Basis)| {
            let (size, basis) = size(&sample, parts.as_ref(), None);
            assert_eq!((size.0, basis), expected);
        };
        check(Some(read(999, Some(400))), (400, Basis::Proportional));
        check(Some(read(880, Some(400))), (400, Basis::Proportional));
        check(Some(read(879, Some(400))), (1000, Basis::Anonymous));
        check(Some(read(999, None)), (1007, Basis::Anonymous));
        check(None, (1000, Basis::Anonymous));
        check(Some(read(1001, Some(400))), (400, Basis::Proportional));
    }
}
