//! The only place where statuses are read: every dead child, ours or a stranger's, exactly once.

use crate::init::sys::{self, Look};
use crate::units::{ExitStatus, RunUsage};

/// How many dead children are reaped in one turn, so that ten thousand deaths do not keep signals
/// and deadlines waiting. At two system calls each this takes about a millisecond.
const MOST_PER_TURN: usize = 256;

/// What one turn of reaping came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// More are dead; come back at once.
    More,
    /// Everybody else lives.
    AllLive,
    /// There is nobody else.
    Alone,
}

/// Reaps what is dead, up to a bound. `dying` sees each pid while it is still the dead one's, and
/// `reaped` gets its status.
pub fn reap<T>(
    state: &mut T,
    dying: impl Fn(&mut T, i32),
    reaped: impl Fn(&mut T, i32, ExitStatus, RunUsage),
) -> Rest {
    for _ in 0..MOST_PER_TURN {
        match sys::look() {
            Look::AllLive => return Rest::AllLive,
            Look::Alone => return Rest::Alone,
            Look::Dead(pid) => {
                dying(state, pid);
                if let Some((status, usage)) = sys::reap(pid) {
                    reaped(state, pid, status, usage);
                }
            }
        }
    }
    Rest::More
}
