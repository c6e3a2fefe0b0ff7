//! What is heard from outside that is no order: signals, notices, lines, changed files, clocks, and
//! who is left of a run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::config::plan::{Mode, PassingScope, Standing};
use crate::supervise::Machine;
use crate::supervise::action::{Action, Scope};
use crate::supervise::care::Sign;
use crate::supervise::fact::{Holder, Notice};
use crate::supervise::input::{Input, News};
use crate::supervise::lifecycle::{Lifecycle, ShutdownCause, SignalResponse, StopCause};
use crate::supervise::phase::{Phase, Verdict};
use crate::units::{Now, ProcessIx, RunId, Signal};

/// `SIGRTMIN+3`: what systemd's images declare as their STOPSIGNAL to halt.
const HALT: Signal = Signal(37);

impl Machine {
    pub(super) fn signal_arrived(&mut self, now: Now, signal: Signal) {
        let response = match self.plan.mode {
            Mode::OneCommand => self.pass_on(now, signal),
            Mode::Supervise => self.obey(now, signal),
        };
        self.record(Lifecycle::SignalArrived { signal, response });
    }

    /// `procession -- CMD`: the command gets every signal; once it is gone, a request to end ends
    /// the wait for what it left behind.
    fn pass_on(&mut self, now: Now, signal: Signal) -> SignalResponse {
        let Some(sent) = self.plan.passing.sent_as(signal) else {
            return SignalResponse::Ignored;
        };
        let scope = match self.plan.passing.scope {
            PassingScope::Main => Scope::Main,
            PassingScope::Group => Scope::Group,
        };
        match self.forward(sent, scope, |_| true) {
            0 if is_stop(signal) => self.escalate(now),
            0 => SignalResponse::Ignored,
            runs => SignalResponse::Forwarded(runs),
        }
    }

    /// From a file: some signals stop the house, SIGHUP has it read its file anew, and the rest
    /// reaches whoever asked for it.
    fn obey(&mut self, now: Now, signal: Signal) -> SignalResponse {
        if is_stop(signal) {
            return self.stop_or_escalate(now, ShutdownCause::Signal(signal));
        }
        let wanted: Vec<bool> = self
            .plan
            .processes
            .iter()
            .map(|process| process.forward_signals.contains(&signal))
            .collect();
        let forwarded = self.forward(signal, Scope::Main, |ix| wanted[ix.0]);
        if signal == Signal::HUP && !self.house.is_going_down() {
            self.out.push_back(Action::ReadConfiguration);
            return SignalResponse::Reload;
        }
        match forwarded {
            0 => SignalResponse::Ignored,
            runs => SignalResponse::Forwarded(runs),
        }
    }

    /// The first request to stop stops the house, every further one hurries it.
    pub(super) fn stop_or_escalate(&mut self, now: Now, cause: ShutdownCause) -> SignalResponse {
        if self.house.is_going_down() {
            return self.escalate(now);
        }
        self.shut_down(now, cause);
        SignalResponse::Shutdown
    }

    /// Sends a signal to every live run that is wanted; says how many.
    pub(super) fn forward(
        &mut self,
        signal: Signal,
        scope: Scope,
        wanted: impl Fn(ProcessIx) -> bool,
    ) -> u32 {
        let mut sent = 0;
        for (run, ix) in &self.runs {
            if wanted(*ix) && self.processes[ix.0].main_lives() {
                self.out.push_back(Action::Signal { run: *run, signal, scope });
                sent += 1;
            }
        }
        sent
    }

    pub(super) fn notified(&mut self, now: Now, run: RunId, notice: Notice) {
        let news = match notice {
            Notice::Ready => News::Shown(Sign::Notice),
            Notice::Stopping => News::Stopping,
            Notice::Reloading => News::Reloading,
            Notice::Watchdog => News::Fed,
            Notice::WatchdogTriggered => News::Starved,
            Notice::ExtendTimeout(longer) => News::Extended(Duration::from_micros(longer)),
            Notice::Status(text) => {
                if self.runs.contains_key(&run) {
                    self.record(Lifecycle::StatusTold { run, text });
                }
                return;
            }
        };
        self.step_run(now, run, Input::Heard(news));
    }

    pub(super) fn line_matched(&mut self, now: Now, run: RunId) {
        self.step_run(now, run, Input::Heard(News::Shown(Sign::Line)));
    }

    /// Tells who kept a run from being over, where it is still being ended.
    pub(super) fn holders_named(&mut self, now: Now, run: RunId, holders: Vec<Holder>) {
        let Some(ix) = self.runs.get(&run).copied() else { return };
        let held = self.processes[ix.0].held();
        if let (Some((asked, unkillable)), false) = (held, holders.is_empty()) {
            let after = now.mono.since(asked);
            self.record(Lifecycle::RunHeld { run, holders, after, unkillable });
        }
        self.step(now, ix, Input::HoldersNamed);
    }

    /// Files that a process is restarted for have changed. What somebody stopped stays stopped, what
    /// runs by the clock waits for its time, and what ended by itself gets another chance.
    pub(super) fn files_changed(&mut self, now: Now, ix: ProcessIx) {
        let Some(process) = self.processes.get(ix.0) else { return };
        let left_alone = match process.phase() {
            _ if self.plan.process(ix).standing == Standing::Retired => true,
            Phase::Waiting | Phase::Idle { .. } => true,
            Phase::Tidying { .. } if self.plan.process(ix).schedule.is_some() => true,
            Phase::Done(verdict) => matches!(verdict, Verdict::Stopped(_) | Verdict::NotStarted),
            _ => !process.goal().is_to_run(),
        };
        if !left_alone && !self.house.is_going_down() {
            self.end_and_run_again(now, ix, StopCause::FilesChanged);
        }
    }

    /// Looks whose time has come: of those who share a clock, the first that is idle runs. If all of
    /// them run already, the time is skipped; if none is wanted, there is nothing to skip.
    pub(super) fn look_at_the_clock(&mut self, now: Now) {
        if self.house.is_going_down() {
            return;
        }
        let plan = Arc::clone(&self.plan);
        for members in self.clockwork.look(&plan, now) {
            let is_idle =
                |ix: &&ProcessIx| matches!(self.processes[ix.0].phase(), Phase::Idle { .. });
            let is_done = |ix: &ProcessIx| self.processes[ix.0].verdict().is_some();
            if let Some(ix) = members.iter().find(is_idle) {
                let ix = *ix;
                self.step(now, ix, Input::Struck);
                self.wake_the_needed(now, &BTreeSet::from([ix]));
            } else if !members.iter().all(is_done) {
                self.record(Lifecycle::ScheduleSkipped { process: members[0] });
            }
        }
    }
}

fn is_stop(signal: Signal) -> bool {
    [Signal::TERM, Signal::INT, Signal::QUIT, HALT].contains(&signal)
}
