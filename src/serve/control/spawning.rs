//! Commands that are started beside the plan, from what was asked for to the end that is waited for.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use tokio::time::timeout;

use super::answer::{Answer, json};
use super::orders::{READING, audited, give, name, settled, strange};
use super::problem::Problem;
use super::role::Caller;
use super::{Desk, external, reading};
use crate::config::plan::{OutputMode, OutputPlan, ProcessPlan, Standing};
use crate::ledger::beside::Command;
use crate::ledger::session::{self, SessionState};
use crate::ledger::snapshot::Snapshot;
use crate::serve::wire;
use crate::supervise::wish::{Reply, Wish};
use crate::units::Signal;

/// From SIGINT to SIGKILL for a spawned command of which nothing else is asked.
const GRACE: Duration = Duration::from_secs(1);

/// How long news of a command that was started, and of its program, may take to us.
const KNOWN: Duration = Duration::from_millis(400);

/// Starts a command, and waits for its end if that is asked for.
pub(super) async fn spawn(
    desk: &Desk,
    caller: &Caller,
    body: wire::SpawnBody,
    wait: Option<Duration>,
) -> Result<Answer, Problem> {
    // Its arguments may hold secrets; the program is enough to know which it was.
    let program = body.command.first().map_or("sh", String::as_str);
    let said = format!("spawn {program}");
    let given = async {
        caller.role.may_order_all()?;
        let plan = asked(desk, plan_of(&body)?, body).await?;
        external::admit(desk).await?;
        give(desk, Wish::Spawn(Box::new(plan))).await
    };
    let (process, run, session) = match audited(caller, &said, given.await)? {
        Reply::Spawned { process, run, session } => (process, run, session.to_string()),
        other => return Err(strange(&other)),
    };
    // Whether its program could be executed is known in moments, unless a disk hangs.
    let settled = |it: &Command| it.state != SessionState::Initializing;
    let known = desk.sources.beside.once(&session, KNOWN, settled).await;
    let (process, end) = match known {
        Some(known) => (known.process, known.end),
        None => (name(&desk.picture(), process).unwrap_or_default(), None),
    };
    let failure = end.filter(|end| end.not_started).map(|end| end.reason);
    let ended = match wait {
        Some(wait) => end_of(desk, &session, wait).await,
        None => None,
    };
    let status = if ended.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok(json(status, &wire::Spawned { process, run: run.0, session, failure, ended }))
}

/// The session once it has ended; `None` when that takes too long.
async fn end_of(desk: &Desk, session: &str, wait: Duration) -> Option<wire::Session> {
    let shown = |picture: &Snapshot| {
        reading::find_session(picture, session).filter(|found| found.end.is_some())
    };
    let mut pictures = desk.sources.pictures.clone();
    let ended = desk.sources.beside.once(session, wait, |found| found.end.is_some());
    let ended = tokio::select! {
        ended = ended => ended?,
        picture = pictures.wait_for(|picture| shown(picture).is_some()) => {
            return picture.ok().and_then(|picture| shown(&picture));
        }
        () = desk.told_to_stop() => return None,
    };
    ended.end.as_ref()?;
    // What it used is in the picture, which follows in a moment.
    let picture = settled(desk, |picture| shown(picture).is_some()).await;
    Some(shown(&picture).unwrap_or_else(|| bare(&ended)))
}

/// A session of which no more is known than how it ended.
fn bare(command: &Command) -> wire::Session {
    let mut session =
        session::Session::opened(command.session, command.process.clone(), command.started);
    session.state = command.state;
    session.main = command.main;
    session.end = command.end.as_ref().map(|end| session::SessionEnd {
        at: end.at,
        duration: end.duration,
        status: Some(end.status),
        reason: end.reason.clone(),
    });
    session.figures.cpu_seconds =
        command.end.as_ref().and_then(|end| end.cpu).map(|cpu| cpu.as_secs_f64());
    reading::session(&session)
}

/// The process with what is asked of it besides. Users are looked up in files, which may hang.
async fn asked(
    desk: &Desk,
    plan: ProcessPlan,
    body: wire::SpawnBody,
) -> Result<ProcessPlan, Problem> {
    let read = Arc::clone(&desk.sources.read_command);
    let read = tokio::task::spawn_blocking(move || read(&body, plan));
    match timeout(READING, read).await {
        Ok(Ok(Ok(plan))) => Ok(plan),
        Ok(Ok(Err(faults))) => Err(Problem::bad_command(faults)),
        Ok(Err(_)) => Err(Problem::no_reply()),
        Err(_) => Err(Problem::busy("the users could not be looked up in time")),
    }
}

/// The process that somebody asks for, checked.
fn plan_of(body: &wire::SpawnBody) -> Result<ProcessPlan, Problem> {
    let wire::SpawnBody { command, shell, env, cwd, .. } = body;
    let command = match (command.is_empty(), shell) {
        (false, None) => command.clone(),
        (true, Some(line)) => vec!["/bin/sh".to_owned(), "-c".to_owned(), line.clone()],
        _ => {
            let problem = Problem::invalid("expected either `command` or `shell`");
            return Err(problem.suggest(r#"send {"command": ["PROGRAM", "ARGUMENT"]}"#));
        }
    };
    if command.iter().chain(env.values()).chain(cwd).any(|text| text.contains('\0')) {
        return Err(Problem::invalid("a NUL byte cannot be part of a command, a value or a path"));
    }
    if let Some(name) = env.keys().find(|name| name.is_empty() || name.contains(['=', '\0'])) {
        return Err(Problem::invalid(format!("{name:?} cannot be the name of a variable")));
    }
    let working_dir = cwd.as_ref().map(PathBuf::from);
    if working_dir.as_ref().is_some_and(|path| !path.is_absolute()) {
        return Err(Problem::invalid("`cwd` must be absolute"));
    }
    Ok(ProcessPlan {
        standing: Standing::Spawned,
        working_dir,
        environment: env.clone().into_iter().collect(),
        stop_signal: Signal::INT,
        stop_grace_period: GRACE,
        output: OutputPlan::new(OutputMode::Prefixed),
        ..ProcessPlan::new("", command)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(body: &str) -> Result<ProcessPlan, Problem> {
        plan_of(&serde_json::from_str(body).expect("a body"))
    }

    #[test]
    fn a_command_or_a_line_for_the_shell_is_taken() {
        let command = plan(r#"{"command": ["a", "b c"], "env": {"A": "1"}, "cwd": "/tmp"}"#);
        let command = command.expect("a plan");
        assert_eq!(command.words(), ["a", "b c"]);
        assert_eq!(command.environment, [("A".to_owned(), "1".to_owned())]);
        assert_eq!(command.standing, Standing::Spawned);
        let shell = plan(r#"{"shell": "a | b"}"#).expect("a plan");
        assert_eq!(shell.words(), ["/bin/sh", "-c", "a | b"]);
    }

    #[test]
    fn what_could_not_be_executed_is_refused() {
        for body in [
            "{}",
            r#"{"command": []}"#,
            r#"{"command": ["a"], "shell": "b"}"#,
            r#"{"command": ["a\u0000"]}"#,
            r#"{"command": ["a"], "env": {"": "1"}}"#,
            r#"{"command": ["a"], "env": {"A=B": "1"}}"#,
            r#"{"command": ["a"], "env": {"A": "\u0000"}}"#,
            r#"{"command": ["a"], "cwd": "here"}"#,
        ] {
            assert!(plan(body).is_err(), "{body}");
        }
    }
}
