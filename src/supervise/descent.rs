//! The house going down: asking in waves, sweeping up strangers, leaving. How the budget is split is
//! in [`super::shutdown`].

use crate::supervise::Machine;
use crate::supervise::action::Action;
use crate::supervise::input::Input;
use crate::supervise::lifecycle::{Lifecycle, ShutdownCause, SignalResponse};
use crate::supervise::phase::Goal;
use crate::supervise::shutdown::House;
use crate::units::{Mono, Now, ProcessIx, Signal};

impl Machine {
    pub(super) fn shut_down(&mut self, now: Now, cause: ShutdownCause) {
        if self.house.is_going_down() {
            return;
        }
        self.note_the_stopped();
        let budget = self.plan.shutdown_timeout;
        self.house = House::going_down(now.mono, budget);
        self.asking.clear();
        self.free.clear();
        self.due = (0..self.processes.len()).map(ProcessIx).collect();
        self.record(Lifecycle::ShutdownBegan { cause, budget });
    }

    /// What was stopped by an order will not be started again: if it decides the exit code, this is
    /// it.
    fn note_the_stopped(&mut self) {
        let stopped = self.processes.iter().enumerate();
        let stopped = stopped.filter(|(_, process)| process.goal() == Goal::Stopped);
        for (at, process) in stopped {
            if let Some(verdict) = process.verdict() {
                self.decision.note(ProcessIx(at), verdict);
            }
        }
    }

    /// Asks every process to end that nothing alive depends on. What does not run is not started
    /// any more, whatever depends on it.
    pub(super) fn ask_next_wave(&mut self, now: Now) {
        while let Some(ix) = self.due.pop_first() {
            if self.may_be_asked(ix) {
                let latest = self.house.share(self.order.wave(ix), self.order.wave_count());
                self.step(now, ix, Input::AskedDown(latest));
            }
        }
    }

    fn may_be_asked(&self, ix: ProcessIx) -> bool {
        let process = &self.processes[ix.0];
        if process.goal() == Goal::Down || process.verdict().is_some() {
            return false;
        }
        let has_ended = |dependent: &ProcessIx| self.processes[dependent.0].verdict().is_some();
        process.run().is_none() || self.order.dependents(ix).iter().all(has_ended)
    }

    /// Every process is done: strangers are asked to end, and we leave when none is left.
    pub(super) fn sweep(&mut self, now: Now) {
        self.house = self.house.sweeping(now.mono);
        self.out.push_back(Action::SignalHouse { signal: Signal::TERM });
        self.out.push_back(Action::SignalHouse { signal: Signal::CONT });
        self.out.push_back(Action::AwaitHouse);
    }

    pub(super) fn house_emptied(&mut self) {
        if matches!(self.house, House::Sweeping { .. } | House::Killing { .. }) {
            self.leave();
        }
    }

    /// A deadline of the house passed.
    pub(super) fn house_is_late(&mut self, now: Now) {
        match self.house {
            House::Waking | House::Up | House::Left => {}
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
            self.step(now, ProcessIx(at), Input::Hurried(latest));
        }
    }

    fn leave(&mut self) {
        let code = self.decision.code();
        self.house = House::Left;
        self.record(Lifecycle::Left { code });
        self.out.push_back(Action::Exit { code });
    }

    /// A further request to stop.
    pub(super) fn escalate(&mut self, now: Now) -> SignalResponse {
        self.house = self.house.hurried(now.mono);
        match self.house {
            House::Stopping { kill_at, .. } => self.hurry(now, kill_at),
            _ => self.hurry(now, now.mono),
        }
        SignalResponse::Escalated
    }
}
