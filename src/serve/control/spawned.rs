//! Commands beside the plan, each by its session or its pid: who runs and who ended, what they wrote,
//! what they are told, and how they are ended and waited for.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Request, StatusCode};
use tokio::time::timeout;

use super::answer::{Answer, json, whole};
use super::api::{Route, What, get, post};
use super::feeding::{MOST_WAITING, NotFed};
use super::orders::{audited, give, strange};
use super::problem::Problem;
use super::query::Query;
use super::role::{Caller, Role};
use super::{Desk, history, reading, request};
use crate::ledger::beside::Command;
use crate::ledger::session::{Session, SessionEnd, SessionKind};
use crate::ledger::written::Written;
use crate::output::plan::Which;
use crate::output::tape::{Recording, Reel, Tape, Wanted};
use crate::serve::wire::spawned as wire;
use crate::store::reading::reader::Unanswered;
use crate::store::reading::{Answer as Told, Question};
use crate::supervise::wish::{Reply, Wish};
use crate::units::{ExitStatus, SessionId};

/// Who is asked for what they wrote says so within this time, unless more is asked for.
const USUAL_WAIT: Duration = Duration::from_millis(100);
/// The longest that output may be waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How long an end is waited for where nothing is said.
const USUAL_END: Duration = Duration::from_secs(30);
/// What is read at once where nothing is said, and at most; a character fits in the least.
const USUAL_PART: usize = 64 << 10;
const MOST_PART: usize = 1 << 20;
const LEAST_PART: usize = 4;
/// For a picture to show a command that has begun; one is made every 50 ms.
const UNTIL_SHOWN: Duration = Duration::from_millis(500);
/// What is said of a name that is nobody's.
const HOW_TO_NAME: &str = "name it by session or pid; GET /v1/spawned lists those that are known";
/// How many that ended are shown.
const MOST_ENDED: usize = 100;
/// The longest grace that may be given to one that is to end.
const LONGEST_GRACE: f64 = 3600.0;

/// What is answered here.
#[derive(Clone, Copy, Debug)]
pub(super) enum Spawned {
    List,
    Output,
    Stdin,
    Terminate,
    Wait,
}

/// Commands beside the plan.
pub(super) const ROUTES: &[Route] = &[
    get("/v1/spawned", &["state", "limit"], What::Spawned(Spawned::List)),
    get(
        "/v1/sessions/{id}/output",
        &["cursor", "wait", "stream", "encoding", "limit"],
        What::Spawned(Spawned::Output),
    ),
    post("/v1/sessions/{id}/stdin", &["close"], What::Spawned(Spawned::Stdin)),
    post("/v1/sessions/{id}/terminate", &["wait"], What::Spawned(Spawned::Terminate)),
    get("/v1/sessions/{id}/wait", &["timeout"], What::Spawned(Spawned::Wait)),
];

/// The answer to a request for one of these.
pub(super) async fn answer(
    desk: &Desk,
    caller: &Caller,
    what: Spawned,
    id: &str,
    query: Query,
    request: Request<Incoming>,
) -> Result<Answer, Problem> {
    match what {
        Spawned::List => list(desk, &query),
        Spawned::Output => output(desk, id, &query).await,
        Spawned::Stdin => {
            let command = find(desk, id)?;
            feed(desk, caller, &command, query.is_set("close")?, request).await
        }
        Spawned::Terminate => {
            let (found, wait) = (find(desk, id), query.wait()?);
            let body = request::body(request).await?;
            match found {
                Ok(command) => terminate(desk, caller, &command, body, wait).await,
                Err(unknown) => over_before(desk, id, unknown).await,
            }
        }
        Spawned::Wait => {
            let wait = query.span("timeout", LONGEST_GRACE)?.unwrap_or(USUAL_END);
            match find(desk, id) {
                Ok(command) => Ok(whether_over(&over(desk, command, wait).await)),
                Err(unknown) => over_before(desk, id, unknown).await,
            }
        }
    }
}

/// The session of the command that is meant, as a picture or the store has it: one that has begun this
/// moment is waited for, since it is not known before whose it is.
pub(super) async fn session(desk: &Desk, name: &str) -> Result<Arc<Session>, Problem> {
    let unknown = || Problem::unknown("spawned command", name, &[]).suggest(HOW_TO_NAME);
    let command = desk.sources.beside.find(name);
    let id = command.as_ref().map(|it| it.session).or_else(|| SessionId::parse(name));
    let id = id.ok_or_else(unknown)?;
    let text = id.to_string();
    let mut found = history::find(desk, &text).await;
    if found.is_err() && command.is_some() {
        let mut pictures = desk.sources.pictures.clone();
        let shown = pictures.wait_for(|picture| reading::find_session(picture, &text).is_some());
        let _ = timeout(UNTIL_SHOWN, shown).await;
        found = history::find(desk, &text).await;
    }
    // An application may have given its session the identity of another as its own id.
    Some(found?).filter(|it| it.id == id).ok_or_else(unknown)
}

