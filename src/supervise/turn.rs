//! What one step of a process may look at and write to, and where ids and chance come from.

use std::collections::VecDeque;

use crate::config::plan::{ProcessPlan, Schedule};
use crate::supervise::action::{Action, Scope};
use crate::supervise::lifecycle::{Lifecycle, Role};
use crate::units::{ErrandId, ExitStatus, Mono, Now, ProcessIx, RunId, SessionId, Signal};

/// What a step may look at and write to.
pub struct Turn<'a> {
    /// The time of the step.
    pub now: Now,
    /// Which process.
    pub ix: ProcessIx,
    /// How it is to be run.
    pub plan: &'a ProcessPlan,
    /// Ids and chance.
    pub source: &'a mut Source,
    /// Where actions go.
    pub out: &'a mut VecDeque<Action>,
}

impl Turn<'_> {
    /// Tells the ledger.
    pub fn record(&mut self, event: Lifecycle) {
        self.out.push_back(Action::Record(event));
    }

    /// Sends a signal.
    pub fn signal(&mut self, run: RunId, signal: Signal, scope: Scope) {
        self.out.push_back(Action::Signal { run, signal, scope });
    }

    /// Asks what is left of a tree to end, and asks to be told when it has.
    pub fn end_tree(&mut self, run: RunId) {
        self.signal(run, Signal::TERM, Scope::Tree);
        self.signal(run, Signal::CONT, Scope::Tree);
        self.out.push_back(Action::AwaitTree { run });
    }

    /// Has a command run beside the process.
    pub fn assist(&mut self, run: RunId, role: Role, status: Option<ExitStatus>) -> ErrandId {
        let (errand, process) = (self.source.errand(), self.ix);
        self.out.push_back(Action::Assist { errand, process, run, role, status });
        errand
    }

    /// Has an errand killed.
    pub fn end_errand(&mut self, errand: ErrandId) {
        self.out.push_back(Action::EndErrand { errand });
    }

    /// When the process runs by the clock.
    pub fn schedule(&self) -> Option<&Schedule> {
        self.plan.schedule.as_ref()
    }

    /// Whether this point in time has come.
    pub fn is_past(&self, at: Mono) -> bool {
        at <= self.now.mono
    }
}

/// Where ids and chance come from: counters and a seed.
pub struct Source {
    rng: fastrand::Rng,
    next_run: u64,
    next_errand: u64,
    next_test: u64,
}

impl Source {
    /// The same seed gives the same ids and the same jitter.
    pub fn new(seed: u64) -> Self {
        let rng = fastrand::Rng::with_seed(seed);
        Self { rng, next_run: 1, next_errand: 1, next_test: 1 }
    }

    /// A new run.
    pub fn run(&mut self) -> RunId {
        RunId(take(&mut self.next_run))
    }

    /// A new session, opened now.
    pub fn session(&mut self, now: Now) -> SessionId {
        SessionId::new(now.wall, self.rng.u128(..))
    }

    /// The number of a new test.
    pub fn test(&mut self) -> u64 {
        take(&mut self.next_test)
    }

    /// Uniform in [0, 1).
    pub fn chance(&mut self) -> f64 {
        self.rng.f64()
    }

    fn errand(&mut self) -> ErrandId {
        ErrandId(take(&mut self.next_errand))
    }
}

fn take(next: &mut u64) -> u64 {
    let taken = *next;
    *next += 1;
    taken
}
