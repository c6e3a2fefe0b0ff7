//! `tokens`: where tokens are told of beside the agents' logs, what they cost, and where that is
//! written.

use super::cursor::{Cursor, Fields};
use super::plan::{OrphanedSpenders, Otlp, TokensPlan};
use super::read;
use super::surroundings::Surroundings;

/// The longest name of a model.
const LONGEST_MODEL: usize = 256;

pub(super) fn tokens(fields: &mut Fields<'_>, around: &Surroundings<'_>) -> TokensPlan {
    let Some(at) = fields.get("tokens") else { return TokensPlan::default() };
    let Some(mut fields) = at.fields("a map of what is known of tokens") else {
        return TokensPlan::default();
    };
    let path = |at: &Cursor<'_>| read::unless_off(at, |at| read::path(at, around));
    let plan = TokensPlan {
        otlp: fields.read("otlp", otlp).unwrap_or_default(),
        pricing_file: fields.read("pricing_file", path).flatten(),
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
        ("prices", "did you mean `pricing_file`?"),
    ]);
    plan
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
