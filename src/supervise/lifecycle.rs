//! What the mind tells the ledger: the story of every run, in the order it happened.

use std::time::Duration;

use crate::supervise::fact::SpawnFailure;
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
    RunReady {
        /// The run.
        run: RunId,
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
    /// A process will never start: what it waits for can never happen any more.
    StartBlocked {
        /// Which process.
        process: ProcessIx,
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
    /// A signal was sent to us.
    SignalArrived {
        /// Which one.
        signal: Signal,
        /// What became of it.
        response: SignalResponse,
    },
    /// A process that we did not spawn was reaped.
    OrphanReaped,
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
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// By itself: an exit, or a signal that was not ours.
    Itself,
    /// We asked it to.
    Requested,
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
    /// Between two runs.
    Resting,
    /// It ended for good and well.
    Done,
    /// It ended for good and badly.
    Failed,
}

impl PhaseName {
    /// Every phase, in the order a process goes through them.
    pub const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Starting,
        Self::Ready,
        Self::Stopping,
        Self::Resting,
        Self::Done,
        Self::Failed,
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
        }
    }
}
