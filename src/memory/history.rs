//! What a tree held since its run began, fine for minutes and coarse for days, in bounded room.
//!
//! Four tiers, each a ring: every second of the last minutes, then every minute, every twenty minutes,
//! every four hours. What makes room in one goes on to the next, so that no time is told twice and none
//! is lost between two of them. Of all samples of a span the largest is kept, because peaks are what
//! limits are hit by. Times that stand still or go back are taken for the last one, and a gap is a gap:
//! it is marked, and nothing is filled in.

use std::time::Duration;

use crate::units::Bytes;

/// Samples whose mean is told as the average.
pub const AVERAGED: usize = 10;

/// What a run begins with is what it holds so many seconds later: by then programs are loaded.
pub const BEGUN: u32 = 30;

/// Two neighbours belong together where they are no further apart than so many spans of their tier: of
/// two spans the peaks may be at the far ends…
const SPANS_APART: u32 = 2;
/// …or than so many samples, as samples usually came: one or two may be late or missing.
const SAMPLES_APART: u64 = 3;

/// A moment of a tree's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Point {
    /// Seconds since the first sample.
    pub second: u32,
    /// The size that thresholds are compared with.
    pub size: Bytes,
    /// The summed resident size.
    pub resident: Bytes,
    /// Whether nothing was sampled for a while before it, so that no line leads to it.
    pub after_gap: bool,
}

/// What a tree holds at a moment, in three ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// The size that thresholds are compared with.
    pub size: Bytes,
    /// Resident, summed.
    pub resident: Bytes,
    /// Resident minus shared, summed.
    pub anonymous: Bytes,
}

/// What is kept of a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Kept {
    second: u32,
    /// In KiB.
    size: u32,
    /// In KiB.
    resident: u32,
}

impl Kept {
    fn new(second: u32, sizes: &Sizes) -> Self {
        Self { second, size: kib(sizes.size), resident: kib(sizes.resident) }
    }

    fn size(&self) -> Bytes {
        Bytes(u64::from(self.size) << 10)
    }

    fn resident(&self) -> Bytes {
        Bytes(u64::from(self.resident) << 10)
    }
}

/// Bytes beyond 4 TiB are pinned.
fn kib(bytes: Bytes) -> u32 {
    u32::try_from(bytes.0 >> 10).unwrap_or(u32::MAX)
}

/// The last `N` spans of so many seconds.
#[derive(Clone, Debug, PartialEq)]
struct Tier<const N: usize> {
    span: u32,
    ring: [Kept; N],
    /// Spans so far.
    count: u32,
}

impl<const N: usize> Tier<N> {
    const fn new(span: u32) -> Self {
        Self { span, ring: [Kept { second: 0, size: 0, resident: 0 }; N], count: 0 }
    }

    fn place(count: u32) -> usize {
        usize::try_from(count).unwrap_or(0) % N
    }

    /// Takes the next moment, and hands on what had to make room for it.
    fn push(&mut self, kept: Kept) -> Option<Kept> {
        let last = self.count.checked_sub(1).map(Self::place);
        match last.map(|at| &mut self.ring[at]) {
            Some(last) if last.second / self.span == kept.second / self.span => {
                if kept.size >= last.size {
                    *last = kept;
                }
                None
            }
            _ => {
                let oldest = std::mem::replace(&mut self.ring[Self::place(self.count)], kept);
                let was_full = self.is_full();
                self.count += 1;
                was_full.then_some(oldest)
            }
        }
    }

    fn is_full(&self) -> bool {
        usize::try_from(self.count).is_ok_and(|count| count >= N)
    }

    /// Oldest first.
    fn kept(&self) -> impl Iterator<Item = Kept> + '_ {
        let kept = self.count.min(u32::try_from(N).unwrap_or(u32::MAX));
        (self.count - kept..self.count).map(|count| self.ring[Self::place(count)])
    }

    /// Whether something was given up.
    fn has_forgotten(&self) -> bool {
        usize::try_from(self.count).map_or(true, |count| count > N)
    }
}

