//! Another plan: what a reload keeps running, restarts, ends and begins, and the places of commands
//! that are run beside the plan.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::config::plan::{Changes, Plan, ProcessPlan, RestartPlan, Standing};
use crate::supervise::Machine;
use crate::supervise::action::Action;
use crate::supervise::clockwork::Clockwork;
use crate::supervise::input::Input;
use crate::supervise::lifecycle::{Lifecycle, StopCause};
use crate::supervise::order::Order;
use crate::supervise::phase::{Goal, Phase, Verdict};
use crate::supervise::process::Process;
use crate::supervise::wish::{Refusal, Reply};
use crate::units::{Now, ProcessIx, Signal};

/// How many commands beside the plan are known at most, dead or alive: each has a place, and a place
/// is a value of the `process` label.
pub const MOST_SPAWNED: usize = 100;

/// From SIGINT to SIGKILL for a command beside the plan.
const SPAWNED_GRACE: Duration = Duration::from_secs(1);

impl Machine {
    /// Has this plan, as it was read from the file, hold from now on.
    pub(super) fn reload(&mut self, now: Now, read: &Plan) -> Changes {
        let (next, changes) = self.plan.succeeded_by(read);
        let old = Arc::clone(&self.plan);
        self.look_at_the_clock(now);
        self.adopt(now, next, &changes);
        for ix in &changes.removed {
            self.end_for(now, *ix, StopCause::Reload);
        }
        for ix in changes.adjusted.iter().chain(&changes.restarted) {
            self.place_as_planned_now(now, *ix, &old);
        }
        self.run_as_planned_now(now, &changes);
        self.wake_the_needed(now, &changes.added.iter().copied().collect());
        changes
    }

    /// How it is looked after has changed, and perhaps whether it runs at all.
    fn place_as_planned_now(&mut self, now: Now, ix: ProcessIx, old: &Plan) {
        self.step(now, ix, Input::Adjusted);
        let was = old.processes.get(ix.0).map(|plan| plan.standing);
        let wanted_now = was == Some(Standing::OnDemand)
            && self.plan.process(ix).standing == Standing::Wanted
            && self.processes[ix.0].verdict() == Some(Verdict::NotStarted);
        if wanted_now {
            self.step(now, ix, Input::AskedUp);
        }
    }

    /// What runs have been given has changed: they run anew, and those that are restarted along.
    /// What has failed gets another chance, what somebody stopped stays stopped.
    fn run_as_planned_now(&mut self, now: Now, changes: &Changes) {
        let restarted: BTreeSet<ProcessIx> = changes.restarted.iter().copied().collect();
        let along = self.restarted_along(&restarted);
        self.retry_the_needed(now, &restarted);
        for ix in restarted {
            let process = &self.processes[ix.0];
            let again = match process.phase() {
                Phase::Idle { .. } => false,
                Phase::Done(_) => self.plan.process(ix).standing == Standing::Wanted,
                _ => true,
            };
            if again && process.goal() != Goal::Stopped {
                self.end_and_run_again(now, ix, StopCause::Reload);
            }
        }
        for ix in along {
            self.end_and_run_again(now, ix, StopCause::Dependency);
        }
    }

    /// From now on this plan holds.
    fn adopt(&mut self, now: Now, next: Plan, changes: &Changes) {
        let plan = Arc::new(next);
        self.plan = Arc::clone(&plan);
        self.out.push_back(Action::Reconfigure(Arc::clone(&plan)));
        self.record(Lifecycle::PlanChanged { plan: Arc::clone(&plan), changes: changes.clone() });
        self.order = Order::of(&plan);
        self.decision.follow(&plan);
        for (at, process) in plan.processes.iter().enumerate().skip(self.processes.len()) {
            debug_assert!(at == self.processes.len());
            self.processes.push(Process::new(process));
        }
        self.count();
        self.clockwork = Clockwork::wound(&plan, now);
        self.free = (0..self.processes.len()).map(ProcessIx).collect();
        self.due.extend(self.asking.keys());
        for ix in &changes.added {
            self.settle_in(now, *ix);
        }
    }

    /// A place is taken by a new process. One whose last run is still being ended waits for that.
    fn settle_in(&mut self, now: Now, ix: ProcessIx) {
        if self.processes[ix.0].verdict().is_none() && self.processes[ix.0].run().is_some() {
            return self.end_and_run_again(now, ix, StopCause::Reload);
        }
        let plan = self.plan.process(ix);
        if plan.standing != Standing::Spawned {
            self.spawned.retain(|place| *place != ix);
        }
        self.processes[ix.0] = Process::new(plan);
        self.count();
        self.timers.arm(ix, None);
        let phase = self.processes[ix.0].phase_name();
        self.record(Lifecycle::PhaseChanged { process: ix, phase });
    }

    /// Runs a command once beside the plan.
    pub(super) fn spawn_beside(&mut self, now: Now, plan: ProcessPlan) -> Reply {
        let Some((ix, name)) = self.place_for_one_more() else {
            return Reply::Refused(Refusal::Full);
        };
        let mut next = Plan::clone(&self.plan);
        let place = beside(plan, name);
        match next.processes.get_mut(ix.0) {
            Some(old) => *old = place,
            None => next.processes.push(place),
        }
        self.spawned.retain(|old| *old != ix);
        self.spawned.push_back(ix);
        self.adopt(now, next, &Changes { added: vec![ix], ..Changes::default() });
        self.step(now, ix, Input::Freed);
        let process = &self.processes[ix.0];
        match (process.run(), process.session()) {
            (Some(run), Some(session)) => Reply::Spawned { process: ix, run, session },
            _ => Reply::Refused(Refusal::Full),
        }
    }

    /// A new place, or that of the command that has been over for the longest; and its name.
    fn place_for_one_more(&self) -> Option<(ProcessIx, String)> {
        if self.spawned.len() < MOST_SPAWNED {
            return Some((ProcessIx(self.processes.len()), self.unused_name()));
        }
        let is_over = |ix: &&ProcessIx| self.processes[ix.0].verdict().is_some();
        let ix = self.spawned.iter().find(is_over)?;
        Some((*ix, self.plan.process(*ix).name.clone()))
    }

    fn unused_name(&self) -> String {
        let is_unused = |name: &String| self.plan.processes.iter().all(|plan| plan.name != *name);
        let mut names = (1..).map(|number| format!("spawned-{number}"));
        names.find(is_unused).unwrap_or_default()
    }
}

/// The command as one beside the plan: it runs once, and ends as at a Ctrl-C.
fn beside(plan: ProcessPlan, name: String) -> ProcessPlan {
    ProcessPlan {
        name,
        replica: None,
        standing: Standing::Spawned,
        depends_on: Vec::new(),
        restart: RestartPlan::default(),
        schedule: None,
        stop_signal: Signal::INT,
        stop_grace_period: SPAWNED_GRACE,
        ..plan
    }
}
