//! The last calls of models, for those who look: bounded for each process.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::tokens::Usage;
use crate::units::SessionId;

/// Calls that are kept of each process.
pub const PER_PROCESS: usize = 100;

/// Processes whose calls are kept: those of a plan, and commands beside it, the newest.
const PROCESSES: usize = 256;

/// A call that was counted, or that failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Called {
    /// The process that it counts for.
    pub process: String,
    /// The session that it belongs to.
    pub session: Option<SessionId>,
    /// What it used.
    pub usage: Usage,
    /// What was called.
    pub endpoint: Option<String>,
    /// How long it took.
    pub latency: Option<Duration>,
    /// Whether it failed.
    pub failed: bool,
}

/// The last calls of every process, the newest last.
pub type Calls = BTreeMap<String, Arc<VecDeque<Arc<Called>>>>;

/// Adds a call, and forgets the oldest beyond the bounds.
pub(super) fn add(calls: &mut Calls, called: Arc<Called>) {
    if !calls.contains_key(&called.process) && calls.len() >= PROCESSES {
        let last = |calls: &VecDeque<Arc<Called>>| calls.back().map(|last| last.usage.at);
        let oldest = calls.iter().min_by_key(|(_, calls)| last(calls));
        if let Some(name) = oldest.map(|(name, _)| name.clone()) {
            calls.remove(&name);
        }
    }
    let of_process = calls.entry(called.process.clone()).or_default();
    // Shared with pictures that are still looked at.
    let of_process = Arc::make_mut(of_process);
    if of_process.len() >= PER_PROCESS {
        of_process.pop_front();
    }
    of_process.push_back(called);
}
