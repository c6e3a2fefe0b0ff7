//! The promises of the writer, with stores that do as they are told.

use std::time::Instant;

use super::*;
use crate::ledger::row::Row;
use crate::ledger::session::Session;
use crate::ledger::store_figures::ErrorCategory;
use crate::store::examples::{batch, event, sample, session, usage};
use crate::store::life::Life;
use crate::store::reading::reader::Unanswered;
use crate::store::reading::{Answer, Question};
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
        start_with(self.open())
    }

    fn open(&self) -> Open {
        let fake = self.clone();
        Box::new(move || {
            fake.state().attempts += 1;
            match fake.state().trouble {
                Trouble::Closed => Err(error(false)),
                _ => Ok(Box::new(fake.clone())),
            }
        })
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

    fn held_before(&mut self) -> Result<Vec<(String, Value)>, StoreError> {
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

    fn commit_for(&mut self, _: &Life, batches: &[Batch]) -> Result<(), StoreError> {
        self.commit(batches)
    }

    fn prune(&mut self, _: Wall, _: &RetentionPlan) -> Result<bool, StoreError> {
        self.state().pruned = true;
        Ok(false)
    }

    fn answer(&mut self, _: &Question) -> Result<Answer, StoreError> {
        while self.state().trouble == Trouble::Hangs {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(Answer::Session(None))
    }

    fn repair(&mut self, _: &Session) -> Result<(), StoreError> {
        Ok(())
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
    let alive = Arc::new(|_: crate::units::ProcId| false);
    Beginnings { id, began: Wall(0), supervisor: None, alive, only_looks: false }
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

/// Asks, as somebody on another thread.
fn ask(reader: &Reader) -> Result<Answer, Unanswered> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(reader.ask(Question::Session("a".into())))
}

#[test]
fn what_is_asked_is_answered_between_commits_and_before_none() {
    let fake = Fake::default();
    let (writer, reports) = fake.start();
    wait_for_health(&reports, |health| health.up);
    submit(&writer, vec![event(0)]);
    assert_eq!(ask(&writer.reader()), Ok(Answer::Session(None)));
    assert_eq!(writer.close(PATIENCE), 0);
    assert_eq!(fake.rows(), [event(0)]);
}

#[test]
fn who_asks_a_store_that_is_away_or_none_or_hangs_is_told_so() {
    let fake = Fake::with(Trouble::Full);
    let (writer, reports) = fake.start();
    submit(&writer, vec![event(0)]);
    wait_for_health(&reports, |health| health.failures > 0);
    let told = Unanswered::Away("cannot commit: a test says so".into());
    assert_eq!(ask(&writer.reader()), Err(told));
    assert_eq!(ask(&Reader::in_memory()), Err(Unanswered::InMemory));
    fake.set(Trouble::None);
    assert_eq!(writer.close(PATIENCE), 0);

    let fake = Fake::with(Trouble::Hangs);
    let (writer, _reports) = fake.start();
    submit(&writer, vec![event(0)]);
    fake.wait_for(|state| state.attempts == 2);
    let (reader, asked) = (writer.reader(), Instant::now());
    assert_eq!(ask(&reader), Err(Unanswered::Busy));
    assert!(asked.elapsed() < PATIENCE, "nobody waits for a disk");
    fake.set(Trouble::None);
    assert_eq!(writer.close(PATIENCE), 0);
    assert!(matches!(ask(&reader), Err(Unanswered::Away(_))), "nobody answers any more");
    assert_eq!(fake.rows(), [event(0)]);
}

#[test]
fn too_many_questions_are_refused_at_once() {
    let fake = Fake::with(Trouble::Hangs);
    let (writer, _reports) = fake.start();
    submit(&writer, vec![event(0)]);
    fake.wait_for(|state| state.attempts == 2);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let mut asked = tokio::task::JoinSet::new();
        for _ in 0..crate::store::reading::reader::MOST_QUESTIONS {
            let reader = writer.reader();
            asked.spawn(async move { reader.ask(Question::Session("a".into())).await });
        }
        tokio::task::yield_now().await;
        let begun = Instant::now();
        let one_more = writer.reader().ask(Question::Session("a".into())).await;
        assert_eq!(one_more, Err(Unanswered::Busy));
        assert!(begun.elapsed() < Duration::from_secs(2), "it waited");
    });
    fake.set(Trouble::None);
    assert_eq!(writer.close(PATIENCE), 0);
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
fn what_is_old_is_forgotten_some_time_after_the_start() {
    let fake = Fake::default();
    let (figures, keep) = (Figures::default(), RetentionPlan::default());
    let soon = Duration::from_millis(1);
    let (_writer, _reports) = start_counting(fake.open(), figures, keep, None, soon);
    fake.wait_for(|state| state.pruned);
}

#[cfg(feature = "sqlite")]
#[test]
fn the_next_life_finds_what_this_one_left_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = StorePlan::Sqlite(folder.path().join("history.db"));
    let (writer, reports) = start(&plan, RetentionPlan::default(), begins(), folder.path(), None);
    submit(&writer, vec![event(0), session(1), usage(5)]);
    assert_eq!(reports.resume.blocking_recv(), Ok(Resume::default()));
    assert_eq!(writer.close(PATIENCE), 0);

    let (writer, reports) = start(&plan, RetentionPlan::default(), begins(), folder.path(), None);
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
    let (writer, reports) =
        start(&StorePlan::Sqlite(path), RetentionPlan::default(), begins(), folder.path(), None);
    submit(&writer, vec![event(0), session(1)]);
    let times = |health: &StoreHealth| {
        health.figures.latencies().map(|(_, time)| time.count).collect::<Vec<_>>()
    };
    let health = wait_for_health(&reports, |health| times(health)[..3] == [1, 4, 1]);
    assert_eq!(health.figures.set_aside, 1, "opened, asked four times, committed");
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
    let (writer, reports) =
        start(&StorePlan::Memory, RetentionPlan::default(), begins(), Path::new("/nowhere"), None);
    assert_eq!(reports.resume.blocking_recv(), Ok(Resume::default()));
    (0..100).for_each(|at| submit(&writer, vec![event(at)]));
    assert_eq!(writer.close(Duration::ZERO), 0);
}

#[cfg(feature = "sqlite")]
#[test]
fn what_could_not_be_kept_by_one_life_is_kept_by_the_next_before_it_looks_for_open_sessions() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("history");
    let spool = Some(Bytes::mib(1));
    std::fs::write(&place, "a file where a folder has to be").expect("written");
    let plan = StorePlan::Sqlite(place.join("history.db"));
    let (writer, reports) = start(&plan, RetentionPlan::default(), begins(), folder.path(), spool);
    submit(&writer, vec![event(0), session(1)]);
    wait_for_health(&reports, |health| health.spooled.rows == 2);
    submit(&writer, vec![event(1), session(1), usage(5)]);
    assert_eq!(writer.close(Duration::from_secs(2)), 0, "all of it is in the file");

    std::fs::remove_file(&place).expect("removed");
    let (writer, reports) = start(&plan, RetentionPlan::default(), begins(), folder.path(), spool);
    let found = reports.resume.blocking_recv().expect("it opens");
    assert_eq!((found.open.len(), found.open[0].events), (1, 2));
    assert_eq!(found.tokens.seen, [crate::tokens::UsageKey(5)]);
    assert_eq!(writer.waiting().spooled.replayed, 5);
    assert_eq!(writer.close(PATIENCE), 0);
    let left = std::fs::read_dir(folder.path().join("spool")).expect("listed").count();
    assert_eq!(left, 0);
    // In its order, so that nothing of it was given up.
    let mut store = crate::store::sqlite::SqliteStore::open(&place.join("history.db")).unwrap();
    let Row::Event(told) = event(0) else { unreachable!() };
    let asked = Question::Events { session: told.session, from: 0, limit: 9 };
    let Answer::Events(kept) = store.answer(&asked).expect("an answer") else { unreachable!() };
    let kept: Vec<_> = kept.items.iter().map(|it| (it.sequence, it.event_type.as_str())).collect();
    assert_eq!(kept, [(0, &*told.event_type), (1, &*told.event_type)]);
}

