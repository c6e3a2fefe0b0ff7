//! The shape of `GET /v1/statistics`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `GET /v1/statistics`: sessions, counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// When, ISO 8601.
    pub at: String,
    /// What the groups have in common: `project`, `user`, `agent`, `process` or `kind`.
    pub by: String,
    /// All sessions of the span.
    pub totals: Group,
    /// The same, by what they have in common, the largest first; at most 200.
    pub groups: Vec<Group>,
    /// Those that live now.
    pub live: Live,
    /// What the store took, by operation, in this life.
    pub store: Vec<Latency>,
}

/// Sessions that have something in common.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// What; left out for all, and for those of which it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// All of them.
    pub sessions: u64,
    /// By state; states without any are left out.
    pub states: BTreeMap<String, u64>,
    /// The part of those that ended which completed, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_rate: Option<f64>,
    /// The part of those that ended which failed, timed out or were killed, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_rate: Option<f64>,
    /// Events of one, in the mean.
    pub events_per_session: f64,
    /// Of those that ended, in the mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_duration_seconds: Option<f64>,
    /// When the first was opened, ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// When the last was opened, ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// The newest that lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// How long those that ended lasted, by end.
    pub durations: Vec<Bucket>,
}

/// Sessions that lasted as long as this and longer than the bucket before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// Its upper end in seconds; left out for what lasted longer than all buckets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to_seconds: Option<u64>,
    /// How many, by end.
    pub ended: BTreeMap<String, u64>,
}

/// Sessions that live.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// How many.
    pub sessions: u64,
    /// How many of them rest.
    pub idle: u64,
    /// The age of the oldest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_seconds: Option<f64>,
    /// The age of the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_seconds: Option<f64>,
    /// Their age, in the mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_seconds: Option<f64>,
    /// How long the live runs took until they were ready, in the mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_startup_seconds: Option<f64>,
}

/// What the store took for an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// `open`, `resume`, `commit`, `prune` or `read`.
    pub operation: String,
    /// How often.
    pub count: u64,
    /// How long, in the mean.
    pub mean_seconds: f64,
}
