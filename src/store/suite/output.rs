//! What every store keeps of what commands wrote.

use super::*;
use crate::ledger::forget::Whose;
use crate::ledger::written::{Part, Raw, Written};
use crate::store::reading::{Answer, Question};

fn written(number: u128, begin: u64, parts: &[(bool, &[u8])]) -> Written {
    let part =
        |(stderr, bytes): &(bool, &[u8])| Part { stderr: *stderr, bytes: Raw(bytes.to_vec()) };
    let parts = parts.iter().map(part).collect();
    Written { session: id(number), at: Wall(AT.0 + number as i64), begin, over: true, parts }
}

fn row(written: &Written) -> Row {
    Row::Output(Arc::new(written.clone()))
}

fn read(history: &mut History<'_>, number: u128) -> Option<Written> {
    match history.store().answer(&Question::Output(id(number))).expect("an answer") {
        Answer::Output(found) => found.map(|found| *found),
        other => panic!("{other:?}"),
    }
}

/// Also bytes that are no text, in a next life, and the last of what was told twice.
pub fn kept(history: &mut History<'_>) {
    let begun = Written { over: false, ..written(1, 0, &[(false, b"half")]) };
    let whole =
        written(1, 1 << 40, &[(true, b"\xff\x00\n"), (false, b"'\"\\ \xc3\xa4"), (true, b"x")]);
    history.commit(vec![row(&begun)]);
    assert_eq!(read(history, 1), Some(begun));
    history.commit(vec![row(&whole)]);
    history.commit(vec![row(&whole), row(&written(2, 0, &[]))]);
    history.close();
    assert_eq!(read(history, 1), Some(whole));
    assert_eq!(read(history, 2), Some(written(2, 0, &[])));
    assert_eq!(read(history, 3), None);
}

/// A thousand of a supervisor.
pub fn bounded(history: &mut History<'_>) {
    let one = |number| row(&written(number, 0, &[(false, b"text")]));
    history.commit((0..700).map(one).collect());
    history.commit((700..1_030).map(one).collect());
    assert_eq!(history.count("session_output"), "1000");
    assert_eq!(read(history, 29), None);
    assert!(read(history, 30).is_some() && read(history, 1_029).is_some());
}

/// When it is archived, and when somebody wants it forgotten.
pub fn leaves(history: &mut History<'_>) {
    for number in [1, 2] {
        history.commit(vec![
            event_of(number, 0),
            ended(number, SessionState::Completed, Wall(AT.0 + number as i64 * 1000)),
            row(&written(number, 0, &[(false, b"text")])),
        ]);
    }
    let whose = Whose::Older { than: Wall(AT.0 + 1500), states: Vec::new() };
    history.store().answer(&Question::Forget { whose, step: true }).expect("an answer");
    assert_eq!((read(history, 1).is_some(), read(history, 2).is_some()), (false, true));
    history.prune(days_later(31));
    assert_eq!(
        (history.count("session_output"), history.count("sessions")),
        ("0".into(), "1".into())
    );
}
