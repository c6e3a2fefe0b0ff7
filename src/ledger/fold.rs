//! The ledger: an entry in, rows out, and at any time a picture. Pure, so that the same entries
//! always give the same history. What each kind of entry means stands in the `fold_…` files.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use std::time::Duration;

use crate::chains::chain::Chains;
use crate::config::plan::{
    LeakRule, OrphanedSpenders, Plan, ProcessPlan, SessionRule, SessionsPlan, Standing, StorePlan,
};
use crate::ledger::activity::Activity;
use crate::ledger::calls::{Called, Calls};
use crate::ledger::conversations::Conversations;
use crate::ledger::entry::{Entry, StoreHealth};
use crate::ledger::external::Externals;
use crate::ledger::fold_budgets::Budgets;
use crate::ledger::fold_care::expect;
use crate::ledger::fold_chains::chains;
use crate::ledger::fold_earlier::Earlier;
use crate::ledger::fold_runs::Run;
use crate::ledger::labels::UNKNOWN;
use crate::ledger::outcome::Outcome;
use crate::ledger::request::{Knock, Request};
use crate::ledger::row::{Batch, Row};
use crate::ledger::session::{Figures, SessionKind};
use crate::ledger::sessions::Sessions;
use crate::ledger::snapshot::{HouseView, ProcessView};
use crate::ledger::spend::Spend;
use crate::ledger::veil::Veil;
use crate::memory::LeakDetector;
use crate::memory::leak::Setting;
use crate::memory::level::Bounds;
use crate::memory::recurring::RunTrend;
use crate::supervise::lifecycle::SignalResponse;
use crate::tokens::Lag;
use crate::tokens::precedence::Precedence;
use crate::tokens::price::Prices;
use crate::units::{Mono, Now, ProcessIx, SessionId, Wall};

/// What makes a detector for a rule.
pub type MakeDetector = fn(&Setting) -> Box<dyn LeakDetector>;

/// Everything that is known in this life.
pub struct Ledger {
    pub(super) house: HouseView,
    pub(super) processes: Vec<Process>,
    pub(super) sessions: Sessions,
    pub(super) conversations: Conversations,
    pub(super) chains: Chains,
    pub(super) spend: Spend,
    pub(super) precedence: Precedence,
    /// What is being told of conversations, by process.
    pub(super) telling: BTreeMap<String, BTreeMap<SessionId, Figures>>,
    pub(super) budgets: Budgets,
    pub(super) orphaned_spenders: OrphanedSpenders,
    pub(super) prices: Prices,
    pub(super) calls: Calls,
    /// Whether somebody is told of each call, and those that wait for that.
    pub(super) tells_calls: bool,
    pub(super) newly_called: Vec<Arc<Called>>,
    pub(super) earlier: Earlier,
    pub(super) files: u64,
    /// How far reading the logs is behind.
    pub(super) lag: Lag,
    pub(super) prices_as_of: Option<Wall>,
    pub(super) rule: LeakRule,
    /// From one sample of memory to the next.
    pub(super) sampled_every: Duration,
    pub(super) make_detector: MakeDetector,
    /// For the ids of conversations; those of runs come from the mind.
    pub(super) random: fastrand::Rng,
    /// The latest time that an entry carried; entries without one happened then.
    pub(super) now: Now,
    /// How long sessions may rest and last.
    pub(super) rules: SessionsPlan,
    pub(super) externals: Externals,
    pub(super) activity: Activity,
    /// The session that we are a part of ourselves, of a procession around us.
    pub(super) around: Option<SessionId>,
    /// Until when places are kept for commands that were admitted and have not begun, oldest first.
    pub(super) admitted: Vec<Mono>,
    /// What is to be asked for at the control door.
    pub(super) knocks: Vec<Knock>,
    pub(super) idle_checked: Mono,
    /// When live sessions are next written down whole; `None` where they never are.
    pub(super) snapshot_at: Option<Mono>,
    /// When ended external sessions are next let go of.
    pub(super) cleanup_at: Mono,
    veil: Veil,
}

/// A process of the plan with its live run and its last one.
pub(super) struct Process {
    /// What is shown of it; its run is filled in when a picture is taken.
    pub(super) view: ProcessView,
    pub(super) run: Option<Run>,
    pub(super) last: Option<LastRun>,
    /// How long its runs may rest and last.
    pub(super) rule: SessionRule,
    /// Its exit codes beside 0 that are no failure.
    pub(super) successes: Vec<u8>,
    /// Whether it is a command that was spawned beside the plan.
    pub(super) spawned: bool,
    /// How the memory of its last runs went, oldest first.
    pub(super) trends: VecDeque<RunTrend>,
    /// When it was last restarted for its memory.
    pub(super) memory_restart: Option<Mono>,
    /// When the command for its memory was last run.
    pub(super) memory_hook: Option<Mono>,
    /// The run that is over and goes on spending, and when its end was last asked for.
    pub(super) orphaned: Option<(SessionId, Mono)>,
}

