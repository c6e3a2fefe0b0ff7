//! Another plan: what a reload keeps running, restarts, ends and begins, and the places of commands
//! that are run beside the plan.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::plan::{Changes, Plan, ProcessPlan, RestartPlan, Standing};
use crate::supervise::Machine;
use crate::supervise::action::Action;
use crate::supervise::input::Input;
use crate::supervise::lifecycle::{Lifecycle, StopCause};
use crate::supervise::order::Order;
use crate::supervise::phase::{Goal, Phase};
use crate::supervise::process::Process;
use crate::supervise::wish::{Refusal, Reply};
use crate::units::{Now, ProcessIx};

/// How many commands beside the plan are known at most, dead or alive: each has a place, and a place
/// is a value of the `process` label.
pub const MOST_SPAWNED: usize = 100;

/// What the names of commands begin with that nobody named.
const NAMELESS: &str = "spawned-";

impl Machine {
    /// Has this plan, as it was read from the file, hold from now on.
    pub(super) fn reload(&mut self, now: Now, read: &Plan) -> Changes {
        self.free_the_names_of(read);
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
        self.wake_what_they_need(now, &changes);
        changes
    }

    /// How it is looked after has changed, and perhaps whether it runs at all.
    fn place_as_planned_now(&mut self, now: Now, ix: ProcessIx, old: &Plan) {
        self.step(now, ix, Input::Adjusted);
        let was = old.processes.get(ix.0).map(|plan| plan.standing);
        let wanted_now = was == Some(Standing::OnDemand)
            && self.plan.process(ix).standing == Standing::Wanted
            && self.was_never_asked(ix);
        if wanted_now {
            self.step(now, ix, Input::AskedAnew);
        }
    }

