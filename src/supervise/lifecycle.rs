//! What the mind tells the ledger: the story of every run, in the order it happened.

use std::sync::Arc;
use std::time::Duration;

use crate::config::plan::{Changes, Plan};
use crate::supervise::fact::{ErrandEnd, Holder, SpawnFailure};
use crate::units::{ExitStatus, ProcId, ProcessIx, RunId, RunUsage, SessionId, Signal};

/// One line of the story.
#[derive(Clone, Debug, PartialEq)]
pub enum Lifecycle {
    /// A run was decided on and is about to be spawned (or taken over).
    RunOpened {
        /// The run.
        run: RunId,
        /// What it runs.
        process: ProcessIx,
        /// The session that it is.
        session: SessionId,
        /// Runs of this process before it, in this life.
        attempt: u32,
        /// Whether it lived before we did.
        adopted: bool,
    },
    /// Its main process exists.
    RunForked {
        /// The run.
        run: RunId,
        /// Its main process.
        id: ProcId,
    },
    /// Its program was executed.
    RunExecuted {
        /// The run.
        run: RunId,
    },
    /// It can be used: its program was executed, and whatever it was to show before was shown.
    RunReady {
        /// The run.
        run: RunId,
    },
    /// What is known of its health has changed.
    HealthChanged {
        /// The run.
        run: RunId,
        /// What is known now.
        health: Health,
    },
    /// A health test failed.
    TestFailed {
        /// The run.
        run: RunId,
        /// How.
        failure: TestFailure,
        /// Failures in this row; 0 for one that does not count, because the run still starts.
        row: u32,
        /// The end of what a command wrote; filled in by the body, which heard it.
        said: Option<Arc<str>>,
    },
    /// A run said in a line what it does (`STATUS=` of `sd_notify(3)`).
    StatusTold {
        /// The run.
        run: RunId,
        /// The line.
        text: String,
    },
    /// A hook did not do what it should.
    HookFailed {
        /// Whose hook.
        process: ProcessIx,
        /// Which one.
        role: Role,
        /// How it ended; absent when it took too long and was killed.
        end: Option<ErrandEnd>,
    },
    /// It is being ended.
    RunStopping {
        /// The run.
        run: RunId,
        /// Why.
        cause: StopCause,
    },
    /// It was sent SIGKILL because asking did not help in time.
    RunKilled {
        /// The run.
        run: RunId,
        /// From the asking to now.
        after: Duration,
    },
    /// These kept a run from being over when it was killed, or when it was given up.
    RunHeld {
        /// The run.
        run: RunId,
        /// Who.
        holders: Vec<Holder>,
        /// From the asking to now.
        after: Duration,
        /// Whether even SIGKILL did not end them in time.
        unkillable: bool,
    },
    /// Its main process is reaped and nothing of its tree lives, or we stopped waiting for that.
    RunEnded {
        /// The run.
        run: RunId,
        /// How.
        end: RunEnd,
    },
    /// A process entered another phase.
    PhaseChanged {
        /// Which process.
        process: ProcessIx,
        /// The phase that it is in now.
        phase: PhaseName,
    },
    /// What a process waits for can never happen any more: it will not start, or not at this time.
    StartBlocked {
        /// Which process.
        process: ProcessIx,
        /// What it waits for in vain.
        on: ProcessIx,
    },
    /// A restart was put off.
    RestartScheduled {
        /// Which process.
        process: ProcessIx,
        /// From now to the start.
        delay: Duration,
        /// Restarts in this row, the coming one included.
        streak: u32,
    },
    /// A process failed too often in a row and is given up.
    CrashLooped {
        /// Which process.
        process: ProcessIx,
        /// Restarts that were tried.
        streak: u32,
    },
    /// The clock named a time for a process while a run of it lived.
    ScheduleSkipped {
        /// Which process.
        process: ProcessIx,
    },
    /// Somebody gave an order.
    OrderGiven {
        /// Which one.
        order: Order,
        /// Whether it was carried out.
        accepted: bool,
    },
    /// The configuration was read anew and has faults: nothing was changed.
    ReloadFailed {
        /// How many faults there are.
        faults: u32,
    },
    /// Another plan holds from now on.
    PlanChanged {
        /// The plan.
        plan: Arc<Plan>,
        /// What is different.
        changes: Changes,
    },
    /// A signal was sent to us.
    SignalArrived {
        /// Which one.
        signal: Signal,
        /// What became of it.
        response: SignalResponse,
    },
    /// Processes that we did not spawn were reaped.
    OrphansReaped {
        /// Of whose tree they were, where that is known.
        process: Option<ProcessIx>,
        /// How each of them ended.
        status: ExitStatus,
        /// How many, at least one.
        count: u64,
    },
    /// The house began to go down.
    ShutdownBegan {
        /// Why.
        cause: ShutdownCause,
        /// Until everything is killed.
        budget: Duration,
    },
    /// We leave; the last line of the story.
    Left {
        /// Our exit code.
        code: u8,
    },
}

