//! The main processes of runs, from the fork to the reaping: spawned or taken over, signalled, and
//! read the status of.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::clock;
use crate::init::bells::{Bell, Ringing, Rung};
use crate::init::inlets::Inlets;
use crate::init::notify::Notify;
use crate::init::reap::Rest;
use crate::init::spawn::Extras;
use crate::init::sys::child::Lent;
use crate::init::{Body, inlets, kin, reap, spawn, sys};
use crate::memory::proc;
use crate::supervise::action::Scope;
use crate::supervise::fact::{Fact, SpawnFailure, SpawnStep};
use crate::units::{ExitStatus, Mono, ProcId, ProcessIx, RunId, RunUsage, SessionId, Signal};

/// A run's child.
pub(super) struct Child {
    pub(super) id: ProcId,
    pub(super) session: SessionId,
    pub(super) bond: Bond,
    /// Until its program was executed, or failed to be.
    pub(super) pipe: Option<Rung>,
    pub(super) failure: Option<SpawnFailure>,
    /// By which it says that it is ready, or lives.
    pub(super) notify: Option<Notify>,
    /// Rings when it ends, where it is not ours to reap.
    hold: Option<Rung>,
    /// What it uses of our memory until it has executed.
    lent: Option<Lent>,
}

/// What a run's main process is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bond {
    /// A child whose status is still to be read: its pid is certain, dead or alive.
    Unreaped,
    /// A child that is gone; others of its tree may live.
    Reaped,
    /// Not our child: it was taken over.
    Adopted,
}

/// The last run of a process, over or not.
pub(super) struct Latest {
    pub(super) run: RunId,
    pub(super) session: SessionId,
    /// Its main process, where there was one.
    pub(super) main: Option<ProcId>,
}

impl Body {
    pub(super) fn spawn(&mut self, run: RunId, process: ProcessIx, session: SessionId) {
        self.latest.insert(process, Latest { run, session, main: None });
        match self.fork(run, process, session) {
            Ok(child) => {
                self.latest.insert(process, Latest { run, session, main: Some(child.id) });
                self.children.insert(run, child);
                self.oom.begin();
            }
            Err(failure) => self.learnt.push_back(Fact::SpawnFailed { run, failure }),
        }
        self.kin.expire_look();
    }

    fn fork(
        &mut self,
        run: RunId,
        process: ProcessIx,
        session: SessionId,
    ) -> Result<Child, SpawnFailure> {
        let plan = self.plan.process(process);
        let notify = Notify::wanted_by(plan, run, &self.bells);
        let notify = notify.map_err(|error| failed_before(&error))?;
        let inlets = self.terminal_for(process).or_else(|| self.inlets(process));
        if let Some(window) = inlets.as_ref().and_then(Inlets::window) {
            self.windows.insert(run, window);
        }
        let mut extras = inlets.as_ref().map_or_else(Extras::default, Inlets::extras);
        extras.own_session = self.plan.passing.own_session;
        let intake = self.intake(process);
        extras.input = intake.as_ref().map(inlets::Pipe::far_end);
        let now = self.woke;
        let group = self.groups.as_mut().and_then(|groups| groups.make(now, run, session));
        extras.cgroup = group.as_ref().map(AsRawFd::as_raw_fd);
        if let Some(notify) = &notify {
            notify.tell(plan, &mut extras);
        }
        if let Some(telemetry) = &self.downward.telemetry {
            let told = telemetry.variables(plan, session, |name| spawn::given(plan, name));
            extras.variables.extend(told);
        }
        let forked = spawn::spawn(plan, self.plan.mode, session, self.open_files, &extras)?;
        if let Some(terminal) = &mut self.terminal {
            terminal.spawned(self.plan.mode, plan, forked.pid);
        }
        // Unreaped, its pid is certain, dead or alive.
        let start_ticks = proc::start_ticks(forked.pid).unwrap_or(0);
        let id = ProcId { pid: forked.pid, start_ticks };
        self.learnt.push_back(Fact::Forked { run, id });
        let pipe = self.listen_to(run, forked.pipe);
        if pipe.is_none() {
            self.learnt.push_back(Fact::Executed { run });
        }
        self.attach(run, process, inlets);
        if let (Some(intake), Some(output)) = (intake, &mut self.downward.output) {
            output.feed(run, intake.into_near_end());
        }
        let bond = Bond::Unreaped;
        let lent = forked.lent;
        Ok(Child { id, session, bond, pipe, failure: None, notify, hold: None, lent })
    }

