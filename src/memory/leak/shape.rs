//! What the floors of a series look like: a dozen to sixty points in, figures without a scale out.
//!
//! A leak is growth that goes on: its floors rise along a straight line, do not come down again, and
//! leave the peaks of before below them. A warm-up and a cache bend or stop, a step is one step, a
//! period comes back. Each figure holds one of these against the other. None has bytes or seconds
//! in it, so that a fast leak of a small program looks like a slow one of a large program.

use crate::memory::leak::floors::Piece;
use crate::memory::leak::lines::{Line, MOST, Stretches, Sums};

/// How many figures there are.
pub const FIGURES: usize = 45;

/// Pieces that are needed before anything is said.
const LEAST: usize = 13;
/// A window is at least this part of what is known, and at least [`LEAST_WINDOW`] pieces.
const WINDOW_PART: usize = 6;
const LEAST_WINDOW: usize = 8;
/// Two lines have to leave less over than this part of what one leaves, to be worth their bend.
const BEND: f64 = 0.6;
/// Figures are kept within this, so that one that divides by nearly nothing says no more than that.
const BOUND: f64 = 100.0;
/// The same for one slope by another.
const STEEP: f64 = 20.0;

/// How far apart points lie between which slopes are taken, in eighths of the window.
const LAGS: [usize; 5] = [2, 3, 4, 5, 6];
/// Slopes between them at most: two for each pair.
const SLOPES: usize = 2 * LAGS.len() * MOST;

/// The figures, in the order that the trees know them by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape(pub [f64; FIGURES]);

impl Shape {
    /// The growth by how far floors lie from the line.
    pub fn by_noise(&self) -> f64 {
        self.0[0]
    }

    /// The slope of the third of the window that rises least, by the whole slope.
    pub fn flattest_third(&self) -> f64 {
        self.0[7]
    }

    /// How much more a saturating curve leaves unexplained than the line does.
    pub fn against_saturating(&self) -> f64 {
        self.0[9]
    }

    /// How much more a ramp that ended leaves unexplained than the line does.
    pub fn against_ended(&self) -> f64 {
        self.0[10]
    }

    /// The growth by the room that there was to the limit.
    pub fn of_room(&self) -> f64 {
        self.0[13]
    }

    /// How far the newest floors lie above the peaks of the first half, by the growth.
    pub fn above_peaks(&self) -> f64 {
        self.0[20]
    }

    /// The largest fall of the floors within the window, by the growth.
    pub fn largest_fall(&self) -> f64 {
        self.0[32]
    }
}

/// What was found in the newest window whose floors one line describes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Without a scale; `None` where the floors do not rise.
    pub shape: Option<Shape>,
    /// Bytes per second.
    pub slope: f64,
    /// By how much that may be wrong, nineteen times in twenty.
    pub error: f64,
    /// Seconds over which the window goes.
    pub span: f64,
    /// Bytes by which the line rises in it.
    pub growth: f64,
    /// Bytes at its end.
    pub level: f64,
    /// Seconds until peaks as usual reach the limit.
    pub to_limit: f64,
}

fn by(one: f64, other: f64) -> f64 {
    (one / other).clamp(-BOUND, BOUND)
}

/// Points, ready to be looked at. Sizes are told from the first, so that squares stay exact.
struct Field {
    count: usize,
    time: [f64; MOST],
    low: [f64; MOST],
    high: [f64; MOST],
    mean: [f64; MOST],
    /// The least of what is still to come: what was never given back.
    kept: [f64; MOST],
    lows: Stretches,
    means: Stretches,
    first: f64,
}

/// The newest stretch that one line describes.
struct Window {
    from: usize,
    count: usize,
    line: Line,
    span: f64,
    growth: f64,
    /// A growth that is as good as none, so that nothing is divided by 0.
    tiny: f64,
}

/// Looks at the pieces, each of `width` samples, of which the newest [`MOST`] count.
pub fn look(pieces: &[Piece], width: u32, limit: f64) -> Option<Look> {
    let field = Field::of(&pieces[pieces.len().saturating_sub(MOST)..])?;
    let window = field.window();
    let trend = field.trend(&window);
    let shape = (window.growth > 0.0).then(|| field.shape(&window, &trend, width, limit));
    let level = window.line.at(field.end()) + field.first;
    let room = (limit - level - trend.peak).max(0.0);
    Some(Look {
        shape,
        slope: trend.slope,
        error: 2.0 * trend.doubt,
        span: window.span,
        growth: window.growth,
        level,
        to_limit: room / trend.slope.max(f64::MIN_POSITIVE),
    })
}

