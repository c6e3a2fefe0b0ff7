//! How fast a budget is spent: an average in which what was spent a quarter of an hour ago weighs a
//! third of what is spent now. Two numbers of state, whatever the traffic.

use std::time::Duration;

use crate::units::Mono;

/// The time in which a weight falls to 1/e: longer than one step of an agent, which may think and
/// build for minutes between two responses, and short enough to show within a coffee that one has
/// gone wild.
const FADES_IN: f64 = 900.0;

/// Sooner after the first charge a rate would be a guess from one response.
const LEAST: Duration = Duration::from_secs(60);

/// What was spent, faded.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Burn {
    weight: f64,
    /// When it was last added to.
    at: Mono,
    /// When it was first added to.
    since: Option<Mono>,
}

impl Burn {
    pub(super) fn add(&mut self, at: Mono, amount: u64) {
        self.weight = self.faded(at) + amount as f64;
        self.at = self.at.max(at);
        self.since.get_or_insert(at);
    }

    /// The rate by now; unknown until something was spent for a minute.
    pub(super) fn per_hour(&self, at: Mono) -> Option<f64> {
        let watched = at.since(self.since?);
        // Weights of what was before the first charge are missing.
        let seen = 1.0 - (-watched.as_secs_f64() / FADES_IN).exp();
        (watched >= LEAST).then(|| self.faded(at) / (FADES_IN * seen) * 3600.0)
    }

    fn faded(&self, at: Mono) -> f64 {
        self.weight * (-at.since(self.at).as_secs_f64() / FADES_IN).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Mono {
        Mono(seconds * 1_000_000_000)
    }

    #[test]
    fn a_steady_rate_is_met_soon_and_fades_when_nothing_is_spent() {
        let mut burn = Burn::default();
        assert_eq!(burn.per_hour(at(1000)), None);
        for second in (0..3600).step_by(10) {
            burn.add(at(second), 100);
            let Some(rate) = burn.per_hour(at(second)) else {
                assert!(second < 60, "{second}");
                continue;
            };
            let off = rate / 36_000.0;
            assert!((0.95..1.25).contains(&off), "{second}: {rate}");
        }
        let now = burn.per_hour(at(3600)).expect("a rate");
        let later = burn.per_hour(at(3600 + 900)).expect("a rate");
        assert!((2.0..3.5).contains(&(now / later)), "{now} {later}");
    }

    #[test]
    fn a_clock_that_stands_still_or_goes_back_breaks_nothing() {
        let mut burn = Burn::default();
        burn.add(at(100), 5);
        burn.add(at(90), 5);
        assert_eq!(burn.per_hour(at(100)), None);
        assert!(burn.per_hour(at(200)).expect("a rate").is_finite());
    }
}
