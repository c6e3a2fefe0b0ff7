//! Orders: each is carried out at once as far as it can be, has exactly one reply, and does nothing
//! at all when it names something that is not there.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::config::plan::{Condition, Mode, Standing};
use crate::supervise::Machine;
use crate::supervise::action::{Action, Scope};
use crate::supervise::input::Input;
use crate::supervise::lifecycle::{Lifecycle, Order, ShutdownCause, StopCause};
use crate::supervise::phase::{Goal, Phase, Verdict};
use crate::supervise::process::Process;
use crate::supervise::wish::{Refusal, Reply, Wish};
use crate::units::{Now, ProcessIx, RequestId, SessionId, Signal};

/// The processes that an order means, in the order of the file.
type Meant = BTreeSet<ProcessIx>;

impl Machine {
    pub(super) fn requested(&mut self, now: Now, request: RequestId, wish: Wish) {
        let order = kind(&wish);
        let reply = match self.refusal(&wish) {
            Some(refusal) => Reply::Refused(refusal),
            None => self.carry_out(now, wish),
        };
        let accepted = !matches!(reply, Reply::UnknownName(_) | Reply::Refused(_));
        self.record(Lifecycle::OrderGiven { order, accepted });
        self.out.push_back(Action::Reply { request, reply });
    }

    fn refusal(&self, wish: &Wish) -> Option<Refusal> {
        let may_come_late = matches!(wish, Wish::Shutdown | Wish::Signal { .. });
        if self.plan.mode == Mode::OneCommand {
            Some(Refusal::OneCommand)
        } else if self.house.is_going_down() && !may_come_late {
            Some(Refusal::GoingDown)
        } else {
            None
        }
    }

    fn carry_out(&mut self, now: Now, wish: Wish) -> Reply {
        match wish {
            Wish::Start(names) => self.of_the_named(&names, |it, meant| it.start(now, meant)),
            Wish::Stop(names) => self.of_the_named(&names, |it, meant| it.stop(now, meant)),
            Wish::Restart(names) => self.of_the_named(&names, |it, meant| it.restart(now, meant)),
            Wish::Signal { names, signal, group } => {
                let scope = if group { Scope::Group } else { Scope::Main };
                self.of_the_named(&names, |it, meant| it.signal_the(&meant, signal, scope))
            }
            Wish::Reload(plan) => match self.living_namesake(&plan) {
                Some(name) => Reply::Refused(Refusal::NameTaken(name.to_owned())),
                None => Reply::Reloaded(self.reload(now, &plan)),
            },
            Wish::Spawn(plan) => self.spawn_beside(now, *plan),
            Wish::End { session, grace } => self.end_session(now, session, grace),
            Wish::SignalOrphans { ids, signal } => {
                self.out.push_back(Action::SignalOrphans { ids, signal });
                Reply::Accepted(Vec::new())
            }
            Wish::Shutdown => {
                let open = |ix: &ProcessIx| self.processes[ix.0].verdict().is_none();
                let open = (0..self.processes.len()).map(ProcessIx).filter(open).collect();
                self.stop_or_escalate(now, ShutdownCause::Order);
                Reply::Accepted(open)
            }
        }
    }

    fn of_the_named(
        &mut self,
        names: &[String],
        carry_out: impl FnOnce(&mut Self, Meant) -> Reply,
    ) -> Reply {
        let mut meant = Meant::new();
        for name in names {
            let found = self.plan.indexed().filter(|(_, process)| {
                process.standing != Standing::Retired
                    && (process.name == *name || process.family() == name)
            });
            let found: Vec<ProcessIx> = found.map(|(ix, _)| ix).collect();
            if found.is_empty() {
                return Reply::UnknownName(name.clone());
            }
            meant.extend(found);
        }
        carry_out(self, meant)
    }

    fn start(&mut self, now: Now, mut meant: Meant) -> Reply {
        meant.extend(self.needed_by(&meant));
        for ix in &meant {
            self.step(now, *ix, Input::AskedUp);
        }
        Reply::Accepted(meant.into_iter().collect())
    }

    fn stop(&mut self, now: Now, meant: Meant) -> Reply {
        for ix in &meant {
            self.end_for(now, *ix, StopCause::Order);
        }
        Reply::Accepted(meant.into_iter().collect())
    }

