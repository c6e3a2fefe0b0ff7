//! The picture that every reader gets: immutable, whole, and numbered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::chains::chain::Chain;
use crate::config::plan::{BudgetLimit, BudgetPlan, ProcessPlan, Schedule, Standing, Thresholds};
use crate::ledger::calls::Calls;
use crate::ledger::care::Care;
use crate::ledger::entry::StoreHealth;
use crate::ledger::session::{Figures, Session, SessionKind, SessionState};
use crate::ledger::spans::Spans;
use crate::ledger::spend::Received;
use crate::memory::container::ContainerFigures;
use crate::memory::history::History;
use crate::memory::level::{Basis, Bounds};
use crate::memory::limit::Limit;
use crate::memory::parts::TreeParts;
use crate::memory::recurring::Recurring;
use crate::memory::{MemoryLevel, PartsCost, TreeSample, Verdict};
use crate::supervise::fact::SpawnFailure;
use crate::supervise::lifecycle::{Order, PhaseName};
use crate::tokens::otlp;
use crate::tokens::precedence::Apart;
use crate::tokens::quota::{Quota, Window};
use crate::tokens::{Lag, LineCounts, TokenCounts};
use crate::units::{ExitStatus, Money, Now, ProcId, ProcessIx, RunId, SessionId, Signal, Wall};

/// What is known at one moment. Readers never wait for one another or for the ledger.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Grows by one with each picture; page, metrics and API show the same number for the same
    /// picture.
    pub generation: u64,
    /// When it was taken.
    pub at: Now,
    /// What is known of ourselves.
    pub house: HouseView,
    /// Every process of the plan, in its order.
    pub processes: Vec<ProcessView>,
    /// Sessions that have not ended, oldest first.
    pub sessions: Vec<Arc<Session>>,
    /// Sessions that ended, newest first, bounded.
    pub ended: Vec<Arc<Session>>,
    /// Sessions opened in this life, by kind and process.
    pub opened: Arc<BTreeMap<(SessionKind, String), u64>>,
    /// Sessions ended in this life, by kind, process and end.
    pub closed: Arc<BTreeMap<(SessionKind, String, SessionState), u64>>,
    /// How long those lasted, by end.
    pub lasted: Arc<BTreeMap<SessionState, Spans>>,
    /// Token counters, one row for each combination that occurred.
    pub tokens: Vec<TokenSeries>,
    /// What is being told of live conversations and is not among their figures before it is over.
    pub telling: BTreeMap<SessionId, Figures>,
    /// Tokens of each process by kind, from 0.
    pub process_tokens: BTreeMap<String, TokenCounts>,
    /// What became of the log lines that were read.
    pub lines: LineCounts,
    /// Log files that are followed.
    pub files: u64,
    /// How far reading them is behind.
    pub lag: Lag,
    /// How often the windows of each agent were emptied, from 0.
    pub compactions: BTreeMap<String, u64>,
    /// How much of the limits of subscriptions is used, by agent and span.
    pub quotas: BTreeMap<(String, Window), Quota>,
    /// Late corrections by agent and model: tokens counted too few, and too many.
    pub corrections: BTreeMap<(String, String), (u64, u64)>,
    /// The last calls of models, by process.
    pub calls: Calls,
    /// Calls of models that were answered and that failed, by process, agent and model.
    pub requests: BTreeMap<(String, String, String), (u64, u64)>,
    /// What was sent over OpenTelemetry's protocol.
    pub otlp: BTreeMap<otlp::Signal, Received>,
    /// How far the sources of tokens are apart, by agent; only where there is more than one.
    pub apart: BTreeMap<String, Apart>,
    /// The day the price table was made.
    pub prices_as_of: Option<Wall>,
    /// The chains of all agents, by name.
    pub chains: Vec<Arc<Chain>>,
    /// What may be spent and what was, in the order of the plan.
    pub budgets: Vec<BudgetView>,
}

