//! The valve: what the body tells the ledger, one way, bounded and never waited for.

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::ledger::entry::Entry;
use crate::supervise::lifecycle::Lifecycle;
use crate::units::Now;

/// How many entries may wait for the ledger; a storm of a thousand restarts fits.
pub const QUEUE: usize = 4096;

/// The body's end of the queue to the ledger.
pub struct Outward {
    queue: mpsc::Sender<Entry>,
    dropped: u64,
}

impl Outward {
    /// Nothing was dropped yet.
    pub fn new(queue: mpsc::Sender<Entry>) -> Self {
        Self { queue, dropped: 0 }
    }

    /// Tells one line of the story, or counts that it could not be told.
    pub fn tell(&mut self, at: Now, event: Lifecycle) {
        if self.dropped > 0 && self.send(Entry::EntriesDropped { count: self.dropped }) {
            self.dropped = 0;
        }
        if !self.send(Entry::Lifecycle { at, event }) {
            self.dropped += 1;
        }
    }

    fn send(&self, entry: Entry) -> bool {
        match self.queue.try_send(entry) {
            Ok(()) => true,
            // Nobody listens any more: there is nothing to count for.
            Err(TrySendError::Closed(_)) => true,
            Err(TrySendError::Full(_)) => false,
        }
    }
}
