//! One source counts, whatever the order in which they tell.

use super::*;
use crate::tokens::UsageKey;

fn told(source: UsageSource, key: u64, seconds: i64, tokens: u64) -> Usage {
    Usage {
        key: UsageKey(key),
        source,
        agent: "claude".into(),
        provider: "anthropic".into(),
        model: "m".into(),
        conversation: "c".into(),
        at: Wall(seconds * 1000),
        tokens: TokenCounts {
            input: tokens / 2,
            output: tokens - tokens / 2,
            ..Default::default()
        },
        reasoning: 0,
        cost: Cost::Priced(Money(i64::try_from(tokens).expect("small") * 10)),
        withheld: 0,
    }
}

fn sum(counted: &[Option<Usage>]) -> (u64, i64) {
    counted.iter().flatten().fold((0, 0), |(tokens, money), usage| {
        let Cost::Priced(Money(cost)) = usage.cost else { panic!("priced") };
        (tokens + usage.tokens.total(), money + cost)
    })
}

use UsageSource::{Ingest, OtlpLogs, OtlpMetrics, Stdout, Transcript};

#[test]
fn a_worse_source_counts_only_until_a_better_one_is_known() {
    let mut one = Precedence::default();
    assert!(one.hear(told(Transcript, 1, 0, 100)).is_some());
    for (key, worse) in [(2, Stdout), (3, OtlpLogs), (4, OtlpMetrics), (5, Ingest)] {
        assert_eq!(one.hear(told(worse, key, 1, 100)), None, "{worse:?}");
    }
    let apart = Apart { told: 100, differ: 0 };
    assert_eq!(one.apart()["claude"], apart);
}

#[test]
fn what_a_better_source_tells_again_is_withheld_and_what_it_adds_is_not() {
    let mut one = Precedence::default();
    let counted = [
        one.hear(told(OtlpLogs, 1, 10, 100)),
        one.hear(told(OtlpLogs, 2, 20, 100)),
        // The same two, cut into three, and the last with more.
        one.hear(told(Transcript, 11, 9, 60)),
        one.hear(told(Transcript, 12, 11, 60)),
        one.hear(told(Transcript, 13, 21, 95)),
        one.hear(told(OtlpLogs, 3, 30, 50)),
        one.hear(told(Transcript, 14, 31, 50)),
    ];
    assert_eq!(sum(&counted), (265, 2650), "as the transcript says");
    let withheld: Vec<_> = counted.iter().flatten().map(|usage| usage.withheld).collect();
    assert_eq!(withheld, [0, 0, 60, 60, 80, 0]);
    assert_eq!(one.apart()["claude"], Apart { told: 265, differ: 15 });
}

#[test]
fn what_a_better_source_tells_of_a_later_time_was_not_counted_before() {
    let mut one = Precedence::default();
    let counted = [
        one.hear(told(OtlpMetrics, 1, 10, 1000)),
        // Its beginning is history that is not counted.
        one.hear(told(Transcript, 2, 500, 70)),
        one.hear(told(Transcript, 3, 600, 30)),
    ];
    assert_eq!(sum(&counted), (1100, 11_000));
}

#[test]
fn three_sources_one_better_than_the_other() {
    let mut one = Precedence::default();
    let counted = [
        one.hear(told(OtlpMetrics, 1, 60, 100)),
        one.hear(told(OtlpLogs, 2, 30, 100)),
        one.hear(told(OtlpLogs, 3, 61, 40)),
        one.hear(told(Transcript, 4, 31, 100)),
        one.hear(told(Transcript, 5, 62, 40)),
        one.hear(told(Transcript, 6, 63, 7)),
    ];
    assert_eq!(sum(&counted), (147, 1470));
}

