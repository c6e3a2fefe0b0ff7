//! Stories of runs: their states, their ends, and what their memory says.

use std::sync::Arc;

use super::*;
use crate::memory::level::Basis;

#[test]
fn a_run_that_is_stopped_lives_through_every_state() {
    let requested = EndReason::Requested;
    let snapshot = check(
        vec![
            opened(0, 1, WEB, 0),
            forked(1, 1),
            ready(2, 1),
            sampled(&[sample(1000, 1, 40, 0)]),
            sampled(&[sample(2000, 1, 20, 0)]),
            stopping(3000, 1),
            ended(3500, 1, ExitStatus::Signal(Signal::TERM), requested, false),
        ],
        &[
            "S1.0 opened >initializing | =initializing",
            "S1.1 forked | =initializing",
            "S1.2 started initializing>active | =active",
            "interval 40",
            "interval 20",
            "S1.3 stopping active>stopping | =stopping",
            "S1.4 ended stopping>completed | =completed | session_end 20",
        ],
    );
    let ended = &snapshot.ended[0];
    let end = ended.end.as_ref().expect("it has ended");
    assert_eq!(end.duration, Duration::from_millis(3500));
    assert_eq!(end.reason, "stopped on request (ended by SIGTERM)");
    assert_eq!(ended.figures.peak_memory, Some(Bytes(40)));
    assert_eq!(ended.figures.mean_memory, Some(Bytes(30)));
    assert_eq!(ended.figures.cpu_seconds, Some(1.5));
    assert_eq!(ended.main, Some(ProcId { pid: 101, start_ticks: 1 }));
    let web = &snapshot.processes[0];
    assert!(web.run.is_none() && snapshot.sessions.is_empty());
    assert_eq!(web.exits[&SessionState::Completed], 1);
    assert_eq!(web.last_status, Some(ExitStatus::Signal(Signal::TERM)));
    assert_eq!((web.cpu_seconds_ended, web.last_exit), (1.5, Some(at(3500).wall)));
    assert_eq!(snapshot.house.reaped_runs, 1);
}

#[test]
fn the_last_event_carries_the_summary() {
    let mut ledger = ledger();
    ledger.fold(opened(0, 1, CODER, 0));
    ledger.fold(ready(1, 1));
    ledger.fold(sampled(&[sample(5, 1, 40, 0)]));
    ledger.fold(read(6, Some("coder"), vec![usage(6, 1, "c", Cost::Priced(Money(7)))]));
    let batches = ledger.fold(exited(2000, 1, 3));
    let rows = &batches[0].rows;
    let mut summaries = rows.iter().filter_map(|row| match row {
        Row::Event(event) if event.session == session(1) => Some(&event.detail),
        _ => None,
    });
    let detail = summaries.next_back().expect("the run ends");
    for (key, value) in [
        ("reason", serde_json::json!("exit code 3")),
        ("exit_code", 3.into()),
        ("duration_seconds", 2.0.into()),
        ("events", 3.into()),
        ("peak_memory_bytes", 40.into()),
        ("cpu_seconds", 1.5.into()),
        ("tokens_total", 15.into()),
        ("cost_nano_usd", 7.into()),
    ] {
        assert_eq!(detail[key], value, "{key}");
    }
    assert_eq!(detail["tokens"]["input"], 10);
}

#[test]
fn a_restart_is_a_new_session_and_counters_go_on() {
    let snapshot = check(
        vec![
            opened(0, 1, WEB, 0),
            ready(1, 1),
            exited(1000, 1, 1),
            story(1001, Lifecycle::PhaseChanged { process: WEB, phase: PhaseName::Resting }),
            opened(2000, 2, WEB, 1),
            ready(2001, 2),
        ],
        &[
            "S1.0 opened >initializing | =initializing",
            "S1.1 started initializing>active | =active",
            "S1.2 ended active>failed | =failed",
            "S2.0 opened >initializing | =initializing",
            "S2.1 started initializing>active | =active",
        ],
    );
    let web = &snapshot.processes[0];
    assert_eq!((web.restarts, web.exits[&SessionState::Failed]), (1, 1));
    assert_eq!(web.run.as_ref().map(|run| run.session), Some(session(2)));
    assert_eq!(web.phase, PhaseName::Resting);
    assert_eq!(snapshot.opened[&(SessionKind::Process, "web".into())], 2);
    assert_eq!(snapshot.closed[&(SessionKind::Process, "web".into(), SessionState::Failed)], 1);
}

#[test]
fn exit_codes_that_the_plan_forgives_are_no_failures_also_once_another_plan_holds() {
    let mut next = plan();
    next.processes[0].restart.success_codes = vec![9];
    let plan = Arc::new(next);
    let snapshot = check(
        vec![
            opened(0, 1, WEB, 0),
            ready(1, 1),
            story(2, Lifecycle::PlanChanged { plan, changes: Changes::default() }),
            exited(3, 1, 9),
            opened(4, 2, CODER, 0),
            ready(5, 2),
            exited(6, 2, 9),
        ],
        &[
            "S1.0 opened >initializing | =initializing",
            "S1.1 started initializing>active | =active",
            "S1.2 ended active>completed | =completed",
            "S2.0 opened >initializing | =initializing",
            "S2.1 started initializing>active | =active",
            "S2.2 ended active>failed | =failed",
        ],
    );
    assert_eq!(snapshot.processes[0].exits[&SessionState::Completed], 1);
}

