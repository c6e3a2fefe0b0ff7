//! The rule that counts rising steps.

use std::fmt;
use std::time::Duration;

use crate::memory::leak::evidence::{Bound, Criterion, Evidence, Span, Unit};
use crate::memory::{LeakDetector, LeakState, TreeSample, Verdict};
use crate::units::{Bytes, Now};

/// Samples that the growth-count rule looks at. This and the next figure are the rule's published
/// ones, so that it answers as it does elsewhere.
pub const WINDOW: usize = 10;
/// Steps between them.
const STEPS: usize = WINDOW - 1;
/// The share of strictly rising steps that has to be *exceeded*: 8 of 9 (0.89) does, 7 (0.78) not.
pub const RISING_SHARE: f64 = 0.8;

/// The growth-count rule: more than [`RISING_SHARE`] of the steps in the last [`WINDOW`] samples
/// rise. Cheap and easily understood; a ramp that ends (a warm-up, a cache that fills) meets it
/// too while it lasts, and a leak in stairs does not. It therefore suspects and never confirms.
#[derive(Clone, Debug, Default)]
pub struct GrowthCount {
    window: [Reading; WINDOW],
    /// Samples taken in so far, counted up to a full window.
    filled: usize,
    /// What the last sample led to, and since when that has held.
    held: Option<(LeakState, Now)>,
    /// How many bytes the tree may hold.
    limit: Option<Bytes>,
}

/// What the rule keeps of a sample.
#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    at: Now,
    size: Bytes,
}

impl LeakDetector for GrowthCount {
    fn observe(&mut self, sample: &TreeSample) {
        let reading = Reading { at: sample.at, size: sample.anonymous };
        if self.filled < WINDOW {
            self.window[self.filled] = reading;
            self.filled += 1;
        } else {
            self.window.rotate_left(1);
            self.window[WINDOW - 1] = reading;
        }
        let state = self.judge();
        if self.held.is_none_or(|(held, _)| held != state) {
            self.held = Some((state, sample.at));
        }
    }

    fn verdict(&self) -> Verdict {
        let (state, since) = self.held.unwrap_or((LeakState::Unknown, Now::default()));
        Verdict {
            state,
            since,
            growth: self.growth(),
            growth_range: None,
            to_limit: self.to_limit(),
            evidence: Evidence::GrowthCount(self.counted()),
        }
    }

    fn limit(&mut self, limit: Option<Bytes>) {
        self.limit = limit;
    }
}

impl GrowthCount {
    /// A rule that has seen nothing yet, with the bytes that the tree may hold.
    pub fn new(limit: Option<Bytes>) -> Self {
        Self { limit, ..Self::default() }
    }

    fn readings(&self) -> &[Reading] {
        &self.window[..self.filled]
    }

    fn judge(&self) -> LeakState {
        if self.filled < WINDOW {
            LeakState::Unknown
        } else if self.rising() as f64 / STEPS as f64 > RISING_SHARE {
            LeakState::Suspected
        } else {
            LeakState::None
        }
    }

    /// Steps that rise strictly; an equal size is not a rise.
    fn rising(&self) -> usize {
        self.readings().windows(2).filter(|pair| pair[1].size > pair[0].size).count()
    }

    fn growth(&self) -> Option<f64> {
        (self.filled == WINDOW).then(|| slope_of_least_squares(self.readings())).flatten()
    }

    fn counted(&self) -> Counted {
        let ends = self.readings().first().zip(self.readings().last());
        Counted {
            samples: self.filled,
            rising: self.rising(),
            from: ends.map_or(Bytes(0), |(first, _)| first.size),
            to: ends.map_or(Bytes(0), |(_, last)| last.size),
            span: ends.map_or(Duration::ZERO, |(first, last)| last.at.mono.since(first.at.mono)),
        }
    }

    /// When the limit is reached if the growth goes on.
    fn to_limit(&self) -> Option<Duration> {
        let growth = self.growth().filter(|growth| *growth > 0.0)?;
        let room = self.limit?.0.saturating_sub(self.readings().last()?.size.0);
        Duration::try_from_secs_f64(room as f64 / growth).ok()
    }
}

