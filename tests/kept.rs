//! Sessions that are kept, read over the real socket and by the real binary: listed page by page, with
//! their events, as trees, held against their events, and as JSON lines for those who ship logs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rusqlite::Connection;
use serde_json::Value;

use crate::control::schema::{complaints, schema};
use crate::house::{As, BINARY, House, until};

/// Runs of the process that ends at once; more than are known in memory.
const RUNS: usize = 130;

fn restless() -> String {
    format!(
        "control: DIR/c.sock\nstore: {{sqlite: DIR/history.db}}\nsessions: {{log: DIR/events.jsonl}}\n\
         processes:\n  steady: {{command: [sleep, \"1000\"]}}\n  short:\n    command: [\"false\"]\n    \
         restart: always\n    restart_policy: {{delay: 1ms, factor: 1, max_attempts: {RUNS}}}\n"
    )
}

fn ask(house: &House, arguments: &[&str]) -> Output {
    command(house, arguments).output().expect("our own binary")
}

fn command(house: &House, arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(arguments).env("PROCESSION_SOCKET", house.dir().join("c.sock"));
    command.stdin(Stdio::null());
    command
}

/// The names in a folder.
fn is_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

/// What is printed by a question that is answered.
fn told(house: &House, arguments: &[&str]) -> String {
    let output = ask(house, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn listed(house: &House, arguments: &[&str]) -> Value {
    let words = [&["sessions", "list", "--json"], arguments].concat();
    serde_json::from_str(&told(house, &words)).expect("JSON")
}

fn ids(page: &Value) -> Vec<String> {
    let sessions = page["sessions"].as_array().expect("a list").iter();
    sessions.map(|session| session["id"].as_str().expect("an id").to_owned()).collect()
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// A house in which all runs of the short process are over and kept.
fn rested() -> House {
    let house = House::of_config(As::Subreaper, &restless());
    until("its runs are over and kept", || {
        let output = ask(&house, &["sessions", "list", "--json", "-n", "1000", "-p", "short"]);
        let page: Value = serde_json::from_slice(&output.stdout).ok()?;
        let sessions = page["sessions"].as_array()?;
        let over = sessions.iter().all(|session| session["state"] == "failed");
        (sessions.len() > RUNS && over && page.get("incomplete").is_none()).then_some(())
    });
    house
}

#[test]
fn what_is_no_longer_in_memory_is_listed_shown_and_told_from_the_store() {
    let house = rested();
    let listing = listed(&house, &["-n", "1000"]);
    let all = ids(&listing);
    assert_eq!(all.len(), RUNS + 2, "each run of both");
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "none twice");
    let starts = listing["sessions"].as_array().expect("a list").iter();
    assert!(starts.rev().is_sorted_by_key(|it| it["started"].as_str()), "newest first");
    let mut paged = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let more = cursor.clone().unwrap_or_default();
        let words = if more.is_empty() { vec![] } else { vec!["--cursor", &more] };
        let page = listed(&house, &[&["-n", "17"], &words[..]].concat());
        paged.extend(ids(&page));
        cursor = page["next"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
        let other = ["sessions", "list", "-p", "short", "--cursor", cursor.as_deref().unwrap()];
        let refused = text(&ask(&house, &other).stderr);
        assert!(refused.contains("other filters"), "{refused}");
    }
    assert_eq!(paged, all, "page by page");
    let live = listed(&house, &["--live"]);
    assert_eq!((ids(&live).len(), &live["sessions"][0]["process"]), (1, &"steady".into()));
    assert_eq!(ids(&listed(&house, &["-s", "failed", "-n", "500"])).len(), RUNS + 1);
    let short: Vec<String> = ids(&listed(&house, &["-p", "short", "-n", "1000"]));
    let oldest = short.last().expect("the first run");
    assert_eq!(ids(&listed(&house, &[&oldest[..]])), std::slice::from_ref(oldest));
    let shown = told(&house, &["sessions", "show", oldest]);
    assert!(shown.contains("exit code 1") && shown.contains("failed"), "{shown}");
    let events = told(&house, &["sessions", "events", oldest, "--json"]);
    let events: Vec<Value> =
        events.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(events.iter().map(|it| it["sequence"].as_u64()).eq((0..events.len() as u64).map(Some)));
    assert_eq!(events[0]["event_type"], "opened");
    assert_eq!(events[0]["context"]["process"], "short");
    let ended = events.iter().find(|event| event["event_type"] == "ended").expect("an end");
    assert_eq!((&ended["subtype"], &ended["source"]), (&"failed".into(), &"init".into()));
    let tree = told(&house, &["sessions", "tree", oldest]);
    assert!(tree.starts_with(oldest), "{tree}");
    let living = told(&house, &["sessions", "tree"]);
    assert_eq!(living.lines().count(), 1, "{living}");
    assert!(living.starts_with(&ids(&live)[0]), "{living}");
    let counted = told(&house, &["sessions", "stats", "--json"]);
    let counted: Value = serde_json::from_str(&counted).expect("JSON");
    assert_eq!(complaints(&counted, &schema("Statistics"), "Statistics"), [""; 0]);
    assert_eq!(
        (&counted["groups"][0]["name"], &counted["totals"]["sessions"]),
        (&"short".into(), &(RUNS + 2).into())
    );
    assert_eq!(counted["groups"][0]["failure_rate"], 1.0);
    assert!(told(&house, &["sessions", "stats", "--by", "user", "--since", "1h"]).contains("all "));
    let unknown = ask(&house, &["sessions", "show", "nobody"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown.stderr).contains("nobody"));
}

#[test]
fn the_file_of_events_holds_what_the_store_holds() {
    let mut house = rested();
    house.signal(15);
    house.end();
    let told = lines(&house.dir().join("events.jsonl"));
    let db = Connection::open(house.dir().join("history.db")).expect("the history");
    let mut kept = db
        .prepare("SELECT session_id, sequence, event_type, source, detail FROM session_events")
        .expect("a sound query");
    let kept: BTreeSet<(String, u64, String, String, String)> = kept
        .query_map([], |row| {
            let sequence = row.get::<_, i64>(1)?.cast_unsigned();
            Ok((row.get(0)?, sequence, row.get(2)?, row.get(3)?, row.get(4)?))
        })
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("readable");
    let word = |event: &Value, name: &str| event[name].as_str().expect("a word").to_owned();
    let lines: BTreeSet<_> = told
        .iter()
        .map(|event| {
            let sequence = event["sequence"].as_u64().expect("a number");
            let (id, what) = (word(event, "session_id"), word(event, "event_type"));
            (id, sequence, what, word(event, "source"), event["context"].to_string())
        })
        .collect();
    assert_eq!(told.len(), lines.len(), "none twice");
    assert_eq!(lines, kept);
}

#[test]
fn what_is_kept_is_what_the_events_tell_and_what_is_not_is_found_and_repaired() {
    let mut house = rested();
    let said = told(&house, &["sessions", "replay"]);
    assert_eq!(
        said.trim(),
        format!("{} sessions are as their events say, 0 are different", RUNS + 2)
    );
    let database = house.dir().join("history.db").display().to_string();
    let held = ask(&house, &["sessions", "replay", "--store", &database]);
    assert_eq!(held.status.code(), Some(1));
    assert!(text(&held.stderr).contains("leave out --store"), "{}", text(&held.stderr));
    house.signal(15);
    house.end();
    // What several share who read a database is no part of what is kept.
    let is_kept = |path: &Path| !path.display().to_string().ends_with("-shm");
    let files = || {
        let mut files: Vec<_> = fs::read_dir(house.dir())
            .expect("a folder")
            .map(|entry| entry.expect("a file").path())
            .filter(|path| path.display().to_string().starts_with(&database) && is_kept(path))
            .map(|path| (path.clone(), fs::read(&path).expect("a file")))
            .collect();
        files.sort();
        files
    };
    let before = files();
    let whole = told(&house, &["sessions", "replay", "--store", &database]);
    assert!(whole.contains(" 0 are different"), "{whole}");
    assert!(files() == before, "whoever only looks writes nothing");
    let db = Connection::open(&database).expect("the history");
    let changed = db.execute(
        "UPDATE sessions SET state = 'completed', exit_code = 0 WHERE id = \
         (SELECT id FROM sessions WHERE process = 'short' ORDER BY started_ms LIMIT 1 OFFSET 3)",
        [],
    );
    assert_eq!(changed, Ok(1));
    drop(db);
    let found = ask(&house, &["sessions", "replay", "--store", &database]);
    assert_eq!(found.status.code(), Some(1), "{}", text(&found.stdout));
    let said = text(&found.stdout);
    assert!(said.contains("state is completed, and its events say failed"), "{said}");
    assert!(said.contains("1 are different"), "{said}");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let words = ["sessions", "replay", "--store", &database, "--repair"];
    let repaired = command(&house, &words).current_dir(elsewhere.path()).output();
    assert_eq!(repaired.expect("our own binary").status.code(), Some(0));
    assert_eq!(is_in(elsewhere.path()), [""; 0], "it leaves nothing where it is asked");
    let whole = told(&house, &["sessions", "replay", "--store", &database]);
    assert!(whole.contains(" 0 are different"), "{whole}");
    let missing = ask(&house, &["sessions", "replay", "--store", "/nowhere/history.db"]);
    assert!(text(&missing.stderr).contains("there is no such file"));
}

#[test]
fn who_only_looks_at_a_database_leaves_nothing_where_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    // Nobody listens at this port, which is found out after we know who we are.
    let url = "postgres://nobody@127.0.0.1:1/none?sslmode=disable&connect_timeout=1";
    let looked = Command::new(BINARY)
        .args(["sessions", "list", "--store", url])
        .current_dir(folder.path())
        .output()
        .expect("our own binary");
    assert_eq!(looked.status.code(), Some(1), "{}", text(&looked.stderr));
    assert!(text(&looked.stderr).contains("127.0.0.1"), "{}", text(&looked.stderr));
    assert_eq!(is_in(folder.path()), [""; 0]);
}

#[test]
fn a_history_that_nobody_supervises_with_is_read_like_one_that_somebody_does() {
    let mut house = rested();
    let spawned = "echo said and done; exit 3";
    ask(&house, &["spawn", "--wait", "--", "sh", "-c", spawned]);
    let store = house.dir().join("history.db").display().to_string();
    let held = ask(&house, &["sessions", "list", "--store", &store]);
    assert_eq!(held.status.code(), Some(1));
    assert!(text(&held.stderr).contains("leave out --store"), "{}", text(&held.stderr));
    let questions: [&[&str]; 2] = [
        &["sessions", "list", "-p", "short", "-n", "1000"],
        &["audit", "--json", "--action", "/v1/spawn", "-n", "1"],
    ];
    let before: Vec<_> = questions.iter().map(|words| told(&house, words)).collect();
    house.signal(15);
    house.end();
    let of_store = |words: &[&str]| told(&house, &[words, &["--store", &store]].concat());
    for (words, before) in questions.iter().zip(&before) {
        assert_eq!(of_store(words), *before, "{words:?}");
    }
    let steady = &ids(&listed(&house, &["--store", &store, "-p", "steady"]))[0];
    let shown = of_store(&["sessions", "show", steady]);
    assert!(shown.contains("ended by SIGTERM"), "{shown}");
    let happened = of_store(&["sessions", "events", steady]);
    assert!(happened.contains("stopping → completed"), "{happened}");
    assert!(of_store(&["sessions", "tree", steady]).contains(steady.as_str()));
    let counted = of_store(&["sessions", "stats", "--by", "kind"]);
    assert!(counted.contains(&(RUNS + 3).to_string()), "{counted}");
    assert_eq!(of_store(&["sessions", "export"]).lines().count(), RUNS + 3);
    let command = listed(&house, &["--store", &store, "--state", "failed", "-n", "1"]);
    let said = of_store(&["sessions", "output", &ids(&command)[0]]);
    assert!(said.contains("said and done"), "{said}");
    let missing = ask(&house, &["sessions", "list", "--store", "/nowhere/history.db"]);
    assert!(text(&missing.stderr).contains("there is no such file"));
    let folder = house.dir().display().to_string();
    let folder = ask(&house, &["sessions", "list", "--store", &folder]);
    assert!(text(&folder.stderr).contains("usually history.db"), "{}", text(&folder.stderr));
    let gone = ask(&house, &["sessions", "list"]);
    assert!(text(&gone.stderr).contains("--store FILE"), "{}", text(&gone.stderr));
}
