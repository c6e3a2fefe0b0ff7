//! Commands that run beside the plan: what they wrote, what they are told, and how they end.

use serde::{Deserialize, Serialize};

/// `GET /v1/spawned`: commands beside the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Commands {
    /// Those that run, the newest first.
    pub running: Vec<Command>,
    /// Those that ended, the newest first.
    pub ended: Vec<Command>,
}

/// A command beside the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// Its session.
    pub session: String,
    /// The name that it runs under.
    pub process: String,
    /// Its run, numbered within this life; absent for one of an earlier life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<u64>,
    /// Its main process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// Where it stands, as a session does.
    pub state: String,
    /// When it was started, ISO 8601.
    pub started: String,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<CommandEnd>,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandEnd {
    /// When, ISO 8601.
    pub at: String,
    /// From its start.
    pub duration_seconds: f64,
    /// Its code, as a shell gives it; absent where nobody saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    /// The signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// Why, for people.
    pub reason: String,
    /// User and system CPU seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<f64>,
}

/// `GET /v1/sessions/{id}/output`: a part of what a command wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// Its session.
    pub session: String,
    /// What was written, as text: what is no UTF-8 is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What was written, in base 64, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// Where to read on.
    pub next: u64,
    /// Bytes in front of it that are not kept any more.
    pub missed: u64,
    /// Whether nothing follows.
    pub ended: bool,
    /// Whether it is what the store keeps: masked, and no more than the last of it.
    pub stored: bool,
}

/// The body of `POST /v1/sessions/{id}/terminate`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TerminateBody {
    /// At once, by SIGKILL.
    #[serde(default)]
    pub force: bool,
    /// From the asking to SIGKILL, in seconds; what it was started with where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<f64>,
}

/// `POST /v1/sessions/{id}/stdin`: what became of what was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fed {
    /// Its session.
    pub session: String,
    /// Bytes that were taken: all of them.
    pub taken: u64,
    /// Bytes that wait for the command to read them.
    pub waiting: u64,
    /// Whether its standard input ends behind them.
    pub closed: bool,
}
