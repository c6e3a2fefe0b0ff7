//! Many supervisors on one database: each keeps to its own, and only what is over is closed.

use std::sync::Barrier;

use super::*;

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

/// Again and again: who comes second has to come while the first is still at it.
fn start_at_once(server: &Postgres, database: &str) {
    for round in 0..5 {
        let database = format!("{database}_{round}");
        server.create(&database);
        let (url, all_there) = (server.url(&database), Arc::new(Barrier::new(8)));
        let begun: Vec<_> = (0..8)
            .map(|number| {
                let (plan, all_there) = (parse(&url).expect("a plan"), Arc::clone(&all_there));
                thread::spawn(move || {
                    let us = us(&folder(), number);
                    all_there.wait();
                    let mut store = PostgresStore::open(&plan, us).expect("it opens");
                    store.commit(&[batch(vec![session(number)])]).expect("it commits");
                })
            })
            .collect();
        begun.into_iter().for_each(|one| one.join().expect("it worked"));
        assert_eq!(server.query(&database, "SELECT count(*) FROM sessions"), ["8"]);
        let steps: Vec<String> = (1..=schema::STEPS.len()).map(|step| step.to_string()).collect();
        assert_eq!(server.query(&database, "SELECT step FROM procession_schema"), steps);
    }
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
    assert!(found(&mut living).is_empty(), "the dead one's is spoken for");
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
    assert!(found(&mut next).is_empty(), "it is connected");
    drop(theirs);
    server.query(database, "UPDATE supervisors SET last_seen_ms = last_seen_ms + 60000");
    assert!(found(&mut next).is_empty(), "it was heard of lately");
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
    let rows = (0..2_000).map(|number| Row::Session(Box::new(bare(number)))).collect();
    dead.commit(&[batch(rows)]).expect("it commits");
    drop(dead);
    let (url, all_there) = (server.url(database), Arc::new(Barrier::new(4)));
    let seekers: Vec<_> = (0..4)
        .map(|number| {
            let (plan, all_there) = (parse(&url).expect("a plan"), Arc::clone(&all_there));
            thread::spawn(move || {
                let us = us(&folder(), 10 + number);
                let mut store = PostgresStore::open(&plan, us).expect("it opens");
                all_there.wait();
                found(&mut store)
            })
        })
        .collect();
    let mut all: Vec<_> =
        seekers.into_iter().flat_map(|one| one.join().expect("it worked")).collect();
    all.sort();
    let each_once: Vec<_> = (0..2_000).map(id).collect();
    assert!(all == each_once, "{} of 2000 were told of", all.len());
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
    assert!(!store.prune(AT, &RetentionPlan::default()).expect("pruned"));
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
    assert!(!store.prune(old, &RetentionPlan::default()).expect("passed over"));
    assert_eq!(server.query(database, "SELECT count(*) FROM sessions"), ["1"]);
}
