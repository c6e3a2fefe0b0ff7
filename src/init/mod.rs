//! THE BODY. On the main thread, the only spawner, signaller and reaper: one fact into the mind,
//! all actions out, and one line of log for each turn.
//!
//! Nothing here waits for anything but the kernel. What it tells the ledger goes through a bounded
//! queue that is never waited for; a full one is counted and told about later.

pub mod signals;
pub mod spawn;
pub mod reap;
pub mod kin;
pub mod outward;
pub mod inward;
pub mod downward;
pub mod storm;
pub mod story;
pub mod pulse;
pub mod recover;
pub mod orphans;
pub mod rites;
pub mod terminal;
pub mod cgroup;
pub mod sys;
pub mod telemetry;

mod bells;
mod children;
mod errands;
mod inlets;
mod last_words;
mod notify;
mod oom;
mod pty;
mod trees;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock;
use crate::config::plan::{ControlGroups, HealthPlan, Mode, Plan};
use crate::init::bells::{Bell, Bells};
use crate::init::cgroup::Groups;
use crate::init::children::{Child, Latest};
use crate::init::downward::{Downward, ProbeOrder};
use crate::init::errands::{Asked, Errand};
use crate::init::inward::{Callers, Coming, Inward, Order};
use crate::init::kin::Kin;
use crate::init::oom::OomKills;
use crate::init::outward::Outward;
use crate::init::pty::Windows;
use crate::init::pulse::Pulse;
use crate::init::signals::{Caught, Signals};
use crate::init::storm::Storm;
use crate::init::story::Story;
use crate::init::sys::OpenFiles;
use crate::init::terminal::Terminal;
use crate::supervise::Machine;
use crate::supervise::action::Action;
use crate::supervise::fact::{Fact, FoundRun};
use crate::supervise::lifecycle::{Lifecycle, TestFailure};
use crate::supervise::shutdown::{EXIT_INTERNAL, House};
use crate::units::{ErrandId, ExitStatus, Mono, ProcessIx, RunId, RunUsage, Signal};

/// We look for dead children this often even when no signal says so: a lost wake-up must not
/// become a zombie for ever.
const SLOW_LOOK: Duration = Duration::from_secs(30);

/// How long what was spawned first may keep the processors to itself: what observes costs some
/// milliseconds to begin, which are a program's whole start where there is one processor.
const HEAD_START: Duration = Duration::from_millis(20);

/// How long after it could not be begun to observe it is tried again.
const OBSERVE_AGAIN: Duration = Duration::from_secs(1);

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// Our exit code.
    pub code: u8,
    /// When we must be gone.
    pub leave_by: Mono,
}

/// A survivor of an earlier life that is to be taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Survivor {
    /// What it was started as.
    pub process: ProcessIx,
    /// The session that it is, and its main process, verified.
    pub run: FoundRun,
}

/// The body's ends of the queues between it and everybody else.
pub struct Ends {
    /// To the ledger.
    pub outward: Outward,
    /// From those who give orders and who know what we do not.
    pub inward: Inward,
    /// To those who do what could wait.
    pub downward: Downward,
}

/// Lives one life: takes over, spawns, reaps and signals until the mind says to leave.
/// `observe` is called once everything that may start at once was spawned and executed, or has had
/// [`HEAD_START`] for it, and is told whether we live on then. It says whether it is to be left alone
/// from then on, and is called again otherwise, [`OBSERVE_AGAIN`] later.
pub fn live(
    plan: &Arc<Plan>,
    seed: u64,
    caught: Caught,
    survivors: Vec<Survivor>,
    ends: Ends,
    pulse: Pulse,
    mut observe: impl FnMut(bool) -> bool,
) -> io::Result<Departure> {
    let bells = Bells::new()?;
    let signals = caught.listen(&bells)?;
    let mut body = Body::new(Arc::clone(plan), seed, ends, bells);
    for Survivor { process, run } in survivors {
        body.turn(Fact::Found { process, run });
    }
    body.turn(Fact::Began);
    body.head_start = Some(clock::now().mono.after(HEAD_START));
    let mut begun = false;
    while body.left.is_none() {
        if !begun && body.may_be_observed() {
            begun = observe(true);
            body.observe_at = (!begun).then(|| clock::now().mono.after(OBSERVE_AGAIN));
        }
        body.sleep(&signals)?;
        pulse.begin();
        body.wake();
        pulse.rest();
    }
    if !begun {
        observe(false);
    }
    Ok(body.departure())
}

