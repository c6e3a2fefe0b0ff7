//! The control doors over real sockets: what they answer, to whom, and what clients cannot do to
//! them.

pub mod door;
pub mod schema;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use door::{Answer, Door, PATIENCE};
use procession::config::plan::{Changes, TcpControl};
use procession::context::{Context, GitState};
use procession::ledger::session::SessionKind;
use procession::serve::control::api::routes;
use procession::serve::control::{Busy, NotRead};
use procession::supervise::lifecycle::{Lifecycle, PhaseName};
use procession::supervise::wish::{Refusal, Reply, Wish};
use procession::units::{ProcessIx, RunId, SessionId, Signal, Wall};
use schema::{complaints, description, schema};
use serde_json::{Value, json};

use crate::support::free_port;

/// The answer is of this status, and as the schema says.
fn check(answer: &Answer, status: u16, name: &str) -> Value {
    assert_eq!(answer.status, status, "{answer:?}");
    let body = answer.json();
    assert_eq!(complaints(&body, &schema(name), name), [""; 0], "{body}");
    body
}

/// The answer is a problem of this status that says all of this.
fn refuses(answer: &Answer, status: u16, parts: &[&str]) -> Value {
    let body = check(answer, status, "Problem");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(body["status"], status);
    for part in parts {
        assert!(answer.body.contains(part), "{part} is missing in {}", answer.body);
    }
    body
}

#[test]
fn the_description_and_the_router_know_the_same_addresses() {
    let described = description()["paths"].as_object().expect("paths").clone();
    let described: BTreeSet<(String, String)> = described
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("methods").keys();
            methods.map(|method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
        })
        .collect();
    let routed = routes().map(|route| (route.method.to_owned(), route.path.to_owned()));
    assert_eq!(routed.collect::<BTreeSet<_>>(), described);
}

#[test]
fn the_description_and_the_router_know_the_same_parameters() {
    for route in routes() {
        let operation = &description()["paths"][route.path][route.method.to_lowercase()];
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let query = parameters.iter().filter(|parameter| parameter["in"] == "query");
        let query: BTreeSet<&str> = query.filter_map(|it| it["name"].as_str()).collect();
        assert_eq!(query, route.parameters.iter().copied().collect(), "{}", route.path);
        let braces = route.path.contains('{');
        assert_eq!(parameters.iter().any(|it| it["in"] == "path"), braces, "{}", route.path);
    }
}

