//! What applications and agents tell of what they spend: at the control door, and over
//! OpenTelemetry's protocol to a procession that runs.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use procession::ledger::request::{Answered, Reply, Request as Asked};
use procession::serve::control::{Busy, Requests};
use procession::serve::ingest::{self, Receiver};
use procession::units::{SessionId, Wall};
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

use crate::control::door::{Answer, Door};
use crate::control::schema::{complaints, schema};
use crate::house::{As, BINARY, House, until};

fn check(answer: &Answer, status: u16, name: &str) -> Value {
    assert_eq!(answer.status, status, "{answer:?}");
    let body = answer.json();
    assert_eq!(complaints(&body, &schema(name), name), [""; 0], "{body}");
    body
}

#[test]
fn calls_are_counted_each_by_itself_and_once_for_a_key() {
    let door = Door::open();
    let call = json!({"model": "claude-sonnet-5", "endpoint": "/chat", "idempotency_key": "k1",
        "latency_ms": 12, "tokens": {"input": 5, "output": 7}});
    let told = check(&door.post("/v1/usage", &call.to_string()), 200, "CountedCalls");
    assert_eq!(told, json!({"counted": 1, "known": 0, "refused": [], "durable": true}));
    let bad = json!({"model": "m", "session": "nobody"});
    let list = json!([call, bad, {"model": "m", "tokens": {"input": -1}}, {"model": "m"}]);
    let told = check(&door.post("/v1/usage", &list.to_string()), 200, "CountedCalls");
    assert_eq!((&told["counted"], &told["known"]), (&json!(1), &json!(1)));
    let refused = told["refused"].as_array().expect("a list");
    assert_eq!(refused.iter().map(|one| one["index"].clone()).collect::<Vec<_>>(), [1, 2]);
    assert!(refused[0]["suggestion"].as_str().expect("advice").contains("POST /v1/sessions"));
    let none = check(&door.post("/v1/usage", &bad.to_string()), 422, "Problem");
    assert!(none["faults"][0].as_str().expect("why").contains("nobody"), "{none}");
    check(&door.post("/v1/usage", ""), 400, "Problem");
    let many = vec!["{\"model\": \"m\"}"; 1001].join("\n");
    check(&door.post("/v1/usage", &many), 422, "Problem");
    let large = format!("{{\"model\": \"{}\"}}", "m".repeat(1 << 20));
    check(&door.post("/v1/usage", &large), 413, "Problem");
    let calls = check(&door.get("/v1/usage"), 200, "Calls");
    assert_eq!(calls, json!({"calls": []}), "the door of this test shows a picture of its own");
    let report = check(&door.get("/v1/tokens"), 200, "TokenReport");
    assert!(report["series"].as_array().is_some_and(|series| !series.is_empty()));
    check(&door.get("/v1/tokens?proces=a"), 400, "Problem");
}

const CONFIG: &str = "control: DIR/c.sock\nstore: {sqlite: DIR/history.db}\nrecovery: end\n\
    processes:\n  it:\n    command: [sh, -c, 'env > DIR/env.new; mv DIR/env.new DIR/env; exec sleep 100000']\n    \
    environment: {OTEL_RESOURCE_ATTRIBUTES: team=a}\n    \
    agent: {name: coder, transcripts: DIR/claude}\n  plain:\n    \
    command: [sh, -c, 'env > DIR/plain.new; mv DIR/plain.new DIR/plain; exec sleep 100000']\n";

