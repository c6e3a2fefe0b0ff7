//! What the room keeps of each process: its figures and its last lines. Written by the reader,
//! read by whoever asks, across threads.
//!
//! A process that wrote nothing has no shelf. A shelf belongs to a name, because that is what stays
//! when a plan is changed and a process is started again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::output::figures::OutputFigures;
use crate::output::format::count;
use crate::output::plan::{Limits, Which};
use crate::output::ring::{Page, Ring, Room};
use crate::units::{Bytes, Wall};

/// All shelves.
#[derive(Debug)]
pub struct Shelves {
    by_name: Mutex<BTreeMap<Arc<str>, Arc<Shelf>>>,
    /// Told when a shelf is new, for those who wait for the first line of a process.
    born: Notify,
    stir: Arc<Stir>,
    room: Arc<Room>,
    together: Bytes,
}

/// Whether somebody waits until anything is written at all.
#[derive(Debug, Default)]
struct Stir {
    awaited: AtomicBool,
    told: Notify,
}

impl Stir {
    fn happened(&self) {
        if self.awaited.load(Ordering::Relaxed) && self.awaited.swap(false, Ordering::AcqRel) {
            self.told.notify_one();
        }
    }
}

/// The shelf of one process.
#[derive(Debug)]
pub struct Shelf {
    stir: Arc<Stir>,
    ring: Mutex<Ring>,
    grown: Notify,
    room: Arc<Room>,
    /// The most that its ring may take.
    most: AtomicUsize,
    /// Its ring got less than that, because all of them have too much.
    cramped: AtomicBool,
    /// That it did was told.
    told: AtomicBool,
    /// What all rings may take together.
    together: Bytes,
    lines: AtomicU64,
    bytes: AtomicU64,
    dropped_lines: AtomicU64,
    dropped_bytes: AtomicU64,
    cut_pieces: AtomicU64,
    leftover_lines: AtomicU64,
}

/// What one read brought, for the counters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Lines and pieces.
    pub lines: u64,
    /// Bytes.
    pub bytes: u64,
    /// Pieces among the lines.
    pub pieces: u64,
}

impl Shelves {
    /// None yet.
    pub fn new(limits: &Limits) -> Self {
        Self {
            by_name: Mutex::default(),
            born: Notify::new(),
            stir: Arc::default(),
            room: Arc::new(Room::new(size(limits.rings))),
            together: limits.rings,
        }
    }

    /// The shelf of a process that wrote something, which keeps so much of it from now on.
    pub fn put_up(&self, name: &Arc<str>, keep: Bytes) -> Arc<Shelf> {
        let mut by_name = lock(&self.by_name);
        if let Some(shelf) = by_name.get(name) {
            shelf.keep(keep);
            return Arc::clone(shelf);
        }
        let shelf = Arc::new(Shelf::new(self, keep));
        by_name.insert(Arc::clone(name), Arc::clone(&shelf));
        drop(by_name);
        self.born.notify_waiters();
        shelf
    }

    /// The shelf of a process, if it has one.
    pub fn find(&self, name: &str) -> Option<Arc<Shelf>> {
        lock(&self.by_name).get(name).cloned()
    }

    /// Takes down the shelf of a process that is no longer in the plan.
    pub fn take_down(&self, name: &str) {
        lock(&self.by_name).remove(name);
    }

    /// Has the next thing that is written, by whomever, end [`Shelves::stirred`].
    pub fn await_stir(&self) {
        self.stir.awaited.store(true, Ordering::Release);
    }

    /// Waits until something was written since [`Shelves::await_stir`]. For one at a time.
    pub async fn stirred(&self) {
        self.stir.told.notified().await;
    }

    /// The figures of all processes that wrote something, by name.
    pub fn figures(&self) -> Vec<(Arc<str>, OutputFigures)> {
        let by_name = lock(&self.by_name);
        by_name.iter().map(|(name, shelf)| (Arc::clone(name), shelf.figures())).collect()
    }

    /// What a process wrote since `cursor`; waits up to `wait` when that is nothing yet.
    pub async fn since(&self, name: &str, cursor: u64, wait: Duration) -> Page {
        let more = async {
            loop {
                let born = self.born.notified();
                tokio::pin!(born);
                born.as_mut().enable();
                match self.find(name) {
                    Some(shelf) => return shelf.beyond(cursor).await,
                    None => born.await,
                }
            }
        };
        let in_time = tokio::time::timeout(wait, more).await;
        in_time.unwrap_or_else(|_| match self.find(name) {
            Some(shelf) => shelf.since(cursor),
            None => Page { next: cursor, ..Page::default() },
        })
    }
}

