//! Which source is believed of a conversation, so that what two of them tell is counted once.
//!
//! Owns the rule: the best source that ever told of a conversation counts, the others only say how
//! far apart they are. A better one that turns up late tells again what a worse one was counted
//! for, so that as many of its tokens are withheld, from what it tells of that time. Refuses to
//! match responses by their look: sources cut them differently. What was counted outlives us by
//! [`CountedBefore`].

use std::collections::{BTreeMap, HashMap};

use crate::tokens::seen::Seen;
use crate::tokens::{Cost, CountedBefore, TokenCounts, Usage, UsageSource};
use crate::units::{Money, Wall};

/// A better source may give the same response a time that is this much later: of its last line
/// rather than of its request.
const SLACK_MS: i64 = 30_000;

/// Conversations that are known at least, the newest; at most twice as many, some 200 bytes each.
const GENERATION: usize = 10_000;

const SOURCES: usize = UsageSource::ALL.len();

/// What every source told.
#[derive(Debug, Default)]
pub struct Precedence {
    young: HashMap<String, Told>,
    old: HashMap<String, Told>,
    /// The keys of what was counted from elsewhere than transcripts, whose book knows its own.
    seen: Seen,
    apart: BTreeMap<String, Apart>,
}

/// What each source told of one conversation, by its place in [`UsageSource::ALL`].
#[derive(Clone, Debug, Default)]
struct Told {
    /// Tokens in this life.
    heard: [u64; SOURCES],
    /// Tokens that were counted, in any life.
    counted: [u64; SOURCES],
    /// Tokens that were not, because a worse source had been counted for them.
    withheld: [u64; SOURCES],
    /// The latest time that something was counted for.
    latest: [Option<Wall>; SOURCES],
}

/// How far apart two sources are, in tokens of the conversations that both told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Apart {
    /// What the best ones told.
    pub told: u64,
    /// By how much the others differ from it.
    pub differ: u64,
}

impl Apart {
    /// The difference over what is true; nothing where no other source told anything.
    pub fn ratio(&self) -> Option<f64> {
        // A label of a gauge: 53 bits are plenty.
        (self.told > 0).then(|| self.differ as f64 / self.told as f64)
    }
}

impl Precedence {
    /// Makes known what earlier lives counted, and by which keys.
    pub fn resume(&mut self, counted: Vec<CountedBefore>, keys: Vec<crate::tokens::UsageKey>) {
        self.seen.extend(keys);
        for before in counted {
            let place = before.source as usize;
            let told = self.conversation(&before.conversation);
            told.counted[place] = told.counted[place].saturating_add(before.tokens);
            told.withheld[place] = told.withheld[place].saturating_add(before.withheld);
            told.latest[place] = told.latest[place].max(Some(before.latest));
        }
    }

    /// The part of a response that counts, which may be nothing of it but its key; `None` where it
    /// is known, or told by a source that is not believed.
    pub fn hear(&mut self, usage: Usage) -> Option<Usage> {
        let place = usage.source as usize;
        let total = usage.tokens.total();
        let known = self.seen.has(usage.key);
        if known && usage.source != UsageSource::Transcript {
            return None;
        }
        if usage.conversation.is_empty() {
            return (!known).then(|| self.keep(usage));
        }
        let agent = usage.agent.clone();
        let told = self.conversation(&usage.conversation);
        let before = told.apart();
        told.heard[place] = told.heard[place].saturating_add(total);
        let verdict = told.verdict(place, total, usage.at, known);
        let after = told.apart();
        self.compare(agent, before, after);
        let withheld = verdict?;
        Some(self.keep(without(usage, withheld)))
    }

    /// The part of a response that would count if it were over now.
    pub fn foresee(&self, usage: Usage) -> Option<Usage> {
        let known = self.seen.has(usage.key);
        let id = usage.conversation.as_str();
        let told = self.young.get(id).or_else(|| self.old.get(id));
        let mut told = told.cloned().unwrap_or_default();
        let withheld =
            told.verdict(usage.source as usize, usage.tokens.total(), usage.at, known)?;
        Some(without(usage, withheld))
    }

    /// How far the sources are apart, by agent; only where there is more than one.
    pub fn apart(&self) -> &BTreeMap<String, Apart> {
        &self.apart
    }

    fn keep(&mut self, usage: Usage) -> Usage {
        if usage.source != UsageSource::Transcript {
            self.seen.add(usage.key);
        }
        usage
    }

