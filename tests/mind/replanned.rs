//! Tales of plans that change while the house is up.

use std::sync::Arc;
use std::time::Duration;

use procession::config::plan::{
    Condition, Dependency, HealthPlan, Hook, Hooks, OnUnhealthy, Plan, ProcessPlan, ReadyPlan,
    RestartPlan, RestartPolicy, Schedule, Standing, Test, Zone,
};
use procession::supervise::action::{Action, Scope};
use procession::supervise::fact::{ErrandEnd, Fact};
use procession::supervise::lifecycle::{Lifecycle, PhaseName, SignalResponse, StopCause};
use procession::supervise::wish::{Refusal, Reply, Wish};
use procession::units::{ErrandId, ExitStatus, ProcessIx, RunId, Signal};

use super::{ASKED, FIRST, OK, SECOND, TERM, Tale, names, plan, process};

const THIRD: RunId = RunId(3);

fn changed(plan: ProcessPlan) -> ProcessPlan {
    ProcessPlan { command: vec!["y".into()], ..plan }
}

fn reload(tale: &mut Tale, processes: Vec<ProcessPlan>) -> Reply {
    tale.news();
    tale.order(Wish::Reload(Arc::new(plan(processes))))
}

/// The first action that needs the new plan comes after the plan itself.
fn assert_plan_first(tale: &Tale) {
    let is_plan = |action: &Action| matches!(action, Action::Reconfigure(_));
    assert!(tale.done.first().is_some_and(is_plan), "{:?}", tale.done.first());
}

#[test]
fn only_what_changed_restarts() {
    let three = || vec![process("a"), process("b"), process("c")];
    let mut tale = Tale::of(three()).begun();
    [FIRST, SECOND, THIRD].into_iter().for_each(|run| tale.runs(run));
    let mut adjusted = process("c");
    adjusted.restart = RestartPlan { policy: RestartPolicy::Always, ..RestartPlan::default() };
    let reply = reload(&mut tale, vec![process("a"), changed(process("b")), adjusted]);
    let Reply::Reloaded(changes) = reply else { panic!("{reply:?}") };
    assert_eq!((changes.restarted, changes.adjusted), (vec![ProcessIx(1)], vec![ProcessIx(2)]));
    assert_plan_first(&tale);
    assert_eq!(tale.stops(), [(SECOND, StopCause::Reload)]);
    tale.ends(SECOND, ASKED, false);
    assert_eq!(tale.spawned(), [(RunId(4), ProcessIx(1))]);
    tale.ends(THIRD, ExitStatus::Code(1), false);
    assert_eq!(tale.phase(2), Some(PhaseName::Resting), "its new policy holds at once");
}

#[test]
fn what_is_gone_ends_and_what_is_new_starts() {
    let mut tale = Tale::of(vec![process("a"), process("b")]).begun();
    tale.runs(FIRST);
    tale.runs(SECOND);
    reload(&mut tale, vec![process("b"), process("new")]);
    assert_eq!(tale.stops(), [(FIRST, StopCause::Reload)]);
    assert_eq!(tale.spawned(), [(THIRD, ProcessIx(2))]);
    tale.ends(FIRST, ASKED, false);
    let unknown = tale.order(Wish::Start(names(&["a"])));
    assert_eq!(unknown, Reply::UnknownName("a".into()));
    tale.runs(THIRD);
    tale.ends(SECOND, OK, false);
    tale.ends(THIRD, OK, false);
    tale.tell(Fact::HouseEmptied);
    assert_eq!(tale.exit_code(), Some(0), "what is gone keeps nothing up");
}

/// A process after whose end a command runs.
fn tidied(name: &str) -> ProcessPlan {
    let hook = Hook { command: vec!["x".into()], timeout: Duration::from_secs(60) };
    let hooks = Hooks { post_exit: vec![hook], ..Hooks::default() };
    ProcessPlan { hooks, ..process(name) }
}