#[test]
fn what_is_read_is_as_described() {
    let door = Door::open();
    let status = check(&door.get("/v1/status"), 200, "Status");
    assert_eq!((&status["role"], &status["generation"]), (&"admin".into(), &4711.into()));
    let processes = check(&door.get("/v1/processes"), 200, "Processes");
    let names: Vec<&str> = processes["processes"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|process| process["name"].as_str())
        .collect();
    assert_eq!(names, ["web", "leaky", "coder", "setup", "broken"]);
    let coder = check(&door.get("/v1/processes/coder"), 200, "Process");
    assert!(coder["tokens"].as_u64() > Some(0), "{coder}");
    let web = &processes["processes"][0];
    assert_eq!((&web["family"], &web["replica"]), (&"web".into(), &json!({"number": 1, "of": 1})));
    let rest = json!({"until": "2026-09-21T15:13:28.000Z", "delay_seconds": 8.0, "streak": 5});
    assert_eq!(processes["processes"][4]["rest"], rest);
    assert_eq!((&web["rest"], &web["failed_tests"]), (&Value::Null, &4.into()));
    door.show(|picture| {
        let context = Context {
            command: vec!["make".into()],
            working_dir: Some("/src/shop".into()),
            git: Some(GitState { branch: Some("main".into()), ..GitState::default() }),
            user: Some("bob".into()),
            ..Context::default()
        };
        Arc::make_mut(&mut picture.sessions[0]).context = Some(Arc::new(context));
    });
    let sessions = check(&door.get("/v1/sessions"), 200, "Sessions");
    let id = sessions["sessions"][0]["id"].as_str().expect("an id").to_owned();
    let session = check(&door.get(&format!("/v1/sessions/{id}")), 200, "Session");
    assert_eq!(session["id"], id);
    let mut all = sessions["sessions"].as_array().expect("a list").iter();
    let context = all.find_map(|session| session.get("context")).expect("one has a context");
    let told = [&context["command"][0], &context["working_dir"], &context["git"]["branch"]];
    assert_eq!(told, [&json!("make"), &json!("/src/shop"), &json!("main")]);
    assert_eq!((&context["user"], &context["uid"]), (&json!("bob"), &json!(0)));
    let only = check(&door.get("/v1/sessions?kind=conversation"), 200, "Sessions");
    assert_eq!(only["sessions"].as_array().map(Vec::len), Some(1));
    let described = door.get("/v1/openapi.json");
    assert_eq!((described.status, described.json()), (200, description()));
    for answer in [described, door.get("/v1/status")] {
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[test]
fn unknown_names_come_with_a_suggestion() {
    let door = Door::open();
    refuses(&door.get("/v1/processes/wbe"), 404, &["wbe", "did you mean \\\"web\\\"?"]);
    refuses(&door.get("/v1/processes/%F0%9F%8C%8D"), 404, &["no process is called"]);
    refuses(&door.get("/v1/sessions/nobody"), 404, &["nobody"]);
    refuses(&door.get("/v2/processes"), 404, &["/v1/openapi.json"]);
    door.answer(|_| Ok(Some(Reply::UnknownName("lekay".to_owned()))));
    refuses(&door.post("/v1/processes/lekay/stop", ""), 404, &["did you mean \\\"leaky\\\"?"]);
}

#[test]
fn a_wrong_request_says_what_is_wrong_and_reaches_nobody() {
    let door = Door::open();
    let wrong = refuses(&door.get("/v1/processes/web/stop"), 405, &["POST"]);
    assert!(wrong["suggestion"].is_string());
    let answer = door.post("/v1/processes", "{}");
    refuses(&answer, 405, &["GET"]);
    assert_eq!(answer.header("allow"), Some("GET"));
    refuses(&door.post("/v1/stop", "{\"names\": [\"web\",}"), 400, &["line 1 column 18"]);
    refuses(&door.post("/v1/stop", "{\"name\": \"web\"}"), 400, &["unknown field `name`"]);
    refuses(&door.post("/v1/stop", "{\"names\": []}"), 422, &["no process is named"]);
    let odd = "{\"names\": [\"web\"], \"signal\": \"SIGWHAT\"}";
    refuses(&door.post("/v1/signal", odd), 422, &["SIGWHAT", "SIGUSR1"]);
    refuses(&door.post("/v1/spawn", "{}"), 422, &["`command` or `shell`"]);
    refuses(&door.get("/v1/processes?sate=ready"), 400, &["sate", "known here: state"]);
    refuses(&door.get("/v1/processes/web/logs?tail=all"), 400, &["expected a number"]);
    refuses(&door.get("/v1/events?kind=birthday"), 400, &["birthday", "run_ended"]);
    refuses(&door.post("/v1/processes/web/stop?wait=-1", ""), 400, &["wait"]);
    let form = "POST /v1/stop HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: \
                2\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n{}";
    refuses(&door.send(form), 415, &["Content-Type: application/json"]);
    assert_eq!(door.wishes(), []);
}

#[test]
fn a_body_that_never_fits_is_refused_whatever_it_says_of_its_length() {
    let door = Door::open();
    let huge = "x".repeat(70_000);
    refuses(&door.post("/v1/stop", &huge), 413, &["65536"]);
    let head = "POST /v1/stop HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: \
                application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = door.send(&format!("{head}11170\r\n{huge}\r\n0\r\n\r\n"));
    refuses(&answer, 413, &["65536"]);
    assert_eq!(door.wishes(), []);
}

#[test]
fn orders_reach_the_mind_as_they_were_given() {
    let door = Door::open();
    door.answer(|_| Ok(Some(Reply::Accepted(vec![ProcessIx(0), ProcessIx(1)]))));
    let names = || vec!["web".to_owned(), "leaky".to_owned()];
    let body = "{\"names\": [\"web\", \"leaky\"]}";
    for (verb, wish) in [
        ("start", Wish::Start(names())),
        ("stop", Wish::Stop(names())),
        ("restart", Wish::Restart(names())),
    ] {
        let ordered = check(&door.post(&format!("/v1/{verb}"), body), 202, "Ordered");
        assert_eq!((&ordered["order"], &ordered["done"]), (&verb.into(), &false.into()));
        assert_eq!(ordered["processes"][1]["name"], "leaky");
        assert_eq!(door.wishes().last(), Some(&wish));
    }
    let one = check(&door.post("/v1/processes/web/restart", ""), 202, "Ordered");
    assert_eq!(one["order"], "restart");
    assert_eq!(door.wishes().last(), Some(&Wish::Restart(vec!["web".to_owned()])));
    let hup = door.post("/v1/processes/web/signal", "{\"signal\": \"hup\", \"group\": true}");
    check(&hup, 200, "Ordered");
    let (names, signal) = (vec!["web".to_owned()], Signal::HUP);
    assert_eq!(door.wishes().last(), Some(&Wish::Signal { names, signal, group: true }));
    check(&door.post("/v1/shutdown", ""), 202, "Ordered");
    assert_eq!(door.wishes().last(), Some(&Wish::Shutdown));
}

#[test]
fn what_the_mind_refuses_is_told_with_its_reason() {
    let door = Door::open();
    let refusal = |door: &Door, refusal: Refusal| {
        door.answer(move |_| Ok(Some(Reply::Refused(refusal.clone()))));
        door.post("/v1/processes/web/stop", "")
    };
    refuses(&refusal(&door, Refusal::NotRunning), 409, &["none of these processes runs"]);
    refuses(&refusal(&door, Refusal::OneCommand), 409, &["procession run"]);
    let taken = refusal(&door, Refusal::NameTaken("db".into()));
    refuses(&taken, 409, &["called db", "choose another name", "procession stop db"]);
    refuses(&refusal(&door, Refusal::GoingDown), 503, &["everything is being stopped"]);
    let full = refusal(&door, Refusal::Full);
    refuses(&full, 503, &[]);
    assert_eq!(full.header("retry-after"), Some("1"));
    door.answer(|_| Err(Busy::Full));
    let full = door.post("/v1/processes/web/stop", "");
    refuses(&full, 503, &["too many orders"]);
    assert_eq!(full.header("retry-after"), Some("1"));
    door.answer(|_| Err(Busy::Gone));
    refuses(&door.post("/v1/processes/web/stop", ""), 503, &["being stopped"]);
    // Dropped unanswered.
    door.answer(|_| Ok(None));
    refuses(&door.post("/v1/processes/web/stop", ""), 503, &["being stopped"]);
}

#[test]
fn a_stop_that_is_waited_for_answers_when_it_is_done() {
    let door = Door::open();
    door.answer(|_| Ok(Some(Reply::Accepted(vec![ProcessIx(0)]))));
    let soon = check(&door.post("/v1/processes/web/stop?wait=0.2", ""), 202, "Ordered");
    assert_eq!(soon["done"], false);
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| door.post("/v1/processes/web/stop?wait=30", ""));
        std::thread::sleep(Duration::from_millis(100));
        assert!(!asked.is_finished());
        door.show(|picture| picture.processes[0].phase = PhaseName::Stopping);
        door.show(|picture| {
            picture.processes[0].phase = PhaseName::Done;
            picture.processes[0].run = None;
        });
        let done = check(&asked.join().expect("an answer"), 200, "Ordered");
        assert_eq!((&done["done"], &done["processes"][0]["state"]), (&true.into(), &"done".into()));
    });
}