impl Shelf {
    fn new(shelves: &Shelves, keep: Bytes) -> Self {
        Self {
            stir: Arc::clone(&shelves.stir),
            ring: Mutex::default(),
            grown: Notify::new(),
            room: Arc::clone(&shelves.room),
            most: AtomicUsize::new(size(keep)),
            cramped: AtomicBool::new(false),
            told: AtomicBool::new(false),
            together: shelves.together,
            lines: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            dropped_lines: AtomicU64::new(0),
            dropped_bytes: AtomicU64::new(0),
            cut_pieces: AtomicU64::new(0),
            leftover_lines: AtomicU64::new(0),
        }
    }

    /// Keeps no more than this from now on; what is too much already is given up.
    pub fn keep(&self, keep: Bytes) {
        let most = size(keep);
        if self.most.swap(most, Ordering::Relaxed) != most {
            self.told.store(false, Ordering::Relaxed);
            lock(&self.ring).fit(most, &self.room);
        }
    }

    /// Keeps whole lines.
    pub fn lines(&self, lines: &[u8], at: Wall, which: Which) {
        let most = self.most.load(Ordering::Relaxed);
        let mut ring = lock(&self.ring);
        ring.lines(lines, at, which, most, &self.room);
        self.cramped.store(ring.is_cramped(), Ordering::Relaxed);
    }

    /// Keeps a piece of a line.
    pub fn piece(&self, piece: &[u8], at: Wall, which: Which) {
        let most = self.most.load(Ordering::Relaxed);
        let mut ring = lock(&self.ring);
        ring.piece(piece, at, which, most, &self.room);
        self.cramped.store(ring.is_cramped(), Ordering::Relaxed);
    }

    /// Whether it keeps less than it was told to, because all of them together would have too much:
    /// how much it was told and what all may have. Says so once.
    pub fn newly_cramped(&self) -> Option<(Bytes, Bytes)> {
        if !self.cramped.load(Ordering::Relaxed) || self.told.swap(true, Ordering::Relaxed) {
            return None;
        }
        Some((Bytes(self.most.load(Ordering::Relaxed) as u64), self.together))
    }

    /// Counts what one read brought, and tells those who follow.
    pub fn add(&self, tally: Tally, leftover: bool) {
        self.lines.fetch_add(tally.lines, Ordering::Relaxed);
        self.bytes.fetch_add(tally.bytes, Ordering::Relaxed);
        self.cut_pieces.fetch_add(tally.pieces, Ordering::Relaxed);
        if leftover {
            self.leftover_lines.fetch_add(tally.lines, Ordering::Relaxed);
        }
        self.grown.notify_waiters();
        self.stir.happened();
    }

    /// Counts what did not reach a target: formatted lines.
    pub fn dropped(&self, bytes: &[u8]) {
        self.dropped_lines.fetch_add(count(bytes), Ordering::Relaxed);
        self.dropped_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }

    /// The figures so far.
    pub fn figures(&self) -> OutputFigures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        OutputFigures {
            lines: read(&self.lines),
            bytes: read(&self.bytes),
            dropped_lines: read(&self.dropped_lines),
            dropped_bytes: read(&self.dropped_bytes),
            cut_pieces: read(&self.cut_pieces),
            leftover_lines: read(&self.leftover_lines),
        }
    }

    /// The last `n` lines.
    pub fn tail(&self, n: usize) -> Page {
        lock(&self.ring).tail(n)
    }

    /// What was written since `cursor`.
    pub fn since(&self, cursor: u64) -> Page {
        lock(&self.ring).since(cursor)
    }

    /// Waits until something was written since `cursor`.
    async fn beyond(&self, cursor: u64) -> Page {
        loop {
            let grown = self.grown.notified();
            tokio::pin!(grown);
            grown.as_mut().enable();
            let page = self.since(cursor);
            if page.next != cursor {
                return page;
            }
            grown.await;
        }
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        self.room.give(lock(&self.ring).taken());
    }
}

fn size(bytes: Bytes) -> usize {
    usize::try_from(bytes.0).unwrap_or(usize::MAX)
}

/// Whoever panicked with the lock left lines or counters behind, nothing that could be half-done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
