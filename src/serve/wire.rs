//! Every JSON shape of the control API: a promise to whoever reads or writes it. `openapi.json`
//! describes them, and a test holds real answers against it. What is not known is left out.

pub mod budgets;
pub mod external;
pub mod history;
pub mod memory;
pub mod orphans;
pub mod spawned;
pub mod statistics;
pub mod usage;

use std::collections::BTreeMap;

pub mod agents;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub mod rights;

/// The variable that says where the control socket is.
pub const SOCKET_VARIABLE: &str = "PROCESSION_SOCKET";
/// The control socket's name in the state folder, where nothing else is said.
pub const SOCKET_NAME: &str = "control.sock";

/// `GET /v1/status`: procession itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Our version.
    pub version: String,
    /// Our pid.
    pub pid: u32,
    /// Whether we are PID 1; else a subreaper.
    pub pid1: bool,
    /// When this life began, ISO 8601.
    pub started: String,
    /// For how long.
    pub uptime_seconds: f64,
    /// Whether everything is being stopped.
    pub stopping: bool,
    /// Whether the loop that supervises turns.
    pub alive: bool,
    /// The number of the picture that this was read from.
    pub generation: u64,
    /// How many processes are in which state.
    pub states: BTreeMap<String, u64>,
    /// Whether the store takes what is kept; left out when history is in memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_up: Option<bool>,
    /// As whom the asker counts.
    pub role: String,
}

/// `GET /v1/processes`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Processes {
    /// The number of the picture that this was read from.
    pub generation: u64,
    /// When it was taken, ISO 8601.
    pub at: String,
    /// Every process, in the order of the file.
    pub processes: Vec<Process>,
}

/// A process and its live run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// Its name; a replica has its number behind a dash.
    pub name: String,
    /// The name that means all replicas; the same as `name` where there is only one.
    pub family: String,
    /// Which replica it is, where it is one of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica: Option<Replica>,
    /// Its phase: `waiting`, `starting`, `ready`, `stopping`, `resting`, `done`, `failed` or
    /// `crash_looped`.
    pub state: String,
    /// `starting`, `healthy` or `unhealthy`, where its health is tested and it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<String>,
    /// What it last said of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Its main process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// Its live run, numbered within this life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<u64>,
    /// The session that the run is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// When the run was opened, ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// For how long it has run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uptime_seconds: Option<f64>,
    /// Runs after the first, in this life.
    pub restarts: u64,
    /// How the last run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<Exit>,
    /// Its rest before the next restart, while it rests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<Rest>,
    /// When it runs next by the clock, ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run: Option<String>,
    /// Health tests that failed, where its health is tested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_tests: Option<u64>,
    /// The end of what the last test wrote that failed, until it is healthy again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_test_output: Option<String>,
    /// Resident bytes of its whole tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// The most that they were in this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    /// `normal`, `warning` or `critical`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_level: Option<String>,
    /// Whether a leak is suspected or confirmed; absent before that can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leak_suspected: Option<bool>,
    /// `unknown`, `none`, `suspected` or `confirmed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leak: Option<String>,
    /// CPU seconds of all its runs.
    pub cpu_seconds: f64,
    /// Living processes in its tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<u32>,
    /// Runs that had to be killed.
    pub forced_kills: u64,
    /// Times that it was given up after too many restarts in a row.
    pub crash_loops: u64,
    /// The agent that it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Tokens that its agent used in this life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
}

/// Which of several replicas a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// From 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

/// A rest between two runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rest {
    /// When it ends, ISO 8601.
    pub until: String,
    /// How long it is in all.
    pub delay_seconds: f64,
    /// Restarts in this row, the coming one included.
    pub streak: u32,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exit {
    /// The code that a shell would give: 128 + n after signal n.
    pub code: u8,
    /// The signal that ended it, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// When, ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// In words.
    pub text: String,
}

/// A session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Its identity, a ULID.
    pub id: String,
    /// `process`, `conversation` or `external`.
    pub kind: String,
    /// The session that it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The process that it belongs to.
    pub process: String,
    /// The agent, for a conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The agent's own id of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native_id: Option<String>,
    /// Where it stands.
    pub state: String,
    /// When it was opened, ISO 8601.
    pub started: String,
    /// The last sign of activity, ISO 8601.
    pub last_activity: String,
    /// Its main process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// Where and as whom it runs, once that was found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Context>,
    /// Events so far.
    pub events: u64,
    /// The largest resident size of its tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    /// User and system CPU seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<f64>,
    /// Tokens.
    pub tokens: u64,
    /// What the priced part of them cost, in nano-dollars.
    pub cost_nano_usd: i64,
    /// What it and everything below it used.
    #[serde(default)]
    pub total: Totals,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<SessionEnd>,
}

