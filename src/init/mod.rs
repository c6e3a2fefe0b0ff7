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
pub mod story;
pub mod pulse;
pub mod recover;
pub mod rites;
pub mod terminal;
pub mod cgroup;
pub mod sys;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

use crate::clock;
use crate::config::plan::{Mode, Plan};
use crate::init::cgroup::Groups;
use crate::init::kin::Kin;
use crate::init::outward::Outward;
use crate::init::pulse::Pulse;
use crate::init::reap::Rest;
use crate::init::signals::{Caught, Signals};
use crate::init::spawn::Extras;
use crate::init::story::Story;
use crate::init::sys::OpenFiles;
use crate::init::sys::child;
use crate::init::terminal::Terminal;
use crate::memory::proc;
use crate::supervise::Machine;
use crate::supervise::action::{Action, Scope};
use crate::supervise::fact::{Fact, SpawnFailure};
use crate::supervise::lifecycle::Lifecycle;
use crate::supervise::shutdown::{EXIT_INTERNAL, House};
use crate::units::{ExitStatus, Mono, ProcId, ProcessIx, RunId, RunUsage, SessionId, Signal};

/// We look for dead children this often even when no signal says so: a lost wake-up must not
/// become a zombie for ever.
const SLOW_LOOK: Duration = Duration::from_secs(30);

/// How long what was spawned first may keep the processors to itself: what observes costs some
/// milliseconds to begin, which are a program's whole start where there is one processor.
const HEAD_START: Duration = Duration::from_millis(20);

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
    /// Its main process, verified.
    pub id: ProcId,
}

/// Lives one life: takes over, spawns, reaps and signals until the mind says to leave.
/// `observe` is called once everything that may start at once was spawned and executed, or has had
/// [`HEAD_START`] for it, and is told whether we live on then.
pub async fn live(
    plan: &Arc<Plan>,
    seed: u64,
    caught: Caught,
    survivors: Vec<Survivor>,
    outward: Outward,
    pulse: Pulse,
    observe: impl FnOnce(bool),
) -> io::Result<Departure> {
    let mut signals = caught.listen()?;
    let mut body = Body::new(Arc::clone(plan), seed, outward);
    for Survivor { process, id } in survivors {
        body.turn(Fact::Found { process, id });
    }
    body.turn(Fact::Began);
    body.head_start = Some(clock::now().mono.after(HEAD_START));
    let mut observe = Some(observe);
    while body.left.is_none() {
        if body.has_given_a_head_start()
            && let Some(observe) = observe.take()
        {
            observe(true);
        }
        body.sleep(&mut signals).await?;
        pulse.begin();
        body.wake();
        pulse.rest();
    }
    if let Some(observe) = observe {
        observe(false);
    }
    Ok(body.departure())
}

/// A run's child.
struct Child {
    id: ProcId,
    session: SessionId,
    bond: Bond,
    /// Until its program was executed, or failed to be.
    pipe: Option<Arc<AsyncFd<OwnedFd>>>,
    failure: Option<SpawnFailure>,
}

/// What a run's main process is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bond {
    /// A child whose status is still to be read: its pid is certain, dead or alive.
    Unreaped,
    /// A child that is gone; others of its tree may live.
    Reaped,
    /// Not our child: it was taken over.
    Adopted,
}

/// What is learnt from descriptors rather than from signals.
enum Bell {
    /// The pipe of a spawn has something to say.
    Pipe(RunId),
    /// A process that was taken over ended.
    AdoptedEnded(RunId),
}

struct Body {
    plan: Arc<Plan>,
    machine: Machine,
    story: Story,
    outward: Outward,
    children: BTreeMap<RunId, Child>,
    kin: Kin,
    house_awaited: bool,
    more_are_dead: bool,
    /// Main processes that were reaped in this turn, until it is known whom they left behind.
    ended: Vec<(RunId, ExitStatus, RunUsage)>,
    /// Learnt while an action was carried out; told before anything else.
    learnt: VecDeque<Fact>,
    bells: mpsc::Receiver<Bell>,
    ring: mpsc::Sender<Bell>,
    left: Option<u8>,
    leave_by: Mono,
    /// Until when what was spawned first is left alone by what observes.
    head_start: Option<Mono>,
    /// What children get back of the limit that we raised for ourselves.
    open_files: Option<OpenFiles>,
    terminal: Option<Terminal>,
    /// Where control groups can be made.
    groups: Option<Groups>,
}

