//! Spans of time, counted by how long they were: histograms without a registry.

use std::time::Duration;

/// The upper ends of the buckets of what sessions last, in seconds: from a command to a day of work.
pub const LIVES: [f64; 9] = [1.0, 10.0, 60.0, 300.0, 1800.0, 3600.0, 14400.0, 43200.0, 86400.0];

/// The upper ends of the buckets of what it takes until a process can be used, in seconds.
pub const STARTS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

/// How often something took how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    /// Times that were at most as long as the bucket's end and longer than the one before.
    pub buckets: [u64; LIVES.len()],
    /// All times, those beyond the last bucket included.
    pub count: u64,
    /// The sum of all.
    pub total: Duration,
}

impl Spans {
    /// Counts one more, by buckets with these ends.
    pub fn add(&mut self, ends: &[f64; LIVES.len()], took: Duration) {
        let seconds = took.as_secs_f64();
        if let Some(bucket) = ends.iter().position(|end| seconds <= *end) {
            self.buckets[bucket] += 1;
        }
        self.count += 1;
        self.total = self.total.saturating_add(took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_counted_in_the_first_bucket_that_holds_it() {
        let mut spans = Spans::default();
        for seconds in [0, 1, 2, 86_401] {
            spans.add(&LIVES, Duration::from_secs(seconds));
        }
        assert_eq!((spans.buckets[..2].to_vec(), spans.count), (vec![2, 1], 4));
        assert_eq!(spans.buckets.iter().sum::<u64>(), 3, "one is beyond all of them");
    }
}
