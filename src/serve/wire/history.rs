//! The shapes of what is kept: sessions in pages, what happened to them, and their trees.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Session;

/// `GET /v1/sessions`: newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sessions {
    /// The number of the picture that what is live was read from.
    pub generation: u64,
    /// A page of them.
    pub sessions: Vec<Session>,
    /// What to give as `cursor` for the next page; left out on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Why older sessions may be missing; left out when none are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
}

/// `GET /v1/sessions/{id}/events`: in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionEvents {
    /// The session.
    pub session: String,
    /// A page of them.
    pub events: Vec<SessionEvent>,
    /// What to give as `from` for the next page; left out on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// One thing that happened to a session; a line of the file of `sessions.log`, too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionEvent {
    /// Whose history.
    pub session_id: String,
    /// 0, 1, 2, … without a gap.
    pub sequence: u64,
    /// When, ISO 8601 in UTC with milliseconds.
    pub timestamp: String,
    /// What.
    pub event_type: String,
    /// Which kind of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subtype: Option<String>,
    /// The state that it left, where it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_state: Option<String>,
    /// The state that it is in from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_state: Option<String>,
    /// What caused it.
    pub trigger: String,
    /// Whose observation it is: `init`, `probe`, `tail`, `api`, `recovery` or `ledger`.
    pub source: String,
    /// The version of this shape.
    pub version: u64,
    /// Everything else.
    pub context: Value,
}

/// `GET /v1/sessions/{id}/tree`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionTree {
    /// The sessions above it, the nearest first.
    pub ancestors: Vec<Session>,
    /// The session and all that are a part of it.
    pub tree: Node,
    /// Whether it has more parts than are told.
    pub more: bool,
    /// Why older sessions may be missing; left out when none are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
}

/// A session with its parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// The session.
    pub session: Session,
    /// Its parts, oldest first.
    pub children: Vec<Node>,
}
