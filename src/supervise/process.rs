//! One process: what is wanted of it ([`Goal`]) apart from what it is doing ([`Phase`]), and the
//! whole table of what moves it.
//!
//! A restart needs no state of its own: it is "this run ended and the goal is still up". Every
//! phase is left by a fact, a deadline or an outside wish, and a cell of the table that changes
//! nothing is written down as one that changes nothing.

use std::collections::VecDeque;
use std::time::Duration;

use crate::config::plan::{ProcessPlan, RestartPolicy};
use crate::supervise::action::{Action, Scope};
use crate::supervise::backoff;
use crate::supervise::fact::SpawnFailure;
use crate::supervise::lifecycle::{EndReason, Lifecycle, PhaseName, RunEnd, StopCause};
use crate::units::{ExitStatus, Mono, Now, ProcId, ProcessIx, RunId, RunUsage, SessionId, Signal};

/// How long what a main process left behind may take to end after SIGTERM.
const LEFTOVER_GRACE: Duration = Duration::from_secs(3);

/// How long we wait for the dead after SIGKILL. Longer means an uninterruptible sleep in the
/// kernel: it is named and no longer waited for.
const KILL_WAIT: Duration = Duration::from_millis(500);

/// How often a spawn that failed for want of memory, pids or descriptors is tried again, whatever
/// the restart policy: the shortage is the machine's, not the program's.
const TRANSIENT_ATTEMPTS: u32 = 5;

/// What is wanted of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// That it runs.
    Up,
    /// That it ends and stays ended.
    Down,
}

/// What a process is doing.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// Not started yet: a dependency has not done what it must.
    Waiting,
    /// Forked or about to be; its program was not executed yet.
    Starting {
        /// The run that it becomes.
        run: Run,
    },
    /// Its program runs.
    Ready {
        /// The live run.
        run: Run,
    },
    /// It is being ended.
    Stopping {
        /// The run that ends.
        run: Run,
        /// How far we went.
        rung: Rung,
        /// When we go further.
        until: Mono,
        /// Why it ends.
        reason: EndReason,
        /// What the kernel said of its main process, once it is reaped.
        main: Option<(ExitStatus, RunUsage)>,
    },
    /// Between two runs.
    Resting {
        /// When the next run begins.
        until: Mono,
        /// How the last run ended.
        last: ExitStatus,
    },
    /// It ended for good.
    Done(Verdict),
}

/// A run that the mind holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// When it was opened.
    pub since: Mono,
}

/// How far we went in ending a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    /// It was asked with its stop signal.
    Asked,
    /// It was sent SIGKILL.
    Killed,
}

/// How a process ended for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// By itself; nothing more was to do.
    Ended(ExitStatus),
    /// On request.
    Stopped(ExitStatus),
    /// It failed too often in a row.
    GaveUp,
    /// It never ran, because a dependency can never do what it must.
    NeverRan,
    /// It was asked to end before it ever ran.
    NotStarted,
}

/// What can happen to one process: facts about its live run, deadlines and wishes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Input {
    /// Its dependencies have done what they must.
    Freed,
    /// A dependency can never do what it must.
    Blocked,
    /// A run of an earlier life is to be taken over.
    Found(ProcId),
    /// The child exists.
    Forked(ProcId),
    /// The program was executed.
    Executed,
    /// There is no program.
    SpawnFailed(SpawnFailure),
    /// The main process was reaped; the flag says whether others of its tree may live.
    Exited(ExitStatus, RunUsage, bool),
    /// Nothing of the tree lives.
    TreeEmptied,
    /// The phase's deadline passed.
    Deadline,
    /// It must end; SIGKILL at this time at the latest.
    AskedDown(Mono),
    /// It must end sooner than it was told; SIGKILL at this time at the latest.
    Hurried(Mono),
    /// Everything was killed and we leave: whatever did not end is given up.
    Abandoned,
}

