//! The level of one run's memory from sample to sample, and when something is to be done about it.

use std::time::Duration;

use crate::config::plan::{MemoryActions, MemoryEnd, Thresholds};
use crate::memory::MemoryLevel;
use crate::memory::level::{self, Bounds, Size};
use crate::units::{Mono, Signal};

/// Samples in a row at a level before a process is ended for it: a fork that executes at once, or a
/// build that peaks, is no reason. Of a tree that is costly to read many samples have the size of one
/// reading: the others count where the largest member alone is at that level.
pub const HELD_SAMPLES: u32 = 3;

/// Between two restarts of one process for its memory: what is as large again so soon is not helped
/// by another one, and whoever is restarted in a circle does nothing else.
pub const RESTARTS_APART: Duration = Duration::from_secs(600);

/// Between two hooks of one process for its memory: a size that swings about a threshold runs no
/// command in a circle.
pub const HOOKS_APART: Duration = Duration::from_secs(60);

/// The level of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelWatch {
    level: MemoryLevel,
    /// Samples in a row at this level, see [`HELD_SAMPLES`].
    held: u32,
    /// When the last size was read.
    read: Mono,
    /// Whether its end was asked for.
    ended: bool,
}

/// What one sample brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// The level that is held from now on, where it is another one.
    pub level: Option<MemoryLevel>,
    /// The signal that it is to get.
    pub signal: Option<Signal>,
    /// Whether the command for that is to be run.
    pub hook: bool,
    /// How it is to be ended; asked for with each sample until that is done.
    pub end: Option<MemoryEnd>,
}

impl Default for LevelWatch {
    fn default() -> Self {
        Self { level: MemoryLevel::Normal, held: 0, read: Mono::default(), ended: false }
    }
}

impl LevelWatch {
    /// The level.
    pub fn level(&self) -> MemoryLevel {
        self.level
    }

    /// Takes the size of the next sample.
    pub fn observe(&mut self, size: Size, bounds: &Bounds, thresholds: &Thresholds) -> Passed {
        let level = level::level(size.bytes, bounds, self.level);
        let before = std::mem::replace(&mut self.level, level);
        let is_new = level != before;
        let is_read_anew = std::mem::replace(&mut self.read, size.read) != size.read;
        let is_seen_anew = is_read_anew || level::level(size.largest, bounds, level) == level;
        self.held = if is_new { 1 } else { self.held.saturating_add(is_seen_anew.into()) };
        let actions = actions(thresholds, level);
        let rises = level > before;
        let waits = !self.ended && self.held >= HELD_SAMPLES;
        Passed {
            level: is_new.then_some(level),
            signal: actions.signal.filter(|_| rises),
            hook: actions.hook && rises,
            end: actions.end.filter(|_| waits),
        }
    }

    /// Its end was asked for: once is enough.
    pub fn asked_to_end(&mut self) {
        self.ended = true;
    }
}

fn actions(thresholds: &Thresholds, level: MemoryLevel) -> MemoryActions {
    match level {
        MemoryLevel::Normal => MemoryActions::default(),
        MemoryLevel::Warning => thresholds.on_warning,
        MemoryLevel::Critical => thresholds.on_critical,
    }
}

/// Whether the command for its memory may be run again.
pub fn may_hook(last: Option<Mono>, now: Mono) -> bool {
    last.is_none_or(|last| now.since(last) >= HOOKS_APART)
}