#[test]
fn a_next_life_goes_on_where_this_one_was() {
    let story = [
        told(OtlpLogs, 1, 10, 100),
        told(OtlpLogs, 2, 20, 100),
        told(Transcript, 11, 10, 120),
        told(Transcript, 12, 20, 95),
        told(OtlpLogs, 3, 30, 50),
        told(Transcript, 13, 31, 50),
    ];
    for restart in 0..=story.len() {
        let mut first = Precedence::default();
        let mut counted: Vec<_> =
            story[..restart].iter().cloned().map(|usage| first.hear(usage)).collect();
        let mut next = Precedence::default();
        next.resume(stored(&counted), keys(&counted));
        counted.extend(story[restart..].iter().cloned().map(|usage| next.hear(usage)));
        assert_eq!(sum(&counted).0, 265, "after {restart}");
        let again: Vec<_> = story[..2].iter().cloned().map(|usage| next.hear(usage)).collect();
        assert_eq!(again, [None, None], "a sender that tries again, after {restart}");
    }
}

/// As the store has it.
fn stored(counted: &[Option<Usage>]) -> Vec<CountedBefore> {
    let row = |usage: &Usage| CountedBefore {
        conversation: usage.conversation.clone(),
        source: usage.source,
        tokens: usage.tokens.total(),
        withheld: usage.withheld,
        latest: usage.at,
    };
    counted.iter().flatten().map(row).collect()
}

fn keys(counted: &[Option<Usage>]) -> Vec<UsageKey> {
    let elsewhere = |usage: &&Usage| usage.source != Transcript;
    counted.iter().flatten().filter(elsewhere).map(|usage| usage.key).collect()
}

#[test]
fn a_key_that_another_source_was_counted_by_is_the_same_response() {
    let mut one = Precedence::default();
    let counted = [one.hear(told(Stdout, 1, 10, 100)), one.hear(told(Transcript, 1, 900, 100))];
    assert_eq!(sum(&counted), (100, 1000));
}

#[test]
fn what_names_no_conversation_counts_once() {
    let mut one = Precedence::default();
    let nameless = |key| Usage { conversation: String::new(), ..told(Ingest, key, 0, 9) };
    assert!(one.hear(nameless(1)).is_some());
    assert!(one.hear(nameless(1)).is_none());
    assert!(one.hear(nameless(2)).is_some());
    assert!(one.apart().is_empty());
}

#[test]
fn a_share_is_exact_in_its_sum_and_within_each_kind() {
    let whole = TokenCounts {
        input: 7,
        output: 11,
        cache_read: 1_000_003,
        cache_write_5m: 1,
        cache_write_1h: 0,
        cache_write: 13,
    };
    let total = whole.total();
    for left in (0..total).step_by(997).chain([1, total - 1, total]) {
        let shared = share(&whole, left, total);
        assert_eq!(shared.total(), left);
        assert_eq!(shared.minus(&whole), TokenCounts::default(), "{left}");
    }
}

#[test]
fn many_conversations_are_forgotten_by_age() {
    let mut one = Precedence::default();
    for n in 0..3 * GENERATION as u64 {
        let usage = Usage { conversation: format!("c{n}"), ..told(Ingest, n, 0, 1) };
        assert!(one.hear(usage).is_some());
    }
    assert!(one.young.len() + one.old.len() <= 2 * GENERATION);
}

#[test]
fn what_would_count_is_foreseen_and_nothing_is_taken_for_told() {
    let mut one = Precedence::default();
    one.hear(told(OtlpLogs, 1, 10, 100));
    for _ in 0..2 {
        let foreseen = one.foresee(told(Transcript, 2, 9, 160)).expect("it would count");
        assert_eq!((foreseen.tokens.total(), foreseen.withheld), (60, 100));
    }
    let foreseen = one.foresee(told(Transcript, 2, 9, 160));
    assert_eq!(one.hear(told(Transcript, 2, 9, 160)), foreseen);
    assert_eq!(one.foresee(told(Stdout, 3, 30, 5)), None, "a better source is known");
    let elsewhere = Usage { conversation: "new".into(), ..told(Transcript, 4, 0, 7) };
    assert_eq!(one.foresee(elsewhere.clone()), Some(elsewhere));
}
