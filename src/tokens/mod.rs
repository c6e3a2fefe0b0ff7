//! What the agents spent: each token read once, put in exactly one kind, and priced or shown to be
//! unpriced.
//!
//! `agents` decodes one log dialect per file, `source` says whose it is, `book` decides when a
//! response is closed and counts it once, `price` turns tokens into money by a table that is data.
//! `precedence` decides which source of a conversation is believed. `talks` is what the same lines
//! tell of conversations. `tail` follows the files.
//! `stdout` is what agents print of it. `tally` sums whole histories up.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub mod agents;
pub mod book;
pub mod call;
mod model_name;
pub mod otlp;
pub mod precedence;
pub mod price;
mod seen;
pub mod quota;
pub mod source;
pub mod stdout;
pub mod tail;
pub mod tally;
mod talks;

use crate::chains::step::Step;
use crate::units::{Money, Wall};

/// Tokens of one or many responses, each in exactly one kind, so that the sum is the total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCounts {
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
}

/// The kinds of [`TokenCounts`], for labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenKind {
    /// See [`TokenCounts::input`].
    Input,
    /// See [`TokenCounts::output`].
    Output,
    /// See [`TokenCounts::cache_read`].
    CacheRead,
    /// See [`TokenCounts::cache_write_5m`].
    CacheWrite5m,
    /// See [`TokenCounts::cache_write_1h`].
    CacheWrite1h,
    /// See [`TokenCounts::cache_write`].
    CacheWrite,
}

impl TokenKind {
    /// Every kind, in the order of [`TokenCounts`]' fields.
    pub const ALL: [Self; 6] = [
        Self::Input,
        Self::Output,
        Self::CacheRead,
        Self::CacheWrite5m,
        Self::CacheWrite1h,
        Self::CacheWrite,
    ];

    /// The value of the `kind` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::CacheRead => "cache_read",
            Self::CacheWrite5m => "cache_write_5m",
            Self::CacheWrite1h => "cache_write_1h",
            Self::CacheWrite => "cache_write",
        }
    }
}

impl TokenCounts {
    /// The tokens of one kind.
    pub fn of(&self, kind: TokenKind) -> u64 {
        match kind {
            TokenKind::Input => self.input,
            TokenKind::Output => self.output,
            TokenKind::CacheRead => self.cache_read,
            TokenKind::CacheWrite5m => self.cache_write_5m,
            TokenKind::CacheWrite1h => self.cache_write_1h,
            TokenKind::CacheWrite => self.cache_write,
        }
    }

    /// All tokens of all kinds.
    pub fn total(&self) -> u64 {
        TokenKind::ALL.iter().fold(0, |sum, kind| sum.saturating_add(self.of(*kind)))
    }

    /// The sum kind by kind, pinned at the largest count rather than wrapped.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
            cache_read: self.cache_read.saturating_add(other.cache_read),
            cache_write_5m: self.cache_write_5m.saturating_add(other.cache_write_5m),
            cache_write_1h: self.cache_write_1h.saturating_add(other.cache_write_1h),
            cache_write: self.cache_write.saturating_add(other.cache_write),
        }
    }

    /// What is left kind by kind, zero where `other` has more.
    pub fn minus(&self, other: &Self) -> Self {
        Self {
            input: self.input.saturating_sub(other.input),
            output: self.output.saturating_sub(other.output),
            cache_read: self.cache_read.saturating_sub(other.cache_read),
            cache_write_5m: self.cache_write_5m.saturating_sub(other.cache_write_5m),
            cache_write_1h: self.cache_write_1h.saturating_sub(other.cache_write_1h),
            cache_write: self.cache_write.saturating_sub(other.cache_write),
        }
    }
}

/// One response of a model, closed and counted: it will not be counted again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// What the response is known by, so that a replay is seen to be one.
    pub key: UsageKey,
    /// Where it was learnt from.
    pub source: UsageSource,
    /// The configured name of the agent that asked, or its product's.
    pub agent: String,
    /// Who answered: `anthropic`, `openai`, … or `unknown`.
    pub provider: String,
    /// The model as the provider names it, normalised for look-up and label.
    pub model: String,
    /// The agent's own id of the conversation.
    pub conversation: String,
    /// When the response was given, by the agent's clock.
    pub at: Wall,
    /// Its tokens.
    pub tokens: TokenCounts,
    /// The part of the output that was thinking, where it is told apart.
    pub reasoning: u64,
    /// What it cost, or that nobody knows.
    pub cost: Cost,
    /// Tokens of it that are not among `tokens`, because they had been counted already when a worse
    /// source told of them.
    pub withheld: u64,
}

impl Usage {
    /// Whether it stands for one response, rather than for what was used in an interval or for what
    /// had been counted already.
    pub fn is_a_response(&self) -> bool {
        self.withheld == 0 && self.source != UsageSource::OtlpMetrics
    }
}

/// Where responses are learnt from, the best source first: of each conversation one is counted.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum UsageSource {
    /// The files in which an agent keeps its conversations.
    #[default]
    Transcript,
    /// What an agent writes to its standard output.
    Stdout,
    /// Events that were sent over OpenTelemetry's protocol.
    OtlpLogs,
    /// Sums that were sent over OpenTelemetry's protocol.
    OtlpMetrics,
    /// What an application reports of itself.
    Ingest,
}

impl UsageSource {
    /// Every source, the best first.
    pub const ALL: [Self; 5] =
        [Self::Transcript, Self::Stdout, Self::OtlpLogs, Self::OtlpMetrics, Self::Ingest];

