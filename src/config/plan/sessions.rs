//! How long sessions may rest and last, and how many an application may have open.

use std::path::PathBuf;
use std::time::Duration;

use super::retention::RetentionPlan;
use crate::units::Signal;

/// `sessions`.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionsPlan {
    /// External sessions and spawned commands that show no activity for so long are ended, and
    /// conversations turn idle; `None` never.
    pub idle_timeout: Option<Duration>,
    /// External sessions and spawned commands that last this long are ended; `None` never.
    pub max_duration: Option<Duration>,
    /// External sessions and spawned commands that may be open at once.
    pub max_concurrent: u32,
    /// How often ended external sessions are let go of in memory; the store keeps them.
    pub cleanup_interval: Duration,
    /// The parts of the idle time-out after which a warning is given, rising, each above 0 and
    /// below 1. At the first one a session turns idle.
    pub warn_at: Vec<f64>,
    /// The signal that a run gets with each warning.
    pub warn_signal: Option<Signal>,
    /// How often a live session's projection is written into its history; `None` never.
    pub snapshot_interval: Option<Duration>,
    /// The file that events are written to as JSON lines; `None` writes none.
    pub log: Option<PathBuf>,
    /// How long history is kept.
    pub retention: RetentionPlan,
}

impl SessionsPlan {
    /// The idle time-out where nothing is said.
    pub const IDLE_TIMEOUT: Duration = Duration::from_secs(3600);
    /// The concurrent limit where nothing is said.
    pub const MAX_CONCURRENT: u32 = 100;
    /// The clean-up interval where nothing is said.
    pub const CLEANUP_INTERVAL: Duration = Duration::from_secs(300);
    /// Between two snapshots of a session where nothing is said: a long one is then read from its
    /// last few events.
    pub const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(900);
    /// When to warn where nothing is said.
    pub const WARN_AT: [f64; 3] = [0.5, 0.8, 0.95];
}

impl Default for SessionsPlan {
    fn default() -> Self {
        Self {
            idle_timeout: Some(Self::IDLE_TIMEOUT),
            max_duration: None,
            max_concurrent: Self::MAX_CONCURRENT,
            cleanup_interval: Self::CLEANUP_INTERVAL,
            warn_at: Self::WARN_AT.to_vec(),
            warn_signal: None,
            snapshot_interval: Some(Self::SNAPSHOT_INTERVAL),
            log: None,
            retention: RetentionPlan::default(),
        }
    }
}

/// `session` of a process: what its runs ask for, who are never ended for resting otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionRule {
    /// A run that shows no activity for so long is stopped, as timed out.
    pub idle_timeout: Option<Duration>,
}