#[test]
fn a_store_that_hangs_is_copied_beside_and_the_copy_goes_when_it_is_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let (fake, who) = (Fake::with(Trouble::Hangs), Who::new(begins(), folder.path()));
    let place = Place { state_dir: folder.path().to_owned(), most: Bytes::mib(1), who };
    let opened = fake.clone();
    let open: Open = Box::new(move || Ok(Box::new(opened.clone())));
    let keep = RetentionPlan::default();
    let (writer, _reports) =
        start_counting(open, Figures::default(), keep, Some(place), FIRST_PRUNE);
    submit(&writer, vec![event(0)]);
    let spooled = |met: &dyn Fn(u64) -> bool| {
        let begun = Instant::now();
        while !met(writer.waiting().spooled.rows) {
            assert!(begun.elapsed() < PATIENCE, "it stays {:?}", writer.waiting());
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    spooled(&|rows| rows == 1);
    submit(&writer, vec![event(1), session(1)]);
    spooled(&|rows| rows == 3);
    fake.set(Trouble::None);
    spooled(&|rows| rows == 0);
    assert_eq!(fake.rows(), [event(0), event(1), session(1)]);
    assert_eq!(writer.close(PATIENCE), 0);
    let left = std::fs::read_dir(folder.path().join("spool")).expect("listed").count();
    assert_eq!(left, 0);
}

#[cfg(feature = "sqlite")]
mod telling;
mod unheard;
