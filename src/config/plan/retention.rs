//! How long history is kept.

use std::time::Duration;

/// `sessions.retention`. Every time is counted from the end of a session, or from when something was
/// written down where it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionPlan {
    /// The history of a session that ended well: its events, samples, context and single responses.
    pub completed: Duration,
    /// That of one that failed, was killed, ran out of time or was lost. Token figures, and the keys
    /// that keep them from being counted twice, are kept as long.
    pub failed: Duration,
    /// What is left of a session then: who, when, how it ended and what it used.
    pub archived: Duration,
    /// Who asked for what at the control doors.
    pub audit: Duration,
    /// The single memory samples of a session; its peak, its mean and its last sample stay as long as
    /// its history. Ten processes make about 5 MB of them a day.
    pub samples: Duration,
}

impl Default for RetentionPlan {
    fn default() -> Self {
        let days = |n: u64| Duration::from_secs(n * 24 * 60 * 60);
        Self {
            completed: days(30),
            failed: days(90),
            archived: days(180),
            audit: days(365),
            samples: days(7),
        }
    }
}
