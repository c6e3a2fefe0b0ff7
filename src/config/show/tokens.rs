//! `tokens` as it is written.

use std::path::PathBuf;

use super::{OrOff, Ordered, is_empty, plain};
use crate::config::plan::{ModelPrice, Otlp, TokensPlan};

#[derive(serde::Serialize)]
pub(super) struct Tokens {
    otlp: Shown,
    #[serde(skip_serializing_if = "Option::is_none")]
    pricing_file: Option<String>,
    #[serde(skip_serializing_if = "is_empty")]
    prices: Ordered<Price>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback_model: Option<String>,
    report: OrOff<String>,
    log: OrOff<String>,
    orphaned_spenders: &'static str,
}

/// Dollars for a million tokens.
#[derive(serde::Serialize)]
struct Price {
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_read: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_write_5m: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_write_1h: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_write: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_window: Option<u64>,
}

fn price(one: &ModelPrice) -> (String, Price) {
    let dollars = |pico: Option<u64>| pico.map(|pico| pico as f64 / ModelPrice::PICO);
    let price = Price {
        input: dollars(one.input),
        output: dollars(one.output),
        cache_read: dollars(one.cache_read),
        cache_write_5m: dollars(one.cache_write_5m),
        cache_write_1h: dollars(one.cache_write_1h),
        cache_write: dollars(one.cache_write),
        context_window: one.context_window,
    };
    (plain(&one.model), price)
}

/// A word, or a port.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum Shown {
    Word(&'static str),
    Port(u16),
}

pub(super) fn tokens(plan: &TokensPlan) -> Tokens {
    let shown = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    Tokens {
        otlp: match plan.otlp {
            Otlp::Auto => Shown::Word("auto"),
            Otlp::Off => Shown::Word("off"),
            Otlp::Port(port) => Shown::Port(port),
        },
        pricing_file: shown(&plan.pricing_file),
        prices: Ordered(plan.prices.iter().map(price).collect()),
        fallback_model: plan.fallback_model.as_deref().map(plain),
        report: OrOff::of(shown(&plan.report)),
        log: OrOff::of(shown(&plan.log)),
        orphaned_spenders: plan.orphaned_spenders.as_str(),
    }
}
