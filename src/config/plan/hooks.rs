//! Commands that accompany a run.

use std::time::Duration;

/// The commands around a run, each list in its order; none by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    /// After the program was executed. Failing is told and changes nothing.
    pub post_start: Vec<Hook>,
    /// Before the stop signal of a requested stop, inside the grace period.
    pub pre_stop: Vec<Hook>,
    /// After the run has ended, before a next one begins.
    pub post_exit: Vec<Hook>,
    /// When its memory rises to a level whose actions name it; as a command of its own beside the plan,
    /// with `PROCESSION_HOOK` and what it says of the level.
    pub on_memory: Option<Hook>,
}

/// A command that is run beside a process: in its working directory, with its environment and user,
/// and with `PROCESSION_PROCESS`, `PROCESSION_PID` and, after an exit, `PROCESSION_EXIT_CODE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// The program and its arguments; never empty.
    pub command: Vec<String>,
    /// A hook that takes longer is killed.
    pub timeout: Duration,
}
