//! Sessions of applications: opened, kept alive and closed over the API. One that is bound ends with
//! the answer that opened it, which stays open and tells what happens to the session.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Bytes, Incoming};
use hyper::{Request, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

use super::answer::{Answer, JSON_LINES, json, streamed};
use super::api::{Route, What as Any, post};
use super::gate;
use super::orders::audited;
use super::problem::Problem;
use super::reading;
use super::request;
use super::role::{Caller, Role, Who};
use super::{Busy, Desk};
use crate::ledger::request::{
    Answered, Beat, Closing, LONGEST_ID, Limits, Named, Opening, OwnContext, Refusal, Reply,
    Request as Asked,
};
use crate::ledger::session::{OnParentEnd, Session, SessionKind};
use crate::serve::wire::external::{CloseBody, HeartbeatBody, Kept, OpenBody, Opened, TokensBody};
use crate::store::reading::{Answer as Known, Question};
use crate::tokens::TokenCounts;
use crate::units::{Money, SessionId};

/// For the ledger to answer: as long as it may wait for the store, and a moment.
pub(super) const REPLY: Duration = Duration::from_secs(5);

/// Between two signs of life on a bound connection; proxies close what is silent for a minute.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The most labels of one session.
const MOST_LABELS: usize = 16;
/// The longest name of a label, in characters.
const LONGEST_NAME: usize = 64;
/// The longest value of a label, and the longest name of a user or an agent, in characters.
const LONGEST_VALUE: usize = 256;
/// The longest path, as the kernel has it.
const LONGEST_PATH: usize = 4096;
/// The longest reason and note, in bytes; what is longer was not meant to be one.
const LONGEST_TEXT: usize = 4096;

/// What is answered at the addresses of this file.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Open,
    Heartbeat,
    Close,
}

/// The addresses of this file.
pub(super) const ROUTES: &[Route] = &[
    post("/v1/sessions", &[], Any::External(What::Open)),
    post("/v1/sessions/{id}/heartbeat", &[], Any::External(What::Heartbeat)),
    post("/v1/sessions/{id}/close", &[], Any::External(What::Close)),
];

/// The answer to a request of this file.
pub(super) async fn answer(
    desk: &Arc<Desk>,
    caller: &Caller,
    what: What,
    id: &str,
    request: Request<Incoming>,
) -> Result<Answer, Problem> {
    match what {
        What::Open => open(desk, caller, request::body(request).await?).await,
        What::Heartbeat => beat(desk, caller, id, request::body(request).await?).await,
        What::Close => close(desk, caller, id, request::body(request).await?).await,
    }
}

async fn open(desk: &Arc<Desk>, caller: &Caller, body: OpenBody) -> Result<Answer, Problem> {
    let bound = body.bound;
    let said = format!("open session {}", body.id.as_deref().unwrap_or_default());
    let turn = match bound {
        true => Some(desk.streams.clone().try_acquire_owned()),
        false => None,
    };
    let turn = turn.transpose();
    let turn = turn.map_err(|_| Problem::busy("too many answers are streamed"))?;
    let given = async {
        let opening = Opening { limits: limits(desk, caller), ..opening(caller, body)? };
        stays_inside(desk, caller, &opening)?;
        was_not_before(desk, &opening).await?;
        ask(desk, Asked::Open(Box::new(opening))).await
    };
    let answered = audited(caller, said.trim_end(), given.await)?;
    let Answered { reply: Reply::Opened { session, new }, durable } = answered else {
        return Err(Problem::no_reply());
    };
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    let opened = Opened { session: reading::session(&session), new, durable };
    let Some(turn) = turn else { return Ok(json(status, &opened)) };
    let (pieces, mut answer) = streamed(JSON_LINES);
    *answer.status_mut() = status;
    tokio::spawn(accompany(Arc::clone(desk), opened, session, pieces, turn));
    Ok(answer)
}

/// Whether whoever opens a session may see it: one of another user or agent is not theirs to open.
fn stays_inside(desk: &Desk, caller: &Caller, opening: &Opening) -> Result<(), Problem> {
    let Some(limits) = caller.confined() else { return Ok(()) };
    let picture = desk.picture();
    let is_it = |it: &&Arc<Session>, id: &str| {
        it.id.to_string() == id || it.native_id.as_deref() == Some(id)
    };
    let parent = opening.parent.as_deref();
    let parent = parent.and_then(|id| picture.sessions.iter().find(|it| is_it(it, id)));
    let inherits = parent.is_none_or(|parent| gate::covers(limits, parent, &picture));
    let user = opening.own.user.as_deref().or(parent.and_then(|parent| parent.user()));
    let agent = opening.own.agent.as_deref().or(parent.and_then(|parent| parent.agent.as_deref()));
    if inherits && limits.admit(user, agent) {
        return Ok(());
    }
    Err(gate::beyond("a session of another user or agent, or of none,"))
}

