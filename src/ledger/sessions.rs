//! The register of sessions: the only place that numbers events and changes states, so that no
//! sequence has a gap and no change escapes the table in `transition`.

mod going_on;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::ledger::forget::Whose;
use crate::ledger::outcome::{Outcome, summary, wall_span};
use crate::ledger::row::{EventSource, Row, SessionEvent};
use crate::ledger::session::{Session, SessionEnd, SessionKind, SessionState};
use crate::ledger::spans::{LIVES, Spans};
use crate::ledger::transition::{allowed, may_open_as};
use crate::tokens::TokenCounts;
use crate::units::{ExitStatus, Money, Mono, Now, SessionId, Wall};

/// Ended sessions that are kept in memory; the store keeps the rest.
const ENDED_KEPT: usize = 100;

/// What is said of an event beside when it happened and to whom.
#[derive(Clone, Debug)]
pub struct Note {
    /// One of the closed set of event types.
    pub event_type: &'static str,
    /// What caused it, in a few words.
    pub trigger: String,
    /// Everything else, as a JSON object.
    pub detail: Value,
    /// Which of the kinds that the type has.
    pub subtype: Option<&'static str>,
    /// Whose observation it is.
    pub source: EventSource,
}

impl Note {
    /// A note of an event with its cause and its details.
    pub fn new(event_type: &'static str, trigger: impl Into<String>, detail: Value) -> Self {
        let (trigger, source) = (trigger.into(), EventSource::default());
        Self { event_type, trigger, detail, subtype: None, source }
    }

    /// The same, as somebody's observation.
    pub fn from(self, source: EventSource) -> Self {
        Self { source, ..self }
    }

    /// The same, as one of the kinds that its type has.
    pub fn of(self, subtype: &'static str) -> Self {
        Self { subtype: Some(subtype), ..self }
    }
}

/// All sessions of this life, live and newly ended, with what was counted of them.
#[derive(Debug, Default)]
pub struct Sessions {
    live: BTreeMap<SessionId, Live>,
    /// Newest first.
    ended: VecDeque<Arc<Session>>,
    /// Shared with the pictures, as the next.
    opened: Arc<BTreeMap<(SessionKind, String), u64>>,
    closed: Arc<BTreeMap<(SessionKind, String, SessionState), u64>>,
    /// How long those lasted that ended in this life, by end.
    lasted: Arc<BTreeMap<SessionState, Spans>>,
    /// Events of sessions that go on, until it is known which numbers they have.
    unheard: BTreeMap<SessionId, Vec<SessionEvent>>,
}

#[derive(Debug)]
struct Live {
    session: Arc<Session>,
    /// By the clock that nobody sets, for the duration.
    opened: Mono,
    /// How long it had lasted before.
    before: Duration,
    /// Whether it has been said that a part of its story is missing.
    incomplete: bool,
    /// What it was when it was last written down whole: its last activity, and its events.
    saved: (Wall, u64),
}

impl Sessions {
    /// Starts the counters of a process at 0: a series that is born at 1 shows no increase.
    pub fn expect(&mut self, kind: SessionKind, process: &str) {
        Arc::make_mut(&mut self.opened).entry((kind, process.to_owned())).or_default();
        for end in SessionState::ALL.into_iter().filter(|state| state.is_end()) {
            Arc::make_mut(&mut self.closed).entry((kind, process.to_owned(), end)).or_default();
            Arc::make_mut(&mut self.lasted).entry(end).or_default();
        }
    }

