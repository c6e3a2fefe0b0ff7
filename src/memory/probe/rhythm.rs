//! When memory is sampled. Pure: whoever sleeps in between tells it the time.

use std::time::Duration;

use crate::units::Mono;

/// A shorter interval than this would make the probe itself the load.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// When the next sample is due, and how many were missed.
#[derive(Debug)]
pub(super) struct Rhythm {
    period: Duration,
    /// When the next tick is due. Ticks are whole periods apart, however late one was met.
    tick: Mono,
    /// An extra sample between two ticks.
    extra: Option<Mono>,
    /// Ticks without a sample since the last one that was delivered.
    pub(super) skipped: u64,
}

impl Rhythm {
    /// The first tick is due at once.
    pub(super) fn new(interval: Duration, now: Mono) -> Self {
        let period = interval.max(SHORTEST_INTERVAL);
        Self { period, tick: now, extra: None, skipped: 0 }
    }

    /// Asks for an extra sample; the earliest wish counts.
    pub(super) fn hurry(&mut self, at: Mono) {
        self.extra = Some(self.extra.map_or(at, |extra| extra.min(at)));
    }

    /// When a sample is due.
    pub(super) fn due(&self) -> Mono {
        self.extra.map_or(self.tick, |extra| extra.min(self.tick))
    }

    /// Begins a sample, where one is due. It stands for every tick and every wish that is past.
    pub(super) fn begin(&mut self, now: Mono) -> bool {
        if now < self.due() {
            return false;
        }
        self.extra = self.extra.filter(|at| *at > now);
        if self.tick <= now {
            let period = u64::try_from(self.period.as_nanos()).unwrap_or(u64::MAX);
            let missed = now.0.saturating_sub(self.tick.0) / period;
            self.skipped += missed;
            let further = period.saturating_mul(missed + 1);
            self.tick = Mono(self.tick.0.saturating_add(further));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE: Duration = Duration::from_secs(5);

    fn at(seconds: f64) -> Mono {
        Mono((seconds * 1e9) as u64)
    }

    /// How often a sleeper is woken that is told nothing, from one moment to another.
    fn wakings(rhythm: &mut Rhythm, from: f64, to: f64) -> u32 {
        let (mut now, mut wakings) = (at(from), 0);
        while rhythm.due() <= at(to) {
            now = rhythm.due().max(now);
            wakings += 1;
            assert!(rhythm.begin(now), "woken for nothing at {now:?}");
        }
        wakings
    }

    #[test]
    fn a_quiet_minute_has_a_waking_for_each_interval_and_no_other() {
        let mut rhythm = Rhythm::new(FIVE, at(0.0));
        assert!(rhythm.begin(at(0.0)), "the first at once");
        assert_eq!(wakings(&mut rhythm, 0.0, 60.0), 12);
        assert_eq!(rhythm.skipped, 0);
    }

    #[test]
    fn late_ticks_are_counted_and_the_next_one_is_where_it_would_have_been() {
        let mut rhythm = Rhythm::new(FIVE, at(0.0));
        let met = [(0.0, 0), (5.1, 0), (10.0, 0), (27.0, 2), (30.0, 2), (40.0, 3)];
        for (second, skipped) in met {
            assert!(rhythm.begin(at(second)));
            assert_eq!(rhythm.skipped, skipped, "at {second} s");
        }
        assert_eq!(rhythm.due(), at(45.0));
    }

    #[test]
    fn a_wish_is_met_between_two_ticks_and_together_with_one_that_is_due() {
        let mut rhythm = Rhythm::new(FIVE, at(0.0));
        assert!(rhythm.begin(at(0.0)));
        rhythm.hurry(at(2.0));
        rhythm.hurry(at(3.0));
        assert_eq!(rhythm.due(), at(2.0), "the earliest counts");
        assert!(!rhythm.begin(at(1.9)));
        assert!(rhythm.begin(at(2.1)));
        assert_eq!(rhythm.due(), at(5.0), "ticks stay where they are");
        rhythm.hurry(at(4.9));
        assert!(rhythm.begin(at(5.0)));
        assert_eq!((rhythm.due(), rhythm.skipped), (at(10.0), 0), "one sample for both");
    }

    #[test]
    fn an_interval_has_an_end_downwards() {
        let mut rhythm = Rhythm::new(Duration::ZERO, at(1.0));
        assert!(rhythm.begin(at(1.0)));
        assert_eq!(rhythm.due(), at(1.1));
    }
}
