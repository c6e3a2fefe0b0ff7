//! What the store's thread does: gather, commit, try again, forget what is old, leave in time.
//!
//! Everything here may block on a disk, and nothing waits for it but [`Writer::close`], which
//! gives up in time. A panic, be it ours or the database's, costs one attempt and not the thread.
//!
//! [`Writer::close`]: super::writer::Writer::close

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::clock;
use crate::ledger::entry::StoreHealth;
use crate::ledger::row::Batch;
use crate::store::figures::Figures;
use crate::store::spool::Spool;
use crate::store::writer::{Open, Resume};
use crate::store::{Store, StoreError};
use crate::units::Mono;

/// How long batches wait for others, so that they share one transaction and one flush of the disk:
/// a crash loop would flush a thousand times a second. The last ones do not wait.
const GATHER: Duration = Duration::from_millis(20);

/// From the first failure to the second attempt; it doubles from there.
const FIRST_RETRY: Duration = Duration::from_millis(250);

/// The longest time between two attempts: a disk that was freed is noticed within it.
const LONGEST_RETRY: Duration = Duration::from_secs(10);

/// Between attempts while we are leaving and every moment counts.
const LAST_RETRY: Duration = Duration::from_millis(50);

/// From one pruning to the next.
const PRUNE_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// From a pruning that failed to the next.
const PRUNE_RETRY: Duration = Duration::from_secs(60 * 60);

/// From the opening to the first step of pruning, and from one step to the next, so that pruning
/// never crowds out commits.
const PRUNE_PAUSE: Duration = Duration::from_millis(200);

/// The inside of the store's thread.
pub struct CommitLoop {
    open: Open,
    store: Option<Box<dyn Store>>,
    batches: Receiver<Batch>,
    /// Batches in the channel, counted by whoever submits.
    queued: Arc<AtomicUsize>,
    /// When to give up, once we are leaving.
    deadline: Arc<OnceLock<Mono>>,
    spool: Spool,
    /// Until when the batches that wait may wait for more.
    gather_until: Mono,
    /// Set while something stands in the way.
    retry: Option<Retry>,
    prune_at: Mono,
    leaving: bool,
    failures: u64,
    /// Taken by the first opening that works.
    resume: Option<oneshot::Sender<Resume>>,
    health: watch::Sender<StoreHealth>,
    figures: Figures,
}

/// When to try again, and what was said when it last failed.
struct Retry {
    at: Mono,
    delay: Duration,
    trouble: String,
}

impl CommitLoop {
    /// A loop that has not opened anything yet.
    pub fn new(
        open: Open,
        figures: Figures,
        batches: Receiver<Batch>,
        queued: Arc<AtomicUsize>,
        deadline: Arc<OnceLock<Mono>>,
        resume: oneshot::Sender<Resume>,
        health: watch::Sender<StoreHealth>,
    ) -> Self {
        Self {
            open,
            store: None,
            batches,
            queued,
            deadline,
            spool: Spool::default(),
            gather_until: Mono::default(),
            retry: None,
            prune_at: Mono::default(),
            leaving: false,
            failures: 0,
            resume: Some(resume),
            health,
            figures,
        }
    }

