//! History against trouble: a store that is away while thousands of sessions end, and lives that
//! end by `kill -9`. Whatever comes, each start and each end is in the database, once and in order.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use procession::chains::chain::KeptChain;
use procession::ledger::entry::OpenSession;
use procession::ledger::row::{Batch, EventSource, Row, SessionEvent};
use procession::ledger::session::{
    Figures, Session, SessionEnd, SessionKind, SessionState, Totals,
};
use procession::store::life::Life;
use procession::store::reading::compare::compare;
use procession::store::reading::{Answer, Question};
use procession::store::sqlite::SqliteStore;
use procession::store::{Store, StoreError, writer};
use procession::tokens::TokenResume;
use procession::units::{SessionId, Wall};
use rusqlite::Connection;

use crate::house::{As, House, until};
use crate::support;

/// Sessions that end while a commit hangs.
const SESSIONS: u64 = 2_000;

/// Runs that a real procession makes and ends while its store is away.
const RUNS: u64 = 1_000;

/// Forty processes that start and end again and again, so often in all, and one that stays.
fn restless(times: u64) -> String {
    let times = times / 40;
    format!(
        "store: {{sqlite: DIR/history.db}}\nprocesses:\n  steady: {{command: [sleep, \"1000\"]}}\n  \
         short:\n    command: [\"false\"]\n    restart: always\n    replicas: 40\n    \
         restart_policy: {{delay: 10ms, factor: 1, max_attempts: {times}}}\n"
    )
}

/// The sum over all series of a metric.
fn metric(port: u16, name: &str) -> Option<u64> {
    let text = support::get(&format!("http://127.0.0.1:{port}/metrics"))?;
    let of_name = |line: &&str| line.starts_with(name);
    let value = |line: &str| line.rsplit(' ').next()?.parse::<f64>().ok();
    Some(text.lines().filter(of_name).filter_map(value).sum::<f64>() as u64)
}

fn number(db: &Connection, query: &str) -> u64 {
    let number = db.query_row(query, [], |row| row.get::<_, i64>(0));
    number.expect("a sound query").unsigned_abs()
}

/// What must hold of every history: each session has its events from 0 on without a gap, one start,
/// and one end where it has ended. Answers with the sessions and those that ended.
fn sound(folder: &Path) -> (u64, u64) {
    sound_from(folder, "")
}

/// The same of those sessions alone whose identity does not come before this text.
fn sound_from(folder: &Path, first: &str) -> (u64, u64) {
    let db = Connection::open(folder.join("history.db")).expect("the history");
    let events = format!("(SELECT * FROM session_events WHERE session_id >= '{first}')");
    let sessions = format!("(SELECT * FROM sessions WHERE id >= '{first}')");
    let count =
        |query: &str| number(&db, &query.replace("EVENTS", &events).replace("SESSIONS", &sessions));
    let gaps = "SELECT count(*) FROM (SELECT 1 FROM EVENTS GROUP BY session_id HAVING \
                count(*) <> max(sequence) + 1 OR min(sequence) <> 0)";
    assert_eq!(count(gaps), 0, "sessions with a gap");
    let lost = "SELECT count(*) FROM EVENTS WHERE event_type = 'events_lost'";
    assert_eq!(count(lost), 0, "events that were given up");
    let differ = "SELECT count(*) FROM SESSIONS WHERE events <> (SELECT count(*) FROM \
                  session_events WHERE session_id = id)";
    assert_eq!(count(differ), 0, "sessions that count other events than they have");
    let orphaned = "SELECT count(*) FROM EVENTS WHERE session_id NOT IN (SELECT id FROM \
                    sessions)";
    assert_eq!(count(orphaned), 0, "events without a session");
    let twice = "SELECT count(*) FROM (SELECT 1 FROM EVENTS WHERE event_type IN \
                 ('opened', 'ended', 'lost') GROUP BY session_id, event_type IN ('opened') HAVING \
                 count(*) > 1)";
    assert_eq!(count(twice), 0, "starts or ends that are there twice");
    let opened = count("SELECT count(*) FROM EVENTS WHERE event_type = 'opened'");
    assert_eq!(opened, count("SELECT count(*) FROM SESSIONS"), "sessions without a start");
    let ended = count("SELECT count(*) FROM EVENTS WHERE event_type IN ('ended', 'lost')");
    let closed = count("SELECT count(*) FROM SESSIONS WHERE ended_ms IS NOT NULL");
    assert_eq!(ended, closed, "ends without their event");
    (opened, ended)
}

