//! Claude Code: the counter `claude_code.token.usage`, and the events `claude_code.api_request` and
//! `claude_code.api_error`. Its four kinds are disjoint; a split of cache writes and thinking are not
//! told.

use super::{Convention, Part, Piece, Point, Record, wall};
use crate::tokens::agents::Extras;
use crate::tokens::call::Call;
use crate::tokens::{TokenCounts, UsageKey, UsageSource};

pub(super) fn wants(name: &str) -> bool {
    name == "claude_code.token.usage"
}

pub(super) fn piece(point: &Point<'_>) -> Option<Piece> {
    if !wants(point.name) {
        return None;
    }
    let part = match point.attributes.word("type")? {
        "input" => Part::Input,
        "output" => Part::Output,
        "cacheRead" => Part::CacheRead,
        "cacheCreation" => Part::CacheWrite,
        _ => return None,
    };
    Some(Piece {
        convention: Convention::Claude,
        conversation: point.attributes.text("session.id").unwrap_or_default(),
        provider: None,
        model: point.attributes.text("model")?,
        part,
    })
}

pub(super) fn call(record: &Record<'_>) -> Option<Call> {
    let failed = match record.name.strip_prefix("claude_code.").unwrap_or(record.name) {
        "api_request" => false,
        "api_error" => true,
        _ => return None,
    };
    let of = record.attributes;
    // Others have events of these names, too.
    let service = record.resource.word("service.name");
    if !record.name.starts_with("claude_code.") && service != Some("claude-code") {
        return None;
    }
    let conversation = of.text("session.id").unwrap_or_default();
    let tokens = match failed {
        true => TokenCounts::default(),
        false => TokenCounts {
            input: of.count_or_none("input_tokens")?,
            output: of.count_or_none("output_tokens")?,
            cache_read: of.count_or_none("cache_read_tokens")?,
            cache_write_5m: of.count_or_none("cache_creation_tokens")?,
            ..TokenCounts::default()
        },
    };
    let id = of.text("request_id").filter(|_| !failed).unwrap_or_else(|| {
        let sequence = of.text("event.sequence").unwrap_or_default();
        format!("{conversation}\0{}\0{sequence}\0{}", record.time, record.name)
    });
    Some(Call {
        key: Some(UsageKey::of("claude_otlp", id.as_bytes())),
        source: UsageSource::OtlpLogs,
        model: of.text("model")?,
        conversation,
        at: wall(record.time),
        latency: of.millis("duration_ms"),
        failed,
        tokens,
        extras: Extras { fast: of.word("speed") == Some("fast"), ..Extras::default() },
        ..Call::default()
    })
}