/// The sizes of one run's tree.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    seconds: Tier<36>,
    minutes: Tier<20>,
    thirds: Tier<12>,
    days: Tier<36>,
    /// Resident sizes of the last samples.
    recent: [Bytes; AVERAGED],
    samples: u64,
    last: u32,
    first: Kept,
    begun: Kept,
    /// Anonymous memory then and now, in KiB.
    anonymous: [u32; 2],
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
            first: Kept::default(),
            begun: Kept::default(),
            anonymous: [0; 2],
        }
    }
}

impl History {
    /// Takes the next sample, so long after the first one.
    pub fn push(&mut self, since_first: Duration, sizes: Sizes) {
        let second = u32::try_from(since_first.as_secs()).unwrap_or(u32::MAX).max(self.last);
        self.last = second;
        let kept = Kept::new(second, &sizes);
        self.anonymous[1] = kib(sizes.anonymous);
        if self.samples == 0 {
            self.first = kept;
        }
        if self.begun.second < BEGUN {
            self.begun = kept;
            self.anonymous[0] = self.anonymous[1];
        }
        self.keep(kept);
        let place = usize::try_from(self.samples % AVERAGED as u64).unwrap_or(0);
        self.recent[place] = sizes.resident;
        self.samples += 1;
    }

    /// Each tier takes what the finer one has no room for any more.
    fn keep(&mut self, kept: Kept) -> Option<Kept> {
        let kept = self.seconds.push(kept)?;
        let kept = self.minutes.push(kept)?;
        let kept = self.thirds.push(kept)?;
        self.days.push(kept)
    }

    /// What was resident [`BEGUN`] seconds after its first sample, or last where it is younger.
    pub fn begun(&self) -> Bytes {
        self.begun.resident()
    }

