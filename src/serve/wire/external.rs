//! The shapes by which an application opens a session, keeps it alive and closes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Session;

/// The body of `POST /v1/sessions`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenBody {
    /// The application's own id of it: while a session of this id is open, that one is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The session that it is a part of, by identity or own id; that of the run that the asker is
    /// in, where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The agent; its parent's where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The user's name; its parent's where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The project's folder, absolute; its parent's where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// At most 16 names and values, besides those of its parent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// `end`, `orphan` or `wait`; `end` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_parent_end: Option<String>,
    /// Whether the answer is a stream of lines, with which the session ends.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bound: bool,
}

/// The answer to `POST /v1/sessions`; of a bound session its first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    /// The session.
    pub session: Session,
    /// Whether it was opened now; else it was open already.
    pub new: bool,
    /// Whether its opening outlives us; false where the store is away.
    pub durable: bool,
}

/// The body of `POST /v1/sessions/{id}/heartbeat`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatBody {
    /// What is done, in a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Tokens that were used since the last heartbeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokensBody>,
    /// What they cost, in nano-dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_nano_usd: Option<i64>,
}

/// Tokens by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokensBody {
    /// What was sent.
    pub input: u64,
    /// What was answered.
    pub output: u64,
    /// What was read from a cache.
    pub cache_read: u64,
    /// What was written into one.
    pub cache_write: u64,
}

/// The body of `POST /v1/sessions/{id}/close`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseBody {
    /// `completed` or `failed`; `completed` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The answer to a heartbeat and to a close.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The session as it is now.
    pub session: Session,
    /// Whether what was told outlives us; false where the store is away.
    pub durable: bool,
}