#[test]
fn a_restart_that_is_waited_for_is_not_done_with_the_old_run() {
    let door = Door::open();
    door.answer(|_| Ok(Some(Reply::Accepted(vec![ProcessIx(0)]))));
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| door.post("/v1/processes/web/restart?wait=30", ""));
        std::thread::sleep(Duration::from_millis(600));
        assert!(!asked.is_finished());
        door.show(|picture| {
            let opened =
                Arc::make_mut(&mut picture.opened).entry((SessionKind::Process, "web".to_owned()));
            *opened.or_default() += 1;
        });
        check(&asked.join().expect("an answer"), 200, "Ordered");
    });
}

#[test]
fn a_reload_tells_what_changed_or_every_fault() {
    let door = Door::open();
    refuses(&door.post("/v1/reload", ""), 409, &["there is no configuration"]);
    let faults = vec!["config.yaml:3:1: a".to_owned(), "config.yaml:4:1: b".to_owned()];
    *door.reading.lock().unwrap() = Err(NotRead::Faults(faults.clone()));
    let told = refuses(&door.post("/v1/reload", ""), 422, &["nothing was changed"]);
    assert_eq!(told["faults"], json!(faults));
    assert_eq!(door.wishes(), []);
    let plan = procession::config::one_command::one_command(
        vec!["true".into()],
        procession::config::one_command::Options::new("/tmp".into()),
    );
    *door.reading.lock().unwrap() = Ok(Arc::new(plan));
    let changes = Changes { restarted: vec![ProcessIx(1)], ..Changes::default() };
    door.answer(move |_| Ok(Some(Reply::Reloaded(changes.clone()))));
    let changed = check(&door.post("/v1/reload", ""), 200, "Reloaded");
    assert_eq!(changed["restarted"], json!(["leaky"]));
}

