//! Which state may follow which, written down once.
//!
//! ```text
//!   initializing ──► active ◄──► idle
//!        │             │          │
//!        └──────┬──────┴──────────┘
//!               ▼
//!            stopping        an end may follow any of the four; nothing follows an end
//! ```

use crate::ledger::session::SessionState::{self, *};

/// For each state that is not an end, what may follow it beside the ends.
const TABLE: [(SessionState, &[SessionState]); 4] = [
    (Initializing, &[Active, Stopping]),
    (Active, &[Idle, Stopping]),
    (Idle, &[Active, Stopping]),
    (Stopping, &[]),
];

/// Whether a session in state `from` may go over to `to`. Staying is not a change.
pub fn allowed(from: SessionState, to: SessionState) -> bool {
    TABLE
        .iter()
        .find(|(state, _)| *state == from)
        .is_some_and(|(_, next)| to.is_end() || next.contains(&to))
}

/// Whether a session may be opened in this state: a run begins before its program does, while a
/// conversation is known from its first sign of activity on.
pub fn may_open_as(state: SessionState) -> bool {
    matches!(state, Initializing | Active)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table_is_what_the_drawing_says() {
        let onward = |from| -> Vec<SessionState> {
            SessionState::ALL.into_iter().filter(|to| allowed(from, *to)).collect()
        };
        let ends = [Completed, Failed, TimedOut, Killed, OutOfMemory, Lost];
        let with_ends = |first: &[SessionState]| [first, &ends[..]].concat();
        assert_eq!(onward(Initializing), with_ends(&[Active, Stopping]));
        assert_eq!(onward(Active), with_ends(&[Idle, Stopping]));
        assert_eq!(onward(Idle), with_ends(&[Active, Stopping]));
        assert_eq!(onward(Stopping), with_ends(&[]));
    }

    #[test]
    fn nothing_follows_an_end() {
        for from in SessionState::ALL.into_iter().filter(|state| state.is_end()) {
            for to in SessionState::ALL {
                assert!(!allowed(from, to), "{from:?} -> {to:?}");
            }
        }
    }

    #[test]
    fn no_state_follows_itself() {
        for state in SessionState::ALL {
            assert!(!allowed(state, state), "{state:?}");
        }
    }
}
