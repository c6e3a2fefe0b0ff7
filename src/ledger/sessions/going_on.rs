//! Sessions of an earlier life that go on in this one, under the same identity and without a gap in
//! their numbers.

use std::sync::Arc;

use super::{Live, Note, Sessions};
use crate::ledger::outcome::wall_span;
use crate::ledger::replay::add_before;
use crate::ledger::row::Row;
use crate::ledger::session::{Session, SessionState};
use crate::ledger::transition::allowed;
use crate::units::{Now, SessionId};

/// Events of one session that wait until their numbers are known.
pub(super) const MOST_UNHEARD: usize = 1_000;

impl Sessions {
    /// Takes in a session of an earlier life that goes on, of which it is not known yet what was kept:
    /// no store takes anything of it before [`Sessions::heard`].
    pub fn open_unheard(&mut self, session: Session, at: Now, note: Note) -> Vec<Row> {
        let id = session.id;
        self.unheard.insert(id, Vec::new());
        if self.get(id).is_some() { Vec::new() } else { self.open(session, at, note) }
    }

    /// Whether it is not known yet what was kept of a session.
    pub fn is_unheard(&self, id: SessionId) -> bool {
        self.unheard.contains_key(&id)
    }

    /// All of which that is not known yet.
    pub fn all_unheard(&self) -> Vec<SessionId> {
        self.unheard.keys().copied().collect()
    }

    /// Writes what waited, behind what was kept: the session goes on. Where nothing was kept of it, it
    /// begins here.
    pub fn heard(&mut self, id: SessionId, kept: Option<(&Session, u64)>) -> Vec<Row> {
        let Some(mut events) = self.unheard.remove(&id) else { return Vec::new() };
        if let Some((kept, base)) = kept {
            if let Some(first) = events.first_mut() {
                first.goes_on_from(kept.state);
            }
            events.iter_mut().for_each(|event| event.sequence += base);
            if let Some(end) = events.iter_mut().find(|event| event.event_type == "ended") {
                add_before(end, kept, base);
            }
            self.go_on_from(id, kept, base);
        }
        let projection = self.projection(id);
        events.into_iter().map(Row::Event).chain(projection).collect()
    }

    fn go_on_from(&mut self, id: SessionId, kept: &Session, base: u64) {
        if let Some(live) = self.live.get_mut(&id) {
            live.before = wall_span(kept.started, live.session.started);
        }
        let Some(session) = self.edit(id) else { return };
        session.events += base;
        session.started = kept.started;
        if let Some(end) = &mut session.end {
            end.duration = wall_span(kept.started, end.at);
        }
        session.parent = session.parent.or(kept.parent);
        session.context = session.context.take().or_else(|| kept.context.clone());
        session.figures = session.figures.behind(&kept.figures);
        let (ours, theirs) = (&mut session.total, &kept.total);
        ours.tokens = ours.tokens.plus(&theirs.tokens);
        ours.cost = ours.cost.saturating_add(theirs.cost);
        ours.unpriced_tokens = ours.unpriced_tokens.saturating_add(theirs.unpriced_tokens);
    }

    /// Goes on with a session as it was kept, whose next event has this number.
    pub fn resume(&mut self, kept: &Session, events: u64, at: Now, note: Note) -> Vec<Row> {
        let from = kept.state;
        let state = SessionState::Active;
        if self.get(kept.id).is_some() || from != state && !allowed(from, state) {
            return Vec::new();
        }
        let session = Session { state, events, ..kept.clone() };
        let saved = (session.last_activity, events);
        let before = wall_span(kept.started, at.wall);
        let session = Arc::new(session);
        let live = Live { session, opened: at.mono, before, incomplete: false, saved };
        self.live.insert(kept.id, live);
        let change = if from == state { (None, None) } else { (Some(from), Some(state)) };
        self.write(kept.id, at, change, note)
    }
}
