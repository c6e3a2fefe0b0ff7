//! Stories as data: what the ledger is told on one side, what it keeps and shows on the other.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::plan::*;
use crate::ledger::entry::{Entry, OpenSession, StoreHealth, SurvivorOutcome};
use crate::ledger::fold::Ledger;
use crate::ledger::row::{Batch, Row};
use crate::ledger::session::{SessionKind, SessionState};
use crate::ledger::snapshot::Snapshot;
use crate::memory::{LeakDetector, LeakState, MemoryLevel, TreeSample, Verdict};
use crate::supervise::fact::{SpawnFailure, SpawnStep};
use crate::supervise::lifecycle::*;
use crate::tokens::*;
use crate::units::*;

/// A point `ms` milliseconds into the life.
pub(super) fn at(ms: u64) -> Now {
    Now { mono: Mono(ms * 1_000_000), wall: Wall(1_790_000_000_000 + ms as i64) }
}

/// `web`, which declares no agent, and `coder`, which does.
pub(super) fn plan() -> Plan {
    let agent = AgentPlan { name: "claude".into(), dialect: Dialect::Claude, transcripts: vec![] };
    Plan {
        mode: Mode::Supervise,
        processes: vec![process("web", None), process("coder", Some(agent))],
        exit_code_from: vec![],
        shutdown_timeout: Duration::from_secs(9),
        listen: Some(([127, 0, 0, 1], 0).into()),
        store: StorePlan::Sqlite(PathBuf::from("history.db")),
        state_dir: PathBuf::from("state"),
        recovery: Recovery::End,
        memory: MemoryPlan { interval: Duration::from_secs(5), leak_rule: LeakRule::GrowthCount },
        digest: "0".into(),
    }
}

fn process(name: &str, agent: Option<AgentPlan>) -> ProcessPlan {
    let restart = RestartPlan {
        policy: RestartPolicy::Always,
        backoff: Backoff::default(),
        max_attempts: None,
    };
    ProcessPlan {
        name: name.into(),
        command: vec!["true".into()],
        working_dir: None,
        environment: vec![],
        depends_on: vec![],
        restart,
        stop_signal: Signal::TERM,
        stop_grace_period: Duration::from_secs(10),
        forward_signals: vec![Signal::USR1],
        thresholds: Thresholds { warning: Bytes(100), critical: Bytes(200) },
        agent,
    }
}

/// Suspects a leak exactly while the anonymous size is odd.
struct Scripted(Option<TreeSample>);

impl LeakDetector for Scripted {
    fn observe(&mut self, sample: &TreeSample) {
        assert!(sample.resident.0 != POISON, "the scripted detector met its poison");
        self.0 = Some(*sample);
    }

    fn verdict(&self) -> Verdict {
        let odd = self.0.is_some_and(|sample| sample.anonymous.0 % 2 == 1);
        let state = if odd { LeakState::Suspected } else { LeakState::None };
        Verdict { state, since: at(0), growth: Some(1.5), evidence: "odd".into() }
    }
}

/// A resident size that makes the scripted detector panic.
pub(super) const POISON: u64 = 666;

pub(super) fn ledger() -> Ledger {
    Ledger::new(&plan(), at(0), true, |_| Box::new(Scripted(None)), 7)
}

pub(super) fn session(n: u64) -> SessionId {
    SessionId::new(Wall(1_000 + n as i64), u128::from(n))
}

pub(super) fn story(ms: u64, event: Lifecycle) -> Entry {
    Entry::Lifecycle { at: at(ms), event }
}

pub(super) const WEB: ProcessIx = ProcessIx(0);
pub(super) const CODER: ProcessIx = ProcessIx(1);

/// Run `n` is session `n`.
pub(super) fn opened(ms: u64, n: u64, process: ProcessIx, attempt: u32) -> Entry {
    let (run, session) = (RunId(n), session(n));
    story(ms, Lifecycle::RunOpened { run, process, session, attempt, adopted: false })
}

pub(super) fn forked(ms: u64, n: u64) -> Entry {
    let id = ProcId { pid: 100 + n as i32, start_ticks: n };
    story(ms, Lifecycle::RunForked { run: RunId(n), id })
}

pub(super) fn ready(ms: u64, n: u64) -> Entry {
    story(ms, Lifecycle::RunReady { run: RunId(n) })
}

