//! The promises of the SQLite store, each tried on a real file.

use std::cell::Cell;
use std::fs;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::ledger::row::Row;
use crate::ledger::session::{SessionEnd, SessionState};
use crate::store::examples::{AT, bare, batch, end, event, event_of, id, session};
use crate::store::reading::SaidWanted;
use crate::store::reading::statement::{self, Statement};
use crate::store::runfile::Owner;
use crate::store::suite::{self, Place};
use crate::units::ProcId;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn path(folder: &TempDir) -> PathBuf {
    folder.path().join("state/history.db")
}

fn opened(folder: &TempDir) -> SqliteStore {
    SqliteStore::open(&path(folder)).expect("it opens")
}

fn commit(store: &mut SqliteStore, rows: Vec<Row>) {
    store.commit(&[batch(rows)]).expect("it commits");
}

/// What a statement finds, one line for each row.
fn query(store: &mut SqliteStore, sql: &str) -> Vec<String> {
    lines(&store.file().expect("it is open").db, sql).expect("it is sound")
}

fn lines(db: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = db.prepare(sql)?;
    let width = statement.column_count();
    let line = |row: &rusqlite::Row<'_>| {
        (0..width).map(|at| row.get_ref(at).map(shown)).collect::<Result<Vec<_>, _>>()
    };
    let rows = statement.query_map([], line)?;
    rows.map(|row| Ok(row?.join(" "))).collect()
}

fn shown(value: rusqlite::types::ValueRef<'_>) -> String {
    use rusqlite::types::ValueRef;
    match value {
        ValueRef::Null => "-".into(),
        ValueRef::Integer(n) => n.to_string(),
        ValueRef::Real(n) => n.to_string(),
        ValueRef::Text(text) | ValueRef::Blob(text) => String::from_utf8_lossy(text).into(),
    }
}

fn count(store: &mut SqliteStore, table: &str) -> String {
    query(store, &format!("SELECT count(*) FROM {table}")).remove(0)
}

fn files(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path().join("state")).expect("listed").flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn ended(number: u128, state: SessionState, at: Wall) -> Row {
    let end = Some(SessionEnd { at, ..end() });
    Row::Session(Box::new(Session { state, end, ..bare(number) }))
}

/// The suite's place in a file.
struct InFile {
    folder: TempDir,
    lives: Cell<u128>,
}

impl Place for InFile {
    fn open(&self) -> Box<dyn Store> {
        self.lives.set(self.lives.get() + 1);
        let life = Life {
            id: id(1_000 + self.lives.get()),
            instance: "here".into(),
            host: "host".into(),
            owner: Owner {
                boot_id: "boot".into(),
                pid_namespace: "pid:[1]".into(),
                supervisor: ProcId { pid: 1, start_ticks: 1 },
            },
            began: AT,
        };
        let store = SqliteStore::open_as(&path(&self.folder), Some(life), Figures::default());
        Box::new(store.expect("it opens"))
    }

    fn query(&self, sql: &str) -> Result<Vec<String>, String> {
        let db = Connection::open(path(&self.folder)).map_err(|error| error.to_string())?;
        lines(&db, sql).map_err(|error| error.to_string())
    }

    fn plan(&self, sql: &str) -> String {
        self.query(&format!("EXPLAIN QUERY PLAN {sql}")).expect("it is planned").join("\n")
    }
}

#[test]
fn what_was_said_last_is_found_in_its_order_by_an_index() {
    let folder = folder();
    drop(opened(&folder));
    let db = Connection::open(path(&folder)).expect("opened");
    for before in [None, Some((AT, 7))] {
        let agent = "claude".to_owned();
        let wanted = SaidWanted { agent, before, limit: 9, ..SaidWanted::default() };
        let Statement { text, .. } = statement::of(&Question::Interactions(Box::new(wanted)));
        let text = text.replace("$1", "'claude'").replace("$2", "9").replace("$3", "9");
        let plan = lines(&db, &format!("EXPLAIN QUERY PLAN {text}")).expect("planned").join("\n");
        assert!(plan.contains("interactions_by_agent") && !plan.contains("TEMP B-TREE"), "{plan}");
    }
}

#[test]
fn every_promise_of_a_store_is_kept_in_a_file() {
    suite::run(|| Box::new(InFile { folder: folder(), lives: Cell::new(0) }));
}

#[test]
fn a_file_of_the_first_schema_is_brought_up_with_all_that_it_holds() {
    let folder = folder();
    fs::create_dir(folder.path().join("state")).expect("created");
    let old = Connection::open(path(&folder)).expect("opened");
    old.execute_batch(file::MIGRATIONS[0]).expect("it is sound");
    old.execute_batch(
        "PRAGMA application_id = 1886547811; PRAGMA user_version = 1;
         INSERT INTO sessions VALUES ('01M3DRVG000000000000000001', 'process', NULL, 'web', NULL,
         NULL, 'active', 5, 5, NULL, NULL, '{\"user\":\"ann\"}', 1, NULL, NULL, 0, NULL,
         0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL);",
    )
    .expect("it is filled");
    drop(old);
    let mut store = opened(&folder);
    assert_eq!(store.open_sessions().expect("read").len(), 1);
    let sql = "SELECT user_name, supervisor FROM sessions";
    assert_eq!(query(&mut store, sql), ["ann -"]);
}

