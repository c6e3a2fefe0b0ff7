//! How full a context window is, and when that is too full.

use serde::{Deserialize, Serialize};

/// Tokens of a window where neither the model nor the configuration says.
pub const DEFAULT_WINDOW: u64 = 180_000;
/// The part of the window at which the next conversation should take over.
pub const HAND_OVER_AT: f64 = 0.85;
/// The part of the window at which it is full.
pub const FULL_AT: f64 = 0.9;

/// How far a conversation has to fall below a mark before the mark counts anew: a compaction falls
/// far, and an answer that is taken back does not.
const SLACK: f64 = 0.1;

/// The marks of one agent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Tokens of the window, whatever the model says.
    pub window: Option<u64>,
    /// The part of the window at which the next conversation should take over.
    pub hand_over_at: f64,
    /// The part of the window at which it is full.
    pub full_at: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { window: None, hand_over_at: HAND_OVER_AT, full_at: FULL_AT }
    }
}

/// How full a conversation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Fullness {
    /// There is room.
    #[default]
    Room,
    /// The next conversation should take over.
    Due,
    /// It is full.
    Full,
}

impl Fullness {
    /// Every one, from room to none.
    pub const ALL: [Self; 3] = [Self::Room, Self::Due, Self::Full];

    /// Its word on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Room => "room",
            Self::Due => "hand_over_due",
            Self::Full => "full",
        }
    }

    /// Reads what [`Fullness::as_str`] writes; anything else is room.
    pub fn parse(text: &str) -> Self {
        Self::ALL.into_iter().find(|known| known.as_str() == text).unwrap_or_default()
    }
}

impl Limits {
    /// How full a conversation is that was `before`, at this part of its window.
    pub fn judge(&self, before: Fullness, ratio: f64) -> Fullness {
        self.at(ratio).max(before.min(self.at(ratio + SLACK)))
    }

    fn at(&self, ratio: f64) -> Fullness {
        match ratio {
            _ if ratio >= self.full_at => Fullness::Full,
            _ if ratio >= self.hand_over_at => Fullness::Due,
            _ => Fullness::Room,
        }
    }

    /// The window of a conversation with so many tokens, whose model has this one. What does not
    /// fit into it is proof of a larger one: the only larger one that is sold has a million.
    pub fn window_of(&self, model: Option<u64>, tokens: u64) -> u64 {
        const LARGER: u64 = 1_000_000;
        let said = self.window.or(model).unwrap_or(DEFAULT_WINDOW);
        if self.window.is_none() && tokens > said { said.max(LARGER) } else { said }
    }
}
