//! Stories of the house: what it began with, what it was told, and what went missing.

use super::*;
use crate::ledger::entry::KeptOpen;
use crate::ledger::session::{OnParentEnd, Session};

#[test]
fn what_an_earlier_life_left_open_is_lost_whoever_tells_first() {
    let open = OpenSession {
        id: session(5),
        kind: SessionKind::Process,
        state: SessionState::Active,
        process: "web".into(),
        started: at(0).wall,
        last_activity: at(700).wall,
        events: 3,
        ours: true,
        kept: None,
    };
    let outcome =
        SurvivorOutcome { session: session(5), process: "web".into(), adopted: false, found: 2 };
    let found = || Entry::OpenSessionsFound { at: at(1000), sessions: vec![open.clone()] };
    let handled = || Entry::SurvivorsHandled { at: at(900), outcomes: vec![outcome.clone()] };
    let snapshot = check(
        vec![handled(), found()],
        &["S1.3 survivors_ended | S1.4 lost active>lost | close lost"],
    );
    assert_eq!((snapshot.house.survivors_ended, snapshot.house.survivors_adopted), (2, 0));
    let lost = (SessionKind::Process, "web".to_owned(), SessionState::Lost);
    assert_eq!(snapshot.closed[&lost], 1, "an alert waits for it");
    check(
        vec![found(), handled()],
        &["S1.3 lost active>lost | close lost", "S1.4 survivors_ended | close lost"],
    );
}

/// How a session ends that an earlier life left open, found at this time: its state, when, for how
/// long, and why.
fn end_found(
    kind: SessionKind,
    seconds: u64,
    adopted: bool,
) -> (SessionState, Wall, Duration, String) {
    let open = OpenSession {
        id: session(5),
        kind,
        state: SessionState::Active,
        process: "web".into(),
        started: at(0).wall,
        last_activity: at(700).wall,
        events: 3,
        ours: true,
        kept: None,
    };
    let outcome = SurvivorOutcome { session: session(5), process: "web".into(), adopted, found: 1 };
    let mut ledger = ledger();
    if adopted {
        ledger.fold(Entry::SurvivorsHandled { at: at(900), outcomes: vec![outcome] });
    }
    let at = at(seconds * 1000);
    let batches = ledger.fold(Entry::OpenSessionsFound { at, sessions: vec![open] });
    let rows = || batches.iter().flat_map(|batch| batch.rows.iter());
    let told = rows().find_map(|row| match row {
        Row::Event(event) if event.new_state.is_some() => Some(event.at),
        _ => None,
    });
    let closed = rows().find_map(|row| match row {
        Row::Close(close) => Some(close.clone()),
        _ => None,
    });
    let closed = closed.expect("it is closed");
    assert_eq!(told, Some(closed.end.at), "its last event is of the same time");
    (closed.state, closed.end.at, closed.end.duration, closed.end.reason)
}

#[test]
fn what_was_left_open_ended_with_its_last_sign_of_life_or_when_its_time_was_up() {
    let last = Duration::from_millis(700);
    for (kind, seconds) in [(SessionKind::Process, 90_000), (SessionKind::External, 3_600)] {
        let (state, when, duration, reason) = end_found(kind, seconds, false);
        assert_eq!((state, when, duration), (SessionState::Lost, at(700).wall, last));
        assert_eq!(reason, "the supervisor ended without closing it");
    }
    let (state, when, _, reason) = end_found(SessionKind::External, 3_601, false);
    assert_eq!((state, when), (SessionState::TimedOut, at(3_600_700).wall));
    assert!(reason.contains("idle for too long"), "{reason}");
    let (state, when, _, reason) = end_found(SessionKind::Process, 5, true);
    assert_eq!((state, when), (SessionState::Lost, at(700).wall));
    assert!(reason.contains("lives on"), "{reason}");
    // A clock that was set back makes nothing older than it is.
    let (_, when, duration, _) = end_found(SessionKind::Process, 0, false);
    assert_eq!((when, duration), (at(0).wall, Duration::ZERO));
}

#[test]
fn dropped_entries_are_told_to_every_live_session_once() {
    let snapshot = check(
        vec![
            opened(0, 1, WEB, 0),
            Entry::EntriesDropped { count: 4 },
            Entry::EntriesDropped { count: 2 },
            opened(9, 2, WEB, 1),
        ],
        &[
            "S1.0 opened >initializing | =initializing",
            "S1.1 incomplete | =initializing",
            "S1.2 ended initializing>lost | =lost | S2.0 opened >initializing | =initializing",
        ],
    );
    assert_eq!(snapshot.house.entries_dropped, 6);
}

