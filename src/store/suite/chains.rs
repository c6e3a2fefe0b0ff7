//! What every store keeps of agents' chains.

use std::sync::Arc;

use super::{History, days_later};
use crate::chains::chain::Link;
use crate::chains::continuation::Continuation;
use crate::chains::interaction::{Interaction, Origin};
use crate::chains::limits::Fullness;
use crate::chains::step::Context;
use crate::ledger::row::Row;
use crate::store::examples::{AT, id, usage};
use crate::store::reading::{Answer, LinksWanted, Page, Question, SaidWanted};
use crate::tokens::UsageKey;
use crate::units::Wall;

pub fn link(number: u64, conversation: &str) -> Link {
    let continuation = Continuation {
        files: vec!["/ä 字".into()],
        tools: vec!["Edit".into()],
        tasks: vec!["'\"\\".into()],
    };
    Link {
        number,
        id: conversation.to_owned(),
        process: Some("coder".into()),
        session: Some(id(7)),
        resumes: Some("before".into()),
        first: AT,
        last: Wall(AT.0 + number as i64),
        prompts: 3,
        responses: 4,
        compactions: 1,
        context: Some(Context { tokens: 900, model: "m".into(), window: Some(1000) }),
        fullness: Fullness::Due,
        continuation: Arc::new(continuation),
        let_go: false,
        asked: Some(u64::MAX),
    }
}

pub fn row(agent: &str, link: Link) -> Row {
    Row::Link { agent: agent.to_owned(), link: Arc::new(link) }
}

pub fn said(key: u64, at: i64) -> Interaction {
    Interaction {
        key,
        agent: "claude".into(),
        conversation: "c1".into(),
        session: Some(id(7)),
        at: Wall(AT.0 + at),
        origin: Origin::Transcript,
        prompt: Some("why".into()),
        response: None,
        metadata: serde_json::from_str(r#"{"a": [1, null]}"#).expect("an object"),
    }
}

/// What is written comes back in a next life, the newest of what was written twice.
pub fn kept(history: &mut History<'_>) {
    let unknown = Link {
        process: None,
        session: None,
        resumes: None,
        context: None,
        asked: None,
        ..link(2, "c2")
    };
    let first = Interaction { response: Some("so".into()), ..said(u64::MAX, 1) };
    history.commit(vec![row("claude", link(9, "c1")), row("claude", unknown.clone())]);
    history.commit(vec![row("claude", link(1, "c1")), row("other", link(1, "c1"))]);
    history.commit(vec![Row::Interaction(Arc::new(said(2, 2)))]);
    history.commit(vec![Row::Interaction(Arc::new(said(u64::MAX, 1)))]);
    history.commit(vec![Row::Interaction(Arc::new(first.clone()))]);
    // Told again without its answer: it keeps it.
    history.commit(vec![Row::Interaction(Arc::new(said(u64::MAX, 1)))]);
    for _ in 0..2 {
        history.close();
        let chains = history.store().chains().expect("read");
        let [(claude, kept), (other, _)] = chains.as_slice() else { panic!("{chains:?}") };
        assert_eq!((claude.as_str(), other.as_str()), ("claude", "other"));
        assert_eq!(kept.first.as_deref(), Some("c1"));
        assert_eq!(kept.links, [link(1, "c1"), unknown.clone()]);
        assert_eq!(kept.interactions, [first.clone(), said(2, 2)]);
    }
}

/// What memory let go of stays, what comes later is added to it, each once, and the newest of all of it.
pub fn added_to(history: &mut History<'_>) {
    let names = |range: std::ops::Range<usize>| range.map(|n| format!("n{n:03}")).collect();
    let worked = |range: std::ops::Range<usize>| Continuation {
        files: names(range.clone()),
        tools: names(range.clone()),
        tasks: names(range),
    };
    let told = |continuation, let_go| {
        row("claude", Link { continuation: Arc::new(continuation), let_go, ..link(1, "c1") })
    };
    let kept = |history: &mut History<'_>| {
        let chains = history.store().chains().expect("read");
        let link = chains[0].1.links[0].clone();
        assert!(!link.let_go, "{link:?}");
        Continuation::clone(&link.continuation)
    };
    history.commit(vec![told(worked(0..40), false)]);
    history.commit(vec![told(Continuation::default(), true)]);
    assert_eq!(kept(history), worked(0..40));
    // Told twice, as it is where the outcome of a commit is unknown.
    for _ in 0..2 {
        history.commit(vec![told(worked(5..7), true), told(worked(90..92), true)]);
        let found = kept(history);
        let last = |names: &[String]| names[names.len() - 4..].to_vec();
        let newest: Vec<String> = names(5..7).into_iter().chain(names(90..92)).collect();
        assert_eq!((found.files.len(), last(&found.files)), (42, newest.clone()));
        assert_eq!((last(&found.tools), last(&found.tasks)), (newest.clone(), newest));
    }
    history.commit(vec![told(worked(100..190), true)]);
    let found = kept(history);
    assert_eq!((found.files.len(), found.tools.len(), found.tasks.len()), (100, 50, 50));
    assert_eq!((&*found.files[99], &*found.tools[0]), ("n189", "n140"));
    history.commit(vec![told(worked(1..2), false)]);
    assert_eq!(kept(history), worked(1..2), "what is whole replaces it");
}