/// Whether the id that an application chose is that of a session which has ended and which memory
/// has let go of. Where the store cannot say, it is taken for new.
async fn was_not_before(desk: &Desk, opening: &Opening) -> Result<(), Problem> {
    let Some(id) = &opening.native_id else { return Ok(()) };
    let id = desk.sources.veil.native_id(id);
    let picture = desk.picture();
    if picture.sessions.iter().any(|it| it.native_id.as_deref() == Some(&id)) {
        return Ok(());
    }
    match desk.sources.history.ask(Question::Session(id.clone())).await {
        Ok(Known::Session(Some(before)))
            if before.kind == SessionKind::External
                && before.state.is_end()
                && before.native_id.as_deref() == Some(&id) =>
        {
            Err(refused(desk, Refusal::Ended { session: before.id, state: before.state }))
        }
        _ => Ok(()),
    }
}

/// Tells what happens to a session until it is over or nobody listens, with which it ends.
async fn accompany(
    desk: Arc<Desk>,
    opened: Opened,
    session: Arc<Session>,
    pieces: mpsc::Sender<Bytes>,
    _turn: OwnedSemaphorePermit,
) {
    let id = session.id;
    if pieces.send(line(&opened)).await.is_ok() {
        tokio::select! {
            () = tell(&desk, session, &pieces) => {}
            () = pieces.closed() => {}
            // The ledger says what becomes of it when we leave.
            () = desk.told_to_stop() => return,
        }
    }
    // Nobody waits for the answer; the ledger is there for as long as we are.
    let _ = (desk.sources.requests)(Asked::Dropped(id));
}

async fn tell(desk: &Desk, mut known: Arc<Session>, pieces: &mpsc::Sender<Bytes>) {
    let mut pictures = desk.sources.pictures.clone();
    loop {
        let now = {
            let picture = pictures.borrow_and_update();
            let mut all = picture.sessions.iter().chain(&picture.ended);
            all.find(|session| session.id == known.id).cloned()
        };
        if let Some(now) = now.filter(|now| now.events != known.events) {
            known = now;
            if pieces.send(line(&reading::session(&known))).await.is_err() || known.end.is_some() {
                return;
            }
        }
        match timeout(HEARTBEAT, pictures.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_) if pieces.send("\n".into()).await.is_err() => return,
            Err(_) => {}
        }
    }
}

fn line(value: &impl serde::Serialize) -> Bytes {
    let mut text = serde_json::to_vec(value).unwrap_or_default();
    text.push(b'\n');
    text.into()
}

async fn beat(
    desk: &Desk,
    caller: &Caller,
    id: &str,
    body: HeartbeatBody,
) -> Result<Answer, Problem> {
    let within = within(caller)?;
    if body.cost_nano_usd.is_some_and(|cost| cost < 0) {
        return Err(Problem::invalid("`cost_nano_usd` is less than nothing"));
    }
    let tokens = body.tokens.map(counts).unwrap_or_default();
    let note = body.note.map(|note| short("note", note)).transpose()?;
    let beat = Beat { tokens, cost: body.cost_nano_usd.map(Money), note };
    let session = Named { id: id.to_owned(), within, limits: limits(desk, caller) };
    kept(ask(desk, Asked::Beat { session, beat }).await?)
}

async fn close(desk: &Desk, caller: &Caller, id: &str, body: CloseBody) -> Result<Answer, Problem> {
    let given = async {
        let within = within(caller)?;
        let failed = match body.outcome.as_deref() {
            None | Some("completed") => false,
            Some("failed") => true,
            Some(other) => {
                let problem = Problem::invalid(format!("a session cannot be closed as {other:?}"));
                return Err(problem.suggest("`outcome` is `completed` or `failed`"));
            }
        };
        let reason = body.reason.map(|reason| short("reason", reason)).transpose()?;
        let session = Named { id: id.to_owned(), within, limits: limits(desk, caller) };
        ask(desk, Asked::Close { session, closing: Closing { failed, reason } }).await
    };
    kept(audited(caller, &format!("close session {id}"), given.await)?)
}

fn kept(answered: Answered) -> Result<Answer, Problem> {
    let Answered { reply: Reply::Done(session), durable } = answered else {
        return Err(Problem::no_reply());
    };
    Ok(json(StatusCode::OK, &Kept { session: reading::session(&session), durable }))
}

/// Whether one more command may be spawned beside what is open.
pub(super) async fn admit(desk: &Desk) -> Result<(), Problem> {
    ask(desk, Asked::Admit).await.map(drop)
}

