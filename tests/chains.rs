//! Chains of agents from transcripts as Claude Code writes them, over lives that are cut short by
//! `kill -9`; and transcripts on disk that are whole or not.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::house::{As, BINARY, House, until};

const CONFIG: &str = "control: DIR/c.sock\nstore: {sqlite: DIR/history.db}\nrecovery: end\n\
    privacy: {excerpts: true}\nprocesses:\n  it:\n    command: [sleep, '100000']\n    agent:\n      \
    {name: coder, transcripts: DIR/claude, context_window: 100000}\n";

fn procession(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(arguments).env("PROCESSION_SOCKET", folder.join("c.sock")).stdin(Stdio::null());
    command.output().expect("our own binary")
}

/// What is printed by a verb that works, as JSON.
fn told(folder: &Path, arguments: &[&str]) -> Option<Value> {
    let output = procession(folder, &[arguments, &["--json"]].concat());
    serde_json::from_slice(&output.stdout).ok().filter(|_| output.status.success())
}

fn current(folder: &Path) -> Option<Value> {
    let found = told(folder, &["agents", "list"])?;
    found["agents"].as_array()?.iter().find(|agent| agent["agent"] == "coder").cloned()
}

fn append(folder: &Path, conversation: &str, lines: &[Value]) {
    let project = folder.join("claude/projects/-src-x");
    fs::create_dir_all(&project).expect("a folder");
    let path = project.join(format!("{conversation}.jsonl"));
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("a file");
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    file.write_all(text.as_bytes()).expect("room");
}

fn prompt(conversation: &str, id: &str, text: &str) -> Value {
    json!({
        "parentUuid": null, "isSidechain": false, "userType": "external", "cwd": "/src/x",
        "sessionId": conversation, "version": "2.1.90", "type": "user", "uuid": format!("u-{id}"),
        "timestamp": "2026-10-01T10:00:00.000Z",
        "message": {"role": "user", "content": text},
    })
}

/// A response that fills so many tokens of the window and uses tools on a file.
fn response(conversation: &str, id: &str, tokens: u64, file: &str) -> Value {
    json!({
        "parentUuid": format!("u-{id}"), "isSidechain": false, "cwd": "/src/x",
        "sessionId": conversation, "version": "2.1.90", "type": "assistant",
        "uuid": format!("a-{id}"), "timestamp": "2026-10-01T10:00:02.000Z",
        "requestId": format!("req-{id}"),
        "message": {
            "id": format!("msg-{id}"), "model": "claude-sonnet-5", "role": "assistant",
            "stop_reason": "tool_use",
            "content": [
                {"type": "text", "text": format!("I look at {file}")},
                {"type": "tool_use", "id": "t1", "name": "Edit",
                 "input": {"file_path": file, "old_string": "a", "new_string": "\u{1f980}"}},
                {"type": "tool_use", "id": "t2", "name": "TodoWrite",
                 "input": {"todos": [{"content": format!("mend {file}"), "status": "in_progress"}]}},
            ],
            "usage": {"input_tokens": 6, "cache_creation_input_tokens": 0,
                      "cache_read_input_tokens": tokens - 16, "output_tokens": 10},
        },
    })
}

fn kill(house: House) -> House {
    let mut house = house;
    house.signal(9);
    assert_eq!(house.end().0, 137);
    house.again()
}

fn rows(folder: &Path, query: &str) -> Vec<String> {
    let db = Connection::open(folder.join("history.db")).expect("a database");
    let mut found = db.prepare(query).expect("a query");
    let rows = found.query_map([], |row| row.get::<_, String>(0)).expect("rows");
    rows.collect::<Result<_, _>>().expect("text")
}

