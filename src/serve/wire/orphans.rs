//! Processes that sessions which are over left behind.

use serde::{Deserialize, Serialize};

/// `GET /v1/orphans`, and what became of them at `POST /v1/orphans/end`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Orphans {
    /// By pid.
    pub orphans: Vec<Orphan>,
}

/// A process that a session left behind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Orphan {
    /// Its pid.
    pub pid: i32,
    /// When it was started, in clock ticks since boot: with the pid, its identity.
    pub start_ticks: u64,
    /// Its parent.
    pub parent: i32,
    /// The kernel's short name for it.
    pub name: String,
    /// The first words of its command line.
    pub command: Vec<String>,
    /// The session that is over.
    pub session: String,
    /// Why it counts as left behind: `marker`, `run_file` or `lineage`.
    pub evidence: String,
    /// What became of it, where it was to end: `ended`, `killed` or `left`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

/// The body of `POST /v1/orphans/end`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrphansBody {
    /// The names of those that are meant; the usual ones where none is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Whatever they are called.
    #[serde(default)]
    pub all: bool,
}
