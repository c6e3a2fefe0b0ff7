//! The promises of the PostgreSQL store, each tried on a real server.

#[path = "../../../tests/support/postgres.rs"]
mod server;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use self::server::{ENCODED, PASSWORD, Postgres, USER};
use super::*;
use crate::config::plan::Password;
use crate::config::postgres::parse;
use crate::ledger::session::SessionState;
use crate::ledger::store_figures::ErrorCategory;
use crate::store::examples::{AT, bare, batch, event, event_of, id, session, usage};
use crate::store::life::Beginnings;
use crate::store::suite::{self, Place};
use crate::store::writer::{Reports, Writer, start_with};
use crate::units::{ProcId, SessionId};

/// Our own pid namespace in these tests: of its processes only number 1 lives.
fn us(folder: &TempDir, number: u128) -> Identity {
    us_as(folder, number, 1)
}

fn us_as(folder: &TempDir, number: u128, pid: i32) -> Identity {
    let begins = Beginnings {
        id: SessionId::new(AT, 1_000 + number),
        began: AT,
        supervisor: Some(ProcId { pid, start_ticks: 1 }),
        alive: Arc::new(|id: ProcId| id.pid == 1),
    };
    Identity::learn(begins, folder.path())
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn open(server: &Postgres, database: &str, us: Identity) -> PostgresStore {
    let plan = parse(&server.url(database)).expect("a plan");
    PostgresStore::open(&plan, us).unwrap_or_else(|error| panic!("{error}"))
}

/// The suite's place in a database of its own. Each life there is over once the next one asks.
struct InDatabase {
    server: Rc<Postgres>,
    database: String,
    folder: TempDir,
    lives: Cell<u128>,
}

impl Place for InDatabase {
    fn open(&self) -> Box<dyn Store> {
        self.lives.set(self.lives.get() + 1);
        Box::new(open(&self.server, &self.database, us_as(&self.folder, self.lives.get(), 2)))
    }

    fn query(&self, sql: &str) -> Result<Vec<String>, String> {
        self.server.try_query(&self.database, sql)
    }

    fn plan(&self, sql: &str) -> String {
        self.query(&format!("EXPLAIN {sql}")).expect("it is planned").join("\n")
    }
}

#[test]
fn every_promise_of_a_store_is_kept_on_a_server() {
    let server = Rc::new(Postgres::start(&[]));
    let number = Cell::new(0);
    suite::run(|| {
        number.set(number.get() + 1);
        let (server, database) = (Rc::clone(&server), format!("case_{}", number.get()));
        server.create(&database);
        Box::new(InDatabase { server, database, folder: folder(), lives: Cell::new(0) })
    });
}

/// A case that needs a database of its own.
type Case = fn(&Postgres, &str);

fn each_in_its_own(server: &Postgres, cases: &[(&str, Case)]) {
    for (name, case) in cases {
        println!("{name}");
        server.create(name);
        case(server, name);
    }
}

#[test]
fn many_that_share_a_database_keep_to_their_own() {
    let server = Postgres::start(&[]);
    each_in_its_own(
        &server,
        &[
            ("start_at_once", start_at_once),
            ("the_living_keep_their_sessions", the_living_keep_their_sessions),
            ("the_silent_are_over_after_a_week", the_silent_are_over_after_a_week),
            ("what_is_left_is_closed_by_one", what_is_left_is_closed_by_one),
            ("files_are_known_on_their_host_only", files_are_known_on_their_host_only),
            ("pruning_is_for_one_at_a_time", pruning_is_for_one_at_a_time),
        ],
    );
}

fn start_at_once(server: &Postgres, database: &str) {
    let url = server.url(database);
    let begun: Vec<_> = (0..8)
        .map(|number| {
            let plan = parse(&url).expect("a plan");
            thread::spawn(move || {
                let mut store =
                    PostgresStore::open(&plan, us(&folder(), number)).expect("it opens");
                store.commit(&[batch(vec![session(number)])]).expect("it commits");
            })
        })
        .collect();
    begun.into_iter().for_each(|one| one.join().expect("it worked"));
    assert_eq!(server.query(database, "SELECT count(*) FROM sessions"), ["8"]);
    assert_eq!(server.query(database, "SELECT step FROM procession_schema"), ["1"]);
}

fn found(store: &mut PostgresStore) -> Vec<SessionId> {
    store.open_sessions().expect("read").into_iter().map(|session| session.id).collect()
}

fn the_living_keep_their_sessions(server: &Postgres, database: &str) {
    let (ours, theirs) = (folder(), folder());
    let mut living = open(server, database, us(&theirs, 1));
    living.commit(&[batch(vec![session(1), event(0)])]).expect("it commits");
    let mut dead = open(server, database, us_as(&theirs, 2, 7));
    dead.commit(&[batch(vec![session(2), event_of(2, 0), event_of(2, 1)])]).expect("it commits");
    let mut next = open(server, database, us(&ours, 3));
    next.commit(&[batch(vec![session(3)])]).expect("it commits");
    let left = next.open_sessions().expect("read");
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].id, left[0].events), (id(2), 2));
    assert_eq!(found(&mut living), [id(2); 0], "the dead one's is spoken for");
    assert_eq!(found(&mut next), [id(2)], "who asks again is told again");
}

