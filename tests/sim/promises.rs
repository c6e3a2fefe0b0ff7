//! What must hold in every life, whatever the kernel does: each function here fails the life that
//! breaks a promise.

use std::time::Duration;

use procession::config::plan::{Condition, Dependency, Mode, OnUnhealthy, ProcessPlan};
use procession::supervise::action::{Action, Scope};
use procession::supervise::fact::{Fact, Notice};
use procession::supervise::lifecycle::{
    EndReason, Health, Lifecycle, Order, PhaseName, Role, RunEnd, SignalResponse, StopCause,
};
use procession::supervise::wish::{Reply, Wish};
use procession::units::{ExitStatus, ProcessIx, RequestId, RunId, Signal};

use super::{Life, MILLI};

/// What was seen of one run.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    opened: u64,
    executed: bool,
    line: bool,
    notice: bool,
    /// It can be used now, as far as was told.
    ready: bool,
    was_ready: bool,
    health: Option<Health>,
    row: u32,
    fed: u64,
    stopping: Option<StopCause>,
    /// It was sent its stop signal, or worse.
    signalled: bool,
    /// It asked for more time or for another beginning, so that its deadlines are its own.
    pleaded: bool,
    probe_until: u64,
}

impl Life {
    /// Takes in what the mind is about to be told.
    pub fn heed(&mut self, fact: &Fact) {
        if let Fact::SignalArrived { signal: Signal::TERM | Signal::INT } = fact {
            self.heed_stop();
        }
        if let Fact::Requested { wish: Wish::Shutdown, .. } = fact {
            self.heed_stop();
        }
        match fact {
            Fact::Exited { run, .. } if !self.reaped.insert(*run) => {
                self.fail("a run was reaped twice");
            }
            Fact::LineMatched { run } => self.seen(*run).line = true,
            Fact::Notified { run, notice } => {
                let now = self.now;
                let seen = self.seen(*run);
                match notice {
                    Notice::Ready => seen.notice = true,
                    Notice::Reloading => (seen.notice, seen.pleaded) = (false, true),
                    Notice::ExtendTimeout(_) | Notice::Stopping => seen.pleaded = true,
                    Notice::Watchdog => seen.fed = now,
                    Notice::Status(_) | Notice::WatchdogTriggered => {}
                }
            }
            Fact::FilesChanged { .. } => self.ordered = Some(Order::Restart),
            Fact::Requested { wish: Wish::Restart(names), .. } => self.named.clone_from(names),
            Fact::Probed { run, .. } => self.seen(*run).probe_until = 0,
            Fact::ErrandEnded { errand, .. } => {
                self.errands.remove(errand);
            }
            _ => {}
        }
    }

    fn heed_stop(&mut self) {
        self.escalated |= self.kill_at.is_some();
        if self.plan.mode == Mode::Supervise {
            self.asked_at.get_or_insert(self.now);
        }
    }

    fn seen(&mut self, run: RunId) -> &mut Seen {
        self.seen.entry(run).or_default()
    }

    pub fn check_spawn(&mut self, run: RunId, process: ProcessIx) {
        let alive = |(other, ix): (&RunId, &ProcessIx)| {
            *ix == process && !self.ended.contains_key(other) && *other != run
        };
        if self.process_of.iter().any(alive) {
            self.fail("two live runs of one process");
        }
        if self.kill_at.is_some() {
            self.fail("a run began while the house went down");
        }
        if self.held.contains(&process) {
            self.fail("what an order stopped was started");
        }
        if self.errands.values().any(|errand| errand.process == process && !errand.killed) {
            self.fail("a run began while a command of the last one was under way");
        }
        let rested = self.scheduled.remove(&process);
        if rested.is_some_and(|due| self.now < due) {
            self.fail("a restart came before its back-off was over");
        }
        if rested.is_none() {
            for on in self.plan.process(process).depends_on.clone() {
                self.check_dependency(&on);
            }
            self.check_dependents(process);
        }
        let opened = self.now;
        self.seen.insert(run, Seen { opened, ..Seen::default() });
    }

    fn check_dependency(&self, on: &Dependency) {
        let plan = self.plan.process(on.process);
        let runs = || self.process_of.iter().filter(|(_, ix)| **ix == on.process);
        let shows = plan.ready.is_some() || plan.health.is_some();
        let met = match on.condition {
            Condition::Healthy if shows => runs().any(|(run, _)| self.seen[run].ready),
            Condition::Started | Condition::Healthy => {
                runs().any(|(run, _)| self.seen[run].executed)
            }
            Condition::CompletedSuccessfully => {
                let last = runs().filter_map(|(run, _)| self.ended.get(run)).next_back();
                last.is_some_and(|end| was_well(plan, end))
            }
        };
        let live = || runs().filter(|(run, _)| !self.ended.contains_key(run));
        if live().any(|(run, _)| self.to_end.contains(run)) {
            self.fail("a process was started while what it depends on was to be ended");
        }
        let lives = live().next().is_some();
        if !met && (on.required || lives) {
            self.fail("a process was started before what it depends on had done what it must");
        }
    }

