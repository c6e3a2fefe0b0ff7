//! Sessions, live and ended: listed, one by one, with what happened to them, and as trees. What the
//! picture shows is nearer than what is kept, so it stands in the place of what the store answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::StatusCode;

use super::answer::{Answer, json};
use super::api::{Route, What as Any, get};
use super::problem::Problem;
use super::query::Query;
use super::role::Caller;
use super::{Desk, gate, reading};
use crate::ledger::replay::Difference as Found;
use crate::ledger::session::{Session, SessionKind, SessionState};
use crate::ledger::snapshot::Snapshot;
use crate::serve::wire::history::{
    Difference, Different, Node, Replayed, SessionEvent, SessionEvents, SessionTree, Sessions,
};
use crate::store::reading::compare::Compared;
use crate::store::reading::kept::KeptEvent;
use crate::store::reading::place::{Cursor, Place, Unusable};
use crate::store::reading::reader::Unanswered;
use crate::store::reading::wanted::{Standing, Wanted};
use crate::store::reading::{Answer as Kept, MOST, Page, Question};
use crate::units::{SessionId, Wall};

/// What is answered at the addresses of this file.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    List,
    One,
    Events,
    Tree,
    Replay,
}

const LIST: &[&str] = &[
    "state", "kind", "process", "user", "agent", "parent", "project", "since", "until", "standing",
    "id", "cursor", "limit",
];

/// The addresses of this file.
pub(super) const ROUTES: &[Route] = &[
    get("/v1/sessions", LIST, Any::History(What::List)),
    get("/v1/sessions/{id}", &[], Any::History(What::One)),
    get("/v1/sessions/{id}/events", &["from", "limit"], Any::History(What::Events)),
    get("/v1/sessions/{id}/tree", &[], Any::History(What::Tree)),
    get("/v1/replay", &["cursor"], Any::History(What::Replay)),
];

/// Sessions or events of a page where nothing is said.
const PAGE: u32 = 100;

/// Generations of a tree that are told; an agent that starts an agent that starts an agent is at
/// three.
const DEEPEST: usize = 32;

/// The answer to a request of this file.
pub(super) async fn answer(
    desk: &Desk,
    caller: &Caller,
    what: What,
    name: &str,
    query: &Query,
) -> Result<Answer, Problem> {
    Ok(match what {
        What::List => json(StatusCode::OK, &list(desk, query).await?),
        What::One => {
            let found = find(desk, name).await?;
            json(StatusCode::OK, &reading::session(&found))
        }
        What::Events => json(StatusCode::OK, &events(desk, name, query).await?),
        What::Tree => json(StatusCode::OK, &tree(desk, caller, name).await?),
        What::Replay => json(StatusCode::OK, &replay(desk, query).await?),
    })
}

async fn list(desk: &Desk, query: &Query) -> Result<Sessions, Problem> {
    let picture = desk.picture();
    let history = &desk.sources.history;
    // Where nothing outlives us, what a cursor stands on does not either.
    let life = (!history.keeps()).then_some(picture.house.started);
    let asked = wanted(query, life)?;
    // A cursor is of what was asked for, which stays the same when replicas come and go.
    let meant = asked.processes.iter().flat_map(|name| reading::meant(name, &picture));
    let wanted = Wanted { processes: meant.map(str::to_owned).collect(), ..asked.clone() };
    let kept = history.ask(Question::Sessions(Box::new(wanted.clone()))).await;
    let (kept, incomplete) = match kept {
        Ok(Kept::Sessions(page)) => (page, None),
        Ok(_) => (nothing(), Some("the store answered another question".to_owned())),
        Err(why) => (nothing(), Some(why.to_string())),
    };
    let (sessions, next) = merged(kept, &picture, &wanted);
    Ok(Sessions {
        generation: picture.generation,
        next: next.map(|place| asked.cursor(place, life).to_string()),
        sessions: sessions.iter().map(|session| reading::session(session)).collect(),
        incomplete,
    })
}

fn nothing<T>() -> Page<T> {
    Page { items: Vec::new(), more: false }
}