/// What is known of one budget.
#[derive(Clone, Debug)]
pub struct BudgetView {
    /// As the plan has it.
    pub plan: Arc<BudgetPlan>,
    /// How much may be spent, in tokens or nano-dollars.
    pub limit: u64,
    /// How much is, likewise.
    pub spent: u64,
    /// Tokens in the same window that have no price, which a limit in money does not see; `None` for
    /// one in tokens.
    pub unpriced: Option<u64>,
    /// Whether the limit is reached.
    pub is_spent: bool,
    /// When the window began, where it is one of the clock or of a run.
    pub opens: Option<Wall>,
    /// When it ends, where that is known.
    pub closes: Option<Wall>,
    /// When something can be spent again, where nothing can now and that is known.
    pub reopens: Option<Wall>,
    /// How much is spent in an hour as things go; `None` while that is not known.
    pub per_hour: Option<f64>,
    /// How long it lasts if things go on like this; `None` where that is not known, or is for ever.
    pub lasts: Option<Duration>,
    /// Times that a part of the limit was told of, in this life.
    pub warnings: u64,
    /// Times that it was spent, by what followed, in this life.
    pub exceeded: BTreeMap<&'static str, u64>,
}

impl BudgetView {
    /// Whether it is in money; else in tokens.
    pub fn is_money(&self) -> bool {
        matches!(self.plan.limit, BudgetLimit::Cost(_))
    }

    /// The part of the limit that is spent.
    pub fn ratio(&self) -> f64 {
        self.spent as f64 / self.limit.max(1) as f64
    }
}

