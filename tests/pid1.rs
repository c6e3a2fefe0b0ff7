//! procession as PID 1 of real namespaces, and as a subreaper, with real processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_procession");
/// Far beyond what anything here takes, so that a noisy machine does not make a test fail.
const PATIENCE: Duration = Duration::from_secs(60);

/// How procession stands in its world.
#[derive(Clone, Copy, Debug, PartialEq)]
enum As {
    Pid1,
    Subreaper,
}

/// A procession that runs.
struct House {
    outer: Child,
    pid: i32,
    folder: TempDir,
}

impl House {
    /// Runs `sh -c script` as one command.
    fn of_command(stand: As, script: &str) -> Self {
        Self::start(stand, &["--listen", "off", "--", "sh", "-c", script], tempfile::tempdir())
    }

    /// Runs the processes of a configuration; `DIR` in it stands for a folder of the test's.
    fn of_config(stand: As, config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().display().to_string();
        let config = format!("metrics: {{listen: false}}\nstate_dir: DIR/state\n{config}");
        let path = folder.path().join("config.yaml");
        fs::write(&path, config.replace("DIR", &dir)).expect("a configuration");
        Self::start(stand, &["run", "-c", &path.display().to_string()], Ok(folder))
    }

    fn start(stand: As, arguments: &[&str], folder: std::io::Result<TempDir>) -> Self {
        let folder = folder.expect("a folder");
        let unshare = ["--pid", "--fork", "--mount-proc", "--kill-child=SIGKILL", BINARY];
        let mut command = match stand {
            As::Pid1 => Command::new("unshare"),
            As::Subreaper => Command::new(BINARY),
        };
        if stand == As::Pid1 {
            command.args(unshare);
        }
        let log = fs::File::create(folder.path().join("log")).expect("a log");
        let out = fs::File::create(folder.path().join("out")).expect("an output");
        let mut outer = command
            .args(arguments)
            .current_dir(folder.path())
            .env("PROCESSION_LOG", "info")
            .env("PROCESSION_STATE_DIR", folder.path().join("state"))
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(log)
            .spawn()
            .expect("unshare and procession can be run");
        let outer_pid = i32::try_from(outer.id()).expect("a pid");
        let pid = match stand {
            As::Subreaper => outer_pid,
            As::Pid1 => first_child(&mut outer),
        };
        Self { outer, pid, folder }
    }

    fn dir(&self) -> &Path {
        self.folder.path()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir().join("log")).unwrap_or_default()
    }

    fn output(&self) -> String {
        fs::read_to_string(self.dir().join("out")).unwrap_or_default()
    }

    /// Waits until a file of the test's folder holds at least this many lines.
    fn await_lines(&self, file: &str, lines: usize) -> Vec<String> {
        until(&format!("{file} has {lines} lines"), || {
            let text = fs::read_to_string(self.dir().join(file)).ok()?;
            let found: Vec<String> = text.lines().map(str::to_owned).collect();
            (found.len() >= lines).then_some(found)
        })
    }

    /// Waits until it catches SIGTERM: what is sent to a PID 1 before that never arrives.
    fn await_attention(&self) {
        until("SIGTERM is caught", || {
            let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
            let bits = u64::from_str_radix(caught.trim(), 16).ok()?;
            (bits & 1 << 14 != 0).then_some(())
        });
    }

    fn signal(&self, number: i32) {
        let status =
            Command::new("kill").args([format!("-{number}"), self.pid.to_string()]).status();
        assert!(status.expect("kill can be run").success(), "signal {number} could be sent");
    }

    /// Waits for the end; answers with the exit code and how long it took from now.
    fn end(&mut self) -> (i32, Duration) {
        let began = Instant::now();
        let status = until("procession ends", || self.outer.try_wait().expect("a child of ours"));
        let code = status.code().unwrap_or_else(|| {
            use std::os::unix::process::ExitStatusExt;
            128 + status.signal().unwrap_or(0)
        });
        (code, began.elapsed())
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if self.outer.try_wait().ok().flatten().is_none() {
            // A subreaper's children would outlive it: end what descends from it, then itself.
            for pid in descendants(self.pid).into_iter().chain([self.pid]) {
                let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
            }
            let _ = self.outer.kill();
            let _ = self.outer.wait();
        }
        if std::thread::panicking() {
            let (log, out) = (self.log(), self.output());
            let _ = std::io::Write::write_all(
                &mut std::io::stderr(),
                format!("--- log\n{log}\n--- output\n{out}\n").as_bytes(),
            );
        }
    }
}

fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        sleep(Duration::from_millis(5));
    }
}

