//! What an earlier life left behind: sessions that it did not close, and processes that outlived
//! it. What can go on does, as the session that it is. Either may be heard of first: recovery runs before the first spawn, the store opens after.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::ledger::activity::Bounds;
use crate::ledger::conversations::Key;
use crate::ledger::entry::{KeptOpen, OpenSession, SurvivorOutcome};
use crate::ledger::fold::{Ledger, batch};
use crate::ledger::labels::UNKNOWN;
use crate::ledger::outcome::wall_span;
use crate::ledger::row::{Batch, EventSource, Row, SessionClose, SessionEvent};
use crate::ledger::session::{OnParentEnd, Session, SessionEnd, SessionKind, SessionState};
use crate::ledger::sessions::Note;
use crate::units::{Now, SessionId, Wall};

/// Sessions and survivors of an earlier life that are remembered for one another; a life has about
/// as many at a time as there are processes.
const REMEMBERED: usize = 1000;

/// Why such a session counts as lost.
const REASON: &str = "the supervisor ended without closing it";

/// Why one counts as lost whose process lives on.
const TAKEN_OVER: &str =
    "the supervisor ended without closing it; its process lives on as a session of the next one";

/// Why one counts as timed out.
const STALE: &str = "the supervisor ended without closing it, and it was idle for too long since";

/// What is known of the life before.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    /// Whether it is known by now what was left open.
    told: bool,
    /// How each session was closed that was found open.
    found: BTreeMap<SessionId, SessionClose>,
    /// Survivors of sessions that were not found yet.
    waiting: Vec<SurvivorOutcome>,
}

impl Ledger {
    /// Whether it is still to be told what an earlier life left open.
    pub(super) fn awaits_earlier(&self) -> bool {
        self.house.store.is_some() && !self.earlier.told
    }

    /// Goes on with the sessions that an earlier life left open, where that can be, and closes the
    /// others.
    pub(super) fn open_sessions_found(
        &mut self,
        at: Now,
        mut found: Vec<OpenSession>,
    ) -> Vec<Batch> {
        self.earlier.told = true;
        // Whatever goes on does so before its parts.
        found.sort_by_key(|session| session.kind == SessionKind::Conversation);
        let mut batches = Vec::new();
        for session in found {
            let rows = if self.sessions.is_unheard(session.id) {
                self.run_goes_on(&session)
            } else if self.sessions.get(session.id).is_some() {
                Vec::new()
            } else {
                let resumed = match session.kind {
                    SessionKind::Conversation => self.resume_conversation(at, &session),
                    _ => self.resume_external(at, &session),
                };
                resumed.unwrap_or_else(|| self.close_left(at, &session))
            };
            batches.extend(batch(rows));
        }
        for id in self.sessions.all_unheard() {
            batches.extend(batch(self.sessions.heard(id, None)));
        }
        batches
    }

    /// A run that was taken over is the session that it was.
    fn run_goes_on(&mut self, found: &OpenSession) -> Vec<Row> {
        let bare = || Session {
            state: found.state,
            ..Session::opened(found.id, found.process.clone(), found.started)
        };
        let kept = found.kept.as_ref().map_or_else(bare, |kept| kept.session.clone());
        self.count_resumed(found.kind);
        self.run_spent_before(&kept);
        self.earlier.waiting.retain(|waiting| waiting.session != found.id);
        self.sessions.heard(found.id, Some((&kept, found.events)))
    }

    /// What an application opened goes on, unless it was idle for too long, was bound to a connection
    /// or has to end with a parent that is gone.
    fn resume_external(&mut self, at: Now, found: &OpenSession) -> Option<Vec<Row>> {
        let KeptOpen { session, on_parent_end, bound } = found.kept.as_deref()?;
        let goes_on = found.kind == SessionKind::External
            && !bound
            && self.judged(at, found, false).0 == SessionState::Lost;
        let parent = session
            .parent
            .filter(|parent| self.sessions.get(*parent).is_some_and(|parent| parent.end.is_none()));
        let orphaned = session.parent.is_some() && parent.is_none();
        let anew = |id: &String| self.externals.by_native(id).is_some();
        if session.native_id.as_ref().is_some_and(anew) {
            return None;
        }
        if !goes_on || orphaned && *on_parent_end == OnParentEnd::End {
            return None;
        }
        let mut kept = session.clone();
        kept.last_activity = kept.last_activity.max(found.last_activity);
        let note = Note::new("resumed", "its application holds it open", json!({}))
            .of(found.kind.as_str())
            .from(EventSource::Recovery);
        let rows = self.sessions.resume(&kept, found.events, at, note);
        if rows.is_empty() {
            return None;
        }
        self.count_resumed(found.kind);
        self.externals.insert(kept.id, parent, kept.native_id, *on_parent_end, at.mono);
        let rules = &self.rules;
        let bounds = Bounds { idle: rules.idle_timeout, longest: rules.max_duration };
        self.activity.watch(kept.id, bounds, at.mono);
        Some(rows)
    }

