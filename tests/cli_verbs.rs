//! The verbs that ask a procession that runs, by the real binary and its real socket.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::house::{As, BINARY, House, mark, marked, until};
use crate::support::free_port;

/// Far beyond what anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A house with a socket of its own, and a way to ask it.
struct Asked {
    house: House,
    socket: PathBuf,
}

impl Asked {
    fn of(stand: As, processes: &str) -> Self {
        let config = format!("control: DIR/c.sock\nprocesses:\n{processes}");
        let house = House::of_config(stand, &config);
        let socket = house.dir().join("c.sock");
        let deadline = Instant::now() + PATIENCE;
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            assert!(!house.log().contains("config.yaml:"), "{}", house.log());
            assert!(Instant::now() < deadline, "no socket: {}", house.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { house, socket }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(arguments).env("PROCESSION_SOCKET", &self.socket).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("our own binary")
    }

    /// What is printed by an order that works.
    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(code(&output), Some(0), "{arguments:?}: {}{}", out(&output), said(&output));
        out(&output)
    }

    fn process(&self, name: &str) -> Value {
        let found: Value = serde_json::from_str(&self.ok(&["ps", "--json"])).expect("JSON");
        let mut processes = found["processes"].as_array().expect("a list").iter();
        processes.find(|process| process["name"] == name).expect("it is there").clone()
    }