pub(super) fn stopping(ms: u64, n: u64) -> Entry {
    story(ms, Lifecycle::RunStopping { run: RunId(n), cause: StopCause::Shutdown })
}

pub(super) fn ended(ms: u64, n: u64, status: ExitStatus, reason: EndReason, forced: bool) -> Entry {
    let cpu = Duration::from_millis(1500);
    let usage = Some(RunUsage { cpu, max_rss: Bytes(1) });
    story(ms, Lifecycle::RunEnded { run: RunId(n), end: RunEnd { status, usage, reason, forced } })
}

pub(super) fn exited(ms: u64, n: u64, code: u8) -> Entry {
    ended(ms, n, ExitStatus::Code(code), EndReason::Itself, false)
}

pub(super) fn sample(ms: u64, n: u64, resident: u64, anonymous: u64) -> TreeSample {
    TreeSample {
        run: RunId(n),
        at: at(ms),
        resident: Bytes(resident),
        anonymous: Bytes(anonymous),
        virtual_size: Bytes(9),
        processes: 2,
        cpu_seconds: 0.5,
    }
}

pub(super) fn sampled(samples: &[TreeSample]) -> Entry {
    Entry::Sampled { samples: samples.to_vec(), skipped: 0 }
}

pub(super) fn usage(ms: u64, key: u64, conversation: &str, cost: Cost) -> Usage {
    Usage {
        key: UsageKey(key),
        agent: "claude".into(),
        provider: "anthropic".into(),
        model: "opus".into(),
        conversation: conversation.into(),
        at: at(ms).wall,
        tokens: TokenCounts { input: 10, output: 5, ..TokenCounts::default() },
        reasoning: 2,
        cost,
    }
}

pub(super) fn read(ms: u64, process: Option<&str>, usages: Vec<Usage>) -> Entry {
    let process = process.map(str::to_owned);
    Entry::TokensRead { at: at(ms), batch: TokenBatch { process, usages, ..TokenBatch::default() } }
}

/// Folds a story and renders each batch as one line; sessions are S1, S2, … as they turn up.
fn told(ledger: &mut Ledger, entries: Vec<Entry>) -> Vec<String> {
    let mut names = BTreeMap::new();
    let batches = entries.into_iter().flat_map(|entry| ledger.fold(entry));
    batches.collect::<Vec<_>>().iter().map(|batch| render(batch, &mut names)).collect()
}

fn render(batch: &Batch, names: &mut BTreeMap<SessionId, usize>) -> String {
    let mut name = |id: SessionId| {
        let next = names.len() + 1;
        format!("S{}", names.entry(id).or_insert(next))
    };
    let rows = batch.rows.iter().map(|row| match row {
        Row::Event(event) => {
            let change = match (event.previous_state, event.new_state) {
                (None, None) => String::new(),
                (from, to) => format!(" {}>{}", from.unwrap_or(""), to.unwrap_or("")),
            };
            format!("{}.{} {}{change}", name(event.session), event.sequence, event.event_type)
        }
        Row::Session(session) => format!("={}", session.state.as_str()),
        Row::Close(close) => format!("close {}", close.state.as_str()),
        Row::Sample(sample) => format!("{} {}", sample.label, sample.resident.0),
        Row::Usage { session, process, .. } => {
            format!("usage {process} {}", session.map_or("-".into(), &mut name))
        }
        Row::Progress(progress) => format!("progress {}", progress.offset),
        Row::Seen(key) => format!("seen {}", key.0),
    });
    rows.collect::<Vec<_>>().join(" | ")
}

