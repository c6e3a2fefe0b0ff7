//! Each response once, whatever the order of its lines.

use super::*;

fn told(id: &str, output: u64) -> Sighting {
    Sighting {
        key: UsageKey::of("test", id.as_bytes()),
        conversation: "main".into(),
        model: "claude-sonnet-5".into(),
        at: Some(Wall(1_790_000_000_000)),
        cwd: Some("/src".into()),
        tokens: TokenCounts { input: 10, output, ..TokenCounts::default() },
        ..Sighting::default()
    }
}

fn tally(all: Vec<Sighting>) -> Tally {
    let mut tally = Tally::default();
    for one in all {
        tally.hear(one);
    }
    tally
}

fn total(tally: &Tally) -> Sum {
    tally.sums(&Prices::embedded(), &[]).0
}

#[test]
fn the_largest_output_is_believed_in_every_field_and_in_any_order() {
    let mut early = told("a", 3);
    early.tokens.cache_read = 900;
    early.model = "claude-opus-5".into();
    for all in [vec![early.clone(), told("a", 50)], vec![told("a", 50), early.clone()]] {
        let tally = tally(all);
        let sum = total(&tally);
        assert_eq!((sum.responses, sum.tokens.output, sum.tokens.cache_read), (1, 50, 0));
        // 10 at 2 and 50 at 10 dollars a million.
        assert_eq!(sum.nanos, 520_000);
    }
}

#[test]
fn an_id_that_comes_back_hours_later_with_another_prompt_is_another_response() {
    let later = |ms: i64, input: u64| {
        let tokens = TokenCounts { input, output: 3, ..TokenCounts::default() };
        Sighting { at: Some(Wall(1_790_000_000_000 + ms)), tokens, ..told("a", 3) }
    };
    for (ms, input, responses) in
        [(0, 10, 1), (3_600_000, 10, 1), (3_599_000, 11, 1), (3_600_000, 11, 2)]
    {
        let tally = tally(vec![told("a", 3), later(ms, input), later(ms, input)]);
        assert_eq!(total(&tally).responses, responses, "{ms} {input}");
        assert_eq!(tally.reused, responses - 1);
    }
}

#[test]
fn a_response_belongs_to_the_main_chain_that_told_it_first() {
    let side = Sighting { sidechain: true, conversation: "side".into(), ..told("a", 3) };
    let mut copy = Sighting { conversation: "fork".into(), ..told("a", 3) };
    copy.thread.copied_from = Some("main".into());
    let second = Sighting { conversation: "second".into(), ..told("a", 3) };
    for all in [
        vec![side.clone(), told("a", 3), second.clone()],
        vec![copy.clone(), told("a", 3), side.clone()],
        vec![told("a", 3), copy, second],
        vec![side.clone(), told("a", 1), side],
    ] {
        let (_, parts) = tally(all).sums(&Prices::embedded(), &[By::Conversation]);
        let found: Vec<_> = parts[0].keys().map(String::as_str).collect();
        assert_eq!(found, ["main"]);
    }
}

#[test]
fn the_parts_of_each_kind_are_the_whole() {
    let mut other = told("b", 7);
    other.model = "nobody-knows".into();
    other.at = None;
    let tally = tally(vec![told("a", 5), other]);
    let (whole, parts) = tally.sums(&Prices::embedded(), &By::ALL);
    assert_eq!((whole.responses, whole.unpriced), (2, 17));
    for part in &parts {
        let mut sum = Sum::default();
        part.values().for_each(|one| sum.add(one));
        assert_eq!(sum, whole);
    }
    let days: Vec<_> = parts[0].keys().map(String::as_str).collect();
    assert_eq!(days, ["2026-09-21", "unknown"]);
}

#[test]
fn counts_beyond_32_bits_are_exact() {
    let mut large = told("a", 5_000_000_000);
    large.tokens.cache_read = 900_000_000_000;
    let tally = tally(vec![told("a", 1), large.clone(), told("b", 2)]);
    assert_eq!(total(&tally).tokens, large.tokens.plus(&told("b", 2).tokens));
}

#[test]
fn a_copy_that_is_known_under_another_key_does_not_count() {
    let copy = Sighting { copy_of: vec![told("a", 1).key], ..told("b", 5) };
    assert_eq!(total(&tally(vec![told("a", 5), copy.clone()])).responses, 1);
    assert_eq!(total(&tally(vec![copy])).responses, 1);
}
