//! Tales of orders. Some are named by what went wrong in other supervisors.

use std::time::Duration;

use procession::config::plan::{
    Condition, Dependency, Mode, OnCrashLoop, Passing, PassingScope, ProcessPlan, Replica,
    RestartPlan, RestartPolicy, Standing,
};
use procession::supervise::action::{Action, Scope};
use procession::supervise::fact::Fact;
use procession::supervise::lifecycle::{PhaseName, StopCause};
use procession::supervise::wish::{Refusal, Reply, Wish};
use procession::units::{ExitStatus, ProcId, ProcessIx, RunId, Signal};

use super::{ASKED, FIRST, OK, SECOND, TERM, Tale, asks, found, names, plan, process};

const THIRD: RunId = RunId(3);
const FOURTH: RunId = RunId(4);

fn always(name: &str) -> ProcessPlan {
    let restart = RestartPlan { policy: RestartPolicy::Always, ..RestartPlan::default() };
    ProcessPlan { restart, ..process(name) }
}

fn web_on_db(restart: bool) -> Vec<ProcessPlan> {
    let on = Dependency { restart, ..Dependency::on(ProcessIx(0), Condition::Started) };
    vec![process("db"), ProcessPlan { depends_on: vec![on], ..process("web") }]
}

fn running(processes: Vec<ProcessPlan>) -> Tale {
    let count = processes.len();
    let mut tale = Tale::of(processes).begun();
    for run in 1..=count {
        tale.runs(RunId(run as u64));
    }
    tale
}

#[test]
fn a_restart_ends_dependents_first_and_starts_them_last() {
    for (wanted, cause) in
        [(&["db", "web"][..], StopCause::Order), (&["db"], StopCause::Dependency)]
    {
        let mut tale = running(web_on_db(true));
        tale.order(Wish::Restart(names(wanted)));
        assert_eq!(tale.stops(), [(SECOND, cause)]);
        tale.ends(SECOND, ASKED, false);
        assert_eq!(tale.stops()[1..], [(FIRST, StopCause::Order)]);
        assert_eq!(tale.spawned().len(), 2, "what it depends on is yet to end");
        tale.ends(FIRST, ASKED, false);
        assert_eq!(tale.spawned()[2..], [(THIRD, ProcessIx(0))]);
        tale.runs(THIRD);
        assert_eq!(tale.spawned()[3..], [(FOURTH, ProcessIx(1))]);
    }
}

#[test]
fn without_restart_a_dependent_is_left_alone() {
    let mut tale = running(web_on_db(false));
    tale.order(Wish::Restart(names(&["db"])));
    assert_eq!(tale.stops(), [(FIRST, StopCause::Order)]);
}

/// process-compose#347: concurrent restarts started the process twice.
#[test]
fn many_restarts_while_it_stops_start_it_once() {
    let mut tale = running(vec![process("a"), process("b")]);
    for _ in 0..3 {
        tale.order(Wish::Restart(names(&["a"])));
    }
    tale.order(Wish::Start(names(&["a"])));
    tale.tell(Fact::FilesChanged { process: ProcessIx(0) });
    tale.ends(FIRST, ASKED, false);
    assert_eq!((tale.stops().len(), tale.spawned().len()), (1, 3));
    tale.runs(THIRD);
    tale.wait(Duration::from_secs(60), false);
    assert_eq!(tale.spawned().len(), 3);
}

/// process-compose#530: the restart of one that waited for a dependency left a second one behind.
#[test]
fn a_restart_of_what_waits_starts_it_once_and_in_its_time() {
    let mut tale = Tale::of(web_on_db(false)).begun();
    tale.order(Wish::Restart(names(&["web"])));
    tale.order(Wish::Start(names(&["web"])));
    assert_eq!(tale.spawned().len(), 1);
    tale.runs(FIRST);
    assert_eq!(tale.spawned()[1..], [(SECOND, ProcessIx(1))]);
}

