//! One line of log for each turn of the loop: what happened and what was done about it, by the
//! names that people know. The log is the trace; nothing else that turns the loop writes to it.
//!
//! A line has the level of the gravest thing in it. At `trace` the fact and the actions of each
//! turn are told as they are.

mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use tracing::Level;

use crate::config::plan::{Mode, Plan};
use crate::supervise::action::{Action, Scope};
use crate::supervise::fact::{Fact, SpawnFailure, SpawnStep};
use crate::supervise::lifecycle::{EndReason, Lifecycle, RunEnd, ShutdownCause, StopCause};
use crate::units::{ProcessIx, RunId};

/// Tells the turns of one life.
pub struct Story {
    plan: Arc<Plan>,
    /// Whose runs those are that may still be heard of.
    runs: BTreeMap<RunId, ProcessIx>,
}

/// A part of a line, and how grave it is.
type Part = (Level, String);

impl Story {
    /// Nothing was told yet.
    pub fn new(plan: Arc<Plan>) -> Self {
        Self { plan, runs: BTreeMap::new() }
    }

    /// Tells a turn: the fact that began it, unless it was a deadline, and what was done.
    pub fn tell(&mut self, fact: Option<&Fact>, done: &[Action]) {
        tracing::trace!(target: "init", ?fact, ?done, "turn");
        let parts: Vec<Part> = done.iter().filter_map(|action| self.part(action)).collect();
        let Some(gravest) = parts.iter().map(|(level, _)| *level).min() else { return };
        let shown = gravest.max(Level::INFO);
        let told: Vec<&str> =
            parts.iter().filter(|(level, _)| *level <= shown).map(|(_, words)| &**words).collect();
        write(gravest, &told.join("; "));
    }

    fn part(&mut self, action: &Action) -> Option<Part> {
        match action {
            Action::Record(event) => self.event(event),
            Action::Signal { run, signal, scope } => {
                let reach = match scope {
                    Scope::Main => "the main process",
                    Scope::Group => "the group",
                    Scope::Tree => "the tree",
                    Scope::Outsiders => "those outside the group",
                };
                debug(format!("{signal} to {reach} of {}", self.name(*run)))
            }
            Action::SignalHouse { signal } => debug(format!("{signal} to all that is left")),
            Action::SignalOrphans { ids, signal } => {
                debug(format!("{signal} to {} who were left behind", ids.len()))
            }
            Action::Assist { process, role, .. } => {
                debug(format!("running {} of {}", words::role(*role), self.process(*process)))
            }
            Action::Reconfigure(plan) => {
                self.plan = Arc::clone(plan);
                None
            }
            Action::Reply { reply, .. } => words::reply(reply),
            Action::Spawn { .. }
            | Action::Adopt { .. }
            | Action::AwaitTree { .. }
            | Action::AwaitHouse
            | Action::NameHolders { .. }
            | Action::EndErrand { .. }
            | Action::Probe { .. }
            | Action::ReadConfiguration
            | Action::Exit { .. } => None,
        }
    }

    fn event(&mut self, event: &Lifecycle) -> Option<Part> {
        match event {
            Lifecycle::RunOpened { run, process, session, adopted, .. } => {
                self.runs.insert(*run, *process);
                let verb = if *adopted { "taking over" } else { "starting" };
                info(format!("{verb} {}, session {session}", self.name(*run)))
            }
            Lifecycle::RunForked { run, id } => {
                info(format!("{} has pid {}", self.name(*run), id.pid))
            }
            Lifecycle::RunExecuted { run } => debug(format!("{} runs", self.name(*run))),
            Lifecycle::RunStopping { run, cause } => self.stopping(*run, *cause),
            Lifecycle::RunKilled { run, after } if after.is_zero() => {
                info(format!("{} is killed", self.name(*run)))
            }
            Lifecycle::RunKilled { run, .. } => {
                warn(format!("{} did not end in time and is killed", self.name(*run)))
            }
            Lifecycle::RunEnded { run, end } => {
                let part = self.ended(*run, end);
                self.runs.remove(run);
                part
            }
            Lifecycle::StartBlocked { process, on } => self.blocked(*process, *on),
            Lifecycle::PhaseChanged { .. } => None,
            Lifecycle::RestartScheduled { process, delay, streak } => info(format!(
                "restarting {} in {} (attempt {streak})",
                self.process(*process),
                words::span(*delay)
            )),
            Lifecycle::CrashLooped { process, streak } => self.given_up(*process, *streak),
            Lifecycle::SignalArrived { signal, response } => words::signal(*signal, *response),
            Lifecycle::OrphansReaped { process, status, count } => {
                self.orphans(*process, *status, *count)
            }
            Lifecycle::RunReady { run } => self.ready(*run),
            Lifecycle::HealthChanged { run, health } => self.health(*run, *health),
            Lifecycle::TestFailed { run, failure, row, said } => {
                self.test_failed(*run, *failure, *row, said.as_deref())
            }
            Lifecycle::StatusTold { run, text } => {
                debug(format!("{} says: {text}", self.name(*run)))
            }
            Lifecycle::HookFailed { process, role, end } => self.hook_failed(*process, *role, *end),
            Lifecycle::RunHeld { run, holders, after, unkillable } => {
                self.held(*run, holders, *after, *unkillable)
            }
            Lifecycle::ScheduleSkipped { process } => info(format!(
                "{} is not run again now: the last run of it still lives",
                self.process(*process)
            )),
            Lifecycle::OrderGiven { order, accepted } => words::order(*order, *accepted),
            Lifecycle::ReloadFailed { faults } => words::reload_failed(*faults),
            Lifecycle::PlanChanged { plan, changes } => {
                words::plan_changed(&plan.processes, changes)
            }
            Lifecycle::ShutdownBegan { cause, budget } => info(format!(
                "stopping everything within {}: {}",
                words::span(*budget),
                self.why(*cause)
            )),
            Lifecycle::Left { code } => info(format!("leaving with exit code {code}")),
        }
    }

