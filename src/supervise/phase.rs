//! What is wanted of a process ([`Goal`]), what it is doing ([`Phase`]), and how it ended for good
//! ([`Verdict`]): plain values, moved only by [`super::process`].

use std::time::Duration;

use crate::supervise::hooks::Chain;
use crate::supervise::lifecycle::{EndReason, PhaseName};
use crate::units::{ExitStatus, Mono, RunId, RunUsage, SessionId};

/// What is wanted of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// That it runs.
    Up,
    /// That its run ends, and that it runs anew then, whatever its restart policy says.
    Again,
    /// The same for the sake of another plan: what runs by the clock waits for its time then.
    Anew,
    /// That it ends and stays ended until it is asked for.
    Stopped,
    /// That it ends, and is then as one that was never asked for.
    Unasked,
    /// That it ends with the house.
    Down,
}

impl Goal {
    /// Whether a run that lives is to end while the house is up.
    pub fn ends_the_run(self) -> bool {
        matches!(self, Self::Again | Self::Anew | Self::Stopped | Self::Unasked)
    }

    /// Whether a run that lives is to end and another one to begin then.
    pub fn runs_anew(self) -> bool {
        matches!(self, Self::Again | Self::Anew)
    }

    /// Whether it is to run, now or once its run has ended.
    pub fn is_to_run(self) -> bool {
        matches!(self, Self::Up | Self::Again | Self::Anew)
    }
}

/// What a process is doing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Phase {
    /// Not started yet: a dependency has not done what it must.
    Waiting,
    /// Forked or about to be; its program was not executed yet.
    Starting {
        /// The run that it becomes.
        run: Run,
    },
    /// Its program runs, and has not shown yet that it can be used.
    Started {
        /// The live run.
        run: Run,
    },
    /// It can be used.
    Ready {
        /// The live run.
        run: Run,
    },
    /// It is being ended.
    Stopping {
        /// The run that ends.
        run: Run,
        /// How far that is.
        ending: Ending,
    },
    /// Its run is over, and the commands that come after it run.
    Tidying {
        /// The run that ended.
        run: Run,
        /// How it ended.
        end: End,
        /// The commands.
        chain: Chain,
    },
    /// Between two runs.
    Resting {
        /// When the next run begins.
        until: Mono,
        /// How the last run ended.
        last: Verdict,
    },
    /// It runs by the clock, and its time has not come.
    Idle {
        /// How the last run ended, if there was one.
        last: Option<Verdict>,
    },
    /// It ended for good.
    Done(Verdict),
}

impl Phase {
    /// The phase's name, for labels.
    pub fn name(&self) -> PhaseName {
        match self {
            Self::Waiting => PhaseName::Waiting,
            Self::Starting { .. } | Self::Started { .. } => PhaseName::Starting,
            Self::Ready { .. } => PhaseName::Ready,
            Self::Stopping { .. } | Self::Tidying { .. } => PhaseName::Stopping,
            Self::Resting { .. } | Self::Idle { .. } => PhaseName::Resting,
            Self::Done(Verdict::GaveUp) => PhaseName::CrashLooped,
            Self::Done(Verdict::Failed(_) | Verdict::NeverRan) => PhaseName::Failed,
            Self::Done(Verdict::Ended(_) | Verdict::Stopped(_) | Verdict::NotStarted) => {
                PhaseName::Done
            }
        }
    }
}

/// A run that the mind holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The session that it is.
    pub session: SessionId,
    /// When it was opened.
    pub since: Mono,
    /// When its time is up, where it has no more than so much.
    pub until: Option<Mono>,
    /// When its main process was gone; what follows that is not the program's doing.
    pub ended: Option<Mono>,
}

impl Run {
    /// How long its main process has lived.
    pub fn age(&self, now: Mono) -> Duration {
        self.ended.unwrap_or(now).since(self.since)
    }
}

/// How far a run is in being ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ending {
    /// How far we went.
    pub rung: Rung,
    /// When we go further.
    pub until: Mono,
    /// When it is killed at the latest, whatever more time it asks for.
    pub latest: Mono,
    /// When it was asked.
    pub asked: Mono,
    /// Why it ends.
    pub reason: EndReason,
    /// What the kernel said of its main process, once it is reaped.
    pub main: Option<(ExitStatus, RunUsage)>,
}

/// How far we went in ending a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rung {
    /// The commands that come before the asking run.
    Hooks(Chain),
    /// It was asked.
    Asked,
    /// Time runs short, and those who left its group were asked as well.
    AllAsked,
    /// It was sent SIGKILL.
    Killed,
    /// SIGKILL did not help; who is left is looked up before it is given up.
    Named,
}

/// How a run ended: as far as it decides what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// What the kernel said.
    pub status: ExitStatus,
    /// Why.
    pub reason: EndReason,
}

impl End {
    /// Whether it ended because somebody wanted that, so that the program has not failed.
    pub fn was_wanted(self) -> bool {
        match self.reason {
            EndReason::Requested => true,
            EndReason::Interrupted(cause) => !cause.is_failure(),
            EndReason::Itself | EndReason::NotSpawned(_) => false,
        }
    }

    /// What the end is worth where nobody wanted it; `successes` are the exit codes besides 0 that
    /// are none of a failure.
    pub fn judged(self, successes: &[u8]) -> Verdict {
        let well = self.status.is_one_of(successes);
        let failed_us = matches!(self.reason, EndReason::Interrupted(cause) if cause.is_failure());
        if well && !failed_us { Verdict::Ended(self.status) } else { Verdict::Failed(self.status) }
    }
}

/// How a process ended for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// By itself, and well; nothing more was to do.
    Ended(ExitStatus),
    /// By itself, and badly; or it was ended because it did not do what it was to do.
    Failed(ExitStatus),
    /// On request.
    Stopped(ExitStatus),
    /// It failed too often in a row.
    GaveUp,
    /// It never ran, because a dependency can never do what it must.
    NeverRan,
    /// It was asked to end before it ever ran, or never asked for.
    NotStarted,
}

impl Verdict {
    /// The same end, on request.
    pub fn stopped(self) -> Self {
        match self {
            Self::Ended(status) | Self::Failed(status) => Self::Stopped(status),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervise::lifecycle::StopCause;
    use crate::units::Signal;

    #[test]
    fn an_end_is_judged_by_its_code_and_by_what_it_was_ended_for() {
        let by_itself = |status| End { status, reason: EndReason::Itself };
        let term = ExitStatus::Signal(Signal::TERM);
        let zero = ExitStatus::Code(0);
        assert_eq!(by_itself(zero).judged(&[]), Verdict::Ended(zero));
        assert_eq!(by_itself(term).judged(&[]), Verdict::Failed(term));
        assert_eq!(by_itself(term).judged(&[143]), Verdict::Ended(term));
        for (cause, failed) in
            [(StopCause::Unhealthy, true), (StopCause::TimeUp, true), (StopCause::Order, false)]
        {
            let end = End { status: zero, reason: EndReason::Interrupted(cause) };
            assert_eq!(end.judged(&[]) == Verdict::Failed(zero), failed, "{cause:?}");
            assert_eq!(end.was_wanted(), !failed, "{cause:?}");
        }
    }
}
