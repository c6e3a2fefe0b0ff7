//! The house going down: who is asked, who is killed, by when, and with which exit code we leave.
//!
//! One budget holds for everything. It is spent in this order: asking in waves (dependents before
//! what they depend on), killing what did not listen, sweeping up strangers, leaving. It ends as
//! soon as nothing is left.

use std::time::Duration;

use crate::config::plan::{Plan, ProcessPlan, Standing};
use crate::supervise::lifecycle::ShutdownCause;
use crate::supervise::phase::Verdict;
use crate::units::{Mono, ProcessIx};

/// What is kept of the budget for SIGKILL, the last reaping and our own exit.
const RESERVE: Duration = Duration::from_secs(1);
/// What is kept of the reserve for leaving alone.
const LEAVE: Duration = Duration::from_millis(100);
/// How long strangers may take to end after SIGTERM, once every process is done.
const SWEEP_GRACE: Duration = Duration::from_secs(2);
/// What strangers are given between SIGKILL and our leaving, however late it is.
const LAST_WAIT: Duration = Duration::from_millis(300);
/// How long processes may still take after a second request to stop.
const HURRY: Duration = Duration::from_secs(1);

/// Our exit code for bad usage or a bad configuration, with nothing started.
pub const EXIT_USAGE: u8 = 2;
/// Our exit code when we ourselves failed (`EX_SOFTWARE` of `sysexits.h`).
pub const EXIT_INTERNAL: u8 = 70;
/// Our exit code when a process that decides the exit was given up after too many restarts
/// (`EX_TEMPFAIL` of `sysexits.h`).
pub const EXIT_CRASH_LOOP: u8 = 75;
/// Our exit code when a process that decides the exit never ran, because what it depends on failed
/// (`EX_UNAVAILABLE` of `sysexits.h`).
pub const EXIT_NEVER_RAN: u8 = 69;

/// Where the house stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum House {
    /// Survivors of an earlier life are told of; nothing is started yet.
    Waking,
    /// Processes are started and restarted.
    Up,
    /// Processes are asked to end, wave by wave, and killed at `kill_at`.
    Stopping {
        /// When it began.
        began: Mono,
        /// When whatever still lives is killed.
        kill_at: Mono,
        /// When we leave, whatever still lives.
        leave_at: Mono,
    },
    /// Every process is done; strangers are asked to end.
    Sweeping {
        /// When they are killed.
        kill_at: Mono,
        /// When we leave, whatever still lives.
        leave_at: Mono,
    },
    /// Strangers were killed; the last ones are reaped.
    Killing {
        /// When we leave, whatever still lives.
        leave_at: Mono,
    },
    /// We left.
    Left,
}

impl House {
    /// The house as it begins to go down at `now` with this budget.
    pub fn going_down(now: Mono, budget: Duration) -> Self {
        let reserve = RESERVE.min(budget / 4);
        let leave = LEAVE.min(reserve / 4);
        Self::Stopping {
            began: now,
            kill_at: now.after(budget.saturating_sub(reserve)),
            leave_at: now.after(budget.saturating_sub(leave)),
        }
    }

    /// Stopping → Sweeping: what is left of the budget is split between asking and killing.
    pub fn sweeping(self, now: Mono) -> Self {
        match self {
            Self::Stopping { kill_at, leave_at, .. } => {
                let latest = Mono(leave_at.0.saturating_sub(LAST_WAIT.as_nanos() as u64));
                let kill_at = now.after(SWEEP_GRACE).min(kill_at).min(latest).max(now);
                Self::Sweeping { kill_at, leave_at }
            }
            other => other,
        }
    }

    /// What a further request to stop makes of it: less time for those who were asked.
    pub fn hurried(self, now: Mono) -> Self {
        let soon = now.after(HURRY);
        match self {
            Self::Stopping { began, kill_at, leave_at } => {
                Self::Stopping { began, kill_at: kill_at.min(soon), leave_at }
            }
            Self::Sweeping { leave_at, .. } => Self::Sweeping { kill_at: now, leave_at },
            other => other,
        }
    }

    /// The next point in time at which something must be done.
    pub fn deadline(self) -> Option<Mono> {
        match self {
            Self::Waking | Self::Up | Self::Left => None,
            Self::Stopping { kill_at, leave_at, .. } | Self::Sweeping { kill_at, leave_at } => {
                Some(kill_at.min(leave_at))
            }
            Self::Killing { leave_at } => Some(leave_at),
        }
    }

    /// Whether it goes down.
    pub fn is_going_down(self) -> bool {
        !matches!(self, Self::Waking | Self::Up)
    }

    /// The latest time by which a process in stop wave `wave` of `waves` is killed: the time for
    /// asking is shared equally, so that a stubborn dependent does not take it all.
    pub fn share(self, wave: usize, waves: usize) -> Mono {
        match self {
            Self::Stopping { began, kill_at, .. } => {
                let part = kill_at.since(began).mul_f64((wave + 1) as f64 / waves.max(1) as f64);
                began.after(part).min(kill_at)
            }
            Self::Waking | Self::Up => Mono(u64::MAX),
            Self::Sweeping { .. } | Self::Killing { .. } | Self::Left => Mono(0),
        }
    }
}

/// Which exit code we leave with.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    deciders: Vec<ProcessIx>,
    forgiven: Vec<u8>,
    decided: Option<u8>,
    first_failure: Option<u8>,
}

impl Decision {
    /// `deciders` are the processes whose end for good ends the container.
    pub fn new(deciders: &[ProcessIx]) -> Self {
        Self { deciders: deciders.to_vec(), ..Self::default() }
    }

