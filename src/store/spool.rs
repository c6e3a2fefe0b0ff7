//! What waits for a commit, and what is given up when too much waits.
//!
//! Pure: batches come in at the back, groups are taken from the front to be committed, and it is
//! told how that went. Order is never changed, so that whatever is committed is a true beginning of
//! the story.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::ledger::row::{Batch, EventSource, Row, SessionEvent};
use crate::units::SessionId;

/// Rows that may wait while the store is away: at about 1 KiB for the larger kinds 24 MiB of a
/// PID 1's memory, and room for the whole story of four thousand runs, or for the beginning, the
/// outcome and the end of twelve thousand.
pub const MAX_ROWS: usize = 24_576;

/// What is left after too much waited: making room costs a pass over everything, so it is not done
/// for each batch anew.
const ROOM_MADE: usize = MAX_ROWS / 4 * 3;

/// Rows of one transaction, so that none takes long; a larger batch makes a group of its own.
const GROUP_ROWS: usize = 1_024;

/// What commands wrote that may wait: at 64 KiB each 2 MiB of a PID 1's memory. Beyond it the oldest
/// goes.
const MAX_OUTPUTS: usize = 32;

/// The type of the event that stands for events which had to be given up: the one kind of event
/// that a store takes with a gap before it. It has the number of the last of them.
pub const EVENTS_LOST: &str = "events_lost";

/// What an event of the type [`EVENTS_LOST`] says, by the number that it takes and the number that
/// would have been next. The store says it, since it alone knows what it has.
pub fn lost_detail(next: u64, sequence: u64) -> serde_json::Value {
    serde_json::json!({ "missing": (sequence + 1).saturating_sub(next) })
}

/// Batches that wait for a commit, oldest first, with bounds.
#[derive(Debug, Default)]
pub struct Spool {
    batches: VecDeque<Batch>,
    /// Rows in `batches`.
    rows: usize,
    /// Rows that were taken out to be committed, and what became of them is not known yet.
    in_flight: usize,
    /// Rows given up, in this life.
    dropped: u64,
    /// Batches at the front to be committed one by one, because one of them was refused.
    singly: usize,
}

impl Spool {
    /// Takes a batch in; where too much waits, something less important goes.
    pub fn push(&mut self, batch: Batch) {
        if batch.rows.is_empty() {
            return;
        }
        self.rows += batch.rows.len();
        let writes = batch.rows.iter().any(is_output);
        self.batches.push_back(batch);
        if writes {
            self.bound_outputs();
        }
        if self.rows > MAX_ROWS {
            self.make_room();
        }
    }

    /// The rows that are not committed.
    pub fn rows(&self) -> usize {
        self.rows + self.in_flight
    }