impl Body {
    fn new(plan: Arc<Plan>, seed: u64, outward: Outward) -> Self {
        // One place for each process and to spare: a bell that waits for a place is only late.
        let terminal = Terminal::of(&plan);
        let groups = if plan.mode == Mode::Supervise { Groups::find() } else { None };
        let (ring, bells) = mpsc::channel(plan.processes.len() + 16);
        Self {
            machine: Machine::new(Arc::clone(&plan), seed),
            story: Story::new(Arc::clone(&plan)),
            plan,
            outward,
            children: BTreeMap::new(),
            kin: Kin::new(i32::try_from(std::process::id()).unwrap_or(1)),
            house_awaited: false,
            more_are_dead: false,
            ended: Vec::new(),
            learnt: VecDeque::new(),
            bells,
            ring,
            left: None,
            leave_by: Mono(u64::MAX),
            head_start: None,
            open_files: sys::raise_open_files(),
            terminal,
            groups,
        }
    }

    fn departure(&self) -> Departure {
        Departure { code: self.left.unwrap_or(EXIT_INTERNAL), leave_by: self.leave_by }
    }

    /// A turn for this fact, and for whatever is learnt by acting on it.
    fn turn(&mut self, fact: Fact) {
        self.learnt.push_front(fact);
        self.take_turns();
    }

    /// One turn for each fact that was learnt, until all is quiet.
    fn take_turns(&mut self) {
        while let (None, Some(fact)) = (self.left, self.learnt.pop_front()) {
            self.machine.handle(clock::now(), fact.clone());
            let done = self.drain();
            self.story.tell(Some(&fact), &done);
            if let Fact::SignalArrived { signal } = fact {
                terminal::stop_along(&self.plan.passing, signal);
            }
        }
    }