/// Whether a process may be restarted for its memory again.
pub fn may_restart(last: Option<Mono>, now: Mono) -> bool {
    last.is_none_or(|last| now.since(last) >= RESTARTS_APART)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::level::Basis;
    use crate::units::Bytes;

    /// A size that was read at this nanosecond.
    fn read(at: usize, size: u64) -> Size {
        let (basis, read) = (Basis::Proportional, Mono(at as u64 + 1));
        Size { bytes: Bytes(size), basis, read, largest: Bytes(0) }
    }

    fn through(thresholds: &Thresholds, sizes: &[u64]) -> (LevelWatch, Vec<Passed>) {
        let mut watch = LevelWatch::default();
        let bounds = Bounds::of(thresholds, None);
        let sizes = sizes.iter().enumerate();
        let passed = sizes.map(|(at, size)| watch.observe(read(at, *size), &bounds, thresholds));
        let passed = passed.collect();
        (watch, passed)
    }

    #[test]
    fn a_level_is_told_once() {
        use MemoryLevel::{Critical, Normal, Warning};
        let thresholds = Thresholds::of_sizes(Bytes(100), Bytes(200));
        let (watch, passed) = through(&thresholds, &[99, 100, 150, 200, 300, 189, 94]);
        let told: Vec<_> = passed.iter().map(|passed| passed.level).collect();
        let expected =
            [None, Some(Warning), None, Some(Critical), None, Some(Warning), Some(Normal)];
        assert_eq!(told, expected);
        assert_eq!(watch.level(), Normal);
        assert!(passed.iter().all(|passed| (passed.signal, passed.end) == (None, None)));
    }

    #[test]
    fn a_signal_is_sent_on_the_way_up_and_an_end_asked_for_when_it_stays() {
        let warn = MemoryActions { signal: Some(Signal::USR1), ..MemoryActions::default() };
        let end = MemoryActions { end: Some(MemoryEnd::Restart), ..MemoryActions::default() };
        let sizes = Thresholds::of_sizes(Bytes(100), Bytes(200));
        let thresholds = Thresholds { on_warning: warn, on_critical: end, ..sizes };
        let signals = |sizes: &[u64]| -> Vec<bool> {
            let passed = through(&thresholds, sizes).1;
            passed.iter().map(|passed| passed.signal == Some(Signal::USR1)).collect()
        };
        assert_eq!(
            signals(&[100, 101, 201, 150, 90, 100]),
            [true, false, false, false, false, true]
        );
        let ends = |sizes: &[u64]| -> Vec<bool> {
            through(&thresholds, sizes).1.iter().map(|passed| passed.end.is_some()).collect()
        };
        assert_eq!(ends(&[200, 200, 200, 200]), [false, false, true, true]);
        assert_eq!(ends(&[200, 200, 100, 200, 200]), [false; 5], "a peak");
        let (mut watch, _) = through(&thresholds, &[200, 200, 200]);
        watch.asked_to_end();
        let bounds = Bounds::of(&thresholds, None);
        assert_eq!(watch.observe(read(3, 200), &bounds, &thresholds).end, None, "once is enough");
    }

    #[test]
    fn a_reading_that_several_samples_have_is_one() {
        let end = MemoryActions { end: Some(MemoryEnd::Restart), ..MemoryActions::default() };
        let thresholds =
            Thresholds { on_critical: end, ..Thresholds::of_sizes(Bytes(100), Bytes(200)) };
        let bounds = Bounds::of(&thresholds, None);
        let mut watch = LevelWatch::default();
        let ends: Vec<bool> = [0, 0, 0, 0, 1, 1, 2]
            .map(|at| watch.observe(read(at, 200), &bounds, &thresholds).end.is_some())
            .into();
        assert_eq!(ends, [false, false, false, false, false, false, true]);
        let mut watch = LevelWatch::default();
        let large = |largest| Size { largest: Bytes(largest), ..read(0, 200) };
        let ends: Vec<bool> = [189, 189, 189, 190, 191]
            .map(|largest| watch.observe(large(largest), &bounds, &thresholds).end.is_some())
            .into();
        assert_eq!(ends, [false, false, false, false, true], "one member alone is as large");
    }

    #[test]
    fn restarts_are_ten_minutes_apart() {
        let minute = |minute: u64| Mono(minute * 60 * 1_000_000_000);
        assert!(may_restart(None, minute(0)));
        assert!(!may_restart(Some(minute(5)), minute(14)));
        assert!(may_restart(Some(minute(5)), minute(15)));
        assert!(!may_restart(Some(minute(5)), minute(4)), "a clock that went backwards");
    }
}
