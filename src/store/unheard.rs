//! What happened to sessions that a life took over and never learnt what was kept of, because the store
//! was away until its end. It is in that life's spool, counted from where it took them over; here it
//! comes behind what was kept, and what is kept of the sessions follows from all their events.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::ledger::replay::{Line, add_before, replay};
use crate::ledger::row::{Batch, RESUMED, Row, SessionEvent};
use crate::ledger::session::Session;
use crate::store::life::Life;
use crate::store::reading::compare::events;
use crate::store::reading::{Answer, Question};
use crate::store::{Store, StoreError};
use crate::units::SessionId;

/// Where the events of such sessions belong, by session.
#[derive(Debug, Default)]
pub(super) struct Behind {
    places: BTreeMap<SessionId, Place>,
}

/// Where those of one session belong.
#[derive(Clone, Debug, PartialEq)]
enum Place {
    /// Nothing was kept of it: it begins there.
    First,
    /// Behind so many, of which this was kept.
    After(u64, Box<Session>),
    /// It has ended for whoever looked; nothing comes behind an end.
    Nowhere,
}

impl Behind {
    /// The batch with each such event under its number. The same however often it is asked, also where
    /// some of it was committed before.
    pub fn numbered(&mut self, store: &mut dyn Store, batch: Batch) -> Result<Batch, StoreError> {
        let mut rows = Vec::with_capacity(batch.rows.len());
        for row in batch.rows {
            match row {
                Row::Unheard(event) => {
                    rows.extend(self.event(store, *event)?.map(Row::Event));
                }
                other => rows.push(other),
            }
        }
        Ok(Batch { rows })
    }

    fn event(
        &mut self,
        store: &mut dyn Store,
        mut event: SessionEvent,
    ) -> Result<Option<SessionEvent>, StoreError> {
        let place = match self.places.entry(event.session) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => free.insert(look(store, &event)?),
        };
        match place {
            Place::First => {}
            Place::Nowhere => return Ok(None),
            Place::After(events, kept) => {
                if event.sequence == 0 {
                    event.goes_on_from(kept.state);
                }
                if event.event_type == "ended" {
                    add_before(&mut event, kept, *events);
                }
                event.sequence += *events;
            }
        }
        Ok(Some(event))
    }

    /// Makes what is kept of these sessions what their events tell, once all of those are committed.
    pub fn project(&self, store: &mut dyn Store, life: &Life) -> Result<(), StoreError> {
        for (id, place) in &self.places {
            let told = replay(*id, &events(store, *id)?).map(|replayed| replayed.session);
            match (place, told) {
                // The figures of one that lives on are told at its end.
                (Place::After(..), Some(told)) if told.end.is_none() => store.repair(&told)?,
                (Place::First | Place::After(..), Some(told)) => {
                    let last_activity = told.end.as_ref().map_or(told.started, |end| end.at);
                    let row = Row::Session(Box::new(Session { last_activity, ..told }));
                    store.commit_for(life, &[Batch { rows: vec![row] }])?;
                }
                (Place::Nowhere, _) | (_, None) => {}
            }
        }
        Ok(())
    }
}

/// Where the events of a session belong, by the first of them that is left.
fn look(store: &mut dyn Store, first: &SessionEvent) -> Result<Place, StoreError> {
    let named = Question::Session(first.session.to_string());
    let Answer::Session(kept) = store.answer(&named)? else { return Ok(Place::Nowhere) };
    let lines = events(store, first.session)?;
    let event_type = if first.sequence == 0 { RESUMED } else { &*first.event_type };
    let is_it = |line: &&Line| line.at == first.at && line.event_type == event_type;
    let committed = lines.iter().rev().find(is_it);
    let before = committed.and_then(|line| line.sequence.checked_sub(first.sequence));
    let next = lines.last().map_or(0, |line| line.sequence + 1);
    Ok(match (kept, before) {
        (None, _) => Place::First,
        (Some(kept), Some(before)) => Place::After(before, kept),
        (Some(kept), None) if kept.end.is_none() => Place::After(next, kept),
        (Some(_), None) => Place::Nowhere,
    })
}
