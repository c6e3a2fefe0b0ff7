//! The checked plan: what to run and how. It cannot fail later, and nothing in it is text that
//! somebody still has to read.

mod budgets;
mod capture;
mod control;
mod health;
mod hooks;
mod memory;
mod output;
mod passing;
mod privacy;
mod retention;
mod schedule;
mod sessions;
mod tokens;
mod store;
mod succession;
mod watch;
mod world;
mod zone;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use self::budgets::{
    BudgetActions, BudgetLimit, BudgetPlan, BudgetScope, BudgetWindow, CountedKinds,
};
pub use self::capture::{Capture, ReadsStdout};
pub use self::control::{ControlPlan, TcpControl, TokenPlan, TokenRole};
pub use self::health::{HealthPlan, OnUnhealthy, ReadyPlan, Test};
pub use self::hooks::{Hook, Hooks};
pub use self::memory::{MemoryActions, MemoryEnd, Threshold, Thresholds};
pub use self::output::{OutputFile, OutputMode, OutputPlan};
pub use self::passing::{Passing, PassingScope};
pub use self::privacy::{PrivacyPlan, Treatment};
pub use self::retention::RetentionPlan;
pub use self::schedule::Schedule;
pub use self::sessions::{SessionRule, SessionsPlan};
pub use self::store::{Password, PostgresHost, PostgresPlan, Roots, StorePlan, Tls};
pub use self::succession::Changes;
pub use self::tokens::{ModelPrice, OrphanedSpenders, Otlp, TokensPlan};
pub use self::watch::WatchRule;
pub use self::world::{IoPriority, Limit, Resource, Secret, Stdin, User, World};
pub use self::zone::Zone;
#[cfg(test)]
pub(in crate::config) use self::zone::file_of as zone_file_of;
use crate::chains::limits::Limits;
use crate::units::{Bytes, ProcessIx, Signal};

/// Everything that one life of the supervisor is told to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// How signals are understood; see [`Mode`].
    pub mode: Mode,
    /// How one command is accompanied, in [`Mode::OneCommand`].
    pub passing: Passing,
    /// In the order of the file, which is also the order that ties are broken in.
    pub processes: Vec<ProcessPlan>,
    /// The processes whose end for good ends the container (`exit_code_from`). When empty, the
    /// container ends when every process is done.
    pub exit_code_from: Vec<ProcessIx>,
    /// From the request to stop to our own exit, whatever the children do.
    pub shutdown_timeout: Duration,
    /// Where `/metrics` and the landing page listen; `None` listens nowhere.
    pub listen: Option<SocketAddr>,
    /// Where orders are taken.
    pub control: ControlPlan,
    /// Where history is kept.
    pub store: StorePlan,
    /// How large the file is at most where history waits while its store is away.
    pub spool: Option<Bytes>,
    /// How much of what a command beside the plan wrote is kept with history, its last bytes.
    pub keep_output: Option<Bytes>,
    /// Where the run file is kept, by which a next life finds what this one left behind.
    pub state_dir: PathBuf,
    /// What happens to processes that outlived an earlier life of ours.
    pub recovery: Recovery,
    /// Whether each run gets a control group.
    pub cgroups: ControlGroups,
    /// How often memory is sampled, and which rule judges it.
    pub memory: MemoryPlan,
    /// How long sessions may rest and last, and how many may be open.
    pub sessions: SessionsPlan,
    /// What is learnt of those who work here.
    pub privacy: PrivacyPlan,
    /// Where tokens are told of, beside the agents' logs.
    pub tokens: TokensPlan,
    /// What may be spent, in the order of the file.
    pub budgets: Vec<BudgetPlan>,
    /// SHA-256 of the file's text, in hex, where there is one; see [`Plan::digest`].
    pub file_digest: Option<String>,
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

/// Whether each run gets a control group of its own, by which it is ended in one stroke.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ControlGroups {
    /// Where groups can be made and programs see the container's limits in them.
    #[default]
    Auto,
    /// None: every program is in the container's own group.
    Off,
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
    /// The key under `processes:`; the value of the `process` label. A replica has its number
    /// behind a dash.
    pub name: String,
    /// The key under `processes:` and the number from 1, where it is one of several replicas.
    pub replica: Option<Replica>,
    /// What place it has in the plan.
    pub standing: Standing,
    /// The program and its arguments; never empty.
    pub command: Vec<OsString>,
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
    /// What must have happened before it counts as ready.
    pub ready: Option<ReadyPlan>,
    /// How its health is learnt.
    pub health: Option<HealthPlan>,
    /// `watchdog`: a run that sends no `WATCHDOG=1` for so long is ended with SIGABRT, as failed.
    pub watchdog: Option<Duration>,
    /// How long one run may last; then it is asked to end, as one whose time is up.
    pub max_duration: Option<Duration>,
    /// The commands around its runs.
    pub hooks: Hooks,
    /// When it runs by the clock.
    pub schedule: Option<Schedule>,
    /// The files whose change restarts it.
    pub watch: Vec<WatchRule>,
    /// The world of its main process.
    pub world: World,
    /// What becomes of what it writes.
    pub output: OutputPlan,
    /// Signals that are passed on to it in [`Mode::Supervise`]; they kill most programs.
    pub forward_signals: Vec<Signal>,
    /// Its memory thresholds, and what follows when they are reached.
    pub thresholds: Thresholds,
    /// The coding agent that it runs, if it runs one.
    pub agent: Option<AgentPlan>,
    /// Whether its standard output is read for what it spends.
    pub reads_stdout: ReadsStdout,
    /// When its runs are ended for want of activity, or for lasting too long.
    pub session: SessionRule,
}

