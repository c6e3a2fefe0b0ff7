//! What the story tells of how processes are looked after, and of orders and plans.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::config::plan::{Changes, Plan};
use crate::ledger::care::Rest;
use crate::ledger::fold::{Ledger, Process};
use crate::ledger::row::{EventSource, Row};
use crate::ledger::session::SessionKind;
use crate::ledger::sessions::{Note, Sessions};
use crate::ledger::spans::STARTS;
use crate::supervise::fact::Holder;
use crate::supervise::lifecycle::{Health, Lifecycle, Order, RunEnd, SignalResponse};
use crate::units::{Now, ProcessIx, RunId, Wall};

impl Ledger {
    /// Takes in a line of the story that is about care.
    pub(super) fn care(&mut self, at: Now, event: Lifecycle) -> Vec<Row> {
        match event {
            Lifecycle::RunReady { run } => self.run_ready(at, run),
            Lifecycle::HealthChanged { run, health } => self.health_changed(at, run, health),
            Lifecycle::TestFailed { run, said, .. } => self.test_failed(run, said),
            Lifecycle::StatusTold { run, text } => self.status_told(run, text),
            Lifecycle::HookFailed { process, role, .. } => self.shown(process, |view| {
                *view.care.hooks_failed.entry(role.as_str()).or_default() += 1;
            }),
            Lifecycle::RunHeld { run, holders, after, unkillable } => {
                self.run_held(at, run, &holders, after, unkillable)
            }
            Lifecycle::RestartScheduled { process, delay, streak } => {
                let until = Wall(at.wall.0.saturating_add(millis(delay)));
                self.shown(process, |view| view.care.rest = Some(Rest { delay, until, streak }))
            }
            Lifecycle::ScheduleSkipped { process } => self.shown(process, |view| {
                *view.care.schedule_skips.get_or_insert(0) += 1;
            }),
            Lifecycle::OrphansReaped { process, count, .. } => self.orphans_reaped(process, count),
            Lifecycle::OrderGiven { order, accepted } => self.order_given(at, order, accepted),
            Lifecycle::ReloadFailed { .. } => self.counted(|house| {
                house.reloads_failed += 1;
                house.last_reload_worked = Some(false);
            }),
            Lifecycle::PlanChanged { plan, changes } => self.plan_changed(&plan, &changes),
            _ => Vec::new(),
        }
    }

    fn run_ready(&mut self, at: Now, run: RunId) -> Vec<Row> {
        let Some((ix, live)) = self.run_mut(run) else { return self.unknown_run() };
        let took = at.mono.since(live.opened);
        live.ready = Some(took);
        let session = live.session;
        // One that was taken over did not start with us.
        if !self.sessions.is_unheard(session) {
            self.shown(ix, |view| view.startups.add(&STARTS, took));
        }
        let detail = json!({ "seconds": took.as_secs_f64() });
        self.sessions.note(
            session,
            at,
            Note::new("ready", "it can be used", detail).from(EventSource::Init),
        )
    }

    fn health_changed(&mut self, at: Now, run: RunId, health: Health) -> Vec<Row> {
        let Some((ix, live)) = self.run_mut(run) else { return self.unknown_run() };
        let session = live.session;
        self.shown(ix, |view| {
            view.care.health = Some(health);
            if health != Health::Unhealthy {
                view.care.test_said = None;
            }
        });
        let detail = json!({ "health": health.as_str() });
        self.sessions.note(
            session,
            at,
            Note::new("health_changed", "its health tests", detail).from(EventSource::Init),
        )
    }

    fn test_failed(&mut self, run: RunId, said: Option<Arc<str>>) -> Vec<Row> {
        let Some((ix, _)) = self.run_mut(run) else { return self.unknown_run() };
        self.shown(ix, |view| {
            *view.care.tests_failed.get_or_insert(0) += 1;
            view.care.test_said = said;
        })
    }