/// Tells a story to a fresh ledger, holds what it keeps against `expected`, and answers with the
/// picture at the end.
#[track_caller]
fn check(entries: Vec<Entry>, expected: &[&str]) -> Snapshot {
    let mut ledger = ledger();
    assert_eq!(told(&mut ledger, entries), expected);
    ledger.snapshot(1, at(99_000))
}

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
        ("events", 2.into()),
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
            story(3, Lifecycle::RunKilled { run: RunId(1) }),
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
            sampled(&[sample(1, 1, 100, 0)]),
            sampled(&[sample(2, 1, 101, 1)]),
            sampled(&[sample(3, 1, 200, 3)]),
        ],
    );
    let expected = [
        "S1.0 opened >initializing | =initializing",
        "interval 100",
        "S1.1 memory_warning | =initializing",
        "interval 101",
        "S1.2 leak_suspected | =initializing",
        "interval 200",
        "S1.3 memory_critical | =initializing",
    ];
    assert_eq!(lines, expected);
    let snapshot = ledger.snapshot(1, at(4));
    let run = snapshot.processes[0].run.as_ref().expect("it lives");
    assert_eq!(run.level, MemoryLevel::Critical);
    assert_eq!(run.verdict.as_ref().map(|verdict| verdict.state), Some(LeakState::Suspected));
    let lines = told(&mut ledger, vec![sampled(&[sample(5, 1, 1, 2)])]);
    assert_eq!(
        lines,
        ["interval 1", "S1.4 memory_normal | =initializing | S1.5 leak_cleared | =initializing"]
    );
    assert_eq!(ledger.snapshot(2, at(6)).processes[0].leaks_suspected, 1);
}

#[test]
fn samples_of_runs_that_are_not_live_are_ignored_and_counted() {
    let snapshot = check(
        vec![
            opened(0, 1, WEB, 0),
            exited(1, 1, 0),
            Entry::Sampled { samples: vec![sample(2, 1, 9, 0), sample(2, 8, 9, 0)], skipped: 3 },
        ],
        &[
            "S1.0 opened >initializing | =initializing",
            "S1.1 ended initializing>completed | =completed",
        ],
    );
    assert_eq!((snapshot.house.entries_ignored, snapshot.house.samples_skipped), (2, 3));
}

#[test]
fn usage_opens_a_conversation_inside_its_run_in_one_batch() {
    let batch = TokenBatch {
        process: Some("coder".into()),
        usages: vec![
            usage(5, 1, "c1", Cost::Priced(Money(40))),
            usage(6, 2, "c1", Cost::Unpriced),
            usage(7, 3, "c2", Cost::Priced(Money(2))),
        ],
        corrections: vec![Correction { agent: "claude".into(), model: "opus".into(), tokens: -3 }],
        progress: vec![FileProgress { path: "log".into(), device: 1, inode: 2, offset: 77 }],
        seeded: vec![UsageKey(9)],
        lines: LineCounts { counted: 3, ..LineCounts::default() },
    };
    let snapshot = check(
        vec![opened(0, 1, CODER, 0), ready(1, 1), Entry::TokensRead { at: at(10), batch }],
        &[
            "S1.0 opened >initializing | =initializing",
            "S1.1 started initializing>active | =active",
            "S2.0 opened >active | =active | usage coder S2 | usage coder S2 \
             | S3.0 opened >active | =active | usage coder S3 \
             | =active | =active | =active | progress 77 | seen 9",
        ],
    );
    let talk = |native: &str| {
        let is = |session: &&std::sync::Arc<_>| {
            let session: &crate::ledger::session::Session = session;
            session.native_id.as_deref() == Some(native)
        };
        snapshot.sessions.iter().find(is).expect("it lives")
    };
    let first = talk("c1");
    assert_eq!((first.parent, first.agent.as_deref()), (Some(session(1)), Some("claude")));
    assert_eq!(first.figures.tokens.total(), 30);
    assert_eq!((first.figures.cost, first.figures.unpriced_tokens), (Money(40), 15));
    let run = snapshot.sessions.iter().find(|s| s.id == session(1)).expect("it lives");
    assert_eq!((run.figures.tokens.total(), run.figures.cost), (45, Money(42)));
    let series = &snapshot.tokens[0];
    assert_eq!((series.responses, series.reasoning, series.cost), (3, 6, Money(42)));
    assert_eq!((series.tokens.total(), series.unpriced.total()), (45, 15));
    assert_eq!(snapshot.process_tokens["coder"].total(), 45);
    assert_eq!(snapshot.corrections[&("claude".into(), "opus".into())], (0, 3));
    assert_eq!(snapshot.lines.counted, 3);
}

