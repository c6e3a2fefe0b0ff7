//! Budgets of an agent that writes transcripts, by the real binary: told of, acted upon at the control
//! door, refused, and neither forgotten nor doubled over `kill -9`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use procession::units::Wall;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::house::{As, BINARY, House, until};

/// A process that says when it gets USR1, and whose agent writes transcripts.
const CONFIG: &str = "control: DIR/c.sock\nstore: {sqlite: DIR/history.db}\nrecovery: end\nprocesses:\n  \
    it:\n    command: [sh, -c, \"trap 'echo told >> DIR/told' USR1; : > DIR/up; while :; do sleep 0.05; done\"]\n    \
    agent: {name: coder, transcripts: DIR/claude}\n  keep:\n    command: [sleep, '100000']\n";

/// Starts a life: whatever is written from now on is spent in it.
fn house(budgets: &str) -> House {
    let house = House::of_config(As::Subreaper, &format!("{CONFIG}budgets:\n{budgets}"));
    let known = || procession(house.dir(), &["budgets"]).status.success().then_some(());
    until("budgets are known", known);
    house
}

/// A response of so many tokens, given now.
fn append(folder: &Path, id: &str, tokens: u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_millis();
    let now = Wall(i64::try_from(now).expect("a time")).to_string();
    let project = folder.join("claude/projects/-src-x");
    fs::create_dir_all(&project).expect("a folder");
    let line = json!({
        "parentUuid": null, "isSidechain": false, "cwd": "/src/x", "sessionId": "aaaa",
        "version": "2.1.90", "type": "assistant", "uuid": format!("a-{id}"), "timestamp": now,
        "requestId": format!("req-{id}"),
        "message": {
            "id": format!("msg-{id}"), "model": "claude-sonnet-5", "role": "assistant",
            "stop_reason": "end_turn", "content": [{"type": "text", "text": "done"}],
            "usage": {"input_tokens": tokens - 10, "cache_creation_input_tokens": 0,
                      "cache_read_input_tokens": 0, "output_tokens": 10},
        },
    });
    let path = project.join("aaaa.jsonl");
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("a file");
    file.write_all(format!("{line}\n").as_bytes()).expect("room");
}

fn procession(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(arguments).env("PROCESSION_SOCKET", folder.join("c.sock")).stdin(Stdio::null());
    command.output().expect("our own binary")
}

fn budget(folder: &Path, name: &str) -> Option<Value> {
    let output = procession(folder, &["budgets", name, "--json"]);
    serde_json::from_slice(&output.stdout).ok().filter(|_| output.status.success())
}

/// Waits until so much of a budget is spent; more would be too much.
fn spent(folder: &Path, name: &str, tokens: u64) -> Value {
    let found = until(&format!("{tokens} tokens of {name} are spent"), || {
        budget(folder, name).filter(|it| it["spent"].as_u64() >= Some(tokens))
    });
    assert_eq!(found["spent"], tokens, "{found}");
    found
}

#[track_caller]
fn refused(folder: &Path, arguments: &[&str], words: &str) {
    let output = procession(folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(words), "{said}");
}

/// The events of budgets, in their order, once nobody holds the database.
fn events(folder: &Path) -> Vec<String> {
    let db = Connection::open(folder.join("history.db")).expect("a database");
    let query = "SELECT event_type || ' ' || coalesce(detail ->> 'percent', detail ->> 'action', '') \
                 FROM session_events WHERE cause = 'budget' ORDER BY at_ms, sequence";
    let mut found = db.prepare(query).expect("a query");
    let rows = found.query_map([], |row| row.get::<_, String>(0)).expect("rows");
    let rows: Result<Vec<String>, _> = rows.collect();
    rows.expect("text").iter().map(|row| row.trim().to_owned()).collect()
}

#[test]
fn the_command_of_a_budget_is_run_once_when_it_is_spent() {
    let mut house = house(
        "  it: {agent: coder, window: life, tokens: 1000, warn: [], action: hook, hook: {command: [sh, -c, \
         \"echo $$PROCESSION_HOOK $$PROCESSION_BUDGET $$PROCESSION_BUDGET_SPENT $$PROCESSION_BUDGET_LIMIT \
         $$PROCESSION_BUDGET_UNIT $$PROCESSION_PROCESS >> DIR/hook\"]}}\n",
    );
    let dir = house.dir().to_owned();
    append(&dir, "1", 999);
    spent(&dir, "it", 999);
    assert!(!dir.join("hook").exists());
    append(&dir, "2", 501);
    assert_eq!(house.await_lines("hook", 1), ["budget it 1500 1000 tokens it"]);
    append(&dir, "3", 500);
    assert_eq!(spent(&dir, "it", 2_000)["exceeded"], json!({"event": 1, "hook": 1}));
    assert_eq!(house.await_lines("hook", 1).len(), 1);
    house.signal(15);
    house.end();
}

