//! How a run is ended: the commands that come before, the asking, SIGKILL to its whole tree, and at
//! last the names of those who did not even hear that. Each rung has its own deadline.

use std::time::Duration;

use crate::supervise::action::{Action, Scope};
use crate::supervise::fact::SpawnFailure;
use crate::supervise::health::was_frozen;
use crate::supervise::hooks::{Chain, List, Occasion};
use crate::supervise::lifecycle::{EndReason, Lifecycle, RunEnd, StopCause};
use crate::supervise::phase::{Ending, Goal, Phase, Run, Rung};
use crate::supervise::process::{NEVER, Process};
use crate::supervise::turn::Turn;
use crate::units::{ExitStatus, Mono, RunUsage, Signal};

/// How long what a main process left behind may take to end after SIGTERM.
const LEFTOVER_GRACE: Duration = Duration::from_secs(3);

/// How long we wait for the dead after SIGKILL. Longer means an uninterruptible sleep in the
/// kernel: it is named and no longer waited for.
const KILL_WAIT: Duration = Duration::from_millis(500);

/// How long the names of those who are left are waited for before the run is given up.
const NAME_WAIT: Duration = Duration::from_millis(100);

/// The share of the time between the asking and SIGKILL that those who left the group keep of it,
/// once they are asked too. Not at once: a server may end them itself, in its own order, and some
/// (PostgreSQL's backends, each in a session of its own) take a signal for something else.
const OUTSIDERS_SHARE: u32 = 4;

/// The share of the grace period that `pre_stop` may take, so that the process is asked in time to
/// do something about it.
const HOOKS_SHARE: f64 = 0.75;

impl Process {
    /// Starting, Started, Ready → Stopping: the commands that come before, or the asking at once.
    pub(in crate::supervise) fn ask(
        &mut self,
        run: Run,
        cause: StopCause,
        latest: Mono,
        turn: &mut Turn<'_>,
    ) {
        // What does not run or never came to work cannot be prepared for its end.
        let runs = matches!(self.phase, Phase::Started { .. } | Phase::Ready { .. });
        let prepared = runs && cause != StopCause::NotReady;
        let ending = self.begin_to_end(run, cause, latest, turn);
        let chain = prepared.then(|| before_the_asking(run, &ending, turn)).flatten();
        self.go_on(run, ending, chain, turn);
    }

    /// Starting, Started, Ready → Stopping: no time for commands that come before.
    pub(in crate::supervise) fn ask_at_once(
        &mut self,
        run: Run,
        cause: StopCause,
        latest: Mono,
        turn: &mut Turn<'_>,
    ) {
        let ending = self.begin_to_end(run, cause, latest, turn);
        self.go_on(run, ending, None, turn);
    }

    fn begin_to_end(
        &mut self,
        run: Run,
        cause: StopCause,
        latest: Mono,
        turn: &mut Turn<'_>,
    ) -> Ending {
        self.care.end(turn);
        turn.record(Lifecycle::RunStopping { run: run.id, cause });
        let reason = match self.goal {
            Goal::Down | Goal::Stopped | Goal::Unasked => EndReason::Requested,
            Goal::Up | Goal::Again | Goal::Anew => EndReason::Interrupted(cause),
        };
        self.ending(reason, latest, turn)
    }

    /// An ending that begins now with the asking.
    pub(in crate::supervise) fn ending(
        &self,
        reason: EndReason,
        latest: Mono,
        turn: &Turn<'_>,
    ) -> Ending {
        let asked = turn.now.mono;
        let until = asked.after(turn.plan.stop_grace_period).min(latest);
        Ending { rung: Rung::Asked, until, latest, asked, reason, main: None }
    }

    /// Stopping: the next command runs, or there is none any more and the process is asked, and
    /// woken so that it can hear the question.
    pub(in crate::supervise) fn go_on(
        &mut self,
        run: Run,
        mut ending: Ending,
        chain: Option<Chain>,
        turn: &mut Turn<'_>,
    ) {
        ending.rung = match chain {
            Some(chain) => Rung::Hooks(chain),
            None => {
                turn.signal(run.id, turn.plan.stop_signal, Scope::Group);
                turn.signal(run.id, Signal::CONT, Scope::Group);
                Rung::Asked
            }
        };
        self.phase = Phase::Stopping { run, ending };
    }

    /// Starting, Started, Ready: the main process is gone; → Stopping while others of the tree live.
    pub(in crate::supervise) fn lose(
        &mut self,
        run: Run,
        main: (ExitStatus, RunUsage),
        left: bool,
        turn: &mut Turn<'_>,
    ) {
        self.care.end(turn);
        let run = Run { ended: Some(turn.now.mono), ..run };
        let mut ending = self.ending(EndReason::Itself, NEVER, turn);
        if left {
            ending.main = Some(main);
            ending.until = turn.now.mono.after(grace_of(&ending, turn));
            turn.record(Lifecycle::RunStopping { run: run.id, cause: StopCause::Leftovers });
            turn.end_tree(run.id);
            self.phase = Phase::Stopping { run, ending };
        } else {
            let end = RunEnd { stop: None, ..ended(main, &ending, turn) };
            self.close(run, end, NEVER, turn);
        }
    }

