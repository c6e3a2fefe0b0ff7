//! Gemini CLI: the counter `gemini_cli.token.usage`, and the events `gemini_cli.api_response` and
//! `gemini_cli.api_error`. Its input includes what was cached, its output excludes thoughts, and what
//! tools brought is input.

use super::{Convention, Part, Piece, Point, Record, wall};
use crate::tokens::call::Call;
use crate::tokens::{TokenCounts, UsageKey, UsageSource};

pub(super) fn wants(name: &str) -> bool {
    name == "gemini_cli.token.usage"
}

pub(super) fn piece(point: &Point<'_>) -> Option<Piece> {
    if !wants(point.name) {
        return None;
    }
    let part = match point.attributes.word("type")? {
        "input" => Part::Input,
        "output" => Part::Output,
        "thought" => Part::Reasoning,
        "cache" => Part::CacheRead,
        "tool" => Part::Tool,
        _ => return None,
    };
    let conversation = point.attributes.text("session.id");
    Some(Piece {
        convention: Convention::Gemini,
        conversation: conversation
            .or_else(|| point.resource.text("session.id"))
            .unwrap_or_default(),
        provider: None,
        model: point.attributes.text("model")?,
        part,
    })
}

/// Each token in one kind.
pub(super) fn counts(
    input: u64,
    output: u64,
    cached: u64,
    thoughts: u64,
    tool: u64,
) -> TokenCounts {
    TokenCounts {
        input: input.saturating_sub(cached).saturating_add(tool),
        output: output.saturating_add(thoughts),
        cache_read: cached,
        ..TokenCounts::default()
    }
}

pub(super) fn call(record: &Record<'_>) -> Option<Call> {
    let failed = match record.name {
        "gemini_cli.api_response" => false,
        "gemini_cli.api_error" => true,
        _ => return None,
    };
    let of = record.attributes;
    let conversation = of.text("session.id").or_else(|| record.resource.text("session.id"));
    let conversation = conversation.unwrap_or_default();
    let count = |name| if failed { Some(0) } else { of.count_or_none(name) };
    let thoughts = count("thoughts_token_count")?;
    let tokens = counts(
        count("input_token_count")?,
        count("output_token_count")?,
        count("cached_content_token_count")?,
        thoughts,
        count("tool_token_count")?,
    );
    let prompt = of.text("prompt_id").unwrap_or_default();
    let at = of.text("event.timestamp").unwrap_or_default();
    let id = format!("{conversation}\0{prompt}\0{at}\0{}\0{}", record.time, tokens.total());
    Some(Call {
        key: Some(UsageKey::of("gemini_otlp", id.as_bytes())),
        source: UsageSource::OtlpLogs,
        model: of.text("model")?,
        conversation,
        at: wall(record.time),
        latency: of.millis("duration_ms"),
        failed,
        tokens,
        reasoning: thoughts,
        ..Call::default()
    })
}
