//! The main job on real input: procession as PID 1 of its own namespaces, with a Vite dev server, a
//! uvicorn application, an agent that writes transcripts and a program that leaks. What is true of
//! them is asked of a real Prometheus, an Alertmanager's webhook, the host's `/proc` and Python's
//! SQLite; never of our own code.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::listener::Listener;
use crate::support::prometheus::{Alertmanager, Prometheus};
use crate::support::tree::{self, Member};
use crate::support::{PATIENCE, Program, free_port, get, ours, text, tool, wait_for};

/// Each process with words that only its command line holds.
const PROCESSES: [(&str, &str); 4] =
    [("web", "npm run dev"), ("api", "uvicorn"), ("coder", "coder.py"), ("leaky", "leaky.py")];
/// What the configuration says.
const BUDGET: Duration = Duration::from_secs(9);
/// From an end to the moment that a busy machine lets us see it.
const NOTICE: Duration = Duration::from_secs(2);
/// How far our figure may be from the host's.
const TOLERANCE: f64 = 0.1;

#[test]
fn real_processes_are_seen_measured_counted_and_ended() {
    let mut house = House::start();
    let webhook = Listener::webhook();
    let alertmanager = Alertmanager::start(webhook.address());
    let prometheus = Prometheus::start(house.metrics, &rules(), Some(&alertmanager));

    every_process_is_up(&house, &prometheus);
    let truth = house.truth();
    tokens_are_exact(&prometheus, &truth);
    the_leak_reaches_the_webhook(&prometheus, &webhook);
    memory_is_what_the_host_says(&house, &prometheus);
    only_the_leak_was_a_leak(&prometheus, &webhook);
    tokens_are_exact(&prometheus, &truth);

    let members = house.stop();
    nothing_survived(&members);
    the_history_is_complete(&house.database(), &truth);
}

/// Our rules, with a leak alert that does not wait for ten minutes.
fn rules() -> String {
    let rules = text("alerts/procession.rules.yml");
    let (before, leak) = rules.split_once("- alert: ProcessionLeakSuspected").expect("the alert");
    assert!(leak.find("for: 10m") < leak.find("- alert:"), "the leak alert waits for ten minutes");
    format!("{before}- alert: ProcessionLeakSuspected{}", leak.replacen("for: 10m", "for: 5s", 1))
}

/// A procession with the four processes.
struct House {
    program: Program,
    pid: i32,
    folder: TempDir,
    metrics: SocketAddr,
    web: String,
    api: String,
}

impl House {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let [metrics, web, api] = [(); 3].map(|()| free_port());
        let config = folder.path().join("config.yaml");
        std::fs::write(&config, configuration(folder.path(), metrics, web, api)).expect("a file");
        write_history(folder.path());

        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--mount-proc", "--kill-child=SIGKILL"]);
        if !nix::unistd::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command.args([env!("CARGO_BIN_EXE_procession"), "run", "-c"]).arg(config);
        command.env("PROCESSION_LOG", "info").current_dir(folder.path());
        let mut program = Program::start("procession", &mut command, folder.path());
        let metrics = SocketAddr::from(([127, 0, 0, 1], metrics));
        program.wait_until_it_answers(&format!("http://{metrics}/healthz"));
        let pid = tree::children(program.pid())[0].pid;
        let [web, api] = [web, api].map(|port| format!("http://127.0.0.1:{port}"));
        Self { program, pid, folder, metrics, web, api }
    }

    /// The main process of each of the four, by name, as the host sees them.
    fn mains(&self) -> BTreeMap<&'static str, Member> {
        let children = tree::children(self.pid);
        let main = |words: &str| children.iter().find(|child| child.command().contains(words));
        PROCESSES.into_iter().filter_map(|(name, words)| Some((name, *main(words)?))).collect()
    }

    /// What the agent says that it used, once it has written everything.
    fn truth(&self) -> Value {
        let path = self.folder.path().join("truth.json");
        let text = wait_for("the agent's work", || std::fs::read_to_string(&path).ok());
        serde_json::from_str(&text).expect("JSON")
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("history.db")
    }

    /// Asks procession to end, checks when and how it does, and yields what lived before.
    fn stop(&mut self) -> Vec<Member> {
        let members = tree::tree(self.pid);
        assert!(members.len() > PROCESSES.len() + 1, "{members:?}");
        let asked = Instant::now();
        kill(Pid::from_raw(self.pid), Signal::SIGTERM).expect("procession is ours");
        let code = wait_for("procession's end", || self.program.ended());
        assert!(asked.elapsed() < BUDGET + NOTICE, "it took {:?}", asked.elapsed());
        // uvicorn ends itself with the signal that it was asked to end by.
        assert_eq!(code, Some(128 + 15), "the exit code is that of `api`:\n{}", self.program.log());
        members
    }
}

