//! What follows when a run is over: the commands that come after it, then whatever the goal says,
//! then the restart policy.

use crate::config::plan::{OnCrashLoop, RestartPolicy};
use crate::supervise::backoff;
use crate::supervise::fact::SpawnFailure;
use crate::supervise::hooks::{Chain, List, Occasion};
use crate::supervise::input::News;
use crate::supervise::lifecycle::{Lifecycle, RunEnd};
use crate::supervise::phase::{End, Goal, Phase, Run, Verdict};
use crate::supervise::process::Process;
use crate::supervise::turn::Turn;
use crate::units::Mono;

/// How often a spawn that failed for want of memory, pids or descriptors is tried again, whatever
/// the restart policy: the shortage is the machine's, not the program's.
const TRANSIENT_ATTEMPTS: u32 = 5;

impl Process {
    /// → Tidying, or at once whatever follows: the run is over.
    pub(in crate::supervise) fn close(
        &mut self,
        run: Run,
        end: RunEnd,
        latest: Mono,
        turn: &mut Turn<'_>,
    ) {
        let RunEnd { status, reason, .. } = end;
        turn.record(Lifecycle::RunEnded { run: run.id, end });
        let occasion = Occasion { list: List::PostExit, run: run.id, status: Some(status), latest };
        let chain = Chain::begin(occasion, turn);
        self.tidy(run, End { status, reason }, chain, turn);
    }

    /// The run is over before it had a program, so that there is nothing to tidy up.
    pub(in crate::supervise) fn close_unspawned(
        &mut self,
        run: Run,
        why: SpawnFailure,
        end: RunEnd,
        turn: &mut Turn<'_>,
    ) {
        let told = End { status: end.status, reason: end.reason };
        turn.record(Lifecycle::RunEnded { run: run.id, end });
        let again = why.is_transient() && self.goal == Goal::Up;
        if again && self.streak < TRANSIENT_ATTEMPTS {
            self.rest(run, Verdict::Failed(told.status), turn);
        } else {
            self.follow(run, told, turn);
        }
    }

    /// Tidying: the next command runs, or there is none any more.
    pub(in crate::supervise) fn tidy(
        &mut self,
        run: Run,
        end: End,
        chain: Option<Chain>,
        turn: &mut Turn<'_>,
    ) {
        match chain {
            Some(chain) => self.phase = Phase::Tidying { run, end, chain },
            None => self.follow(run, end, turn),
        }
    }

    /// Tidying: something was heard, perhaps of a command that comes after.
    pub(in crate::supervise) fn heard_tidying(
        &mut self,
        run: Run,
        end: End,
        chain: Chain,
        news: News,
        turn: &mut Turn<'_>,
    ) {
        if let News::Errand(errand, how) = news
            && chain.is(errand)
        {
            let chain = chain.ended(how, turn);
            self.tidy(run, end, chain, turn);
        }
    }

    /// What follows is decided by the goal, then by the restart policy.
    pub(in crate::supervise) fn follow(&mut self, run: Run, end: End, turn: &mut Turn<'_>) {
        let verdict = end.judged(&turn.plan.restart.success_codes);
        match self.goal {
            Goal::Stopped => self.finish(verdict.stopped()),
            Goal::Down if end.was_wanted() => self.finish(verdict.stopped()),
            Goal::Down => self.finish(verdict),
            Goal::Again => self.begin_anew(),
            Goal::Anew => self.renew(verdict, turn),
            Goal::Unasked => *self = Self::new(turn.plan),
            Goal::Up if turn.schedule().is_some() => self.follow_the_clock(run, verdict, turn),
            Goal::Up if wants_restart(turn.plan.restart.policy, verdict) => {
                self.rest(run, verdict, turn);
            }
            Goal::Up => self.finish(verdict),
        }
    }

    /// → Idle; but a failure is tried again before its time where the policy says so.
    fn follow_the_clock(&mut self, run: Run, verdict: Verdict, turn: &mut Turn<'_>) {
        let failed = matches!(verdict, Verdict::Failed(_));
        if failed && turn.plan.restart.policy != RestartPolicy::No {
            self.rest(run, verdict, turn);
        } else {
            self.streak = 0;
            self.phase = Phase::Idle { last: Some(verdict) };
        }
    }

    /// → Resting, or given up when this was once too often.
    fn rest(&mut self, run: Run, last: Verdict, turn: &mut Turn<'_>) {
        let restart = &turn.plan.restart;
        if run.age(turn.now.mono) >= restart.backoff.window {
            self.streak = 0;
        }
        let process = turn.ix;
        if restart.max_attempts.is_some_and(|most| self.streak >= most) {
            turn.record(Lifecycle::CrashLooped { process, streak: self.streak });
            return self.give_in(last, turn);
        }
        self.streak += 1;
        let delay = backoff::rest(&restart.backoff, self.streak, turn.source.chance());
        turn.record(Lifecycle::RestartScheduled { process, delay, streak: self.streak });
        self.phase = Phase::Resting { until: turn.now.mono.after(delay), last };
    }

    /// → Done, given up; what runs by the clock gets its next chance at its next time.
    fn give_in(&mut self, last: Verdict, turn: &Turn<'_>) {
        let stays = turn.plan.restart.on_crash_loop == OnCrashLoop::Stay;
        if stays && turn.schedule().is_some() {
            self.streak = 0;
            self.phase = Phase::Idle { last: Some(last) };
        } else {
            self.finish(Verdict::GaveUp);
        }
    }
}

fn wants_restart(policy: RestartPolicy, verdict: Verdict) -> bool {
    match policy {
        RestartPolicy::No => false,
        RestartPolicy::OnFailure => matches!(verdict, Verdict::Failed(_)),
        RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
    }
}
