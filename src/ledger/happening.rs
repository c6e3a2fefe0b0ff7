//! What happened, for those who look on as it happens: the lifecycle with names in place of places
//! and numbers. Pure, and small: it remembers the live runs and nothing else.
//!
//! Reaped orphans are not told of: a build makes twenty thousand of them in a second, which would
//! push everything else out of sight; they are counted in the metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::config::plan::{Changes, Plan};
use crate::supervise::fact::{ErrandEnd, Holder};
use crate::supervise::lifecycle::{EndReason, Lifecycle, Role, RunEnd, ShutdownCause, TestFailure};
use crate::units::{ExitStatus, ProcessIx, RunId, SessionId, Wall};

/// One thing that happened. It is only put into words when somebody asks: a crash loop tells
/// thousands of them in a second, mostly to nobody.
#[derive(Clone, Debug)]
pub struct Happening {
    /// When.
    pub at: Wall,
    /// To which run, where it happened to one.
    pub run: Option<RunId>,
    /// The session that the run is.
    pub session: Option<SessionId>,
    process: Option<ProcessIx>,
    event: Lifecycle,
    plan: Arc<Plan>,
}

/// Every kind of happening, in the order of a life.
pub const KINDS: [&str; 23] = [
    "run_opened",
    "run_forked",
    "run_executed",
    "run_ready",
    "health_changed",
    "test_failed",
    "status_told",
    "hook_failed",
    "run_stopping",
    "run_killed",
    "run_held",
    "run_ended",
    "phase_changed",
    "start_blocked",
    "restart_scheduled",
    "crash_looped",
    "schedule_skipped",
    "order_given",
    "reload_failed",
    "plan_changed",
    "signal_arrived",
    "shutdown_began",
    "left",
];

/// Remembers whose the live runs are.
#[derive(Debug)]
pub struct Narrator {
    plan: Arc<Plan>,
    live: BTreeMap<RunId, (ProcessIx, SessionId)>,
}

impl Narrator {
    /// Knows the plan and no run yet.
    pub fn new(plan: Arc<Plan>) -> Self {
        Self { plan, live: BTreeMap::new() }
    }

    /// What a line of the story is to those who look on; `None` for what is only counted.
    pub fn tell(&mut self, at: Wall, event: &Lifecycle) -> Option<Happening> {
        match event {
            Lifecycle::OrphansReaped { .. } => return None,
            Lifecycle::RunOpened { run, process, session, .. } => {
                self.live.insert(*run, (*process, *session));
            }
            Lifecycle::PlanChanged { plan, .. } => self.plan = Arc::clone(plan),
            _ => {}
        }
        let run = run_of(event);
        let known = run.and_then(|run| self.live.get(&run).copied());
        if let Lifecycle::RunEnded { run, .. } = event {
            self.live.remove(run);
        }
        let process = known.map(|(ix, _)| ix).or_else(|| process_of(event));
        let (session, plan) = (known.map(|(_, session)| session), Arc::clone(&self.plan));
        Some(Happening { at, run, session, process, event: event.clone(), plan })
    }
}

impl Happening {
    /// One of [`KINDS`].
    pub fn kind(&self) -> &'static str {
        self.told().0
    }

    /// To which process, where it happened to one.
    pub fn process(&self) -> Option<&str> {
        let process = self.plan.processes.get(self.process?.0)?;
        Some(&process.name)
    }

    /// The kind, and everything else that is known, as a JSON object.
    pub fn told(&self) -> (&'static str, Value) {
        let of_others = || of_house(&self.event, &self.plan);
        of_run(&self.event)
            .or_else(|| of_process(&self.event, &self.plan))
            .unwrap_or_else(of_others)
    }
}

fn run_of(event: &Lifecycle) -> Option<RunId> {
    match event {
        Lifecycle::RunOpened { run, .. }
        | Lifecycle::RunForked { run, .. }
        | Lifecycle::RunExecuted { run }
        | Lifecycle::RunReady { run }
        | Lifecycle::HealthChanged { run, .. }
        | Lifecycle::TestFailed { run, .. }
        | Lifecycle::StatusTold { run, .. }
        | Lifecycle::RunStopping { run, .. }
        | Lifecycle::RunKilled { run, .. }
        | Lifecycle::RunHeld { run, .. }
        | Lifecycle::RunEnded { run, .. } => Some(*run),
        _ => None,
    }
}

fn process_of(event: &Lifecycle) -> Option<ProcessIx> {
    match event {
        Lifecycle::HookFailed { process, .. }
        | Lifecycle::PhaseChanged { process, .. }
        | Lifecycle::StartBlocked { process, .. }
        | Lifecycle::RestartScheduled { process, .. }
        | Lifecycle::CrashLooped { process, .. }
        | Lifecycle::ScheduleSkipped { process } => Some(*process),
        _ => None,
    }
}