#[test]
fn a_start_brings_back_what_is_being_stopped_and_is_needed() {
    let mut processes = web_on_db(false);
    processes[1].standing = Standing::OnDemand;
    let mut tale = Tale::of(processes).begun();
    tale.runs(FIRST);
    tale.order(Wish::Stop(names(&["db"])));
    let both = vec![ProcessIx(0), ProcessIx(1)];
    assert_eq!(tale.order(Wish::Start(names(&["web"]))), Reply::Accepted(both));
    tale.ends(FIRST, ASKED, false);
    assert_eq!(tale.spawned()[1..], [(SECOND, ProcessIx(0))]);
    tale.runs(SECOND);
    assert_eq!(tale.spawned()[2..], [(THIRD, ProcessIx(1))]);
}

#[test]
fn what_waits_is_not_started_beside_a_dependency_that_was_stopped_meanwhile() {
    let on = |at, condition| Dependency::on(ProcessIx(at), condition);
    let both = vec![on(0, Condition::Started), on(1, Condition::CompletedSuccessfully)];
    let web = ProcessPlan { depends_on: both, ..process("web") };
    let mut tale = Tale::of(vec![process("db"), process("seed"), web]).begun();
    tale.runs(FIRST);
    tale.runs(SECOND);
    tale.order(Wish::Stop(names(&["db"])));
    tale.ends(FIRST, ASKED, false);
    tale.ends(SECOND, OK, false);
    assert_eq!(tale.spawned().len(), 2, "db can still be started");
    tale.order(Wish::Start(names(&["db"])));
    tale.runs(THIRD);
    assert_eq!(tale.spawned()[2..], [(THIRD, ProcessIx(0)), (FOURTH, ProcessIx(2))]);
}

/// `migrate` and `seed` have ended and `db` runs, each on those before it.
fn db_behind_its_tasks() -> Tale {
    let done = |at| Dependency::on(ProcessIx(at), Condition::CompletedSuccessfully);
    let behind = |name, at| ProcessPlan { depends_on: vec![done(at)], ..process(name) };
    let mut tale = Tale::of(vec![process("migrate"), behind("seed", 0), behind("db", 1)]).begun();
    for run in [FIRST, SECOND] {
        tale.runs(run);
        tale.ends(run, OK, false);
    }
    tale.runs(THIRD);
    tale
}

#[test]
fn a_restart_runs_tasks_again_only_when_what_depends_on_them_has_ended() {
    let mut tale = db_behind_its_tasks();
    tale.order(Wish::Restart(names(&["migrate", "seed", "db"])));
    assert_eq!(tale.spawned().len(), 3, "db lives");
    tale.ends(THIRD, ASKED, false);
    for (run, at) in [(FOURTH, 0), (RunId(5), 1)] {
        assert_eq!(tale.spawned().last(), Some(&(run, ProcessIx(at))));
        tale.runs(run);
        tale.ends(run, OK, false);
    }
    assert_eq!(tale.spawned()[5..], [(RunId(6), ProcessIx(2))]);
}

#[test]
fn a_task_that_waits_for_the_end_of_what_depends_on_it_goes_on_when_nothing_is_to_run_anew() {
    let mut tale = db_behind_its_tasks();
    tale.order(Wish::Restart(names(&["migrate", "seed", "db"])));
    // Now db is not to come back, so that there is no order to keep.
    tale.order(Wish::Stop(names(&["db"])));
    assert_eq!(tale.spawned()[3..], [(FOURTH, ProcessIx(0))]);

    let mut tale = db_behind_its_tasks();
    tale.order(Wish::Restart(names(&["migrate", "seed", "db"])));
    // What stands between them does not run anew.
    tale.order(Wish::Stop(names(&["seed"])));
    assert_eq!(tale.spawned()[3..], [(FOURTH, ProcessIx(0))]);
}