/// What lies around the line of a window.
struct Trend {
    deviation: f64,
    /// Of one residual with the next.
    together: f64,
    /// Standard error of the slope; residuals that keep together count for fewer points.
    error: f64,
    changes: f64,
    longest: f64,
    /// How far the highest values stand above the line, half of the time.
    peak: f64,
    mean_slope: f64,
    slope: f64,
    /// Standard error of that.
    doubt: f64,
}

impl Field {
    fn of(pieces: &[Piece]) -> Option<Self> {
        let count = pieces.len();
        let (begin, first) = pieces.first().map(|p| (f64::from(p.at), f64::from(p.low)))?;
        let (mut time, mut low, mut high) = ([0.0; MOST], [0.0; MOST], [0.0; MOST]);
        let mut mean = [0.0; MOST];
        for (nth, piece) in pieces.iter().enumerate() {
            time[nth] = f64::from(piece.at) - begin;
            low[nth] = f64::from(piece.low) - first;
            high[nth] = f64::from(piece.high) - first;
            mean[nth] = f64::from(piece.mean) - first;
        }
        let mut kept = low;
        for nth in (1..count).rev() {
            kept[nth - 1] = kept[nth - 1].min(kept[nth]);
        }
        let lows = Stretches::of((0..count).map(|nth| (time[nth], low[nth])));
        let means = Stretches::of((0..count).map(|nth| (time[nth], mean[nth])));
        let field = Self { count, time, low, high, mean, kept, lows, means, first };
        (count >= LEAST && field.end() > 0.0).then_some(field)
    }

    fn end(&self) -> f64 {
        self.time[self.count - 1]
    }

    /// From where on one line does, and another before it, if two are much better than one.
    fn window(&self) -> Window {
        let least = (self.count / WINDOW_PART).max(LEAST_WINDOW);
        let (mut from, mut best) = (0, BEND * self.lows.line(0, self.count).left);
        for bend in 3..=self.count - least {
            let left = self.lows.line(0, bend).left + self.lows.line(bend, self.count).left;
            if left < best {
                (from, best) = (bend, left);
            }
        }
        let line = self.lows.line(from, self.count);
        let span = self.end() - self.time[from];
        let growth = line.slope * span;
        let tiny = 1e-6 * growth + 1.0;
        Window { from, count: self.count - from, line, span, growth, tiny }
    }

    fn trend(&self, window: &Window) -> Trend {
        let (mut together, mut changes, mut run, mut longest) = (0.0, 0.0, 0.0, 0.0f64);
        let (mut above, mut before) = ([0.0; MOST], None);
        for nth in window.from..self.count {
            let on_line = window.line.at(self.time[nth]);
            let residual = self.low[nth] - on_line;
            let product = before.map_or(0.0, |before: f64| residual * before);
            together += product;
            let turned = product < 0.0;
            (changes, run) = if turned { (changes + 1.0, 1.0) } else { (changes, run + 1.0) };
            longest = longest.max(run);
            before = Some(residual);
            above[nth - window.from] = self.high[nth] - on_line;
        }
        let together = together / (window.line.left + window.tiny);
        let deviation = (window.line.left / (window.count as f64 - 2.0)).sqrt() + window.tiny;
        let held = together.clamp(0.0, 0.9);
        let widened = ((1.0 + held) / (1.0 - held)).sqrt();
        let (slope, plain) = self.slope(window);
        Trend {
            deviation,
            together,
            error: deviation / window.line.spread.sqrt() * widened,
            doubt: plain * widened,
            changes,
            longest,
            peak: median(&mut above[..window.count]).max(0.0),
            mean_slope: self.means.line(window.from, self.count).slope,
            slope,
        }
    }

    /// The median of the slopes between points that lie some parts of the window apart (Theil 1950,
    /// Sen 1968, over five lags rather than all pairs), of lows and of means, each as good as the
    /// other: floors are exact below saw teeth, means in noise. A burst, a fall and a warm-up that the
    /// window still holds move a median less than a line of least squares. With the plain standard
    /// error of such a line.
    fn slope(&self, window: &Window) -> (f64, f64) {
        let lows = window.line;
        let means = self.means.line(window.from, self.count);
        let left = lows.left.min(means.left) + window.tiny * window.tiny;
        let error = (left / (window.count as f64 - 2.0) / lows.spread).sqrt();
        let (mut slopes, mut count) = ([0.0; SLOPES], 0);
        for eighths in LAGS {
            let lag = (window.count * eighths / 8).max(1);
            for nth in window.from..self.count - lag {
                let span = self.time[nth + lag] - self.time[nth];
                if span > 0.0 {
                    slopes[count] = (self.low[nth + lag] - self.low[nth]) / span;
                    slopes[count + 1] = (self.mean[nth + lag] - self.mean[nth]) / span;
                    count += 2;
                }
            }
        }
        let slope = if count > 0 { median(&mut slopes[..count]) } else { 0.0 };
        (slope, error)
    }

