//! A fixed picture that every test of a reader shares: five processes, each in another phase, an
//! agent in the middle of a conversation, and figures that cannot be taken for one another.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use procession::chains::chain::Chain;
use procession::chains::limits::Limits;
use procession::chains::step::{Calls, Context, Deed, Step};
use procession::config::plan::{
    BudgetActions, BudgetLimit, BudgetPlan, BudgetScope, BudgetWindow, CountedKinds, ProcessPlan,
    Zone,
};
use procession::faults::Faults;
use procession::ledger::care::{Care, Rest};
use procession::ledger::entry::StoreHealth;
use procession::ledger::session::{
    Figures, Session, SessionEnd, SessionKind, SessionState, Totals,
};
use procession::ledger::snapshot::{
    BudgetView, HouseView, ProcessView, RunView, Snapshot, TokenSeries,
};
use procession::ledger::spans::{LIVES, Spans};
use procession::ledger::store_figures::{ErrorCategory, Operation, SpoolFigures, StoreFigures};
use procession::memory::container::{
    ContainerFigures, GroupEvents, GroupMode, GroupParts, Pressure, Stall,
};
use procession::memory::history::Sizes;
use procession::memory::leak::evidence::Evidence;
use procession::memory::leak::growth_count::Counted;
use procession::memory::level::Basis;
use procession::memory::limit::{Limit, LimitOf};
use procession::memory::parts::{Parts, TreeParts};
use procession::memory::{
    LeakState, MemoryLevel, PartsCost, Range, SelfFigures, TreeSample, Turns, Verdict,
};
use procession::output::figures::OutputFigures;
use procession::supervise::fact::SpawnFailure;
use procession::supervise::lifecycle::{Health, Order, PhaseName};
use procession::tokens::quota::{Quota, Window};
use procession::tokens::{Lag, LineCounts, TokenCounts};
use procession::units::{
    Bytes, ExitStatus, Money, Mono, Now, ProcId, ProcessIx, RunId, SessionId, Signal, Wall,
};

/// 2026-09-21T14:13:20Z.
const START: i64 = 1_790_000_000_000;

/// So many seconds after the start.
pub fn at(seconds: i64) -> Wall {
    Wall(START + seconds * 1000)
}

fn now(seconds: i64) -> Now {
    Now { mono: Mono(seconds.unsigned_abs() * 1_000_000_000), wall: at(seconds) }
}

fn lasted() -> BTreeMap<SessionState, Spans> {
    let ends = SessionState::ALL.into_iter().filter(|state| state.is_end());
    let spans = |end| {
        let mut spans = Spans::default();
        if end == SessionState::Completed {
            spans.add(&LIVES, Duration::from_secs(90));
        }
        (end, spans)
    };
    ends.map(spans).collect()
}

/// The picture an hour after the start.
pub fn snapshot() -> Snapshot {
    let opened = |kind, process: &str, n| ((kind, process.to_owned()), n);
    Snapshot {
        generation: 4711,
        lasted: Arc::new(lasted()),
        at: now(3600),
        house: house(),
        processes: [web(), leaky(), coder(), setup(), broken()]
            .into_iter()
            .enumerate()
            .map(|(at, view)| ProcessView { place: ProcessIx(at), ..view })
            .collect(),
        sessions: vec![run_of("leaky", 2), run_of("coder", 3), conversation(), run_of("web", 11)],
        ended: vec![
            ended("broken", 5, SessionState::Failed),
            ended("web", 1, SessionState::Killed),
        ],
        opened: Arc::new(BTreeMap::from([
            opened(SessionKind::Process, "web", 3),
            opened(SessionKind::Process, "leaky", 1),
            opened(SessionKind::Process, "coder", 1),
            opened(SessionKind::Process, "setup", 1),
            opened(SessionKind::Process, "broken", 2),
            opened(SessionKind::Conversation, "coder", 1),
            opened(SessionKind::External, "app", 2),
        ])),
        closed: Arc::new(closed()),
        tokens: vec![opus(), unknown_model()],
        telling: BTreeMap::new(),
        process_tokens: BTreeMap::from([(
            "coder".to_owned(),
            opus().tokens.plus(&unknown_model().tokens),
        )]),
        lines: LineCounts {
            counted: 41,
            duplicate: 7,
            ignored: 120,
            malformed: 2,
            unknown: 4,
            reused: 1,
            dropped: 1,
            oversized: 1,
            bytes: 918_273,
        },
        files: 3,
        lag: Lag { bytes: 4_096, since: Some(at(3_597)) },
        compactions: [("claude".to_owned(), 2)].into(),
        quotas: [(("claude".to_owned(), Window::FiveHours), quota())].into(),
        corrections: BTreeMap::from([(
            ("claude".to_owned(), "claude-opus-4-5".to_owned()),
            (12, 5),
        )]),
        calls: Default::default(),
        requests: [(("web".to_owned(), "claude".to_owned(), "a-model".to_owned()), (7, 1))].into(),
        otlp: Default::default(),
        apart: [(
            "claude".to_owned(),
            procession::tokens::precedence::Apart { told: 1_000, differ: 25 },
        )]
        .into(),
        prices_as_of: Some(at(-86_400)),
        chains: vec![Arc::new(chain())],
        budgets: budgets(),
    }
}

