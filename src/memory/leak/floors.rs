//! A series of any length in a fixed number of pieces, of which the lowest values are kept.
//!
//! Memory that a collector has not looked at yet is neither kept nor free; what is left behind a
//! collection is. The lowest value of a piece is the nearest that can be known from outside.

/// What is kept of some neighbouring samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Piece {
    /// When the lowest was, in seconds since the first sample.
    pub at: f32,
    /// The lowest, in bytes.
    pub low: f32,
    /// The highest.
    pub high: f32,
    /// Their mean.
    pub mean: f32,
}

/// At most `N` pieces of equal width. When they are full, two neighbours become one and pieces are
/// twice as wide from then on, until they are as wide as they may be: then the oldest goes.
#[derive(Clone, Debug)]
pub struct Floors<const N: usize> {
    pieces: [Piece; N],
    len: usize,
    width: u32,
    widest: u32,
    /// Samples in the piece behind the last whole one.
    begun: u32,
    sum: f64,
}

impl<const N: usize> Floors<N> {
    /// None yet; pieces of `narrowest` samples at first and of `widest` at last.
    pub fn new(narrowest: u32, widest: u32) -> Self {
        let pieces = [Piece::default(); N];
        Self { pieces, len: 0, width: narrowest, widest, begun: 0, sum: 0.0 }
    }

    /// Takes a sample. Says whether a piece was made whole by it.
    pub fn push(&mut self, at: f32, size: f32) -> bool {
        let piece = &mut self.pieces[self.len];
        if self.begun == 0 {
            *piece = Piece { at, low: size, high: size, mean: size };
            self.sum = 0.0;
        } else if size < piece.low {
            (piece.at, piece.low) = (at, size);
        }
        piece.high = piece.high.max(size);
        self.sum += f64::from(size);
        self.begun += 1;
        if self.begun < self.width {
            return false;
        }
        piece.mean = (self.sum / f64::from(self.begun)) as f32;
        self.begun = 0;
        self.len += 1;
        if self.len == N {
            self.make_room();
        }
        true
    }

    fn make_room(&mut self) {
        if self.width >= self.widest {
            self.pieces.rotate_left(1);
            self.len -= 1;
            return;
        }
        for nth in 0..N / 2 {
            let (one, other) = (self.pieces[2 * nth], self.pieces[2 * nth + 1]);
            let lower = if other.low < one.low { other } else { one };
            let high = one.high.max(other.high);
            self.pieces[nth] = Piece { high, mean: (one.mean + other.mean) / 2.0, ..lower };
        }
        self.len = N / 2;
        self.width *= 2;
    }

    /// Samples in the piece behind the last whole one.
    pub fn begun(&self) -> u32 {
        self.begun
    }

    /// The whole pieces and the one that has begun, the oldest first.
    pub fn with_begun(&self) -> ([Piece; N], usize) {
        let mut pieces = self.pieces;
        if self.begun == 0 {
            return (pieces, self.len);
        }
        pieces[self.len].mean = (self.sum / f64::from(self.begun)) as f32;
        (pieces, self.len + 1)
    }

    /// The whole pieces, the oldest first.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces[..self.len]
    }

    /// Samples in each.
    pub fn width(&self) -> u32 {
        self.width
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_that_has_begun_is_seen_with_what_it_holds_so_far() {
        let mut floors = Floors::<4>::new(4, 4);
        for (at, size) in [(0.0, 5.0), (1.0, 3.0), (2.0, 4.0), (3.0, 8.0), (4.0, 9.0), (5.0, 7.0)] {
            floors.push(at, size);
        }
        let (pieces, count) = floors.with_begun();
        assert_eq!((count, floors.begun()), (2, 2));
        assert_eq!(pieces[0], Piece { at: 1.0, low: 3.0, high: 8.0, mean: 5.0 });
        assert_eq!(pieces[1], Piece { at: 5.0, low: 7.0, high: 9.0, mean: 8.0 });
        floors.push(6.0, 1.0);
        assert!(floors.push(7.0, 1.0), "whole");
        assert_eq!(floors.with_begun().1, floors.pieces().len());
    }
}