/// What a step may look at and write to.
pub struct Turn<'a> {
    /// The time of the step.
    pub now: Now,
    /// Which process.
    pub ix: ProcessIx,
    /// How it is to be run.
    pub plan: &'a ProcessPlan,
    /// Run and session ids, and chance.
    pub source: &'a mut Source,
    /// Where actions go.
    pub out: &'a mut VecDeque<Action>,
}

/// Where ids and chance come from: a counter and a seed.
pub struct Source {
    rng: fastrand::Rng,
    next_run: u64,
}

impl Source {
    /// The same seed gives the same ids and the same jitter.
    pub fn new(seed: u64) -> Self {
        Self { rng: fastrand::Rng::with_seed(seed), next_run: 1 }
    }

    fn run(&mut self) -> RunId {
        let id = RunId(self.next_run);
        self.next_run += 1;
        id
    }

    fn session(&mut self, now: Now) -> SessionId {
        SessionId::new(now.wall, self.rng.u128(..))
    }
}

/// One process of the plan.
#[derive(Debug)]
pub struct Process {
    goal: Goal,
    phase: Phase,
    runs: u32,
    streak: u32,
    executed: bool,
}

impl Process {
    /// A process that waits for its dependencies and is wanted.
    pub fn new() -> Self {
        Self { goal: Goal::Up, phase: Phase::Waiting, runs: 0, streak: 0, executed: false }
    }

    /// What it is doing.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// What is wanted of it.
    pub fn goal(&self) -> Goal {
        self.goal
    }

    /// Whether its program was executed at least once in this life.
    pub fn was_executed(&self) -> bool {
        self.executed
    }

    /// Its live run.
    pub fn run(&self) -> Option<RunId> {
        match &self.phase {
            Phase::Starting { run } | Phase::Ready { run } | Phase::Stopping { run, .. } => {
                Some(run.id)
            }
            Phase::Waiting | Phase::Resting { .. } | Phase::Done(_) => None,
        }
    }

    /// How it ended for good, if it did.
    pub fn verdict(&self) -> Option<Verdict> {
        match self.phase {
            Phase::Done(verdict) => Some(verdict),
            _ => None,
        }
    }

    /// When it wants [`Input::Deadline`].
    pub fn deadline(&self) -> Option<Mono> {
        match self.phase {
            Phase::Stopping { until, .. } | Phase::Resting { until, .. } => Some(until),
            Phase::Waiting | Phase::Starting { .. } | Phase::Ready { .. } | Phase::Done(_) => None,
        }
    }

    /// Whether its live run's main process can still be sent a signal.
    pub fn main_lives(&self) -> bool {
        match &self.phase {
            Phase::Starting { .. } | Phase::Ready { .. } => true,
            Phase::Stopping { main, .. } => main.is_none(),
            Phase::Waiting | Phase::Resting { .. } | Phase::Done(_) => false,
        }
    }

    /// The phase's name, for labels.
    pub fn phase_name(&self) -> PhaseName {
        match self.phase {
            Phase::Waiting => PhaseName::Waiting,
            Phase::Starting { .. } => PhaseName::Starting,
            Phase::Ready { .. } => PhaseName::Ready,
            Phase::Stopping { .. } => PhaseName::Stopping,
            Phase::Resting { .. } => PhaseName::Resting,
            Phase::Done(Verdict::Ended(status)) if !status.success() => PhaseName::Failed,
            Phase::Done(Verdict::GaveUp | Verdict::NeverRan) => PhaseName::Failed,
            Phase::Done(Verdict::Ended(_) | Verdict::Stopped(_) | Verdict::NotStarted) => {
                PhaseName::Done
            }
        }
    }

