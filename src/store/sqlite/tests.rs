//! The promises of the SQLite store, each tried on a real file.

use std::fs;
use std::time::Duration;

use tempfile::TempDir;

use super::resume::MOST_PROGRESS;
use super::*;
use crate::ledger::row::Row;
use crate::ledger::session::{SessionEnd, SessionKind, SessionState};
use crate::store::examples::{AT, bare, batch, end, event, event_of, id, sample, session, usage};
use crate::tokens::{Cost, FileProgress, UsageKey};
use crate::units::ExitStatus;

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
    let db = &store.file().expect("it is open").db;
    let mut statement = db.prepare(sql).expect("it is sound");
    let width = statement.column_count();
    let line = |row: &rusqlite::Row<'_>| {
        (0..width).map(|at| row.get_ref(at).map(shown)).collect::<Result<Vec<_>, _>>()
    };
    let rows = statement.query_map([], line).expect("it runs");
    rows.map(|row| row.expect("it is read").join(" ")).collect()
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
    Row::Session(Box::new(crate::ledger::session::Session { state, end, ..bare(number) }))
}

#[test]
fn every_column_of_a_session_is_kept() {
    let folder = folder();
    let mut store = opened(&folder);
    commit(&mut store, vec![session(1)]);
    let kept = query(
        &mut store,
        "SELECT kind, process, agent, native_id, state, started_ms, last_activity_ms, pid, \
         start_ticks, json_extract(context, '$.git.branch'), events, peak_memory_bytes, \
         mean_memory_bytes, memory_samples, cpu_seconds, tokens_input, tokens_output, \
         tokens_cache_read, cost_nanodollars, unpriced_tokens, ended_ms FROM sessions",
    );
    let expected = "process web claude native active 1790000000000 1790000000005 42 4294967296 \
                    main 2 200 100 4 1.5 1 2 3 77 6 -";
    assert_eq!(kept, [expected]);
    assert_eq!(
        query(&mut store, "SELECT id, parent FROM sessions"),
        [format!("{} {}", id(1), id(99))]
    );
}

#[test]
fn every_way_to_end_is_told_apart() {
    let folder = folder();
    let mut store = opened(&folder);
    for (status, columns) in [
        (Some(ExitStatus::Code(3)), "code 3 -"),
        (Some(ExitStatus::Signal(crate::units::Signal::TERM)), "signal - 15"),
        (Some(ExitStatus::Unknown), "unknown - -"),
        (None, "- - -"),
    ] {
        let mut session = bare(1);
        session.end = Some(SessionEnd { status, ..end() });
        commit(&mut store, vec![Row::Session(Box::new(session))]);
        let sql = "SELECT exit_status, exit_code, exit_signal, duration_ms, reason FROM sessions";
        let expected = format!("{columns} 10000 it ended by itself");
        assert_eq!(query(&mut store, sql), [expected]);
        query(&mut store, "DELETE FROM sessions");
    }
}

#[test]
fn a_later_life_that_knows_little_closes_a_session_without_loss() {
    let folder = folder();
    let mut store = opened(&folder);
    commit(&mut store, vec![session(1)]);
    commit(&mut store, vec![ended(1, SessionState::Lost, AT)]);
    let sql = "SELECT state, agent, pid, json_extract(context, '$.git.branch'), \
               peak_memory_bytes, tokens_output, cost_nanodollars FROM sessions";
    assert_eq!(query(&mut store, sql), ["lost claude 42 main 200 2 77"]);
    commit(&mut store, vec![session(1)]);
    assert_eq!(query(&mut store, "SELECT state FROM sessions"), ["lost"], "an end stays");
}

