//! How a live run is looked after: what it must still show before it counts as ready, its health
//! tests, its watchdog and the commands that come after its start. Empty for most.

use std::time::Duration;

use crate::config::plan::ProcessPlan;
use crate::supervise::fact::ErrandEnd;
use crate::supervise::health::{Checkup, Finding, was_frozen};
use crate::supervise::hooks::{Chain, List, Occasion};
use crate::supervise::lifecycle::{Health, TestFailure};
use crate::supervise::turn::Turn;
use crate::units::{ErrandId, Mono, RunId};

/// What a run shows when it can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// A line of its output matched.
    Line,
    /// It said so itself.
    Notice,
    /// A health test passed.
    Test,
}

/// The care for one run.
#[derive(Clone, Debug, Default)]
pub struct Care {
    /// What must still be shown.
    missing: Vec<Sign>,
    /// When it must be ready.
    ready_by: Option<Mono>,
    /// When its watchdog must have been fed.
    fed_by: Option<Mono>,
    checkup: Option<Checkup>,
    chain: Option<Chain>,
}

impl Care {
    /// For a run that is about to be spawned: it may show signs before its execution is told.
    pub fn of_a_new_run(turn: &Turn<'_>) -> Self {
        let missing = signs(turn.plan);
        Self { missing, ready_by: ready_by(turn), ..Self::default() }
    }

    /// For a run that was taken over: its output and its notices reached an earlier life, so that
    /// only a test can show anything.
    pub fn of_a_found_run(turn: &Turn<'_>) -> Self {
        let mut care = Self::of_a_new_run(turn);
        care.missing.retain(|sign| *sign == Sign::Test);
        care
    }

    /// The program was executed: the tests begin.
    pub fn begin_tests(&mut self, run: RunId, turn: &mut Turn<'_>) {
        let plan = turn.plan;
        self.checkup = plan.health.as_ref().map(|health| Checkup::begin(run, health, turn));
    }

    /// The program was executed: the commands that come after that begin.
    pub fn begin_hooks(&mut self, run: RunId, turn: &mut Turn<'_>) {
        let latest = Mono(u64::MAX);
        let occasion = Occasion { list: List::PostStart, run, status: None, latest };
        self.chain = Chain::begin(occasion, turn);
    }

    /// When something is to be done.
    pub fn deadline(&self) -> Option<Mono> {
        let checkup = self.checkup.as_ref().map(Checkup::deadline);
        let chain = self.chain.as_ref().map(Chain::deadline);
        [self.ready_by, self.fed_by, checkup, chain].into_iter().flatten().min()
    }

    /// What is known of its health; `None` where nobody asks.
    pub fn health(&self) -> Option<Health> {
        self.checkup.as_ref().map(Checkup::health)
    }

    /// Something was shown.
    pub fn show(&mut self, sign: Sign) {
        self.missing.retain(|missing| *missing != sign);
    }

    /// Something must be shown, once more if it was before.
    pub fn demand(&mut self, sign: Sign) {
        if !self.missing.contains(&sign) {
            self.missing.push(sign);
        }
    }

    /// Whether all was shown.
    pub fn has_shown_all(&self) -> bool {
        self.missing.is_empty()
    }

    /// It is ready: from now on it must feed its watchdog.
    pub fn settle(&mut self, turn: &Turn<'_>) {
        self.ready_by = None;
        self.feed(turn);
    }

    /// It is not ready until it says so again. Believed only of those that say when they are.
    pub fn unsettle(&mut self, turn: &Turn<'_>) -> bool {
        let speaks = turn.plan.ready.as_ref().is_some_and(|ready| ready.notify);
        if speaks && !self.missing.contains(&Sign::Notice) {
            self.demand(Sign::Notice);
            self.ready_by = ready_by(turn);
            self.fed_by = None;
        }
        speaks
    }

    /// It fed its watchdog.
    pub fn feed(&mut self, turn: &Turn<'_>) {
        self.fed_by = turn.plan.watchdog.map(|every| turn.now.mono.after(every));
    }

