//! Tales of runs that are looked after: ready, healthy, fed, and with commands around them.

use std::time::Duration;

use procession::config::plan::{
    Condition, Dependency, HealthPlan, Hook, Hooks, OnUnhealthy, ProcessPlan, ReadyPlan,
    RestartPlan, RestartPolicy, Test,
};
use procession::supervise::action::{Action, Scope};
use procession::supervise::fact::{ErrandEnd, Fact, Holder, Notice};
use procession::supervise::lifecycle::{Lifecycle, PhaseName, Role, StopCause};
use procession::units::{ErrandId, ExitStatus, ProcId, ProcessIx, Signal};

use super::{ASKED, FIRST, OK, SECOND, TERM, Tale, asks, process};

const SECOND_OF_TIME: Duration = Duration::from_secs(1);

fn tested(on_unhealthy: OnUnhealthy) -> HealthPlan {
    HealthPlan {
        test: Test::Exec(vec!["true".into()]),
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(2),
        retries: 2,
        start_period: Duration::from_secs(3),
        start_interval: SECOND_OF_TIME,
        on_unhealthy,
    }
}

fn ready(notify: bool, timeout: Option<Duration>) -> ReadyPlan {
    ReadyPlan { log: Some("up".into()), notify, timeout }
}

fn hook(timeout: Duration) -> Vec<Hook> {
    vec![Hook { command: vec!["x".into()], timeout }]
}

fn passed(errand: u64) -> Fact {
    Fact::ErrandEnded { errand: ErrandId(errand), end: ErrandEnd::Exited(OK) }
}

fn failed(errand: u64) -> Fact {
    let end = ErrandEnd::Exited(ExitStatus::Code(1));
    Fact::ErrandEnded { errand: ErrandId(errand), end }
}

#[test]
fn a_run_is_ready_when_everything_was_shown_and_not_before() {
    let db = ProcessPlan {
        ready: Some(ready(true, None)),
        health: Some(tested(OnUnhealthy::Report)),
        ..process("db")
    };
    let on = Dependency::on(ProcessIx(0), Condition::Healthy);
    let web = ProcessPlan { depends_on: vec![on], ..process("web") };
    let mut tale = Tale::of(vec![db, web]).begun();
    // A line can be read before the execution is told.
    tale.tell(Fact::LineMatched { run: FIRST });
    tale.runs(FIRST);
    tale.tell(Fact::Notified { run: FIRST, notice: Notice::Ready });
    tale.wait(SECOND_OF_TIME, false);
    assert_eq!((tale.phase(0), tale.spawned().len()), (Some(PhaseName::Starting), 1));
    tale.tell(passed(1));
    assert_eq!((tale.phase(0), tale.spawned().len()), (Some(PhaseName::Ready), 2));
    tale.tell(Fact::Notified { run: FIRST, notice: Notice::Reloading });
    assert_eq!(tale.phase(0), Some(PhaseName::Starting), "it says so itself");
    tale.tell(Fact::Notified { run: FIRST, notice: Notice::Ready });
    assert_eq!(tale.phase(0), Some(PhaseName::Ready));
}

#[test]
fn what_is_not_ready_in_time_has_failed() {
    let plan = ProcessPlan {
        ready: Some(ready(false, Some(SECOND_OF_TIME))),
        restart: RestartPlan { policy: RestartPolicy::OnFailure, ..RestartPlan::default() },
        ..process("a")
    };
    let mut tale = Tale::of(vec![plan]).begun();
    tale.runs(FIRST);
    tale.wait_for_the_next();
    assert_eq!(tale.stops(), [(FIRST, StopCause::NotReady)]);
    tale.ends(FIRST, OK, false);
    assert_eq!(tale.phase(0), Some(PhaseName::Resting), "code 0 does not make it a success");
}

