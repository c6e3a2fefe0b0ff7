//! A life after `kill -9`: what the one before left open is closed, and what it left alive is
//! ended or taken over.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use crate::house::{As, BINARY, House, mark, marked, until};

fn config(mark: &str, recovery: &str) -> String {
    format!(
        "store: {{sqlite: DIR/history.db}}\nrecovery: {recovery}\nprocesses:\n  it:\n    command: \
         [sh, -c, 'sleep {mark} & sleep {mark} & wait']\n"
    )
}

/// Rows of a query as text, columns joined by a bar; none while the file is not there yet.
fn rows(folder: &Path, query: &str) -> Vec<String> {
    let Ok(db) = Connection::open(folder.join("history.db")) else { return Vec::new() };
    let Ok(mut found) = db.prepare(query) else { return Vec::new() };
    let columns = found.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        let value = |at| row.get::<_, rusqlite::types::Value>(at).map(|value| text(&value));
        Ok((0..columns).map(value).collect::<Result<Vec<_>, _>>()?.join("|"))
    };
    let found = found.query_map([], row).and_then(Iterator::collect);
    found.unwrap_or_default()
}

fn text(value: &rusqlite::types::Value) -> String {
    match value {
        rusqlite::types::Value::Text(text) => text.clone(),
        rusqlite::types::Value::Integer(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn run_files(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("state/runs")).map_or(0, |found| {
        found.flatten().filter(|file| file.path().extension().is_some_and(|e| e == "json")).count()
    })
}

/// Starts a life and ends it by `kill -9` once its session is stored and its run file written.
fn a_life_cut_short(mark: &str, recovery: &str) -> (House, Vec<i32>) {
    let mut house = House::of_config(As::Subreaper, &config(mark, recovery));
    let survivors = until("it runs", || Some(marked(mark)).filter(|found| found.len() == 3));
    until("the run file is written", || (run_files(house.dir()) == 1).then_some(()));
    // The database is held exclusively, so that its commit is seen in the write-ahead log only.
    until("the session is stored", || {
        let log = std::fs::metadata(house.dir().join("history.db-wal")).ok()?;
        (log.len() > 20_000).then_some(())
    });
    std::thread::sleep(Duration::from_millis(300));
    house.signal(9);
    assert_eq!(house.end().0, 137);
    assert_eq!(marked(mark), survivors, "nothing of ours ends with us");
    (house, survivors)
}

#[test]
fn what_an_earlier_life_left_is_ended_and_its_session_is_lost() {
    let mark = mark();
    let (first, survivors) = a_life_cut_short(&mark, "end");
    let mut second = first.again();
    let found = until("it runs again", || {
        Some(marked(&mark)).filter(|found| found.len() == 3 && found[0] != survivors[0])
    });
    assert!(found.iter().all(|pid| !survivors.contains(pid)), "{found:?} after {survivors:?}");
    second.signal(15);
    assert_eq!(second.end().0, 143);
    assert_eq!(marked(&mark), Vec::<i32>::new());
    let states = rows(second.dir(), "SELECT state FROM sessions ORDER BY started_ms");
    assert_eq!(states, ["lost", "completed"]);
    let events = rows(
        second.dir(),
        "SELECT event_type FROM session_events JOIN sessions ON id = session_id WHERE state = \
         'lost' ORDER BY sequence",
    );
    assert_eq!(events[..2], ["opened", "forked"]);
    assert!(events.contains(&"survivors_ended".to_owned()), "{events:?}");
    assert!(events.contains(&"lost".to_owned()), "{events:?}");
    assert_eq!(run_files(second.dir()), 0, "removed at a clean exit");
}

#[test]
fn what_an_earlier_life_left_is_taken_over_where_the_policy_says_so() {
    let mark = mark();
    let (first, survivors) = a_life_cut_short(&mark, "adopt");
    let mut second = first.again();
    until("the survivor is taken over", || {
        second.log().contains("taking over it (r1)").then_some(())
    });
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(marked(&mark), survivors, "nothing was started, nothing was ended");
    second.signal(15);
    // Nobody but its parent learns how a process ended.
    assert_eq!(second.end().0, 255);
    assert_eq!(marked(&mark), Vec::<i32>::new());
    let states = rows(second.dir(), "SELECT state, exit_status FROM sessions ORDER BY started_ms");
    assert_eq!(states, ["completed|unknown"], "the same session went on");
    let events =
        rows(second.dir(), "SELECT sequence, event_type FROM session_events ORDER BY sequence");
    let numbers: Vec<_> = events.iter().filter_map(|line| line.split('|').next()).collect();
    let expected: Vec<_> = (0..numbers.len()).map(|at| at.to_string()).collect();
    assert_eq!(numbers, expected, "no gap and nothing twice: {events:?}");
    let counted = rows(second.dir(), "SELECT events FROM sessions");
    assert_eq!(counted, [numbers.len().to_string()], "it counts those of both lives");
    let resumed = events.iter().position(|line| line.ends_with("|resumed"));
    assert!(resumed.is_some_and(|at| at >= 2 && at + 1 < events.len()), "{events:?}");
}

#[test]
fn a_pid_that_is_anothers_by_now_is_left_alone() {
    let mark = mark();
    let (first, survivors) = a_life_cut_short(&mark, "end");
    for pid in &survivors {
        let _ = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
    }
    let runs = first.dir().join("state/runs");
    let file = std::fs::read_dir(runs).expect("run files").flatten().next().expect("one").path();
    let text = std::fs::read_to_string(&file).expect("readable");
    let mut stranger = std::process::Command::new("sleep").arg("300").spawn().expect("sleep");
    let text = text.replace(
        &format!("\"pid\":{}", survivors.iter().min().expect("one")),
        &format!("\"pid\":{}", stranger.id()),
    );
    std::fs::write(&file, text).expect("writable");
    let mut second = first.again();
    until("it runs again", || Some(marked(&mark)).filter(|found| found.len() == 3));
    let lives = stranger.try_wait().expect("a child of ours").is_none();
    let _ = stranger.kill();
    let _ = stranger.wait();
    assert!(lives, "the start time tells a stranger from what we left behind");
    second.signal(15);
    assert_eq!(second.end().0, 143);
}

/// What is kept of each session is what its events tell, without a gap and with one end at most.
fn sound(folder: &Path) {
    let database = folder.join("history.db").display().to_string();
    let mut replay = std::process::Command::new(BINARY);
    let said = replay.args(["sessions", "replay", "--store", &database]).output().expect("it runs");
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains(" 0 are different"), "{said}");
    let odd = rows(
        folder,
        "SELECT session_id FROM session_events GROUP BY session_id HAVING count(*) <> \
         max(sequence) + 1 OR sum(event_type IN ('ended', 'lost')) > 1",
    );
    assert_eq!(odd, [""; 0]);
}

#[test]
fn what_a_survivor_does_while_the_store_is_away_until_our_end_is_kept_by_the_next_life() {
    let mark = mark();
    let (first, survivors) = a_life_cut_short(&mark, "adopt");
    let before = first.dir().to_owned();
    let other = Connection::open(before.join("history.db")).expect("the history");
    other.execute_batch("BEGIN EXCLUSIVE").expect("nobody holds it");
    let spooled = |folder: &Path| {
        let files = std::fs::read_dir(folder.join("state/spool")).ok()?.flatten();
        let text: String =
            files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).collect();
        text.contains("Unheard").then_some(())
    };
    // One life that is killed while it looks after it, and one that ends it.
    let mut second = first.again();
    until("what it does is in the spool", || spooled(second.dir()));
    second.signal(9);
    assert_eq!(second.end().0, 137);
    assert_eq!(marked(&mark), survivors, "it lives on");
    let mut third = second.again();
    until("the survivor is taken over again", || {
        third.log().contains("taking over it (r1)").then_some(())
    });
    third.signal(15);
    assert_eq!(third.end().0, 255);
    assert!(third.log().contains("waits in the spool"), "{}", third.log());
    drop(other);
    let mut fourth = third.again();
    until("it runs anew", || Some(marked(&mark)).filter(|found| found.len() == 3));
    fourth.signal(15);
    assert_eq!(fourth.end().0, 143);
    let told = rows(fourth.dir(), "SELECT state, exit_status FROM sessions ORDER BY started_ms");
    assert_eq!(
        told,
        ["completed|unknown", "completed|signal"],
        "its end is that of the third life"
    );
    let events = rows(
        fourth.dir(),
        "SELECT event_type FROM session_events WHERE session_id = (SELECT id FROM sessions ORDER \
         BY started_ms LIMIT 1) ORDER BY sequence",
    );
    let resumed = events.iter().filter(|event| *event == "resumed").count();
    // Its surroundings may be known only behind its end.
    let last = events.iter().rev().find(|event| *event != "context_captured");
    assert_eq!((resumed, last.map(String::as_str)), (2, Some("ended")), "{events:?}");
    sound(fourth.dir());
}
