//! How the end of a run is judged, and what is said of a session when it ends.

use serde_json::{Value, json};

use crate::ledger::session::{Session, SessionEnd, SessionState};
use crate::supervise::lifecycle::{EndReason, RunEnd, StopCause};
use crate::tokens::{TokenCounts, TokenKind};
use crate::units::{ExitStatus, Wall};

/// The judgement of an end: the state it leaves the session in, and why in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// One of the ends.
    pub state: SessionState,
    /// For people.
    pub reason: String,
}

/// What is said of an end by the kernel's OOM killer.
const OUT_OF_MEMORY: &str = "killed by the kernel for want of memory (ended by SIGKILL)";

impl Outcome {
    /// The end of something whose real end nobody saw.
    pub fn lost(reason: &str) -> Self {
        Self { state: SessionState::Lost, reason: reason.to_owned() }
    }

    /// How a run ended, by the rules: on request is well unless it had to be forced; for not doing
    /// what it was to do, or without a program, is bad; by itself is well with code 0 or one of
    /// `successes`, its process's exit codes that are no failure.
    pub fn of_run(end: &RunEnd, successes: &[u8]) -> Self {
        let status = end.status;
        let oom_killed = end.usage.is_some_and(|usage| usage.oom_killed) && !end.forced;
        let (state, reason) = match end.reason {
            _ if oom_killed => (SessionState::OutOfMemory, OUT_OF_MEMORY.to_owned()),
            EndReason::NotSpawned(failure) => (SessionState::Failed, failure.to_string()),
            EndReason::Requested if end.forced => {
                (SessionState::Killed, format!("killed because it did not end in time ({status})"))
            }
            EndReason::Requested => {
                (SessionState::Completed, format!("stopped on request ({status})"))
            }
            EndReason::Interrupted(cause @ StopCause::TimeUp) => {
                let how = if end.forced { "killed" } else { "stopped" };
                (SessionState::TimedOut, format!("{how} ({status}), because {}", cause.told()))
            }
            EndReason::Interrupted(cause) if end.forced => {
                (SessionState::Killed, format!("killed ({status}), because {}", cause.told()))
            }
            EndReason::Interrupted(cause) => {
                let well = !cause.is_failure();
                (completed(well), format!("stopped ({status}), because {}", cause.told()))
            }
            EndReason::Itself => (completed(status.is_one_of(successes)), leftovers(end)),
        };
        Self { state, reason }
    }

    /// The end of a conversation whose run ended like this.
    pub fn of_conversation(&self) -> Self {
        Self { state: self.state, reason: format!("its run ended: {}", self.reason) }
    }
}

fn completed(well: bool) -> SessionState {
    if well { SessionState::Completed } else { SessionState::Failed }
}

fn leftovers(end: &RunEnd) -> String {
    if end.forced {
        return format!("{}; what it left behind was killed", end.status);
    }
    end.status.to_string()
}

/// Everything that is known of an ended session, for the detail of its last event. Amounts are
/// integers where sums matter; what is not known is `null`.
pub fn summary(session: &Session, end: &SessionEnd, events: u64) -> Value {
    let figures = &session.figures;
    json!({
        "reason": end.reason,
        "exit_code": end.status.map(|status| status.code()),
        "exit_status": end.status.map(kind_of_status),
        "exit_signal": end.status.and_then(signal_of),
        "duration_seconds": end.duration.as_secs_f64(),
        "events": events,
        "peak_memory_bytes": figures.peak_memory,
        "mean_memory_bytes": figures.mean_memory,
        "memory_samples": figures.samples,
        "cpu_seconds": figures.cpu_seconds,
        "tokens": tokens(&figures.tokens),
        "tokens_total": figures.tokens.total(),
        "unpriced_tokens": figures.unpriced_tokens,
        "cost_nano_usd": figures.cost,
        "total": total(session),
    })
}

fn kind_of_status(status: ExitStatus) -> &'static str {
    match status {
        ExitStatus::Code(_) => "code",
        ExitStatus::Signal(_) => "signal",
        ExitStatus::Unknown => "unknown",
    }
}

fn signal_of(status: ExitStatus) -> Option<i32> {
    match status {
        ExitStatus::Signal(signal) => Some(signal.0),
        _ => None,
    }
}

/// What is known of a session now, for the detail of a snapshot.
pub fn known(session: &Session) -> Value {
    let figures = &session.figures;
    json!({
        "kind": session.kind.as_str(),
        "state": session.state.as_str(),
        "parent": session.parent.map(|parent| parent.to_string()),
        "process": session.process,
        "agent": session.agent,
        "native_id": session.native_id,
        "started": session.started.to_string(),
        "last_activity": session.last_activity.to_string(),
        "events": session.events + 1,
        "peak_memory_bytes": figures.peak_memory,
        "mean_memory_bytes": figures.mean_memory,
        "memory_samples": figures.samples,
        "cpu_seconds": figures.cpu_seconds,
        "tokens": tokens(&figures.tokens),
        "tokens_total": figures.tokens.total(),
        "unpriced_tokens": figures.unpriced_tokens,
        "cost_nano_usd": figures.cost,
        "total": total(session),
    })
}

