//! Prices in the form of LiteLLM's `model_prices_and_context_window.json`, which people keep up to
//! date: laid over the table that is part of the binary, model by model.
//!
//! Taken whole or not at all. Of its many keys only those about tokens are looked at; one of them
//! that is not understood, or a price that is none, refuses the file.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Above, Model, Price, Prices, Rates};
use crate::tokens::TokenKind;
use crate::units::Wall;

/// The most models that a file may have; the original has some 5,000.
const MOST_MODELS: usize = 100_000;

/// Pico-dollars in a dollar.
const PICO: f64 = 1e12;

/// No token costs a dollar.
const DEAREST: f64 = 1.0;

/// What a key's name begins with, and which kind of token it prices.
const KINDS: [(&str, TokenKind); 4] = [
    ("input_cost_per_token", TokenKind::Input),
    ("output_cost_per_token", TokenKind::Output),
    ("cache_read_input_token_cost", TokenKind::CacheRead),
    ("cache_creation_input_token_cost", TokenKind::CacheWrite),
];

/// What may follow, beside a threshold: prices of tiers and forms that responses do not tell of here.
const TIERS: [&str; 5] = ["batches", "flex", "priority", "ultrafast", "fast"];

impl Prices {
    /// These prices, with those of a file in place of what they say of the same models; or what is
    /// wrong with the file. `as_of` is the day that it is of.
    pub fn with_litellm(&self, text: &str, as_of: Option<Wall>) -> Result<Self, String> {
        let wrong = |why: String| format!("cannot read the price table: {why}");
        let entries: BTreeMap<String, Map<String, Value>> = serde_json::from_str(text)
            .map_err(|error| wrong(format!("it is no map of models: {error}")))?;
        if entries.len() > MOST_MODELS {
            return Err(wrong(format!("it has more than {MOST_MODELS} models")));
        }
        let mut models = self.models.clone();
        let mut read = HashMap::new();
        for (name, entry) in entries.iter().filter(|(name, _)| *name != "sample_spec") {
            if let Some(model) = model(self, name, entry).map_err(wrong)? {
                read.insert(name.to_ascii_lowercase(), Arc::new(model));
            }
        }
        // A name with its provider in front is found by its bare name, unless that has its own.
        for (name, model) in &read {
            let bare = name
                .rsplit_once('/')
                .filter(|(front, _)| matches!(*front, "anthropic" | "openai" | "gemini"));
            if let Some((_, bare)) = bare.filter(|(_, bare)| !read.contains_key(*bare)) {
                models.insert(bare.to_owned(), Arc::clone(model));
            }
        }
        models.extend(read);
        Ok(Self { models, as_of: as_of.or(self.as_of), ..self.clone() })
    }
}

/// A model; `None` for what is not sold by the token.
fn model(known: &Prices, name: &str, entry: &Map<String, Value>) -> Result<Option<Model>, String> {
    let (mut rates, mut tiers) = (Rates::default(), BTreeMap::<u64, Rates>::new());
    let mut batch = Rates::default();
    for (key, value) in entry.iter().filter(|(_, value)| !value.is_null()) {
        let Some((kind, suffix)) =
            KINDS.iter().find_map(|(base, kind)| Some((*kind, key.strip_prefix(base)?)))
        else {
            continue;
        };
        let price = pico(value).map_err(|why| format!("{key} of {name} {why}"))?;
        match meaning(suffix).ok_or_else(|| format!("{key} of {name} is not understood"))? {
            Meaning::Usual => set(&mut rates, kind, price),
            Meaning::OneHour => rates.cache_write_1h = Some(price),
            Meaning::Above(tokens) => set(tiers.entry(tokens).or_default(), kind, price),
            Meaning::AboveOneHour(tokens) => {
                tiers.entry(tokens).or_default().cache_write_1h = Some(price);
            }
            Meaning::Batch => set(&mut batch, kind, price),
            Meaning::Unused => {}
        }
    }
    if rates.input.is_none() && rates.output.is_none() {
        return Ok(None);
    }
    // What a longer prompt makes no dearer is left out there.
    let mut below = rates;
    let above = tiers.into_iter().map(|(tokens, rates)| {
        below = rates.or(&below);
        Above { tokens, rates: below }
    });
    let above = above.collect();
    let embedded = known.find(name).map(|(model, _)| model);
    let specific = entry.get("provider_specific_entry");
    let per_cent = |what: &str| {
        let factor = specific?.get(what)?.as_f64()?;
        (1.0..100.0).contains(&factor).then(|| (factor * 100.0).round() as u32)
    };
    let context = entry.get("max_input_tokens").and_then(Value::as_u64);
    Ok(Some(Model {
        name: embedded.map_or_else(|| name.to_ascii_lowercase(), |model| model.name.clone()),
        provider: match entry.get("litellm_provider").and_then(Value::as_str) {
            Some("openai") => Some("openai"),
            Some("gemini") => Some("gcp.gemini"),
            Some("anthropic") => None,
            _ => embedded.map_or(Some("unknown"), |model| model.provider),
        },
        context: context.or(embedded.map(|model| model.context)).unwrap_or(0),
        batch: part(&batch, &rates),
        flex: embedded.and_then(|model| model.flex),
        priority: embedded.and_then(|model| model.priority),
        fast: per_cent("fast").or(embedded.and_then(|model| model.fast)),
        us: per_cent("us").or(embedded.and_then(|model| model.us)),
        regional: embedded.and_then(|model| model.regional),
        prices: vec![Price { from: Wall(i64::MIN), rates, above }],
    }))
}

