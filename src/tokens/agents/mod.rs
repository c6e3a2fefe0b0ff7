//! What the logs of coding agents say, one dialect per file: a line of bytes in, what it tells of
//! a response out.
//!
//! Owns the decoding. Refuses to remember: every line is read by itself, and what several lines
//! say together is for `book` to find out. The oddities of each dialect are in `README.md`.

use crate::chains::step::Calls;
use crate::tokens::{TokenCounts, UsageKey, UsageSource};
use crate::units::Wall;

pub mod claude;
mod lenient;

/// What one line of a log told.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// It tells of a response and its tokens.
    Told(Box<Sighting>),
    /// It carries no usage and tells something else of a conversation.
    Said(Box<Talk>),
    /// It carries no usage that counts.
    Ignored,
    /// It looks like usage and cannot be read.
    Malformed,
}

/// A response as one line shows it. The same response is usually shown by several lines, with
/// figures that may still grow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sighting {
    /// What the response is known by.
    pub key: UsageKey,
    /// Where the line was read.
    pub source: UsageSource,
    /// The agent's own id of the conversation; empty where the line names none.
    pub conversation: String,
    /// Whether the line belongs to a side chain: a subagent, or an aside.
    pub sidechain: bool,
    /// The model as the line spells it; empty where it names none.
    pub model: String,
    /// When the response was given, if the line says so.
    pub at: Option<Wall>,
    /// Where the agent worked, if the line says so.
    pub cwd: Option<String>,
    /// Its tokens, each in one kind.
    pub tokens: TokenCounts,
    /// The part of the output that was thinking.
    pub reasoning: u64,
    /// What else decides about its cost.
    pub extras: Extras,
    /// Whether the line names a reason why the response stopped.
    pub stopped: bool,
    /// Where the line stands among others.
    pub thread: Thread,
    /// Which tools are used on it, and on what.
    pub calls: Calls,
    /// The beginning of what it says, where it was asked for.
    pub text: Option<String>,
}

/// What a line without usage tells of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Talk {
    /// The agent's own id of the conversation; never empty.
    pub conversation: String,
    /// When, if the line says so.
    pub at: Option<Wall>,
    /// Where the agent worked, if the line says so.
    pub cwd: Option<String>,
    /// Where the line stands among others.
    pub thread: Thread,
    /// What it tells.
    pub said: Said,
}

/// What a line without usage tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A person asked; the beginning of it, where it was asked for.
    Prompt(Option<String>),
    /// The window was emptied into a summary.
    Compacted,
}

/// Where a line stands among others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thread {
    /// What the line is known by.
    pub line: Option<UsageKey>,
    /// What the line before it is known by.
    pub before: Option<UsageKey>,
    /// The conversation that the line was copied from, where it says so itself.
    pub copied_from: Option<String>,
}

/// What decides about the cost of a response beside its tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// Searches of the web that the provider made for it.
    pub web_searches: u64,
    /// The tier of service: `standard`, `batch`, `priority`.
    pub service_tier: Option<String>,
    /// Whether it was given at the dearer, faster speed.
    pub fast: bool,
    /// The region that inference was bound to.
    pub inference_geo: Option<String>,
    /// The part of its tokens that went to a request of their own, with a prompt of its own.
    pub compaction: TokenCounts,
}

impl UsageKey {
    /// The key of a response that `dialect` knows by `id`. It is the same in every life and on
    /// every machine, since it is stored: FNV-1a, 64 bits, parameters by its authors.
    pub fn of(dialect: &str, id: &[u8]) -> Self {
        const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0000_0100_0000_01b3;
        let bytes = dialect.as_bytes().iter().chain(&[0]).chain(id);
        Self(bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_what_they_are_since_they_are_stored() {
        assert_eq!(UsageKey::of("", b""), UsageKey(0xaf63_bd4c_8601_b7df));
        assert_eq!(UsageKey::of("claude", b"msg_01A"), UsageKey::of("claude", b"msg_01A"));
        assert_ne!(UsageKey::of("claude", b"msg_01A"), UsageKey::of("claude", b"msg_01B"));
        assert_ne!(UsageKey::of("claude", b"x"), UsageKey::of("codex", b"x"));
    }
}
