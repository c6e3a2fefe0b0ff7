//! Sessions of applications: opened, kept alive, closed, ended by time and with their parents.

use std::collections::BTreeSet;

use super::*;
use crate::ledger::request::Limits;
use crate::ledger::request::*;
use crate::ledger::session::OnParentEnd;

const S: u64 = 1_000;

/// A ledger whose sessions may rest for a hundred seconds; three may be open.
fn strict() -> Ledger {
    strict_with(|_| {})
}

fn strict_with(change: impl FnOnce(&mut Plan)) -> Ledger {
    let mut plan = plan();
    plan.sessions = SessionsPlan {
        idle_timeout: Some(Duration::from_secs(100)),
        max_concurrent: 3,
        cleanup_interval: Duration::from_secs(60),
        warn_at: vec![0.5, 0.9],
        warn_signal: Some(Signal::USR1),
        snapshot_interval: None,
        ..SessionsPlan::default()
    };
    change(&mut plan);
    Ledger::new(&plan, at(0), true, |_| Box::new(Scripted(None)), 7)
}

fn opening(id: &str) -> Opening {
    Opening { native_id: Some(id.to_owned()), ..Opening::default() }
}

fn child(id: &str, parent: SessionId, on_parent_end: OnParentEnd) -> Opening {
    Opening { parent: Some(parent.to_string()), on_parent_end, ..opening(id) }
}

/// Asks, and answers with what was said and the kinds of events that were written.
fn ask(ledger: &mut Ledger, ms: u64, request: Request) -> (Reply, Vec<String>) {
    let (reply, batches) = ledger.ask(at(ms), request);
    (reply, kinds(&batches))
}

fn kinds(batches: &[Batch]) -> Vec<String> {
    let rows = batches.iter().flat_map(|batch| &batch.rows);
    let kinds = rows.filter_map(|row| match row {
        Row::Event(event) => Some(match &event.new_state {
            Some(state) => format!("{}>{state}", event.event_type),
            None => event.event_type.to_string(),
        }),
        _ => None,
    });
    kinds.collect()
}

#[track_caller]
fn open(ledger: &mut Ledger, ms: u64, opening: Opening) -> SessionId {
    match ask(ledger, ms, Request::Open(Box::new(opening))).0 {
        Reply::Opened { session, new: true } => session.id,
        other => panic!("not opened: {other:?}"),
    }
}

