//! Stories as data: what the ledger is told on one side, what it keeps and shows on the other.

mod budgets;
mod care;
mod chains;
mod external;
mod house;
mod memory;
mod runs;
mod storm;
mod tokens;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::chains::limits::Limits;
use crate::config::plan::*;
use crate::ledger::entry::{Entry, OpenSession, StoreHealth, SurvivorOutcome};
use crate::ledger::fold::Ledger;
use crate::ledger::notice::notice;
use crate::ledger::row::{Batch, Row};
use crate::ledger::session::{SessionKind, SessionState};
use crate::ledger::snapshot::Snapshot;
use crate::memory::leak::evidence::Evidence;
use crate::memory::leak::growth_count::Counted;
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
    let agent = AgentPlan {
        name: "claude".into(),
        dialect: Dialect::Claude,
        transcripts: vec![],
        limits: Limits::default(),
    };
    Plan {
        mode: Mode::Supervise,
        passing: Passing::default(),
        control: ControlPlan::default(),
        processes: vec![process("web", None), process("coder", Some(agent))],
        exit_code_from: vec![],
        shutdown_timeout: Duration::from_secs(9),
        listen: Some(([127, 0, 0, 1], 0).into()),
        store: StorePlan::Sqlite(PathBuf::from("history.db")),
        spool: None,
        keep_output: None,
        state_dir: PathBuf::from("state"),
        recovery: Recovery::End,
        cgroups: ControlGroups::Auto,
        memory: MemoryPlan { interval: Duration::from_secs(5), leak_rule: LeakRule::GrowthCount },
        privacy: PrivacyPlan::default(),
        sessions: SessionsPlan::default(),
        tokens: TokensPlan::default(),
        budgets: Vec::new(),
        file_digest: Some("0".into()),
    }
}

fn process(name: &str, agent: Option<AgentPlan>) -> ProcessPlan {
    ProcessPlan {
        restart: RestartPlan { policy: RestartPolicy::Always, ..RestartPlan::default() },
        forward_signals: vec![Signal::USR1],
        thresholds: Thresholds::of_sizes(Bytes(100), Bytes(200)),
        agent,
        ..ProcessPlan::new(name, vec!["true".into()])
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
        Verdict {
            state,
            since: at(0),
            growth: Some(1.5),
            growth_range: None,
            to_limit: None,
            evidence: Evidence::GrowthCount(Counted::default()),
        }
    }

    fn limit(&mut self, _: Option<Bytes>) {}
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
    story(ms, Lifecycle::RunExecuted { run: RunId(n) })
}

pub(super) fn stopping(ms: u64, n: u64) -> Entry {
    story(ms, Lifecycle::RunStopping { run: RunId(n), cause: StopCause::Shutdown })
}

pub(super) fn ended(ms: u64, n: u64, status: ExitStatus, reason: EndReason, forced: bool) -> Entry {
    let cpu = Duration::from_millis(1500);
    let usage = Some(RunUsage { cpu, max_rss: Bytes(1), oom_killed: false });
    story(
        ms,
        Lifecycle::RunEnded {
            run: RunId(n),
            end: RunEnd { status, usage, reason, forced, stop: None },
        },
    )
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
        largest: Bytes(anonymous / 4),
        virtual_size: Bytes(9),
        processes: 2,
        zombies: 0,
        oldest_zombie: None,
        cpu_seconds: 0.5,
    }
}

pub(super) fn sampled(samples: &[TreeSample]) -> Entry {
    Entry::Sampled { samples: samples.to_vec(), unreaped: 0, skipped: 0 }
}

pub(super) fn usage(ms: u64, key: u64, conversation: &str, cost: Cost) -> Usage {
    Usage {
        key: UsageKey(key),
        source: UsageSource::Transcript,
        agent: "claude".into(),
        provider: "anthropic".into(),
        model: "opus".into(),
        conversation: conversation.into(),
        at: at(ms).wall,
        tokens: TokenCounts { input: 10, output: 5, ..TokenCounts::default() },
        reasoning: 2,
        cost,
        withheld: 0,
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
            let change = match (&event.previous_state, &event.new_state) {
                (None, None) => String::new(),
                (from, to) => {
                    format!(" {}>{}", from.as_deref().unwrap_or(""), to.as_deref().unwrap_or(""))
                }
            };
            format!("{}.{} {}{change}", name(event.session), event.sequence, event.event_type)
        }
        Row::Unheard(event) => {
            format!("{}.+{} {}", name(event.session), event.sequence, event.event_type)
        }
        Row::Session(session) => format!("={}", session.state.as_str()),
        Row::Close(close) => format!("close {}", close.state.as_str()),
        Row::Sample(sample) => format!("{} {}", sample.label, sample.resident.0),
        Row::Usage { session, process, .. } => {
            format!("usage {process} {}", session.map_or("-".into(), &mut name))
        }
        Row::Progress(progress) => format!("progress {}", progress.offset),
        Row::Seen(key) => format!("seen {}", key.0),
        Row::Audit(row) => format!("audit {}", row.action),
        Row::Link { agent, link } => format!("{agent}#{} {}", link.number, link.id),
        Row::Interaction(interaction) => format!("said in {}", interaction.conversation),
        Row::ChainReset(agent) => format!("reset {agent}"),
        Row::Output(written) => format!("output of {}", name(written.session)),
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

/// What of these batches is worth a line in the log.
pub(super) fn said_in_the_log(batches: &[Batch]) -> Vec<String> {
    let rows = batches.iter().flat_map(|batch| &batch.rows);
    let events = rows.filter_map(|row| match row {
        Row::Event(event) => Some(event),
        _ => None,
    });
    events
        .filter_map(|event| notice(event, || "web".to_owned()))
        .map(|notice| notice.text)
        .collect()
}
