//! Commands beside the plan, as sandboxes and tools use them: by the real binary over its real socket.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::control::schema::{complaints, schema};
use crate::house::{As, BINARY, House, mark, marked, until};
use crate::support::{free_port, get};

/// Far beyond what anything here takes.
const PATIENCE: Duration = Duration::from_secs(90);

/// A house with nothing in it but what is spawned, and one process that keeps it up.
struct Sandbox {
    house: House,
    socket: PathBuf,
}

/// What was answered.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Of this status, and as its schema says.
    #[track_caller]
    fn check(&self, status: u16, name: &str) -> Value {
        let said = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{said}");
        let body = self.json();
        assert_eq!(complaints(&body, &schema(name), name), [""; 0], "{body}");
        body
    }

    #[track_caller]
    fn refuses(&self, status: u16, kind: &str) -> String {
        let problem = self.check(status, "Problem");
        assert_eq!(problem["type"], format!("urn:procession:problem:{kind}"), "{problem}");
        problem["detail"].as_str().expect("a detail").to_owned()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        lines.find_map(|line| line.strip_prefix(&format!("{name}: ")))
    }
}

impl Sandbox {
    fn open() -> Self {
        Self::with("")
    }

    fn with(more: &str) -> Self {
        Self::that_keeps("memory", more)
    }

    /// With a store of its own.
    fn that_keeps(store: &str, more: &str) -> Self {
        let config = format!(
            "control: DIR/c.sock\nstore: {store}\n{more}processes: {{keep: {{command: [sleep, '1000000']}}}}\n"
        );
        let house = House::of_config(As::Subreaper, &config);
        Self::of(house)
    }

    fn of(house: House) -> Self {
        let socket = house.dir().join("c.sock");
        until("the socket is there", || {
            assert!(!house.log().contains("config.yaml:"), "{}", house.log());
            UnixStream::connect(&socket).ok()
        });
        Self { house, socket }
    }

    /// What the store keeps of what one wrote, once it is there.
    fn stored(&self, id: &str) -> Value {
        until("its output is in the store", || {
            let answer = self.get(&format!("/v1/sessions/{id}/output"));
            let part = (answer.status == 200).then(|| answer.check(200, "Output"))?;
            (part["stored"] == true).then_some(part)
        })
    }

    fn ask(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Answer {
        let mut stream = UnixStream::connect(&self.socket).expect("a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).expect("it is taken");
        // Who is refused may not read to the end.
        let _ = stream.write_all(body);
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("an answer");
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head[9..12].parse().expect("a status");
        Answer { status, head, body: bytes[end + 4..].to_vec() }
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "text/plain", b"")
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, "application/json", body.to_string().as_bytes())
    }

    fn send(&self, session: &str, text: &[u8], parameters: &str) -> Answer {
        let path = format!("/v1/sessions/{session}/stdin{parameters}");
        self.ask("POST", &path, "application/octet-stream", text)
    }

    #[track_caller]
    fn spawn(&self, body: Value) -> String {
        let spawned = self.post("/v1/spawn", &body).check(202, "Spawned");
        spawned["session"].as_str().expect("a session").to_owned()
    }

    fn shell(&self, line: &str) -> String {
        self.spawn(json!({ "shell": line }))
    }

    #[track_caller]
    fn output(&self, id: &str, parameters: &str) -> Value {
        let path = format!("/v1/sessions/{id}/output?{parameters}");
        self.get(&path).check(200, "Output")
    }

    /// Reads on from a place until this was written; where to read on, and all that came.
    #[track_caller]
    fn read_until(&self, id: &str, cursor: &mut u64, wanted: &str) -> String {
        let (began, mut text) = (Instant::now(), String::new());
        while !text.contains(wanted) {
            assert!(began.elapsed() < PATIENCE, "{wanted:?} never came, only {text:?}");
            let part = self.output(id, &format!("cursor={cursor}&wait=1"));
            text += part["text"].as_str().expect("text");
            *cursor = part["next"].as_u64().expect("a place");
            assert_eq!(part["missed"], 0);
            assert!(text.contains(wanted) || part["ended"] == false, "it ended with {text:?}");
        }
        text
    }

