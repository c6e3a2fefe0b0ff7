//! What an earlier life left behind: sessions that it did not close, and processes that outlived
//! it. Either may be heard of first: recovery runs before the first spawn, the store opens after.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::ledger::entry::{OpenSession, SurvivorOutcome};
use crate::ledger::fold::{Ledger, batch};
use crate::ledger::labels::UNKNOWN;
use crate::ledger::outcome::wall_span;
use crate::ledger::row::{Batch, EventSource, Row, SessionClose, SessionEvent};
use crate::ledger::session::{SessionEnd, SessionState};
use crate::units::{Now, SessionId};

/// Sessions and survivors of an earlier life that are remembered for one another; a life has about
/// as many at a time as there are processes.
const REMEMBERED: usize = 1000;

/// Why such a session counts as lost.
const REASON: &str = "the supervisor ended without closing it";

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
        theirs.into_iter().filter_map(|session| batch(self.close_lost(at, &session))).collect()
    }

    fn close_lost(&mut self, at: Now, session: &OpenSession) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut next = session.events;
        let survivors =
            self.earlier.waiting.extract_if(.., |waiting| waiting.session == session.id);
        for outcome in survivors {
            rows.push(survivor_event(at, &outcome, next));
            next += 1;
        }
        rows.push(lost_event(at, session, next));
        let known = self.processes.iter().any(|process| process.view.name == session.process);
        // The process may be of another plan, and labels are bounded.
        let process = if known { &session.process } else { UNKNOWN };
        self.sessions.count_lost(session.kind, process);
        let duration = wall_span(session.started, at.wall);
        let end = SessionEnd { at: at.wall, duration, status: None, reason: REASON.to_owned() };
        let state = SessionState::Lost;
        let close = SessionClose { session: session.id, state, events: next + 1, end };
        rows.push(Row::Close(Box::new(close)));
        if self.earlier.found.len() < REMEMBERED {
            self.earlier.found.insert(session.id, next + 1);
        }
        rows
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

fn lost_event(at: Now, session: &OpenSession, sequence: u64) -> Row {
    let change = (Some(session.state.as_str()), Some(SessionState::Lost.as_str()));
    event(at, session.id, sequence, "lost", change, json!({ "reason": REASON }))
}

fn survivor_event(at: Now, outcome: &SurvivorOutcome, sequence: u64) -> Row {
    let event_type = if outcome.adopted { "survivors_adopted" } else { "survivors_ended" };
    let detail = json!({ "process": outcome.process, "found": outcome.found });
    event(at, outcome.session, sequence, event_type, (None, None), detail)
}

fn event(
    at: Now,
    session: SessionId,
    sequence: u64,
    event_type: &'static str,
    (previous_state, new_state): (Option<&'static str>, Option<&'static str>),
    detail: Value,
) -> Row {
    Row::Event(SessionEvent {
        session,
        sequence,
        at: at.wall,
        event_type,
        subtype: None,
        previous_state,
        new_state,
        trigger: "recovery".to_owned(),
        source: EventSource::Recovery,
        detail,
    })
}