#[test]
fn failures_count_when_the_start_period_is_over_and_a_late_test_is_one() {
    let health = HealthPlan { interval: SECOND_OF_TIME, ..tested(OnUnhealthy::Restart) };
    let plan = ProcessPlan { health: Some(health), ..process("a") };
    let mut tale = Tale::of(vec![plan]).begun();
    tale.runs(FIRST);
    tale.wait(SECOND_OF_TIME, false);
    tale.tell(failed(1));
    tale.wait(SECOND_OF_TIME, false);
    // The second one hangs from second 2 to 4, which is after the start period.
    tale.wait(SECOND_OF_TIME * 2, false);
    assert!(tale.has_done(&Action::EndErrand { errand: ErrandId(2) }));
    tale.wait(SECOND_OF_TIME * 3 / 2, false);
    let asked =
        |tale: &Tale| tale.done.iter().filter(|a| matches!(a, Action::Assist { .. })).count();
    assert_eq!(asked(&tale), 2, "one that cannot be killed is not joined by another");
    assert_eq!(tale.stops(), [(FIRST, StopCause::Unhealthy)], "but it counts again");
    tale.ends(FIRST, OK, false);
    tale.tell(Fact::HouseEmptied);
    assert_eq!(tale.exit_code(), Some(1), "it ended politely, and has failed all the same");
}

/// Until a first test passes there is one every second, but an image's author counted on as much
/// time as Compose gives: so many failures an interval apart.
#[test]
fn what_starts_slowly_is_tested_often_and_fails_an_interval_apart() {
    for (start_period, unhealthy_at) in [(0, 90), (40, 100)] {
        let health = HealthPlan {
            interval: Duration::from_secs(30),
            retries: 3,
            start_period: Duration::from_secs(start_period),
            ..tested(OnUnhealthy::Restart)
        };
        let db = ProcessPlan { health: Some(health), ..process("db") };
        let on = Dependency::on(ProcessIx(0), Condition::Healthy);
        let web = ProcessPlan { depends_on: vec![on], ..process("web") };
        for passes_at in [5, unhealthy_at, u64::MAX] {
            let mut tale = Tale::of(vec![db.clone(), web.clone()]).begun();
            tale.runs(FIRST);
            for second in 1..unhealthy_at.min(passes_at) {
                tale.wait(SECOND_OF_TIME, false);
                tale.tell(failed(second));
            }
            assert_eq!(tale.stops(), [], "start_period {start_period}");
            tale.wait(SECOND_OF_TIME, false);
            let last = unhealthy_at.min(passes_at);
            tale.tell(if last == passes_at { passed(last) } else { failed(last) });
            let stopped = tale.stops().contains(&(FIRST, StopCause::Unhealthy));
            let is_up = tale.phase(0) == Some(PhaseName::Ready) && tale.spawned().len() == 2;
            assert_eq!((is_up, stopped), (last == passes_at, last != passes_at), "at {last}");
        }
    }
}

#[test]
fn a_watchdog_that_is_not_fed_barks_unless_everything_stood_still() {
    for frozen in [false, true] {
        let plan = ProcessPlan { watchdog: Some(SECOND_OF_TIME), ..process("a") };
        let mut tale = Tale::of(vec![plan]).begun();
        tale.runs(FIRST);
        tale.wait(SECOND_OF_TIME / 2, false);
        tale.tell(Fact::Notified { run: FIRST, notice: Notice::Watchdog });
        tale.wait(if frozen { SECOND_OF_TIME * 5 } else { SECOND_OF_TIME }, frozen);
        let abort = Action::Signal { run: FIRST, signal: Signal(6), scope: Scope::Group };
        assert_eq!(tale.has_done(&abort), !frozen);
        tale.wait(SECOND_OF_TIME, false);
        assert!(tale.has_done(&abort), "after a thaw it has the time anew, and no more");
        tale.wait(Duration::from_secs(10), false);
        let kill = Action::Signal { run: FIRST, signal: Signal::KILL, scope: Scope::Tree };
        assert!(tale.has_done(&kill));
    }
}

#[test]
fn a_hook_before_the_stop_has_its_time_and_no_more() {
    let hooks = Hooks { pre_stop: hook(SECOND_OF_TIME), ..Hooks::default() };
    let plan = ProcessPlan { hooks, ..process("a") };
    let mut tale = Tale::of(vec![plan]).begun();
    tale.runs(FIRST);
    tale.tell(TERM);
    assert!(!tale.has_done(&asks(FIRST)));
    tale.wait(SECOND_OF_TIME, false);
    let told = |tale: &Tale| {
        let failed =
            Lifecycle::HookFailed { process: ProcessIx(0), role: Role::PreStop(0), end: None };
        tale.has_told(&failed)
    };
    assert!(tale.has_done(&Action::EndErrand { errand: ErrandId(1) }) && told(&tale));
    assert!(tale.has_done(&asks(FIRST)));
    tale.ends(FIRST, ASKED, false);
    let stop = tale.end_of(FIRST).and_then(|end| end.stop);
    assert_eq!(stop, Some(SECOND_OF_TIME), "from the asking, the hook included");
}

