//! THE MIND. A fact in, all actions drained, one next deadline out; nothing here moves.
//!
//! [`Machine`] holds every process and the house. The body calls [`Machine::handle`] for each
//! fact, or [`Machine::handle_deadline`] when the time it asked for has come, then takes actions
//! with [`Machine::next_action`] until there are none, then sleeps until
//! [`Machine::next_deadline`] or the next fact. Extra calls change nothing. Time and chance are
//! arguments: the same plan, seed and facts always give the same actions.
//!
//! What one process does is a table in [`process`]; here is what they have to do with each other.
//! No turn looks at every process: what a step changes says who must be looked at next.

pub mod action;
pub mod fact;
pub mod lifecycle;
pub mod wish;
pub mod phase;
pub mod input;
pub mod process;
pub mod tending;
pub mod ladder;
pub mod after;
pub mod care;
pub mod health;
pub mod hooks;
pub mod turn;
pub mod backoff;
pub mod order;
pub mod timers;
pub mod clockwork;
pub mod shutdown;
mod descent;
mod hearing;
mod orders;
mod reload;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::config::plan::{Condition, Dependency, OnCrashLoop, Plan, Standing};
use crate::supervise::action::Action;
use crate::supervise::clockwork::Clockwork;
use crate::supervise::fact::Fact;
use crate::supervise::input::{Input, News};
use crate::supervise::lifecycle::{Lifecycle, PhaseName, ShutdownCause, StopCause};
use crate::supervise::order::Order;
use crate::supervise::phase::{Goal, Phase, Verdict};
use crate::supervise::process::Process;
use crate::supervise::shutdown::{Decision, House};
use crate::supervise::timers::Timers;
use crate::supervise::turn::{Source, Turn};
use crate::units::{ErrandId, Mono, Now, ProcessIx, RunId};

/// Everything that is decided in one life.
pub struct Machine {
    plan: Arc<Plan>,
    processes: Vec<Process>,
    order: Order,
    house: House,
    decision: Decision,
    source: Source,
    timers: Timers,
    clockwork: Clockwork,
    tally: Tally,
    /// Whose run each live run is.
    runs: BTreeMap<RunId, ProcessIx>,
    /// Whose command each one is that was not answered yet.
    errands: BTreeMap<ErrandId, ProcessIx>,
    /// Who must be looked at because they may have become free to start.
    free: BTreeSet<ProcessIx>,
    /// Whose runs are to be ended while the house is up, and why, until it is their turn.
    asking: BTreeMap<ProcessIx, StopCause>,
    /// Whose turn to be ended may have come, while the house is up or while it goes down.
    due: BTreeSet<ProcessIx>,
    /// Commands beside the plan, the longest known first.
    spawned: VecDeque<ProcessIx>,
    out: VecDeque<Action>,
}

/// How many processes keep what from being over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    /// Those that have not ended for good.
    open: usize,
    /// Those for which the house stays up.
    keeping: usize,
    /// Those whose run is still to end before they run anew.
    returning: usize,
}

impl Tally {
    /// With one process more as `after`, and one less as `before`.
    fn changed(self, before: Self, after: Self) -> Self {
        Self {
            open: self.open + after.open - before.open,
            keeping: self.keeping + after.keeping - before.keeping,
            returning: self.returning + after.returning - before.returning,
        }
    }
}

/// What others may go by in a process; when it changes, they are looked at.
#[derive(Clone, Copy, PartialEq)]
struct Mark {
    phase: PhaseName,
    goal: Goal,
    verdict: Option<Verdict>,
    run: Option<RunId>,
    executed: bool,
    ready: bool,
}

impl Mark {
    fn of(process: &Process) -> Self {
        Self {
            phase: process.phase_name(),
            goal: process.goal(),
            verdict: process.verdict(),
            run: process.run(),
            executed: process.was_executed(),
            ready: process.is_ready(),
        }
    }

