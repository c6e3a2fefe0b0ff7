//! What several integration tests need: programs that end with the test, real Prometheus and
//! Alertmanager, a small HTTP listener, and the host's view of a tree of processes.
//!
//! `tests/setup` installs the programs. Where one is missing, a test fails and says so.

pub mod listener;
pub mod postgres;
pub mod prometheus;
pub mod tree;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Far beyond what anything here takes, so that a noisy machine does not make a test fail.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// Between two looks at something that is waited for.
const PAUSE: Duration = Duration::from_millis(100);

/// A program that is killed and reaped when the test drops it, also when the test fails.
pub struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts `command`, with its output in a file in `folder`.
    pub fn start(name: &str, command: &mut Command, folder: &Path) -> Self {
        let log = folder.join(format!("{name}.log"));
        let out = std::fs::File::create(&log).expect("a log");
        let err = out.try_clone().expect("a second descriptor");
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn();
        let child = child.unwrap_or_else(|error| {
            panic!("cannot start {name}: {error}; run tests/setup, which installs it")
        });
        Self { name: name.to_owned(), child, log }
    }

    /// Its pid.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid")
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its exit code, once it has ended by itself.
    pub fn ended(&mut self) -> Option<Option<i32>> {
        let status = self.child.try_wait().expect("our own child can be waited for");
        status.map(|status| status.code())
    }

    /// Waits until the page answers with success.
    pub fn wait_until_it_answers(&mut self, url: &str) {
        let deadline = Instant::now() + PATIENCE;
        while get(url).is_none() {
            if let Some(code) = self.ended() {
                panic!("{} ended with {code:?}:\n{}", self.name, self.log());
            }
            assert!(Instant::now() < deadline, "{} never answered:\n{}", self.name, self.log());
            sleep(PAUSE);
        }
    }
}

impl Drop for Program {
    // The test runner shows it, because the test failed.
    #[allow(clippy::print_stdout)]
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("--- the log of {}:\n{}", self.name, tail(&self.log()));
        }
    }
}

/// The last lines of a log.
fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// Asks again and again until there is an answer.
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain for {what}");
        sleep(PAUSE);
    }
}

/// A loopback port that nobody listens on. Another program may take it before its user does; the
/// kernel hands these out in turn, so that this is rare.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// The body of a page, when it can be had and the answer is a success.
pub fn get(url: &str) -> Option<String> {
    ureq::get(url).call().ok()?.body_mut().read_to_string().ok()
}

/// A file of this package.
pub fn ours(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The text of a file of this package.
pub fn text(path: &str) -> String {
    std::fs::read_to_string(ours(path)).unwrap_or_else(|e| panic!("cannot read {path}: {e}"))
}

/// What `tests/setup` installed below the target folder.
pub fn tool(path: &str) -> PathBuf {
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("test-tools");
    let tool = tools.join(path);
    assert!(tool.exists(), "{} is missing: run tests/setup", tool.display());
    tool
}
