//! What a life could not number, because it never learnt what was kept, comes in its place.

use super::*;
use crate::ledger::row::SessionEvent;
use crate::store::examples::bare;
use crate::store::reading::compare::compare;
use crate::store::sqlite::SqliteStore;

fn told(sequence: u64, event_type: &'static str, state: Option<&'static str>) -> SessionEvent {
    let Row::Event(event) = event(sequence) else { unreachable!() };
    SessionEvent {
        at: Wall(event.at.0 + sequence as i64),
        event_type: event_type.into(),
        previous_state: None,
        new_state: state.map(Into::into),
        detail: serde_json::json!({ "reason": "it ended", "duration_seconds": 1.0,
            "kind": "process", "process": "web", "peak_memory_bytes": 5, "memory_samples": 1 }),
        ..event
    }
}

/// What was kept before: a session that is open, with what it used so far.
fn before() -> Session {
    let Row::Session(full) = session(1) else { unreachable!() };
    Session { figures: full.figures, total: full.total, events: 2, ..bare(1) }
}

/// Two events of a later life, which never learns what was kept.
fn unheard() -> [Row; 2] {
    let ended = SessionEvent {
        previous_state: Some("active".into()),
        ..told(1, "ended", Some("completed"))
    };
    [told(0, "opened", Some("active")), ended].map(|event| {
        let at = Wall(event.at.0 + 9_000);
        Row::Unheard(Box::new(SessionEvent { at, ..event }))
    })
}

/// All that is kept says the same.
fn is_whole(path: &Path) {
    let mut store = SqliteStore::open(path).expect("opened");
    let asked = Question::Events { session: before().id, from: 0, limit: 9 };
    let Ok(Answer::Events(kept)) = store.answer(&asked) else { panic!("they are there") };
    let kept: Vec<_> = kept.items.iter().map(|it| (it.sequence, it.event_type.as_str())).collect();
    assert_eq!(kept, [(0, "opened"), (1, "started"), (2, "resumed"), (3, "ended")]);
    let compared = compare(&mut store, None).expect("compared");
    assert_eq!((compared.same, compared.different), (1, Vec::new()));
    let named = Question::Session(before().id.to_string());
    let Ok(Answer::Session(Some(it))) = store.answer(&named) else { panic!("it is there") };
    let figures = before().figures;
    assert_eq!((it.figures.tokens, it.figures.cost), (figures.tokens, figures.cost));
    assert_eq!(it.figures.peak_memory, figures.peak_memory, "more than later");
    let lasted = it.end.map(|end| end.duration);
    assert_eq!(lasted, Some(Duration::from_millis(9_001)), "from its first life on");
}

#[test]
fn what_went_on_while_the_store_was_away_comes_behind_what_was_kept_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (place, spool) = (folder.path().join("history"), Some(Bytes::mib(1)));
    let plan = StorePlan::Sqlite(place.join("history.db"));
    let begin = || start(&plan, RetentionPlan::default(), begins(), folder.path(), spool);
    let (writer, _reports) = begin();
    let first = [told(0, "opened", Some("active")), told(1, "started", None)].map(Row::Event);
    submit(&writer, first.into_iter().chain([Row::Session(Box::new(before()))]).collect());
    assert_eq!(writer.close(PATIENCE), 0);

    std::fs::rename(&place, folder.path().join("away")).expect("moved");
    std::fs::write(&place, "a file where a folder has to be").expect("written");
    let (writer, reports) = begin();
    unheard().into_iter().for_each(|row| submit(&writer, vec![row]));
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
        is_whole(&place.join("history.db"));
    }
}