    /// Works until nobody can submit any more. Says whether nothing is left uncommitted.
    pub fn run(&mut self) -> bool {
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.work_until_left())) {
                Ok(flushed) => return flushed,
                Err(_) => self.begin_again(),
            }
            if self.leaving && self.gives_up() {
                return false;
            }
        }
    }

    fn work_until_left(&mut self) -> bool {
        while self.receive() {
            self.attempt();
        }
        self.finish()
    }

    /// Fills the spool until something is due. False once nobody can submit any more.
    fn receive(&mut self) -> bool {
        loop {
            let now = clock::now().mono;
            let due = self.due(now);
            if due <= now {
                return true;
            }
            match self.batches.recv_timeout(due.since(now)) {
                Ok(batch) => self.take_in(batch),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    fn due(&self, now: Mono) -> Mono {
        match &self.retry {
            Some(retry) => retry.at,
            None if self.store.is_none() => now,
            None if self.spool.is_empty() => self.prune_at,
            None if self.spool.is_full_group() => now,
            None => self.gather_until,
        }
    }

    fn take_in(&mut self, batch: Batch) {
        self.queued.fetch_sub(1, Ordering::Relaxed);
        if self.spool.is_empty() {
            self.gather_until = clock::now().mono.after(GATHER);
        }
        self.spool.push(batch);
    }

    fn take_in_all(&mut self) {
        while let Ok(batch) = self.batches.try_recv() {
            self.take_in(batch);
        }
    }

    /// Opens what is not open, commits what waits, and keeps count of how that goes.
    fn attempt(&mut self) {
        match self.advance() {
            Ok(()) => self.went_well(),
            Err(error) => self.went_wrong(error.to_string()),
        }
        self.report();
    }

    fn advance(&mut self) -> Result<(), StoreError> {
        self.take_in_all();
        self.open_if_closed()?;
        while !self.spool.is_empty() {
            // Told before, too: should the disk hang, this is the last that is heard of it.
            self.report();
            self.commit_group()?;
            self.take_in_all();
        }
        self.prune_if_due();
        Ok(())
    }

    fn open_if_closed(&mut self) -> Result<(), StoreError> {
        if self.store.is_some() {
            return Ok(());
        }
        let mut store = (self.open)()?;
        if self.resume.is_some() {
            let found = Resume { open: store.open_sessions()?, tokens: store.token_resume()? };
            let _ = self.resume.take().map(|resume| resume.send(found));
        }
        self.store = Some(store);
        self.prune_at = clock::now().mono.after(PRUNE_PAUSE);
        Ok(())
    }

    fn commit_group(&mut self) -> Result<(), StoreError> {
        let Some(store) = &mut self.store else { return Ok(()) };
        let group = self.spool.group();
        let batches = group.len();
        let Err(error) = store.commit(group) else {
            self.spool.committed(batches);
            return Ok(());
        };
        self.failures += 1;
        if !error.refused {
            return Err(error);
        }
        if batches == 1 {
            tracing::error!(target: "store", "{error}; leaving out what is refused");
        }
        self.spool.refused(batches);
        Ok(())
    }

    fn prune_if_due(&mut self) {
        let now = clock::now();
        if self.leaving || self.prune_at > now.mono {
            return;
        }
        let Some(store) = &mut self.store else { return };
        let pause = match store.prune(now.wall) {
            Ok(true) => PRUNE_PAUSE,
            Ok(false) => PRUNE_INTERVAL,
            Err(error) => {
                tracing::warn!(target: "store", "{error}; trying again in an hour");
                PRUNE_RETRY
            }
        };
        self.prune_at = now.mono.after(pause);
    }

    fn went_well(&mut self) {
        if self.retry.take().is_some() {
            tracing::info!(target: "store", dropped = self.spool.dropped(),
                "history is kept again; everything that waited is committed");
        }
    }

    fn went_wrong(&mut self, trouble: String) {
        let last = self.retry.take();
        if last.as_ref().is_none_or(|last| last.trouble != trouble) {
            tracing::warn!(target: "store", "{trouble}; trying again, supervision goes on");
        }
        let delay = last.map_or(FIRST_RETRY, |last| (last.delay * 2).min(LONGEST_RETRY));
        self.retry = Some(Retry { at: clock::now().mono.after(delay), delay, trouble });
    }

    fn report(&mut self) {
        let health = StoreHealth {
            up: self.retry.is_none() && self.store.is_some(),
            pending: self.spool.rows() as u64,
            failures: self.failures,
            dropped: self.spool.dropped(),
            figures: self.figures.now(),
        };
        let began_to_drop = self.health.borrow().dropped == 0 && health.dropped > 0;
        if began_to_drop {
            tracing::warn!(target: "store", "too much history waits; the least important of it is \
                dropped and counted");
        }
        self.health.send_if_modified(|known| std::mem::replace(known, health) != health);
    }

    /// After a panic: the store may be in any state, so it is left and opened again.
    fn begin_again(&mut self) {
        let _ = catch_unwind(AssertUnwindSafe(|| self.store = None));
        self.failures += 1;
        self.went_wrong("cannot keep history: its thread failed (this is a bug)".into());
        self.report();
    }

    /// Commits what is left, for as long as whoever closes us waits for it.
    fn finish(&mut self) -> bool {
        self.leaving = true;
        loop {
            self.take_in_all();
            if self.spool.is_empty() {
                return true;
            }
            self.attempt();
            if !self.spool.is_empty() && self.gives_up() {
                return false;
            }
        }
    }

    /// Whether it is too late for another attempt; else it is time for one. Nobody waits where no
    /// deadline was given.
    fn gives_up(&self) -> bool {
        std::thread::sleep(LAST_RETRY);
        self.deadline.get().is_none_or(|deadline| *deadline <= clock::now().mono)
    }
}
