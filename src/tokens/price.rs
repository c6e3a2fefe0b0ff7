//! Turns the tokens of one response into money, by a dated table that is data.
//!
//! Owns the table, the spelling of model names and the arithmetic: integer pico-dollars per token,
//! sums in 128 bits, rounded once per response to nano-dollars. Refuses to guess: a model that is
//! not in the table under an exact spelling, a kind of token that it has no price for, or a
//! surcharge that it does not know makes the response [`Cost::Unpriced`], never cheap and never
//! free. What was priced once is never priced again.

mod litellm;
mod overrides;

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::tokens::agents::Extras;
use crate::tokens::model_name::{Origin, spellings};
use crate::tokens::{Cost, TokenCounts, TokenKind};
use crate::units::{Money, Wall};

/// The table that is part of the binary.
const EMBEDDED: &str = include_str!("prices.json");

/// Pico-dollars in a nano-dollar.
const PICO_PER_NANO: i128 = 1_000;

/// Surcharges and discounts are in per cent of the list price.
const PER_CENT: i128 = 100;

/// What tokens cost, by model and date.
#[derive(Clone, Debug, Default)]
pub struct Prices {
    as_of: Option<Wall>,
    web_search_request: u64,
    models: HashMap<String, Arc<Model>>,
    /// By whose prices a response is estimated whose model has none.
    fallback: Option<String>,
}

/// What a model and its provider are called in labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelLabel {
    /// The table's name where it has one, else the name as given without date and region.
    pub model: String,
    /// Who answered, in OpenTelemetry's names; `unknown` for a model that is not in the table.
    pub provider: &'static str,
}

#[derive(Debug)]
struct Model {
    name: String,
    /// Who answers, where it is not Anthropic or a cloud that sells its models.
    provider: Option<&'static str>,
    context: u64,
    batch: Option<u32>,
    flex: Option<u32>,
    priority: Option<u32>,
    fast: Option<u32>,
    us: Option<u32>,
    regional: Option<u32>,
    prices: Vec<Price>,
}

/// What a model costs from a day on.
#[derive(Debug)]
struct Price {
    from: Wall,
    rates: Rates,
    /// By how long a prompt they begin, the shortest first.
    above: Vec<Above>,
}

/// Pico-dollars per token; absent where no price is known.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rates {
    input: Option<u64>,
    output: Option<u64>,
    cache_read: Option<u64>,
    cache_write_5m: Option<u64>,
    cache_write_1h: Option<u64>,
    cache_write: Option<u64>,
}

/// The rates of the whole request, every kind of it, once its prompt is longer than this.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Above {
    tokens: u64,
    rates: Rates,
}

