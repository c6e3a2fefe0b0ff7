//! How long the reader rests between two rounds while much is written.
//!
//! A program that writes in small pieces would wake the reader for each of them; the waking costs
//! more than the reading. After some rounds in close succession the reader lets the pipes fill for
//! a moment. What comes after a silence is never put off, and nothing is while a pipe is full.

use std::time::Duration;

use crate::units::Mono;

/// Rounds nearer to each other than this follow in close succession.
const CLOSE: Duration = Duration::from_millis(1);
/// So many of them before the first rest.
const STREAK: u32 = 8;
/// Below what a person or a log driver notices.
const REST: Duration = Duration::from_micros(500);

/// What the fullest pipe of a round showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fill {
    /// Nothing was read.
    Nothing,
    /// There was room enough.
    Some,
    /// More than half of what the pipe holds: whoever writes may be waiting.
    Much,
}

/// The rounds so far.
#[derive(Debug, Default)]
pub struct Pace {
    last: Mono,
    streak: u32,
}

impl Pace {
    /// How long to rest after a round.
    pub fn after(&mut self, now: Mono, fill: Fill) -> Option<Duration> {
        if fill == Fill::Nothing {
            return None;
        }
        let close = now.since(self.last) < CLOSE + REST;
        self.streak = if close { self.streak.saturating_add(1) } else { 0 };
        self.last = now;
        (self.streak >= STREAK && fill == Fill::Some).then_some(REST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rests(gap: Duration, fill: Fill) -> usize {
        let mut pace = Pace::default();
        let mut now = Mono(1 << 40);
        let mut round = |_: &i32| {
            now = now.after(gap);
            pace.after(now, fill).is_some()
        };
        (0..100).filter(&mut round).count()
    }

    #[test]
    fn only_close_rounds_with_room_to_spare_are_followed_by_a_rest() {
        assert_eq!(rests(Duration::from_micros(50), Fill::Some), 100 - 1 - STREAK as usize + 1);
        assert_eq!(rests(Duration::from_micros(50), Fill::Much), 0);
        assert_eq!(rests(Duration::from_micros(50), Fill::Nothing), 0);
        assert_eq!(rests(Duration::from_millis(5), Fill::Some), 0);
    }
}
