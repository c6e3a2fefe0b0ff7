//! What was told of each conversation and model, and what a result adds to it.

use std::collections::BTreeMap;

use crate::tokens::agents::{Extras, Sighting};
use crate::tokens::stdout::Total;
use crate::tokens::{TokenCounts, UsageKey, UsageSource};

/// Conversations and models that are remembered, the latest; a conversation has one to three.
const MOST: usize = 4_096;

/// What was told.
#[derive(Debug, Default)]
pub struct Accounts {
    by: BTreeMap<(String, String), Account>,
    /// Counts what is told, by which the one that was silent for longest is found.
    turn: u64,
}

/// Of one conversation and model.
#[derive(Clone, Debug, Default)]
struct Account {
    /// What a sum since the beginning holds of what was told already.
    booked: TokenCounts,
    searches: u64,
    reasoning: u64,
    /// What responses told since the last result.
    lately: TokenCounts,
    /// The last sum.
    last: Option<TokenCounts>,
    /// Whether a response was told.
    responses: bool,
    turn: u64,
}

impl Accounts {
    /// Books a response as it is told now, in the place of what was told of it before.
    pub fn spent(
        &mut self,
        conversation: &str,
        label: &str,
        told: &Sighting,
        before: Option<&Sighting>,
    ) {
        if let Some(before) = before.filter(|before| before.model != told.model) {
            // The model changed midway: what was told first was of another.
            let known = self.by.values_mut().find(|one| one.responses && one.has(before));
            if let Some(account) = known {
                account.take_back(before);
            }
            return self.account(conversation, label).add(told, None);
        }
        self.account(conversation, label).add(told, before);
    }

    /// What a result tells that was not told yet, and whether it is the first that is told at all.
    /// `resumed` says that a first sum may hold what was spent before the process began.
    pub fn rest(&mut self, label: &str, total: &Total, resumed: bool) -> Option<(Sighting, bool)> {
        // A result after a crash may be all zeros.
        if total.tokens.total() == 0 {
            return None;
        }
        let account = self.account(&total.conversation, label);
        let before = account.booked;
        let (tokens, searches, reasoning) = match total.cumulative {
            true => account.sum(total, resumed),
            false => account.since_last(total),
        };
        let first = !std::mem::replace(&mut account.responses, true);
        if tokens.total() == 0 {
            return None;
        }
        let told = Sighting {
            key: key(total, &before),
            source: UsageSource::Stdout,
            conversation: total.conversation.clone(),
            model: total.model.clone(),
            tokens,
            reasoning: reasoning.min(tokens.output),
            extras: Extras { web_searches: searches, summed: true, ..total.extras.clone() },
            ..Sighting::default()
        };
        Some((told, first))
    }

    fn account(&mut self, conversation: &str, label: &str) -> &mut Account {
        self.turn += 1;
        let turn = self.turn;
        let key = (conversation.to_owned(), label.to_owned());
        if !self.by.contains_key(&key) && self.by.len() >= MOST {
            let oldest = self.by.iter().min_by_key(|(_, one)| one.turn);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.by.remove(&oldest);
            }
        }
        let account = self.by.entry(key).or_default();
        account.turn = turn;
        account
    }
}

impl Account {
    fn has(&self, told: &Sighting) -> bool {
        self.lately.minus(&told.tokens).plus(&told.tokens) == self.lately
    }

    fn add(&mut self, told: &Sighting, before: Option<&Sighting>) {
        if let Some(before) = before {
            self.take_back(before);
        }
        self.booked = self.booked.plus(&told.tokens);
        self.lately = self.lately.plus(&told.tokens);
        self.searches = self.searches.saturating_add(told.extras.web_searches);
        self.reasoning = self.reasoning.saturating_add(told.reasoning);
        self.responses = true;
    }

    fn take_back(&mut self, told: &Sighting) {
        self.booked = self.booked.minus(&told.tokens);
        self.lately = self.lately.minus(&told.tokens);
        self.searches = self.searches.saturating_sub(told.extras.web_searches);
        self.reasoning = self.reasoning.saturating_sub(told.reasoning);
    }

    /// What a sum since the beginning holds that was not told yet.
    fn sum(&mut self, total: &Total, resumed: bool) -> (TokenCounts, u64, u64) {
        let now = total.tokens;
        if self.last == Some(now) {
            // The same sum, told again.
            return (TokenCounts::default(), 0, 0);
        }
        match self.last {
            None if resumed => self.begin_behind(total),
            Some(last) if fell(&last, &now) || lacks(&now.minus(&last), total.lately.as_ref()) => {
                // It began anew: of what was told only the latest is in it.
                (self.booked, self.searches, self.reasoning) = (self.lately, 0, 0);
            }
            None | Some(_) => {}
        }
        let rest = beyond(&now, &self.booked);
        let searches = total.extras.web_searches.saturating_sub(self.searches);
        let reasoning = total.reasoning.saturating_sub(self.reasoning);
        self.booked = self.booked.plus(&rest);
        self.searches += searches;
        self.reasoning += reasoning;
        (self.lately, self.last) = (TokenCounts::default(), Some(now));
        (rest, searches, reasoning)
    }

    /// The first sum of a conversation that goes on: what was not spent by this process is history.
    fn begin_behind(&mut self, total: &Total) {
        let own = total.lately.unwrap_or_default();
        let own = beyond(&own, &self.lately).plus(&self.lately);
        // A sum that holds no more than that began with the process.
        self.booked = total.tokens.minus(&own).plus(&self.lately);
        self.searches = total.extras.web_searches;
        self.reasoning = total.reasoning;
    }

    /// What was spent since the last result and is not told yet.
    fn since_last(&mut self, total: &Total) -> (TokenCounts, u64, u64) {
        let rest = beyond(&total.tokens, &self.lately);
        self.booked = self.booked.plus(&rest);
        self.lately = TokenCounts::default();
        (rest, total.extras.web_searches, total.reasoning)
    }
}

/// Whether a sum is smaller than an earlier one in any kind.
fn fell(last: &TokenCounts, now: &TokenCounts) -> bool {
    now.input < last.input
        || now.output < last.output
        || now.cache_read < last.cache_read
        || written(now) < written(last)
}

/// Whether less was added than the last call alone spent.
fn lacks(added: &TokenCounts, lately: Option<&TokenCounts>) -> bool {
    lately.is_some_and(|call| fell(call, added))
}

/// What `all` holds beyond `told`, kind by kind; how long a cache was written for is told by some
/// lines only, so that those kinds are one here.
fn beyond(all: &TokenCounts, told: &TokenCounts) -> TokenCounts {
    let rest = written(all).saturating_sub(written(told));
    let long = all.cache_write_1h.saturating_sub(told.cache_write_1h).min(rest);
    let unknown = all.cache_write.saturating_sub(told.cache_write).min(rest - long);
    TokenCounts {
        cache_write_5m: rest - long - unknown,
        cache_write_1h: long,
        cache_write: unknown,
        ..all.minus(told)
    }
}

fn written(tokens: &TokenCounts) -> u64 {
    tokens.cache_write_5m + tokens.cache_write_1h + tokens.cache_write
}

/// The same for the same sum, however often it is told.
fn key(total: &Total, before: &TokenCounts) -> UsageKey {
    let TokenCounts { input, output, cache_read, .. } = total.tokens;
    let id = format!(
        "{}\0{}\0{input}\0{output}\0{cache_read}\0{}\0{}",
        total.conversation,
        total.model,
        written(&total.tokens),
        before.total(),
    );
    UsageKey::of("stdout sum", id.as_bytes())
}
