//! What is kept of sessions, held against their events.

use super::place::Place;
use super::wanted::Wanted;
use super::{Answer, MOST, Page, Question};
use crate::ledger::replay::{Difference, Line, replay};
use crate::ledger::session::Session;
use crate::store::reading::kept::KeptEvent;
use crate::store::{Store, StoreError};
use crate::units::SessionId;

/// Sessions that are compared at once, so that commits do not wait for long behind it.
pub const AT_ONCE: u32 = 50;

/// Events of one session that are read for it; a session that has more is passed over and counted.
const MOST_EVENTS: usize = 100_000;

/// What came of a comparison of some sessions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compared {
    /// Sessions whose events tell all that is kept of them.
    pub same: u64,
    /// Sessions of whose events some had to be given up, so that nothing can be said.
    pub partial: u64,
    /// Sessions that differ.
    pub different: Vec<Different>,
    /// Where the next comparison begins; absent when this was the last one.
    pub next: Option<Place>,
}

/// A session of which something else is kept than its events tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Different {
    /// As its events tell it; absent where it has none.
    pub told: Option<Session>,
    /// Its identity.
    pub id: SessionId,
    /// Where it differs.
    pub differences: Vec<Difference>,
    /// What of its story cannot have been.
    pub faults: Vec<String>,
}

/// Compares the sessions that are older than a place, newest first.
pub fn compare(store: &mut dyn Store, after: Option<Place>) -> Result<Compared, StoreError> {
    let wanted = Wanted { after, limit: AT_ONCE, ..Wanted::default() };
    let Answer::Sessions(page) = store.answer(&Question::Sessions(Box::new(wanted)))? else {
        return Ok(Compared::default());
    };
    let next = page.items.last().filter(|_| page.more).map(Place::of);
    let mut compared = Compared { next, ..Compared::default() };
    for session in page.items {
        let lines = events(store, session.id)?;
        judge(&mut compared, &session, &lines);
    }
    Ok(compared)
}

fn judge(compared: &mut Compared, kept: &Session, lines: &[Line]) {
    let id = kept.id;
    let Some(replayed) = replay(id, lines) else {
        let faults = vec!["it has no events".to_owned()];
        compared.different.push(Different { told: None, id, differences: Vec::new(), faults });
        return;
    };
    let (differences, faults) = (replayed.differences(kept), replayed.faults);
    match () {
        () if replayed.is_partial => compared.partial += 1,
        () if differences.is_empty() && faults.is_empty() => compared.same += 1,
        () => {
            let told = Some(replayed.session);
            compared.different.push(Different { told, id, differences, faults });
        }
    }
}

/// All that is kept of what happened to a session, in order.
pub(in crate::store) fn events(
    store: &mut dyn Store,
    session: SessionId,
) -> Result<Vec<Line>, StoreError> {
    let mut lines: Vec<Line> = Vec::new();
    loop {
        let from = lines.last().map_or(0, |line| line.sequence + 1);
        let asked = Question::Events { session, from, limit: MOST };
        let Answer::Events(Page { items, more }) = store.answer(&asked)? else {
            return Ok(lines);
        };
        let any = !items.is_empty();
        lines.extend(items.into_iter().map(line));
        if !more || !any || lines.len() >= MOST_EVENTS {
            return Ok(lines);
        }
    }
}

fn line(event: KeptEvent) -> Line {
    Line {
        sequence: event.sequence,
        at: event.at,
        event_type: event.event_type,
        previous_state: event.previous_state,
        new_state: event.new_state,
        trigger: event.trigger,
        context: event.context,
    }
}
