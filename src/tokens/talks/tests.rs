//! Whose line it was first, and when it may be told.

use super::*;

fn whose() -> Whose {
    Whose { process: Some("coder".into()), agent: "claude".into() }
}

fn response(conversation: &str, id: &str) -> Sighting {
    let line = Some(UsageKey::of("line", id.as_bytes()));
    Sighting {
        key: UsageKey::of("message", id.as_bytes()),
        conversation: conversation.into(),
        model: "m".into(),
        tokens: crate::tokens::TokenCounts { input: 5, ..Default::default() },
        thread: Thread { line, ..Thread::default() },
        ..Sighting::default()
    }
}

fn hear(talks: &mut Talks, told: &Sighting, file: u64, offset: u64) {
    let place = Place { file: FileId(file), offset };
    let whose = whose();
    talks.responded(told, None, Source { whose: &whose, place, now: Wall(7), excerpts: None });
}

/// What may be told of everything that was heard.
fn all(talks: &mut Talks) -> Vec<(String, Option<String>, bool)> {
    for file in talks.waiting() {
        talks.pass(file, u64::MAX);
    }
    let told = talks.take().into_iter();
    told.map(|step| (step.conversation, step.resumes, step.deed == Deed::Copied)).collect()
}

#[test]
fn a_copy_tells_whom_it_goes_on_with_and_nothing_else() {
    let mut talks = Talks::default();
    hear(&mut talks, &response("a", "1"), 1, 0);
    hear(&mut talks, &response("a", "2"), 1, 9);
    assert_eq!(all(&mut talks).len(), 2);
    // A fork repeats both under its own name, and goes on.
    for (offset, id) in [(0, "1"), (9, "2"), (18, "3")] {
        hear(&mut talks, &response("b", id), 2, offset);
    }
    let expected = [("b".into(), Some("a".into()), true), ("b".into(), None, false)];
    assert_eq!(all(&mut talks), expected);
    // A fork of the fork goes on with that, although the first lines are older.
    for (offset, id) in [(0, "1"), (9, "3")] {
        hear(&mut talks, &response("c", id), 3, offset);
    }
    let told = all(&mut talks);
    assert_eq!(told.last(), Some(&("c".into(), Some("b".into()), true)));
    // The same line again is nothing at all.
    hear(&mut talks, &response("a", "2"), 1, 9);
    assert_eq!(all(&mut talks), []);
}

#[test]
fn the_line_before_and_what_a_line_says_itself_are_links_too() {
    let mut talks = Talks::default();
    hear(&mut talks, &response("a", "1"), 1, 0);
    let mut next = response("b", "2");
    next.thread.before = Some(UsageKey::of("line", b"1"));
    hear(&mut talks, &next, 2, 0);
    let mut said = response("c", "3");
    said.thread.copied_from = Some("elsewhere".into());
    hear(&mut talks, &said, 3, 0);
    let told = all(&mut talks);
    assert!(told.contains(&("b".into(), Some("a".into()), false)), "{told:?}");
    assert!(told.contains(&("c".into(), Some("elsewhere".into()), true)), "{told:?}");
}

#[test]
fn what_earlier_lives_knew_is_a_link_and_nothing_is_told_too_early() {
    let known = (UsageKey::of("message", b"1"), "a".to_owned());
    let mut talks = Talks::new([known]);
    let mut copy = response("b", "1");
    copy.thread = Thread::default();
    hear(&mut talks, &copy, 1, 0);
    hear(&mut talks, &response("b", "2"), 1, 50);
    talks.pass(FileId(1), 50);
    let told: Vec<_> = talks.take().into_iter().map(|step| step.resumes).collect();
    assert_eq!(told, [Some("a".to_owned())]);
    talks.pass(FileId(1), 50);
    assert_eq!(talks.take(), [], "its line may be read again");
    talks.pass(FileId(1), 51);
    assert_eq!(talks.take().len(), 1);
}

#[test]
fn a_side_chain_uses_tools_and_fills_no_window() {
    let mut talks = Talks::default();
    let mut side = response("a", "1");
    side.sidechain = true;
    side.text = Some("to nobody".into());
    side.calls.tools.push("Read".into());
    hear(&mut talks, &side, 1, 0);
    all(&mut talks);
    let (masker, whose) = (Masker::default(), whose());
    let place = Place { file: FileId(1), offset: 9 };
    let from = Source { whose: &whose, place, now: Wall(7), excerpts: Some(&masker) };
    side.thread.line = None;
    talks.responded(&side, Some(9), from);
    talks.pass(FileId(1), 10);
    let [Step { deed: Deed::Answered { calls, context, excerpt }, .. }] = &talks.take()[..] else {
        panic!("one answer")
    };
    assert_eq!((calls.tools.len(), context, excerpt), (1, &None, &None));
}

#[test]
fn the_oldest_lines_are_forgotten() {
    let mut origins = Origins::default();
    for n in 0..3 * GENERATION as u64 {
        origins.remember(UsageKey(n), "a");
    }
    assert!(origins.of(UsageKey(0)).is_none());
    assert!(origins.of(UsageKey(3 * GENERATION as u64 - 1)).is_some());
    assert!(origins.young.len() + origins.old.len() <= 2 * GENERATION);
}