/// What the end of a key's name means.
enum Meaning {
    Usual,
    OneHour,
    Above(u64),
    AboveOneHour(u64),
    Batch,
    Unused,
}

fn meaning(suffix: &str) -> Option<Meaning> {
    let mut rest = suffix;
    let (mut hour, mut above, mut unused, mut batch) = (false, None, false, false);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("_above_1hr") {
            (hour, rest) = (true, after);
        } else if let Some(after) = rest.strip_prefix("_above_12hr") {
            (unused, rest) = (true, after);
        } else if let Some((thousands, after)) =
            rest.strip_prefix("_above_").and_then(|rest| rest.split_once("k_tokens"))
        {
            above = Some(thousands.parse::<u64>().ok()?.checked_mul(1_000)?);
            rest = after;
        } else {
            let tier = rest.strip_prefix('_')?;
            let tier = TIERS.iter().find(|known| tier.starts_with(**known))?;
            batch |= *tier == "batches";
            unused |= *tier != "batches";
            rest = &rest[1 + tier.len()..];
        }
    }
    Some(match (unused, batch, hour, above) {
        (true, ..) | (_, true, true, _) | (_, true, _, Some(_)) => Meaning::Unused,
        (_, true, ..) => Meaning::Batch,
        (.., true, Some(tokens)) => Meaning::AboveOneHour(tokens),
        (.., true, None) => Meaning::OneHour,
        (.., false, Some(tokens)) => Meaning::Above(tokens),
        (.., false, None) => Meaning::Usual,
    })
}

/// A price of Anthropic's cache writes is that of five minutes where one for an hour stands beside
/// it; it is also what one costs whose time is not known.
fn set(rates: &mut Rates, kind: TokenKind, price: u64) {
    match kind {
        TokenKind::Input => rates.input = Some(price),
        TokenKind::Output => rates.output = Some(price),
        TokenKind::CacheRead => rates.cache_read = Some(price),
        _ => {
            rates.cache_write_5m = Some(price);
            rates.cache_write = Some(price);
        }
    }
}

/// The part of the usual price that a batch costs, in per cent, where it is the same for all kinds.
fn part(batch: &Rates, usual: &Rates) -> Option<u32> {
    let parts = [(batch.input, usual.input), (batch.output, usual.output)];
    let mut parts = parts.into_iter().filter_map(|(batch, usual)| {
        let (batch, usual) = (batch?, usual.filter(|usual| *usual > 0)?);
        u32::try_from(batch * 100 / usual).ok()
    });
    let first = parts.next()?;
    parts.all(|part| part == first).then_some(first)
}