    /// Opens a session in the state that it carries. Nothing where that cannot be: the id is
    /// known, or the state is not one to begin in.
    pub fn open(&mut self, session: Session, at: Now, note: Note) -> Vec<Row> {
        if self.get(session.id).is_some() || !may_open_as(session.state) {
            return Vec::new();
        }
        let (id, state) = (session.id, session.state);
        let note =
            Note { detail: with_identity(note.detail, &session), ..note }.of(session.kind.as_str());
        *Arc::make_mut(&mut self.opened)
            .entry((session.kind, session.process.clone()))
            .or_default() += 1;
        let saved = (session.last_activity, 1);
        let session = Arc::new(session);
        let live =
            Live { session, opened: at.mono, before: Duration::ZERO, incomplete: false, saved };
        self.live.insert(id, live);
        self.write(id, at, (None, Some(state)), note)
    }

    /// Adds an event that leaves the state as it is; also to a session that ended lately, for what
    /// is learnt behind its end.
    pub fn note(&mut self, id: SessionId, at: Now, note: Note) -> Vec<Row> {
        self.write(id, at, (None, None), note)
    }

    /// Takes a session over into another state that is not an end. A repeated change is kept as a
    /// mere event; one that the table forbids is not taken, and the answer is empty.
    pub fn advance(&mut self, id: SessionId, to: SessionState, at: Now, note: Note) -> Vec<Row> {
        let Some(from) = self.live.get(&id).map(|live| live.session.state) else {
            return Vec::new();
        };
        if from == to {
            return self.note(id, at, note);
        }
        if to.is_end() || !allowed(from, to) {
            return Vec::new();
        }
        if let Some(session) = self.edit(id) {
            session.state = to;
        }
        self.write(id, at, (Some(from), Some(to)), note)
    }

    /// Ends a live session: its last event carries the summary, and it moves to the ended ones.
    pub fn end(
        &mut self,
        id: SessionId,
        at: Now,
        outcome: &Outcome,
        status: Option<ExitStatus>,
    ) -> Vec<Row> {
        let Some(live) = self.live.get_mut(&id) else { return Vec::new() };
        let from = live.session.state;
        let to = outcome.state;
        if !to.is_end() || !allowed(from, to) {
            return Vec::new();
        }
        let duration = live.before + at.mono.since(live.opened);
        let session = Arc::make_mut(&mut live.session);
        let end = SessionEnd { at: at.wall, duration, status, reason: outcome.reason.clone() };
        let detail = summary(session, &end, session.events + 1);
        Arc::make_mut(&mut self.lasted).entry(to).or_default().add(&LIVES, duration);
        session.state = to;
        session.end = Some(end);
        *Arc::make_mut(&mut self.closed)
            .entry((session.kind, session.process.clone(), to))
            .or_default() += 1;
        let source = if status.is_some() { EventSource::Init } else { EventSource::Ledger };
        let note = Note::new("ended", outcome.reason.clone(), detail).of(to.as_str()).from(source);
        let rows = self.write(id, at, (Some(from), Some(to)), note);
        self.retire(id);
        rows
    }

    /// Says once of every live session that a part of its story did not arrive.
    pub fn mark_incomplete(&mut self, at: Now, count: u64) -> Vec<Row> {
        let ids: Vec<SessionId> =
            self.live.iter().filter(|(_, live)| !live.incomplete).map(|(id, _)| *id).collect();
        let mut rows = Vec::new();
        for id in ids {
            if let Some(live) = self.live.get_mut(&id) {
                live.incomplete = true;
            }
            let detail = serde_json::json!({ "entries_dropped": count });
            rows.extend(self.note(id, at, Note::new("incomplete", "queue full", detail)));
        }
        rows
    }

    /// A session that is live or ended lately.
    pub fn get(&self, id: SessionId) -> Option<&Session> {
        let live = self.live.get(&id).map(|live| &live.session);
        live.or_else(|| self.ended.iter().find(|session| session.id == id)).map(Arc::as_ref)
    }

    /// The same, for changes to everything but its state, its number of events and its end.
    pub fn edit(&mut self, id: SessionId) -> Option<&mut Session> {
        let session = match self.live.get_mut(&id) {
            Some(live) => &mut live.session,
            None => self.ended.iter_mut().find(|session| session.id == id)?,
        };
        Some(Arc::make_mut(session))
    }

