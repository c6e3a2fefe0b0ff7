//! Sessions that are rebuilt from their events, and what differs when somebody changed them.

use super::*;
use serde_json::json;

fn id() -> SessionId {
    SessionId::new(Wall(1_000), 7)
}

fn line(sequence: u64, event_type: &str, change: (&str, &str), context: Value) -> Line {
    let state = |state: &str| Some(state.to_owned()).filter(|state| !state.is_empty());
    Line {
        sequence,
        at: Wall(1_000 + sequence as i64 * 500),
        event_type: event_type.to_owned(),
        previous_state: state(change.0),
        new_state: state(change.1),
        trigger: "a test".to_owned(),
        context,
    }
}

/// A conversation from its opening to its end, with a snapshot in between.
fn story() -> Vec<Line> {
    let parent = SessionId::new(Wall(5), 5).to_string();
    let who = json!({
        "kind": "conversation", "process": "coder", "parent": parent, "agent": "claude",
        "native_id": "talk",
    });
    let mut known = who.clone();
    for (name, value) in [("state", json!("active")), ("started", json!(Wall(1_000).to_string()))] {
        known[name] = value;
    }
    let end = json!({
        "reason": "done", "duration_seconds": 2.0, "exit_status": "signal", "exit_signal": 15,
        "exit_code": 143, "peak_memory_bytes": 9, "memory_samples": 2, "tokens": {"input": 4},
        "cost_nano_usd": 11,
    });
    vec![
        line(0, "opened", ("", "active"), who),
        line(1, "idle", ("active", "idle"), json!({})),
        line(2, "resumed", ("idle", "active"), json!({})),
        line(3, "snapshot", ("", ""), known),
        line(4, "ended", ("active", "completed"), end),
    ]
}

fn told() -> Session {
    let mut session = Session::opened(id(), "coder".into(), Wall(1_000));
    session.kind = SessionKind::Conversation;
    session.parent = Some(SessionId::new(Wall(5), 5));
    (session.agent, session.native_id) = (Some("claude".into()), Some("talk".into()));
    (session.state, session.events) = (SessionState::Completed, 5);
    session.figures.peak_memory = Some(Bytes(9));
    session.figures.samples = 2;
    session.figures.tokens.input = 4;
    session.figures.cost = Money(11);
    session.end = Some(SessionEnd {
        at: Wall(3_000),
        duration: Duration::from_secs(2),
        status: Some(ExitStatus::Signal(Signal::TERM)),
        reason: "done".into(),
    });
    session
}

#[test]
fn a_story_tells_all_that_is_kept_from_its_beginning_and_from_its_snapshot() {
    for replayed in [replay(id(), &story()), replay_from_snapshot(id(), &story())] {
        let replayed = replayed.expect("a story");
        assert_eq!((replayed.differences(&told()), replayed.faults), (vec![], vec![]));
    }
}

#[test]
fn every_part_of_what_is_kept_is_held_against_the_story() {
    let replayed = replay(id(), &story()).expect("a story");
    let differs = |change: fn(&mut Session), field: &str| {
        let mut kept = told();
        change(&mut kept);
        let found = replayed.differences(&kept);
        assert_eq!(found.iter().map(|one| one.field).collect::<Vec<_>>(), [field], "{found:?}");
    };
    differs(|kept| kept.kind = SessionKind::Process, "kind");
    differs(|kept| kept.process = "web".into(), "process");
    differs(|kept| kept.parent = None, "parent");
    differs(|kept| kept.agent = None, "agent");
    differs(|kept| kept.native_id = None, "native_id");
    differs(|kept| kept.state = SessionState::Failed, "state");
    differs(|kept| kept.started = Wall(1_001), "started");
    differs(|kept| kept.events = 4, "events");
    differs(|kept| kept.figures.samples = 3, "memory");
    differs(|kept| kept.figures.tokens.output = 1, "tokens");
    differs(|kept| kept.figures.cost = Money(12), "cost");
    let end = |kept: &mut Session| kept.end.as_mut().map(|end| end.at = Wall(3_001)).is_some();
    let mut kept = told();
    assert!(end(&mut kept));
    assert_eq!(replayed.differences(&kept)[0].field, "ended");
}

#[test]
fn what_cannot_have_been_is_a_fault_and_what_was_given_up_is_none() {
    let faults = |change: fn(&mut Vec<Line>)| {
        let mut lines = story();
        change(&mut lines);
        replay(id(), &lines).expect("a story").faults.len()
    };
    assert_eq!(faults(|lines| drop(lines.remove(2))), 1, "a gap");
    assert_eq!(faults(|lines| drop(lines.remove(0))), 3, "no beginning, and no such change");
    assert_eq!(faults(|lines| lines[4].new_state = Some("initializing".into())), 1);
    let lost = |lines: &mut Vec<Line>| {
        lines.drain(0..2);
        lines[0] = line(2, "events_lost", ("", ""), json!({"missing": 3}));
    };
    assert_eq!(faults(lost), 0);
    let mut lines = story();
    lost(&mut lines);
    let replayed = replay(id(), &lines).expect("a story");
    assert!(replayed.is_partial && replayed.differences(&told()).is_empty());
    assert_eq!(replay(id(), &[]), None);
}

#[test]
fn a_figure_is_read_as_it_was_written() {
    // Found by a comparison of what was kept with what was told: seconds of a clock.
    let written = json!({ "duration_seconds": 1.581_618_097_999_999_9 }).to_string();
    let read: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(read.to_string(), written);
}
