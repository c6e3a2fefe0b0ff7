//! The task around the fold: takes entries from the queue, hands rows to the store, and publishes
//! pictures. It sleeps while nothing happens, and it waits neither for the store nor for a reader.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout_at};

use crate::clock;
use crate::ledger::entry::Entry;
use crate::ledger::fold::Ledger;
use crate::ledger::pending::Pending;
use crate::ledger::row::Batch;
use crate::ledger::snapshot::{LiveRun, Snapshot};
use crate::supervise::lifecycle::Lifecycle;
use crate::units::{ProcessIx, SessionId};

/// Entries that are taken in before anything else is looked at.
const BURST: usize = 256;

/// Between two pictures while entries pour in: fresh enough for eyes and scrapers.
const PICTURE_GAP: Duration = Duration::from_millis(50);

/// Between two attempts to hand over rows that the store had no room for.
const RETRY_GAP: Duration = Duration::from_millis(100);

/// How long rows wait before it is worth a word. A start or a stop of hundreds of processes at once
/// fills the store's queue for a moment; a disk that hangs does so for longer.
const WORTH_SAYING: Duration = Duration::from_secs(2);

/// How long the last rows are offered to the store before they are given up: our exit has a budget
/// and the store's own last commit has to fit into it as well.
const FLUSH_PATIENCE: Duration = Duration::from_millis(500);

/// Between two attempts while flushing.
const FLUSH_GAP: Duration = Duration::from_millis(10);

/// Where everything goes that the ledger says.
pub struct Outlets<R, O> {
    /// The store's queue; gives back what it has no room for.
    pub rows: R,
    /// Called for each run that is opened, so that its context can be captured and sent back as
    /// [`Entry::ContextCaptured`]. Must not block.
    pub opened: O,
    /// Told of each entry before it is folded, for those who look on. Must not block.
    pub heard: Box<dyn FnMut(&Entry) + Send>,
    /// For every reader.
    pub snapshots: watch::Sender<Arc<Snapshot>>,
    /// For the run file: changes whenever a run gets its main process or ends.
    pub live_runs: watch::Sender<Vec<LiveRun>>,
}

/// Runs until every sender of `entries` is gone and what they sent is taken in. Answers with the
/// rows that could not be handed to the store.
pub async fn run<R, O>(
    ledger: Ledger,
    mut entries: mpsc::Receiver<Entry>,
    outlets: Outlets<R, O>,
) -> u64
where
    R: FnMut(Batch) -> Result<(), Batch>,
    O: Fn(ProcessIx, SessionId),
{
    let mut keeper = Keeper::new(ledger, outlets);
    let mut queued = Vec::with_capacity(BURST);
    loop {
        let arrived = match keeper.next_wake() {
            Some(wake) => timeout_at(wake, entries.recv_many(&mut queued, BURST)).await,
            None => Ok(entries.recv_many(&mut queued, BURST).await),
        };
        if arrived == Ok(0) {
            break;
        }
        queued.drain(..).for_each(|entry| keeper.take(entry));
        keeper.report_live_runs();
        keeper.hand_over();
        keeper.publish_if_due();
    }
    keeper.flush().await
}

struct Keeper<R, O> {
    ledger: Ledger,
    outlets: Outlets<R, O>,
    pending: Pending,
    generation: u64,
    /// When the last picture was taken.
    published: Instant,
    /// Whether something happened since.
    changed: bool,
    /// Whether a run may have begun or ended since the last report of them.
    runs_changed: bool,
    /// When rows were last offered to the store.
    offered: Instant,
    /// Since when it has had no room for some of them.
    behind: Option<Instant>,
    /// Whether that was said.
    lags: bool,
}