#[test]
fn what_is_committed_outlives_a_kill_at_once() {
    let folder = folder();
    let mut store = opened(&folder);
    commit(&mut store, vec![event(0), session(1)]);
    // What a kill leaves is what the files hold now: nothing is closed, no log is folded in.
    let copy = tempfile::tempdir().expect("a folder");
    fs::create_dir(copy.path().join("state")).expect("created");
    for name in files(&folder) {
        let file = PathBuf::from("state").join(name);
        fs::copy(folder.path().join(&file), copy.path().join(&file)).expect("copied");
    }
    assert_eq!(opened(&copy).open_sessions().expect("read").len(), 1);
}

#[test]
fn no_file_is_mapped_and_nothing_is_flushed_but_for_what_is_folded_in() {
    let folder = folder();
    let mut store = opened(&folder);
    commit(&mut store, vec![event(0)]);
    assert_eq!(files(&folder), ["history.db", "history.db-wal"], "and no -shm");
    let maps = fs::read_to_string("/proc/self/maps").expect("read");
    assert!(!maps.contains(&*path(&folder).to_string_lossy()));
    for (pragma, value) in [("journal_mode", "wal"), ("synchronous", "1"), ("mmap_size", "0")] {
        assert_eq!(query(&mut store, &format!("PRAGMA {pragma}")), [value], "{pragma}");
    }
    store.hasten();
    assert_eq!(query(&mut store, "PRAGMA wal_autocheckpoint"), ["0"]);
    drop(store);
    assert_eq!(files(&folder), ["history.db", "history.db-wal"], "the log stays where it is");
}

/// The sessions that a copy of the file without its log has.
fn in_a_copy_without_log(folder: &TempDir) -> Option<usize> {
    let copy = self::folder();
    fs::create_dir(copy.path().join("state")).expect("created");
    fs::copy(path(folder), path(&copy)).expect("copied");
    SqliteStore::open(&path(&copy)).ok()?.open_sessions().map(|open| open.len()).ok()
}

#[test]
fn the_log_of_one_life_is_folded_in_by_the_next() {
    let folder = folder();
    commit(&mut opened(&folder), vec![event(0), session(1)]);
    assert_ne!(in_a_copy_without_log(&folder), Some(1), "else there is nothing to fold in");
    let mut store = opened(&folder);
    assert_eq!(store.open_sessions().expect("read").len(), 1, "the log is a part of the history");
    while store.prune(AT, &RetentionPlan::default()).expect("pruned") {}
    assert_eq!(in_a_copy_without_log(&folder), Some(1));
}

#[test]
fn history_is_readable_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let _store = opened(&folder);
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&path(&folder)), 0o600);
    assert_eq!(mode(&folder.path().join("state")), 0o700);
    assert_eq!(mode(&folder.path().join("state/history.db-wal")), 0o600);
}

fn refusal(path: &Path) -> String {
    SqliteStore::open(path).err().expect("it is refused").to_string()
}

#[test]
fn a_second_supervisor_is_told_that_the_file_is_taken() {
    let folder = folder();
    let _first = opened(&folder);
    let text = refusal(&path(&folder));
    assert!(text.starts_with("cannot open the history"), "{text}");
    assert!(text.contains("second procession"), "{text}");
}

#[test]
fn a_path_that_cannot_be_is_explained() {
    let folder = folder();
    fs::write(folder.path().join("file"), "").expect("written");
    for (name, advice) in [("file/history.db", "is needed"), (".", "name a file in it")] {
        let text = refusal(&folder.path().join(name));
        assert!(text.contains(advice), "{text}");
    }
}

#[test]
fn a_database_of_another_program_is_not_touched() {
    let folder = folder();
    let path = folder.path().join("other.db");
    let other = Connection::open(&path).expect("opened");
    other.execute_batch("CREATE TABLE notes (text)").expect("created");
    drop(other);
    let before = fs::read(&path).expect("read");
    assert!(refusal(&path).contains("another program"));
    assert_eq!(fs::read(&path).expect("read"), before);
}

#[test]
fn a_newer_schema_is_refused_with_advice() {
    let folder = folder();
    let mut store = opened(&folder);
    query(&mut store, "PRAGMA user_version = 9999");
    drop(store);
    let text = refusal(&path(&folder));
    assert!(text.contains("newer procession") && text.contains("9999"), "{text}");
}

#[test]
fn a_damaged_file_is_set_aside_with_its_log_and_a_new_one_begun() {
    for garbage in [b"\xff\0garbage".repeat(1000), b"short".to_vec(), vec![0xaa; 4096]] {
        let folder = folder();
        fs::create_dir(folder.path().join("state")).expect("created");
        fs::write(path(&folder), &garbage).expect("written");
        fs::write(folder.path().join("state/history.db-wal"), "old log").expect("written");
        commit(&mut opened(&folder), vec![event(0), session(1)]);
        assert_eq!(opened(&folder).open_sessions().expect("read").len(), 1);
        let names = files(&folder);
        let read = |name: &str| fs::read(folder.path().join("state").join(name)).expect("read");
        assert_ne!(read("history.db-wal"), b"old log", "the old log is out of the way");
        assert!(names[2].starts_with("history.db.corrupt-"), "{names:?}");
        let kept = read(&names[2]);
        assert_eq!(kept, garbage);
    }
}

