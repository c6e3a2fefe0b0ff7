//! Stories of chains: which rows are kept together, what is told on the sessions, and that a next
//! life goes on where this one was.

use super::*;
use crate::chains::chain::KeptChain;
use crate::chains::step::{Calls, Context, Deed, Step};
use crate::ledger::forget::Whose;

fn step(conversation: &str, deed: Deed) -> Step {
    Step {
        agent: "claude".into(),
        process: Some("coder".into()),
        conversation: conversation.into(),
        at: at(5).wall,
        resumes: None,
        deed,
    }
}

fn asked(conversation: &str, key: u64) -> Step {
    step(conversation, Deed::Prompted { key, excerpt: None })
}

fn filled(conversation: &str, tokens: u64) -> Step {
    let context = Some(Context { tokens, model: "m".into(), window: Some(1000) });
    step(conversation, Deed::Answered { calls: Calls::default(), context, excerpt: None })
}

fn told_of(ms: u64, usages: Vec<Usage>, steps: Vec<Step>) -> Entry {
    let progress = vec![FileProgress { path: "log".into(), device: 1, inode: 2, offset: ms }];
    let process = Some("coder".to_owned());
    let batch = TokenBatch { process, usages, steps, progress, ..TokenBatch::default() };
    Entry::TokensRead { at: at(ms), batch }
}

fn c1(key: u64) -> Vec<Usage> {
    vec![usage(5, key, "c1", Cost::Priced(Money(1)))]
}

#[test]
fn steps_are_kept_with_the_offset_and_told_on_the_session() {
    let snapshot = check(
        vec![
            opened(0, 1, CODER, 0),
            told_of(10, vec![], vec![asked("c1", 1)]),
            told_of(20, c1(1), vec![filled("c1", 870), asked("c1", 2)]),
            told_of(30, vec![], vec![filled("c1", 880)]),
            told_of(40, vec![], vec![filled("c1", 950), step("c1", Deed::Compacted)]),
            told_of(50, vec![], vec![filled("c1", 990)]),
        ],
        &[
            "S1.0 opened >initializing | =initializing",
            "said in c1 | claude#1 c1 | progress 10",
            "S2.0 opened >active | =active | usage coder S2 | =initializing | =active \
             | S2.1 hand_over_due | =active | said in c1 | claude#1 c1 | progress 20",
            "claude#1 c1 | progress 30",
            "S2.2 context_full | =active | claude#1 c1 | progress 40",
            "S2.3 hand_over_due | =active | S2.4 context_full | =active | claude#1 c1 | progress 50",
        ],
    );
    let chain = &snapshot.chains[0];
    assert_eq!((chain.agent.as_str(), chain.count, chain.hand_overs_due), ("claude", 1, 2));
    let link = chain.current().expect("one");
    assert_eq!((link.prompts, link.responses, link.compactions), (2, 1, 1));
}

#[test]
fn a_resume_is_told_whether_it_is_learnt_before_or_behind_the_opening() {
    let resuming = |conversation: &str, from: &str, key| {
        let resumes = Some(from.to_owned());
        Step { resumes, ..asked(conversation, key) }
    };
    let other = |id: &str, key| vec![usage(5, key, id, Cost::Priced(Money(1)))];
    check(
        vec![
            opened(0, 1, CODER, 0),
            told_of(10, c1(1), vec![]),
            told_of(20, vec![], vec![resuming("c2", "c1", 1)]),
            told_of(30, other("c2", 2), vec![]),
            told_of(40, other("c3", 3), vec![resuming("c3", "c2", 2)]),
        ],
        &[
            "S1.0 opened >initializing | =initializing",
            "S2.0 opened >active | =active | usage coder S2 | =initializing | =active \
             | claude#1 c1 | progress 10",
            "said in c2 | claude#2 c2 | progress 20",
            "S3.0 opened >active | =active | S3.1 resumed_from | =active | usage coder S3 \
             | =initializing | =active | claude#2 c2 | progress 30",
            "S4.0 opened >active | =active | usage coder S4 | =initializing | =active \
             | S4.1 resumed_from | =active | said in c3 | claude#3 c3 | progress 40",
        ],
    );
}

#[test]
fn a_next_life_goes_on_with_the_numbers_and_the_sessions() {
    let mut before = ledger();
    let steps = vec![asked("c1", 1), filled("c1", 870)];
    before.fold(opened(0, 1, CODER, 0));
    before.fold(told_of(10, c1(1), steps));
    let chain = before.snapshot(1, at(11)).chains[0].clone();
    let kept = KeptChain {
        first: chain.first.clone(),
        links: chain.links.iter().map(|link| (**link).clone()).collect(),
        interactions: chain.interactions.iter().map(|one| (**one).clone()).collect(),
    };
    let mut after = ledger();
    let lines = told(
        &mut after,
        vec![
            Entry::ChainsFound(vec![("claude".into(), kept)]),
            opened(0, 2, CODER, 0),
            // The mark was crossed before, and the same conversation goes on in another run.
            told_of(20, c1(2), vec![filled("c1", 880), asked("c9", 5)]),
        ],
    );
    let expected = [
        "S1.0 opened >initializing | =initializing",
        "S2.0 opened >active | =active | S2.1 resumed_from | =active | usage coder S2 \
         | =initializing | =active | said in c9 | claude#1 c1 | claude#2 c9 | progress 20",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn what_names_no_agent_or_no_conversation_is_in_no_chain() {
    let nameless = Step { agent: String::new(), ..asked("c1", 1) };
    let snapshot = check(vec![told_of(10, vec![], vec![nameless, asked("", 2)])], &["progress 10"]);
    assert_eq!(snapshot.chains.len(), 1, "that of the plan");
    assert_eq!(snapshot.chains[0].count, 0);
}

#[test]
fn the_conversations_of_an_agent_that_is_forgotten_go_but_for_those_that_go_on() {
    let forget = || Entry::Forget { whose: Whose::Agent("claude".into()) };
    let mut ledger = ledger();
    let begin = vec![opened(0, 1, CODER, 0), told_of(10, c1(1), vec![asked("c2", 1)])];
    told(&mut ledger, begin);
    assert_eq!(told(&mut ledger, vec![forget()]), [""; 0]);
    let chain = ledger.snapshot(1, at(20)).chains[0].clone();
    let ids: Vec<&str> = chain.links.iter().map(|link| link.id.as_str()).collect();
    assert_eq!(ids, ["c1"], "its run goes on, and of the other nobody knows a session");
    assert_eq!((chain.interactions.len(), chain.count), (0, 2));
    told(&mut ledger, vec![exited(30, 1, 0)]);
    assert_eq!(told(&mut ledger, vec![forget()]), ["reset claude"]);
    let chain = ledger.snapshot(2, at(40)).chains[0].clone();
    assert_eq!((chain.links.len(), chain.count, &chain.first), (0, 0, &None));
}