    /// The table: what `input` does in the phase that the process is in.
    #[rustfmt::skip]
    pub fn step(&mut self, input: Input, turn: &mut Turn<'_>) {
        use Input as I;
        use Phase as P;
        match (&mut self.phase, input) {
            (P::Waiting, I::Freed) => self.open(turn),
            (P::Waiting, I::Found(id)) => self.take_over(id, turn),
            (P::Waiting, I::Blocked) => self.block(turn),
            (P::Waiting, I::AskedDown(_)) => self.finish(Verdict::NotStarted),
            (P::Waiting, I::Forked(_) | I::Executed | I::SpawnFailed(_) | I::Exited(..)
                | I::TreeEmptied | I::Deadline | I::Hurried(_) | I::Abandoned) => {}

            (P::Starting { run }, I::Forked(id)) => turn.record(Lifecycle::RunForked { run: run.id, id }),
            (P::Starting { run }, I::Executed) => { let run = *run; self.execute(run, turn) }
            (P::Starting { run }, I::SpawnFailed(why)) => { let run = *run; self.fail(run, why, turn) }
            (P::Starting { run } | P::Ready { run }, I::Exited(status, usage, left)) => { let run = *run; self.lose(run, (status, usage), left, turn) }
            (P::Starting { run } | P::Ready { run }, I::AskedDown(latest)) => { let run = *run; self.ask(run, latest, turn) }
            (P::Starting { .. }, I::Freed | I::Blocked | I::Found(_) | I::TreeEmptied
                | I::Deadline | I::Hurried(_) | I::Abandoned) => {}
            (P::Ready { .. }, I::Freed | I::Blocked | I::Found(_) | I::Forked(_) | I::Executed
                | I::SpawnFailed(_) | I::TreeEmptied | I::Deadline | I::Hurried(_) | I::Abandoned) => {}

            (P::Stopping { run, .. }, I::Forked(id)) => turn.record(Lifecycle::RunForked { run: run.id, id }),
            (P::Stopping { run, .. }, I::SpawnFailed(why)) => { let run = *run; self.fail(run, why, turn) }
            (P::Stopping { .. }, I::Exited(status, usage, left)) => self.main_ended((status, usage), left, turn),
            (P::Stopping { .. }, I::TreeEmptied) => self.emptied(turn),
            (P::Stopping { .. }, I::Deadline) => self.climb(turn),
            (P::Stopping { .. }, I::Abandoned) => self.give_up(turn),
            (P::Stopping { rung: Rung::Asked, until, .. }, I::AskedDown(latest)) => { *until = latest.min(*until); self.goal = Goal::Down }
            (P::Stopping { rung: Rung::Killed, .. }, I::AskedDown(_)) => self.goal = Goal::Down,
            (P::Stopping { rung: Rung::Asked, until, .. }, I::Hurried(latest)) => *until = latest.min(*until),
            (P::Stopping { rung: Rung::Killed, .. }, I::Hurried(_)) => {}
            (P::Stopping { .. }, I::Freed | I::Blocked | I::Found(_) | I::Executed) => {}

            (P::Resting { .. }, I::Deadline) => self.open(turn),
            (P::Resting { last, .. }, I::AskedDown(_)) => { let last = *last; self.finish(Verdict::Ended(last)) }
            (P::Resting { .. }, I::Freed | I::Blocked | I::Found(_) | I::Forked(_) | I::Executed
                | I::SpawnFailed(_) | I::Exited(..) | I::TreeEmptied | I::Hurried(_) | I::Abandoned) => {}

            (P::Done(_), I::Freed | I::Blocked | I::Found(_) | I::Forked(_) | I::Executed
                | I::SpawnFailed(_) | I::Exited(..) | I::TreeEmptied | I::Deadline
                | I::AskedDown(_) | I::Hurried(_) | I::Abandoned) => {}
        }
    }

    /// Waiting, Resting → Starting: a new run.
    fn open(&mut self, turn: &mut Turn<'_>) {
        let (run, session) = self.new_run(false, turn);
        turn.out.push_back(Action::Spawn { run: run.id, process: turn.ix, session });
        self.phase = Phase::Starting { run };
    }

    /// Waiting → Ready: a run of an earlier life goes on as a new run of ours.
    fn take_over(&mut self, id: ProcId, turn: &mut Turn<'_>) {
        let (run, session) = self.new_run(true, turn);
        turn.out.push_back(Action::Adopt { run: run.id, process: turn.ix, session, id });
        turn.record(Lifecycle::RunForked { run: run.id, id });
        self.execute(run, turn);
    }