    /// What was stopped by an order is not done: it may be started again, so that the house stays up
    /// for it.
    fn tally(self, standing: Standing) -> Tally {
        let open = self.verdict.is_none();
        let keeping = match standing {
            Standing::Wanted => open || self.goal == Goal::Stopped,
            Standing::OnDemand => open,
            Standing::Spawned | Standing::Retired => false,
        };
        let lives = self.run.is_some() || self.phase == PhaseName::Stopping;
        let returning = lives && self.goal.runs_anew();
        Tally {
            open: usize::from(open),
            keeping: usize::from(keeping),
            returning: usize::from(returning),
        }
    }
}

impl Machine {
    /// A house in which nothing has begun. The seed decides ids and jitter.
    pub fn new(plan: Arc<Plan>, seed: u64) -> Self {
        let mut machine = Self {
            processes: plan.processes.iter().map(Process::new).collect(),
            order: Order::of(&plan),
            house: House::Waking,
            decision: Decision::of(&plan),
            source: Source::new(seed),
            timers: Timers::default(),
            clockwork: Clockwork::default(),
            tally: Tally::default(),
            runs: BTreeMap::new(),
            errands: BTreeMap::new(),
            free: plan.indexed().map(|(ix, _)| ix).collect(),
            asking: BTreeMap::new(),
            due: BTreeSet::new(),
            spawned: VecDeque::new(),
            out: VecDeque::new(),
            plan,
        };
        machine.count();
        machine
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Now, fact: Fact) {
        match fact {
            Fact::Began => self.begin(now),
            Fact::Found { process, run } => self.step(now, process, Input::Found(run)),
            Fact::Forked { run, id } => self.step_run(now, run, Input::Forked(id)),
            Fact::Executed { run } => self.step_run(now, run, Input::Executed),
            Fact::SpawnFailed { run, failure } => {
                self.step_run(now, run, Input::SpawnFailed(failure));
            }
            Fact::Exited { run, status, usage, leftovers } => {
                self.step_run(now, run, Input::Exited(status, usage, leftovers));
            }
            Fact::TreeEmptied { run } => self.step_run(now, run, Input::TreeEmptied),
            Fact::OrphansReaped { process, status, count } => {
                self.record(Lifecycle::OrphansReaped { process, status, count });
            }
            Fact::HoldersNamed { run, holders } => self.holders_named(now, run, holders),
            Fact::ErrandEnded { errand, end } => {
                if let Some(ix) = self.errands.remove(&errand) {
                    self.step(now, ix, Input::Heard(News::Errand(errand, end)));
                }
            }
            Fact::Probed { run, test, failure } => {
                self.step_run(now, run, Input::Heard(News::Probed(test, failure)));
            }
            Fact::LineMatched { run } => self.line_matched(now, run),
            Fact::Notified { run, notice } => self.notified(now, run, notice),
            Fact::FilesChanged { process } => self.files_changed(now, process),
            Fact::ReloadFailed { faults } => self.record(Lifecycle::ReloadFailed { faults }),
            Fact::Requested { request, wish } => self.requested(now, request, wish),
            Fact::HouseEmptied => self.house_emptied(),
            Fact::SignalArrived { signal } => self.signal_arrived(now, signal),
        }
        self.settle(now);
    }

    /// Does what was put off until now. Calling too early, or twice, changes nothing.
    pub fn handle_deadline(&mut self, now: Now) {
        for ix in self.timers.late(now.mono) {
            self.step(now, ix, Input::Deadline);
        }
        if self.clockwork.deadline().is_some_and(|at| at <= now.mono) {
            self.look_at_the_clock(now);
        }
        if self.house.deadline().is_some_and(|until| until <= now.mono) {
            self.house_is_late(now);
        }
        self.settle(now);
    }

    /// The next thing to do, in order.
    pub fn next_action(&mut self) -> Option<Action> {
        self.out.pop_front()
    }

