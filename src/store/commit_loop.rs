//! What the store's thread does: gather, commit, try again, forget what is old, leave in time.
//!
//! Everything here may block on a disk, and nothing waits for it but [`Writer::close`], which
//! gives up in time. A panic, be it ours or the database's, costs one attempt and not the thread.
//!
//! [`Writer::close`]: super::writer::Writer::close

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::clock;
use crate::config::plan::RetentionPlan;
use crate::ledger::entry::StoreHealth;
use crate::ledger::row::Batch;
use crate::store::figures::Figures;
use crate::store::left_open;
use crate::store::reading;
use crate::store::reading::reader::{Asked, Unanswered};
use crate::store::shelf::{Shelf, Woken};
use crate::store::spool::Spool;
use crate::store::spooler::Spooler;
use crate::store::writer::{Open, Resume};
use crate::store::{Store, StoreError};
use crate::units::Mono;

/// From one commit to the next, so that what comes in between shares one transaction: a crash loop
/// would commit a thousand times a second. What comes after a rest is committed at once, and wakes
/// this thread once; the last ones do not wait either.
const GATHER: Duration = Duration::from_millis(20);

/// From the first failure to the second attempt; it doubles from there.
const FIRST_RETRY: Duration = Duration::from_millis(250);

/// The longest time between two attempts: a disk that was freed is noticed within it.
const LONGEST_RETRY: Duration = Duration::from_secs(10);

/// By how much of itself the time between two attempts is shortened at most, by chance.
const SPREAD: f64 = 0.3;

/// Between attempts while we are leaving and every moment counts.
const LAST_RETRY: Duration = Duration::from_millis(50);

/// How long a store that answers with an error is asked again while we are leaving. One that is
/// still at work is waited for until the deadline.
const LAST_ATTEMPTS: Duration = Duration::from_secs(1);

/// From one pruning to the next.
const PRUNE_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// From a pruning that failed to the next.
const PRUNE_RETRY: Duration = Duration::from_secs(60 * 60);

/// From the opening to the first step of pruning: a start has other uses for the disk, which pruning
/// makes wait while it folds the log in.
pub const FIRST_PRUNE: Duration = Duration::from_secs(60);

/// From one step to the next, so that pruning never crowds out commits.
const PRUNE_PAUSE: Duration = Duration::from_millis(200);

