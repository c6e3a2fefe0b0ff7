//! THE MIND. A fact in, all actions drained, one next deadline out; nothing here moves.
//!
//! [`Machine`] holds every process and the house. The body calls [`Machine::handle`] for each
//! fact, or [`Machine::handle_deadline`] when the time it asked for has come, then takes actions
//! with [`Machine::next_action`] until there are none, then sleeps until
//! [`Machine::next_deadline`] or the next fact. Extra calls change nothing. Time and chance are
//! arguments: the same plan, seed and facts always give the same actions.

pub mod action;
pub mod backoff;
pub mod fact;
pub mod lifecycle;
pub mod order;
pub mod process;
pub mod shutdown;
pub mod wish;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::config::plan::{Condition, Dependency, Mode, Plan};
use crate::supervise::action::{Action, Scope};
use crate::supervise::fact::Fact;
use crate::supervise::lifecycle::{Lifecycle, ShutdownCause, SignalResponse};
use crate::supervise::process::{Goal, Input, Phase, Process, Source, Turn, Verdict};
use crate::supervise::shutdown::{Decision, House};
use crate::supervise::wish::{Refusal, Reply};
use crate::units::{Mono, Now, ProcessIx, RunId, Signal};

/// `SIGRTMIN+3`: what systemd's images declare as their STOPSIGNAL to halt.
const HALT: Signal = Signal(37);

/// Everything that is decided in one life.
pub struct Machine {
    plan: Arc<Plan>,
    processes: Vec<Process>,
    waves: Vec<usize>,
    house: House,
    decision: Decision,
    source: Source,
    out: VecDeque<Action>,
}

impl Machine {
    /// A house in which nothing has begun. The seed decides ids and jitter.
    pub fn new(plan: Arc<Plan>, seed: u64) -> Self {
        Self {
            processes: plan.processes.iter().map(|_| Process::new()).collect(),
            waves: order::stop_waves(&plan.processes),
            house: House::Up,
            decision: Decision::new(&plan.exit_code_from, plan.processes.len()),
            source: Source::new(seed),
            out: VecDeque::new(),
            plan,
        }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Now, fact: Fact) {
        match fact {
            Fact::Began => {}
            Fact::Found { process, id } => self.step(now, process, Input::Found(id)),
            Fact::Forked { run, id } => self.step_run(now, run, Input::Forked(id)),
            Fact::Executed { run } => self.step_run(now, run, Input::Executed),
            Fact::SpawnFailed { run, failure } => {
                self.step_run(now, run, Input::SpawnFailed(failure));
            }
            Fact::Exited { run, status, usage, leftovers } => {
                self.step_run(now, run, Input::Exited(status, usage, leftovers));
            }
            Fact::TreeEmptied { run } => self.step_run(now, run, Input::TreeEmptied),
            Fact::OrphanReaped { process, status } => {
                self.record(Lifecycle::OrphanReaped { process, status });
            }
            Fact::HoldersNamed { .. }
            | Fact::ErrandEnded { .. }
            | Fact::Probed { .. }
            | Fact::LineMatched { .. }
            | Fact::Notified { .. }
            | Fact::FilesChanged { .. } => {}
            Fact::ReloadFailed { faults } => self.record(Lifecycle::ReloadFailed { faults }),
            Fact::Requested { request, .. } => {
                let reply = Reply::Refused(Refusal::OneCommand);
                self.out.push_back(Action::Reply { request, reply });
            }
            Fact::HouseEmptied => self.house_emptied(),
            Fact::SignalArrived { signal } => self.signal_arrived(now, signal),
        }
        self.settle(now);
    }

