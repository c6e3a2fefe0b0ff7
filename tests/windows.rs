//! The context window of each dialect, by the real binary: the last response of the main thread over the
//! window of its own model, told of at 85 and 90 per cent of it; never a sum, nor what a subagent fills.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::house::{As, BINARY, House, until};

/// The dialects with the windows that are their models' own, the last as its rows say.
const WINDOWS: [(&str, u64); 4] =
    [("claude", 200_000), ("gemini", 1_048_576), ("opencode", 200_000), ("codex", 258_400)];

fn config() -> String {
    let process = |(name, _): &(&str, u64)| {
        format!(
            "  {name}-process: {{command: [sleep, '100000'], agent: {{name: {name}, dialect: {name}, \
             transcripts: DIR/{name}}}}}\n"
        )
    };
    let processes: String = WINDOWS.iter().map(process).collect();
    let store = "control: DIR/c.sock\nstore: {sqlite: DIR/history.db}\nrecovery: end\n";
    format!("{store}processes:\n{processes}")
}

fn append(path: &Path, lines: &[Value]) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("a file");
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    file.write_all(text.as_bytes()).expect("room");
}

fn claude(dir: &Path, id: &str, tokens: u64, aside: bool) {
    let line = json!({
        "type": "assistant", "isSidechain": aside, "sessionId": "s", "uuid": id, "requestId": id,
        "timestamp": procession::clock::now().wall.to_string(),
        "message": {"id": id, "model": "claude-haiku-4-5", "stop_reason": "end_turn",
            "usage": {"input_tokens": 5, "cache_creation_input_tokens": 100,
                      "cache_read_input_tokens": tokens - 115, "output_tokens": 10}},
    });
    let name = if aside { "s/subagents/agent-1.jsonl" } else { "s.jsonl" };
    append(&dir.join("claude/projects/-src").join(name), &[line]);
}

/// `before` is what the thread had spent until then.
fn codex(dir: &Path, before: u64, tokens: u64, aside: bool) {
    let id = if aside {
        "019a0000-0011-7000-8000-00000000000b"
    } else {
        "019a0000-0000-7000-8000-00000000000a"
    };
    let path =
        dir.join(format!("codex/sessions/2026/10/01/rollout-2026-10-01T10-00-00-{id}.jsonl"));
    let row = |kind: &str, payload: Value| json!({"timestamp": procession::clock::now().wall.to_string(), "type": kind, "payload": payload});
    let spent = |n: u64| json!({"input_tokens": n - 10, "output_tokens": 10, "total_tokens": n});
    if before == 0 {
        let source = if aside { json!({"subagent": {"thread_spawn": {}}}) } else { json!("cli") };
        let head = json!({"id": id, "cwd": "/src", "source": source});
        append(
            &path,
            &[row("session_meta", head), row("turn_context", json!({"model": "gpt-5.5"}))],
        );
    }
    let info = json!({"total_token_usage": spent(before + tokens), "last_token_usage": spent(tokens),
        "model_context_window": 258_400});
    append(&path, &[row("event_msg", json!({"type": "token_count", "info": info}))]);
}

fn gemini(dir: &Path, id: &str, tokens: u64, aside: bool) {
    let path =
        dir.join("gemini/p/chats").join(if aside { "g/sub.jsonl" } else { "session-a.jsonl" });
    let head = match aside {
        true => json!({"sessionId": "g-side", "kind": "subagent"}),
        false => json!({"sessionId": "g"}),
    };
    let message = json!({
        "id": id, "type": "gemini", "timestamp": procession::clock::now().wall.to_string(),
        "model": "gemini-2.5-pro",
        "tokens": {"input": tokens - 20, "cached": 7, "output": 15, "thoughts": 5, "tool": null},
    });
    append(&path, &[head, message]);
}

