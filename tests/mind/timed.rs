//! Tales of runs that may last for so long and no longer, and of runs that are ended by their session.

use std::time::Duration;

use procession::config::plan::{ProcessPlan, RestartPlan, RestartPolicy};
use procession::supervise::action::{Action, Scope};
use procession::supervise::lifecycle::{EndReason, PhaseName, StopCause};
use procession::supervise::wish::{Refusal, Reply, Wish};
use procession::units::{ExitStatus, ProcessIx, RunId, SessionId, Signal, Wall};

use super::{ASKED, FIRST, OK, Tale, asks, process};

const SECOND_OF_TIME: Duration = Duration::from_secs(1);

fn limited() -> ProcessPlan {
    let max_duration = Some(SECOND_OF_TIME * 5);
    ProcessPlan { max_duration, stop_grace_period: SECOND_OF_TIME * 2, ..process("a") }
}

fn killed(run: RunId) -> Action {
    Action::Signal { run, signal: Signal::KILL, scope: Scope::Tree }
}

fn session_of(tale: &Tale, run: RunId) -> SessionId {
    let found = tale.done.iter().find_map(|action| match action {
        Action::Spawn { run: spawned, session, .. } if *spawned == run => Some(*session),
        _ => None,
    });
    found.expect("it was spawned")
}

fn ended(tale: &Tale, grace: Option<Duration>) -> Wish {
    Wish::End { session: session_of(tale, FIRST), grace }
}

#[test]
fn a_run_whose_time_is_up_is_asked_then_killed_and_has_failed() {
    let mut tale = Tale::of(vec![limited()]).begun();
    tale.runs(FIRST);
    tale.wait(SECOND_OF_TIME * 4, false);
    assert_eq!(tale.stops(), []);
    tale.wait(SECOND_OF_TIME, false);
    assert_eq!(tale.stops(), [(FIRST, StopCause::TimeUp)]);
    assert!(tale.has_done(&asks(FIRST)) && !tale.has_done(&killed(FIRST)));
    tale.wait(SECOND_OF_TIME * 2, false);
    assert!(tale.has_done(&killed(FIRST)));
    tale.ends(FIRST, ExitStatus::Signal(Signal::KILL), false);
    let end = tale.end_of(FIRST).expect("an end");
    assert_eq!(end.reason, EndReason::Interrupted(StopCause::TimeUp));
    assert!(end.forced);
    assert_eq!(tale.phase(0), Some(PhaseName::Failed));
}

#[test]
fn code_0_after_the_time_is_no_success_and_each_run_has_its_own_time() {
    let restart = RestartPlan { policy: RestartPolicy::OnFailure, ..RestartPlan::default() };
    let mut tale = Tale::of(vec![ProcessPlan { restart, ..limited() }]).begun();
    tale.runs(FIRST);
    tale.wait(SECOND_OF_TIME * 5, false);
    tale.ends(FIRST, OK, false);
    assert_eq!(tale.phase(0), Some(PhaseName::Resting));
    tale.wait(SECOND_OF_TIME, false);
    let again = RunId(2);
    tale.runs(again);
    tale.wait(SECOND_OF_TIME * 4, false);
    assert_eq!(tale.stops().len(), 1, "the second run has not had its time");
    tale.wait(SECOND_OF_TIME, false);
    assert_eq!(tale.stops()[1..], [(again, StopCause::TimeUp)]);
}

#[test]
fn what_hangs_before_its_program_is_executed_has_no_more_time_either() {
    let mut tale = Tale::of(vec![limited()]).begun();
    tale.wait(SECOND_OF_TIME * 5, false);
    assert_eq!(tale.stops(), [(FIRST, StopCause::TimeUp)]);
}

#[test]
fn a_session_is_ended_by_asking_or_at_once() {
    for (grace, seconds) in [(None, 2), (Some(SECOND_OF_TIME * 7), 7), (Some(SECOND_OF_TIME), 1)] {
        let mut tale = Tale::of(vec![limited()]).begun();
        tale.runs(FIRST);
        assert_eq!(tale.order(ended(&tale, grace)), Reply::Accepted(vec![ProcessIx(0)]));
        assert!(tale.has_done(&asks(FIRST)));
        tale.wait(SECOND_OF_TIME * seconds - Duration::from_millis(1), false);
        assert!(!tale.has_done(&killed(FIRST)), "{grace:?}");
        tale.wait(Duration::from_millis(1), false);
        assert!(tale.has_done(&killed(FIRST)), "{grace:?}");
    }
    let mut tale = Tale::of(vec![limited()]).begun();
    tale.runs(FIRST);
    tale.order(ended(&tale, Some(Duration::ZERO)));
    assert!(tale.has_done(&killed(FIRST)) && !tale.has_done(&asks(FIRST)));
    tale.ends(FIRST, ExitStatus::Signal(Signal::KILL), false);
    let end = tale.end_of(FIRST).expect("an end");
    assert_eq!(end.reason, EndReason::Interrupted(StopCause::Order));
    assert!(end.forced && tale.phase(0) == Some(PhaseName::Done));
}

#[test]
fn who_was_asked_already_gets_less_time_and_never_more() {
    let mut tale = Tale::of(vec![limited()]).begun();
    tale.runs(FIRST);
    tale.order(ended(&tale, None));
    tale.wait(SECOND_OF_TIME, false);
    tale.order(ended(&tale, Some(SECOND_OF_TIME * 100)));
    tale.wait(SECOND_OF_TIME, false);
    assert!(tale.has_done(&killed(FIRST)), "what it had at first");

    let mut tale = Tale::of(vec![limited()]).begun();
    tale.runs(FIRST);
    tale.order(ended(&tale, None));
    tale.wait(SECOND_OF_TIME / 2, false);
    tale.order(ended(&tale, Some(Duration::ZERO)));
    tale.wait(Duration::ZERO, false);
    assert!(tale.has_done(&killed(FIRST)), "at once");
    assert_eq!(tale.stops().len(), 1, "it was asked once");
}

#[test]
fn a_session_that_is_over_or_was_never_there_is_told_so() {
    let always = RestartPlan { policy: RestartPolicy::Always, ..RestartPlan::default() };
    let mut tale = Tale::of(vec![ProcessPlan { restart: always, ..limited() }]).begun();
    tale.runs(FIRST);
    let unknown = Wish::End { session: SessionId::new(Wall(1), 1), grace: None };
    assert_eq!(tale.order(unknown), Reply::Refused(Refusal::NotRunning));
    let wish = ended(&tale, None);
    tale.order(wish.clone());
    tale.ends(FIRST, ASKED, false);
    assert_eq!(tale.phase(0), Some(PhaseName::Done), "ended by an order, it stays ended");
    assert_eq!(tale.order(wish), Reply::Refused(Refusal::NotRunning));
}