    fn shape(&self, window: &Window, trend: &Trend, width: u32, limit: f64) -> Shape {
        let mut figures = [0.0; FIGURES];
        let groups: [&[f64]; 8] = [
            &self.steadiness(window, trend, width),
            &self.bends(window),
            &self.size(window, limit),
            &self.keeps(window),
            &self.noise(window, trend),
            &self.history(window, trend, width),
            &self.stairs(window.from, window.growth),
            &self.life(),
        ];
        let all = groups.iter().flat_map(|group| group.iter());
        for (figure, value) in figures.iter_mut().zip(all) {
            *figure = *value;
        }
        Shape(figures)
    }

    /// Growth by noise; the share that the line explains; samples; the window's part of all.
    fn steadiness(&self, window: &Window, trend: &Trend, width: u32) -> [f64; 4] {
        let explained = window.line.slope * window.line.slope * window.line.spread;
        [
            by(window.growth, trend.deviation),
            1.0 - window.line.left / (window.line.left + explained),
            window.count as f64 * f64::from(width),
            window.span / self.end(),
        ]
    }

    /// The slopes of thirds, the least of them and that of the last quarter by the whole slope; what
    /// a curve that saturates, a ramp that ended and a step leave over by what the line leaves.
    fn bends(&self, window: &Window) -> [f64; 8] {
        let (count, from) = (window.count, window.from);
        let third = (count / 3, 2 * count / 3);
        let thirds = [
            self.part(window, 0, third.0.max(3)),
            self.part(window, third.0, third.1),
            self.part(window, third.1, count),
        ];
        let left = window.line.left + window.tiny * window.tiny * count as f64;
        let (mut ended, mut step) = (f64::INFINITY, f64::INFINITY);
        for bend in from + 2..self.count - 2 {
            let flat = self.lows.over(bend, self.count).flat();
            ended = ended.min(self.lows.line(from, bend).left + flat);
            step = step.min(self.lows.over(from, bend).flat() + flat);
        }
        [
            thirds[0],
            thirds[1],
            thirds[2],
            thirds[0].min(thirds[1]).min(thirds[2]),
            self.part(window, count - (count / 4).max(4), count),
            by(self.saturating(window), left),
            by(ended, left),
            by(step, left),
        ]
    }

    /// The slope of a part of the window by the whole slope.
    fn part(&self, window: &Window, from: usize, to: usize) -> f64 {
        let line = self.lows.line(window.from + from, window.from + to);
        (line.slope / window.line.slope).clamp(-STEEP, STEEP)
    }

    /// What the best curve of the kind x / (x + a) leaves over: it rises and comes to rest, as what
    /// fills and what warms up.
    fn saturating(&self, window: &Window) -> f64 {
        [0.1, 0.3, 1.0]
            .map(|part| {
                let at = part * window.span;
                let mut sums = Sums::default();
                for nth in window.from..self.count {
                    let x = self.time[nth] - self.time[window.from];
                    sums = sums.with(x / (x + at), self.low[nth]);
                }
                sums.line().left
            })
            .into_iter()
            .fold(f64::INFINITY, f64::min)
    }

    /// The growth by the base and by the room to the limit; the level by the limit; how many
    /// windows like this one are left.
    fn size(&self, window: &Window, limit: f64) -> [f64; 4] {
        let start = window.line.at(self.time[window.from]) + self.first;
        let level = window.line.at(self.end()) + self.first;
        [
            by(window.growth, start.max(1.0)),
            by(window.growth, (limit - start).max(1.0)),
            level / limit,
            by((limit - level).max(0.0) / window.line.slope, window.span),
        ]
    }

    /// What was kept by the growth; how often more was kept, the largest rise of it, the half of it;
    /// the newest floors above the peaks and above the floors of the first half.
    fn keeps(&self, window: &Window) -> [f64; 6] {
        let (from, end) = (window.from, self.count);
        let kept = self.kept[end - 1] - self.kept[from];
        let (mut rises, mut largest) = (0.0, 0.0f64);
        for pair in self.kept[from..end].windows(2) {
            rises += f64::from(pair[1] - pair[0] > 0.002 * window.growth);
            largest = largest.max(pair[1] - pair[0]);
        }
        let half = from + window.count / 2;
        let positive = kept.max(window.tiny);
        [
            by(kept, window.growth),
            rises / window.count as f64,
            by(largest, positive),
            by(self.kept[half] - self.kept[from], positive),
            by(self.newest() - highest(&self.high[from..half]), window.growth),
            by(
                lowest(&self.low[end - window.count / 4..end]) - highest(&self.low[from..half]),
                window.growth,
            ),
        ]
    }

