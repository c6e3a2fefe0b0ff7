//! One line of log for each turn of the loop: what happened, and what was done about it. The log
//! is the trace; nothing else in this room writes to it.

use std::fmt::Write;

use crate::config::plan::Plan;
use crate::supervise::action::{Action, Scope};
use crate::supervise::fact::Fact;
use crate::supervise::lifecycle::{Lifecycle, ShutdownCause, StopCause};
use crate::units::ProcessIx;

/// Tells one turn. Orphans come by the thousand, so that their lines are for debugging.
pub fn tell(plan: &Plan, fact: &Fact, done: &[Action]) {
    let told = summary(plan, done);
    match fact {
        Fact::OrphanReaped | Fact::Executed { .. } => {
            tracing::debug!(target: "init", fact = ?fact, "{told}");
        }
        _ => tracing::info!(target: "init", fact = ?fact, "{told}"),
    }
}

/// Tells a turn that was begun by a deadline.
pub fn tell_of_deadline(plan: &Plan, done: &[Action]) {
    if !done.is_empty() {
        tracing::info!(target: "init", fact = "deadline", "{}", summary(plan, done));
    }
}

/// The actions of a turn as one sentence.
fn summary(plan: &Plan, done: &[Action]) -> String {
    let mut told = String::new();
    for action in done {
        let part = match action {
            Action::Record(event) => event_in_words(plan, event),
            Action::Signal { run, signal, scope } => {
                Some(format!("send {signal} to {} of {run}", reach(*scope)))
            }
            Action::SignalHouse { signal } => Some(format!("send {signal} to all that is left")),
            Action::Exit { code } => Some(format!("exit with code {code}")),
            Action::Spawn { .. }
            | Action::Adopt { .. }
            | Action::AwaitTree { .. }
            | Action::AwaitHouse => None,
        };
        if let Some(part) = part {
            let separator = if told.is_empty() { "" } else { "; " };
            let _ = write!(told, "{separator}{part}");
        }
    }
    if told.is_empty() { "nothing to do".into() } else { told }
}

fn reach(scope: Scope) -> &'static str {
    match scope {
        Scope::Main => "the main process",
        Scope::Group => "the group",
        Scope::Tree => "the tree",
    }
}

/// What a person wants to know of an event; `None` where another part of the line says it.
fn event_in_words(plan: &Plan, event: &Lifecycle) -> Option<String> {
    let name = |ix: &ProcessIx| plan.process(*ix).name.clone();
    Some(match event {
        Lifecycle::RunOpened { run, process, session, adopted, .. } => {
            let verb = if *adopted { "take over" } else { "start" };
            format!("{verb} {} as {run}, session {session}", name(process))
        }
        Lifecycle::RunForked { run, id } => format!("{run} has pid {}", id.pid),
        Lifecycle::RunReady { run } => format!("{run} runs"),
        Lifecycle::RunStopping { run, cause: StopCause::Shutdown } => format!("stop {run}"),
        Lifecycle::RunStopping { run, cause: StopCause::Leftovers } => {
            format!("end what {run} left behind")
        }
        Lifecycle::RunKilled { run } => format!("{run} did not listen"),
        Lifecycle::RunEnded { run, end } => {
            let forced = if end.forced { ", by force" } else { "" };
            format!("{run} is over: {}{forced}", end.status)
        }
        Lifecycle::RestartScheduled { process, delay, streak } => {
            format!("restart {} in {:.1} s (attempt {streak})", name(process), delay.as_secs_f64())
        }
        Lifecycle::CrashLooped { process, streak } => {
            format!("give up {} after {streak} restarts in a row", name(process))
        }
        Lifecycle::SignalArrived { signal, response } => {
            format!("{signal}: {}", response.as_str())
        }
        Lifecycle::ShutdownBegan { cause, budget } => {
            let why = match cause {
                ShutdownCause::Signal(signal) => format!("asked by {signal}"),
                ShutdownCause::Decided(process) => format!("{} has ended", name(process)),
                ShutdownCause::AllDone => "every process is done".into(),
            };
            format!("stop everything within {:.1} s: {why}", budget.as_secs_f64())
        }
        Lifecycle::PhaseChanged { .. } | Lifecycle::OrphanReaped | Lifecycle::Left { .. } => {
            return None;
        }
    })
}