fn find(desk: &Desk, id: &str) -> Result<Command, Problem> {
    if let Some(found) = desk.sources.beside.find(id) {
        return Ok(found);
    }
    if let Some(session) = reading::find_session(&desk.picture(), id) {
        let detail = format!("session {id} is none of a command that was spawned beside the plan");
        let problem = Problem::conflict("not-spawned", "not spawned", detail);
        let process = session.process;
        return Err(match &*process {
            "" => problem.suggest("a session that an application opened is closed by it"),
            _ => problem.suggest(format!("see /v1/processes/{process} and its logs")),
        });
    }
    let problem = Problem::unknown("spawned command", id, &[]);
    Err(problem.suggest(HOW_TO_NAME))
}

fn list(desk: &Desk, query: &Query) -> Result<Answer, Problem> {
    let state = query.one_of("state", &["running", "ended"])?;
    let limit = query.number::<usize>("limit")?.unwrap_or(MOST_ENDED).min(MOST_ENDED);
    let (running, ended) = desk.sources.beside.all(limit);
    let shown = |those: Vec<Command>, which: &str| -> Vec<wire::Command> {
        let wanted = state.is_none_or(|state| state == which);
        those.iter().filter(|_| wanted).map(told).collect()
    };
    let commands =
        wire::Commands { running: shown(running, "running"), ended: shown(ended, "ended") };
    Ok(json(StatusCode::OK, &commands))
}

async fn output(desk: &Desk, id: &str, query: &Query) -> Result<Answer, Problem> {
    let which = query.one_of("stream", &["stdout", "stderr", "both"])?;
    let encoding = query.one_of("encoding", &["text", "raw", "base64"])?.unwrap_or("text");
    let limit = query.number::<usize>("limit")?.unwrap_or(USUAL_PART);
    let wanted = Wanted {
        cursor: query.number("cursor")?.unwrap_or(0),
        which: match which {
            Some("stdout") => Some(Which::Stdout),
            Some("stderr") => Some(Which::Stderr),
            _ => None,
        },
        most: limit.clamp(LEAST_PART, MOST_PART),
        whole_characters: encoding == "text",
    };
    let wait = query.span("wait", LONGEST_WAIT.as_secs_f64())?.unwrap_or(USUAL_WAIT);
    let (session, reel, stored) = match find(desk, id) {
        Ok(command) => match in_memory(desk, &command, wanted, wait).await? {
            Some(reel) => (command.session, reel, false),
            None => {
                let reel = stored(desk, command.session, wanted).await?.ok_or_else(not_kept)?;
                (command.session, reel, true)
            }
        },
        // Of an earlier life, or too old to be remembered.
        Err(unknown) => {
            let Some(session) = SessionId::parse(id) else { return Err(unknown) };
            (session, stored(desk, session, wanted).await?.ok_or(unknown)?, true)
        }
    };
    if reel.strange {
        let detail =
            format!("it has written {} bytes so far, and none at {}", reel.next, wanted.cursor);
        let problem = Problem::conflict("strange-cursor", "a cursor of something else", detail);
        return Err(problem.suggest("begin anew with cursor=0: this is another command or life"));
    }
    Ok(if encoding == "raw" { raw(&reel, stored) } else { part(session, encoding, reel, stored) })
}

/// What is on the tape of a command; `None` where it has ended and its tape is gone.
async fn in_memory(
    desk: &Desk,
    command: &Command,
    wanted: Wanted,
    wait: Duration,
) -> Result<Option<Reel>, Problem> {
    let reel = tokio::select! {
        reel = desk.sources.beside.tapes.read(command.run, wanted, wait) => reel,
        () = desk.told_to_stop() => return Err(Problem::going_down()),
    };
    // It may be asked for before the first look at its pipes.
    let not_yet = || Reel { next: wanted.cursor, ..Reel::default() };
    Ok(reel.or_else(|| command.end.is_none().then(not_yet)))
}