/// The PID 1 of a namespace, as it is seen from here; 0 when it has ended already.
fn first_child(outer: &mut Child) -> i32 {
    let pid = i32::try_from(outer.id()).expect("a pid");
    until("the namespace has its PID 1", || {
        let ended = || outer.try_wait().expect("a child of ours").map(|_| 0);
        children(pid).first().copied().or_else(ended)
    })
}

fn children(pid: i32) -> Vec<i32> {
    let path = PathBuf::from(format!("/proc/{pid}/task/{pid}/children"));
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

fn descendants(pid: i32) -> Vec<i32> {
    let mut all = children(pid);
    let mut at = 0;
    while at < all.len() {
        all.extend(children(all[at]));
        at += 1;
    }
    all
}

/// Processes whose command line holds this mark, which only one test uses.
fn marked(mark: &str) -> Vec<i32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
        let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&command).contains(mark) {
            found.push(pid);
        }
    }
    found
}

/// A number of seconds to sleep that no other test uses, as a mark.
fn mark() -> String {
    format!("{}.{}", 100_000 + std::process::id(), fastrand::u32(1_000_000..))
}

const BOTH: [As; 2] = [As::Pid1, As::Subreaper];

#[test]
fn every_exit_code_is_passed_on() {
    for code in 0..=255 {
        let mut house = House::of_command(As::Pid1, &format!("exit {code}"));
        assert_eq!(house.end().0, code);
    }
}

#[test]
fn death_by_a_signal_is_128_and_its_number() {
    for number in [1, 2, 3, 6, 9, 10, 14, 15, 34, 40, 64] {
        for stand in BOTH {
            let mut house = House::of_command(stand, &format!("kill -{number} $$; sleep 9"));
            assert_eq!(house.end().0, 128 + number, "{stand:?}");
        }
    }
}

#[test]
fn what_cannot_be_executed_is_126_or_127() {
    let text = tempfile::NamedTempFile::new().expect("a file that is no program");
    let path = text.path().display().to_string();
    for (program, code) in [
        ("/nowhere/to/be/found", 127),
        ("no-such-program-anywhere", 127),
        ("/etc", 126),
        (&path, 126),
    ] {
        let arguments = ["--listen", "off", "--", program];
        let mut house = House::start(As::Pid1, &arguments, tempfile::tempdir());
        assert_eq!(house.end().0, code, "{program}");
        let config = format!("processes: {{it: {{command: [{program:?}]}}}}");
        assert_eq!(House::of_config(As::Subreaper, &config).end().0, code, "{program}");
    }
}

#[test]
fn one_command_gets_every_signal() {
    // Not the ones that cannot be caught, that mean a fault of our own, or that stop.
    let numbers: Vec<i32> = (1..=64)
        .filter(|n| ![4, 5, 6, 7, 8, 9, 11, 13, 17, 19, 21, 22, 31, 32, 33].contains(n))
        .collect();
    let traps: String = numbers.iter().map(|n| format!("trap 'echo {n} >> told' {n}\n")).collect();
    let script = format!("{traps} echo ready > begun\nwhile [ ! -e stop ]; do sleep 0.01; done");
    for stand in BOTH {
        let arguments = ["--listen", "off", "--", "bash", "-c", &script];
        let mut house = House::start(stand, &arguments, tempfile::tempdir());
        house.await_lines("begun", 1);
        for (at, number) in numbers.iter().enumerate() {
            house.signal(*number);
            let told = house.await_lines("told", at + 1);
            assert_eq!(told.last(), Some(&number.to_string()), "{stand:?}");
        }
        fs::write(house.dir().join("stop"), "").expect("a file");
        assert_eq!(house.end().0, 0);
    }
}

#[test]
fn a_signal_that_comes_at_once_is_not_lost() {
    for _ in 0..50 {
        let mut house =
            House::of_command(As::Pid1, "trap 'exit 7' TERM; while :; do sleep 0.01; done");
        house.await_attention();
        house.signal(15);
        let (code, _) = house.end();
        // Before the trap is set the command dies of the signal, as it would anywhere.
        assert!([7, 143].contains(&code), "{code}");
    }
}

#[test]
fn one_command_may_take_its_time_but_what_it_leaves_behind_may_not() {
    let mark = mark();
    let script = format!("(trap '' TERM; setsid sleep {mark}) & sleep 0.3; echo gone; exit 5");
    for stand in BOTH {
        let mut house = House::of_command(stand, &script);
        assert_eq!(house.end().0, 5, "{stand:?}");
        assert_eq!(marked(&mark), Vec::<i32>::new(), "{stand:?}");
    }
}