#[test]
fn processes_are_told_by_their_places_when_one_before_them_is_gone() {
    let door = Door::open();
    door.answer(|_| Ok(Some(Reply::Accepted(vec![ProcessIx(2)]))));
    door.show(|picture| drop(picture.processes.remove(0)));
    let told = check(&door.post("/v1/processes/coder/stop", ""), 202, "Ordered");
    assert_eq!(told["processes"][0]["name"], "coder");
    let done = check(&door.post("/v1/processes/coder/start?wait=20", ""), 200, "Ordered");
    assert_eq!(done["processes"][0]["name"], "coder");
}

#[test]
fn a_spawned_command_is_told_of_and_waited_for() {
    let door = Door::open();
    let session = door.pictures.borrow().ended[0].id;
    let spawned = move |session: SessionId| {
        Ok(Some(Reply::Spawned { process: ProcessIx(4), run: RunId(9), session }))
    };
    door.answer(move |_| spawned(session));
    let body = "{\"command\": [\"make\", \"all\"], \"env\": {\"A\": \"1\"}}";
    let told = check(&door.post("/v1/spawn", body), 202, "Spawned");
    assert_eq!((&told["process"], &told["run"]), (&"broken".into(), &9.into()));
    let Some(Wish::Spawn(plan)) = door.wishes().pop() else { panic!("no spawn") };
    assert_eq!(plan.words(), ["make", "all"]);
    assert_eq!((plan.stop_signal, plan.stop_grace_period), (Signal::INT, Duration::from_secs(1)));
    let named = r#"{"command": ["make"], "name": "job"}"#;
    check(&door.post("/v1/spawn", named), 202, "Spawned");
    let Some(Wish::Spawn(plan)) = door.wishes().pop() else { panic!("no spawn") };
    assert_eq!(plan.name, "job");
    let given = door.wishes().len();
    let unknown = r#"{"command": ["make"], "user": "bobby"}"#;
    let told = refuses(&door.post("/v1/spawn", unknown), 422, &["what is asked of the command"]);
    assert_eq!(told["faults"], json!(["user: there is no user `bobby`"]));
    assert_eq!(door.wishes().len(), given, "nothing was started");
    let ended = check(&door.post("/v1/spawn?wait=5", body), 200, "Spawned");
    assert!(ended["ended"]["end"]["exit_code"].is_u64(), "{ended}");
    door.answer(move |_| spawned(SessionId::new(Wall(1), 1)));
    check(&door.post("/v1/spawn?wait=0.1", body), 202, "Spawned");
}

