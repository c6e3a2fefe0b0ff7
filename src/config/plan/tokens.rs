//! Where tokens are told of beside the agents' logs, what they cost, and where that is written.

use std::path::PathBuf;

/// `tokens`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokensPlan {
    /// Where agents send what OpenTelemetry has them send.
    pub otlp: Otlp,
    /// Prices in LiteLLM's form that are laid over those of the binary.
    pub pricing_file: Option<PathBuf>,
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