    /// Carries out all that the mind wants done, in order.
    fn drain(&mut self) -> Vec<Action> {
        let mut done = Vec::new();
        while let Some(action) = self.machine.next_action() {
            self.perform(&action);
            done.push(action);
        }
        if let House::Stopping { leave_at, .. } = self.machine.house() {
            self.leave_by = leave_at;
        }
        done
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

    /// Waits for something to happen.
    async fn sleep(&mut self, signals: &mut Signals) -> io::Result<()> {
        let deadline = self.next_deadline();
        tokio::select! {
            biased;
            arrived = signals.next() => {
                let told = arrived?.into_iter().filter(|signal| *signal != Signal::CHLD);
                self.learnt.extend(told.map(|signal| Fact::SignalArrived { signal }));
            }
            Some(bell) = self.bells.recv() => self.answer(bell),
            () = tokio::time::sleep_until(clock::instant_of(deadline)) => {}
        }
        Ok(())
    }

    /// Looks at everything that may have changed, and takes the turns that follow from it.
    fn wake(&mut self) {
        // What was heard goes first: who asked for a stop should not wait for a table to be read.
        self.take_turns();
        self.mind_the_terminal();
        self.reap();
        self.look_for_the_left();
        self.take_turns();
        self.meet_deadlines();
        self.take_turns();
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
        let wanted = [self.machine.next_deadline(), self.kin.deadline(), self.head_start];
        wanted.into_iter().flatten().fold(slow, Mono::min)
    }

    fn meet_deadlines(&mut self) {
        let now = clock::now();
        if self.machine.next_deadline().is_some_and(|at| at <= now.mono) && self.left.is_none() {
            self.machine.handle_deadline(now);
            let done = self.drain();
            self.story.tell(None, &done);
        }
    }

    fn perform(&mut self, action: &Action) {
        match *action {
            Action::Spawn { run, process, session } => self.spawn(run, process, session),
            Action::Adopt { run, id, session, .. } => self.adopt(run, id, session),
            Action::Signal { run, signal, scope } => self.signal(run, signal, scope),
            Action::AwaitTree { run } => self.kin.await_tree(run),
            Action::SignalHouse { signal } => self.signal_house(signal),
            Action::AwaitHouse => self.await_house(),
            Action::Record(ref event) => self.record(event),
            Action::NameHolders { .. }
            | Action::Assist { .. }
            | Action::EndErrand { .. }
            | Action::Probe { .. }
            | Action::ReadConfiguration
            | Action::Reconfigure(_)
            | Action::Reply { .. } => {}
            Action::Exit { code } => self.left = Some(code),
        }
    }

    fn record(&mut self, event: &Lifecycle) {
        if let Lifecycle::RunEnded { run, .. } = event {
            // A child that could not be killed in time is still ours to reap, as a stranger.
            self.children.remove(run);
            if let Some(groups) = &mut self.groups {
                groups.remove(*run);
            }
        }
        self.outward.tell(clock::now(), event.clone());
    }

    fn spawn(&mut self, run: RunId, process: ProcessIx, session: SessionId) {
        let own_session = self.plan.passing.own_session;
        let group = self.groups.as_mut().and_then(|groups| groups.make(run, session));
        let cgroup = group.as_ref().map(AsRawFd::as_raw_fd);
        let extras = Extras { own_session, cgroup, ..Extras::default() };
        let forked = match spawn::spawn(
            self.plan.process(process),
            self.plan.mode,
            session,
            self.open_files,
            &extras,
        ) {
            Ok(forked) => forked,
            Err(failure) => return self.learnt.push_back(Fact::SpawnFailed { run, failure }),
        };
        if let Some(terminal) = &mut self.terminal {
            terminal.spawned(self.plan.mode, self.plan.process(process), forked.pid);
        }
        // Unreaped, its pid is certain, dead or alive.
        let start_ticks = proc::start_ticks(forked.pid).unwrap_or(0);
        let id = ProcId { pid: forked.pid, start_ticks };
        self.learnt.push_back(Fact::Forked { run, id });
        let pipe = self.listen_to(run, forked.pipe);
        if pipe.is_none() {
            self.learnt.push_back(Fact::Executed { run });
        }
        let child = Child { id, session, bond: Bond::Unreaped, pipe, failure: None };
        self.children.insert(run, child);
        self.kin.expire_look();
    }

    /// Rings when the pipe has something to say. Without a descriptor to spare nothing can be
    /// listened to; then the program counts as executed and its exit code tells the rest.
    fn listen_to(&self, run: RunId, pipe: OwnedFd) -> Option<Arc<AsyncFd<OwnedFd>>> {
        let pipe = Arc::new(sys::watch(pipe).ok()?);
        self.ring_when_readable(Arc::clone(&pipe), Bell::Pipe(run));
        Some(pipe)
    }

    fn ring_when_readable(&self, fd: Arc<AsyncFd<OwnedFd>>, bell: Bell) {
        let ring = self.ring.clone();
        tokio::spawn(async move {
            if let Ok(mut ready) = fd.readable().await {
                ready.clear_ready();
            }
            let _ = ring.send(bell).await;
        });
    }

    fn adopt(&mut self, run: RunId, id: ProcId, session: SessionId) {
        let child = Child { id, session, bond: Bond::Adopted, pipe: None, failure: None };
        self.children.insert(run, child);
        self.kin.expire_look();
        match kin::hold(id).and_then(|hold| sys::watch(hold.into_fd())) {
            Ok(fd) => self.ring_when_readable(Arc::new(fd), Bell::AdoptedEnded(run)),
            // It ended while we took it over, or it cannot be watched: what is left is ended.
            Err(_) => self.adopted_ended(run),
        }
    }

    fn answer(&mut self, bell: Bell) {
        match bell {
            Bell::Pipe(run) => self.read_pipe(run),
            Bell::AdoptedEnded(run) => self.adopted_ended(run),
        }
    }

    fn adopted_ended(&mut self, run: RunId) {
        self.look();
        let leftovers = self.kin.lives(run);
        let (status, usage) = (ExitStatus::Unknown, RunUsage::default());
        self.learnt.push_back(Fact::Exited { run, status, usage, leftovers });
    }

    fn read_pipe(&mut self, run: RunId) {
        let Some(child) = self.children.get_mut(&run) else { return };
        let Some(pipe) = child.pipe.clone() else { return };
        match child::read_report(pipe.get_ref()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return self.ring_when_readable(pipe, Bell::Pipe(run));
            }
            Ok(Some(report)) => child.failure = Some(spawn::explain(report)),
            Ok(None) | Err(_) => self.learnt.push_back(Fact::Executed { run }),
        }
        child.pipe = None;
    }