    /// Stopping: the main process is gone; what is left of its tree is ended too.
    pub(in crate::supervise) fn main_ended(
        &mut self,
        run: Run,
        mut ending: Ending,
        main: (ExitStatus, RunUsage),
        left: bool,
        turn: &mut Turn<'_>,
    ) {
        if let Rung::Hooks(chain) = ending.rung {
            chain.cut(turn);
            ending.rung = Rung::Asked;
        }
        let run = Run { ended: Some(turn.now.mono), ..run };
        ending.main = Some(main);
        if !left {
            return self.close(run, ended(main, &ending, turn), ending.latest, turn);
        }
        if matches!(ending.rung, Rung::Asked | Rung::AllAsked) {
            turn.end_tree(run.id);
        } else {
            turn.signal(run.id, Signal::KILL, Scope::Tree);
            turn.out.push_back(Action::AwaitTree { run: run.id });
        }
        self.phase = Phase::Stopping { run, ending };
    }

    /// Stopping: nothing of the tree lives.
    pub(in crate::supervise) fn emptied(&mut self, run: Run, ending: Ending, turn: &mut Turn<'_>) {
        if let Some(main) = ending.main {
            self.close(run, ended(main, &ending, turn), ending.latest, turn);
        }
    }

    /// Stopping: the time for the rung is over.
    pub(in crate::supervise) fn climb(&mut self, run: Run, ending: Ending, turn: &mut Turn<'_>) {
        match ending.rung {
            Rung::Hooks(chain) if turn.is_past(ending.until) => {
                chain.cut(turn);
                self.go_on(run, ending, None, turn);
            }
            Rung::Hooks(chain) => {
                let chain = chain.tick(turn);
                self.go_on(run, ending, chain, turn);
            }
            Rung::Asked if !turn.is_past(ending.until) && turn.is_past(ending.deadline()) => {
                turn.signal(run.id, Signal::TERM, Scope::Outsiders);
                turn.signal(run.id, Signal::CONT, Scope::Outsiders);
                let ending = Ending { rung: Rung::AllAsked, ..ending };
                self.phase = Phase::Stopping { run, ending };
            }
            _ if !turn.is_past(ending.until) => {}
            Rung::Asked | Rung::AllAsked if was_frozen(ending.until, turn) => {
                self.renew_grace(run, ending, turn);
            }
            Rung::Asked | Rung::AllAsked => self.kill(run, ending, turn),
            Rung::Killed => {
                turn.out.push_back(Action::NameHolders { run: run.id });
                let until = turn.now.mono.after(NAME_WAIT);
                self.phase =
                    Phase::Stopping { run, ending: Ending { rung: Rung::Named, until, ..ending } };
            }
            Rung::Named => self.give_up(run, ending, turn),
        }
    }

    /// Stopping: nobody could do anything with the time that passed, and who was asked has it anew,
    /// as far as there is time at all.
    fn renew_grace(&mut self, run: Run, ending: Ending, turn: &mut Turn<'_>) {
        if turn.is_past(ending.latest) {
            return self.kill(run, ending, turn);
        }
        let grace = grace_of(&ending, turn);
        let until = turn.now.mono.after(grace).min(ending.latest);
        self.phase = Phase::Stopping { run, ending: Ending { until, ..ending } };
    }

    /// Stopping: asking did not help. Who is left is named before it is gone.
    fn kill(&mut self, run: Run, ending: Ending, turn: &mut Turn<'_>) {
        let after = turn.now.mono.since(ending.asked);
        turn.out.push_back(Action::NameHolders { run: run.id });
        turn.record(Lifecycle::RunKilled { run: run.id, after });
        turn.signal(run.id, Signal::KILL, Scope::Tree);
        if ending.main.is_some() {
            turn.out.push_back(Action::AwaitTree { run: run.id });
        }
        let until = turn.now.mono.after(KILL_WAIT);
        self.phase =
            Phase::Stopping { run, ending: Ending { rung: Rung::Killed, until, ..ending } };
    }

    /// Stopping: who is left is known; there was nothing else to wait for.
    pub(in crate::supervise) fn named(&mut self, run: Run, ending: Ending, turn: &mut Turn<'_>) {
        if ending.rung == Rung::Named {
            self.give_up(run, ending, turn);
        }
    }