    /// Pipes for what a process writes, where somebody is there to read them. Without descriptors for
    /// them it writes where we do: it is better seen without its name than not started.
    pub(super) fn inlets(&self, process: ProcessIx) -> Option<Inlets> {
        self.downward.output.as_ref()?;
        let plan = self.plan.process(process);
        Inlets::wanted_by(plan).unwrap_or_else(|error| {
            tracing::warn!(target: "init", "{} writes where we do: no pipe: {error}", plan.name);
            None
        })
    }

    /// A terminal of its own, where it is to have one and somebody reads what is written to it.
    fn terminal_for(&self, process: ProcessIx) -> Option<Inlets> {
        self.downward.output.as_ref()?;
        let plan = self.plan.process(process);
        Inlets::terminal_of(plan).unwrap_or_else(|error| {
            tracing::warn!(target: "init", "{} gets no terminal of its own: {error}", plan.name);
            None
        })
    }

    /// A pipe by which it is spoken to, where somebody is there to write to it.
    fn intake(&self, process: ProcessIx) -> Option<inlets::Pipe> {
        self.downward.output.as_ref()?;
        let plan = self.plan.process(process);
        inlets::intake(plan).unwrap_or_else(|error| {
            tracing::warn!(target: "init", "{} has an empty input: no pipe: {error}", plan.name);
            None
        })
    }

    pub(super) fn attach(&mut self, run: RunId, process: ProcessIx, inlets: Option<Inlets>) {
        let (Some(inlets), Some(output)) = (inlets, &mut self.downward.output) else { return };
        for inlet in inlets.into_streams(run, process, &self.plan) {
            output.attach(inlet);
        }
    }

    /// Rings when the pipe has something to say. Without a descriptor to spare nothing can be
    /// listened to; then the program counts as executed and its exit code tells the rest.
    fn listen_to(&self, run: RunId, pipe: OwnedFd) -> Option<Rung> {
        self.bells.hang(pipe, Bell::Pipe(run), Ringing::On).ok()
    }

    pub(super) fn adopt(&mut self, run: RunId, process: ProcessIx, session: SessionId, id: ProcId) {
        self.latest.insert(process, Latest { run, session, main: Some(id) });
        let bond = Bond::Adopted;
        let rings = |fd| self.bells.hang(fd, Bell::AdoptedEnded(run), Ringing::Once);
        let hold = kin::hold(id).and_then(|hold| rings(hold.into_fd())).ok();
        let has_ended = hold.is_none();
        let (pipe, failure, notify, lent) = (None, None, None, None);
        let child = Child { id, session, bond, pipe, failure, notify, hold, lent };
        self.children.insert(run, child);
        self.kin.expire_look();
        // It ended while we took it over, or it cannot be watched: what is left is ended.
        if has_ended {
            self.adopted_ended(run);
        }
    }

    /// Takes what a run said, up to a bound, and listens on.
    pub(super) fn hear(&mut self, run: RunId) {
        let child = self.children.get_mut(&run);
        let Some(notify) = child.and_then(|child| child.notify.as_mut()) else { return };
        let notices = notify.take();
        match notify.pause() {
            Some(pause) => self.pauses.push((clock::now().mono.after(pause), run)),
            None => notify.listen(),
        }
        self.learnt.extend(notices.into_iter().map(|notice| Fact::Notified { run, notice }));
    }

