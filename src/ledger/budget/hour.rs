//! What was spent in the last sixty minutes: one sum for each minute in which something was, so that
//! the state is bounded and nothing is rounded.

use std::collections::VecDeque;

use crate::ledger::budget::Charge;
use crate::units::Wall;

/// The minute that runs and those before it.
const MINUTES: i64 = 60;

const MINUTE_MS: i64 = 60_000;

/// The sums, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Hour {
    minutes: VecDeque<(i64, Charge)>,
}

impl Hour {
    /// Forgets what is older than an hour.
    pub(super) fn turn(&mut self, now: Wall) {
        let oldest = minute(now) - MINUTES;
        while self.minutes.front().is_some_and(|(minute, _)| *minute <= oldest) {
            self.minutes.pop_front();
        }
    }

    /// Whether it was spent in the last hour, and so was added. What is to come is taken for now.
    pub(super) fn add(&mut self, now: Wall, given: Wall, charge: Charge) -> bool {
        self.turn(now);
        let (given, now) = (minute(given.min(now)), minute(now));
        if given <= now - MINUTES {
            return false;
        }
        let behind = self.minutes.iter().rposition(|(minute, _)| *minute <= given);
        match behind.and_then(|at| self.minutes.get_mut(at)).filter(|(minute, _)| *minute == given)
        {
            Some((_, sum)) => *sum = sum.plus(charge),
            None => self.minutes.insert(behind.map_or(0, |at| at + 1), (given, charge)),
        }
        true
    }

    pub(super) fn sum(&self) -> Charge {
        self.minutes.iter().fold(Charge::default(), |sum, (_, one)| sum.plus(*one))
    }

    /// When the sum falls below an amount, if nothing more is spent.
    pub(super) fn falls_below(&self, amount: u64) -> Option<Wall> {
        let mut left = self.sum().amount;
        let gone = self.minutes.iter().find(|(_, one)| {
            left = left.saturating_sub(one.amount);
            left < amount
        });
        gone.map(|(minute, _)| Wall((minute + MINUTES) * MINUTE_MS))
    }

    /// In how many seconds the sum reaches a limit, if so much is spent in an hour from now on: what
    /// falls out meanwhile is what was spent longest ago. `None` where it never does.
    pub(super) fn reaches(&self, limit: u64, per_hour: f64) -> Option<f64> {
        let newest = self.minutes.back()?.0;
        let mut sum = self.sum().amount as f64;
        for ahead in 1..=MINUTES {
            let falls_out = newest + ahead - MINUTES;
            let old = self.minutes.iter().find(|(minute, _)| *minute == falls_out);
            sum += per_hour / MINUTES as f64 - old.map_or(0.0, |(_, one)| one.amount as f64);
            if sum >= limit as f64 {
                return Some((ahead * 60) as f64);
            }
        }
        None
    }
}

fn minute(at: Wall) -> i64 {
    at.0.div_euclid(MINUTE_MS)
}