/// What is kept of each session is what its events tell. Answers with the sessions.
fn replays(folder: &Path) -> u64 {
    replays_from(folder, "")
}

/// The same, newest first, until the sessions come before this text.
fn replays_from(folder: &Path, first: &str) -> u64 {
    let mut store = SqliteStore::open(&folder.join("history.db")).expect("the history");
    let (mut same, mut after) = (0, None);
    loop {
        let compared = compare(&mut store, after).expect("readable");
        assert_eq!(compared.different, [], "the replay is not the projection");
        same += compared.same;
        after = compared.next.filter(|place| place.id.to_string().as_str() >= first);
        if after.is_none() {
            return same;
        }
    }
}

#[test]
fn nothing_is_lost_of_thousands_of_sessions_while_another_program_holds_the_store() {
    let port = support::free_port();
    let listen = format!("metrics: {{listen: \"127.0.0.1:{port}\"}}\n");
    let folder = crate::house::folder_with(&format!("{listen}{}", restless(RUNS)));
    let other = Connection::open(folder.path().join("history.db")).expect("a new file");
    other.execute_batch("BEGIN EXCLUSIVE").expect("it is free");
    let mut house = House::start(As::Subreaper, &["run"], Ok(folder));
    until("thousands of sessions have ended", || {
        metric(port, "procession_sessions_ended_total").filter(|ended| *ended >= RUNS)
    });
    assert!(house.log().contains("another program has it open"), "the store is away");
    drop(other);
    until("everything is committed", || {
        (metric(port, "procession_store_up ") == Some(1)
            && metric(port, "procession_store_pending_rows ") == Some(0))
        .then_some(())
    });
    assert_eq!(metric(port, "procession_store_rows_dropped_total "), Some(0));
    house.signal(15);
    assert!(house.end().1 < Duration::from_secs(9));
    let (opened, ended) = sound(house.dir());
    assert!(opened > RUNS && ended == opened, "{ended} of {opened} sessions have ended");
}

/// A database whose disk hangs in the middle of a commit, for as long as it is told to.
struct Hanging {
    store: SqliteStore,
    hangs: Arc<AtomicBool>,
}

impl Store for Hanging {
    fn open_sessions(&mut self) -> Result<Vec<OpenSession>, StoreError> {
        self.store.open_sessions()
    }

    fn token_resume(&mut self) -> Result<TokenResume, StoreError> {
        self.store.token_resume()
    }

    fn chains(&mut self) -> Result<Vec<(String, KeptChain)>, StoreError> {
        Ok(Vec::new())
    }

    fn held_before(&mut self) -> Result<Vec<(String, serde_json::Value)>, StoreError> {
        Ok(Vec::new())
    }

    fn commit(&mut self, batches: &[Batch]) -> Result<(), StoreError> {
        while self.hangs.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.store.commit(batches)
    }

    fn commit_for(&mut self, _: &Life, batches: &[Batch]) -> Result<(), StoreError> {
        self.commit(batches)
    }

    fn prune(
        &mut self,
        now: Wall,
        keep: &procession::config::plan::RetentionPlan,
    ) -> Result<bool, StoreError> {
        self.store.prune(now, keep)
    }

    fn answer(&mut self, question: &Question) -> Result<Answer, StoreError> {
        self.store.answer(question)
    }

