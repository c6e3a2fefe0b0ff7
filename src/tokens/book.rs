//! The book of responses: which are being told, which are closed, and that each is counted once.
//!
//! Owns deduplication over all files and lives, the choice of the one line that is believed, and
//! the moment a response is closed. A reason to stop does not close it at once: several lines of
//! one response carry it, written in one burst, and the last may have the largest count. So does
//! the next id in the file, since two terminals may take turns in one file. Either leaves a short
//! while to settle; without either, a longer quiet closes it. What comes later still is a
//! correction, and counters never shrink. Refuses to read clocks, files and formats.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::tokens::agents::Sighting;
use crate::tokens::price::Prices;
use crate::tokens::seen::Seen;
use crate::tokens::source::Whose;
use crate::tokens::{Correction, Usage, UsageKey};
use crate::units::{Mono, Now, Wall};

/// From the last line of a response that stopped, or was followed by another, to its closing.
pub const SETTLE: Duration = Duration::from_millis(500);

/// From the last line of a response to its closing where nothing says that it is over.
pub const QUIET: Duration = Duration::from_secs(3);

/// A response is closed after this time even if its lines keep coming: none takes so long, and
/// what is open holds back the offset that a next life starts from.
const LONGEST: Duration = Duration::from_secs(600);

/// Responses that may be open at a time; with more, the oldest is closed. Reading a history at full
/// speed opens some 10,000 in [`SETTLE`].
const MOST_OPEN: usize = 16_384;

/// Closed responses that are remembered in full, so that a later line can be compared.
const MOST_RECENT: usize = 4_096;

/// An id that comes back after this time with another prompt is another response: gateways exist
/// that give ids twice. Copies of a line keep its time.
const REUSED_AFTER_MS: i64 = 3_600_000;

/// Names a followed file for as long as it is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u64);

/// Where a line begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// In which file.
    pub file: FileId,
    /// At which byte.
    pub offset: u64,
}

/// What a line did to the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It opened a response, or told more of one.
    Counted,
    /// It told nothing new.
    Duplicate,
}

/// What was closed and corrected since it was last taken.
#[derive(Debug, Default, PartialEq)]
pub struct Closed {
    /// Responses, each counted here and never again.
    pub usages: Vec<(Whose, Usage)>,
    /// Changes to responses that were counted before.
    pub corrections: Vec<(Whose, Correction)>,
}

/// Every response that is known.
#[derive(Debug, Default)]
pub struct Book {
    prices: Prices,
    seen: Seen,
    open: HashMap<UsageKey, Open>,
    /// Keys of the open ones, in the order of their opening.
    order: VecDeque<UsageKey>,
    /// The response that each file told of last.
    last: HashMap<FileId, UsageKey>,
    recent: HashMap<UsageKey, Recent>,
    recent_order: VecDeque<UsageKey>,
    closed: Closed,
    reused: u64,
}

/// A response that is being told.
#[derive(Debug)]
struct Open {
    /// The one line that is believed, in every field.
    kept: Sighting,
    whose: Whose,
    conversation: String,
    /// Whether the conversation is that of a main chain.
    main: bool,
    settling: bool,
    opened: Mono,
    due: Mono,
    /// Its first line in each file that tells of it.
    places: Vec<Place>,
}

/// What is remembered of a closed response.
#[derive(Debug)]
struct Recent {
    whose: Whose,
    model: String,
    output: u64,
    prompt: u64,
    at: Option<Wall>,
}

impl Book {
    /// A book that knows the responses of earlier lives.
    pub fn new(prices: Prices, seen: impl IntoIterator<Item = UsageKey>) -> Self {
        let mut book = Self { prices, ..Self::default() };
        book.seen.extend(seen);
        book
    }

    /// Makes a response of the past known without counting it; its key if it was not known.
    pub fn seed(&mut self, told: &Sighting) -> Option<UsageKey> {
        let fresh = !self.open.contains_key(&told.key) && self.seen.add(told.key);
        fresh.then_some(told.key)
    }