/// Asks the ledger, and puts its refusals into words.
/// Asks the ledger, and waits until what it answers is durable.
pub(super) async fn ask(desk: &Desk, request: Asked) -> Result<Answered, Problem> {
    match send(desk, request, Problem::busy).await? {
        Answered { reply: Reply::Refused(refusal), .. } => Err(refused(desk, refusal)),
        answered => Ok(answered),
    }
}

/// Passes a request on to the ledger, and waits for what it answers; `full` is said where too many
/// wait.
pub(super) async fn send(
    desk: &Desk,
    request: Asked,
    full: fn(&str) -> Problem,
) -> Result<Answered, Problem> {
    let reply = (desk.sources.requests)(request).map_err(|busy| match busy {
        Busy::Full => full("too many requests wait already"),
        Busy::Gone => Problem::going_down(),
    })?;
    match timeout(REPLY, reply).await {
        Ok(Ok(answered)) => Ok(answered),
        Ok(Err(_)) => Err(Problem::going_down()),
        Err(_) => Err(Problem::no_reply()),
    }
}

pub(super) fn refused(desk: &Desk, refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Unknown(id) => {
            let problem = Problem::unknown("session", &id, &similar(desk, &id));
            match problem.has_suggestion() {
                true => problem,
                false => problem.suggest("open it by POST /v1/sessions; GET shows those there are"),
            }
        }
        Refusal::Taken(id) => {
            let detail = format!("a session outside the asker's own has the id {id:?}");
            Problem::conflict("id-taken", "the id is taken", detail).suggest("choose another id")
        }
        Refusal::Ended { session, state } => {
            let detail = format!("session {session} has ended ({})", state.as_str());
            let problem = Problem::conflict("session-ended", "the session has ended", detail);
            problem.suggest("open another, with another id or none")
        }
        Refusal::NotExternal(session) => {
            let detail = format!("session {session} was not opened by an application");
            let problem = Problem::conflict("not-external", "not an application's session", detail);
            problem.suggest("a run is ended by POST /v1/processes/{name}/stop")
        }
        Refusal::Stopping(session) => {
            let detail = format!("session {session} is being ended");
            Problem::conflict("session-stopping", "the session is being ended", detail)
        }
        Refusal::Limit { limit } => Problem::too_many_sessions(limit),
        Refusal::BudgetSpent { budget, until } => Problem::budget_spent(&budget, until),
        Refusal::GoingDown => Problem::going_down(),
    }
}

/// Own ids of live sessions that somebody may have meant.
fn similar(desk: &Desk, id: &str) -> Vec<String> {
    let picture = desk.picture();
    let known = picture.sessions.iter().filter_map(|session| session.native_id.as_deref());
    reading::nearest(id, known)
}

/// The only session whose own the asker may touch; nothing where they may touch all.
fn within(caller: &Caller) -> Result<Option<SessionId>, Problem> {
    match &caller.role {
        Role::Member { session, .. } => Ok(Some(*session)),
        role => role.may_order_all().map(|()| None),
    }
}

/// Whose sessions the asker may touch, by the names that are kept of users.
fn limits(desk: &Desk, caller: &Caller) -> Limits {
    let mut limits = caller.confined().cloned().unwrap_or_default();
    limits.users.iter_mut().for_each(|user| *user = desk.sources.veil.user(user));
    limits
}

fn opening(caller: &Caller, body: OpenBody) -> Result<Opening, Problem> {
    let OpenBody { id, parent, agent, user, working_dir, labels, on_parent_end, bound } = body;
    let on_parent_end = on_parent_end.as_deref().map(policy).transpose()?.unwrap_or_default();
    let working_dir = working_dir.map(folder).transpose()?;
    check_labels(&labels)?;
    let uid = match &caller.who {
        Who::Peer(peer) => Some(peer.uid),
        Who::Remote { .. } => None,
    };
    Ok(Opening {
        native_id: id.map(own_id).transpose()?,
        parent,
        within: within(caller)?,
        limits: Limits::default(),
        on_parent_end,
        bound,
        own: OwnContext {
            agent: agent.map(|agent| value("agent", agent)).transpose()?,
            user: user.map(|user| value("user", user)).transpose()?,
            uid,
            working_dir,
            labels,
        },
    })
}

/// An id that an application made up.
fn own_id(id: String) -> Result<String, Problem> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._:@/-".contains(c);
    if !id.is_empty() && id.len() <= LONGEST_ID && id.chars().all(allowed) {
        return Ok(id);
    }
    let problem = Problem::invalid(format!("{id:?} cannot be the id of a session"));
    Err(problem.suggest(format!("use 1 to {LONGEST_ID} letters, digits and any of `._:@/-`")))
}

