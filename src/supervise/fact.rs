//! What happened. Past tense, closed, and each about one run wherever it is about a run at all.

use crate::supervise::lifecycle::TestFailure;
use crate::supervise::wish::Wish;
use crate::units::{
    ErrandId, ExitStatus, ProcId, ProcessIx, RequestId, RunId, RunUsage, SessionId, Signal,
};

/// A run of an earlier life that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundRun {
    /// The session that it is.
    pub session: SessionId,
    /// Its main process.
    pub id: ProcId,
}

/// Something that the body saw, told to the mind once.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// The loop stands and signals are caught: what may start may start.
    Began,
    /// A survivor of an earlier life was found and is to be taken over, before [`Fact::Began`].
    Found {
        /// The process that it is a run of.
        process: ProcessIx,
        /// The session that it is, and its main process, verified to be the one that was recorded.
        run: FoundRun,
    },
    /// The child exists; its program may not have been executed yet.
    Forked {
        /// The run that was asked for.
        run: RunId,
        /// The child.
        id: ProcId,
    },
    /// The child's program was executed.
    Executed {
        /// The run that was asked for.
        run: RunId,
    },
    /// There is no program to wait for: the fork, a preparation or the exec failed. Where a child
    /// existed it has been reaped.
    SpawnFailed {
        /// The run that was asked for.
        run: RunId,
        /// What failed and why.
        failure: SpawnFailure,
    },
    /// The main process of a run was reaped.
    Exited {
        /// Whose main process it was.
        run: RunId,
        /// Read from the kernel exactly once.
        status: ExitStatus,
        /// What it used.
        usage: RunUsage,
        /// Whether members of its tree may still live; they have been sent SIGTERM.
        leftovers: bool,
    },
    /// Nothing of the run's tree lives any more.
    TreeEmptied {
        /// The run whose tree it was.
        run: RunId,
    },
    /// Processes that we did not spawn were reaped, one after the other: a storm of them is one
    /// fact.
    OrphansReaped {
        /// Of whose tree they were, where that is known.
        process: Option<ProcessIx>,
        /// How each of them ended.
        status: ExitStatus,
        /// How many, at least one.
        count: u64,
    },
    /// Those who are left of a run were looked at, as [`super::action::Action::NameHolders`] asks.
    HoldersNamed {
        /// The run.
        run: RunId,
        /// Who is left, at most [`Holder::MOST`] of them.
        holders: Vec<Holder>,
    },
    /// An errand is over.
    ErrandEnded {
        /// Which one.
        errand: ErrandId,
        /// How.
        end: ErrandEnd,
    },
    /// A health test that is made without a command was made.
    Probed {
        /// Whose health.
        run: RunId,
        /// The number that the test was asked for with.
        test: u64,
        /// How it failed, if it did.
        failure: Option<TestFailure>,
    },
    /// A line of output matched what `ready.log` waits for.
    LineMatched {
        /// Whose line.
        run: RunId,
    },
    /// A run said something by `sd_notify(3)`.
    Notified {
        /// Who.
        run: RunId,
        /// What.
        notice: Notice,
    },
    /// Files that a process is restarted for have changed.
    FilesChanged {
        /// Which process.
        process: ProcessIx,
    },
    /// The configuration was read anew and has faults.
    ReloadFailed {
        /// How many.
        faults: u32,
    },
    /// Somebody gave an order; answered by exactly one reply.
    Requested {
        /// Who waits for the answer.
        request: RequestId,
        /// What is wanted.
        wish: Wish,
    },
    /// We have no child left at all, so that no descendant lives either.
    HouseEmptied,
    /// A signal was sent to us.
    SignalArrived {
        /// Which one.
        signal: Signal,
    },
}

/// One who keeps a run from being over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Who.
    pub id: ProcId,
    /// The kernel's short name for its program.
    pub name: String,
    /// The kernel's letter for its state: `D` cannot be killed.
    pub state: char,
}

impl Holder {
    /// How many are named at most; a bomb of forks must not fill the log.
    pub const MOST: usize = 16;
}

/// How an errand ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrandEnd {
    /// Its program ended.
    Exited(ExitStatus),
    /// It never had a program.
    NotSpawned(SpawnFailure),
}