#[test]
fn a_hook_leaves_the_asking_its_share_when_less_time_is_left_than_it_was_given() {
    let hooks = Hooks { pre_stop: hook(SECOND_OF_TIME * 25), ..Hooks::default() };
    let stop_grace_period = Duration::from_secs(30);
    let mut tale =
        Tale::of(vec![ProcessPlan { hooks, stop_grace_period, ..process("a") }, process("b")])
            .begun();
    tale.runs(FIRST);
    tale.runs(SECOND);
    tale.order(super::Wish::Stop(super::names(&["a"])));
    tale.wait(SECOND_OF_TIME / 2, false);
    tale.tell(TERM);
    tale.ends(SECOND, ASKED, false);
    let begun = tale.now;
    while !tale.has_done(&asks(FIRST)) {
        tale.wait_for_the_next();
    }
    let asked = tale.now;
    let kill = Action::Signal { run: FIRST, signal: Signal::KILL, scope: Scope::Tree };
    while !tale.has_done(&kill) {
        tale.wait_for_the_next();
    }
    let (before, after) = (asked.since(begun), tale.now.since(asked));
    assert!(before >= after * 2 && after >= SECOND_OF_TIME, "{before:?} for it, {after:?} left");
}

#[test]
fn a_second_request_skips_hooks() {
    let hooks = Hooks { pre_stop: hook(SECOND_OF_TIME * 5), ..Hooks::default() };
    let plan = ProcessPlan { hooks, ..process("a") };
    let on = Dependency::on(ProcessIx(0), Condition::Started);
    let later = ProcessPlan { depends_on: vec![on], ..plan.clone() };
    let mut tale = Tale::of(vec![plan, ProcessPlan { name: "b".into(), ..later }]).begun();
    tale.runs(FIRST);
    tale.runs(SECOND);
    tale.tell(TERM);
    assert!(!tale.has_done(&asks(SECOND)));
    tale.tell(TERM);
    assert!(tale.has_done(&Action::EndErrand { errand: ErrandId(1) }));
    assert!(tale.has_done(&asks(SECOND)) && tale.has_done(&asks(FIRST)));
    let begun = tale.done.iter().filter(|action| matches!(action, Action::Assist { .. }));
    assert_eq!(begun.count(), 1, "none is begun any more");
}

#[test]
fn what_comes_after_a_run_is_over_before_the_next_begins() {
    let plan = ProcessPlan {
        hooks: Hooks { post_exit: hook(SECOND_OF_TIME), ..Hooks::default() },
        restart: RestartPlan { policy: RestartPolicy::Always, ..RestartPlan::default() },
        ..process("a")
    };
    let mut tale = Tale::of(vec![plan]).begun();
    tale.runs(FIRST);
    tale.ends(FIRST, ExitStatus::Code(4), false);
    let assisted = tale.done.iter().find_map(|action| match action {
        Action::Assist { role, status, .. } => Some((*role, *status)),
        _ => None,
    });
    assert_eq!(assisted, Some((Role::PostExit(0), Some(ExitStatus::Code(4)))));
    assert_ne!(tale.phase(0), Some(PhaseName::Resting));
    tale.tell(passed(1));
    assert_eq!(tale.phase(0), Some(PhaseName::Resting));
}