    /// By how much its anonymous memory has grown since then.
    pub fn grown_anonymous(&self) -> Bytes {
        let [then, now] = self.anonymous;
        Bytes(u64::from(now.saturating_sub(then)) << 10)
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

    /// Everything that is kept, oldest first: of each time the finest that there is, and how it began for
    /// as long as what followed is known.
    pub fn points(&self) -> Vec<Point> {
        let usual = u64::from(self.last) / self.samples.max(1) + 1;
        let mut line = Line { points: Vec::new(), usual, span: 0 };
        if !self.days.has_forgotten() {
            let oldest = self.oldest().map_or(0, |oldest| oldest.second);
            let beginning = [self.first, self.begun];
            line.lay(beginning.into_iter().filter(|kept| kept.second < oldest), BEGUN);
        }
        line.lay(self.days.kept(), self.days.span);
        line.lay(self.thirds.kept(), self.thirds.span);
        line.lay(self.minutes.kept(), self.minutes.span);
        line.lay(self.seconds.kept(), self.seconds.span);
        line.points
    }

    /// The oldest moment that a tier holds.
    fn oldest(&self) -> Option<Kept> {
        let mut tiers = self.days.kept().chain(self.thirds.kept()).chain(self.minutes.kept());
        tiers.next().or_else(|| self.seconds.kept().next())
    }
}

/// Moments of several tiers, one behind the other.
struct Line {
    points: Vec<Point>,
    /// Seconds from sample to sample, as they usually came.
    usual: u64,
    /// The span that the last point stands for.
    span: u32,
}

impl Line {
    /// Lays the moments of a tier behind the others.
    fn lay(&mut self, kept: impl Iterator<Item = Kept>, span: u32) {
        for kept in kept {
            let reach =
                u64::from(self.span.max(span) * SPANS_APART).max(self.usual * SAMPLES_APART);
            let before = self.points.last().map(|before| before.second);
            let apart = before.map_or(0, |before| u64::from(kept.second.saturating_sub(before)));
            if before == Some(kept.second) {
                continue;
            }
            self.span = span;
            self.points.push(Point {
                second: kept.second,
                size: kept.size(),
                resident: kept.resident(),
                after_gap: apart > reach,
            });
        }
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
/// to `top`, which is the most that was held. Of points that share a place the largest is told; the
/// line goes on from point to point, but not over a gap, whose places are `None`.
pub fn heights(points: &[Point], width: usize, top: u32) -> Vec<Option<u32>> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    let span = u64::from(last.second - first.second).max(1);
    let width = width.clamp(1, points.len());
    let place = |point: &Point| {
        let at = u64::from(point.second - first.second) * (width as u64 - 1) / span;
        usize::try_from(at).unwrap_or(0)
    };
    let mut places: Vec<Option<u64>> = vec![None; width];
    for point in points {
        let highest = &mut places[place(point)];
        *highest = (*highest).max(Some(point.size.0));
    }
    for pair in points.windows(2).filter(|pair| !pair[1].after_gap) {
        // A coarse point is the peak of its span: what lies before it was no higher.
        let (from, to) = (place(&pair[0]) + 1, place(&pair[1]));
        (from..to).for_each(|at| places[at] = places[to]);
    }
    let most = points.iter().map(|point| point.size.0).max().unwrap_or(0).max(1);
    let height = |size: u64| {
        let height = u128::from(size) * u128::from(top) / u128::from(most);
        u32::try_from(height).unwrap_or(top)
    };
    places.into_iter().map(|place| place.map(height)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::leak::robust::Robust;

    fn kib(size: u64) -> Bytes {
        Bytes(size << 10)
    }

    fn sizes(size: u64, resident: u64) -> Sizes {
        Sizes { size: kib(size), resident: kib(resident), anonymous: kib(resident) }
    }

    /// A sample each `every` seconds, whose size in KiB is its number.
    fn history(count: u64, every: u64) -> History {
        let mut history = History::default();
        for nth in 0..count {
            history.push(Duration::from_secs(nth * every), sizes(nth, 2 * nth));
        }
        history
    }

    #[test]
    fn minutes_are_fine_and_days_are_coarse_and_all_is_in_order() {
        let week = history(7 * 24 * 720, 5);
        let points = week.points();
        assert!(points.is_sorted_by(|one, two| one.second < two.second));
        assert!((90..=106).contains(&points.len()), "{}", points.len());
        let span = |point: &Point| 7 * 24 * 3600 - point.second;
        assert!(span(&points[0]) > 6 * 24 * 3600, "days are there: {}", span(&points[0]));
        let fine = points.iter().filter(|point| span(point) <= 180).count();
        assert_eq!(fine, 36, "every sample of the last three minutes");
        let largest = points.last().map(|point| point.size);
        assert_eq!(largest, Some(kib(7 * 24 * 720 - 1)));
    }

    /// What grows and grows has the peak of each span at its end: a tier that only keeps those would
    /// begin a span too late, and leave out what lies before the finer one.
    #[test]
    fn of_what_grows_no_time_is_left_out() {
        for (count, every) in
            [(225, 1), (100, 5), (720, 5), (10_000, 5), (6 * 24 * 720, 5), (50, 60)]
        {
            let points = history(count, every).points();
            assert_eq!(points[0].second, 0, "{count} each {every} s: from its beginning");
            assert!(!points.iter().any(|point| point.after_gap), "{count} each {every} s");
            let rises = |pair: &[Point]| pair[0].size < pair[1].size;
            assert!(points.windows(2).all(rises), "{count} each {every} s: nothing twice");
            let line = sparkline(&points, 60);
            assert!(!line.contains(' '), "{count} each {every} s: {line}");
        }
    }

    /// Their peaks lie anywhere in their spans, and their program is loaded within a second.
    #[test]
    fn what_is_steady_is_drawn_steady_and_without_a_gap() {
        for count in [40u64, 70, 95, 130, 4_000, 40_000] {
            let mut history = History::default();
            for second in 0..count {
                let size = if second == 0 { 10 } else { 1_000 - second % 61 };
                history.push(Duration::from_secs(second), sizes(size, size));
            }
            let points = history.points();
            assert!(!points.iter().any(|point| point.after_gap), "{count}: {points:?}");
            let line = heights(&points, 40, 20);
            let steady = line.iter().skip(1).all(|height| *height >= Some(18));
            assert!(steady, "{count}: {line:?}");
        }
    }

    #[test]
    fn where_nothing_was_sampled_there_is_a_gap_however_old_it_is() {
        for more in [10, 1_000, 10_000] {
            let mut history = history(100, 5);
            for nth in 0..more {
                // Two days later: longer than any span.
                history.push(Duration::from_secs(172_800 + nth * 5), sizes(500, 1));
            }
            let points = history.points();
            let gaps: Vec<u32> =
                points.iter().filter(|it| it.after_gap).map(|it| it.second).collect();
            assert_eq!(gaps.len(), 1, "{more}: {gaps:?}");
            assert!(gaps[0] >= 172_800, "{more}: {gaps:?}");
            assert!(sparkline(&points, 60).contains(' '), "{more}");
        }
    }

    #[test]
    fn a_run_of_months_keeps_its_last_six_days_and_forgets_how_it_began() {
        let months = history(60 * 24 * 12, 300);
        let points = months.points();
        assert!(points.len() <= 106, "{}", points.len());
        let kept = 60 * 24 * 3600 - points[0].second;
        assert!((6 * 24 * 3600..7 * 24 * 3600).contains(&kept), "{kept}");
    }

    #[test]
    fn of_a_span_the_peak_is_kept() {
        let mut history = History::default();
        for nth in 0..1000u64 {
            let size = if nth == 17 { 9_999 } else { 5 };
            history.push(Duration::from_secs(nth * 5), sizes(size, size));
        }
        assert!(history.points().iter().any(|point| point.size == kib(9_999)));
    }

    #[test]
    fn time_that_stands_still_or_goes_back_or_leaps_does_no_harm() {
        let mut history = History::default();
        for second in [100, 100, 50, 0, 10_000_000, 10_000_001, u64::MAX] {
            history
                .push(Duration::from_secs(second), Sizes { size: Bytes(u64::MAX), ..sizes(1, 1) });
        }
        let points = history.points();
        assert!(points.is_sorted_by(|one, two| one.second < two.second));
        assert_eq!(points.len(), 4);
        assert_eq!(history.samples(), 7);
        assert_eq!(points[0].size, Bytes(u64::from(u32::MAX) << 10));
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
        let at = |second, size| Point { second, size: kib(size), ..Point::default() };
        let flat: Vec<Point> = (0..4).map(|nth| at(nth, 1000 + u64::from(nth))).collect();
        assert_eq!(sparkline(&flat, 4), "▇▇▇█");
        let gap = [at(0, 7), at(1, 7), Point { after_gap: true, ..at(3, 7) }];
        assert_eq!(sparkline(&gap, 3), "█ █");
        // A minute that is told by its peak, before fine points.
        let mixed = [at(0, 0), at(3, 4), at(6, 8), at(7, 8)];
        assert_eq!(heights(&mixed, 8, 8).len(), 4);
        let mixed = [&mixed[..], &[at(7, 8); 4]].concat();
        let expected = [0, 4, 4, 4, 8, 8, 8, 8].map(Some);
        assert_eq!(heights(&mixed, 8, 8), expected);
        assert_eq!(sparkline(&history(1000, 5).points(), 20).chars().count(), 20);
        assert_eq!(sparkline(&[Point::default()], 20), "▁");
    }

    #[test]
    fn what_is_kept_of_a_process_is_small() {
        let kept = size_of::<History>() + size_of::<Robust>();
        assert!(kept <= 3 << 10, "{kept} bytes");
    }
}
