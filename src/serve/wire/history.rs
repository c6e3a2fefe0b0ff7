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

/// `GET /v1/replay`: what is kept of sessions, held against what their events tell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Replayed {
    /// Sessions of which nothing else is kept than their events tell.
    pub same: u64,
    /// Sessions of whose events some had to be given up, so that nothing can be said.
    pub partial: u64,
    /// Sessions that differ.
    pub different: Vec<Different>,
    /// What to give as `cursor` for the next sessions; left out behind the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Replayed {
    /// With what came of the next sessions.
    pub fn add(&mut self, other: Self) {
        self.same += other.same;
        self.partial += other.partial;
        self.different.extend(other.different);
        self.next = other.next;
    }
}

/// A session of which something else is kept than its events tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Different {
    /// The session.
    pub session: String,
    /// Where it differs.
    pub differences: Vec<Difference>,
    /// What of its story cannot have been.
    pub faults: Vec<String>,
}

/// What is kept and not what is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Of what.
    pub field: String,
    /// What the events say.
    pub told: String,
    /// What is kept.
    pub kept: String,
}

/// A session with its parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// The session.
    pub session: Session,
    /// Its parts, oldest first.
    pub children: Vec<Node>,
}