    /// Waiting → Done: it will never run.
    fn block(&mut self, turn: &mut Turn<'_>) {
        turn.record(Lifecycle::StartBlocked { process: turn.ix });
        self.finish(Verdict::NeverRan);
    }

    fn new_run(&mut self, adopted: bool, turn: &mut Turn<'_>) -> (Run, SessionId) {
        let run = Run { id: turn.source.run(), since: turn.now.mono };
        let session = turn.source.session(turn.now);
        let attempt = self.runs;
        self.runs += 1;
        let process = turn.ix;
        turn.record(Lifecycle::RunOpened { run: run.id, process, session, attempt, adopted });
        (run, session)
    }

    /// Starting → Ready.
    fn execute(&mut self, run: Run, turn: &mut Turn<'_>) {
        self.executed = true;
        turn.record(Lifecycle::RunExecuted { run: run.id });
        turn.record(Lifecycle::RunReady { run: run.id });
        self.phase = Phase::Ready { run };
    }

    /// Starting, Stopping → Resting, Done: there was never a program.
    fn fail(&mut self, run: Run, why: SpawnFailure, turn: &mut Turn<'_>) {
        let status = ExitStatus::Code(why.exit_code());
        let end = RunEnd {
            status,
            usage: None,
            reason: EndReason::NotSpawned(why),
            forced: false,
            stop: None,
        };
        if why.is_transient() && self.goal == Goal::Up && self.streak < TRANSIENT_ATTEMPTS {
            turn.record(Lifecycle::RunEnded { run: run.id, end });
            self.rest(run, status, turn);
        } else {
            self.close(run, end, turn);
        }
    }

    /// Starting, Ready → Resting, Done; or → Stopping while others of the tree live.
    fn lose(&mut self, run: Run, main: (ExitStatus, RunUsage), left: bool, turn: &mut Turn<'_>) {
        let reason = EndReason::Itself;
        if left {
            let until = turn.now.mono.after(LEFTOVER_GRACE.min(turn.plan.stop_grace_period));
            turn.record(Lifecycle::RunStopping { run: run.id, cause: StopCause::Leftovers });
            turn.end_tree(run.id);
            self.phase =
                Phase::Stopping { run, rung: Rung::Asked, until, reason, main: Some(main) };
        } else {
            self.close(run, ended(main, reason, Rung::Asked), turn);
        }
    }

    /// Starting, Ready → Stopping: ask it, and wake it so that it can hear the question.
    fn ask(&mut self, run: Run, latest: Mono, turn: &mut Turn<'_>) {
        self.goal = Goal::Down;
        let until = turn.now.mono.after(turn.plan.stop_grace_period).min(latest);
        turn.record(Lifecycle::RunStopping { run: run.id, cause: StopCause::Shutdown });
        turn.signal(run.id, turn.plan.stop_signal, Scope::Group);
        turn.signal(run.id, Signal::CONT, Scope::Group);
        let reason = EndReason::Requested;
        self.phase = Phase::Stopping { run, rung: Rung::Asked, until, reason, main: None };
    }

    /// Stopping: the main process is gone; what is left of its tree is ended too.
    fn main_ended(&mut self, ended_main: (ExitStatus, RunUsage), left: bool, turn: &mut Turn<'_>) {
        let Phase::Stopping { run, rung, reason, main, .. } = &mut self.phase else { return };
        *main = Some(ended_main);
        if !left {
            let (run, end) = (*run, ended(ended_main, *reason, *rung));
            self.close(run, end, turn);
        } else if *rung == Rung::Killed {
            turn.signal(run.id, Signal::KILL, Scope::Tree);
            turn.out.push_back(Action::AwaitTree { run: run.id });
        } else {
            turn.end_tree(run.id);
        }
    }

    /// Stopping → Resting, Done: nothing of the tree lives.
    fn emptied(&mut self, turn: &mut Turn<'_>) {
        if let Phase::Stopping { run, rung, reason, main: Some(main), .. } = self.phase {
            self.close(run, ended(main, reason, rung), turn);
        }
    }