    /// Listens again to those who had said much.
    pub(super) fn end_pauses(&mut self, now: Mono) {
        let over = self.pauses.extract_if(.., |(until, _)| *until <= now);
        for (_, run) in over {
            if let Some(notify) = self.children.get(&run).and_then(|child| child.notify.as_ref()) {
                notify.listen();
            }
        }
    }

    pub(super) fn adopted_ended(&mut self, run: RunId) {
        // It has rung.
        drop(self.children.get_mut(&run).and_then(|child| child.hold.take()));
        self.look();
        let leftovers = self.kin.lives(run);
        let (status, usage) = (ExitStatus::Unknown, RunUsage::default());
        self.learnt.push_back(Fact::Exited { run, status, usage, leftovers });
    }

    pub(super) fn read_pipe(&mut self, run: RunId) {
        let Some(child) = self.children.get_mut(&run) else { return };
        let Some(pipe) = &child.pipe else { return };
        match sys::child::read_report(pipe.fd()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Ok(Some(report)) => child.failure = Some(spawn::explain(report)),
            Ok(None) => {
                child.lent.take().into_iter().for_each(Lent::give_back);
                self.learnt.push_back(Fact::Executed { run });
            }
            Err(_) => self.learnt.push_back(Fact::Executed { run }),
        }
        child.pipe = None;
    }

