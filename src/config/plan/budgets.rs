//! What may be spent in a time, and what follows when it is spent.

use crate::config::plan::{Hook, Zone};
use crate::units::{Money, Signal};

/// One entry of `budgets`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetPlan {
    /// The key under `budgets:`; the value of the `budget` label.
    pub name: String,
    /// Whose spending counts.
    pub scope: BudgetScope,
    /// In which time.
    pub window: BudgetWindow,
    /// How much may be spent in it.
    pub limit: BudgetLimit,
    /// Hundredths of the limit that are told of when they are reached, rising.
    pub warn: Vec<u8>,
    /// What is done beside the event and the metric when it is spent.
    pub actions: BudgetActions,
    /// The command that is run then, where the actions name it.
    pub hook: Option<Hook>,
}

/// Whose spending counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BudgetScope {
    /// That of a process, with all its replicas, or of one replica.
    Process(String),
    /// That of an agent, whichever process runs it.
    Agent(String),
    /// Everything that is counted at all.
    Container,
}

/// In which time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BudgetWindow {
    /// From midnight to midnight in a time zone.
    Day(Zone),
    /// In the last sixty minutes at any moment.
    Hour,
    /// In one run of a process.
    Run,
    /// In this life of procession.
    Life,
}

impl BudgetWindow {
    /// Its word in the file.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Day(_) => "day",
            Self::Hour => "hour",
            Self::Run => "run",
            Self::Life => "life",
        }
    }
}

/// How much may be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetLimit {
    /// Tokens of these kinds.
    Tokens {
        /// So many; never 0.
        most: u64,
        /// Of which kinds.
        kinds: CountedKinds,
    },
    /// Money; never 0.
    Cost(Money),
}

/// The kinds of tokens that count, each in its place of [`CountedKinds::NAMES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountedKinds(pub [bool; 6]);

impl CountedKinds {
    /// The kinds by their words, as the `kind` label has them: every token is in exactly one.
    pub const NAMES: [&str; 6] =
        ["input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "cache_write"];

    /// All of them.
    pub const ALL: Self = Self([true; 6]);

    /// The words of those that count.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        Self::NAMES.into_iter().zip(self.0).filter_map(|(name, counts)| counts.then_some(name))
    }
}

/// What is done when it is spent; an event and the metrics there always are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BudgetActions {
    /// The main processes that it is about get this signal, once.
    pub signal: Option<Signal>,
    /// They are stopped.
    pub stop: bool,
    /// Nothing new of it is begun by an order until its window is over.
    pub refuse: bool,
    /// The command for that is run.
    pub hook: bool,
}
