//! Procession with its history in a real PostgreSQL server: whole lives of the program, several of
//! them on one database. What was kept is asked of the server's own client.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::support::postgres::{ENCODED, PASSWORD, Postgres, USER};
use crate::support::{Program, free_port, get, wait_for};

/// A procession with a process that stays, and how it is asked.
struct House {
    program: Program,
    metrics: SocketAddr,
    folder: PathBuf,
}

impl House {
    /// Runs in `folder`, with `store` as its configuration has it.
    fn start(folder: &Path, store: &str) -> Self {
        Self::start_with(folder, store, "")
    }

    /// As [`House::start`], with more processes.
    fn start_with(folder: &Path, store: &str, more: &str) -> Self {
        let metrics = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let config = folder.join("config.yaml");
        let text = format!(
            "processes:\n  web: {{command: [sleep, infinity]}}\n  job: {{command: \"true\", type: oneshot}}\n{more}\
             metrics: {{listen: \"{metrics}\"}}\ncontrol: false\nstore: {store}\nstate_dir: state\n"
        );
        std::fs::write(&config, text).expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_procession"));
        command.arg("run").arg("--config").arg(&config).current_dir(folder);
        for name in ["PGPASSWORD", "PGPASSFILE", "HOME"] {
            command.env_remove(name);
        }
        let program = Program::start("procession", &mut command, folder);
        Self { program, metrics, folder: folder.to_owned() }
    }

    fn page(&self) -> String {
        get(&format!("http://{}/metrics", self.metrics)).unwrap_or_default()
    }

    /// Waits until a line of its metrics is just so.
    fn wait_for(&self, line: &str) {
        wait_for(line, || self.page().lines().find(|said| *said == line).map(drop));
    }

    /// The sum of a metric over all its labels.
    fn sum(&self, name: &str) -> Option<u64> {
        let page = self.page();
        let of_it =
            |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let values =
            page.lines().filter(of_it).map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
        values.sum()
    }

    /// Waits until a metric is at least this.
    fn wait_for_at_least(&self, name: &str, least: u64) -> u64 {
        wait_for(name, || self.sum(name).filter(|value| *value >= least))
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.program.pid()), signal).expect("it is signalled");
    }

    fn stop(&mut self, signal: Signal) {
        self.signal(signal);
        wait_for("its end", || self.program.ended());
    }

    fn never_shows_the_password(&self) {
        let page = self.page();
        for text in [self.program.log(), page] {
            assert!(!text.contains(PASSWORD) && !text.contains(ENCODED), "{text}");
        }
        for entry in walk(&self.folder.join("state")) {
            let bytes = std::fs::read(&entry).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains(PASSWORD) && !text.contains(ENCODED), "{}", entry.display());
        }
    }
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// The store with its password in a file of the folder.
fn with_password_file(server: &Postgres, folder: &Path, password: &str) -> String {
    std::fs::write(folder.join("secret"), password).expect("written");
    let url = format!("postgres://{USER}@127.0.0.1:{}/postgres", server.port);
    format!("{{postgres: \"{url}\", password_file: secret}}")
}

