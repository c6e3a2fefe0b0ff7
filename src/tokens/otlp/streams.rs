//! Sums over time: what came in since the last time, whether a sender tells sums since its beginning
//! or since its last telling.

use std::collections::HashMap;
use std::sync::Arc;

use super::Point;

/// Sums since their beginning that are remembered of one sender. One that has more is broken; those
/// beyond count nothing, and are seen to.
const MOST: usize = 2_000;

/// Where each sum since its beginning stands. Shared until one of them moves, since a body that
/// turns out to be broken must move none.
#[derive(Clone, Debug, Default)]
pub struct Streams(Arc<HashMap<u64, Last>>);

#[derive(Clone, Copy, Debug)]
struct Last {
    start: u64,
    time: u64,
    value: f64,
}

impl Streams {
    /// By how much a sum has grown; `None` for what cannot be true.
    pub(super) fn grown(&mut self, stream: u64, point: &Point<'_>) -> Option<f64> {
        if !point.value.is_finite() || point.value < 0.0 {
            return None;
        }
        if !point.cumulative {
            return Some(point.value);
        }
        let known = self.0.get(&stream).copied();
        if known.is_none() && self.0.len() >= MOST {
            return None;
        }
        // Told again, or late: there is a newer one.
        if known.is_some_and(|last| last.start == point.start && point.time <= last.time) {
            return Some(0.0);
        }
        let now = Last { start: point.start, time: point.time, value: point.value };
        Arc::make_mut(&mut self.0).insert(stream, now);
        match known {
            Some(last) if last.start == point.start && last.value <= point.value => {
                Some(point.value - last.value)
            }
            // A beginning, or a new one.
            _ => Some(point.value),
        }
    }
}