    /// Stopping: killing did not help in time. Whatever was born while the tree was killed is still
    /// hit by a second SIGKILL.
    pub(in crate::supervise) fn give_up(
        &mut self,
        run: Run,
        mut ending: Ending,
        turn: &mut Turn<'_>,
    ) {
        if let Rung::Hooks(chain) = ending.rung {
            chain.cut(turn);
        }
        turn.signal(run.id, Signal::KILL, Scope::Tree);
        ending.rung = Rung::Named;
        let unknown = (ExitStatus::Unknown, RunUsage::default());
        let end = ended(ending.main.unwrap_or(unknown), &ending, turn);
        self.close(run, end, ending.latest, turn);
    }

    /// Stopping: SIGKILL at this time at the latest.
    pub(in crate::supervise) fn shorten(
        &mut self,
        run: Run,
        mut ending: Ending,
        latest: Mono,
        turn: &Turn<'_>,
    ) {
        ending.latest = ending.latest.min(latest);
        match ending.rung {
            Rung::Hooks(chain) => {
                ending.until = ending.until.min(latest);
                let share = share_of_hooks(turn.now.mono, ending.until);
                ending.rung = Rung::Hooks(chain.hurried(share));
            }
            Rung::Asked | Rung::AllAsked => ending.until = ending.until.min(latest),
            Rung::Killed | Rung::Named => {}
        }
        self.phase = Phase::Stopping { run, ending };
    }

    /// Starting, Started, Ready → Stopping: killed without being asked, because somebody wants that.
    pub(in crate::supervise) fn kill_unasked(&mut self, run: Run, turn: &mut Turn<'_>) {
        let ending = self.begin_to_end(run, StopCause::Order, NEVER, turn);
        let reason = EndReason::Interrupted(StopCause::Order);
        self.kill(run, Ending { reason, ..ending }, turn);
    }

    /// Stopping: SIGKILL at this time, whatever the plan says. Who was asked before may not gain by it.
    pub(in crate::supervise) fn kill_by(
        &mut self,
        run: Run,
        ending: Ending,
        by: Mono,
        turn: &Turn<'_>,
    ) {
        let by = by.min(ending.latest);
        let is_fresh = ending.asked == turn.now.mono && ending.rung == Rung::Asked;
        let until = if is_fresh { by } else { ending.until };
        self.shorten(run, Ending { until, ..ending }, by, turn);
    }

    /// Stopping: SIGKILL at this time at the latest, and no command holds up the asking any more.
    pub(in crate::supervise) fn hurry(
        &mut self,
        run: Run,
        ending: Ending,
        latest: Mono,
        turn: &mut Turn<'_>,
    ) {
        self.shorten(run, ending, latest, turn);
        let Phase::Stopping { run, ending } = self.phase else { return };
        if let Rung::Hooks(chain) = ending.rung {
            chain.cut(turn);
            self.go_on(run, ending, None, turn);
        }
    }

    /// Starting, Stopping → Resting, Done: there was never a program.
    pub(in crate::supervise) fn fail(&mut self, run: Run, why: SpawnFailure, turn: &mut Turn<'_>) {
        self.care.end(turn);
        let stop = self.held().map(|(asked, _)| turn.now.mono.since(asked));
        let (status, reason) = (ExitStatus::Code(why.exit_code()), EndReason::NotSpawned(why));
        let end = RunEnd { status, usage: None, reason, forced: false, stop };
        self.close_unspawned(run, why, end, turn);
    }
}

impl Ending {
    /// When we go further, or ask those who have not been asked yet: they are, once their parent is
    /// gone.
    pub fn deadline(&self) -> Mono {
        let left = self.until.since(self.asked) / OUTSIDERS_SHARE;
        match (self.rung, self.main) {
            (Rung::Asked, None) => self.until.before(left),
            _ => self.until,
        }
    }
}

/// How long who was asked has to end: what is left of a tree has less than its main process.
fn grace_of(ending: &Ending, turn: &Turn<'_>) -> Duration {
    let whole = turn.plan.stop_grace_period;
    if ending.main.is_some() { LEFTOVER_GRACE.min(whole) } else { whole }
}

fn before_the_asking(run: Run, ending: &Ending, turn: &mut Turn<'_>) -> Option<Chain> {
    let latest = share_of_hooks(ending.asked, ending.until);
    let occasion = Occasion { list: List::PreStop, run: run.id, status: None, latest };
    Chain::begin(occasion, turn)
}

/// When the commands that come before the asking are over at the latest, of the time that is left.
fn share_of_hooks(now: Mono, until: Mono) -> Mono {
    now.after(until.since(now).mul_f64(HOOKS_SHARE))
}

fn ended((status, usage): (ExitStatus, RunUsage), ending: &Ending, turn: &Turn<'_>) -> RunEnd {
    let forced = matches!(ending.rung, Rung::Killed | Rung::Named);
    let usage = (status != ExitStatus::Unknown).then_some(usage);
    let stop = Some(turn.now.mono.since(ending.asked));
    RunEnd { status, usage, reason: ending.reason, forced, stop }
}
