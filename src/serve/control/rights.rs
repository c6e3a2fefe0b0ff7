//! The audit trail, and sessions that are purged, forgotten or taken out.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use tokio::time::sleep;

use super::answer::{Answer, json};
use super::api::{self, Route};
use super::orders::audited;
use super::problem::Problem;
use super::query::Query;
use super::role::{Caller, Rank, Who};
use super::{Desk, export, request};
use crate::clock;
use crate::ledger::audit::AuditRow;
use crate::ledger::forget::Whose;
use crate::ledger::session::SessionState;
use crate::serve::wire::rights::{Audit, AuditLine, ForgetBody, Forgotten, PurgeBody};
use crate::store::reading::audit::AuditWanted;
use crate::store::reading::reader::Unanswered;
use crate::store::reading::{Answer as Told, Page, Question};
use crate::units::{SessionId, Wall};

/// The addresses of this file.
pub(super) const ROUTES: &[Route] = &[
    api::get("/v1/audit", AUDIT, api::What::Rights(What::Audit)),
    api::get("/v1/export", &export::PARAMETERS, api::What::Rights(What::Export)),
    api::post("/v1/purge", &[], api::What::Rights(What::Purge)),
    api::post("/v1/forget", &[], api::What::Rights(What::Forget)),
];

/// What is answered here.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Audit,
    Export,
    Purge,
    Forget,
}

const AUDIT: &[&str] =
    &["since", "until", "action", "target", "role", "uid", "refused", "limit", "cursor"];

/// Lines of one page where nothing is said, and at most.
const LINES: u32 = 100;
/// See [`LINES`].
const MOST_LINES: u32 = 1000;

/// Sessions that ended longer ago are purged where nothing is said.
const OLD: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Steps of one request; each takes a hundred sessions.
const MOST_STEPS: u32 = 100_000;

/// How often a step is asked for again when the store is busy, and the time between.
const TRIES: u32 = 40;
/// See [`TRIES`].
const PAUSE: Duration = Duration::from_millis(250);

/// The answer to a request of this file.
pub(super) async fn answer(
    desk: &Arc<Desk>,
    caller: &Caller,
    what: What,
    query: &Query,
    request: Request<Incoming>,
) -> Result<Answer, Problem> {
    match what {
        What::Audit => audit(desk, query).await,
        What::Export => export::answer(desk, query).await,
        What::Purge => purge(desk, caller, request::body(request).await?).await,
        What::Forget => forget(desk, caller, request::body(request).await?).await,
    }
}

async fn audit(desk: &Desk, query: &Query) -> Result<Answer, Problem> {
    let wanted = AuditWanted {
        since: time(query, "since")?,
        until: time(query, "until")?,
        action: query.text("action").map(str::to_owned),
        target: query.text("target").map(str::to_owned),
        role: query.text("role").map(str::to_owned),
        uid: query.number("uid")?,
        refused: query.is_set("refused")?,
        after: query.text("cursor").map(cursor).transpose()?,
        limit: query.number("limit")?.unwrap_or(LINES).clamp(1, MOST_LINES),
    };
    let (page, let_go) = match ask(desk, Question::Audit(Box::new(wanted.clone()))).await {
        Ok(Told::Audit(page)) => (page, None),
        Ok(_) => return Err(Problem::no_reply()),
        Err(Unanswered::InMemory) => {
            (desk.sources.trail.page(&wanted), Some(desk.sources.trail.let_go()))
        }
        Err(error) => return Err(Problem::busy(&error.to_string())),
    };
    let Page { items, more } = page;
    let cursor = items.last().filter(|_| more).map(|row| format!("{:x}.{}", row.at.0, row.id));
    let lines = items.into_iter().map(line).collect();
    Ok(json(StatusCode::OK, &Audit { lines, cursor, let_go }))
}

fn line(row: AuditRow) -> AuditLine {
    AuditLine {
        id: row.id.to_string(),
        at: row.at.to_string(),
        action: row.action,
        target: row.target,
        said: row.said,
        outcome: row.outcome,
        reason: row.reason,
        role: row.role,
        token: row.token,
        remote: row.remote,
        uid: row.uid,
        pid: row.pid,
        name: row.name,
        session: row.session.map(|id| id.to_string()),
    }
}

/// A place in the trail, as an answer gave it.
fn cursor(text: &str) -> Result<(Wall, SessionId), Problem> {
    let parse = || {
        let (at, id) = text.split_once('.')?;
        Some((Wall(i64::from_str_radix(at, 16).ok()?), SessionId::parse(id)?))
    };
    let fault = || Problem::bad_request(format!("{text:?} is no cursor of the audit trail"));
    parse().ok_or_else(fault)
}

/// A time, ISO 8601.
pub(super) fn time(query: &Query, name: &str) -> Result<Option<Wall>, Problem> {
    let read = |text: &str| {
        let fault =
            || format!("{name}: expected a time such as 2026-11-20T09:30:00Z, found {text:?}");
        Wall::parse(text).ok_or_else(|| Problem::bad_request(fault()))
    };
    query.text(name).map(read).transpose()
}

