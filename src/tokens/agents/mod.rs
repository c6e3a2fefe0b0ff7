//! What the logs of coding agents say, one dialect per file: a line of bytes in, what it tells of
//! a response out.
//!
//! Owns the decoding. What several lines say together of one response is for `book` to find out; a
//! dialect remembers no more of a file than what its lines mean by themselves depends on, and that
//! is learnt again by reading them again. The oddities of each dialect are in `README.md`.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::chains::step::Calls;
use crate::config::plan::Dialect;
use crate::tokens::agents::codex::Rollout;
use crate::tokens::agents::gemini::Chat;
use crate::tokens::quota::Quota;
use crate::tokens::{TokenCounts, UsageKey, UsageSource};
use crate::units::Wall;

pub mod claude;
pub mod codex;
pub mod gemini;
pub mod opencode;
mod lenient;

/// How the messages lie in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One object a line, appended.
    Lines,
    /// One object in all, written anew each time.
    Document,
    /// A database of SQLite.
    Database,
}

/// The shape of a file in the folders of a dialect; `None` where it is no transcript.
pub fn shape(dialect: Dialect, path: &Path) -> Option<Shape> {
    let name = path.file_name()?.as_bytes();
    match dialect {
        Dialect::Claude => claude::is_transcript(name).then_some(Shape::Lines),
        Dialect::Codex => codex::is_transcript(name).then_some(Shape::Lines),
        Dialect::Gemini if !gemini::is_transcript(path) => None,
        Dialect::Gemini if gemini::is_document(path) => Some(Shape::Document),
        Dialect::Gemini => Some(Shape::Lines),
        Dialect::Opencode if !opencode::is_transcript(path) => None,
        Dialect::Opencode if opencode::is_database(path) => Some(Shape::Database),
        Dialect::Opencode => Some(Shape::Document),
    }
}

/// The folders where an agent with this environment keeps its transcripts. They need not exist.
pub fn default_roots(dialect: Dialect, env: impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    match dialect {
        Dialect::Claude => claude::default_roots(env),
        Dialect::Codex => codex::default_roots(env),
        Dialect::Gemini => gemini::default_roots(env),
        Dialect::Opencode => opencode::default_roots(env),
    }
}

/// What reads one file.
#[derive(Clone, Debug)]
pub enum Decoder {
    /// Every line by itself.
    Claude,
    /// A row means something after those before it.
    Codex(Box<Rollout>),
    /// The head says whose the messages are.
    Gemini(Box<Chat>),
    /// Every message by itself.
    Opencode,
}

impl Decoder {
    /// The decoder of a file of which nothing was read.
    pub fn new(dialect: Dialect, path: &Path) -> Self {
        match dialect {
            Dialect::Claude => Self::Claude,
            Dialect::Codex => Self::Codex(Box::new(Rollout::new(path))),
            Dialect::Gemini => Self::Gemini(Box::new(Chat::new(path))),
            Dialect::Opencode => Self::Opencode,
        }
    }

    /// Whether reading in the middle of a file needs what stands before.
    pub fn remembers(&self) -> bool {
        matches!(self, Self::Codex(_) | Self::Gemini(_))
    }

    /// Decodes one line without its line feed, or one message of a document, and calls `each` for
    /// what it tells. Texts are read where `excerpts` are wanted.
    pub fn decode(&mut self, line: &[u8], excerpts: bool, mut each: impl FnMut(Line)) {
        match self {
            Self::Claude => claude::decode(line, excerpts, each),
            Self::Codex(rollout) => rollout.decode(line, excerpts, each),
            Self::Gemini(chat) => chat.decode(line, excerpts, each),
            Self::Opencode => {
                let (row, parts) = (opencode::Row::default(), opencode::Parts::default());
                opencode::decode(line, row, parts, &mut each);
            }
        }
    }

    /// Decodes a line of which only the usage is wanted.
    pub fn usage(&mut self, line: &[u8], each: impl FnMut(Line)) {
        match self {
            Self::Claude => claude::usage(line, each),
            Self::Codex(_) | Self::Gemini(_) | Self::Opencode => self.decode(line, false, each),
        }
    }

    /// Takes in what stands beside the messages of a document.
    pub fn head(&mut self, head: &[u8]) {
        if let Self::Gemini(chat) = self {
            chat.head(head);
        }
    }

    /// Gives what waits for a line that will not come, because nothing more is read.
    pub fn finish(&mut self, each: impl FnMut(Line)) {
        if let Self::Codex(rollout) = self {
            rollout.finish(each);
        }
    }
}

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
    /// It holds usage where nobody knows it.
    Unknown,
    /// It says how much of a limit is used; told beside what else the line tells.
    Limit(Box<Quota>),
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
    /// Who answered, in OpenTelemetry's names, where the log tells.
    pub provider: Option<String>,
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
    /// Tokens that the model's window holds, if the line says so.
    pub window: Option<u64>,
    /// What the response is known by as well, if the line may be a copy of one.
    pub copy_of: Vec<UsageKey>,
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
    /// The conversation begins as a copy of another.
    Copied,
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
    /// Whether its tokens are those of several requests, none of whose prompts is known.
    pub summed: bool,
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
