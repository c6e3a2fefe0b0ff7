//! `tokens`: where tokens are told of beside the agents' logs, what they cost, and where that is
//! written.

use super::cursor::{Cursor, Fields};
use super::plan::{ModelPrice, OrphanedSpenders, Otlp, TokensPlan};
use super::read;
use super::surroundings::Surroundings;

/// The longest name of a model.
const LONGEST_MODEL: usize = 256;

/// No token costs a dollar.
const MOST_DOLLARS: f64 = 1e6;

pub(super) fn tokens(fields: &mut Fields<'_>, around: &Surroundings<'_>) -> TokensPlan {
    let Some(at) = fields.get("tokens") else { return TokensPlan::default() };
    let Some(mut fields) = at.fields("a map of what is known of tokens") else {
        return TokensPlan::default();
    };
    let path = |at: &Cursor<'_>| read::unless_off(at, |at| read::path(at, around));
    let plan = TokensPlan {
        otlp: fields.read("otlp", otlp).unwrap_or_default(),
        pricing_file: fields.read("pricing_file", path).flatten(),
        prices: fields.read("prices", prices).unwrap_or_default(),
        fallback_model: fields.read("fallback_model", model),
        report: fields.read("report", path).flatten(),
        log: fields.read("log", path).flatten(),
        orphaned_spenders: fields
            .read("orphaned_spenders", |at| at.choice(&OrphanedSpenders::NAMES))
            .unwrap_or_default(),
    };
    fields.finish(&[
        ("port", "did you mean `otlp`?"),
        ("otel", "did you mean `otlp`?"),
        ("opentelemetry", "did you mean `otlp`?"),
        ("price_file", "did you mean `pricing_file`?"),
    ]);
    plan
}

/// By model: dollars for a million tokens of each kind.
fn prices(at: &Cursor<'_>) -> Option<Vec<ModelPrice>> {
    let entries = at.entries("a map of models")?;
    Some(entries.into_iter().filter_map(|(entry, at)| price(&at, entry.key.trim())).collect())
}

fn price(at: &Cursor<'_>, model: &str) -> Option<ModelPrice> {
    if model.is_empty() || model.len() > LONGEST_MODEL {
        at.fault("the name of a model is missing or far too long", "write it as the provider does");
        return None;
    }
    let mut fields = at.fields("a map of prices in dollars for a million tokens")?;
    // The bound makes it fit.
    let mut dollars = |key| {
        let said = fields.read(key, |at| read::number(at, 0.0, MOST_DOLLARS));
        said.map(|dollars| (dollars * ModelPrice::PICO).round() as u64)
    };
    let [input, output, cache_read] = ["input", "output", "cache_read"].map(&mut dollars);
    let written = ["cache_write_5m", "cache_write_1h", "cache_write"].map(&mut dollars);
    let [cache_write_5m, cache_write_1h, cache_write] = written;
    let window = |at: &Cursor<'_>| read::whole(at, 1_000, 100_000_000);
    let context_window = fields.read("context_window", window).map(i64::cast_unsigned);
    fields.finish(&[("cached", "did you mean `cache_read`?")]);
    let model = model.to_owned();
    Some(ModelPrice {
        model,
        input,
        output,
        cache_read,
        cache_write_5m,
        cache_write_1h,
        cache_write,
        context_window,
    })
}

fn otlp(at: &Cursor<'_>) -> Option<Otlp> {
    let known = |text: &str| match text {
        "auto" => Some(Otlp::Auto),
        "off" | "false" => Some(Otlp::Off),
        port => port.parse().ok().filter(|port| *port > 0).map(Otlp::Port),
    };
    at.parsed("`auto`, `off` or a port", known, |_| None)
}

fn model(at: &Cursor<'_>) -> Option<String> {
    let name = |text: &str| {
        let fits = !text.trim().is_empty() && text.len() <= LONGEST_MODEL;
        fits.then(|| text.trim().to_owned())
    };
    at.parsed("the name of a model such as `claude-sonnet-5`", name, |_| None)
}