/// The command that runs beside a process.
fn assisted(tale: &Tale) -> ErrandId {
    let begun = tale.done.iter().find_map(|action| match action {
        Action::Assist { errand, .. } => Some(*errand),
        _ => None,
    });
    begun.expect("a command beside it")
}

/// Far away.
fn yearly() -> Schedule {
    Schedule { cron: "0 0 1 1 *".into(), zone: Zone::default() }
}

/// A process that was taken out of the plan, and whose command after its end runs.
fn gone_and_tidied_up_after() -> (Tale, ProcessPlan, Fact) {
    let tidied = tidied("a");
    let mut tale = Tale::of(vec![tidied.clone(), process("b")]).begun();
    tale.runs(FIRST);
    tale.runs(SECOND);
    reload(&mut tale, vec![process("b")]);
    tale.ends(FIRST, ASKED, false);
    let errand = assisted(&tale);
    (tale, tidied, Fact::ErrandEnded { errand, end: ErrandEnd::Exited(OK) })
}

#[test]
fn who_comes_back_while_the_commands_after_its_end_run_waits_for_them() {
    let (mut tale, tidied, over) = gone_and_tidied_up_after();
    reload(&mut tale, vec![tidied, process("b")]);
    assert_eq!(tale.spawned(), []);
    tale.tell(over);
    assert_eq!(tale.spawned(), [(THIRD, ProcessIx(0))]);
}

#[test]
fn who_comes_back_to_be_asked_for_is_not_started_by_having_been_there() {
    let mut tale = Tale::of(vec![process("a"), process("b")]).begun();
    tale.runs(FIRST);
    tale.runs(SECOND);
    reload(&mut tale, vec![process("b")]);
    let on_demand = ProcessPlan { standing: Standing::OnDemand, ..process("a") };
    reload(&mut tale, vec![on_demand, process("b")]);
    tale.ends(FIRST, ASKED, false);
    assert_eq!((tale.spawned(), tale.phase(0)), (vec![], Some(PhaseName::Done)));
    tale.order(Wish::Start(names(&["a"])));
    assert_eq!(tale.spawned(), [(THIRD, ProcessIx(0))]);
}

#[test]
fn what_runs_by_the_clock_and_has_ended_waits_for_its_time_whatever_was_reloaded_meanwhile() {
    let job = || ProcessPlan { schedule: Some(yearly()), ..tidied("job") };
    let plans: [&[Vec<ProcessPlan>]; 2] =
        [&[vec![process("b")], vec![job(), process("b")]], &[vec![changed(job()), process("b")]]];
    for reloads in plans {
        let mut tale = Tale::of(vec![job(), process("b")]).begun();
        tale.order(Wish::Start(names(&["job"])));
        assert_eq!(tale.spawned(), [(FIRST, ProcessIx(1)), (SECOND, ProcessIx(0))]);
        tale.runs(FIRST);
        tale.runs(SECOND);
        tale.ends(SECOND, OK, false);
        let over = Fact::ErrandEnded { errand: assisted(&tale), end: ErrandEnd::Exited(OK) };
        reloads.iter().for_each(|processes| drop(reload(&mut tale, processes.clone())));
        tale.tell(over);
        assert_eq!((tale.spawned(), tale.phase(0)), (vec![], Some(PhaseName::Resting)));
        tale.order(Wish::Start(names(&["job"])));
        assert_eq!(tale.spawned(), [(THIRD, ProcessIx(0))]);
    }
}

#[test]
fn files_that_change_once_a_run_by_the_clock_has_ended_wait_for_its_time() {
    let job = ProcessPlan { schedule: Some(yearly()), ..tidied("job") };
    let mut tale = Tale::of(vec![job]).begun();
    tale.order(Wish::Start(names(&["job"])));
    tale.runs(FIRST);
    tale.ends(FIRST, OK, false);
    let over = Fact::ErrandEnded { errand: assisted(&tale), end: ErrandEnd::Exited(OK) };
    tale.tell(Fact::FilesChanged { process: ProcessIx(0) });
    tale.tell(over);
    assert_eq!((tale.spawned().len(), tale.phase(0)), (1, Some(PhaseName::Resting)));
}

