//! What agents print of what they spend, read by a procession that runs from agents that are none.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::house::{As, BINARY, House, folder_with, until};

/// An agent that writes a transcript where it is given one, prints what it is given, and stays.
const AGENT: &str = "#!/bin/sh\nif [ -n \"$TRANSCRIPT\" ]; then mkdir -p \"${TRANSCRIPT%/*}\"; \
    cat \"$SAYS.transcript\" > \"$TRANSCRIPT\"; fi\ncat \"$SAYS\"\nexec sleep 100000\n";

/// One that prints what it is given and ends.
const CALL: &str = "#!/bin/sh\nexec cat \"$SAYS\"\n";

fn house(config: &str, files: &[(&str, String)]) -> House {
    let folder = folder_with(&format!("metrics: {{listen: false}}\n{config}"));
    for (name, text) in
        [("claude", AGENT.to_owned()), ("once/codex", CALL.to_owned())].iter().chain(files)
    {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("room");
        fs::write(&path, text).expect("room");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
    }
    House::start(As::Subreaper, &["run"], Ok(folder))
}

fn procession(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(BINARY);
    command.args(arguments).env("PROCESSION_SOCKET", folder.join("c.sock"));
    let output = command.stdin(Stdio::null()).output().expect("our own binary");
    std::io::stderr().write_all(&output.stderr).expect("it is open");
    String::from_utf8(output.stdout).expect("text")
}

fn report(folder: &Path) -> Value {
    serde_json::from_str(&procession(folder, &["tokens", "--json"])).unwrap_or_default()
}

fn usage(input: u64, output: u64, read: u64) -> Value {
    json!({"input_tokens": input, "output_tokens": output, "cache_read_input_tokens": read,
        "cache_creation_input_tokens": 0})
}

fn response(session: &str, id: &str, usage: &Value) -> Value {
    json!({"type": "assistant", "session_id": session, "parent_tool_use_id": null,
        "message": {"id": id, "model": "claude-sonnet-5", "content": [], "usage": usage}})
}

fn result(session: &str, input: u64, output: u64, read: u64) -> Value {
    json!({"type": "result", "subtype": "success", "session_id": session,
        "usage": usage(input, output, read), "modelUsage": {"claude-sonnet-5": {
            "inputTokens": input, "outputTokens": output, "cacheReadInputTokens": read}}})
}

fn lines(all: &[Value]) -> String {
    all.iter().map(|line| format!("{line}\n")).collect()
}

/// What a conversation of two responses prints: 10 input, 90 output and 3000 cached.
fn printed(session: &str) -> Vec<Value> {
    vec![
        response(session, &format!("msg_{session}_1"), &usage(6, 1, 1000)),
        response(session, &format!("msg_{session}_1"), &usage(6, 1, 1000)),
        response(session, &format!("msg_{session}_2"), &usage(4, 1, 2000)),
        result(session, 10, 90, 3000),
    ]
}

/// Nano-dollars of such a conversation, at 2, 10 and 0.2 dollars a million.
const NANOS: u64 = 10 * 2_000 + 90 * 10_000 + 3_000 * 200;

const ALONE: &str = "control: DIR/c.sock\nstore: {sqlite: DIR/history.db}\nprocesses:\n  \
    it: {command: [DIR/claude, -p, --output-format, stream-json, hi], output: quiet, \
    environment: {SAYS: DIR/says}}\n  \
    deaf: {command: [DIR/claude, -p, --output-format, stream-json, hi], output: quiet, \
    environment: {SAYS: DIR/says}, tokens: {stdout: false}}\n";