    /// When [`Machine::handle_deadline`] wants to be called.
    pub fn next_deadline(&self) -> Option<Mono> {
        let up = !self.house.is_going_down();
        let clock = self.clockwork.deadline().filter(|_| up);
        [self.timers.next(), self.house.deadline(), clock].into_iter().flatten().min()
    }

    /// Where the house stands.
    pub fn house(&self) -> House {
        self.house
    }

    /// The plan that holds.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Survivors were told of: what may start may start.
    fn begin(&mut self, now: Now) {
        if self.house != House::Waking {
            return;
        }
        self.house = House::Up;
        self.clockwork = Clockwork::wound(&self.plan, now);
        for (at, process) in self.processes.iter().enumerate() {
            if matches!(process.phase(), Phase::Idle { .. } | Phase::Done(_)) {
                let (process, phase) = (ProcessIx(at), process.phase_name());
                self.out.push_back(Action::Record(Lifecycle::PhaseChanged { process, phase }));
            }
        }
        let waiting = self.waiting();
        self.wake_the_needed(now, &waiting);
    }

    fn waiting(&self) -> BTreeSet<ProcessIx> {
        let places = self.processes.iter().enumerate();
        let waiting = places.filter(|(_, process)| *process.phase() == Phase::Waiting);
        waiting.map(|(at, _)| ProcessIx(at)).collect()
    }

    fn step_run(&mut self, now: Now, run: RunId, input: Input) {
        // News of a run that nobody holds any more changes nothing.
        if let Some(ix) = self.runs.get(&run) {
            self.step(now, *ix, input);
        }
    }

    fn step(&mut self, now: Now, ix: ProcessIx, input: Input) {
        let Some(process) = self.processes.get_mut(ix.0) else { return };
        let (before, done) = (Mark::of(process), self.out.len());
        let plan = &self.plan.processes[ix.0];
        let turn = &mut Turn { now, ix, plan, source: &mut self.source, out: &mut self.out };
        process.step(input, turn);
        let after = Mark::of(process);
        self.timers.arm(ix, process.deadline());
        let errands = self.out.range(done..).filter_map(|action| match action {
            Action::Assist { errand, process, .. } => Some((*errand, *process)),
            _ => None,
        });
        self.errands.extend(errands);
        if before != after {
            self.noticed(now, ix, before, after);
        }
    }

    /// Something changed that others may go by.
    fn noticed(&mut self, now: Now, ix: ProcessIx, before: Mark, after: Mark) {
        if after.phase != before.phase {
            self.record(Lifecycle::PhaseChanged { process: ix, phase: after.phase });
        }
        if after.run != before.run {
            before.run.map(|run| self.runs.remove(&run));
            self.runs.extend(after.run.map(|run| (run, ix)));
        }
        let was_used = self.tally.returning > 0;
        let standing = self.plan.process(ix).standing;
        self.tally = self.tally.changed(before.tally(standing), after.tally(standing));
        self.look_around(ix);
        if was_used {
            self.look_below(ix);
        }
        if let (None, Some(verdict)) = (before.verdict, after.verdict) {
            self.process_ended(now, ix, verdict);
        }
    }

    /// Who must be looked at when something changed in this process.
    fn look_around(&mut self, ix: ProcessIx) {
        let on = self.plan.process(ix).depends_on.iter().map(|on| on.process);
        if self.house.is_going_down() {
            self.due.insert(ix);
            self.due.extend(on);
            return;
        }
        self.free.insert(ix);
        self.free.extend(self.order.dependents(ix));
        if !self.asking.is_empty() {
            self.due.extend(on.chain([ix]));
        }
    }

    fn process_ended(&mut self, now: Now, ix: ProcessIx, verdict: Verdict) {
        let plan = self.plan.process(ix);
        let counts = matches!(plan.standing, Standing::Wanted | Standing::OnDemand);
        // What was stopped by an order has not ended for good.
        if !counts || self.processes[ix.0].goal() == Goal::Stopped {
            return;
        }
        let exits = plan.restart.on_crash_loop == OnCrashLoop::Exit;
        let cause = match verdict {
            Verdict::GaveUp if exits => Some(self.decision.note_crash_loop(ix)),
            _ => self.decision.note(ix, verdict),
        };
        if let Some(cause) = cause {
            self.shut_down(now, cause);
        }
    }