    /// The batches that wait to be taken out, oldest first.
    pub fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.batches.iter()
    }

    /// Rows given up, in this life.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether nothing waits to be taken out.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Whether a whole transaction waits.
    pub fn is_full_group(&self) -> bool {
        self.rows >= GROUP_ROWS
    }

    /// Takes out the batches to commit next, in one transaction. Of several pictures of one session
    /// only the last is among them.
    pub fn take_group(&mut self) -> Vec<Batch> {
        let length = if self.singly > 0 { 1 } else { self.group_length() };
        let mut group: Vec<Batch> = self.batches.drain(..length.min(self.batches.len())).collect();
        self.rows -= rows_of(&group);
        leave_out_superseded(&mut group);
        // Who takes rows knows by now what was kept, and tells these again under their numbers.
        group.iter_mut().for_each(|batch| batch.rows.retain(|row| !is_unheard(row)));
        group.retain(|batch| !batch.rows.is_empty());
        self.in_flight = rows_of(&group);
        group
    }

    /// What was taken out is committed.
    pub fn committed(&mut self) {
        self.in_flight = 0;
        self.singly = self.singly.saturating_sub(1);
    }

    /// What was taken out could not be committed and keeps its place.
    pub fn put_back(&mut self, group: Vec<Batch>) {
        self.in_flight = 0;
        for batch in group.into_iter().rev() {
            self.rows += batch.rows.len();
            self.batches.push_front(batch);
        }
    }

    /// What was taken out is refused, because of its rows. A group of many is tried again one by
    /// one. A single batch may lack what had to be given up before it, so it is tried again with a
    /// line that says so; after that it gives up its events, and in the end everything.
    pub fn refused(&mut self, mut group: Vec<Batch>) {
        if group.len() > 1 {
            self.singly = group.len();
            return self.put_back(group);
        }
        let Some(batch) = group.pop() else { return };
        self.in_flight = 0;
        self.singly = self.singly.saturating_sub(1);
        let rows = with_gaps_told(&batch.rows).unwrap_or_else(|| self.without_events(batch.rows));
        if !rows.is_empty() {
            self.put_back(vec![Batch { rows }]);
            self.singly += 1;
        }
    }

    fn without_events(&mut self, mut rows: Vec<Row>) -> Vec<Row> {
        let before = rows.len();
        let told = rows.iter().filter(|row| is_gap(row)).count();
        rows.retain(|row| event_of(row).is_none());
        if rows.len() == before {
            rows.clear();
        }
        self.dropped += (before - told - rows.len()) as u64;
        rows
    }

    fn group_length(&self) -> usize {
        let mut rows = 0;
        let fits = self.batches.iter().take_while(|batch| {
            rows += batch.rows.len();
            rows <= GROUP_ROWS
        });
        fits.count().max(1)
    }

    /// Output and samples go first, then what is known of tokens: all of it together, because how far a log was
    /// read must never be kept without what was read, then the audit trail. Of the lifecycle the older events give way to
    /// a line that counts them, and in the end whole sessions go. So what stays is a true story.
    fn make_room(&mut self) {
        leave_out_superseded(self.batches.make_contiguous());
        self.rows = rows_of(self.batches.make_contiguous());
        self.shed(is_output);
        self.shed(|row| matches!(row, Row::Sample(_)));
        self.shed(is_of_the_logs);
        self.shed(|row| matches!(row, Row::Audit(_)));
        self.thin_out();
        self.give_up_sessions();
        self.batches.retain(|batch| !batch.rows.is_empty());
        self.singly = self.singly.min(self.batches.len());
    }

    /// Output is large, so that it has a bound of its own.
    fn bound_outputs(&mut self) {
        leave_out_superseded(self.batches.make_contiguous());
        let all = || self.batches.iter().flat_map(|batch| &batch.rows);
        let mut surplus = all().filter(|row| is_output(row)).count().saturating_sub(MAX_OUTPUTS);
        for batch in &mut self.batches {
            let before = batch.rows.len();
            batch.rows.retain(|row| {
                let goes = surplus > 0 && is_output(row);
                surplus -= usize::from(goes);
                !goes
            });
            self.dropped += (before - batch.rows.len()) as u64;
        }
        self.batches.retain(|batch| !batch.rows.is_empty());
        self.rows = rows_of(self.batches.make_contiguous());
        self.singly = self.singly.min(self.batches.len());
    }

    fn surplus(&self) -> usize {
        self.rows.saturating_sub(ROOM_MADE)
    }

    /// Gives up rows of one class, oldest batch first, until there is room.
    fn shed(&mut self, class: fn(&Row) -> bool) {
        for batch in &mut self.batches {
            if self.rows <= ROOM_MADE {
                return;
            }
            let before = batch.rows.len();
            batch.rows.retain(|row| !class(row));
            let gone = before - batch.rows.len();
            self.rows -= gone;
            self.dropped += gone as u64;
        }
    }

    /// Puts one line in the place of the oldest events of each session, for as many as there has to
    /// be room for.
    fn thin_out(&mut self) {
        let last = last_to_go(self.batches.iter().flat_map(|batch| &batch.rows), self.surplus());
        if last.is_empty() {
            return;
        }
        for batch in &mut self.batches {
            let rows = std::mem::take(&mut batch.rows);
            let (before, told) = (rows.len(), rows.iter().filter(|row| is_gap(row)).count());
            batch.rows = rows.into_iter().filter_map(|row| thinned(row, &last)).collect();
            let telling = batch.rows.iter().filter(|row| is_gap(row)).count();
            let kept = batch.rows.len() - telling;
            self.rows -= before - batch.rows.len();
            self.dropped += (before - told - kept) as u64;
        }
    }

    /// Gives up everything that waits of the oldest sessions: half of a story would be a wrong one.
    fn give_up_sessions(&mut self) {
        let surplus = self.surplus();
        if surplus == 0 {
            return;
        }
        let mut rows_each: BTreeMap<SessionId, usize> = BTreeMap::new();
        let of_sessions = || self.batches.iter().flat_map(|batch| &batch.rows).filter_map(subject);
        of_sessions().for_each(|id| *rows_each.entry(id).or_default() += 1);
        let (mut gone, mut freed) = (BTreeSet::new(), 0);
        for id in of_sessions() {
            if freed >= surplus {
                break;
            }
            if gone.insert(id) {
                freed += rows_each.get(&id).copied().unwrap_or_default();
            }
        }
        for batch in &mut self.batches {
            batch.rows.retain(|row| subject(row).is_none_or(|id| !gone.contains(&id)));
        }
        self.rows -= freed;
        self.dropped += freed as u64;
    }
}

fn rows_of(batches: &[Batch]) -> usize {
    batches.iter().map(|batch| batch.rows.len()).sum()
}

/// Whether a row was learnt of the agents' logs.
fn is_of_the_logs(row: &Row) -> bool {
    match row {
        Row::Usage { .. } | Row::Progress(_) | Row::Seen(_) => true,
        Row::Link { .. } | Row::Interaction(_) | Row::ChainReset(_) => true,
        Row::Event(_) | Row::Unheard(_) | Row::Session(_) | Row::Close(_) => false,
        Row::Sample(_) | Row::Audit(_) | Row::Output(_) => false,
    }
}