/// What happened to a run, if it happened to one.
fn of_run(event: &Lifecycle) -> Option<(&'static str, Value)> {
    Some(match event {
        Lifecycle::RunOpened { attempt, adopted, .. } => {
            ("run_opened", json!({ "attempt": attempt, "adopted": adopted }))
        }
        Lifecycle::RunForked { id, .. } => ("run_forked", json!({ "pid": id.pid })),
        Lifecycle::RunExecuted { .. } => ("run_executed", json!({})),
        Lifecycle::RunReady { .. } => ("run_ready", json!({})),
        Lifecycle::HealthChanged { health, .. } => {
            ("health_changed", json!({ "health": health.as_str() }))
        }
        Lifecycle::TestFailed { failure, row, said, .. } => {
            let mut detail = json!({ "failure": failure_of(*failure), "row": row });
            if let Some(said) = said {
                detail["said"] = json!(said);
            }
            ("test_failed", detail)
        }
        Lifecycle::StatusTold { text, .. } => ("status_told", json!({ "status": text })),
        Lifecycle::RunStopping { cause, .. } => {
            ("run_stopping", json!({ "cause": cause.as_str() }))
        }
        Lifecycle::RunKilled { after, .. } => {
            ("run_killed", json!({ "after_seconds": after.as_secs_f64() }))
        }
        Lifecycle::RunHeld { holders, after, unkillable, .. } => {
            let holders: Vec<Value> = holders.iter().map(holder).collect();
            let after = after.as_secs_f64();
            let detail =
                json!({ "holders": holders, "after_seconds": after, "unkillable": unkillable });
            ("run_held", detail)
        }
        Lifecycle::RunEnded { end, .. } => ("run_ended", ended(end)),
        _ => return None,
    })
}

/// What happened to a process, if it happened to one and not to a run of it.
fn of_process(event: &Lifecycle, plan: &Plan) -> Option<(&'static str, Value)> {
    Some(match event {
        Lifecycle::HookFailed { role, end, .. } => {
            ("hook_failed", json!({ "hook": hook(*role), "end": end.map(errand) }))
        }
        Lifecycle::PhaseChanged { phase, .. } => {
            ("phase_changed", json!({ "state": phase.as_str() }))
        }
        Lifecycle::StartBlocked { on, .. } => {
            let on = plan.processes.get(on.0).map(|process| &process.name);
            ("start_blocked", json!({ "dependency": on }))
        }
        Lifecycle::RestartScheduled { delay, streak, .. } => {
            let delay = delay.as_secs_f64();
            ("restart_scheduled", json!({ "delay_seconds": delay, "streak": streak }))
        }
        Lifecycle::CrashLooped { streak, .. } => ("crash_looped", json!({ "streak": streak })),
        Lifecycle::ScheduleSkipped { .. } => ("schedule_skipped", json!({})),
        _ => return None,
    })
}

/// What happened to all of us.
fn of_house(event: &Lifecycle, plan: &Plan) -> (&'static str, Value) {
    match event {
        Lifecycle::OrderGiven { order, accepted } => {
            ("order_given", json!({ "order": order.as_str(), "accepted": accepted }))
        }
        Lifecycle::ReloadFailed { faults } => ("reload_failed", json!({ "faults": faults })),
        Lifecycle::PlanChanged { changes, .. } => ("plan_changed", changed(changes, plan)),
        Lifecycle::SignalArrived { signal, response } => {
            let (signal, response) = (signal.to_string(), response.as_str());
            ("signal_arrived", json!({ "signal": signal, "response": response }))
        }
        Lifecycle::ShutdownBegan { cause, budget } => {
            let budget = budget.as_secs_f64();
            ("shutdown_began", json!({ "cause": cause_of(*cause), "budget_seconds": budget }))
        }
        Lifecycle::Left { code } => ("left", json!({ "exit_code": code })),
        _ => ("other", json!({})),
    }
}

fn changed(changes: &Changes, plan: &Plan) -> Value {
    let names = |places: &[ProcessIx]| -> Vec<&str> {
        let processes = places.iter().filter_map(|ix| plan.processes.get(ix.0));
        processes.map(|process| process.name.as_str()).collect()
    };
    json!({
        "added": names(&changes.added),
        "removed": names(&changes.removed),
        "restarted": names(&changes.restarted),
        "adjusted": names(&changes.adjusted),
        "put_off": changes.put_off,
    })
}

fn failure_of(failure: TestFailure) -> Value {
    match failure {
        TestFailure::Unanswered => json!("unanswered"),
        TestFailure::Status(status) => json!(format!("status {status}")),
        TestFailure::TimedOut => json!("timed_out"),
        TestFailure::Command(end) => json!(errand(end)),
    }
}

fn errand(end: ErrandEnd) -> String {
    match end {
        ErrandEnd::Exited(status) => status.to_string(),
        ErrandEnd::NotSpawned(failure) => failure.to_string(),
    }
}

