//! What is told of a conversation, one step after the other.

use serde::{Deserialize, Serialize};

use crate::units::Wall;

/// Something that happened in a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The configured name of the agent, or its product's.
    pub agent: String,
    /// The process that the agent runs in, where it is known.
    pub process: Option<String>,
    /// The agent's own id of the conversation.
    pub conversation: String,
    /// When, by the agent's clock.
    pub at: Wall,
    /// The conversation that this one goes on with, where that was learnt.
    pub resumes: Option<String>,
    /// What happened.
    pub deed: Deed,
}

/// What happened in a conversation.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// It repeated what another conversation said: it goes on with that one.
    Copied,
    /// Somebody asked.
    Prompted {
        /// What the prompt is known by, so that it counts once.
        key: u64,
        /// The beginning of it, masked, where that may be kept.
        excerpt: Option<String>,
    },
    /// The agent said or did something.
    Answered {
        /// What it did.
        calls: Calls,
        /// How full its window was; only of its main thread.
        context: Option<Context>,
        /// The beginning of what it said, masked, where that may be kept.
        excerpt: Option<String>,
    },
    /// Its window was emptied into a summary.
    Compacted,
}

/// Which tools were used, and on what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Files that were read or written.
    pub files: Vec<String>,
    /// Tools.
    pub tools: Vec<String>,
    /// Tasks that were begun.
    pub tasks: Vec<String>,
}

impl Calls {
    /// Whether no tool was used.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.tools.is_empty() && self.tasks.is_empty()
    }
}

/// What a window held after a response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// Tokens of the prompt and of the answer.
    pub tokens: u64,
    /// The model, as the agent names it.
    pub model: String,
    /// Tokens that its window holds, where that is known.
    pub window: Option<u64>,
}
