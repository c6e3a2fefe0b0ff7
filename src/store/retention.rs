//! How long what is kept, in whichever store.

use std::time::Duration;

/// How long an ended session is kept, and how long one that did not end well.
pub const KEEP_ENDED: Duration = days(30);
/// See [`KEEP_ENDED`]. Token figures, and the keys that keep them from being counted twice, are
/// kept as long.
pub const KEEP_FAILED: Duration = days(90);
/// How long the single memory samples of a session are kept; its peak, its mean and its last
/// sample stay as long as itself. Ten processes make about 5 MB of them a day.
pub const KEEP_SAMPLES: Duration = days(7);
/// Sessions that one step of pruning removes, so that commits never wait for long behind it.
pub const PRUNED_SESSIONS: u32 = 100;
/// Rows of one other table that one step of pruning removes.
pub const PRUNED_ROWS: u32 = 2_000;

const fn days(n: u64) -> Duration {
    Duration::from_secs(n * 24 * 60 * 60)
}