    fn compare(&mut self, agent: String, before: Apart, after: Apart) {
        if before == after {
            return;
        }
        let sum = self.apart.entry(agent).or_default();
        sum.told = (sum.told + after.told).saturating_sub(before.told);
        sum.differ = (sum.differ + after.differ).saturating_sub(before.differ);
    }

    fn conversation(&mut self, id: &str) -> &mut Told {
        if !self.young.contains_key(id) {
            let told = self.old.remove(id).unwrap_or_default();
            if self.young.len() >= GENERATION {
                self.old = std::mem::take(&mut self.young);
            }
            self.young.insert(id.to_owned(), told);
        }
        self.young.entry(id.to_owned()).or_default()
    }
}

impl Told {
    /// How many of these tokens are withheld; `None` where a better source is known.
    fn verdict(&mut self, place: usize, total: u64, at: Wall, known: bool) -> Option<u64> {
        if (0..place).any(|better| self.has(better)) {
            return None;
        }
        let withheld = if known { total } else { self.owed(place, at).min(total) };
        self.counted[place] = self.counted[place].saturating_add(total - withheld);
        self.withheld[place] = self.withheld[place].saturating_add(withheld);
        self.latest[place] = self.latest[place].max(Some(at));
        Some(withheld)
    }

    /// Whether a source told something that counts, or that was counted for another.
    fn has(&self, place: usize) -> bool {
        self.latest[place].is_some()
    }

    /// What worse sources were counted for until then, and this one did not tell again so far.
    fn owed(&self, place: usize, at: Wall) -> u64 {
        let worse = place + 1..SOURCES;
        let until = worse.clone().filter_map(|worse| self.latest[worse]).max();
        if until.is_none_or(|until| at.0 > until.0.saturating_add(SLACK_MS)) {
            return 0;
        }
        let counted: u64 = worse.map(|worse| self.counted[worse]).fold(0, u64::saturating_add);
        counted.saturating_sub(self.withheld[place])
    }

    fn apart(&self) -> Apart {
        let mut heard = (0..SOURCES).filter(|place| self.heard[*place] > 0);
        let Some(best) = heard.next() else { return Apart::default() };
        let told = self.heard[best];
        match heard.map(|other| self.heard[other].abs_diff(told)).max() {
            Some(differ) => Apart { told, differ },
            None => Apart::default(),
        }
    }
}

/// A response without some of its tokens, kind by kind in proportion, and its cost likewise.
fn without(usage: Usage, withheld: u64) -> Usage {
    let total = usage.tokens.total();
    if withheld == 0 {
        return usage;
    }
    let left = total.saturating_sub(withheld);
    let of = |Money(nanos)| Money(part(nanos, left, total));
    let cost = match usage.cost {
        Cost::Priced(money) => Cost::Priced(of(money)),
        Cost::Estimated(money) => Cost::Estimated(of(money)),
        Cost::Unpriced => Cost::Unpriced,
    };
    let reasoning = usage.reasoning;
    let tokens = share(&usage.tokens, left, total);
    Usage { tokens, cost, withheld, reasoning: reasoning.min(tokens.output), ..usage }
}

/// So many of these tokens, in proportion; what rounding leaves goes to the first kind with room.
fn share(tokens: &TokenCounts, left: u64, total: u64) -> TokenCounts {
    let of = |count: u64| {
        let part = u128::from(count) * u128::from(left) / u128::from(total.max(1));
        u64::try_from(part).unwrap_or(u64::MAX)
    };
    let mut shared = TokenCounts {
        input: of(tokens.input),
        output: of(tokens.output),
        cache_read: of(tokens.cache_read),
        cache_write_5m: of(tokens.cache_write_5m),
        cache_write_1h: of(tokens.cache_write_1h),
        cache_write: of(tokens.cache_write),
    };
    let mut rest = left.saturating_sub(shared.total());
    let places = [
        (&mut shared.input, tokens.input),
        (&mut shared.output, tokens.output),
        (&mut shared.cache_read, tokens.cache_read),
        (&mut shared.cache_write_5m, tokens.cache_write_5m),
        (&mut shared.cache_write_1h, tokens.cache_write_1h),
        (&mut shared.cache_write, tokens.cache_write),
    ];
    for (place, most) in places {
        let more = rest.min(most - *place);
        *place += more;
        rest -= more;
    }
    shared
}

/// An amount in proportion, rounded down.
fn part(amount: i64, left: u64, total: u64) -> i64 {
    let part = i128::from(amount) * i128::from(left) / i128::from(total.max(1));
    i64::try_from(part).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