    fn restart(&mut self, now: Now, meant: Meant) -> Reply {
        let along = self.restarted_along(&meant);
        let needed = self.needed_by(&meant);
        for ix in &needed {
            self.step(now, *ix, Input::AskedUp);
        }
        for ix in &meant {
            self.end_and_run_again(now, *ix, StopCause::Order);
        }
        for ix in &along {
            self.end_and_run_again(now, *ix, StopCause::Dependency);
        }
        let all: Meant = meant.into_iter().chain(needed).chain(along).collect();
        Reply::Accepted(all.into_iter().collect())
    }

    fn signal_the(&mut self, meant: &Meant, signal: Signal, scope: Scope) -> Reply {
        let lives = |ix: &&ProcessIx| self.processes[ix.0].main_lives();
        let live: Vec<ProcessIx> = meant.iter().filter(lives).copied().collect();
        if live.is_empty() {
            return Reply::Refused(Refusal::NotRunning);
        }
        self.forward(signal, scope, |ix| meant.contains(&ix));
        Reply::Accepted(live)
    }

    /// One run ends now, whatever depends on its process: whoever names a session means this run. One
    /// that is being ended already gets less time, and never more.
    fn end_session(&mut self, now: Now, session: SessionId, grace: Option<Duration>) -> Reply {
        let is_meant = |process: &Process| process.session() == Some(session);
        let Some(at) = self.processes.iter().position(is_meant) else {
            return Reply::Refused(Refusal::NotRunning);
        };
        let ix = ProcessIx(at);
        self.step(now, ix, Input::AskedOut);
        if grace != Some(Duration::ZERO) {
            self.step(now, ix, Input::AskNow(StopCause::Order));
        }
        if let Some(grace) = grace {
            self.step(now, ix, Input::KillBy(now.mono.after(grace)));
        }
        Reply::Accepted(vec![ix])
    }

    /// It ends when its turn has come, and stays ended.
    pub(super) fn end_for(&mut self, now: Now, ix: ProcessIx, cause: StopCause) {
        self.step(now, ix, Input::AskedOut);
        self.enlist(ix, cause);
    }

    /// It ends when its turn has come, and runs anew; what does not run is started.
    pub(super) fn end_and_run_again(&mut self, now: Now, ix: ProcessIx, cause: StopCause) {
        self.step(now, ix, Input::AskedAgain);
        self.enlist(ix, cause);
    }

    /// The same for the sake of another plan: what runs by the clock waits for its time then.
    pub(super) fn end_and_begin_anew(&mut self, now: Now, ix: ProcessIx) {
        self.step(now, ix, Input::AskedAnew);
        self.enlist(ix, StopCause::Reload);
    }

    fn enlist(&mut self, ix: ProcessIx, cause: StopCause) {
        if self.can_be_asked(ix) {
            self.asking.insert(ix, cause);
            self.due.insert(ix);
        }
    }

    /// Whether it has a run that was not asked to end yet.
    fn can_be_asked(&self, ix: ProcessIx) -> bool {
        matches!(
            self.processes[ix.0].phase(),
            Phase::Starting { .. } | Phase::Started { .. } | Phase::Ready { .. }
        )
    }

    /// Whether an order or a reload has it end, and it has not ended yet.
    pub(super) fn is_to_end(&self, ix: ProcessIx) -> bool {
        let process = &self.processes[ix.0];
        let lives = process.run().is_some() || matches!(process.phase(), Phase::Tidying { .. });
        lives && process.goal().ends_the_run()
    }

    /// Whether something that depends on it, directly or by others that wait, is still to end before
    /// it runs anew: what stood under it begins only then, in the order of the dependencies. No end
    /// waits for a start, so that nobody waits for ever.
    pub(super) fn is_still_used(&self, ix: ProcessIx) -> bool {
        let mut seen = Meant::new();
        let mut open = if self.tally.returning > 0 { vec![ix] } else { Vec::new() };
        while let Some(ix) = open.pop() {
            for dependent in self.order.dependents(ix) {
                let process = &self.processes[dependent.0];
                if self.is_to_end(*dependent) && process.goal().runs_anew() {
                    return true;
                }
                if *process.phase() == Phase::Waiting && seen.insert(*dependent) {
                    open.push(*dependent);
                }
            }
        }
        false
    }

    /// Has those looked at that may have waited for this one to end; see [`Machine::is_still_used`].
    pub(super) fn look_below(&mut self, ix: ProcessIx) {
        let mut seen = Meant::new();
        let mut open = vec![ix];
        while let Some(ix) = open.pop() {
            for on in &self.plan.process(ix).depends_on {
                let waits = *self.processes[on.process.0].phase() == Phase::Waiting;
                if waits && seen.insert(on.process) {
                    open.push(on.process);
                }
            }
        }
        self.free.append(&mut seen);
    }

