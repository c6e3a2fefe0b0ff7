//! Where batches wait, between those who may not wait and the one thread that may.
//!
//! The ledger puts a batch here and goes on; a disk that hangs holds up nobody, because nobody holds
//! the lock while the disk is asked. There is no second queue: whatever is to be kept waits in this
//! one place, under one bound, so that what must be given up is chosen among all of it.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::clock;
use crate::ledger::entry::Waiting;
use crate::ledger::row::Batch;
use crate::store::reading::reader::{Asked, MOST_QUESTIONS, Unanswered};
use crate::store::spool::Spool;
use crate::units::Mono;

/// Why nothing is answered any more.
const LEAVING: &str = "procession is leaving";

/// Batches that wait for a commit.
#[derive(Default)]
pub struct Shelf {
    held: Mutex<Held>,
    changed: Condvar,
}

#[derive(Default)]
struct Held {
    spool: Spool,
    /// Rows that were put here, in this life.
    handed: u64,
    /// Since when something has waited without a commit; meaningless while nothing waits.
    since: Mono,
    /// The end is near: nothing is worth waiting for.
    hurried: bool,
    /// Nobody puts anything in any more.
    closed: bool,
    /// What is asked of the store meanwhile.
    questions: VecDeque<Asked>,
}

/// Why whoever waited goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// Something is due.
    Due,
    /// Something is asked, and nothing else is due.
    Asked,
    /// Nothing more comes.
    Closed,
}

impl Shelf {
    /// Takes a batch in. Wakes the thread where it has something new to do.
    pub fn put(&self, batch: Batch) {
        let mut held = self.lock();
        let was_full = held.spool.is_full_group();
        let first = held.spool.is_empty();
        if held.spool.rows() == 0 {
            held.since = clock::now().mono;
        }
        held.handed += batch.rows.len() as u64;
        held.spool.push(batch);
        if first || held.spool.is_full_group() != was_full {
            self.changed.notify_one();
        }
    }

    /// Says that what is there need not wait for more: it is committed while others still end.
    pub fn hurry(&self) {
        self.lock().hurried = true;
        self.changed.notify_one();
    }

    /// Whether the end is near.
    pub fn is_hurried(&self) -> bool {
        let held = self.lock();
        held.hurried || held.closed
    }

    /// Says that nothing more comes.
    pub fn close(&self) {
        let mut held = self.lock();
        held.closed = true;
        held.questions.clear();
        self.changed.notify_one();
    }

    /// What waits, for those who look on.
    pub fn waiting(&self) -> Waiting {
        let held = self.lock();
        let rows = held.spool.rows() as u64;
        let since = if rows == 0 { None } else { Some(held.since) };
        let unmoved = since.map(|since| clock::now().mono.since(since)).unwrap_or_default();
        Waiting { handed: held.handed, rows, dropped: held.spool.dropped(), unmoved }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.lock().spool.rows() == 0
    }

    /// Takes a question in, while not too many wait.
    pub fn ask(&self, asked: Asked) -> Result<(), Unanswered> {
        let mut held = self.lock();
        if held.closed {
            return Err(Unanswered::Away(LEAVING.to_owned()));
        }
        if held.questions.len() >= MOST_QUESTIONS {
            return Err(Unanswered::Busy);
        }
        held.questions.push_back(asked);
        self.changed.notify_one();
        Ok(())
    }

    /// Takes out the question that has waited for longest and is still waited for.
    pub fn next_question(&self) -> Option<Asked> {
        let mut held = self.lock();
        held.questions.retain(|asked| !asked.reply.is_closed());
        held.questions.pop_front()
    }

    /// Waits until something is due, by what is there and since when, or asked.
    pub fn wait(&self, due: impl Fn(&Spool, Mono) -> Mono) -> Woken {
        let mut held = self.lock();
        loop {
            if held.closed {
                held.questions.clear();
                return Woken::Closed;
            }
            let (now, at) = (clock::now().mono, due(&held.spool, held.since));
            if at <= now || held.hurried && !held.spool.is_empty() {
                return Woken::Due;
            }
            if !held.questions.is_empty() {
                return Woken::Asked;
            }
            let waited = self.changed.wait_timeout(held, at.since(now));
            held = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes the batches of the next transaction out; they count as waiting until it is known what
    /// became of them.
    pub fn take_group(&self) -> Vec<Batch> {
        self.lock().spool.take_group()
    }

    /// What was taken out is committed.
    pub fn committed(&self) {
        let mut held = self.lock();
        held.spool.committed();
        held.since = clock::now().mono;
    }

    /// What was taken out could not be committed, through no fault of its own.
    pub fn put_back(&self, group: Vec<Batch>) {
        self.lock().spool.put_back(group);
    }

    /// What was taken out is refused.
    pub fn refused(&self, group: Vec<Batch>) {
        self.lock().spool.refused(group);
    }

    // A panic under the lock leaves at worst a count that is off; going on beats losing history.
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