#[test]
fn logs_are_told_as_text_or_as_json() {
    let door = Door::open();
    let text = door.get("/v1/processes/web/logs");
    assert_eq!((text.status, text.body.as_str()), (200, "one\ntwo\nsix\n"));
    assert_eq!(text.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(door.get("/v1/processes/web/logs?tail=1").body, "six\n");
    assert_eq!(door.get("/v1/processes/web/logs?stream=stderr").body, "two\n");
    let lines = door.get("/v1/processes/web/logs?format=json").body;
    for line in lines.lines() {
        let line = serde_json::from_str(line).expect("JSON");
        assert_eq!(complaints(&line, &schema("LogLine"), "line"), [""; 0]);
    }
    assert!(lines.contains("\"cursor\":12"), "{lines}");
    refuses(&door.get("/v1/processes/leaky/logs"), 409, &["output: prefixed"]);
    refuses(&door.get("/v1/processes/nobody/logs"), 404, &[]);
}

/// Reads from a stream until it has said this.
fn read_until(stream: &mut impl Read, part: &str) -> String {
    let (mut told, mut buffer) = (String::new(), [0; 4096]);
    let deadline = Instant::now() + PATIENCE;
    while !told.contains(part) {
        let n = stream.read(&mut buffer).unwrap_or_else(|e| panic!("{e} before {part}: {told}"));
        assert!(n > 0 && Instant::now() < deadline, "no {part} in {told}");
        told.push_str(&String::from_utf8_lossy(&buffer[..n]));
    }
    told
}

fn begin(door: &Door, path: &str, headers: &str) -> std::os::unix::net::UnixStream {
    let mut stream = door.connect();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n").unwrap();
    stream
}

#[test]
fn logs_are_followed_until_we_stop() {
    let door = Door::open();
    let mut stream = begin(&door, "/v1/processes/web/logs?tail=1&follow=true", "");
    let told = read_until(&mut stream, "ten\n");
    assert!(told.contains("six\n") && !told.contains("two\n"), "{told}");
    drop(door);
    let mut rest = String::new();
    stream.read_to_string(&mut rest).expect("it ends well");
    assert!(rest.ends_with("0\r\n\r\n"), "{rest:?}");
}

fn left(codes: std::ops::Range<u8>) -> impl Iterator<Item = Lifecycle> {
    codes.map(|code| Lifecycle::Left { code })
}

#[test]
fn events_are_told_as_they_happen_and_again_to_who_comes_back() {
    let door = Door::open();
    door.tell(left(0..3));
    let mut stream = begin(&door, "/v1/events", "");
    let head = read_until(&mut stream, "retry: 1000");
    assert!(head.contains("text/event-stream"), "{head}");
    door.tell(left(3..4));
    let told = read_until(&mut stream, "\"exit_code\":3");
    assert!(told.contains("id: 1000-3\nevent: left\ndata: {"), "{told}");
    let data = told.lines().find_map(|line| line.strip_prefix("data: ")).expect("data");
    let event = serde_json::from_str(data).expect("JSON");
    assert_eq!(complaints(&event, &schema("Event"), "event"), [""; 0]);

    let mut back = begin(&door, "/v1/events", "Last-Event-ID: 1000-1\r\n");
    let told = read_until(&mut back, "\"exit_code\":3");
    assert!(told.contains("1000-2") && !told.contains("1000-1") && !told.contains("gap"), "{told}");
    let mut tail = begin(&door, "/v1/events?tail=1&kind=left", "");
    let told = read_until(&mut tail, "\"exit_code\":3");
    assert!(!told.contains("1000-2"), "{told}");
    let mut other = begin(&door, "/v1/events", "Last-Event-ID: 999-1\r\n");
    let told = read_until(&mut other, "\"exit_code\":3");
    assert!(told.contains("event: gap") && told.contains("1000-0"), "{told}");
}

#[test]
fn a_listener_that_is_too_slow_is_told_of_the_gap_and_holds_nobody_up() {
    let door = Door::open();
    let mut slow = begin(&door, "/v1/events", "");
    read_until(&mut slow, "retry: 1000");
    let begun = Instant::now();
    for _ in 0..200 {
        door.tell(left(0..250));
    }
    assert!(begun.elapsed() < PATIENCE);
    read_until(&mut slow, "event: gap");
    read_until(&mut slow, "1000-49999");
}

#[test]
fn streams_are_counted_and_who_leaves_makes_room() {
    let door = Door::open();
    let mut streams: Vec<_> = (0..32).map(|_| begin(&door, "/v1/events", "")).collect();
    streams.iter_mut().for_each(|stream| drop(read_until(stream, "retry: 1000")));
    // By its first bytes: an answer that is streamed never ends.
    let mut one_more = begin(&door, "/v1/events", "");
    let mut first = [0; 12];
    one_more.read_exact(&mut first).expect("an answer");
    assert_eq!(first, *b"HTTP/1.1 503");
    let full = door.get("/v1/events");
    refuses(&full, 503, &["too many answers are streamed"]);
    assert_eq!(full.header("retry-after"), Some("1"));
    assert_eq!(door.get("/v1/status").status, 200);
    streams.pop();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut again = begin(&door, "/v1/events", "Connection: close\r\n");
        let mut first = [0; 12];
        again.read_exact(&mut first).expect("an answer");
        if first.ends_with(b"200") {
            break;
        }
        assert!(Instant::now() < deadline, "nobody made room");
    }
}

