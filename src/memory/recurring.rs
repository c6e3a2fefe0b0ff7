//! A leak that outlives restarts: each run of a process begins as small as the one before and grows
//! as fast, and is ended before it is found out.
//!
//! Pure, over a few numbers of each ended run. The growth of a run is the slope of least squares over
//! what is left of its history once the first third is taken off, where caches fill and programs warm
//! up. Nothing is said before [`RUNS`] runs in a row agree.
//!
//! It is resident memory that is looked at, because it is read with every sample: what thresholds are
//! compared with is read so seldom where much is held that a short run may never have its own figure.
//! Files that are mapped count there too, so that most of a growth has to be anonymous.
//!
//! A run that was too short for a trend says nothing, unless it ended for want of memory: what grows so
//! fast that it is killed within a minute, again and again, is the worst of them. Then its slope is that
//! from its first sample to what it had at its end.

use std::time::Duration;

use crate::memory::history::{History, Point};
use crate::units::Bytes;

/// Runs in a row that have to agree: with three of them, two restarts did not help.
pub const RUNS: usize = 3;
/// A run that was shorter says nothing and does not break the row, unless it ended for want of memory.
pub const SHORTEST: Duration = Duration::from_secs(60);
/// Points of its history that a run must have to say anything.
const LEAST_POINTS: usize = 12;
/// A run has to grow by this many hundredths of what it held after its first third…
const LEAST_GROWTH_PERCENT: u64 = 5;
/// …and by this much.
const LEAST_GROWTH: Bytes = Bytes(1 << 20);
/// Of a growth, this many hundredths at least have to be anonymous memory: the rest maps files.
const LEAST_ANONYMOUS_PERCENT: u64 = 50;
/// Slopes agree when none is further from their median than by this factor.
const SLOPES_APART: f64 = 2.0;
/// Beginnings agree when none is further from their median than by this part of it: what grows from
/// run to run as well has another reason than the run.
const STARTS_APART: f64 = 0.25;
/// Or by this part of what the runs grow by: of what grows fast, the first sample may be of one moment or
/// another.
const STARTS_APART_OF_GROWTH: f64 = 0.1;

/// How the memory of one ended run went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunTrend {
    /// Bytes per second after its first third.
    pub slope: f64,
    /// From its first sample to its last.
    pub lasted: Duration,
    /// What was resident at its beginning.
    pub start: Bytes,
    /// What was after its first third.
    pub settled: Bytes,
    /// What was at its end.
    pub end: Bytes,
    /// By how much its anonymous memory grew from its beginning to its end.
    pub anonymous: Bytes,
}

/// The row of runs that agree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recurring {
    /// How many.
    pub runs: usize,
    /// The median of their slopes, in bytes per second.
    pub slope: f64,
    /// The median of what they began with.
    pub start: Bytes,
}

/// How a run went, by its history; `None` where it was too short to say.
pub fn trend(history: &History) -> Option<RunTrend> {
    let points = history.points();
    let last = points.last()?;
    let lasted = Duration::from_secs(last.second.into());
    if lasted < SHORTEST || points.len() < LEAST_POINTS {
        return None;
    }
    let from = last.second / 3;
    let rest: Vec<&Point> = points.iter().filter(|point| point.second >= from).collect();
    let start = history.begun();
    let settled = rest.first()?.resident;
    let anonymous = history.grown_anonymous();
    Some(RunTrend { slope: slope(&rest)?, lasted, start, settled, end: last.resident, anonymous })
}

/// How a run went that ended for want of memory too soon for a trend: so long after its first sample, and
/// with this much at most. `None` where it was not sampled, or did not grow.
pub fn cut_short(history: &History, lasted: Duration, peak: Bytes) -> Option<RunTrend> {
    let points = history.points();
    let start = points.first()?.resident;
    let end = points.last()?.resident.max(peak);
    let grown = Bytes(end.0.saturating_sub(start.0));
    let slope = grown.0 as f64 / lasted.as_secs_f64();
    let trend = RunTrend { slope, lasted, start, settled: start, end, anonymous: grown };
    (slope.is_finite() && grown > Bytes(0)).then_some(trend)
}

