//! What a tree held since its run began, fine for minutes and coarse for days, in bounded room.
//!
//! Four tiers, each a ring: every second for [`Tier`]s of the last minutes, then every minute, every
//! twenty minutes, every four hours. Of all samples of a span the largest is kept, because peaks are
//! what limits are hit by. Times that stand still or go back are taken for the last one, and a gap is
//! a gap: nothing is filled in.

use std::time::Duration;

use crate::units::Bytes;

/// Samples whose mean is told as the average.
pub const AVERAGED: usize = 10;

/// What a run begins with is what it holds so many seconds later: by then programs are loaded.
pub const BEGUN: u32 = 30;

/// A moment of a tree's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Point {
    /// Seconds since the first sample.
    pub second: u32,
    /// The size that thresholds are compared with, in KiB.
    size: u32,
    /// The summed resident size, in KiB.
    resident: u32,
}

impl Point {
    /// Bytes beyond 4 TiB are pinned.
    fn new(second: u32, size: Bytes, resident: Bytes) -> Self {
        let kib = |bytes: Bytes| u32::try_from(bytes.0 >> 10).unwrap_or(u32::MAX);
        Self { second, size: kib(size), resident: kib(resident) }
    }

    /// The size that thresholds are compared with, to the KiB.
    pub fn size(&self) -> Bytes {
        Bytes(u64::from(self.size) << 10)
    }

    /// The summed resident size, to the KiB.
    pub fn resident(&self) -> Bytes {
        Bytes(u64::from(self.resident) << 10)
    }
}

/// The last `N` spans of so many seconds.
#[derive(Clone, Debug, PartialEq)]
struct Tier<const N: usize> {
    span: u32,
    ring: [Point; N],
    /// Spans so far.
    count: u32,
}

impl<const N: usize> Tier<N> {
    const fn new(span: u32) -> Self {
        Self { span, ring: [Point { second: 0, size: 0, resident: 0 }; N], count: 0 }
    }

    fn place(count: u32) -> usize {
        usize::try_from(count).unwrap_or(0) % N
    }

    fn push(&mut self, point: Point) {
        let last = self.count.checked_sub(1).map(Self::place);
        match last.map(|at| &mut self.ring[at]) {
            Some(last) if last.second / self.span == point.second / self.span => {
                if point.size >= last.size {
                    *last = point;
                }
            }
            _ => {
                self.ring[Self::place(self.count)] = point;
                self.count += 1;
            }
        }
    }

    /// Oldest first.
    fn points(&self) -> impl Iterator<Item = Point> + '_ {
        let kept = self.count.min(u32::try_from(N).unwrap_or(u32::MAX));
        (self.count - kept..self.count).map(|count| self.ring[Self::place(count)])
    }

    fn first(&self) -> u32 {
        self.points().next().map_or(u32::MAX, |point| point.second)
    }
}

/// The sizes of one run's tree.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    seconds: Tier<36>,
    minutes: Tier<30>,
    thirds: Tier<30>,
    days: Tier<42>,
    /// Resident sizes of the last samples.
    recent: [Bytes; AVERAGED],
    samples: u64,
    last: u32,
    begun: Point,
}

impl Default for History {
    fn default() -> Self {
        Self {
            seconds: Tier::new(1),
            minutes: Tier::new(60),
            thirds: Tier::new(20 * 60),
            days: Tier::new(4 * 60 * 60),
            recent: [Bytes(0); AVERAGED],
            samples: 0,
            last: 0,
            begun: Point::default(),
        }
    }
}

impl History {
    /// Takes the next sample, so long after the first one.
    pub fn push(&mut self, since_first: Duration, size: Bytes, resident: Bytes) {
        let second = u32::try_from(since_first.as_secs()).unwrap_or(u32::MAX).max(self.last);
        self.last = second;
        let point = Point::new(second, size, resident);
        if self.begun.second < BEGUN {
            self.begun = point;
        }
        self.seconds.push(point);
        self.minutes.push(point);
        self.thirds.push(point);
        self.days.push(point);
        let place = usize::try_from(self.samples % AVERAGED as u64).unwrap_or(0);
        self.recent[place] = resident;
        self.samples += 1;
    }

    /// What it held [`BEGUN`] seconds after its first sample, or last where it is younger.
    pub fn begun(&self) -> Point {
        self.begun
    }

    /// Samples so far.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// The mean resident size of the last [`AVERAGED`] samples, or of as many as there are.
    pub fn average(&self) -> Option<Bytes> {
        let count = self.samples.min(AVERAGED as u64);
        let kept = &self.recent[..usize::try_from(count).unwrap_or(0)];
        let sum: u128 = kept.iter().map(|bytes| u128::from(bytes.0)).sum();
        let mean = sum.checked_div(u128::from(count))?;
        Some(Bytes(u64::try_from(mean).unwrap_or(u64::MAX)))
    }

    /// Everything that is kept, oldest first: of each time the finest that there is.
    pub fn points(&self) -> Vec<Point> {
        let (seconds, minutes, thirds) =
            (self.seconds.first(), self.minutes.first(), self.thirds.first());
        let before = |end: u32| move |point: &Point| point.second < end;
        let days = self.days.points().filter(before(thirds.min(minutes).min(seconds)));
        let thirds = self.thirds.points().filter(before(minutes.min(seconds)));
        let minutes = self.minutes.points().filter(before(seconds));
        days.chain(thirds).chain(minutes).chain(self.seconds.points()).collect()
    }
}