#[test]
fn who_asks_for_what_a_reload_ends_has_it_run_at_once_also_by_the_clock() {
    let job = || ProcessPlan { schedule: Some(yearly()), ..process("job") };
    let mut tale = Tale::of(vec![job()]).begun();
    tale.order(Wish::Start(names(&["job"])));
    tale.runs(FIRST);
    reload(&mut tale, vec![changed(job())]);
    tale.order(Wish::Restart(names(&["job"])));
    tale.ends(FIRST, ASKED, false);
    assert_eq!(tale.spawned(), [(SECOND, ProcessIx(0))]);
}

#[test]
fn what_was_to_be_asked_for_and_runs_by_the_clock_from_now_on_waits_for_its_time() {
    let job = ProcessPlan { schedule: Some(yearly()), ..process("job") };
    let on_demand = ProcessPlan { standing: Standing::OnDemand, ..process("job") };
    let mut tale = Tale::of(vec![on_demand, process("b")]).begun();
    reload(&mut tale, vec![job, process("b")]);
    assert_eq!((tale.spawned(), tale.phase(0)), (vec![], Some(PhaseName::Resting)));
}

#[test]
fn who_comes_back_to_be_asked_for_is_as_one_that_was_never_started() {
    let on = Dependency::on(ProcessIx(0), Condition::Started);
    let needs_a = || ProcessPlan { depends_on: vec![on], ..process("c") };
    let a = |standing| ProcessPlan { standing, ..process("a") };
    let wanted = vec![a(Standing::Wanted), process("b")];
    let needed = vec![a(Standing::OnDemand), needs_a(), process("b")];
    let cases = [&wanted, &needed].into_iter().flat_map(|plan| [(plan, false), (plan, true)]);
    for (plan, early) in cases {
        let mut tale = Tale::of(vec![process("a"), process("b")]).begun();
        tale.runs(FIRST);
        tale.runs(SECOND);
        reload(&mut tale, vec![process("b")]);
        reload(&mut tale, vec![a(Standing::OnDemand), process("b")]);
        if early {
            reload(&mut tale, plan.clone());
        }
        tale.ends(FIRST, ASKED, false);
        if !early {
            assert_eq!((tale.spawned(), tale.phase(0)), (vec![], Some(PhaseName::Done)));
            reload(&mut tale, plan.clone());
        }
        assert_eq!(tale.spawned(), [(THIRD, ProcessIx(0))], "{early}");
    }
}

#[test]
fn what_a_new_process_needs_is_started_also_where_the_same_file_brought_it() {
    let db = || ProcessPlan { standing: Standing::OnDemand, ..process("db") };
    let on = |at| Dependency::on(ProcessIx(at), Condition::Started);
    let web = |at| ProcessPlan { depends_on: vec![on(at)], ..process("web") };
    let mut tale = Tale::of(vec![process("a")]).begun();
    tale.runs(FIRST);
    reload(&mut tale, vec![process("a"), db(), web(1)]);
    assert_eq!(tale.spawned(), [(SECOND, ProcessIx(1))]);
    tale.runs(SECOND);
    assert_eq!(tale.spawned()[1..], [(THIRD, ProcessIx(2))]);

    let mut tale = Tale::of(vec![process("web")]).begun();
    tale.runs(FIRST);
    reload(&mut tale, vec![changed(web(1)), db()]);
    assert_eq!(tale.spawned(), [], "first what was there and needs it now ends");
    tale.ends(FIRST, ASKED, false);
    assert_eq!(tale.spawned(), [(SECOND, ProcessIx(1))]);
}

