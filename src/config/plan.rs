//! The checked plan: what to run and how. It cannot fail later, and nothing in it is text that
//! somebody still has to read.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::units::{Bytes, ProcessIx, Signal};

/// Everything that one life of the supervisor is told to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// How signals are understood; see [`Mode`].
    pub mode: Mode,
    /// In the order of the file, which is also the order that ties are broken in.
    pub processes: Vec<ProcessPlan>,
    /// The processes whose end for good ends the container (`exit_code_from`). When empty, the
    /// container ends when every process is done.
    pub exit_code_from: Vec<ProcessIx>,
    /// From the request to stop to our own exit, whatever the children do.
    pub shutdown_timeout: Duration,
    /// Where `/metrics` and the landing page listen; `None` listens nowhere.
    pub listen: Option<SocketAddr>,
    /// Where history is kept.
    pub store: StorePlan,
    /// Where the run file is kept, by which a next life finds what this one left behind.
    pub state_dir: PathBuf,
    /// What happens to processes that outlived an earlier life of ours.
    pub recovery: Recovery,
    /// How often memory is sampled, and which rule judges it.
    pub memory: MemoryPlan,
    /// SHA-256 of the configuration's text, in hex; of the command line where there is no file.
    pub digest: String,
}

impl Plan {
    /// The process at `ix`, which must come from this plan.
    pub fn process(&self, ix: ProcessIx) -> &ProcessPlan {
        &self.processes[ix.0]
    }

    /// Every process with its place, in the order of the file.
    pub fn indexed(&self) -> impl Iterator<Item = (ProcessIx, &ProcessPlan)> {
        self.processes.iter().enumerate().map(|(at, process)| (ProcessIx(at), process))
    }
}

/// How signals are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `procession -- CMD`: every signal is forwarded and the command ends when it likes, as under
    /// tini. Only what it leaves behind gets a deadline.
    OneCommand,
    /// From a file: TERM, INT and QUIT stop the house inside its budget.
    Supervise,
}

/// What to run under one name, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessPlan {
    /// The key under `processes:`; the value of the `process` label.
    pub name: String,
    /// The program and its arguments; never empty.
    pub command: Vec<String>,
    /// Where it starts; ours when `None`.
    pub working_dir: Option<PathBuf>,
    /// What is added to our own environment, later entries winning; files first, then the map.
    pub environment: Vec<(String, String)>,
    /// What must have happened before it starts.
    pub depends_on: Vec<Dependency>,
    /// What happens when it ends.
    pub restart: RestartPlan,
    /// How it is asked to end.
    pub stop_signal: Signal,
    /// From the asking to SIGKILL.
    pub stop_grace_period: Duration,
    /// Signals that are passed on to it in [`Mode::Supervise`]; they kill most programs.
    pub forward_signals: Vec<Signal>,
    /// Its memory thresholds.
    pub thresholds: Thresholds,
    /// The coding agent that it runs, if it runs one.
    pub agent: Option<AgentPlan>,
}

/// One entry of `depends_on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The process that is waited for.
    pub process: ProcessIx,
    /// What must have happened to it.
    pub condition: Condition,
}

/// What a dependency must have done; the words are Compose's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// `service_started`: its program was executed.
    Started,
    /// `service_completed_successfully`: it ended with code 0 and will not be restarted.
    CompletedSuccessfully,
}

/// When and how fast a process is restarted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RestartPlan {
    /// After which ends.
    pub policy: RestartPolicy,
    /// How long it rests between.
    pub backoff: Backoff,
    /// How many restarts in a row are tried before it counts as a crash loop; `None` never gives
    /// up. A run that lasts for [`Backoff::window`] begins a new row.
    pub max_attempts: Option<u32>,
}

/// After which ends a process is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Never; the default.
    No,
    /// After anything but exit code 0.
    OnFailure,
    /// After every end that nobody asked for.
    Always,
    /// As `always`, also across a stop and start of the container's processes by hand.
    UnlessStopped,
}

/// Capped exponential back-off with jitter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// Before the first restart in a row.
    pub delay: Duration,
    /// What each further delay is multiplied by; at least 1.
    pub factor: f64,
    /// The longest delay before jitter.
    pub max_delay: Duration,
    /// Up to this share of the delay is added at random, so that a fleet does not restart in step.
    pub jitter: f64,
    /// A run that lasts this long is a success: the next restart starts from `delay` again.
    pub window: Duration,
}

impl Default for Backoff {
    /// Half a second, doubling to 30 s, 10 % jitter, forgotten after 30 s of life: pebble's
    /// figures, the only ones among the peers with a cap, a jitter and a reset.
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(500),
            factor: 2.0,
            max_delay: Duration::from_secs(30),
            jitter: 0.1,
            window: Duration::from_secs(30),
        }
    }
}

/// Where history is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorePlan {
    /// For as long as we live.
    Memory,
    /// In an embedded SQLite file at this path.
    Sqlite(PathBuf),
}

/// What happens to processes that outlived an earlier life of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// They are ended before their process is started anew.
    End,
    /// They are taken over: watched, measured and stopped like our own, with an unknown status.
    Adopt,
}

/// How memory is watched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MemoryPlan {
    /// Between two samples of every tree.
    pub interval: Duration,
    /// The rule that judges the series.
    pub leak_rule: LeakRule,
}

/// The rules that can judge whether a series of samples is a leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeakRule {
    /// At least 8 strictly rising steps out of the last 9.
    GrowthCount,
}

/// The resident size of a tree that is worth a warning, and the one that is worth a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Worth a look.
    pub warning: Bytes,
    /// Worth a page.
    pub critical: Bytes,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { warning: Bytes::mib(4000), critical: Bytes::mib(6000) }
    }
}

/// The coding agent that a process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentPlan {
    /// The bounded name that its figures carry; by default the product's.
    pub name: String,
    /// How its logs are read.
    pub dialect: Dialect,
    /// The folders that hold its transcripts; where the product keeps them when empty.
    pub transcripts: Vec<PathBuf>,
}

/// The log formats that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Claude Code's session transcripts.
    Claude,
}