fn policy(text: &str) -> Result<OnParentEnd, Problem> {
    OnParentEnd::parse(text).ok_or_else(|| {
        let problem = Problem::invalid(format!("`on_parent_end` cannot be {text:?}"));
        problem.suggest("it is `end`, `orphan` or `wait`")
    })
}

fn folder(text: String) -> Result<PathBuf, Problem> {
    let good = text.starts_with('/') && text.len() <= LONGEST_PATH && !text.contains('\0');
    good.then(|| PathBuf::from(text))
        .ok_or_else(|| Problem::invalid("`working_dir` must be absolute"))
}

fn value(what: &str, text: String) -> Result<String, Problem> {
    if !text.is_empty() && is_short(&text, LONGEST_VALUE) {
        return Ok(text);
    }
    let most = format!("`{what}` has from 1 to {LONGEST_VALUE} characters, none for control");
    Err(Problem::invalid(most))
}

fn short(what: &str, text: String) -> Result<String, Problem> {
    if text.len() <= LONGEST_TEXT {
        return Ok(text);
    }
    Err(Problem::invalid(format!("`{what}` may have {LONGEST_TEXT} bytes")))
}

fn check_labels(labels: &std::collections::BTreeMap<String, String>) -> Result<(), Problem> {
    if labels.len() > MOST_LABELS {
        return Err(Problem::invalid(format!("a session may have {MOST_LABELS} labels")));
    }
    let fits = |(name, value): (&String, &String)| {
        !name.is_empty() && is_short(name, LONGEST_NAME) && is_short(value, LONGEST_VALUE)
    };
    if labels.iter().all(fits) {
        return Ok(());
    }
    Err(Problem::invalid(format!(
        "a label's name has from 1 to {LONGEST_NAME} characters, its value up to {LONGEST_VALUE}"
    )))
}

fn is_short(text: &str, most: usize) -> bool {
    text.chars().count() <= most && !text.contains(char::is_control)
}

fn counts(body: TokensBody) -> TokenCounts {
    let TokensBody { input, output, cache_read, cache_write } = body;
    TokenCounts { input, output, cache_read, cache_write, ..TokenCounts::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller() -> Caller {
        let who = Who::Remote { from: ([127, 0, 0, 1], 1).into(), token: None };
        Caller::new(who, Role::Admin(Default::default()))
    }

    fn read(body: &str) -> Result<Opening, Problem> {
        opening(&caller(), serde_json::from_str(body).expect("a body"))
    }

    #[test]
    fn an_opening_is_read_whole() {
        let text = r#"{"id": "job/7@host:a-b_c.d", "parent": "p", "agent": "a", "user": "u",
            "working_dir": "/w", "labels": {"k": "v"}, "on_parent_end": "wait", "bound": true}"#;
        let opening = read(text).expect("an opening");
        assert_eq!(opening.native_id.as_deref(), Some("job/7@host:a-b_c.d"));
        assert_eq!((opening.on_parent_end, opening.bound), (OnParentEnd::Wait, true));
        assert_eq!(opening.own.labels["k"], "v");
        assert_eq!(read("{}").expect("an opening"), Opening::default());
    }

    #[test]
    fn what_is_too_long_or_no_id_is_refused() {
        let long = "x".repeat(257);
        let labels: Vec<String> = (0..17).map(|n| format!(r#""k{n}": "v""#)).collect();
        for body in [
            r#"{"id": ""}"#.to_owned(),
            r#"{"id": "a b"}"#.to_owned(),
            r#"{"id": "ü"}"#.to_owned(),
            format!(r#"{{"id": "{}"}}"#, "x".repeat(129)),
            format!(r#"{{"user": "{long}"}}"#),
            r#"{"agent": "a\nb"}"#.to_owned(),
            r#"{"working_dir": "here"}"#.to_owned(),
            r#"{"on_parent_end": "stay"}"#.to_owned(),
            format!(r#"{{"labels": {{"k": "{long}"}}}}"#),
            format!(r#"{{"labels": {{"{}": "v"}}}}"#, "k".repeat(65)),
            format!(r#"{{"labels": {{{}}}}}"#, labels.join(",")),
        ] {
            assert!(read(&body).is_err(), "{body}");
        }
    }

    #[test]
    fn who_is_inside_a_run_touches_what_is_its_own_and_an_onlooker_nothing() {
        let session = SessionId::new(crate::units::Wall(1), 2);
        let role = Role::Member { process: "web".to_owned(), session };
        assert_eq!(within(&Caller { role, ..caller() }).ok(), Some(Some(session)));
        assert_eq!(within(&caller()).ok(), Some(None));
        assert!(within(&Caller { role: Role::Onlooker, ..caller() }).is_err());
    }
}