    fn signal(&mut self, run: RunId, signal: Signal, scope: Scope) {
        let Some(Child { id, bond, .. }) = self.children.get(&run) else { return };
        let (id, bond) = (*id, *bond);
        // That somebody is gone already is what was wanted.
        match (bond, scope) {
            (Bond::Unreaped, Scope::Main) => drop(sys::signal_pid(id.pid, signal)),
            (Bond::Unreaped, Scope::Group | Scope::Tree) => {
                // The group may not exist yet; its leader does.
                drop(
                    sys::signal_group(id.pid, signal).or_else(|_| sys::signal_pid(id.pid, signal)),
                );
            }
            (Bond::Adopted, Scope::Main) => kin::signal_verified(id, signal),
            (Bond::Adopted, Scope::Group | Scope::Tree) | (Bond::Reaped, _) => {}
        }
        if scope == Scope::Tree || (bond, scope) == (Bond::Adopted, Scope::Group) {
            self.look_unless_just_done();
            self.kin.signal_tree(run, signal);
        }
        if let (Some(groups), Scope::Tree, Signal::KILL) = (&self.groups, scope, signal) {
            groups.kill(run);
        }
    }

    fn signal_house(&mut self, signal: Signal) {
        if sys::look() != sys::Look::Alone {
            self.look_unless_just_done();
            self.kin.signal_all(signal);
        }
    }

    fn await_house(&mut self) {
        if sys::look() == sys::Look::Alone {
            self.learnt.push_back(Fact::HouseEmptied);
        } else {
            self.house_awaited = true;
        }
    }

    /// Looks who lives, and whose they are.
    fn look(&mut self) {
        let children = || self.children.iter();
        let roots: Vec<_> = children().map(|(run, child)| (*run, child.id)).collect();
        let sessions: Vec<_> = children().map(|(run, child)| (*run, child.session)).collect();
        self.kin.look(&roots, &sessions);
        if let Some(groups) = &self.groups {
            self.kin.place(|pid| groups.run_of(pid));
        }
    }

    /// For signals, which come in waves: one look serves a wave.
    fn look_unless_just_done(&mut self) {
        if !self.kin.has_just_looked() {
            self.look();
        }
    }

    fn run_of(&self, pid: i32) -> Option<RunId> {
        let is_it = |child: &Child| child.bond == Bond::Unreaped && child.id.pid == pid;
        self.children.iter().find(|(_, child)| is_it(child)).map(|(run, _)| *run)
    }

    /// Reads the status of whoever is dead.
    fn reap(&mut self) {
        let rest = reap::reap(self, Self::dying, Self::reaped);
        self.tell_of_the_ended(rest);
        if rest == Rest::Alone {
            self.alone();
        }
        self.more_are_dead = rest == Rest::More;
    }

    /// One look tells for all who ended in this turn whether others of their runs live.
    fn tell_of_the_ended(&mut self, rest: Rest) {
        if self.ended.is_empty() {
            return;
        }
        let alone = rest == Rest::Alone;
        if !alone {
            self.look();
        }
        for (run, status, usage) in std::mem::take(&mut self.ended) {
            let leftovers = !alone && self.kin.lives(run);
            self.learnt.push_back(Fact::Exited { run, status, usage, leftovers });
        }
    }

    /// We have no child, and so no descendant; only what was taken over can be alive.
    fn alone(&mut self) {
        if !self.children.values().any(|child| child.bond == Bond::Adopted) {
            let emptied = self.kin.all_emptied();
            self.learnt.extend(emptied.into_iter().map(|run| Fact::TreeEmptied { run }));
        }
        if std::mem::take(&mut self.house_awaited) {
            self.learnt.push_back(Fact::HouseEmptied);
        }
    }

    /// A dead leader still keeps its group's number: the last moment to reach the group by it.
    fn dying(&mut self, pid: i32) {
        if self.run_of(pid).is_some() {
            let _ = sys::signal_group(pid, Signal::TERM);
        }
    }

    fn reaped(&mut self, pid: i32, status: ExitStatus, usage: RunUsage) {
        let Some(run) = self.run_of(pid) else {
            return self.learnt.push_back(Fact::OrphanReaped { process: None, status });
        };
        if let Some(terminal) = &mut self.terminal {
            terminal.ended(pid, status);
        }
        self.read_pipe(run);
        let Some(child) = self.children.get_mut(&run) else { return };
        child.bond = Bond::Reaped;
        if let Some(failure) = child.failure {
            return self.learnt.push_back(Fact::SpawnFailed { run, failure });
        }
        self.ended.push((run, status, usage));
    }

    fn look_for_the_left(&mut self) {
        if self.kin.deadline().is_some_and(|at| at <= clock::now().mono) {
            self.look();
            let emptied = self.kin.emptied();
            self.learnt.extend(emptied.into_iter().map(|run| Fact::TreeEmptied { run }));
        }
    }
}