    /// Waits until a process is in this state.
    fn wait(&self, name: &str, state: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let process = self.process(name);
            if process["state"] == state {
                return process;
            }
            assert!(Instant::now() < deadline, "{name} never became {state}: {process}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A whole answer, as it comes.
fn get(socket: &Path, path: &str) -> String {
    let mut stream = std::os::unix::net::UnixStream::connect(socket).expect("it answers");
    let asked = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(asked.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const TWO: &str = "  web: {command: [sh, -c, 'echo hello from web; exec sleep 600']}\n  \
                   db: {command: [sleep, '600'], restart: always}\n";

#[test]
fn ps_shows_what_runs() {
    for stand in [As::Subreaper, As::Pid1] {
        let asked = Asked::of(stand, TWO);
        asked.wait("web", "ready");
        let shown = asked.ok(&["ps"]);
        assert!(shown.starts_with("NAME "), "{shown}");
        for part in ["web ", "db ", "ready", "UPTIME"] {
            assert!(shown.contains(part), "{part} is missing in {shown}");
        }
        let only = asked.ok(&["ps", "db"]);
        assert!(!only.contains("web"), "{only}");
        let unknown = asked.run(&["ps", "wbe"]);
        assert_eq!(code(&unknown), Some(1), "{}", said(&unknown));
        assert!(said(&unknown).contains("did you mean \"web\"?"), "{}", said(&unknown));
    }
}

#[test]
fn start_stop_and_restart_wait_and_say_what_came_of_it() {
    let asked = Asked::of(As::Subreaper, TWO);
    let first = asked.wait("web", "ready")["pid"].as_i64().expect("a pid");
    let stopped = asked.ok(&["stop", "web"]);
    assert!(stopped.starts_with("web: "), "{stopped}");
    assert!(!Path::new(&format!("/proc/{first}")).exists());
    // By an order it stays stopped, whatever its policy.
    asked.ok(&["stop", "db"]);
    assert_eq!(asked.process("db")["pid"], Value::Null);
    let started = asked.ok(&["start", "web", "db"]);
    assert!(started.contains("web: ready (pid ") && started.contains("db: ready"), "{started}");
    let second = asked.process("web")["pid"].as_i64().expect("a pid");
    asked.ok(&["restart", "--all"]);
    let third = asked.process("web")["pid"].as_i64().expect("a pid");
    assert!(first != second && second != third, "{first} {second} {third}");
    let unknown = asked.run(&["stop", "wbe"]);
    assert_eq!(code(&unknown), Some(1));
    assert!(said(&unknown).contains("did you mean \"web\"?"), "{}", said(&unknown));
    assert!(asked.house.log().contains("ordered: restart web db"), "{}", asked.house.log());
}

#[test]
fn a_signal_reaches_the_process() {
    let script = "trap 'echo hup' HUP; echo set; while :; do sleep 0.1; done";
    let asked = Asked::of(As::Subreaper, &format!("  web: {{command: [sh, -c, \"{script}\"]}}\n"));
    wait_for_log(&asked, "set");
    assert_eq!(asked.ok(&["signal", "hup", "web"]), "web: sent\n");
    wait_for_log(&asked, "hup");
    let wrong = asked.run(&["signal", "SIGWHAT", "web"]);
    assert_eq!(code(&wrong), Some(1));
    assert!(said(&wrong).contains("SIGUSR1"), "{}", said(&wrong));
}

fn wait_for_log(asked: &Asked, line: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !asked.ok(&["logs", "web"]).lines().any(|said| said == line) {
        assert!(Instant::now() < deadline, "web never said {line}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn logs_are_shown_and_followed() {
    let asked = Asked::of(
        As::Subreaper,
        "  web: {command: [sh, -c, 'for i in 1 2 3; do echo line $$i; done; while [ ! -e DIR/go ]; do \
         sleep 0.1; done; echo more; exec sleep 600']}\n  db: {command: [sh, -c, 'echo from db; exec sleep 600']}\n",
    );
    wait_for_log(&asked, "line 3");
    assert_eq!(asked.ok(&["logs", "-n", "2", "web"]), "line 2\nline 3\n");
    let deadline = Instant::now() + PATIENCE;
    while !asked.ok(&["logs"]).contains("db  | from db") {
        assert!(Instant::now() < deadline, "{}", asked.ok(&["logs"]));
    }
    assert!(asked.ok(&["logs"]).contains("web | line 1\n"));
    let json: Value =
        serde_json::from_str(&asked.ok(&["logs", "--json", "-n1", "web"])).expect("JSON");
    assert_eq!((&json["line"], &json["stream"]), (&"line 3".into(), &"stdout".into()));
    assert_eq!(code(&asked.run(&["logs", "nobody"])), Some(1));

    let mut followed =
        asked.command(&["logs", "-f", "-n1", "web"]).stdout(Stdio::piped()).spawn().expect("it");
    let mut lines = BufReader::new(followed.stdout.take().expect("a pipe")).lines();
    let mut next = || lines.next().expect("a line").expect("text");
    assert_eq!(next(), "line 3");
    fs::write(asked.house.dir().join("go"), "").expect("our own folder");
    assert_eq!(next(), "more");
    followed.kill().and_then(|()| followed.wait()).expect("our own child");
}

#[test]
fn events_are_told_as_they_happen() {
    let asked = Asked::of(As::Subreaper, TWO);
    asked.wait("web", "ready");
    let mut told = asked
        .command(&["events", "--json", "-n", "500", "web"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("our own binary");
    let lines = BufReader::new(told.stdout.take().expect("a pipe")).lines();
    asked.ok(&["stop", "web"]);
    let mut kinds = Vec::new();
    for line in lines {
        let event: Value = serde_json::from_str(&line.expect("text")).expect("JSON");
        assert_eq!(event["process"], "web");
        kinds.push(event["kind"].as_str().expect("a kind").to_owned());
        if event["kind"] == "run_ended" {
            break;
        }
    }
    told.kill().and_then(|()| told.wait()).expect("our own child");
    for kind in ["run_opened", "run_forked", "run_ready", "run_stopping", "run_ended"] {
        assert!(kinds.iter().any(|known| known == kind), "{kind} is missing in {kinds:?}");
    }
}

#[test]
fn a_spawned_command_runs_beside_and_its_code_is_ours() {
    let asked = Asked::of(As::Subreaper, TWO);
    asked.wait("web", "ready");
    let file = asked.house.dir().join("made");
    let line = format!("echo $A > {}; exit 7", file.display());
    let ended = asked.run(&["spawn", "--wait", "-e", "A=one", "--", "sh", "-c", &line]);
    assert_eq!(code(&ended), Some(7), "{}", said(&ended));
    assert_eq!(fs::read_to_string(&file).expect("it was made"), "one\n");
    let started = asked.ok(&["spawn", "--shell", "exec sleep 600"]);
    assert!(started.starts_with("spawned-"), "{started}");
    assert_eq!(asked.process("web")["state"], "ready");
}

#[test]
fn a_spawned_command_is_what_was_asked_for() {
    let asked = Asked::of(As::Subreaper, TWO);
    asked.wait("web", "ready");
    let folder = asked.house.dir().join("there");
    fs::create_dir(&folder).expect("a folder");
    let (file, at) = (folder.join("told"), folder.display().to_string());
    // It says as whom and where it runs, and how it was asked to end; that takes it a while.
    let script = "trap 'sleep 2; echo quit >> told; exit 0' QUIT; echo $(id -u):$(id -g) $PWD $A > told; \
                  while :; do sleep 0.1; done";
    let job = [
        "spawn",
        "--name",
        "job",
        "--dir",
        &at,
        "--env",
        "A=1",
        "--stop-signal",
        "QUIT",
        "--stop-grace-period",
        "30s",
        "--user",
        "0:7",
        "--",
        "sh",
        "-c",
        script,
    ];
    assert!(asked.ok(&job).starts_with("job: started"));
    let deadline = Instant::now() + PATIENCE;
    while fs::read_to_string(&file).unwrap_or_default() != format!("0:7 {at} 1\n") {
        assert!(Instant::now() < deadline, "{:?}", fs::read_to_string(&file));
        std::thread::sleep(Duration::from_millis(50));
    }
    for (taken, why) in [("job", "the name is taken"), ("web", "the name is taken")] {
        let refused = asked.run(&["spawn", "--name", taken, "--", "true"]);
        assert_eq!(code(&refused), Some(1), "{why}: {}", said(&refused));
        assert!(
            said(&refused).contains(&format!("is called {taken} already")),
            "{}",
            said(&refused)
        );
    }
    let wrong = asked.run(&[
        "spawn",
        "--name",
        "no name",
        "--user",
        "nobody-has-this",
        "--stop-signal",
        "LOUD",
        "--",
        "true",
    ]);
    assert_eq!(code(&wrong), Some(1));
    for part in ["name: ", "user: there is no user `nobody-has-this`", "stop_signal: "] {
        assert!(said(&wrong).contains(part), "{part} is missing in {}", said(&wrong));
    }
    asked.ok(&["stop", "job"]);
    let told = fs::read_to_string(&file).expect("it was told");
    assert!(told.ends_with("quit\n"), "it had the time that was asked for: {told}");
    assert!(asked.ok(&["spawn", "--wait", "--name", "job", "--", "true"]).is_empty());
    let all: Value = serde_json::from_str(&asked.ok(&["ps", "--json"])).expect("JSON");
    let jobs = all["processes"].as_array().expect("a list").iter();
    assert_eq!(jobs.filter(|process| process["name"] == "job").count(), 1);
}

#[test]
fn a_command_that_cannot_be_started_is_told_as_such() {
    let asked = Asked::of(As::Subreaper, TWO);
    asked.wait("web", "ready");
    let cases: [(&[&str], &str); 3] = [
        (&["--", "no-such-program"], "no-such-program"),
        (&["--dir", "/nowhere", "--", "true"], "working directory"),
        (&["--stdin", "--", "/etc/passwd"], "/etc/passwd"),
    ];
    for (words, part) in cases {
        let refused = asked.run(&[&["spawn", "--name", "job"], words].concat());
        assert_eq!((code(&refused), out(&refused).as_str()), (Some(1), ""), "{words:?}");
        assert!(said(&refused).starts_with("procession: job ("), "{}", said(&refused));
        assert!(said(&refused).contains(part), "{part} is missing in {}", said(&refused));
    }
    let waited = asked.run(&["spawn", "--wait", "--", "no-such-program"]);
    assert_eq!(code(&waited), Some(127));
    assert!(said(&waited).contains("no-such-program"), "{}", said(&waited));
    // What began and is over at once did start.
    assert!(asked.ok(&["spawn", "--name", "job", "--", "false"]).starts_with("job: started"));
}

#[test]
fn an_unknown_name_is_an_error_and_a_family_means_its_replicas() {
    let asked = Asked::of(
        As::Subreaper,
        "  web: {command: [sh, -c, 'echo hello; exec sleep 600'], replicas: 2}\n",
    );
    asked.wait("web-1", "ready");
    let verbs: [&[&str]; 5] = [
        &["tokens", "--process"],
        &["events", "-n", "5"],
        &["memory"],
        &["memory", "explain"],
        &["logs"],
    ];
    for verb in verbs {
        let refused = asked.run(&[verb, &["wbe-1"]].concat());
        assert_eq!(code(&refused), Some(1), "{verb:?}: {}", said(&refused));
        let advice = "no process is called \"wbe-1\"; did you mean \"web-1\"?";
        assert!(said(&refused).contains(advice), "{verb:?}: {}", said(&refused));
    }
    assert!(asked.ok(&["tokens", "--process", "web"]).starts_with("PROCESS"));
    let all = asked.ok(&["sessions", "list", "-p", "web"]);
    assert!(all.contains("web-1") && all.contains("web-2"), "{all}");
    let pages = asked.run(&["sessions", "list", "-p", "web", "-n", "1"]);
    let cursor = said(&pages).trim().rsplit(' ').next().expect("a cursor").to_owned();
    asked.ok(&["sessions", "list", "-p", "web", "-n", "1", "--cursor", &cursor]);
    let exported = get(&asked.socket, "/v1/export?process=web");
    assert!(exported.contains("\"web-1\"") && exported.contains("\"web-2\""), "{exported}");
    let listed = asked.run(&["sessions", "list", "-p", "wbe-1"]);
    assert_eq!(code(&listed), Some(0), "one of an earlier life may have had it");
    assert!(said(&listed).contains("did you mean \"web-1\"?"), "{}", said(&listed));
    let mut told =
        asked.command(&["events", "-n", "50", "web"]).stdout(Stdio::piped()).spawn().expect("it");
    let mut lines = BufReader::new(told.stdout.take().expect("a pipe")).lines();
    assert!(lines.next().expect("a line").expect("text").contains("web-"));
    told.kill().and_then(|()| told.wait()).expect("our own child");
}

#[test]
fn who_follows_ends_when_nobody_reads_any_more() {
    let asked = Asked::of(As::Subreaper, TWO);
    asked.wait("web", "ready");
    wait_for_log(&asked, "hello from web");
    for verb in [&["events", "-n", "1"][..], &["logs", "-f", "web"]] {
        let mut told = asked.command(verb).stdout(Stdio::piped()).spawn().expect("our own binary");
        let mut lines = BufReader::new(told.stdout.take().expect("a pipe")).lines();
        assert!(lines.next().is_some_and(|line| line.is_ok()), "{verb:?}");
        drop(lines);
        let deadline = Instant::now() + Duration::from_secs(20);
        let ended = loop {
            match told.try_wait().expect("our own child") {
                None if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                ended => break ended,
            }
        };
        if ended.is_none() {
            told.kill().and_then(|()| told.wait()).expect("our own child");
        }
        assert_eq!(ended.and_then(|status| status.code()), Some(0), "{verb:?}");
    }
}

#[test]
fn a_socket_that_somebody_deletes_is_made_again() {
    let asked =
        Asked::of(As::Subreaper, "  web: {command: [sleep, '600']}\nmemory: {interval: 200ms}\n");
    asked.wait("web", "ready");
    fs::remove_file(&asked.socket).expect("our own socket");
    until("it answers again", || (code(&asked.run(&["ps"])) == Some(0)).then_some(()));
    let log = asked.house.log();
    assert!(log.contains("WARN control: ") && log.contains("is gone"), "{log}");
}

#[test]
fn a_reload_changes_what_changed_and_a_bad_file_changes_nothing() {
    let asked = Asked::of(As::Subreaper, TWO);
    let web = asked.wait("web", "ready")["pid"].clone();
    asked.wait("db", "ready");
    assert_eq!(asked.ok(&["reload"]), "nothing changed\n");
    let file = asked.house.dir().join("config.yaml");
    let text = fs::read_to_string(&file).expect("the file");
    fs::write(&file, text.replace("[sleep, '600']", "[sleep, '601']")).expect("our own file");
    assert_eq!(asked.ok(&["reload"]), "restarted: db\n");
    assert_eq!(asked.process("web")["pid"], web);
    fs::write(&file, text.replace("restart: always", "restart: sometimes")).expect("our own file");
    let refused = asked.run(&["reload"]);
    assert_eq!(code(&refused), Some(1));
    for part in ["nothing was changed", "restart: expected"] {
        assert!(said(&refused).contains(part), "{part} is missing in {}", said(&refused));
    }
    fs::remove_file(&file).expect("our own file");
    let refused = said(&asked.run(&["reload"]));
    // Here -c would only name the socket.
    assert!(refused.contains("there is no such file; check the path"), "{refused}");
    assert!(!refused.contains("-c"), "{refused}");
    assert_eq!(asked.process("web")["pid"], web);
}

#[test]
fn what_a_failed_health_test_wrote_last_is_shown() {
    let script = "head -c 300000 /dev/zero | tr '\\0' x; echo; echo password=sesame; echo no luck >&2; exit $(cat DIR/code)";
    let asked = Asked::of(
        As::Subreaper,
        &format!(
            "  it:\n    command: [sleep, '600']\n    healthcheck: {{test: [CMD-SHELL, {script:?}], \
             interval: 100ms, start_interval: 100ms, timeout: 20s, retries: 2, on_unhealthy: report}}\n"
        )
        .replace("$(", "$$("),
    );
    let code_file = asked.house.dir().join("code");
    let health = |wanted: &str| {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let process = asked.process("it");
            if process["health"] == wanted {
                return process;
            }
            assert!(Instant::now() < deadline, "never {wanted}: {process} {}", asked.house.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    fs::write(&code_file, "0").expect("our own file");
    assert_eq!(health("healthy")["failed_test_output"], Value::Null, "it may write much");
    fs::write(&code_file, "3").expect("our own file");
    let process = health("unhealthy");
    let said = process["failed_test_output"].as_str().expect("it said something");
    assert!(said.ends_with("\nno luck") && said.len() <= 300, "{said}");
    let log = asked.house.log();
    assert!(log.contains("exited with 3: ") || log.contains(": xxx"), "{log}");
    assert!(log.contains(" | no luck") && !log.contains("sesame"), "{log}");
    let table = asked.ok(&["ps"]);
    assert!(table.contains("health test: no luck"), "{table}");
    let events =
        asked.command(&["events", "--json", "--tail", "1000"]).stdout(Stdio::piped()).spawn();
    let mut events = events.expect("our own binary");
    let lines = BufReader::new(events.stdout.take().expect("a pipe")).lines();
    let mut lines = lines.map(|line| line.expect("text"));
    let told = lines.find(|line| line.contains("\"test_failed\"")).expect("an event");
    assert!(told.contains("no luck") && !told.contains("sesame"), "{told}");
    let _ = events.kill();
    let _ = events.wait();
    fs::write(&code_file, "0").expect("our own file");
    assert_eq!(health("healthy")["failed_test_output"], Value::Null);
}

/// Answers by the path that is asked for.
const SERVER: &str = r#"
import http.server, socketserver, sys, time
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == '/hangs':
            time.sleep(600)
        if self.path == '/closes':
            return self.connection.close()
        self.send_response({'/fine': 200, '/moved': 302, '/ill': 500}[self.path])
        self.send_header('Location', '/ill')
        self.send_header('Content-Length', '0')
        self.end_headers()
    def log_message(self, *_):
        pass
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
Server(('127.0.0.1', int(sys.argv[1])), Answer).serve_forever()
"#;

#[test]
fn health_is_asked_for_over_http_and_tcp() {
    let (port, nobody) = (free_port(), free_port());
    let paths = ["fine", "moved", "ill", "hangs", "closes"];
    let tests = paths.map(|path| (path, format!("http: 'http://127.0.0.1:{port}/{path}'")));
    let ports = [("port", port), ("no-port", nobody)];
    let ports = ports.map(|(name, port)| (name, format!("tcp: '127.0.0.1:{port}'")));
    let process = |(name, test): (&str, String)| {
        format!(
            "  {name}:\n    command: [sleep, '600']\n    depends_on: {{server: {{condition: \
             service_healthy}}}}\n    healthcheck: {{{test}, interval: 100ms, start_interval: 100ms, \
             timeout: 2s, retries: 2, on_unhealthy: report}}\n"
        )
    };
    let all: String = tests.into_iter().chain(ports).map(process).collect();
    let asked = Asked::of(
        As::Subreaper,
        &format!(
            "  server:\n    command: [python3, DIR/server.py, '{port}']\n    restart: always\n    \
             healthcheck: {{tcp: '127.0.0.1:{port}', interval: 100ms, start_interval: 100ms, \
             start_period: 60s}}\n{all}"
        ),
    );
    fs::write(asked.house.dir().join("server.py"), SERVER).expect("our own folder");
    for (name, health) in [
        ("fine", "healthy"),
        ("moved", "healthy"),
        ("ill", "unhealthy"),
        ("hangs", "unhealthy"),
        ("closes", "unhealthy"),
        ("port", "healthy"),
        ("no-port", "unhealthy"),
    ] {
        let deadline = Instant::now() + PATIENCE;
        while asked.process(name)["health"] != health {
            assert!(Instant::now() < deadline, "{name} is not {health}: {}", asked.process(name));
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn an_agent_that_a_reload_adds_is_followed_at_once() {
    let asked = Asked::of(As::Subreaper, TWO);
    let web = asked.wait("web", "ready")["pid"].clone();
    let file = asked.house.dir().join("config.yaml");
    let text = fs::read_to_string(&file).expect("the file");
    let folder = asked.house.dir().join("transcripts");
    fs::create_dir(&folder).expect("a folder");
    let coder =
        "  coder: {command: [sleep, '600'], agent: {dialect: claude, transcripts: transcripts}}";
    fs::write(&file, format!("{}\n{coder}\n", text.trim_end())).expect("our own file");
    assert_eq!(asked.ok(&["reload"]), "added: coder\n");
    let line = r#"{"type":"assistant","sessionId":"s","cwd":"/","timestamp":"2026-10-01T10:00:00Z","message":{"id":"m1","model":"claude-sonnet-5","stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":4}}}"#;
    fs::write(folder.join("s.jsonl"), format!("{line}\n")).expect("a transcript");
    let deadline = Instant::now() + PATIENCE;
    while asked.process("coder")["tokens"] != 7 {
        assert!(Instant::now() < deadline, "{}", asked.process("coder"));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(asked.process("web")["pid"], web);
}

#[test]
fn output_is_what_a_reload_says_for_those_who_run() {
    // It may open before the writer of the line before has closed, and then reads nothing.
    let echo = "while :; do read -r x < fifo && echo $$x; done";
    let config = |output: &str| {
        format!("  talker: {{command: [sh, -c, 'mkfifo fifo; {echo}'], output: {output}}}\n")
    };
    let asked = Asked::of(As::Subreaper, &config("prefixed"));
    let (dir, file) = (asked.house.dir().to_owned(), asked.house.dir().join("config.yaml"));
    let text = fs::read_to_string(&file).expect("the file");
    let pid = asked.wait("talker", "ready")["pid"].clone();
    let say = |word: &str| {
        let deadline = Instant::now() + PATIENCE;
        while !dir.join("fifo").exists() {
            assert!(Instant::now() < deadline, "no fifo");
            std::thread::sleep(Duration::from_millis(20));
        }
        fs::write(dir.join("fifo"), format!("{word}\n")).expect("it reads");
    };
    let shown = |part: &str| {
        let deadline = Instant::now() + PATIENCE;
        while !asked.house.output().contains(part) {
            assert!(Instant::now() < deadline, "no {part} in {}", asked.house.output());
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let change = |output: &str| {
        fs::write(&file, text.replace("output: prefixed", &format!("output: {output}")))
            .expect("ours");
        assert_eq!(asked.ok(&["reload"]), "adjusted: talker\n");
    };
    say("first");
    shown("talker | first\n");
    change("json");
    say("second");
    shown("\"process\":\"talker\",\"stream\":\"stdout\",\"line\":\"second\"}\n");
    change("{mode: quiet, file: talker.log, keep: 1KiB}");
    say("third");
    let deadline = Instant::now() + PATIENCE;
    while fs::read_to_string(dir.join("talker.log")).unwrap_or_default() != "third\n" {
        assert!(Instant::now() < deadline, "nothing in the file");
        std::thread::sleep(Duration::from_millis(20));
    }
    change("{mode: prefixed, keep: 0}");
    say("fourth");
    shown("talker | fourth\n");
    assert!(!asked.house.output().contains("third"));
    let refused = asked.run(&["logs", "talker"]);
    assert_eq!((code(&refused), said(&refused).contains("keep")), (Some(1), true));
    assert_eq!(asked.process("talker")["pid"], pid, "it is the same run");
}

#[test]
fn who_runs_inside_a_run_may_look_and_act_on_that_run_only() {
    let script = format!(
        "{BINARY} ps > DIR/ps 2>&1; {BINARY} stop db > DIR/stop 2>&1; echo $$? >> DIR/stop; \
         {BINARY} spawn -- true > DIR/spawn 2>&1; setsid sh -c '({BINARY} shutdown > DIR/down 2>&1; \
         echo done >> DIR/down) &'; {BINARY} signal USR1 web > DIR/own 2>&1; exec sleep 600"
    );
    let web = format!("trap : USR1; {script}").replace('\'', "''");
    let asked = Asked::of(
        As::Subreaper,
        &format!(
            "  db: {{command: [sleep, '600']}}\n  web:\n    environment: {{PROCESSION_SOCKET: DIR/c.sock}}\n    \
             command: [sh, -c, 'sleep 1; {web}']\n"
        ),
    );
    let told = |name: &str, part: &str| {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = fs::read_to_string(asked.house.dir().join(name)).unwrap_or_default();
            if text.contains(part) {
                return text;
            }
            assert!(Instant::now() < deadline, "no {part} in {name}: {text}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    assert!(told("ps", "db").contains("web"));
    let stop = told("stop", "\n1\n");
    assert!(stop.contains("runs inside web") && stop.contains("that run only"), "{stop}");
    assert!(told("spawn", "may look").contains("inside web"));
    assert!(told("down", "done").contains("may"), "it was let down the house");
    assert_eq!(told("own", "sent"), "web: sent\n");
    assert_eq!(asked.process("db")["state"], "ready");
}

#[test]
fn a_shutdown_ends_the_house_and_the_socket() {
    let mut asked = Asked::of(As::Subreaper, TWO);
    asked.wait("web", "ready");
    assert_eq!(asked.ok(&["shutdown"]), "everything is being stopped\n");
    asked.house.end();
    assert!(!asked.socket.exists());
    let gone = asked.run(&["ps"]);
    assert_eq!(code(&gone), Some(3));
    assert!(said(&gone).contains("no procession takes orders there"), "{}", said(&gone));
}

#[test]
fn bad_usage_and_completions_need_no_procession() {
    let run = |arguments: &[&str]| {
        Command::new(BINARY).args(arguments).stdin(Stdio::null()).output().expect("our own binary")
    };
    for wrong in [&["stop"][..], &["signal", "HUP"], &["spawn"], &["start", "a", "--timeout", "x"]]
    {
        assert_eq!(code(&run(wrong)), Some(2), "{wrong:?}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = out(&run(&["completions", shell]));
        assert!(script.contains("restart") && script.contains("no-wait"), "{shell}: {script}");
    }
}

#[test]
fn a_crowd_in_which_everybody_forks_is_ended_without_control_groups_too() {
    let mark = mark();
    let bomb = format!(
        "import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
         signal.signal(signal.SIGCHLD, signal.SIG_IGN)\nuntil = time.time() + 60\n\
         while time.time() < until:\n    try:\n        if not os.fork():\n            os.setsid()\n    \
         except OSError:\n        pass\n# {mark}\n"
    );
    let uid = 30_000 + std::process::id() % 30_000;
    let config = format!(
        "  bomb:\n    command: [python3, -c, {bomb:?}]\n    user: '{uid}:{uid}'\n    ulimits: {{nproc: 80}}\n    \
         stop_grace_period: 300ms\n  steady: {{command: [sleep, '600']}}\ncgroups: off\n"
    );
    let asked = Asked::of(As::Subreaper, &config);
    until("there is a crowd", || (marked(&mark).len() >= 75).then_some(()));
    asked.ok(&["stop", "bomb"]);
    assert_eq!(marked(&mark), Vec::<i32>::new());
}
