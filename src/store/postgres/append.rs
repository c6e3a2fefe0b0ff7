//! Which events of a commit are new, and whether they may be appended.
//!
//! A line that is there already is passed over; one that would leave a gap which nothing tells of, or
//! that differs from the line in its place, is refused.

use std::collections::BTreeMap;

use tokio_postgres::Transaction;

use super::fault::Fault;
use crate::ledger::row::{Row, SessionEvent};
use crate::store::columns::signed;
use crate::store::spool::EVENTS_LOST;

/// What of a line tells it from another one in the same place.
type Line = (i64, String);

/// Where an event belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is there already.
    Taken,
    /// At the end.
    New,
    /// At the end, after a gap that it tells of and that begins at this number.
    After(u64),
}

/// What a history holds, as far as a commit has to know.
#[derive(Debug, Default)]
pub struct Known {
    /// The next sequence number of each session, by its identity.
    next: BTreeMap<String, u64>,
    /// Lines that are there already.
    kept: BTreeMap<(String, u64), Line>,
}

impl Known {
    /// Reads what is kept of the sessions whose events are among the rows.
    pub async fn read<'r>(
        transaction: &Transaction<'_>,
        rows: impl Iterator<Item = &'r Row>,
    ) -> Result<Self, Fault> {
        let events: Vec<(String, u64)> = rows.filter_map(event_of).map(place).collect();
        let mut known = Self::default();
        if events.is_empty() {
            return Ok(known);
        }
        let ids: Vec<&str> = events.iter().map(|(id, _)| id.as_str()).collect();
        let newest = "SELECT DISTINCT s.id, (SELECT max(sequence) FROM session_events e \
                      WHERE e.session_id = s.id) FROM unnest($1::text[]) AS s (id)";
        for row in transaction.query(newest, &[&ids]).await? {
            let next = row.try_get::<_, Option<i64>>(1)?.map_or(0, |last| last.cast_unsigned() + 1);
            known.next.insert(row.try_get(0)?, next);
        }
        let again = events.iter().filter(|(id, sequence)| known.next.get(id) > Some(sequence));
        let (ids, sequences): (Vec<&str>, Vec<i64>) =
            again.map(|(id, sequence)| (id.as_str(), signed(*sequence))).unzip();
        if !ids.is_empty() {
            let kept = "SELECT e.session_id, e.sequence, e.at_ms, e.event_type FROM session_events e \
                        JOIN unnest($1::text[], $2::bigint[]) AS a (id, sequence) \
                        ON e.session_id = a.id AND e.sequence = a.sequence";
            for row in transaction.query(kept, &[&ids, &sequences]).await? {
                let place = (row.try_get(0)?, row.try_get::<_, i64>(1)?.cast_unsigned());
                known.kept.insert(place, (row.try_get(2)?, row.try_get(3)?));
            }
        }
        Ok(known)
    }

    /// What is to be done with the event; it counts as kept from now on.
    pub fn take(&mut self, event: &SessionEvent) -> Result<Place, Fault> {
        let (id, sequence) = place(event);
        let next = self.next.entry(id.clone()).or_default();
        let tells_of_lost = event.event_type == EVENTS_LOST;
        if sequence > *next && !tells_of_lost {
            return Err(Fault::Contradiction(format!(
                "event {sequence} of session {id} would leave a gap, since event {next} is not there"
            )));
        }
        let line = (event.at.0, event.event_type.to_string());
        if sequence >= *next {
            let place = if tells_of_lost { Place::After(*next) } else { Place::New };
            *next = sequence + 1;
            self.kept.insert((id, sequence), line);
            return Ok(place);
        }
        match self.kept.get(&(id.clone(), sequence)) {
            Some(kept) if *kept == line => Ok(Place::Taken),
            _ => Err(Fault::Contradiction(format!(
                "event {sequence} of session {id} is there already and says something else"
            ))),
        }
    }
}

fn event_of(row: &Row) -> Option<&SessionEvent> {
    match row {
        Row::Event(event) => Some(event),
        _ => None,
    }
}

fn place(event: &SessionEvent) -> (String, u64) {
    (event.session.to_string(), event.sequence)
}