/// What the store keeps of it. Nobody writes to it any more.
async fn stored(desk: &Desk, session: SessionId, wanted: Wanted) -> Result<Option<Reel>, Problem> {
    let written = match desk.sources.history.ask(Question::Output(session)).await {
        Ok(Told::Output(written)) => written,
        Ok(_) => return Err(Problem::no_reply()),
        Err(Unanswered::InMemory) => None,
        Err(error) => return Err(Problem::busy(&error.to_string())),
    };
    Ok(written.map(|written| tape(*written).read(wanted)))
}

fn tape(written: Written) -> Tape {
    let which = |stderr| if stderr { Which::Stderr } else { Which::Stdout };
    let parts = written.parts.into_iter().map(|part| (which(part.stderr), part.bytes.0)).collect();
    Tape::from(Recording { begin: written.begin, over: true, parts })
}

fn not_kept() -> Problem {
    Problem::gone("what it wrote is not kept any more, or was not recorded")
}

fn part(session: SessionId, encoding: &str, reel: Reel, stored: bool) -> Answer {
    let Reel { bytes, next, missed, over: ended, .. } = reel;
    let session = session.to_string();
    let (text, base64) = match encoding {
        "base64" => (None, Some(base64(&bytes))),
        _ => (Some(String::from_utf8_lossy(&bytes).into_owned()), None),
    };
    json(StatusCode::OK, &wire::Output { session, text, base64, next, missed, ended, stored })
}