async fn purge(desk: &Desk, caller: &Caller, body: PurgeBody) -> Result<Answer, Problem> {
    let read = |text: &String| {
        let found = SessionState::parse(text).filter(|state| state.is_end());
        let fault = || Problem::invalid(format!("no session ends as {text:?}"));
        found.ok_or_else(|| {
            fault().suggest("states: completed, failed, timed_out, killed, oom, lost")
        })
    };
    let states: Vec<SessionState> = body.states.iter().map(read).collect::<Result<_, _>>()?;
    let age = body.older_than_seconds.map_or(OLD, Duration::from_secs);
    let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    let than = Wall(clock::now().wall.0.saturating_sub(age_ms));
    let said = format!("purge sessions that ended {} s ago or earlier", age.as_secs());
    let_go(desk, caller, Whose::Older { than, states }, body.dry_run, &said).await
}

async fn forget(desk: &Desk, caller: &Caller, body: ForgetBody) -> Result<Answer, Problem> {
    let veil = &desk.sources.veil;
    let (kind, name, whose) = match (body.user, body.agent) {
        (Some(user), None) => ("user", user.clone(), Whose::User(veil.user(&user))),
        (None, Some(agent)) => ("agent", agent.clone(), Whose::Agent(agent)),
        _ => return Err(Problem::invalid("expected either `user` or `agent`")),
    };
    // The trail is not to remember whom it was about, only that two requests were about the same.
    let salt = export::salt(desk).await?;
    let said = format!("forget the {kind} {}", salt.hash(kind, &name));
    let_go(desk, caller, whose, body.dry_run, &said).await
}

/// Has ended sessions forgotten, step by step, in the history and in the picture.
async fn let_go(
    desk: &Desk,
    caller: &Caller,
    whose: Whose,
    dry_run: bool,
    said: &str,
) -> Result<Answer, Problem> {
    let said = if dry_run { format!("{said} (only counted)") } else { said.to_owned() };
    let gone = async {
        may_let_go(caller)?;
        let picture = desk.picture();
        let live = match whose {
            Whose::Older { .. } => 0,
            _ => whose.among(picture.sessions.iter()).len() as u64,
        };
        let shown = whose.among(picture.ended.iter().chain(&picture.sessions));
        let ended = picture.ended.iter().filter(|it| shown.contains(&it.id)).count() as u64;
        let sessions = steps(desk, &whose, dry_run).await?.unwrap_or(ended);
        if !dry_run && !(desk.sources.forget)(whose) {
            return Err(Problem::busy("what is shown could not be forgotten yet; ask once more"));
        }
        Ok(Forgotten { sessions, live, dry_run })
    };
    Ok(json(StatusCode::OK, &audited(caller, &said, gone.await)?))
}

/// Over TCP nothing is let go of without a reason.
fn may_let_go(caller: &Caller) -> Result<(), Problem> {
    caller.role.may_order_all()?;
    let remote = matches!(caller.who, Who::Remote { .. });
    if caller.role.rank() != Some(Rank::Admin) || remote && caller.reason.is_none() {
        let problem = Problem::forbidden("nothing is let go of over TCP without a reason");
        return Err(problem.suggest("say why in the header `X-Procession-Reason: WHY`"));
    }
    Ok(())
}

/// How many sessions of the history went, or would; `None` where history is in memory.
async fn steps(desk: &Desk, whose: &Whose, dry_run: bool) -> Result<Option<u64>, Problem> {
    let mut sessions = 0;
    for _ in 0..MOST_STEPS {
        let question = Question::Forget { whose: whose.clone(), step: !dry_run };
        match ask(desk, question).await {
            Ok(Told::Forgotten(step)) => {
                sessions += step.sessions;
                if !step.more {
                    return Ok(Some(sessions));
                }
            }
            Ok(_) => return Err(Problem::no_reply()),
            Err(Unanswered::InMemory) => return Ok(None),
            Err(error) => {
                let detail = format!("{error}; {sessions} sessions are gone already");
                return Err(Problem::busy(&detail));
            }
        }
    }
    Err(Problem::busy("there is more than goes at once; ask once more"))
}

/// Asks the history, and again while it is busy.
pub(super) async fn ask(desk: &Desk, question: Question) -> Result<Told, Unanswered> {
    for _ in 1..TRIES {
        match desk.sources.history.ask(question.clone()).await {
            Err(Unanswered::Busy) => sleep(PAUSE).await,
            answered => return answered,
        }
    }
    desk.sources.history.ask(question).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back() {
        let id = SessionId::new(Wall(7), 3);
        let text = format!("{:x}.{id}", 0x1234);
        assert_eq!(cursor(&text).ok(), Some((Wall(0x1234), id)));
        for odd in ["", ".", "12", "x.y", "12.y"] {
            assert!(cursor(odd).is_err(), "{odd:?}");
        }
    }
}
