//! The health of one run, as it is learnt by asking again and again. At most one test is under way;
//! one that is not answered in time has failed, whoever was to answer.

use std::time::Duration;

use crate::config::plan::{HealthPlan, Test};
use crate::supervise::action::Action;
use crate::supervise::fact::ErrandEnd;
use crate::supervise::lifecycle::{Health, Lifecycle, Role, TestFailure};
use crate::supervise::turn::Turn;
use crate::units::{ErrandId, ExitStatus, Mono, RunId};

/// A deadline that is met so much later than it was due says that we did not run ourselves: the
/// container was frozen, or the machine was. Nothing of that is held against a process.
const FROZEN: Duration = Duration::from_secs(1);

/// The least time between two tests, so that no plan makes a busy loop of us.
const LEAST_INTERVAL: Duration = Duration::from_millis(10);

/// Whether a deadline is met so late that it says nothing about whoever was to keep it.
pub fn was_frozen(due: Mono, turn: &Turn<'_>) -> bool {
    turn.now.mono.since(due) > FROZEN
}

/// What the asking has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Nothing that others must know.
    Nothing,
    /// A test passed.
    Passed,
    /// The run is unhealthy; told with each failure, since another plan may draw another conclusion.
    Unhealthy,
}

/// What is known of a run's health.
#[derive(Clone, Debug)]
pub struct Checkup {
    run: RunId,
    began: Mono,
    health: Health,
    /// When a failure counted last; when the program was executed, while none has.
    counted: Mono,
    /// Failures in a row.
    row: u32,
    asking: Asking,
}

/// Where the asking stands.
#[derive(Clone, Copy, Debug)]
enum Asking {
    /// The next test begins then.
    Pausing { until: Mono },
    /// A command runs.
    Errand { errand: ErrandId, late_at: Mono },
    /// A test without a command is under way.
    Probe { test: u64, late_at: Mono },
    /// A command took too long and was killed, but is not gone; until it is, every interval counts
    /// as another failure rather than as another command.
    Overdue { errand: ErrandId, until: Mono },
}

impl Checkup {
    /// The program was executed just now.
    pub fn begin(run: RunId, plan: &HealthPlan, turn: &mut Turn<'_>) -> Self {
        let health = Health::Starting;
        turn.record(Lifecycle::HealthChanged { run, health });
        let now = turn.now.mono;
        let asking = Asking::Pausing { until: now.after(plan.start_interval.max(LEAST_INTERVAL)) };
        Self { run, began: now, health, counted: now, row: 0, asking }
    }

    /// What is known.
    pub fn health(&self) -> Health {
        self.health
    }

    /// When something is to be done.
    pub fn deadline(&self) -> Mono {
        match self.asking {
            Asking::Pausing { until } | Asking::Overdue { until, .. } => until,
            Asking::Errand { late_at, .. } | Asking::Probe { late_at, .. } => late_at,
        }
    }

    /// Time has passed: a test begins, or the one under way took too long.
    pub fn tick(&mut self, plan: &HealthPlan, turn: &mut Turn<'_>) -> Finding {
        if !turn.is_past(self.deadline()) {
            return Finding::Nothing;
        }
        match self.asking {
            Asking::Pausing { .. } => self.ask(plan, turn),
            Asking::Errand { late_at, .. } | Asking::Probe { late_at, .. }
                if was_frozen(late_at, turn) =>
            {
                self.renew(turn.now.mono.after(plan.timeout))
            }
            Asking::Errand { errand, .. } => {
                turn.end_errand(errand);
                self.overdue(errand, plan, turn)
            }
            Asking::Overdue { errand, .. } => self.overdue(errand, plan, turn),
            Asking::Probe { .. } => {
                self.pause(plan, turn);
                self.failed(TestFailure::TimedOut, plan, turn)
            }
        }
    }

    /// A command ended; it may be anybody's.
    pub fn errand_ended(
        &mut self,
        errand: ErrandId,
        end: ErrandEnd,
        plan: &HealthPlan,
        turn: &mut Turn<'_>,
    ) -> Finding {
        match self.asking {
            Asking::Errand { errand: ours, .. } if ours == errand => {
                let passed = end == ErrandEnd::Exited(ExitStatus::Code(0));
                self.answered((!passed).then_some(TestFailure::Command(end)), plan, turn)
            }
            Asking::Overdue { errand: ours, until } if ours == errand => {
                self.asking = Asking::Pausing { until };
                Finding::Nothing
            }
            _ => Finding::Nothing,
        }
    }

