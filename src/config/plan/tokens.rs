//! Where tokens are told of, beside the agents' logs.

/// `tokens`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokensPlan {
    /// Where agents send what OpenTelemetry has them send.
    pub otlp: Otlp,
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