    /// Ends those whose turn has come: those that nothing depends on that is to end itself.
    pub(super) fn ask_the_due(&mut self, now: Now) {
        while !self.house.is_going_down() {
            let Some(ix) = self.due.pop_first() else { return };
            let Some(cause) = self.asking.get(&ix).copied() else { continue };
            if !(self.is_to_end(ix) && self.can_be_asked(ix)) {
                self.asking.remove(&ix);
            } else if !self.order.dependents(ix).iter().any(|on| self.is_to_end(*on)) {
                self.asking.remove(&ix);
                self.step(now, ix, Input::AskNow(cause));
            }
        }
    }

    /// What must be started so that these can start: what they depend on, directly or not, and has
    /// ended without having done what it must.
    pub(super) fn needed_by(&self, wanted: &Meant) -> Meant {
        let mut needed = Meant::new();
        let mut open: Vec<ProcessIx> = wanted.iter().copied().collect();
        while let Some(ix) = open.pop() {
            for on in self.plan.process(ix).depends_on.iter().filter(|on| on.required) {
                let is_new = !wanted.contains(&on.process) && !needed.contains(&on.process);
                if is_new && self.is_lacking(on.process, on.condition) {
                    needed.insert(on.process);
                    open.push(on.process);
                }
            }
        }
        needed
    }

    /// Starts what these depend on and was only waiting to be asked for.
    pub(super) fn wake_the_needed(&mut self, now: Now, wanted: &Meant) {
        for ix in self.needed_by(wanted) {
            let on_demand = self.plan.process(ix).standing == Standing::OnDemand;
            if on_demand && self.was_never_asked(ix) {
                self.step(now, ix, Input::AskedUp);
            }
        }
    }

    /// Whether nobody has asked for it yet, or not since it is in the plan again.
    pub(super) fn was_never_asked(&self, ix: ProcessIx) -> bool {
        let process = &self.processes[ix.0];
        process.goal() == Goal::Unasked || process.verdict() == Some(Verdict::NotStarted)
    }

    /// Starts what these depend on and has failed, unless somebody stopped it.
    pub(super) fn retry_the_needed(&mut self, now: Now, wanted: &Meant) {
        for ix in self.needed_by(wanted) {
            if self.processes[ix.0].goal() != Goal::Stopped {
                self.step(now, ix, Input::AskedUp);
            }
        }
    }

    fn is_lacking(&self, ix: ProcessIx, condition: Condition) -> bool {
        let standing = self.plan.process(ix).standing;
        let well = match self.processes[ix.0].verdict() {
            None => !matches!(self.processes[ix.0].goal(), Goal::Unasked | Goal::Stopped),
            Some(Verdict::Ended(_)) => true,
            // One that failed has started all the same; it is not for others to try it again.
            Some(Verdict::Failed(_)) => condition == Condition::Started,
            Some(_) => false,
        };
        !well && standing != Standing::Retired
    }

    /// Those that are restarted along with these (`restart: true`), directly or not: they run, and
    /// are to.
    pub(super) fn restarted_along(&self, these: &Meant) -> Meant {
        let mut along = Meant::new();
        let mut open: Vec<ProcessIx> = these.iter().copied().collect();
        while let Some(ix) = open.pop() {
            for dependent in self.order.dependents(ix) {
                let mut on = self.plan.process(*dependent).depends_on.iter();
                let asks = on.any(|on| on.process == ix && on.restart);
                let runs =
                    self.can_be_asked(*dependent) && self.processes[dependent.0].goal().is_to_run();
                if asks && runs && !these.contains(dependent) && along.insert(*dependent) {
                    open.push(*dependent);
                }
            }
        }
        along
    }
}

fn kind(wish: &Wish) -> Order {
    match wish {
        Wish::Start(_) => Order::Start,
        Wish::Stop(_) => Order::Stop,
        Wish::Restart(_) => Order::Restart,
        Wish::Signal { .. } | Wish::SignalOrphans { .. } => Order::Signal,
        Wish::Reload(_) => Order::Reload,
        Wish::Spawn(_) => Order::Spawn,
        Wish::End { .. } => Order::Stop,
        Wish::Shutdown => Order::Shutdown,
    }
}