/// A run that ended, for what is learnt of it behind its end.
#[derive(Clone, Debug)]
pub(super) struct LastRun {
    pub(super) session: SessionId,
    pub(super) outcome: Outcome,
}

impl Ledger {
    /// A ledger that knows the plan and nothing else yet: every counter of the plan stands at 0.
    pub fn new(
        plan: &Plan,
        started: Now,
        pid1: bool,
        make_detector: MakeDetector,
        seed: u64,
    ) -> Self {
        Self {
            house: house(plan, started, pid1),
            processes: plan.indexed().map(|(ix, process)| Process::new(ix, process)).collect(),
            sessions: sessions(plan),
            conversations: Conversations::default(),
            chains: chains(plan),
            spend: Spend::new(plan),
            precedence: Precedence::default(),
            telling: BTreeMap::new(),
            budgets: Budgets::new(&plan.budgets, started),
            orphaned_spenders: plan.tokens.orphaned_spenders,
            prices: Prices::default(),
            calls: Calls::default(),
            tells_calls: plan.tokens.log.is_some(),
            newly_called: Vec::new(),
            earlier: Earlier::default(),
            files: 0,
            lag: Lag::default(),
            prices_as_of: None,
            rule: plan.memory.leak_rule,
            sampled_every: plan.memory.interval,
            make_detector,
            random: fastrand::Rng::with_seed(seed),
            now: started,
            rules: plan.sessions.clone(),
            externals: Externals::default(),
            activity: Activity::default(),
            around: None,
            admitted: Vec::new(),
            knocks: Vec::new(),
            idle_checked: started.mono,
            snapshot_at: plan.sessions.snapshot_interval.map(|span| started.mono.after(span)),
            cleanup_at: started.mono.after(plan.sessions.cleanup_interval),
            veil: Veil::default(),
        }
    }

    /// Says of which session of another procession we are a part; every run of ours is one of it.
    pub fn inside(mut self, around: Option<SessionId>) -> Self {
        self.around = around;
        self
    }

    /// Says what calls cost that are told at a door.
    pub fn with_prices(mut self, prices: Prices) -> Self {
        self.prices_as_of = prices.as_of();
        self.prices = prices;
        self
    }

    /// Says what is masked and left out of whatever comes in.
    pub fn behind(mut self, veil: Veil) -> Self {
        self.veil = veil;
        self
    }

    /// An entry as it may be taken in and looked on at.
    pub fn veiled(&self, entry: Entry) -> Entry {
        self.veil.entry(entry)
    }

    /// A request as it may be taken in.
    pub fn veiled_request(&self, request: Request) -> Request {
        self.veil.request(request)
    }

    /// Takes an entry in and answers with what is to be kept, in order.
    pub fn fold(&mut self, entry: Entry) -> Vec<Batch> {
        match entry {
            Entry::Lifecycle { at, event } => self.told_at(at, |it| it.lifecycle(at, event)),
            Entry::ContextCaptured { session, context } => self.context_captured(session, context),
            Entry::Sampled { samples, unreaped, skipped } => {
                self.house.samples_skipped += skipped;
                self.house.unreaped = unreaped;
                self.house.unreaped_peak = self.house.unreaped_peak.max(unreaped);
                let latest = samples.iter().map(|sample| sample.at).max_by_key(|at| at.mono);
                let mut batches = latest.map(|at| self.turn_to(at)).unwrap_or_default();
                batches.extend(self.sampled(&samples));
                batches
            }
            Entry::PartsRead { at: _, trees, cost } => self.learn(|it| it.parts_read(trees, cost)),
            Entry::ContainerRead(figures) => self.house_is(|it| it.container = Some(*figures)),
            Entry::Together(all) => all.into_iter().flat_map(|one| self.fold(one)).collect(),
            Entry::TokensRead { at, batch: read } => {
                self.told_at(at, |it| it.tokens_read(at, read))
            }
            Entry::StdoutRead { at, batch: read } => {
                self.told_at(at, |it| it.stdout_read(at, read))
            }
            Entry::OutputSeen { at, processes } => {
                self.told_at(at, |it| it.output_seen(at, &processes))
            }
            Entry::PricesRead(prices) => {
                self.prices_as_of = prices.as_of();
                self.prices = *prices;
                Vec::new()
            }
            Entry::TimePassed { at } => self.turn_to(at),
            Entry::OpenSessionsFound { at, sessions } => self.open_sessions_found(at, sessions),
            Entry::ChainsFound(found) => self.learn(|it| it.chains_found(found)),
            Entry::HeldFound(found) => self.learn(|it| it.held_found(found)),
            Entry::CountedFound { at, counted, keys, spent } => {
                self.precedence.resume(counted, keys);
                self.spent_before(at, &spent);
                Vec::new()
            }
            Entry::SurvivorsHandled { at, outcomes } => self.survivors_handled(at, outcomes),
            Entry::StoreReported(health) => {
                self.house.store = self.house.store.map(|_| *health);
                Vec::new()
            }
            Entry::OrphansSeen { count } => self.house_is(|house| house.orphans = Some(count)),
            Entry::Forget { whose } => {
                self.sessions.forget(&whose);
                batch(self.forget_chain(&whose)).into_iter().collect()
            }
            Entry::ListenerReported { up } => self.house_is(|house| house.listener_up = Some(up)),
            Entry::EntriesDropped { count } => {
                self.house.entries_dropped += count;
                batch(self.sessions.mark_incomplete(self.now, count)).into_iter().collect()
            }
        }
    }

