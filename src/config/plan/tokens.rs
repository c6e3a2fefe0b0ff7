//! Where tokens are told of beside the agents' logs, what they cost, and where that is written.

use std::path::PathBuf;

/// `tokens`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokensPlan {
    /// Where agents send what OpenTelemetry has them send.
    pub otlp: Otlp,
    /// Prices in LiteLLM's form that are laid over those of the binary.
    pub pricing_file: Option<PathBuf>,
    /// Prices of single models, over all others.
    pub prices: Vec<ModelPrice>,
    /// The model by whose prices unknown ones are estimated.
    pub fallback_model: Option<String>,
    /// The file that holds the sums of this life.
    pub report: Option<PathBuf>,
    /// The file that gets a line for each call.
    pub log: Option<PathBuf>,
    /// What becomes of agents that go on spending behind the end of their run.
    pub orphaned_spenders: OrphanedSpenders,
}

/// What becomes of agents that go on spending behind the end of their run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OrphanedSpenders {
    /// They are told of.
    #[default]
    Report,
    /// Whoever is seen to have been left behind by it is ended besides.
    End,
}

impl OrphanedSpenders {
    /// The words of the file.
    pub const NAMES: [(&str, Self); 2] = [("report", Self::Report), ("end", Self::End)];

    /// Its word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::End => "end",
        }
    }
}

/// What the tokens of a model cost, in pico-dollars a token: a dollar a million tokens is a million of
/// them. Absent where it is not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelPrice {
    /// The model.
    pub model: String,
    /// Prompt tokens that no cache has to do with.
    pub input: Option<u64>,
    /// Generated ones.
    pub output: Option<u64>,
    /// Those read from a cache.
    pub cache_read: Option<u64>,
    /// Those written to a cache for five minutes.
    pub cache_write_5m: Option<u64>,
    /// Those written to a cache for an hour.
    pub cache_write_1h: Option<u64>,
    /// Those written to a cache for an unknown time.
    pub cache_write: Option<u64>,
    /// Tokens that its window holds.
    pub context_window: Option<u64>,
}

impl ModelPrice {
    /// Pico-dollars a token in a dollar for a million.
    pub const PICO: f64 = 1e6;
}

/// Where OpenTelemetry's protocol is received, on the loopback address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Otlp {
    /// On a free port, where a process declares an agent.
    #[default]
    Auto,
    /// Nowhere.
    Off,
    /// On this one.
    Port(u16),
}