#[test]
fn a_conversation_ends_with_its_run_and_late_usage_still_counts_for_it() {
    let mut ledger = ledger();
    let priced = Cost::Priced(Money(1));
    let lines = told(
        &mut ledger,
        vec![
            opened(0, 1, CODER, 0),
            read(10, Some("coder"), vec![usage(9, 1, "c1", priced)]),
            exited(20, 1, 0),
            read(30, Some("coder"), vec![usage(15, 2, "c1", priced)]),
            opened(40, 2, CODER, 1),
            read(50, Some("coder"), vec![usage(16, 3, "c2", priced)]),
            read(60, Some("coder"), vec![usage(55, 4, "c1", priced)]),
        ],
    );
    let expected = [
        "S1.0 opened >initializing | =initializing",
        "S2.0 opened >active | =active | usage coder S2 | =initializing | =active",
        "S2.1 ended active>completed | =completed | S1.1 ended initializing>completed | =completed",
        "usage coder S2 | =completed | =completed",
        "S3.0 opened >initializing | =initializing",
        "S4.0 opened >active | =active | S4.1 ended active>completed | =completed \
         | usage coder S4 | =completed | =completed",
        "S5.0 opened >active | =active | usage coder S5 | =initializing | =active",
    ];
    assert_eq!(lines, expected);
    let snapshot = ledger.snapshot(1, at(70));
    let of_first = snapshot.ended.iter().find(|session| session.id == self::session(1));
    assert_eq!(of_first.expect("it ended").figures.tokens.total(), 45);
}

#[test]
fn a_conversation_rests_after_an_hour_and_wakes_with_use() {
    const HOUR: u64 = 3_600_000;
    let priced = Cost::Priced(Money(1));
    let snapshot = check(
        vec![
            opened(0, 1, CODER, 0),
            read(10, Some("coder"), vec![usage(9, 1, "c1", priced)]),
            sampled(&[sample(HOUR, 1, 1, 0)]),
            sampled(&[sample(HOUR + 20_000, 1, 1, 0)]),
            sampled(&[sample(HOUR + 40_000, 1, 1, 0)]),
            read(HOUR + 50_000, Some("coder"), vec![usage(9, 2, "c1", priced)]),
        ],
        &[
            "S1.0 opened >initializing | =initializing",
            "S2.0 opened >active | =active | usage coder S2 | =initializing | =active",
            "interval 1",
            "S2.1 idle active>idle | =idle",
            "interval 1",
            "interval 1",
            "S2.2 resumed idle>active | =active | usage coder S2 | =initializing | =active",
        ],
    );
    assert_eq!(snapshot.sessions.len(), 2);
}

#[test]
fn tokens_of_nobody_are_counted_as_unknown() {
    let usages = |key| vec![usage(1, key, "c", Cost::Unpriced)];
    let snapshot = check(
        vec![
            read(1, None, usages(1)),
            read(2, Some("ghost"), usages(2)),
            read(3, Some("coder"), usages(3)),
        ],
        &["usage unknown -", "usage unknown -", "usage coder -"],
    );
    assert_eq!(snapshot.process_tokens["unknown"].total(), 30);
    assert_eq!(snapshot.process_tokens["coder"].total(), 15);
    assert!(snapshot.sessions.is_empty());
}