    /// The conversation of a run that was taken over goes on with it, unless it was begun anew already.
    fn resume_conversation(&mut self, at: Now, found: &OpenSession) -> Option<Vec<Row>> {
        let kept = &found.kept.as_deref()?.session;
        let run = kept.parent.filter(|run| {
            let is_open = |run: &Session| run.kind == SessionKind::Process && run.end.is_none();
            self.sessions.get(*run).is_some_and(is_open)
        })?;
        let key = Key { run, agent: kept.agent.clone()?, native_id: kept.native_id.clone()? };
        if !self.conversations.has_room(&key) {
            return None;
        }
        let note = Note::new("resumed", "its run was taken over", json!({}))
            .of(found.kind.as_str())
            .from(EventSource::Recovery);
        let rows = self.sessions.resume(kept, found.events, at, note);
        if rows.is_empty() {
            return None;
        }
        self.count_resumed(found.kind);
        self.conversations.follow(key, kept.id, at.mono);
        Some(rows)
    }

    fn count_resumed(&mut self, kind: SessionKind) {
        *self.house.sessions_resumed.entry(kind).or_default() += 1;
    }

    fn close_left(&mut self, at: Now, session: &OpenSession) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut next = session.events;
        let survivors =
            self.earlier.waiting.extract_if(.., |waiting| waiting.session == session.id);
        let mut adopted = false;
        for outcome in survivors {
            adopted |= outcome.adopted;
            rows.push(survivor_event(at, &outcome, next));
            next += 1;
        }
        let (state, ended, reason) = self.judged(at, session, adopted);
        let duration = wall_span(session.started, ended);
        let end = SessionEnd { at: ended, duration, status: None, reason: reason.to_owned() };
        rows.push(end_event(at, session, next, state, &end));
        let known = self.processes.iter().any(|process| process.view.name == session.process);
        // The process may be of another plan, and labels are bounded.
        let process = if known { &session.process } else { UNKNOWN };
        self.sessions.count_closed(session.kind, process, state, duration);
        let close = SessionClose { session: session.id, state, events: next + 1, end };
        rows.push(Row::Close(Box::new(close.clone())));
        if self.earlier.found.len() < REMEMBERED {
            self.earlier.found.insert(session.id, close);
        }
        rows
    }

    /// How a session ended that nobody saw the end of, and when: what only its application kept open
    /// had its time, and nobody was there to say so; anything else is lost since its last sign of
    /// life.
    fn judged(
        &self,
        at: Now,
        session: &OpenSession,
        adopted: bool,
    ) -> (SessionState, Wall, &'static str) {
        let last = Wall(session.last_activity.0.max(session.started.0).min(at.wall.0));
        let idle = self.rules.idle_timeout.filter(|_| session.kind == SessionKind::External);
        let stale = idle.filter(|idle| wall_span(last, at.wall) >= *idle);
        match stale {
            Some(idle) => {
                let millis = i64::try_from(idle.as_millis()).unwrap_or(i64::MAX);
                (SessionState::TimedOut, Wall(last.0.saturating_add(millis)), STALE)
            }
            None if adopted => (SessionState::Lost, last, TAKEN_OVER),
            None => (SessionState::Lost, last, REASON),
        }
    }

    /// Takes in what became of the processes that an earlier life left behind.
    pub(super) fn survivors_handled(
        &mut self,
        at: Now,
        outcomes: Vec<SurvivorOutcome>,
    ) -> Vec<Batch> {
        let mut rows = Vec::new();
        for outcome in outcomes {
            let count = if outcome.adopted {
                &mut self.house.survivors_adopted
            } else {
                &mut self.house.survivors_ended
            };
            *count += u64::from(outcome.found);
            match self.earlier.found.get_mut(&outcome.session) {
                Some(close) => {
                    rows.push(survivor_event(at, &outcome, close.events));
                    close.events += 1;
                    rows.push(Row::Close(Box::new(close.clone())));
                }
                None if self.earlier.waiting.len() < REMEMBERED => {
                    self.earlier.waiting.push(outcome);
                }
                None => {}
            }
        }
        batch(rows).into_iter().collect()
    }
}

/// Dated to when it ended, as the session is; when that was found out is beside it.
fn end_event(
    at: Now,
    session: &OpenSession,
    sequence: u64,
    state: SessionState,
    end: &SessionEnd,
) -> Row {
    let change = (Some(session.state.as_str()), Some(state.as_str()));
    let detail = json!({
        "reason": end.reason,
        "duration_seconds": end.duration.as_secs_f64(),
        "found_out": at.wall.to_string(),
    });
    event(end.at, session.id, sequence, state.as_str(), change, detail)
}

fn survivor_event(at: Now, outcome: &SurvivorOutcome, sequence: u64) -> Row {
    let event_type = if outcome.adopted { "survivors_adopted" } else { "survivors_ended" };
    let detail = json!({ "process": outcome.process, "found": outcome.found });
    event(at.wall, outcome.session, sequence, event_type, (None, None), detail)
}

fn event(
    at: Wall,
    session: SessionId,
    sequence: u64,
    event_type: &'static str,
    (previous_state, new_state): (Option<&'static str>, Option<&'static str>),
    detail: Value,
) -> Row {
    Row::Event(SessionEvent {
        session,
        sequence,
        at,
        event_type: event_type.into(),
        subtype: None,
        previous_state: previous_state.map(Into::into),
        new_state: new_state.map(Into::into),
        trigger: "recovery".to_owned(),
        source: EventSource::Recovery,
        detail,
    })
}