fn is_unheard(row: &Row) -> bool {
    matches!(row, Row::Unheard(_))
}

fn is_output(row: &Row) -> bool {
    matches!(row, Row::Output(_))
}

/// Removes each picture of a session, a conversation or an output that a later one replaces: nothing is
/// lost by that. A conversation that is not whole adds to what comes before it, and replaces nothing.
fn leave_out_superseded(batches: &mut [Batch]) {
    let (mut newer, mut newer_links) = (BTreeSet::new(), BTreeSet::new());
    let mut newer_outputs = BTreeSet::new();
    for batch in batches.iter_mut().rev() {
        let mut kept: Vec<Row> = batch.rows.drain(..).rev().collect();
        kept.retain(|row| session_of(row).is_none_or(|id| newer.insert(id)));
        kept.retain(|row| {
            let Some((link, whole)) = link_of(row) else { return true };
            if whole { newer_links.insert(link) } else { !newer_links.contains(&link) }
        });
        kept.retain(|row| output_of(row).is_none_or(|id| newer_outputs.insert(id)));
        kept.reverse();
        batch.rows = kept;
    }
}

/// Of each session the number of the last event that gives way, so that so many rows are gained. One
/// event alone gains nothing, because a line takes its place.
fn last_to_go<'a>(rows: impl Iterator<Item = &'a Row>, surplus: usize) -> BTreeMap<SessionId, u64> {
    let mut runs: BTreeMap<SessionId, (usize, u64)> = BTreeMap::new();
    let mut gain = 0;
    for event in rows.filter_map(event_of) {
        if gain >= surplus {
            break;
        }
        let (length, last) = runs.entry(event.session).or_default();
        gain += usize::from(*length > 0);
        (*length, *last) = (*length + 1, event.sequence);
    }
    let several = runs.into_iter().filter(|(_, (length, _))| *length > 1);
    several.map(|(session, (_, last))| (session, last)).collect()
}

/// What stays of a row: itself, the line in its place, or nothing.
fn thinned(row: Row, last: &BTreeMap<SessionId, u64>) -> Option<Row> {
    let Row::Event(event) = &row else { return Some(row) };
    match last.get(&event.session) {
        Some(last) if event.sequence < *last => None,
        Some(last) if event.sequence == *last => Some(Row::Event(gap(event, event.sequence))),
        _ => Some(row),
    }
}

/// The rows with a line before each session's first event that says that others are lost; `None`
/// where nothing can be lost, or where that has been said.
fn with_gaps_told(rows: &[Row]) -> Option<Vec<Row>> {
    let mut seen = BTreeSet::new();
    let mut told = Vec::new();
    for row in rows {
        if is_gap(row) {
            return None;
        }
        let first = event_of(row).filter(|event| seen.insert(event.session));
        let gap = first.and_then(|event| Some(gap(event, event.sequence.checked_sub(1)?)));
        told.extend(gap.map(Row::Event));
        told.push(row.clone());
    }
    (told.len() > rows.len()).then_some(told)
}

/// The line that takes the place of those that are lost up to this number.
fn gap(event: &SessionEvent, sequence: u64) -> SessionEvent {
    SessionEvent {
        session: event.session,
        sequence,
        at: event.at,
        event_type: EVENTS_LOST.into(),
        subtype: None,
        previous_state: None,
        new_state: None,
        trigger: "too much waited for the store, or its file was lost".into(),
        source: EventSource::Ledger,
        detail: serde_json::json!({}),
    }
}

fn is_gap(row: &Row) -> bool {
    event_of(row).is_some_and(|event| event.event_type == EVENTS_LOST)
}

fn event_of(row: &Row) -> Option<&SessionEvent> {
    match row {
        Row::Event(event) => Some(event),
        _ => None,
    }
}

fn session_of(row: &Row) -> Option<SessionId> {
    match row {
        Row::Session(session) => Some(session.id),
        _ => None,
    }
}

/// Which conversation a row is a picture of, and whether it is a whole one.
fn link_of(row: &Row) -> Option<((String, String), bool)> {
    match row {
        Row::Link { agent, link } => Some(((agent.clone(), link.id.clone()), !link.let_go)),
        _ => None,
    }
}

fn output_of(row: &Row) -> Option<SessionId> {
    match row {
        Row::Output(written) => Some(written.session),
        _ => None,
    }
}

/// The session whose story a row is a part of.
fn subject(row: &Row) -> Option<SessionId> {
    match row {
        Row::Event(event) => Some(event.session),
        Row::Unheard(event) => Some(event.session),
        Row::Session(session) => Some(session.id),
        Row::Close(close) => Some(close.session),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