    /// Stopping: asking did not help, then killing did not help.
    fn climb(&mut self, turn: &mut Turn<'_>) {
        let Phase::Stopping { run, rung, until, main, .. } = &mut self.phase else { return };
        match *rung {
            Rung::Asked => {
                *rung = Rung::Killed;
                *until = turn.now.mono.after(KILL_WAIT);
                turn.record(Lifecycle::RunKilled { run: run.id, after: Duration::ZERO });
                turn.signal(run.id, Signal::KILL, Scope::Tree);
                if main.is_some() {
                    turn.out.push_back(Action::AwaitTree { run: run.id });
                }
            }
            Rung::Killed => self.give_up(turn),
        }
    }

    /// Stopping → Resting, Done: killing did not help in time. Whatever was born while the tree was
    /// killed is still hit by a second SIGKILL.
    fn give_up(&mut self, turn: &mut Turn<'_>) {
        let Phase::Stopping { run, reason, main, .. } = self.phase else { return };
        turn.signal(run.id, Signal::KILL, Scope::Tree);
        let unknown = (ExitStatus::Unknown, RunUsage::default());
        self.close(run, ended(main.unwrap_or(unknown), reason, Rung::Killed), turn);
    }

    /// The run is over: what follows is decided by the goal, then by the restart policy.
    fn close(&mut self, run: Run, end: RunEnd, turn: &mut Turn<'_>) {
        let (status, reason) = (end.status, end.reason);
        turn.record(Lifecycle::RunEnded { run: run.id, end });
        if reason == EndReason::Requested {
            self.finish(Verdict::Stopped(status));
        } else if self.goal == Goal::Down || !wants_restart(turn.plan.restart.policy, status) {
            self.finish(Verdict::Ended(status));
        } else {
            self.rest(run, status, turn);
        }
    }

    /// → Resting, or Done when this was once too often.
    fn rest(&mut self, run: Run, last: ExitStatus, turn: &mut Turn<'_>) {
        let restart = &turn.plan.restart;
        if turn.now.mono.since(run.since) >= restart.backoff.window {
            self.streak = 0;
        }
        let process = turn.ix;
        if restart.max_attempts.is_some_and(|most| self.streak >= most) {
            turn.record(Lifecycle::CrashLooped { process, streak: self.streak });
            return self.finish(Verdict::GaveUp);
        }
        self.streak += 1;
        let delay = backoff::rest(&restart.backoff, self.streak, turn.source.rng.f64());
        turn.record(Lifecycle::RestartScheduled { process, delay, streak: self.streak });
        self.phase = Phase::Resting { until: turn.now.mono.after(delay), last };
    }

    /// → Done.
    fn finish(&mut self, verdict: Verdict) {
        self.phase = Phase::Done(verdict);
    }
}

impl Default for Process {
    fn default() -> Self {
        Self::new()
    }
}

impl Turn<'_> {
    fn record(&mut self, event: Lifecycle) {
        self.out.push_back(Action::Record(event));
    }

    fn signal(&mut self, run: RunId, signal: Signal, scope: Scope) {
        self.out.push_back(Action::Signal { run, signal, scope });
    }

    /// Asks what is left of a tree to end, and asks to be told when it has.
    fn end_tree(&mut self, run: RunId) {
        self.signal(run, Signal::TERM, Scope::Tree);
        self.signal(run, Signal::CONT, Scope::Tree);
        self.out.push_back(Action::AwaitTree { run });
    }
}

fn ended((status, usage): (ExitStatus, RunUsage), reason: EndReason, rung: Rung) -> RunEnd {
    let usage = (status != ExitStatus::Unknown).then_some(usage);
    RunEnd { status, usage, reason, forced: rung == Rung::Killed, stop: None }
}

fn wants_restart(policy: RestartPolicy, status: ExitStatus) -> bool {
    match policy {
        RestartPolicy::No => false,
        RestartPolicy::OnFailure => !status.success(),
        RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
    }
}