/// One in tokens that goes on, and one in money that is spent.
fn budgets() -> Vec<BudgetView> {
    let day = || BudgetWindow::Day(Zone::default());
    let plan = |name: &str, scope, limit, actions| {
        let (name, warn) = (name.to_owned(), vec![50, 80]);
        Arc::new(BudgetPlan { name, scope, window: day(), limit, warn, actions, hook: None })
    };
    let most = 2_000_000;
    let tokens = BudgetLimit::Tokens { most, kinds: CountedKinds::ALL };
    let refuse = BudgetActions { refuse: true, ..BudgetActions::default() };
    let money = BudgetLimit::Cost(Money(4_000_000_000));
    let coder = BudgetScope::Process("coder".to_owned());
    let going = BudgetView {
        plan: plan("coder-day", coder, tokens, BudgetActions::default()),
        limit: most,
        spent: 1_100_000,
        unpriced: None,
        is_spent: false,
        opens: Some(at(-51_200)),
        closes: Some(at(35_200)),
        reopens: None,
        per_hour: Some(180_000.0),
        lasts: Some(Duration::from_secs(18_000)),
        warnings: 1,
        exceeded: [("event", 0)].into(),
    };
    let spent = BudgetView {
        plan: plan("house", BudgetScope::Container, money, refuse),
        limit: 4_000_000_000,
        spent: 5_000_000_000,
        unpriced: Some(77),
        is_spent: true,
        reopens: Some(at(35_200)),
        per_hour: Some(360_000_000.0),
        lasts: None,
        warnings: 2,
        exceeded: [("event", 1), ("refuse", 1)].into(),
        ..going.clone()
    };
    vec![going, spent]
}

fn quota() -> Quota {
    let (agent, window) = ("claude".to_owned(), Window::FiveHours);
    Quota { agent, window, used: 0.25, resets: Some(at(7_200)), at: at(3_000) }
}

/// How often each end was come to, from 0 as the ledger has it.
fn exits(some: &[(SessionState, u64)]) -> Arc<BTreeMap<SessionState, u64>> {
    let ends = SessionState::ALL.into_iter().filter(|state| state.is_end());
    Arc::new(ends.map(|end| (end, 0)).chain(some.iter().copied()).collect())
}

fn closed() -> BTreeMap<(SessionKind, String, SessionState), u64> {
    let runs = [web(), leaky(), coder(), setup(), broken()];
    let runs = runs.into_iter().map(|process| (SessionKind::Process, process.name, process.exits));
    let conversations = [(SessionKind::Conversation, "coder".to_owned(), exits(&[]))];
    let of = |(kind, process, exits): (SessionKind, String, Arc<BTreeMap<SessionState, u64>>)| {
        Arc::unwrap_or_clone(exits)
            .into_iter()
            .map(move |(end, n)| ((kind, process.clone(), end), n))
    };
    runs.chain(conversations).flat_map(of).collect()
}

/// What the kernel says of procession in this picture.
pub fn own() -> SelfFigures {
    SelfFigures {
        cpu_seconds: Some(1.25),
        resident: Some(Bytes(7_340_032)),
        virtual_size: Some(Bytes(41_943_040)),
        open_fds: Some(17),
        max_fds: Some(1_048_576),
        start_time_seconds: Some(at(0).seconds()),
        turns: Some(Turns {
            count: 420,
            total: Duration::from_millis(63),
            longest: Duration::from_micros(1_500),
        }),
        faults: Some(Faults::default()),
    }
}