struct Body {
    plan: Arc<Plan>,
    machine: Machine,
    story: Story,
    outward: Outward,
    inward: Inward,
    downward: Downward,
    callers: Callers,
    children: BTreeMap<RunId, Child>,
    errands: BTreeMap<ErrandId, Errand>,
    /// What the tests of health wrote last that were reaped.
    said: BTreeMap<RunId, Arc<str>>,
    /// The last test of each run that is made below; letting go of it gives the test up.
    probes: BTreeMap<RunId, oneshot::Sender<()>>,
    latest: BTreeMap<ProcessIx, Latest>,
    kin: Kin,
    /// Whose a stranger is that is being reaped.
    dying_of: Option<RunId>,
    house_awaited: bool,
    more_are_dead: bool,
    /// Strangers that were reaped in this turn.
    strangers_reaped: u64,
    storm: Storm,
    /// Main processes that were reaped in this turn, until it is known whom they left behind.
    ended: Vec<(RunId, ExitStatus, RunUsage)>,
    /// Learnt while an action was carried out; told before anything else.
    learnt: VecDeque<Fact>,
    bells: Bells,
    /// Runs that said much by their sockets, and until when they are not listened to.
    pauses: Vec<(Mono, RunId)>,
    left: Option<u8>,
    leave_by: Mono,
    /// When the present turns began.
    woke: Mono,
    /// Until when what was spawned first is left alone by what observes.
    head_start: Option<Mono>,
    /// When it is tried again to begin to observe.
    observe_at: Option<Mono>,
    /// What children get back of the limit that we raised for ourselves.
    open_files: Option<OpenFiles>,
    terminal: Option<Terminal>,
    /// Terminals that runs have of their own.
    windows: Windows,
    /// Where control groups can be made.
    groups: Option<Groups>,
    oom: OomKills,
}

impl Body {
    fn new(plan: Arc<Plan>, seed: u64, ends: Ends, bells: Bells) -> Self {
        let Ends { outward, inward, downward } = ends;
        let terminal = Terminal::of(&plan);
        // Each takes a descriptor at a spawn: where none can be spared for pipes, none can for these.
        let spares = plan.mode == Mode::Supervise && downward.output.is_some();
        let wanted = spares && plan.cgroups == ControlGroups::Auto;
        let groups = if wanted { Groups::find() } else { None };
        Self {
            machine: Machine::new(Arc::clone(&plan), seed),
            story: Story::new(Arc::clone(&plan)),
            plan,
            outward,
            inward,
            downward,
            callers: Callers::default(),
            children: BTreeMap::new(),
            errands: BTreeMap::new(),
            said: BTreeMap::new(),
            probes: BTreeMap::new(),
            latest: BTreeMap::new(),
            kin: Kin::new(i32::try_from(std::process::id()).unwrap_or(1)),
            dying_of: None,
            house_awaited: false,
            more_are_dead: false,
            strangers_reaped: 0,
            storm: Storm::default(),
            ended: Vec::new(),
            learnt: VecDeque::new(),
            bells,
            pauses: Vec::new(),
            left: None,
            leave_by: Mono(u64::MAX),
            woke: Mono(0),
            head_start: None,
            observe_at: None,
            open_files: sys::raise_open_files(),
            terminal,
            windows: Windows::default(),
            groups,
            oom: OomKills::default(),
        }
    }

    fn departure(&self) -> Departure {
        Departure { code: self.left.unwrap_or(EXIT_INTERNAL), leave_by: self.leave_by }
    }

    /// A turn for this fact, and for whatever is learnt by acting on it.
    fn turn(&mut self, fact: Fact) {
        self.learnt.push_front(fact);
        self.take_turns();
        self.outward.let_go();
    }

    /// One turn for each fact that was learnt, until all is quiet.
    fn take_turns(&mut self) {
        while let (None, Some(fact)) = (self.left, self.learnt.pop_front()) {
            self.machine.handle(clock::now(), fact.clone());
            let done = self.drain();
            self.story.tell(Some(&fact), &done);
            if let Fact::SignalArrived { signal } = fact {
                terminal::stop_along(&self.plan.passing, signal);
                if signal == Signal::WINCH {
                    self.windows.follow_ours();
                }
            }
        }
    }