/// What it used with everything below it.
fn total(session: &Session) -> Value {
    let total = &session.total;
    json!({
        "cpu_seconds": total.cpu_seconds,
        "tokens": total.tokens.total(),
        "unpriced_tokens": total.unpriced_tokens,
        "cost_nano_usd": total.cost,
    })
}

fn tokens(counts: &TokenCounts) -> Value {
    TokenKind::ALL.iter().map(|kind| (kind.as_str().to_owned(), json!(counts.of(*kind)))).collect()
}

/// The time between two readings of the wall clock, zero where it was set back.
pub fn wall_span(from: Wall, to: Wall) -> std::time::Duration {
    let millis = to.0.saturating_sub(from.0);
    std::time::Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervise::fact::{SpawnFailure, SpawnStep};
    use crate::units::{RunUsage, Signal};

    fn check(status: ExitStatus, reason: EndReason, forced: bool, expected: (SessionState, &str)) {
        let end = RunEnd { status, usage: None, reason, forced, stop: None };
        let outcome = Outcome::of_run(&end, &[9, 143]);
        assert_eq!((outcome.state, outcome.reason.as_str()), expected);
    }

    #[test]
    fn who_is_ended_for_failing_us_has_failed_however_it_goes() {
        use SessionState::{Completed, Failed, Killed};
        let abort = ExitStatus::Signal(Signal(6));
        let ended = |cause, status, forced, state| {
            let reason = EndReason::Interrupted(cause);
            let end = RunEnd { status, usage: None, reason, forced, stop: None };
            assert_eq!(Outcome::of_run(&end, &[0, 134]).state, state, "{cause:?}");
        };
        ended(StopCause::NotReady, ExitStatus::Code(0), false, Failed);
        ended(StopCause::Unhealthy, ExitStatus::Signal(Signal::TERM), false, Failed);
        ended(StopCause::Watchdog, abort, false, Failed);
        ended(StopCause::NotReady, ExitStatus::Signal(Signal::KILL), true, Killed);
        for cause in [StopCause::Reload, StopCause::FilesChanged, StopCause::Dependency] {
            ended(cause, ExitStatus::Signal(Signal::TERM), false, Completed);
        }
    }

    #[test]
    fn an_exit_code_that_is_no_failure_is_well() {
        use SessionState::{Completed, Failed};
        let (itself, term) = (EndReason::Itself, ExitStatus::Signal(Signal::TERM));
        check(ExitStatus::Code(9), itself, false, (Completed, "exit code 9"));
        check(term, itself, false, (Completed, "ended by SIGTERM"));
        check(ExitStatus::Code(8), itself, false, (Failed, "exit code 8"));
    }

    #[test]
    fn every_kind_of_end_is_judged_by_the_rules() {
        use EndReason::{Itself, NotSpawned, Requested};
        use ExitStatus::{Code, Unknown};
        use SessionState::{Completed, Failed, Killed, TimedOut};
        let term = ExitStatus::Signal(Signal::TERM);
        let kill = ExitStatus::Signal(Signal::KILL);
        check(Code(0), Itself, false, (Completed, "exit code 0"));
        check(Code(3), Itself, false, (Failed, "exit code 3"));
        check(ExitStatus::Signal(Signal(11)), Itself, false, (Failed, "ended by SIGSEGV"));
        check(Unknown, Itself, false, (Failed, "exit status unknown"));
        check(term, Requested, false, (Completed, "stopped on request (ended by SIGTERM)"));
        check(
            kill,
            Requested,
            true,
            (Killed, "killed because it did not end in time (ended by SIGKILL)"),
        );
        let time_up = EndReason::Interrupted(StopCause::TimeUp);
        let told = "stopped (exit code 0), because it ran for as long as it may";
        check(Code(0), time_up, false, (TimedOut, told));
        let told = "killed (ended by SIGKILL), because it ran for as long as it may";
        check(kill, time_up, true, (TimedOut, told));
        check(Code(0), Itself, true, (Completed, "exit code 0; what it left behind was killed"));
        let oom = |forced, reason| {
            let usage = Some(RunUsage { oom_killed: true, ..RunUsage::default() });
            Outcome::of_run(&RunEnd { status: kill, usage, reason, forced, stop: None }, &[])
        };
        assert_eq!(oom(false, Itself).state, SessionState::OutOfMemory);
        assert_eq!(oom(false, Itself).reason, OUT_OF_MEMORY);
        assert_eq!(oom(true, Requested).state, Killed, "we sent SIGKILL ourselves");
        let missing = SpawnFailure { step: SpawnStep::Exec, errno: 2 };
        let end = RunEnd {
            status: Code(127),
            usage: None,
            reason: NotSpawned(missing),
            forced: false,
            stop: None,
        };
        let outcome = Outcome::of_run(&end, &[127]);
        assert_eq!(outcome.state, Failed);
        assert!(outcome.reason.starts_with("cannot execute the program: "), "{}", outcome.reason);
    }
}