    /// The value of the `source` label, as it is kept.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transcript => "transcript",
            Self::Stdout => "stdout",
            Self::OtlpLogs => "otlp_logs",
            Self::OtlpMetrics => "otlp_metrics",
            Self::Ingest => "ingest",
        }
    }

    /// Reads what [`UsageSource::as_str`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }
}

/// What earlier lives counted of one conversation from one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedBefore {
    /// The agent's own id of the conversation.
    pub conversation: String,
    /// From where.
    pub source: UsageSource,
    /// Tokens that were counted.
    pub tokens: u64,
    /// Tokens that were withheld; see [`Usage::withheld`].
    pub withheld: u64,
    /// The latest time of a response among them.
    pub latest: Wall,
}

/// What earlier lives counted of late in one minute, for budgets that go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpentBefore {
    /// The process whose it was.
    pub process: String,
    /// The agent whose it was.
    pub agent: String,
    /// The beginning of the minute in which the responses were given.
    pub minute: Wall,
    /// Tokens, either of priced responses or of unpriced ones.
    pub tokens: TokenCounts,
    /// What they cost.
    pub cost: Cost,
}

/// How far back that is read: the longest day, which has twenty-five hours, and what a clock that was
/// put on skips.
pub const SPENT_OF_LATE: Duration = Duration::from_secs(26 * 3600);

/// Minutes of that at most, the newest.
pub const MOST_SPENT: u32 = 50_000;

/// A short hash of what a response is known by (`message.id` for Claude): 64 bits make a collision
/// among ten million responses less likely than one in a hundred thousand.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct UsageKey(pub u64);

/// What a response cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cost {
    /// By the price table, at the time of the response.
    Priced(Money),
    /// The table does not know the model: what it would have cost by the one that stands for unknown
    /// ones. In no sum of costs.
    Estimated(Money),
    /// The table does not know the model, or not one of the kinds that were used. Never zero.
    Unpriced,
}

/// What following the logs found since the last time: the unit that is stored in one transaction,
/// so that a restart neither loses a token nor counts one twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenBatch {
    /// The process whose agent wrote the log; `None` where it cannot be told.
    pub process: Option<String>,
    /// Responses that were closed, not counted before.
    pub usages: Vec<Usage>,
    /// Changes to responses that had been counted already; booked apart, so that counters of
    /// tokens never shrink.
    pub corrections: Vec<Correction>,
    /// Responses that are being told as far as they were, all of this process, where that changed:
    /// for gauges alone, since only closed ones are counted.
    pub telling: Option<Vec<Usage>>,
    /// How far each file is read.
    pub progress: Vec<FileProgress>,
    /// Keys that are known from now on without having been counted (history at first sight).
    pub seeded: Vec<UsageKey>,
    /// What became of the lines that were read.
    pub lines: LineCounts,
    /// How many files are followed now, where that changed.
    pub files: Option<u64>,
    /// How far reading is behind, where that changed.
    pub lag: Option<Lag>,
    /// How much of subscriptions is used.
    pub quotas: Vec<quota::Quota>,
    /// What happened in conversations, each step before what `progress` says was read.
    pub steps: Vec<Step>,
}

/// How far reading is behind what is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Bytes that are known to be there and were not read yet.
    pub bytes: u64,
    /// Since when there are any.
    pub since: Option<Wall>,
}

/// A late change to a response that had been counted already.
#[derive(Clone, Debug, PartialEq)]
pub struct Correction {
    /// Whose response.
    pub agent: String,
    /// Which model gave it.
    pub model: String,
    /// When, by the agent's clock.
    pub at: Wall,
    /// Tokens by which the counted figure was too low, or (negative) too high.
    pub tokens: i64,
    /// The kinds of which too few were counted.
    pub more: TokenCounts,
    /// What those cost.
    pub cost: Cost,
}

/// Files that are followed at most, over all sources: some 10 MiB of memory. The store remembers as
/// many.
pub const MOST_FILES: usize = 20_000;

/// How far a file has been read. A folder of transcripts has such a row too, at offset 0, from the
/// moment that its history is known: in a next life, a file without a row in it is new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileProgress {
    /// Where it was found.
    #[serde(with = "crate::units::any_path")]
    pub path: PathBuf,
    /// Its identity, which survives a rename.
    pub device: u64,
    /// See [`FileProgress::device`].
    pub inode: u64,
    /// Where to go on: behind the last line that no longer matters, never inside a line.
    pub offset: u64,
}

/// What became of the lines that were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// They opened or completed a response that is or will be counted.
    pub counted: u64,
    /// They told of a response that was known already, or that is history.
    pub duplicate: u64,
    /// They carry no usage.
    pub ignored: u64,
    /// They look like usage and cannot be read.
    pub malformed: u64,
    /// They were longer than a line may be and were passed over.
    pub oversized: u64,
    /// They hold usage where nobody knows it: the format has changed.
    pub unknown: u64,
    /// They came faster than they could be read, from a pipe that must not wait.
    pub dropped: u64,
    /// Bytes read, whatever became of them.
    pub bytes: u64,
    /// Responses that bear the id of another one.
    pub reused: u64,
}

/// What a new life must know of the lives before it, so as to count nothing twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenResume {
    /// How far each file was read.
    pub progress: Vec<FileProgress>,
    /// The keys of every response that was counted or seeded.
    pub seen: Vec<UsageKey>,
    /// The conversations that first told the newest responses and prompts, newest last.
    pub told: Vec<(UsageKey, String)>,
    /// The keys of responses that were not learnt from transcripts.
    pub elsewhere: Vec<UsageKey>,
    /// What was counted of the conversations of the last days, by source.
    pub counted: Vec<CountedBefore>,
    /// What was spent of late.
    pub spent: Vec<SpentBefore>,
}
