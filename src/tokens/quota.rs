//! How much of what a subscription allows is used, where agents tell it.

use crate::units::Wall;

/// A limit that is told without its reset holds for so long at most, in milliseconds.
const HOLDS_MS: i64 = 5 * 3_600_000;

/// The span of a limit, as a label has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Window {
    /// Five hours.
    FiveHours,
    /// A week.
    Week,
    /// Another one.
    Other,
}

/// How much of a limit is used.
#[derive(Clone, Debug, PartialEq)]
pub struct Quota {
    /// The configured name of the agent, or its product's; empty until it is known.
    pub agent: String,
    /// Which limit.
    pub window: Window,
    /// The part that is used, from 0.
    pub used: f64,
    /// When it begins anew.
    pub resets: Option<Wall>,
    /// When it was told.
    pub at: Wall,
}

impl Window {
    /// The value of the `window` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FiveHours => "5h",
            Self::Week => "7d",
            Self::Other => "other",
        }
    }

    /// The limit over so many minutes.
    pub fn of_minutes(minutes: u64) -> Self {
        match minutes {
            300 | 299 => Self::FiveHours,
            10_080 | 10_079 => Self::Week,
            _ => Self::Other,
        }
    }

    /// The limit that Claude Code calls so. Those of single models are others.
    pub fn of_claude(name: &str) -> Self {
        match name {
            "five_hour" => Self::FiveHours,
            "seven_day" => Self::Week,
            _ => Self::Other,
        }
    }
}

impl Quota {
    /// Whether it still says anything.
    pub fn holds(&self, now: Wall) -> bool {
        let until = self.resets.unwrap_or(Wall(self.at.0.saturating_add(HOLDS_MS)));
        now < until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_began_anew_is_told_of_no_more() {
        let quota = |resets| Quota {
            agent: "codex".into(),
            window: Window::of_minutes(300),
            used: 0.5,
            resets,
            at: Wall(1_000),
        };
        assert!(quota(Some(Wall(2_000))).holds(Wall(1_999)));
        assert!(!quota(Some(Wall(2_000))).holds(Wall(2_000)));
        assert!(quota(None).holds(Wall(HOLDS_MS)) && !quota(None).holds(Wall(1_000 + HOLDS_MS)));
        assert_eq!(Window::of_claude("seven_day_opus"), Window::Other);
        assert_eq!(Window::of_minutes(10_080).as_str(), "7d");
    }
}