/// The bytes as they are, and what else is known in headers.
fn raw(reel: &Reel, stored: bool) -> Answer {
    let mut answer = whole(StatusCode::OK, "application/octet-stream", reel.bytes.clone());
    let told = [
        ("procession-next", reel.next.to_string()),
        ("procession-missed", reel.missed.to_string()),
        ("procession-ended", reel.over.to_string()),
        ("procession-stored", stored.to_string()),
    ];
    for (name, value) in told {
        if let Ok(value) = HeaderValue::from_str(&value) {
            answer.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    answer
}

async fn feed(
    desk: &Desk,
    caller: &Caller,
    command: &Command,
    closes: bool,
    request: Request<Incoming>,
) -> Result<Answer, Problem> {
    let bytes = request::bytes(request, MOST_WAITING).await?;
    let taken = bytes.len() as u64;
    let said = format!("{taken} bytes for the standard input of {}", name(command));
    let given = may_act(caller, command).and_then(|()| {
        let put = desk.sources.beside.feeds.put(command.run, Bytes::from(bytes), closes);
        put.map_err(|refused| not_fed(command, refused))
    });
    let waiting = audited(caller, &said, given)? as u64;
    let session = command.session.to_string();
    Ok(json(StatusCode::OK, &wire::Fed { session, taken, waiting, closed: closes }))
}

fn not_fed(command: &Command, refused: NotFed) -> Problem {
    let name = name(command);
    match refused {
        NotFed::NoPipe | NotFed::Closed if command.end.is_some() => {
            Problem::conflict("ended", "it has ended", format!("{name} reads nothing any more"))
        }
        NotFed::NoPipe => {
            let detail = format!("the standard input of {name} is empty");
            Problem::conflict("no-stdin", "nothing is read", detail)
                .suggest(r#"spawn it with {"stdin": "pipe"}"#)
        }
        NotFed::Closed => {
            let detail = format!("the standard input of {name} was closed");
            Problem::conflict("stdin-closed", "nothing is read", detail)
        }
        NotFed::Full(waiting) => Problem::full(format!(
            "{waiting} bytes wait already for {name} to read them, of {MOST_WAITING} that may; \
             nothing was taken"
        )),
    }
}

async fn terminate(
    desk: &Desk,
    caller: &Caller,
    command: &Command,
    body: wire::TerminateBody,
    wait: Option<Duration>,
) -> Result<Answer, Problem> {
    let wire::TerminateBody { force, grace_seconds } = body;
    let how = if force { "kill" } else { "terminate" };
    let said = format!("{how} {} (session {})", name(command), command.session);
    let given = async {
        may_act(caller, command)?;
        let grace = match (force, grace_seconds) {
            (true, _) => Some(Duration::ZERO),
            (false, None) => None,
            (false, Some(grace)) if (0.0..=LONGEST_GRACE).contains(&grace) => {
                Some(Duration::from_secs_f64(grace))
            }
            (false, Some(_)) => {
                let detail = format!("`grace_seconds` must be from 0 to {LONGEST_GRACE}");
                return Err(Problem::invalid(detail));
            }
        };
        if command.end.is_some() {
            return Ok(());
        }
        match give(desk, Wish::End { session: command.session, grace }).await {
            Ok(Reply::Accepted(_)) => Ok(()),
            Ok(other) => Err(strange(&other)),
            // It ended meanwhile, which is what was wanted.
            Err(_) if has_ended(desk, command) => Ok(()),
            Err(problem) => Err(problem),
        }
    };
    audited(caller, &said, given.await)?;
    let command = over(desk, command.clone(), wait.unwrap_or_default()).await;
    Ok(whether_over(&command))
}

fn has_ended(desk: &Desk, command: &Command) -> bool {
    let found = desk.sources.beside.find(&command.session.to_string());
    found.is_none_or(|found| found.end.is_some())
}

/// The command once it has ended, or as it is when time is up.
async fn over(desk: &Desk, command: Command, wait: Duration) -> Command {
    if command.end.is_some() {
        return command;
    }
    let session = command.session.to_string();
    let beside = Arc::clone(&desk.sources.beside);
    let ended = beside.once(&session, wait, |found| found.end.is_some());
    tokio::select! {
        found = ended => found.unwrap_or(command),
        () = desk.told_to_stop() => beside.find(&session).unwrap_or(command),
    }
}

/// One that ended in an earlier life, or so long ago that memory has forgotten it.
async fn over_before(desk: &Desk, id: &str, unknown: Problem) -> Result<Answer, Problem> {
    if SessionId::parse(id).is_none() || reading::find_session(&desk.picture(), id).is_some() {
        return Err(unknown);
    }
    match desk.sources.history.ask(Question::Session(id.to_owned())).await {
        Ok(Told::Session(Some(kept))) if kept.kind == SessionKind::Process => {
            let Some(end) = &kept.end else { return Err(unknown) };
            Ok(json(StatusCode::OK, &told_of_kept(&kept, end)))
        }
        _ => Err(unknown),
    }
}

fn told_of_kept(kept: &Session, end: &SessionEnd) -> wire::Command {
    let status = end.status.unwrap_or(ExitStatus::Unknown);
    wire::Command {
        session: kept.id.to_string(),
        process: kept.process.clone(),
        run: None,
        pid: kept.main.map(|main| main.pid),
        state: kept.state.as_str().to_owned(),
        started: kept.started.to_string(),
        end: Some(wire::CommandEnd {
            at: end.at.to_string(),
            duration_seconds: end.duration.as_secs_f64(),
            exit_code: exit_code(status),
            signal: signal(status),
            reason: end.reason.clone(),
            cpu_seconds: kept.figures.cpu_seconds,
        }),
    }
}

fn exit_code(status: ExitStatus) -> Option<u8> {
    (status != ExitStatus::Unknown).then(|| status.code())
}

fn signal(status: ExitStatus) -> Option<String> {
    match status {
        ExitStatus::Signal(signal) => Some(signal.to_string()),
        ExitStatus::Code(_) | ExitStatus::Unknown => None,
    }
}

fn whether_over(command: &Command) -> Answer {
    let status = if command.end.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED };
    json(status, &told(command))
}

/// Whether somebody may speak to a command and end it: who may order all, and who runs inside it.
fn may_act(caller: &Caller, command: &Command) -> Result<(), Problem> {
    match &caller.role {
        Role::Member { session, .. } if *session == command.session => Ok(()),
        role => role.may_order_all(),
    }
}

fn name(command: &Command) -> &str {
    &command.process
}

fn told(command: &Command) -> wire::Command {
    wire::Command {
        session: command.session.to_string(),
        process: command.process.clone(),
        run: Some(command.run.0),
        pid: command.main.map(|main| main.pid),
        state: command.state.as_str().to_owned(),
        started: command.started.to_string(),
        end: command.end.as_ref().map(|end| wire::CommandEnd {
            at: end.at.to_string(),
            duration_seconds: end.duration.as_secs_f64(),
            exit_code: exit_code(end.status),
            signal: signal(end.status),
            reason: end.reason.clone(),
            cpu_seconds: end.cpu.map(|cpu| cpu.as_secs_f64()),
        }),
    }
}

/// Base 64 of RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |chunk: &[u8]| -> [char; 4] {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        let letter = |at: u32| char::from(LETTERS[(word >> (18 - 6 * at)) as usize & 63]);
        let is_there = |at: u32| at as usize <= chunk.len();
        [0, 1, 2, 3].map(|at| if is_there(at) { letter(at) } else { '=' })
    };
    bytes.chunks(3).flat_map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_as_the_standard_has_it() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xff, 0xfe, 0x00, 0x80]), "//4AgA==");
    }
}