#[test]
fn a_life_that_was_killed_is_closed_by_its_next_and_by_no_other() {
    let server = Postgres::start(&[]);
    let (ours, theirs) = (folder(), folder());
    let url = format!("\"{}\"", server.url("postgres"));
    let mut other = House::start(theirs.path(), &url);
    other.wait_for("procession_store_up 1");
    let store = with_password_file(&server, ours.path(), PASSWORD);
    let mut first = House::start(ours.path(), &store);
    let open = "SELECT count(*) FROM sessions WHERE ended_ms IS NULL AND process = 'web'";
    wait_for("two open sessions", || (server.query("postgres", open) == ["2"]).then_some(()));
    first.stop(Signal::SIGKILL);

    let mut second = House::start(ours.path(), &store);
    let lost = "SELECT count(*) FROM sessions WHERE state = 'lost'";
    wait_for("the lost session", || (server.query("postgres", lost) == ["1"]).then_some(()));
    second.wait_for("procession_store_up 1");
    second.wait_for("procession_store_errors_total{category=\"auth\"} 0");
    second.wait_for("procession_store_operation_duration_seconds_count{operation=\"open\"} 1");
    second.never_shows_the_password();
    other.never_shows_the_password();

    second.stop(Signal::SIGTERM);
    other.stop(Signal::SIGTERM);
    let hosts = "SELECT count(DISTINCT instance), count(DISTINCT life) FROM supervisors";
    assert_eq!(server.query("postgres", hosts), ["2 3"]);
    let ends = "SELECT process, state, count(*) FROM sessions GROUP BY 1, 2 ORDER BY 1, 2";
    let ends = server.query("postgres", ends);
    assert_eq!(ends[0], "job completed 3", "{ends:?}");
    assert!(ends.contains(&"web lost 1".to_owned()), "{ends:?}");
    let open = "SELECT count(*) FROM sessions WHERE ended_ms IS NULL";
    assert_eq!(server.query("postgres", open), ["0"]);
    let gaps = "SELECT count(*) FROM (SELECT max(sequence) + 1 - count(*) AS gap FROM session_events \
                GROUP BY session_id) e WHERE gap <> 0";
    assert_eq!(server.query("postgres", gaps), ["0"]);
}

#[test]
fn a_database_that_refuses_costs_no_supervision_and_gets_everything_later() {
    let server = Postgres::start(&[]);
    let folder = folder();
    let store = with_password_file(&server, folder.path(), "not-the-one");
    let mut house = House::start(folder.path(), &store);
    house.wait_for("procession_process_up{process=\"web\"} 1");
    house.wait_for("procession_store_up 0");
    wait_for("an error that is counted", || {
        let page = house.page();
        let line = page.lines().find(|line| line.contains("errors_total{category=\"auth\"}"))?;
        (!line.ends_with(" 0")).then_some(())
    });
    assert!(
        house.program.log().contains("password authentication failed"),
        "{}",
        house.program.log()
    );
    assert!(!house.program.log().contains("not-the-one"));

    // The file is read again at each connection.
    std::fs::write(folder.path().join("secret"), PASSWORD).expect("written");
    house.wait_for("procession_store_up 1");
    house.wait_for("procession_store_rows_dropped_total 0");
    house.never_shows_the_password();
    house.stop(Signal::SIGTERM);
    let ends =
        "SELECT process, count(*) FROM sessions WHERE ended_ms IS NOT NULL GROUP BY 1 ORDER BY 1";
    assert_eq!(server.query("postgres", ends), ["job 1", "web 1"]);
}

/// Two processes that end and begin again all the time.
const RESTLESS: &str = "  short: {command: \"true\", restart: always, replicas: 2, \
                        restart_policy: {delay: 20ms, factor: 1}}\n";

/// Of all that is kept: sessions that are open, gaps in a history, and events out of order.
fn unsound(server: &Postgres) -> Vec<String> {
    let open = "SELECT count(*) FROM sessions WHERE ended_ms IS NULL";
    let gaps = "SELECT count(*) FROM (SELECT max(sequence) + 1 - count(*) AS gap FROM session_events \
                GROUP BY session_id) e WHERE gap <> 0";
    let turned = "SELECT count(*) FROM session_events a JOIN session_events b ON a.session_id = \
                  b.session_id AND a.sequence + 1 = b.sequence WHERE b.at_ms < a.at_ms \
                  AND b.source <> 'recovery'";
    let lost = "SELECT count(*) FROM session_events WHERE event_type = 'events_lost'";
    let bare = "SELECT count(*) FROM sessions s WHERE s.events <> (SELECT count(*) FROM \
                session_events e WHERE e.session_id = s.id)";
    [open, gaps, turned, lost, bare].map(|sql| server.query("postgres", sql).join(",")).to_vec()
}

