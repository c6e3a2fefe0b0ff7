//! What can happen to one process: facts about its live run, deadlines and wishes.

use std::time::Duration;

use crate::supervise::care::Sign;
use crate::supervise::fact::{ErrandEnd, FoundRun, SpawnFailure};
use crate::supervise::lifecycle::{StopCause, TestFailure};
use crate::units::{ErrandId, ExitStatus, Mono, ProcId, ProcessIx, RunUsage};

/// What can happen to one process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Input {
    /// Its dependencies have done what they must.
    Freed,
    /// This dependency can never do what it must.
    Blocked(ProcessIx),
    /// A run of an earlier life is to be taken over.
    Found(FoundRun),
    /// Its time has come.
    Struck,
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
    /// Whoever is left of the tree was looked up.
    HoldersNamed,
    /// Something was heard of the run, or of a command beside it.
    Heard(News),
    /// A deadline of the process passed.
    Deadline,
    /// It is to run.
    AskedUp,
    /// It is to end and to run anew; asked for by [`Input::AskNow`] when its turn has come.
    AskedAgain,
    /// The same for the sake of another plan: what runs by the clock waits for its time then.
    AskedAnew,
    /// It is to end and to stay ended; asked for by [`Input::AskNow`] when its turn has come.
    AskedOut,
    /// It is to end, and to be as one that was never asked for.
    Unasked,
    /// Its turn to end has come.
    AskNow(StopCause),
    /// It is killed at this time unless it has ended by then; at once where it was not asked to end.
    KillBy(Mono),
    /// It must end with the house; SIGKILL at this time at the latest.
    AskedDown(Mono),
    /// It must end sooner than it was told; SIGKILL at this time at the latest.
    Hurried(Mono),
    /// Everything was killed and we leave: whatever did not end is given up.
    Abandoned,
    /// Another plan holds for it.
    Adjusted,
}

/// What is heard of a run, or of a command beside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum News {
    /// It showed something of what makes it ready.
    Shown(Sign),
    /// A command ended.
    Errand(ErrandId, ErrandEnd),
    /// A test without a command was answered.
    Probed(u64, Option<TestFailure>),
    /// It ends by itself.
    Stopping,
    /// It is not ready until it says so again.
    Reloading,
    /// It fed its watchdog.
    Fed,
    /// It wants to be treated as one that did not feed its watchdog.
    Starved,
    /// It wants so much longer to start or to stop.
    Extended(Duration),
}