    /// Rows of what was told at a time, to which time goes on first.
    fn told_at(&mut self, at: Now, told: impl FnOnce(&mut Self) -> Vec<Row>) -> Vec<Batch> {
        let mut batches = self.turn_to(at);
        batches.extend(batch(told(self)));
        batches
    }

    /// What is known from now on, of which nothing is to be kept.
    fn learn(&mut self, what: impl FnOnce(&mut Self)) -> Vec<Batch> {
        what(self);
        Vec::new()
    }

    fn house_is(&mut self, change: impl FnOnce(&mut HouseView)) -> Vec<Batch> {
        change(&mut self.house);
        Vec::new()
    }

    /// Counts an entry that told of nothing that is known, or that could not be folded.
    pub fn ignore(&mut self) {
        self.house.entries_ignored += 1;
    }

    pub(super) fn process(&mut self, ix: ProcessIx) -> Option<&mut Process> {
        self.processes.get_mut(ix.0)
    }

    /// What is to be asked for at the control door, since the last time this was asked.
    pub fn take_knocks(&mut self) -> Vec<Knock> {
        std::mem::take(&mut self.knocks)
    }
}

impl Process {
    pub(super) fn new(place: ProcessIx, plan: &ProcessPlan) -> Self {
        let spawned = plan.standing == Standing::Spawned;
        let view = ProcessView::new(place, plan);
        Self {
            view,
            run: None,
            last: None,
            rule: plan.session,
            successes: plan.restart.success_codes.clone(),
            spawned,
            trends: VecDeque::new(),
            memory_restart: None,
            memory_hook: None,
            orphaned: None,
        }
    }

    /// Goes on under another plan. A place that was taken over by another name begins at 0.
    pub(super) fn follow(&mut self, plan: &ProcessPlan) {
        if self.view.name != plan.name {
            self.view = ProcessView::new(self.view.place, plan);
        }
        self.rule = plan.session;
        self.successes.clone_from(&plan.restart.success_codes);
        self.spawned = plan.standing == Standing::Spawned;
        self.view.retired = plan.standing == Standing::Retired;
        self.view.beside = self.spawned;
        self.view.thresholds = plan.thresholds;
        // Until the next sample, without the container's limit.
        self.view.bounds = Bounds::of(&plan.thresholds, None);
        self.view.schedule = plan.schedule.clone().map(Arc::new);
        self.view.agent = plan.agent.as_ref().map(|agent| agent.name.clone());
        self.view.care.follow(plan);
    }
}

/// The rows as a batch, where there are any.
pub(super) fn batch(rows: Vec<Row>) -> Option<Batch> {
    (!rows.is_empty()).then_some(Batch { rows })
}

fn house(plan: &Plan, started: Now, pid1: bool) -> HouseView {
    let forwarded = plan.processes.iter().flat_map(|process| &process.forward_signals);
    let response = SignalResponse::Forwarded(0).as_str();
    HouseView {
        started: started.wall,
        pid1,
        signals: forwarded.map(|signal| ((*signal, response), 0)).collect(),
        sessions_limit: plan.sessions.max_concurrent,
        sessions_resumed: SessionKind::ALL.map(|kind| (kind, 0)).into(),
        idle_warnings: SessionKind::ALL.map(|kind| (kind, 0)).into(),
        store: (plan.store != StorePlan::Memory).then(StoreHealth::default),
        listener_up: plan.listen.map(|_| false),
        ..HouseView::default()
    }
}

fn sessions(plan: &Plan) -> Sessions {
    let mut sessions = Sessions::default();
    sessions.expect(SessionKind::External, UNKNOWN);
    for process in &plan.processes {
        expect(&mut sessions, &process.name, process.agent.is_some());
    }
    sessions
}
