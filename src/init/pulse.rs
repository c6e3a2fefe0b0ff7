//! Whether the loop still turns, for those who ask from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock;
use crate::units::Mono;

/// A turn takes microseconds; one that takes this long hangs in the kernel.
const TOO_LONG: Duration = Duration::from_secs(5);

/// Rest: nothing is being done, however long ago the last thing was.
const AT_REST: u64 = u64::MAX;

/// Set by the loop, read by health checks. A loop that sleeps because nothing happens is alive.
#[derive(Clone, Debug)]
pub struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// At rest.
    pub fn new() -> Self {
        Self(Arc::new(AtomicU64::new(AT_REST)))
    }

    /// A turn begins.
    pub fn begin(&self) {
        self.0.store(clock::now().mono.0, Ordering::Relaxed);
    }

    /// The turn is over.
    pub fn rest(&self) {
        self.0.store(AT_REST, Ordering::Relaxed);
    }

    /// Whether no turn has been going on for too long.
    pub fn is_alive(&self) -> bool {
        match self.0.load(Ordering::Relaxed) {
            AT_REST => true,
            began => clock::now().mono.since(Mono(began)) < TOO_LONG,
        }
    }
}

impl Default for Pulse {
    fn default() -> Self {
        Self::new()
    }
}