#[test]
fn the_house_shows_what_it_was_told() {
    let health =
        StoreHealth { up: true, pending: 1, failures: 2, dropped: 3, ..StoreHealth::default() };
    let signal = Signal::TERM;
    let cause = ShutdownCause::Signal(signal);
    let budget = Duration::from_secs(9);
    let snapshot = check(
        vec![
            opened(0, 1, WEB, 0),
            Entry::StoreReported(Box::new(health)),
            Entry::ListenerReported { up: true },
            story(
                1,
                Lifecycle::OrphansReaped { process: None, status: ExitStatus::Code(0), count: 1 },
            ),
            story(1, Lifecycle::CrashLooped { process: CODER, streak: 3 }),
            story(2, Lifecycle::SignalArrived { signal, response: SignalResponse::Shutdown }),
            story(2, Lifecycle::ShutdownBegan { cause, budget }),
            story(3, Lifecycle::Left { code: 143 }),
        ],
        &["S1.0 opened >initializing | =initializing", "S1.1 ended initializing>lost | =lost"],
    );
    let house = &snapshot.house;
    assert_eq!((house.store, house.listener_up), (Some(health), Some(true)));
    assert_eq!((house.reaped_orphans, house.stopping), (1, true));
    assert_eq!(house.signals[&(signal, "shutdown")], 1);
    assert_eq!(snapshot.processes[1].crash_loops, 1);
}

#[test]
fn every_counter_of_the_plan_begins_at_zero() {
    let snapshot = ledger().snapshot(1, at(0));
    assert_eq!(snapshot.processes.len(), 2);
    for process in &snapshot.processes {
        assert_eq!(process.exits.len(), 6);
        assert_eq!(process.spawn_failures.len(), SpawnFailure::REASONS.len());
        assert_eq!(process.phase, PhaseName::Waiting);
    }
    let zero =
        [("coder".to_owned(), TokenCounts::default()), ("unknown".into(), TokenCounts::default())];
    assert_eq!(snapshot.process_tokens, BTreeMap::from(zero));
    assert_eq!(snapshot.opened.values().collect::<Vec<_>>(), [&0, &0, &0, &0]);
    assert_eq!(snapshot.closed.len(), 24);
    assert_eq!(snapshot.house.listener_up, Some(false));
    assert_eq!(snapshot.house.store, Some(StoreHealth::default()));
    assert_eq!(snapshot.house.signals[&(Signal::USR1, "forwarded")], 0);
}

#[test]
fn a_session_that_did_not_change_is_shared_between_pictures() {
    let mut ledger = ledger();
    ledger.fold(opened(0, 1, WEB, 0));
    let before = ledger.snapshot(1, at(1));
    ledger.fold(opened(2, 2, CODER, 0));
    let after = ledger.snapshot(2, at(3));
    assert!(std::sync::Arc::ptr_eq(&before.sessions[0], &after.sessions[0]));
}

/// A session of this kind as an earlier life kept it, with three events.
fn kept_open(kind: SessionKind, change: impl FnOnce(&mut KeptOpen)) -> OpenSession {
    let id = session(1);
    let native_id = (kind == SessionKind::External).then(|| "own".to_owned());
    let (started, state) = (at(0).wall, SessionState::Active);
    let opened = Session::opened(id, "web".into(), started);
    let session = Session { kind, native_id, state, events: 3, ..opened };
    let mut kept = KeptOpen { session, on_parent_end: Default::default(), bound: false };
    change(&mut kept);
    let KeptOpen { session: Session { state, .. }, .. } = kept;
    OpenSession {
        id,
        kind,
        state,
        process: "web".into(),
        started,
        last_activity: at(700).wall,
        events: 3,
        ours: true,
        kept: Some(Box::new(kept)),
    }
}

fn taken_over() -> Vec<Entry> {
    let (run, session) = (RunId(1), session(1));
    let adopted = Lifecycle::RunOpened { run, process: WEB, session, attempt: 0, adopted: true };
    vec![story(1000, adopted), forked(1000, 1), ready(1000, 1)]
}