#[test]
fn beyond_the_bound_models_share_one_series() {
    let mut ledger = ledger();
    let named = |n: u64, model: &str, provider: &str, agent: &str| Usage {
        model: model.into(),
        provider: provider.into(),
        agent: agent.into(),
        ..usage(1, n, "c", Cost::Unpriced)
    };
    for n in 0..100 {
        let (model, provider, agent) = (format!("m{n}"), format!("p{n}"), format!("a{n}"));
        ledger.fold(read(1, Some("coder"), vec![named(n, &model, &provider, &agent)]));
    }
    let snapshot = ledger.snapshot(1, at(2));
    let distinct = |of: fn(&crate::ledger::snapshot::TokenSeries) -> &String| {
        snapshot.tokens.iter().map(of).collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!(distinct(|series| &series.model), 31);
    // The configured one holds its place without having spent anything.
    assert_eq!(distinct(|series| &series.agent), 10);
    assert_eq!(distinct(|series| &series.provider), 11);
    assert_eq!(snapshot.tokens.iter().map(|series| series.tokens.total()).sum::<u64>(), 1500);
}

#[test]
fn what_an_earlier_life_left_open_is_lost_whoever_tells_first() {
    let open =
        OpenSession { id: session(5), process: "web".into(), started: at(0).wall, events: 3 };
    let outcome =
        SurvivorOutcome { session: session(5), process: "web".into(), adopted: false, found: 2 };
    let found = || Entry::OpenSessionsFound { at: at(1000), sessions: vec![open.clone()] };
    let handled = || Entry::SurvivorsHandled { at: at(900), outcomes: vec![outcome.clone()] };
    let snapshot =
        check(vec![handled(), found()], &["S1.3 survivors_ended | S1.4 lost >lost | close lost"]);
    assert_eq!((snapshot.house.survivors_ended, snapshot.house.survivors_adopted), (2, 0));
    check(vec![found(), handled()], &["S1.3 lost >lost | close lost", "S1.4 survivors_ended"]);
}

#[test]
fn a_context_is_kept_even_behind_the_end() {
    let context = || Box::new(crate::context::Context { uid: 7, ..Default::default() });
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
fn dropped_entries_are_told_to_every_live_session_once() {
    let snapshot = check(
        vec![
            opened(0, 1, WEB, 0),
            Entry::EntriesDropped { count: 4 },
            Entry::EntriesDropped { count: 2 },
            opened(9, 2, WEB, 1),
        ],
        &[
            "S1.0 opened >initializing | =initializing",
            "S1.1 incomplete | =initializing",
            "S1.2 ended initializing>lost | =lost | S2.0 opened >initializing | =initializing",
        ],
    );
    assert_eq!(snapshot.house.entries_dropped, 6);
}

#[test]
fn the_house_shows_what_it_was_told() {
    let health = StoreHealth { up: true, pending: 1, failures: 2, dropped: 3 };
    let signal = Signal::TERM;
    let cause = ShutdownCause::Signal(signal);
    let budget = Duration::from_secs(9);
    let snapshot = check(
        vec![
            opened(0, 1, WEB, 0),
            Entry::StoreReported(health),
            Entry::ListenerReported { up: true },
            Entry::FilesFollowed { count: 4 },
            story(1, Lifecycle::OrphanReaped),
            story(1, Lifecycle::CrashLooped { process: CODER, streak: 3 }),
            story(2, Lifecycle::SignalArrived { signal, response: SignalResponse::Shutdown }),
            story(2, Lifecycle::ShutdownBegan { cause, budget }),
            story(3, Lifecycle::Left { code: 143 }),
        ],
        &["S1.0 opened >initializing | =initializing", "S1.1 ended initializing>lost | =lost"],
    );
    let house = &snapshot.house;
    assert_eq!((house.store, house.listener_up), (Some(health), Some(true)));
    assert_eq!((house.reaped_orphans, house.stopping, snapshot.files), (1, true, 4));
    assert_eq!(house.signals[&(signal, "shutdown")], 1);
    assert_eq!(snapshot.processes[1].crash_loops, 1);
}

#[test]
fn every_counter_of_the_plan_begins_at_zero() {
    let snapshot = ledger().snapshot(1, at(0));
    assert_eq!(snapshot.processes.len(), 2);
    for process in &snapshot.processes {
        assert_eq!(process.exits.len(), 5);
        assert_eq!(process.spawn_failures.len(), SpawnFailure::REASONS.len());
        assert_eq!(process.phase, PhaseName::Waiting);
    }
    let zero =
        [("coder".to_owned(), TokenCounts::default()), ("unknown".into(), TokenCounts::default())];
    assert_eq!(snapshot.process_tokens, BTreeMap::from(zero));
    assert_eq!(snapshot.opened.values().collect::<Vec<_>>(), [&0, &0, &0]);
    assert_eq!(snapshot.closed.len(), 15);
    assert_eq!(snapshot.house.listener_up, Some(false));
    assert_eq!(snapshot.house.store, Some(StoreHealth::default()));
    assert_eq!(snapshot.house.signals[&(Signal::USR1, "forwarded")], 0);
}

#[test]
fn a_session_that_did_not_change_is_shared_between_pictures() {
    let mut ledger = ledger();
    ledger.fold(opened(0, 1, WEB, 0));
    let before = ledger.snapshot(1, at(1));
    ledger.fold(opened(2, 2, CODER, 0));
    let after = ledger.snapshot(2, at(3));
    assert!(std::sync::Arc::ptr_eq(&before.sessions[0], &after.sessions[0]));
}