#[test]
fn a_stop_ends_a_rest_and_holds_until_a_start() {
    let mut tale = running(vec![always("a"), process("b")]);
    tale.ends(FIRST, ExitStatus::Code(1), false);
    assert_eq!(tale.phase(0), Some(PhaseName::Resting));
    tale.order(Wish::Stop(names(&["a"])));
    tale.tell(Fact::FilesChanged { process: ProcessIx(0) });
    tale.wait(Duration::from_secs(600), false);
    assert_eq!((tale.phase(0), tale.spawned().len()), (Some(PhaseName::Done), 2));
    tale.order(Wish::Start(names(&["a"])));
    assert_eq!(tale.spawned()[2..], [(THIRD, ProcessIx(0))]);
}

#[test]
fn what_was_stopped_by_an_order_keeps_the_house_up_and_gives_the_code() {
    let mut tale = running(vec![always("a")]);
    tale.order(Wish::Stop(names(&["a"])));
    tale.ends(FIRST, ASKED, false);
    tale.wait(Duration::from_secs(600), false);
    assert_eq!((tale.exit_code(), tale.spawned().len()), (None, 1));
    tale.tell(TERM);
    tale.tell(Fact::HouseEmptied);
    assert_eq!(tale.exit_code(), Some(143));
}

#[test]
fn what_is_on_demand_starts_when_it_is_asked_for_or_needed() {
    let on_demand = |name| ProcessPlan { standing: Standing::OnDemand, ..process(name) };
    let mut tale = Tale::of(vec![on_demand("a"), on_demand("b")]).begun();
    assert_eq!((tale.spawned().len(), tale.exit_code()), (0, None), "it stays up to be asked");
    tale.order(Wish::Start(names(&["b"])));
    assert_eq!(tale.spawned(), [(FIRST, ProcessIx(1))]);

    let on = Dependency::on(ProcessIx(0), Condition::Started);
    let web = ProcessPlan { depends_on: vec![on], ..process("web") };
    let tale = Tale::of(vec![on_demand("db"), web]).begun();
    assert_eq!(tale.spawned(), [(FIRST, ProcessIx(0))]);
}

#[test]
fn a_family_is_meant_by_its_name_and_an_unknown_name_changes_nothing() {
    let replica = |number| ProcessPlan {
        replica: Some(Replica { of: "w".into(), number }),
        ..process(&format!("w-{number}"))
    };
    let mut tale = running(vec![replica(1), replica(2), process("other")]);
    let unknown = tale.order(Wish::Stop(names(&["w", "nobody"])));
    assert_eq!((unknown, tale.stops().len()), (Reply::UnknownName("nobody".into()), 0));
    let both = vec![ProcessIx(0), ProcessIx(1)];
    assert_eq!(tale.order(Wish::Stop(names(&["w"]))), Reply::Accepted(both));
    assert_eq!(tale.stops().len(), 2);
    tale.tell(TERM);
    let late = tale.order(Wish::Start(names(&["w"])));
    assert_eq!(late, Reply::Refused(Refusal::GoingDown));
}

#[test]
fn a_signal_reaches_those_who_live() {
    let mut tale = running(vec![process("a"), process("b")]);
    tale.ends(SECOND, OK, false);
    let wish = |name| Wish::Signal { names: names(&[name]), signal: Signal::USR1, group: true };
    assert_eq!(tale.order(wish("a")), Reply::Accepted(vec![ProcessIx(0)]));
    let sent = Action::Signal { run: FIRST, signal: Signal::USR1, scope: Scope::Group };
    assert!(tale.has_done(&sent));
    assert_eq!(tale.order(wish("b")), Reply::Refused(Refusal::NotRunning));
}