/// What is known of the supervisor itself.
#[derive(Clone, Debug, Default)]
pub struct HouseView {
    /// When this life began.
    pub started: Wall,
    /// Whether we are PID 1; else a subreaper.
    pub pid1: bool,
    /// Whether the house is going down.
    pub stopping: bool,
    /// Our children that were reaped: processes of the plan, and orphans.
    pub reaped_runs: u64,
    /// See [`HouseView::reaped_runs`].
    pub reaped_orphans: u64,
    /// Signals that were sent to us, by what became of them.
    pub signals: BTreeMap<(Signal, &'static str), u64>,
    /// Lifecycle entries that did not reach the ledger.
    pub entries_dropped: u64,
    /// Entries that told of a run or session that is not known, or that could not be taken in.
    pub entries_ignored: u64,
    /// Ticks of the memory probe that were skipped.
    pub samples_skipped: u64,
    /// Our own dead children that nobody had reaped when memory was last sampled.
    pub unreaped: u32,
    /// The most of them that were seen at once.
    pub unreaped_peak: u32,
    /// Processes that sessions which are over left behind, when it was last looked.
    pub orphans: Option<u32>,
    /// Of them, those that ended when they were asked to, and those that had to be killed.
    pub orphans_ended: u64,
    /// See [`HouseView::orphans_ended`].
    pub orphans_killed: u64,
    /// What the container's own group said of memory last.
    pub container: Option<ContainerFigures>,
    /// What reading proportional memory has cost.
    pub parts_cost: PartsCost,
    /// How the store is; `None` when history is in memory.
    pub store: Option<StoreHealth>,
    /// Whether the metrics listener listens; `None` when there is none.
    pub listener_up: Option<bool>,
    /// Orders that were given, by whether they were carried out.
    pub orders: BTreeMap<(Order, bool), u64>,
    /// Times that another plan was taken over, and times that its file had faults.
    pub reloads: u64,
    /// See [`HouseView::reloads`].
    pub reloads_failed: u64,
    /// Whether the last reload worked; `None` before the first.
    pub last_reload_worked: Option<bool>,
    /// When another plan was last taken over.
    pub last_reload: Option<Wall>,
    /// Processes of an earlier life that were ended, and that were taken over.
    pub survivors_ended: u64,
    /// See [`HouseView::survivors_ended`].
    pub survivors_adopted: u64,
    /// External sessions and spawned commands that may be open at once.
    pub sessions_limit: u32,
    /// How many of them are open.
    pub sessions_open: u32,
    /// Requests for one more that were refused because as many were open.
    pub sessions_refused: u64,
    /// Events that are missing in their file; absent where none is written.
    pub events_untold: Option<u64>,
    /// Sessions of earlier lives that went on in this one, by kind.
    pub sessions_resumed: BTreeMap<SessionKind, u64>,
    /// Warnings before an end for want of activity, by kind of session.
    pub idle_warnings: BTreeMap<SessionKind, u64>,
}

/// What is known of one process of the plan.
#[derive(Clone, Debug)]
pub struct ProcessView {
    /// Its place in the plan, which is not that in [`Snapshot::processes`] once a reload took some out.
    pub place: ProcessIx,
    /// The value of the `process` label.
    pub name: String,
    /// The key under `processes:`; the same for all replicas of one.
    pub family: String,
    /// Which replica it is, where it is one of several.
    pub replica: Option<u32>,
    /// Whether a reload took it out of the plan.
    pub retired: bool,
    /// Whether it is beside the plan: a command that was spawned, or one of a hook.
    pub beside: bool,
    /// The phase that it is in.
    pub phase: PhaseName,
    /// When it runs by the clock.
    pub schedule: Option<Arc<Schedule>>,
    /// Its live run.
    pub run: Option<RunView>,
    /// Runs after the first, in this life.
    pub restarts: u64,
    /// Runs that ended, by outcome.
    pub exits: Arc<BTreeMap<SessionState, u64>>,
    /// Runs that never had a program, by reason.
    pub spawn_failures: Arc<BTreeMap<&'static str, u64>>,
    /// Runs that had to be killed.
    pub forced_kills: u64,
    /// Times it was given up after too many restarts in a row.
    pub crash_loops: u64,
    /// How the last run ended.
    pub last_status: Option<ExitStatus>,
    /// When the last run ended.
    pub last_exit: Option<Wall>,
    /// CPU seconds of the runs that ended.
    pub cpu_seconds_ended: f64,
    /// Bytes that the runs that ended are known to have read from disks, and written to them; `None`
    /// where it was never known of any.
    pub moved_ended: [Option<u64>; 2],
    /// Memory thresholds, as the plan has them.
    pub thresholds: Thresholds,
    /// What they come to under the container's limit.
    pub bounds: Bounds,
    /// The leak that its last runs had one like another, if they had.
    pub recurring: Option<Recurring>,
    /// Times that such a leak was found, in this life.
    pub leaks_recurring: u64,
    /// Times that its end was asked for because of its memory, in this life.
    pub memory_ends: u64,
    /// The agent that it runs, if it declares one.
    pub agent: Option<String>,
    /// Runs that went on spending behind their end, in this life.
    pub orphaned_spenders: u64,
    /// Tokens that they spent there.
    pub orphaned_tokens: u64,
    /// Times that the leak rule began to be met, in this life.
    pub leaks_suspected: u64,
    /// Times that a leak was confirmed, in this life.
    pub leaks_confirmed: u64,
    /// How it is looked after.
    pub care: Care,
    /// How long it took until each of its runs could be used.
    pub startups: Spans,
}

impl ProcessView {
    /// A process of the plan that nothing has happened to: every counter stands at 0.
    pub fn new(place: ProcessIx, plan: &ProcessPlan) -> Self {
        let ends = SessionState::ALL.into_iter().filter(|state| state.is_end());
        Self {
            place,
            name: plan.name.clone(),
            family: plan.family().to_owned(),
            replica: plan.replica.as_ref().map(|replica| replica.number),
            retired: plan.standing == Standing::Retired,
            beside: plan.standing == Standing::Spawned,
            phase: PhaseName::Waiting,
            schedule: plan.schedule.clone().map(Arc::new),
            run: None,
            restarts: 0,
            exits: Arc::new(ends.map(|end| (end, 0)).collect()),
            spawn_failures: Arc::new(SpawnFailure::REASONS.map(|reason| (reason, 0)).into()),
            forced_kills: 0,
            crash_loops: 0,
            last_status: None,
            last_exit: None,
            cpu_seconds_ended: 0.0,
            moved_ended: [None; 2],
            thresholds: plan.thresholds,
            bounds: Bounds::of(&plan.thresholds, None),
            recurring: None,
            leaks_recurring: 0,
            memory_ends: 0,
            agent: plan.agent.as_ref().map(|agent| agent.name.clone()),
            orphaned_spenders: 0,
            orphaned_tokens: 0,
            leaks_suspected: 0,
            leaks_confirmed: 0,
            care: Care::new(plan),
            startups: Spans::default(),
        }
    }

