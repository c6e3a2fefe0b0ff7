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
