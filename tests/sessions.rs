//! Sessions of applications, by the real binary and its real socket: opened, kept alive, closed, ended
//! with their connection, their parent and their time, and counted.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::house::{As, BINARY, House, folder_with, until};
use crate::support::{free_port, get};

/// Far beyond what anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A house with a socket of its own.
struct Served {
    house: House,
    socket: PathBuf,
}

const SLEEPS: &str = "processes:\n  web: {command: [sleep, '600']}\n";

impl Served {
    fn of(config: &str) -> Self {
        Self::under(&[], &format!("metrics: {{listen: false}}\n{config}"))
    }

    /// Started by another program that takes a command.
    fn under(wrapper: &[&str], config: &str) -> Self {
        let folder = folder_with(&format!("control: DIR/c.sock\n{config}"));
        let house = House::under(As::Subreaper, wrapper, &["run"], Ok(folder));
        let socket = house.dir().join("c.sock");
        let served = Self { house, socket };
        until("it answers", || {
            assert!(!served.house.log().contains("config.yaml:"), "{}", served.house.log());
            UnixStream::connect(&served.socket).ok()
        });
        served
    }

    /// Status and body of one request.
    fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut stream = self.send(method, path, body);
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        let status = text.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
        let body = text.split_once("\r\n\r\n").expect("a body").1;
        (status, serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {text}")))
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> UnixStream {
        let mut stream = UnixStream::connect(&self.socket).expect("the socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let body = if method == "GET" { String::new() } else { body.to_string() };
        let length = body.len();
        // In one piece: who has read what it needs answers and closes.
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: \
             application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).expect("a request");
        stream
    }

    #[track_caller]
    fn open(&self, body: &Value) -> Value {
        let (status, opened) = self.ask("POST", "/v1/sessions", body);
        assert_eq!((status, &opened["new"]), (201, &json!(true)), "{opened}");
        opened["session"].clone()
    }

    fn session(&self, id: &Value) -> Value {
        let id = id.as_str().expect("an id");
        self.ask("GET", &format!("/v1/sessions/{id}"), &json!({})).1
    }

    /// Waits until a session is in this state.
    #[track_caller]
    fn wait(&self, session: &Value, state: &str) -> Value {
        let began = Instant::now();
        loop {
            let now = self.session(&session["id"]);
            if now["state"] == state {
                return now;
            }
            assert!(began.elapsed() < PATIENCE, "never {state}: {now}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn run_of(&self, process: &str) -> Value {
        until("it runs", || {
            let (_, process) = self.ask("GET", &format!("/v1/processes/{process}"), &json!({}));
            let id = process["session"].clone();
            (id.is_string() && process["state"] == "ready").then(|| json!({ "id": id }))
        })
    }

    fn cli(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(BINARY);
        command.args(arguments).env("PROCESSION_SOCKET", &self.socket).stdin(Stdio::null());
        command.output().expect("our own binary")
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn the_id_of_a_session_that_ended_is_refused_in_the_next_life_too() {
    let served = Served::of(SLEEPS);
    let session = served.open(&json!({ "id": "job-1" }));
    let id = session["id"].as_str().expect("an id");
    let (status, closed) = served.ask("POST", &format!("/v1/sessions/{id}/close"), &json!({}));
    assert_eq!((status, &closed["durable"]), (200, &json!(true)), "{closed}");
    let mut house = served.house;
    house.signal(9);
    house.end();
    let house = house.again();
    let served = Served { socket: house.dir().join("c.sock"), house };
    until("the next life looks into its store", || {
        UnixStream::connect(&served.socket).ok()?;
        (served.ask("GET", "/v1/sessions/job-1", &json!({})).0 == 200).then_some(())
    });
    let (status, problem) = served.ask("POST", "/v1/sessions", &json!({ "id": "job-1" }));
    assert_eq!((status, &problem["type"]), (409, &json!("urn:procession:problem:session-ended")));
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(id)), "{problem}");
    served.open(&json!({ "id": "job-2" }));
}

#[test]
fn a_session_is_opened_once_kept_alive_and_closed_clearly() {
    let served = Served::of(SLEEPS);
    let body = json!({
        "id": "build/7", "agent": "claude", "user": "bob", "working_dir": "/src/shop",
        "labels": {"branch": "main"},
    });
    let session = served.open(&body);
    assert_eq!((&session["kind"], &session["state"]), (&json!("external"), &json!("active")));
    assert_eq!((&session["native_id"], &session["agent"]), (&json!("build/7"), &json!("claude")));
    let context = &session["context"];
    assert_eq!((&context["user"], &context["labels"]["branch"]), (&json!("bob"), &json!("main")));
    let (status, again) = served.ask("POST", "/v1/sessions", &body);
    assert_eq!((status, &again["new"], &again["durable"]), (200, &json!(false), &json!(true)));
    assert_eq!(again["session"]["id"], session["id"]);

    let beat =
        json!({"note": "compiling", "tokens": {"input": 30, "output": 12}, "cost_nano_usd": 7});
    let (status, kept) = served.ask("POST", "/v1/sessions/build%2F7/heartbeat", &beat);
    assert_eq!((status, &kept["session"]["tokens"]), (200, &json!(42)), "{kept}");
    assert_eq!(kept["session"]["total"]["cost_nano_usd"], 7);

    let close = json!({"outcome": "failed", "reason": "two tests are red"});
    let (status, closed) = served.ask("POST", "/v1/sessions/build%2F7/close", &close);
    assert_eq!((status, &closed["session"]["state"]), (200, &json!("failed")), "{closed}");
    assert_eq!(closed["session"]["end"]["reason"], "two tests are red");

    for (path, body, status, part) in [
        ("/v1/sessions/build%2F7/close", json!({}), 409, "has ended (failed)"),
        ("/v1/sessions", body.clone(), 409, "open another"),
        ("/v1/sessions/nobody/heartbeat", json!({}), 404, "POST /v1/sessions"),
        ("/v1/sessions", json!({"id": "a b"}), 422, "letters"),
        ("/v1/sessions", json!({"parent": "nobody"}), 404, "nobody"),
        ("/v1/sessions", json!({"idd": "x"}), 400, "idd"),
    ] {
        let (found, problem) = served.ask("POST", path, &body);
        assert_eq!(found, status, "{path} {problem}");
        assert!(problem.to_string().contains(part), "{part} is missing in {problem}");
    }
}

#[test]
fn a_bound_session_ends_when_its_connection_drops_and_tells_what_happens_until_then() {
    let served = Served::of(SLEEPS);
    let mut stream = BufReader::new(served.send("POST", "/v1/sessions", &json!({"bound": true})));
    let line = |stream: &mut BufReader<UnixStream>| loop {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).expect("a line") > 0, "it ended");
        if line.starts_with('{') {
            return serde_json::from_str::<Value>(&line).expect("JSON");
        }
    };
    let opened = line(&mut stream);
    let session = opened["session"].clone();
    assert_eq!((&opened["new"], &session["state"]), (&json!(true), &json!("active")));
    let id = session["id"].as_str().expect("an id").to_owned();
    let beat = json!({"note": "hello", "tokens": {"input": 3}});
    served.ask("POST", &format!("/v1/sessions/{id}/heartbeat"), &beat);
    assert_eq!(line(&mut stream)["tokens"], 3);
    stream.get_ref().shutdown(Shutdown::Both).expect("it can be shut");
    drop(stream);
    let ended = served.wait(&session, "completed");
    let reason = ended["end"]["reason"].as_str().expect("a reason");
    assert!(reason.contains("connection"), "{reason}");
}

#[test]
fn what_rests_for_too_long_turns_idle_is_warned_and_times_out() {
    let port = free_port();
    let served = Served::under(
        &[],
        &format!(
            "metrics: {{listen: '127.0.0.1:{port}'}}\nsessions: {{idle_timeout: 2s, warn_at: [0.5]}}\n{SLEEPS}"
        ),
    );
    let session = served.open(&json!({"id": "rests"}));
    let active = served.open(&json!({"id": "beats"}));
    let beat = |_: &Value| served.ask("POST", "/v1/sessions/beats/heartbeat", &json!({})).0;
    let (mut states, began) = (Vec::new(), Instant::now());
    while states.last() != Some(&json!("timed_out")) {
        assert_eq!(beat(&active), 200);
        let now = served.session(&session["id"])["state"].clone();
        if states.last() != Some(&now) {
            states.push(now);
        }
        assert!(began.elapsed() < PATIENCE, "{states:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(states, [json!("active"), json!("idle"), json!("timed_out")]);
    let metrics = until("it is counted", || {
        let page = get(&format!("http://127.0.0.1:{port}/metrics"))?;
        let ended = "procession_sessions_ended_total{kind=\"external\",process=\"unknown\",\
                     outcome=\"timed_out\"} 1";
        page.contains(ended).then_some(page)
    });
    let warned = metrics.lines().find_map(|line| {
        line.strip_prefix("procession_session_idle_warnings_total{kind=\"external\"} ")
    });
    assert!(warned.and_then(|n| n.parse::<f64>().ok()) >= Some(1.0), "{warned:?}");
    assert!(metrics.contains("procession_sessions_limit 100"), "{metrics}");
    // The process of the file rested just as long, and did not ask to be ended for it.
    assert_eq!(served.session(&served.run_of("web")["id"])["state"], "active");
}

#[test]
fn a_process_and_a_spawned_command_that_rest_are_stopped_as_timed_out() {
    let served = Served::of(
        "sessions: {idle_timeout: 3s, warn_at: []}\nmemory: {interval: 200ms}\nprocesses:\n  \
         rests: {command: [sleep, '600'], session: {idle_timeout: 1s}, restart: always}\n  \
         talks: {command: [sh, -c, 'while :; do echo hello; sleep 0.2; done'], session: {idle_timeout: 1s}}\n  \
         lasts: {command: [sleep, '600'], session: {max_duration: 1s}}\n",
    );
    let talks = served.run_of("talks");
    let (_, spawned) = served.ask("POST", "/v1/spawn", &json!({"command": ["sleep", "600"]}));
    let spawned = json!({ "id": spawned["session"] });
    let ended = served.wait(&spawned, "timed_out");
    let reason = ended["end"]["reason"].as_str().expect("a reason");
    assert!(reason.contains("no activity for 3 s"), "{reason}");
    let all = served.ask("GET", "/v1/sessions?process=rests,lasts", &json!({})).1;
    let ended = all["ended"].as_array().or(all["sessions"].as_array()).expect("a list");
    let states: Vec<&Value> = ended.iter().map(|one| &one["state"]).collect();
    assert_eq!(states, [&json!("timed_out"), &json!("timed_out")], "{all}");
    assert_eq!(served.session(&talks["id"])["state"], "active", "it writes");
    for line in ["rests: no activity for 1 s", "spawned-1: no activity for 3 s"] {
        until("the log says why", || served.house.log().contains(line).then_some(()));
    }
}

#[test]
fn one_more_than_may_be_open_is_refused_with_the_limit_and_how_to_raise_it() {
    let served = Served::of(&format!("sessions: {{max_concurrent: 2}}\n{SLEEPS}"));
    served.open(&json!({"id": "a"}));
    let (status, _) = served.ask("POST", "/v1/spawn", &json!({"command": ["sleep", "600"]}));
    assert_eq!(status, 202);
    for (path, body) in
        [("/v1/sessions", json!({})), ("/v1/spawn", json!({"command": ["sleep", "600"]}))]
    {
        let problem = until("it is full", || {
            let (status, problem) = served.ask("POST", path, &body);
            (status == 429).then_some(problem)
        });
        for part in ["2 sessions", "sessions.max_concurrent", "SESSION_MAX_CONCURRENT"] {
            assert!(problem.to_string().contains(part), "{part} is missing in {problem}");
        }
    }
    assert_eq!(served.ask("POST", "/v1/sessions/a/close", &json!({})).0, 200);
    served.open(&json!({"id": "b"}));
}

#[test]
fn who_is_inside_a_run_opens_sessions_that_are_its_own_and_end_with_it() {
    let script = format!(
        "'{BINARY} sessions open --id mine --label a=b && {BINARY} sessions open --id lasting \
         --on-parent-end orphan && {BINARY} sessions heartbeat other; exec sleep 600'"
    );
    let served = Served::of(&format!(
        "processes:\n  web: {{command: [sh, -c, {script}], autostart: false, environment: \
         {{PROCESSION_SOCKET: DIR/c.sock}}}}\n"
    ));
    let other = served.open(&json!({"id": "other"}));
    served.ask("POST", "/v1/processes/web/start", &json!({}));
    let run = served.run_of("web");
    let mine = |id: &str| {
        until("it is open", || {
            let all = served.ask("GET", "/v1/sessions?kind=external", &json!({})).1;
            let live = all["live"].as_array().or(all["sessions"].as_array())?;
            live.iter().find(|one| one["native_id"] == id).cloned()
        })
    };
    let (first, lasting) = (mine("mine"), mine("lasting"));
    for session in [&first, &lasting] {
        assert_eq!((&session["parent"], &session["process"]), (&run["id"], &json!("web")));
    }
    until("it is refused", || served.house.log().contains("other").then_some(()));
    let events = served.session(&other["id"])["events"].clone();
    assert_eq!(events, 1, "a run cannot touch what is not its own");
    let deep = served.open(&json!({"id": "deep", "parent": "mine"}));
    served.ask("POST", "/v1/processes/web/stop?wait=30", &json!({}));
    for session in [&first, &deep] {
        let ended = served.wait(session, "completed");
        let reason = ended["end"]["reason"].as_str().expect("a reason");
        assert!(reason.starts_with("its parent ended"), "{reason}");
    }
    assert_eq!(served.session(&lasting["id"])["state"], "active");
}

#[test]
fn the_verbs_open_keep_alive_and_close() {
    let served = Served::of(SLEEPS);
    let opened = served.cli(&["sessions", "open", "--id", "job", "--user", "bob"]);
    assert!(opened.status.success(), "{opened:?}");
    let id = said(&opened);
    assert_eq!(served.session(&json!(id))["native_id"], "job");
    let beat =
        ["sessions", "heartbeat", "job", "--input-tokens", "4", "--output-tokens", "1", "--json"];
    let kept: Value = serde_json::from_str(&said(&served.cli(&beat))).expect("JSON");
    assert_eq!(kept["session"]["tokens"], 5);
    let closed = served.cli(&["sessions", "close", "job", "--failed", "--reason", "red"]);
    assert_eq!(said(&closed), format!("{id}: failed"));
    let again = served.cli(&["sessions", "close", "job"]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");

    let mut bound = Command::new(BINARY);
    bound.args(["sessions", "open", "--bound"]).env("PROCESSION_SOCKET", &served.socket);
    let mut bound = bound.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().expect("our binary");
    let mut first = String::new();
    BufReader::new(bound.stdout.take().expect("a pipe")).read_line(&mut first).expect("an id");
    bound.kill().expect("it lives");
    bound.wait().expect("it ends");
    served.wait(&json!({ "id": first.trim() }), "completed");
}

#[test]
fn a_procession_inside_a_session_makes_its_runs_part_of_it() {
    let around = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let said = format!("PROCESSION_SESSION_ID={around}");
    let served = Served::under(&["env", &said], &format!("metrics: {{listen: false}}\n{SLEEPS}"));
    let run = served.run_of("web");
    assert_eq!(served.session(&run["id"])["parent"], around);
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    let config = format!("store: {{sqlite: DIR/h.db}}\n{SLEEPS}");
    let mut served = Served::of(&config);
    for n in 0..20 {
        served.open(&json!({"id": format!("job-{n}")}));
    }
    let (status, closed) = served.ask("POST", "/v1/sessions/job-3/close", &json!({}));
    assert_eq!((status, &closed["durable"]), (200, &json!(true)));
    served.house.signal(9);
    served.house.end();
    let kept = served.house.dir().join("h.db");
    let count = |what: &str| {
        let query = format!(
            "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(\"{what}\").fetchone()[0])"
        );
        let output = Command::new("python3").args(["-c", &query]).arg(&kept).output();
        said(&output.expect("python3")).parse::<u64>().expect("a number")
    };
    assert_eq!(count("SELECT count(*) FROM sessions WHERE kind = 'external'"), 20);
    assert_eq!(
        count("SELECT count(*) FROM sessions WHERE state = 'completed' AND kind = 'external'"),
        1
    );
}

#[test]
fn what_an_application_holds_open_goes_on_in_the_next_life_as_the_same_session() {
    let mut served = Served::of(&format!("store: {{sqlite: DIR/history.db}}\n{SLEEPS}"));
    let held = served.open(&json!({ "id": "held" }));
    let (status, _) = served.ask("POST", "/v1/sessions/held/heartbeat", &json!({"note": "here"}));
    assert_eq!(status, 200);
    for (signal, life) in [(9, 2), (15, 3)] {
        served.house.signal(signal);
        let _ = served.house.end();
        let (house, socket) = (served.house.again(), served.socket);
        until("it answers", || UnixStream::connect(&socket).ok());
        served = Served { house, socket };
        let again = until("it is open again", || {
            let (status, found) = served.ask("GET", "/v1/sessions/held", &json!({}));
            (status == 200 && found["state"] == "active").then_some(found)
        });
        assert_eq!(again["id"], held["id"], "life {life}");
    }
    let (status, again) = served.ask("POST", "/v1/sessions", &json!({ "id": "held" }));
    assert_eq!((status, &again["new"], &again["session"]["id"]), (200, &json!(false), &held["id"]));
    let (status, closed) = served.ask("POST", "/v1/sessions/held/close", &json!({}));
    assert_eq!((status, &closed["session"]["state"]), (200, &json!("completed")), "{closed}");
    let id = held["id"].as_str().expect("an id");
    let (_, events) = served.ask("GET", &format!("/v1/sessions/{id}/events"), &json!({}));
    let events = events["events"].as_array().expect("events");
    let types: Vec<&str> = events.iter().filter_map(|one| one["event_type"].as_str()).collect();
    assert_eq!(types, ["opened", "heartbeat", "resumed", "left_open", "resumed", "ended"]);
    let numbers: Vec<u64> = events.iter().filter_map(|one| one["sequence"].as_u64()).collect();
    assert_eq!(numbers, (0..6).collect::<Vec<_>>());
}

#[test]
fn a_run_labels_its_own_memory_only() {
    let script = format!(
        "'{BINARY} memory label other mine >DIR/other 2>&1; {BINARY} memory label web mine \
         >DIR/own 2>&1; echo $$? >DIR/done; exec sleep 600'"
    );
    let served = Served::of(&format!(
        "processes:\n  other: {{command: [sleep, '600']}}\n  web: {{command: [sh, -c, {script}], \
         autostart: false, environment: {{PROCESSION_SOCKET: DIR/c.sock}}}}\n"
    ));
    served.run_of("other");
    served.ask("POST", "/v1/processes/web/start", &json!({}));
    let read = |name: &str| std::fs::read_to_string(served.house.dir().join(name)).ok();
    let done = until("both were asked for", || read("done").filter(|text| !text.is_empty()));
    assert_eq!(done, "0\n", "{:?}", read("own"));
    let said = read("other").unwrap_or_default();
    assert!(said.contains("may act on that run only"), "{said}");
}

#[test]
fn an_export_that_breaks_off_fails_in_each_form() {
    let served = Served::of(&format!("store: {{sqlite: /proc/nope/h.db}}\n{SLEEPS}"));
    for form in ["jsonl", "json", "csv"] {
        let output = served.cli(&["sessions", "export", "--format", form]);
        assert_eq!(output.status.code(), Some(1), "{form}: {}", said(&output));
    }
}