/// Of another boot, nothing is known but that it is connected, and for how long it was not heard of.
fn the_silent_are_over_after_a_week(server: &Postgres, database: &str) {
    let their_folder = folder();
    let mut theirs = open(server, database, us(&their_folder, 1));
    theirs.commit(&[batch(vec![session(1)])]).expect("it commits");
    server.query(database, "UPDATE supervisors SET boot_id = 'another'");
    let mut next = open(server, database, us(&folder(), 2));
    let week =
        "UPDATE supervisors SET last_seen_ms = last_seen_ms - 604800000 WHERE boot_id = 'another'";
    server.query(database, week);
    assert_eq!(found(&mut next), [id(1); 0], "it is connected");
    drop(theirs);
    server.query(database, "UPDATE supervisors SET last_seen_ms = last_seen_ms + 60000");
    assert_eq!(found(&mut next), [id(1); 0], "it was heard of lately");
    server.query(database, "UPDATE supervisors SET last_seen_ms = last_seen_ms - 60000");
    // The server may need a moment to see that the connection is gone.
    let left = (0..100).find_map(|_| {
        thread::sleep(Duration::from_millis(50));
        Some(found(&mut next)).filter(|left| !left.is_empty())
    });
    assert_eq!(left, Some(vec![id(1)]));
}

fn what_is_left_is_closed_by_one(server: &Postgres, database: &str) {
    let left_behind = folder();
    let mut dead = open(server, database, us_as(&left_behind, 1, 7));
    let rows = (0..200).map(|number| Row::Session(Box::new(bare(number)))).collect();
    dead.commit(&[batch(rows)]).expect("it commits");
    drop(dead);
    let url = server.url(database);
    let seekers: Vec<_> = (0..4)
        .map(|number| {
            let plan = parse(&url).expect("a plan");
            thread::spawn(move || {
                let us = us(&folder(), 10 + number);
                found(&mut PostgresStore::open(&plan, us).expect("it opens"))
            })
        })
        .collect();
    let mut all: Vec<_> =
        seekers.into_iter().flat_map(|one| one.join().expect("it worked")).collect();
    all.sort();
    let each_once: Vec<_> = (0..200).map(id).collect();
    assert_eq!(all, each_once);
}

fn files_are_known_on_their_host_only(server: &Postgres, database: &str) {
    use crate::tokens::{FileProgress, UsageKey};
    let (one, other) = (folder(), folder());
    let file =
        |offset| Row::Progress(FileProgress { path: "/log".into(), device: 1, inode: 2, offset });
    let mut first = open(server, database, us(&one, 1));
    first.commit(&[batch(vec![file(5), usage(1), Row::Seen(UsageKey(8))])]).expect("it commits");
    let mut second = open(server, database, us(&other, 2));
    second.commit(&[batch(vec![file(9), usage(1), usage(2)])]).expect("it commits");
    let resume = second.token_resume().expect("read");
    assert_eq!((resume.progress[0].offset, resume.seen), (9, vec![UsageKey(2)]));
    let mut resume = first.token_resume().expect("read");
    resume.seen.sort();
    assert_eq!((resume.progress[0].offset, resume.seen), (5, vec![UsageKey(1), UsageKey(8)]));
    assert_eq!(server.query(database, "SELECT count(*) FROM token_usage"), ["2"], "counted once");
}