#[test]
fn a_run_that_is_taken_over_goes_on_as_the_session_that_it_was() {
    let found = |state| {
        let open = kept_open(SessionKind::Process, |kept| kept.session.state = state);
        Entry::OpenSessionsFound { at: at(2000), sessions: vec![open] }
    };
    let story = |found| [taken_over(), vec![found, exited(3000, 1, 0)]].concat();
    let snapshot = check(
        story(found(SessionState::Active)),
        &[
            "S1.+0 opened",
            "S1.+1 forked",
            "S1.+2 started",
            "S1.3 resumed | S1.4 forked | S1.5 started | =active",
            "S1.6 ended active>completed | =completed",
        ],
    );
    assert_eq!(snapshot.house.sessions_resumed[&SessionKind::Process], 1);
    let end = snapshot.ended[0].end.clone().expect("it ended");
    assert_eq!(end.duration, Duration::from_secs(3), "what was before counts");
    assert_eq!(snapshot.ended[0].started, at(0).wall);
    check(
        story(found(SessionState::Idle)),
        &[
            "S1.+0 opened",
            "S1.+1 forked",
            "S1.+2 started",
            "S1.3 resumed idle>active | S1.4 forked | S1.5 started | =active",
            "S1.6 ended active>completed | =completed",
        ],
    );
    check(
        story(Entry::OpenSessionsFound { at: at(2000), sessions: Vec::new() }),
        &[
            "S1.+0 opened",
            "S1.+1 forked",
            "S1.+2 started",
            "S1.0 opened >active | S1.1 forked | S1.2 started | =active",
            "S1.3 ended active>completed | =completed",
        ],
    );
}

#[test]
fn the_conversation_of_a_run_that_is_taken_over_goes_on_with_it_and_others_are_lost() {
    let talk = |number: u64, parent: u64, agent: Option<&str>| {
        let mut open = kept_open(SessionKind::Conversation, |kept| {
            kept.session.id = session(number);
            kept.session.parent = Some(session(parent));
            kept.session.agent = agent.map(str::to_owned);
            kept.session.native_id = Some("c1".to_owned());
            kept.session.state = SessionState::Idle;
        });
        open.id = session(number);
        open
    };
    let sessions = vec![
        talk(7, 1, Some("claude")),
        talk(8, 9, Some("claude")),
        talk(9, 1, None),
        kept_open(SessionKind::Process, |_| ()),
    ];
    let found = Entry::OpenSessionsFound { at: at(2000), sessions };
    let priced = Cost::Priced(Money(1));
    let batch = TokenBatch {
        process: Some("web".into()),
        usages: vec![usage(3_000, 1, "c1", priced)],
        ..TokenBatch::default()
    };
    let read = Entry::TokensRead { at: at(3000), batch };
    let mut ledger = ledger();
    for entry in [taken_over(), vec![found, read]].concat() {
        ledger.fold(entry);
    }
    let snapshot = ledger.snapshot(1, at(4000));
    assert_eq!(snapshot.house.sessions_resumed[&SessionKind::Conversation], 1);
    let talks: Vec<_> =
        snapshot.sessions.iter().filter(|it| it.kind == SessionKind::Conversation).collect();
    assert_eq!(talks.len(), 1, "none was begun anew: {talks:?}");
    assert_eq!((talks[0].id, talks[0].state), (session(7), SessionState::Active));
    assert_eq!(talks[0].figures.tokens.total(), 15);
    let lost = (SessionKind::Conversation, "web".to_owned(), SessionState::Lost);
    assert_eq!(snapshot.closed.get(&lost), Some(&2));
}

#[test]
fn what_an_application_holds_open_goes_on_unless_it_was_idle_bound_or_has_no_parent_any_more() {
    let found = |seconds: u64, change: fn(&mut KeptOpen)| {
        let sessions = vec![kept_open(SessionKind::External, change)];
        vec![Entry::OpenSessionsFound { at: at(seconds * 1000), sessions }]
    };
    let snapshot = check(found(60, |_| ()), &["S1.3 resumed | =active"]);
    assert_eq!(snapshot.house.sessions_resumed[&SessionKind::External], 1);
    assert_eq!(snapshot.house.sessions_open, 1);
    check(
        found(60, |kept| kept.session.state = SessionState::Idle),
        &["S1.3 resumed idle>active | =active"],
    );
    check(found(3_601, |_| ()), &["S1.3 timed_out active>timed_out | close timed_out"]);
    let lost = ["S1.3 lost active>lost | close lost"];
    check(found(60, |kept| kept.bound = true), &lost);
    check(found(60, |kept| kept.session.parent = Some(session(9))), &lost);
    let orphan = |kept: &mut KeptOpen| {
        kept.session.parent = Some(session(9));
        kept.on_parent_end = OnParentEnd::Orphan;
    };
    check(found(60, orphan), &["S1.3 resumed | =active"]);
}
