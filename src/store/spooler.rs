//! Writes what waits for a store that is away to the [`spool_file`], on a thread of its own that lives
//! for as long as the store is away: the store's thread may hang in the store, and whoever hands
//! batches over never waits for a disk.
//!
//! The file is a copy of what waits, no queue: what waits is committed from memory, and then the file
//! goes. Only a life that follows reads it, before it reads anything else of the store. Where it is
//! full it is begun anew from memory, where what later rows replace is left out.
//!
//! [`spool_file`]: super::spool_file

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock;
use crate::ledger::row::Batch;
use crate::ledger::store_figures::SpoolFigures;
use crate::store::life::{Life, Verdict};
use crate::store::opening::Who;
use crate::store::shelf::{Copies, Shelf};
use crate::store::spool::Spool;
use crate::store::spool_file::{LeftSpool, SpoolFile, find_left};
use crate::store::unheard::Behind;
use crate::store::{Store, StoreError};
use crate::units::{Bytes, Mono};

/// From an attempt to write that failed to the next.
const RETRY: Duration = Duration::from_secs(5);

/// A file that was begun anew and is fuller than this part of its bound is not soon begun anew again.
const WORTH_ANEW: u64 = 2;

/// Looks after the spool file of this life, and after those of earlier ones.
pub struct Spooler {
    shelf: Arc<Shelf>,
    state_dir: PathBuf,
    most: Bytes,
    who: Who,
    figures: Arc<Mutex<SpoolFigures>>,
    /// Ends when the thread does; absent while there is none.
    done: Mutex<Option<Receiver<Infallible>>>,
}

impl Spooler {
    /// One that has not begun yet, for a file of this size at most.
    pub fn new(shelf: Arc<Shelf>, state_dir: PathBuf, most: Bytes, who: Who) -> Self {
        let (figures, done) = Default::default();
        Self { shelf, state_dir, most, who, figures, done }
    }

    /// Begins to copy what waits, unless that is being done. Never waits for a disk.
    pub fn begin(&self) {
        if !self.shelf.begin_copying() {
            return;
        }
        let (finished, done) = sync_channel::<Infallible>(0);
        let mut pen = Pen {
            shelf: Arc::clone(&self.shelf),
            state_dir: self.state_dir.clone(),
            most: self.most,
            who: self.who.clone(),
            figures: Arc::clone(&self.figures),
            file: None,
            retry: None,
            trouble: false,
        };
        let work = move || {
            pen.work();
            drop(finished);
        };
        match std::thread::Builder::new().name("spool".into()).spawn(work) {
            Ok(_) => *lock(&self.done) = Some(done),
            Err(error) => {
                self.shelf.copied();
                tracing::warn!(target: "store", "cannot start the thread of the spool: {error}");
            }
        }
    }

    /// Waits until the thread has ended, for so long at most, and says whether it has.
    pub fn wait(&self, patience: Duration) -> bool {
        let Some(done) = lock(&self.done).take() else { return true };
        done.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected)
    }

    /// What is in the file, and what became of what was in others.
    pub fn figures(&self) -> SpoolFigures {
        *lock(&self.figures)
    }

    /// Commits what lives that are over left in their files. What cannot be committed now stays.
    pub fn replay(&self, store: &mut dyn Store) -> Result<(), StoreError> {
        let us = self.who.know();
        for left in find_left(&self.state_dir, |life| us.judge(life) == Verdict::Over) {
            let rows = replay_one(left, store)?;
            lock(&self.figures).replayed += rows;
        }
        Ok(())
    }
}

/// Commits what one file holds, in its order, and removes it. Answers with the rows.
fn replay_one(mut left: LeftSpool, store: &mut dyn Store) -> Result<u64, StoreError> {
    let (mut spool, mut rows, mut ended) = (Spool::default(), 0, false);
    let mut behind = Behind::default();
    while !ended {
        ended = !fill(&mut spool, &mut left, &mut behind, store)?;
        rows += spool.rows() as u64;
        commit_all(&mut spool, &left.life, store)?;
    }
    behind.project(store, &left.life)?;
    tracing::info!(target: "store", rows, damaged = left.damaged, life = %left.life.id,
        "what an earlier life could not keep is kept now");
    if let Err(error) = left.discard() {
        tracing::warn!(target: "store", "cannot remove a spool: {error}");
    }
    Ok(rows)
}

