//! The shapes of memory: of all processes at a glance, of one with its history, and of the container.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::memory::LeakState;

/// `GET /v1/memory`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// The number of the picture that this was read from.
    pub generation: u64,
    /// When it was taken, ISO 8601.
    pub at: String,
    /// What the container's own group says; left out before the first reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    /// Every process, in the order of the file.
    pub processes: Vec<Held>,
}

/// What the container's own group says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Container {
    /// `v1`, `v2` or `none`: by which version of control groups.
    pub mode: String,
    /// Everything that is charged to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_bytes: Option<u64>,
    /// The least limit that holds for it, the machine's memory included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_bytes: Option<u64>,
    /// Above this whoever allocates is slowed down (`memory.high`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high_bytes: Option<u64>,
    /// Usage without what is cached of files and was not used lately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_set_bytes: Option<u64>,
    /// What of it is swapped out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swap_bytes: Option<u64>,
    /// The most that it used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_bytes: Option<u64>,
    /// What its usage is made of: anonymous, file, shmem (a part of file), slab; as far as that is told.
    pub parts: BTreeMap<String, u64>,
    /// How often it met its limits, by event.
    pub events: BTreeMap<String, u64>,
    /// The part of the last minute in which some process waited for memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pressure: Option<f64>,
}

/// What the tree of one process holds. What is not known is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// The process.
    pub name: String,
    /// Its run's session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Resident, summed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident_bytes: Option<u64>,
    /// Virtual, summed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_bytes: Option<u64>,
    /// Resident minus shared, summed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anonymous_bytes: Option<u64>,
    /// Each shared page counted once, with what is swapped out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proportional_bytes: Option<u64>,
    /// What nobody else maps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_bytes: Option<u64>,
    /// What is swapped out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swap_bytes: Option<u64>,
    /// How long ago the last three were read, and threads, descriptors and disk traffic with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proportional_age_seconds: Option<f64>,
    /// Living processes in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
    /// Their threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u64>,
    /// Their open descriptors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_fds: Option<u64>,
    /// CPU seconds of its run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<f64>,
    /// Bytes that its run fetched from disks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_bytes: Option<u64>,
    /// Bytes that its run sent to disks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_bytes: Option<u64>,
    /// The largest resident size of its run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_bytes: Option<u64>,
    /// The mean resident size of the last ten samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_bytes: Option<u64>,
    /// The size that thresholds are compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// What that is taken from: `proportional` or `anonymous`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<String>,
    /// `normal`, `warning` or `critical`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// From here on a warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning_bytes: Option<u64>,
    /// From here on critical.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critical_bytes: Option<u64>,
    /// Samples of its run.
    pub samples: u64,
    /// What its samples were last said to stand for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What the leak rule says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leak: Option<Leak>,
    /// The leak that its last runs had one like another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recurring: Option<Recurring>,
}

/// What the leak rule says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Leak {
    /// `unknown`, `none`, `suspected` or `confirmed`.
    pub state: String,
    /// Since when, ISO 8601.
    pub since: String,
    /// How long that is; left out of what is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<f64>,
    /// Growth in bytes per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growth_bytes_per_second: Option<f64>,
    /// Between which two figures that lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growth_between: Option<[f64; 2]>,
    /// How long it takes to the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_to_limit: Option<f64>,
    /// What the limit is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_bytes: Option<u64>,
    /// Whose it is: the process's `critical` threshold, the `container` or the `machine`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// What the rule has seen, in words.
    pub evidence: String,
    /// Every value that the rule looked at, with what it is held against.
    pub explained: Vec<Explained>,
}

impl Leak {
    /// How people are told of its state; one that is not known here as it is.
    pub fn in_words(&self) -> &str {
        let known = LeakState::ALL.into_iter().find(|state| state.as_str() == self.state);
        known.map_or(self.state.as_str(), |state| state.in_words())
    }
}

/// A value of a leak rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    /// What it is.
    pub name: String,
    /// How much it is; left out where that cannot be said yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Of what it is counted: `ratio`, `bytes`, `bytes/s`, `s`, or nothing for things.
    pub unit: String,
    /// `≥`, `>` or `≤`: on which side of the bound it has to be for a leak; empty without a bound.
    pub sign: String,
    /// What it is held against; left out where it is only weighed together with others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<f64>,
    /// Whether it is as it has to be for a leak; left out as `bound` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub met: Option<bool>,
}

/// A leak that outlives restarts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recurring {
    /// How many runs.
    pub runs: u64,
    /// The median of their growth.
    pub growth_bytes_per_second: f64,
    /// The median of what they began with.
    pub start_bytes: u64,
}

/// `GET /v1/memory/{name}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessMemory {
    /// Now.
    pub now: Held,
    /// A line of what it held since its run began; empty where nothing runs.
    pub plot: String,
    /// What it held, oldest first: fine for minutes, coarse for days.
    pub history: Vec<Point>,
}

/// What a tree held at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Seconds since the first sample.
    pub second: u32,
    /// The size that thresholds are compared with.
    pub size_bytes: u64,
    /// Resident, summed.
    pub resident_bytes: u64,
    /// Whether nothing was sampled for a while before it; left out where something was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub after_gap: bool,
}

/// `POST /v1/processes/{name}/memory/label`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelBody {
    /// What the last sample stands for, and the next one that is kept.
    pub label: String,
}
