//! What applications ask of an agent's chain, and what they are answered. Folded like an entry.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::chains::chain::Chain;
use crate::chains::continuation::Continuation;
use crate::chains::interaction::Interaction;

/// Something that is asked of a chain.
#[derive(Clone, Debug, PartialEq)]
pub enum ChainRequest {
    /// That an interaction is recorded.
    Record(Box<Told>),
    /// That what is known of a conversation is replaced.
    Replace {
        /// Whose.
        agent: String,
        /// Which; the current one unless said.
        conversation: Option<String>,
        /// What it worked on.
        continuation: Continuation,
        /// Tokens in its window, and that it holds.
        tokens: Option<u64>,
        /// See `tokens`.
        window: Option<u64>,
    },
    /// That a chain begins anew.
    Reset {
        /// Whose.
        agent: String,
    },
}

/// An interaction as an application tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Whose.
    pub agent: String,
    /// The conversation: the agent's own id, or the id of its session.
    pub conversation: String,
    /// What it is known by, where the application says so.
    pub id: Option<String>,
    /// The prompt; behind the veil, what may be kept of it.
    pub prompt: Option<String>,
    /// The answer, likewise.
    pub response: Option<String>,
    /// The conversation that this one goes on with.
    pub resumes: Option<String>,
    /// Anything else.
    pub metadata: Map<String, Value>,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq)]
pub enum ChainReply {
    /// It is recorded, as far as it may be kept.
    Recorded {
        /// The interaction.
        interaction: Arc<Interaction>,
        /// Whether it was known before.
        known: bool,
    },
    /// It is replaced.
    Replaced {
        /// The chain.
        chain: Arc<Chain>,
        /// The conversation.
        conversation: String,
    },
    /// It begins anew.
    Reset {
        /// Conversations that were in it.
        forgotten: u64,
    },
    /// It is not done, for this reason.
    Refused(ChainRefusal),
}

/// Why something was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainRefusal {
    /// There are as many agents as there can be.
    TooManyAgents,
    /// No agent is called so.
    NoAgent,
    /// The agent has had no conversation, and none was named.
    NoConversation,
}
