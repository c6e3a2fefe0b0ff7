//! How a tree's size compares with its thresholds.

use crate::config::plan::Thresholds;
use crate::memory::MemoryLevel;
use crate::units::Bytes;

/// The level of a size: a threshold that is reached counts as passed. Where the two are set the
/// wrong way round, critical wins, since that is the one that pages somebody.
pub fn level(size: Bytes, thresholds: &Thresholds) -> MemoryLevel {
    if size >= thresholds.critical {
        MemoryLevel::Critical
    } else if size >= thresholds.warning {
        MemoryLevel::Warning
    } else {
        MemoryLevel::Normal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_that_is_reached_counts_as_passed() {
        let thresholds = Thresholds { warning: Bytes(100), critical: Bytes(200) };
        for (size, expected) in [
            (0, MemoryLevel::Normal),
            (99, MemoryLevel::Normal),
            (100, MemoryLevel::Warning),
            (199, MemoryLevel::Warning),
            (200, MemoryLevel::Critical),
            (u64::MAX, MemoryLevel::Critical),
        ] {
            assert_eq!(level(Bytes(size), &thresholds), expected, "{size}");
        }
    }

    #[test]
    fn the_defaults_are_4000_and_6000_mib() {
        let defaults = Thresholds::default();
        assert_eq!(level(Bytes::mib(3999), &defaults), MemoryLevel::Normal);
        assert_eq!(level(Bytes::mib(4000), &defaults), MemoryLevel::Warning);
        assert_eq!(level(Bytes::mib(6000), &defaults), MemoryLevel::Critical);
    }
}