    /// Carries out all that the mind wants done, in order.
    fn drain(&mut self) -> Vec<Action> {
        let mut done = Vec::new();
        while let Some(mut action) = self.machine.next_action() {
            if let Action::Record(Lifecycle::TestFailed { run, said, .. }) = &mut action {
                *said = self.last_words(*run);
            }
            self.perform(&action);
            done.push(action);
        }
        if let House::Stopping { leave_at, .. } = self.machine.house() {
            self.leave_by = leave_at;
        }
        done
    }

    fn may_be_observed(&mut self) -> bool {
        match self.observe_at {
            Some(at) => at <= clock::now().mono,
            None => self.has_given_a_head_start(),
        }
    }

    /// Whether whatever was spawned first was executed, or has had its time for that.
    fn has_given_a_head_start(&mut self) -> bool {
        let under_way = self.children.values().any(|child| child.pipe.is_some());
        let has_time = self.head_start.is_some_and(|until| clock::now().mono < until);
        if !(under_way && has_time) {
            self.head_start = None;
        }
        self.head_start.is_none()
    }

    /// Waits for something to happen, and takes what is told.
    fn sleep(&mut self, signals: &Signals) -> io::Result<()> {
        let mut rung = self.await_bells()?;
        let rests = self.storm.rest_until().is_some();
        if rests && rung == [Bell::Deaths] {
            // It rings once until it is answered: what we rest from does not wake us again.
            rung = self.await_bells()?;
        }
        for bell in &rung {
            match *bell {
                Bell::Signals => self.hear_signals(signals)?,
                // Whoever is in a queue, or dead, is looked for in this turn.
                Bell::Queues | Bell::Deaths => {}
                Bell::Pipe(run) => self.read_pipe(run),
                Bell::Notices(run) => self.hear(run),
                Bell::AdoptedEnded(run) => self.adopted_ended(run),
                Bell::Said(errand) => self.hear_out(errand),
            }
        }
        // Whatever woke us, we look for the dead now.
        if rests || rung.contains(&Bell::Deaths) { signals.take_deaths() } else { Ok(()) }
    }

    fn await_bells(&mut self) -> io::Result<Vec<Bell>> {
        if let Some(coming) = self.inward.take_or_wake(self.bells.waker()) {
            self.welcome(coming);
        }
        let mut patience = self.next_deadline().since(clock::now().mono);
        if let Some(wait) = self.downward.output.as_mut().and_then(|output| output.stand_in()) {
            patience = patience.min(wait);
        }
        let patience = if self.learnt.is_empty() { patience } else { Duration::ZERO };
        Ok(self.bells.wait(patience)?.collect())
    }

    fn hear_signals(&mut self, signals: &Signals) -> io::Result<()> {
        let arrived = signals.take()?.into_iter();
        self.learnt.extend(arrived.map(|signal| Fact::SignalArrived { signal }));
        Ok(())
    }

    fn welcome(&mut self, coming: Coming) {
        match coming {
            Coming::Order(order) => self.request(order),
            Coming::Tiding(tiding) => self.learnt.push_back(tiding),
        }
    }

    /// Looks at everything that may have changed, and takes the turns that follow from it.
    fn wake(&mut self) {
        self.woke = clock::now().mono;
        // What was heard goes first: who asked for a stop should not wait for a table to be read.
        self.take_turns();
        self.take_in();
        self.mind_the_terminal();
        self.reap();
        self.look_for_the_left();
        self.take_turns();
        self.meet_deadlines();
        self.take_turns();
        let now = clock::now().mono;
        self.outward.let_go_if_due(now);
        if let Some(groups) = &mut self.groups {
            groups.keep_up(now);
        }
        self.oom.keep_up(now);
    }

    fn mind_the_terminal(&self) {
        if let Some(terminal) = &self.terminal {
            terminal.mind();
        }
    }