/// A page out of what is kept and what the picture shows, without any session twice, and where the
/// next one begins. Where there is more in the store, only what is at least as new as the last that
/// it told belongs to this page.
fn merged(
    kept: Page<Session>,
    picture: &Snapshot,
    wanted: &Wanted,
) -> (Vec<Arc<Session>>, Option<Place>) {
    let known: BTreeMap<SessionId, &Arc<Session>> = all(picture).map(|it| (it.id, it)).collect();
    let horizon = kept.items.last().filter(|_| kept.more).map(Place::of);
    let older = kept.items.into_iter().filter(|session| !known.contains_key(&session.id));
    let shown = known.values().copied().filter(|session| {
        let place = Place::of(session);
        wanted.admits(session)
            && wanted.after.is_none_or(|after| place < after)
            && horizon.is_none_or(|horizon| place >= horizon)
    });
    let mut page: Vec<Arc<Session>> = older.map(Arc::new).chain(shown.cloned()).collect();
    page.sort_unstable_by_key(|session| std::cmp::Reverse(Place::of(session)));
    let limit = wanted.limit as usize;
    if page.len() > limit {
        page.truncate(limit);
        let next = page.last().map(|session| Place::of(session));
        return (page, next);
    }
    (page, horizon)
}

fn all(picture: &Snapshot) -> impl Iterator<Item = &Arc<Session>> {
    picture.sessions.iter().chain(&picture.ended)
}

/// What a list is asked for.
fn wanted(query: &Query, life: Option<Wall>) -> Result<Wanted, Problem> {
    let words = |name| query.words(name).into_iter().map(str::to_owned).collect::<Vec<_>>();
    let standing = query.one_of("standing", &["live", "ended"])?;
    let mut wanted = Wanted {
        states: named(query, "state", &SessionState::ALL, SessionState::as_str)?,
        kinds: named(query, "kind", &SessionKind::ALL, SessionKind::as_str)?,
        processes: words("process"),
        users: words("user"),
        agents: words("agent"),
        parent: query.text("parent").map(parent).transpose()?,
        project: query.text("project").map(str::to_owned),
        since: time(query, "since")?,
        until: time(query, "until")?,
        standing: standing.map(|word| match word {
            "live" => Standing::Live,
            _ => Standing::Ended,
        }),
        prefix: query.text("id").map(str::to_owned).filter(|prefix| !prefix.is_empty()),
        after: None,
        limit: limit(query)?,
    };
    if let Some(cursor) = query.text("cursor") {
        let place = Cursor::read(cursor, wanted.shape(), life);
        wanted.after = Some(place.map_err(bad_cursor)?);
    }
    Ok(wanted)
}

fn bad_cursor(why: Unusable) -> Problem {
    let detail = match why {
        Unusable::Unreadable => "cursor: expected what `next` of an earlier page said",
        Unusable::OtherShape => "cursor: it belongs to a list with other filters",
        Unusable::OtherLife => {
            "cursor: it belongs to an earlier life of procession, whose history was in memory"
        }
    };
    Problem::bad_request(detail).suggest("begin again without a cursor")
}

/// The values of a closed set that are asked for.
fn named<T: Copy>(
    query: &Query,
    name: &str,
    all: &[T],
    word: fn(T) -> &'static str,
) -> Result<Vec<T>, Problem> {
    let find = |asked: &str| {
        let words = || all.iter().map(|it| word(*it)).collect::<Vec<_>>().join(", ");
        let problem = || {
            Problem::bad_request(format!("{name}: expected one of {}, found {asked:?}", words()))
        };
        all.iter().copied().find(|it| word(*it) == asked).ok_or_else(problem)
    };
    query.words(name).into_iter().map(find).collect()
}

fn parent(text: &str) -> Result<SessionId, Problem> {
    let problem =
        || Problem::bad_request(format!("parent: expected the id of a session, found {text:?}"));
    SessionId::parse(text).ok_or_else(problem)
}

pub(super) fn time(query: &Query, name: &str) -> Result<Option<Wall>, Problem> {
    let read = |text: &str| {
        let problem = || {
            let problem =
                format!("{name}: expected a time such as 2026-11-20T09:30:00Z, found {text:?}");
            Problem::bad_request(problem)
        };
        Wall::parse(text).ok_or_else(problem)
    };
    query.text(name).map(read).transpose()
}

fn limit(query: &Query) -> Result<u32, Problem> {
    match query.number("limit")?.unwrap_or(PAGE) {
        limit @ 1..=MOST => Ok(limit),
        _ => Err(Problem::bad_request(format!("limit: expected a number from 1 to {MOST}"))),
    }
}

