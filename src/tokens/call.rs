//! A call of a model, as somebody tells it at a door: not yet priced, nor put to a session.

use std::time::Duration;

use crate::tokens::agents::Extras;
use crate::tokens::{TokenCounts, UsageKey, UsageSource};
use crate::units::Wall;

/// The longest name of an agent, a provider, a model, an endpoint or a conversation, in bytes.
pub const LONGEST_NAME: usize = 256;

/// One call of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    /// What it is known by, so that it counts once however often it is told; `None` where whoever
    /// tells of it gives it no name.
    pub key: Option<UsageKey>,
    /// Which door it was told at.
    pub source: UsageSource,
    /// The session that it belongs to, by identity or own id.
    pub session: Option<String>,
    /// The agent that asked.
    pub agent: Option<String>,
    /// Who answered, where that is told.
    pub provider: Option<String>,
    /// The model as the provider names it.
    pub model: String,
    /// The agent's own id of the conversation; empty where none is told.
    pub conversation: String,
    /// What was called: an address, or a name for it.
    pub endpoint: Option<String>,
    /// When, where it is told; else now.
    pub at: Option<Wall>,
    /// How long it took.
    pub latency: Option<Duration>,
    /// Whether it failed.
    pub failed: bool,
    /// Its tokens, each in one kind.
    pub tokens: TokenCounts,
    /// The part of the output that was thinking.
    pub reasoning: u64,
    /// What else decides about its cost.
    pub extras: Extras,
}