    /// Does what was put off until now. Calling too early, or twice, changes nothing.
    pub fn handle_deadline(&mut self, now: Now) {
        for at in 0..self.processes.len() {
            if self.processes[at].deadline().is_some_and(|until| until <= now.mono) {
                self.step(now, ProcessIx(at), Input::Deadline);
            }
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
        let processes = self.processes.iter().filter_map(Process::deadline).min();
        [processes, self.house.deadline()].into_iter().flatten().min()
    }

    /// Where the house stands.
    pub fn house(&self) -> House {
        self.house
    }

    fn step_run(&mut self, now: Now, run: RunId, input: Input) {
        // News of a run that nobody holds any more changes nothing.
        if let Some(at) = self.processes.iter().position(|process| process.run() == Some(run)) {
            self.step(now, ProcessIx(at), input);
        }
    }

    fn step(&mut self, now: Now, ix: ProcessIx, input: Input) {
        let Some(process) = self.processes.get_mut(ix.0) else { return };
        let before = process.phase_name();
        let plan = &self.plan.processes[ix.0];
        let turn = &mut Turn { now, ix, plan, source: &mut self.source, out: &mut self.out };
        let ended_before = process.verdict();
        process.step(input, turn);
        let (after, verdict) = (process.phase_name(), process.verdict());
        if after != before {
            self.record(Lifecycle::PhaseChanged { process: ix, phase: after });
        }
        if let (None, Some(verdict)) = (ended_before, verdict) {
            self.process_ended(now, ix, verdict);
        }
    }

    fn process_ended(&mut self, now: Now, ix: ProcessIx, verdict: Verdict) {
        if let Some(cause) = self.decision.note(ix, verdict) {
            self.shut_down(now, cause);
        }
    }

    /// Whatever became possible by the last step: starts, waves of stops, the last sweep.
    fn settle(&mut self, now: Now) {
        self.start_the_free(now);
        if self.all_done() {
            self.shut_down(now, ShutdownCause::AllDone);
        }
        if let House::Stopping { .. } = self.house {
            self.ask_next_wave(now);
            if self.all_done() {
                self.sweep(now);
            }
        }
    }

    fn all_done(&self) -> bool {
        self.processes.iter().all(|process| process.verdict().is_some())
    }

    /// Starts what waits for nothing any more, and gives up what waits in vain; one may bring
    /// about the other, so it is repeated until nothing changes.
    fn start_the_free(&mut self, now: Now) {
        while !self.house.is_going_down() {
            let next = self.plan.indexed().map(|(ix, _)| ix).find_map(|ix| {
                let waits = *self.processes[ix.0].phase() == Phase::Waiting;
                if waits { self.way_is(ix).map(|input| (ix, input)) } else { None }
            });
            let Some((ix, input)) = next else { return };
            self.step(now, ix, input);
        }
    }

    /// Whether a waiting process may start, or never will; `None` while that is open.
    fn way_is(&self, ix: ProcessIx) -> Option<Input> {
        let ways: Vec<Way> =
            self.plan.process(ix).depends_on.iter().map(|on| self.way_of(on)).collect();
        if ways.contains(&Way::Barred) {
            Some(Input::Blocked)
        } else if ways.contains(&Way::Closed) {
            None
        } else {
            Some(Input::Freed)
        }
    }

    fn way_of(&self, on: &Dependency) -> Way {
        let process = &self.processes[on.process.0];
        match (on.condition, process.verdict()) {
            (Condition::Started | Condition::Healthy, _) if process.was_executed() => Way::Open,
            (Condition::CompletedSuccessfully, Some(Verdict::Ended(status)))
                if status.success() =>
            {
                Way::Open
            }
            (_, Some(_)) => Way::Barred,
            (_, None) => Way::Closed,
        }
    }

    fn shut_down(&mut self, now: Now, cause: ShutdownCause) {
        if self.house.is_going_down() {
            return;
        }
        let budget = self.plan.shutdown_timeout;
        self.house = House::going_down(now.mono, budget);
        self.record(Lifecycle::ShutdownBegan { cause, budget });
    }

    /// Asks every process to end that nothing alive depends on. What does not run is not started
    /// any more, whatever depends on it.
    fn ask_next_wave(&mut self, now: Now) {
        let waves = self.waves.iter().max().map_or(1, |last| last + 1);
        loop {
            let next = (0..self.processes.len()).map(ProcessIx).find(|ix| self.may_be_asked(*ix));
            let Some(ix) = next else { return };
            let latest = self.house.share(self.waves[ix.0], waves);
            self.step(now, ix, Input::AskedDown(latest));
        }
    }

    fn may_be_asked(&self, ix: ProcessIx) -> bool {
        let process = &self.processes[ix.0];
        if process.goal() == Goal::Down || process.verdict().is_some() {
            return false;
        }
        process.run().is_none()
            || order::dependents(&self.plan.processes, ix)
                .all(|dependent| self.processes[dependent.0].verdict().is_some())
    }

    /// Every process is done: strangers are asked to end, and we leave when none is left.
    fn sweep(&mut self, now: Now) {
        self.house = self.house.sweeping(now.mono);
        self.out.push_back(Action::SignalHouse { signal: Signal::TERM });
        self.out.push_back(Action::SignalHouse { signal: Signal::CONT });
        self.out.push_back(Action::AwaitHouse);
    }

    fn house_emptied(&mut self) {
        if matches!(self.house, House::Sweeping { .. } | House::Killing { .. }) {
            self.leave();
        }
    }

    /// A deadline of the house passed.
    fn house_is_late(&mut self, now: Now) {
        match self.house {
            House::Up | House::Left => {}
            House::Stopping { began, leave_at, .. } if now.mono < leave_at => {
                // Only the end of the budget is left as a deadline of the house.
                self.house = House::Stopping { began, kill_at: leave_at, leave_at };
                self.hurry(now, now.mono);
            }
            House::Sweeping { leave_at, .. } if now.mono < leave_at => {
                self.house = House::Killing { leave_at };
                self.out.push_back(Action::SignalHouse { signal: Signal::KILL });
                self.out.push_back(Action::AwaitHouse);
            }
            House::Stopping { .. } | House::Sweeping { .. } | House::Killing { .. } => {
                self.out.push_back(Action::SignalHouse { signal: Signal::KILL });
                self.abandon(now);
                self.leave();
            }
        }
    }

    /// The budget is spent: whatever has not ended is given up, so that each run has an end and
    /// the exit code is not that of a clean stop.
    fn abandon(&mut self, now: Now) {
        self.hurry(now, now.mono);
        for at in 0..self.processes.len() {
            self.step(now, ProcessIx(at), Input::Abandoned);
        }
    }

    /// Everything that still lives has until `latest`, whatever wave it is in.
    fn hurry(&mut self, now: Now, latest: Mono) {
        for at in 0..self.processes.len() {
            let asked = self.processes[at].goal() == Goal::Down;
            let input = if asked { Input::Hurried(latest) } else { Input::AskedDown(latest) };
            self.step(now, ProcessIx(at), input);
        }
    }

    fn leave(&mut self) {
        let code = self.decision.code();
        self.house = House::Left;
        self.record(Lifecycle::Left { code });
        self.out.push_back(Action::Exit { code });
    }

    fn signal_arrived(&mut self, now: Now, signal: Signal) {
        let response = match self.plan.mode {
            Mode::OneCommand => self.pass_on(now, signal),
            Mode::Supervise => self.obey(now, signal),
        };
        self.record(Lifecycle::SignalArrived { signal, response });
    }

    /// `procession -- CMD`: the command gets every signal; once it is gone, a request to end ends
    /// the wait for what it left behind.
    fn pass_on(&mut self, now: Now, signal: Signal) -> SignalResponse {
        let forwarded = self.forward(signal, |_| true);
        if forwarded == 0 && is_stop(signal) {
            return self.escalate(now);
        }
        if forwarded > 0 { SignalResponse::Forwarded(forwarded) } else { SignalResponse::Ignored }
    }

    /// From a file: some signals stop the house, the rest reaches whoever asked for it.
    fn obey(&mut self, now: Now, signal: Signal) -> SignalResponse {
        if is_stop(signal) {
            if self.house.is_going_down() {
                return self.escalate(now);
            }
            self.shut_down(now, ShutdownCause::Signal(signal));
            return SignalResponse::Shutdown;
        }
        let wanted: Vec<bool> = self
            .plan
            .processes
            .iter()
            .map(|process| process.forward_signals.contains(&signal))
            .collect();
        match self.forward(signal, |ix| wanted[ix.0]) {
            0 => SignalResponse::Ignored,
            runs => SignalResponse::Forwarded(runs),
        }
    }

    /// Sends a signal to the main process of every live run that is wanted; says how many.
    fn forward(&mut self, signal: Signal, wanted: impl Fn(ProcessIx) -> bool) -> u32 {
        let mut sent = 0;
        for (at, process) in self.processes.iter().enumerate() {
            if let (true, true, Some(run)) =
                (wanted(ProcessIx(at)), process.main_lives(), process.run())
            {
                self.out.push_back(Action::Signal { run, signal, scope: Scope::Main });
                sent += 1;
            }
        }
        sent
    }

    fn escalate(&mut self, now: Now) -> SignalResponse {
        self.house = self.house.hurried(now.mono);
        match self.house {
            House::Stopping { kill_at, .. } => self.hurry(now, kill_at),
            _ => self.hurry(now, now.mono),
        }
        SignalResponse::Escalated
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

fn is_stop(signal: Signal) -> bool {
    [Signal::TERM, Signal::INT, Signal::QUIT, HALT].contains(&signal)
}