/// The file's own shape.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "source")]
    _source: String,
    as_of: String,
    web_search_request: u64,
    models: HashMap<String, FileModel>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileModel {
    #[serde(default)]
    aliases: Vec<String>,
    provider: Option<String>,
    context: u64,
    batch: Option<u32>,
    flex: Option<u32>,
    priority: Option<u32>,
    fast: Option<u32>,
    us: Option<u32>,
    regional: Option<u32>,
    prices: Vec<FilePrice>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FilePrice {
    from: Option<String>,
    rates: Rates,
    above: Option<Above>,
}

impl Prices {
    /// The table that is part of the binary. A test holds that it can be read.
    pub fn embedded() -> Self {
        Self::parse(EMBEDDED).unwrap_or_default()
    }

    /// Reads a table, or says what is wrong with it; it is taken whole or not at all.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File =
            serde_json::from_str(text).map_err(|e| format!("cannot read the price table: {e}"))?;
        let mut models = HashMap::with_capacity(file.models.len());
        for (name, entry) in file.models {
            let aliases = entry.aliases.clone();
            let model = Arc::new(entry.checked(&name)?);
            for key in aliases.into_iter().chain([name]) {
                if models.insert(key.clone(), Arc::clone(&model)).is_some() {
                    return Err(format!("cannot read the price table: {key} is there twice"));
                }
            }
        }
        let as_of = Some(day(&file.as_of)?);
        let web_search_request = file.web_search_request;
        Ok(Self { as_of, web_search_request, models, fallback: None })
    }

    /// The day the table was made.
    pub fn as_of(&self) -> Option<Wall> {
        self.as_of
    }

    /// How many tokens a prompt of this model may have, where that is known.
    pub fn context_window(&self, model: &str) -> Option<u64> {
        if model.ends_with("[1m]") {
            return Some(1_000_000);
        }
        self.find(model).map(|(model, _)| model.context)
    }

    /// What a model is called in labels.
    pub fn label(&self, model: &str) -> ModelLabel {
        match self.find(model) {
            Some((found, origin)) => {
                let provider = found.provider.unwrap_or_else(|| origin.provider());
                ModelLabel { model: found.name.clone(), provider }
            }
            None => ModelLabel { model: plain_name(model), provider: "unknown" },
        }
    }

    /// What a response cost on its day.
    pub fn cost(&self, model: &str, at: Wall, tokens: &TokenCounts, extras: &Extras) -> Cost {
        match self.nanos(model, at, tokens, extras) {
            Some(money) => Cost::Priced(money),
            None => self.estimate(model, at, tokens, extras).unwrap_or(Cost::Unpriced),
        }
    }

    /// By the prices of the model that stands for unknown ones; nothing for one that is known and has
    /// no price for what was used.
    fn estimate(
        &self,
        model: &str,
        at: Wall,
        tokens: &TokenCounts,
        extras: &Extras,
    ) -> Option<Cost> {
        let fallback = self.fallback.as_deref().filter(|_| self.find(model).is_none())?;
        self.nanos(fallback, at, tokens, extras).map(Cost::Estimated)
    }

    /// These prices, with those of a model for all that are unknown; `None` where it is unknown itself.
    pub fn with_fallback(mut self, model: &str) -> Option<Self> {
        self.find(model)?;
        self.fallback = Some(model.to_owned());
        Some(self)
    }

    fn nanos(&self, model: &str, at: Wall, tokens: &TokenCounts, extras: &Extras) -> Option<Money> {
        let (model, origin) = self.find(model)?;
        let price = model.on(at)?;
        let compaction = price.pico(&extras.compaction, false)?;
        let rest = price.pico(&tokens.minus(&extras.compaction), extras.summed)?;
        let pico = rest.saturating_add(compaction);
        // Three factors in per cent, kept as whole numbers until the one rounding.
        let factors = [
            model.of_tier(extras)?,
            if extras.fast { model.fast? } else { 100 },
            model.of_place(origin, extras),
        ];
        let unit = PER_CENT.pow(3);
        let tokens_cost = factors.iter().fold(pico, |sum, f| sum.saturating_mul(i128::from(*f)));
        let searches = product(extras.web_searches, self.web_search_request).saturating_mul(unit);
        Some(rounded(tokens_cost.saturating_add(searches), unit * PICO_PER_NANO))
    }

    fn find(&self, model: &str) -> Option<(&Model, Origin)> {
        let (origin, spellings) = spellings(model);
        let found = spellings.iter().find_map(|spelling| self.models.get(spelling))?;
        Some((found, origin))
    }
}

impl Model {
    /// The price of the day: the last that had begun, or the first there ever was.
    fn on(&self, at: Wall) -> Option<&Price> {
        self.prices.iter().rev().find(|price| price.from <= at).or(self.prices.first())
    }

    /// A tier of service that the table has no price for (Anthropic's `priority` is by contract) has
    /// none.
    fn of_tier(&self, extras: &Extras) -> Option<u32> {
        match extras.service_tier.as_deref() {
            None | Some("standard" | "auto" | "default") => Some(100),
            Some("batch") => self.batch,
            Some("flex") => self.flex,
            Some("priority") => self.priority,
            Some(_) => None,
        }
    }

    /// A regional endpoint of Bedrock, or inference bound to the United States, costs more where
    /// the table says so; the two do not occur together.
    fn of_place(&self, origin: Origin, extras: &Extras) -> u32 {
        let surcharge = match origin {
            Origin::BedrockRegional => self.regional,
            _ if extras.inference_geo.as_deref() == Some("us") => self.us,
            _ => None,
        };
        surcharge.unwrap_or(100)
    }
}