    fn stopping(&self, run: RunId, cause: StopCause) -> Option<Part> {
        let signal = self.runs.get(&run).map(|ix| self.plan.process(*ix).stop_signal);
        match (cause, signal) {
            (StopCause::Shutdown, Some(signal)) => {
                info(format!("stopping {} with {signal}", self.name(run)))
            }
            (StopCause::Shutdown, None) => info(format!("stopping {}", self.name(run))),
            (StopCause::Leftovers, _) => {
                info(format!("ending what {} left behind", self.name(run)))
            }
            (cause, _) => info(format!("stopping {}: {}", self.name(run), cause.told())),
        }
    }

    fn ended(&self, run: RunId, end: &RunEnd) -> Option<Part> {
        let name = self.name(run);
        match end.reason {
            EndReason::NotSpawned(failure) => error(format!(
                "cannot start {name}: {} (exit code {})",
                self.not_spawned(run, failure),
                end.status.code()
            )),
            _ if end.forced => warn(format!("{name} is over: {}, by force", end.status)),
            _ if end.usage.is_some_and(|usage| usage.oom_killed) => {
                warn(format!("{name} was killed by the kernel for want of memory"))
            }
            // What a single command ends with is its own affair, as under tini.
            EndReason::Itself if !end.status.success() && self.plan.mode == Mode::Supervise => {
                warn(format!("{name} is over: {}", end.status))
            }
            EndReason::Itself | EndReason::Requested | EndReason::Interrupted(_) => {
                info(format!("{name} is over: {}", end.status))
            }
        }
    }

    /// Why a program could not be executed, and what to do about it.
    fn not_spawned(&self, run: RunId, failure: SpawnFailure) -> String {
        let Some(ix) = self.runs.get(&run) else { return failure.to_string() };
        let plan = self.plan.process(*ix);
        let program = plan.words().into_iter().next().unwrap_or_default();
        let place = if program.contains('/') { "" } else { " in PATH" };
        match (failure.step, failure.reason()) {
            (SpawnStep::Exec, "not_found") => {
                format!("there is no program `{program}`{place}, or none that interprets it")
            }
            (SpawnStep::Exec, "not_executable") => {
                format!("`{program}` may not be executed: is it a program, with `chmod +x`?")
            }
            (SpawnStep::WorkingDir, _) => {
                let dir = plan.working_dir.as_deref().unwrap_or_else(|| ".".as_ref());
                let cause = std::io::Error::from_raw_os_error(failure.errno);
                format!("cannot enter its working_dir {}: {cause}", dir.display())
            }
            (SpawnStep::Secret, _) => {
                let files = plan.world.secrets.iter().map(|secret| secret.file.display());
                let files: Vec<String> = files.map(|file| file.to_string()).collect();
                format!("{failure} ({})", files.join(", "))
            }
            _ => failure.to_string(),
        }
    }

    fn given_up(&self, process: ProcessIx, streak: u32) -> Option<Part> {
        let restarts = if streak == 1 { "restart" } else { "restarts" };
        let name = self.process(process);
        error(format!("giving up {name}: {streak} {restarts} in a row did not help"))
    }

    fn blocked(&self, process: ProcessIx, on: ProcessIx) -> Option<Part> {
        let (name, on) = (self.process(process), self.process(on));
        warn(format!("{name} is not started: it waits for {on}, in vain"))
    }

    fn why(&self, cause: ShutdownCause) -> String {
        match cause {
            ShutdownCause::Signal(signal) => format!("asked by {signal}"),
            ShutdownCause::Decided(process) => format!("{} has ended", self.process(process)),
            ShutdownCause::Order => "ordered".into(),
            ShutdownCause::CrashLoop(process) => format!("{} is given up", self.process(process)),
            ShutdownCause::AllDone => "every process is done".into(),
        }
    }

    fn process(&self, ix: ProcessIx) -> &str {
        &self.plan.process(ix).name
    }

    /// The process with the number of its run, which also stands in the history.
    fn name(&self, run: RunId) -> String {
        match self.runs.get(&run) {
            Some(ix) => format!("{} ({run})", self.process(*ix)),
            None => run.to_string(),
        }
    }
}

fn write(level: Level, told: &str) {
    match level {
        Level::ERROR => tracing::error!(target: "init", "{told}"),
        Level::WARN => tracing::warn!(target: "init", "{told}"),
        Level::INFO => tracing::info!(target: "init", "{told}"),
        _ => tracing::debug!(target: "init", "{told}"),
    }
}

fn error(words: String) -> Option<Part> {
    Some((Level::ERROR, words))
}

fn warn(words: String) -> Option<Part> {
    Some((Level::WARN, words))
}

fn info(words: String) -> Option<Part> {
    Some((Level::INFO, words))
}

fn debug(words: String) -> Option<Part> {
    Some((Level::DEBUG, words))
}
