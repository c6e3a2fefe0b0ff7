//! Memory as the kernel says it: proportional figures, the container's group, and who was killed by
//! it, by the real binary.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::house::BINARY;
use crate::support::{Program, free_port, get, wait_for};

/// What the group of the test may hold: more than we need, less than a hog takes in a moment.
const LIMIT: u64 = 96 << 20;

/// A group of our own with a limit, where the machine lets us make one.
struct Group(PathBuf);

impl Group {
    /// Of the first version where that has the controller, else of the second.
    fn make() -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let first = own.lines().find_map(|line| line.split_once(":memory:"));
        let second = own.lines().find_map(|line| line.strip_prefix("0::"));
        let (mount, path, limit) = match first {
            Some((_, path)) => ("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes"),
            None => ("/sys/fs/cgroup", second?, "memory.max"),
        };
        let name = format!("procession-test-{}", std::process::id());
        let group = Path::new(mount).join(path.trim_start_matches('/')).join(name);
        fs::create_dir(&group).ok()?;
        let group = Self(group);
        let limited = fs::write(group.0.join(limit), LIMIT.to_string());
        limited.is_ok().then_some(group)
    }

    fn entry(&self) -> PathBuf {
        self.0.join("cgroup.procs")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Who was killed leaves a moment later.
        for _ in 0..100 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// The binary, which is asked to end and takes its processes with it.
struct Running(Program);

impl Drop for Running {
    fn drop(&mut self) {
        let pid = self.0.pid().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status();
        if asked.is_ok_and(|status| status.success()) {
            wait_for("the end of procession", || self.0.ended());
        }
    }
}

/// Starts the binary, in the group where there is one, and says where its metrics are.
fn start(folder: &Path, group: Option<&Group>, processes: &str) -> (Running, String) {
    let port = free_port();
    let config = folder.join("config.yaml");
    let text = format!(
        "metrics: {{listen: '127.0.0.1:{port}'}}\nstore: memory\ncontrol: {}\n\
         memory: {{interval: 200ms}}\nprocesses:\n{processes}",
        folder.join("c.sock").display()
    );
    fs::write(&config, text).expect("a file");
    let entry = group.map_or_else(|| PathBuf::from("/dev/null"), Group::entry);
    let mut command = Command::new("sh");
    command.args(["-c", "echo $$ > \"$1\"; exec \"$2\" run -c \"$3\"", "sh"]);
    command.args([entry.as_os_str(), BINARY.as_ref(), config.as_os_str()]);
    let url = format!("http://127.0.0.1:{port}");
    let mut running = Running(Program::start("procession", &mut command, folder));
    running.0.wait_until_it_answers(&format!("{url}/livez"));
    (running, url)
}

/// The value of a series, which is there.
fn value(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok())
}

fn exits(process: &str, outcome: &str) -> String {
    format!("procession_process_exits_total{{process=\"{process}\",outcome=\"{outcome}\"}}")
}