#[test]
fn what_is_printed_counts_where_nothing_else_tells_of_it() {
    let torn = "x".repeat(5 << 20);
    let says = format!("{torn}\n{}", lines(&printed("a")));
    let codex = lines(&[
        json!({"type": "thread.started", "thread_id": "t"}),
        json!({"type": "turn.completed", "usage": {"input_tokens": 2500,
            "cached_input_tokens": 1400, "output_tokens": 500}}),
    ]);
    let house = house(ALONE, &[("says", says), ("codex.says", codex)]);
    let dir = house.dir().to_owned();
    let total = |expected: u64| move |it: &Value| it["totals"]["total_tokens"] == expected;
    let told = until("it is counted", || Some(report(&dir)).filter(total(3_100)));
    assert_eq!(told["totals"]["responses"], 2, "{told}");
    assert_eq!(told["totals"]["cost_nano_usd"], NANOS, "{told}");
    let series = &told["series"][0];
    assert_eq!((&series["process"], &series["agent"]), (&json!("it"), &json!("claude")), "{told}");

    // A command beside the plan, which has ended by the time that it is counted.
    let codex = dir.join("once/codex").display().to_string();
    let says = format!("SAYS={}", dir.join("codex.says").display());
    let spawn = ["spawn", "--env", &says, "--", &codex, "exec", "--json", "-m", "gpt-5.5", "hi"];
    procession(&dir, &spawn);
    let told = until("it is counted", || Some(report(&dir)).filter(total(3_100 + 3_000)));
    let of_codex = told["series"].as_array().expect("a list").iter();
    let of_codex: Vec<_> = of_codex.filter(|one| one["agent"] == "codex").collect();
    assert_eq!((of_codex.len(), &of_codex[0]["model"]), (1, &json!("gpt-5.5")), "{told}");
    drop(house);
}

const BESIDE: &str = "control: DIR/c.sock\nstore: {sqlite: DIR/history.db}\nprocesses:\n  \
    it: {command: [DIR/claude, -p, --output-format, stream-json, hi], output: quiet, \
    environment: {SAYS: DIR/says, TRANSCRIPT: DIR/home/projects/-x/a.jsonl}, \
    agent: {name: coder, transcripts: DIR/home}}\n";

#[test]
fn what_a_transcript_tells_is_not_counted_again_where_it_is_printed() {
    let written = |id: &str, usage: Value| {
        json!({"type": "assistant", "sessionId": "a", "uuid": id, "isSidechain": false,
            "timestamp": "2030-10-01T10:00:02.100Z", "message": {"id": id,
            "model": "claude-sonnet-5", "stop_reason": "end_turn", "usage": usage}})
    };
    let transcript =
        lines(&[written("msg_a_1", usage(6, 50, 1000)), written("msg_a_2", usage(4, 40, 2000))]);
    // Another conversation, of which there is no transcript, is printed behind it: once that is
    // counted the first one was heard as well.
    let says = lines(&[printed("a"), printed("b")].concat());
    let house = house(BESIDE, &[("says", says), ("says.transcript", transcript)]);
    let dir = house.dir().to_owned();
    let counted = |it: &Value| it["totals"]["total_tokens"].as_u64() >= Some(6_200);
    let told = until("both are counted", || Some(report(&dir)).filter(counted));
    assert_eq!(told["totals"]["total_tokens"], 6_200, "{told}");
    assert_eq!(told["totals"]["responses"], 4, "{told}");
    assert_eq!(told["totals"]["cost_nano_usd"], 2 * NANOS, "each kind is exact: {told}");
    assert_eq!(told["series"][0]["agent"], "coder", "{told}");
    drop(house);
}

const PRICED: &str = "control: DIR/c.sock\nstore: {sqlite: DIR/history.db}\ntokens: {pricing_file: \
    DIR/prices.json, prices: {second: {output: 3}}}\nprocesses: {it: {command: sleep 100000}}\n";

#[test]
fn prices_are_read_anew_with_the_configuration_and_those_with_a_fault_are_not() {
    let of = |price: &str| format!(r#"{{"first": {{"output_cost_per_token": {price}}}}}"#);
    let house = house(PRICED, &[("prices.json", of("1e-06"))]);
    let dir = house.dir().to_owned();
    let spend = |model: &str| {
        until("it is counted", || {
            let before = report(&dir)["totals"]["cost_nano_usd"].as_u64()?;
            procession(&dir, &["tokens", "record", model, "--output", "1000"]);
            let shown = || report(&dir)["totals"]["cost_nano_usd"].as_u64();
            Some(until("it is shown", || shown().filter(|now| *now != before)) - before)
        })
    };
    assert_eq!((spend("first"), spend("second")), (1_000_000, 3_000_000));
    let set = |text: &str| fs::write(dir.join("prices.json"), text).expect("room");
    set(&of("-1"));
    procession(&dir, &["reload"]);
    until("it is refused", || house.log().contains("the prices stay as they were").then_some(()));
    assert_eq!(spend("first"), 1_000_000);
    set(&of("5e-06"));
    procession(&dir, &["reload"]);
    until("the new price holds", || (spend("first") == 5_000_000).then_some(()));
    assert_eq!(spend("second"), 3_000_000, "what the configuration says is over it");
}
