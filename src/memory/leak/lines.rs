//! Straight lines through any stretch of some points, each in constant time.

/// At most so many points.
pub const MOST: usize = 64;

/// Sums over points, from which the line of least squares follows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums {
    n: f64,
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
    yy: f64,
}

/// The line of least squares through some points.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Line {
    /// Where it stands at 0.
    pub level: f64,
    /// How much it rises for 1.
    pub slope: f64,
    /// The sum of the squares that are left over.
    pub left: f64,
    /// The sum of the squares of what lies between each x and their mean.
    pub spread: f64,
}

impl Sums {
    /// These and one more point.
    pub fn with(&self, x: f64, y: f64) -> Self {
        Self {
            n: self.n + 1.0,
            x: self.x + x,
            y: self.y + y,
            xx: self.xx + x * x,
            xy: self.xy + x * y,
            yy: self.yy + y * y,
        }
    }

    fn without(&self, first: &Self) -> Self {
        Self {
            n: self.n - first.n,
            x: self.x - first.x,
            y: self.y - first.y,
            xx: self.xx - first.xx,
            xy: self.xy - first.xy,
            yy: self.yy - first.yy,
        }
    }

    /// The line of least squares; a level one where all points lie above each other.
    pub fn line(&self) -> Line {
        if self.n < 1.0 {
            return Line::default();
        }
        let (x, y) = (self.x / self.n, self.y / self.n);
        let spread = (self.xx - self.n * x * x).max(0.0);
        let together = self.xy - self.n * x * y;
        let high = (self.yy - self.n * y * y).max(0.0);
        let slope = if spread > 0.0 { together / spread } else { 0.0 };
        Line { level: y - slope * x, slope, left: (high - slope * together).max(0.0), spread }
    }

    /// What is left over by a level line.
    pub fn flat(&self) -> f64 {
        if self.n < 1.0 { 0.0 } else { (self.yy - self.y * self.y / self.n).max(0.0) }
    }
}

impl Line {
    /// Where it stands at `x`.
    pub fn at(&self, x: f64) -> f64 {
        self.level + self.slope * x
    }
}

/// The sums up to each of the points.
#[derive(Clone, Debug)]
pub struct Stretches {
    upto: [Sums; MOST + 1],
}

impl Stretches {
    /// Of these points, of which there are at most [`MOST`].
    pub fn of(points: impl Iterator<Item = (f64, f64)>) -> Self {
        let mut upto = [Sums::default(); MOST + 1];
        for (nth, (x, y)) in points.take(MOST).enumerate() {
            upto[nth + 1] = upto[nth].with(x, y);
        }
        Self { upto }
    }

    /// The sums over the points from `from` to before `to`.
    pub fn over(&self, from: usize, to: usize) -> Sums {
        self.upto[to].without(&self.upto[from])
    }

    /// The line through them.
    pub fn line(&self, from: usize, to: usize) -> Line {
        self.over(from, to).line()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_through_its_points_and_tells_what_is_left_over() {
        let points = [(0.0, 5.0), (1.0, 7.0), (2.0, 9.0), (3.0, 0.0), (4.0, 0.0)];
        let stretches = Stretches::of(points.into_iter());
        let line = stretches.line(0, 3);
        assert_eq!((line.level, line.slope, line.left, line.spread), (5.0, 2.0, 0.0, 2.0));
        assert_eq!(line.at(10.0), 25.0);
        assert_eq!(stretches.line(3, 5).slope, 0.0);
        assert_eq!(stretches.over(0, 3).flat(), 8.0);
        assert_eq!(stretches.line(2, 2), Line::default());
    }
}
