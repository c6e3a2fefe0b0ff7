//! How long a process rests before its next run: capped, exponential, and jittered so that a
//! fleet of containers does not restart in step.

use std::time::Duration;

use crate::config::plan::Backoff;

/// The rest before restart number `streak` (1 is the first in a row). `chance` is uniform in
/// [0, 1) and decides the jitter, which only ever adds: the floor of the back-off holds.
pub fn rest(backoff: &Backoff, streak: u32, chance: f64) -> Duration {
    let power = i32::try_from(streak.saturating_sub(1)).unwrap_or(i32::MAX);
    // Finite, so that no rest at all stays none however often it is multiplied.
    let factor = backoff.factor.max(1.0).powi(power).min(f64::MAX);
    let grown = backoff.delay.as_secs_f64() * factor;
    let capped = grown.min(backoff.max_delay.as_secs_f64());
    let jittered = capped * (1.0 + backoff.jitter * chance);
    Duration::try_from_secs_f64(jittered).unwrap_or(backoff.max_delay)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(streak: u32, chance: f64) -> f64 {
        rest(&Backoff::default(), streak, chance).as_secs_f64()
    }

    #[test]
    fn it_doubles_up_to_the_cap() {
        let rests: Vec<f64> = (1..=8).map(|streak| seconds(streak, 0.0)).collect();
        assert_eq!(rests, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
    }

    #[test]
    fn jitter_adds_at_most_its_share_and_never_takes() {
        assert_eq!(seconds(1, 0.0), 0.5);
        assert!((seconds(1, 0.999_999) - 0.55).abs() < 1e-6);
        assert!(seconds(50, 0.999_999) <= 33.0);
    }

    #[test]
    fn absurd_streaks_and_factors_stay_finite() {
        let wild = Backoff { factor: 1e300, ..Backoff::default() };
        assert_eq!(rest(&wild, u32::MAX, 0.0), wild.max_delay);
        let restless = Backoff { delay: Duration::ZERO, ..Backoff::default() };
        assert_eq!(rest(&restless, 5_000, 0.5), Duration::ZERO);
    }
}
