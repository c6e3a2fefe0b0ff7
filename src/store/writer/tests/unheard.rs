//! What a life could not number, because it never learnt what was kept, comes in its place.

use super::*;
use crate::ledger::row::SessionEvent;

#[test]
fn what_went_on_while_the_store_was_away_comes_behind_what_was_kept_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (place, spool) = (folder.path().join("history"), Some(Bytes::mib(1)));
    let plan = StorePlan::Sqlite(place.join("history.db"));
    let begin = || start(&plan, RetentionPlan::default(), begins(), folder.path(), spool);
    let (writer, _reports) = begin();
    let told = |sequence: u64, event_type: &'static str, state: Option<&'static str>| {
        let Row::Event(event) = event(sequence) else { unreachable!() };
        let at = Wall(event.at.0 + sequence as i64);
        let detail = serde_json::json!({ "reason": "it ended", "duration_seconds": 1.0,
            "kind": "process", "process": "web" });
        let new_state = state.map(Into::into);
        SessionEvent {
            at,
            event_type: event_type.into(),
            previous_state: None,
            new_state,
            detail,
            ..event
        }
    };
    let opened = told(0, "opened", Some("active"));
    submit(&writer, vec![Row::Event(opened), Row::Event(told(1, "started", None)), session(1)]);
    assert_eq!(writer.close(PATIENCE), 0);

    // A life that never learns what was kept.
    std::fs::rename(&place, folder.path().join("away")).expect("moved");
    std::fs::write(&place, "a file where a folder has to be").expect("written");
    let (writer, reports) = begin();
    let later = |event: SessionEvent| {
        let at = Wall(event.at.0 + 9_000);
        Row::Unheard(Box::new(SessionEvent { at, ..event }))
    };
    submit(&writer, vec![later(told(0, "opened", Some("active")))]);
    let ended = SessionEvent {
        previous_state: Some("active".into()),
        ..told(1, "ended", Some("completed"))
    };
    submit(&writer, vec![later(ended)]);
    wait_for_health(&reports, |health| health.spooled.rows == 2);
    assert_eq!(writer.close(Duration::from_secs(2)), 0);
    std::fs::remove_file(&place).expect("removed");
    std::fs::rename(folder.path().join("away"), &place).expect("moved back");

    // It is replayed twice, as where a kill comes before the file is removed.
    let spools = folder.path().join("spool");
    let file = std::fs::read_dir(&spools).expect("listed").flatten().next().expect("one").path();
    let bytes = std::fs::read(&file).expect("read");
    for _ in 0..2 {
        std::fs::write(&file, &bytes).expect("written");
        let (writer, reports) = begin();
        let found = reports.resume.blocking_recv().expect("it opens");
        assert_eq!(found.open, [], "it has its end");
        assert_eq!(writer.close(PATIENCE), 0);
        let path = place.join("history.db");
        let mut store = crate::store::sqlite::SqliteStore::open(&path).expect("opened");
        let Answer::Events(kept) = store
            .answer(&Question::Events { session: told(0, "", None).session, from: 0, limit: 9 })
            .expect("an answer")
        else {
            unreachable!()
        };
        let kept: Vec<_> =
            kept.items.iter().map(|it| (it.sequence, it.event_type.as_str())).collect();
        assert_eq!(kept, [(0, "opened"), (1, "started"), (2, "resumed"), (3, "ended")]);
        let compared = crate::store::reading::compare::compare(&mut store, None).expect("compared");
        assert_eq!((compared.same, compared.different), (1, Vec::new()));
        let named = Question::Session(told(0, "", None).session.to_string());
        let Ok(Answer::Session(Some(it))) = store.answer(&named) else { panic!("it is there") };
        let before = match session(1) {
            Row::Session(it) => it.figures,
            _ => unreachable!(),
        };
        assert_eq!((it.figures.tokens, it.figures.cost), (before.tokens, before.cost));
        let kept = it.end.map(|end| end.duration);
        assert_eq!(kept, Some(Duration::from_millis(9_001)), "from its first life on");
    }
}