/// What the rule sees in its window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Samples so far, up to [`WINDOW`].
    pub samples: usize,
    /// Steps that rise strictly.
    pub rising: usize,
    /// The oldest size.
    pub from: Bytes,
    /// The newest.
    pub to: Bytes,
    /// How long lies between them.
    pub span: Duration,
}

impl Counted {
    /// The figures with what they are held against.
    pub fn criteria(&self) -> Vec<Criterion> {
        let full = self.samples == WINDOW;
        vec![
            Criterion {
                name: "samples",
                value: Some(self.samples as f64),
                unit: Unit::Count,
                bound: Bound::AtLeast(WINDOW as f64),
            },
            Criterion {
                name: "share of steps that rise",
                value: full.then_some(self.rising as f64 / STEPS as f64),
                unit: Unit::Ratio,
                bound: Bound::Above(RISING_SHARE),
            },
        ]
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.samples == 0 {
            return f.write_str("no sample yet");
        }
        if self.samples < WINDOW {
            return write!(f, "{} of the {WINDOW} samples that the rule needs", self.samples);
        }
        write!(
            f,
            "{} of the last {STEPS} steps rose (a leak has more than {:.0} %); anonymous memory \
             went from {} to {} in {}",
            self.rising,
            RISING_SHARE * 100.0,
            self.from,
            self.to,
            Span(self.span.as_secs_f64()),
        )
    }
}