    fn repair(&mut self, told: &Session) -> Result<(), StoreError> {
        self.store.repair(told)
    }
}

/// The events of a session that came and went.
const STORY: [(&str, SessionState); 5] = [
    ("opened", SessionState::Initializing),
    ("forked", SessionState::Initializing),
    ("started", SessionState::Active),
    ("stopping", SessionState::Stopping),
    ("ended", SessionState::Completed),
];

/// One chapter of one session: the event and the picture that it leaves.
fn chapter(at: Wall, number: usize, sequence: usize) -> Batch {
    let id = SessionId::new(at, number as u128);
    let (event_type, state) = STORY[sequence];
    let event = SessionEvent {
        session: id,
        sequence: sequence as u64,
        at,
        event_type: event_type.into(),
        subtype: None,
        previous_state: None,
        new_state: Some(state.as_str().into()),
        trigger: "a test".into(),
        source: EventSource::Init,
        detail: serde_json::json!({}),
    };
    let end =
        || SessionEnd { at, duration: Duration::ZERO, status: None, reason: "it ended".into() };
    let session = Session {
        id,
        kind: SessionKind::Process,
        parent: None,
        process: "web".into(),
        agent: None,
        native_id: None,
        state,
        started: at,
        last_activity: at,
        main: None,
        context: None,
        events: sequence as u64 + 1,
        figures: Figures::default(),
        total: Totals::default(),
        end: state.is_end().then(end),
    };
    Batch { rows: vec![Row::Event(event), Row::Session(Box::new(session))] }
}

/// Hands the stories of so many sessions to a database that hangs until all of them are handed over,
/// and answers with the sessions and ends that it has at the end.
fn after_a_hang(sessions: usize) -> (tempfile::TempDir, u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let hangs = Arc::new(AtomicBool::new(true));
    let (path, hanging) = (folder.path().join("history.db"), hangs.clone());
    let (writer, reports) = writer::start_with(Box::new(move || {
        Ok(Box::new(Hanging { store: SqliteStore::open(&path)?, hangs: hanging.clone() }))
    }));
    // Of today, so that nothing is old enough to be forgotten.
    let (begun, at) = (Instant::now(), procession::clock::now().wall);
    for sequence in 0..STORY.len() {
        (0..sessions).for_each(|number| writer.submit(chapter(at, number, sequence)));
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "nobody waits for a disk");
    hangs.store(false, Ordering::Relaxed);
    assert_eq!(writer.close(Duration::from_secs(60)), 0, "all of it is committed");
    let dropped = reports.health.borrow().dropped;
    (folder, dropped)
}

#[test]
fn nothing_is_lost_of_thousands_of_sessions_that_end_while_a_commit_hangs() {
    let (folder, dropped) = after_a_hang(SESSIONS as usize);
    assert_eq!(dropped, 0);
    assert_eq!(sound(folder.path()), (SESSIONS, SESSIONS));
}

#[test]
fn of_far_too_many_each_outcome_is_kept_and_what_is_missing_is_told() {
    let many = 4 * SESSIONS;
    let (folder, dropped) = after_a_hang(many as usize);
    let db = Connection::open(folder.path().join("history.db")).expect("the history");
    let closed = "SELECT count(*) FROM sessions WHERE ended_ms IS NOT NULL";
    assert_eq!(number(&db, closed), many, "each session has its end");
    let missing = "SELECT sum(detail ->> 'missing') FROM session_events WHERE event_type = \
                   'events_lost'";
    assert_eq!(number(&db, missing), dropped, "the gaps tell of everything that was given up");
    let kept = "SELECT count(*) FROM session_events WHERE event_type <> 'events_lost'";
    assert_eq!(number(&db, kept) + dropped, many * STORY.len() as u64);
}

/// What one life said before it was killed: sessions that it had certainly committed.
#[derive(Clone, Copy, Default)]
struct Acknowledged {
    opened: u64,
    ended: u64,
}

