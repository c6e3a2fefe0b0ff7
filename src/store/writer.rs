//! The one thread that may wait for a disk.
//!
//! ```text
//!   ledger ── submit ──► shelf ──► thread ──► Store::commit
//!     ▲                              │ watch, oneshot: never block, never fill
//!     └────────── Reports ◄──────────┘
//! ```
//!
//! Whoever submits never waits: the shelf takes everything, within its bound. While the store is away
//! the thread tries again, ever more slowly. What it does in between is in `commit_loop`.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{oneshot, watch};

use crate::chains::chain::KeptChain;
use crate::clock;
use crate::config::plan::{RetentionPlan, StorePlan};
use crate::ledger::entry::{OpenSession, StoreHealth, Waiting};
use crate::ledger::row::Batch;
use crate::store::commit_loop::{CommitLoop, FIRST_PRUNE};
use crate::store::figures::{Figures, counted};
use crate::store::life::Beginnings;
use crate::store::opening::{self, Who};
use crate::store::reading::reader::Reader;
use crate::store::shelf::Shelf;
use crate::store::spooler::Spooler;
use crate::store::{Store, StoreError};
use crate::tokens::TokenResume;
use crate::units::{Bytes, Mono};

/// How long rows wait without a commit before they are written to a file as well.
const LONG: Duration = Duration::from_secs(1);

/// How much of the time for the last commit is left for the file, where that is not enough.
const LAST_COPY: Duration = Duration::from_millis(300);

/// Opens the store; called again for as long as it fails.
pub type Open = Box<dyn FnMut() -> Result<Box<dyn Store>, StoreError> + Send>;

/// Hands batches to the thread that commits them.
pub struct Writer {
    /// Absent when history is in memory: what is submitted is then history already.
    thread: Option<Thread>,
}

/// What the thread tells.
pub struct Reports {
    /// What earlier lives left, once the store could be opened, which may be never or much later.
    pub resume: oneshot::Receiver<Resume>,
    /// How the store is. The sender is gone from the start when history is in memory.
    pub health: watch::Receiver<StoreHealth>,
}

/// What a new life must know of the lives before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resume {
    /// Sessions that were opened and never closed.
    pub open: Vec<OpenSession>,
    /// How far the logs were read, and which responses are known.
    pub tokens: TokenResume,
    /// The chains of agents.
    pub chains: Vec<(String, KeptChain)>,
    /// What ended runs held, by process.
    pub held: Vec<(String, Value)>,
}

/// The outer side of the thread.
struct Thread {
    shelf: Arc<Shelf>,
    spooler: Option<Arc<Spooler>>,
    deadline: Arc<OnceLock<Mono>>,
    /// Ends when nothing more is tried and the file is closed.
    done: Mutex<Receiver<Infallible>>,
}

/// Starts the writer of the plan's store, for a life with this state folder. Nothing is read or
/// opened before this returns. While the store is away, what waits is in a file of the size of `spool`.
pub fn start(
    plan: &StorePlan,
    keep: RetentionPlan,
    begins: Beginnings,
    state_dir: &Path,
    spool: Option<Bytes>,
) -> (Writer, Reports) {
    let figures = Figures::default();
    let who = Who::new(begins, state_dir);
    let spool = spool.map(|most| Place { state_dir: state_dir.to_owned(), most, who: who.clone() });
    match opening::of(plan, who, &figures) {
        Some(open) => start_counting(open, figures, keep, spool, FIRST_PRUNE),
        None => in_memory(),
    }
}

/// Starts a writer of whatever `open` opens.
pub fn start_with(open: Open) -> (Writer, Reports) {
    start_counting(open, Figures::default(), RetentionPlan::default(), None, FIRST_PRUNE)
}

/// Where a spool file may be, how large, and whose it is.
struct Place {
    state_dir: PathBuf,
    most: Bytes,
    who: Who,
}

