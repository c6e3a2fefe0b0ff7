//! Codex CLI: the event `codex.sse_event` of a completed response, and `codex.api_request` where it
//! failed. Its input includes what was cached and its output what was thought; two of its counts are
//! text. Its metric has neither a conversation nor disjoint kinds and is not used.

use super::{Record, wall};
use crate::tokens::call::Call;
use crate::tokens::{TokenCounts, UsageKey, UsageSource};

/// From here on a status says that a request failed.
const FIRST_ERROR: u64 = 400;

pub(super) fn call(record: &Record<'_>) -> Option<Call> {
    let of = record.attributes;
    let failed = match record.name {
        "codex.sse_event" if of.word("event.kind") == Some("response.completed") => false,
        "codex.api_request" if of.count("http.response.status_code")? >= FIRST_ERROR => true,
        _ => return None,
    };
    let conversation = of.text("conversation.id").unwrap_or_default();
    let cached = of.count_or_none("cached_token_count")?;
    let (input, output) = match failed {
        true => (0, 0),
        false => (of.count("input_token_count")?, of.count("output_token_count")?),
    };
    let tokens = TokenCounts {
        input: input.saturating_sub(cached),
        output,
        cache_read: cached.min(input),
        ..TokenCounts::default()
    };
    let at = of.text("event.timestamp").unwrap_or_default();
    let id = format!("{conversation}\0{at}\0{}\0{input}\0{output}\0{cached}", record.time);
    Some(Call {
        key: Some(UsageKey::of("codex_otlp", id.as_bytes())),
        source: UsageSource::OtlpLogs,
        model: of.text("model")?,
        conversation,
        at: wall(record.time),
        latency: of.millis("duration_ms"),
        failed,
        tokens,
        reasoning: of.count("reasoning_token_count").unwrap_or(0).min(output),
        ..Call::default()
    })
}
