//! The bounded queue in front of a target: what waits to be written, and the oldest of it dropped
//! when there is too much.
//!
//! The reader puts in and is never held up here; the target's writer takes everything that waits at
//! once. Buffers go back to the reader, so that much output needs no new memory.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::output::plan::FilePlan;
use crate::output::shelf::Shelf;

/// Spare buffers that are kept: one to be filled, one to be written.
const SPARES: usize = 2;
/// Smaller buffers are not worth keeping.
pub const WORTH_KEEPING: usize = 64 << 10;

/// Whole lines of one process on their way to a target. To the writer of files, a chunk without
/// bytes says that the file can be closed, and one without a file that all of them can.
#[derive(Debug, Default)]
pub struct Chunk {
    /// The lines as they are to be written, each with its newline.
    pub bytes: Vec<u8>,
    /// Where to count them if they do not arrive; our own lines have none.
    pub from: Option<Arc<Shelf>>,
    /// The file, when the target is the writer of files.
    pub file: Option<Arc<FilePlan>>,
}

impl Chunk {
    /// Counts the lines as lost.
    pub fn lose(&self) {
        if let Some(shelf) = &self.from {
            shelf.dropped(&self.bytes);
        }
    }
}

/// The queue in front of one target.
pub struct Queue {
    waiting: Mutex<Waiting>,
    more: Condvar,
    /// Bytes that wait; read without the lock before every read of a pipe.
    bytes: AtomicUsize,
    /// How often the target took something.
    moves: AtomicU64,
    /// How often it had when somebody last gave up waiting for it, and one more.
    given_up_at: AtomicU64,
    limit: usize,
    /// Wakes the reader when it waits for room.
    wake: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Waiting {
    chunks: VecDeque<Chunk>,
    spare: Vec<Vec<u8>>,
    reader_waits: bool,
    /// To wake somebody who does not sleep is a system call too.
    writer_waits: bool,
    closed: bool,
}

impl Queue {
    /// An empty queue for so many bytes. `wake` is called when there is room again.
    pub fn new(limit: usize, wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            waiting: Mutex::default(),
            more: Condvar::new(),
            bytes: AtomicUsize::new(0),
            moves: AtomicU64::new(0),
            given_up_at: AtomicU64::new(0),
            limit,
            wake: Box::new(wake),
        }
    }

    /// Whether it holds all that it may.
    pub fn is_full(&self) -> bool {
        self.bytes.load(Ordering::Acquire) >= self.limit
    }

    /// Somebody waited for it as long as they may.
    pub fn give_up(&self) {
        self.given_up_at.store(self.moves.load(Ordering::Acquire) + 1, Ordering::Release);
    }

    /// Whether it has not moved since somebody gave up waiting: nobody else need try.
    pub fn is_given_up(&self) -> bool {
        self.given_up_at.load(Ordering::Acquire) == self.moves.load(Ordering::Acquire) + 1
    }

    /// Puts a chunk in. Whoever cannot wait may do so even if the queue is full: then what is too
    /// much is dropped from the old end, and counted.
    pub fn put(&self, chunk: Chunk) {
        let mut waiting = self.lock();
        let was_full = self.is_full();
        self.bytes.fetch_add(chunk.bytes.len(), Ordering::Release);
        waiting.chunks.push_back(chunk);
        while was_full
            && self.bytes.load(Ordering::Acquire) > self.limit
            && waiting.chunks.len() > 1
        {
            if let Some(oldest) = waiting.chunks.pop_front() {
                self.bytes.fetch_sub(oldest.bytes.len(), Ordering::Release);
                oldest.lose();
            }
        }
        let wake = std::mem::take(&mut waiting.writer_waits);
        drop(waiting);
        if wake {
            self.more.notify_one();
        }
    }

    /// Wakes the reader as soon as there is room; at once, if there is some by now.
    pub fn ask_for_room(&self) {
        let mut waiting = self.lock();
        waiting.reader_waits = true;
        if !self.is_full() {
            waiting.reader_waits = false;
            drop(waiting);
            (self.wake)();
        }
    }

    /// A buffer that was written before, empty; or a new one.
    pub fn buffer(&self) -> Vec<u8> {
        self.lock().spare.pop().unwrap_or_default()
    }

    /// Gives up the spare buffers.
    pub fn trim(&self) {
        self.lock().spare = Vec::new();
    }

