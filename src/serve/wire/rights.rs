//! The shapes of the audit trail, and of what is purged, forgotten and taken out.

use serde::{Deserialize, Serialize};

/// The header in which somebody says why they ask; the audit trail keeps it.
pub const REASON: &str = "x-procession-reason";

/// The answer of `GET /v1/audit`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// Lines, newest first.
    pub lines: Vec<AuditLine>,
    /// What to ask for the lines behind the last of these by; left out where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Lines of this life that had to make room for others; only where history is in memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub let_go: Option<u64>,
}

/// Who asked for what, and what they got.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AuditLine {
    /// Its own identity.
    pub id: String,
    /// When it was answered, ISO 8601.
    pub at: String,
    /// The method and the pattern of the address; `enter` for somebody who was not let in.
    pub action: String,
    /// Of which process, session or agent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub target: String,
    /// In words, where it was an order.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub said: String,
    /// The status of the answer.
    pub outcome: u16,
    /// Why, as whoever asked put it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// As what they counted.
    pub role: String,
    /// The name of the token, over TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The address that they asked from, over TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// The user id of the process that asked, at the socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Its pid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The session that it ran in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
}

/// The body of `POST /v1/purge`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurgeBody {
    /// Sessions that ended so many seconds ago or earlier; 604800 (7 days) where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_than_seconds: Option<u64>,
    /// Only those that ended as one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<String>,
    /// Only count them.
    #[serde(default)]
    pub dry_run: bool,
}

/// The body of `POST /v1/forget`: a user or an agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForgetBody {
    /// The user whose sessions go, with all that are a part of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The agent whose sessions go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Only count them.
    #[serde(default)]
    pub dry_run: bool,
}

/// The answer of `POST /v1/purge` and `POST /v1/forget`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Forgotten {
    /// Ended sessions that are gone, or would be.
    pub sessions: u64,
    /// Sessions that were meant and stay, because they are live.
    pub live: u64,
    /// Whether they were only counted.
    pub dry_run: bool,
}
