//! Stories of how processes are looked after, and of orders and reloads.

use super::*;
use crate::supervise::fact::Holder;

const WEB: ProcessIx = ProcessIx(0);

fn fold_all(ledger: &mut Ledger, entries: Vec<Entry>) -> Vec<Batch> {
    entries.into_iter().flat_map(|entry| ledger.fold(entry)).collect()
}

#[test]
fn the_time_to_ready_and_health_belong_to_the_live_run_alone() {
    let mut ledger = ledger();
    fold_all(
        &mut ledger,
        vec![
            opened(0, 1, WEB, 0),
            forked(1, 1),
            ready(2, 1),
            story(250, Lifecycle::RunReady { run: RunId(1) }),
            story(251, Lifecycle::HealthChanged { run: RunId(1), health: Health::Healthy }),
            story(252, Lifecycle::StatusTold { run: RunId(1), text: "serving".into() }),
        ],
    );
    let snapshot = ledger.snapshot(1, at(300));
    let run = snapshot.processes[0].run.as_ref().expect("it lives");
    assert_eq!(run.ready, Some(Duration::from_millis(250)));
    assert_eq!(run.status.as_deref(), Some("serving"));
    assert_eq!(snapshot.processes[0].care.health, Some(Health::Healthy));

    fold_all(&mut ledger, vec![exited(400, 1, 1)]);
    let web = &ledger.snapshot(2, at(500)).processes[0];
    assert_eq!((web.care.health, web.run.is_none()), (None, true));
}

#[test]
fn who_blocked_a_stop_is_counted_and_told_with_its_session() {
    let mut ledger = ledger();
    let holder =
        Holder { id: ProcId { pid: 77, start_ticks: 9 }, name: "esbuild".into(), state: 'S' };
    let after = Duration::from_secs(3);
    let held = |unkillable| Lifecycle::RunHeld {
        run: RunId(1),
        holders: vec![holder.clone()],
        after,
        unkillable,
    };
    let rows = fold_all(
        &mut ledger,
        vec![
            opened(0, 1, WEB, 0),
            forked(1, 1),
            ready(2, 1),
            story(3000, held(false)),
            story(3500, held(true)),
        ],
    );
    let care = &ledger.snapshot(1, at(4000)).processes[0].care;
    assert_eq!((care.holders, care.unkillable), (1, 1));
    let told = format!("{rows:?}");
    assert!(told.contains("esbuild") && told.contains("held"), "{told}");
}

#[test]
fn a_stop_is_counted_with_its_time_and_a_rest_only_while_it_lasts() {
    let mut ledger = ledger();
    let end = RunEnd {
        status: ExitStatus::Code(0),
        usage: None,
        reason: EndReason::Requested,
        forced: false,
        stop: Some(Duration::from_millis(750)),
    };
    let rest =
        Lifecycle::RestartScheduled { process: WEB, delay: Duration::from_secs(4), streak: 3 };
    fold_all(
        &mut ledger,
        vec![
            opened(0, 1, WEB, 0),
            forked(1, 1),
            ready(2, 1),
            story(10, Lifecycle::RunEnded { run: RunId(1), end }),
            story(11, rest),
        ],
    );
    let care = ledger.snapshot(1, at(12)).processes[0].care.clone();
    assert_eq!((care.stops, care.last_stop), (1, Some(Duration::from_millis(750))));
    let rest = care.rest.expect("it rests");
    assert_eq!((rest.streak, rest.until), (3, Wall(at(11).wall.0 + 4000)));
    fold_all(&mut ledger, vec![opened(20, 2, WEB, 0)]);
    assert_eq!(ledger.snapshot(2, at(21)).processes[0].care.rest, None);
}

#[test]
fn orders_reloads_hooks_and_orphans_are_counted() {
    let mut ledger = ledger();
    let order = |order, accepted| story(1, Lifecycle::OrderGiven { order, accepted });
    let hook = Lifecycle::HookFailed { process: WEB, role: Role::PreStop(1), end: None };
    let orphans = |process, count| {
        story(2, Lifecycle::OrphansReaped { process, status: ExitStatus::Code(0), count })
    };
    fold_all(
        &mut ledger,
        vec![
            order(Order::Reload, true),
            story(2, Lifecycle::ReloadFailed { faults: 3 }),
            order(Order::Stop, false),
            story(3, hook),
            orphans(Some(WEB), 7),
            orphans(None, 1),
        ],
    );
    let snapshot = ledger.snapshot(1, at(5));
    let house = &snapshot.house;
    assert_eq!((house.reloads, house.reloads_failed), (1, 1));
    assert_eq!((house.last_reload_worked, house.last_reload), (Some(false), Some(at(1).wall)));
    assert_eq!(house.orders[&(Order::Stop, false)], 1);
    assert_eq!(house.reaped_orphans, 8);
    let care = &snapshot.processes[0].care;
    assert_eq!((care.orphans, care.hooks_failed["pre_stop"]), (7, 1));
}

#[test]
fn a_reload_keeps_counters_and_shows_what_is_gone_only_while_it_lives() {
    let mut ledger = ledger();
    fold_all(&mut ledger, vec![opened(0, 1, WEB, 0), forked(1, 1), ready(2, 1)]);
    let mut next = plan();
    next.processes[0].standing = Standing::Retired;
    next.processes.push(ProcessPlan::new("worker", vec!["true".into()]));
    let added = ProcessIx(next.processes.len() - 1);
    let changes = Changes { added: vec![added], removed: vec![WEB], ..Changes::default() };
    let changed = Lifecycle::PlanChanged { plan: std::sync::Arc::new(next), changes };
    fold_all(&mut ledger, vec![story(10, changed)]);
    let names = |ledger: &Ledger| -> Vec<String> {
        ledger.snapshot(1, at(20)).processes.iter().map(|one| one.name.clone()).collect()
    };
    assert_eq!(names(&ledger), ["web", "coder", "worker"]);
    let snapshot = ledger.snapshot(1, at(20));
    assert_eq!(snapshot.opened[&(SessionKind::Process, "worker".to_owned())], 0);

    fold_all(&mut ledger, vec![exited(30, 1, 0)]);
    assert_eq!(names(&ledger), ["coder", "worker"]);
}
