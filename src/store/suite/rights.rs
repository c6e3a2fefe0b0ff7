//! What is archived, forgotten and written down of those who ask.

use super::*;
use crate::ledger::audit::AuditRow;
use crate::ledger::forget::Whose;
use crate::store::reading::audit::AuditWanted;
use crate::store::reading::{Answer, Forgotten, Question};

pub fn outline(history: &mut History<'_>) {
    let Row::Session(whole) = session(1) else { unreachable!() };
    let ended = Session { state: SessionState::Completed, end: Some(end()), ..*whole };
    history.commit(vec![
        event_of(1, 0),
        sample(0),
        usage(1),
        Row::Session(Box::new(ended.clone())),
    ]);
    history.prune(Wall(clock::now().wall.0 + 31 * 24 * 60 * 60 * 1000));
    let question = Question::Session(id(1).to_string());
    let Answer::Session(Some(kept)) = history.store().answer(&question).expect("an answer") else {
        panic!("the outline is gone")
    };
    assert_eq!(*kept, Session { context: None, ..ended });
    for table in ["session_events", "memory_samples"] {
        assert_eq!(history.count(table), "0", "{table}");
    }
    let usages = history.query("SELECT session_id, conversation = '' FROM token_usage");
    assert!(usages.iter().all(|row| row.starts_with("- ")), "{usages:?}");
}

fn forget(history: &mut History<'_>, whose: &Whose, step: bool) -> Forgotten {
    let question = Question::Forget { whose: whose.clone(), step };
    match history.store().answer(&question).expect("an answer") {
        Answer::Forgotten(forgotten) => forgotten,
        other => panic!("{other:?}"),
    }
}

/// Sessions in a row, each a part of the one before, the first of a user.
fn family(history: &mut History<'_>, user: &str, numbers: std::ops::Range<u128>) {
    for number in numbers.clone() {
        let first = number == numbers.start;
        let context = Context { user: Some(user.to_owned()), ..Context::default() };
        let session = Session {
            parent: (!first).then(|| id(number - 1)),
            context: first.then(|| Arc::new(context)),
            started: Wall(AT.0 + number as i64),
            state: SessionState::Failed,
            end: Some(end()),
            ..bare(number)
        };
        history.commit(vec![event_of(number, 0), Row::Session(Box::new(session))]);
    }
}

pub fn forgotten(history: &mut History<'_>) {
    family(history, "jane", 1..4);
    family(history, "joe", 5..7);
    let jane = Whose::User("jane".to_owned());
    assert_eq!(forget(history, &jane, false), Forgotten { sessions: 3, more: false });
    assert_eq!(history.count("sessions"), "5", "counting takes nothing away");
    assert_eq!(forget(history, &jane, true), Forgotten { sessions: 3, more: false });
    assert_eq!(forget(history, &jane, true), Forgotten::default());
    assert_eq!(
        (history.count("sessions"), history.count("session_events")),
        ("2".into(), "2".into())
    );
    assert_eq!(forget(history, &Whose::User("x' OR 1=1 --\0".to_owned()), true).sessions, 0);
    let agent = Whose::Agent("nobody".to_owned());
    assert_eq!(forget(history, &agent, true).sessions, 0);
}

pub fn purged(history: &mut History<'_>) {
    family(history, "jane", 1..3);
    history.commit(vec![event_of(7, 0), session(7)]);
    let older = |than: i64, states: &[SessionState]| Whose::Older {
        than: Wall(end().at.0 + than),
        states: states.to_vec(),
    };
    assert_eq!(forget(history, &older(0, &[]), true).sessions, 0, "none ended before");
    assert_eq!(forget(history, &older(1, &[SessionState::Completed]), true).sessions, 0);
    let failed = [SessionState::Failed, SessionState::Lost];
    assert_eq!(forget(history, &older(1, &failed), true).sessions, 2);
    assert_eq!(forget(history, &older(1 << 40, &[]), true).sessions, 0, "what lives stays");
    assert_eq!(history.count("sessions"), "1");
}

fn line(number: u128) -> AuditRow {
    AuditRow {
        id: id(number),
        at: Wall(AT.0 + number as i64),
        action: format!("POST /v1/s_op/{number}"),
        target: "web".into(),
        said: "stop web\0".replace('\0', ""),
        outcome: if number == 2 { 403 } else { 200 },
        reason: Some("because".into()),
        role: "admin".into(),
        token: (number == 1).then(|| "ci".into()),
        remote: Some("127.0.0.1:5".into()),
        uid: Some(u32::MAX),
        pid: Some(7),
        name: Some("curl".into()),
        session: Some(id(9)),
    }
}

pub fn audited(history: &mut History<'_>) {
    let rows: Vec<Row> = (0..5).map(|number| Row::Audit(Box::new(line(number)))).collect();
    history.commit(rows.clone());
    history.commit(rows);
    let mut ask = |wanted: AuditWanted| {
        let question = Question::Audit(Box::new(AuditWanted { limit: 2, ..wanted }));
        match history.store().answer(&question).expect("an answer") {
            Answer::Audit(page) => page,
            other => panic!("{other:?}"),
        }
    };
    let page = ask(AuditWanted::default());
    assert_eq!((&page.items[..], page.more), (&[line(4), line(3)][..], true));
    let last = page.items.last().map(|row| (row.at, row.id));
    assert_eq!(ask(AuditWanted { after: last, ..Default::default() }).items, [line(2), line(1)]);
    assert_eq!(ask(AuditWanted { refused: true, ..Default::default() }).items, [line(2)]);
    let of = |action: &str| AuditWanted { action: Some(action.into()), ..Default::default() };
    assert_eq!(ask(of("S_OP/3")).items, [line(3)]);
    assert_eq!(ask(of("s%3")).items, [], "a sign means itself");
    let until = AuditWanted { until: Some(line(1).at), uid: Some(u32::MAX), ..Default::default() };
    assert_eq!(ask(until).items, [line(0)]);
    let none = AuditWanted { role: Some("viewer".into()), ..Default::default() };
    assert_eq!(ask(none).items, []);
    history.prune(Wall(AT.0 + 366 * 24 * 60 * 60 * 1000));
    assert_eq!(history.count("audit"), "0");
}