    pub fn check_signal(&mut self, run: RunId, signal: Signal, scope: Scope) {
        if self.ended.contains_key(&run) {
            self.fail("a signal was sent to a run that is over");
        }
        if scope == Scope::Main && self.reaped.contains(&run) {
            self.fail("a signal was sent to a main process after its reaping");
        }
        // What somebody ordered to be sent is none of ours.
        if scope != Scope::Main && signal != Signal::USR1 {
            let seen = self.seen(run);
            seen.signalled = seen.stopping.is_some();
        }
    }

    pub fn check_assist(&mut self, process: ProcessIx, run: RunId, role: Role) {
        if self.house_asked {
            self.fail("a command was begun after the end of the house");
        }
        let over = self.ended.contains_key(&run);
        let seen = self.seen(run).clone();
        let in_place = match role {
            Role::HealthTest | Role::PostStart(_) => {
                seen.executed && !over && seen.stopping.is_none()
            }
            Role::PreStop(_) => !over && seen.stopping.is_some() && !seen.signalled,
            Role::PostExit(_) => over,
        };
        if !in_place {
            self.fail(&format!("{role:?} has no place here: {seen:?}"));
        }
        let is_test = |role| role == Role::HealthTest;
        let under_way = self.errands.values().any(|errand| match is_test(role) {
            true => errand.run == run && is_test(errand.role),
            false => errand.process == process && !is_test(errand.role) && !errand.killed,
        });
        if under_way {
            self.fail("two commands of a kind at once");
        }
    }

    pub fn check_probe(&mut self, run: RunId, until: u64) {
        let (now, over) = (self.now, self.ended.contains_key(&run));
        let seen = self.seen(run);
        if now < seen.probe_until || !seen.executed || seen.stopping.is_some() || over {
            self.fail("a probe overlaps another, or is about nobody");
        }
        self.seen(run).probe_until = until;
    }

    /// What the mind tells the ledger is the truth, and in order.
    pub fn note(&mut self, event: Lifecycle) {
        match event {
            Lifecycle::OrderGiven { order, accepted: true } => self.note_order(order),
            Lifecycle::RunExecuted { run } => self.seen(run).executed = true,
            Lifecycle::RunReady { run } => self.note_ready(run),
            Lifecycle::HealthChanged { run, health } => {
                let seen = self.seen(run);
                seen.health = Some(health);
                if health == Health::Healthy {
                    seen.row = 0;
                }
                seen.ready = seen.was_ready && health != Health::Unhealthy;
            }
            Lifecycle::TestFailed { run, row, .. } => self.seen(run).row = row,
            Lifecycle::PhaseChanged { process, phase } => self.note_phase(process, phase),
            Lifecycle::RunEnded { run, end } => {
                self.seen(run).ready = false;
                if self.ended.insert(run, end).is_some() {
                    self.fail("a run ended twice");
                }
            }
            Lifecycle::RestartScheduled { process, delay, streak } => {
                let floor = self.plan.process(process).restart.backoff.delay;
                if delay < floor {
                    self.fail(&format!("back-off {delay:?} below its floor, streak {streak}"));
                }
                self.scheduled.insert(process, self.now + delay.as_nanos() as u64);
            }
            Lifecycle::ShutdownBegan { budget, .. } => {
                let reserve = Duration::from_secs(1).min(budget / 4);
                self.kill_at = Some(self.now + (budget - reserve).as_nanos() as u64);
            }
            Lifecycle::RunStopping { run, cause } => self.note_stopping(run, cause),
            Lifecycle::RunHeld { run, .. } if self.ended.contains_key(&run) => {
                self.fail("a run was held after its end");
            }
            Lifecycle::SignalArrived { response: SignalResponse::Shutdown, .. }
                if self.plan.mode == Mode::OneCommand =>
            {
                self.fail("one command is never stopped by a budget");
            }
            _ => {}
        }
    }