fn procession(folder: &Path, arguments: &[&str], input: &str) -> (bool, String) {
    let mut command = Command::new(BINARY);
    command.args(arguments).env("PROCESSION_SOCKET", folder.join("c.sock"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("our own binary");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("our own binary");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn report(folder: &Path) -> Value {
    let (_, text) = procession(folder, &["tokens", "--json"], "");
    serde_json::from_str(&text).unwrap_or_default()
}

fn variable(folder: &Path, file: &str, name: &str) -> Option<String> {
    let text = until("it has begun", || fs::read_to_string(folder.join(file)).ok());
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    found.map(str::to_owned)
}

/// Sends a body to the address that the agent was told, and answers with the status.
fn send(endpoint: &str, head: &str, body: &[u8]) -> Answer {
    let (host, path) = endpoint.strip_prefix("http://").expect("http").split_once('/').expect("it");
    let mut stream = TcpStream::connect(host).expect("it listens");
    let length = body.len();
    let head = format!(
        "POST /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}Content-Length: \
         {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("it reads");
    // It may refuse before all was sent.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    Answer::parse(&answer)
}

const JSON: &str = "Content-Type: application/json\r\n";

fn metrics(time: u64, tokens: &Value) -> String {
    let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let point = json!({"asDouble": tokens, "startTimeUnixNano": "1790000000000000000",
        "timeUnixNano": time.to_string(), "attributes": [attribute("type", "output"),
        attribute("session.id", "native"), attribute("model", "claude-sonnet-5")]});
    let metric = json!({"name": "claude_code.token.usage",
        "sum": {"aggregationTemporality": 1, "dataPoints": [point]}});
    json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).to_string()
}

#[test]
fn what_was_not_taken_is_counted_when_it_is_sent_again() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    let (full, counted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (is_full, sum) = (Arc::clone(&full), Arc::clone(&counted));
    let requests: Requests = Box::new(move |request| {
        if is_full.load(Ordering::SeqCst) {
            return Err(Busy::Full);
        }
        let Asked::Count { calls, .. } = request else { panic!("{request:?}") };
        let output: u64 = calls.iter().map(|call| call.tokens.output).sum();
        sum.fetch_add(output, Ordering::SeqCst);
        let (reply, answer) = oneshot::channel();
        let _ = reply.send(Answered { reply: Reply::Noted, durable: true });
        Ok(answer)
    });
    let receiver = Receiver { admit: Box::new(|session, _| SessionId::parse(session)), requests };
    let (stop, stopped) = watch::channel(false);
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(ingest::serve(listener, receiver, stopped));
    });
    let endpoint = format!("http://{address}/{}/sign/v1/metrics", SessionId::new(Wall(5), 1));
    let sum_of = |tokens: u64| {
        let body = metrics(1_790_000_060_000_000_000 + tokens, &json!(tokens));
        body.replace("\"aggregationTemporality\":1", "\"aggregationTemporality\":2")
    };
    let post = |tokens: u64| send(&endpoint, JSON, sum_of(tokens).as_bytes()).status;
    assert_eq!((post(10), counted.load(Ordering::SeqCst)), (200, 10));
    full.store(true, Ordering::SeqCst);
    assert_eq!(post(25), 429);
    full.store(false, Ordering::SeqCst);
    assert_eq!((post(25), counted.load(Ordering::SeqCst)), (200, 25));
    assert_eq!((post(25), counted.load(Ordering::SeqCst)), (200, 25), "a sum stands still");
    stop.send_replace(true);
    thread.join().expect("it ends");
}

#[test]
fn what_agents_send_and_scripts_record_is_counted_once_also_over_kill_9() {
    let house = House::of_config(As::Subreaper, CONFIG);
    let dir = house.dir().to_owned();
    assert_eq!(variable(&dir, "plain", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"), None);
    let endpoint = variable(&dir, "env", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT").expect("told");
    let session = variable(&dir, "env", "PROCESSION_SESSION_ID").expect("told");
    let attributes = variable(&dir, "env", "OTEL_RESOURCE_ATTRIBUTES").expect("told");
    assert_eq!(attributes, format!("team=a,procession.session.id={session}"));

    let time = 1_790_000_060_000_000_000;
    let first = metrics(time, &json!(412));
    let answer = until("it is received", || Some(send(&endpoint, JSON, first.as_bytes())));
    assert_eq!((answer.status, answer.body.trim()), (200, "{}"));
    assert_eq!(send(&endpoint, JSON, first.as_bytes()).status, 200, "a retry");
    let total = |expected: u64| move |it: &Value| it["totals"]["total_tokens"] == expected;
    let told = until("it is counted", || Some(report(&dir)).filter(total(412)));
    assert_eq!(
        (&told["series"][0]["process"], &told["series"][0]["agent"]),
        (&json!("it"), &json!("coder"))
    );
    assert_eq!(told["totals"]["cost_nano_usd"], json!(412 * 10_000), "{told}");
    assert_eq!(told["totals"]["responses"], 0, "an interval is no response");

    // Bad ones.
    let wrong = endpoint.replace("/v1/metrics", "x/v1/metrics");
    assert_eq!(send(&wrong, JSON, first.as_bytes()).status, 404, "the sign of nobody");
    assert_eq!(send(&endpoint, "", first.as_bytes()).status, 415);
    assert_eq!(send(&endpoint, JSON, b"{").status, 400);
    assert_eq!(send(&endpoint, JSON, &vec![b' '; 5 << 20]).status, 413);
    let odd = send(&endpoint, JSON, metrics(time + 1, &json!("NaN")).as_bytes());
    assert!(odd.status == 200 && odd.body.contains("\"rejectedDataPoints\":\"1\""), "{odd:?}");
    assert_eq!(report(&dir)["totals"]["total_tokens"], 412);

    // A script, inside and outside of a session.
    let record = ["tokens", "record", "claude-sonnet-5", "--input", "10", "--key", "k"];
    let (good, text) =
        procession(&dir, &[&record[..], &["--session", &session, "--json"]].concat(), "");
    assert!(good && text.contains("\"counted\":1"), "{text}");
    let lines = "{\"model\": \"gpt-nobody-knows\", \"idempotency_key\": \"l\", \"tokens\": {\"output\": 3}}\n\
        {\"model\": 7}\n";
    let (good, text) = procession(&dir, &["tokens", "record", "-", "--json"], lines);
    assert!(!good && text.contains("\"counted\":1") && text.contains("\"index\":1"), "{text}");
    let told = until("it is shown", || Some(report(&dir)).filter(total(425)));
    assert_eq!(told["totals"]["unpriced_tokens"], 3);
    let (_, table) = procession(&dir, &["tokens"], "");
    assert!(table.contains("PROCESS") && table.contains("gpt-nobody-knows"), "{table}");

    let mut house = house;
    fs::remove_file(dir.join("env")).expect("it is there");
    house.signal(9);
    assert_eq!(house.end().0, 137);
    let house = house.again();
    let again = variable(&dir, "env", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT").expect("told");
    assert_ne!(again, endpoint);
    let logs = again.replace("/v1/metrics", "/v1/traces");
    until("the door is open", || Some(report(&dir)).filter(|it| it["series"].is_array()));
    assert_eq!(send(&logs, JSON, b"{}").status, 200);
    let (_, text) = procession(&dir, &["tokens", "record", "-", "--json"], lines);
    assert!(text.contains("\"known\":1"), "told in an earlier life: {text}");
    assert_eq!(send(&again, JSON, first.as_bytes()).status, 200);
    let more = metrics(time + 60_000_000_000, &json!(9));
    assert_eq!(send(&again, JSON, more.as_bytes()).status, 200);
    let told = until("more is counted", || {
        Some(report(&dir)).filter(|it| it["totals"]["total_tokens"] != 0)
    });
    assert_eq!(told["totals"]["total_tokens"], 9, "the rest was counted in an earlier life");
    drop(house);
}
