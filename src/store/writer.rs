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
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::chains::chain::KeptChain;
use crate::clock;
use crate::config::plan::StorePlan;
use crate::ledger::entry::{OpenSession, StoreHealth, Waiting};
use crate::ledger::row::Batch;
use crate::store::commit_loop::CommitLoop;
use crate::store::figures::{Figures, counted};
use crate::store::life::Beginnings;
use crate::store::opening::{self, Who};
use crate::store::shelf::Shelf;
use crate::store::{Store, StoreError};
use crate::tokens::TokenResume;
use crate::units::Mono;

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
}

/// The outer side of the thread.
struct Thread {
    shelf: Arc<Shelf>,
    deadline: Arc<OnceLock<Mono>>,
    /// Ends when nothing more is tried and the file is closed.
    done: Mutex<Receiver<Infallible>>,
}

/// Starts the writer of the plan's store, for a life with this state folder. Nothing is read or
/// opened before this returns.
pub fn start(plan: &StorePlan, begins: Beginnings, state_dir: &Path) -> (Writer, Reports) {
    let figures = Figures::default();
    let who = Who::new(begins, state_dir);
    match opening::of(plan, who, &figures) {
        Some(open) => start_counting(open, figures),
        None => in_memory(),
    }
}

/// Starts a writer of whatever `open` opens.
pub fn start_with(open: Open) -> (Writer, Reports) {
    start_counting(open, Figures::default())
}

