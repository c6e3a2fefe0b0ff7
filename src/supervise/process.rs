//! One process: what is wanted of it ([`Goal`]) apart from what it is doing ([`Phase`]), and the
//! whole table of what moves it.
//!
//! A restart needs no flag: it is "this run ended and the goal is [`Goal::Again`]". Every phase is
//! left by a fact, a deadline or an outside wish, and a cell of the table that changes nothing is
//! written down as one that changes nothing. What happens while a run lives is in [`super::tending`],
//! how it is ended in [`super::ladder`], and what follows then in [`super::after`].

use crate::config::plan::{ProcessPlan, Standing};
use crate::supervise::action::Action;
use crate::supervise::care::Care;
use crate::supervise::fact::FoundRun;
use crate::supervise::input::Input;
use crate::supervise::lifecycle::{Health, Lifecycle, PhaseName, StopCause};
use crate::supervise::phase::{Ending, Goal, Phase, Run, Rung, Verdict};
use crate::supervise::turn::Turn;
use crate::units::{Mono, Now, ProcessIx, RunId, SessionId};

/// No time by which it must be over, for whatever ends while the house is up.
pub(in crate::supervise) const NEVER: Mono = Mono(u64::MAX);

/// One process of the plan.
#[derive(Debug)]
pub struct Process {
    pub(in crate::supervise) goal: Goal,
    pub(in crate::supervise) phase: Phase,
    /// How its live run is looked after; empty when there is none.
    pub(in crate::supervise) care: Care,
    /// Restarts in a row.
    pub(in crate::supervise) streak: u32,
    /// Whether its program was executed since it was last told to start.
    pub(in crate::supervise) executed: bool,
    runs: u32,
}

impl Process {
    /// A process in its first phase: one that is wanted waits for its dependencies, one that runs by
    /// the clock for its time, and one on demand for a wish.
    pub fn new(plan: &ProcessPlan) -> Self {
        let (goal, phase) = match plan.standing {
            Standing::OnDemand | Standing::Retired => {
                (Goal::Stopped, Phase::Done(Verdict::NotStarted))
            }
            Standing::Wanted if plan.schedule.is_some() => (Goal::Up, Phase::Idle { last: None }),
            Standing::Wanted | Standing::Spawned => (Goal::Up, Phase::Waiting),
        };
        Self { goal, phase, care: Care::default(), streak: 0, executed: false, runs: 0 }
    }

    /// What it is doing.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// What is wanted of it.
    pub fn goal(&self) -> Goal {
        self.goal
    }

    /// Whether its program was executed at least once since it was last told to start.
    pub fn was_executed(&self) -> bool {
        self.executed
    }