/// Why a run is being ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopCause {
    /// The house goes down.
    Shutdown,
    /// Its main process ended by itself and left others behind.
    Leftovers,
    /// Somebody ordered it.
    Order,
    /// It is to run anew with another plan, or not at all any more.
    Reload,
    /// Files have changed that it is restarted for.
    FilesChanged,
    /// Its health test failed too often.
    Unhealthy,
    /// It was not ready in time.
    NotReady,
    /// It did not feed its watchdog in time.
    Watchdog,
    /// A process that it depends on is restarted.
    Dependency,
    /// It ran for as long as it may.
    TimeUp,
}

impl StopCause {
    /// Every cause.
    pub const ALL: [Self; 10] = [
        Self::Shutdown,
        Self::Leftovers,
        Self::Order,
        Self::Reload,
        Self::FilesChanged,
        Self::Unhealthy,
        Self::NotReady,
        Self::Watchdog,
        Self::Dependency,
        Self::TimeUp,
    ];

    /// The value of the `cause` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shutdown => "shutdown",
            Self::Leftovers => "leftovers",
            Self::Order => "order",
            Self::Reload => "reload",
            Self::FilesChanged => "files_changed",
            Self::Unhealthy => "unhealthy",
            Self::NotReady => "not_ready",
            Self::Watchdog => "watchdog",
            Self::Dependency => "dependency",
            Self::TimeUp => "time_up",
        }
    }

    /// Whether a run that is ended for this did not do what it was to do.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Unhealthy | Self::NotReady | Self::Watchdog | Self::TimeUp)
    }

    /// The cause for people, as half a sentence.
    pub fn told(self) -> &'static str {
        match self {
            Self::Shutdown => "everything is being stopped",
            Self::Leftovers => "its main process ended and left others behind",
            Self::Order => "it was ordered",
            Self::Reload => "its configuration changed",
            Self::FilesChanged => "its files changed",
            Self::Unhealthy => "its health tests failed",
            Self::NotReady => "it was not ready in time",
            Self::Watchdog => "it did not feed its watchdog",
            Self::Dependency => "what it depends on is restarted",
            Self::TimeUp => "it ran for as long as it may",
        }
    }
}

/// What is known of a run's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// No test has passed yet.
    Starting,
    /// The last tests passed.
    Healthy,
    /// Too many tests in a row failed.
    Unhealthy,
}

impl Health {
    /// Every value.
    pub const ALL: [Self; 3] = [Self::Starting, Self::Healthy, Self::Unhealthy];

    /// The value of the `health` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// How a health test failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestFailure {
    /// Nobody could be asked, or what came back is no answer.
    Unanswered,
    /// It was answered with this status of HTTP.
    Status(u16),
    /// Its command ended so.
    Command(ErrandEnd),
    /// It took too long.
    TimedOut,
}