fn start_counting(open: Open, figures: Figures) -> (Writer, Reports) {
    let open = counted(open, figures.clone());
    let (resume, resumed) = oneshot::channel();
    let (health, reported) = watch::channel(StoreHealth::default());
    let (finished, done) = sync_channel::<Infallible>(0);
    let (shelf, deadline) = (Arc::<Shelf>::default(), Arc::new(OnceLock::new()));
    let mut commits =
        CommitLoop::new(open, figures, shelf.clone(), deadline.clone(), resume, health);
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
    let thread = Thread { shelf, deadline, done: Mutex::new(done) };
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

    /// Says that we are about to leave, so that nothing that waits waits for more.
    pub fn hurry(&self) {
        if let Some(thread) = &self.thread {
            thread.shelf.hurry();
        }
    }

    /// What was handed over and is not committed.
    pub fn waiting(&self) -> Waiting {
        self.thread.as_ref().map(|thread| thread.shelf.waiting()).unwrap_or_default()
    }

    /// Commits what waits and closes the store, all within `patience`; it blocks for that long at
    /// most. Answers with the rows that are neither durable nor given up and counted.
    pub fn close(self, patience: Duration) -> u64 {
        let Some(thread) = self.thread else { return 0 };
        let _ = thread.deadline.set(clock::now().mono.after(patience));
        thread.shelf.close();
        let done = thread.done.into_inner().unwrap_or_else(PoisonError::into_inner);
        let _ = done.recv_timeout(patience);
        thread.shelf.waiting().rows
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::ledger::row::Row;
    use crate::ledger::store_figures::ErrorCategory;
    use crate::store::examples::{batch, event, sample, session, usage};
    use crate::units::Wall;

    /// More than enough for whatever is waited for, so that only a fault meets it.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// A store that does what a test tells it.
    #[derive(Clone, Default)]
    struct Fake(Arc<Mutex<State>>);

    #[derive(Default)]
    struct State {
        committed: Vec<Batch>,
        attempts: u64,
        pruned: bool,
        trouble: Trouble,
    }

    #[derive(Clone, Copy, Default, PartialEq)]
    enum Trouble {
        #[default]
        None,
        Closed,
        Full,
        Hangs,
        Panics,
        Refuses(u64),
    }

    impl Fake {
        fn with(trouble: Trouble) -> Self {
            let fake = Self::default();
            fake.set(trouble);
            fake
        }

        fn state(&self) -> std::sync::MutexGuard<'_, State> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }

        fn set(&self, trouble: Trouble) {
            self.state().trouble = trouble;
        }

        fn start(&self) -> (Writer, Reports) {
            let fake = self.clone();
            start_with(Box::new(move || {
                fake.state().attempts += 1;
                match fake.state().trouble {
                    Trouble::Closed => Err(error(false)),
                    _ => Ok(Box::new(fake.clone())),
                }
            }))
        }

        fn wait_for(&self, met: impl Fn(&State) -> bool) {
            let begun = Instant::now();
            while !met(&self.state()) {
                assert!(begun.elapsed() < PATIENCE, "it never came to that");
                std::thread::sleep(Duration::from_millis(1));
            }
        }

        fn rows(&self) -> Vec<Row> {
            self.state().committed.iter().flat_map(|batch| batch.rows.clone()).collect()
        }
    }

    impl Store for Fake {
        fn open_sessions(&mut self) -> Result<Vec<OpenSession>, StoreError> {
            Ok(Vec::new())
        }

        fn token_resume(&mut self) -> Result<TokenResume, StoreError> {
            Ok(TokenResume::default())
        }

        fn chains(&mut self) -> Result<Vec<(String, KeptChain)>, StoreError> {
            Ok(Vec::new())
        }

        fn commit(&mut self, batches: &[Batch]) -> Result<(), StoreError> {
            self.state().attempts += 1;
            while self.state().trouble == Trouble::Hangs {
                std::thread::sleep(Duration::from_millis(1));
            }
            let trouble = self.state().trouble;
            match trouble {
                Trouble::Full => return Err(error(false)),
                Trouble::Panics => {
                    self.set(Trouble::None);
                    panic!("a fault that a test put here");
                }
                Trouble::Refuses(key) if batches.contains(&batch(vec![usage(key)])) => {
                    return Err(error(true));
                }
                _ => {}
            }
            self.state().committed.extend_from_slice(batches);
            Ok(())
        }

        fn prune(&mut self, _: Wall) -> Result<bool, StoreError> {
            self.state().pruned = true;
            Ok(false)
        }
    }

    fn error(refused: bool) -> StoreError {
        StoreError {
            attempt: "commit".into(),
            cause: "a test says so".into(),
            refused,
            category: ErrorCategory::Other,
        }
    }

    fn submit(writer: &Writer, rows: Vec<Row>) {
        writer.submit(batch(rows));
    }

    fn wait_for_health(reports: &Reports, met: impl Fn(&StoreHealth) -> bool) -> StoreHealth {
        let begun = Instant::now();
        loop {
            let health = *reports.health.borrow();
            if met(&health) {
                return health;
            }
            assert!(begun.elapsed() < PATIENCE, "it stays {health:?}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn begins() -> Beginnings {
        let id = crate::store::examples::id(9);
        Beginnings { id, began: Wall(0), supervisor: None, alive: Arc::new(|_| false) }
    }

    #[test]
    fn what_is_submitted_is_committed_in_order() {
        let fake = Fake::default();
        let (writer, _reports) = fake.start();
        (0..20).for_each(|at| submit(&writer, vec![event(at), session(at.into())]));
        (0..20).for_each(|at| submit(&writer, vec![sample(at)]));
        assert_eq!(writer.close(PATIENCE), 0);
        let events = (0..20).flat_map(|at| [event(at), session(at.into())]);
        assert_eq!(fake.rows(), events.chain((0..20).map(sample)).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_hurried_is_committed_at_once_and_before_anybody_closes() {
        let fake = Fake::default();
        let (writer, reports) = fake.start();
        wait_for_health(&reports, |health| health.up);
        writer.hurry();
        (0..3).for_each(|at| submit(&writer, vec![event(at)]));
        fake.wait_for(|state| !state.committed.is_empty());
        assert_eq!(writer.close(PATIENCE), 0);
        assert_eq!(fake.rows(), (0..3).map(event).collect::<Vec<_>>());
    }

    #[test]
    fn after_a_full_disk_everything_that_waited_is_committed_in_order() {
        let fake = Fake::with(Trouble::Full);
        let (writer, reports) = fake.start();
        submit(&writer, vec![event(0)]);
        let health = wait_for_health(&reports, |health| health.failures > 0);
        assert_eq!((health.up, health.pending), (false, 1));
        (1..30).for_each(|at| submit(&writer, vec![event(at)]));
        fake.set(Trouble::None);
        let health = wait_for_health(&reports, |health| health.up);
        assert_eq!((health.pending, health.dropped), (0, 0));
        assert_eq!(writer.close(PATIENCE), 0);
        assert_eq!(fake.rows(), (0..30).map(event).collect::<Vec<_>>());
    }

    #[test]
    fn a_store_that_opens_late_gets_what_was_submitted_before() {
        let fake = Fake::with(Trouble::Closed);
        let (writer, mut reports) = fake.start();
        submit(&writer, vec![event(0)]);
        fake.wait_for(|state| state.attempts > 0);
        assert!(reports.resume.try_recv().is_err(), "nothing is known yet");
        fake.set(Trouble::None);
        assert_eq!(reports.resume.blocking_recv(), Ok(Resume::default()));
        assert_eq!(writer.close(PATIENCE), 0);
        assert_eq!(fake.rows(), [event(0)]);
    }

    #[test]
    fn a_hung_disk_holds_up_nobody_and_what_waits_is_kept() {
        let fake = Fake::with(Trouble::Hangs);
        let (writer, _reports) = fake.start();
        submit(&writer, vec![event(0)]);
        fake.wait_for(|state| state.attempts == 2);
        (1..1_000).for_each(|at| submit(&writer, vec![event(at)]));
        std::thread::sleep(Duration::from_millis(2));
        let waiting = writer.waiting();
        assert_eq!((waiting.rows, waiting.dropped), (1_000, 0));
        assert!(waiting.unmoved > Duration::ZERO);
        fake.set(Trouble::None);
        assert_eq!(writer.close(PATIENCE), 0);
        assert_eq!(fake.rows(), (0..1_000).map(event).collect::<Vec<_>>());
    }

    #[test]
    fn leaving_waits_no_longer_than_it_was_told_for_a_hung_disk() {
        let fake = Fake::with(Trouble::Hangs);
        let (writer, _reports) = fake.start();
        submit(&writer, vec![event(0)]);
        fake.wait_for(|state| state.attempts == 2);
        let begun = Instant::now();
        assert_eq!(writer.close(Duration::from_millis(100)), 1, "nothing is durable");
        assert!(begun.elapsed() < PATIENCE);
        fake.set(Trouble::None);
    }

    #[test]
    fn a_disk_that_is_slow_is_waited_for_and_one_that_is_full_is_not() {
        let fake = Fake::with(Trouble::Hangs);
        let (writer, _reports) = fake.start();
        submit(&writer, vec![event(0)]);
        fake.wait_for(|state| state.attempts == 2);
        let slow = fake.clone();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(1_500));
            slow.set(Trouble::None);
        });
        assert_eq!(writer.close(PATIENCE), 0, "although it took longer than an error is borne");
        thread.join().expect("it ends");

        let fake = Fake::with(Trouble::Full);
        let (writer, _reports) = fake.start();
        submit(&writer, vec![event(0)]);
        let begun = Instant::now();
        assert_eq!(writer.close(PATIENCE), 1);
        assert!(begun.elapsed() < PATIENCE / 2);
    }

    #[test]
    fn a_panic_costs_an_attempt_and_no_row() {
        let fake = Fake::with(Trouble::Panics);
        let (writer, reports) = fake.start();
        submit(&writer, vec![event(0)]);
        wait_for_health(&reports, |health| health.failures == 1);
        wait_for_health(&reports, |health| health.up && health.pending == 0);
        assert_eq!(writer.close(PATIENCE), 0);
        assert_eq!(fake.rows(), [event(0)]);
    }

    #[test]
    fn what_is_refused_for_good_does_not_hold_up_the_rest() {
        let fake = Fake::with(Trouble::Refuses(1));
        let (writer, reports) = fake.start();
        (0..4).for_each(|key| submit(&writer, vec![usage(key)]));
        assert_eq!(writer.close(PATIENCE), 0);
        assert_eq!(fake.rows(), [usage(0), usage(2), usage(3)]);
        assert_eq!(reports.health.borrow().dropped, 1);
    }

    #[test]
    fn leaving_waits_no_longer_than_it_was_told_for_a_full_disk() {
        let fake = Fake::with(Trouble::Full);
        let (writer, _reports) = fake.start();
        submit(&writer, vec![event(0)]);
        assert_eq!(writer.close(Duration::from_millis(100)), 1);
        assert_eq!(fake.rows(), []);
    }

    #[test]
    fn what_is_old_is_forgotten_soon_after_the_start() {
        let fake = Fake::default();
        let (_writer, _reports) = fake.start();
        fake.wait_for(|state| state.pruned);
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn the_next_life_finds_what_this_one_left_open() {
        let folder = tempfile::tempdir().expect("a folder");
        let plan = StorePlan::Sqlite(folder.path().join("history.db"));
        let (writer, reports) = start(&plan, begins(), folder.path());
        submit(&writer, vec![event(0), session(1), usage(5)]);
        assert_eq!(reports.resume.blocking_recv(), Ok(Resume::default()));
        assert_eq!(writer.close(PATIENCE), 0);

        let (writer, reports) = start(&plan, begins(), folder.path());
        let found = reports.resume.blocking_recv().expect("it opens, because the file is free");
        assert_eq!(found.open.len(), 1);
        assert_eq!(found.tokens.seen, [crate::tokens::UsageKey(5)]);
        assert_eq!(writer.close(PATIENCE), 0);
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn a_damaged_file_is_counted_and_history_goes_on_in_a_new_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("history.db");
        std::fs::write(&path, b"garbage".repeat(1_000)).expect("written");
        let (writer, reports) = start(&StorePlan::Sqlite(path), begins(), folder.path());
        submit(&writer, vec![event(0), session(1)]);
        let times = |health: &StoreHealth| {
            health.figures.latencies().map(|(_, time)| time.count).collect::<Vec<_>>()
        };
        let health = wait_for_health(&reports, |health| times(health)[..3] == [1, 2, 1]);
        assert_eq!(health.figures.set_aside, 1, "opened, asked twice, committed");
        assert_eq!(writer.close(PATIENCE), 0);
    }

    #[test]
    fn a_failure_is_counted_by_its_kind() {
        let fake = Fake::with(Trouble::Full);
        let (writer, reports) = fake.start();
        submit(&writer, vec![event(0)]);
        let health = wait_for_health(&reports, |health| health.failures > 0);
        let other = health.figures.errors().find(|(kind, _)| *kind == ErrorCategory::Other);
        assert!(other.is_some_and(|(_, times)| times > 0), "{health:?}");
        fake.set(Trouble::None);
        assert_eq!(writer.close(PATIENCE), 0);
    }

    #[test]
    fn history_in_memory_needs_no_thread() {
        let (writer, reports) = start(&StorePlan::Memory, begins(), Path::new("/nowhere"));
        assert_eq!(reports.resume.blocking_recv(), Ok(Resume::default()));
        (0..100).for_each(|at| submit(&writer, vec![event(at)]));
        assert_eq!(writer.close(Duration::ZERO), 0);
    }
}