impl ProcessPlan {
    /// A process that runs this command, with every default.
    pub fn new(name: impl Into<String>, command: Vec<String>) -> Self {
        Self {
            name: name.into(),
            replica: None,
            standing: Standing::Wanted,
            command: command.into_iter().map(OsString::from).collect(),
            working_dir: None,
            environment: Vec::new(),
            depends_on: Vec::new(),
            restart: RestartPlan::default(),
            stop_signal: Signal::TERM,
            stop_grace_period: Self::GRACE,
            ready: None,
            health: None,
            watchdog: None,
            max_duration: None,
            hooks: Hooks::default(),
            schedule: None,
            watch: Vec::new(),
            world: World::default(),
            output: OutputPlan::new(OutputMode::Passthrough),
            forward_signals: Vec::new(),
            thresholds: Thresholds::default(),
            agent: None,
            reads_stdout: ReadsStdout::default(),
            session: SessionRule::default(),
        }
    }

    /// From the asking to SIGKILL, where nothing is said: Compose's figure.
    pub const GRACE: Duration = Duration::from_secs(10);

    /// The command for people: bytes that are not text are shown as such.
    pub fn words(&self) -> Vec<String> {
        self.command.iter().map(|word| word.to_string_lossy().into_owned()).collect()
    }

    /// The name that orders mean it by when all its replicas are meant.
    pub fn family(&self) -> &str {
        self.replica.as_ref().map_or(&self.name, |replica| &replica.of)
    }
}

/// Which of several replicas a process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// The key under `processes:`.
    pub of: String,
    /// From 1.
    pub number: u32,
}

/// What place a process has in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is started with the house.
    Wanted,
    /// It waits to be asked for (`autostart: false`).
    OnDemand,
    /// It was asked for by name and command while the house was up, and is forgotten when its place
    /// is needed.
    Spawned,
    /// A reload took it out of the plan: it is ended, and its place stays empty.
    Retired,
}

/// One entry of `depends_on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The process that is waited for.
    pub process: ProcessIx,
    /// What must have happened to it.
    pub condition: Condition,
    /// Whether it is never started without; else, once that can never happen any more, it is
    /// started all the same (`required: false`).
    pub required: bool,
    /// Whether it is restarted when the other is restarted by an order or a reload (`restart: true`).
    pub restart: bool,
}

impl Dependency {
    /// A required one that is not restarted along.
    pub fn on(process: ProcessIx, condition: Condition) -> Self {
        Self { process, condition, required: true, restart: false }
    }
}

/// What a dependency must have done; the words are Compose's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// `service_started`: its program was executed.
    Started,
    /// `service_healthy`: it became ready, by its `healthcheck`, its `ready`, or both.
    Healthy,
    /// `service_completed_successfully`: it ended with code 0 and will not be restarted.
    CompletedSuccessfully,
}

/// When and how fast a process is restarted.
#[derive(Clone, Debug, PartialEq)]
pub struct RestartPlan {
    /// After which ends.
    pub policy: RestartPolicy,
    /// How long it rests between.
    pub backoff: Backoff,
    /// How many restarts in a row are tried before it counts as a crash loop; `None` never gives
    /// up. A run that lasts for [`Backoff::window`] begins a new row.
    pub max_attempts: Option<u32>,
    /// What follows when it is given up.
    pub on_crash_loop: OnCrashLoop,
    /// Exit codes besides 0 that count as success (`success_exit_codes`).
    pub success_codes: Vec<u8>,
}

impl Default for RestartPlan {
    fn default() -> Self {
        Self {
            policy: RestartPolicy::No,
            backoff: Backoff::default(),
            max_attempts: None,
            on_crash_loop: OnCrashLoop::Stay,
            success_codes: Vec::new(),
        }
    }
}

/// What follows when a process is given up as a crash loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCrashLoop {
    /// The others go on; a process that decides the exit still ends the house.
    Stay,
    /// The house goes down, with the code of a crash loop.
    Exit,
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

/// What happens to processes that outlived an earlier life of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// They are ended before their process is started anew.
    End,
    /// They are taken over: watched, measured and stopped like our own, with an unknown status.
    Adopt,
    /// They are not looked for, and nothing is written by which a next life could find ours.
    Off,
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeakRule {
    /// What stays behind grows on and on: see [`crate::memory::leak::robust`].
    #[default]
    Robust,
    /// At least 8 strictly rising steps out of the last 9.
    GrowthCount,
}

impl LeakRule {
    /// Every rule with its name in a configuration.
    pub const NAMES: [(&str, Self); 2] =
        [("robust", Self::Robust), ("growth-count", Self::GrowthCount)];

    /// Its name in a configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Robust => "robust",
            Self::GrowthCount => "growth-count",
        }
    }
}

/// The coding agent that a process runs.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentPlan {
    /// The bounded name that its figures carry; by default the product's.
    pub name: String,
    /// How its logs are read.
    pub dialect: Dialect,
    /// The folders that hold its transcripts; where the product keeps them when empty.
    pub transcripts: Vec<PathBuf>,
    /// How full the window of its conversations may become.
    pub limits: Limits,
}

/// The log formats that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Claude Code's session transcripts.
    Claude,
    /// Codex CLI's rollouts.
    Codex,
    /// Gemini CLI's chats.
    Gemini,
    /// opencode's database, and the files that it kept before it had one.
    Opencode,
}

impl Dialect {
    /// Every dialect, in the order of their coming.
    pub const ALL: [Self; 4] = [Self::Claude, Self::Codex, Self::Gemini, Self::Opencode];

    /// The word of it in a configuration, and the product's program.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Opencode => "opencode",
        }
    }

    /// The dialect of a word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.as_str() == word)
    }
}