#[test]
fn every_other_row_is_kept_and_counts_once_however_often_it_comes() {
    let folder = folder();
    let mut store = opened(&folder);
    let Row::Usage { session, process, mut usage } = usage(u64::MAX) else { unreachable!() };
    usage.cost = Cost::Unpriced;
    let rows = vec![
        event(0),
        event(1),
        sample(0),
        crate::store::examples::usage(1),
        Row::Usage { session, process, usage },
        Row::Seen(UsageKey(7)),
    ];
    commit(&mut store, rows.clone());
    commit(&mut store, rows);
    let sql = "SELECT sequence, at_ms, event_type, previous_state, new_state, cause, detail \
               FROM session_events";
    let line = |at| format!("{at} {} started initializing active executed {{\"attempt\":1}}", AT.0);
    assert_eq!(query(&mut store, sql), [line(0), line(1)]);
    let sql = "SELECT at_ms, label, resident_bytes, anonymous_bytes, processes \
               FROM memory_samples";
    assert_eq!(query(&mut store, sql), [format!("{} interval 4096 1024 3", AT.0)]);
    let sql = "SELECT key, process, agent, provider, model, conversation, tokens_input, \
               tokens_output, reasoning, cost_nanodollars FROM token_usage ORDER BY key";
    let usages = [
        "-1 web claude anthropic a-model native 10 20 5 -",
        "1 web claude anthropic a-model native 10 20 5 1000",
    ];
    assert_eq!(query(&mut store, sql), usages);
}

#[test]
fn a_new_life_reads_what_it_must_know() {
    use std::os::unix::ffi::OsStringExt;
    let folder = folder();
    let odd = std::ffi::OsString::from_vec(b"/log/\xff.jsonl".to_vec());
    let file = FileProgress { path: odd.into(), device: u64::MAX, inode: 1 << 63, offset: 5 };
    let mut further = file.clone();
    further.offset = 9;
    let mut store = opened(&folder);
    commit(&mut store, vec![event(0), event(1), session(1)]);
    commit(&mut store, vec![event_of(2, 0), ended(2, SessionState::Completed, AT)]);
    commit(&mut store, vec![usage(u64::MAX), Row::Seen(UsageKey(7)), Row::Progress(file)]);
    commit(&mut store, vec![Row::Progress(further.clone())]);
    drop(store);

    let mut store = opened(&folder);
    let open = OpenSession {
        id: id(1),
        kind: SessionKind::Process,
        state: SessionState::Active,
        process: "web".into(),
        started: AT,
        events: 2,
    };
    assert_eq!(store.open_sessions().expect("read"), [open]);
    let mut resume = store.token_resume().expect("read");
    resume.seen.sort();
    assert_eq!(resume.seen, [UsageKey(7), UsageKey(u64::MAX)]);
    assert_eq!(resume.progress, [further]);
}

#[test]
fn a_gap_and_a_changed_line_are_refused_and_nothing_of_their_batch_is_kept() {
    let folder = folder();
    let mut store = opened(&folder);
    commit(&mut store, vec![event(0)]);
    let Row::Event(mut changed) = event(0) else { unreachable!() };
    changed.event_type = "ended";
    for bad in [event(2), Row::Event(changed)] {
        let error = store.commit(&[batch(vec![usage(1), bad])]).expect_err("it is refused");
        assert!(error.refused, "{error}");
        assert_eq!(count(&mut store, "token_usage"), "0");
    }
}

#[test]
fn a_gap_is_taken_where_it_is_told() {
    let folder = folder();
    let mut store = opened(&folder);
    commit(&mut store, vec![event(0)]);
    let Row::Event(mut gap) = event(6) else { unreachable!() };
    gap.event_type = crate::store::spool::EVENTS_LOST;
    commit(&mut store, vec![Row::Event(gap), event(7)]);
    assert_eq!(query(&mut store, "SELECT sequence FROM session_events"), ["0", "6", "7"]);
}