fn hook(role: Role) -> Value {
    let (name, entry) = match role {
        Role::HealthTest => ("healthcheck", None),
        Role::PostStart(entry) => ("post_start", Some(entry)),
        Role::PreStop(entry) => ("pre_stop", Some(entry)),
        Role::PostExit(entry) => ("post_exit", Some(entry)),
    };
    json!({ "name": name, "entry": entry })
}

fn holder(holder: &Holder) -> Value {
    json!({ "pid": holder.id.pid, "name": holder.name, "state": holder.state })
}

fn ended(end: &RunEnd) -> Value {
    let reason = match end.reason {
        EndReason::Itself => "itself".to_owned(),
        EndReason::Requested => "requested".to_owned(),
        EndReason::Interrupted(cause) => cause.as_str().to_owned(),
        EndReason::NotSpawned(failure) => failure.reason().to_owned(),
    };
    let signal = match end.status {
        ExitStatus::Signal(signal) => Some(signal.to_string()),
        ExitStatus::Code(_) | ExitStatus::Unknown => None,
    };
    json!({
        "exit_code": end.status.code(),
        "signal": signal,
        "reason": reason,
        "forced": end.forced,
        "stop_seconds": end.stop.map(|stop| stop.as_secs_f64()),
        "cpu_seconds": end.usage.map(|usage| usage.cpu.as_secs_f64()),
    })
}

fn cause_of(cause: ShutdownCause) -> &'static str {
    match cause {
        ShutdownCause::Signal(_) => "signal",
        ShutdownCause::Decided(_) => "decided",
        ShutdownCause::AllDone => "all_done",
        ShutdownCause::Order => "order",
        ShutdownCause::CrashLoop(_) => "crash_loop",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ledger::stories::{CODER, WEB, plan, session};
    use crate::supervise::lifecycle::{PhaseName, StopCause};
    use crate::units::Signal;

    const RUN: RunId = RunId(7);

    /// What is told of the last of these lines, which come one after the other.
    fn told(lines: &[Lifecycle]) -> Option<Happening> {
        let mut narrator = Narrator::new(Arc::new(plan()));
        lines.iter().fold(None, |_, line| narrator.tell(Wall(5), line))
    }

    fn opened() -> Lifecycle {
        let (attempt, adopted) = (2, false);
        Lifecycle::RunOpened { run: RUN, process: CODER, session: session(1), attempt, adopted }
    }

    #[test]
    fn what_happens_to_a_run_carries_its_names() {
        let stopping = Lifecycle::RunStopping { run: RUN, cause: StopCause::Order };
        let happening = told(&[opened(), stopping]).expect("it is told");
        assert_eq!(happening.process(), Some("coder"));
        assert_eq!((happening.run, happening.session), (Some(RUN), Some(session(1))));
        assert_eq!(happening.told(), ("run_stopping", json!({ "cause": "order" })));
    }

    #[test]
    fn a_run_is_forgotten_with_its_end_which_still_carries_its_names() {
        let end = RunEnd {
            status: ExitStatus::Signal(Signal::TERM),
            usage: None,
            reason: EndReason::Requested,
            forced: false,
            stop: Some(Duration::from_millis(250)),
        };
        let end = Lifecycle::RunEnded { run: RUN, end };
        let happening = told(&[opened(), end.clone()]).expect("it is told");
        let detail = happening.told().1;
        assert_eq!(happening.process(), Some("coder"));
        assert_eq!((&detail["exit_code"], &detail["signal"]), (&json!(143), &json!("SIGTERM")));
        assert_eq!(detail["stop_seconds"], 0.25);
        assert_eq!(told(&[opened(), end.clone(), end]).expect("it is told").process(), None);
    }

    #[test]
    fn what_happens_to_a_process_or_to_the_house_says_so() {
        let phase = Lifecycle::PhaseChanged { process: WEB, phase: PhaseName::CrashLooped };
        let happening = told(&[phase]).expect("it is told");
        assert_eq!(happening.process(), Some("web"));
        assert_eq!(happening.told(), ("phase_changed", json!({ "state": "crash_looped" })));
        let left = told(&[Lifecycle::Left { code: 3 }]).expect("it is told");
        assert_eq!((left.process(), left.kind()), (None, "left"));
        let blocked = Lifecycle::StartBlocked { process: ProcessIx(99), on: WEB };
        let blocked = told(&[blocked]).expect("it is told");
        assert_eq!(blocked.told(), ("start_blocked", json!({ "dependency": "web" })));
        let nowhere = Lifecycle::StartBlocked { process: ProcessIx(99), on: ProcessIx(99) };
        assert_eq!(told(&[nowhere]).expect("it is told").process(), None);
    }

    #[test]
    fn orphans_are_only_counted_and_the_kinds_are_listed() {
        let orphan =
            Lifecycle::OrphansReaped { process: None, status: ExitStatus::Code(0), count: 1 };
        assert!(told(&[orphan]).is_none());
        assert!(KINDS.contains(&told(&[opened()]).expect("it is told").kind()));
    }
}
