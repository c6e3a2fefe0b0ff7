//! The task around the fold: takes entries from the queue, hands rows to the store, and publishes
//! pictures. It sleeps while nothing happens, and it waits neither for the store nor for a reader.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use crate::clock;
use crate::ledger::calls::Called;
use crate::ledger::entry::{Entry, Waiting};
use crate::ledger::fold::Ledger;
use crate::ledger::request::{Answered, Knock, Reply, Request};
use crate::ledger::row::Batch;
use crate::ledger::snapshot::{LiveRun, Snapshot};
use crate::ledger::store_figures::StoreFigures;
use crate::supervise::lifecycle::Lifecycle;
use crate::units::{ProcessIx, SessionId};

/// Entries that are taken in before anything else is looked at.
const BURST: usize = 256;

/// Between two pictures while entries pour in: fresh enough for eyes and scrapers.
const PICTURE_GAP: Duration = Duration::from_millis(50);

/// How long rows wait without a commit before it is worth a word. A start or a stop of hundreds of
/// processes at once keeps the store busy for a moment; a disk that hangs does so for longer.
const WORTH_SAYING: Duration = Duration::from_secs(2);

/// From one look at rows that wait to the next, while nothing else happens.
const LOOK_GAP: Duration = Duration::from_millis(500);

/// The same where only samples wait: those come every few seconds, and with the next ones it is looked.
const SAMPLES_LOOK_GAP: Duration = Duration::from_secs(30);

/// Requests that may wait for the ledger, which takes them within microseconds.
pub const REQUESTS: usize = 256;

/// From one look at whether an answer is durable to the next.
const COMMIT_LOOK: Duration = Duration::from_millis(5);

/// How long an answer is held back until what it says is durable. A store that is away costs those
/// who ask this long, and the answer says so.
const COMMIT_WAIT: Duration = Duration::from_secs(2);

/// How long requests wait for what earlier lives left. The store tells of it within milliseconds; where
/// it is away, what is told twice over two lives is counted twice, rather than nobody be answered.
pub const EARLIER_WAIT: Duration = Duration::from_secs(2);

/// A request with somebody who waits for the answer.
#[derive(Debug)]
pub struct Asked {
    /// What is asked for.
    pub request: Request,
    /// Where the answer goes; nobody may listen any more.
    pub reply: oneshot::Sender<Answered>,
}

/// Takes in each call of a model.
pub type CallListener = Box<dyn FnMut(&Called) + Send>;

/// Where everything goes that the ledger says.
pub struct Outlets<R, O> {
    /// Takes what is to be kept. Must not block.
    pub rows: R,
    /// Called once the last line of the story was taken in. Must not block.
    pub over: Box<dyn Fn() + Send>,
    /// Says what of it is not committed yet. Must not block.
    pub waiting: Box<dyn Fn() -> Waiting + Send>,
    /// What the store has counted by now, where there is one. Must not block.
    pub counted: Box<dyn Fn() -> Option<StoreFigures> + Send>,
    /// Called for each run that is opened, so that its context can be captured and sent back as
    /// [`Entry::ContextCaptured`]. Must not block.
    pub opened: O,
    /// Told of each entry before it is folded, for those who look on. Must not block.
    pub heard: Box<dyn FnMut(&Entry) + Send>,
    /// Told of each call of a model that was counted or failed. Must not block.
    pub called: Option<CallListener>,
    /// Asks for something at the control door; false where it could not be passed on. Must not block.
    pub knock: Box<dyn FnMut(Knock) -> bool + Send>,
    /// How long requests wait for what earlier lives left; `None` where nobody will tell of that.
    pub earlier: Option<Duration>,
    /// For every reader.
    pub snapshots: watch::Sender<Arc<Snapshot>>,
    /// For the run file: changes whenever a run gets its main process or ends.
    pub live_runs: watch::Sender<Vec<LiveRun>>,
}