    /// Nothing more will be put in.
    pub fn close(&self) {
        self.lock().closed = true;
        self.more.notify_all();
    }

    /// Takes everything that waits, for the writer; waits for it. `None` when the queue is closed
    /// and empty.
    pub fn take(&self) -> Option<VecDeque<Chunk>> {
        let mut waiting = self.lock();
        while waiting.chunks.is_empty() {
            if waiting.closed {
                return None;
            }
            waiting.writer_waits = true;
            waiting = self.more.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let taken = std::mem::take(&mut waiting.chunks);
        self.bytes.store(0, Ordering::Release);
        let wake = std::mem::take(&mut waiting.reader_waits);
        drop(waiting);
        if wake {
            (self.wake)();
        }
        Some(taken)
    }

    /// The target took something.
    pub fn moved(&self) {
        self.moves.fetch_add(1, Ordering::Release);
    }

    /// Gives the buffers of written chunks back.
    pub fn give_back(&self, chunks: impl IntoIterator<Item = Chunk>) {
        let mut waiting = self.lock();
        for Chunk { mut bytes, .. } in chunks {
            if bytes.capacity() >= WORTH_KEEPING && waiting.spare.len() < SPARES {
                bytes.clear();
                waiting.spare.push(bytes);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts the threads that are still at work, and lets somebody wait for the last of them.
#[derive(Debug, Default)]
pub struct Leaving {
    at_work: Mutex<usize>,
    left: Condvar,
}

/// One thread at work, until this is dropped.
#[derive(Debug)]
pub struct AtWork(Arc<Leaving>);

impl Leaving {
    /// One more is at work.
    pub fn enter(self: &Arc<Self>) -> AtWork {
        *self.lock() += 1;
        AtWork(Arc::clone(self))
    }

    /// Waits up to `patience` for the last one; whether it left.
    pub fn wait(&self, patience: Duration) -> bool {
        let waited = self.left.wait_timeout_while(self.lock(), patience, |at_work| *at_work > 0);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        *self.0.lock() -= 1;
        self.0.left.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    fn chunk(text: &str) -> Chunk {
        Chunk { bytes: text.as_bytes().to_vec(), ..Chunk::default() }
    }

    fn texts(chunks: VecDeque<Chunk>) -> Vec<String> {
        chunks.into_iter().map(|chunk| String::from_utf8(chunk.bytes).unwrap()).collect()
    }

    #[test]
    fn the_oldest_is_dropped() {
        let queue = Queue::new(8, || ());
        for text in ["one\n", "two\n", "three\n", "4\n"] {
            queue.put(chunk(text));
        }
        assert!(queue.is_full());
        assert_eq!(texts(queue.take().unwrap()), ["three\n", "4\n"]);
        queue.put(chunk("longer than the queue\n"));
        assert_eq!(texts(queue.take().unwrap()), ["longer than the queue\n"]);
    }

    #[test]
    fn a_closed_queue_is_emptied_before_it_ends() {
        let queue = Queue::new(8, || ());
        queue.put(chunk("last\n"));
        queue.close();
        assert_eq!(texts(queue.take().unwrap()), ["last\n"]);
        assert!(queue.take().is_none());
    }

    #[test]
    fn the_reader_is_woken_when_there_is_room() {
        let woken = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&woken);
        let queue = Queue::new(2, move || told.store(true, Ordering::SeqCst));
        queue.put(chunk("full\n"));
        queue.ask_for_room();
        assert!(!woken.load(Ordering::SeqCst));
        queue.take();
        assert!(woken.swap(false, Ordering::SeqCst));
        queue.ask_for_room();
        assert!(woken.load(Ordering::SeqCst));
    }

    #[test]
    fn a_target_is_given_up_until_it_moves() {
        let queue = Queue::new(2, || ());
        assert!(!queue.is_given_up());
        queue.give_up();
        assert!(queue.is_given_up());
        queue.moved();
        assert!(!queue.is_given_up());
    }

    #[test]
    fn buffers_come_back() {
        let queue = Queue::new(8, || ());
        let big = Chunk { bytes: Vec::with_capacity(WORTH_KEEPING), ..chunk("") };
        queue.give_back([big, chunk("small")]);
        assert!(queue.buffer().capacity() >= WORTH_KEEPING);
        assert_eq!(queue.buffer().capacity(), 0);
    }
}