fn configuration(folder: &Path, metrics: u16, web: u16, api: u16) -> String {
    let folder = folder.display();
    let vite = tool("vite-app");
    let uvicorn = tool("venv/bin/uvicorn");
    let fixtures = ours("tests/fixtures");
    let (vite, uvicorn, fixtures) = (vite.display(), uvicorn.display(), fixtures.display());
    format!(
        r#"
metrics: {{listen: "127.0.0.1:{metrics}"}}
store: {{sqlite: "{folder}/history.db"}}
state_dir: "{folder}/state"
memory: {{interval: 1s, leak_rule: growth-count}}
exit_code_from: [api]
shutdown_timeout: 9s
processes:
  web:
    command: [npm, run, dev, --, --port, "{web}"]
    working_dir: "{vite}"
  api:
    command: ["{uvicorn}", "app:app", --app-dir, "{fixtures}/api", --port, "{api}"]
  coder:
    command: [python3, "{fixtures}/coder/coder.py", "{folder}/projects", "{folder}/truth.json"]
    working_dir: "{folder}"
    agent: {{name: claude, dialect: claude, transcripts: "{folder}/projects"}}
  leaky:
    command: [python3, "{fixtures}/leaky/leaky.py"]
    environment: {{PYTHONUNBUFFERED: "1"}}
"#
    )
}

/// A transcript of last week's, which nobody asked us to count.
fn write_history(folder: &Path) {
    let project = folder.join("projects/-work-old");
    std::fs::create_dir_all(&project).expect("a folder");
    let line = r#"{"type":"assistant","uuid":"u","sessionId":"old","timestamp":"2026-01-05T10:00:00Z","requestId":"r","message":{"id":"msg_old","model":"claude-sonnet-5","role":"assistant","stop_reason":"end_turn","usage":{"input_tokens":1000000,"output_tokens":1000000}}}"#;
    std::fs::write(project.join("old.jsonl"), format!("{line}\n")).expect("a file");
    // File systems keep coarse times, so a file that is born just before procession starts may
    // count as written in its life.
    std::thread::sleep(Duration::from_secs(1));
}

fn every_process_is_up(house: &House, prometheus: &Prometheus) {
    for (what, url) in [("Vite", &house.web), ("uvicorn", &house.api)] {
        wait_for(what, || get(&format!("{url}/src/main.js")));
    }
    wait_for("four processes to be up", || {
        (prometheus.value("sum(procession_process_up)") == Some(4.0)).then_some(())
    });
    let up = prometheus.query("procession_process_up == 1");
    let names: BTreeSet<_> = up.iter().map(|(labels, _)| labels["process"].as_str()).collect();
    assert_eq!(names, PROCESSES.map(|(name, _)| name).into());
    let active = r#"procession_sessions{kind="process", state="active"}"#;
    assert_eq!(prometheus.value(active), Some(4.0));
    assert_eq!(prometheus.value("sum(procession_process_restarts_total)"), Some(0.0));
    assert_eq!(prometheus.value("procession_pid1"), Some(1.0));
    assert_eq!(house.mains().len(), 4, "{:?}", tree::children(house.pid));
}

