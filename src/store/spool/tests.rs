//! What gives way, in which order, and how it is told.

use std::sync::Arc;

use super::event_of as event_of_row;
use super::*;
use crate::chains::chain::Link;
use crate::ledger::written::Written;
use crate::store::examples::{AT, batch, event, event_of, id, sample, session, usage};
use crate::store::suite;

/// Fills a spool with `count` batches of what `make` makes.
fn filled(count: usize, make: impl Fn(usize) -> Vec<Row>) -> Spool {
    let mut spool = Spool::default();
    (0..count).for_each(|at| spool.push(batch(make(at))));
    spool
}

fn waiting(spool: &Spool) -> Vec<&Row> {
    spool.batches.iter().flat_map(|batch| &batch.rows).collect()
}

fn rows(group: &[Batch]) -> Vec<Row> {
    group.iter().flat_map(|batch| batch.rows.clone()).collect()
}

#[test]
fn groups_keep_the_order_and_a_limit() {
    let mut spool = filled(GROUP_ROWS, |at| vec![event(at as u64), session(at as u128)]);
    let first = spool.take_group();
    assert_eq!(first.len(), GROUP_ROWS / 2);
    assert_eq!(first[0].rows[0], event(0));
    assert_eq!(spool.rows(), 2 * GROUP_ROWS, "nothing is committed yet");
    spool.committed();
    assert_eq!(spool.rows(), GROUP_ROWS);
    assert_eq!(spool.take_group()[0].rows[0], event(GROUP_ROWS as u64 / 2));
}

#[test]
fn what_could_not_be_committed_keeps_its_place() {
    let mut spool = filled(3, |at| vec![event(at as u64)]);
    let group = spool.take_group();
    spool.push(batch(vec![event(3)]));
    spool.put_back(group);
    assert_eq!(rows(&spool.take_group()), (0..4).map(event).collect::<Vec<_>>());
}

#[test]
fn a_batch_larger_than_a_group_is_a_group_of_its_own() {
    let mut spool = filled(2, |_| vec![sample(0); GROUP_ROWS * 2]);
    assert_eq!(spool.take_group().len(), 1);
}

#[test]
fn of_several_pictures_only_the_last_is_committed() {
    let mut spool = filled(3, |at| vec![event(at as u64), session(1)]);
    spool.push(batch(vec![session(2)]));
    let expected = [event(0), event(1), event(2), session(1), session(2)];
    assert_eq!(rows(&spool.take_group()), expected);
}

#[test]
fn a_conversation_that_is_not_whole_replaces_nothing() {
    let told = |number: u64, let_go| {
        let link = suite::chains::link(number, "c1");
        suite::chains::row("claude", Link { let_go, ..link })
    };
    let taken = |all: &[(u64, bool)]| {
        let mut spool = Spool::default();
        all.iter().for_each(|(number, let_go)| spool.push(batch(vec![told(*number, *let_go)])));
        rows(&spool.take_group())
    };
    let all = [(1, false), (2, false), (3, true), (4, true)];
    assert_eq!(taken(&all), [told(2, false), told(3, true), told(4, true)]);
    assert_eq!(taken(&[(1, false), (2, true), (3, false)]), [told(3, false)]);
}

#[test]
fn pictures_that_a_later_one_replaces_cost_nothing() {
    let mut spool = filled(MAX_ROWS, |_| vec![session(1)]);
    spool.push(batch(vec![session(2)]));
    assert_eq!((spool.rows(), spool.dropped()), (2, 0));
}

/// So many sessions, each with the events and pictures of a run that came and went.
fn runs(count: usize) -> Spool {
    let mut spool = Spool::default();
    for sequence in 0..4 {
        for of in 0..count as u128 {
            spool.push(batch(vec![event_of(of, sequence), session(of)]));
        }
    }
    spool
}

#[test]
fn of_thousands_of_sessions_that_end_at_once_nothing_is_lost() {
    let mut spool = runs(3_000);
    assert_eq!(spool.dropped(), 0);
    let committed = drained(&mut spool, |_| false);
    let events = committed.iter().filter(|row| event_of_row(row).is_some()).count();
    assert_eq!(events, 4 * 3_000);
}

/// What a store has that takes everything but a gap that nothing tells of.
#[derive(Default)]
struct Strict(BTreeMap<SessionId, u64>);