    fn note_ready(&mut self, run: RunId) {
        let process = self.process_of[&run];
        let plan = self.plan.process(process).clone();
        let (now, adjusted) = (self.now, self.adjusted.contains(&process));
        let seen = self.seen(run);
        let ready = plan.ready.as_ref();
        let line = seen.line || ready.is_none_or(|ready| ready.log.is_none());
        let notice = seen.notice || ready.is_none_or(|ready| !ready.notify);
        let tested = seen.health == Some(Health::Healthy)
            || plan.health.is_none()
            // It passed a test once, and says itself that it is back.
            || seen.was_ready;
        let shown = seen.executed && line && notice && tested;
        (seen.ready, seen.was_ready, seen.fed) = (true, true, now);
        if !shown && !adjusted {
            let seen = seen.clone();
            self.fail(&format!("ready before everything was shown: {seen:?}"));
        }
    }

    fn note_phase(&mut self, process: ProcessIx, phase: PhaseName) {
        self.phases.insert(process, phase);
        if phase == PhaseName::Waiting {
            // Whoever told it to start does not wait for the back-off.
            self.scheduled.remove(&process);
        }
        if phase != PhaseName::Ready {
            let live = self.process_of.iter().filter(|(_, ix)| **ix == process);
            for run in live.map(|(run, _)| *run).collect::<Vec<_>>() {
                self.seen(run).ready = false;
            }
        }
    }

    fn note_stopping(&mut self, run: RunId, cause: StopCause) {
        let seen = self.seen(run);
        (seen.ready, seen.stopping) = (false, Some(cause));
        if cause == StopCause::Shutdown {
            self.check_stop_order(self.process_of[&run]);
        }
    }

    /// Dependents end first, as long as there is time to be polite.
    fn check_stop_order(&self, process: ProcessIx) {
        let in_time = self.kill_at.is_some_and(|at| self.now < at) && !self.escalated;
        let depends = |ix: &ProcessIx| {
            self.plan.process(*ix).depends_on.iter().any(|on| on.process == process)
        };
        let lives =
            self.process_of.iter().any(|(run, ix)| depends(ix) && !self.ended.contains_key(run));
        if in_time && lives {
            self.fail("a process was asked to end before what depends on it had ended");
        }
    }

    /// Every order has one reply, at once; one that is not carried out does nothing else.
    pub fn check_order(&mut self, request: RequestId, wish: &Wish, done: &[Action]) {
        let replies: Vec<&Reply> = done
            .iter()
            .filter_map(|action| match action {
                Action::Reply { request: to, reply } if *to == request => Some(reply),
                _ => None,
            })
            .collect();
        let [reply] = replies[..] else { self.fail("an order has not exactly one reply") };
        match (reply, wish) {
            (Reply::UnknownName(_) | Reply::Refused(_), _) => {
                let told = |action: &Action| {
                    matches!(
                        action,
                        Action::Reply { .. } | Action::Record(Lifecycle::OrderGiven { .. })
                    )
                };
                if !done.iter().all(told) {
                    self.fail("an order that was not carried out did something");
                }
            }
            (Reply::Accepted(these), Wish::Stop(_)) => {
                let lives = |ix: &&ProcessIx| {
                    let mut runs = self.process_of.iter().filter(|(_, of)| of == ix);
                    runs.any(|(run, _)| !self.ended.contains_key(run))
                };
                self.held.extend(these.iter().filter(lives).copied().collect::<Vec<_>>());
            }
            (Reply::Reloaded(_), _) => self.check_reload(done),
            _ => {}
        }
    }

    /// Only those are ended that a reload changes, and those that are restarted along with them.
    fn check_reload(&self, done: &[Action]) {
        if !matches!(done.first(), Some(Action::Reconfigure(_)))
            && !matches!(done.get(1), Some(Action::Reconfigure(_)))
            && done.iter().any(|action| matches!(action, Action::Spawn { .. }))
            && self.scheduled_processes() == 0
        {
            self.fail("something was done before the plan was known");
        }
        let Some(changes) = done.iter().find_map(|action| match action {
            Action::Record(Lifecycle::PlanChanged { changes, .. }) => Some(changes),
            _ => None,
        }) else {
            self.fail("a reload was not told")
        };
        for action in done {
            let Action::Record(Lifecycle::RunStopping { run, cause }) = action else { continue };
            let process = self.process_of[run];
            let of_it = [&changes.restarted, &changes.removed, &changes.added];
            let changed = of_it.iter().any(|these| these.contains(&process));
            let along = self.plan.process(process).depends_on.iter().any(|on| on.restart);
            let right = match cause {
                StopCause::Reload => changed,
                StopCause::Dependency => along,
                // What can never start any more may decide the exit.
                StopCause::Shutdown => self.kill_at.is_some(),
                _ => false,
            };
            if !right {
                self.fail("a reload ended what it did not change");
            }
        }
    }