/// Waits until the last response is booked, and then demands that every figure is right: nothing
/// may be counted twice on the way, and nothing more may come.
fn tokens_are_exact(prometheus: &Prometheus, truth: &Value) {
    let responses = truth["responses"].as_f64();
    let counted = || prometheus.value("sum(procession_llm_responses_total)");
    wait_for("all responses", || (counted() >= responses).then_some(()));
    assert_eq!(counted(), responses);
    for (kind, tokens) in truth["tokens"].as_object().expect("an object") {
        let by_process =
            format!(r#"procession_process_tokens_total{{process="coder", kind="{kind}"}}"#);
        assert_eq!(prometheus.value(&by_process), tokens.as_f64(), "{kind}");
        let by_model = format!(r#"sum(procession_tokens_total{{agent="claude", kind="{kind}"}})"#);
        assert_eq!(prometheus.value(&by_model), tokens.as_f64(), "{kind}");
    }
    assert_eq!(
        prometheus.value("sum(procession_unpriced_tokens_total)"),
        truth["unpriced"].as_f64(),
    );
    assert!(prometheus.value("procession_ingest_files") >= Some(1.0), "the log is followed");
    let cost = prometheus.value("sum(procession_cost_usd_total)").expect("a cost");
    let expected = truth["usd"].as_f64().expect("a number");
    assert!((cost - expected).abs() < 1e-6, "{cost} dollars, not {expected}");
    let cut = prometheus.value(r#"procession_ingest_lines_total{result="malformed"}"#);
    assert!(cut >= Some(1.0), "the line that was cut off is {cut:?}");
    let followed = prometheus.value("procession_ingest_files");
    assert!(followed >= Some(1.0), "{followed:?} files are followed");
}

fn the_leak_reaches_the_webhook(prometheus: &Prometheus, webhook: &Listener) {
    let firing = r#"ALERTS{alertname="ProcessionLeakSuspected", alertstate="firing"}"#;
    wait_for("the leak alert", || {
        prometheus
            .query(firing)
            .iter()
            .any(|(labels, _)| labels["process"] == "leaky")
            .then_some(())
    });
    wait_for("the leak alert at the webhook", || leaks(webhook).contains("leaky").then_some(()));
}

/// The processes whose leak the webhook was told of.
fn leaks(webhook: &Listener) -> BTreeSet<String> {
    let mut processes = BTreeSet::new();
    for message in webhook.posted() {
        let message: Value = serde_json::from_str(&message).expect("JSON");
        for alert in message["alerts"].as_array().into_iter().flatten() {
            if alert["labels"]["alertname"] == "ProcessionLeakSuspected" {
                processes.insert(alert["labels"]["process"].as_str().unwrap_or("").to_owned());
            }
        }
    }
    processes
}

/// Our figure was sampled between two readings of the host's, so it must lie between them, give
/// or take the tolerance.
fn memory_is_what_the_host_says(house: &House, prometheus: &Prometheus) {
    for (name, main) in house.mains() {
        let before = tree::resident(main.pid) as f64;
        let asked = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let sampled =
            format!(r#"procession_process_memory_sample_timestamp_seconds{{process="{name}"}}"#);
        wait_for("a newer sample", || {
            prometheus.value(&sampled).filter(|at| *at > asked.as_secs_f64())
        });
        let resident = format!(r#"procession_process_memory_resident_bytes{{process="{name}"}}"#);
        let ours = prometheus.value(&resident).expect("a figure for a live run");
        let after = tree::resident(main.pid) as f64;
        let range = before.min(after) * (1.0 - TOLERANCE)..=before.max(after) * (1.0 + TOLERANCE);
        assert!(range.contains(&ours), "{name}: {ours}, not between {before} and {after}");

        let members = format!(r#"procession_process_tree_processes{{process="{name}"}}"#);
        assert_eq!(prometheus.value(&members), Some(tree::tree(main.pid).len() as f64), "{name}");
    }
}

fn only_the_leak_was_a_leak(prometheus: &Prometheus, webhook: &Listener) {
    let others = r#"count_over_time(ALERTS{alertname="ProcessionLeakSuspected",
        alertstate="firing", process!="leaky"}[10m])"#;
    assert_eq!(prometheus.query(others), []);
    assert_eq!(leaks(webhook), BTreeSet::from(["leaky".to_owned()]));
}

fn nothing_survived(members: &[Member]) {
    let deadline = Instant::now() + PATIENCE.min(NOTICE);
    let living = || members.iter().filter(|member| member.exists()).collect::<Vec<_>>();
    while !living().is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(living(), Vec::<&Member>::new());
}

/// Reads the history with Python's own SQLite, as somebody would who has nothing but the file.
fn the_history_is_complete(database: &Path, truth: &Value) {
    let output = Command::new("python3")
        .arg(ours("tests/fixtures/history.py"))
        .arg(database)
        .output()
        .expect("python3 can be run");
    let failure = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{failure}");
    let history: Value = serde_json::from_slice(&output.stdout).expect("JSON");

    let sessions = history["sessions"].as_array().expect("a list");
    let runs: Vec<_> = sessions.iter().filter(|it| it["kind"] == "process").collect();
    let names: BTreeSet<_> = runs.iter().filter_map(|run| run["process"].as_str()).collect();
    assert_eq!(names, PROCESSES.map(|(name, _)| name).into());
    assert_eq!(runs.len(), PROCESSES.len());
    for session in sessions {
        assert!(session["ended_ms"].is_i64(), "{session} has no end");
        assert!(session["reason"].is_string(), "{session} has no reason");
        assert_eq!(session["events"], session["stored_events"], "{session} has a gap");
    }
    for run in runs {
        assert_eq!(run["last_sample"], "session_end", "{run}");
        assert!(run["peak_memory_bytes"].as_i64() > Some(0), "{run}");
        assert!(run["cpu_seconds"].as_f64() > Some(0.0), "{run}");
    }
    for (kind, tokens) in truth["tokens"].as_object().expect("an object") {
        assert_eq!(history["usage"][kind], *tokens, "the responses' {kind}");
        let coder = sessions.iter().find(|it| it["kind"] == "process" && it["process"] == "coder");
        let summary = &coder.expect("the agent's run")[format!("tokens_{kind}").as_str()];
        assert_eq!(summary, tokens, "{kind} in the run's summary");
    }
    assert_eq!(history["usage"]["responses"], truth["responses"]);
}
