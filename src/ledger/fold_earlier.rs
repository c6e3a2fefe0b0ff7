//! What an earlier life left behind: sessions that it did not close, and processes that outlived
//! it. Either may be heard of first: recovery runs before the first spawn, the store opens after.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::ledger::entry::{OpenSession, SurvivorOutcome};
use crate::ledger::fold::{Ledger, batch};
use crate::ledger::labels::UNKNOWN;
use crate::ledger::outcome::wall_span;
use crate::ledger::row::{Batch, EventSource, Row, SessionClose, SessionEvent};
use crate::ledger::session::{SessionEnd, SessionKind, SessionState};
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
    /// The next sequence number of each session that was found open.
    found: BTreeMap<SessionId, u64>,
    /// Survivors of sessions that were not found yet.
    waiting: Vec<SurvivorOutcome>,
}

impl Ledger {
    /// Closes the sessions that an earlier life left open.
    pub(super) fn open_sessions_found(&mut self, at: Now, found: Vec<OpenSession>) -> Vec<Batch> {
        let ours = |session: &OpenSession| self.sessions.get(session.id).is_some();
        let theirs: Vec<OpenSession> = found.into_iter().filter(|session| !ours(session)).collect();
        theirs.into_iter().filter_map(|session| batch(self.close_left(at, &session))).collect()
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
        self.sessions.count_closed(session.kind, process, state);
        let close = SessionClose { session: session.id, state, events: next + 1, end };
        rows.push(Row::Close(Box::new(close)));
        if self.earlier.found.len() < REMEMBERED {
            self.earlier.found.insert(session.id, next + 1);
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
                Some(next) => {
                    rows.push(survivor_event(at, &outcome, *next));
                    *next += 1;
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
