//! A procession that runs, for the tests that look at it from outside.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub const BINARY: &str = env!("CARGO_BIN_EXE_procession");
/// Far beyond what anything here takes, so that a noisy machine does not make a test fail.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes what follows the first process of a namespace.
const UNSHARE: [&str; 5] = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child=SIGKILL"];

/// How procession stands in its world.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum As {
    Pid1,
    Subreaper,
}

/// A procession that runs.
pub struct House {
    outer: Child,
    /// As it is seen from here.
    pub pid: i32,
    folder: TempDir,
}

impl House {
    /// Runs `sh -c script` as one command.
    pub fn of_command(stand: As, script: &str) -> Self {
        Self::start(stand, &["--listen", "off", "--", "sh", "-c", script], tempfile::tempdir())
    }

    /// Runs the processes of a configuration that listens nowhere; `DIR` in it stands for a folder
    /// of the test's.
    pub fn of_config(stand: As, config: &str) -> Self {
        Self::of_text(stand, &format!("metrics: {{listen: false}}\n{config}"))
    }

    /// The same, listening on a port of the loopback interface.
    pub fn of_config_listening(stand: As, config: &str, port: u16) -> Self {
        Self::of_text(stand, &format!("metrics: {{listen: \"127.0.0.1:{port}\"}}\n{config}"))
    }

    fn of_text(stand: As, config: &str) -> Self {
        Self::start(stand, &["run"], Ok(folder_with(config)))
    }

    /// The next life with the same configuration and the same folder.
    pub fn again(mut self) -> Self {
        let _ = self.outer.wait();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().expect("a folder"));
        Self::start(As::Subreaper, &["run"], Ok(folder))
    }

    pub fn start(stand: As, arguments: &[&str], folder: std::io::Result<TempDir>) -> Self {
        match stand {
            As::Pid1 => Self::under(stand, &UNSHARE, arguments, folder),
            As::Subreaper => Self::under(stand, &[], arguments, folder),
        }
    }

    /// Starts it by another program that takes a command: in its place, or as PID 1 below it.
    pub fn under(
        stand: As,
        wrapper: &[&str],
        arguments: &[&str],
        folder: std::io::Result<TempDir>,
    ) -> Self {
        Self::of_words(stand, &[wrapper, &[BINARY], arguments].concat(), folder)
    }

    /// Starts another program in our place.
    pub fn of_program(stand: As, program: &[&str], folder: std::io::Result<TempDir>) -> Self {
        match stand {
            As::Pid1 => Self::of_words(stand, &[&UNSHARE, program].concat(), folder),
            As::Subreaper => Self::of_words(stand, program, folder),
        }
    }

    fn of_words(stand: As, words: &[&str], folder: std::io::Result<TempDir>) -> Self {
        let folder = folder.expect("a folder");
        let log = fs::File::create(folder.path().join("log")).expect("a log");
        let out = fs::File::create(folder.path().join("out")).expect("an output");
        let mut outer = Command::new(words[0])
            .args(&words[1..])
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

    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.dir().join("log")).unwrap_or_default()
    }

    pub fn output(&self) -> String {
        fs::read_to_string(self.dir().join("out")).unwrap_or_default()
    }

    /// Waits until a file of the test's folder holds at least this many lines.
    pub fn await_lines(&self, file: &str, lines: usize) -> Vec<String> {
        until(&format!("{file} has {lines} lines"), || {
            let text = fs::read_to_string(self.dir().join(file)).ok()?;
            let found: Vec<String> = text.lines().map(str::to_owned).collect();
            (found.len() >= lines).then_some(found)
        })
    }

    /// Waits until it holds SIGTERM back: what is sent to a PID 1 before that never arrives.
    pub fn await_attention(&self) {
        until("SIGTERM is held back", || {
            // unshare holds it back as well, but gives it free before it becomes us.
            let program = fs::read_link(format!("/proc/{}/exe", self.pid)).ok()?;
            if program.ends_with("unshare") {
                return None;
            }
            let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
            let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:"))?;
            let bits = u64::from_str_radix(blocked.trim(), 16).ok()?;
            (bits & 1 << 14 != 0).then_some(())
        });
    }

    pub fn signal(&self, number: i32) {
        let status =
            Command::new("kill").args([format!("-{number}"), self.pid.to_string()]).status();
        assert!(status.expect("kill can be run").success(), "signal {number} could be sent");
    }

    /// Waits for the end; answers with the exit code and how long it took from now.
    pub fn end(&mut self) -> (i32, Duration) {
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

/// A folder with a configuration, in which `DIR` stands for that folder.
pub fn folder_with(config: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().display().to_string();
    let config = format!("state_dir: DIR/state\n{config}").replace("DIR", &dir);
    fs::write(folder.path().join("config.yaml"), config).expect("a configuration");
    folder
}

pub fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
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

pub fn children(pid: i32) -> Vec<i32> {
    let path = PathBuf::from(format!("/proc/{pid}/task/{pid}/children"));
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

pub fn descendants(pid: i32) -> Vec<i32> {
    let mut all = children(pid);
    let mut at = 0;
    while at < all.len() {
        all.extend(children(all[at]));
        at += 1;
    }
    all
}

/// Processes whose command line holds this mark, which only one test uses.
pub fn marked(mark: &str) -> Vec<i32> {
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
pub fn mark() -> String {
    format!("{}.{}", 100_000 + std::process::id(), fastrand::u32(1_000_000..))
}
