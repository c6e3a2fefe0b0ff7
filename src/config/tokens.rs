//! `tokens`: where tokens are told of, beside the agents' logs.

use super::cursor::{Cursor, Fields};
use super::plan::{Otlp, TokensPlan};

pub(super) fn tokens(fields: &mut Fields<'_>) -> TokensPlan {
    let Some(at) = fields.get("tokens") else { return TokensPlan::default() };
    let Some(mut fields) = at.fields("a map with `otlp`") else { return TokensPlan::default() };
    let plan = TokensPlan { otlp: fields.read("otlp", otlp).unwrap_or_default() };
    fields.finish(&[
        ("port", "did you mean `otlp`?"),
        ("otel", "did you mean `otlp`?"),
        ("opentelemetry", "did you mean `otlp`?"),
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
