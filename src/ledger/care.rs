//! What is known of how a process is looked after: its health, its hooks, its stops and its rests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::config::plan::{Hook, ProcessPlan};
use crate::supervise::lifecycle::{Health, Role};
use crate::units::Wall;

/// The figures of one process in this life. What its plan does not ask for is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Care {
    /// What is known of the live run's health, where the plan has a test for it.
    pub health: Option<Health>,
    /// Health tests that failed.
    pub tests_failed: Option<u64>,
    /// The end of what the last test wrote that failed, until the run is healthy again.
    pub test_said: Option<Arc<str>>,
    /// Hooks that failed or took too long, for each kind that the plan has.
    pub hooks_failed: BTreeMap<&'static str, u64>,
    /// Runs that ended after they were asked to.
    pub stops: u64,
    /// From the asking to the end, summed over [`Care::stops`].
    pub stop_time: Duration,
    /// From the asking to the end, the last time.
    pub last_stop: Option<Duration>,
    /// Members of its trees that outlived the grace period and were named.
    pub holders: u64,
    /// Members of its trees that even SIGKILL did not end in time.
    pub unkillable: u64,
    /// Reaped strangers that were of its trees.
    pub orphans: u64,
    /// Times that the clock named while a run lived.
    pub schedule_skips: Option<u64>,
    /// Its rest between two runs, while it rests.
    pub rest: Option<Rest>,
}

/// A rest between two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest {
    /// How long it is.
    pub delay: Duration,
    /// When it ends.
    pub until: Wall,
    /// Restarts in this row, the coming one included.
    pub streak: u32,
}

impl Care {
    /// Nothing has happened yet: every counter that the plan asks for stands at 0.
    pub fn new(plan: &ProcessPlan) -> Self {
        let mut care = Self::default();
        care.follow(plan);
        care
    }

    /// Goes on under another plan; counters only grow.
    pub fn follow(&mut self, plan: &ProcessPlan) {
        self.tests_failed = self.tests_failed.or(plan.health.as_ref().map(|_| 0));
        self.schedule_skips = self.schedule_skips.or(plan.schedule.as_ref().map(|_| 0));
        if plan.health.is_none() {
            self.health = None;
        }
        let hooks: [(&Vec<Hook>, Role); 3] = [
            (&plan.hooks.post_start, Role::PostStart(0)),
            (&plan.hooks.pre_stop, Role::PreStop(0)),
            (&plan.hooks.post_exit, Role::PostExit(0)),
        ];
        for (_, role) in hooks.into_iter().filter(|(hooks, _)| !hooks.is_empty()) {
            self.hooks_failed.entry(role.as_str()).or_default();
        }
    }
}