#[test]
fn a_command_that_does_not_exist_is_a_failed_run() {
    let reason = EndReason::NotSpawned(SpawnFailure { step: SpawnStep::Exec, errno: 2 });
    let snapshot = check(
        vec![opened(0, 1, WEB, 0), ended(1, 1, ExitStatus::Code(127), reason, false)],
        &["S1.0 opened >initializing | =initializing", "S1.1 ended initializing>failed | =failed"],
    );
    assert_eq!(snapshot.processes[0].spawn_failures["not_found"], 1);
    assert_eq!(snapshot.house.reaped_runs, 0);
}

#[test]
fn a_killed_run_counts_as_one_forced_kill() {
    let snapshot = check(
        vec![
            opened(0, 1, WEB, 0),
            ready(1, 1),
            stopping(2, 1),
            story(3, Lifecycle::RunKilled { run: RunId(1), after: Duration::from_secs(1) }),
            ended(4, 1, ExitStatus::Signal(Signal::KILL), EndReason::Requested, true),
        ],
        &[
            "S1.0 opened >initializing | =initializing",
            "S1.1 started initializing>active | =active",
            "S1.2 stopping active>stopping | =stopping",
            "S1.3 kill_sent | =stopping",
            "S1.4 ended stopping>killed | =killed",
        ],
    );
    assert_eq!(snapshot.processes[0].forced_kills, 1);
}

#[test]
fn levels_and_leaks_are_told_when_they_change() {
    let mut ledger = ledger();
    let lines = told(
        &mut ledger,
        vec![
            opened(0, 1, WEB, 0),
            sampled(&[sample(1, 1, 900, 300)]),
            ready(1, 1),
            // Resident memory is no measure: it counts what is shared once for each process.
            sampled(&[sample(1, 1, 900, 100)]),
            sampled(&[sample(2, 1, 900, 101)]),
            sampled(&[sample(3, 1, 900, 201)]),
            sampled(&[sample(4, 1, 900, 191)]),
        ],
    );
    let expected = [
        "S1.0 opened >initializing | =initializing",
        // What was read before was our own image.
        "S1.1 started initializing>active | =active",
        "interval 900",
        "S1.2 memory_warning | =active",
        "interval 900",
        "S1.3 leak_suspected | =active",
        "interval 900",
        "S1.4 memory_critical | =active",
        "interval 900",
    ];
    assert_eq!(lines, expected);
    let snapshot = ledger.snapshot(1, at(4));
    let run = snapshot.processes[0].run.as_ref().expect("it lives");
    assert_eq!(run.level, MemoryLevel::Critical, "a twentieth below is not below");
    assert_eq!(run.size, Some((Bytes(191), Basis::Anonymous)));
    assert_eq!((run.history.samples(), run.history.average()), (4, Some(Bytes(900))));
    assert_eq!(run.verdict.as_ref().map(|verdict| verdict.state), Some(LeakState::Suspected));
    let lines = told(&mut ledger, vec![sampled(&[sample(5, 1, 1, 2)])]);
    assert_eq!(lines, ["interval 1", "S1.5 memory_normal | =active | S1.6 leak_cleared | =active"]);
    assert_eq!(ledger.snapshot(2, at(6)).processes[0].leaks_suspected, 1);
}

#[test]
fn what_is_found_of_memory_is_said_in_the_log() {
    let mut ledger = ledger();
    ledger.fold(opened(0, 1, WEB, 0));
    ledger.fold(ready(0, 1));
    let mut said =
        |ms, anonymous| said_in_the_log(&ledger.fold(sampled(&[sample(ms, 1, 900, anonymous)])));
    assert_eq!(said(1, 100), ["memory: 100 B (anonymous), above its warning threshold of 100 B"]);
    let suspected = said(2, 101);
    assert!(suspected[0].starts_with("memory: a leak is suspected: "), "{suspected:?}");
    assert_eq!(said(3, 201), ["memory: 201 B (anonymous), above its critical threshold of 200 B"]);
    assert_eq!(said(4, 191), [""; 0]);
    let normal = "memory: 2 B (anonymous), below its thresholds again";
    assert_eq!(said(5, 2), [normal, "memory: no leak is suspected any more"]);
}

#[test]
fn samples_of_runs_that_are_not_live_are_ignored_and_counted() {
    let snapshot = check(
        vec![
            opened(0, 1, WEB, 0),
            exited(1, 1, 0),
            Entry::Sampled {
                samples: vec![sample(2, 1, 9, 0), sample(2, 8, 9, 0)],
                unreaped: 2,
                skipped: 3,
            },
        ],
        &[
            "S1.0 opened >initializing | =initializing",
            "S1.1 ended initializing>completed | =completed",
        ],
    );
    assert_eq!((snapshot.house.entries_ignored, snapshot.house.samples_skipped), (2, 3));
}

#[test]
fn a_context_is_kept_even_behind_the_end() {
    let context = || Arc::new(crate::context::Context { uid: 7, ..Default::default() });
    let captured = |n| Entry::ContextCaptured { session: session(n), context: context() };
    let snapshot = check(
        vec![opened(0, 1, WEB, 0), exited(1, 1, 0), captured(1), captured(9)],
        &[
            "S1.0 opened >initializing | =initializing",
            "S1.1 ended initializing>completed | =completed",
            "S1.2 context_captured | =completed",
        ],
    );
    assert_eq!(snapshot.ended[0].context.as_ref().map(|context| context.uid), Some(7));
    assert_eq!(snapshot.house.entries_ignored, 1);
}

#[test]
fn news_of_a_start_that_comes_behind_the_stop_changes_nothing() {
    let snapshot = check(
        vec![opened(0, 1, WEB, 0), stopping(1, 1), ready(2, 1), ready(3, 9), opened(4, 1, WEB, 0)],
        &[
            "S1.0 opened >initializing | =initializing",
            "S1.1 stopping initializing>stopping | =stopping",
        ],
    );
    assert_eq!(snapshot.house.entries_ignored, 3);
}