/// What processes wrote in this picture.
pub fn output() -> Vec<(Arc<str>, OutputFigures)> {
    let web = OutputFigures {
        lines: 1_200,
        bytes: 98_765,
        dropped_lines: 3,
        dropped_bytes: 240,
        cut_pieces: 1,
        leftover_lines: 2,
    };
    vec![("web".into(), web), ("leaky".into(), OutputFigures::default())]
}

fn store_figures() -> StoreFigures {
    let mut figures = StoreFigures::default();
    figures.failed(ErrorCategory::Unreachable);
    figures.took(Operation::Open, Duration::from_millis(4));
    for micros in [800, 2_000, 2_000, 40_000_000] {
        figures.took(Operation::Commit, Duration::from_micros(micros));
    }
    figures.set_aside = 1;
    figures
}

/// What the container's group says in this picture.
fn container() -> ContainerFigures {
    let stall = |part: f64, seconds: f64| Stall { last_10s: part, last_60s: part / 2.0, seconds };
    ContainerFigures {
        at: now(3598),
        mode: GroupMode::V2,
        usage: Some(Bytes::mib(5_600)),
        limit: Some(Bytes::mib(8_192)),
        high: Some(Bytes::mib(7_168)),
        machine: Some(Bytes::mib(32_768)),
        working_set: Some(Bytes::mib(5_400)),
        swap: Some(Bytes(0)),
        peak: Some(Bytes::mib(6_000)),
        parts: GroupParts {
            anonymous: Some(Bytes::mib(5_000)),
            file: Some(Bytes::mib(500)),
            shared: Some(Bytes::mib(8)),
            slab: Some(Bytes::mib(60)),
            inactive_file: Some(Bytes::mib(200)),
        },
        events: GroupEvents {
            low: Some(0),
            high: Some(0),
            max: Some(12),
            oom: Some(1),
            oom_kill: Some(1),
            oom_group_kill: Some(0),
        },
        pressure: Some(Pressure {
            of_machine: false,
            some: stall(0.25, 12.5),
            full: Some(stall(0.125, 3.0)),
        }),
    }
}

fn house() -> HouseView {
    HouseView {
        started: at(0),
        pid1: true,
        stopping: false,
        reaped_runs: 5,
        reaped_orphans: 13,
        unreaped: 1,
        unreaped_peak: 40,
        orphans: Some(2),
        orphans_ended: 6,
        orphans_killed: 1,
        signals: BTreeMap::from([((Signal::HUP, "ignored"), 2), ((Signal::USR1, "forwarded"), 1)]),
        samples_skipped: 4,
        container: Some(container()),
        parts_cost: PartsCost {
            readings: 700,
            spent: Duration::from_millis(1_250),
            unread: [3, 0, 0, 1],
        },
        store: Some(StoreHealth {
            up: true,
            pending: 6,
            failures: 1,
            dropped: 0,
            figures: store_figures(),
            spooled: SpoolFigures { bytes: Bytes::mib(1), rows: 4, dropped: 2, replayed: 9 },
        }),
        listener_up: Some(true),
        orders: BTreeMap::from([((Order::Restart, true), 3), ((Order::Stop, false), 1)]),
        reloads: 2,
        reloads_failed: 1,
        last_reload_worked: Some(false),
        last_reload: Some(at(1800)),
        survivors_ended: 1,
        survivors_adopted: 0,
        sessions_limit: 100,
        sessions_open: 4,
        sessions_refused: 2,
        events_untold: Some(3),
        sessions_resumed: BTreeMap::from([(SessionKind::Process, 1), (SessionKind::External, 2)]),
        idle_warnings: BTreeMap::from([
            (SessionKind::Process, 1),
            (SessionKind::Conversation, 0),
            (SessionKind::External, 5),
        ]),
        ..HouseView::default()
    }
}

/// A process that nothing has happened to yet.
pub fn waiting(name: &str) -> ProcessView {
    let plan = ProcessPlan::new(name, vec!["true".to_owned()]);
    ProcessView::new(ProcessIx(0), &plan)
}