    fn newest(&self) -> f64 {
        lowest(&self.low[self.count - 3..self.count])
    }

    /// The height of the teeth; how residuals keep together, change sides and stay on one.
    fn noise(&self, window: &Window, trend: &Trend) -> [f64; 4] {
        let mut teeth = [0.0; MOST];
        for (tooth, nth) in teeth.iter_mut().zip(window.from..self.count) {
            *tooth = self.high[nth] - self.low[nth];
        }
        let count = window.count as f64;
        [
            by(median(&mut teeth[..window.count]), window.growth),
            trend.together,
            trend.changes / count,
            trend.longest / count,
        ]
    }

    /// How the window compares with what was before it, and falls within it and before.
    fn history(&self, window: &Window, trend: &Trend, width: u32) -> [f64; 10] {
        let (from, end) = (window.from, self.count);
        let (before, lift) = self.before(window);
        let halves = window.count / 2;
        let lag = (window.count / 4).max(2);
        let later = (from + lag..end).map(|nth| f64::from(self.low[nth] > self.low[nth - lag]));
        [
            before,
            lift,
            by(self.newest() - highest(&self.low[..end - end / 5]), window.growth),
            f64::from(width) * end as f64,
            (self.part(window, halves, window.count) - self.part(window, 0, halves))
                .clamp(-STEEP, STEEP),
            trend.mean_slope / window.line.slope,
            by(fall(&self.low[from..end]), window.growth),
            by(fall(&self.low[..end]), window.growth),
            by(window.line.slope, trend.error),
            later.sum::<f64>() / ((window.count - lag) as f64).max(1.0),
        ]
    }

    /// The longest rest of what is kept, and the newest, by the pieces from `from` on: a leak in
    /// stairs rests between them, and what has ended rests at last.
    fn stairs(&self, from: usize, growth: f64) -> [f64; 2] {
        let (mut rest, mut longest) = (0.0, 0.0f64);
        for pair in self.kept[from..self.count].windows(2) {
            let rose = pair[1] - pair[0] > 0.002 * growth;
            rest = if rose { 0.0 } else { rest + 1.0 };
            longest = longest.max(rest);
        }
        let count = (self.count - from) as f64;
        [longest / count, rest / count]
    }

    /// Growth by noise, the share that a line explains, the least third, what was kept and its
    /// largest rise, and the rests, over the whole life but its first eighth.
    fn life(&self) -> [f64; 7] {
        let from = self.count / 8;
        let line = self.lows.line(from, self.count);
        let growth = line.slope * (self.end() - self.time[from]);
        if growth <= 0.0 {
            return [0.0; 7];
        }
        let (tiny, count) = (1e-6 * growth + 1.0, self.count - from);
        let deviation = (line.left / (count as f64 - 2.0)).sqrt() + tiny;
        let third = |from, to| (self.lows.line(from, to).slope / line.slope).clamp(-STEEP, STEEP);
        let (one, two) = (from + count / 3, from + 2 * count / 3);
        let kept = self.kept[self.count - 1] - self.kept[from];
        let rises = self.kept[from..self.count].windows(2).map(|pair| pair[1] - pair[0]);
        let largest = rises.fold(0.0, f64::max);
        let [longest, newest] = self.stairs(from, growth);
        [
            by(growth, deviation),
            line.slope * line.slope * line.spread
                / (line.left + tiny + line.slope * line.slope * line.spread),
            third(from, one).min(third(one, two)).min(third(two, self.count)),
            by(kept, growth),
            by(largest, kept.max(tiny)),
            longest,
            newest,
        ]
    }

    /// How wide the floors before the window lay, and how far above their mean it begins.
    fn before(&self, window: &Window) -> (f64, f64) {
        let earlier = &self.low[..window.from];
        if earlier.is_empty() {
            return (0.0, 0.0);
        }
        let start = window.line.at(self.time[window.from]);
        let mean = earlier.iter().sum::<f64>() / earlier.len() as f64;
        let wide = (highest(earlier) - lowest(earlier)) / window.growth;
        (wide.clamp(0.0, BOUND), ((start - mean) / window.growth).clamp(-BOUND, BOUND))
    }
}

fn highest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

fn lowest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The largest fall from a value to a later one.
fn fall(values: &[f64]) -> f64 {
    let (mut top, mut most) = (f64::NEG_INFINITY, 0.0f64);
    for value in values {
        top = top.max(*value);
        most = most.max(top - value);
    }
    most
}

fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}
