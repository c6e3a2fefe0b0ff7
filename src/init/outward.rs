//! The valve: what the body tells the ledger, one way, bounded and never waited for.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::ledger::entry::Entry;
use crate::supervise::lifecycle::Lifecycle;
use crate::units::{Mono, Now};

/// How many entries may wait for the ledger: the start of two thousand processes fits, which are
/// told of before there is anybody to listen.
pub const QUEUE: usize = 12_288;

/// How many lines are held back at most.
const HELD: usize = 256;

/// How long it may wait to be told that orphans were reaped, so that a storm of them does not wake
/// the ledger for each.
const ORPHANS_WAIT: Duration = Duration::from_millis(100);

/// How long anything may wait for what follows from it. Who was just signalled, or forked, needs the
/// processor before the ledger does; and most of a short stop is then told at once.
const FOLLOWERS_WAIT: Duration = Duration::from_millis(2);

/// The body's end of the queue to the ledger. What it is told is held for a moment, so that waking
/// whoever listens keeps no signal and no spawn waiting.
pub struct Outward {
    queue: mpsc::Sender<Entry>,
    held: Vec<Entry>,
    /// Until when what is held may wait for more.
    due: Option<Mono>,
    dropped: u64,
}

impl Outward {
    /// Nothing was dropped yet.
    pub fn new(queue: mpsc::Sender<Entry>) -> Self {
        Self { queue, held: Vec::new(), due: None, dropped: 0 }
    }

    /// Tells one line of the story.
    pub fn tell(&mut self, at: Now, event: Lifecycle) {
        let patience = match event {
            Lifecycle::OrphansReaped { .. } => ORPHANS_WAIT,
            // The last line: nothing follows.
            Lifecycle::Left { .. } => Duration::ZERO,
            _ => FOLLOWERS_WAIT,
        };
        let due = at.mono.after(patience);
        self.due = Some(self.due.map_or(due, |known| known.min(due)));
        self.held.push(Entry::Lifecycle { at, event });
        if self.held.len() >= HELD {
            self.let_go();
        }
    }

    /// When [`Outward::let_go_if_due`] wants to be called.
    pub fn deadline(&self) -> Option<Mono> {
        self.due
    }

    /// Lets go of what is held, where it may not wait for more.
    pub fn let_go_if_due(&mut self, now: Mono) {
        if self.due.is_some_and(|due| due <= now) {
            self.let_go();
        }
    }

    /// Lets go of what is held, and counts what could not be told.
    pub fn let_go(&mut self) {
        self.due = None;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{ExitStatus, Wall};

    fn at(ms: u64) -> Now {
        Now { mono: Mono(ms * 1_000_000), wall: Wall(0) }
    }

    fn orphan() -> Lifecycle {
        Lifecycle::OrphansReaped { process: None, status: ExitStatus::Code(0), count: 1 }
    }

    fn told(queue: &mut mpsc::Receiver<Entry>) -> usize {
        std::iter::from_fn(|| queue.try_recv().ok()).count()
    }

    #[test]
    fn orphans_wait_for_one_another_and_nothing_else_does() {
        let (entries, mut queue) = mpsc::channel(QUEUE);
        let mut outward = Outward::new(entries);
        outward.tell(at(0), orphan());
        outward.tell(at(50), orphan());
        assert_eq!(outward.deadline(), Some(at(100).mono));
        outward.let_go_if_due(at(99).mono);
        assert_eq!(told(&mut queue), 0);
        outward.let_go_if_due(at(100).mono);
        assert_eq!((told(&mut queue), outward.deadline()), (2, None));
        outward.tell(at(200), orphan());
        outward.tell(at(201), Lifecycle::Left { code: 0 });
        outward.let_go_if_due(at(201).mono);
        assert_eq!(told(&mut queue), 2);
    }

    #[test]
    fn what_follows_soon_is_told_together() {
        let (entries, mut queue) = mpsc::channel(QUEUE);
        let mut outward = Outward::new(entries);
        outward.tell(at(0), orphan());
        outward.tell(at(10), Lifecycle::ReloadFailed { faults: 1 });
        outward.let_go_if_due(at(11).mono);
        assert_eq!((told(&mut queue), outward.deadline()), (0, Some(at(12).mono)));
        outward.let_go_if_due(at(12).mono);
        assert_eq!(told(&mut queue), 2);
    }

    #[test]
    fn what_finds_no_room_is_counted_and_told_of_later() {
        let (entries, mut queue) = mpsc::channel(1);
        let mut outward = Outward::new(entries);
        (0..3).for_each(|_| outward.tell(at(0), orphan()));
        outward.let_go();
        assert_eq!(told(&mut queue), 1);
        outward.tell(at(1), orphan());
        outward.let_go();
        assert!(matches!(queue.try_recv(), Ok(Entry::EntriesDropped { count: 2 })));
    }
}
