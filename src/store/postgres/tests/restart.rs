//! Many writers, and a server that goes and comes back.

use super::*;

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