    /// Starts what new and changed processes depend on that was only waiting to be asked for, once
    /// they wait themselves or will when their runs are over.
    fn wake_what_they_need(&mut self, now: Now, changes: &Changes) {
        let waits = |ix: &ProcessIx| match self.processes[ix.0].goal() {
            _ if *self.processes[ix.0].phase() == Phase::Waiting => true,
            Goal::Again => true,
            Goal::Anew => self.plan.process(*ix).schedule.is_none(),
            Goal::Up | Goal::Stopped | Goal::Unasked | Goal::Down => false,
        };
        let all = [&changes.added, &changes.adjusted, &changes.restarted];
        let waiting = all.into_iter().flatten().copied().filter(waits).collect();
        self.wake_the_needed(now, &waiting);
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
            if again && process.goal().is_to_run() {
                self.end_and_begin_anew(now, ix);
            }
        }
        for ix in along {
            self.end_and_run_again(now, ix, StopCause::Dependency);
        }
    }

    /// From now on this plan holds.
    fn adopt(&mut self, now: Now, next: Plan, changes: &Changes) {
        let plan = Arc::new(next);
        let old = std::mem::replace(&mut self.plan, Arc::clone(&plan));
        self.out.push_back(Action::Reconfigure(Arc::clone(&plan)));
        self.record(Lifecycle::PlanChanged { plan: Arc::clone(&plan), changes: changes.clone() });
        self.order = Order::of(&plan);
        self.decision.follow(&plan);
        for (at, process) in plan.processes.iter().enumerate().skip(self.processes.len()) {
            debug_assert!(at == self.processes.len());
            self.processes.push(Process::new(process));
        }
        self.count();
        self.clockwork = std::mem::take(&mut self.clockwork).rewound(&old, &plan, now);
        self.free = (0..self.processes.len()).map(ProcessIx).collect();
        self.due.extend(self.asking.keys());
        for ix in &changes.added {
            self.settle_in(now, *ix);
        }
    }

    /// A place is taken by a new process. One whose last run is still being ended, or tidied up
    /// after, waits for that, and is new then.
    fn settle_in(&mut self, now: Now, ix: ProcessIx) {
        let plan = self.plan.process(ix);
        if self.is_to_end(ix) {
            return match plan.standing {
                Standing::OnDemand => self.step(now, ix, Input::Unasked),
                _ => self.end_and_begin_anew(now, ix),
            };
        }
        if plan.standing != Standing::Spawned {
            self.spawned.retain(|place| *place != ix);
        }
        self.processes[ix.0] = Process::new(plan);
        self.count();
        self.timers.arm(ix, None);
        let phase = self.processes[ix.0].phase_name();
        self.record(Lifecycle::PhaseChanged { process: ix, phase });
    }

    /// The name of a command beside the plan that lives and is called as this plan calls something.
    pub(super) fn living_namesake(&self, plan: &Plan) -> Option<&str> {
        let lives = |ix: &&ProcessIx| self.processes[ix.0].verdict().is_none();
        let living = self.spawned.iter().filter(lives);
        let mut names = living.map(|ix| &*self.plan.process(*ix).name);
        names.find(|name| has_name(plan, name))
    }

    /// Commands beside the plan that are over give the names back that this one has.
    fn free_the_names_of(&mut self, plan: &Plan) {
        let named = |ix: &&ProcessIx| has_name(plan, &self.plan.process(**ix).name);
        let freed: Vec<ProcessIx> = self.spawned.iter().filter(named).copied().collect();
        if freed.is_empty() {
            return;
        }
        let mut known = Plan::clone(&self.plan);
        freed.iter().for_each(|ix| known.processes[ix.0].standing = Standing::Retired);
        self.spawned.retain(|ix| !freed.contains(ix));
        self.plan = Arc::new(known);
    }

    /// Runs a command once beside the plan.
    pub(super) fn spawn_beside(&mut self, now: Now, plan: ProcessPlan) -> Reply {
        let (ix, name) = match self.place_for(&plan.name) {
            Ok(found) => found,
            Err(refusal) => return Reply::Refused(refusal),
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

    /// Where a command of this name runs, and under which name: in the place that had the name, if
    /// that is over, else in a new one or in that of the command that has been over for the longest.
    fn place_for(&self, wanted: &str) -> Result<(ProcessIx, String), Refusal> {
        if !wanted.is_empty() && has_name(&self.plan, wanted) {
            let taken = || Refusal::NameTaken(wanted.to_owned());
            let same = self.plan.indexed().find(|(_, process)| process.name == wanted);
            let (ix, process) = same.ok_or_else(taken)?;
            let has_room = self.spawned.contains(&ix) || self.spawned.len() < MOST_SPAWNED;
            return match process.standing {
                Standing::Spawned | Standing::Retired if !self.is_over(ix) => Err(taken()),
                Standing::Spawned | Standing::Retired if has_room => Ok((ix, wanted.to_owned())),
                Standing::Spawned | Standing::Retired => Err(Refusal::Full),
                Standing::Wanted | Standing::OnDemand => Err(taken()),
            };
        }
        let ix = if self.spawned.len() < MOST_SPAWNED {
            ProcessIx(self.processes.len())
        } else {
            *self.spawned.iter().find(|ix| self.is_over(**ix)).ok_or(Refusal::Full)?
        };
        let known = self.plan.processes.get(ix.0).map(|before| &before.name);
        let name = match known.filter(|name| name.starts_with(NAMELESS)) {
            _ if !wanted.is_empty() => wanted.to_owned(),
            Some(name) => name.clone(),
            None => self.unused_name(),
        };
        Ok((ix, name))
    }

    fn is_over(&self, ix: ProcessIx) -> bool {
        let process = &self.processes[ix.0];
        process.verdict().is_some() && process.run().is_none()
    }

    fn unused_name(&self) -> String {
        let is_unused = |name: &String| self.plan.processes.iter().all(|plan| plan.name != *name);
        let mut names = (1..).map(|number| format!("{NAMELESS}{number}"));
        names.find(is_unused).unwrap_or_default()
    }
}

/// Whether a process of this plan is called so, or a family of replicas.
fn has_name(plan: &Plan, name: &str) -> bool {
    plan.processes.iter().any(|process| process.name == name || process.family() == name)
}

/// The command as one beside the plan: it runs once.
fn beside(plan: ProcessPlan, name: String) -> ProcessPlan {
    ProcessPlan {
        name,
        replica: None,
        standing: Standing::Spawned,
        depends_on: Vec::new(),
        restart: RestartPlan::default(),
        schedule: None,
        ..plan
    }
}