impl Price {
    /// Of tokens that are `summed` over several requests no prompt is known to be long.
    fn pico(&self, tokens: &TokenCounts, summed: bool) -> Option<i128> {
        let prompt = if summed { 0 } else { prompt(tokens) };
        let above = self.above.iter().rev().find(|above| prompt > above.tokens);
        let rates = above.map_or(&self.rates, |above| &above.rates);
        TokenKind::ALL.iter().try_fold(0i128, |sum, kind| {
            let used = tokens.of(*kind);
            let rate = if used == 0 { 0 } else { rates.of(*kind)? };
            Some(sum.saturating_add(product(used, rate)))
        })
    }
}

impl Rates {
    /// These, and where there is none those of `other`.
    fn or(&self, other: &Self) -> Self {
        Self {
            input: self.input.or(other.input),
            output: self.output.or(other.output),
            cache_read: self.cache_read.or(other.cache_read),
            cache_write_5m: self.cache_write_5m.or(other.cache_write_5m),
            cache_write_1h: self.cache_write_1h.or(other.cache_write_1h),
            cache_write: self.cache_write.or(other.cache_write),
        }
    }

    fn of(&self, kind: TokenKind) -> Option<u64> {
        match kind {
            TokenKind::Input => self.input,
            TokenKind::Output => self.output,
            TokenKind::CacheRead => self.cache_read,
            TokenKind::CacheWrite5m => self.cache_write_5m,
            TokenKind::CacheWrite1h => self.cache_write_1h,
            // Five minutes is what a provider writes for where nobody asks for more.
            TokenKind::CacheWrite => self.cache_write.or(self.cache_write_5m),
        }
    }
}

impl FileModel {
    fn checked(self, name: &str) -> Result<Model, String> {
        let mut prices = Vec::with_capacity(self.prices.len());
        for price in self.prices {
            let from = price.from.as_deref().map_or(Ok(Wall(i64::MIN)), day)?;
            prices.push(Price {
                from,
                rates: price.rates,
                above: price.above.into_iter().collect(),
            });
        }
        if prices.is_empty() || !prices.is_sorted_by(|a, b| a.from < b.from) {
            return Err(format!(
                "cannot read the price table: the prices of {name} must be there, oldest first"
            ));
        }
        Ok(Model {
            name: name.to_owned(),
            provider: self.provider.as_deref().map(|word| provider(word, name)).transpose()?,
            context: self.context,
            batch: self.batch,
            flex: self.flex,
            priority: self.priority,
            fast: self.fast,
            us: self.us,
            regional: self.regional,
            prices,
        })
    }
}

/// OpenTelemetry's name for who answers.
fn provider(word: &str, model: &str) -> Result<&'static str, String> {
    let known = ["openai", "gcp.gemini"].into_iter().find(|known| *known == word);
    known.ok_or_else(|| {
        format!("cannot read the price table: {word} of {model} is no provider that is known")
    })
}

/// The whole prompt: what was read anew, read from a cache and written to one.
fn prompt(tokens: &TokenCounts) -> u64 {
    tokens.total().saturating_sub(tokens.output)
}

/// Pinned rather than wrapped: two numbers of 64 bits may need 128 and a sign.
fn product(count: u64, rate: u64) -> i128 {
    i128::from(count).saturating_mul(i128::from(rate))
}

/// Half up, and pinned at the largest amount rather than wrapped.
fn rounded(amount: i128, unit: i128) -> Money {
    let nanos = amount.saturating_add(unit / 2) / unit;
    Money(i64::try_from(nanos).unwrap_or(i64::MAX))
}

/// Midnight UTC of `2026-11-20`.
fn day(text: &str) -> Result<Wall, String> {
    Wall::parse(&format!("{text}T00:00:00Z"))
        .ok_or_else(|| format!("cannot read the price table: {text} is not a day like 2026-11-20"))
}

/// The plainest spelling, cut to a length that a label can bear.
fn plain_name(model: &str) -> String {
    const LONGEST: usize = 64;
    let (_, mut spellings) = spellings(model);
    let plain = spellings.pop().unwrap_or_default();
    if plain.is_empty() { "unknown".to_owned() } else { plain.chars().take(LONGEST).collect() }
}

#[cfg(test)]
mod tests;