/// Whether the last runs of a process, oldest first, leak one like another.
pub fn recurring(runs: &[RunTrend]) -> Option<Recurring> {
    let last = runs.len().checked_sub(RUNS)?;
    let agree = |row: &[RunTrend]| {
        let (slope, start) = (median(row.iter().map(|run| run.slope)), start_of(row));
        let grown = median(row.iter().map(|run| run.end.0.saturating_sub(run.start.0) as f64));
        let apart = (start * STARTS_APART).max(grown * STARTS_APART_OF_GROWTH);
        row.iter().all(|run| {
            grows(run)
                && run.slope <= slope * SLOPES_APART
                && run.slope * SLOPES_APART >= slope
                && (run.start.0 as f64 - start).abs() <= apart
        })
    };
    if !agree(&runs[last..]) {
        return None;
    }
    // As far back as they agree.
    let from = (0..=last).find(|from| agree(&runs[*from..])).unwrap_or(last);
    let row = &runs[from..];
    let start = Bytes(start_of(row) as u64);
    Some(Recurring { runs: row.len(), slope: median(row.iter().map(|run| run.slope)), start })
}

fn grows(run: &RunTrend) -> bool {
    let grown = run.end.0.saturating_sub(run.settled.0);
    let enough = (run.settled.0 / 100).saturating_mul(LEAST_GROWTH_PERCENT).max(LEAST_GROWTH.0);
    let whole = run.end.0.saturating_sub(run.start.0);
    let is_anonymous = run.anonymous.0 >= whole / 100 * LEAST_ANONYMOUS_PERCENT;
    run.slope > 0.0 && grown >= enough && is_anonymous
}

fn start_of(row: &[RunTrend]) -> f64 {
    median(row.iter().map(|run| run.start.0 as f64))
}

/// The median, the lower of two; 0 of nothing.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}

