//! Every trap of counting a response once.

use super::*;
use crate::tokens::{Cost, TokenCounts};

/// A book, its clock, and a way to tell it things.
struct Desk {
    book: Book,
    ms: u64,
}

impl Desk {
    fn new() -> Self {
        Self { book: Book::new(Prices::embedded(), []), ms: 1_000 }
    }

    fn now(&self) -> Now {
        let wall = Wall(1_790_000_000_000 + i64::try_from(self.ms).unwrap_or(0));
        Now { mono: Mono(self.ms * 1_000_000), wall }
    }

    fn tell(&mut self, file: u64, told: Sighting) -> Heard {
        let place = Place { file: FileId(file), offset: self.ms };
        let now = self.now();
        self.book.hear(told, whose(), place, now)
    }

    fn wait(&mut self, ms: u64) -> Closed {
        self.ms += ms;
        self.book.settle(self.now());
        self.book.take()
    }

    /// Everything that is still open, closed.
    fn rest(&mut self) -> Closed {
        self.book.close_all(self.now());
        self.book.take()
    }
}

fn whose() -> Whose {
    Whose { process: Some("agent".into()), agent: "claude".into() }
}

fn told(id: &str, output: u64) -> Sighting {
    Sighting {
        key: UsageKey::of("test", id.as_bytes()),
        conversation: "main".into(),
        model: "claude-sonnet-5".into(),
        at: Some(Wall(1_790_000_000_000)),
        tokens: TokenCounts { input: 10, output, ..TokenCounts::default() },
        ..Sighting::default()
    }
}

fn stopped(id: &str, output: u64) -> Sighting {
    Sighting { stopped: true, ..told(id, output) }
}

fn outputs(closed: &Closed) -> Vec<u64> {
    closed.usages.iter().map(|(_, usage)| usage.tokens.output).collect()
}

#[test]
fn lines_of_one_response_count_once_with_the_largest_output() {
    let mut desk = Desk::new();
    assert_eq!(desk.tell(1, told("a", 1)), Heard::Counted);
    assert_eq!(desk.tell(1, told("a", 412)), Heard::Counted);
    assert_eq!(desk.tell(1, told("a", 412)), Heard::Duplicate);
    assert_eq!(desk.tell(1, told("a", 3)), Heard::Duplicate);
    let closed = desk.wait(3_000);
    assert_eq!(outputs(&closed), [412]);
    assert_eq!(closed.usages[0].1.cost, Cost::Priced(Money(4_140_000)));
    assert_eq!(desk.wait(60_000), Closed::default());
}

#[test]
fn all_fields_come_from_the_line_that_is_believed() {
    let mut desk = Desk::new();
    let mut early = told("a", 2);
    early.model = "claude-opus-5".into();
    early.tokens.cache_read = 90_000;
    desk.tell(1, early);
    desk.tell(1, told("a", 902));
    let usage = &desk.rest().usages[0].1;
    assert_eq!((usage.model.as_str(), usage.tokens.total()), ("claude-sonnet-5", 912));
}

#[test]
fn of_equal_outputs_the_last_line_is_believed() {
    let mut desk = Desk::new();
    desk.tell(1, told("a", 5));
    let mut last = told("a", 5);
    last.tokens.input = 99;
    assert_eq!(desk.tell(1, last), Heard::Counted);
    assert_eq!(desk.rest().usages[0].1.tokens.input, 99);
}

#[test]
fn a_response_closes_soon_after_its_end_and_else_after_a_quiet_while() {
    for (sighting, after_ms) in [(stopped("a", 1), 500), (told("a", 1), 3_000)] {
        let mut desk = Desk::new();
        desk.tell(1, sighting);
        assert_eq!(outputs(&desk.wait(after_ms - 1)).len(), 0);
        assert_eq!(outputs(&desk.wait(1)).len(), 1);
    }
}

#[test]
fn blocks_that_all_name_a_stop_reason_still_count_by_the_largest() {
    let mut desk = Desk::new();
    for output in [1, 1, 412] {
        desk.tell(1, stopped("a", output));
        assert_eq!(desk.wait(400), Closed::default());
    }
    assert_eq!(outputs(&desk.wait(500)), [412]);
}

#[test]
fn the_next_id_in_a_file_closes_the_one_before_soon() {
    let mut desk = Desk::new();
    desk.tell(1, told("a", 1));
    desk.tell(1, told("b", 2));
    assert_eq!(outputs(&desk.wait(500)), [1]);
    assert_eq!(outputs(&desk.wait(2_500)), [2]);
    desk.tell(1, told("c", 1));
    desk.tell(2, told("d", 2));
    assert_eq!(outputs(&desk.wait(500)).len(), 0, "another file says nothing about it");
}

#[test]
fn two_writers_taking_turns_in_one_file_lose_nothing() {
    let mut desk = Desk::new();
    for output in [1, 50] {
        desk.tell(1, told("a", output));
        desk.tell(1, told("b", output + 1));
    }
    assert_eq!(outputs(&desk.rest()), [50, 51]);
}

#[test]
fn lines_that_never_end_cannot_hold_a_response_open_for_ever() {
    let mut desk = Desk::new();
    let mut closed = 0;
    for output in 0..1_000 {
        desk.tell(1, told("a", output));
        closed += desk.wait(1_000).usages.len();
    }
    assert_eq!(closed, 1);
}