/// One process that stops in an unusual way, what it exits with, and whether it needs force.
const STUBBORN: [(&str, &str, i32); 5] = [
    ("ignores TERM", "trap '' TERM; while :; do sleep MARK & wait; done", 137),
    ("is stopped", "kill -STOP $$; sleep MARK", 143),
    ("hides in a session", "setsid sleep MARK & wait", 143),
    (
        "hides two levels deep",
        "(setsid sh -c 'trap \"\" TERM; sleep MARK; sleep MARK' &) ; sleep MARK",
        143,
    ),
    ("holds pipes open", "sleep MARK | cat & exec sleep MARK", 143),
];

#[test]
fn the_stop_fits_its_budget_whatever_the_children_do() {
    for stand in BOTH {
        for (habit, script, code) in STUBBORN {
            let mark = mark();
            let script = script.replace("MARK", &mark);
            let config = format!(
                "shutdown_timeout: 4s\nprocesses:\n  it:\n    command: [bash, -c, {script:?}]\n"
            );
            let mut house = House::of_config(stand, &config);
            until("it runs", || (!marked(&mark).is_empty()).then_some(()));
            sleep(Duration::from_millis(200));
            house.signal(15);
            let (got, took) = house.end();
            assert_eq!(got, code, "{habit}, {stand:?}");
            assert!(took < Duration::from_secs(4), "{habit}, {stand:?}: took {took:?}");
            assert_eq!(marked(&mark), Vec::<i32>::new(), "{habit}, {stand:?}: a survivor");
        }
    }
}

#[test]
fn dependents_are_stopped_first_and_started_last() {
    let tell = |name: &str| {
        let script = format!(
            "echo start {name} >> DIR/told; trap 'echo stop {name} >> DIR/told; exit 0' TERM; \
             while :; do sleep 0.01; done"
        );
        format!("[bash, -c, {script:?}]")
    };
    let config = format!(
        "processes:\n  web: {{command: {}, depends_on: [api]}}\n  api: {{command: {}, depends_on: \
         [db]}}\n  db: {{command: {}}}\n",
        tell("web"),
        tell("api"),
        tell("db")
    );
    let mut house = House::of_config(As::Pid1, &config);
    let told = house.await_lines("told", 3);
    assert_eq!(told.len(), 3);
    sleep(Duration::from_millis(100));
    house.signal(15);
    assert_eq!(house.end().0, 0);
    let told = house.await_lines("told", 6);
    assert_eq!(told[3..], ["stop web", "stop api", "stop db"]);
}

#[test]
fn a_second_request_to_stop_hurries() {
    let mark = mark();
    let config = format!(
        "shutdown_timeout: 50s\nprocesses:\n  it:\n    stop_grace_period: 40s\n    command: [bash, \
         -c, \"trap '' TERM; while :; do sleep {mark} & wait; done\"]\n"
    );
    let mut house = House::of_config(As::Pid1, &config);
    until("it runs", || (!marked(&mark).is_empty()).then_some(()));
    house.signal(15);
    sleep(Duration::from_millis(200));
    house.signal(15);
    let (code, took) = house.end();
    assert_eq!(code, 137);
    assert!(took < Duration::from_secs(20), "took {took:?} of a budget of 50 s");
}

#[test]
fn a_failing_process_is_restarted_until_it_is_given_up() {
    let config = "processes:\n  it:\n    command: [sh, -c, 'echo run >> DIR/told; exit 3']\n    \
                  restart: on-failure\n    restart_policy: {delay: 20ms, max_delay: 50ms, \
                  max_attempts: 3}\n";
    let mut house = House::of_config(As::Pid1, config);
    assert_eq!(house.end().0, 75);
    assert_eq!(house.await_lines("told", 4).len(), 4);
    assert!(house.log().contains("give up it after 3 restarts in a row"));
}

#[test]
fn children_start_with_clean_signals_and_no_descriptor_of_ours() {
    let script = "cat /proc/self/status; ls /proc/self/fd";
    // What a child gets that we start ourselves, with everything that we were given.
    let plain = Command::new("sh").args(["-c", script]).stdin(Stdio::null()).output();
    let plain = String::from_utf8(plain.expect("sh can be run").stdout).expect("text");
    for stand in BOTH {
        let arguments = ["--listen", "off", "--", "sh", "-c", script];
        let mut house = House::start(stand, &arguments, tempfile::tempdir());
        assert_eq!(house.end().0, 0);
        let output = house.output();
        assert_eq!(descriptors(&output), descriptors(&plain), "{stand:?}");
        for field in ["SigBlk:", "SigIgn:", "SigCgt:"] {
            let line = output.lines().find_map(|line| line.strip_prefix(field)).expect(field);
            assert_eq!(line.trim(), "0000000000000000", "{field} {stand:?}");
        }
    }
}

fn descriptors(output: &str) -> Vec<&str> {
    output.lines().filter(|line| line.parse::<u32>().is_ok()).collect()
}
