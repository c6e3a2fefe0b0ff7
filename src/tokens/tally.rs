//! The sum of whole histories: each response once, by day, model, project and conversation.
//!
//! Owns the same rules as `book`, without its clock: here all lines are there, so that every
//! response is kept until the end and the best of its lines is known. Refuses files and formats.
//! A response takes some 70 bytes, because a history has hundreds of thousands of them.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use crate::tokens::agents::{Extras, Sighting};
use crate::tokens::price::Prices;
use crate::tokens::{Cost, TokenCounts, TokenKind, UsageKey};
use crate::units::Wall;

/// As for what is live: an id that comes back after this time with another prompt is another
/// response.
const REUSED_AFTER_S: u32 = 3_600;

/// Surcharges and the like that were used last, to be found again.
const NEAR: usize = 16;

/// What sums are made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// The day of the response, in UTC.
    Day,
    /// The model, by its plain name.
    Model,
    /// The folder that the agent worked in.
    Project,
    /// The agent's own id of the conversation.
    Conversation,
}

impl By {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Day, Self::Model, Self::Project, Self::Conversation];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Model => "model",
            Self::Project => "project",
            Self::Conversation => "conversation",
        }
    }
}

/// What some responses come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many.
    pub responses: u64,
    /// Their tokens.
    pub tokens: TokenCounts,
    /// The part of the output that was thinking.
    pub reasoning: u64,
    /// What the priced ones cost, in nano-dollars.
    pub nanos: i64,
    /// Tokens of responses that have no price.
    pub unpriced: u64,
}

/// Every response that was told of.
#[derive(Default)]
pub struct Tally {
    entries: Vec<Entry>,
    known: HashMap<UsageKey, u32, BuildHasherDefault<AsItIs>>,
    /// Counts beyond 32 bits.
    large: HashMap<u32, TokenCounts>,
    names: Names,
    extras: Vec<Extras>,
    /// Responses whose id had been given before.
    pub reused: u64,
}

/// A response.
struct Entry {
    counts: [u32; 6],
    reasoning: u32,
    /// Seconds of Unix time; 0 where no line says when.
    at: u32,
    model: u32,
    conversation: u32,
    project: u32,
    /// Which of the extras; the conversation's claim is in the lowest bit.
    extras: u32,
}

/// Names, each once.
#[derive(Default)]
struct Names {
    all: Vec<Box<str>>,
    places: HashMap<Box<str>, u32>,
}

/// Keys are hashes already.
#[derive(Clone, Copy, Default)]
pub struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = (self.0 << 8) | u64::from(*byte));
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

impl Tally {
    /// Takes in what a line told; whether that was news.
    pub fn hear(&mut self, mut told: Sighting) -> bool {
        self.tell_reuse(&mut told);
        if let Some(place) = self.known.get(&told.key).copied() {
            return self.hear_more(place, &told);
        }
        if told.copy_of.iter().any(|key| self.known.contains_key(key)) {
            return false;
        }
        let place = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.known.insert(told.key, place);
        let entry = self.entry(place, &told);
        self.entries.push(entry);
        true
    }

    /// How many responses there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Everything, and the same by what is asked for.
    pub fn sums(&self, prices: &Prices, by: &[By]) -> (Sum, Vec<BTreeMap<String, Sum>>) {
        let mut total = Sum::default();
        let mut parts: Vec<HashMap<u32, Sum>> = by.iter().map(|_| HashMap::new()).collect();
        for (place, entry) in self.entries.iter().enumerate() {
            let one = self.sum(place, entry, prices);
            total.add(&one);
            for (by, part) in by.iter().zip(&mut parts) {
                part.entry(entry.group(*by)).or_default().add(&one);
            }
        }
        let named = by.iter().zip(parts).map(|(by, part)| {
            let mut named: BTreeMap<String, Sum> = BTreeMap::new();
            for (group, sum) in part {
                named.entry(self.name(*by, group, prices)).or_default().add(&sum);
            }
            named
        });
        (total, named.collect())
    }

    fn tell_reuse(&mut self, told: &mut Sighting) {
        let Some(place) = self.known.get(&told.key) else { return };
        let (first, at) = (self.entries[*place as usize].at, seconds(told.at));
        let prompt = |tokens: &TokenCounts| tokens.total().saturating_sub(tokens.output);
        let differs = prompt(&self.counts(*place)) != prompt(&told.tokens);
        if first > 0 && at > 0 && differs && at.abs_diff(first) >= REUSED_AFTER_S {
            let id = [told.key.0.to_le_bytes(), prompt(&told.tokens).to_le_bytes()].concat();
            told.key = UsageKey::of("reused", &id);
            self.reused += u64::from(!self.known.contains_key(&told.key));
        }
    }

