//! History against trouble: a store that is away while thousands of sessions end, and lives that
//! end by `kill -9`. Whatever comes, each start and each end is in the database, once and in order.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use crate::house::{As, House, until};
use crate::support;

/// Sessions that end while the store is away.
const SESSIONS: u64 = 2_000;

/// Forty processes that start and end again and again, so often in all, and one that stays.
fn restless(times: u64) -> String {
    let times = times / 40;
    format!(
        "store: {{sqlite: DIR/history.db}}\nprocesses:\n  steady: {{command: [sleep, \"1000\"]}}\n  \
         short:\n    command: [\"false\"]\n    restart: always\n    replicas: 40\n    \
         restart_policy: {{delay: 10ms, factor: 1, max_attempts: {times}}}\n"
    )
}

/// The sum over all series of a metric.
fn metric(port: u16, name: &str) -> Option<u64> {
    let text = support::get(&format!("http://127.0.0.1:{port}/metrics"))?;
    let of_name = |line: &&str| line.starts_with(name);
    let value = |line: &str| line.rsplit(' ').next()?.parse::<f64>().ok();
    Some(text.lines().filter(of_name).filter_map(value).sum::<f64>() as u64)
}

fn number(db: &Connection, query: &str) -> u64 {
    let number = db.query_row(query, [], |row| row.get::<_, i64>(0));
    number.expect("a sound query").unsigned_abs()
}

/// What must hold of every history: each session has its events from 0 on without a gap, one start,
/// and one end where it has ended. Answers with the sessions and those that ended.
fn sound(folder: &Path) -> (u64, u64) {
    let db = Connection::open(folder.join("history.db")).expect("the history");
    let count = |query: &str| number(&db, query);
    let gaps = "SELECT count(*) FROM (SELECT 1 FROM session_events GROUP BY session_id HAVING \
                count(*) <> max(sequence) + 1 OR min(sequence) <> 0)";
    assert_eq!(count(gaps), 0, "sessions with a gap");
    let lost = "SELECT count(*) FROM session_events WHERE event_type = 'events_lost'";
    assert_eq!(count(lost), 0, "events that were given up");
    let differ = "SELECT count(*) FROM sessions WHERE events <> (SELECT count(*) FROM \
                  session_events WHERE session_id = id)";
    assert_eq!(count(differ), 0, "sessions that count other events than they have");
    let orphaned = "SELECT count(*) FROM session_events WHERE session_id NOT IN (SELECT id FROM \
                    sessions)";
    assert_eq!(count(orphaned), 0, "events without a session");
    let twice = "SELECT count(*) FROM (SELECT 1 FROM session_events WHERE event_type IN \
                 ('opened', 'ended', 'lost') GROUP BY session_id, event_type IN ('opened') HAVING \
                 count(*) > 1)";
    assert_eq!(count(twice), 0, "starts or ends that are there twice");
    let opened = count("SELECT count(*) FROM session_events WHERE event_type = 'opened'");
    assert_eq!(opened, count("SELECT count(*) FROM sessions"), "sessions without a start");
    let ended = count("SELECT count(*) FROM session_events WHERE event_type IN ('ended', 'lost')");
    let closed = count("SELECT count(*) FROM sessions WHERE ended_ms IS NOT NULL");
    assert_eq!(ended, closed, "ends without their event");
    (opened, ended)
}

#[test]
fn nothing_is_lost_of_thousands_of_sessions_while_another_program_holds_the_store() {
    let port = support::free_port();
    let listen = format!("metrics: {{listen: \"127.0.0.1:{port}\"}}\n");
    let folder = crate::house::folder_with(&format!("{listen}{}", restless(SESSIONS)));
    let other = Connection::open(folder.path().join("history.db")).expect("a new file");
    other.execute_batch("BEGIN EXCLUSIVE").expect("it is free");
    let mut house = House::start(As::Subreaper, &["run"], Ok(folder));
    until("thousands of sessions have ended", || {
        metric(port, "procession_sessions_ended_total").filter(|ended| *ended >= SESSIONS)
    });
    assert!(house.log().contains("another program has it open"), "the store is away");
    drop(other);
    until("everything is committed", || {
        (metric(port, "procession_store_up ") == Some(1)
            && metric(port, "procession_store_pending_rows ") == Some(0))
        .then_some(())
    });
    assert_eq!(metric(port, "procession_store_rows_dropped_total "), Some(0));
    house.signal(15);
    assert!(house.end().1 < Duration::from_secs(9));
    let (opened, ended) = sound(house.dir());
    assert!(opened > SESSIONS && ended == opened, "{ended} of {opened} sessions have ended");
}
