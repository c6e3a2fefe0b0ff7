//! `tokens` as it is written.

use std::path::PathBuf;

use super::{OrOff, plain};
use crate::config::plan::{Otlp, TokensPlan};

#[derive(serde::Serialize)]
pub(super) struct Tokens {
    otlp: Shown,
    #[serde(skip_serializing_if = "Option::is_none")]
    pricing_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback_model: Option<String>,
    report: OrOff<String>,
    log: OrOff<String>,
    orphaned_spenders: &'static str,
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
        fallback_model: plan.fallback_model.as_deref().map(plain),
        report: OrOff::of(shown(&plan.report)),
        log: OrOff::of(shown(&plan.log)),
        orphaned_spenders: plan.orphaned_spenders.as_str(),
    }
}