    /// Bytes that all its runs are known to have read from disks, and written to them, when the live
    /// one is known to have moved these; `None` where it was never known of any.
    pub fn moved(&self, live: [Option<u64>; 2]) -> [Option<u64>; 2] {
        let sum = |ended: Option<u64>, live: Option<u64>| match (ended, live) {
            (Some(ended), Some(live)) => Some(ended.saturating_add(live)),
            (ended, live) => ended.or(live),
        };
        let [read, written] = self.moved_ended;
        [sum(read, live[0]), sum(written, live[1])]
    }
}

/// What is known of a live run.
#[derive(Clone, Debug)]
pub struct RunView {
    /// The run.
    pub run: RunId,
    /// The session that it is.
    pub session: SessionId,
    /// Its main process, once it was forked.
    pub main: Option<ProcId>,
    /// When it was opened.
    pub started: Wall,
    /// From its opening until it could be used; `None` until then.
    pub ready: Option<Duration>,
    /// What it said of itself last, by `STATUS=`.
    pub status: Option<String>,
    /// Its last memory sample.
    pub sample: Option<TreeSample>,
    /// What was read of its tree that costs more, when it was read last.
    pub parts: Option<TreeParts>,
    /// Bytes that its tree is known to have read from disks, and written to them; they stay known
    /// while a member cannot be read, since counters do not fall.
    pub moved: [Option<u64>; 2],
    /// The largest resident size of its tree so far.
    pub peak_resident: Option<crate::units::Bytes>,
    /// What it held since it began.
    pub history: Arc<History>,
    /// What its samples were last said to stand for.
    pub label: Option<Arc<str>>,
    /// The size that thresholds are compared with, and what it is taken from.
    pub size: Option<(crate::units::Bytes, Basis)>,
    /// Its size against the thresholds.
    pub level: MemoryLevel,
    /// What the leak rule says.
    pub verdict: Option<Arc<Verdict>>,
    /// What the rule measures growth against.
    pub limit: Option<Limit>,
}

impl RunView {
    /// A run that was opened, and nothing else.
    pub fn new(run: RunId, session: SessionId, started: Wall) -> Self {
        Self {
            run,
            session,
            main: None,
            started,
            ready: None,
            status: None,
            sample: None,
            parts: None,
            moved: [None; 2],
            peak_resident: None,
            history: Arc::default(),
            label: None,
            size: None,
            level: MemoryLevel::Normal,
            verdict: None,
            limit: None,
        }
    }
}

impl Snapshot {
    /// The process in this place of the plan, where it is shown.
    pub fn process(&self, place: ProcessIx) -> Option<&ProcessView> {
        let at = self.processes.binary_search_by_key(&place, |process| process.place).ok()?;
        self.processes.get(at)
    }
}

/// A live run as the run file knows it, by which a next life finds what this one left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveRun {
    /// The session that it is.
    pub session: SessionId,
    /// The process that it is a run of.
    pub process: String,
    /// Its main process.
    pub main: ProcId,
}

/// Token counters of one combination of labels, since the start of this life.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenSeries {
    /// The process whose agent it is; `unknown` where it cannot be told.
    pub process: String,
    /// The agent's bounded name.
    pub agent: String,
    /// Who answered.
    pub provider: String,
    /// The model.
    pub model: String,
    /// Tokens by kind.
    pub tokens: TokenCounts,
    /// The part of the output that was thinking.
    pub reasoning: u64,
    /// Responses.
    pub responses: u64,
    /// What the priced ones cost.
    pub cost: Money,
    /// What the unpriced ones would have cost by the model that stands for unknown ones.
    pub estimated: Money,
    /// Tokens of the unpriced ones, by kind.
    pub unpriced: TokenCounts,
}