/// Runs until every sender of `entries` is gone and what they sent is taken in.
pub async fn run<R, O>(
    ledger: Ledger,
    mut entries: mpsc::Receiver<Entry>,
    mut requests: mpsc::Receiver<Asked>,
    outlets: Outlets<R, O>,
) where
    R: FnMut(Batch),
    O: Fn(ProcessIx, SessionId),
{
    let mut keeper = Keeper::new(ledger, outlets);
    let mut queued = Vec::with_capacity(BURST);
    let mut asked = Vec::new();
    loop {
        let wake = keeper.next_wake();
        tokio::select! {
            arrived = entries.recv_many(&mut queued, BURST) => if arrived == 0 { break },
            Some(first) = requests.recv(), if keeper.knows_earlier() => asked.push(first),
            () = sleep_until(wake.unwrap_or_else(clock::instant)), if wake.is_some() => {}
        }
        queued.drain(..).flat_map(apart).for_each(|entry| keeper.take(entry));
        asked.drain(..).for_each(|one| keeper.answer(one));
        keeper.pass_time();
        keeper.settle_answers();
        keeper.report_live_runs();
        keeper.watch_store();
        keeper.publish_if_due();
    }
    keeper.watch_store();
    keeper.publish();
}

struct Keeper<R, O> {
    ledger: Ledger,
    outlets: Outlets<R, O>,
    generation: u64,
    /// When the last picture was taken.
    published: Instant,
    /// Whether something happened since.
    changed: bool,
    /// Whether a run may have begun or ended since the last report of them.
    runs_changed: bool,
    /// When it was last looked at what waits for the store, and whether something did.
    looked: Instant,
    waits: bool,
    waiting: Waiting,
    /// Whether more than samples may be among it.
    matters: bool,
    /// Whether it was said that it waits for long, and that something was given up.
    lags: bool,
    drops: bool,
    /// Answers that are not durable yet, oldest first.
    unsettled: VecDeque<Unsettled>,
    /// Until when requests wait for what earlier lives left.
    earlier: Option<Instant>,
}

/// An answer that is held back.
struct Unsettled {
    reply: Reply,
    to: oneshot::Sender<Answered>,
    /// It is durable once so many rows are settled.
    rows: u64,
    /// It is given all the same by then.
    until: Instant,
}