#[test]
fn what_comes_late_is_a_correction_and_never_counts_again() {
    let mut desk = Desk::new();
    desk.tell(1, told("a", 1));
    assert_eq!(outputs(&desk.wait(3_000)), [1]);
    assert_eq!(desk.tell(1, told("a", 412)), Heard::Duplicate);
    let mut fewer = told("a", 412);
    fewer.tokens.input = 4;
    desk.tell(1, fewer);
    desk.tell(2, told("a", 7));
    let closed = desk.rest();
    let tokens: Vec<_> = closed.corrections.iter().map(|(_, c)| c.tokens).collect();
    assert_eq!((closed.usages.len(), tokens), (0, vec![411, -6]));
    let mut again = told("a", 413);
    again.tokens.input += 1;
    desk.tell(1, again);
    let back = desk.rest().corrections;
    let more = closed.corrections.iter().chain(&back).map(|(_, c)| (c.more.input, c.more.output));
    assert_eq!(more.collect::<Vec<_>>(), [(0, 411), (0, 0), (1, 1)], "nothing is too little twice");
    let costs = closed.corrections.iter().chain(&back).map(|(_, c)| c.cost);
    let nanos = costs.map(|cost| if let Cost::Priced(money) = cost { money.0 } else { -1 });
    assert_eq!(nanos.collect::<Vec<_>>(), [411 * 10_000, 0, 12_000]);
}

#[test]
fn copies_in_other_files_count_once() {
    let mut desk = Desk::new();
    let fork = Sighting { conversation: "fork".into(), ..stopped("a", 412) };
    desk.tell(1, stopped("a", 412));
    assert_eq!(desk.tell(2, fork.clone()), Heard::Duplicate);
    let closed = desk.wait(500);
    assert_eq!(closed.usages[0].1.conversation, "main");
    assert_eq!(desk.tell(3, fork), Heard::Duplicate);
    assert_eq!(desk.rest(), Closed::default());
}

#[test]
fn a_main_chain_takes_a_response_over_from_a_side_chain() {
    let mut desk = Desk::new();
    let aside = Sighting { sidechain: true, conversation: "aside".into(), ..told("a", 1) };
    desk.tell(1, aside.clone());
    desk.tell(2, told("a", 1));
    desk.tell(1, Sighting { tokens: told("a", 9).tokens, ..aside.clone() });
    let usage = &desk.rest().usages[0].1;
    assert_eq!((usage.conversation.as_str(), usage.tokens.output), ("main", 9));
    desk.tell(1, Sighting { key: told("b", 1).key, ..aside });
    assert_eq!(desk.rest().usages[0].1.conversation, "aside");
}

#[test]
fn an_id_given_twice_by_a_gateway_counts_twice_and_is_flagged() {
    let mut desk = Desk::new();
    let mut second = told("a", 30);
    second.at = Some(Wall(1_790_000_000_000 + REUSED_AFTER_MS));
    second.tokens.input = 77;
    let mut copy = told("a", 30);
    copy.at = second.at;
    desk.tell(1, told("a", 20));
    desk.wait(3_000);
    for _ in 0..2 {
        desk.tell(1, second.clone());
    }
    assert_eq!(outputs(&desk.rest()), [30]);
    assert_eq!(desk.tell(2, second), Heard::Duplicate);
    desk.tell(1, copy);
    assert_eq!(desk.rest().usages.len(), 0, "the same prompt is the same response");
}

#[test]
fn what_earlier_lives_counted_or_history_told_is_a_duplicate() {
    let mut desk = Desk::new();
    desk.book = Book::new(Prices::embedded(), [told("a", 1).key]);
    assert_eq!(desk.tell(1, told("a", 9)), Heard::Duplicate);
    assert_eq!(desk.book.seed(&told("b", 1)), Some(told("b", 1).key));
    assert_eq!(desk.book.seed(&told("b", 1)), None);
    assert_eq!(desk.tell(1, told("b", 9)), Heard::Duplicate);
    assert_eq!(desk.rest(), Closed::default());
    desk.tell(1, told("c", 9));
    assert_eq!(desk.book.seed(&told("c", 9)), None, "it is being counted");
    assert_eq!(outputs(&desk.rest()), [9]);
}

#[test]
fn an_open_response_holds_its_place_in_every_file() {
    let mut desk = Desk::new();
    desk.tell(1, told("a", 1));
    desk.ms += 5;
    desk.tell(1, told("a", 2));
    desk.tell(2, told("a", 2));
    assert_eq!(desk.book.holds(), HashMap::from([(FileId(1), 1_000), (FileId(2), 1_005)]));
    desk.book.forget(FileId(1));
    assert_eq!(desk.book.holds(), HashMap::from([(FileId(2), 1_005)]));
    assert_eq!(outputs(&desk.wait(3_000)), [2]);
    assert!(desk.book.holds().is_empty());
}

#[test]
fn too_many_open_responses_close_the_oldest() {
    let mut desk = Desk::new();
    for id in 0..=MOST_OPEN {
        desk.tell(1, told(&id.to_string(), 1));
    }
    assert_eq!(desk.book.take().usages.len(), 1);
    assert_eq!(desk.rest().usages.len(), MOST_OPEN);
}

#[test]
fn a_model_without_a_price_is_counted_unpriced() {
    let mut desk = Desk::new();
    desk.tell(1, Sighting { model: "glm-4.6".into(), ..told("a", 1) });
    let usage = &desk.rest().usages[0].1;
    assert_eq!((usage.cost, usage.tokens.total()), (Cost::Unpriced, 11));
    assert_eq!((usage.model.as_str(), usage.provider.as_str()), ("glm-4.6", "unknown"));
}