    fn status_told(&mut self, run: RunId, text: String) -> Vec<Row> {
        match self.run_mut(run) {
            Some((_, live)) => live.status = Some(text),
            None => self.ignore(),
        }
        Vec::new()
    }

    fn run_held(
        &mut self,
        at: Now,
        run: RunId,
        holders: &[Holder],
        after: Duration,
        unkillable: bool,
    ) -> Vec<Row> {
        let Some((ix, live)) = self.run_mut(run) else { return self.unknown_run() };
        let session = live.session;
        let count = holders.len() as u64;
        self.shown(ix, |view| match unkillable {
            true => view.care.unkillable += count,
            false => view.care.holders += count,
        });
        let named: Vec<Value> = holders.iter().map(describe).collect();
        let detail = json!({
            "holders": named, "seconds": after.as_secs_f64(), "unkillable": unkillable,
        });
        self.sessions.note(
            session,
            at,
            Note::new("held", "these did not end", detail).from(EventSource::Init),
        )
    }

    fn orphans_reaped(&mut self, process: Option<ProcessIx>, count: u64) -> Vec<Row> {
        self.house.reaped_orphans += count;
        match process {
            Some(ix) => self.shown(ix, |view| view.care.orphans += count),
            None => Vec::new(),
        }
    }

    /// What is shown of a run's end beside its session.
    pub(super) fn care_ended(&mut self, ix: ProcessIx, end: &RunEnd) {
        let Some(process) = self.process(ix) else { return };
        let care = &mut process.view.care;
        care.health = None;
        if let Some(took) = end.stop {
            care.stops += 1;
            care.stop_time += took;
            care.last_stop = Some(took);
        }
    }

    fn order_given(&mut self, at: Now, order: Order, accepted: bool) -> Vec<Row> {
        *self.house.orders.entry((order, accepted)).or_default() += 1;
        if (order, accepted) == (Order::Reload, true) {
            self.house.reloads += 1;
            self.house.last_reload = Some(at.wall);
            self.house.last_reload_worked = Some(true);
        }
        Vec::new()
    }

    /// Another plan holds: counters of what stays go on, those of what is new stand at 0.
    fn plan_changed(&mut self, plan: &Plan, changes: &Changes) -> Vec<Row> {
        for (ix, planned) in plan.indexed() {
            match self.process(ix) {
                Some(process) => process.follow(planned),
                None => self.processes.push(Process::new(ix, planned)),
            }
        }
        self.follow_rules();
        self.budgets.follow(&plan.budgets, self.now);
        let new = changes.added.iter().filter_map(|ix| plan.processes.get(ix.0));
        for process in new {
            expect(&mut self.sessions, &process.name, process.agent.is_some());
            self.spend.admit(process);
            if let Some(agent) = &process.agent {
                self.chains.expect(&agent.name, agent.limits);
            }
        }
        let response = SignalResponse::Forwarded(0).as_str();
        for signal in plan.processes.iter().flat_map(|process| &process.forward_signals) {
            self.house.signals.entry((*signal, response)).or_default();
        }
        Vec::new()
    }

    /// Live runs may rest and last as long as the plan says now.
    fn follow_rules(&mut self) {
        for ix in (0..self.processes.len()).map(ProcessIx) {
            let bounds = self.bounds_of(ix);
            if let Some(run) = &self.processes[ix.0].run {
                self.activity.rebound(run.session, bounds, run.opened, self.now.mono);
            }
        }
    }
}

/// Lets the counters of a process's sessions stand at 0 from the start.
pub(super) fn expect(sessions: &mut Sessions, process: &str, has_agent: bool) {
    sessions.expect(SessionKind::Process, process);
    if has_agent {
        sessions.expect(SessionKind::Conversation, process);
    }
}

fn describe(holder: &Holder) -> Value {
    json!({ "pid": holder.id.pid, "name": holder.name, "state": holder.state.to_string() })
}

fn millis(delay: Duration) -> i64 {
    i64::try_from(delay.as_millis()).unwrap_or(i64::MAX)
}