#[test]
fn history_cannot_be_rewritten() {
    let folder = folder();
    let mut store = opened(&folder);
    commit(&mut store, vec![event(0), session(1)]);
    let db = &store.file().expect("open").db;
    for sql in ["UPDATE session_events SET cause = ''", "DELETE FROM session_events"] {
        let error = db.execute(sql, []).expect_err(sql);
        assert!(error.to_string().contains("append-only"), "{error}");
    }
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
fn no_file_is_mapped_and_the_log_is_folded_in_at_the_end() {
    let folder = folder();
    let mut store = opened(&folder);
    commit(&mut store, vec![event(0)]);
    assert_eq!(files(&folder), ["history.db", "history.db-wal"], "and no -shm");
    let maps = fs::read_to_string("/proc/self/maps").expect("read");
    assert!(!maps.contains(&*path(&folder).to_string_lossy()));
    for (pragma, value) in [("journal_mode", "wal"), ("synchronous", "2"), ("mmap_size", "0")] {
        assert_eq!(query(&mut store, &format!("PRAGMA {pragma}")), [value], "{pragma}");
    }
    drop(store);
    assert_eq!(files(&folder), ["history.db"]);
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
        assert!(!names.contains(&"history.db-wal".into()), "the old log is out of the way");
        assert!(names[1].starts_with("history.db.corrupt-"), "{names:?}");
        let kept = fs::read(folder.path().join("state").join(&names[1])).expect("read");
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
    assert_eq!(names.len(), 7, "the new one, the one set aside, and five older: {names:?}");
    assert!(names.contains(&"history.db.corrupt-0000000000019".into()));
}

#[test]
fn damage_that_shows_only_later_is_set_aside_too() {
    let folder = folder();
    let mut store = opened(&folder);
    (0..200).for_each(|at| commit(&mut store, vec![event(at), session(u128::from(at))]));
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
fn ended_sessions_leave_after_their_time_with_all_that_is_theirs() {
    let folder = folder();
    let mut store = opened(&folder);
    let days = |n: i64| Wall(AT.0 + n * 24 * 60 * 60 * 1000);
    for (number, state) in [(1, SessionState::Completed), (2, SessionState::Failed)] {
        commit(&mut store, vec![event_of(number, 0), ended(number, state, AT)]);
    }
    commit(&mut store, vec![event_of(3, 0), session(3), sample(0), usage(1)]);
    let mut left_after = |n| {
        while store.prune(days(n)).expect("pruned") {}
        ["sessions", "session_events", "memory_samples"].map(|table| count(&mut store, table))
    };
    assert_eq!(left_after(5), ["3", "3", "1"]);
    assert_eq!(left_after(29), ["3", "3", "0"]);
    assert_eq!(left_after(31), ["2", "2", "0"]);
    assert_eq!(left_after(91), ["1", "1", "0"], "what has not ended stays");
}

#[test]
fn how_far_a_log_was_read_is_kept_for_as_long_as_it_may_lie_there() {
    let folder = folder();
    let mut store = opened(&folder);
    let row = |inode: u64| {
        let path = PathBuf::from(format!("/logs/{inode}"));
        Row::Progress(FileProgress { path, device: 1, inode, offset: 7 })
    };
    commit(&mut store, vec![row(0)]);
    let years_later = Wall(clock::now().wall.0 + 1_000 * 24 * 60 * 60 * 1000);
    while store.prune(years_later).expect("pruned") {}
    assert_eq!(count(&mut store, "file_progress"), "1");
    std::thread::sleep(Duration::from_millis(2));
    commit(&mut store, (1..=u64::from(MOST_PROGRESS)).map(row).collect());
    while store.prune(years_later).expect("pruned") {}
    let kept = store.token_resume().expect("readable").progress;
    assert_eq!(kept.len() as u32, MOST_PROGRESS);
    assert!(kept.iter().all(|row| row.inode > 0), "the oldest goes");
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
        Wall(AT.0 + i64::try_from(Duration::from_secs(40 * 86_400).as_millis()).expect("small"));
    assert!(store.prune(later).expect("pruned"), "one step is not enough");
    while store.prune(later).expect("pruned") {}
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
