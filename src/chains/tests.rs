//! Chains by example: order, links, bounds, marks, and the words of a hand-over.

use super::chain::{Chain, KeptChain, LINKS_KEPT, Link, News};
use super::continuation::{Continuation, MOST_FILES, MOST_TASKS, MOST_TOOLS};
use super::handover::HandOver;
use super::interaction::excerpt;
use super::limits::{DEFAULT_WINDOW, Fullness, Limits};
use super::step::{Calls, Context, Deed, Step};
use crate::secret::masker::Masker;
use crate::units::Wall;

fn step(conversation: &str, at: i64, deed: Deed) -> Step {
    Step {
        agent: "claude".into(),
        process: None,
        conversation: conversation.into(),
        at: Wall(at),
        resumes: None,
        deed,
    }
}

fn asked(conversation: &str, key: u64) -> Step {
    step(conversation, key as i64, Deed::Prompted { key, excerpt: None })
}

fn filled(conversation: &str, tokens: u64) -> Step {
    let context = Some(Context { tokens, model: "m".into(), window: Some(1000) });
    step(conversation, 9, Deed::Answered { calls: Calls::default(), context, excerpt: None })
}

fn used(conversation: &str, file: &str) -> Step {
    let calls = Calls {
        files: vec![file.into()],
        tools: vec!["Edit".into()],
        tasks: vec![format!("mend {file}")],
    };
    step(conversation, 9, Deed::Answered { calls, context: None, excerpt: None })
}

fn chain() -> Chain {
    Chain::new("claude", Limits::default())
}

#[test]
fn conversations_are_numbered_in_the_order_of_their_coming() {
    let mut chain = chain();
    for (id, key) in [("a", 1), ("b", 2), ("a", 3), ("c", 4), ("b", 5)] {
        chain.take(asked(id, key));
    }
    let ids: Vec<_> = chain.links.iter().map(|link| (link.number, link.id.as_str())).collect();
    assert_eq!(ids, [(1, "a"), (2, "b"), (3, "c")]);
    assert_eq!((chain.count, chain.first.as_deref()), (3, Some("a")));
    assert_eq!(chain.current.as_deref(), Some("b"), "it was heard of last");
    assert_eq!(chain.get("b").map(|link| link.prompts), Some(2));
    assert_eq!(chain.take(asked("b", 5)), [], "what is known counts once");
    assert_eq!(chain.get("b").map(|link| link.prompts), Some(2));
    chain.reset();
    chain.take(asked("z", 6));
    assert_eq!((chain.count, chain.first.as_deref()), (1, Some("z")));
}

#[test]
fn a_resume_is_linked_once_and_begins_with_what_was_left() {
    let mut chain = chain();
    chain.take(used("a", "/a"));
    let resumed = Step { resumes: Some("a".into()), ..used("b", "/b") };
    let news = News::Resumes { predecessor: "a".into() };
    assert_eq!(chain.take(resumed.clone()), [news]);
    assert_eq!(chain.take(resumed), []);
    assert_eq!(chain.get("b").expect("known").continuation.files, ["/a", "/b"]);
    assert_eq!(chain.get("a").expect("known").continuation.files, ["/a"]);
    let circle = Step { resumes: Some("b".into()), ..asked("a", 1) };
    assert!(!chain.take(circle).iter().any(|news| matches!(news, News::Resumes { .. })));
    let itself = Step { resumes: Some("c".into()), ..asked("c", 2) };
    chain.take(itself);
    assert_eq!(chain.get("c").expect("known").resumes, None);
}

#[test]
fn what_is_old_gives_way_and_the_count_goes_on() {
    let mut chain = chain();
    for n in 0..LINKS_KEPT as u64 + 5 {
        chain.take(used(&format!("c{n}"), "/f"));
    }
    assert_eq!((chain.links.len(), chain.count), (LINKS_KEPT, LINKS_KEPT as u64 + 5));
    assert_eq!(chain.first.as_deref(), Some("c0"));
    assert!(chain.links.iter().all(|link| link.id != "c0"));
    let kept =
        |chain: &Chain| chain.links.iter().filter(|link| !link.continuation.is_empty()).count();
    assert_eq!(kept(&chain), LINKS_KEPT);
    // One that gave way goes on as what it was, until far more have come.
    chain.responded("c0", Wall(9), None);
    assert_eq!(chain.count, LINKS_KEPT as u64 + 5);
    assert_eq!(chain.get("c0").map(|link| (link.number, link.responses)), Some((1, 1)));
    for n in 0..2_000 {
        chain.take(used(&format!("d{n}"), "/f"));
    }
    assert!(chain.get("c0").is_none());
    // What they worked on is bounded by its size.
    for n in 0..100 {
        let files: Vec<String> = (0..32).map(|file| format!("/{n}/{file:01000}")).collect();
        files.iter().for_each(|file| drop(chain.take(used(&format!("e{n}"), file))));
    }
    let newest = chain.get("e99").expect("known").continuation.size();
    let sizes: usize = chain.links.iter().map(|link| link.continuation.size()).sum();
    assert!(newest > 32_000 && kept(&chain) > 1, "{newest} {}", kept(&chain));
    assert!(sizes <= (256 << 10) + newest, "{sizes}");
}