/// What a run said by `sd_notify(3)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// `READY=1`.
    Ready,
    /// `STOPPING=1`: it ends by itself.
    Stopping,
    /// `RELOADING=1`: it is not ready until it says so again.
    Reloading,
    /// `STATUS=…`, one line, at most 256 bytes.
    Status(String),
    /// `WATCHDOG=1`: it lives.
    Watchdog,
    /// `WATCHDOG=trigger`: it wants to be treated as one that does not.
    WatchdogTriggered,
    /// `EXTEND_TIMEOUT_USEC=…`: it starts or stops, and wants this much longer, in microseconds.
    ExtendTimeout(u64),
}

/// Why a run has no program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpawnFailure {
    /// The step that failed.
    pub step: SpawnStep,
    /// The kernel's error number.
    pub errno: i32,
}

/// The steps between the wish for a child and its first instruction, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpawnStep {
    /// `fork(2)` and the descriptors that it needs.
    Fork,
    /// Session, group, terminal, descriptors.
    Prepare,
    /// A file that holds a secret.
    Secret,
    /// Umask, limits, priorities, processors.
    Limits,
    /// Groups and user.
    User,
    /// `chdir(2)` to the working directory.
    WorkingDir,
    /// `execve(2)`.
    Exec,
}

/// Error numbers that the table below tells apart; the values are Linux's.
mod errno {
    pub(super) const ENOENT: i32 = 2;
    pub(super) const E2BIG: i32 = 7;
    pub(super) const EAGAIN: i32 = 11;
    pub(super) const ENOMEM: i32 = 12;
    pub(super) const ENOTDIR: i32 = 20;
    pub(super) const ENFILE: i32 = 23;
    pub(super) const EMFILE: i32 = 24;
    pub(super) const ETXTBSY: i32 = 26;
}

impl SpawnFailure {
    /// Every word that [`SpawnFailure::reason`] can say.
    pub const REASONS: [&str; 10] = [
        "secret",
        "limits",
        "user",
        "working_dir",
        "not_found",
        "too_long",
        "no_resources",
        "busy",
        "not_executable",
        "other",
    ];

    /// The exit code that shells give: 127 for what is not there, 126 for what cannot be executed.
    pub fn exit_code(self) -> u8 {
        match (self.step, self.errno) {
            (SpawnStep::Exec, errno::ENOENT | errno::ENOTDIR) => 127,
            _ => 126,
        }
    }

    /// A closed word for the `reason` label.
    pub fn reason(self) -> &'static str {
        match (self.step, self.errno) {
            (SpawnStep::Secret, _) => "secret",
            (SpawnStep::Limits, _) => "limits",
            (SpawnStep::User, _) => "user",
            (SpawnStep::WorkingDir, _) => "working_dir",
            (SpawnStep::Exec, errno::ENOENT | errno::ENOTDIR) => "not_found",
            (_, errno::E2BIG) => "too_long",
            (_, errno::EAGAIN | errno::ENOMEM | errno::EMFILE | errno::ENFILE) => "no_resources",
            (SpawnStep::Exec, errno::ETXTBSY) => "busy",
            (SpawnStep::Exec, _) => "not_executable",
            (SpawnStep::Fork | SpawnStep::Prepare, _) => "other",
        }
    }

    /// Whether the same spawn may work in a moment: the machine was short of something.
    pub fn is_transient(self) -> bool {
        matches!(self.reason(), "no_resources" | "busy")
    }
}

impl std::fmt::Display for SpawnFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let step = match self.step {
            SpawnStep::Fork => "fork",
            SpawnStep::Prepare => "prepare the child",
            SpawnStep::Secret => "read a secret",
            SpawnStep::Limits => "set its limits",
            SpawnStep::User => "become its user",
            SpawnStep::WorkingDir => "enter the working directory",
            SpawnStep::Exec => "execute the program",
        };
        write!(f, "cannot {step}: {}", std::io::Error::from_raw_os_error(self.errno))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_list_of_reasons_is_complete_and_holds_no_other() {
        let steps = [
            SpawnStep::Fork,
            SpawnStep::Prepare,
            SpawnStep::Secret,
            SpawnStep::Limits,
            SpawnStep::User,
            SpawnStep::WorkingDir,
            SpawnStep::Exec,
        ];
        let failures = steps
            .into_iter()
            .flat_map(|step| (0..=133).map(move |errno| SpawnFailure { step, errno }));
        let given: BTreeSet<&str> = failures.map(SpawnFailure::reason).collect();
        assert_eq!(given, BTreeSet::from(SpawnFailure::REASONS));
    }
}