/// A message with a file of its own, as older versions keep them.
fn opencode(dir: &Path, id: &str, created: u64, tokens: u64) {
    let path = dir.join(format!("opencode/storage/message/ses_1/{id}.json"));
    let message = json!({
        "id": id, "sessionID": "ses_1", "role": "assistant", "modelID": "claude-haiku-4-5",
        "providerID": "anthropic", "time": {"created": created, "completed": created + 1},
        "tokens": {"input": 5, "output": 7, "reasoning": 3, "cache": {"read": tokens - 20, "write": 5}},
    });
    append(&path, &[message]);
}

/// So many of each window's tokens.
fn part(dialect: &str, percent: u64) -> u64 {
    let window = WINDOWS.iter().find(|(name, _)| *name == dialect).expect("a dialect").1;
    window * percent / 100
}

/// The main conversations, by the agents' own ids.
const MAIN: [&str; 4] = ["s", "g", "ses_1", "019a0000-0000-7000-8000-00000000000a"];

/// Waits until the main conversation of each agent was answered so often.
fn answered(folder: &Path, times: u64) {
    for ((name, _), id) in WINDOWS.iter().zip(MAIN) {
        until(&format!("{name} was answered {times} times"), || {
            let mut command = Command::new(BINARY);
            command.args(["agents", "conversations", name, "--json"]).stdin(Stdio::null());
            let output = command.env("PROCESSION_SOCKET", folder.join("c.sock")).output();
            let found: Value = serde_json::from_slice(&output.ok()?.stdout).ok()?;
            let links = found["conversations"].as_array()?;
            let link = links.iter().find(|link| link["id"] == id)?;
            (link["responses"].as_u64() >= Some(times)).then_some(())
        });
    }
}

#[test]
fn the_last_response_of_the_main_thread_fills_the_window_of_its_own_model() {
    let mut house = House::of_config(As::Subreaper, &config());
    let dir = house.dir().to_owned();
    let begun = u64::try_from(procession::clock::now().wall.0).expect("a time");
    claude(&dir, "m1", part("claude", 50), false);
    codex(&dir, 0, part("codex", 50), false);
    gemini(&dir, "m1", part("gemini", 50), false);
    opencode(&dir, "msg_1", begun, part("opencode", 50));
    answered(&dir, 1);
    // A subagent fills a window of its own.
    claude(&dir, "side", part("claude", 99), true);
    codex(&dir, 0, part("codex", 99), true);
    gemini(&dir, "side", part("gemini", 99), true);
    claude(&dir, "m2", part("claude", 86), false);
    codex(&dir, part("codex", 50), part("codex", 86), false);
    gemini(&dir, "m2", part("gemini", 86), false);
    opencode(&dir, "msg_2", begun + 1, part("opencode", 86));
    answered(&dir, 2);
    claude(&dir, "m3", part("claude", 91), false);
    codex(&dir, part("codex", 136), part("codex", 91), false);
    gemini(&dir, "m3", part("gemini", 91), false);
    opencode(&dir, "msg_3", begun + 2, part("opencode", 91));
    answered(&dir, 3);
    house.signal(15);
    house.end();

    let db = Connection::open(dir.join("history.db")).expect("a database");
    for (name, window) in WINDOWS {
        let query = "SELECT e.event_type || ' ' || (e.detail ->> 'tokens') || ' of ' || (e.detail ->> 'window') \
                     FROM session_events e JOIN sessions s ON s.id = e.session_id \
                     WHERE s.agent = ?1 AND e.event_type IN ('hand_over_due', 'context_full') \
                     ORDER BY e.at_ms, e.sequence";
        let mut found = db.prepare(query).expect("a query");
        let rows = found.query_map([name], |row| row.get::<_, String>(0)).expect("rows");
        let told: Vec<String> = rows.collect::<Result<_, _>>().expect("text");
        let due = format!("hand_over_due {} of {window}", part(name, 86));
        let full = format!("context_full {} of {window}", part(name, 91));
        assert_eq!(told, [due, full], "{name}");
    }
}
