//! How the votes on a series went on from look to look.
//!
//! One look can be an accident of where a piece begins, and a ramp looks like a leak until it ends. What a
//! look says is worth more when those before it said the same, when the odds stayed even for as long as
//! nothing grew, and less when they have risen and fallen before.

use crate::memory::leak::shape::{FIGURES, Shape};

/// Figures of the course.
pub const STEPS: usize = 12;
/// Those of the shape and of the course together.
pub const ALL: usize = FIGURES + STEPS;

/// The part that the newest look has in the odds, as in any exponentially weighted mean: about six have
/// their say.
const NEWEST: f64 = 0.3;
/// And in the slow odds, where about twenty have.
const NEWEST_SLOW: f64 = 0.1;
/// Odds that were as high and then as low as this have risen and fallen once.
const ROSE: f64 = 1.0;
const FELL: f64 = -0.5;
/// The highest odds where there were none.
const NONE: f64 = -9.0;

/// How the votes went on so far.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    looks: u32,
    odds: f64,
    slow: f64,
    /// The newest vote and the two before it, the newest first.
    votes: [f64; 3],
    /// Samples at the newest look, and at the last one at which the odds were even or against.
    samples: f64,
    even_at: f64,
    /// How often the odds have risen and fallen again.
    falls: f64,
    has_risen: bool,
    /// The highest odds of this rise, and of those before it.
    highest: f64,
    highest_before: f64,
}

impl Default for Course {
    fn default() -> Self {
        Self {
            looks: 0,
            odds: 0.0,
            slow: 0.0,
            votes: [0.0; 3],
            samples: 0.0,
            even_at: 0.0,
            falls: 0.0,
            has_risen: false,
            highest: NONE,
            highest_before: NONE,
        }
    }
}

impl Course {
    /// Takes the vote on a look after so many samples.
    pub fn push(&mut self, vote: f64, samples: u32) {
        self.samples = f64::from(samples);
        let before = self.votes;
        if self.looks == 0 {
            (self.odds, self.slow, self.votes, self.even_at) =
                (vote, vote, [vote; 3], self.samples);
        } else {
            self.odds += NEWEST * (vote - self.odds);
            self.slow += NEWEST_SLOW * (vote - self.slow);
            self.votes = [vote, before[0], before[1]];
        }
        self.looks = self.looks.saturating_add(1);
        if self.odds > 0.0 { self.rise() } else { self.fall() }
    }

    fn rise(&mut self) {
        self.highest = self.highest.max(self.odds);
        self.has_risen |= self.odds > ROSE;
    }

    fn fall(&mut self) {
        self.even_at = self.samples;
        self.highest_before = self.highest_before.max(self.highest);
        self.highest = NONE;
        if self.has_risen && self.odds < FELL {
            self.falls += 1.0;
            self.has_risen = false;
        }
    }

    /// The logarithm of the odds over about six looks; `None` before the first.
    pub fn odds(&self) -> Option<f64> {
        (self.looks > 0).then_some(self.odds)
    }

    /// Samples for which the odds have stood above even.
    pub fn above(&self) -> f64 {
        self.samples - self.even_at
    }

    /// The figures of the shape, and behind them those of the course: the newest vote; the odds, quick and
    /// slow; the vote before; the least, the highest and the mean of the newest three; for what part of its
    /// life and for how many samples the odds have stood above even; how often they fell, and how high they
    /// were before they did; by how much the newest vote differs from the one before.
    pub fn figures(&self, shape: &Shape) -> [f64; ALL] {
        let [vote, before, other] = self.votes;
        let above = self.above();
        let steps = [
            vote,
            self.odds,
            self.slow,
            before,
            vote.min(before).min(other),
            vote.max(before).max(other),
            (vote + before + other) / 3.0,
            above / self.samples.max(1.0),
            above,
            self.falls,
            self.highest_before,
            vote - before,
        ];
        let mut all = [0.0; ALL];
        all[..FIGURES].copy_from_slice(&shape.0);
        all[FIGURES..].copy_from_slice(&steps);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figures of the course after these votes, eight samples apart.
    fn after(votes: &[f64]) -> [f64; STEPS] {
        let mut course = Course::default();
        for (nth, vote) in (1..).zip(votes) {
            course.push(*vote, 8 * nth);
        }
        let all = course.figures(&Shape([7.0; FIGURES]));
        assert_eq!(all[FIGURES - 1], 7.0);
        all[FIGURES..].try_into().expect("so many")
    }

    #[test]
    fn votes_are_remembered_and_smoothed() {
        let [vote, odds, slow, before, least, most, mean, ..] = after(&[1.0, 3.0, -1.0]);
        assert_eq!((vote, before, least, most, mean), (-1.0, 3.0, -1.0, 3.0, 1.0));
        assert!((odds - 0.82).abs() < 1e-9 && (slow - 0.98).abs() < 1e-9, "{odds} {slow}");
        assert_eq!(after(&[1.0, 3.0, -1.0])[11], -4.0);
    }

    #[test]
    fn time_above_even_and_earlier_rises_are_counted() {
        let risen = after(&[-2.0, -2.0, 6.0, 6.0]);
        assert_eq!((risen[7], risen[8]), (0.5, 16.0));
        assert_eq!((risen[9], risen[10]), (0.0, NONE), "it has not fallen yet");
        let fallen = after(&[-2.0, -2.0, 6.0, 6.0, -9.0, -9.0]);
        assert_eq!((fallen[8], fallen[9]), (0.0, 1.0));
        assert!((fallen[10] - 2.08).abs() < 1e-9, "{}", fallen[10]);
        assert_eq!(Course::default().odds(), None);
    }
}