impl<R, O> Keeper<R, O>
where
    R: FnMut(Batch) -> Result<(), Batch>,
    O: Fn(ProcessIx, SessionId),
{
    fn new(ledger: Ledger, outlets: Outlets<R, O>) -> Self {
        let now = clock::instant();
        let mut keeper = Self {
            ledger,
            outlets,
            pending: Pending::default(),
            generation: 0,
            published: now,
            changed: false,
            runs_changed: false,
            offered: now,
            behind: None,
            lags: false,
        };
        keeper.publish();
        keeper
    }

    fn take(&mut self, entry: Entry) {
        let opened = opened_run(&entry);
        self.runs_changed |= changes_runs(&entry);
        (self.outlets.heard)(&entry);
        // A fold that panicked may have taken in a part of its entry; every part is a counter or a
        // session that stays consistent by itself, so going on beats going dark.
        match catch_unwind(AssertUnwindSafe(|| self.ledger.fold(entry))) {
            Ok(batches) => batches.into_iter().for_each(|batch| self.pending.push(batch)),
            Err(_) => {
                self.ledger.ignore();
                tracing::error!(target: "ledger", "an entry could not be taken in and was skipped");
            }
        }
        self.changed = true;
        if let Some((process, session)) = opened {
            (self.outlets.opened)(process, session);
        }
    }

    /// Once for all that came together, since each report is a list of all runs.
    fn report_live_runs(&mut self) {
        if !std::mem::take(&mut self.runs_changed) {
            return;
        }
        let runs = self.ledger.live_runs();
        self.outlets.live_runs.send_if_modified(|known| {
            let changed = *known != runs;
            *known = runs;
            changed
        });
    }

    fn hand_over(&mut self) {
        self.pending.hand_to(&mut self.outlets.rows);
        self.offered = clock::instant();
        let waits = self.pending.rows() > 0;
        self.behind = waits.then(|| self.behind.unwrap_or(self.offered));
        let lags = self.behind.is_some_and(|since| self.offered - since >= WORTH_SAYING);
        if lags && !self.lags {
            tracing::warn!(target: "ledger", "the store takes no rows: history waits in memory");
        }
        if !lags && self.lags {
            let dropped = self.pending.dropped();
            tracing::info!(target: "ledger", dropped, "the store takes rows again");
        }
        self.lags = lags;
    }

    fn publish_if_due(&mut self) {
        if self.changed && clock::instant() >= self.published + PICTURE_GAP {
            self.publish();
        }
    }

    fn publish(&mut self) {
        self.generation += 1;
        let mut snapshot = self.ledger.snapshot(self.generation, clock::now());
        if let Some(store) = &mut snapshot.house.store {
            store.pending += self.pending.rows();
            store.dropped += self.pending.dropped();
        }
        self.outlets.snapshots.send_replace(Arc::new(snapshot));
        self.published = clock::instant();
        self.changed = false;
    }

    /// When there is something to do although no entry came.
    fn next_wake(&self) -> Option<Instant> {
        let picture = self.changed.then(|| self.published + PICTURE_GAP);
        let retry = (self.pending.rows() > 0).then(|| self.offered + RETRY_GAP);
        picture.into_iter().chain(retry).min()
    }

    async fn flush(mut self) -> u64 {
        let patience = clock::instant() + FLUSH_PATIENCE;
        self.hand_over();
        while self.pending.rows() > 0 && clock::instant() < patience {
            sleep(FLUSH_GAP).await;
            self.hand_over();
        }
        self.publish();
        let lost = self.pending.rows();
        if lost > 0 {
            tracing::warn!(
                target: "ledger",
                rows = lost,
                "cannot keep the last rows of history: the store did not take them in time"
            );
        }
        lost
    }
}

/// Whether the list of live runs is another one after this.
fn changes_runs(entry: &Entry) -> bool {
    let Entry::Lifecycle { event, .. } = entry else { return false };
    use Lifecycle::{Left, RunEnded, RunForked, RunOpened};
    matches!(event, RunOpened { .. } | RunForked { .. } | RunEnded { .. } | Left { .. })
}

