//! What waits for a commit, and what is given up when too much waits.
//!
//! Pure: the writer puts batches in at the back, commits groups from the front, and says how that
//! went. Order is never changed, so that whatever is committed is a true beginning of the story.

use std::collections::{BTreeSet, VecDeque};

use crate::ledger::row::{Batch, Row};
use crate::units::SessionId;

/// Rows that may wait while the store is away. At about 1 KiB for the largest kind this is 8 MiB
/// of a PID 1's memory, and room for more than a thousand runs.
pub const MAX_ROWS: usize = 8_192;

/// What is left after too much waited: making room costs a pass over everything, so it is not done
/// for each batch anew.
const ROOM_MADE: usize = MAX_ROWS / 4 * 3;

/// Rows of one transaction, so that none takes long; a larger batch makes a group of its own.
const GROUP_ROWS: usize = 1_024;

/// What is given up first, next, and last of all. Rows of the tokens go together, because how far
/// a log was read must never be kept without what was read. Of the lifecycle the events go before
/// the sessions, whose rows tell the whole outcome.
const SHEDDING: [fn(&Row) -> bool; 4] = [
    |row| matches!(row, Row::Sample(_)),
    |row| matches!(row, Row::Usage { .. } | Row::Progress(_) | Row::Seen(_)),
    |row| matches!(row, Row::Event(_)),
    |_| true,
];

/// Batches that wait for a commit, oldest first, with bounds.
#[derive(Debug, Default)]
pub struct Spool {
    batches: VecDeque<Batch>,
    rows: usize,
    /// Rows given up, in this life.
    dropped: u64,
    /// Batches at the front to be committed one by one, because one of them was refused.
    singly: usize,
    /// Live sessions whose history has a gap: no further event of theirs can be kept.
    torn: BTreeSet<SessionId>,
}

impl Spool {
    /// Takes a batch in; where too much waits, something less important goes.
    pub fn push(&mut self, mut batch: Batch) {
        self.leave_out_torn(&mut batch);
        if batch.rows.is_empty() {
            return;
        }
        self.rows += batch.rows.len();
        self.batches.push_back(batch);
        if self.rows > MAX_ROWS {
            self.make_room();
        }
    }

    /// The rows that wait.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Rows given up, in this life.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Whether a session's start, change or end waits, which is committed at once.
    pub fn is_urgent(&self) -> bool {
        self.batches.iter().any(Batch::is_lifecycle)
    }

    /// Whether a whole transaction waits.
    pub fn is_full_group(&self) -> bool {
        self.rows >= GROUP_ROWS
    }

    /// The batches to commit next, in one transaction.
    pub fn group(&mut self) -> &[Batch] {
        let length = if self.singly > 0 { 1 } else { self.group_length() };
        let all = self.batches.make_contiguous();
        &all[..length.min(all.len())]
    }

    /// The group was committed.
    pub fn committed(&mut self, batches: usize) {
        for batch in self.batches.drain(..batches) {
            self.rows -= batch.rows.len();
        }
        self.singly = self.singly.saturating_sub(batches);
    }

    /// The group was refused, because of its rows. A group of many is tried again one by one; a
    /// single batch gives up its events, and after that everything.
    pub fn refused(&mut self, batches: usize) {
        if batches > 1 {
            self.singly = batches;
            return;
        }
        let Some(mut batch) = self.batches.pop_front() else { return };
        self.rows -= batch.rows.len();
        self.singly = self.singly.saturating_sub(1);
        let events: Vec<SessionId> = batch.rows.iter().filter_map(event_of).collect();
        if events.is_empty() {
            self.dropped += batch.rows.len() as u64;
            return;
        }
        self.torn.extend(events);
        self.leave_out_torn(&mut batch);
        if !batch.rows.is_empty() {
            self.rows += batch.rows.len();
            self.batches.push_front(batch);
            self.singly = self.singly.max(1);
        }
    }

    /// Removes the events of torn sessions from a batch, and forgets the torn that end with it.
    fn leave_out_torn(&mut self, batch: &mut Batch) {
        if self.torn.is_empty() {
            return;
        }
        let before = batch.rows.len();
        batch.rows.retain(|row| !event_of(row).is_some_and(|id| self.torn.contains(&id)));
        self.dropped += (before - batch.rows.len()) as u64;
        let ended = batch.rows.iter().filter_map(end_of);
        ended.for_each(|id| {
            self.torn.remove(&id);
        });
    }

    fn group_length(&self) -> usize {
        let mut rows = 0;
        let fits = self.batches.iter().take_while(|batch| {
            rows += batch.rows.len();
            rows <= GROUP_ROWS
        });
        fits.count().max(1)
    }

    fn make_room(&mut self) {
        self.leave_out_superseded();
        for class in SHEDDING {
            self.shed(class);
        }
        self.batches.retain(|batch| !batch.rows.is_empty());
        self.singly = self.singly.min(self.batches.len());
    }

    /// Removes each picture of a session that a later one replaces: nothing is lost by that.
    fn leave_out_superseded(&mut self) {
        let mut newer = BTreeSet::new();
        for batch in self.batches.iter_mut().rev() {
            let mut kept: Vec<Row> = batch.rows.drain(..).rev().collect();
            kept.retain(|row| session_of(row).is_none_or(|id| newer.insert(id)));
            kept.reverse();
            batch.rows = kept;
        }
        self.rows = self.batches.iter().map(|batch| batch.rows.len()).sum();
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
}

fn event_of(row: &Row) -> Option<SessionId> {
    match row {
        Row::Event(event) => Some(event.session),
        _ => None,
    }
}

fn session_of(row: &Row) -> Option<SessionId> {
    match row {
        Row::Session(session) => Some(session.id),
        _ => None,
    }
}

fn end_of(row: &Row) -> Option<SessionId> {
    match row {
        Row::Session(session) if session.end.is_some() => Some(session.id),
        _ => None,
    }
}