/// The inside of the store's thread.
pub struct CommitLoop {
    open: Open,
    store: Option<Box<dyn Store>>,
    shelf: Arc<Shelf>,
    /// Writes what waits to a file while the store is away, where there is a place for one.
    spooler: Option<Arc<Spooler>>,
    /// When to give up, once we are leaving.
    deadline: Arc<OnceLock<Mono>>,
    /// Set while something stands in the way.
    retry: Option<Retry>,
    prune_at: Mono,
    /// From the opening to the first step of pruning.
    first_prune: Duration,
    /// When the next commit may be made.
    commit_at: Mono,
    /// Whether the ledger has to be woken for what became of the last commits.
    worth_telling: bool,
    /// Since when we have been leaving.
    leaving: Option<Mono>,
    failures: u64,
    /// Taken by the first opening that works.
    resume: Option<oneshot::Sender<Resume>>,
    health: watch::Sender<StoreHealth>,
    figures: Figures,
    keep: RetentionPlan,
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
        (shelf, spooler): (Arc<Shelf>, Option<Arc<Spooler>>),
        deadline: Arc<OnceLock<Mono>>,
        resume: oneshot::Sender<Resume>,
        health: watch::Sender<StoreHealth>,
        keep: RetentionPlan,
    ) -> Self {
        Self {
            open,
            store: None,
            shelf,
            spooler,
            deadline,
            retry: None,
            prune_at: Mono::default(),
            first_prune: FIRST_PRUNE,
            commit_at: Mono::default(),
            worth_telling: false,
            leaving: None,
            failures: 0,
            resume: Some(resume),
            health,
            figures,
            keep,
        }
    }

    /// The same with another time from the opening to the first step of pruning.
    pub fn pruning_after(self, first_prune: Duration) -> Self {
        Self { first_prune, ..self }
    }

    /// Works until nobody can submit any more, and then until nothing waits or it is too late.
    pub fn run(&mut self) {
        while catch_unwind(AssertUnwindSafe(|| self.work_until_left())).is_err() {
            self.begin_again();
            if self.leaving.is_some() && self.gives_up() {
                return;
            }
        }
    }

    fn work_until_left(&mut self) {
        loop {
            match self.shelf.wait(|spool| self.due(spool)) {
                Woken::Due => self.attempt(),
                Woken::Asked => {}
                Woken::Closed => break,
            }
            self.answer_all();
        }
        self.finish();
    }

    /// Answers what is asked, in the order in which it was asked.
    fn answer_all(&mut self) {
        while self.answer_one() {}
    }

    /// Answers the next question, if one waits.
    fn answer_one(&mut self) -> bool {
        let Some(Asked { question, reply }) = self.shelf.next_question() else { return false };
        let answer = match (&self.retry, &mut self.store) {
            (Some(retry), _) => Err(Unanswered::Away(retry.trouble.clone())),
            (None, None) => Err(Unanswered::Busy),
            (None, Some(store)) => reading::answer(&mut **store, &question)
                .map_err(|error| Unanswered::Failed(error.to_string())),
        };
        let _ = reply.send(answer);
        true
    }

    /// When something is to be done next; the past means at once.
    fn due(&self, spool: &Spool) -> Mono {
        match &self.retry {
            Some(retry) => retry.at,
            None if self.store.is_none() => Mono::default(),
            None if spool.is_empty() => self.prune_at,
            None if spool.is_full_group() => Mono::default(),
            None => self.commit_at,
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
        self.open_if_closed()?;
        if let Some(store) = self.store.as_mut().filter(|_| self.shelf.is_hurried()) {
            store.hasten();
        }
        while !self.shelf.is_empty() {
            self.commit_group()?;
            self.report();
            // One between two commits, so that a store that is always busy answers as well.
            self.answer_one();
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
            if let Some(spooler) = &self.spooler {
                spooler.replay(&mut *store)?;
            }
            let mut open = store.open_sessions()?;
            left_open::fill_in(&mut *store, &mut open)?;
            let (tokens, chains) = (store.token_resume()?, store.chains()?);
            let found = Resume { open, tokens, chains, held: store.held_before()? };
            if let Some(resume) = self.resume.take() {
                let _ = resume.send(found);
            }
        }
        self.store = Some(store);
        self.prune_at = clock::now().mono.after(self.first_prune);
        Ok(())
    }

    fn commit_group(&mut self) -> Result<(), StoreError> {
        let Some(store) = &mut self.store else { return Ok(()) };
        let group = self.shelf.take_group();
        self.worth_telling |= !group.iter().all(Batch::is_only_samples);
        let result = store.commit(&group);
        self.commit_at = clock::now().mono.after(GATHER);
        let Err(error) = result else {
            self.shelf.committed();
            return Ok(());
        };
        self.failures += 1;
        let single = group.len() == 1;
        drop(group);
        if !error.refused {
            self.shelf.put_back();
            return Err(error);
        }
        if single {
            tracing::error!(target: "store", "{error}; leaving out what is refused");
        }
        self.shelf.refused();
        Ok(())
    }

    fn prune_if_due(&mut self) {
        let now = clock::now();
        if self.leaving.is_some() || self.prune_at > now.mono {
            return;
        }
        self.worth_telling = true;
        let Some(store) = &mut self.store else { return };
        let pause = match store.prune(now.wall, &self.keep) {
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
        self.shelf.is_away(false);
        if self.retry.take().is_some() {
            tracing::info!(target: "store", dropped = self.shelf.waiting().dropped,
                "history is kept again; everything that waited is committed");
        }
    }

    fn went_wrong(&mut self, trouble: String) {
        self.shelf.is_away(true);
        if let Some(spooler) = &self.spooler {
            spooler.begin();
        }
        let last = self.retry.take();
        if last.as_ref().is_none_or(|last| last.trouble != trouble) {
            tracing::warn!(target: "store", "{trouble}; trying again, supervision goes on");
        }
        let delay = last.map_or(FIRST_RETRY, |last| (last.delay * 2).min(LONGEST_RETRY));
        // Not all of a fleet at the same moment, when a server comes back.
        let pause = delay.mul_f64(1.0 - SPREAD * fastrand::f64());
        self.retry = Some(Retry { at: clock::now().mono.after(pause), delay, trouble });
    }

    /// Says how the store is. Nobody is woken where all went well with samples alone, of which there
    /// are some every few seconds: whoever looks at the figures finds them.
    fn report(&mut self) {
        let waiting = self.shelf.waiting();
        let health = StoreHealth {
            up: self.retry.is_none() && self.store.is_some(),
            pending: waiting.rows,
            failures: self.failures,
            dropped: waiting.dropped,
            figures: self.figures.now(),
            spooled: self.spooler.as_ref().map(|spooler| spooler.figures()).unwrap_or_default(),
        };
        let worth_telling = std::mem::take(&mut self.worth_telling);
        self.health.send_if_modified(|known| {
            let known = std::mem::replace(known, health);
            known != health && (worth_telling || !is_upkeep(&known, &health))
        });
    }

    /// After a panic: the store may be in any state, so it is left and opened again.
    fn begin_again(&mut self) {
        let _ = catch_unwind(AssertUnwindSafe(|| self.store = None));
        self.shelf.put_back();
        self.failures += 1;
        self.went_wrong("cannot keep history: its thread failed (this is a bug)".into());
        self.report();
    }

    /// Commits what is left, for as long as whoever closes us waits for it.
    fn finish(&mut self) {
        self.leaving.get_or_insert_with(|| clock::now().mono);
        while !self.shelf.is_empty() {
            self.attempt();
            if !self.shelf.is_empty() && self.gives_up() {
                return;
            }
        }
    }

    /// Whether it is too late for another attempt; else it is time for one. Nobody waits where no
    /// deadline was given.
    fn gives_up(&self) -> bool {
        std::thread::sleep(LAST_RETRY);
        let now = clock::now().mono;
        let tried = self.leaving.is_some_and(|since| now.since(since) >= LAST_ATTEMPTS);
        tried || self.deadline.get().is_none_or(|deadline| *deadline <= now)
    }
}

/// Whether nothing but the times of commits, and what waits for the next one, is another than before.
fn is_upkeep(known: &StoreHealth, now: &StoreHealth) -> bool {
    let StoreHealth { pending, figures, .. } = *now;
    StoreHealth { pending, figures, ..*known } == *now
}