/// Where and as whom a session runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// The command with its secrets masked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// The checkout that the folder lies in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<Git>,
    /// The user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The host's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Our version.
    pub version: String,
    /// SHA-256 of the configuration, in hex.
    pub config_digest: String,
    /// Names and values that an application gave its session.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// The state of a git checkout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Git {
    /// The folder with the tracked files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// The branch; left out when the head is detached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The commit that is checked out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Whether a tracked file was changed, where that could be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dirty: Option<bool>,
}

/// What a session and everything below it used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// User and system CPU seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<f64>,
    /// Tokens.
    pub tokens: u64,
    /// What the priced part of them cost, in nano-dollars.
    pub cost_nano_usd: i64,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionEnd {
    /// When, ISO 8601.
    pub at: String,
    /// How long it lasted.
    pub duration_seconds: f64,
    /// Why, in words.
    pub reason: String,
    /// The code that a shell would give, for a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
}

/// The body of `POST /v1/start`, `/v1/stop` and `/v1/restart`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamesBody {
    /// Processes, or families of replicas.
    pub names: Vec<String>,
}

/// The body of `POST /v1/signal` and `POST /v1/processes/{name}/signal`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalBody {
    /// `HUP`, `SIGHUP`, `1` or `RTMIN+3`.
    pub signal: String,
    /// Whether the whole process group gets it, rather than the main process alone.
    #[serde(default)]
    pub group: bool,
    /// Processes, or families of replicas; left out where the path names one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// The body of `POST /v1/spawn`: either `command` or `shell`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpawnBody {
    /// The program and its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// A line for `/bin/sh -c`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    /// What is added to procession's own environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Where it starts, absolute; procession's own folder where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The name that it runs under; `spawned-N` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// As whom it runs: `name`, `1000`, `name:group` or `1000:1000`; procession's own user where
    /// nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// How it is asked to end; `SIGINT` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    /// From the asking to SIGKILL, such as `10s`; `1s` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_grace_period: Option<String>,
    /// How long it may run, such as `5m`; then it is asked to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// What each of its processes may hold of memory of its own (`RLIMIT_DATA`), such as `512MiB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// CPU seconds of each of its processes (`RLIMIT_CPU`), such as `10s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_time: Option<String>,
    /// Open files of each of its processes (`RLIMIT_NOFILE`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nofile: Option<u64>,
    /// Processes that its user may have (`RLIMIT_NPROC`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nproc: Option<u64>,
    /// The last bytes of what it writes that are kept, such as `1MiB`; `64KiB` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_output: Option<String>,
    /// `pipe`: it reads what is sent to it; its standard input is empty where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<String>,
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ordered {
    /// Which order.
    pub order: String,
    /// Whether it is carried out; else it is under way.
    pub done: bool,
    /// The processes that it means, as they are now.
    pub processes: Vec<Process>,
}

/// What a reload changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Processes that are new.
    pub added: Vec<String>,
    /// Processes that are gone.
    pub removed: Vec<String>,
    /// Processes that are restarted.
    pub restarted: Vec<String>,
    /// Processes that go on, looked after in another way.
    pub adjusted: Vec<String>,
    /// Keys at the top of the file that only hold from the next life on.
    pub put_off: Vec<String>,
}

/// A command that was started beside the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spawned {
    /// The name that it runs under.
    pub process: String,
    /// Its run.
    pub run: u64,
    /// Its session.
    pub session: String,
    /// Why it could not be started, where that was known within moments: it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The session once it has ended, where that was waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Session>,
}

/// One thing that happened; the data of an event of `GET /v1/events`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Where a listener that lost its connection goes on from.
    pub id: String,
    /// When, ISO 8601.
    pub at: String,
    /// What.
    pub kind: String,
    /// To which process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// To which run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<u64>,
    /// To which session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Everything else that is known.
    pub detail: Value,
}

/// The data of an event of kind `gap`: some were told too long ago.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// How many events are missing; left out where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<u64>,
}

/// A line that a process wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// When it was read, ISO 8601.
    pub time: String,
    /// Who wrote it.
    pub process: String,
    /// `stdout` or `stderr`.
    pub stream: String,
    /// What, without its newline; bytes that are not UTF-8 are replaced.
    pub line: String,
    /// Whether it is a piece of a longer line.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// Where a reader that wants only what follows goes on from (`since`).
    pub cursor: u64,
}

/// Why there is no other answer: RFC 9457, with what to do about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// What kind of problem it is, the same for each of its kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// In a few words.
    pub title: String,
    /// The status of the answer.
    pub status: u16,
    /// What exactly.
    pub detail: String,
    /// What to do instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// Each fault, where there may be several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
}
