//! A real PostgreSQL server on loopback with a folder of its own, which ends with the test.
//!
//! Used by the tests of the store (`src/store/postgres`) and by the integration tests; `tests/setup`
//! installs the server. It refuses to run as root, so that root lends it to another user.

// Each of its two users needs a part of it.
#![allow(dead_code)]

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// The password of its superuser, with characters that mean something in a URL and in `.pgpass`.
pub const PASSWORD: &str = "s:e/s@me";
/// [`PASSWORD`] in a URL.
pub const ENCODED: &str = "s%3Ae%2Fs%40me";
/// Its superuser.
pub const USER: &str = "postgres";

/// Far beyond what anything here takes, so that a noisy machine does not make a test fail.
const PATIENCE: Duration = Duration::from_secs(90);

/// What makes it quick; nothing here has to outlive a power cut.
const FAST: [&str; 5] = [
    "fsync=off",
    "shared_buffers=16MB",
    "max_wal_size=128MB",
    "autovacuum=off",
    "log_min_messages=fatal",
];

/// A server and its folder.
pub struct Postgres {
    pub port: u16,
    folder: TempDir,
    settings: Vec<String>,
    server: Option<Child>,
}

/// The folder of the newest server that is installed.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found =
        versions.map(|entry| entry.path().join("bin")).filter(|bin| bin.join("initdb").exists());
    let version = |bin: &PathBuf| {
        let name = bin.parent()?.file_name()?.to_str()?.to_owned();
        name.parse::<u32>().ok()
    };
    found.max_by_key(version).expect("a PostgreSQL server; run tests/setup, which installs it")
}

/// A command as the user whom the server may run as.
fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new(program);
    if nix::unistd::geteuid().is_root() {
        let (uid, gid) = lent();
        command.uid(uid).gid(gid);
    }
    command
}

/// `nobody`, by the numbers that it has everywhere.
fn lent() -> (u32, u32) {
    (65534, 65534)
}

impl Postgres {
    /// Starts one with these settings beside the usual ones.
    pub fn start(settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        if nix::unistd::geteuid().is_root() {
            let (uid, gid) = lent();
            std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid)).expect("lent");
        }
        let secret = folder.path().join("password");
        fs::write(&secret, PASSWORD).expect("written");
        let mut command = unprivileged(&programs().join("initdb"));
        command
            .arg("--pgdata")
            .arg(folder.path().join("data"))
            .args(["--username", USER, "--encoding=UTF8", "--no-locale", "--no-sync"])
            .arg("--auth=scram-sha-256")
            .arg("--pwfile")
            .arg(&secret);
        fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .expect("set");
        let done = command.current_dir("/").output().expect("it runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
        let settings = FAST.iter().chain(settings).map(|one| (*one).to_owned()).collect();
        let mut server = Self { port, folder, settings, server: None };
        server.up();
        server
    }

    /// Its folder, which is also that of its socket.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Lets its user have a file in its folder.
    pub fn lend(&self, path: &Path) {
        if nix::unistd::geteuid().is_root() {
            let (uid, gid) = lent();
            std::os::unix::fs::chown(path, Some(uid), Some(gid)).expect("lent");
        }
    }

    /// Changes a setting for the next start.
    pub fn set(&mut self, setting: &str) {
        self.settings.push(setting.to_owned());
    }

    /// Starts it, and waits until it answers.
    pub fn up(&mut self) {
        let log = fs::File::create(self.folder.path().join("log")).expect("a log");
        let mut command = unprivileged(&programs().join("postgres"));
        command
            .arg("-D")
            .arg(self.folder.path().join("data"))
            .args(["-c", "listen_addresses=127.0.0.1"]);
        command.args(["-c", &format!("port={}", self.port)]);
        command.args(["-c", &format!("unix_socket_directories={}", self.folder.path().display())]);
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        let out = log.try_clone().expect("a second descriptor");
        command.current_dir("/").stdin(Stdio::null()).stdout(out).stderr(log);
        self.server = Some(command.spawn().expect("it starts"));
        self.wait_until_it_answers();
    }

    fn wait_until_it_answers(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let host = self.folder.path().display().to_string();
        let mut asked = Command::new(programs().join("pg_isready"));
        asked.args(["-q", "-h", &host, "-p", &self.port.to_string()]);
        while !asked.status().expect("it runs").success() {
            let server = self.server.as_mut().expect("it was started");
            let ended = server.try_wait().expect("our own child can be waited for");
            assert!(ended.is_none() && Instant::now() < deadline, "{}", self.log());
            sleep(Duration::from_millis(20));
        }
    }

    /// What it has written since it was started.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Stops it: `SIGINT` ends all connections and writes everything down, `SIGQUIT` is a crash.
    pub fn down(&mut self, signal: Signal) {
        let Some(mut server) = self.server.take() else { return };
        let pid = Pid::from_raw(i32::try_from(server.id()).expect("a pid"));
        kill(pid, signal).expect("it is signalled");
        server.wait().expect("it is reaped");
    }

    /// The URL of one of its databases, with the password.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{ENCODED}@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes a new database.
    pub fn create(&self, database: &str) {
        self.query("postgres", &format!("CREATE DATABASE {database}"));
    }

    /// What a statement finds: a line for each row, fields apart by a space, `-` for NULL.
    pub fn query(&self, database: &str, sql: &str) -> Vec<String> {
        self.try_query(database, sql).unwrap_or_else(|why| panic!("{sql}: {why}"))
    }

    /// As [`Postgres::query`], or why it is refused.
    pub fn try_query(&self, database: &str, sql: &str) -> Result<Vec<String>, String> {
        let mut command = Command::new(programs().join("psql"));
        command
            .args([
                "-XAtq",
                "-F",
                " ",
                "-P",
                "null=-",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                USER,
                "-d",
                database,
            ])
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-c", sql])
            .env("PGPASSWORD", PASSWORD)
            .env("PGOPTIONS", "-c client_min_messages=error");
        let output = command.stdin(Stdio::null()).output().expect("psql runs");
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.down(Signal::SIGQUIT);
    }
}