    /// The same, as the pictures share it.
    pub fn shared(&self, id: SessionId) -> Option<Arc<Session>> {
        let live = self.live.get(&id).map(|live| &live.session);
        live.or_else(|| self.ended.iter().find(|session| session.id == id)).cloned()
    }

    /// The external session that ended last of those that had this own id.
    pub fn native(&self, native_id: &str) -> Option<&Session> {
        let is_it = |session: &&Arc<Session>| {
            session.kind == SessionKind::External && session.native_id.as_deref() == Some(native_id)
        };
        self.ended.iter().find(is_it).map(Arc::as_ref)
    }

    /// A session and all above it, as far as they are known, nearest first.
    pub fn chain(&self, id: SessionId) -> Vec<SessionId> {
        let mut chain = Vec::new();
        let mut next = Some(id);
        while let Some(session) = next.and_then(|id| self.get(id)) {
            chain.push(session.id);
            // Who is opened inside another is younger, so that no chain comes back to itself.
            next = session.parent.filter(|parent| !chain.contains(parent));
        }
        chain
    }

    /// Takes a sign of activity.
    pub fn touch(&mut self, id: SessionId, at: Wall) {
        if let Some(session) = self.edit(id).filter(|session| session.end.is_none()) {
            session.last_activity = at;
        }
    }

    /// Counts tokens for a session and for all above it.
    pub fn spent(&mut self, id: SessionId, tokens: &TokenCounts, cost: Option<Money>) {
        let unpriced = if cost.is_none() { tokens.total() } else { 0 };
        let cost = cost.unwrap_or_default();
        if let Some(session) = self.edit(id) {
            let figures = &mut session.figures;
            figures.tokens = figures.tokens.plus(tokens);
            figures.cost = figures.cost.saturating_add(cost);
            figures.unpriced_tokens = figures.unpriced_tokens.saturating_add(unpriced);
        }
        for id in self.chain(id) {
            if let Some(session) = self.edit(id) {
                let total = &mut session.total;
                total.tokens = total.tokens.plus(tokens);
                total.cost = total.cost.saturating_add(cost);
                total.unpriced_tokens = total.unpriced_tokens.saturating_add(unpriced);
            }
        }
    }

    /// Sets the CPU time of a session, and adds what it grew by to all above it.
    pub fn used_cpu(&mut self, id: SessionId, cpu_seconds: Option<f64>) {
        let Some(session) = self.edit(id) else { return };
        let before = std::mem::replace(&mut session.figures.cpu_seconds, cpu_seconds);
        let Some(now) = cpu_seconds else { return };
        let grown = now - before.unwrap_or(0.0);
        for id in self.chain(id) {
            if let Some(session) = self.edit(id) {
                session.total.cpu_seconds = Some(session.total.cpu_seconds.unwrap_or(0.0) + grown);
            }
        }
    }

    /// Whether any session is live.
    pub fn has_live(&self) -> bool {
        !self.live.is_empty()
    }

    /// Whether one of this kind ended lately.
    pub fn has_ended(&self, kind: SessionKind) -> bool {
        self.ended.iter().any(|session| session.kind == kind)
    }

    /// Lets go of those of a kind that ended so long ago.
    pub fn let_go(&mut self, kind: SessionKind, now: Wall, after: Duration) {
        let old = |session: &Session| {
            session.end.as_ref().is_some_and(|end| wall_span(end.at, now) >= after)
        };
        self.ended.retain(|session| session.kind != kind || !old(session));
    }

    /// Live sessions that are not what they were when they were last written down whole.
    pub fn changed(&self) -> Vec<SessionId> {
        let now = |live: &Live| (live.session.last_activity, live.session.events);
        self.live.iter().filter(|(_, live)| live.saved != now(live)).map(|(id, _)| *id).collect()
    }