#[test]
fn what_is_gone_or_was_stopped_is_not_restarted_along() {
    let on = Dependency { restart: true, ..Dependency::on(ProcessIx(0), Condition::Started) };
    let web = || ProcessPlan { depends_on: vec![on], ..process("web") };
    let above = || {
        let on = Dependency::on(ProcessIx(1), Condition::Started);
        ProcessPlan { depends_on: vec![on], ..process("above") }
    };
    let mut tale = Tale::of(vec![process("db"), web()]).begun();
    tale.runs(FIRST);
    tale.runs(SECOND);
    reload(&mut tale, vec![changed(process("db"))]);
    assert_eq!(tale.stops(), [(SECOND, StopCause::Reload)]);
    tale.ends(SECOND, ASKED, false);
    tale.ends(FIRST, ASKED, false);
    tale.runs(THIRD);
    assert_eq!(tale.spawned(), [(THIRD, ProcessIx(0))], "it is gone");

    let mut tale = Tale::of(vec![process("db"), web(), above()]).begun();
    [FIRST, SECOND, THIRD].into_iter().for_each(|run| tale.runs(run));
    tale.order(Wish::Stop(names(&["web", "above"])));
    tale.order(Wish::Restart(names(&["db"])));
    tale.ends(THIRD, ASKED, false);
    tale.ends(SECOND, ASKED, false);
    tale.ends(FIRST, ASKED, false);
    tale.runs(RunId(4));
    assert_eq!(tale.spawned()[3..], [(RunId(4), ProcessIx(0))], "somebody stopped it");
}

#[test]
fn what_had_failed_gets_another_chance_and_what_was_stopped_does_not() {
    let mut tale = Tale::of(vec![process("a"), process("b"), process("c")]).begun();
    [FIRST, SECOND, THIRD].into_iter().for_each(|run| tale.runs(run));
    tale.ends(FIRST, ExitStatus::Code(1), false);
    tale.order(Wish::Stop(names(&["b"])));
    tale.ends(SECOND, ASKED, false);
    reload(&mut tale, vec![changed(process("a")), changed(process("b")), process("c")]);
    assert_eq!(tale.spawned(), [(RunId(4), ProcessIx(0))]);
}

#[test]
fn dependents_that_ask_for_it_are_restarted_along_in_order() {
    let on = Dependency { restart: true, ..Dependency::on(ProcessIx(0), Condition::Started) };
    let web = || ProcessPlan { depends_on: vec![on], ..process("web") };
    let mut tale = Tale::of(vec![process("db"), web()]).begun();
    tale.runs(FIRST);
    tale.runs(SECOND);
    reload(&mut tale, vec![changed(process("db")), web()]);
    assert_eq!(tale.stops(), [(SECOND, StopCause::Dependency)]);
    tale.ends(SECOND, ASKED, false);
    assert_eq!(tale.stops()[1..], [(FIRST, StopCause::Reload)]);
    tale.ends(FIRST, ASKED, false);
    tale.runs(THIRD);
    assert_eq!(tale.spawned(), [(THIRD, ProcessIx(0)), (RunId(4), ProcessIx(1))]);
}

#[test]
fn a_hang_up_has_the_file_read_and_reaches_those_who_want_it() {
    let mut a = process("a");
    a.forward_signals = vec![Signal::HUP];
    let mut tale = Tale::of(vec![a, process("b")]).begun();
    tale.runs(FIRST);
    tale.runs(SECOND);
    tale.news();
    let signal = Signal::HUP;
    tale.tell(Fact::SignalArrived { signal });
    let told = Lifecycle::SignalArrived { signal, response: SignalResponse::Reload };
    let sent = Action::Signal { run: FIRST, signal, scope: Scope::Main };
    assert_eq!(tale.news(), [sent.clone(), Action::ReadConfiguration, Action::Record(told)]);
    tale.tell(TERM);
    tale.news();
    tale.tell(Fact::SignalArrived { signal });
    assert!(!tale.has_done(&Action::ReadConfiguration), "too late");
}