    /// Whether it can be used now.
    pub fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready { .. }) && self.health() != Some(Health::Unhealthy)
    }

    /// What is known of the health of its live run; `None` where nobody asks.
    pub fn health(&self) -> Option<Health> {
        self.care.health()
    }

    /// Its live run.
    pub fn run(&self) -> Option<RunId> {
        match &self.phase {
            Phase::Starting { run }
            | Phase::Started { run }
            | Phase::Ready { run }
            | Phase::Stopping { run, .. } => Some(run.id),
            Phase::Waiting
            | Phase::Tidying { .. }
            | Phase::Resting { .. }
            | Phase::Idle { .. }
            | Phase::Done(_) => None,
        }
    }

    /// The session of its live run.
    pub fn session(&self) -> Option<SessionId> {
        match &self.phase {
            Phase::Starting { run }
            | Phase::Started { run }
            | Phase::Ready { run }
            | Phase::Stopping { run, .. } => Some(run.session),
            _ => None,
        }
    }

    /// Since when its live run is being ended, and whether SIGKILL did not help.
    pub fn held(&self) -> Option<(Mono, bool)> {
        match &self.phase {
            Phase::Stopping { ending, .. } => Some((ending.asked, ending.rung == Rung::Named)),
            _ => None,
        }
    }

    /// How it ended for good, if it did.
    pub fn verdict(&self) -> Option<Verdict> {
        match self.phase {
            Phase::Done(verdict) => Some(verdict),
            _ => None,
        }
    }

    /// When it wants [`Input::Deadline`].
    pub fn deadline(&self) -> Option<Mono> {
        match &self.phase {
            Phase::Starting { run } | Phase::Started { run } | Phase::Ready { run } => {
                [self.care.deadline(), run.until].into_iter().flatten().min()
            }
            Phase::Stopping { ending: Ending { rung: Rung::Hooks(chain), until, .. }, .. } => {
                Some(chain.deadline().min(*until))
            }
            Phase::Stopping { ending, .. } => Some(ending.deadline()),
            Phase::Tidying { chain, .. } => Some(chain.deadline()),
            Phase::Resting { until, .. } => Some(*until),
            Phase::Waiting | Phase::Idle { .. } | Phase::Done(_) => None,
        }
    }

    /// Whether its live run's main process can still be sent a signal.
    pub fn main_lives(&self) -> bool {
        match &self.phase {
            Phase::Stopping { ending, .. } => ending.main.is_none(),
            _ => self.run().is_some(),
        }
    }

    /// The phase's name, for labels.
    pub fn phase_name(&self) -> PhaseName {
        self.phase.name()
    }

    /// The table: what `input` does in the phase that the process is in.
    #[rustfmt::skip]
    pub fn step(&mut self, input: Input, turn: &mut Turn<'_>) {
        use {Input as I, Phase as P};
        self.goal = self.goal_after(input);
        match (self.phase, input) {
            (P::Waiting, I::Freed) => self.open(turn),
            (P::Waiting, I::Blocked(on)) => self.block(on, turn),
            (P::Waiting | P::Idle { .. }, I::Found(run)) => self.take_over(run, turn),
            (P::Waiting, I::AskedUp | I::AskedAgain | I::AskedAnew) => self.streak = 0,
            (P::Waiting, I::AskedOut | I::Unasked | I::AskedDown(_) | I::Hurried(_)) => self.finish(Verdict::NotStarted),
            (P::Waiting, I::Struck | I::Forked(_) | I::Executed | I::SpawnFailed(_) | I::Exited(..) | I::TreeEmptied | I::HoldersNamed
                | I::Heard(_) | I::Deadline | I::AskNow(_) | I::KillBy(_) | I::Abandoned | I::Adjusted) => {}

            (P::Starting { run } | P::Stopping { run, .. }, I::Forked(id)) => turn.record(Lifecycle::RunForked { run: run.id, id }),
            (P::Starting { run }, I::Executed) => self.execute(run, turn),
            (P::Starting { run } | P::Stopping { run, .. }, I::SpawnFailed(why)) => self.fail(run, why, turn),
            (P::Starting { run } | P::Started { run } | P::Ready { run }, I::Exited(status, usage, left)) => self.lose(run, (status, usage), left, turn),
            (P::Starting { run } | P::Started { run } | P::Ready { run }, I::Heard(news)) => self.heard(run, news, turn),
            (P::Starting { run } | P::Started { run } | P::Ready { run }, I::Deadline) => self.tend(run, turn),
            (P::Starting { run } | P::Started { run } | P::Ready { run }, I::AskNow(cause)) => self.ask(run, cause, NEVER, turn),
            (P::Starting { run } | P::Started { run } | P::Ready { run }, I::AskedDown(latest)) => self.ask(run, StopCause::Shutdown, latest, turn),
            (P::Starting { run } | P::Started { run } | P::Ready { run }, I::Hurried(latest)) => self.ask_at_once(run, StopCause::Shutdown, latest, turn),
            (P::Starting { run } | P::Started { run } | P::Ready { run }, I::KillBy(_)) => self.kill_unasked(run, turn),
            (P::Started { run } | P::Ready { run }, I::Adjusted) => self.adjust(run, turn),
            (P::Starting { .. }, I::Freed | I::Blocked(_) | I::Found(_) | I::Struck | I::TreeEmptied | I::HoldersNamed
                | I::AskedUp | I::AskedAgain | I::AskedAnew | I::AskedOut | I::Unasked | I::Abandoned | I::Adjusted) => {}
            (P::Started { .. } | P::Ready { .. }, I::Freed | I::Blocked(_) | I::Found(_) | I::Struck | I::Forked(_) | I::Executed | I::SpawnFailed(_)
                | I::TreeEmptied | I::HoldersNamed | I::AskedUp | I::AskedAgain | I::AskedAnew | I::AskedOut | I::Unasked | I::Abandoned) => {}

            (P::Stopping { run, ending }, I::Exited(status, usage, left)) => self.main_ended(run, ending, (status, usage), left, turn),
            (P::Stopping { run, ending }, I::TreeEmptied) => self.emptied(run, ending, turn),
            (P::Stopping { run, ending }, I::HoldersNamed) => self.named(run, ending, turn),
            (P::Stopping { run, ending }, I::Heard(news)) => self.heard_late(run, ending, news, turn),
            (P::Stopping { run, ending }, I::Deadline) => self.climb(run, ending, turn),
            (P::Stopping { run, ending }, I::AskedDown(latest)) => self.shorten(run, ending, latest, turn),
            (P::Stopping { run, ending }, I::Hurried(latest)) => self.hurry(run, ending, latest, turn),
            (P::Stopping { run, ending }, I::KillBy(by)) => self.kill_by(run, ending, by, turn),
            (P::Stopping { run, ending }, I::Abandoned) => self.give_up(run, ending, turn),
            (P::Stopping { .. }, I::Freed | I::Blocked(_) | I::Found(_) | I::Struck | I::Executed | I::AskedUp | I::AskedAgain | I::AskedAnew | I::AskedOut
                | I::Unasked | I::AskNow(_) | I::Adjusted) => {}

            (P::Tidying { run, end, chain }, I::Heard(news)) => self.heard_tidying(run, end, chain, news, turn),
            (P::Tidying { run, end, chain }, I::Deadline) => self.tidy(run, end, chain.tick(turn), turn),
            (P::Tidying { run, end, chain }, I::AskedDown(latest)) => self.phase = P::Tidying { run, end, chain: chain.hurried(latest) },
            (P::Tidying { run, end, chain }, I::Hurried(_) | I::Abandoned) => { chain.cut(turn); self.follow(run, end, turn) }
            (P::Tidying { .. }, I::Freed | I::Blocked(_) | I::Found(_) | I::Struck | I::Forked(_) | I::Executed | I::SpawnFailed(_) | I::Exited(..)
                | I::TreeEmptied | I::HoldersNamed | I::AskedUp | I::AskedAgain | I::AskedAnew | I::AskedOut | I::Unasked | I::AskNow(_) | I::KillBy(_) | I::Adjusted) => {}

            (P::Resting { .. }, I::Deadline) => self.open(turn),
            (P::Resting { .. }, I::AskedUp | I::AskedAgain | I::AskedAnew) => self.begin_anew(),
            (P::Resting { last, .. }, I::AskedOut | I::Unasked) => self.finish(last.stopped()),
            (P::Resting { last, .. }, I::AskedDown(_) | I::Hurried(_)) => self.finish(last),
            (P::Resting { .. }, I::Found(_) | I::Struck | I::Adjusted) => {}

            (P::Idle { .. }, I::Struck | I::AskedUp | I::AskedAgain) => self.begin_anew(),
            (P::Idle { .. }, I::Adjusted) if turn.schedule().is_none() => self.begin_anew(),
            (P::Idle { last }, I::AskedOut | I::Unasked) => self.finish(last.map_or(Verdict::NotStarted, Verdict::stopped)),
            (P::Idle { last }, I::AskedDown(_) | I::Hurried(_)) => self.finish(last.unwrap_or(Verdict::NotStarted)),
            (P::Idle { .. }, I::Deadline | I::AskedAnew | I::Adjusted) => {}

            (P::Done(Verdict::NotStarted), I::Found(run)) if self.goal == Goal::Stopped => self.take_over(run, turn),
            (P::Done(_), I::AskedUp | I::AskedAgain) => self.begin_anew(),
            (P::Done(last), I::AskedAnew) => self.renew(last, turn),
            (P::Done(last), I::Adjusted) if self.goal == Goal::Up && turn.schedule().is_some() => self.phase = P::Idle { last: Some(last) },
            (P::Done(_), I::Found(_) | I::Struck | I::Deadline | I::AskedOut | I::Unasked | I::AskedDown(_) | I::Hurried(_) | I::Adjusted) => {}

            // Nothing lives of which this could be news, and nothing waits for others.
            (P::Resting { .. } | P::Idle { .. } | P::Done(_), I::Freed | I::Blocked(_) | I::Forked(_) | I::Executed | I::SpawnFailed(_) | I::Exited(..)
                | I::TreeEmptied | I::HoldersNamed | I::Heard(_) | I::AskNow(_) | I::KillBy(_) | I::Abandoned) => {}
        }
    }

    /// The other table: what a wish makes of the goal. What goes down with the house is not wanted
    /// any more, whoever asks; what is being ended can only run again as another run; and what has
    /// ended by itself is not stopped by being asked to.
    fn goal_after(&self, input: Input) -> Goal {
        let ends = matches!(self.phase, Phase::Stopping { .. } | Phase::Tidying { .. });
        let lives = self.run().is_some() || ends;
        match (input, self.goal) {
            (Input::AskedDown(_) | Input::Hurried(_), _) | (_, Goal::Down) => Goal::Down,
            (Input::AskedUp, _) if ends => Goal::Again,
            (Input::AskedUp, Goal::Again | Goal::Anew | Goal::Unasked) => Goal::Again,
            (Input::AskedUp, _) => Goal::Up,
            (Input::AskedAgain, _) if lives => Goal::Again,
            (Input::AskedAnew, Goal::Again) => Goal::Again,
            (Input::AskedAnew, _) if lives => Goal::Anew,
            (Input::AskedAgain | Input::AskedAnew, _) => Goal::Up,
            (Input::AskedOut | Input::Unasked, goal) if self.verdict().is_some() => goal,
            (Input::Unasked, _) if lives => Goal::Unasked,
            (Input::AskedOut | Input::Unasked, _) => Goal::Stopped,
            (_, goal) => goal,
        }
    }

    /// Waiting, Resting → Starting: a new run.
    fn open(&mut self, turn: &mut Turn<'_>) {
        let run = self.new_run(None, turn);
        let (session, process) = (run.session, turn.ix);
        turn.out.push_back(Action::Spawn { run: run.id, process, session });
        self.care = Care::of_a_new_run(turn);
        self.phase = Phase::Starting { run };
    }

    /// Waiting, Idle, Done → Started: a run of an earlier life goes on, as the session that it is.
    fn take_over(&mut self, found: FoundRun, turn: &mut Turn<'_>) {
        let FoundRun { session, id } = found;
        let run = self.new_run(Some(session), turn);
        let (session, process) = (run.session, turn.ix);
        turn.out.push_back(Action::Adopt { run: run.id, process, session, id });
        turn.record(Lifecycle::RunForked { run: run.id, id });
        self.goal = Goal::Up;
        self.care = Care::of_a_found_run(turn);
        self.begin(run, turn);
        self.become_ready(run, turn);
    }

    /// Waiting → Done: it will never run; what runs by the clock gets its next chance at its next
    /// time.
    fn block(&mut self, on: ProcessIx, turn: &mut Turn<'_>) {
        turn.record(Lifecycle::StartBlocked { process: turn.ix, on });
        match turn.schedule() {
            Some(_) => self.phase = Phase::Idle { last: Some(Verdict::NeverRan) },
            None => self.finish(Verdict::NeverRan),
        }
    }

    /// A run of a new session, or of the one that goes on.
    fn new_run(&mut self, goes_on: Option<SessionId>, turn: &mut Turn<'_>) -> Run {
        let Now { mono: since, .. } = turn.now;
        let until = turn.plan.max_duration.map(|most| since.after(most));
        let adopted = goes_on.is_some();
        let session = goes_on.unwrap_or_else(|| turn.source.session(turn.now));
        let id = turn.source.run();
        let run = Run { id, session, since, until, ended: None };
        let (process, session, attempt) = (turn.ix, run.session, self.runs);
        self.runs += 1;
        turn.record(Lifecycle::RunOpened { run: run.id, process, session, attempt, adopted });
        run
    }

    /// → Waiting: it is told to start, and nothing that was before counts.
    pub(in crate::supervise) fn begin_anew(&mut self) {
        if self.goal == Goal::Down {
            return;
        }
        self.goal = Goal::Up;
        self.streak = 0;
        self.executed = false;
        self.phase = Phase::Waiting;
    }

    /// → Waiting, Idle: another plan holds for it, and by that it begins anew.
    pub(in crate::supervise) fn renew(&mut self, last: Verdict, turn: &Turn<'_>) {
        self.begin_anew();
        if self.phase == Phase::Waiting && turn.schedule().is_some() {
            let last = Some(last).filter(|last| *last != Verdict::NotStarted);
            self.phase = Phase::Idle { last };
        }
    }

    /// → Done.
    pub(in crate::supervise) fn finish(&mut self, verdict: Verdict) {
        self.phase = Phase::Done(verdict);
    }
}