    /// A session was written down whole.
    pub fn saved(&mut self, id: SessionId) {
        if let Some(live) = self.live.get_mut(&id) {
            live.saved = (live.session.last_activity, live.session.events);
        }
    }

    /// The row that replaces the kept projection of a session.
    pub fn projection(&self, id: SessionId) -> Option<Row> {
        if self.unheard.contains_key(&id) {
            return None;
        }
        self.get(id).map(|session| Row::Session(Box::new(session.clone())))
    }

    /// Sessions that have not ended, oldest first.
    pub fn live(&self) -> Vec<Arc<Session>> {
        self.live.values().map(|live| Arc::clone(&live.session)).collect()
    }

    /// Sessions that ended lately, newest first.
    pub fn ended(&self) -> Vec<Arc<Session>> {
        self.ended.iter().cloned().collect()
    }

    /// Forgets ended sessions; what was counted of them stays counted.
    pub fn forget(&mut self, whose: &Whose) {
        let live = self.live.values().map(|live| &live.session);
        let meant = whose.among(self.ended.iter().chain(live));
        self.ended.retain(|session| !meant.contains(&session.id));
    }

    /// Counts a session of an earlier life that was closed in this one.
    pub fn count_closed(
        &mut self,
        kind: SessionKind,
        process: &str,
        end: SessionState,
        lasted: Duration,
    ) {
        Arc::make_mut(&mut self.lasted).entry(end).or_default().add(&LIVES, lasted);
        let key = (kind, process.to_owned(), end);
        *Arc::make_mut(&mut self.closed).entry(key).or_default() += 1;
    }

    /// How long those lasted that ended, by end.
    pub fn lasted(&self) -> &Arc<BTreeMap<SessionState, Spans>> {
        &self.lasted
    }

    /// Sessions that were opened, by kind and process.
    pub fn opened(&self) -> &Arc<BTreeMap<(SessionKind, String), u64>> {
        &self.opened
    }

    /// Sessions that ended, by kind, process and end.
    pub fn closed(&self) -> &Arc<BTreeMap<(SessionKind, String, SessionState), u64>> {
        &self.closed
    }

    /// Numbers an event and writes it with the projection that it leaves behind.
    fn write(
        &mut self,
        id: SessionId,
        at: Now,
        (previous, new): (Option<SessionState>, Option<SessionState>),
        note: Note,
    ) -> Vec<Row> {
        let Some(session) = self.edit(id) else { return Vec::new() };
        let event = SessionEvent {
            session: id,
            sequence: session.events,
            at: at.wall,
            event_type: note.event_type.into(),
            subtype: note.subtype.map(Into::into),
            previous_state: previous.map(|state| state.as_str().into()),
            new_state: new.map(|state| state.as_str().into()),
            trigger: note.trigger,
            source: note.source,
            detail: note.detail,
        };
        session.events += 1;
        let projection = Row::Session(Box::new(session.clone()));
        match self.unheard.get_mut(&id) {
            Some(unheard) => {
                if unheard.len() >= going_on::MOST_UNHEARD {
                    return Vec::new();
                }
                unheard.push(event.clone());
                vec![Row::Unheard(Box::new(event))]
            }
            None => vec![Row::Event(event), projection],
        }
    }

    fn retire(&mut self, id: SessionId) {
        if let Some(live) = self.live.remove(&id) {
            self.ended.push_front(live.session);
            self.ended.truncate(ENDED_KEPT);
        }
    }
}