/// A page shows what was told and how many rows of it wait. Each start and each end that waits is a
/// row at least, so that all others are committed.
fn acknowledged(page: &str) -> Acknowledged {
    let sum = |name: &str, but: &str| -> u64 {
        let lines = page.lines().filter(|line| line.starts_with(name) && !line.contains(but));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
    };
    let waiting = sum("procession_store_pending_rows ", "{");
    let surely = |told: u64| told.saturating_sub(waiting);
    Acknowledged {
        opened: surely(sum("procession_sessions_opened_total{", "\u{0}")),
        ended: surely(sum("procession_sessions_ended_total{", "outcome=\"lost\"")),
    }
}

/// Kills from one look at the whole history to the next. Between them it is looked at what one life
/// can have changed, so that a run of many kills takes time by their number and not by its square.
const WHOLE_AFTER: u64 = 20;

/// The history as it was seen after the last kill.
#[derive(Default)]
struct Seen {
    /// Starts and ends in all; an end as lost, which the next life tells, is none.
    all: (u64, u64),
    /// Where the identities begin that a life since then can have touched, and how many starts and
    /// ends there are before them.
    first: String,
    before: (u64, u64),
    /// Sessions that were held against their events, each as often as that was done.
    replayed: u64,
}

impl Seen {
    /// Looks at what a kill left, in a copy, so that the next life finds it as it was left.
    fn look(&mut self, folder: &Path, whole: bool) {
        let copy = tempfile::tempdir().expect("a folder");
        for name in ["history.db", "history.db-wal"] {
            let _ = fs::copy(folder.join(name), copy.path().join(name));
        }
        let empty = fs::metadata(copy.path().join("history.db")).map_or(0, |file| file.len()) == 0;
        if empty && !copy.path().join("history.db-wal").exists() {
            return;
        }
        let first = if whole { "" } else { self.first.as_str() };
        let (opened, _) = sound_from(copy.path(), first);
        let replayed = replays_from(copy.path(), first);
        assert!(replayed >= opened, "{replayed} of {opened} are held against their events");
        self.replayed += replayed;
        self.count(&Connection::open(copy.path().join("history.db")).expect("the history"), whole);
    }

    fn count(&mut self, db: &Connection, whole: bool) {
        let (opened, ended) = starts_and_ends(db, &self.first, LAST);
        self.all = (self.before.0 + opened, self.before.1 + ended);
        if whole {
            assert_eq!(self.all, starts_and_ends(db, "", LAST), "what was there is there still");
        }
        let first = first_to_change(db);
        let (opened, ended) = starts_and_ends(db, &self.first, &first);
        self.before = (self.before.0 + opened, self.before.1 + ended);
        self.first = first;
    }
}

/// Comes behind all identities.
const LAST: &str = "~";

/// The starts and ends of those sessions whose identities lie between two texts.
fn starts_and_ends(db: &Connection, first: &str, end: &str) -> (u64, u64) {
    let of = |event: &str| {
        let query = format!(
            "SELECT count(*) FROM session_events WHERE event_type = '{event}' AND session_id >= \
             '{first}' AND session_id < '{end}'"
        );
        number(db, &query)
    };
    (of("opened"), of("ended"))
}

/// Where the identities of those sessions begin that a next life can touch: of all that have not
/// ended, and of all that are new. What comes in the millisecond of the newest one may sort before it.
fn first_to_change(db: &Connection) -> String {
    let query = "SELECT min(id) FROM (SELECT min(id) AS id FROM sessions WHERE ended_ms IS NULL \
                 UNION ALL SELECT max(id) FROM sessions)";
    let id = db.query_row(query, [], |row| row.get::<_, Option<String>>(0)).expect("sound");
    id.map(|id| id[..10].to_owned()).unwrap_or_default()
}

