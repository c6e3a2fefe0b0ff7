//! Many writers, and a server that goes and comes back.

use std::io::Write as _;

use super::*;
use crate::ledger::entry::StoreHealth;

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

/// A writer's life: sessions that begin and end, and then the wait until nothing waits.
fn write_sessions(
    writer: Writer,
    reports: Reports,
    number: u128,
    sessions: u128,
    done: &AtomicU32,
) -> StoreHealth {
    let Reports { resume, health } = reports;
    resume.blocking_recv().expect("it opens");
    for at in 0..sessions {
        let own = number * 100_000 + at;
        let key = u64::try_from(own).expect("small");
        writer.submit(batch(vec![event_of(own, 0), session(own)]));
        writer.submit(batch(vec![event_of(own, 1), event_of(own, 2), usage(key)]));
        done.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(10));
    }
    while writer.waiting().rows > 0 {
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(writer.close(Duration::from_secs(60)), 0);
    let health = *health.borrow();
    assert_eq!(health.dropped, 0);
    health
}

/// Stops the server when a quarter is done, lets it crash when half is, and starts it again.
fn restart_twice(server: &mut Postgres, all: u32, done: &AtomicU32) {
    for (share, signal) in [(all / 4, Signal::SIGINT), (all / 2, Signal::SIGQUIT)] {
        while done.load(Ordering::Relaxed) < share {
            thread::sleep(Duration::from_millis(5));
        }
        server.down(signal);
        thread::sleep(Duration::from_millis(200));
        server.up();
    }
}

/// Writers that all write sessions of their own, over a stop and over a crash of the server.
/// `bench/postgres` runs it with a hundred of them and keeps what it prints.
#[test]
fn a_server_that_is_restarted_in_the_middle_loses_nothing_and_keeps_nothing_twice() {
    let writers = asked("PROCESSION_WRITERS", 8);
    let each = asked("PROCESSION_WRITER_SESSIONS", 60);
    let connections = format!("max_connections={}", writers + 20);
    let mut server = Postgres::start(&["fsync=on", &connections]);
    let began = clock::now().mono;
    let done = Arc::new(AtomicU32::new(0));
    let threads: Vec<_> = (0..writers)
        .map(|number| {
            let (writer, reports, folder) = writer(&server, "postgres", number);
            let done = Arc::clone(&done);
            thread::spawn(move || {
                let health = write_sessions(writer, reports, number, each, &done);
                drop(folder);
                health
            })
        })
        .collect();
    restart_twice(&mut server, u32::try_from(writers * each).expect("small"), &done);
    let healths: Vec<_> = threads.into_iter().map(|one| one.join().expect("it worked")).collect();
    let seconds = clock::now().mono.since(began).as_secs_f64();
    let sessions = writers * each;
    tell(&healths, sessions, seconds);

    let count = |sql: &str| server.query("postgres", sql);
    assert_eq!(count("SELECT count(*) FROM sessions"), [sessions.to_string()]);
    let whole = "SELECT count(*), sum(n), sum(last) FROM (SELECT count(*) n, max(sequence) last \
                 FROM session_events GROUP BY session_id) s";
    let expected = format!("{sessions} {} {}", 3 * sessions, 2 * sessions);
    assert_eq!(count(whole), [expected]);
    let tokens = "SELECT count(*), sum(tokens_input) FROM token_usage";
    assert_eq!(count(tokens), [format!("{sessions} {}", 10 * sessions)]);
}

/// Writes the figures down for `bench/postgres`.
fn tell(healths: &[StoreHealth], sessions: u128, seconds: f64) {
    let errors =
        |health: &StoreHealth| health.figures.errors().map(|(_, count)| count).sum::<u64>();
    let failed: u64 = healths.iter().map(errors).sum();
    assert!(failed > 0, "the restart was in the middle");
    let latencies =
        || healths.iter().map(|health| health.figures.latencies().nth(2).expect("commits").1);
    let commits: u64 = latencies().map(|latency| latency.count).sum();
    let total: Duration = latencies().map(|latency| latency.total).sum();
    let figures = serde_json::json!({
        "writers": healths.len(),
        "sessions": sessions,
        "rows": 5 * sessions,
        "seconds": seconds,
        "commits": commits,
        "failed": failed,
        "mean_commit_seconds": total.as_secs_f64() / commits as f64,
    });
    let _ = writeln!(std::io::stdout(), "{figures}");
}