/// What a session is, beside what is said of its opening: the events alone tell its whole story.
fn with_identity(detail: Value, session: &Session) -> Value {
    let mut all = match detail {
        Value::Object(all) => all,
        _ => serde_json::Map::new(),
    };
    let mut tell = |name: &str, value: Value| {
        if !value.is_null() {
            all.insert(name.to_owned(), value);
        }
    };
    tell("kind", session.kind.as_str().into());
    tell("process", session.process.as_str().into());
    tell("parent", session.parent.map(|parent| parent.to_string()).into());
    tell("agent", session.agent.clone().into());
    tell("native_id", session.native_id.clone().into());
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::session::{Figures, Totals};

    fn at(ms: u64) -> Now {
        Now { mono: Mono(ms * 1_000_000), wall: Wall(1_000_000 + ms as i64) }
    }

    fn session(n: u128) -> Session {
        Session {
            id: SessionId::new(Wall(5), n),
            kind: SessionKind::Process,
            parent: None,
            process: "web".into(),
            agent: None,
            native_id: None,
            state: SessionState::Initializing,
            started: at(0).wall,
            last_activity: at(0).wall,
            main: None,
            context: None,
            events: 0,
            figures: Figures::default(),
            total: Totals::default(),
            end: None,
        }
    }

    fn note(event_type: &'static str) -> Note {
        Note::new(event_type, "test", Value::Null)
    }

    #[test]
    fn an_end_measures_by_the_monotonic_clock_and_moves_the_session() {
        let mut sessions = Sessions::default();
        let id = session(1).id;
        assert_eq!(sessions.open(session(1), at(0), note("opened")).len(), 2);
        let set_back = Now { mono: at(2_500).mono, wall: Wall(0) };
        let rows = sessions.end(id, set_back, &Outcome::lost("gone"), None);
        let Some(Row::Event(event)) = rows.first() else { panic!("no event in {rows:?}") };
        assert_eq!((event.sequence, event.new_state.as_deref()), (1, Some("lost")));
        assert_eq!(event.detail["duration_seconds"], 2.5);
        assert_eq!(event.detail["events"], 2);
        assert!(sessions.live().is_empty());
        assert_eq!(sessions.ended()[0].events, 2);
    }

    #[test]
    fn a_second_end_and_a_second_opening_are_not_taken() {
        let mut sessions = Sessions::default();
        let id = session(1).id;
        sessions.open(session(1), at(0), note("opened"));
        assert!(sessions.open(session(1), at(1), note("opened")).is_empty());
        sessions.end(id, at(2), &Outcome::lost("gone"), None);
        assert!(sessions.end(id, at(3), &Outcome::lost("again"), None).is_empty());
        assert!(sessions.advance(id, SessionState::Active, at(3), note("started")).is_empty());
        assert!(sessions.open(session(1), at(4), note("opened")).is_empty());
        assert_eq!(sessions.opened().values().sum::<u64>(), 1);
        assert_eq!(sessions.closed().values().sum::<u64>(), 1);
    }

    #[test]
    fn what_is_forgotten_is_shown_no_more_and_stays_counted() {
        let mut sessions = Sessions::default();
        for (n, agent) in [(1, Some("claude")), (2, None), (3, Some("claude"))] {
            let agent = agent.map(str::to_owned);
            sessions.open(Session { agent, ..session(n) }, at(0), note("opened"));
        }
        for n in [1, 2] {
            sessions.end(session(n).id, at(1), &Outcome::lost("gone"), None);
        }
        sessions.forget(&Whose::Agent("claude".to_owned()));
        let ended: Vec<SessionId> = sessions.ended().iter().map(|it| it.id).collect();
        assert_eq!((ended, sessions.live().len()), (vec![session(2).id], 1));
        assert_eq!(sessions.closed().values().sum::<u64>(), 2);
    }

    #[test]
    fn ended_sessions_are_kept_up_to_the_bound() {
        let mut sessions = Sessions::default();
        for n in 0..ENDED_KEPT as u128 + 20 {
            sessions.open(session(n), at(0), note("opened"));
            sessions.end(session(n).id, at(1), &Outcome::lost("gone"), None);
        }
        assert_eq!(sessions.ended().len(), ENDED_KEPT);
        assert_eq!(sessions.ended()[0].id, session(ENDED_KEPT as u128 + 19).id);
    }
}