#[test]
fn connections_that_say_nothing_keep_nobody_out() {
    let door = Door::open();
    let mut half_open: Vec<_> = (0..200).map(|_| door.connect()).collect();
    half_open.iter_mut().for_each(|stream| drop(stream.write_all(b"GET /v1/sta")));
    assert_eq!(door.get("/v1/status").status, 200);
    // A body that never comes keeps one connection and no other.
    let mut slow = door.connect();
    let head = "POST /v1/stop HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                Content-Length: 50\r\n\r\n{";
    slow.write_all(head.as_bytes()).unwrap();
    assert_eq!(door.get("/v1/status").status, 200);
    let mut said = String::new();
    slow.read_to_string(&mut said).expect("it is answered and closed");
    assert!(said.starts_with("HTTP/1.1 408") && said.contains("did not arrive"), "{said}");
}

#[test]
fn the_socket_is_for_its_owner_and_gone_with_us() {
    let door = Door::open();
    let socket = door.socket.clone();
    let mode = std::fs::metadata(&socket).expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(door);
    assert!(!socket.exists());
}

#[test]
fn over_tcp_the_token_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let token_file = folder.path().join("token");
    std::fs::write(&token_file, "0123456789abcdef\n").expect("a token");
    let listen = std::net::SocketAddr::from(([127, 0, 0, 1], free_port()));
    let _door = Door::open_with(Some(TcpControl::by_token(listen, token_file)));
    let ask = |header: &str| {
        let deadline = Instant::now() + PATIENCE;
        let mut stream = loop {
            match TcpStream::connect(listen) {
                Ok(stream) => break stream,
                Err(error) => assert!(Instant::now() < deadline, "no door: {error}"),
            }
        };
        write!(stream, "GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n")
            .unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("an answer");
        Answer::parse(&bytes)
    };
    let none = ask("");
    refuses(&none, 401, &["bearer token"]);
    assert_eq!(none.header("www-authenticate"), Some("Bearer"));
    refuses(&ask("Authorization: Bearer 0123456789abcdeg\r\n"), 401, &[]);
    let status = check(&ask("Authorization: Bearer 0123456789abcdef\r\n"), 200, "Status");
    assert_eq!(status["role"], "admin");
}