#[test]
fn a_chain_goes_on_over_kill_9_and_forks_are_linked() {
    let house = House::of_config(As::Subreaper, CONFIG);
    let dir = house.dir().to_owned();
    until("the agent is known", || current(&dir).filter(|it| it["count"] == 0));
    std::thread::sleep(Duration::from_millis(700));
    let first = [
        prompt("aaaa", "1", "mend it; password=hunter2-hunter2"),
        response("aaaa", "1", 50_000, "/src/x/one.rs"),
    ];
    append(&dir, "aaaa", &first);
    let is = |responses: u64| move |it: &Value| it["current"]["responses"] == responses;
    let seen = until("the conversation is known", || current(&dir).filter(is(1)));
    assert_eq!((&seen["first"], &seen["current"]["ratio"]), (&json!("aaaa"), &json!(0.5)));
    std::thread::sleep(Duration::from_secs(1));

    let house = kill(house);
    append(&dir, "aaaa", &[prompt("aaaa", "2", "go on")]);
    append(&dir, "aaaa", &[response("aaaa", "2", 86_000, "/src/x/two.rs")]);
    let seen = until("what was written meanwhile is known", || current(&dir).filter(is(2)));
    let due = |it: &Value| it["current"]["hand_over_due"] == true;
    let seen = until("a hand-over is due", || {
        Some(seen.clone()).filter(due).or_else(|| current(&dir).filter(due))
    });
    assert_eq!((&seen["count"], &seen["current"]["prompts"]), (&json!(1), &json!(2)));
    let text = procession(&dir, &["agents", "hand-over", "coder"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    for words in ["86000 of 100000 tokens, 86.0 %", "A hand-over is due", "- mend /src/x/two.rs"] {
        assert!(text.contains(words), "{words}: {text}");
    }

    // A fork: the same lines under another session, and then its own.
    let copies = [
        prompt("bbbb", "1", "mend it; password=hunter2-hunter2"),
        response("bbbb", "1", 50_000, "/src/x/one.rs"),
    ];
    append(&dir, "bbbb", &copies);
    append(&dir, "bbbb", &[prompt("bbbb", "3", "another way")]);
    append(&dir, "bbbb", &[response("bbbb", "3", 95_000, "/src/x/three.rs")]);
    let next = |it: &Value| it["current"]["id"] == "bbbb" && it["current"]["full"] == true;
    let seen = until("the fork is known", || current(&dir).filter(next));
    assert_eq!((&seen["count"], &seen["current"]["resumes"]), (&json!(2), &json!("aaaa")));
    assert_eq!(seen["current"]["prompts"], 1, "copies are nobody's prompts");
    let left = told(&dir, &["agents", "continuation", "coder"]).expect("known");
    assert_eq!(left["files"], json!(["/src/x/one.rs", "/src/x/two.rs", "/src/x/three.rs"]));
    assert_eq!(left["tools"], json!(["Edit", "TodoWrite"]));
    let said = told(&dir, &["agents", "interactions", "coder"]).expect("known");
    let said = said["interactions"].as_array().expect("a list").clone();
    assert_eq!(said.len(), 3);
    assert_eq!(said[2]["response"], "I look at /src/x/three.rs");
    assert!(!said[0].to_string().contains("hunter2"), "{}", said[0]);
    assert_eq!(procession(&dir, &["agents", "contains", "coder", "aaaa"]).status.code(), Some(0));
    assert_eq!(procession(&dir, &["agents", "contains", "coder", "cccc"]).status.code(), Some(1));

    let mut house = kill(house);
    let seen = until("the chain is there again", || current(&dir).filter(next));
    assert_eq!((&seen["count"], &seen["current"]["number"]), (&json!(2), &json!(2)));
    house.signal(15);
    assert_eq!(house.end().0, 143);
    let events = "SELECT event_type FROM session_events WHERE event_type IN ('resumed_from', \
                  'hand_over_due', 'context_full') ORDER BY at_ms, session_id, sequence";
    // The first conversation goes on in the next run; the fork goes on with it.
    let expected =
        ["resumed_from", "hand_over_due", "resumed_from", "hand_over_due", "context_full"];
    assert_eq!(rows(&dir, events), expected);
    let kept = "SELECT conversation || ' ' || prompts || ' ' || responses FROM agent_chains \
                ORDER BY number";
    assert_eq!(rows(&dir, kept), ["aaaa 2 2", "bbbb 1 1"]);
}

#[test]
fn conversations_that_memory_forgot_are_told_from_the_store_and_what_comes_next_is_in_a_file() {
    const ALL: u64 = 130;
    let house = House::of_config(As::Subreaper, CONFIG);
    let dir = house.dir().to_owned();
    until("the agent is known", || current(&dir).filter(|it| it["count"] == 0));
    std::thread::sleep(Duration::from_millis(700));
    for number in 1..=ALL {
        let (id, file) = (format!("talk-{number}"), format!("/src/x/{number}.rs"));
        append(&dir, &id, &[prompt(&id, &id, "mend it"), response(&id, &id, 1_000, &file)]);
    }
    until("all of them are known", || current(&dir).filter(|it| it["count"] == ALL));
    let page = |arguments: &[&str]| {
        let words = [&["agents", "conversations", "coder"], arguments].concat();
        told(&dir, &words).expect("a page")
    };
    let all = || {
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let begin = before.map(|before: u64| format!("--before={before}")).unwrap_or_default();
            let arguments = [&["-n", "40"][..], if begin.is_empty() { &[] } else { &[&*begin] }];
            let part = page(&arguments.concat());
            assert_eq!(part["count"], ALL);
            let links = part["conversations"].as_array().expect("a list").clone();
            assert!(links.len() <= 40, "{part}");
            found.extend(links);
            before = part["next"].as_u64();
            if before.is_none() {
                return found;
            }
        }
    };
    let answered = |link: &Value| link["prompts"] == 1 && link["responses"] == 1;
    let found = until("all of them are kept", || {
        Some(all()).filter(|it| it.len() as u64 == ALL && it.iter().all(answered))
    });
    let numbers: Vec<u64> = found.iter().filter_map(|it| it["number"].as_u64()).collect();
    assert_eq!(numbers, (1..=ALL).rev().collect::<Vec<_>>());
    for number in [3, 60, ALL] {
        let number_said = number.to_string();
        let one = page(&["--number", &number_said]);
        let link = &found[(ALL - number) as usize];
        assert_eq!(one["conversations"], json!([link]), "{number}");
        let id = link["id"].as_str().expect("an id");
        let inside = told(&dir, &["agents", "contains", "coder", id]).expect("an answer");
        assert_eq!(inside["number"], number);
        let file = format!("/src/x/{}.rs", id.trim_start_matches("talk-"));
        let asked = ["agents", "continuation", "coder", "--conversation", id];
        until("what it worked on is told", || {
            told(&dir, &asked).filter(|it| it["files"] == json!([file]))
        });
    }
    assert_eq!(page(&["--number", "131"])["conversations"], json!([]));

    let file = dir.join("state/agents/coder.json");
    let is_told = || {
        let text = procession(&dir, &["agents", "hand-over", "coder"]);
        let text = String::from_utf8_lossy(&text.stdout).into_owned();
        let saved: Value = serde_json::from_slice(&fs::read(&file).ok()?).expect("never a half");
        let said = saved["hand_over"]["text"].as_str().map(str::trim_end);
        let files = saved["continuation"]["files"].as_array().map(Vec::len);
        (said == Some(text.trim_end()) && files == Some(1)).then_some(saved)
    };
    let saved = until("the newest is in the file", is_told);
    assert_eq!((&saved["count"], &saved["version"]), (&json!(ALL), &json!(1)));
    let house = kill(house);
    until("the next life knows the chain", || current(&dir).filter(|it| it["count"] == ALL));
    until("the file is of the next life", is_told);
    goes_on_behind_the_newest(&dir);
    says_all_that_was_said(&dir, ALL as usize);
    assert!(procession(&dir, &["agents", "reset", "coder"]).status.success());
    until("it goes with its chain", || (!file.exists()).then_some(()));
    drop(house);
}

/// A conversation of which memory knows only the number goes on as itself, and what it worked on before
/// stays, in a life that has not heard of it yet.
fn goes_on_behind_the_newest(dir: &Path) {
    for (turn, files) in [("again", vec!["5", "again"]), ("later", vec!["5", "again", "later"])] {
        append(dir, "talk-5", &[response("talk-5", turn, 2_000, &format!("/src/x/{turn}.rs"))]);
        let files: Vec<String> = files.iter().map(|file| format!("/src/x/{file}.rs")).collect();
        let asked = ["agents", "continuation", "coder", "--conversation", "talk-5"];
        let told = until("what it worked on is told", || {
            told(dir, &asked).filter(|it| it["files"] == json!(files))
        });
        assert_eq!(told["number"], 5, "{told}");
    }
    let inside = told(dir, &["agents", "contains", "coder", "talk-5"]).expect("an answer");
    assert_eq!(inside["number"], 5);
}

/// What was asked is there page by page, each once.
fn says_all_that_was_said(dir: &Path, all: usize) {
    let (mut found, mut before) = (Vec::new(), String::new());
    loop {
        let words = ["agents", "interactions", "coder", "-n", "40"];
        let more = ["--before", before.as_str()];
        let words = [&words[..], if before.is_empty() { &[] } else { &more }].concat();
        let page = told(dir, &words).expect("a page");
        let said = page["interactions"].as_array().expect("a list").clone();
        assert!(said.len() <= 40 && said.is_sorted_by_key(|one| one["at"].to_string()), "{page}");
        found.extend(said.into_iter().map(|one| one["conversation"].to_string()));
        match page["next"].as_str() {
            Some(next) => before = next.to_owned(),
            None => break,
        }
    }
    let each: std::collections::BTreeSet<_> = found.iter().collect();
    assert_eq!((found.len(), each.len()), (all, all));
    let strange = procession(dir, &["agents", "interactions", "coder", "--before", "x"]);
    assert!(String::from_utf8_lossy(&strange.stderr).contains("before"), "{strange:?}");
}

#[test]
fn prompts_count_once_however_often_the_supervisor_is_killed() {
    let mut house = House::of_config(As::Subreaper, CONFIG);
    let dir = house.dir().to_owned();
    until("the agent is known", || current(&dir).filter(|it| it["count"] == 0));
    std::thread::sleep(Duration::from_millis(700));
    append(&dir, "aaaa", &[prompt("aaaa", "0", "begin")]);
    until("it is known", || current(&dir).filter(|it| it["current"]["prompts"] == 1));
    std::thread::sleep(Duration::from_secs(1));
    for n in 1..=6_u64 {
        let id = n.to_string();
        append(&dir, "aaaa", &[prompt("aaaa", &id, "on")]);
        append(&dir, "aaaa", &[response("aaaa", &id, 10_000 + n, "/src/x/one.rs")]);
        std::thread::sleep(Duration::from_millis(fastrand::u64(0..900)));
        house = kill(house);
    }
    let all = |it: &Value| it["current"]["responses"] == 6;
    let seen = until("everything is known", || current(&dir).filter(all));
    assert_eq!((&seen["count"], &seen["current"]["prompts"]), (&json!(1), &json!(7)));
    std::thread::sleep(Duration::from_secs(1));
    house.signal(15);
    assert_eq!(house.end().0, 143);
    assert_eq!(rows(&dir, "SELECT CAST(count(*) AS TEXT) FROM interactions"), ["7"]);
    assert_eq!(rows(&dir, "SELECT CAST(prompts AS TEXT) FROM agent_chains"), ["7"]);
}

#[test]
fn transcripts_on_disk_are_judged_without_anybody_running() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    let put = |name: &str, text: &str| fs::write(dir.join(name), text).expect("a file");
    let good = format!("{}\n{}\n", prompt("a", "1", "x"), response("a", "1", 100, "/x"));
    put("good.jsonl", &good);
    put("bad.jsonl", &format!("{good}{{\"type\":\n{good}"));
    put("empty.jsonl", "");
    fs::create_dir(dir.join("folder.jsonl")).expect("a folder");
    symlink("good.jsonl", dir.join("link.jsonl")).expect("a link");
    symlink("nowhere", dir.join("dangling.jsonl")).expect("a link");
    let judge = |verb: &str, name: &str| {
        let path = dir.join(name);
        let output = procession(dir, &["agents", verb, &path.to_string_lossy()]);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    for (name, code, words) in [
        ("good.jsonl", 0, "2 lines, all good"),
        ("link.jsonl", 0, "2 lines, all good"),
        ("bad.jsonl", 1, "bad.jsonl:3:8: "),
        ("bad.jsonl", 1, "1 of 5 lines do not parse"),
        ("empty.jsonl", 1, "it is empty"),
        ("folder.jsonl", 1, "it is a directory"),
        ("dangling.jsonl", 1, "a link to a file that does not exist"),
        ("missing.jsonl", 1, "it does not exist"),
    ] {
        let (found, said) = judge("validate", name);
        assert!(found == Some(code) && said.contains(words), "{name}: {found:?} {said}");
    }
    let path = dir.join("good.jsonl");
    let info = told(dir, &["agents", "info", &path.to_string_lossy()]).expect("JSON");
    assert_eq!((&info["messages"], &info["valid"]), (&json!(2), &json!(true)));
    assert_eq!(info["size_bytes"], good.len());
    assert_eq!(info["first"], "2026-10-01T10:00:00.000Z");
    assert_eq!(info["last"], "2026-10-01T10:00:02.000Z");
    assert_eq!(judge("info", "folder.jsonl").0, Some(1));
}

#[test]
fn a_transcript_of_two_gigabytes_is_read_in_little_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("huge.jsonl");
    let good = format!("{}\n", prompt("a", "1", "x"));
    let mut file = fs::File::create(&path).expect("a file");
    file.write_all(good.as_bytes()).expect("room");
    // A hole: two gigabytes of zeros on one line, as a crash can leave them.
    file.set_len(2 << 30).expect("room");
    let mut file = OpenOptions::new().append(true).open(&path).expect("a file");
    file.write_all(format!("\n{good}").as_bytes()).expect("room");
    let script = "ulimit -v 1000000; exec \"$0\" agents validate \"$1\"";
    let mut command = Command::new("sh");
    let output = command.args(["-c", script, BINARY]).arg(&path).output().expect("a shell");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("huge.jsonl:2:") && said.contains("longer than 64 MiB"), "{said}");
    assert!(said.contains("1 of 3 lines do not parse"), "{said}");
}
