//! Where batches wait, between those who may not wait and the one thread that may.
//!
//! The ledger puts a batch here and goes on; a disk that hangs holds up nobody, because nobody holds
//! the lock while the disk is asked. There is no second queue: whatever is to be kept waits in this
//! one place, under one bound, so that what must be given up is chosen among all of it.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock;
use crate::ledger::entry::Waiting;
use crate::ledger::row::Batch;
use crate::store::reading::reader::{Asked, MOST_QUESTIONS, Unanswered};
use crate::store::spool::Spool;
use crate::units::Mono;

/// Why nothing is answered any more.
const LEAVING: &str = "procession is leaving";

/// Batches that wait to be copied; where more do, all is copied anew from what waits for a commit.
const MOST_COPIES: usize = 4_096;

/// For how long a commit waits until a copy of what was committed is gone, so that no kill leaves one
/// that is older than what is kept.
const REMOVAL: Duration = Duration::from_secs(1);

/// Batches that wait for a commit.
#[derive(Default)]
pub struct Shelf {
    held: Mutex<Held>,
    changed: Condvar,
    /// For whoever copies, and for whoever waits until it has ended.
    copying: Condvar,
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
    /// The batches of the transaction that is tried.
    in_flight: Arc<Vec<Batch>>,
    /// The last attempt failed.
    away: bool,
    copy: Copying,
}

/// How far what waits is copied.
#[derive(Default)]
struct Copying {
    stage: Stage,
    /// All of it is to be copied anew, and not only what came since.
    anew: bool,
    /// What came since.
    batches: Vec<Batch>,
    /// Nothing comes any more, and what waits will not be committed by us.
    sealed: bool,
}

/// Whether what waits is copied.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Off,
    On,
    /// The copy is being removed.
    Ending,
}

/// What is to be copied next.
#[derive(Debug)]
pub enum Copies {
    /// All that waits, in the place of what was copied before.
    Anew(Vec<Batch>),
    /// What came since.
    More(Vec<Batch>),
    /// All is committed: the copy is to go, and then [`Shelf::copied`] to be called.
    NothingWaits,
    /// All is copied, and nothing more happens in this life.
    Sealed,
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
        if held.copy.take(&batch) {
            self.copying.notify_all();
        }
        held.spool.push(batch);
        let has_news = first || held.spool.is_full_group() != was_full;
        // Whoever is woken would only wait for the lock.
        drop(held);
        if has_news {
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
        let (handed, dropped) = (held.handed, held.spool.dropped());
        Waiting { handed, rows, dropped, unmoved, ..Waiting::default() }
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

    /// Waits until something is due, by what is there, or asked.
    pub fn wait(&self, due: impl Fn(&Spool) -> Mono) -> Woken {
        let mut held = self.lock();
        loop {
            if held.closed {
                held.questions.clear();
                return Woken::Closed;
            }
            let (now, at) = (clock::now().mono, due(&held.spool));
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
    pub fn take_group(&self) -> Arc<Vec<Batch>> {
        let ending = |held: &mut Held| held.copy.stage == Stage::Ending;
        let waited = self.copying.wait_timeout_while(self.lock(), REMOVAL, ending);
        let mut held = waited.unwrap_or_else(PoisonError::into_inner).0;
        held.in_flight = Arc::new(held.spool.take_group());
        Arc::clone(&held.in_flight)
    }

    /// What was taken out is committed.
    pub fn committed(&self) {
        let mut held = self.lock();
        held.spool.committed();
        held.in_flight = Arc::default();
        held.since = clock::now().mono;
        self.copying.notify_all();
    }

    /// What was taken out could not be committed, through no fault of its own.
    pub fn put_back(&self) {
        let mut held = self.lock();
        let group = std::mem::take(&mut held.in_flight);
        held.spool.put_back(Arc::unwrap_or_clone(group));
    }

    /// What was taken out is refused.
    pub fn refused(&self) {
        let mut held = self.lock();
        let group = std::mem::take(&mut held.in_flight);
        held.spool.refused(Arc::unwrap_or_clone(group));
    }

    /// Says whether the last attempt failed.
    pub fn is_away(&self, away: bool) {
        self.lock().away = away;
        self.copying.notify_all();
    }

    /// Begins to copy all that waits; false where that is done already.
    pub fn begin_copying(&self) -> bool {
        let mut held = self.lock();
        let begins = held.copy.stage == Stage::Off;
        if begins {
            (held.copy.stage, held.copy.anew) = (Stage::On, true);
        }
        begins
    }

    /// Has all that waits copied anew.
    pub fn copy_anew(&self) {
        self.lock().copy.anew = true;
    }

    /// Waits for what is to be copied next, and to that end until `not_before` at least, unless
    /// nothing more happens.
    pub fn next_copies(&self, not_before: Option<Mono>) -> Copies {
        let mut held = self.lock();
        loop {
            let now = clock::now().mono;
            let pause = not_before.map(|at| at.since(now)).filter(|rest| !rest.is_zero());
            if held.spool.rows() == 0 && (!held.away || held.copy.sealed) {
                held.copy.stage = Stage::Ending;
                return Copies::NothingWaits;
            }
            if (pause.is_none() || held.copy.sealed)
                && let Some(copies) = held.copies()
            {
                return copies;
            }
            held = match pause {
                Some(pause) => {
                    let waited = self.copying.wait_timeout(held, pause);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.copying.wait(held).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// The copy is gone.
    pub fn copied(&self) {
        self.lock().copy = Copying::default();
        self.copying.notify_all();
    }

    /// Says that what waits now will not be committed by us.
    pub fn seal(&self) {
        self.lock().copy.sealed = true;
        self.copying.notify_all();
    }

    // A panic under the lock leaves at worst a count that is off; going on beats losing history.
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// What is to be copied, where something is.
    fn copies(&mut self) -> Option<Copies> {
        let since = std::mem::take(&mut self.copy.batches);
        if std::mem::take(&mut self.copy.anew) {
            let all = self.in_flight.iter().chain(self.spool.batches());
            return Some(Copies::Anew(all.cloned().collect()));
        }
        if !since.is_empty() {
            return Some(Copies::More(since));
        }
        self.copy.sealed.then_some(Copies::Sealed)
    }
}

impl Copying {
    /// Takes a copy; false where none is wanted.
    fn take(&mut self, batch: &Batch) -> bool {
        if self.stage != Stage::On || batch.rows.is_empty() {
            return false;
        }
        if self.batches.len() >= MOST_COPIES {
            self.anew = true;
        }
        if self.anew {
            self.batches.clear();
        } else {
            self.batches.push(batch.clone());
        }
        true
    }
}
