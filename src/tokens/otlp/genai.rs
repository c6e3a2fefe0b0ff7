//! OpenTelemetry's conventions for generative models: the histogram `gen_ai.client.token.usage`, whose
//! sum is the count, and the counters that follow it. Input includes what was cached, output what was
//! thought. What Gemini CLI says in its own words as well is left to those.

use super::{Convention, Part, Piece, Point};

/// The beginning of the names of the counters.
const COUNTERS: &str = "gen_ai.client.inference.usage.";
const HISTOGRAM: &str = "gen_ai.client.token.usage";

pub(super) fn wants(name: &str) -> bool {
    name == HISTOGRAM || name.starts_with(COUNTERS)
}

pub(super) fn piece(point: &Point<'_>) -> Option<Piece> {
    let of = point.attributes;
    if point.resource.word("service.name") == Some("gemini-cli") {
        return None;
    }
    let (convention, part) = match point.name.strip_prefix(COUNTERS) {
        Some("input_tokens") => (Convention::GenAi, Part::Input),
        Some("output_tokens") => (Convention::GenAi, Part::Output),
        Some("cache_read.input_tokens") => (Convention::GenAi, Part::CacheRead),
        Some("cache_write.input_tokens") => (Convention::GenAi, Part::CacheWrite),
        Some("reasoning.output_tokens") => (Convention::GenAi, Part::Reasoning),
        None if point.name == HISTOGRAM => match of.word("gen_ai.token.type")? {
            "input" => (Convention::GenAiHistogram, Part::Input),
            "output" => (Convention::GenAiHistogram, Part::Output),
            _ => return None,
        },
        _ => return None,
    };
    let model = of.text("gen_ai.response.model").or_else(|| of.text("gen_ai.request.model"))?;
    Some(Piece {
        convention,
        conversation: of.text("gen_ai.conversation.id").unwrap_or_default(),
        provider: of.text("gen_ai.provider.name").or_else(|| of.text("gen_ai.system")),
        model,
        part,
    })
}