fn opened_run(entry: &Entry) -> Option<(ProcessIx, SessionId)> {
    match entry {
        Entry::Lifecycle { event: Lifecycle::RunOpened { process, session, .. }, .. } => {
            Some((*process, *session))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::ledger::session::SessionKind;
    use crate::ledger::stories::*;

    type Kept = Arc<Mutex<Vec<Batch>>>;

    /// The other ends of a running task.
    struct Ends {
        entries: mpsc::Sender<Entry>,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        live_runs: watch::Receiver<Vec<LiveRun>>,
        kept: Kept,
        opened: Arc<Mutex<Vec<SessionId>>>,
        task: tokio::task::JoinHandle<u64>,
    }

    /// Starts a task whose store refuses the first `refusals` batches that it is offered.
    fn start(mut refusals: u64) -> Ends {
        let (entries, queue) = mpsc::channel(64);
        let (snapshots, snapshot) = watch::channel(Arc::new(Snapshot::default()));
        let (live_runs, live_run) = watch::channel(Vec::new());
        let (kept, opened) = (Kept::default(), Arc::new(Mutex::new(Vec::new())));
        let (keep, open) = (kept.clone(), opened.clone());
        let rows = move |batch| {
            if refusals > 0 {
                refusals -= 1;
                return Err(batch);
            }
            keep.lock().unwrap().push(batch);
            Ok(())
        };
        let opened_run = move |_, session| open.lock().unwrap().push(session);
        let heard = Box::new(|_: &Entry| {});
        let outlets = Outlets { rows, opened: opened_run, heard, snapshots, live_runs };
        let task = tokio::spawn(run(ledger(), queue, outlets));
        Ends { entries, snapshots: snapshot, live_runs: live_run, kept, opened, task }
    }

    /// Waits for the first picture of which `holds` is true.
    async fn picture(ends: &mut Ends, holds: impl FnMut(&Arc<Snapshot>) -> bool) -> Arc<Snapshot> {
        ends.snapshots.wait_for(holds).await.expect("the task runs").clone()
    }

    #[tokio::test]
    async fn what_comes_in_is_kept_shown_and_told() {
        let mut ends = start(0);
        for entry in [opened(0, 1, WEB, 0), forked(1, 1)] {
            ends.entries.send(entry).await.unwrap();
        }
        let live = ends.live_runs.wait_for(|runs| !runs.is_empty()).await.unwrap().clone();
        assert_eq!((live[0].session, live[0].process.as_str()), (session(1), "web"));
        let shown = picture(&mut ends, |picture| !picture.sessions.is_empty()).await;
        assert!(shown.generation > 1);
        ends.entries.send(exited(2, 1, 0)).await.unwrap();
        ends.live_runs.wait_for(Vec::is_empty).await.unwrap();
        assert_eq!(*ends.opened.lock().unwrap(), [session(1)]);
        drop(ends.entries);
        assert_eq!(ends.task.await.unwrap(), 0);
        assert_eq!(ends.kept.lock().unwrap().len(), 3);
        assert_eq!(ends.snapshots.borrow().ended.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_without_room_is_asked_again_without_a_further_entry() {
        let mut ends = start(5);
        ends.entries.send(opened(0, 1, WEB, 0)).await.unwrap();
        let waits = |picture: &Arc<Snapshot>| picture.house.store.is_some_and(|s| s.pending == 2);
        picture(&mut ends, waits).await;
        sleep(Duration::from_secs(2)).await;
        assert_eq!(ends.kept.lock().unwrap().len(), 1);
        drop(ends.entries);
        assert_eq!(ends.task.await.unwrap(), 0);
        let last = ends.snapshots.borrow().house.store.expect("the plan has one");
        assert_eq!((last.pending, last.dropped), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_never_has_room_does_not_hold_up_the_exit() {
        let ends = start(u64::MAX);
        let began = clock::instant();
        ends.entries.send(opened(0, 1, WEB, 0)).await.unwrap();
        drop(ends.entries);
        assert_eq!(ends.task.await.unwrap(), 2);
        assert!(began.elapsed() < FLUSH_PATIENCE + PICTURE_GAP);
    }

    #[tokio::test]
    async fn an_entry_that_panics_is_skipped_and_counted() {
        let mut ends = start(0);
        ends.entries.send(opened(0, 1, WEB, 0)).await.unwrap();
        ends.entries.send(sampled(&[sample(1, 1, POISON, 0)])).await.unwrap();
        ends.entries.send(opened(2, 2, CODER, 0)).await.unwrap();
        let after = picture(&mut ends, |picture| picture.sessions.len() == 2).await;
        assert_eq!(after.house.entries_ignored, 1);
        assert_eq!(after.opened[&(SessionKind::Process, "coder".to_owned())], 1);
    }

    #[tokio::test(start_paused = true)]
    async fn pictures_are_paced_and_none_is_taken_while_nothing_happens() {
        let mut ends = start(0);
        for n in 0..1000 {
            ends.entries
                .send(story(
                    n,
                    Lifecycle::OrphansReaped {
                        process: None,
                        status: crate::units::ExitStatus::Code(0),
                        count: 1,
                    },
                ))
                .await
                .unwrap();
        }
        let all = picture(&mut ends, |picture| picture.house.reaped_orphans == 1000).await;
        // Time stands still while entries pour in: the picture at the start and the one that was
        // due after them.
        assert_eq!(all.generation, 2);
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(ends.snapshots.borrow().generation, 2);
    }
}
