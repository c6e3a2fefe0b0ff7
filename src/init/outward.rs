//! The valve: what the body tells the ledger, one way, bounded and never waited for.

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::ledger::entry::Entry;
use crate::supervise::lifecycle::Lifecycle;
use crate::units::Now;

/// How many entries may wait for the ledger: the start of two thousand processes fits, which are
/// told of before there is anybody to listen.
pub const QUEUE: usize = 12_288;

/// How many lines are held back at most.
const HELD: usize = 256;

/// The body's end of the queue to the ledger. What it is told is held until the turn is over, so
/// that waking whoever listens keeps no signal and no spawn waiting.
pub struct Outward {
    queue: mpsc::Sender<Entry>,
    held: Vec<Entry>,
    dropped: u64,
}

impl Outward {
    /// Nothing was dropped yet.
    pub fn new(queue: mpsc::Sender<Entry>) -> Self {
        Self { queue, held: Vec::new(), dropped: 0 }
    }

    /// Tells one line of the story.
    pub fn tell(&mut self, at: Now, event: Lifecycle) {
        self.held.push(Entry::Lifecycle { at, event });
        if self.held.len() >= HELD {
            self.let_go();
        }
    }

    /// Lets go of what is held, and counts what could not be told.
    pub fn let_go(&mut self) {
        let mut held = std::mem::take(&mut self.held);
        held.drain(..).for_each(|entry| self.pass_on(entry));
        self.held = held;
    }

    fn pass_on(&mut self, entry: Entry) {
        if self.dropped > 0 && self.send(Entry::EntriesDropped { count: self.dropped }) {
            self.dropped = 0;
        }
        if !self.send(entry) {
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