#[test]
fn who_is_killed_by_the_kernel_for_want_of_memory_ends_as_oom_and_nobody_else_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let group = Group::make();
    let hog = match &group {
        Some(_) => "  hog: {command: [tail, /dev/zero], restart: 'no'}\n",
        // Nothing bounds it here, so that nobody may be killed for it.
        None => "  hog: {command: [sh, -c, 'kill -9 $$$$'], restart: 'no'}\n",
    };
    let processes = format!(
        "{hog}  own: {{command: [sh, -c, 'sleep 1; kill -9 $$$$'], restart: 'no'}}\n  keep: {{command: [sleep, '1000000']}}\n"
    );
    let (_running, url) = start(folder.path(), group.as_ref(), &processes);
    let expected = if group.is_some() { "oom" } else { "failed" };
    let text = wait_for("both ends", || {
        let text = get(&format!("{url}/metrics"))?;
        let ended = |process: &str| {
            let outcomes = ["oom", "failed", "killed", "completed"];
            outcomes.iter().any(|one| value(&text, &exits(process, one)) == Some(1.0))
        };
        let read = text.contains("procession_container_cgroup_mode");
        (ended("hog") && ended("own") && read).then_some(text)
    });
    assert_eq!(value(&text, &exits("hog", expected)), Some(1.0), "{text}");
    assert_eq!(value(&text, &exits("own", "failed")), Some(1.0), "a SIGKILL alone is no proof");
    let Some(_group) = group else { return };
    let text = wait_for("the kill is counted", || {
        let text = get(&format!("{url}/metrics"))?;
        let kills = "procession_container_memory_events_total{event=\"oom_kill\"}";
        (value(&text, kills)? >= 1.0).then_some(text)
    });
    let limit = value(&text, "procession_container_memory_limit_bytes");
    assert_eq!(limit, Some(LIMIT as f64), "{text}");
    let used = value(&text, "procession_container_memory_usage_bytes").expect("usage");
    let working = value(&text, "procession_container_memory_working_set_bytes").expect("a set");
    assert!(working > 0.0 && working <= used && used <= LIMIT as f64, "{working} of {used}");
    let peak = value(&text, "procession_container_memory_peak_bytes");
    assert!(peak.is_none_or(|peak| peak > 0.9 * LIMIT as f64), "{peak:?}");
    // 4000 MiB and 6000 MiB are more than there is.
    let critical = "procession_process_memory_threshold_bytes{process=\"keep\",level=\"critical\"}";
    assert_eq!(value(&text, critical), Some((LIMIT / 100 * 90 + LIMIT % 100 * 90 / 100) as f64));
}

fn verb(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(BINARY);
    let output = command.args(arguments).env("PROCESSION_SOCKET", folder.join("c.sock")).output();
    let output = output.expect("our own binary");
    let said = [output.stdout, output.stderr].map(|out| String::from_utf8_lossy(&out).into_owned());
    (output.status.success(), said.concat())
}

/// The shell holds 30 MB, which its copies share as long as nobody writes to them.
const FAMILY: &str = "  web:\n    command:\n    - sh\n    - -c\n    - |\n      \
    held=$$(head -c 30000000 /dev/zero | tr '\\0' x)\n      \
    for one in 1 2 3; do (sleep 1000000 & wait; echo \"$$held\" | wc -c) & done\n      wait\n    \
    memory: {warning: 1MiB, critical: 4GiB}\n";

#[test]
fn memory_is_told_explained_and_labelled() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_running, _url) = start(folder.path(), None, FAMILY);
    let json = |arguments: &[&str]| -> Option<Value> {
        let (ok, text) = verb(folder.path(), arguments);
        assert!(ok, "{arguments:?}: {text}");
        serde_json::from_str(&text).ok()
    };
    let web = wait_for("shared pages are counted once", || {
        let web = json(&["memory", "web", "--json"])?["now"].clone();
        let bytes = |name: &str| web[name].as_f64();
        let (resident, proportional) = (bytes("resident_bytes")?, bytes("proportional_bytes")?);
        let settled = resident > 120e6 && proportional * 2.0 < resident && bytes("samples")? > 12.0;
        settled.then_some(web)
    });
    assert_eq!((&web["basis"], &web["level"]), (&"proportional".into(), &"warning".into()));
    assert_eq!(web["size_bytes"], web["proportional_bytes"]);
    let all = json(&["memory", "--json"]).expect("JSON");
    assert_eq!(all["processes"][0]["name"], "web");
    let (ok, text) = verb(folder.path(), &["memory", "label", "web", "at rest"]);
    assert!(ok, "{text}");
    let text = wait_for("the label", || {
        let (_, text) = verb(folder.path(), &["memory", "web"]);
        text.contains("label  at rest").then_some(text)
    });
    assert!(
        text.contains("proportional") && text.chars().any(|c| ('▁'..='█').contains(&c)),
        "{text}"
    );
    let (ok, text) = verb(folder.path(), &["memory", "explain", "web"]);
    assert!(ok && text.contains("FOR A LEAK") && text.contains("warning at 1.0 MiB"), "{text}");
    let (ok, text) = verb(folder.path(), &["memory", "wbe"]);
    assert!(!ok && text.contains("web"), "{text}");
    let (ok, text) = verb(folder.path(), &["memory", "label", "web", ""]);
    assert!(!ok && text.contains("label"), "{text}");
}