    /// All that it wrote, once it has ended.
    #[track_caller]
    fn all(&self, id: &str, parameters: &str) -> String {
        let (mut cursor, mut text) = (0, String::new());
        loop {
            let part = self.output(id, &format!("cursor={cursor}&wait=10&{parameters}"));
            text += part["text"].as_str().expect("text");
            cursor = part["next"].as_u64().expect("a place");
            if part["ended"] == true {
                return text;
            }
        }
    }

    #[track_caller]
    fn end(&self, id: &str) -> Value {
        self.get(&format!("/v1/sessions/{id}/wait?timeout=60")).check(200, "Command")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(arguments).env("PROCESSION_SOCKET", &self.socket).stdin(Stdio::null());
        command
    }

    fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.house.pid));
        let status = status.expect("it lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

#[test]
fn a_dialogue_is_read_by_cursor_and_spoken_to() {
    let it = Sandbox::open();
    let line = "printf 'who? '; read name; echo \"hello $name\"; echo oops >&2; cat; echo bye";
    let id = it.spawn(json!({ "shell": line, "stdin": "pipe" }));
    let mut at = 0;
    assert_eq!(it.read_until(&id, &mut at, "who? "), "who? ", "half a line is told at once");
    let silent = it.output(&id, &format!("cursor={at}"));
    assert_eq!((&silent["text"], &silent["next"]), (&json!(""), &json!(at)));
    assert_eq!(silent["ended"], false);
    let fed = it.send(&id, b"world\n", "").check(200, "Fed");
    assert_eq!((&fed["taken"], &fed["closed"]), (&json!(6), &json!(false)));
    it.read_until(&id, &mut at, "oops\n");
    it.send(&id, b"and more\n", "?close=true").check(200, "Fed");
    assert_eq!(it.read_until(&id, &mut at, "bye\n"), "and more\nbye\n");
    assert_eq!(it.end(&id)["end"]["exit_code"], 0);
    let last = it.output(&id, &format!("cursor={at}&wait=10"));
    assert_eq!((&last["text"], &last["ended"]), (&json!(""), &json!(true)));
    assert_eq!(it.all(&id, "stream=stderr"), "oops\n");
    assert_eq!(it.all(&id, "stream=stdout"), "who? hello world\nand more\nbye\n");
    assert_eq!(it.all(&id, "limit=4"), it.all(&id, ""), "in small parts");
    it.send(&id, b"x", "").refuses(409, "ended");
}

#[test]
fn text_has_whole_characters_and_bytes_are_as_they_came() {
    let it = Sandbox::open();
    let halves = "printf 'a\\303'; sleep 0.4; printf '\\251b'; sleep 0.4; printf '\\377'";
    let id = it.shell(halves);
    let (mut at, mut parts) = (0, Vec::new());
    loop {
        let part = it.output(&id, &format!("cursor={at}&wait=5"));
        at = part["next"].as_u64().expect("a place");
        parts.push(part["text"].as_str().expect("text").to_owned());
        if part["ended"] == true {
            break;
        }
    }
    assert_eq!(parts.concat(), "aéb\u{fffd}");
    assert_eq!(parts[0], "a", "half a character waits for its end");
    let raw = it.get(&format!("/v1/sessions/{id}/output?encoding=raw&wait=5"));
    assert_eq!((raw.status, &raw.body[..]), (200, &b"a\xc3\xa9b\xff"[..]));
    let told = ["procession-next", "procession-missed", "procession-ended", "content-type"];
    let told = told.map(|name| raw.header(name));
    let expected = ["5", "0", "true", "application/octet-stream"].map(Some);
    assert_eq!(told, expected);
    assert_eq!(it.output(&id, "encoding=base64")["base64"], "YcOpYv8=");
}

#[test]
fn what_is_not_kept_any_more_is_counted_and_a_strange_cursor_is_told() {
    let it = Sandbox::open();
    let line = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done";
    let id = it.spawn(json!({ "shell": line, "keep_output": "8KiB" }));
    it.end(&id);
    let written: u64 = (0..3000).map(|i| format!("line {i}\n").len() as u64).sum();
    let whole = until("all of it was read", || {
        Some(it.output(&id, "wait=5")).filter(|part| part["ended"] == true)
    });
    let text = whole["text"].as_str().expect("text");
    assert_eq!(whole["missed"].as_u64(), Some(written - text.len() as u64));
    assert!(text.ends_with("line 2999\n") && text.len() > 4000 && text.len() <= 8192);
    let beyond = format!("/v1/sessions/{id}/output?cursor={}", written + 1);
    assert!(it.get(&beyond).refuses(409, "strange-cursor").contains(&written.to_string()));
    it.get("/v1/sessions/01M5AAAAAAAAAAAAAAAAAAAAAA/output").refuses(404, "unknown-name");
    it.get("/v1/sessions/nobody/wait").refuses(404, "unknown-name");
    it.get(&format!("/v1/sessions/{id}/output?wait=61")).refuses(400, "bad-request");
    it.get(&format!("/v1/sessions/{id}/output?encoding=utf7")).refuses(400, "bad-request");
}

#[test]
fn what_one_wrote_is_read_from_the_store_when_memory_and_the_life_are_over() {
    let it = Sandbox::that_keeps("{sqlite: DIR/history.db}", "");
    let line = "echo first; printf 'half \\303\\251'; echo password=hunter2 >&2";
    let id = it.shell(line);
    let secret = it.all(&id, "stream=stderr");
    assert_eq!(secret, "password=hunter2\n", "in memory it is as it was");
    for _ in 0..101 {
        it.end(&it.shell("echo other"));
    }
    let part = it.stored(&id);
    assert_eq!(
        (&part["next"], &part["ended"], &part["missed"]),
        (&json!(30), &json!(true), &json!(0))
    );
    let mut house = it.house;
    house.signal(15);
    house.end();
    let it = Sandbox::of(house.again());
    assert_eq!(it.stored(&id), part, "in the next life too");
    assert_eq!(it.all(&id, "stream=stderr"), "password=***    \n", "masked, and as long as it was");
    assert_eq!(it.all(&id, "stream=stdout"), "first\nhalf é");
    assert_eq!(it.all(&id, "stream=stdout&limit=4"), "first\nhalf é", "in small parts");
    it.get(&format!("/v1/sessions/{id}/output?cursor=31")).refuses(409, "strange-cursor");
    is_taken_out(&it, &id);
    let raw = it.get(&format!("/v1/sessions/{id}/output?encoding=raw&stream=stdout"));
    let told = (&raw.body[..], raw.header("procession-stored"), raw.header("procession-next"));
    assert_eq!(told, ("first\nhalf é".as_bytes(), Some("true"), Some("30")));
    let ended = it.end(&id);
    assert_eq!((&ended["end"]["exit_code"], ended.get("run")), (&json!(0), None));
    let again = it.post(&format!("/v1/sessions/{id}/terminate"), &json!({}));
    assert_eq!(again.check(200, "Command"), ended, "who ended long ago need not be ended");
}

/// What a command wrote is told with its session where that is asked for, masked as it is kept.
fn is_taken_out(it: &Sandbox, id: &str) {
    let output = it.command(&["sessions", "export", "--output"]).output().expect("our own binary");
    let text = String::from_utf8(output.stdout).expect("text");
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of_it = |line: &&Value| line["session_id"] == id && line["type"] == "output";
    let told: Vec<&Value> = lines.iter().filter(of_it).collect();
    let [told] = told[..] else { panic!("once: {text}") };
    let parts = told["parts"].as_array().expect("a list");
    let of = |stream: &str| -> String {
        let own = parts.iter().filter(|part| part["stream"] == stream);
        own.filter_map(|part| part["text"].as_str()).collect()
    };
    assert_eq!((&*of("stdout"), &*of("stderr")), ("first\nhalf é", "password=***    \n"));
    assert_eq!((&told["missed"], &told["ended"]), (&json!(0), &json!(true)));
    assert!(!text.contains("hunter2"), "{text}");
    let words = ["sessions", "export", "--output", "--format", "json"];
    let output = it.command(&words).output().expect("our own binary");
    let array: Value = serde_json::from_slice(&output.stdout).expect("an array");
    let own = array.as_array().expect("an array").iter().find(|one| one["id"] == id);
    assert_eq!(own.expect("it is there")["output"]["parts"], told["parts"]);
    let without = it.command(&["sessions", "export"]).output().expect("our own binary");
    let without = String::from_utf8_lossy(&without.stdout).into_owned();
    assert!(!without.contains("\"output\""), "only where it is asked for: {without}");
    for refused in ["output&format=csv", "output&anonymise"] {
        assert_eq!(it.get(&format!("/v1/export?{refused}")).status, 422, "{refused}");
    }
}

#[test]
fn output_that_is_not_to_be_kept_is_gone_with_its_life() {
    let it = Sandbox::that_keeps("{output: false}", "");
    let id = it.shell("echo secret");
    it.end(&id);
    assert_eq!(it.all(&id, ""), "secret\n");
    let mut house = it.house;
    house.signal(15);
    house.end();
    let it = Sandbox::of(house.again());
    it.get(&format!("/v1/sessions/{id}/output")).refuses(404, "unknown-name");
}

#[test]
fn of_many_that_are_asked_for_at_once_no_more_begin_than_may_be_open() {
    let it = Sandbox::with("sessions: {max_concurrent: 3}\n");
    let begun: Vec<String> = std::thread::scope(|scope| {
        let ask = || {
            let answer = it.post("/v1/spawn", &json!({ "command": ["sleep", "100000"] }));
            match answer.status {
                202 => answer.json()["session"].as_str().map(str::to_owned),
                429 => None,
                _ => panic!("{answer:?}"),
            }
        };
        let asked: Vec<_> = (0..12).map(|_| scope.spawn(ask)).collect();
        asked.into_iter().filter_map(|one| one.join().expect("an answer")).collect()
    });
    assert_eq!(begun.len(), 3);
    let ended = it.post(&format!("/v1/sessions/{}/terminate?wait=60", begun[0]), &json!({}));
    ended.check(200, "Command");
    let place = until("its place is free", || {
        let answer = it.post("/v1/spawn", &json!({ "command": ["sleep", "100000"] }));
        (answer.status == 202).then_some(answer)
    });
    place.check(202, "Spawned");
    let one_more = it.post("/v1/spawn", &json!({ "command": ["true"] }));
    assert_eq!(one_more.status, 429, "{one_more:?}");
}

#[test]
fn input_is_refused_where_nobody_reads_it_and_bounded_where_it_is_not_read() {
    let it = Sandbox::open();
    let deaf = it.shell("exec sleep 1000");
    it.send(&deaf, b"x", "").refuses(409, "no-stdin");
    let slow = it.spawn(json!({ "shell": "read go; exec wc -c", "stdin": "pipe" }));
    let huge = vec![b'x'; (256 << 10) + 1];
    it.send(&slow, &huge, "").refuses(413, "too-large");
    let form = it.ask("POST", &format!("/v1/sessions/{slow}/stdin"), "text/plain", b"x");
    form.refuses(415, "wrong-content-type");
    let silent = it.spawn(json!({ "command": ["sleep", "1000"], "stdin": "pipe" }));
    let part = vec![b'x'; 100 << 10];
    let refused = until("its queue is full", || {
        Some(it.send(&silent, &part, "")).filter(|answer| answer.status != 200)
    });
    refused.refuses(429, "full");
    assert_eq!(refused.header("retry-after"), Some("1"));
    // It reads to the end what it was sent, however late, and nothing else.
    it.send(&slow, b"go\n", "").check(200, "Fed");
    for _ in 0..10 {
        until("there is room", || {
            Some(it.send(&slow, &part, "")).filter(|answer| answer.status == 200)
        });
    }
    it.send(&slow, b"", "?close=true").check(200, "Fed");
    // Closed, or over already: it ends once it has read everything.
    let more = it.send(&slow, b"more", "").check(409, "Problem");
    let kinds = ["stdin-closed", "ended"].map(|kind| format!("urn:procession:problem:{kind}"));
    assert!(kinds.iter().any(|kind| more["type"] == kind.as_str()), "{more}");
    assert_eq!(it.end(&slow)["state"], "completed");
    assert_eq!(it.all(&slow, "").trim(), (10 * part.len()).to_string());
    let closing = it.spawn(json!({ "shell": "exec <&-; sleep 1000", "stdin": "pipe" }));
    let refused = until("it is known to read no more", || {
        Some(it.send(&closing, b"x", "")).filter(|answer| answer.status != 200)
    });
    refused.refuses(409, "stdin-closed");
}

#[test]
fn one_is_found_by_session_or_pid_while_it_lives_and_after() {
    let it = Sandbox::open();
    let id = it.shell("echo here; read never < /dev/null; exec sleep 1000");
    let running = it.get("/v1/spawned?state=running").check(200, "Commands");
    assert_eq!(running["ended"], json!([]));
    let command = &running["running"][0];
    assert_eq!(command["session"], id.as_str());
    let pid = until("it has a pid", || {
        let all = it.get("/v1/spawned").json();
        all["running"][0]["pid"].as_i64()
    })
    .to_string();
    assert_eq!(it.read_until(&pid, &mut 0, "here\n"), "here\n");
    it.post(&format!("/v1/sessions/{pid}/terminate?wait=30"), &json!({})).check(200, "Command");
    let ended = it.end(&pid);
    assert_eq!((&ended["session"], &ended["end"]["signal"]), (&json!(id), &json!("SIGINT")));
    assert_eq!((&ended["state"], &ended["end"]["exit_code"]), (&json!("completed"), &json!(130)));
    assert_eq!(it.all(&pid, ""), "here\n");
    let again = it.post(&format!("/v1/sessions/{id}/terminate"), &json!({}));
    assert_eq!(again.check(200, "Command"), ended, "what is over is over");
    let kept = it.get("/v1/processes/keep").json();
    let path = format!("/v1/sessions/{}/terminate", kept["session"].as_str().expect("it runs"));
    let told = it.post(&path, &json!({ "force": true })).refuses(409, "not-spawned");
    assert!(told.contains("none of a command"), "{told}");
}

#[test]
fn one_is_ended_by_asking_first_or_at_once() {
    let it = Sandbox::open();
    let polite = it.shell("trap 'echo asked; exit 7' INT; echo up; while :; do sleep 0.05; done");
    it.read_until(&polite, &mut 0, "up\n");
    let path = |id: &str, wait: u32| format!("/v1/sessions/{id}/terminate?wait={wait}");
    let ended = it.post(&path(&polite, 30), &json!({})).check(200, "Command");
    assert_eq!((&ended["state"], &ended["end"]["exit_code"]), (&json!("completed"), &json!(7)));
    assert_eq!(it.all(&polite, ""), "up\nasked\n");

    let stubborn = "trap '' INT TERM; echo up; while :; do sleep 0.05; done";
    for (body, least, most) in [
        (json!({}), 0.9, 20.0),
        (json!({ "grace_seconds": 2.5 }), 2.4, 20.0),
        (json!({ "force": true }), 0.0, 0.9),
    ] {
        let id = it.shell(stubborn);
        it.read_until(&id, &mut 0, "up\n");
        let began = Instant::now();
        let answer = it.post(&path(&id, 0), &body);
        // Who is killed at once may be gone before it is said that it is under way.
        let is_over = answer.status == 200 && body["force"] == json!(true);
        let told = answer.check(if is_over { 200 } else { 202 }, "Command");
        assert_eq!(told.get("end").is_some(), is_over, "{told}");
        let ended = it.end(&id);
        let took = began.elapsed().as_secs_f64();
        assert!((least..most).contains(&took), "{body}: {took}");
        assert_eq!(
            (&ended["state"], &ended["end"]["signal"]),
            (&json!("killed"), &json!("SIGKILL"))
        );
    }
    let id = it.shell("exec sleep 1000");
    for wrong in [json!({ "grace_seconds": -1 }), json!({ "grace_seconds": 1e9 })] {
        it.post(&path(&id, 0), &wrong).refuses(422, "invalid");
    }
    it.post(&path(&id, 0), &json!({ "fast": true })).refuses(400, "bad-request");
}

#[test]
fn limits_hold_for_one_command_and_its_time_ends_it() {
    let it = Sandbox::open();
    let asks = "ulimit -n; ulimit -d; ulimit -t; echo $(ulimit -p 2>/dev/null || ulimit -u)";
    let limits = json!({
        "shell": asks, "nofile": 33, "memory": "64MiB", "cpu_time": "1500ms", "nproc": 5000,
    });
    let id = it.spawn(limits);
    assert_eq!(it.all(&id, ""), "33\n65536\n2\n5000\n");
    let late = it.spawn(json!({ "command": ["sleep", "1000"], "timeout": "300ms" }));
    let ended = it.end(&late);
    assert_eq!(ended["state"], "timed_out");
    assert!(ended["end"]["reason"].as_str().expect("a reason").contains("as long as it may"));
    let took = ended["end"]["duration_seconds"].as_f64().expect("a duration");
    // Its time begins with the turn of the loop that starts it, some milliseconds before its run.
    assert!(took > 0.2, "{took}");
    let burns = it.spawn(json!({ "shell": "while :; do :; done", "cpu_time": "1s" }));
    assert_eq!(it.end(&burns)["end"]["exit_code"], 128 + 9, "soft and hard are one");
    let wrong = it.post("/v1/spawn", &json!({ "shell": "true", "timeout": "soon", "memory": "x" }));
    let problem = wrong.check(422, "Problem");
    assert_eq!(problem["faults"].as_array().map(Vec::len), Some(2), "{problem}");
}

#[test]
fn all_are_ended_when_the_house_goes_down() {
    let mut it = Sandbox::open();
    let mark = mark();
    for line in ["exec sleep MARK", "trap '' INT; sleep MARK & wait; sleep MARK"] {
        it.shell(&line.replace("MARK", &mark));
    }
    it.spawn(json!({ "shell": format!("cat; sleep {mark}"), "stdin": "pipe" }));
    until("all run", || (marked(&mark).len() >= 3).then_some(()));
    it.house.signal(15);
    assert_eq!(it.house.end().0, 143);
    assert_eq!(marked(&mark), Vec::<i32>::new());
}

#[test]
fn a_thousand_in_a_row_and_a_hundred_at_once_are_all_heard_of() {
    let it = Sandbox::open();
    let run = |number: usize| {
        // With and without a shell.
        let text = format!("number {number}");
        let body = match number % 2 {
            0 => json!({ "shell": format!("echo {text}") }),
            _ => json!({ "command": ["echo", text] }),
        };
        let id = it.spawn(body);
        assert_eq!(it.all(&id, ""), format!("{text}\n"));
        if number.is_multiple_of(10) {
            assert_eq!(it.end(&id)["end"]["exit_code"], 0);
        }
    };
    (0..100).for_each(run);
    let before = it.resident_kib();
    (100..1100).for_each(run);
    let after = it.resident_kib();
    assert!(after < before + 4096, "from {before} to {after} KiB");
    let all = it.get("/v1/spawned").check(200, "Commands");
    assert_eq!(all["ended"].as_array().map(Vec::len), Some(100), "the newest of them");
    let few = it.get("/v1/spawned?state=ended&limit=3").check(200, "Commands");
    assert_eq!(few["ended"][0], all["ended"][0]);
    assert_eq!(few["ended"].as_array().map(Vec::len), Some(3));

    let ids: Vec<String> = (0..100)
        .map(|n| it.spawn(json!({ "shell": format!("read x; echo {n}"), "stdin": "pipe" })))
        .collect();
    assert_eq!(it.post("/v1/spawn", &json!({ "shell": "true" })).status, 429, "there is an end");
    std::thread::scope(|scope| {
        for (n, id) in ids.iter().enumerate() {
            let it = &it;
            scope.spawn(move || {
                it.send(id, b"go\n", "").check(200, "Fed");
                assert_eq!(it.end(id)["state"], "completed");
                assert_eq!(it.all(id, ""), format!("{n}\n"));
            });
        }
    });
}

#[test]
fn the_terminal_speaks_to_a_command() {
    let it = Sandbox::open();
    let line = "read a; read b; echo \"$b $a\" > $OUT; exit 3";
    let out = it.house.dir().join("spoken");
    let out = format!("OUT={}", out.display());
    let mut typed = it
        .command(&["spawn", "--stdin", "--wait", "--timeout", "60s", "-e", &out, "--shell", line])
        .stdin(Stdio::piped())
        .spawn()
        .expect("our own binary");
    let mut keys = typed.stdin.take().expect("a pipe");
    keys.write_all(b"one\n").expect("it reads");
    keys.write_all(b"two\n").expect("it reads");
    // The pipe stays open: its end is what ends us.
    let status = typed.wait().expect("it ends");
    assert_eq!(status.code(), Some(3));
    drop(keys);
    let text = std::fs::read_to_string(it.house.dir().join("spoken")).expect("it wrote");
    assert_eq!(text, "two one\n");
}

#[test]
fn the_verbs_do_what_the_doors_do() {
    let it = Sandbox::open();
    let out = |arguments: &[&str]| {
        let output = it.command(arguments).output().expect("our own binary");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), text, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let line = "read a; echo \"got $a\"; echo oops >&2; read b; exit 5";
    let id = it.spawn(json!({ "shell": line, "stdin": "pipe" }));
    assert_eq!(out(&["sessions", "write", &id, "one\n"]).0, Some(0));
    it.read_until(&id, &mut 0, "oops\n");
    assert_eq!(out(&["sessions", "output", &id]).1, "got one\noops\n");
    assert_eq!(out(&["sessions", "output", &id, "--stream", "stderr"]).1, "oops\n");
    let still = out(&["sessions", "wait", &id, "--timeout", "0.1"]);
    assert!(still.0 == Some(1) && still.2.contains("still runs"), "{still:?}");
    assert_eq!(out(&["sessions", "write", &id, "--close", "two\n"]).0, Some(0));
    assert_eq!(out(&["sessions", "wait", &id]).0, Some(5));
    assert_eq!(out(&["sessions", "output", "--follow", &id]).1, "got one\noops\n");
    let refused = out(&["sessions", "write", &id, "three"]);
    assert!(refused.0 == Some(1) && refused.2.contains("reads nothing any more"), "{refused:?}");
    let id = it.shell("exec sleep 1000");
    let ended = out(&["sessions", "terminate", &id, "--force"]);
    assert!(
        ended.0 == Some(0) && ended.1.contains("SIGKILL), because it was ordered"),
        "{ended:?}"
    );
    let json = out(&["sessions", "wait", &id, "--json"]);
    assert_eq!(json.0, Some(137));
    let command: Value = serde_json::from_str(&json.1).expect("JSON");
    assert_eq!(command["state"], "killed");
    assert_eq!(out(&["sessions", "wait", "4711"]).0, Some(1), "nobody is called so");
}

#[test]
fn a_command_beside_the_plan_that_failed_takes_nobody_out_of_service() {
    let port = free_port();
    let config =
        "control: DIR/c.sock\nstore: memory\nprocesses: {keep: {command: [sleep, '1000000']}}\n";
    let it = Sandbox::of(House::of_config_listening(As::Subreaper, config, port));
    let url = format!("http://127.0.0.1:{port}/readyz");
    until("it is ready", || get(&url));
    let session = it.shell("exit 3");
    assert_eq!(it.end(&session)["end"]["exit_code"], 3);
    until("the picture shows that it failed", || {
        let shown = it.get("/v1/processes").json();
        let all = shown["processes"].as_array()?;
        all.iter().find(|one| one["name"] == "spawned-1" && one["state"] == "failed").cloned()
    });
    assert_eq!(get(&url).as_deref(), Some("ready\n"));
}