/// What a command that is run beside a process is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The command of its `healthcheck`.
    HealthTest,
    /// This entry of its `post_start` hooks.
    PostStart(usize),
    /// This entry of its `pre_stop` hooks.
    PreStop(usize),
    /// This entry of its `post_exit` hooks.
    PostExit(usize),
}

impl Role {
    /// The value of the `hook` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HealthTest => "health_test",
            Self::PostStart(_) => "post_start",
            Self::PreStop(_) => "pre_stop",
            Self::PostExit(_) => "post_exit",
        }
    }
}

/// What was ordered, for the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// To start.
    Start,
    /// To stop.
    Stop,
    /// To restart.
    Restart,
    /// To send a signal.
    Signal,
    /// To hold another plan.
    Reload,
    /// To run a command beside the plan.
    Spawn,
    /// To go down.
    Shutdown,
}

impl Order {
    /// Every order.
    pub const ALL: [Self; 7] = [
        Self::Start,
        Self::Stop,
        Self::Restart,
        Self::Signal,
        Self::Reload,
        Self::Spawn,
        Self::Shutdown,
    ];

    /// The value of the `order` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Signal => "signal",
            Self::Reload => "reload",
            Self::Spawn => "spawn",
            Self::Shutdown => "shutdown",
        }
    }
}

/// Why the house goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutdownCause {
    /// We were asked by this signal.
    Signal(Signal),
    /// A process that decides the exit ended for good.
    Decided(ProcessIx),
    /// Every process is done.
    AllDone,
    /// Somebody ordered it.
    Order,
    /// A process was given up that must not be (`on_crash_loop: exit`).
    CrashLoop(ProcessIx),
}

/// What became of a signal that was sent to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignalResponse {
    /// The house began to go down.
    Shutdown,
    /// The house was going down already and now hurries.
    Escalated,
    /// It was passed on to this many runs.
    Forwarded(u32),
    /// The configuration is read anew.
    Reload,
    /// It has no meaning here.
    Ignored,
}

impl SignalResponse {
    /// The value of the `response` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shutdown => "shutdown",
            Self::Escalated => "escalated",
            Self::Forwarded(_) => "forwarded",
            Self::Reload => "reload",
            Self::Ignored => "ignored",
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct RunEnd {
    /// What the kernel said; 126 or 127 where there was no program to run.
    pub status: ExitStatus,
    /// What it used; absent where the kernel cannot tell.
    pub usage: Option<RunUsage>,
    /// Why it ended.
    pub reason: EndReason,
    /// Whether anything of it had to be killed.
    pub forced: bool,
    /// From the asking to the end, where it was asked.
    pub stop: Option<Duration>,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// By itself: an exit, or a signal that was not ours.
    Itself,
    /// We asked it to, and it is not to run again.
    Requested,
    /// We asked it to for this reason, and the restart policy or a wish decides what follows.
    Interrupted(StopCause),
    /// It never had a program.
    NotSpawned(SpawnFailure),
}

/// The names of the phases, for labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PhaseName {
    /// For its dependencies.
    Waiting,
    /// Forked, not executed yet.
    Starting,
    /// Its program runs.
    Ready,
    /// It is being ended.
    Stopping,
    /// Between two runs: restarted later, or run by the clock.
    Resting,
    /// It ended for good and well.
    Done,
    /// It ended for good and badly.
    Failed,
    /// It failed too often in a row and was given up.
    CrashLooped,
}

impl PhaseName {
    /// Every phase, in the order a process goes through them.
    pub const ALL: [Self; 8] = [
        Self::Waiting,
        Self::Starting,
        Self::Ready,
        Self::Stopping,
        Self::Resting,
        Self::Done,
        Self::Failed,
        Self::CrashLooped,
    ];

    /// The value of the `state` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Stopping => "stopping",
            Self::Resting => "resting",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::CrashLooped => "crash_looped",
        }
    }
}