    /// It needs so much longer, from now, to become ready.
    pub fn extend(&mut self, longer: Duration, turn: &Turn<'_>) {
        self.ready_by = self.ready_by.map(|by| by.max(turn.now.mono.after(longer)));
    }

    /// Whether it is too late to become ready.
    pub fn is_late(&mut self, turn: &Turn<'_>) -> bool {
        match self.ready_by {
            Some(by) if turn.is_past(by) && was_frozen(by, turn) => {
                self.ready_by = ready_by(turn);
                false
            }
            Some(by) => turn.is_past(by),
            None => false,
        }
    }

    /// Whether the watchdog was not fed in time.
    pub fn is_starved(&mut self, turn: &Turn<'_>) -> bool {
        match self.fed_by {
            Some(by) if turn.is_past(by) && was_frozen(by, turn) => {
                self.feed(turn);
                false
            }
            Some(by) => turn.is_past(by),
            None => false,
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, turn: &mut Turn<'_>) -> Finding {
        self.chain = self.chain.and_then(|chain| chain.tick(turn));
        let plan = turn.plan;
        match (&mut self.checkup, &plan.health) {
            (Some(checkup), Some(health)) => checkup.tick(health, turn),
            _ => Finding::Nothing,
        }
    }

    /// A command ended.
    pub fn errand_ended(
        &mut self,
        errand: ErrandId,
        end: ErrandEnd,
        turn: &mut Turn<'_>,
    ) -> Finding {
        if let Some(chain) = self.chain.filter(|chain| chain.is(errand)) {
            self.chain = chain.ended(end, turn);
        }
        let plan = turn.plan;
        match (&mut self.checkup, &plan.health) {
            (Some(checkup), Some(health)) => checkup.errand_ended(errand, end, health, turn),
            _ => Finding::Nothing,
        }
    }

    /// A test without a command was answered.
    pub fn probed(
        &mut self,
        test: u64,
        failure: Option<TestFailure>,
        turn: &mut Turn<'_>,
    ) -> Finding {
        let plan = turn.plan;
        match (&mut self.checkup, &plan.health) {
            (Some(checkup), Some(health)) => checkup.probed(test, failure, health, turn),
            _ => Finding::Nothing,
        }
    }

    /// Another plan holds for the same run: what is new is asked for, what is gone is not.
    pub fn adjust(&mut self, run: RunId, turn: &mut Turn<'_>) {
        let wanted = signs(turn.plan);
        self.missing.retain(|sign| wanted.contains(sign));
        self.ready_by = if self.has_shown_all() { None } else { ready_by(turn) };
        match (self.checkup.take(), &turn.plan.health) {
            (Some(checkup), None) => checkup.end(turn),
            (None, Some(_)) => {
                if !self.has_shown_all() {
                    self.demand(Sign::Test);
                }
                self.begin_tests(run, turn);
            }
            (Some(mut checkup), Some(health)) => {
                checkup.adjust(health, turn);
                self.checkup = Some(checkup);
            }
            (None, None) => {}
        }
    }

    /// The run is being ended, or is over: nothing is asked of it any more, and the commands beside
    /// it are killed.
    pub fn end(&mut self, turn: &mut Turn<'_>) {
        let care = std::mem::take(self);
        if let Some(chain) = care.chain {
            chain.cut(turn);
        }
        if let Some(checkup) = care.checkup {
            checkup.end(turn);
        }
    }
}

/// What a run of this plan must show.
fn signs(plan: &ProcessPlan) -> Vec<Sign> {
    let ready = plan.ready.as_ref();
    let line = ready.is_some_and(|ready| ready.log.is_some()).then_some(Sign::Line);
    let notice = ready.is_some_and(|ready| ready.notify).then_some(Sign::Notice);
    let test = plan.health.as_ref().map(|_| Sign::Test);
    [line, notice, test].into_iter().flatten().collect()
}

fn ready_by(turn: &Turn<'_>) -> Option<Mono> {
    let timeout = turn.plan.ready.as_ref().and_then(|ready| ready.timeout);
    timeout.map(|timeout| turn.now.mono.after(timeout))
}