/// Pico-dollars per token.
fn pico(value: &Value) -> Result<u64, &'static str> {
    // LiteLLM has a few numbers as text.
    let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
    let number = number.filter(|number| number.is_finite()).ok_or("is no number")?;
    match number {
        less if less < 0.0 => Err("is less than nothing"),
        more if more > DEAREST => Err("is more than a dollar for a token"),
        // The bound above makes it fit.
        price => Ok((price * PICO).round() as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::agents::Extras;
    use crate::tokens::{Cost, TokenCounts};

    const FILE: &str = r#"{
        "sample_spec": {"input_cost_per_token": "a price"},
        "new-model": {"input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05,
            "cache_creation_input_token_cost": 3.75e-06,
            "cache_creation_input_token_cost_above_1hr": 6e-06,
            "cache_read_input_token_cost": 3e-07, "input_cost_per_token_above_200k_tokens": 6e-06,
            "output_cost_per_token_above_200k_tokens": 2.25e-05, "input_cost_per_token_batches":
            1.5e-06, "input_cost_per_token_above_512k_tokens": 9e-06, "output_cost_per_token_batches": 7.5e-06, "max_input_tokens": 1000000,
            "litellm_provider": "anthropic", "supports_vision": true},
        "openai/gpt-5.5": {"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06,
            "litellm_provider": "openai", "cache_read_input_token_cost": null},
        "an-image": {"output_cost_per_image": 0.04}
    }"#;

    fn nanos(prices: &Prices, model: &str, tokens: TokenCounts, batch: bool) -> Option<i64> {
        let service_tier = batch.then(|| "batch".to_owned());
        let extras = Extras { service_tier, ..Extras::default() };
        match prices.cost(model, Wall(0), &tokens, &extras) {
            Cost::Priced(money) => Some(money.0),
            Cost::Unpriced | Cost::Estimated(_) => None,
        }
    }

    #[test]
    fn a_file_is_laid_over_the_table() {
        let prices = Prices::embedded().with_litellm(FILE, Some(Wall(7))).expect("good");
        assert_eq!(prices.as_of(), Some(Wall(7)));
        let of = |input, output| TokenCounts { input, output, ..TokenCounts::default() };
        assert_eq!(nanos(&prices, "new-model", of(1000, 100), false), Some(4_500_000));
        assert_eq!(nanos(&prices, "new-model", of(1000, 100), true), Some(2_250_000));
        let above = nanos(&prices, "new-model", of(300_000, 100), false);
        assert_eq!(above, Some(1_802_250_000), "the whole request");
        let read = TokenCounts { cache_read: 300_000, ..TokenCounts::default() };
        let kept = nanos(&prices, "new-model", read, false);
        assert_eq!(kept, Some(90_000_000), "what the tier leaves out costs what it did");
        let twice = nanos(&prices, "new-model", of(600_000, 100), false);
        assert_eq!(twice, Some(5_402_250_000), "the highest tier that the prompt is above");
        let hour = TokenCounts { cache_write_1h: 1000, ..TokenCounts::default() };
        assert_eq!(nanos(&prices, "new-model", hour, false), Some(6_000_000));
        assert_eq!(nanos(&prices, "gpt-5.5", of(1000, 0), false), Some(1_000_000));
        assert_eq!(prices.label("gpt-5.5").provider, "openai");
        assert_eq!(nanos(&prices, "an-image", of(1, 0), false), None);
        assert_eq!(nanos(&prices, "claude-3-opus", of(1000, 0), false), Some(15_000_000));
        assert_eq!(prices.context_window("new-model"), Some(1_000_000));
    }

    #[test]
    fn a_file_with_a_fault_is_refused_whole() {
        for (bad, why) in [
            (r#"{"m": {"input_cost_per_token": -1e-6}}"#, "less than nothing"),
            (r#"{"m": {"input_cost_per_token": "NaN"}}"#, "no number"),
            (r#"{"m": {"input_cost_per_token": true}}"#, "no number"),
            (r#"{"m": {"output_cost_per_token": 15}}"#, "more than a dollar"),
            (r#"{"m": {"input_cost_per_token_above_full_moon": 1e-6}}"#, "not understood"),
            (r#"{"m": {"input_cost_per_token_on_sundays": 1e-6}}"#, "not understood"),
            (r#"{"m": 7}"#, "no map"),
            ("[]", "no map"),
            ("", "no map"),
        ] {
            let error = Prices::embedded().with_litellm(bad, None).expect_err(bad);
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn an_unknown_model_is_estimated_by_another_and_never_priced() {
        let prices = Prices::embedded().with_fallback("claude-sonnet-5").expect("known");
        let tokens = TokenCounts { output: 1000, ..TokenCounts::default() };
        let known = prices.cost("claude-sonnet-5", Wall(0), &tokens, &Extras::default());
        let Cost::Priced(price) = known else { panic!("{known:?}") };
        let unknown = prices.cost("nobody-knows", Wall(0), &tokens, &Extras::default());
        assert_eq!(unknown, Cost::Estimated(price));
        assert!(Prices::embedded().with_fallback("nobody-knows").is_none());
    }
}