    /// Takes in what a line told.
    pub fn hear(&mut self, mut told: Sighting, whose: Whose, place: Place, now: Now) -> Heard {
        self.tell_reuse(&mut told);
        self.turn_to(told.key, place.file, now.mono);
        if let Some(open) = self.open.get_mut(&told.key) {
            return open.hear(told, whose, place, now.mono);
        }
        if self.seen.has(told.key) {
            self.correct(&told);
            return Heard::Duplicate;
        }
        self.begin(told, whose, place, now);
        Heard::Counted
    }

    /// Closes what is over by now.
    pub fn settle(&mut self, now: Now) {
        self.close_where(now.wall, |open| open.due <= now.mono);
    }

    /// Closes everything, because nothing more will be read.
    pub fn close_all(&mut self, now: Now) {
        self.close_where(now.wall, |_| true);
    }

    /// What was closed since it was last taken.
    pub fn take(&mut self) -> Closed {
        std::mem::take(&mut self.closed)
    }

    /// For each file that tells of an open response, where the first such line begins.
    pub fn holds(&self) -> HashMap<FileId, u64> {
        let mut holds = HashMap::new();
        for place in self.open.values().flat_map(|open| &open.places) {
            let first = holds.entry(place.file).or_insert(place.offset);
            *first = place.offset.min(*first);
        }
        holds
    }

    /// Forgets a file that is no longer followed.
    pub fn forget(&mut self, file: FileId) {
        self.last.remove(&file);
        for open in self.open.values_mut() {
            open.places.retain(|place| place.file != file);
        }
    }

    /// Responses whose id had been given to another one before.
    pub fn reused(&self) -> u64 {
        self.reused
    }

    /// Keys that were forgotten because there were too many.
    pub fn forgotten(&self) -> u64 {
        self.seen.forgotten()
    }

    fn begin(&mut self, told: Sighting, whose: Whose, place: Place, now: Now) {
        if self.order.len() >= MOST_OPEN
            && let Some(oldest) = self.order.pop_front()
        {
            self.close(oldest, now.wall);
        }
        self.order.push_back(told.key);
        self.open.insert(told.key, Open::new(told, whose, place, now.mono));
    }

    /// Another id in the file: the response before it is over, or nearly.
    fn turn_to(&mut self, key: UsageKey, file: FileId, now: Mono) {
        let before = self.last.insert(file, key).filter(|before| *before != key);
        if let Some(open) = before.and_then(|before| self.open.get_mut(&before)) {
            open.settling = true;
            open.due = open.due.min(now.after(SETTLE));
        }
    }

    /// Gives a response that bears the id of an earlier one a key of its own.
    fn tell_reuse(&mut self, told: &mut Sighting) {
        let known = match (self.open.get(&told.key), self.recent.get(&told.key)) {
            (Some(open), _) => Some((open.kept.at, open.kept.prompt())),
            (None, Some(recent)) => Some((recent.at, recent.prompt)),
            (None, None) => None,
        };
        let Some((Some(first), prompt)) = known else { return };
        let Some(at) = told.at else { return };
        if prompt != told.prompt() && at.0.abs_diff(first.0) >= REUSED_AFTER_MS.unsigned_abs() {
            let id = [told.key.0.to_le_bytes(), told.prompt().to_le_bytes()].concat();
            told.key = UsageKey::of("reused", &id);
            let fresh = !self.open.contains_key(&told.key) && !self.seen.has(told.key);
            self.reused += u64::from(fresh);
        }
    }

    /// A later line of a closed response: what it changes is booked apart.
    fn correct(&mut self, told: &Sighting) {
        let Some(recent) = self.recent.get_mut(&told.key) else { return };
        let (before, after) = (recent.prompt + recent.output, told.tokens.total());
        if told.tokens.output < recent.output || before == after {
            return;
        }
        (recent.output, recent.prompt) = (told.tokens.output, told.prompt());
        let tokens = i64::try_from(i128::from(after) - i128::from(before)).unwrap_or(i64::MAX);
        let (agent, model) = (recent.whose.agent.to_string(), recent.model.clone());
        let correction = Correction { agent, model, tokens };
        self.closed.corrections.push((recent.whose.clone(), correction));
    }