/// The session of this id or own id: as the picture shows it, else as it is kept.
pub(super) async fn find(desk: &Desk, name: &str) -> Result<Arc<Session>, Problem> {
    let picture = desk.picture();
    let id = SessionId::parse(name);
    let by_id = all(&picture).find(|session| Some(session.id) == id);
    let by_own = || all(&picture).find(|session| session.native_id.as_deref() == Some(name));
    if let Some(found) = by_id.or_else(by_own) {
        return Ok(Arc::clone(found));
    }
    match desk.sources.history.ask(Question::Session(name.to_owned())).await {
        Ok(Kept::Session(Some(found))) => Ok(Arc::from(found)),
        Err(why @ (Unanswered::Busy | Unanswered::Away(_) | Unanswered::Failed(_))) => {
            Err(Problem::unanswered(&why.to_string()))
        }
        Err(Unanswered::InMemory) => Err(Problem::unknown("session", name, &[]).suggest(
            "history is in memory, so that only live sessions and those that ended lately are known",
        )),
        Ok(_) => Err(Problem::unknown("session", name, &[])),
    }
}

async fn events(desk: &Desk, name: &str, query: &Query) -> Result<SessionEvents, Problem> {
    let from = query.number("from")?.unwrap_or(0);
    let limit = limit(query)?;
    let session = find(desk, name).await?.id;
    let page = match desk.sources.history.ask(Question::Events { session, from, limit }).await {
        Ok(Kept::Events(page)) => page,
        Err(Unanswered::InMemory) => return Err(not_kept()),
        Err(why) => return Err(Problem::unanswered(&why.to_string())),
        Ok(_) => nothing(),
    };
    let next = page.items.last().filter(|_| page.more).map(|event| event.sequence + 1);
    let events = page.items.into_iter().map(event).collect();
    Ok(SessionEvents { session: session.to_string(), events, next })
}

fn event(kept: KeptEvent) -> SessionEvent {
    SessionEvent {
        session_id: kept.session,
        sequence: kept.sequence,
        timestamp: kept.at.to_string(),
        event_type: kept.event_type,
        subtype: kept.subtype,
        previous_state: kept.previous_state,
        new_state: kept.new_state,
        trigger: kept.trigger,
        source: kept.source,
        version: kept.version,
        context: kept.context,
    }
}

/// A session with those above and below it, so far as they are the asker's to see.
async fn tree(desk: &Desk, caller: &Caller, name: &str) -> Result<SessionTree, Problem> {
    let root = find(desk, name).await?;
    let mut ancestors = ancestors(desk, &root).await?;
    let picture = desk.picture();
    let is_theirs = |session: &Session| {
        caller.confined().is_none_or(|limits| gate::covers(limits, session, &picture))
    };
    ancestors.retain(|session| is_theirs(session));
    let ancestors = ancestors.iter().map(|session| reading::session(session)).collect();
    let asked = Question::Descendants { root: root.id, limit: MOST };
    let (kept, incomplete) = match desk.sources.history.ask(asked).await {
        Ok(Kept::Sessions(page)) => (page, None),
        Ok(_) => (nothing(), None),
        Err(why) => (nothing(), Some(why.to_string())),
    };
    let more = kept.more;
    let mut known: BTreeMap<SessionId, Arc<Session>> =
        kept.items.into_iter().map(|session| (session.id, Arc::new(session))).collect();
    known.extend(all(&picture).map(|session| (session.id, Arc::clone(session))));
    let mut parts: BTreeMap<SessionId, Vec<Arc<Session>>> = BTreeMap::new();
    for session in known.into_values().filter(|session| is_theirs(session)) {
        if let Some(parent) = session.parent {
            parts.entry(parent).or_default().push(session);
        }
    }
    let tree = node(&root, &mut parts, DEEPEST);
    Ok(SessionTree { ancestors, tree, more, incomplete })
}

/// What a cursor of a comparison belongs to.
const REPLAY: u32 = 0;

async fn replay(desk: &Desk, query: &Query) -> Result<Replayed, Problem> {
    let cursor = query.text("cursor").map(|cursor| Cursor::read(cursor, REPLAY, None));
    let after = cursor.transpose().map_err(bad_cursor)?;
    match desk.sources.history.ask(Question::Compare { after }).await {
        Ok(Kept::Compared(compared)) => Ok(replayed(&compared)),
        Ok(_) => Ok(Replayed::default()),
        Err(Unanswered::InMemory) => Err(not_kept()),
        Err(why) => Err(Problem::unanswered(&why.to_string())),
    }
}