#[test]
fn a_disk_that_keeps_failing_is_not_filled_with_damaged_files() {
    let folder = folder();
    fs::create_dir(folder.path().join("state")).expect("created");
    for at in 0..20 {
        fs::write(folder.path().join(format!("state/history.db.corrupt-{at:013}")), "")
            .expect("written");
    }
    fs::write(path(&folder), "garbage").expect("written");
    drop(opened(&folder));
    let names = files(&folder);
    assert_eq!(
        names.len(),
        8,
        "the new one, its log, the one set aside, and five older: {names:?}"
    );
    assert!(names.contains(&"history.db.corrupt-0000000000019".into()));
}

#[test]
fn damage_that_shows_only_later_is_set_aside_too() {
    let folder = folder();
    let mut store = opened(&folder);
    (0..200).for_each(|at| commit(&mut store, vec![event(at), session(u128::from(at))]));
    query(&mut store, "PRAGMA wal_checkpoint(TRUNCATE)");
    drop(store);
    let mut bytes = fs::read(path(&folder)).expect("read");
    // The schema is in the first pages and sound, so that the file opens.
    let half = bytes.len() / 2;
    bytes[half..].fill(0xaa);
    fs::write(path(&folder), bytes).expect("written");
    let mut store = opened(&folder);
    assert!(!files(&folder).iter().any(|name| name.contains("corrupt")), "not seen yet");
    let error = store.open_sessions().expect_err("it is damaged");
    assert!(!error.refused && error.cause.contains("malformed"), "{error}");
    commit(&mut store, vec![event(0), session(1)]);
    assert_eq!(count(&mut store, "sessions"), "1");
}

#[test]
fn a_file_that_somebody_deletes_is_begun_anew() {
    let folder = folder();
    let mut store = opened(&folder);
    commit(&mut store, vec![event(0), session(1)]);
    fs::remove_file(path(&folder)).expect("removed");
    let error = store.commit(&[batch(vec![event(1)])]).expect_err("its beginning is gone");
    assert!(error.refused, "{error}");
    commit(&mut store, vec![session(1)]);
    drop(store);
    assert_eq!(opened(&folder).open_sessions().expect("read").len(), 1);
}

#[test]
fn a_file_that_somebody_empties_is_begun_anew() {
    let folder = folder();
    let mut store = opened(&folder);
    commit(&mut store, vec![event(0), session(1)]);
    fs::write(path(&folder), "").expect("emptied");
    let error = store.commit(&[batch(vec![event(1)])]).expect_err("its beginning is gone");
    assert!(error.refused, "{error}");
    commit(&mut store, vec![session(1)]);
    drop(store);
    // Of an empty file SQLite throws the log away, and with it all that came after.
    assert_eq!(opened(&folder).open_sessions().expect("read").len(), 1);
}

#[test]
fn a_full_disk_takes_nothing_and_loses_nothing() {
    let folder = folder();
    let mut store = opened(&folder);
    query(&mut store, "PRAGMA max_page_count = 40");
    let mut next = 0;
    let error = loop {
        let rows = (next..next + 50).map(event).collect();
        match store.commit(&[batch(rows)]) {
            Ok(()) => next += 50,
            Err(error) => break error,
        }
    };
    assert!(!error.refused && error.cause.contains("free some space"), "{error}");
    assert_eq!(count(&mut store, "session_events"), next.to_string());
    query(&mut store, "PRAGMA max_page_count = 4000");
    commit(&mut store, (next..next + 50).map(event).collect());
}

#[test]
fn pruning_takes_many_short_steps_and_gives_the_space_back() {
    let folder = folder();
    let mut store = opened(&folder);
    let many = (0..1_000).flat_map(|n| [event_of(n, 0), ended(n, SessionState::Completed, AT)]);
    commit(&mut store, many.collect());
    let pages = |store: &mut SqliteStore| query(store, "PRAGMA page_count")[0].parse::<u32>();
    let before = pages(&mut store).expect("a number");
    let later =
        Wall(AT.0 + i64::try_from(Duration::from_secs(190 * 86_400).as_millis()).expect("small"));
    assert!(
        store.prune(later, &RetentionPlan::default()).expect("pruned"),
        "one step is not enough"
    );
    while store.prune(later, &RetentionPlan::default()).expect("pruned") {}
    assert_eq!(count(&mut store, "sessions"), "0");
    assert!(pages(&mut store).expect("a number") < before / 2);
}

#[test]
fn the_numbered_files_are_the_steps_that_are_taken() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/schema/sqlite");
    let steps = fs::read_dir(folder).expect("listed").count();
    let mut store = opened(&self::folder());
    assert_eq!(query(&mut store, "PRAGMA user_version"), [steps.to_string()]);
}
