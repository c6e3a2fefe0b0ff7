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
use crate::tokens::{Correction, Cost, TokenCounts, Usage, UsageKey};
use crate::units::{Money, Mono, Now, Wall};

/// From the last line of a response that stopped, or was followed by another, to its closing.
pub const SETTLE: Duration = Duration::from_millis(500);

/// From the last line of a response to its closing where nothing says that it is over.
pub const QUIET: Duration = Duration::from_secs(3);

/// A response is closed after this time even if its lines keep coming: none takes so long, and
/// what is open holds back the offset that a next life starts from.
const LONGEST: Duration = Duration::from_secs(600);

/// Responses that may be open at a time; with more, the oldest is closed. Live there are few;
/// reading a history at full speed would open some 20,000 in [`SETTLE`].
const MOST_OPEN: usize = 4_096;

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
    /// Responses that bear the id of another one, since that was last asked.
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
    tokens: TokenCounts,
    /// The most of each kind that was ever told, and what that came to: what was once too much is not
    /// too little when it comes back.
    most: TokenCounts,
    cost: Cost,
    at: Option<Wall>,
}

impl Book {
    /// A book that knows the responses of earlier lives.
    pub fn new(prices: Prices, seen: impl IntoIterator<Item = UsageKey>) -> Self {
        let mut book = Self { prices, ..Self::default() };
        book.seen.extend(seen);
        book
    }

    /// Uses these prices for what is closed from now on.
    pub fn reprice(&mut self, prices: Prices) {
        self.prices = prices;
    }

    /// Tokens that the window of a model holds, where that is known.
    pub fn window(&self, model: &str) -> Option<u64> {
        self.prices.context_window(model)
    }

    /// Makes a response of the past known without counting it; its key if it was not known.
    pub fn seed(&mut self, told: &Sighting) -> Option<UsageKey> {
        let fresh = !self.open.contains_key(&told.key) && self.seen.add(told.key);
        fresh.then_some(told.key)
    }

    /// Whether a response is being told, or was.
    pub fn knows(&self, key: UsageKey) -> bool {
        self.open.contains_key(&key) || self.seen.has(key)
    }

    /// Takes in what a line told.
    pub fn hear(&mut self, mut told: Sighting, whose: Whose, place: Place, now: Now) -> Heard {
        self.tell_reuse(&mut told);
        self.turn_to(told.key, place.file, now.mono);
        if let Some(open) = self.open.get_mut(&told.key) {
            return open.hear(told, whose, place, now.mono);
        }
        if self.seen.has(told.key) {
            self.correct(&told, now.wall);
            return Heard::Duplicate;
        }
        if told.copy_of.iter().any(|key| self.knows(*key)) {
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

    /// Whether a response is being told.
    pub fn is_telling(&self) -> bool {
        !self.open.is_empty()
    }

    /// Every response that is being told, as if it were closed now, in the order of their opening.
    pub fn telling(&self, now: Wall) -> Vec<(Whose, Usage)> {
        let told = self.order.iter().filter_map(|key| Some((*key, self.open.get(key)?)));
        told.map(|(key, open)| (open.whose.clone(), open.usage(key, &self.prices, now))).collect()
    }

    /// What was closed since it was last taken.
    pub fn take(&mut self) -> Closed {
        std::mem::take(&mut self.closed)
    }

    /// Responses that bore the id of another one since this was last asked.
    pub fn take_reused(&mut self) -> u64 {
        std::mem::take(&mut self.reused)
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
            (None, Some(recent)) => Some((recent.at, prompt(&recent.tokens))),
            (None, None) => None,
        };
        let Some((Some(first), prompt)) = known else { return };
        let Some(at) = told.at else { return };
        if prompt != told.prompt() && at.0.abs_diff(first.0) >= REUSED_AFTER_MS.unsigned_abs() {
            let id = [told.key.0.to_le_bytes(), told.prompt().to_le_bytes()].concat();
            told.key = UsageKey::of("reused", &id);
            self.reused += u64::from(!self.knows(told.key));
        }
    }

    /// A later line of a closed response: what it changes is booked apart.
    fn correct(&mut self, told: &Sighting, now: Wall) {
        let Some(recent) = self.recent.get_mut(&told.key) else { return };
        let (before, after) = (recent.tokens.total(), told.tokens.total());
        if told.tokens.output < recent.tokens.output || before == after {
            return;
        }
        let at = told.at.unwrap_or(now);
        let cost = self.prices.cost(&told.model, at, &told.tokens, &told.extras);
        let correction = Correction {
            agent: recent.whose.agent.to_string(),
            model: recent.model.clone(),
            at,
            tokens: i64::try_from(i128::from(after) - i128::from(before)).unwrap_or(i64::MAX),
            more: told.tokens.minus(&recent.most),
            cost: more_than(cost, recent.cost),
        };
        recent.tokens = told.tokens;
        recent.most = recent.most.plus(&correction.more);
        recent.cost = plus(recent.cost, correction.cost);
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
            source: kept.source,
            agent: self.whose.agent.to_string(),
            provider: self.provider(label.provider),
            model: label.model,
            conversation: self.conversation.clone(),
            at,
            tokens: kept.tokens,
            reasoning: kept.reasoning,
            cost: prices.cost(&kept.model, at, &kept.tokens, &kept.extras),
            withheld: 0,
        }
    }
}

impl Open {
    /// Who answered: the price table knows it for its models, else the log may tell.
    fn provider(&self, priced: &'static str) -> String {
        let told = self.kept.provider.as_deref().filter(|_| priced == "unknown");
        told.unwrap_or(priced).to_owned()
    }
}

impl Recent {
    fn of(open: &Open, usage: &Usage) -> Self {
        Self {
            whose: open.whose.clone(),
            model: usage.model.clone(),
            tokens: usage.tokens,
            most: usage.tokens,
            cost: usage.cost,
            at: open.kept.at,
        }
    }
}

impl Sighting {
    fn prompt(&self) -> u64 {
        prompt(&self.tokens)
    }
}

/// The tokens that are not output.
fn prompt(tokens: &TokenCounts) -> u64 {
    tokens.total().saturating_sub(tokens.output)
}

fn plus(one: Cost, more: Cost) -> Cost {
    match (one, more) {
        (Cost::Priced(one), Cost::Priced(more)) => Cost::Priced(one.saturating_add(more)),
        (one, _) => one,
    }
}

/// What a response costs beyond what it was counted for.
fn more_than(cost: Cost, counted: Cost) -> Cost {
    match (cost, counted) {
        (Cost::Priced(now), Cost::Priced(before)) => {
            Cost::Priced(Money(now.0.saturating_sub(before.0).max(0)))
        }
        (now, _) => now,
    }
}

#[cfg(test)]
mod tests;
