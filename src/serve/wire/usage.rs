//! The shapes by which an application tells what it spent, and by which that is shown.

use serde::{Deserialize, Serialize};

/// One call of a model: `POST /v1/usage` takes one, a list of them, or one on each line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallBody {
    /// The session that it belongs to, by identity or own id; that of the run that the asker is in,
    /// where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The agent; the session's where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Who answered; by the price table where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The model as the provider names it.
    pub model: String,
    /// The application's own id of the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
    /// What was called: an address, or a name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// What the call is known by: told twice under one key, it counts once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// When, ISO 8601; now where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// How long it took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
    /// `ok` or `error`; `ok` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Its tokens, each in one kind.
    #[serde(default)]
    pub tokens: CallTokens,
    /// The tier of service: `standard`, `batch` or `priority`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<String>,
    /// Searches of the web that the provider made for it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub web_searches: u64,
}

/// The tokens of a call, each in one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CallTokens {
    /// Prompt tokens that were neither read from nor written to a cache.
    pub input: u64,
    /// Generated tokens, thinking included.
    pub output: u64,
    /// Prompt tokens read from a cache.
    pub cache_read: u64,
    /// Prompt tokens written to a cache for five minutes.
    pub cache_write_5m: u64,
    /// Prompt tokens written to a cache for one hour.
    pub cache_write_1h: u64,
    /// Prompt tokens written to a cache for an unknown time.
    pub cache_write: u64,
    /// The part of the output that was thinking.
    pub reasoning: u64,
}

/// The answer to `POST /v1/usage`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Calls that were counted.
    pub counted: u64,
    /// Calls that were known already, or that a better source tells of.
    pub known: u64,
    /// Calls that were not counted, and why.
    pub refused: Vec<RefusedCall>,
    /// Whether what was counted outlives us; false where the store is away.
    pub durable: bool,
}

/// A call that was not counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedCall {
    /// Its place in the request, from 0.
    pub index: usize,
    /// Why not.
    pub detail: String,
    /// What to do instead, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

/// The answer to `GET /v1/usage`: the last calls, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calls {
    /// The calls.
    pub calls: Vec<Call>,
}

/// A call that was counted, or that failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// When, ISO 8601.
    pub at: String,
    /// The process that it counts for.
    pub process: String,
    /// The session that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The agent.
    pub agent: String,
    /// Who answered.
    pub provider: String,
    /// The model.
    pub model: String,
    /// Where it was learnt from.
    pub source: String,
    /// What was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// How long it took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
    /// `ok` or `error`.
    pub outcome: String,
    /// Its tokens.
    pub tokens: CallTokens,
    /// What it cost, in nano-dollars; left out where no price is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_nano_usd: Option<i64>,
}

/// The answer to `GET /v1/tokens`: what was spent in this life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenReport {
    /// When it was so, ISO 8601.
    pub at: String,
    /// The beginning of this life, from which it is counted.
    pub since: String,
    /// The day that the price table was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices_as_of: Option<String>,
    /// By process, agent, provider and model.
    pub series: Vec<Spending>,
    /// All of it.
    pub totals: SpendingTotals,
}

/// What one model was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spending {
    /// The process; `unknown` where it cannot be told.
    pub process: String,
    /// The agent.
    pub agent: String,
    /// Who answered.
    pub provider: String,
    /// The model.
    pub model: String,
    /// How much.
    #[serde(flatten)]
    pub totals: SpendingTotals,
}

/// How much was spent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SpendingTotals {
    /// Responses that were counted.
    pub responses: u64,
    /// Their tokens.
    pub tokens: CallTokens,
    /// The sum of all kinds.
    pub total_tokens: u64,
    /// What the priced ones cost, in nano-dollars.
    pub cost_nano_usd: i64,
    /// Tokens that no price is known for; they are in no cost.
    pub unpriced_tokens: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}
