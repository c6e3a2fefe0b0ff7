//! What must be done. Imperative, closed; the body carries each out or answers with a fact.

use crate::supervise::lifecycle::Lifecycle;
use crate::units::{ProcId, ProcessIx, RunId, SessionId, Signal};

/// Something that the mind wants done, in the order it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Start the process's program. Answered by `Forked` or `SpawnFailed`.
    Spawn {
        /// The new run.
        run: RunId,
        /// What to run.
        process: ProcessIx,
        /// The session that the run is; the child is told.
        session: SessionId,
    },
    /// Watch a process that is not our child. Answered by `Exited` with an unknown status.
    Adopt {
        /// The run that it becomes.
        run: RunId,
        /// What it was started as.
        process: ProcessIx,
        /// The session that the run is.
        session: SessionId,
        /// The survivor.
        id: ProcId,
    },
    /// Send a signal to a run.
    Signal {
        /// The addressee.
        run: RunId,
        /// What to send.
        signal: Signal,
        /// How much of it is meant.
        scope: Scope,
    },
    /// Say `TreeEmptied` as soon as nothing of the run's tree lives.
    AwaitTree {
        /// The run whose main process is gone.
        run: RunId,
    },
    /// Send a signal to every descendant of ours, whoever spawned it.
    SignalHouse {
        /// What to send.
        signal: Signal,
    },
    /// Say `HouseEmptied` as soon as we have no child left.
    AwaitHouse,
    /// Tell the ledger; never waits.
    Record(Lifecycle),
    /// Leave, with this code.
    Exit {
        /// Ours, and so the container's.
        code: u8,
    },
}

/// How much of a run a signal is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Its main process only.
    Main,
    /// Its process group.
    Group,
    /// Every process of its tree, wherever it was reparented to.
    Tree,
}