/// Kills in the ordinary run of the tests; `PROCESSION_KILLS` sets another number, and
/// `PROCESSION_KILLS_REPORT` names a file for the figures.
const KILLS: u64 = 12;

fn kills() -> u64 {
    let asked = std::env::var("PROCESSION_KILLS").ok();
    asked.map_or(KILLS, |asked| asked.parse().expect("PROCESSION_KILLS is a number"))
}

/// Looks at the pages of a life until the moment of its death, and answers with the most that any of
/// them acknowledged.
fn killed_at_random(house: &mut House, port: u16) -> Acknowledged {
    until("it answers", || metric(port, "procession_store_up "));
    let (begun, lives_for) = (Instant::now(), Duration::from_millis(fastrand::u64(0..700)));
    let mut most = Acknowledged::default();
    while begun.elapsed() < lives_for {
        if let Some(page) = support::get(&format!("http://127.0.0.1:{port}/metrics")) {
            let shown = acknowledged(&page);
            most.opened = most.opened.max(shown.opened);
            most.ended = most.ended.max(shown.ended);
        }
    }
    house.signal(9);
    assert_eq!(house.end().0, 137);
    most
}

#[test]
fn no_kill_at_any_moment_loses_or_doubles_what_was_committed() {
    let (kills, port) = (kills(), support::free_port());
    let restless = "processes:\n  short:\n    command: [\"true\"]\n    restart: always\n    \
                    replicas: 8\n    restart_policy: {delay: 10ms, factor: 1}\n";
    let config = format!("recovery: end\nstore: {{sqlite: DIR/history.db}}\n{restless}");
    let mut house = House::of_config_listening(As::Subreaper, &config, port);
    let (mut seen, mut sure) = (Seen::default(), Acknowledged::default());
    for kill in 1..=kills {
        let last = killed_at_random(&mut house, port);
        let before = seen.all;
        seen.look(house.dir(), kill % WHOLE_AFTER == 0 || kill == kills);
        let (opened, ended) = (seen.all.0 - before.0, seen.all.1 - before.1);
        assert!(opened >= last.opened, "kill {kill}: {opened} of {} starts", last.opened);
        assert!(ended >= last.ended, "kill {kill}: {ended} of {} ends", last.ended);
        (sure.opened, sure.ended) = (sure.opened + last.opened, sure.ended + last.ended);
        house = house.again();
    }
    until("all of it is committed", || metric(port, "procession_store_up ").filter(|up| *up == 1));
    house.signal(15);
    assert!(house.end().1 < Duration::from_secs(9));
    let (opened, ended) = sound(house.dir());
    assert_eq!(opened, ended, "what a kill left open is closed by the next life");
    assert_eq!(replays(house.dir()), opened);
    assert!(sure.opened > 0 && sure.ended > 0, "something was acknowledged");
    if let Ok(report) = std::env::var("PROCESSION_KILLS_REPORT") {
        let figures = serde_json::json!({
            "kills": kills,
            "sessions": opened,
            "replayed": replays(house.dir()),
            "replayed_after_kills": seen.replayed,
            "starts_acknowledged": sure.opened,
            "ends_acknowledged": sure.ended,
            "ends_seen": seen.all.1,
            "closed_as_lost": number(
                &Connection::open(house.dir().join("history.db")).expect("the history"),
                "SELECT count(*) FROM sessions WHERE state = 'lost'",
            ),
        });
        fs::write(report, format!("{figures:#}\n")).expect("the report can be written");
    }
}

#[test]
fn a_life_that_is_over_at_once_leaves_its_history() {
    for round in 0..20 {
        let config = "processes: {it: {command: [sh, -c, 'exit 3']}}";
        let mut house = House::of_config(As::Subreaper, config);
        assert_eq!(house.end().0, 3);
        let folder = house.dir().join("state");
        assert!(folder.join("history.db").exists(), "round {round}");
        assert_eq!(sound(&folder), (1, 1), "round {round}");
    }
}