/// A live run with a sample.
pub fn run(number: u64, mib: u64, level: MemoryLevel) -> RunView {
    let run = RunId(number);
    RunView {
        run,
        session: session_id(number),
        main: Some(ProcId { pid: 100 + number as i32, start_ticks: 5000 }),
        started: at(60 * number as i64),
        ready: Some(Duration::from_millis(125)),
        status: None,
        sample: Some(TreeSample {
            run,
            at: now(3598),
            resident: Bytes::mib(mib),
            anonymous: Bytes::mib(mib - 1),
            largest: Bytes::mib(mib / 2),
            virtual_size: Bytes::mib(mib * 10),
            processes: 3,
            zombies: u32::try_from(number).expect("few"),
            oldest_zombie: (number > 0).then(|| at(3000)),
            cpu_seconds: 12.5,
        }),
        parts: Some(TreeParts {
            run,
            at: now(3590),
            parts: Parts {
                proportional: Some(Bytes::mib(mib - 10)),
                unique: Some(Bytes::mib(mib - 20)),
                swap: Some(Bytes(0)),
                peak: Some(Bytes::mib(mib / 2)),
                threads: Some(21),
                open_fds: Some(64),
                read: Some(8_192),
                written: Some(4_096),
            },
        }),
        moved: [Some(8_192), Some(4_096)],
        history: Arc::default(),
        label: None,
        size: Some((Bytes::mib(mib - 10), Basis::Proportional)),
        peak_resident: Some(Bytes::mib(mib + 1)),
        level,
        verdict: Some(Arc::new(Verdict {
            state: LeakState::None,
            since: now(3000),
            growth: Some(0.0),
            growth_range: None,
            to_limit: None,
            evidence: counted(10, 2),
        })),
        limit: Some(Limit { bytes: Bytes::mib(6_000), of: LimitOf::Critical }),
    }
}

/// What the growth-count rule has seen.
fn counted(samples: usize, rising: usize) -> Evidence {
    let (from, to) = (Bytes::mib(100), Bytes::mib(104));
    Evidence::GrowthCount(Counted { samples, rising, from, to, span: Duration::from_secs(45) })
}

fn web() -> ProcessView {
    ProcessView {
        phase: PhaseName::Ready,
        run: Some(run(11, 210, MemoryLevel::Normal)),
        restarts: 2,
        exits: exits(&[(SessionState::Failed, 1), (SessionState::Killed, 1)]),
        forced_kills: 1,
        last_status: Some(ExitStatus::Signal(Signal::KILL)),
        last_exit: Some(at(650)),
        cpu_seconds_ended: 30.25,
        moved_ended: [Some(1_000), Some(2_000)],
        family: "web".to_owned(),
        replica: Some(1),
        care: Care {
            health: Some(Health::Healthy),
            tests_failed: Some(4),
            test_said: None,
            hooks_failed: BTreeMap::from([("pre_stop", 1)]),
            stops: 2,
            stop_time: Duration::from_millis(10_250),
            last_stop: Some(Duration::from_millis(250)),
            holders: 1,
            unkillable: 0,
            orphans: 7,
            schedule_skips: None,
            rest: None,
        },
        ..waiting("web")
    }
}

fn leaky() -> ProcessView {
    let mut run = run(2, 4500, MemoryLevel::Warning);
    let history = Arc::make_mut(&mut run.history);
    for nth in 0..30 {
        let size = Bytes::mib(3_000 + 50 * nth);
        history.push(Duration::from_secs(5 * nth), Sizes { size, resident: size, anonymous: size });
    }
    run.verdict = Some(Arc::new(Verdict {
        state: LeakState::Suspected,
        since: now(3300),
        growth: Some(65_536.5),
        growth_range: Some(Range { low: 60_000.0, high: 70_000.0 }),
        to_limit: Some(Duration::from_secs(7_200)),
        evidence: counted(10, 8),
    }));
    ProcessView { phase: PhaseName::Ready, run: Some(run), leaks_suspected: 1, ..waiting("leaky") }
}

/// Too young for a verdict.
fn coder() -> ProcessView {
    let mut run = run(3, 512, MemoryLevel::Normal);
    run.verdict = Some(Arc::new(Verdict {
        state: LeakState::Unknown,
        since: now(3590),
        growth: None,
        growth_range: None,
        to_limit: None,
        evidence: counted(4, 0),
    }));
    ProcessView {
        phase: PhaseName::Ready,
        run: Some(run),
        agent: Some("claude".to_owned()),
        ..waiting("coder")
    }
}

fn setup() -> ProcessView {
    ProcessView {
        phase: PhaseName::Done,
        exits: exits(&[(SessionState::Completed, 1)]),
        last_status: Some(ExitStatus::Code(0)),
        last_exit: Some(at(4)),
        cpu_seconds_ended: 0.5,
        ..waiting("setup")
    }
}

