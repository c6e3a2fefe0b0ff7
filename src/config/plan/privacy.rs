//! What may be kept of what people say to their agents.

/// What may be kept, by default as little as can be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrivacyPlan {
    /// Whether the masked beginnings of prompts and answers are kept.
    pub excerpts: bool,
}
