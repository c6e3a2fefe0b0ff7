//! Whether the loop still turns, and how long its turns take, for those who ask from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock;
use crate::memory::Turns;
use crate::units::Mono;

/// A turn takes microseconds; one that takes this long hangs in the kernel.
const TOO_LONG: Duration = Duration::from_secs(5);

/// Rest: nothing is being done, however long ago the last thing was.
const AT_REST: u64 = u64::MAX;

/// Set by the loop, read by health checks. A loop that sleeps because nothing happens is alive.
#[derive(Clone, Debug)]
pub struct Pulse(Arc<Beats>);

/// All in nanoseconds, but for the count. One writer, so that plain loads and stores are enough.
#[derive(Debug)]
struct Beats {
    began: AtomicU64,
    count: AtomicU64,
    total: AtomicU64,
    longest: AtomicU64,
}

impl Pulse {
    /// At rest.
    pub fn new() -> Self {
        let zero = || AtomicU64::new(0);
        let began = AtomicU64::new(AT_REST);
        Self(Arc::new(Beats { began, count: zero(), total: zero(), longest: zero() }))
    }

    /// A turn begins.
    pub fn begin(&self) {
        self.0.began.store(clock::now().mono.0, Ordering::Relaxed);
    }

    /// The turn is over.
    pub fn rest(&self) {
        let beats = &*self.0;
        let took = clock::now().mono.0.saturating_sub(beats.began.load(Ordering::Relaxed));
        beats.count.fetch_add(1, Ordering::Relaxed);
        beats.total.fetch_add(took, Ordering::Relaxed);
        beats.longest.fetch_max(took, Ordering::Relaxed);
        beats.began.store(AT_REST, Ordering::Relaxed);
    }

    /// Whether no turn has been going on for too long.
    pub fn is_alive(&self) -> bool {
        match self.0.began.load(Ordering::Relaxed) {
            AT_REST => true,
            began => clock::now().mono.since(Mono(began)) < TOO_LONG,
        }
    }

    /// The turns so far.
    pub fn turns(&self) -> Turns {
        let read = |beat: &AtomicU64| beat.load(Ordering::Relaxed);
        Turns {
            count: read(&self.0.count),
            total: Duration::from_nanos(read(&self.0.total)),
            longest: Duration::from_nanos(read(&self.0.longest)),
        }
    }
}

impl Default for Pulse {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_counted_with_their_time() {
        let pulse = Pulse::new();
        for _ in 0..3 {
            pulse.begin();
            std::thread::sleep(Duration::from_millis(2));
            pulse.rest();
        }
        let turns = pulse.turns();
        assert_eq!(turns.count, 3);
        assert!(turns.longest >= Duration::from_millis(2), "{turns:?}");
        assert!(turns.total >= Duration::from_millis(6), "{turns:?}");
        assert!(turns.longest <= turns.total, "{turns:?}");
    }
}
