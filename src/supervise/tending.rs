//! A run while it lives: executed, ready, healthy, fed; and what leads to its being ended.

use crate::config::plan::{HealthPlan, OnUnhealthy};
use crate::supervise::action::Scope;
use crate::supervise::care::Sign;
use crate::supervise::health::Finding;
use crate::supervise::input::News;
use crate::supervise::lifecycle::{EndReason, Lifecycle, StopCause};
use crate::supervise::phase::{Ending, Phase, Run, Rung};
use crate::supervise::process::{NEVER, Process};
use crate::supervise::turn::Turn;
use crate::units::Signal;

/// What systemd sends to what did not feed its watchdog, so that it leaves a core.
const ABRT: Signal = Signal(6);

impl Process {
    /// Starting → Started, Ready.
    pub(in crate::supervise) fn execute(&mut self, run: Run, turn: &mut Turn<'_>) {
        self.begin(run, turn);
        self.care.begin_hooks(run.id, turn);
        self.become_ready(run, turn);
    }

    /// → Started.
    pub(in crate::supervise) fn begin(&mut self, run: Run, turn: &mut Turn<'_>) {
        self.executed = true;
        turn.record(Lifecycle::RunExecuted { run: run.id });
        self.phase = Phase::Started { run };
        self.care.begin_tests(run.id, turn);
    }

    /// Started → Ready, once everything was shown.
    pub(in crate::supervise) fn become_ready(&mut self, run: Run, turn: &mut Turn<'_>) {
        if matches!(self.phase, Phase::Started { .. }) && self.care.has_shown_all() {
            turn.record(Lifecycle::RunReady { run: run.id });
            self.care.settle(turn);
            self.phase = Phase::Ready { run };
        }
    }

    /// Starting, Started, Ready: something was heard.
    pub(in crate::supervise) fn heard(&mut self, run: Run, news: News, turn: &mut Turn<'_>) {
        match news {
            News::Shown(sign) => {
                self.care.show(sign);
                self.become_ready(run, turn);
            }
            News::Errand(errand, end) => {
                let finding = self.care.errand_ended(errand, end, turn);
                self.judge(run, finding, turn);
            }
            News::Probed(test, failure) => {
                let finding = self.care.probed(test, failure, turn);
                self.judge(run, finding, turn);
            }
            News::Stopping => self.ends_itself(run, turn),
            News::Reloading => self.unready(run, turn),
            News::Fed if matches!(self.phase, Phase::Ready { .. }) => self.care.feed(turn),
            News::Fed => {}
            News::Starved => self.bark(run, turn),
            News::Extended(longer) => self.care.extend(longer, turn),
        }
    }

    /// Starting, Started, Ready: its time is up, or a deadline of its care passed.
    pub(in crate::supervise) fn tend(&mut self, run: Run, turn: &mut Turn<'_>) {
        if run.until.is_some_and(|until| turn.is_past(until)) {
            return self.ask(run, StopCause::TimeUp, NEVER, turn);
        }
        if self.care.is_late(turn) {
            return self.ask(run, StopCause::NotReady, NEVER, turn);
        }
        if self.care.is_starved(turn) {
            return self.bark(run, turn);
        }
        let finding = self.care.tick(turn);
        self.judge(run, finding, turn);
    }

    /// Started, Ready: another plan holds for the same run.
    pub(in crate::supervise) fn adjust(&mut self, run: Run, turn: &mut Turn<'_>) {
        self.care.adjust(run.id, turn);
        let run = Run { until: turn.plan.max_duration.map(|most| run.since.after(most)), ..run };
        match &mut self.phase {
            Phase::Ready { run: held } => {
                *held = run;
                self.care.feed(turn);
            }
            Phase::Started { run: held } => {
                *held = run;
                self.become_ready(run, turn);
            }
            _ => {}
        }
    }

    fn judge(&mut self, run: Run, finding: Finding, turn: &mut Turn<'_>) {
        let plan = turn.plan;
        let restarts = |health: &HealthPlan| health.on_unhealthy == OnUnhealthy::Restart;
        match finding {
            Finding::Nothing => {}
            Finding::Passed => {
                self.care.show(Sign::Test);
                self.become_ready(run, turn);
            }
            Finding::Unhealthy if plan.health.as_ref().is_some_and(restarts) => {
                self.ask(run, StopCause::Unhealthy, NEVER, turn);
            }
            // What is not ready yet must pass once more.
            Finding::Unhealthy if !matches!(self.phase, Phase::Ready { .. }) => {
                self.care.demand(Sign::Test)
            }
            Finding::Unhealthy => {}
        }
    }

    /// Ready → Started: it says that it cannot be used until it says so again. Who waits for other
    /// signs as well waits for this one again.
    fn unready(&mut self, run: Run, turn: &mut Turn<'_>) {
        let unsettled = self.care.unsettle(turn);
        if unsettled && matches!(self.phase, Phase::Ready { .. }) {
            self.phase = Phase::Started { run };
        }
    }

    /// → Stopping: it did not feed its watchdog, so that asking it politely is of no use.
    fn bark(&mut self, run: Run, turn: &mut Turn<'_>) {
        if turn.plan.watchdog.is_none() {
            return;
        }
        self.care.end(turn);
        let ending = self.ending(EndReason::Interrupted(StopCause::Watchdog), NEVER, turn);
        turn.record(Lifecycle::RunStopping { run: run.id, cause: StopCause::Watchdog });
        turn.signal(run.id, ABRT, Scope::Group);
        turn.signal(run.id, Signal::CONT, Scope::Group);
        self.phase = Phase::Stopping { run, ending };
    }

    /// → Stopping: it ends by itself, and has as long for that as if it had been asked.
    fn ends_itself(&mut self, run: Run, turn: &mut Turn<'_>) {
        self.care.end(turn);
        let ending = self.ending(EndReason::Itself, NEVER, turn);
        self.phase = Phase::Stopping { run, ending };
    }

    /// Stopping: something was heard of it or of a command that comes before the asking.
    pub(in crate::supervise) fn heard_late(
        &mut self,
        run: Run,
        mut ending: Ending,
        news: News,
        turn: &mut Turn<'_>,
    ) {
        match (news, ending.rung) {
            (News::Errand(errand, end), Rung::Hooks(chain)) if chain.is(errand) => {
                let chain = chain.ended(end, turn);
                self.go_on(run, ending, chain, turn);
            }
            (News::Extended(longer), Rung::Asked | Rung::AllAsked) => {
                let until = turn.now.mono.after(longer).min(ending.latest);
                ending.until = ending.until.max(until);
                self.phase = Phase::Stopping { run, ending };
            }
            _ => {}
        }
    }
}