#[track_caller]
fn refused(ledger: &mut Ledger, ms: u64, request: Request) -> Refusal {
    match ask(ledger, ms, request).0 {
        Reply::Refused(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

fn named(id: &str) -> Named {
    Named { id: id.to_owned(), within: None, limits: Limits::default() }
}

fn close(id: &str) -> Request {
    Request::Close { session: named(id), closing: Closing { failed: false, reason: None } }
}

fn beat(id: &str) -> Request {
    Request::Beat { session: named(id), beat: Beat::default() }
}

fn used(id: &str, input: u64, cost: i64) -> Request {
    let tokens = TokenCounts { input, ..TokenCounts::default() };
    let beat = Beat { tokens, cost: Some(Money(cost)), note: None };
    Request::Beat { session: named(id), beat }
}

fn pass(ledger: &mut Ledger, ms: u64) -> Vec<String> {
    kinds(&ledger.fold(Entry::TimePassed { at: at(ms) }))
}

fn state(ledger: &Ledger, id: SessionId) -> SessionState {
    let picture = ledger.snapshot(1, at(0));
    let mut all = picture.sessions.iter().chain(&picture.ended);
    all.find(|session| session.id == id).expect("it is known").state
}

#[test]
fn the_same_id_is_the_same_session_until_it_ends_and_then_a_conflict() {
    let mut ledger = strict();
    let (first, events) = ask(&mut ledger, 0, Request::Open(Box::new(opening("job"))));
    let Reply::Opened { session, new: true } = first else { panic!("{first:?}") };
    assert_eq!(events, ["opened>active"]);
    let (again, events) = ask(&mut ledger, 10, Request::Open(Box::new(opening("job"))));
    let Reply::Opened { session: same, new: false } = again else { panic!("{again:?}") };
    assert_eq!((same.id, events.len()), (session.id, 0));
    let (closed, events) = ask(&mut ledger, 20, close("job"));
    assert!(matches!(closed, Reply::Done(_)), "{closed:?}");
    assert_eq!(events, ["ended>completed"]);
    let ended = Refusal::Ended { session: session.id, state: SessionState::Completed };
    for request in [Request::Open(Box::new(opening("job"))), close("job"), beat("job")] {
        assert_eq!(refused(&mut ledger, 30, request), ended);
    }
    let by_identity = close(&session.id.to_string());
    assert_eq!(refused(&mut ledger, 30, by_identity), ended);
    assert_eq!(refused(&mut ledger, 30, beat("jib")), Refusal::Unknown("jib".to_owned()));
}

#[test]
fn one_more_than_the_limit_is_refused_and_counted_until_one_is_closed() {
    let mut ledger = strict();
    for id in ["a", "b", "c"] {
        open(&mut ledger, 0, opening(id));
    }
    let one_more = || Request::Open(Box::new(opening("d")));
    assert_eq!(refused(&mut ledger, 1, one_more()), Refusal::Limit { limit: 3 });
    assert_eq!(refused(&mut ledger, 1, Request::Admit), Refusal::Limit { limit: 3 });
    // One that is open already takes no room.
    assert!(matches!(
        ask(&mut ledger, 2, Request::Open(Box::new(opening("a")))).0,
        Reply::Opened { new: false, .. }
    ));
    let house = ledger.snapshot(1, at(2)).house;
    assert_eq!((house.sessions_open, house.sessions_limit, house.sessions_refused), (3, 3, 2));
    ask(&mut ledger, 3, close("b"));
    assert!(matches!(ask(&mut ledger, 4, one_more()).0, Reply::Opened { new: true, .. }));
}

#[test]
fn a_place_is_kept_for_a_command_that_was_admitted_until_it_begins_or_does_not() {
    let mut ledger = strict();
    open(&mut ledger, 0, opening("a"));
    for _ in 0..2 {
        assert!(matches!(ask(&mut ledger, 1, Request::Admit).0, Reply::Admitted));
    }
    assert_eq!(refused(&mut ledger, 2, Request::Admit), Refusal::Limit { limit: 3 });
    assert!(matches!(ask(&mut ledger, 6 * S, Request::Admit).0, Reply::Admitted));
}

#[test]
fn silence_turns_a_session_idle_warns_and_ends_it() {
    let mut ledger = strict();
    let id = open(&mut ledger, 0, opening("a"));
    assert!(ledger.next_due().is_some());
    assert_eq!(pass(&mut ledger, 49 * S), [""; 0]);
    let first = ["idle>idle", "idle_warning", "snapshot"];
    assert_eq!(pass(&mut ledger, 51 * S), first);
    let (_, woken) = ask(&mut ledger, 60 * S, beat("a"));
    assert_eq!(woken, ["resumed>active"]);
    assert_eq!(pass(&mut ledger, 111 * S), first);
    assert_eq!(pass(&mut ledger, 151 * S), ["idle_warning", "snapshot"]);
    assert_eq!(pass(&mut ledger, 161 * S), ["ended>timed_out"]);
    assert_eq!(state(&ledger, id), SessionState::TimedOut);
    let picture = ledger.snapshot(1, at(0));
    assert_eq!(picture.house.idle_warnings[&SessionKind::External], 3);
    let key = (SessionKind::External, "unknown".to_owned(), SessionState::TimedOut);
    assert_eq!(picture.closed[&key], 1);
    assert_eq!(pass(&mut ledger, 300 * S), [""; 0]);
    assert!(ledger.snapshot(1, at(0)).ended.is_empty(), "it was let go of");
    assert_eq!(ledger.next_due(), None, "nothing waits for time");
}

#[test]
fn a_session_that_lasts_too_long_ends_however_busy_it_is() {
    let longest = Some(Duration::from_secs(150));
    let mut ledger = strict_with(|plan| plan.sessions.max_duration = longest);
    let id = open(&mut ledger, 0, opening("a"));
    for second in [40, 80, 120] {
        ask(&mut ledger, second * S, beat("a"));
    }
    assert_eq!(pass(&mut ledger, 151 * S), ["ended>timed_out"]);
    assert_eq!(state(&ledger, id), SessionState::TimedOut);
}

#[test]
fn a_bound_session_ends_with_its_last_connection() {
    let mut ledger = strict();
    let bound = || Opening { bound: true, ..opening("a") };
    let id = open(&mut ledger, 0, bound());
    ask(&mut ledger, 1, Request::Open(Box::new(bound())));
    assert_eq!(ask(&mut ledger, 2, Request::Dropped(id)).1, [""; 0]);
    assert_eq!(ask(&mut ledger, 3, Request::Dropped(id)).1, ["ended>completed"]);
    assert!(matches!(refused(&mut ledger, 4, Request::Dropped(id)), Refusal::Unknown(_)));
}

#[test]
fn what_is_opened_inside_a_run_is_its_child_and_inherits_its_context() {
    let mut ledger = strict();
    ledger.fold(opened(0, 1, WEB, 0));
    let context = crate::context::Context {
        command: vec!["npm".into()],
        working_dir: Some("/app".into()),
        user: Some("bob".into()),
        labels: [("team".to_owned(), "a".to_owned()), ("x".to_owned(), "1".to_owned())].into(),
        ..Default::default()
    };
    ledger.fold(Entry::ContextCaptured { session: session(1), context: context.into() });
    let labels = [("x".to_owned(), "2".to_owned())].into();
    let own = OwnContext { labels, user: Some("eve".into()), ..OwnContext::default() };
    let opening = Opening { within: Some(session(1)), own, ..opening("a") };
    let id = open(&mut ledger, 10, opening);
    let picture = ledger.snapshot(1, at(0));
    let session = picture.sessions.iter().find(|session| session.id == id).expect("it is live");
    let context = session.context.as_ref().expect("a context");
    assert_eq!((session.parent, session.process.as_str()), (Some(self::session(1)), "web"));
    assert_eq!((context.user.as_deref(), context.command.len()), (Some("eve"), 0));
    assert_eq!(context.working_dir.as_deref(), Some("/app".as_ref()));
    assert_eq!((&*context.labels["team"], &*context.labels["x"]), ("a", "2"));
}

#[test]
fn who_is_inside_a_run_reaches_its_own_sessions_only() {
    let mut ledger = strict();
    ledger.fold(opened(0, 1, WEB, 0));
    ledger.fold(opened(0, 2, CODER, 0));
    let mine = Opening { within: Some(session(1)), ..opening("a") };
    open(&mut ledger, 1, mine.clone());
    let theirs = Named { id: "a".to_owned(), within: Some(session(2)), limits: Limits::default() };
    let unknown = Refusal::Unknown("a".to_owned());
    let beat = Request::Beat { session: theirs.clone(), beat: Beat::default() };
    assert_eq!(refused(&mut ledger, 2, beat), unknown);
    let closing = Closing { failed: false, reason: None };
    assert_eq!(refused(&mut ledger, 2, Request::Close { session: theirs, closing }), unknown);
    let taken = Opening { within: Some(session(2)), ..opening("a") };
    let taken = refused(&mut ledger, 2, Request::Open(Box::new(taken)));
    assert_eq!(taken, Refusal::Taken("a".to_owned()));
    let elsewhere =
        Opening { within: Some(session(2)), parent: Some(session(1).to_string()), ..opening("b") };
    let elsewhere = refused(&mut ledger, 2, Request::Open(Box::new(elsewhere)));
    assert_eq!(elsewhere, Refusal::Unknown(session(1).to_string()));
    let run = Named { id: session(1).to_string(), within: None, limits: Limits::default() };
    let closing = Closing { failed: false, reason: None };
    let run = refused(&mut ledger, 3, Request::Close { session: run, closing });
    assert_eq!(run, Refusal::NotExternal(session(1)));
}

#[test]
fn children_end_go_on_or_are_waited_for_when_their_parent_ends() {
    let mut ledger = strict_with(|plan| plan.sessions.max_concurrent = 10);
    let root = open(&mut ledger, 0, opening("root"));
    let ends = open(&mut ledger, 1, child("ends", root, OnParentEnd::End));
    let deep = open(&mut ledger, 2, child("deep", ends, OnParentEnd::End));
    let orphan = open(&mut ledger, 3, child("orphan", root, OnParentEnd::Orphan));
    let (_, events) = ask(&mut ledger, 4, close("root"));
    let expected = ["parent_ended", "ended>completed", "ended>completed", "ended>completed"];
    assert_eq!(events, expected);
    for id in [root, ends, deep] {
        assert_eq!(state(&ledger, id), SessionState::Completed);
    }
    assert_eq!(state(&ledger, orphan), SessionState::Active);

    let root = open(&mut ledger, 10, opening("second"));
    let middle = open(&mut ledger, 11, child("middle", root, OnParentEnd::Wait));
    let last = open(&mut ledger, 12, child("last", middle, OnParentEnd::Wait));
    assert_eq!(ask(&mut ledger, 13, close("second")).1, ["held_open>stopping"]);
    let stopping = Refusal::Stopping(root);
    assert_eq!(refused(&mut ledger, 14, close("second")), stopping);
    let late = child("late", root, OnParentEnd::End);
    assert_eq!(refused(&mut ledger, 14, Request::Open(Box::new(late))), stopping);
    assert_eq!(ask(&mut ledger, 15, close("middle")).1, ["held_open>stopping"]);
    let all = ["ended>completed", "ended>completed", "ended>completed"];
    assert_eq!(ask(&mut ledger, 16, close("last")).1, all);
    for id in [root, middle, last] {
        assert_eq!(state(&ledger, id), SessionState::Completed);
    }
}

#[test]
fn a_run_is_held_open_for_a_child_and_not_for_ever() {
    let mut ledger = strict_with(|plan| plan.sessions.idle_timeout = None);
    ledger.fold(opened(0, 1, WEB, 0));
    ledger.fold(ready(1, 1));
    let waits = open(&mut ledger, 2, child("a", session(1), OnParentEnd::Wait));
    let ended = kinds(&ledger.fold(exited(3, 1, 3)));
    assert_eq!(ended, ["held_open>stopping"]);
    assert_eq!(state(&ledger, session(1)), SessionState::Stopping);
    assert_eq!(pass(&mut ledger, 200 * S), [""; 0]);
    assert_eq!(pass(&mut ledger, 301 * S), ["ended>timed_out", "ended>failed"]);
    assert_eq!(state(&ledger, waits), SessionState::TimedOut);
    let picture = ledger.snapshot(1, at(0));
    let run = picture.ended.iter().find(|one| one.id == session(1)).expect("it ended");
    let end = run.end.as_ref().expect("an end");
    assert_eq!((end.status, end.reason.as_str()), (Some(ExitStatus::Code(3)), "exit code 3"));
}

#[test]
fn a_run_that_ends_takes_its_children_along_and_we_leave_open_what_goes_on_without_us() {
    let mut ledger = strict();
    ledger.fold(opened(0, 1, WEB, 0));
    let inside = open(&mut ledger, 1, child("a", session(1), OnParentEnd::End));
    let outside = open(&mut ledger, 2, opening("b"));
    let waits = open(&mut ledger, 3, child("c", outside, OnParentEnd::Wait));
    ledger.fold(exited(4, 1, 1));
    assert_eq!(state(&ledger, inside), SessionState::Failed);
    let left = ledger.fold(story(5, Lifecycle::Left { code: 0 }));
    assert_eq!(kinds(&left), ["left_open", "left_open"]);
    for id in [outside, waits] {
        assert_eq!(state(&ledger, id), SessionState::Active);
    }
}

#[test]
fn what_is_used_below_counts_above_also_when_it_comes_late() {
    let mut ledger = strict();
    ledger.fold(opened(0, 1, CODER, 0));
    let upper = open(&mut ledger, 1, child("upper", session(1), OnParentEnd::Orphan));
    open(&mut ledger, 2, child("lower", upper, OnParentEnd::End));
    ask(&mut ledger, 3, used("lower", 7, 70));
    ask(&mut ledger, 4, used("upper", 2, 20));
    let priced = Cost::Priced(Money(1));
    ledger.fold(read(5, Some("coder"), vec![usage(4, 1, "c1", priced)]));
    ledger.fold(sampled(&[sample(6, 1, 1, 0)]));
    ledger.fold(exited(7, 1, 0));
    ledger.fold(read(8, Some("coder"), vec![usage(6, 2, "c1", priced)]));
    ask(&mut ledger, 9, used("lower", 1, 0));
    let picture = ledger.snapshot(1, at(0));
    let all = picture.sessions.iter().chain(&picture.ended);
    let found = |id| all.clone().find(|session| session.id == id).expect("it is known");
    let run = found(session(1));
    // A conversation's tokens are its run's own, and are added once.
    assert_eq!(run.figures.tokens.total(), 30);
    assert_eq!((run.total.tokens.total(), run.total.cost), (30 + 10, Money(2 + 90)));
    assert_eq!(run.total.cpu_seconds, run.figures.cpu_seconds);
    let upper = found(upper);
    assert_eq!((upper.figures.tokens.total(), upper.total.tokens.total()), (2, 10));
}

#[test]
fn a_run_that_asks_is_warned_and_its_end_asked_for_at_the_door() {
    let idle = Some(Duration::from_secs(10));
    let mut ledger = strict_with(|plan| plan.processes[0].session.idle_timeout = idle);
    ledger.fold(opened(0, 1, WEB, 0));
    ledger.fold(opened(0, 2, CODER, 0));
    ledger.fold(ready(1, 1));
    ledger.fold(ready(1, 2));
    assert_eq!(pass(&mut ledger, 6 * S), ["idle>idle", "idle_warning", "snapshot"]);
    let signal = Knock::Signal { process: "web".to_owned(), signal: Signal::USR1 };
    assert_eq!(ledger.take_knocks(), [signal]);
    let names = [std::sync::Arc::from("web")].to_vec();
    let wrote = kinds(&ledger.fold(Entry::OutputSeen { at: at(7 * S), processes: names }));
    assert_eq!(wrote, ["resumed>active"]);
    assert_eq!(pass(&mut ledger, 16_500), ["idle>idle", "idle_warning", "snapshot"]);
    ledger.take_knocks();
    assert_eq!(pass(&mut ledger, 18 * S), ["time_out"]);
    assert_eq!(ledger.take_knocks(), [Knock::End(session(1))]);
    assert_eq!(pass(&mut ledger, 19 * S), [""; 0]);
    assert_eq!(pass(&mut ledger, 24 * S), [""; 0]);
    assert_eq!(ledger.take_knocks(), [Knock::End(session(1))], "it did not come");
    let term = ExitStatus::Signal(Signal::TERM);
    ledger.fold(ended(25 * S, 1, term, EndReason::Requested, false));
    assert_eq!(state(&ledger, session(1)), SessionState::TimedOut);
    pass(&mut ledger, 9_000 * S);
    assert_eq!(state(&ledger, session(2)), SessionState::Active, "it did not ask");
}

#[test]
fn a_live_session_is_written_down_whole_where_it_changed() {
    let every = Some(Duration::from_secs(20));
    let mut ledger = strict_with(|plan| plan.sessions.snapshot_interval = every);
    open(&mut ledger, 0, opening("a"));
    ask(&mut ledger, 5 * S, used("a", 3, 0));
    let batches = ledger.fold(Entry::TimePassed { at: at(20 * S) });
    let Row::Event(event) = &batches[0].rows[0] else { panic!("{batches:?}") };
    assert_eq!((&*event.event_type, &event.detail["tokens_total"]), ("snapshot", &3.into()));
    assert_eq!(
        (&event.detail["state"], &event.detail["native_id"]),
        (&"active".into(), &"a".into())
    );
    assert_eq!(pass(&mut ledger, 40 * S), [""; 0], "nothing has changed");
}

#[test]
fn our_own_runs_are_part_of_the_session_that_we_were_started_in() {
    let around = session(77);
    let mut ledger = strict().inside(Some(around));
    ledger.fold(opened(0, 1, WEB, 0));
    assert_eq!(ledger.snapshot(1, at(0)).sessions[0].parent, Some(around));
}

/// A day of ten thousand sessions an hour, most closed, some forgotten by their applications, in
/// families of three: what is held stays small, and nothing is lost.
#[test]
fn a_clock_that_jumps_ends_nothing_early_and_makes_nothing_longer() {
    const YEAR: i64 = 365 * 86_400_000;
    let jumped = |seconds: u64, by: i64| {
        let now = at(seconds * 1_000);
        Now { wall: Wall(now.wall.0 + by), ..now }
    };
    let mut ledger = strict_with(|_| ());
    let (_, mut batches) = ledger.ask(at(0), Request::Open(Box::new(opening("job"))));
    for (seconds, by) in [(10, YEAR), (20, -YEAR)] {
        batches.extend(ledger.fold(Entry::TimePassed { at: jumped(seconds, by) }));
        let live = ledger.snapshot(1, jumped(seconds, by)).sessions;
        assert_eq!(live[0].state, SessionState::Active, "{by}");
    }
    batches.extend(ledger.ask(jumped(30, -YEAR), close("job")).1);
    let ended = ledger.snapshot(2, jumped(30, -YEAR)).ended;
    let end = ended[0].end.clone().expect("it is closed");
    assert_eq!(end.duration, Duration::from_secs(30), "by the clock that nobody sets");
    let rows = batches.into_iter().flat_map(|batch| batch.rows);
    let numbers: Vec<u64> = rows
        .filter_map(|row| if let Row::Event(event) = row { Some(event.sequence) } else { None })
        .collect();
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
}

#[test]
fn a_day_of_sessions_leaves_nothing_behind() {
    const DAY: u64 = 24 * 10_000;
    const GAP: u64 = 360;
    let mut ledger = strict_with(|plan| plan.sessions.max_concurrent = 1_000);
    let (mut open, mut ended) = (BTreeSet::new(), 0_u64);
    let mut most = 0;
    let mut count = |batches: Vec<Batch>, open: &mut BTreeSet<SessionId>| {
        for row in batches.into_iter().flat_map(|batch| batch.rows) {
            let Row::Event(event) = row else { continue };
            if event.event_type == "opened" {
                assert!(open.insert(event.session), "opened twice");
            }
            if event.event_type == "ended" {
                assert!(open.remove(&event.session), "ended twice");
                ended += 1;
            }
        }
    };
    let mut parent = None;
    for n in 0..DAY {
        let now = n * GAP;
        let id = format!("job-{n}");
        let opening = match parent.filter(|_| n % 3 != 0) {
            Some(parent) => child(&id, parent, OnParentEnd::ALL[(n % 3) as usize]),
            None => opening(&id),
        };
        let (reply, batches) = ledger.ask(at(now), Request::Open(Box::new(opening)));
        count(batches, &mut open);
        if let (Reply::Opened { session, .. }, 0) = (&reply, n % 3) {
            parent = Some(session.id);
        }
        // One in ten is forgotten, the rest live for ten seconds.
        if let Some(old) = n.checked_sub(27).filter(|old| old % 10 != 0) {
            let (_, batches) = ledger.ask(at(now + 1), close(&format!("job-{old}")));
            count(batches, &mut open);
        }
        if ledger.next_due().is_some_and(|due| due <= at(now + 2).mono) {
            count(ledger.fold(Entry::TimePassed { at: at(now + 2) }), &mut open);
        }
        if n % 100 == 0 {
            most = most.max(ledger.held());
        }
    }
    assert!(most < 700, "{most} things were held at once");
    let end = DAY * GAP + 1_000_000;
    while let Some(due) = ledger.next_due().filter(|due| *due <= at(end).mono) {
        let wall = Wall(at(0).wall.0 + (due.0 / 1_000_000) as i64 + 1);
        let now = Now { mono: Mono(due.0 + 1_000_000), wall };
        count(ledger.fold(Entry::TimePassed { at: now }), &mut open);
    }
    assert!(open.is_empty(), "{} were never ended", open.len());
    assert_eq!(ended, DAY);
    assert_eq!(ledger.held(), 0);
}
