//! The one thread that may wait for a disk.
//!
//! ```text
//!   ledger ── try_submit ──► queue (64) ──► thread: spool ──► Store::commit
//!     ▲                                       │ watch, oneshot: never block, never fill
//!     └───────────── Reports ◄────────────────┘
//! ```
//!
//! Whoever submits never waits: a full queue gives the batch back. While the store is away the
//! thread keeps emptying the queue into its spool and tries again, ever more slowly. What it does in
//! between is in `commit_loop`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::clock;
use crate::config::plan::StorePlan;
use crate::ledger::entry::{OpenSession, StoreHealth};
use crate::ledger::row::Batch;
use crate::store::commit_loop::CommitLoop;
use crate::store::{Store, StoreError};
use crate::tokens::TokenResume;
use crate::units::Mono;

/// Batches that may be on their way to the thread.
const QUEUE: usize = 64;

/// Of these, the places that only lifecycle batches may take.
const RESERVED: usize = 16;

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
}

/// The outer side of the thread.
struct Thread {
    inbox: SyncSender<Batch>,
    queued: Arc<AtomicUsize>,
    deadline: Arc<OnceLock<Mono>>,
    /// Says whether everything was committed, and closes when the file is closed too.
    done: Mutex<Receiver<bool>>,
}

/// Starts the writer of the plan's store. Nothing is opened before this returns.
pub fn start(plan: &StorePlan) -> (Writer, Reports) {
    match plan {
        StorePlan::Memory => in_memory(),
        StorePlan::Sqlite(path) => start_with(sqlite(path.clone())),
    }
}

/// Starts a writer of whatever `open` opens.
pub fn start_with(open: Open) -> (Writer, Reports) {
    let (inbox, batches) = sync_channel(QUEUE);
    let (resume, resumed) = oneshot::channel();
    let (health, reported) = watch::channel(StoreHealth::default());
    let (finished, done) = sync_channel(1);
    let (queued, deadline) = (Arc::new(AtomicUsize::new(0)), Arc::new(OnceLock::new()));
    let mut commits =
        CommitLoop::new(open, batches, queued.clone(), deadline.clone(), resume, health);
    let run = move || {
        let _ = finished.send(commits.run());
        // Only now the store is closed, and after it the channel: `close` waits for both.
        drop(commits);
        drop(finished);
    };
    let spawned = std::thread::Builder::new().name("store".into()).spawn(run);
    if let Err(error) = spawned {
        tracing::error!(target: "store", "cannot start the thread of the store: {error}; \
            history is kept in memory only");
    }
    let thread = Thread { inbox, queued, deadline, done: Mutex::new(done) };
    (Writer { thread: Some(thread) }, Reports { resume: resumed, health: reported })
}

fn in_memory() -> (Writer, Reports) {
    let (resume, resumed) = oneshot::channel();
    let _ = resume.send(Resume::default());
    let (_, health) = watch::channel(StoreHealth::default());
    (Writer { thread: None }, Reports { resume: resumed, health })
}

#[cfg(feature = "sqlite")]
fn sqlite(path: std::path::PathBuf) -> Open {
    use crate::store::sqlite::SqliteStore;
    Box::new(move || Ok(Box::new(SqliteStore::open(&path)?)))
}

#[cfg(not(feature = "sqlite"))]
fn sqlite(path: std::path::PathBuf) -> Open {
    Box::new(move || {
        Err(StoreError {
            attempt: format!("open the history {}", path.display()),
            cause: "this procession was built without its `sqlite` feature".into(),
            refused: false,
        })
    })
}

impl Writer {
    /// Hands a batch over, or gives it back at once when the queue is full: a disk hangs. The last
    /// places are for lifecycle batches.
    pub fn try_submit(&self, batch: Batch) -> Result<(), Batch> {
        let Some(thread) = &self.thread else { return Ok(()) };
        let room = if batch.is_lifecycle() { QUEUE } else { QUEUE - RESERVED };
        if thread.queued.fetch_add(1, Ordering::Relaxed) >= room {
            thread.queued.fetch_sub(1, Ordering::Relaxed);
            return Err(batch);
        }
        thread.inbox.try_send(batch).map_err(|refused| {
            thread.queued.fetch_sub(1, Ordering::Relaxed);
            match refused {
                TrySendError::Full(batch) | TrySendError::Disconnected(batch) => batch,
            }
        })
    }

    /// Commits what waits and closes the store, all within `patience`; it blocks for that long at
    /// most. Says whether everything that was submitted is durable, or given up and counted.
    pub fn close(self, patience: Duration) -> bool {
        let Some(thread) = self.thread else { return true };
        let deadline = clock::now().mono.after(patience);
        let _ = thread.deadline.set(deadline);
        drop(thread.inbox);
        let done = thread.done.into_inner().unwrap_or_else(PoisonError::into_inner);
        let flushed = done.recv_timeout(patience).unwrap_or(false);
        // The thread is gone once its file is closed; a disk that hangs only now is left behind.
        let _ = done.recv_timeout(deadline.since(clock::now().mono));
        flushed
    }
}