fn pruning_is_for_one_at_a_time(server: &Postgres, database: &str) {
    let mut store = open(server, database, us(&folder(), 1));
    assert!(!store.prune(AT).expect("pruned"));
    let busy = format!(
        "SELECT pg_advisory_lock({}, 2); SELECT pg_sleep(600)", // ended by the server's stop
        lives::HOUSE
    );
    let (url, held) = (parse(&server.url(database)).expect("a plan"), format!("{busy};"));
    let _holder = thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let us = us(&folder(), 2);
        runtime.block_on(async {
            let mut link = Link::open(&url, &us).await.expect("it opens");
            let _ =
                link.client().batch_execute(&format!("SET statement_timeout = 0; {held}")).await;
        });
    });
    let locks =
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 2 AND granted";
    while server.query(database, locks) != ["1"] {
        thread::sleep(Duration::from_millis(20));
    }
    let old = Wall(AT.0 + 40 * 86_400_000);
    let mut done = bare(1);
    done.state = SessionState::Completed;
    done.end = Some(crate::store::examples::end());
    store.commit(&[batch(vec![Row::Session(Box::new(done))])]).expect("it commits");
    assert!(!store.prune(old).expect("passed over"));
    assert_eq!(server.query(database, "SELECT count(*) FROM sessions"), ["1"]);
}

/// What is said to a life that cannot write.
fn refusal(url: &str) -> StoreError {
    let plan = parse(url).expect("a plan");
    let error = PostgresStore::open(&plan, us(&folder(), 1)).err().expect("it is refused");
    let text = error.to_string();
    assert!(
        !text.contains(PASSWORD) && !text.contains(ENCODED) && !text.contains("wrong"),
        "{text}"
    );
    assert!(!error.refused, "{text}: no row is at fault");
    error
}