/// Points as one line of eight heights, at most so many of them: of those that share a place the
/// largest is shown. The lowest height is nothing, so that a small ripple is not drawn as a leap.
pub fn sparkline(points: &[Point], width: usize) -> String {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let height = |step: u32| HEIGHTS[usize::try_from(step).unwrap_or(7).min(7)];
    heights(points, width, 7).into_iter().map(|place| place.map_or(' ', height)).collect()
}

/// How high a line stands at each of at most `width` places of equal time, from 0, which is nothing,
/// to `top`, which is the most that was held. Of points that share a place the largest is told; a
/// place without any is `None`.
pub fn heights(points: &[Point], width: usize, top: u32) -> Vec<Option<u32>> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    let span = u64::from(last.second - first.second).max(1);
    let width = width.clamp(1, points.len());
    let mut places: Vec<Option<u32>> = vec![None; width];
    for point in points {
        let at = u64::from(point.second - first.second) * (width as u64 - 1) / span;
        let place = &mut places[usize::try_from(at).unwrap_or(0)];
        *place = (*place).max(Some(point.size));
    }
    let most = points.iter().map(|point| point.size).max().unwrap_or(0).max(1);
    let height =
        |size| u32::try_from(u64::from(size) * u64::from(top) / u64::from(most)).unwrap_or(top);
    places.into_iter().map(|place| place.map(height)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kib(size: u64) -> Bytes {
        Bytes(size << 10)
    }

    /// A sample each `every` seconds, whose size in KiB is its number.
    fn history(count: u64, every: u64) -> History {
        let mut history = History::default();
        for nth in 0..count {
            history.push(Duration::from_secs(nth * every), kib(nth), kib(2 * nth));
        }
        history
    }

    #[test]
    fn minutes_are_fine_and_days_are_coarse_and_all_is_in_order() {
        let week = history(7 * 24 * 720, 5);
        let points = week.points();
        assert!(points.is_sorted_by(|one, two| one.second < two.second));
        assert!((100..=138).contains(&points.len()), "{}", points.len());
        let span = |point: &Point| 7 * 24 * 3600 - point.second;
        assert!(span(&points[0]) > 6 * 24 * 3600, "days are there: {}", span(&points[0]));
        let fine = points.iter().filter(|point| span(point) <= 180).count();
        assert_eq!(fine, 36, "every sample of the last three minutes");
        let largest = points.last().map(Point::size);
        assert_eq!(largest, Some(kib(7 * 24 * 720 - 1)));
    }

    #[test]
    fn of_a_span_the_peak_is_kept() {
        let mut history = History::default();
        for nth in 0..1000u64 {
            let size = if nth == 17 { 9_999 } else { 5 };
            history.push(Duration::from_secs(nth * 5), kib(size), kib(size));
        }
        assert!(history.points().iter().any(|point| point.size() == kib(9_999)));
    }

    #[test]
    fn time_that_stands_still_or_goes_back_or_leaps_does_no_harm() {
        let mut history = History::default();
        for second in [100, 100, 50, 0, 10_000_000, 10_000_001, u64::MAX] {
            history.push(Duration::from_secs(second), Bytes(u64::MAX), kib(1));
        }
        let points = history.points();
        assert!(points.is_sorted_by(|one, two| one.second < two.second));
        assert_eq!(points.len(), 4);
        assert_eq!(history.samples(), 7);
        assert_eq!(points[0].size(), Bytes(u64::from(u32::MAX) << 10));
    }

    #[test]
    fn the_average_is_of_the_last_ten() {
        assert_eq!(History::default().average(), None);
        assert_eq!(history(3, 5).average(), Some(kib(2)));
        let mean = history(100, 5).average().map(|mean| mean.0);
        assert_eq!(mean, Some((90..100).map(|nth| nth * 2048).sum::<u64>() / 10));
    }

    #[test]
    fn a_line_is_as_wide_as_wanted_and_shows_peaks_and_gaps() {
        assert_eq!(sparkline(&[], 10), "");
        assert_eq!(sparkline(&history(8, 5).points(), 80), "▁▂▃▄▅▆▇█");
        let flat: Vec<Point> =
            (0..4).map(|at| Point::new(at, kib(1000 + u64::from(at)), kib(1))).collect();
        assert_eq!(sparkline(&flat, 4), "▇▇▇█");
        let gap = [
            Point::new(0, kib(7), kib(7)),
            Point::new(1, kib(7), kib(7)),
            Point::new(3, kib(7), kib(7)),
        ];
        assert_eq!(sparkline(&gap, 3), "█ █");
        assert_eq!(sparkline(&history(1000, 5).points(), 20).chars().count(), 20);
        assert_eq!(sparkline(&[Point::default()], 20), "▁");
    }

    #[test]
    fn a_history_is_small() {
        assert!(size_of::<History>() <= 1800, "{} bytes", size_of::<History>());
    }
}
