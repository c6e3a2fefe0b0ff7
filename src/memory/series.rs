//! The last samples of one tree, and what is known of all of them.

use crate::memory::TreeSample;
use crate::units::{Bytes, Mono};

/// Samples that are kept of each tree, which at one in five seconds is eight minutes: enough to
/// draw and to judge by, and with 24 bytes each the largest part of what a process may cost.
pub const KEPT: usize = 100;

/// A ring of the last [`KEPT`] samples, and the peak and the mean of every sample ever taken in.
/// An empty one holds no memory; the ring grows in steps, because most runs are short.
#[derive(Clone, Debug, Default)]
pub struct Series {
    points: Vec<Point>,
    /// Where the oldest one is, once the ring is full.
    oldest: usize,
    count: u64,
    peak: Bytes,
    sum: u128,
}

/// What is kept of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// When it was read.
    pub at: Mono,
    /// Resident bytes of the tree.
    pub resident: Bytes,
    /// Anonymous bytes of the tree.
    pub anonymous: Bytes,
}

impl Series {
    /// Takes in the next sample; the oldest one leaves when the ring is full.
    pub fn push(&mut self, sample: &TreeSample) {
        let point =
            Point { at: sample.at.mono, resident: sample.resident, anonymous: sample.anonymous };
        self.count += 1;
        self.peak = self.peak.max(point.resident);
        self.sum += u128::from(point.resident.0);
        if self.points.len() < KEPT {
            self.make_room();
            self.points.push(point);
        } else {
            self.points[self.oldest] = point;
            self.oldest = (self.oldest + 1) % KEPT;
        }
    }

    /// The kept samples, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Point> + '_ {
        let (newer, older) = self.points.split_at(self.oldest);
        older.iter().chain(newer)
    }

    /// The newest sample.
    pub fn latest(&self) -> Option<&Point> {
        self.iter().last()
    }

    /// Samples that were ever taken in.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The largest resident size that was ever taken in.
    pub fn peak(&self) -> Option<Bytes> {
        (self.count > 0).then_some(self.peak)
    }

    /// The mean resident size of all samples that were ever taken in, rounded down.
    pub fn mean(&self) -> Option<Bytes> {
        let mean = self.sum.checked_div(u128::from(self.count))?;
        u64::try_from(mean).ok().map(Bytes)
    }

    /// Doubles the ring, from a first handful to its full size and never beyond.
    fn make_room(&mut self) {
        const FIRST: usize = 8;
        let have = self.points.len();
        if have == self.points.capacity() {
            self.points.reserve_exact(have.clamp(FIRST, KEPT - have));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Now, RunId, Wall};

    fn series_of(sizes: impl IntoIterator<Item = u64>) -> Series {
        let mut series = Series::default();
        for (second, size) in sizes.into_iter().enumerate() {
            series.push(&TreeSample {
                run: RunId(1),
                at: Now { mono: Mono(second as u64), wall: Wall(0) },
                resident: Bytes(size),
                anonymous: Bytes(size / 2),
                virtual_size: Bytes(0),
                processes: 1,
                cpu_seconds: 0.0,
            });
        }
        series
    }

    #[test]
    fn an_empty_series_knows_nothing_and_holds_nothing() {
        let series = Series::default();
        assert_eq!((series.peak(), series.mean(), series.latest()), (None, None, None));
        assert_eq!(series.points.capacity(), 0);
    }

    #[test]
    fn the_ring_keeps_the_newest_in_order() {
        for pushed in [1, 8, 9, 99, 100, 101, 150, 200, 731] {
            let series = series_of(0..pushed);
            let kept: Vec<u64> = series.iter().map(|point| point.resident.0).collect();
            let expected: Vec<u64> = (pushed.saturating_sub(KEPT as u64)..pushed).collect();
            assert_eq!(kept, expected, "after {pushed}");
            assert_eq!(series.latest().map(|point| point.at), Some(Mono(pushed - 1)));
            assert_eq!(series.count(), pushed);
        }
    }

    #[test]
    fn peak_and_mean_remember_what_the_ring_forgot() {
        let series = series_of((0..300).map(|n| if n == 0 { 3_000 } else { 10 }));
        assert_eq!(series.peak(), Some(Bytes(3_000)));
        assert_eq!(series.mean(), Some(Bytes(19)));
    }

    #[test]
    fn the_mean_of_the_largest_sizes_does_not_overflow() {
        assert_eq!(series_of([u64::MAX; 3]).mean(), Some(Bytes(u64::MAX)));
    }

    #[test]
    fn a_full_series_costs_what_the_house_allows_it() {
        const ALLOWED: usize = 2600;
        let series = series_of(0..1000);
        let bytes = series.points.capacity() * size_of::<Point>() + size_of::<Series>();
        assert!(bytes <= ALLOWED, "{bytes} bytes");
    }
}