#[test]
fn one_that_memory_let_go_of_says_that_it_is_not_whole() {
    let mut chain = chain();
    for n in 0..LINKS_KEPT as u64 + 2 {
        chain.take(used(&format!("c{n}"), "/before"));
    }
    chain.take(used("c0", "/after"));
    let link = chain.get("c0").expect("known");
    assert!(link.let_go && !chain.get("c9").expect("known").let_go);
    assert_eq!(link.continuation.files, ["/after"]);
    let kept = Continuation { files: vec!["/before".into(), "/x".into()], ..Default::default() };
    assert_eq!(link.whole_work(&kept).files, ["/before", "/x", "/after"]);
    let whole = chain.get("c9").expect("known").whole_work(&kept);
    assert_eq!(whole.files, ["/before"], "what is whole needs nothing of the store");
    chain.replace("c0", Wall(9), Continuation::default(), None);
    assert!(!chain.get("c0").expect("known").let_go, "an application said all there is");
    let mut next = self::chain();
    let links = (1..=LINKS_KEPT as u64 + 2).map(|n| Link {
        number: n,
        let_go: n <= 2,
        ..Link::clone(chain.links.back().expect("some"))
    });
    let links = links.map(|link| Link { id: format!("d{}", link.number), ..link }).collect();
    next.restore(KeptChain { first: None, links, interactions: Vec::new() });
    assert_eq!((next.links.len(), next.count), (LINKS_KEPT, LINKS_KEPT as u64 + 2));
    next.take(used("d1", "/later"));
    let link = next.get("d1").expect("its number is known in the next life too");
    assert_eq!((link.number, link.let_go, next.count), (1, true, LINKS_KEPT as u64 + 2));
}

#[test]
fn the_newest_of_each_kind_is_kept_once() {
    let mut kept = Continuation::default();
    let names = |n: usize| (0..n).map(|i| format!("n{i}")).collect::<Vec<_>>();
    kept.note(&names(150), &names(150), &names(150));
    kept.note(&["n100".into(), String::new()], &["n149".into()], &["new".into()]);
    assert_eq!(
        (kept.files.len(), kept.tools.len(), kept.tasks.len()),
        (MOST_FILES, MOST_TOOLS, MOST_TASKS)
    );
    assert_eq!(kept.files.last().map(String::as_str), Some("n100"));
    assert_eq!(kept.files.first().map(String::as_str), Some("n50"));
    assert_eq!(kept.files.iter().filter(|name| *name == "n100").count(), 1);
    assert_eq!(kept.tasks.last().map(String::as_str), Some("new"));
    let long = Continuation { files: vec!["ä".repeat(3000)], ..Continuation::default() };
    assert!(long.bounded().files[0].len() <= 1024);
}

#[test]
fn a_mark_is_told_once_for_each_crossing() {
    let mut chain = chain();
    let due = [News::Fuller(Fullness::Due)];
    assert_eq!(chain.take(filled("a", 849)), []);
    assert_eq!(chain.take(filled("a", 850)), due);
    assert_eq!(chain.take(filled("a", 860)), []);
    assert_eq!(chain.take(filled("a", 800)), [], "a little less is no relief");
    assert_eq!(chain.take(filled("a", 870)), []);
    assert_eq!(chain.take(filled("a", 900)), [News::Fuller(Fullness::Full)]);
    assert_eq!(chain.take(filled("a", 860)), []);
    assert_eq!(chain.get("a").expect("known").fullness, Fullness::Full);
    chain.take(step("a", 9, Deed::Compacted));
    let link = chain.get("a").expect("known").clone();
    assert_eq!((link.compactions, link.fullness, &link.context), (1, Fullness::Room, &None));
    assert_eq!(chain.take(filled("a", 300)), []);
    assert_eq!(chain.take(filled("a", 890)), due);
    assert_eq!(chain.hand_overs_due, 2);
    assert_eq!(chain.take(filled("a", 700)), [], "far below, also without a compaction");
    let both = [News::Fuller(Fullness::Due), News::Fuller(Fullness::Full)];
    assert_eq!(chain.take(filled("a", 950)), both);
    assert_eq!(chain.hand_overs_due, 3);
}