/// Reads about as much as one transaction takes; false at the end of the file.
fn fill(
    spool: &mut Spool,
    left: &mut LeftSpool,
    behind: &mut Behind,
    store: &mut dyn Store,
) -> Result<bool, StoreError> {
    while !spool.is_full_group() {
        match left.next_batch() {
            Ok(Some(batch)) => spool.push(behind.numbered(store, batch)?),
            Ok(None) => return Ok(false),
            Err(error) => {
                tracing::warn!(target: "store", "cannot read a spool to its end: {error}");
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn commit_all(spool: &mut Spool, life: &Life, store: &mut dyn Store) -> Result<(), StoreError> {
    while !spool.is_empty() {
        let group = spool.take_group();
        match store.commit_for(life, &group) {
            Ok(()) => spool.committed(),
            Err(error) if error.refused => spool.refused(group),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The thread's side.
struct Pen {
    shelf: Arc<Shelf>,
    state_dir: PathBuf,
    most: Bytes,
    who: Who,
    figures: Arc<Mutex<SpoolFigures>>,
    file: Option<SpoolFile>,
    /// When to try again, after it could not be written.
    retry: Option<Mono>,
    trouble: bool,
}

impl Pen {
    fn work(&mut self) {
        loop {
            match self.shelf.next_copies(self.retry) {
                Copies::Anew(batches) => self.write(&batches, true),
                Copies::More(batches) => self.write(&batches, false),
                Copies::NothingWaits => {
                    self.discard();
                    return self.shelf.copied();
                }
                Copies::Sealed => return self.tell_what_stays(),
            }
        }
    }

    fn write(&mut self, batches: &[Batch], anew: bool) {
        let written = match &mut self.file {
            Some(file) if !anew => file.append(batches),
            _ => self.begin(batches),
        };
        self.retry = None;
        match written {
            Ok(0) => self.trouble = false,
            Ok(dropped) => self.found_no_room(dropped, anew),
            Err(error) => self.failed(&error),
        }
        let (bytes, rows) = self.file.as_ref().map(SpoolFile::size).unwrap_or_default();
        let mut figures = lock(&self.figures);
        (figures.bytes, figures.rows) = (bytes, rows);
    }

    fn begin(&mut self, batches: &[Batch]) -> io::Result<u64> {
        let life = self.who.know().life().clone();
        let (file, dropped) = SpoolFile::begin(&self.state_dir, &life, self.most, batches)?;
        self.file = Some(file);
        Ok(dropped)
    }

    /// Begins anew where that makes room, else counts what is in memory alone.
    fn found_no_room(&mut self, dropped: u64, anew: bool) {
        let waiting = self.shelf.waiting().rows;
        let held = self.file.as_ref().map_or(0, |file| file.size().1);
        if !anew && held / WORTH_ANEW >= waiting {
            return self.shelf.copy_anew();
        }
        lock(&self.figures).dropped += dropped;
        self.complain(&format!("its {} are used up", self.most.0));
    }

    fn failed(&mut self, error: &io::Error) {
        self.retry = Some(clock::now().mono.after(RETRY));
        self.shelf.copy_anew();
        self.complain(&error.to_string());
    }

    fn complain(&mut self, trouble: &str) {
        if !std::mem::replace(&mut self.trouble, true) {
            tracing::warn!(target: "store", folder = %self.state_dir.display(),
                "cannot write all of the spool: {trouble}; what is not in it is lost if we are killed \
                 before the store is back");
        }
    }

    fn discard(&mut self) {
        if let Some(Err(error)) = self.file.take().map(SpoolFile::discard) {
            tracing::warn!(target: "store", "cannot remove the spool: {error}");
        }
        let mut figures = lock(&self.figures);
        (figures.bytes, figures.rows) = (Bytes(0), 0);
    }

    fn tell_what_stays(&self) {
        let SpoolFigures { rows, dropped, .. } = *lock(&self.figures);
        tracing::warn!(target: "store", rows, dropped,
            "the store is away: history waits in the spool for the next life");
    }
}

// A panic under the lock leaves at worst a count that is off.
fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}
