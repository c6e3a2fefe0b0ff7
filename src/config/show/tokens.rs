//! `tokens` as it is written.

use crate::config::plan::{Otlp, TokensPlan};

#[derive(serde::Serialize)]
pub(super) struct Tokens {
    otlp: Shown,
}

/// A word, or a port.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum Shown {
    Word(&'static str),
    Port(u16),
}

pub(super) fn tokens(plan: &TokensPlan) -> Tokens {
    let otlp = match plan.otlp {
        Otlp::Auto => Shown::Word("auto"),
        Otlp::Off => Shown::Word("off"),
        Otlp::Port(port) => Shown::Port(port),
    };
    Tokens { otlp }
}