/// Some conversations, and whether there are more.
fn asked(history: &mut History<'_>, wanted: LinksWanted) -> (Vec<Link>, bool) {
    let wanted = LinksWanted { agent: "claude".to_owned(), limit: 3, ..wanted };
    match history.store().answer(&Question::Conversations(Box::new(wanted))).expect("answered") {
        Answer::Conversations(Page { items, more }) => (items, more),
        other => panic!("{other:?}"),
    }
}

/// What was said, newest first, page by page: of one time by their keys.
fn said_before(history: &mut History<'_>) {
    let other = Interaction { conversation: "c2".into(), ..said(1_000, 149) };
    let negative = said(u64::MAX, 149);
    history.commit([&other, &negative].map(|one| Row::Interaction(Arc::new(one.clone()))).to_vec());
    let mut ask = |conversation: Option<&str>, before, limit| {
        let wanted = SaidWanted {
            agent: "claude".to_owned(),
            conversation: conversation.map(str::to_owned),
            before,
            limit,
        };
        match history.store().answer(&Question::Interactions(Box::new(wanted))).expect("answered") {
            Answer::Interactions(Page { items, more }) => (items, more),
            other => panic!("{other:?}"),
        }
    };
    let (first, more) = ask(None, None, 3);
    assert_eq!((&first, more), (&vec![other.clone(), said(149, 149), negative.clone()], true));
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let (items, more) = ask(None, before, 50);
        before = items.last().map(|one| (one.at, one.key.cast_signed()));
        all.extend(items.into_iter().map(|one| one.key));
        if !more {
            break;
        }
    }
    let expected: Vec<u64> = [1_000, 149, u64::MAX].into_iter().chain((0..149).rev()).collect();
    assert_eq!(all, expected);
    assert_eq!(ask(Some("c2"), None, 9), (vec![other], false));
    assert_eq!(ask(None, Some((Wall(AT.0 + 149), 149)), 1), (vec![negative], true));
}

/// The newest come back, the first by its name, and the rest can be asked for.
pub fn bounded(history: &mut History<'_>) {
    history.commit((1..=150).map(|n| row("claude", link(n, &format!("c{n}")))).collect());
    history.commit(vec![row("many", link(1, "m1")), row("many", link(9_000, "m9000"))]);
    history.commit(vec![row("many", link(7_901, "m7901")), row("many", link(7_900, "m7900"))]);
    history.commit((0..150).map(|n| Row::Interaction(Arc::new(said(n, n as i64)))).collect());
    let chains = history.store().chains().expect("read");
    let kept = &chains[0].1;
    assert_eq!((kept.links.len(), kept.interactions.len()), (150, 100));
    assert_eq!((kept.first.as_deref(), kept.links[0].number), (Some("c1"), 1));
    // Of those that memory knows by their numbers it is not read what they worked on.
    let whole = |link: &Link| (link.let_go, link.continuation.is_empty());
    assert!(kept.links[..50].iter().all(|link| whole(link) == (true, true)));
    assert!(kept.links[50..].iter().all(|link| whole(link) == (false, false)));
    let many: Vec<u64> = chains[1].1.links.iter().map(|link| link.number).collect();
    assert_eq!((many, chains[1].1.first.as_deref()), (vec![1, 7_901, 9_000], Some("m1")));
    assert_eq!(kept.interactions[0].at, Wall(AT.0 + 50));
    let mut ask = |wanted: LinksWanted| asked(history, wanted);
    for name in ["c3", "c150"] {
        let found = ask(LinksWanted { id: Some(name.to_owned()), ..LinksWanted::default() });
        assert_eq!(found, (vec![link(name[1..].parse().expect("a number"), name)], false));
    }
    let nobody = LinksWanted { id: Some("nobody".to_owned()), ..LinksWanted::default() };
    assert_eq!(ask(nobody), (vec![], false));
    said_before(history);
    let mut ask = |wanted: LinksWanted| asked(history, wanted);
    let by_number = LinksWanted { number: Some(7), ..LinksWanted::default() };
    assert_eq!(ask(by_number).0, [link(7, "c7")]);
    let before = |number| LinksWanted { before: Some(number), ..LinksWanted::default() };
    let numbers = |(links, more): (Vec<Link>, bool)| {
        (links.iter().map(|link| link.number).collect::<Vec<_>>(), more)
    };
    assert_eq!(numbers(ask(LinksWanted::default())), (vec![150, 149, 148], true));
    assert_eq!(numbers(ask(before(51))), (vec![50, 49, 48], true));
    assert_eq!(numbers(ask(before(4))), (vec![3, 2, 1], false));
    assert_eq!(numbers(ask(before(1))), (vec![], false));
}

/// A chain that began anew is forgotten, and so is what is old; who told what first is known.
pub fn forgotten(history: &mut History<'_>) {
    history.commit(vec![row("claude", link(1, "c1")), row("other", link(1, "o1"))]);
    history.commit(vec![Row::Interaction(Arc::new(said(5, 0))), usage(8)]);
    let told = history.store().token_resume().expect("read").told;
    let mut told: Vec<_> = told.into_iter().collect();
    told.sort();
    assert_eq!(told, [(UsageKey(5), "c1".to_owned()), (UsageKey(8), "native".to_owned())]);
    history.commit(vec![Row::ChainReset("claude".to_owned())]);
    let left: Vec<_> = history.store().chains().expect("read").into_iter().map(|it| it.0).collect();
    assert_eq!(left, ["other"]);
    assert_eq!(history.count("interactions"), "0");
    history.prune(days_later(89));
    assert_eq!(history.count("agent_chains"), "1");
    history.prune(days_later(91));
    assert_eq!(history.count("agent_chains"), "0");
}
