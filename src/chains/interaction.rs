//! What was asked and answered: that it happened, and a masked beginning where that may be kept.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::secret::masker::Masker;
use crate::units::{SessionId, Wall};

/// Characters of a prompt or a response that are kept, where any are.
pub const EXCERPT: usize = 200;

/// Bytes that are masked to find them: enough that what is cut off behind cannot be the beginning of a
/// secret that the excerpt ends in.
pub const MASKED: usize = 8 * 1024;

/// Where it is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// The agent's transcript.
    Transcript,
    /// An application said so.
    Api,
}

impl Origin {
    /// Its word on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transcript => "transcript",
            Self::Api => "api",
        }
    }

    /// Reads what [`Origin::as_str`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Transcript, Self::Api].into_iter().find(|known| known.as_str() == text)
    }
}

/// A prompt with its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interaction {
    /// What it is known by.
    pub key: u64,
    /// Whose.
    pub agent: String,
    /// In which conversation.
    pub conversation: String,
    /// The session of that conversation, where there is one.
    pub session: Option<SessionId>,
    /// When it began.
    pub at: Wall,
    /// Where it is known from.
    pub origin: Origin,
    /// The beginning of the prompt.
    pub prompt: Option<String>,
    /// The beginning of the last answer.
    pub response: Option<String>,
    /// What an application said beside.
    pub metadata: Map<String, Value>,
}

/// The beginning of a text, masked before it is cut.
pub fn excerpt(text: &str, masker: &Masker) -> String {
    let lines = text[..text.floor_char_boundary(MASKED)].lines().map(|line| masker.line(line));
    let masked = lines.collect::<Vec<_>>().join("\n");
    let end = masked.char_indices().nth(EXCERPT).map_or(masked.len(), |(at, _)| at);
    masked[..end].trim().to_owned()
}