fn start_counting(
    open: Open,
    figures: Figures,
    keep: RetentionPlan,
    place: Option<Place>,
    first_prune: Duration,
) -> (Writer, Reports) {
    let open = counted(open, figures.clone());
    let (resume, resumed) = oneshot::channel();
    let (health, reported) = watch::channel(StoreHealth::default());
    let (finished, done) = sync_channel::<Infallible>(0);
    let (shelf, deadline) = (Arc::<Shelf>::default(), Arc::new(OnceLock::new()));
    let spooler = place.map(|Place { state_dir, most, who }| {
        Arc::new(Spooler::new(shelf.clone(), state_dir, most, who))
    });
    let shared = (shelf.clone(), spooler.clone());
    let mut commits =
        CommitLoop::new(open, figures, shared, deadline.clone(), resume, health, keep)
            .pruning_after(first_prune);
    let run = move || {
        commits.run();
        // The store is closed before anybody who waits for that is told.
        drop(commits);
        drop(finished);
    };
    let spawned = std::thread::Builder::new().name("store".into()).spawn(run);
    if let Err(error) = spawned {
        tracing::error!(target: "store", "cannot start the thread of the store: {error}; \
            history is kept in memory only");
    }
    let thread = Thread { shelf, spooler, deadline, done: Mutex::new(done) };
    (Writer { thread: Some(thread) }, Reports { resume: resumed, health: reported })
}

fn in_memory() -> (Writer, Reports) {
    let (resume, resumed) = oneshot::channel();
    let _ = resume.send(Resume::default());
    let (_, health) = watch::channel(StoreHealth::default());
    (Writer { thread: None }, Reports { resume: resumed, health })
}

impl Writer {
    /// Whether anything of what is submitted outlives us.
    pub fn keeps(&self) -> bool {
        self.thread.is_some()
    }

    /// Hands a batch over. Never waits for a disk.
    pub fn submit(&self, batch: Batch) {
        if let Some(thread) = &self.thread {
            thread.shelf.put(batch);
        }
    }

    /// Asks what is kept.
    pub fn reader(&self) -> Reader {
        let shelf = self.thread.as_ref().map(|thread| Arc::clone(&thread.shelf));
        shelf.map_or_else(Reader::in_memory, Reader::of)
    }

    /// Says that we are about to leave, so that nothing that waits waits for more.
    pub fn hurry(&self) {
        if let Some(thread) = &self.thread {
            thread.shelf.hurry();
        }
    }

    /// What was handed over and is not committed. Where that stands still for long it begins to be
    /// written to a file.
    pub fn waiting(&self) -> Waiting {
        let Some(thread) = &self.thread else { return Waiting::default() };
        let waiting = thread.shelf.waiting();
        let Some(spooler) = &thread.spooler else { return waiting };
        if waiting.unmoved >= LONG {
            spooler.begin();
        }
        Waiting { spooled: spooler.figures(), ..waiting }
    }

    /// Commits what waits and closes the store, all within `patience`; it blocks for that long at
    /// most. What cannot be committed is in the spool then. Answers with the rows that are neither
    /// durable nor there, nor given up and counted.
    pub fn close(self, patience: Duration) -> u64 {
        let Some(thread) = self.thread else { return 0 };
        let last =
            if thread.spooler.is_some() { (patience / 4).min(LAST_COPY) } else { Duration::ZERO };
        let patience = patience.saturating_sub(last);
        let _ = thread.deadline.set(clock::now().mono.after(patience));
        thread.shelf.close();
        let done = thread.done.into_inner().unwrap_or_else(PoisonError::into_inner);
        let _ = done.recv_timeout(patience);
        let rows = thread.shelf.waiting().rows;
        let Some(spooler) = thread.spooler else { return rows };
        if rows > 0 {
            spooler.begin();
        }
        thread.shelf.seal();
        if spooler.wait(last) { rows.saturating_sub(spooler.figures().rows) } else { rows }
    }
}

#[cfg(test)]
mod tests;
