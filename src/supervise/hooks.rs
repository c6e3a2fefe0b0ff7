//! The commands around a run, carried out one after the other. One that fails is told and holds
//! nothing up; one that takes too long is killed, and the next begins.

use crate::config::plan::{Hook, Hooks};
use crate::supervise::fact::ErrandEnd;
use crate::supervise::lifecycle::{Lifecycle, Role};
use crate::supervise::turn::Turn;
use crate::units::{ErrandId, ExitStatus, Mono, RunId};

/// Which of the lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// `post_start`.
    PostStart,
    /// `pre_stop`.
    PreStop,
    /// `post_exit`.
    PostExit,
}

impl List {
    fn of(self, hooks: &Hooks) -> &[Hook] {
        match self {
            Self::PostStart => &hooks.post_start,
            Self::PreStop => &hooks.pre_stop,
            Self::PostExit => &hooks.post_exit,
        }
    }

    fn role(self, at: usize) -> Role {
        match self {
            Self::PostStart => Role::PostStart(at),
            Self::PreStop => Role::PreStop(at),
            Self::PostExit => Role::PostExit(at),
        }
    }
}

/// What a list of commands is about, and until when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Occasion {
    /// Which list.
    pub list: List,
    /// The run.
    pub run: RunId,
    /// How the run ended, if it has.
    pub status: Option<ExitStatus>,
    /// When the last command is killed; none begins after that.
    pub latest: Mono,
}

/// A list that is being carried out: one command of it runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chain {
    occasion: Occasion,
    at: usize,
    errand: ErrandId,
    late_at: Mono,
}

impl Chain {
    /// Starts the first command; none if the list is empty or it is too late.
    pub fn begin(occasion: Occasion, turn: &mut Turn<'_>) -> Option<Self> {
        Self::at(occasion, 0, turn)
    }

    fn at(occasion: Occasion, at: usize, turn: &mut Turn<'_>) -> Option<Self> {
        let plan = turn.plan;
        let hook = occasion.list.of(&plan.hooks).get(at)?;
        if turn.is_past(occasion.latest) {
            return None;
        }
        let errand = turn.assist(occasion.run, occasion.list.role(at), occasion.status);
        let late_at = turn.now.mono.after(hook.timeout).min(occasion.latest);
        Some(Self { occasion, at, errand, late_at })
    }

    /// When the command that runs is killed.
    pub fn deadline(&self) -> Mono {
        self.late_at
    }

    /// Whether this command is the one that runs.
    pub fn is(&self, errand: ErrandId) -> bool {
        self.errand == errand
    }

    /// The command that runs has ended: the next begins, if there is one.
    pub fn ended(self, end: ErrandEnd, turn: &mut Turn<'_>) -> Option<Self> {
        if end != ErrandEnd::Exited(ExitStatus::Code(0)) {
            self.tell_failure(Some(end), turn);
        }
        self.next(turn)
    }

    /// Time has passed: a command that takes too long is killed, and the next begins, if there is
    /// one.
    pub fn tick(self, turn: &mut Turn<'_>) -> Option<Self> {
        if !turn.is_past(self.late_at) {
            return Some(self);
        }
        turn.end_errand(self.errand);
        self.tell_failure(None, turn);
        self.next(turn)
    }

    /// Ends it here: the command that runs is killed, and the others never begin.
    pub fn cut(self, turn: &mut Turn<'_>) {
        turn.end_errand(self.errand);
    }

    /// The same with less time.
    pub fn hurried(mut self, latest: Mono) -> Self {
        self.occasion.latest = self.occasion.latest.min(latest);
        self.late_at = self.late_at.min(latest);
        self
    }

    fn next(self, turn: &mut Turn<'_>) -> Option<Self> {
        Self::at(self.occasion, self.at + 1, turn)
    }

    fn tell_failure(self, end: Option<ErrandEnd>, turn: &mut Turn<'_>) {
        let role = self.occasion.list.role(self.at);
        turn.record(Lifecycle::HookFailed { process: turn.ix, role, end });
    }
}