#[test]
fn commands_beside_the_plan_have_a_place_each_and_the_oldest_is_forgotten() {
    let mut tale = Tale::of(vec![process("a")]).begun();
    tale.runs(FIRST);
    let spawn = || Wish::Spawn(Box::new(process("")));
    let place = |reply| match reply {
        Reply::Spawned { process, run, .. } => (process.0, run),
        other => panic!("{other:?}"),
    };
    tale.news();
    let (first, run) = place(tale.order(spawn()));
    assert_plan_first(&tale);
    let plan: &Plan = tale.machine.plan();
    let own = &plan.processes[first];
    assert_eq!(&*own.name, "spawned-1");
    (2..=100).for_each(|at| assert_eq!(place(tale.order(spawn())).0, at));
    assert_eq!(tale.order(spawn()), Reply::Refused(Refusal::Full));
    tale.runs(run);
    tale.ends(run, ExitStatus::Code(9), false);
    assert_eq!(place(tale.order(spawn())).0, first);
    assert_eq!(tale.machine.plan().processes.len(), 101);
    tale.ends(FIRST, OK, false);
    let asked = tale.done.iter().filter(|action| {
        matches!(action, Action::Signal { signal: Signal::TERM, scope: Scope::Group, .. })
    });
    assert_eq!(asked.count(), 100, "they go down with the house, which they do not keep up");
}

#[test]
fn a_command_beside_the_plan_has_the_name_that_was_asked_for_unless_another_has_it() {
    let mut tale = Tale::of(vec![process("a"), process("b")]).begun();
    tale.runs(FIRST);
    let spawn = |name| Wish::Spawn(Box::new(process(name)));
    let place = |reply| match reply {
        Reply::Spawned { process, run, .. } => (process.0, run),
        other => panic!("{other:?}"),
    };
    let taken = |name: &str| Reply::Refused(Refusal::NameTaken(name.into()));
    assert_eq!(tale.order(spawn("a")), taken("a"), "a process of the plan has it");
    let (at, run) = place(tale.order(spawn("job")));
    assert_eq!((&*tale.machine.plan().processes[at].name, at), ("job", 2));
    assert_eq!(tale.order(spawn("job")), taken("job"), "it lives");
    let with_job = || {
        let all = vec![process("a"), process("job"), process("b")];
        Wish::Reload(Arc::new(plan(all)))
    };
    assert_eq!(tale.order(with_job()), taken("job"), "a file cannot have it either");
    tale.runs(run);
    tale.ends(run, OK, false);
    let (again, run) = place(tale.order(spawn("job")));
    assert_eq!(again, at, "the same name has the same place");
    tale.runs(run);
    tale.ends(run, OK, false);
    let Reply::Reloaded(changes) = tale.order(with_job()) else { panic!("no reload") };
    assert_eq!(changes.added, [ProcessIx(at)], "what is over gives its name back");
    let names: Vec<&str> = tale.machine.plan().processes.iter().map(|one| &*one.name).collect();
    assert_eq!(names, ["a", "b", "job"]);
    assert_eq!(tale.order(spawn("job")), taken("job"));
    assert_eq!(place(tale.order(spawn(""))).0, 3);
}

fn tested(interval: u64, on_unhealthy: OnUnhealthy) -> ProcessPlan {
    let health = HealthPlan {
        test: Test::Exec(vec!["true".into()]),
        interval: Duration::from_secs(interval),
        timeout: Duration::from_secs(3600),
        retries: 1,
        start_period: Duration::ZERO,
        start_interval: Duration::from_secs(1),
        on_unhealthy,
    };
    ProcessPlan { health: Some(health), ..process("a") }
}

fn answered(errand: u64, code: u8) -> Fact {
    let end = ErrandEnd::Exited(ExitStatus::Code(code));
    Fact::ErrandEnded { errand: ErrandId(errand), end }
}