    pub(super) fn signal(&mut self, run: RunId, signal: Signal, scope: Scope) {
        let Some(Child { id, bond, .. }) = self.children.get(&run) else { return };
        let (id, bond) = (*id, *bond);
        if (signal, scope) == (Signal::KILL, Scope::Tree) {
            self.look_unless_just_done();
            self.stop_crowd(run);
        }
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
            (_, Scope::Outsiders) => {
                self.look_unless_just_done();
                self.kin.signal_outsiders(run, id.pid, signal);
            }
            (Bond::Adopted, Scope::Group | Scope::Tree) | (Bond::Reaped, _) => {}
        }
        if scope == Scope::Tree || (bond, scope) == (Bond::Adopted, Scope::Group) {
            self.look_unless_just_done();
            self.kin.signal_tree(run, signal);
            if signal == Signal::KILL {
                self.kin.condemn(run);
                if let Some(groups) = &self.groups {
                    groups.kill(run);
                }
            }
        }
    }

    /// The process that a run is or was one of, as long as it is the last one.
    fn process_of(&self, run: RunId) -> Option<ProcessIx> {
        self.latest.iter().find(|(_, latest)| latest.run == run).map(|(process, _)| *process)
    }

    fn run_of(&self, pid: i32) -> Option<RunId> {
        let is_it = |child: &Child| child.bond == Bond::Unreaped && child.id.pid == pid;
        self.children.iter().find(|(_, child)| is_it(child)).map(|(run, _)| *run)
    }

    /// Reads the status of whoever is dead.
    pub(super) fn reap(&mut self) {
        let rest = reap::reap(self, Self::dying, Self::reaped);
        self.mind_the_storm();
        self.tell_of_the_ended(rest);
        if rest == Rest::Alone {
            self.alone();
        }
        self.more_are_dead = rest == Rest::More;
    }

    /// Lets strangers wait for one another where they come one by one, and nobody else with them.
    fn mind_the_storm(&mut self) {
        match std::mem::take(&mut self.strangers_reaped) {
            strangers @ 1.. if self.ended.is_empty() && !self.house_awaited => {
                self.storm.reaped(clock::now().mono, strangers);
            }
            _ => self.storm.calm(),
        }
    }

    /// One look tells for all who ended in this turn whether others of their runs live. On a busy
    /// machine it takes a moment to learn whose somebody is: then they are told of in a later turn,
    /// because who is taken for nobody's now outlives the run.
    fn tell_of_the_ended(&mut self, rest: Rest) {
        if self.ended.is_empty() {
            return;
        }
        let some_may_live = rest != Rest::Alone && self.kin.has_strangers(&self.known_pids());
        if some_may_live {
            if self.kin.unsure_until().is_none_or(|at| at <= clock::now().mono) {
                self.look();
            }
            if self.kin.unsure_until().is_some() {
                return;
            }
        }
        for (run, status, usage) in std::mem::take(&mut self.ended) {
            let leftovers = some_may_live && self.kin.lives(run);
            self.learnt.push_back(Fact::Exited { run, status, usage, leftovers });
        }
    }

    /// The pids of our children that we spawned, in order.
    pub(super) fn known_pids(&self) -> Vec<i32> {
        let ours = self.children.values().filter(|child| child.bond == Bond::Unreaped);
        let mains = ours.map(|child| child.id.pid);
        let mut pids: Vec<i32> =
            mains.chain(self.errands.values().map(|errand| errand.id.pid)).collect();
        pids.sort_unstable();
        pids
    }

    /// A dead leader still keeps its group's number: the last moment to reach the group by it, and
    /// a dead stranger its own: the last moment to know it.
    fn dying(&mut self, pid: i32) {
        self.dying_of = None;
        if self.run_of(pid).is_some() {
            let _ = sys::signal_group(pid, Signal::TERM);
        } else if !self.errand_is_dying(pid) {
            self.dying_of = self.kin.run_of_dead(pid);
        }
    }

    /// A line for each, where that was asked for, as tini has it: in a storm facts are of many.
    fn warn_of_orphan(&self, pid: i32, process: Option<ProcessIx>, status: ExitStatus) {
        if self.plan.passing.warn_on_reap {
            let whose = process.map(|ix| format!(" of {}", self.plan.process(ix).name));
            let whose = whose.unwrap_or_default();
            tracing::warn!(target: "init", "reaped an orphan{whose}: {status} (pid {pid})");
        }
    }

    /// One fact for all who were of the same and ended alike.
    fn learn_of_orphan(&mut self, process: Option<ProcessIx>, status: ExitStatus) {
        self.strangers_reaped += 1;
        match self.learnt.back_mut() {
            Some(Fact::OrphansReaped { process: of, status: alike, count })
                if (*of, *alike) == (process, status) =>
            {
                *count += 1;
            }
            _ => self.learnt.push_back(Fact::OrphansReaped { process, status, count: 1 }),
        }
    }

    fn reaped(&mut self, pid: i32, status: ExitStatus, usage: RunUsage) {
        let Some(run) = self.run_of(pid) else {
            if !self.errand_reaped(pid, status) {
                if status == ExitStatus::Signal(Signal::KILL) {
                    self.stranger_was_killed();
                }
                let process = self.dying_of.and_then(|run| self.process_of(run));
                self.warn_of_orphan(pid, process, status);
                self.learn_of_orphan(process, status);
            }
            return;
        };
        if let Some(terminal) = &mut self.terminal {
            terminal.ended(pid, status);
        }
        self.read_pipe(run);
        self.hear(run);
        if let Some(output) = &mut self.downward.output {
            output.main_ended(run);
        }
        let Some(child) = self.children.get_mut(&run) else { return };
        child.bond = Bond::Reaped;
        child.lent.take().into_iter().for_each(Lent::give_back);
        if let Some(failure) = child.failure {
            return self.learnt.push_back(Fact::SpawnFailed { run, failure });
        }
        let oom_killed = self.was_oom_killed(run, status);
        self.ended.push((run, status, RunUsage { oom_killed, ..usage }));
    }
}

/// We are short of something that is needed before the fork.
pub(super) fn failed_before(error: &io::Error) -> SpawnFailure {
    let errno = error.raw_os_error().unwrap_or(libc::EAGAIN);
    SpawnFailure { step: SpawnStep::Fork, errno }
}