    /// As this plan says. A process that is alone decides by itself.
    pub fn of(plan: &Plan) -> Self {
        Self { forgiven: plan.passing.forgiven.clone(), ..Self::new(&deciders(plan)) }
    }

    /// From now on this plan says who decides; what was decided stays.
    pub fn follow(&mut self, plan: &Plan) {
        self.deciders = deciders(plan);
    }

    /// Takes in that a process ended for good. Says why the house must go down, when it must.
    pub fn note(&mut self, process: ProcessIx, verdict: Verdict) -> Option<ShutdownCause> {
        let code = self.exit_code(verdict);
        if self.deciders.contains(&process) {
            self.decided = self.decided.or(code);
            return Some(ShutdownCause::Decided(process));
        }
        let failed = matches!(verdict, Verdict::Failed(_) | Verdict::GaveUp | Verdict::NeverRan);
        self.first_failure = self.first_failure.or(code.filter(|_| failed));
        None
    }

    /// A process was given up that must not be.
    pub fn note_crash_loop(&mut self, process: ProcessIx) -> ShutdownCause {
        self.decided = self.decided.or(Some(EXIT_CRASH_LOOP));
        ShutdownCause::CrashLoop(process)
    }

    /// The code: the first decider's, else that of the first process that failed by itself.
    pub fn code(&self) -> u8 {
        self.decided.or(self.first_failure).unwrap_or(0)
    }

    /// The code that a verdict stands for; none for what was asked to end before it ever ran. Codes
    /// of our own are never forgiven.
    fn exit_code(&self, verdict: Verdict) -> Option<u8> {
        let forgiving = |code: u8| if self.forgiven.contains(&code) { 0 } else { code };
        match verdict {
            Verdict::Ended(status) | Verdict::Stopped(status) => Some(forgiving(status.code())),
            // What was ended for failing us has failed, however politely it went.
            Verdict::Failed(status) => Some(forgiving(status.code().max(1))),
            Verdict::GaveUp => Some(EXIT_CRASH_LOOP),
            Verdict::NeverRan => Some(EXIT_NEVER_RAN),
            Verdict::NotStarted => None,
        }
    }
}

/// Who decides in this plan.
fn deciders(plan: &Plan) -> Vec<ProcessIx> {
    let in_house =
        |process: &ProcessPlan| matches!(process.standing, Standing::Wanted | Standing::OnDemand);
    let mut in_house = plan.indexed().filter(|(_, process)| in_house(process));
    match (in_house.next(), in_house.next()) {
        (Some((alone, process)), None)
            if plan.exit_code_from.is_empty() && process.standing == Standing::Wanted =>
        {
            vec![alone]
        }
        _ => plan.exit_code_from.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{ExitStatus, Signal};

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn the_budget_keeps_a_reserve_for_killing_and_leaving() {
        let house = House::going_down(Mono(0), Duration::from_secs(9));
        assert_eq!(house.deadline(), Some(Mono(8 * SECOND)));
        assert_eq!(house.share(0, 2), Mono(4 * SECOND));
        assert_eq!(house.share(1, 2), Mono(8 * SECOND));
    }

    #[test]
    fn a_tiny_budget_is_split_in_proportion() {
        let house = House::going_down(Mono(0), Duration::from_millis(400));
        assert_eq!(house.deadline(), Some(Mono(300_000_000)));
        let House::Stopping { leave_at, .. } = house else { panic!("{house:?}") };
        assert_eq!(leave_at, Mono(375_000_000));
    }

    #[test]
    fn a_second_request_leaves_one_second() {
        let house = House::going_down(Mono(0), Duration::from_secs(9)).hurried(Mono(SECOND));
        assert_eq!(house.deadline(), Some(Mono(2 * SECOND)));
    }

    #[test]
    fn the_first_decider_gives_the_code_also_after_a_requested_stop() {
        let mut decision = Decision::new(&[ProcessIx(1), ProcessIx(2)]);
        let term = Verdict::Stopped(ExitStatus::Signal(Signal::TERM));
        assert_eq!(decision.note(ProcessIx(0), Verdict::Failed(ExitStatus::Code(9))), None);
        assert!(decision.note(ProcessIx(2), term).is_some());
        assert!(decision.note(ProcessIx(1), Verdict::Failed(ExitStatus::Code(4))).is_some());
        assert_eq!(decision.code(), 143);
    }

    #[test]
    fn a_forgiven_code_is_zero_and_our_own_codes_never_are() {
        let forgiving =
            || Decision { forgiven: vec![143, EXIT_CRASH_LOOP], ..Decision::new(&[ProcessIx(0)]) };
        let mut decision = forgiving();
        decision.note(ProcessIx(0), Verdict::Ended(ExitStatus::Signal(Signal::TERM)));
        assert_eq!(decision.code(), 0);
        let mut decision = forgiving();
        decision.note(ProcessIx(0), Verdict::GaveUp);
        assert_eq!(decision.code(), EXIT_CRASH_LOOP);
    }

    #[test]
    fn without_deciders_a_clean_stop_is_zero_and_a_failure_is_not() {
        let mut decision = Decision::new(&[]);
        decision.note(ProcessIx(0), Verdict::Stopped(ExitStatus::Signal(Signal::TERM)));
        assert_eq!(decision.code(), 0);
        decision.note(ProcessIx(1), Verdict::Failed(ExitStatus::Code(3)));
        assert_eq!(decision.code(), 3);
    }
}