#[test]
fn health_is_asked_for_at_once_and_then_as_the_new_plan_says() {
    let mut tale = Tale::of(vec![tested(3600, OnUnhealthy::Report)]).begun();
    tale.runs(FIRST);
    tale.wait(Duration::from_secs(1), false);
    tale.tell(answered(1, 0));
    tale.wait(Duration::from_secs(10), false);
    reload(&mut tale, vec![tested(5, OnUnhealthy::Report)]);
    tale.wait(Duration::ZERO, false);
    assert_eq!(assisted(&tale), ErrandId(2));
    tale.tell(answered(2, 0));
    tale.news();
    tale.wait(Duration::from_secs(5), false);
    assert_eq!(assisted(&tale), ErrandId(3));
}

#[test]
fn a_test_that_hangs_has_no_longer_than_the_new_plan_gives_it() {
    let mut tale = Tale::of(vec![tested(5, OnUnhealthy::Report)]).begun();
    tale.runs(FIRST);
    tale.wait(Duration::from_secs(1), false);
    let mut shorter = tested(5, OnUnhealthy::Report);
    shorter.health.as_mut().expect("a check").timeout = Duration::from_secs(2);
    reload(&mut tale, vec![shorter]);
    tale.wait(Duration::from_secs(2), false);
    assert!(tale.has_done(&Action::EndErrand { errand: ErrandId(1) }));
}

#[test]
fn who_is_unhealthy_is_judged_anew_by_a_plan_that_restarts_it() {
    for still_ill in [false, true] {
        let mut tale = Tale::of(vec![tested(5, OnUnhealthy::Report)]).begun();
        tale.runs(FIRST);
        (1..=5).for_each(|errand| {
            tale.wait(Duration::from_secs(1), false);
            tale.tell(answered(errand, 1));
        });
        assert_eq!(tale.stops(), []);
        reload(&mut tale, vec![tested(5, OnUnhealthy::Restart)]);
        tale.wait(Duration::ZERO, false);
        tale.tell(answered(6, u8::from(still_ill)));
        let stopped = tale.stops() == [(FIRST, StopCause::Unhealthy)];
        assert_eq!(stopped, still_ill);
    }
}

fn says(log: &str, timeout: Option<Duration>) -> ProcessPlan {
    let ready = ReadyPlan { log: Some(log.into()), notify: false, timeout };
    ProcessPlan { ready: Some(ready), ..process("a") }
}

#[test]
fn who_is_not_ready_has_from_a_reload_on_the_time_that_it_gives() {
    let soon = Some(Duration::from_secs(2));
    for (before, after) in [(None, soon), (soon, None)] {
        let mut tale = Tale::of(vec![says("up", before)]).begun();
        tale.runs(FIRST);
        tale.wait(Duration::from_secs(1), false);
        reload(&mut tale, vec![says("up", after)]);
        tale.wait(Duration::from_secs(2), false);
        let late = tale.stops() == [(FIRST, StopCause::NotReady)];
        assert_eq!(late, after.is_some());
    }
}

#[test]
fn who_is_ready_needs_no_time_to_become_it() {
    let mut tale = Tale::of(vec![says("up", None)]).begun();
    tale.runs(FIRST);
    tale.tell(Fact::LineMatched { run: FIRST });
    reload(&mut tale, vec![says("up", Some(Duration::from_secs(2)))]);
    tale.wait(Duration::from_secs(9), false);
    assert_eq!(tale.stops(), []);
}

#[test]
fn another_line_that_tells_readiness_is_looked_for_from_the_start_of_a_run() {
    let mut tale = Tale::of(vec![says("typo", None)]).begun();
    tale.runs(FIRST);
    let Reply::Reloaded(changes) = reload(&mut tale, vec![says("up", None)]) else {
        panic!("not reloaded")
    };
    assert_eq!((changes.restarted, changes.adjusted), (vec![ProcessIx(0)], vec![]));
    assert_eq!(tale.stops(), [(FIRST, StopCause::Reload)]);
}