pub(super) fn not_kept() -> Problem {
    Problem::conflict("no-history", "nothing is kept", Unanswered::InMemory.to_string())
        .suggest("name a store in the file, or follow GET /v1/events")
}

/// What came of a comparison, as it is told.
pub fn replayed(compared: &Compared) -> Replayed {
    let difference = |one: &Found| Difference {
        field: one.field.to_owned(),
        told: one.told.clone(),
        kept: one.kept.clone(),
    };
    let different = compared.different.iter().map(|one| Different {
        session: one.id.to_string(),
        differences: one.differences.iter().map(difference).collect(),
        faults: one.faults.clone(),
    });
    let next = compared.next.map(|place| Cursor { shape: REPLAY, life: None, place }.to_string());
    Replayed {
        same: compared.same,
        partial: compared.partial,
        different: different.collect(),
        next,
    }
}

async fn ancestors(desk: &Desk, of: &Session) -> Result<Vec<Arc<Session>>, Problem> {
    let (mut above, mut next) = (Vec::new(), of.parent);
    while let Some(parent) = next.filter(|_| above.len() < DEEPEST) {
        let Ok(session) = find(desk, &parent.to_string()).await else { break };
        next = session.parent;
        above.push(session);
    }
    Ok(above)
}

/// A session with its parts, each of which is taken once, whatever is said to be a part of what.
fn node(
    session: &Session,
    parts: &mut BTreeMap<SessionId, Vec<Arc<Session>>>,
    depth: usize,
) -> Node {
    let mut own =
        if depth == 0 { Vec::new() } else { parts.remove(&session.id).unwrap_or_default() };
    own.sort_unstable_by_key(|session| Place::of(session));
    let children = own.iter().map(|child| node(child, parts, depth - 1)).collect();
    Node { session: reading::session(session), children }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(n: u128, at: i64, state: SessionState) -> Session {
        let id = SessionId::new(Wall(at), n);
        Session { state, ..Session::opened(id, "web".into(), Wall(at)) }
    }

    fn ids(page: &[Arc<Session>]) -> Vec<i64> {
        page.iter().map(|session| session.started.0).collect()
    }

    #[test]
    fn what_the_picture_shows_stands_in_the_place_of_what_is_kept() {
        let active = SessionState::Active;
        let picture = Snapshot {
            sessions: vec![Arc::new(session(1, 50, active))],
            ended: vec![Arc::new(session(2, 40, SessionState::Completed))],
            ..Snapshot::default()
        };
        let kept = |more| Page {
            items: vec![session(2, 40, active), session(3, 30, active), session(4, 20, active)],
            more,
        };
        let all = Wanted { limit: 10, ..Wanted::default() };
        let (page, next) = merged(kept(false), &picture, &all);
        assert_eq!((ids(&page), next), (vec![50, 40, 30, 20], None), "none twice");
        assert_eq!(page[1].state, SessionState::Completed, "as it is now");
        let live = Wanted { states: vec![active], ..all.clone() };
        let (page, next) = merged(kept(true), &picture, &live);
        assert_eq!(ids(&page), [50, 30, 20], "what has changed since is left out");
        assert_eq!(next.map(|place| place.started), Some(Wall(20)), "as far as it was looked");
        let (page, next) = merged(kept(true), &picture, &Wanted { limit: 3, ..all.clone() });
        assert_eq!(ids(&page), [50, 40, 30]);
        let after = next;
        assert_eq!(after.map(|place| place.started), Some(Wall(30)));
        let second = Page { items: vec![session(4, 20, active)], more: false };
        let (page, next) = merged(second, &picture, &Wanted { limit: 3, after, ..all });
        assert_eq!((ids(&page), next), (vec![20], None));
    }

    #[test]
    fn who_is_said_to_be_their_own_ancestor_is_told_once() {
        let (mut one, mut two) =
            (session(1, 1, SessionState::Active), session(2, 2, SessionState::Active));
        (one.parent, two.parent) = (Some(two.id), Some(one.id));
        let mut parts = BTreeMap::from([
            (one.id, vec![Arc::new(two.clone())]),
            (two.id, vec![Arc::new(one.clone())]),
        ]);
        let told = node(&one, &mut parts, DEEPEST);
        assert_eq!(told.children[0].session.id, two.id.to_string());
        assert!(told.children[0].children[0].children.is_empty());
    }
}