    /// A test without a command was answered; an answer to another one comes too late.
    pub fn probed(
        &mut self,
        test: u64,
        failure: Option<TestFailure>,
        plan: &HealthPlan,
        turn: &mut Turn<'_>,
    ) -> Finding {
        match self.asking {
            Asking::Probe { test: ours, .. } if ours == test => self.answered(failure, plan, turn),
            _ => Finding::Nothing,
        }
    }

    /// Another plan holds: the next test begins at once, and one that is under way has no longer than
    /// this plan gives it from now.
    pub fn adjust(&mut self, plan: &HealthPlan, turn: &Turn<'_>) {
        let now = turn.now.mono;
        let timeout = now.after(plan.timeout.max(LEAST_INTERVAL));
        match &mut self.asking {
            Asking::Pausing { until } => *until = now,
            Asking::Errand { late_at, .. } | Asking::Probe { late_at, .. } => {
                *late_at = timeout.min(*late_at);
            }
            Asking::Overdue { until, .. } => {
                *until = now.after(plan.interval.max(LEAST_INTERVAL)).min(*until);
            }
        }
    }

    /// Nothing is asked any more; a command that runs is killed.
    pub fn end(self, turn: &mut Turn<'_>) {
        if let Asking::Errand { errand, .. } = self.asking {
            turn.end_errand(errand);
        }
    }

    fn ask(&mut self, plan: &HealthPlan, turn: &mut Turn<'_>) -> Finding {
        let late_at = turn.now.mono.after(plan.timeout.max(LEAST_INTERVAL));
        self.asking = match plan.test {
            Test::Exec(_) => {
                let errand = turn.assist(self.run, Role::HealthTest, None);
                Asking::Errand { errand, late_at }
            }
            Test::Http { .. } | Test::Tcp(_) => {
                let (test, run, process) = (turn.source.test(), self.run, turn.ix);
                turn.out.push_back(Action::Probe { run, process, test });
                Asking::Probe { test, late_at }
            }
        };
        Finding::Nothing
    }

    fn renew(&mut self, later: Mono) -> Finding {
        match &mut self.asking {
            Asking::Errand { late_at, .. } | Asking::Probe { late_at, .. } => *late_at = later,
            Asking::Pausing { .. } | Asking::Overdue { .. } => {}
        }
        Finding::Nothing
    }

    fn overdue(&mut self, errand: ErrandId, plan: &HealthPlan, turn: &mut Turn<'_>) -> Finding {
        self.pause(plan, turn);
        self.asking = Asking::Overdue { errand, until: self.deadline() };
        self.failed(TestFailure::TimedOut, plan, turn)
    }

    fn answered(
        &mut self,
        failure: Option<TestFailure>,
        plan: &HealthPlan,
        turn: &mut Turn<'_>,
    ) -> Finding {
        let finding = match failure {
            Some(failure) => self.failed(failure, plan, turn),
            None => self.passed(turn),
        };
        self.pause(plan, turn);
        finding
    }

    fn pause(&mut self, plan: &HealthPlan, turn: &Turn<'_>) {
        let starting = self.health == Health::Starting;
        let interval = if starting { plan.start_interval } else { plan.interval };
        let until = turn.now.mono.after(interval.max(LEAST_INTERVAL));
        self.asking = Asking::Pausing { until };
    }

    fn passed(&mut self, turn: &mut Turn<'_>) -> Finding {
        self.row = 0;
        self.become_known(Health::Healthy, turn);
        Finding::Passed
    }

    /// Before a first test has passed there are tests every `start_interval`, and of their failures
    /// one in an `interval` counts: the others only ask whether it is up by now, and whoever wrote
    /// `retries` reckoned with as much time as Compose gives.
    fn failed(&mut self, failure: TestFailure, plan: &HealthPlan, turn: &mut Turn<'_>) -> Finding {
        let run = self.run;
        let counts_from =
            self.began.after(plan.start_period).max(self.counted.after(plan.interval));
        if self.health == Health::Starting && !turn.is_past(counts_from) {
            turn.record(Lifecycle::TestFailed { run, failure, row: 0, said: None });
            return Finding::Nothing;
        }
        self.counted = turn.now.mono;
        self.row = self.row.saturating_add(1);
        turn.record(Lifecycle::TestFailed { run, failure, row: self.row, said: None });
        if self.row < plan.retries.max(1) {
            return Finding::Nothing;
        }
        self.become_known(Health::Unhealthy, turn);
        Finding::Unhealthy
    }

    fn become_known(&mut self, health: Health, turn: &mut Turn<'_>) {
        if self.health != health {
            self.health = health;
            turn.record(Lifecycle::HealthChanged { run: self.run, health });
        }
    }
}