#[test]
fn whatever_is_wrong_with_a_server_is_told_apart_and_explained() {
    let mut server = Postgres::start(&["max_connections=5", "superuser_reserved_connections=0"]);
    let url = server.url("postgres");
    let check = |url: &str, category: ErrorCategory, part: &str| {
        let error = refusal(url);
        assert_eq!(error.category, category, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    };
    let with = |from: &str, to: &str| url.replace(from, to);
    let of = |database: &str| server.url(database);
    check(&with(ENCODED, "wrong"), ErrorCategory::Auth, "password authentication failed");
    check(&with(&format!(":{ENCODED}"), ""), ErrorCategory::Auth, "password_file");
    check(&of("nowhere"), ErrorCategory::Schema, "create it");
    check(&with("127.0.0.1", "host.invalid"), ErrorCategory::Unreachable, "host.invalid");
    let closed = with(&format!(":{}/", server.port), ":1/");
    check(&closed, ErrorCategory::Unreachable, "127.0.0.1:1: Connection refused");
    check(&format!("{url}?sslmode=require"), ErrorCategory::Auth, "TLS");
    check("postgres://a@%2Fnowhere/h", ErrorCategory::Unreachable, "No such file");

    each_in_its_own(
        &server,
        &[
            ("newer", |server, database| {
                drop(open(server, database, us(&folder(), 1)));
                server.query(database, "INSERT INTO procession_schema VALUES (9999)");
                let error = refusal(&server.url(database));
                assert_eq!(error.category, ErrorCategory::Schema);
                assert!(error.cause.contains("newer procession (schema 9999"), "{error}");
            }),
            ("others", |server, database| {
                server.query(database, "CREATE TABLE sessions (id text)");
                let error = refusal(&server.url(database));
                assert_eq!(error.category, ErrorCategory::Schema);
                assert!(error.cause.contains("a database of its own"), "{error}");
                let left = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
                assert_eq!(server.query(database, left), ["1"], "nothing is left of the attempt");
            }),
            ("readonly", |server, database| {
                let read_only = "ALTER DATABASE readonly SET default_transaction_read_only = on";
                server.query(database, read_only);
                let error = refusal(&server.url(database));
                assert_eq!(error.category, ErrorCategory::Auth);
                assert!(error.cause.contains("primary"), "{error}");
            }),
        ],
    );
    let latin = "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0";
    server.query("postgres", latin);
    check(&of("latin"), ErrorCategory::Schema, "ENCODING 'UTF8'");
    server.query("postgres", "CREATE ROLE guest LOGIN PASSWORD 'guest'");
    let guest = with(&format!("{USER}:{ENCODED}"), "guest:guest");
    check(&guest, ErrorCategory::Auth, "create and write tables");

    let held: Vec<_> = (0..5).map(|n| open(&server, "postgres", us(&folder(), n))).collect();
    check(&url, ErrorCategory::Unreachable, "max_connections");
    drop(held);
    server.down(Signal::SIGINT);
    check(&url, ErrorCategory::Unreachable, "Connection refused");
}

#[test]
fn a_row_at_fault_costs_itself_and_what_is_slow_is_given_up() {
    let server = Postgres::start(&[]);
    let mut store = open(&server, "postgres", us(&folder(), 1));
    let Row::Event(mut odd) = event(0) else { unreachable!() };
    odd.at = Wall(1);
    store.commit(&[batch(vec![Row::Event(odd)])]).expect("it commits");
    let error = store.commit(&[batch(vec![event(0)])]).expect_err("it says something else");
    assert!(error.refused && error.category == ErrorCategory::Constraint, "{error}");
    store.commit(&[batch(vec![event(1)])]).expect("the connection is sound");

    // As a commit meets it that waits for a lock of somebody else.
    let slow = store.with("try", async |link, _| {
        let slow = "SET statement_timeout = 50; SELECT pg_sleep(60)";
        Ok(link.client().batch_execute(slow).await?)
    });
    let error = slow.expect_err("it is slow");
    assert!(!error.refused && error.category == ErrorCategory::Timeout, "{error}");
    // Its connection is still the one with the short patience; a new one has the usual.
    server.query("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'procession'");
    store.commit(&[batch(vec![event(2)])]).expect("it is made anew");
    let settings = store.with("read", async |link, _| {
        let row = link.client().query_one("SHOW statement_timeout", &[]).await?;
        Ok(row.try_get::<_, String>(0)?)
    });
    assert_eq!(settings.expect("read"), "20s");
}

#[test]
fn a_commit_is_durable_whatever_the_server_is_set_to() {
    let server = Postgres::start(&["synchronous_commit=off"]);
    let mut store = open(&server, "postgres", us(&folder(), 1));
    let shown = store.with("read", async |link, _| {
        let row = link.client().query_one("SHOW synchronous_commit", &[]).await?;
        Ok(row.try_get::<_, String>(0)?)
    });
    assert_eq!(shown.expect("read"), "on");
}

/// A writer as a supervisor has it.
fn writer(server: &Postgres, database: &str, number: u128) -> (Writer, Reports, TempDir) {
    let plan = parse(&server.url(database)).expect("a plan");
    let folder = folder();
    let us = us(&folder, number);
    let open = move || {
        let store = PostgresStore::open(&plan, us.clone())?;
        Ok(Box::new(store) as Box<dyn Store>)
    };
    let (writer, reports) = start_with(Box::new(open));
    (writer, reports, folder)
}

/// A number from the environment, for a longer run than the usual one.
fn asked(variable: &str, usual: u128) -> u128 {
    std::env::var(variable).map_or(usual, |text| text.parse().expect("a number"))
}

/// Writers that all write sessions of their own, over a stop and over a crash of the server.
/// `bench/postgres` runs it with a hundred of them and keeps what it prints.
#[test]
fn a_server_that_is_restarted_in_the_middle_loses_nothing_and_keeps_nothing_twice() {
    let writers = asked("PROCESSION_WRITERS", 8);
    let sessions = asked("PROCESSION_WRITER_SESSIONS", 60);
    let connections = format!("max_connections={}", writers + 20);
    let mut server = Postgres::start(&["fsync=on", &connections]);
    let began = clock::now().mono;
    let done = Arc::new(AtomicU32::new(0));
    let threads: Vec<_> = (0..writers)
        .map(|number| {
            let (writer, reports, folder) = writer(&server, "postgres", number);
            let done = Arc::clone(&done);
            thread::spawn(move || {
                let Reports { resume, health } = reports;
                resume.blocking_recv().expect("it opens");
                for at in 0..sessions {
                    let own = number * 100_000 + at;
                    let key = u64::try_from(own).expect("small");
                    let start = vec![event_of(own, 0), session(own)];
                    let end = vec![event_of(own, 1), event_of(own, 2), usage(key)];
                    for rows in [start, end] {
                        let mut rows = batch(rows);
                        while let Err(refused) = writer.try_submit(rows) {
                            rows = refused;
                            thread::sleep(Duration::from_millis(2));
                        }
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(10));
                }
                let flushed = writer.close(Duration::from_secs(120));
                let health = *health.borrow();
                drop(folder);
                (flushed, health)
            })
        })
        .collect();
    let all = u32::try_from(writers * sessions).expect("small");
    for (share, signal) in [(all / 4, Signal::SIGINT), (all / 2, Signal::SIGQUIT)] {
        while done.load(Ordering::Relaxed) < share {
            thread::sleep(Duration::from_millis(5));
        }
        server.down(signal);
        thread::sleep(Duration::from_millis(200));
        server.up();
    }
    let (mut failures, mut commits, mut total) = (0, 0, Duration::ZERO);
    for one in threads {
        let (flushed, health) = one.join().expect("it worked");
        assert!(flushed && health.dropped == 0, "{health:?}");
        failures += health.figures.errors().map(|(_, count)| count).sum::<u64>();
        let (_, latency) = health.figures.latencies().nth(2).expect("commits");
        (commits, total) = (commits + latency.count, total + latency.total);
    }
    assert!(failures > 0, "the restart was in the middle");
    let seconds = clock::now().mono.since(began).as_secs_f64();
    let count = |sql: &str| server.query("postgres", sql);
    let sessions = writers * sessions;
    let mean = total.as_secs_f64() / commits as f64;
    println!(
        "{{\"writers\": {writers}, \"sessions\": {sessions}, \"rows\": {}, \"seconds\": {seconds:.1}, \
         \"commits\": {commits}, \"failed\": {failures}, \"mean_commit_seconds\": {mean:.4}}}",
        6 * sessions
    );
    assert_eq!(count("SELECT count(*) FROM sessions"), [sessions.to_string()]);
    let whole = "SELECT count(*), sum(n), sum(last) FROM (SELECT count(*) n, max(sequence) last \
                 FROM session_events GROUP BY session_id) s";
    let expected = format!("{sessions} {} {}", 3 * sessions, 2 * sessions);
    assert_eq!(count(whole), [expected]);
    assert_eq!(
        count("SELECT count(*), sum(tokens_input) FROM token_usage"),
        [format!("{sessions} {}", 10 * sessions)]
    );
}

#[test]
fn a_server_is_reached_by_its_socket_and_by_what_libpq_knows_of_passwords() {
    let server = Postgres::start(&[]);
    let socket = format!(
        "postgres://{USER}:{ENCODED}@/postgres?host={}&port={}",
        server.folder().display(),
        server.port
    );
    drop(
        PostgresStore::open(&parse(&socket).expect("a plan"), us(&folder(), 1)).expect("it opens"),
    );
    let secret = server.folder().join("secret");
    std::fs::write(&secret, format!("{PASSWORD}\n")).expect("written");
    let mut plan = parse(&server.url("postgres")).expect("a plan");
    plan.password = None;
    plan.password_file = Some(secret.clone());
    drop(PostgresStore::open(&plan, us(&folder(), 1)).expect("it opens"));
    std::fs::write(&secret, "wrong").expect("written");
    let error = PostgresStore::open(&plan, us(&folder(), 1)).err().expect("it was changed");
    assert_eq!(error.category, ErrorCategory::Auth, "{error}");
    plan.password = Some(Password::new(PASSWORD));
    plan.host = crate::config::plan::PostgresHost::Name("localhost".into());
    drop(PostgresStore::open(&plan, us(&folder(), 1)).expect("a name is looked up"));
}

/// Runs openssl in the folder of the server.
fn openssl(server: &Postgres, arguments: &str) {
    let mut command = std::process::Command::new("openssl");
    let command = command.current_dir(server.folder()).args(arguments.split_whitespace());
    let output = command.output().expect("openssl runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn tls_asks_of_a_server_what_its_mode_says() {
    let mut server = Postgres::start(&[]);
    let curve = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(
        &server,
        &format!("req -x509 {curve} -keyout ca.key -out ca.crt -subj /CN=roots -days 2"),
    );
    openssl(
        &server,
        &format!("req -x509 {curve} -keyout other.key -out other.crt -subj /CN=other -days 2"),
    );
    openssl(&server, &format!("req {curve} -keyout server.key -out server.csr -subj /CN=server"));
    std::fs::write(server.folder().join("names"), "subjectAltName=DNS:localhost").expect("written");
    openssl(
        &server,
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out server.crt -days 2 -extfile names",
    );
    server.lend(&server.folder().join("server.key"));
    server.down(Signal::SIGINT);
    server.set("ssl=on");
    for (setting, file) in [("ssl_cert_file", "server.crt"), ("ssl_key_file", "server.key")] {
        server.set(&format!("{setting}={}", server.folder().join(file).display()));
    }
    server.up();
    let roots = format!("&sslrootcert={}/ca.crt", server.folder().display());
    let others = format!("&sslrootcert={}/other.crt", server.folder().display());
    let by = |host: &str, mode: &str, roots: &str| {
        let url = server.url("postgres").replace("127.0.0.1", host);
        parse(&format!("{url}?sslmode={mode}{roots}")).expect("a plan")
    };
    for (host, mode, roots, encrypted) in [
        ("127.0.0.1", "disable", "", "f"),
        ("127.0.0.1", "prefer", "", "t"),
        ("127.0.0.1", "require", "", "t"),
        ("127.0.0.1", "require", &*roots, "t"),
        ("127.0.0.1", "verify-ca", &*roots, "t"),
        ("localhost", "verify-full", &*roots, "t"),
    ] {
        let mut store = PostgresStore::open(&by(host, mode, roots), us(&folder(), 1))
            .unwrap_or_else(|error| panic!("{mode}: {error}"));
        store.commit(&[batch(vec![event(0)])]).expect("it commits");
        let ssl = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                   WHERE application_name = 'procession'";
        assert_eq!(server.query("postgres", ssl), [encrypted], "{mode}");
        drop(store);
        while !server.query("postgres", ssl).is_empty() {
            thread::sleep(Duration::from_millis(20));
        }
    }
    for (host, mode, roots, part) in [
        ("127.0.0.1", "verify-full", &*roots, "certificate"),
        ("127.0.0.1", "verify-ca", &*others, "certificate"),
        ("127.0.0.1", "require", &*others, "certificate"),
        ("localhost", "verify-full", "", "certificate"),
        ("localhost", "verify-full", "&sslrootcert=/nowhere.pem", "/nowhere.pem"),
        ("localhost", "verify-full", "&sslrootcert=/dev/null", "holds no certificate"),
    ] {
        let error = PostgresStore::open(&by(host, mode, roots), us(&folder(), 1)).err();
        let error = error.unwrap_or_else(|| panic!("{mode} {roots} is let through"));
        assert_eq!(error.category, ErrorCategory::Auth, "{error}");
        assert!(error.cause.contains(part), "{error}");
    }
}