    /// Whatever became possible by the last step: starts, ends, the end of the house.
    fn settle(&mut self, now: Now) {
        self.start_the_free(now);
        self.ask_the_due(now);
        if self.house == House::Up && self.is_all_done() {
            self.shut_down(now, ShutdownCause::AllDone);
        }
        if let House::Stopping { .. } = self.house {
            self.ask_next_wave(now);
            if self.tally.open == 0 {
                self.sweep(now);
            }
        }
    }

    /// A house in which nothing runs unless it is asked for stays up to be asked.
    fn is_all_done(&self) -> bool {
        let wanted = || self.plan.processes.iter().any(|plan| plan.standing == Standing::Wanted);
        self.tally.keeping == 0 && wanted()
    }

    /// Starts what waits for nothing any more, and gives up what waits in vain; one may bring
    /// about the other, so that it goes on until nobody is left to be looked at.
    fn start_the_free(&mut self, now: Now) {
        while self.house == House::Up {
            let Some(ix) = self.free.pop_first() else { return };
            if *self.processes[ix.0].phase() == Phase::Waiting
                && let Some(input) = self.way_is(ix)
            {
                self.step(now, ix, input);
            }
        }
    }

    /// Whether a waiting process may start, or never will; `None` while that is open.
    fn way_is(&self, ix: ProcessIx) -> Option<Input> {
        let mut ways = self.plan.process(ix).depends_on.iter().map(|on| (self.way_of(on), on));
        if let Some((_, on)) = ways.clone().find(|(way, _)| *way == Way::Barred) {
            Some(Input::Blocked(on.process))
        } else if ways.any(|(way, _)| way == Way::Closed) || self.is_still_used(ix) {
            None
        } else {
            Some(Input::Freed)
        }
    }

    fn way_of(&self, on: &Dependency) -> Way {
        let process = &self.processes[on.process.0];
        let way = match process.verdict() {
            // It is being ended, or is about to be.
            None if process.goal().ends_the_run() => Way::Closed,
            // Somebody stopped it, or has not asked for it yet: it may still be started.
            Some(_) if process.goal() == Goal::Stopped && self.may_come_back(on) => Way::Closed,
            _ if self.has_done(on) => Way::Open,
            None => Way::Closed,
            Some(_) => Way::Barred,
        };
        if !on.required && way == Way::Barred { Way::Open } else { way }
    }

    fn may_come_back(&self, on: &Dependency) -> bool {
        on.required && self.plan.process(on.process).standing != Standing::Retired
    }

    fn has_done(&self, on: &Dependency) -> bool {
        let process = &self.processes[on.process.0];
        let plan = self.plan.process(on.process);
        match on.condition {
            // What shows nothing is as good as it will ever be once it was executed.
            Condition::Healthy if plan.ready.is_some() || plan.health.is_some() => {
                process.is_ready()
            }
            Condition::Started | Condition::Healthy => process.was_executed(),
            Condition::CompletedSuccessfully => matches!(
                process.phase(),
                Phase::Done(Verdict::Ended(_)) | Phase::Idle { last: Some(Verdict::Ended(_)) }
            ),
        }
    }

    /// Counts anew, after a change of plan.
    fn count(&mut self) {
        let marks = self.processes.iter().map(Mark::of).zip(&self.plan.processes);
        let tallies = marks.map(|(mark, plan)| mark.tally(plan.standing));
        self.tally = tallies.fold(Tally::default(), |all, one| all.changed(Tally::default(), one));
    }

    fn record(&mut self, event: Lifecycle) {
        self.out.push_back(Action::Record(event));
    }
}

/// What a dependency leaves to those who wait for it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It has done what it must.
    Open,
    /// It has not yet.
    Closed,
    /// It never will.
    Barred,
}