#[test]
fn a_crash_loop_is_given_up_and_a_start_by_hand_begins_a_new_row() {
    for on_crash_loop in [OnCrashLoop::Stay, OnCrashLoop::Exit] {
        let mut a = always("a");
        a.restart.max_attempts = Some(1);
        a.restart.on_crash_loop = on_crash_loop;
        let mut tale = running(vec![a, process("b")]);
        tale.ends(FIRST, ExitStatus::Code(1), false);
        tale.wait_for_the_next();
        tale.runs(THIRD);
        tale.ends(THIRD, ExitStatus::Code(1), false);
        assert_eq!(tale.phase(0), Some(PhaseName::CrashLooped));
        if on_crash_loop == OnCrashLoop::Exit {
            tale.ends(SECOND, ASKED, false);
            tale.tell(Fact::HouseEmptied);
            assert_eq!(tale.exit_code(), Some(75));
            continue;
        }
        tale.order(Wish::Start(names(&["a"])));
        tale.runs(FOURTH);
        tale.ends(FOURTH, ExitStatus::Code(1), false);
        assert_eq!(tale.phase(0), Some(PhaseName::Resting), "it is tried again");
    }
}

#[test]
fn codes_that_mean_success_are_no_failure() {
    let mut a = always("a");
    a.restart.policy = RestartPolicy::OnFailure;
    a.restart.success_codes = vec![42];
    let mut tale = running(vec![a, process("b")]);
    tale.ends(FIRST, ExitStatus::Code(42), false);
    assert_eq!(tale.phase(0), Some(PhaseName::Done));
    tale.ends(SECOND, OK, false);
    tale.tell(Fact::HouseEmptied);
    assert_eq!(tale.exit_code(), Some(0));
}

#[test]
fn what_is_not_required_is_waited_for_but_not_for_ever() {
    let on = Dependency {
        required: false,
        ..Dependency::on(ProcessIx(0), Condition::CompletedSuccessfully)
    };
    let web = ProcessPlan { depends_on: vec![on], ..process("web") };
    let mut tale = Tale::of(vec![process("seed"), web]).begun();
    tale.runs(FIRST);
    assert_eq!(tale.spawned().len(), 1);
    tale.ends(FIRST, ExitStatus::Code(1), false);
    assert_eq!(tale.spawned().len(), 2);
}

#[test]
fn every_survivor_is_taken_over_before_anything_is_started() {
    let mut tale = Tale::of(vec![process("a"), process("b"), process("c")]);
    for at in [0, 1] {
        let id = ProcId { pid: 50 + at as i32, start_ticks: 5 };
        tale.tell(Fact::Found { process: ProcessIx(at), run: found(id) });
    }
    tale.tell(Fact::Began);
    assert_eq!(tale.spawned(), [(THIRD, ProcessIx(2))]);
}

#[test]
fn one_command_is_accompanied_as_its_flags_say() {
    let passing = Passing {
        scope: PassingScope::Group,
        rewrite: vec![(Signal::TERM, Some(Signal::QUIT)), (Signal::USR1, None)],
        forgiven: vec![131],
        ..Passing::default()
    };
    let one = super::Plan { mode: Mode::OneCommand, passing, ..plan(vec![process("a")]) };
    let mut tale = Tale::of_plan(one).begun();
    tale.runs(FIRST);
    tale.news();
    tale.tell(Fact::SignalArrived { signal: Signal::USR1 });
    tale.tell(TERM);
    let quit = Action::Signal { run: FIRST, signal: Signal::QUIT, scope: Scope::Group };
    let signals = |action: &&Action| matches!(action, Action::Signal { .. });
    assert_eq!(tale.done.iter().filter(signals).collect::<Vec<_>>(), [&quit]);
    assert_eq!(tale.order(Wish::Stop(names(&["a"]))), Reply::Refused(Refusal::OneCommand));
    tale.ends(FIRST, ExitStatus::Signal(Signal::QUIT), false);
    tale.tell(Fact::HouseEmptied);
    assert_eq!(tale.exit_code(), Some(0));
}

#[test]
fn an_ordered_end_is_asked_for_once() {
    let mut tale = running(vec![process("a"), process("b")]);
    tale.order(Wish::Stop(names(&["a"])));
    tale.order(Wish::Stop(names(&["a", "a"])));
    let asked = tale.done.iter().filter(|action| **action == asks(FIRST));
    assert_eq!(asked.count(), 1);
}