    fn next_deadline(&self) -> Mono {
        let now = clock::now().mono;
        if self.more_are_dead {
            return now;
        }
        let slow = now.after(SLOW_LOOK);
        let told = self.outward.deadline();
        let rested = self.storm.rest_until();
        let paused = self.pauses.iter().map(|(until, _)| *until).min();
        let wanted = [
            self.machine.next_deadline(),
            self.kin.deadline(),
            self.kin.unsure_until().filter(|_| !self.ended.is_empty()),
            self.head_start,
            self.observe_at,
            told,
            rested,
            paused,
            self.groups.as_ref().map(Groups::deadline),
        ];
        wanted.into_iter().flatten().fold(slow, Mono::min)
    }

    fn meet_deadlines(&mut self) {
        let now = clock::now();
        self.end_pauses(now.mono);
        if self.machine.next_deadline().is_some_and(|at| at <= now.mono) && self.left.is_none() {
            self.machine.handle_deadline(now);
            let done = self.drain();
            self.story.tell(None, &done);
        }
    }

    /// Takes what lies in the queues, up to a bound, whatever it was that woke us: nobody who is
    /// louder keeps them waiting.
    fn take_in(&mut self) {
        for _ in 0..inward::MOST_PER_TURN {
            let Ok(tiding) = self.inward.tidings.try_recv() else { break };
            self.learnt.push_back(tiding);
        }
        for _ in 0..inward::MOST_PER_TURN {
            let Ok(order) = self.inward.orders.try_recv() else { break };
            self.request(order);
        }
    }

    fn request(&mut self, order: Order) {
        let Order { wish, reply } = order;
        let request = self.callers.note(reply);
        self.learnt.push_back(Fact::Requested { request, wish });
    }

    fn perform(&mut self, action: &Action) {
        match *action {
            Action::Spawn { run, process, session } => self.spawn(run, process, session),
            Action::Adopt { run, process, session, id } => self.adopt(run, process, session, id),
            Action::Signal { run, signal, scope } => self.signal(run, signal, scope),
            Action::AwaitTree { run } => self.kin.await_tree(run),
            Action::NameHolders { run } => self.name_holders(run),
            Action::Assist { errand, process, run, role, status } => {
                self.assist(Asked { errand, process, run, role, status });
            }
            Action::EndErrand { errand } => self.end_errand(errand),
            Action::Probe { run, process, test } => self.probe(run, process, test),
            // Where one is asked for already it will read what is there by then.
            Action::ReadConfiguration => drop(self.downward.readings.try_send(())),
            Action::Reconfigure(ref plan) => self.reconfigure(plan),
            Action::Reply { request, ref reply } => self.callers.answer(request, reply),
            Action::SignalHouse { signal } => self.signal_house(signal),
            Action::SignalOrphans { ref ids, signal } => self.signal_orphans(ids, signal),
            Action::AwaitHouse => self.await_house(),
            Action::Record(ref event) => self.record(event),
            Action::Exit { code } => self.left = Some(code),
        }
    }

    /// A test that cannot be handed on has failed: whoever makes them is too late for this one.
    fn probe(&mut self, run: RunId, process: ProcessIx, test: u64) {
        let health = self.plan.process(process).health.as_ref();
        let (hold, given_up) = oneshot::channel();
        self.probes.insert(run, hold);
        let order = health.map(|HealthPlan { test: target, timeout, .. }| ProbeOrder {
            run,
            test,
            target: target.clone(),
            timeout: *timeout,
            given_up,
        });
        let failure = Some(TestFailure::Unanswered);
        if order.is_none_or(|order| self.downward.probes.try_send(order).is_err()) {
            self.learnt.push_back(Fact::Probed { run, test, failure });
        }
    }

    fn reconfigure(&mut self, plan: &Arc<Plan>) {
        self.plan = Arc::clone(plan);
        if let Some(output) = &mut self.downward.output {
            output.plan_changed(plan);
        }
        self.downward.plans.send_replace(Arc::clone(plan));
    }

    fn record(&mut self, event: &Lifecycle) {
        if let Lifecycle::RunEnded { run, .. } = event {
            // A child that could not be killed in time is still ours to reap, as a stranger.
            self.children.remove(run);
            self.said.remove(run);
            self.probes.remove(run);
            self.kin.forget(*run);
            self.windows.remove(*run);
            if let Some(groups) = &mut self.groups {
                groups.remove(*run);
            }
        }
        self.outward.tell(clock::now(), event.clone());
    }
}
