//! The shapes of budgets: what may be spent, and what was.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `GET /v1/budgets`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Budgets {
    /// The number of the picture that this was read from.
    pub generation: u64,
    /// When it was taken, ISO 8601.
    pub at: String,
    /// Every budget, in the order of the file.
    pub budgets: Vec<Budget>,
}

/// `GET /v1/budgets/{name}`. What is not known is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Its name.
    pub name: String,
    /// The process that it is about; left out where it is about an agent or everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// The agent that it is about; left out where it is about a process or everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// `day`, `hour`, `run` or `life`.
    pub window: String,
    /// Where a day begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// What `limit`, `spent` and `per_hour` are in: `tokens` or `nano_usd`.
    pub unit: String,
    /// The kinds of tokens that count; empty for a limit in money.
    pub kinds: Vec<String>,
    /// How much may be spent.
    pub limit: u64,
    /// How much is, in the window.
    pub spent: u64,
    /// The part of the limit that is spent, which may be more than 1.
    pub used_ratio: f64,
    /// Tokens in the window that have no price: a limit in money does not see them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpriced_tokens: Option<u64>,
    /// Whether the limit is reached.
    pub is_spent: bool,
    /// When the window began, ISO 8601; left out for one that rolls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens: Option<String>,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes: Option<String>,
    /// When something can be spent again, where nothing can now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reopens: Option<String>,
    /// How much is spent in an hour as things go; left out until something was spent for a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_hour: Option<u64>,
    /// How long it lasts if things go on like this; left out where that is for ever, or not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_to_limit: Option<f64>,
    /// Hundredths of the limit that are told of.
    pub warn_percent: Vec<u8>,
    /// Times that one of them was told of, in this life.
    pub warnings: u64,
    /// The signal that is sent when it is spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// What follows when it is spent, with how often it did in this life.
    pub exceeded: BTreeMap<String, u64>,
}