#[test]
fn the_window_is_what_is_said_then_the_models_then_the_usual() {
    let limits = Limits::default();
    assert_eq!(limits.window_of(None, 10), DEFAULT_WINDOW);
    assert_eq!(limits.window_of(Some(200_000), 10), 200_000);
    assert_eq!(limits.window_of(Some(200_000), 250_000), 1_000_000, "it holds more");
    let said = Limits { window: Some(50_000), ..limits };
    assert_eq!(said.window_of(Some(200_000), 60_000), 50_000);
}

#[test]
fn what_earlier_lives_kept_comes_first() {
    let mut earlier = chain();
    for (id, key) in [("a", 1), ("b", 2)] {
        earlier.take(asked(id, key));
    }
    let kept = KeptChain {
        first: earlier.first.clone(),
        links: earlier.links.iter().map(|link| (**link).clone()).collect(),
        interactions: earlier.interactions.iter().map(|one| (**one).clone()).collect(),
    };
    let mut chain = chain();
    chain.restore(kept.clone());
    chain.take(asked("c", 3));
    assert_eq!((chain.count, chain.current.as_deref()), (3, Some("c")));
    assert_eq!(chain.interactions.len(), 3);
    let mut early = self::chain();
    early.take(asked("c", 3));
    early.take(asked("a", 4));
    early.restore(kept);
    let ids: Vec<_> = early.links.iter().map(|link| (link.number, link.id.as_str())).collect();
    assert_eq!(ids, [(1, "a"), (2, "b"), (3, "c")], "what was numbered too early is moved");
    assert_eq!(early.first.as_deref(), Some("a"));
}

#[test]
fn a_hand_over_says_what_the_next_one_needs() {
    let mut chain = chain();
    chain.take(used("a", "/one\u{1b}[2J"));
    chain.take(used("a", "/two"));
    chain.take(filled("a", 910));
    let hand_over = HandOver::of(&chain, chain.current().expect("one"));
    assert!(hand_over.is_due());
    assert_eq!(
        hand_over.text(),
        "Conversation a of claude (number 1 of its chain).\n\
         Context: 910 of 1000 tokens, 91.0 %.\n\
         The context is full: hand over now.\n\
         \nTasks worked on:\n- mend /one [2J\n- mend /two\n\
         \nLast files, newest first:\n- /two\n- /one [2J\n\
         \nLast tools, newest first:\n- Edit\n"
    );
    chain.take(asked("b", 7));
    let fresh = HandOver::of(&chain, chain.current().expect("one"));
    assert!(!fresh.is_due() && fresh.text().contains("not known, of 180000"));
}

#[test]
fn an_answer_belongs_to_the_prompt_before_it() {
    let mut chain = chain();
    chain.take(step("a", 1, Deed::Prompted { key: 1, excerpt: Some("why".into()) }));
    let said = |text: &str| {
        let excerpt = Some(text.to_owned());
        step("a", 2, Deed::Answered { calls: Calls::default(), context: None, excerpt })
    };
    chain.take(said("because"));
    let news = chain.take(said("that is so"));
    let [News::Interaction(told)] = news.as_slice() else { panic!("{news:?}") };
    assert_eq!(
        (told.prompt.as_deref(), told.response.as_deref()),
        (Some("why"), Some("that is so"))
    );
    assert_eq!(chain.interactions.len(), 1);
}

#[test]
fn excerpts_are_masked_before_they_are_cut() {
    let text = format!("{} token=abcdef-secret behind", "x".repeat(185));
    let kept = excerpt(&text, &Masker::default());
    assert!(!kept.contains("abcdef") && kept.chars().count() <= 200, "{kept}");
    assert_eq!(excerpt(&"ä".repeat(300), &Masker::default()).chars().count(), 200);
}