    fn scheduled_processes(&self) -> usize {
        self.plan.processes.iter().filter(|plan| plan.schedule.is_some()).count()
    }

    /// What waits for nothing any more is started; asked where no order has confused matters.
    fn check_the_waiting(&self) {
        if self.ordered.is_some() || self.kill_at.is_some() {
            return;
        }
        for (ix, plan) in self.plan.indexed() {
            let began = self.process_of.values().any(|of| *of == ix);
            let waits = self.phases.get(&ix).is_none_or(|phase| *phase == PhaseName::Waiting);
            if !began && waits && plan.depends_on.iter().all(|on| self.is_open(on)) {
                self.fail(&format!("{} waits for nothing", plan.name));
            }
        }
    }

    fn is_open(&self, on: &Dependency) -> bool {
        let plan = self.plan.process(on.process);
        let shows = plan.ready.is_some() || plan.health.is_some();
        let mut runs = self.process_of.iter().filter(|(_, ix)| **ix == on.process);
        runs.any(|(run, _)| match on.condition {
            Condition::Healthy if shows => self.seen[run].ready,
            Condition::Started | Condition::Healthy => self.seen[run].executed,
            Condition::CompletedSuccessfully => false,
        })
    }

    /// What must hold whenever the mind has nothing to do any more.
    pub fn check_the_pause(&self) {
        self.check_the_waiting();
        for (run, seen) in &self.seen {
            if self.ended.contains_key(run) || seen.stopping.is_some() {
                continue;
            }
            let Some(process) = self.process_of.get(run) else { continue };
            let plan = self.plan.process(*process);
            if let Some(health) = &plan.health {
                let sick = seen.health == Some(Health::Unhealthy);
                if sick
                    && health.on_unhealthy == OnUnhealthy::Restart
                    && !seen.pleaded
                    && !self.adjusted.contains(process)
                {
                    self.fail("an unhealthy run goes on");
                }
                if seen.row >= health.retries.max(1) && !sick && !self.adjusted.contains(process) {
                    self.fail("a run failed too often and is not unhealthy");
                }
            }
        }
    }

    /// Nothing is late, unless the whole machine stood still.
    pub fn check_the_clock(&self) {
        if self.freezes {
            return;
        }
        if let Some((_, late)) =
            self.errands.iter().find(|(_, errand)| !errand.killed && errand.kill_by < self.now)
        {
            self.fail(&format!("a command outlives its time: {late:?}"));
        }
        for (run, seen) in &self.seen {
            let Some(process) = self.process_of.get(run) else { continue };
            let over = self.ended.contains_key(run) || self.reaped.contains(run);
            if over || seen.stopping.is_some() || seen.pleaded || self.adjusted.contains(process) {
                continue;
            }
            let plan = self.plan.process(*process);
            let nanos = |time: Duration| time.as_nanos() as u64 + MILLI;
            if let (true, Some(every)) = (seen.ready, plan.watchdog)
                && seen.fed + nanos(every) < self.now
            {
                self.fail("a run that does not feed its watchdog goes on");
            }
            if let Some(time) = plan.ready.as_ref().and_then(|ready| ready.timeout)
                && !seen.was_ready
                && seen.opened + nanos(time) < self.now
            {
                self.fail("a run that is not ready in time goes on");
            }
        }
    }

    pub fn check_the_end(&self) {
        let (at, code) = self.exit.expect("the life ended");
        if let Some(asked) = self.asked_at {
            let budget = self.plan.shutdown_timeout.as_nanos() as u64;
            if at.saturating_sub(asked) > budget {
                self.fail(&format!("left {} ms after the budget", (at - asked - budget) / MILLI));
            }
        }
        for run in &self.forked {
            if !self.ended.contains_key(run) {
                self.fail("a run has no end");
            }
        }
        if self.errands.values().any(|errand| !errand.killed) {
            self.fail("we left, and a command was neither over nor killed");
        }
        // SIGKILL works on all but those that hang, so that whoever is left was forgotten.
        let told = |run: &RunId| self.reaped.contains(run);
        if self.living.values().any(|fake| !fake.hangs && !fake.is_main && told(&fake.run)) {
            self.fail("we left, and something lives");
        }
        if code == 70 {
            self.fail("an internal failure");
        }
    }
}

fn was_well(plan: &ProcessPlan, end: &RunEnd) -> bool {
    let failed_us = matches!(
        end.reason,
        EndReason::Interrupted(
            StopCause::Unhealthy | StopCause::NotReady | StopCause::Watchdog | StopCause::TimeUp
        )
    );
    let code = plan.restart.success_codes.contains(&end.status.code());
    !failed_us && (end.status == ExitStatus::Code(0) || code)
}