fn broken() -> ProcessView {
    ProcessView {
        phase: PhaseName::Failed,
        restarts: 1,
        exits: exits(&[(SessionState::Failed, 2)]),
        spawn_failures: Arc::new(
            SpawnFailure::REASONS
                .map(|reason| (reason, if reason == "not_found" { 2 } else { 0 }))
                .into(),
        ),
        crash_loops: 1,
        last_status: Some(ExitStatus::Code(127)),
        last_exit: Some(at(9)),
        care: Care {
            schedule_skips: Some(2),
            rest: Some(Rest { delay: Duration::from_secs(8), until: at(3608), streak: 5 }),
            ..Care::default()
        },
        ..waiting("broken")
    }
}

/// The id of the session with this number.
pub fn session_id(number: u64) -> SessionId {
    SessionId::new(at(60 * number as i64), u128::from(number))
}

/// The live session of a run.
pub fn run_of(process: &str, number: u64) -> Arc<Session> {
    Arc::new(Session {
        id: session_id(number),
        kind: SessionKind::Process,
        parent: None,
        process: process.to_owned(),
        agent: None,
        native_id: None,
        state: SessionState::Active,
        started: at(60 * number as i64),
        last_activity: at(3598),
        main: Some(ProcId { pid: 100 + number as i32, start_ticks: 5000 }),
        context: None,
        events: 4,
        figures: Figures::default(),
        total: Totals::default(),
        end: None,
    })
}

/// A live conversation inside the coder's run.
pub fn conversation() -> Arc<Session> {
    let mut session = Session::clone(&run_of("coder", 4));
    session.kind = SessionKind::Conversation;
    session.parent = Some(session_id(3));
    session.agent = Some("claude".to_owned());
    session.native_id = Some("3f0d2c4e-0000-4000-8000-00000000beef".to_owned());
    session.state = SessionState::Idle;
    session.figures.tokens = opus().tokens.plus(&unknown_model().tokens);
    session.figures.cost = opus().cost;
    session.figures.unpriced_tokens = unknown_model().tokens.total();
    Arc::new(session)
}

/// A session that is over.
fn ended(process: &str, number: u64, state: SessionState) -> Arc<Session> {
    let mut session = Session::clone(&run_of(process, number));
    session.state = state;
    session.figures.peak_memory = Some(Bytes::mib(180));
    session.figures.cpu_seconds = Some(2.5);
    session.end = Some(SessionEnd {
        at: at(60 * number as i64 + 75),
        duration: Duration::from_secs(75),
        status: Some(ExitStatus::Code(127)),
        reason: "never had a program: not found".to_owned(),
    });
    Arc::new(session)
}

fn opus() -> TokenSeries {
    TokenSeries {
        process: "coder".to_owned(),
        agent: "claude".to_owned(),
        provider: "anthropic".to_owned(),
        model: "claude-opus-4-5".to_owned(),
        tokens: TokenCounts {
            input: 1200,
            output: 3400,
            cache_read: 56_000,
            cache_write_5m: 780,
            cache_write_1h: 90,
            cache_write: 0,
        },
        reasoning: 1000,
        responses: 40,
        cost: Money(125_375_000),
        estimated: Money(0),
        unpriced: TokenCounts::default(),
    }
}

/// A model of a name that no one would choose, and that no price is known for.
fn unknown_model() -> TokenSeries {
    let tokens = TokenCounts { input: 10, output: 20, ..TokenCounts::default() };
    TokenSeries {
        estimated: Money(1_500_000),
        provider: "unknown".to_owned(),
        model: "we\"ird\\model\n{<b>}".to_owned(),
        tokens,
        unpriced: tokens,
        reasoning: 0,
        responses: 1,
        cost: Money(0),
        ..opus()
    }
}

/// The third conversation of the agent is nearly full, and it asked for a hand-over.
fn chain() -> Chain {
    let mut chain = Chain::new("claude", Limits::default());
    for (number, tokens) in [(1, 9_000), (2, 20_000), (3, 174_000)] {
        let context = Context { tokens, model: "claude-opus-4-5".into(), window: Some(200_000) };
        let calls = Calls { files: vec!["/src/x".into()], ..Calls::default() };
        chain.take(Step {
            agent: "claude".into(),
            process: Some("coder".into()),
            conversation: format!("conversation-{number}"),
            at: at(600 * number),
            resumes: None,
            deed: Deed::Answered { calls, context: Some(context), excerpt: None },
        });
        let of = conversation();
        chain.responded(&format!("conversation-{number}"), at(600 * number), Some(of.id));
    }
    chain
}
