//! What is wanted of us from outside, and what we answer.

use std::sync::Arc;
use std::time::Duration;

use crate::config::plan::{Changes, Plan, ProcessPlan};
use crate::units::{ProcId, ProcessIx, RunId, SessionId, Signal};

/// An order. Names are those of processes, or of families of replicas, which mean all of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// That these run: one that is done, waits for its next run or was given up is started anew.
    Start(Vec<String>),
    /// That these end and stay ended.
    Stop(Vec<String>),
    /// That these end and run again, in the order that their dependencies ask for.
    Restart(Vec<String>),
    /// That the live runs of these get this signal.
    Signal {
        /// Whose runs.
        names: Vec<String>,
        /// What to send.
        signal: Signal,
        /// Whether the whole group gets it, rather than the main process alone.
        group: bool,
    },
    /// That this plan, as it was read from the file, holds from now on; see
    /// [`crate::config::plan::Plan::succeeded_by`].
    Reload(Arc<Plan>),
    /// That this runs, once, beside the plan; under a name of ours where its own is empty.
    Spawn(Box<ProcessPlan>),
    /// That the run which is this session ends and its process stays ended.
    End {
        /// The session.
        session: SessionId,
        /// From the asking to SIGKILL, where that is not for the plan to say; none of it is "at
        /// once".
        grace: Option<Duration>,
    },
    /// That these get this signal, whom sessions that are over left behind.
    SignalOrphans {
        /// Who.
        ids: Vec<ProcId>,
        /// What to send.
        signal: Signal,
    },
    /// That the house goes down, as after a SIGTERM.
    Shutdown,
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// It is being carried out for these processes; those that were so already are among them.
    Accepted(Vec<ProcessIx>),
    /// A plan holds.
    Reloaded(Changes),
    /// A command was started.
    Spawned {
        /// Where it stands.
        process: ProcessIx,
        /// Its run.
        run: RunId,
        /// Its session.
        session: SessionId,
    },
    /// Nothing is called so; nothing was done.
    UnknownName(String),
    /// It cannot be done now, for this reason; nothing was done.
    Refused(Refusal),
}

/// Why an order cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The house goes down.
    GoingDown,
    /// None of these lives.
    NotRunning,
    /// There is no room for one more.
    Full,
    /// Another has this name: a process of the plan, or a command beside it that lives.
    NameTaken(String),
    /// One command is accompanied, and lives and dies as it likes.
    OneCommand,
}
