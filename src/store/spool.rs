//! What waits for a commit, and what is given up when too much waits.
//!
//! Pure: the writer puts batches in at the back, commits groups from the front, and says how that
//! went. Order is never changed, so that whatever is committed is a true beginning of the story.

use std::collections::{BTreeSet, VecDeque};

use crate::ledger::row::{Batch, Row, SessionEvent};
use crate::units::SessionId;

/// Rows that may wait while the store is away. At about 1 KiB for the largest kind this is 8 MiB
/// of a PID 1's memory, and room for more than a thousand runs.
pub const MAX_ROWS: usize = 8_192;

/// What is left after too much waited: making room costs a pass over everything, so it is not done
/// for each batch anew.
const ROOM_MADE: usize = MAX_ROWS / 4 * 3;

/// Rows of one transaction, so that none takes long; a larger batch makes a group of its own.
const GROUP_ROWS: usize = 1_024;

/// The type of the event that stands for events which had to be given up: the one kind of event
/// that a store takes with a gap before it.
pub const EVENTS_LOST: &str = "events_lost";

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
}

impl Spool {
    /// Takes a batch in; where too much waits, something less important goes.
    pub fn push(&mut self, batch: Batch) {
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

    /// The group was refused, because of its rows. A group of many is tried again one by one. A
    /// single batch may lack what had to be given up before it, so it is tried again with a line
    /// that says so; after that it gives up its events, and in the end everything.
    pub fn refused(&mut self, batches: usize) {
        if batches > 1 {
            self.singly = batches;
            return;
        }
        let Some(batch) = self.batches.pop_front() else { return };
        self.singly = self.singly.saturating_sub(1);
        self.rows -= batch.rows.len();
        let rows = with_gaps_told(&batch.rows).unwrap_or_else(|| self.without_events(batch.rows));
        if !rows.is_empty() {
            self.rows += rows.len();
            self.batches.push_front(Batch { rows });
            self.singly = self.singly.max(1);
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
        told.extend(first.and_then(gap_before).map(Row::Event));
        told.push(row.clone());
    }
    (told.len() > rows.len()).then_some(told)
}

/// The line that takes the place of the lost ones: it has the number of the last of them.
fn gap_before(event: &SessionEvent) -> Option<SessionEvent> {
    Some(SessionEvent {
        session: event.session,
        sequence: event.sequence.checked_sub(1)?,
        at: event.at,
        event_type: EVENTS_LOST,
        previous_state: None,
        new_state: None,
        trigger: "too much waited for the store, or its file was lost".into(),
        detail: serde_json::json!({}),
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::examples::{batch, event, sample, session, usage};

    /// Fills a spool with `count` batches of what `make` makes.
    fn filled(count: usize, make: impl Fn(usize) -> Vec<Row>) -> Spool {
        let mut spool = Spool::default();
        (0..count).for_each(|at| spool.push(batch(make(at))));
        spool
    }

    fn waiting(spool: &Spool) -> Vec<&Row> {
        spool.batches.iter().flat_map(|batch| &batch.rows).collect()
    }

    #[test]
    fn groups_keep_the_order_and_a_limit() {
        let mut spool = filled(GROUP_ROWS, |at| vec![event(at as u64), session(1)]);
        let first = spool.group().to_vec();
        assert_eq!(first.len(), GROUP_ROWS / 2);
        assert_eq!(first[0].rows[0], event(0));
        spool.committed(first.len());
        assert_eq!(spool.group()[0].rows[0], event(GROUP_ROWS as u64 / 2));
        assert_eq!(spool.rows(), GROUP_ROWS);
    }

    #[test]
    fn a_batch_larger_than_a_group_is_a_group_of_its_own() {
        let mut spool = filled(2, |_| vec![sample(0); GROUP_ROWS * 2]);
        assert_eq!(spool.group().len(), 1);
    }

    #[test]
    fn pictures_that_a_later_one_replaces_cost_nothing() {
        let mut spool = filled(MAX_ROWS, |_| vec![session(1)]);
        spool.push(batch(vec![session(2)]));
        assert_eq!((spool.rows(), spool.dropped()), (2, 0));
    }

    #[test]
    fn samples_go_first_then_tokens_then_events_and_sessions_last() {
        let mut spool = filled(100, |at| vec![session(at as u128), event(at as u64)]);
        spool.push(batch(vec![usage(1), sample(1)]));
        spool.push(batch((0..MAX_ROWS as i64).map(sample).collect()));
        assert!(spool.rows() <= ROOM_MADE);
        let lost_samples = spool.dropped();
        let kept = |class: fn(&&&Row) -> bool| waiting(&spool).iter().filter(class).count();
        assert_eq!(kept(|row| !matches!(row, Row::Sample(_))), 201, "only samples went");

        let more = MAX_ROWS - 200;
        (0..more).for_each(|at| spool.push(batch(vec![usage(at as u64)])));
        let kept = |class: fn(&&&Row) -> bool| waiting(&spool).iter().filter(class).count();
        assert_eq!(kept(|row| matches!(row, Row::Sample(_))), 0);
        assert_eq!(kept(|row| matches!(row, Row::Event(_) | Row::Session(_))), 200);
        assert!(spool.dropped() > lost_samples);

        (0..MAX_ROWS).for_each(|at| spool.push(batch(vec![event(100 + at as u64)])));
        let kept = |class: fn(&&&Row) -> bool| waiting(&spool).iter().filter(class).count();
        assert_eq!(kept(|row| matches!(row, Row::Session(_))), 100, "outcomes are kept");
        assert!(spool.rows() <= MAX_ROWS);
    }

    #[test]
    fn the_bound_holds_whatever_comes() {
        let spool = filled(3 * MAX_ROWS, |at| vec![session(at as u128)]);
        assert!(spool.rows() <= MAX_ROWS);
        assert_eq!(spool.rows() as u64 + spool.dropped(), 3 * MAX_ROWS as u64);
    }

    /// Commits everything but what `refuses` refuses, and says what was committed.
    fn drained(spool: &mut Spool, refuses: impl Fn(&[Row]) -> bool) -> Vec<Row> {
        let mut committed = Vec::new();
        while !spool.is_empty() {
            let group = spool.group().to_vec();
            let rows: Vec<Row> = group.iter().flat_map(|batch| batch.rows.clone()).collect();
            if refuses(&rows) {
                spool.refused(group.len());
            } else {
                spool.committed(group.len());
                committed.extend(rows);
            }
        }
        assert_eq!(spool.rows(), 0);
        committed
    }

    #[test]
    fn of_a_refused_group_only_the_faulty_batch_loses_its_events() {
        let mut spool = Spool::default();
        for rows in [vec![event(0)], vec![event(7), session(1)], vec![event(1)]] {
            spool.push(batch(rows));
        }
        let committed = drained(&mut spool, |rows| rows.contains(&event(7)));
        assert_eq!(committed, [event(0), session(1), event(1)]);
        assert_eq!(spool.dropped(), 1);
    }

    #[test]
    fn a_gap_is_told_once_and_the_history_goes_on_behind_it() {
        let mut spool = Spool::default();
        for rows in [vec![event(7), session(1), event(8)], vec![event(9)]] {
            spool.push(batch(rows));
        }
        let unexplained = |rows: &[Row]| rows.contains(&event(7)) && !rows.iter().any(is_gap);
        let committed = drained(&mut spool, unexplained);
        let Some(Row::Event(gap)) = committed.first() else { unreachable!() };
        assert_eq!((gap.sequence, gap.event_type), (6, EVENTS_LOST));
        assert_eq!(committed[1..], [event(7), session(1), event(8), event(9)]);
        assert_eq!(spool.dropped(), 0);
    }

    #[test]
    fn a_refused_batch_without_events_is_given_up() {
        let mut spool = filled(1, |_| vec![usage(1), usage(2)]);
        spool.refused(1);
        assert_eq!((spool.is_empty(), spool.rows(), spool.dropped()), (true, 0, 2));
    }
}
