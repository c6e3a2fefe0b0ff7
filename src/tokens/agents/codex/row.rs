//! The rows of a rollout, as far as they are of interest.

use serde::Deserialize;

use crate::tokens::TokenCounts;
use crate::tokens::agents::lenient::{Clip, Count, Figure, Object, Text};

/// A row.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Row<'a> {
    #[serde(borrow)]
    pub timestamp: Text<'a>,
    #[serde(borrow)]
    pub r#type: Text<'a>,
    #[serde(borrow)]
    pub payload: Object<Payload<'a>>,
}

/// What it carries: the fields of all kinds that are read, since no two mean different things.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Payload<'a> {
    #[serde(borrow)]
    pub r#type: Text<'a>,
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub forked_from_id: Text<'a>,
    #[serde(borrow)]
    pub cwd: Text<'a>,
    #[serde(borrow)]
    pub model_provider: Text<'a>,
    #[serde(borrow)]
    pub thread_source: Text<'a>,
    #[serde(borrow)]
    pub source: Object<Origin<'a>>,
    #[serde(borrow)]
    pub turn_id: Text<'a>,
    #[serde(borrow)]
    pub model: Text<'a>,
    pub info: Object<Info>,
    pub rate_limits: Object<RateLimits>,
    pub message: Clip,
    #[serde(borrow)]
    pub thread_settings: Object<Settings<'a>>,
    #[serde(borrow)]
    pub name: Text<'a>,
    #[serde(borrow)]
    pub arguments: Text<'a>,
    #[serde(borrow)]
    pub input: Text<'a>,
}

/// Where a thread comes from, if it is no person's.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Origin<'a> {
    #[serde(borrow)]
    pub subagent: Object<Subagent<'a>>,
}

/// A thread that another one began.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Subagent<'a> {
    #[serde(borrow)]
    pub thread_spawn: Object<Spawn<'a>>,
}

/// Who began it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Spawn<'a> {
    #[serde(borrow)]
    pub parent_thread_id: Text<'a>,
}

/// What was set for the thread.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Settings<'a> {
    #[serde(borrow)]
    pub service_tier: Text<'a>,
}

/// What was used.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub struct Info {
    pub total_token_usage: Object<Spent>,
    pub last_token_usage: Object<Spent>,
    pub model_context_window: Count,
}

/// How much of the limits of a subscription is used.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub struct RateLimits {
    pub primary: Object<RateLimit>,
    pub secondary: Object<RateLimit>,
}

/// One of them.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub struct RateLimit {
    pub used_percent: Figure,
    pub window_minutes: Figure,
    /// Seconds since 1970.
    pub resets_at: Figure,
    /// Seconds from then on, in older versions.
    pub resets_in_seconds: Figure,
}

/// Tokens as OpenAI counts them: what was cached is a part of the input, reasoning one of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Spent {
    pub input_tokens: Count,
    pub cached_input_tokens: Count,
    #[serde(alias = "cache_write_tokens")]
    pub cache_write_input_tokens: Count,
    pub output_tokens: Count,
    pub reasoning_output_tokens: Count,
    /// The total that newer rows give; it is the sum, so that it is not read for more than telling
    /// snapshots apart.
    pub total_tokens: Count,
}

impl Spent {
    /// Input and output.
    pub fn sum(&self) -> u64 {
        self.input_tokens.0.saturating_add(self.output_tokens.0)
    }

    /// What was spent from `before` to this.
    pub fn since(&self, before: &Self) -> Self {
        let less = |all: Count, part: Count| Count(all.0.saturating_sub(part.0));
        Self {
            input_tokens: less(self.input_tokens, before.input_tokens),
            cached_input_tokens: less(self.cached_input_tokens, before.cached_input_tokens),
            cache_write_input_tokens: less(
                self.cache_write_input_tokens,
                before.cache_write_input_tokens,
            ),
            output_tokens: less(self.output_tokens, before.output_tokens),
            reasoning_output_tokens: less(
                self.reasoning_output_tokens,
                before.reasoning_output_tokens,
            ),
            total_tokens: less(self.total_tokens, before.total_tokens),
        }
    }

    /// The tokens in disjoint kinds.
    pub fn counts(&self) -> TokenCounts {
        let cached = self.cached_input_tokens.0.min(self.input_tokens.0);
        let written = self.cache_write_input_tokens.0.min(self.input_tokens.0 - cached);
        TokenCounts {
            input: self.input_tokens.0 - cached - written,
            output: self.output_tokens.0,
            cache_read: cached,
            cache_write: written,
            ..TokenCounts::default()
        }
    }

    /// The figures by which a snapshot is told from others of its thread.
    pub fn vector(&self) -> [u64; 5] {
        [
            self.input_tokens.0,
            self.cached_input_tokens.0,
            self.cache_write_input_tokens.0,
            self.output_tokens.0,
            self.reasoning_output_tokens.0,
        ]
    }
}
