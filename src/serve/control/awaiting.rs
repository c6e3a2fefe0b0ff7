//! When an order counts as carried out. Pure: two pictures in, an answer out.
//!
//! An order is accepted at once, and the picture of what follows from it comes a moment later. So a
//! process that is done, say, may have been done before the order or since. What tells them apart
//! is a run that was opened since; and where none is opened at all, that the picture had time enough
//! to follow (`fresh`).

use std::time::Duration;

use crate::ledger::session::SessionKind;
use crate::ledger::snapshot::{ProcessView, Snapshot};
use crate::supervise::lifecycle::PhaseName;

/// How long a picture may take to show what an order led to: several times its usual pace.
pub(super) const FRESH: Duration = Duration::from_millis(400);

/// What an order is to bring about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// It runs.
    Up,
    /// It has ended and stays so.
    Down,
    /// It runs anew.
    Anew,
}

/// Whether a process is where the order wants it, or has come to an end on the way.
pub(super) fn is_over(
    goal: Goal,
    process: &ProcessView,
    before: &Snapshot,
    now: &Snapshot,
    fresh: bool,
) -> bool {
    let newer = opened(&process.name, now) > opened(&process.name, before);
    let ended = has_ended(process);
    match goal {
        Goal::Down => process.run.is_none() && ended && (fresh || had_run(process, before)),
        Goal::Up => match process.phase {
            PhaseName::Ready => true,
            PhaseName::Resting => newer && fresh,
            _ => ended && (newer || fresh),
        },
        Goal::Anew => match process.phase {
            PhaseName::Ready => newer,
            PhaseName::Resting => newer && fresh,
            _ => ended && (newer || fresh),
        },
    }
}

fn opened(process: &str, picture: &Snapshot) -> u64 {
    let key = (SessionKind::Process, process.to_owned());
    picture.opened.get(&key).copied().unwrap_or(0)
}

fn had_run(process: &ProcessView, picture: &Snapshot) -> bool {
    let mut known = picture.processes.iter();
    known.any(|known| known.name == process.name && known.run.is_some())
}

fn has_ended(process: &ProcessView) -> bool {
    matches!(process.phase, PhaseName::Done | PhaseName::Failed | PhaseName::CrashLooped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::serve::control::example::{picture, process, run};

    /// The picture with `web` in this phase, after so many runs, with or without a live one.
    fn after(phase: PhaseName, runs: u64, lives: bool) -> Snapshot {
        let mut picture = picture();
        picture.processes[0] =
            ProcessView { run: lives.then(|| run(runs)), ..process("web", phase) };
        Arc::make_mut(&mut picture.opened).insert((SessionKind::Process, "web".to_owned()), runs);
        picture
    }

    fn check(goal: Goal, phase: PhaseName, runs: u64, fresh: bool, over: bool) {
        use PhaseName::{Ready, Starting, Stopping};
        let now = after(phase, runs, matches!(phase, Ready | Starting | Stopping));
        let found = is_over(goal, &now.processes[0], &picture(), &now, fresh);
        assert_eq!(found, over, "{goal:?} {phase:?} {runs} {fresh}");
    }

    #[test]
    fn a_restart_is_over_with_the_next_run_and_not_with_the_last() {
        check(Goal::Anew, PhaseName::Ready, 1, true, false);
        check(Goal::Anew, PhaseName::Stopping, 1, true, false);
        check(Goal::Anew, PhaseName::Starting, 2, true, false);
        check(Goal::Anew, PhaseName::Ready, 2, false, true);
        check(Goal::Anew, PhaseName::Done, 2, false, true);
        check(Goal::Anew, PhaseName::Failed, 1, false, false);
        check(Goal::Anew, PhaseName::Failed, 1, true, true);
        check(Goal::Anew, PhaseName::Resting, 2, true, true);
    }

    #[test]
    fn a_stop_is_over_when_nothing_lives_and_nothing_follows() {
        check(Goal::Down, PhaseName::Ready, 1, true, false);
        check(Goal::Down, PhaseName::Stopping, 1, true, false);
        check(Goal::Down, PhaseName::Resting, 1, true, false);
        check(Goal::Down, PhaseName::Done, 1, false, true);
        check(Goal::Down, PhaseName::Failed, 1, false, true);
    }

    #[test]
    fn a_start_is_over_when_it_is_ready_or_failed_since() {
        check(Goal::Up, PhaseName::Ready, 1, false, true);
        check(Goal::Up, PhaseName::Waiting, 1, true, false);
        check(Goal::Up, PhaseName::Failed, 1, false, false);
        check(Goal::Up, PhaseName::Failed, 2, false, true);
        check(Goal::Up, PhaseName::Failed, 1, true, true);
    }
}