#[test]
fn chains_are_shown_told_of_and_reset() {
    let door = Door::open();
    let all = check(&door.get("/v1/agents"), 200, "Agents");
    assert_eq!(all["agents"][0]["current"]["id"], "conversation-3");
    let chain = check(&door.get("/v1/agents/claude"), 200, "AgentChain");
    assert_eq!((&chain["count"], &chain["first"]), (&json!(3), &json!("conversation-1")));
    refuses(&door.get("/v1/agents/cluade"), 404, &["did you mean \\\"claude\\\"?"]);
    let contains = |id: &str| {
        let found = door.get(&format!("/v1/agents/claude/contains?id={id}"));
        check(&found, 200, "Contains")["contains"].clone()
    };
    assert_eq!((contains("conversation-2"), contains("nobody")), (json!(true), json!(false)));
    refuses(&door.get("/v1/agents/claude/contains"), 400, &["?id="]);
    let left = check(&door.get("/v1/agents/claude/continuation"), 200, "Continuation");
    assert_eq!((&left["files"], &left["hand_over_due"]), (&json!(["/src/x"]), &json!(true)));
    let next = check(&door.get("/v1/agents/claude/hand-over"), 200, "HandOver");
    let text = door.get("/v1/agents/claude/hand-over?format=text");
    assert_eq!((text.status, &json!(text.body)), (200, &next["text"]));
    assert_eq!(text.header("content-type"), Some("text/plain; charset=utf-8"));
    check(&door.get("/v1/agents/claude/interactions?limit=3"), 200, "Interactions");
    refuses(
        &door.get("/v1/agents/claude/continuation?conversation=no"),
        404,
        &["/conversations lists those"],
    );

    let at = "/v1/agents/scribe/interactions";
    let body = r#"{"session": "s1", "id": "i1", "prompt": "a secret", "metadata": {"a": 1}}"#;
    let told = check(&door.post(at, body), 201, "Interaction");
    assert_eq!((&told["conversation"], &told["origin"]), (&json!("s1"), &json!("api")));
    assert_eq!(told.get("prompt"), None, "nothing is kept unless the configuration says so");
    let again = check(&door.post(at, body), 200, "Interaction");
    assert_eq!(again["id"], told["id"]);
    refuses(&door.post(at, "{}"), 400, &["session"]);
    refuses(&door.post(at, r#"{"session": ""}"#), 422, &["an id has"]);
    refuses(&door.post("/v1/agents/a%20b/interactions", r#"{"session": "s"}"#), 422, &["name"]);
    let large = format!(r#"{{"session": "s", "metadata": {{"a": "{}"}}}}"#, "x".repeat(5000));
    refuses(&door.post(at, &large), 422, &["4096"]);

    let at = "/v1/agents/scribe/continuation";
    let body = r#"{"tokens": 900, "window": 1000, "files": ["a", "b", "a"], "tasks": ["t"]}"#;
    let put = |path: &str, body: &str| {
        let length = body.len();
        door.send(&format!(
            "PUT {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: \
             application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    };
    let left = check(&put(at, body), 200, "Continuation");
    assert_eq!((&left["files"], &left["full"]), (&json!(["b", "a"]), &json!(true)));
    let refused = put("/v1/agents/third/continuation", "{}");
    refuses(&refused, 409, &["has had no conversation"]);
    refuses(&put(at, r#"{"window": 0}"#), 422, &["window"]);

    check(&door.post("/v1/agents/claude/interactions", r#"{"session": "s"}"#), 201, "Interaction");
    let reset = check(&door.post("/v1/agents/claude/reset", "{}"), 200, "Reset");
    assert_eq!((&reset["agent"], &reset["forgotten"]), (&json!("claude"), &json!(1)));
}