    fn close_where(&mut self, now: Wall, over: impl Fn(&Open) -> bool) {
        let open = &self.open;
        let (done, rest) = std::mem::take(&mut self.order)
            .into_iter()
            .partition::<VecDeque<_>, _>(|key| open.get(key).is_none_or(&over));
        self.order = rest;
        for key in done {
            self.close(key, now);
        }
    }

    fn close(&mut self, key: UsageKey, now: Wall) {
        let Some(open) = self.open.remove(&key) else { return };
        self.seen.add(key);
        let usage = open.usage(key, &self.prices, now);
        self.remember(key, Recent::of(&open, &usage));
        self.closed.usages.push((open.whose, usage));
    }

    fn remember(&mut self, key: UsageKey, recent: Recent) {
        if self.recent_order.len() >= MOST_RECENT
            && let Some(oldest) = self.recent_order.pop_front()
        {
            self.recent.remove(&oldest);
        }
        self.recent_order.push_back(key);
        self.recent.insert(key, recent);
    }
}

impl Open {
    fn new(told: Sighting, whose: Whose, place: Place, now: Mono) -> Self {
        let mut open = Self {
            whose,
            conversation: told.conversation.clone(),
            main: !told.sidechain,
            settling: told.stopped,
            opened: now,
            due: now,
            places: vec![place],
            kept: told,
        };
        open.wait(now);
        open
    }

    fn hear(&mut self, told: Sighting, whose: Whose, place: Place, now: Mono) -> Heard {
        self.settling |= told.stopped;
        self.wait(now);
        if self.places.iter().all(|known| known.file != place.file) {
            self.places.push(place);
        }
        if !self.main && !told.sidechain {
            self.main = true;
            self.whose = whose;
            self.conversation.clone_from(&told.conversation);
        }
        // The largest output, and the last line of equals.
        if told.tokens.output < self.kept.tokens.output {
            return Heard::Duplicate;
        }
        let news = told.tokens != self.kept.tokens;
        self.kept = told;
        if news { Heard::Counted } else { Heard::Duplicate }
    }

    fn wait(&mut self, now: Mono) {
        let patience = if self.settling { SETTLE } else { QUIET };
        self.due = now.after(patience).min(self.opened.after(LONGEST));
    }

    fn usage(&self, key: UsageKey, prices: &Prices, now: Wall) -> Usage {
        let kept = &self.kept;
        let at = kept.at.unwrap_or(now);
        let label = prices.label(&kept.model);
        Usage {
            key,
            agent: self.whose.agent.to_string(),
            provider: label.provider.to_owned(),
            model: label.model,
            conversation: self.conversation.clone(),
            at,
            tokens: kept.tokens,
            reasoning: kept.reasoning,
            cost: prices.cost(&kept.model, at, &kept.tokens, &kept.extras),
        }
    }
}

impl Recent {
    fn of(open: &Open, usage: &Usage) -> Self {
        Self {
            whose: open.whose.clone(),
            model: usage.model.clone(),
            output: usage.tokens.output,
            prompt: open.kept.prompt(),
            at: open.kept.at,
        }
    }
}

impl Sighting {
    /// The tokens that are not output.
    fn prompt(&self) -> u64 {
        self.tokens.total().saturating_sub(self.tokens.output)
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(closed.usages[0].1.cost, Cost::Priced(crate::units::Money(4_140_000)));
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
        let corrections: Vec<_> = closed.corrections.iter().map(|(_, c)| c.tokens).collect();
        assert_eq!((closed.usages.len(), corrections), (0, vec![411, -6]));
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
        assert_eq!(desk.book.reused(), 1);
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
}