#[test]
fn what_waits_for_a_server_that_is_down_outlives_a_kill_and_is_there_once() {
    let mut server = Postgres::start(&[]);
    let folder = folder();
    let url = format!("\"{}\"", server.url("postgres"));
    let mut first = House::start_with(folder.path(), &url, RESTLESS);
    first.wait_for("procession_store_up 1");
    first.wait_for_at_least("procession_sessions_ended_total", 4);
    server.down(Signal::SIGINT);
    first.wait_for("procession_store_up 0");
    first.wait_for_at_least("procession_store_spool_rows", 100);
    let ended = first.sum("procession_sessions_ended_total").expect("it is counted");
    let spooled = first.sum("procession_store_spool_rows").expect("it is counted");
    // The file is in the order of what happened: what came before a row that is in it is in it too.
    first.wait_for_at_least("procession_store_spool_rows", spooled + 20);
    first.stop(Signal::SIGKILL);
    let left = || walk(&folder.path().join("state/spool")).len();
    assert_eq!(left(), 1);

    server.up();
    let mut second = House::start(folder.path(), &url);
    second.wait_for("procession_store_up 1");
    second.wait_for_at_least("procession_store_spool_rows_replayed_total", spooled);
    second.stop(Signal::SIGTERM);
    assert_eq!(left(), 0, "it is all in the store");
    assert_eq!(unsound(&server), ["0"; 5]);
    let lives = "SELECT count(*) FROM sessions WHERE state = 'completed' AND supervisor = \
                 (SELECT life FROM supervisors ORDER BY began_ms LIMIT 1)";
    let kept: u64 = server.query("postgres", lives)[0].parse().expect("a number");
    assert!(kept >= ended, "{kept} of {ended} ends");
}

#[test]
fn what_a_life_leaves_at_its_end_while_the_server_is_down_the_next_one_keeps() {
    let mut server = Postgres::start(&[]);
    let folder = folder();
    let url = format!("\"{}\"", server.url("postgres"));
    server.down(Signal::SIGINT);
    let mut first = House::start(folder.path(), &url);
    first.wait_for("procession_process_up{process=\"web\"} 1");
    first.stop(Signal::SIGTERM);
    assert!(first.program.log().contains("waits in the spool"), "{}", first.program.log());
    server.up();
    let mut second = House::start(folder.path(), &url);
    second.wait_for("procession_store_up 1");
    second.stop(Signal::SIGTERM);
    assert_eq!(unsound(&server), ["0"; 5]);
    let ends = "SELECT process, state, count(*) FROM sessions GROUP BY 1, 2 ORDER BY 1, 2";
    assert_eq!(server.query("postgres", ends), ["job completed 2", "web completed 2"]);
}

#[test]
fn one_command_is_kept_in_a_database_and_a_wrong_url_is_explained() {
    let server = Postgres::start(&[]);
    let folder = folder();
    let run = |store: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_procession"));
        command.args(["--store", store, "--listen", "off", "--", "sh", "-c", "sleep 1; exit 3"]);
        command.env("PROCESSION_STATE_DIR", folder.path()).current_dir(folder.path());
        command.output().expect("it runs")
    };
    let done = run(&server.url("postgres"));
    assert_eq!(done.status.code(), Some(3), "{}", String::from_utf8_lossy(&done.stderr));
    let sql = "SELECT exit_status, exit_code FROM sessions";
    wait_for("the session", || (server.query("postgres", sql) == ["code 3"]).then_some(()));
    let mut reader = Command::new(env!("CARGO_BIN_EXE_procession"));
    reader.args(["sessions", "list", "--store", &server.url("postgres")]);
    let read = reader.output().expect("it runs");
    let listed = String::from_utf8_lossy(&read.stdout);
    assert!(listed.contains("exit code 3"), "{listed}{}", String::from_utf8_lossy(&read.stderr));
    let refused = run(&format!("{}?sslmode=perhaps", server.url("postgres")));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("sslmode") && !said.contains(ENCODED), "{said}");
}
