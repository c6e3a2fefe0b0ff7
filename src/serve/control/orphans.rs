//! Processes that sessions which are over left behind: listed, and ended by asking first. Only the loop
//! signals, after a look of its own at whose they are.

use std::time::Duration;

use hyper::StatusCode;
use tokio::time::{Instant, sleep};

use super::answer::{Answer, json};
use super::api::{Route, What, get, post};
use super::orders::{audited, give, strange};
use super::problem::Problem;
use super::query::Query;
use super::role::Caller;
use super::{Desk, external};
use crate::clock;
use crate::ledger::request::Request;
use crate::ledger::snapshot::Snapshot;
use crate::memory::orphan::{Known, Names, Orphan, orphans};
use crate::memory::proc;
use crate::memory::strays;
use crate::serve::wire::orphans as wire;
use crate::supervise::wish::{Reply, Wish};
use crate::units::{ProcId, Signal};

/// How long everybody may take to be looked at.
const LOOK: Duration = Duration::from_secs(5);
/// How long they may take to end after SIGTERM, and how long the dead are waited for after SIGKILL.
const GRACE: Duration = Duration::from_secs(2);
const KILL_WAIT: Duration = Duration::from_millis(500);
/// Until the picture shows a run that was forked; a new one is taken every 50 ms.
const SHOWN: Duration = Duration::from_millis(200);
/// Between two looks whether they have ended.
const PAUSE: Duration = Duration::from_millis(20);

/// What is answered here.
#[derive(Clone, Copy, Debug)]
pub(super) enum Orphans {
    List,
    End,
}

/// Who was left behind.
pub(super) const ROUTES: &[Route] = &[
    get("/v1/orphans", &["name", "all"], What::Orphans(Orphans::List)),
    post("/v1/orphans/end", &[], What::Orphans(Orphans::End)),
];

/// Lists them.
pub(super) async fn list(desk: &Desk, query: &Query) -> Result<Answer, Problem> {
    let given = query.words("name").into_iter().map(str::to_owned).collect();
    let found = find(desk, names(given, query.is_set("all")?)).await?;
    let orphans = found.iter().map(|orphan| told(orphan, None)).collect();
    Ok(json(StatusCode::OK, &wire::Orphans { orphans }))
}

/// Ends them: asks, waits, kills.
pub(super) async fn end(
    desk: &Desk,
    caller: &Caller,
    body: wire::OrphansBody,
) -> Result<Answer, Problem> {
    let given = async {
        caller.role.may_order_all()?;
        let found = find(desk, names(body.names, body.all)).await?;
        let ids: Vec<ProcId> = found.iter().map(|orphan| orphan.id).collect();
        let asked = rung(desk, &ids, Signal::TERM, GRACE).await?;
        let killed = rung(desk, &asked, Signal::KILL, KILL_WAIT).await?;
        Ok((found, asked, killed))
    };
    let (found, asked, killed) = audited(caller, "end what was left behind", given.await)?;
    let outcome = |id: &ProcId| match (asked.contains(id), killed.contains(id)) {
        (false, _) => "ended",
        (true, false) => "killed",
        (true, true) => "left",
    };
    let count = |word| found.iter().filter(|orphan| outcome(&orphan.id) == word).count() as u64;
    let counted = Request::OrphansEnded { asked: count("ended"), killed: count("killed") };
    // They are ended, whether that is counted or not.
    let _ = external::ask(desk, counted).await;
    let orphans = found.iter().map(|orphan| told(orphan, Some(outcome(&orphan.id)))).collect();
    Ok(json(StatusCode::OK, &wire::Orphans { orphans }))
}

fn names(given: Vec<String>, all: bool) -> Names {
    if all { Names::All } else { Names::of(given) }
}

/// Looks at everybody, off the task: `/proc` can hang. What is ours is asked behind that, when the
/// picture shows whoever was there: a run that was just forked is not left behind.
async fn find(desk: &Desk, names: Names) -> Result<Vec<Orphan>, Problem> {
    let table = match tokio::task::spawn_blocking(|| strays::everybody(LOOK)).await {
        Ok(Ok(table)) => table,
        Ok(Err(error)) => return Err(Problem::busy(&error.to_string())),
        Err(_) => return Err(Problem::no_reply()),
    };
    sleep(SHOWN).await;
    Ok(orphans(&table, &known(&desk.picture()), &names))
}

/// What of it lives is ours; its main process may not be known yet.
pub fn known(picture: &Snapshot) -> Known {
    let us = std::process::id().cast_signed();
    let live = picture.sessions.iter().map(|session| (session.id, session.main)).collect();
    Known { spared: vec![us], us: Some(us), live, left: Vec::new() }
}

/// Sends them a signal and waits for their end; those that live on.
async fn rung(
    desk: &Desk,
    ids: &[ProcId],
    signal: Signal,
    patience: Duration,
) -> Result<Vec<ProcId>, Problem> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    match give(desk, Wish::SignalOrphans { ids: ids.to_vec(), signal }).await? {
        Reply::Accepted(_) => {}
        other => return Err(strange(&other)),
    }
    let until: Instant = clock::instant() + patience;
    loop {
        let left: Vec<ProcId> = ids.iter().copied().filter(lives).collect();
        if left.is_empty() || clock::instant() >= until {
            return Ok(left);
        }
        sleep(PAUSE).await;
    }
}

fn lives(id: &ProcId) -> bool {
    proc::stat(id.pid).is_ok_and(|stat| stat.id == *id && stat.is_alive())
}

/// An orphan on the wire.
pub fn told(orphan: &Orphan, outcome: Option<&str>) -> wire::Orphan {
    wire::Orphan {
        pid: orphan.id.pid,
        start_ticks: orphan.id.start_ticks,
        parent: orphan.parent,
        name: orphan.name.clone(),
        command: orphan.words.clone(),
        session: orphan.session.to_string(),
        evidence: orphan.evidence.as_str().to_owned(),
        outcome: outcome.map(str::to_owned),
    }
}