impl<R, O> Keeper<R, O>
where
    R: FnMut(Batch),
    O: Fn(ProcessIx, SessionId),
{
    fn new(ledger: Ledger, outlets: Outlets<R, O>) -> Self {
        let now = clock::instant();
        let earlier = outlets.earlier.map(|wait| now + wait);
        let mut keeper = Self {
            ledger,
            outlets,
            generation: 0,
            published: now,
            changed: false,
            runs_changed: false,
            looked: now,
            waits: false,
            waiting: Waiting::default(),
            matters: false,
            lags: false,
            drops: false,
            unsettled: VecDeque::new(),
            earlier,
        };
        keeper.publish();
        keeper
    }

    fn take(&mut self, entry: Entry) {
        let entry = self.ledger.veiled(entry);
        let opened = opened_run(&entry);
        let is_last = matches!(&entry, Entry::Lifecycle { event: Lifecycle::Left { .. }, .. });
        // The last of what is told of earlier lives.
        if matches!(&entry, Entry::OpenSessionsFound { .. }) {
            self.earlier = None;
        }
        self.runs_changed |= changes_runs(&entry);
        (self.outlets.heard)(&entry);
        // A fold that panicked may have taken in a part of its entry; every part is a counter or a
        // session that stays consistent by itself, so going on beats going dark.
        match catch_unwind(AssertUnwindSafe(|| self.ledger.fold(entry))) {
            Ok(batches) => self.keep(batches),
            Err(_) => {
                self.ledger.ignore();
                tracing::error!(target: "ledger", "an entry could not be taken in and was skipped");
            }
        }
        self.changed = true;
        self.knock();
        self.tell_calls();
        if is_last {
            (self.outlets.over)();
        }
        if let Some((process, session)) = opened {
            (self.outlets.opened)(process, session);
        }
    }

    /// Hands rows over to be kept.
    fn keep(&mut self, batches: Vec<Batch>) {
        for batch in batches {
            self.matters |= !batch.is_only_samples();
            (self.outlets.rows)(batch);
        }
    }

    /// Whether requests are taken: a call that was counted in an earlier life must be known first.
    fn knows_earlier(&self) -> bool {
        self.earlier.is_none()
    }

    /// Answers a request once what it changed is durable.
    fn answer(&mut self, asked: Asked) {
        let Asked { request, reply: to } = asked;
        let request = self.ledger.veiled_request(request);
        let at = clock::now();
        let folded = catch_unwind(AssertUnwindSafe(|| self.ledger.ask(at, request)));
        let Ok((reply, batches)) = folded else {
            self.ledger.ignore();
            tracing::error!(target: "ledger", "a request could not be taken in and was dropped");
            return;
        };
        self.changed = true;
        self.knock();
        self.tell_calls();
        let keeps = !batches.is_empty();
        self.keep(batches);
        if !keeps {
            let _ = to.send(Answered { reply, durable: true });
            return;
        }
        let rows = (self.outlets.waiting)().handed;
        let until = clock::instant() + COMMIT_WAIT;
        self.unsettled.push_back(Unsettled { reply, to, rows, until });
    }

    /// Gives the answers that are durable by now, and those that waited for too long.
    fn settle_answers(&mut self) {
        if self.unsettled.is_empty() {
            return;
        }
        let (settled, now) = ((self.outlets.waiting)().settled(), clock::instant());
        while let Some(first) = self.unsettled.front() {
            let durable = first.rows <= settled;
            if !durable && now < first.until {
                return;
            }
            if let Some(Unsettled { reply, to, .. }) = self.unsettled.pop_front() {
                let _ = to.send(Answered { reply, durable });
            }
        }
    }

    /// Tells the ledger the time when it waits for that.
    fn pass_time(&mut self) {
        self.earlier = self.earlier.filter(|until| clock::instant() < *until);
        let at = clock::now();
        if self.ledger.next_due().is_some_and(|due| at.mono >= due) {
            self.take(Entry::TimePassed { at });
        }
    }

    /// Tells those who keep a line of each.
    fn tell_calls(&mut self) {
        let Some(called) = &mut self.outlets.called else { return };
        self.ledger.take_called().iter().for_each(|one| called(one));
    }

    /// Passes on what the ledger asks for. One that finds no room is asked for again by the ledger.
    fn knock(&mut self) {
        for knock in self.ledger.take_knocks() {
            if !(self.outlets.knock)(knock) {
                tracing::warn!(target: "ledger", "an end could not be asked for yet: the door is busy");
            }
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

    /// Says once when the store has stood still for long, once when it goes on, and once in a life
    /// that something had to be given up.
    fn watch_store(&mut self) {
        self.waiting = (self.outlets.waiting)();
        let Waiting { rows, dropped, unmoved, .. } = self.waiting;
        self.looked = clock::instant();
        self.waits = rows > 0;
        self.matters &= self.waits;
        let lags = unmoved >= WORTH_SAYING;
        if lags && !self.lags {
            tracing::warn!(target: "ledger", rows, "the store takes no rows: history waits in memory");
        }
        if !lags && self.lags {
            tracing::info!(target: "ledger", dropped, "the store takes rows again");
        }
        self.lags = lags;
        if dropped > 0 && !std::mem::replace(&mut self.drops, true) {
            tracing::warn!(target: "ledger", dropped, "too much history waits for the store; the \
                least important of it is given up and counted, and sessions say what they lack");
        }
    }

    fn publish_if_due(&mut self) {
        if self.changed && clock::instant() >= self.published + PICTURE_GAP {
            self.publish();
        }
    }

    fn publish(&mut self) {
        self.generation += 1;
        let mut snapshot = self.ledger.snapshot(self.generation, clock::now());
        let waiting = self.waiting;
        snapshot.house.events_untold = waiting.untold;
        if let Some(store) = &mut snapshot.house.store {
            // Nearer than what the store says of itself, which may hang.
            (store.pending, store.dropped) = (waiting.rows, waiting.dropped);
            store.spooled = waiting.spooled;
            store.figures = (self.outlets.counted)().unwrap_or(store.figures);
        }
        self.outlets.snapshots.send_replace(Arc::new(snapshot));
        self.published = clock::instant();
        self.changed = false;
    }

    /// When there is something to do although no entry came.
    fn next_wake(&self) -> Option<Instant> {
        let picture = self.changed.then(|| self.published + PICTURE_GAP);
        let gap = if self.matters || self.lags { LOOK_GAP } else { SAMPLES_LOOK_GAP };
        let look = self.waits.then(|| self.looked + gap);
        let answer = (!self.unsettled.is_empty()).then(|| clock::instant() + COMMIT_LOOK);
        let due = self.ledger.next_due().map(clock::instant_of);
        [picture, look, answer, due, self.earlier].into_iter().flatten().min()
    }
}

/// One by one what was told together, so that a fold that panics costs one part of it.
fn apart(entry: Entry) -> Vec<Entry> {
    match entry {
        Entry::Together(all) => all,
        one => vec![one],
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
mod tests;