    /// A further line of a response: the largest output is believed, the last of equals.
    fn hear_more(&mut self, place: u32, told: &Sighting) -> bool {
        let before = self.counts(place);
        let entry = &self.entries[place as usize];
        let (claim, conversation, project) = (entry.claims(), entry.conversation, entry.project);
        if told.tokens.output < before.output {
            if claims(told) && !claim {
                let conversation = self.names.place(&told.conversation);
                let entry = &mut self.entries[place as usize];
                entry.conversation = conversation;
                entry.extras |= 1;
            }
            return false;
        }
        let mut entry = self.entry(place, told);
        if claim || !claims(told) {
            (entry.conversation, entry.project) = (conversation, project);
            entry.extras |= u32::from(claim);
        }
        self.entries[place as usize] = entry;
        told.tokens != before
    }

    fn entry(&mut self, place: u32, told: &Sighting) -> Entry {
        let mut counts = [0; 6];
        let mut fits = true;
        for (count, kind) in counts.iter_mut().zip(TokenKind::ALL) {
            let exact = u32::try_from(told.tokens.of(kind));
            fits &= exact.is_ok();
            *count = exact.unwrap_or(u32::MAX);
        }
        if fits {
            self.large.remove(&place);
        } else {
            self.large.insert(place, told.tokens);
        }
        Entry {
            counts,
            reasoning: u32::try_from(told.reasoning).unwrap_or(u32::MAX),
            at: seconds(told.at),
            model: self.names.place(&told.model),
            conversation: self.names.place(&told.conversation),
            project: self.names.place(told.cwd.as_deref().unwrap_or_default()),
            extras: (self.extras(&told.extras) << 1) | u32::from(claims(told)),
        }
    }

    fn extras(&mut self, extras: &Extras) -> u32 {
        let near = self.extras.len().saturating_sub(NEAR);
        let found = self.extras[near..].iter().position(|known| known == extras);
        let place = found.map_or(self.extras.len(), |at| near + at);
        if found.is_none() {
            self.extras.push(extras.clone());
        }
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    fn counts(&self, place: u32) -> TokenCounts {
        if let Some(large) = self.large.get(&place).filter(|_| !self.large.is_empty()) {
            return *large;
        }
        let counts = self.entries[place as usize].counts.map(u64::from);
        let [input, output, cache_read, cache_write_5m, cache_write_1h, cache_write] = counts;
        TokenCounts { input, output, cache_read, cache_write_5m, cache_write_1h, cache_write }
    }

    fn sum(&self, place: usize, entry: &Entry, prices: &Prices) -> Sum {
        let tokens = self.counts(u32::try_from(place).unwrap_or(u32::MAX));
        let at = Wall(i64::from(entry.at).saturating_mul(1_000));
        let extras = &self.extras[(entry.extras >> 1) as usize];
        let cost = prices.cost(self.names.of(entry.model), at, &tokens, extras);
        let (nanos, unpriced) = match cost {
            Cost::Priced(money) => (money.0, 0),
            Cost::Unpriced => (0, tokens.total()),
        };
        Sum { responses: 1, tokens, reasoning: u64::from(entry.reasoning), nanos, unpriced }
    }

    fn name(&self, by: By, group: u32, prices: &Prices) -> String {
        match by {
            By::Day if group == 0 => "unknown".to_owned(),
            By::Day => {
                let day = Wall(i64::from(group).saturating_mul(86_400_000)).to_string();
                day.get(..10).unwrap_or_default().to_owned()
            }
            By::Model => prices.label(self.names.of(group)).model,
            By::Project | By::Conversation => match self.names.of(group) {
                "" => "unknown".to_owned(),
                name => name.to_owned(),
            },
        }
    }
}

impl Sum {
    fn add(&mut self, other: &Self) {
        self.responses += other.responses;
        self.tokens = self.tokens.plus(&other.tokens);
        self.reasoning = self.reasoning.saturating_add(other.reasoning);
        self.nanos = self.nanos.saturating_add(other.nanos);
        self.unpriced = self.unpriced.saturating_add(other.unpriced);
    }
}

impl Entry {
    fn group(&self, by: By) -> u32 {
        match by {
            By::Day => self.at / 86_400,
            By::Model => self.model,
            By::Project => self.project,
            By::Conversation => self.conversation,
        }
    }

    /// Whether its conversation is that of a main chain, which told it itself.
    fn claims(&self) -> bool {
        self.extras & 1 == 1
    }
}

impl Names {
    fn place(&mut self, name: &str) -> u32 {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let place = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(name.into());
        self.places.insert(name.into(), place);
        place
    }

    fn of(&self, place: u32) -> &str {
        self.all.get(place as usize).map_or("", |name| name)
    }
}

/// Whether a line belongs to the conversation that the response was given in.
fn claims(told: &Sighting) -> bool {
    !told.sidechain && told.thread.copied_from.is_none() && !told.conversation.is_empty()
}

fn seconds(at: Option<Wall>) -> u32 {
    at.and_then(|at| u32::try_from(at.0.div_euclid(1_000)).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