/// Bytes per second by ordinary least squares over time: unlike the difference of the two ends, it
/// does not hang on two samples. `None` where no time has passed.
fn slope_of_least_squares(readings: &[Reading]) -> Option<f64> {
    let first = readings.first()?;
    let n = readings.len() as f64;
    let points = || {
        readings.iter().map(|reading| {
            let seconds = reading.at.mono.since(first.at.mono).as_secs_f64();
            (seconds, reading.size.0 as f64 - first.size.0 as f64)
        })
    };
    let (sum_t, sum_y) = points().fold((0.0, 0.0), |(t, y), point| (t + point.0, y + point.1));
    let (mean_t, mean_y) = (sum_t / n, sum_y / n);
    let (covariance, variance) = points().fold((0.0, 0.0), |(c, v), (t, y)| {
        (c + (t - mean_t) * (y - mean_y), v + (t - mean_t) * (t - mean_t))
    });
    (variance > 0.0).then(|| covariance / variance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Mono, RunId, Wall};

    const EVERY: Duration = Duration::from_secs(5);

    fn sample(nth: u32, size: u64) -> TreeSample {
        let mono = Mono::default().after(EVERY * nth);
        TreeSample {
            run: RunId(1),
            at: Now { mono, wall: Wall(i64::from(nth) * 5_000) },
            resident: Bytes(7),
            anonymous: Bytes(size),
            largest: Bytes(0),
            virtual_size: Bytes(7),
            processes: 1,
            zombies: 0,
            oldest_zombie: None,
            cpu_seconds: 0.0,
        }
    }

    /// The verdict after samples whose steps are these.
    fn after(steps: &[i64]) -> Verdict {
        let mut rule = GrowthCount::new(Some(Bytes(1_000_900)));
        let mut size = 1_000_000i64;
        rule.observe(&sample(0, size.unsigned_abs()));
        for (nth, step) in (1..).zip(steps) {
            size += step;
            rule.observe(&sample(nth, size.unsigned_abs()));
        }
        rule.verdict()
    }

    #[test]
    fn eight_rising_steps_of_nine_are_a_leak_and_seven_are_not() {
        for (steps, expected) in [
            ([10; 9], LeakState::Suspected),
            ([10, 10, 10, 10, -500, 10, 10, 10, 10], LeakState::Suspected),
            ([-500, 10, 10, 10, 10, 10, 10, 10, 10], LeakState::Suspected),
            ([10, 10, 10, 10, 10, 10, 10, 10, -500], LeakState::Suspected),
            ([10, 10, 10, 10, -1, -1, 10, 10, 10], LeakState::None),
            ([-1, 10, 10, 10, 10, 10, 10, 10, -1], LeakState::None),
            ([-10; 9], LeakState::None),
        ] {
            assert_eq!(after(&steps).state, expected, "{steps:?}");
        }
    }

    #[test]
    fn equal_steps_do_not_rise() {
        assert_eq!(after(&[0, 1, 1, 1, 1, 1, 1, 1, 1]).state, LeakState::Suspected);
        assert_eq!(after(&[0, 1, 1, 1, 1, 1, 1, 1, 0]).state, LeakState::None);
        assert_eq!(after(&[0; 9]).state, LeakState::None);
    }

    #[test]
    fn under_ten_samples_there_is_no_verdict() {
        for length in 0..9 {
            let verdict = after(&vec![10; length]);
            assert_eq!((verdict.state, verdict.growth), (LeakState::Unknown, None), "{length}");
        }
        assert_eq!(GrowthCount::default().verdict().state, LeakState::Unknown);
    }

    #[test]
    fn the_window_slides_and_the_verdict_goes_back() {
        let mut steps = vec![10; 30];
        assert_eq!(after(&steps).state, LeakState::Suspected);
        steps.push(0);
        assert_eq!(after(&steps).state, LeakState::Suspected, "8 of 9");
        steps.push(0);
        assert_eq!(after(&steps).state, LeakState::None, "7 of 9");
        steps.extend([10; 8]);
        assert_eq!(after(&steps).state, LeakState::Suspected, "the flat ones left the window");
    }

    #[test]
    fn a_state_is_dated_from_the_sample_that_began_it() {
        let second_of = |verdict: Verdict| verdict.since.mono.0 / 1_000_000_000;
        assert_eq!(second_of(after(&[10; 4])), 0);
        assert_eq!(second_of(after(&[10; 9])), 45);
        assert_eq!(second_of(after(&[10; 25])), 45);
        let mut steps = vec![10; 25];
        steps.extend([0, 0, 0]);
        assert_eq!(second_of(after(&steps)), 27 * 5);
    }

    #[test]
    fn growth_is_the_slope_of_least_squares() {
        let close = |verdict: Verdict, expected: f64| {
            let growth = verdict.growth.unwrap();
            assert!((growth - expected).abs() < 1e-6, "{growth} instead of {expected}");
        };
        close(after(&[50; 9]), 10.0);
        close(after(&[-50; 9]), -10.0);
        close(after(&[0; 9]), 0.0);
        // One outlier at the very end moves the line by 0.27 of what it moves the difference.
        close(after(&[0, 0, 0, 0, 0, 0, 0, 0, 825]), 825.0 * 4.5 / (82.5 * 5.0));
    }

    #[test]
    fn the_evidence_is_a_sentence_with_the_figures() {
        let evidence = after(&[1 << 20; 9]).evidence;
        assert_eq!(
            evidence.to_string(),
            "9 of the last 9 steps rose (a leak has more than 80 %); anonymous memory went from \
             976.6 KiB to 10.0 MiB in 45 s"
        );
        let young = after(&[1; 3]).evidence;
        assert_eq!(young.to_string(), "4 of the 10 samples that the rule needs");
        let none = GrowthCount::default().verdict().evidence;
        assert_eq!(none.to_string(), "no sample yet");
    }

    #[test]
    fn a_leak_meets_every_criterion_and_nothing_else_does() {
        let all_met = |steps: &[i64]| {
            let explained = after(steps).evidence.explain();
            explained.criteria.iter().all(Criterion::is_met)
        };
        assert!(all_met(&[10; 9]) && all_met(&[10, 10, 10, 10, -500, 10, 10, 10, 10]));
        assert!(!all_met(&[10, 10, 10, 10, -1, -1, 10, 10, 10]) && !all_met(&[10; 8]));
    }

    #[test]
    fn the_limit_is_reached_where_growth_leads() {
        let seconds = |steps: &[i64]| after(steps).to_limit.map(|span| span.as_secs_f64());
        // 450 of 900 bytes are left at 10 bytes a second.
        let left = seconds(&[50; 9]).unwrap();
        assert!((left - 45.0).abs() < 1e-6, "{left}");
        assert_eq!(seconds(&[200; 9]), Some(0.0), "beyond the limit");
        assert_eq!((seconds(&[-50; 9]), seconds(&[0; 9]), seconds(&[50; 3])), (None, None, None));
        assert_eq!(GrowthCount::new(None).verdict().to_limit, None);
    }

    #[test]
    fn a_detector_is_small() {
        assert!(size_of::<GrowthCount>() <= 300, "{} bytes", size_of::<GrowthCount>());
    }
}