/// Bytes per second by least squares; `None` where no time has passed.
fn slope(points: &[&Point]) -> Option<f64> {
    let first = points.first()?;
    let n = points.len() as f64;
    let each = || {
        points.iter().map(|point| {
            let seconds = f64::from(point.second - first.second);
            (seconds, point.resident.0 as f64 - first.resident.0 as f64)
        })
    };
    let (t, y) = each().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
    let (t, y) = (t / n, y / n);
    let covariance: f64 = each().map(|point| (point.0 - t) * (point.1 - y)).sum();
    let variance: f64 = each().map(|point| (point.0 - t) * (point.0 - t)).sum();
    (variance > 0.0).then(|| covariance / variance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::history::Sizes;

    const MIB: f64 = 1048576.0;

    /// A run of so many minutes whose size in MiB follows from the second.
    fn run(minutes: u64, size: impl Fn(f64) -> f64) -> Option<RunTrend> {
        let mut history = History::default();
        for second in (0..minutes * 60).step_by(5) {
            let size = Bytes((size(second as f64) * MIB) as u64);
            // What thresholds are compared with was read once, long ago.
            let sizes = Sizes { size: Bytes(1), resident: size, anonymous: size };
            history.push(Duration::from_secs(second), sizes);
        }
        trend(&history)
    }

    /// Leaks so many KiB a second on top of 100 MiB.
    fn leak(minutes: u64, kib: f64) -> RunTrend {
        run(minutes, |second| 100.0 + second * kib / 1024.0).expect("long enough")
    }

    #[test]
    fn the_slope_of_a_run_is_that_behind_its_warm_up() {
        let trend = leak(60, 64.0);
        assert!((trend.slope / 65_536.0 - 1.0).abs() < 0.02, "{}", trend.slope);
        let warm = run(60, |second| 100.0 + 80.0 * (1.0 - (-second / 120.0).exp()));
        assert!(warm.is_some_and(|run| !grows(&run)), "{warm:?}");
        assert_eq!(run(0, |_| 1.0), None);
        assert_eq!(trend_of_few(), None);
    }

    fn trend_of_few() -> Option<RunTrend> {
        let mut history = History::default();
        (0..5).for_each(|nth| {
            let resident = Bytes(nth << 30);
            let sizes = Sizes { resident, ..Sizes::default() };
            history.push(Duration::from_secs(nth * 600), sizes)
        });
        trend(&history)
    }

    #[test]
    fn the_same_slope_run_after_run_is_a_leak_whatever_their_lengths() {
        let runs = [leak(30, 64.0), leak(90, 50.0), leak(20, 80.0)];
        assert_eq!(recurring(&runs[..2]), None, "two do not prove it");
        let found = recurring(&runs).expect("three agree");
        assert_eq!(found.runs, 3);
        assert!((found.slope / 65_536.0 - 1.0).abs() < 0.05, "{}", found.slope);
        let more = [runs[0], runs[1], runs[2], leak(40, 60.0)];
        assert_eq!(recurring(&more).map(|found| found.runs), Some(4));
        // What was before another program is not of the row.
        let other = run(60, |_| 900.0).expect("long enough");
        let mixed = [other, runs[0], runs[1], runs[2]];
        assert_eq!(recurring(&mixed).map(|found| found.runs), Some(3));
    }

    /// Killed so many seconds after its first sample, that found so many MiB, when it had 512.
    fn killed(seconds: f64, start: f64) -> RunTrend {
        let mut history = History::default();
        let size = Bytes((start * MIB) as u64);
        history.push(Duration::ZERO, Sizes { size, resident: size, anonymous: size });
        cut_short(&history, Duration::from_secs_f64(seconds), Bytes(512 << 20)).expect("it grew")
    }

    #[test]
    fn runs_that_end_for_want_of_memory_say_something_however_short_they_are() {
        let run = killed(4.0, 12.0);
        assert_eq!((run.start, run.end), (Bytes(12 << 20), Bytes(512 << 20)));
        assert!((run.slope / (125.0 * MIB) - 1.0).abs() < 0.001, "{}", run.slope);
        let found = recurring(&[run, killed(5.0, 20.0), killed(3.5, 40.0)]).expect("three agree");
        assert_eq!(found.runs, 3);
        assert!(found.slope > 90.0 * MIB && found.slope < 130.0 * MIB, "{}", found.slope);
        assert_eq!(recurring(&[run, run]), None, "two do not prove it");
        assert_eq!(recurring(&[run, killed(20.0, 12.0), run]), None, "by its input, not by itself");
        assert_eq!(recurring(&[run, killed(4.0, 120.0), run]), None, "it began with more");
        let whole = leak(30, 64.0);
        assert_eq!(recurring(&[whole, run, whole]), None);
    }

    #[test]
    fn who_was_not_sampled_or_did_not_grow_says_nothing() {
        let (second, most) = (Duration::from_secs(1), Bytes(512 << 20));
        assert_eq!(cut_short(&History::default(), second, most), None);
        let mut history = History::default();
        history.push(Duration::ZERO, Sizes { resident: most, ..Sizes::default() });
        assert_eq!(cut_short(&history, second, most), None);
        assert_eq!(cut_short(&history, Duration::ZERO, Bytes(1 << 40)), None, "in no time");
    }

    #[test]
    fn what_does_not_agree_is_none() {
        let flat = run(60, |second| 100.0 + (second / 60.0).sin()).expect("long enough");
        assert_eq!(recurring(&[flat; 3]), None);
        assert_eq!(recurring(&[leak(30, 64.0), flat, leak(30, 64.0)]), None);
        assert_eq!(recurring(&[leak(30, 64.0), leak(30, 64.0), leak(30, 640.0)]), None);
        let large = RunTrend { start: Bytes(400 << 20), ..leak(30, 64.0) };
        assert_eq!(recurring(&[leak(30, 64.0), leak(30, 64.0), large]), None);
        let cache = |second: f64| 100.0 + (second / 10.0).min(60.0);
        let cache = run(60, cache).expect("long enough");
        assert_eq!(recurring(&[cache; 3]), None, "it fills a cache and stays");
        let mapped = RunTrend { anonymous: Bytes(1 << 20), ..leak(30, 64.0) };
        assert_eq!(recurring(&[mapped; 3]), None, "it maps its files");
        assert_eq!(recurring(&[]), None);
    }
}