impl Strict {
    fn takes(&mut self, rows: &[Row]) -> bool {
        let mut next = BTreeMap::new();
        for event in rows.iter().filter_map(event_of_row) {
            let stored = self.0.get(&event.session).copied().unwrap_or_default();
            let due = next.entry(event.session).or_insert(stored);
            if event.sequence > *due && event.event_type != EVENTS_LOST {
                return false;
            }
            *due = event.sequence + 1;
        }
        self.0.extend(next);
        true
    }
}

#[test]
fn what_is_too_much_gives_way_from_its_beginning_and_says_so() {
    let mut spool = runs(8_000);
    assert!(spool.rows() <= MAX_ROWS);
    let dropped = spool.dropped();
    assert!(dropped > 0);
    let mut store = Strict::default();
    let mut refusals = 0;
    let committed = drained(&mut spool, |rows| {
        let refused = !store.takes(rows);
        refusals += usize::from(refused);
        refused
    });
    assert_eq!(refusals, 0, "each gap was told of where it was made");
    let outcomes = committed.iter().filter_map(session_of).collect::<BTreeSet<_>>();
    assert_eq!(outcomes.len(), 8_000, "no session is lost");
    assert!(store.0.values().all(|next| *next == 4), "and each history reaches its end");
    let kept = committed.iter().filter(|row| !is_gap(row) && event_of_row(row).is_some());
    assert_eq!(kept.count() as u64 + dropped, 4 * 8_000, "what is missing is counted");
}

#[test]
fn in_the_end_whole_sessions_go_and_what_stays_is_consistent() {
    let mut spool = runs(20_000);
    assert!(spool.rows() <= MAX_ROWS);
    let mut store = Strict::default();
    let committed = drained(&mut spool, |rows| !store.takes(rows));
    let shown: BTreeSet<_> = committed.iter().filter_map(session_of).collect();
    let told: BTreeSet<_> = store.0.keys().copied().collect();
    assert!(shown.len() > 4_000);
    assert_eq!(shown, told, "no picture without a story, no story without a picture");
}

#[test]
fn a_session_that_was_thinned_out_can_be_thinned_out_again() {
    let mut spool = Spool::default();
    (0..3 * MAX_ROWS as u64).for_each(|at| spool.push(batch(vec![event(at)])));
    assert_eq!(spool.rows() as u64 + spool.dropped(), 3 * MAX_ROWS as u64 + 1);
    let mut store = Strict::default();
    let committed = drained(&mut spool, |rows| !store.takes(rows));
    assert_eq!(committed.iter().filter(|row| is_gap(row)).count(), 1);
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
fn drained(spool: &mut Spool, mut refuses: impl FnMut(&[Row]) -> bool) -> Vec<Row> {
    let mut committed = Vec::new();
    while !spool.is_empty() {
        let group = spool.take_group();
        let rows = rows(&group);
        if refuses(&rows) {
            spool.refused(group);
        } else {
            spool.committed();
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
    assert_eq!((gap.sequence, &*gap.event_type), (6, EVENTS_LOST));
    assert_eq!(committed[1..], [event(7), session(1), event(8), event(9)]);
    assert_eq!(spool.dropped(), 0);
}

#[test]
fn a_refused_batch_without_events_is_given_up() {
    let mut spool = filled(1, |_| vec![usage(1), usage(2)]);
    let group = spool.take_group();
    spool.refused(group);
    assert_eq!((spool.is_empty(), spool.rows(), spool.dropped()), (true, 0, 2));
}

#[test]
fn output_that_waits_has_a_bound_of_its_own_and_only_the_newest_of_a_command_waits() {
    let output = |number: u128, begin| {
        let written = Written { session: id(number), at: AT, begin, over: true, parts: Vec::new() };
        batch(vec![Row::Output(Arc::new(written))])
    };
    let mut spool = Spool::default();
    spool.push(batch(vec![event(0)]));
    (0..40).for_each(|number| spool.push(output(number, 0)));
    spool.push(output(39, 7));
    assert_eq!((spool.rows(), spool.dropped()), (MAX_OUTPUTS + 1, 40 - MAX_OUTPUTS as u64));
    let rows: Vec<Row> = spool.take_group().into_iter().flat_map(|batch| batch.rows).collect();
    let kept = |row: &Row| match row {
        Row::Output(written) => Some((written.session, written.begin)),
        _ => None,
    };
    let kept: Vec<_> = rows.iter().filter_map(kept).collect();
    assert_eq!(kept.first(), Some(&(id(8), 0)), "the oldest went");
    assert_eq!(kept.last(), Some(&(id(39), 7)));
    assert_eq!(rows[0], event(0), "nothing else went");
}
