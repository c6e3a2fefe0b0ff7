//! What must be done. Imperative, closed; the body carries each out or answers with a fact.

use std::sync::Arc;

use crate::config::plan::Plan;
use crate::supervise::lifecycle::{Lifecycle, Role};
use crate::supervise::wish::Reply;
use crate::units::{ErrandId, ExitStatus, ProcId, ProcessIx, RequestId, RunId, SessionId, Signal};

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
    /// Look who is left of a run, and say `HoldersNamed`.
    NameHolders {
        /// The run.
        run: RunId,
    },
    /// Run a command beside a process. Answered by `ErrandEnded`.
    Assist {
        /// The errand.
        errand: ErrandId,
        /// Whose working directory, environment and user it has.
        process: ProcessIx,
        /// The run that it is about; its tree is the errand's, too.
        run: RunId,
        /// Which command of the plan.
        role: Role,
        /// How the run ended, for a hook that comes after.
        status: Option<ExitStatus>,
    },
    /// Kill an errand with its group; it is still answered.
    EndErrand {
        /// Which one.
        errand: ErrandId,
    },
    /// Make the test of a process's health that needs no command. Answered by `Probed`.
    Probe {
        /// Whose health.
        run: RunId,
        /// What is asked is in its plan.
        process: ProcessIx,
        /// Comes back with the answer.
        test: u64,
    },
    /// Read the configuration anew, where waiting harms nobody. Answered by an order to reload, or
    /// by `ReloadFailed`.
    ReadConfiguration,
    /// From now on this plan holds.
    Reconfigure(Arc<Plan>),
    /// Answer an order.
    Reply {
        /// Who waits.
        request: RequestId,
        /// What became of it.
        reply: Reply,
    },
    /// Send a signal to every descendant of ours, whoever spawned it.
    SignalHouse {
        /// What to send.
        signal: Signal,
    },
    /// Send a signal to those of these who are of none of our runs.
    SignalOrphans {
        /// Who.
        ids: Vec<ProcId>,
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
    /// Those of its tree that are not in its process group.
    Outsiders,
}