#[test]
fn a_crash_loop_is_one_however_long_is_tidied_up_after_each_run() {
    for leftovers in [false, true] {
        let post_exit = if leftovers { Vec::new() } else { hook(SECOND_OF_TIME * 9) };
        let hooks = Hooks { post_exit, ..Hooks::default() };
        let mut plan = ProcessPlan { hooks, ..process("a") };
        plan.restart.policy = RestartPolicy::OnFailure;
        plan.restart.max_attempts = Some(1);
        plan.restart.backoff.window = SECOND_OF_TIME;
        let mut tale = Tale::of(vec![plan]).begun();
        for (run, errand) in [(FIRST, 1), (SECOND, 2)] {
            tale.runs(run);
            tale.ends(run, ExitStatus::Code(1), leftovers);
            tale.wait(SECOND_OF_TIME * 2, false);
            tale.tell(if leftovers { Fact::TreeEmptied { run } } else { passed(errand) });
            if run == FIRST {
                tale.wait_for_the_next();
            }
        }
        assert_eq!(tale.phase(0), Some(PhaseName::CrashLooped), "leftovers: {leftovers}");
    }
}

#[test]
fn more_time_is_given_but_never_beyond_the_budget() {
    let mut tale = Tale::of(vec![process("a")]).begun();
    tale.runs(FIRST);
    tale.tell(TERM);
    let notice = Notice::ExtendTimeout(3_600_000_000);
    tale.tell(Fact::Notified { run: FIRST, notice });
    tale.wait(Duration::from_secs(10), false);
    assert_eq!(tale.exit_code(), Some(255));
}

#[test]
fn who_cannot_be_killed_is_named_before_the_run_is_given_up() {
    let mut tale = Tale::of(vec![process("a"), process("b")]).begun();
    tale.runs(FIRST);
    tale.runs(SECOND);
    tale.order(super::Wish::Stop(super::names(&["a"])));
    tale.wait(Duration::from_secs(10), false);
    let asked =
        |tale: &Tale| tale.done.iter().filter(|a| matches!(a, Action::NameHolders { .. })).count();
    assert_eq!(asked(&tale), 1);
    assert!(tale.has_told(&Lifecycle::RunKilled { run: FIRST, after: Duration::from_secs(10) }));
    tale.wait(Duration::from_millis(500), false);
    assert_eq!((asked(&tale), tale.end_of(FIRST)), (2, None));
    let id = ProcId { pid: 100, start_ticks: 1 };
    let holders = vec![Holder { id, name: "dd".into(), state: 'D' }];
    tale.tell(Fact::HoldersNamed { run: FIRST, holders: holders.clone() });
    let after = Duration::from_millis(10_500);
    assert!(tale.has_told(&Lifecycle::RunHeld { run: FIRST, holders, after, unkillable: true }));
    assert!(tale.end_of(FIRST).is_some_and(|end| end.forced && end.stop == Some(after)));
}

#[test]
fn what_stood_still_is_given_the_time_to_become_ready_anew() {
    for frozen in [false, true] {
        let ready = Some(ready(false, Some(SECOND_OF_TIME)));
        let mut tale = Tale::of(vec![ProcessPlan { ready, ..process("a") }]).begun();
        tale.runs(FIRST);
        tale.wait(if frozen { SECOND_OF_TIME * 5 } else { SECOND_OF_TIME }, frozen);
        assert_eq!(tale.stops().is_empty(), frozen);
        tale.wait(SECOND_OF_TIME, false);
        assert_eq!(tale.stops(), [(FIRST, StopCause::NotReady)], "and no more");
    }
}

#[test]
fn what_stood_still_is_given_its_grace_anew_but_never_beyond_the_budget() {
    for (ends_house, killed_at) in [(false, 25), (true, 15)] {
        let mut tale = Tale::of(vec![process("a"), process("b")]).begun();
        tale.runs(FIRST);
        tale.runs(SECOND);
        tale.order(super::Wish::Stop(super::names(&["a"])));
        if ends_house {
            tale.tell(TERM);
        }
        let kill = Action::Signal { run: FIRST, signal: Signal::KILL, scope: Scope::Tree };
        tale.wait(SECOND_OF_TIME * 15, true);
        assert_eq!(tale.has_done(&kill), ends_house, "after 15 of 10 seconds of grace");
        tale.wait(SECOND_OF_TIME * 19 / 2, false);
        assert_eq!(tale.has_done(&kill), ends_house);
        tale.wait(SECOND_OF_TIME / 2, false);
        let after = Duration::from_secs(killed_at);
        assert!(tale.has_told(&Lifecycle::RunKilled { run: FIRST, after }), "{:?}", tale.done);
    }
}