#[test]
fn a_budget_is_told_of_then_signals_refuses_and_stops() {
    let mut house = house(
        "  told: {agent: coder, window: hour, tokens: 1000, warn: 50%, action: [USR1, refuse]}\n  \
         last: {process: it, window: hour, tokens: 2k, warn: [], action: stop}\n  \
         money: {window: life, cost: 1000 USD}\n",
    );
    let dir = house.dir().to_owned();
    let dir = dir.as_path();
    until("it listens to signals", || dir.join("up").exists().then_some(()));
    assert_eq!(spent(dir, "told", 0)["warnings"], 0);

    append(dir, "1", 600);
    let seen = spent(dir, "told", 600);
    assert_eq!((&seen["warnings"], &seen["is_spent"]), (&json!(1), &json!(false)));
    assert!(!dir.join("told").exists());
    assert!(procession(dir, &["sessions", "open", "--agent", "coder"]).status.success());

    append(dir, "2", 400);
    let seen = spent(dir, "told", 1_000);
    assert_eq!(seen["exceeded"], json!({"event": 1, "refuse": 1, "signal": 1}));
    assert_eq!(house.await_lines("told", 1), ["told"]);
    let words = "the budget \"told\" is spent; it opens again at 2";
    refused(dir, &["sessions", "open", "--agent", "coder"], words);
    refused(dir, &["restart", "it"], words);
    assert!(procession(dir, &["sessions", "open", "--agent", "other"]).status.success());
    assert!(procession(dir, &["restart", "keep"]).status.success());

    append(dir, "3", 1_000);
    assert_eq!(spent(dir, "last", 2_000)["exceeded"], json!({"event": 1, "stop": 1}));
    until("it is stopped", || {
        let output = procession(dir, &["ps", "--json"]);
        let found: Value = serde_json::from_slice(&output.stdout).ok()?;
        let all = found["processes"].as_array()?;
        let it = all.iter().find(|process| process["name"] == "it")?;
        (it["state"] == "exited" || it["pid"].is_null()).then_some(())
    });
    refused(dir, &["start", "it"], words);
    let money = budget(dir, "money").expect("known");
    assert!(money["spent"].as_u64() > Some(0), "{money}");
    let table = procession(dir, &["budgets"]).stdout;
    let table = String::from_utf8_lossy(&table).into_owned();
    let row = table.lines().find(|line| line.starts_with("told ")).expect("a row");
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(cells[..7], ["told", "coder", "hour", "2,000", "1,000", "200", "%"], "{table}");
    refused(dir, &["budgets", "tolt"], "did you mean \"told\"?");
    assert_eq!(house.await_lines("told", 1), ["told"], "once");

    house.signal(15);
    house.end();
    let expected = [
        "budget_warning 50",
        "budget_exceeded",
        "budget_action signal",
        "budget_exceeded",
        "budget_action stop",
    ];
    assert_eq!(events(dir), expected);
}

#[test]
fn what_is_spent_outlives_kill_9_and_is_counted_once() {
    let mut first =
        house("  b: {agent: coder, window: hour, tokens: 1000, warn: 90%, action: refuse}\n");
    let dir = first.dir().to_owned();
    let dir = dir.as_path();
    append(dir, "1", 600);
    spent(dir, "b", 600);
    first.signal(9);
    assert_eq!(first.end().0, 137);
    append(dir, "2", 200);

    let mut second = first.again();
    let seen = spent(dir, "b", 800);
    assert_eq!((&seen["warnings"], &seen["is_spent"]), (&json!(0), &json!(false)));
    append(dir, "3", 200);
    assert_eq!(spent(dir, "b", 1_000)["exceeded"]["refuse"], 1);
    second.signal(15);
    second.end();
    assert_eq!(events(dir), ["budget_warning 90", "budget_exceeded"]);

    let mut third = second.again();
    let seen = spent(dir, "b", 1_000);
    assert_eq!(seen["exceeded"], json!({"event": 0, "refuse": 0}), "told in the life before");
    refused(dir, &["sessions", "open", "--agent", "coder"], "the budget \"b\" is spent");
    third.signal(15);
    third.end();
    assert_eq!(events(dir).len(), 2);
}

#[test]
fn who_was_left_behind_and_goes_on_spending_is_ended() {
    let config = CONFIG.replacen("processes:", "tokens: {orphaned_spenders: end}\nprocesses:", 1);
    let mut house = House::of_config(As::Subreaper, &config);
    let dir = house.dir().to_owned();
    let dir = dir.as_path();
    let it = || {
        let output = procession(dir, &["ps", "--json"]);
        let found: Value = serde_json::from_slice(&output.stdout).ok()?;
        let all = found["processes"].as_array()?.clone();
        all.into_iter().find(|process| process["name"] == "it")
    };
    let session = until("it runs", || Some(it()?["session"].as_str()?.to_owned()));
    // Somebody of another parent, whom no end of the run reaches.
    let mut left = Command::new("sleep")
        .arg("100000")
        .env("PROCESSION_SESSION_ID", &session)
        .stdin(Stdio::null())
        .spawn()
        .expect("a process");
    let mut other = Command::new("sleep").arg("100000").stdin(Stdio::null()).spawn().expect("one");
    assert!(procession(dir, &["stop", "it"]).status.success());
    let mut id = 0;
    until("who was left behind is ended", || {
        id += 1;
        append(dir, &format!("late-{id}"), 100);
        std::thread::sleep(std::time::Duration::from_millis(200));
        left.try_wait().expect("a child of ours")
    });
    assert!(other.try_wait().expect("a child of ours").is_none(), "it is nobody's orphan");
    other.kill().expect("it lives");
    other.wait().expect("it ends");
    house.signal(15);
    house.end();
    let db = Connection::open(dir.join("history.db")).expect("a database");
    let query = "SELECT group_concat(event_type) FROM session_events WHERE session_id = ?1 AND \
                 event_type LIKE 'orphaned%'";
    let told: String = db.query_row(query, [&session], |row| row.get(0)).expect("events");
    assert!(told.starts_with("orphaned_spender,orphaned_spender_action"), "{told}");
}
