//! Everything below the line: what observes, and how it is begun and ended.
//!
//! Each sense is a task that feeds the ledger's queue, and each outlet one that the ledger feeds.
//! They end in the order of the flow: first the senses, then the ledger, which ends when nobody
//! can tell it anything any more, then the store.

use std::collections::HashMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{self, WeakSender};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::assembly::control::{self, Tied};
use crate::assembly::following::{Following, follow};
use crate::assembly::journal::{Journal, Written};
use crate::assembly::{Links, Stand, contexts, logs, reload};
use crate::clock;
use crate::config::plan::Plan;
use crate::faults;
use crate::init::downward::{ProbeOrder, Tasks};
use crate::init::inward::Doors;
use crate::init::pulse::Pulse;
use crate::init::sys::{self, heap};
use crate::ledger::entry::{Entry, StoreHealth, SurvivorOutcome, Waiting};
use crate::ledger::fold::Ledger;
use crate::ledger::row::{Batch, Row};
use crate::ledger::snapshot::{LiveRun, Snapshot};
use crate::ledger::task::{self, Outlets};
use crate::ledger::veil::Veil;
use crate::memory::marker::SESSION_VARIABLE;
use crate::memory::{SelfFigures, leak, myself, probe};
use crate::output::door::Output;
use crate::probing;
use crate::serve::Sources;
use crate::serve::control::trail;
use crate::serve::listener::{self, Limits};
use crate::store::runfile::{RunKeeper, RunRecord};
use crate::store::salt;
use crate::store::writer::{self, Reports, Resume, Writer};
use crate::supervise::fact::Fact;
use crate::tokens::TokenResume;
use crate::tokens::price::Prices;
use crate::units::{Mono, SessionId};
use crate::watch as files;

/// Between the panic of a task and its restart.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// Contexts that wait to be captured: one for each session that is opened at once.
const CONTEXTS: usize = 256;

/// Threads for what waits for disks: memory, agents' logs and the context of a session, and one to
/// spare.
const ASIDE: usize = 4;
/// Without a new picture for this long nothing is being started or ended.
const QUIET: Duration = Duration::from_millis(400);
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// How long the last look at the agents' logs and at earlier lives may take.
const LAST_LOOK: Duration = Duration::from_millis(300);
/// How long the ledger may take for what it was told last.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long the last rows may take to become durable, where the budget leaves that much: a disk that
/// is busy takes seconds, and one that hangs must not keep us for ever.
const LAST_COMMIT: Duration = Duration::from_secs(5);
/// What each step of the end gets even when the budget is spent: all of them fit in the tenth of a
/// second that is kept for leaving.
const SHORTEST: Duration = Duration::from_millis(10);

/// Everything that observes.
pub(super) struct Below {
    runtime: Runtime,
    ledger: JoinHandle<()>,
    /// Ended by aborting: they hold nothing that could be lost.
    senses: JoinSet<()>,
    /// Heard out at the end, for a moment: the last tokens, and what earlier lives left open.
    patient: JoinSet<()>,
    stop: watch::Sender<bool>,
    writer: Arc<Writer>,
    keeper: Option<Arc<RunKeeper>>,
    /// Ends once the events of sessions are in their file.
    journal: Option<Written>,
    /// Whether there is a socket to remove.
    has_socket: bool,
}

/// The second runtime, with a thread for what waits for disks. That one is never given up: tokio
/// panics where work is to be done aside and no thread for it is left or can be had. One worker,
/// because a runtime that was given the first of two cannot be taken apart again; nothing waits on it.
pub(super) fn runtime() -> io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).max_blocking_threads(ASIDE).thread_keep_alive(FOR_EVER).enable_all();
    let no_thread = |_| io::Error::other("a thread cannot be had");
    let runtime = catch_unwind(AssertUnwindSafe(|| builder.build())).map_err(no_thread)??;
    match catch_unwind(AssertUnwindSafe(|| runtime.spawn_blocking(|| {}))) {
        Ok(_) => Ok(runtime),
        Err(panic) => {
            runtime.shutdown_background();
            Err(no_thread(panic))
        }
    }
}

impl Below {
    /// Builds everything on the second runtime.
    pub(super) fn start(
        runtime: Runtime,
        plan: &Arc<Plan>,
        stand: Stand,
        entries: &mpsc::Sender<Entry>,
        queue: mpsc::Receiver<Entry>,
        handled: Vec<SurvivorOutcome>,
        links: Links,
    ) -> Self {
        let Links { pulse, doors, tasks, source, output, fed } = links;
        let Tasks { probes, readings, plans } = tasks;
        let on = runtime.enter();
        let (stop, stopped) = watch::channel(false);
        let (snapshots, pictures) = watch::channel(Arc::new(Snapshot::default()));
        let (live_runs, runs) = watch::channel(Vec::new());
        let (opened, contexts) = mpsc::channel(CONTEXTS);
        let (resumed, resume) = oneshot::channel();
        let prices = Prices::embedded();
        let ledger = new_ledger(plan, &stand, &prices);
        let (writer, reports) = writer::start(
            &plan.store,
            plan.sessions.retention,
            stand.beginnings(),
            &plan.state_dir,
        );
        let writer = Arc::new(writer);
        let keeper = stand.owner.map(|owner| RunKeeper::start(&plan.state_dir, owner));
        let keeper = keeper.map(Arc::new);
        let weak = entries.downgrade();

        let journal = plan.sessions.log.clone().and_then(Journal::start);
        let (journal, written_down) = journal.unzip();
        let (rows, waiting) = (submit_to(&writer, journal), waiting_for(&writer));
        let over = hurry(&writer);
        let opened = move |process, session| {
            let _ = opened.try_send((process, session));
        };
        let beside = control::beside(plan, output.clone());
        let (events, heard) = control::events(plan, stand.began.wall, &beside);
        let knock = control::knocks_at(&doors);
        let outlets = Outlets { rows, over, waiting, opened, heard, knock, snapshots, live_runs };
        let (requests, asked) = mpsc::channel(task::REQUESTS);
        let ledger = tokio::spawn(task::run(ledger, queue, asked, outlets));
        let start = Following { plans: plans.clone(), began: stand.began.wall, prices, resume };
        let Reports { resume: earlier, health } = reports;
        let mut patient = JoinSet::new();
        patient.spawn(follow(start, entries.clone(), stopped.clone()));
        patient.spawn(tell_of_earlier_lives(earlier, resumed, weak.clone()));
        let mut senses = JoinSet::new();
        let current = plans.clone();
        senses.spawn(watch_files(plans.clone(), doors.tidings.clone()));
        let captured = contexts::capture_each(plans, contexts, weak.clone());
        senses.spawn(until_lost("context", captured));
        senses.spawn(until_lost("probing", probe_health(probes, doors.clone())));
        let reloads = reload::answer(source.clone(), readings, doors.clone());
        senses.spawn(until_lost("reload", reloads));
        senses.spawn(until_lost("stdin", control::feed(&beside, fed)));
        senses.spawn(report_store(health, weak.clone()));
        senses.spawn(keep_runs(keeper.clone(), runs));
        senses.spawn(sample(plan.memory.interval, pictures.clone(), entries.clone()));
        senses.spawn(give_memory_back(pictures.clone()));
        let logs = logs::of(output.clone(), current);
        let written = written(plan.memory.interval, output.clone(), weak.clone());
        senses.spawn(until_lost("output", written));
        let tied = {
            let (pictures, pulse, history) = (pictures.clone(), pulse.clone(), writer.reader());
            let (keep, entries, veil) = (keep_audit(&writer), weak.clone(), veil(plan));
            Tied {
                source,
                doors,
                pictures,
                events,
                pulse,
                logs,
                beside,
                history,
                requests,
                keep,
                entries,
                veil,
            }
        };
        senses.spawn(control::take_orders(Arc::clone(plan), tied, stopped.clone()));
        let sources = sources(pictures, pulse, output);
        senses.spawn(listen(Arc::clone(plan), sources, stopped, weak));
        tell_of_survivors(entries, handled);
        drop(on);
        let has_socket = plan.control.socket.is_some();
        Self {
            runtime,
            ledger,
            senses,
            patient,
            stop,
            writer,
            keeper,
            journal: written_down,
            has_socket,
        }
    }

    /// Ends everything, in the order of the flow, by `leave_by` at the latest. The caller has let
    /// go of its own end of the ledger's queue.
    pub(super) fn close(self, leave_by: Mono) {
        if !self.writer.keeps()
            && self.keeper.is_none()
            && self.journal.is_none()
            && !self.has_socket
        {
            // Nothing outlives us, so that there is nothing to wait for: all of it ends with us.
            return std::mem::forget(self);
        }
        let Self {
            runtime, ledger, mut senses, mut patient, stop, writer, keeper, journal, ..
        } = self;
        let left = |most: Duration| leave_by.since(clock::now().mono).clamp(SHORTEST, most);
        runtime.block_on(async {
            let _ = stop.send(true);
            if timeout(left(LAST_LOOK), all_end(&mut patient)).await.is_err() {
                patient.abort_all();
            }
            senses.abort_all();
            let _ = timeout(left(LAST_LOOK), async {
                all_end(&mut senses).await;
                all_end(&mut patient).await;
            })
            .await;
            end_within(left(LAST_WORDS), ledger).await;
        });
        // Whoever else held them has ended, or was aborted.
        let writer = Arc::into_inner(writer);
        let rows = writer.map_or(0, |writer| writer.close(left(LAST_COMMIT)));
        if rows > 0 {
            tracing::warn!(target: "store", rows, "the last rows of history could not be kept");
        }
        if let Some(journal) = journal {
            journal.wait(left(LAST_WORDS));
        }
        if let Some(keeper) = keeper.and_then(Arc::into_inner) {
            keeper.close(left(LAST_WORDS));
        }
        // Its threads hold nothing that could be lost, and end with us.
        std::mem::forget(runtime);
    }
}

fn tell_of_survivors(entries: &mpsc::Sender<Entry>, outcomes: Vec<SurvivorOutcome>) {
    if !outcomes.is_empty() {
        let _ = entries.try_send(Entry::SurvivorsHandled { at: clock::now(), outcomes });
    }
}

async fn all_end(tasks: &mut JoinSet<()>) {
    while tasks.join_next().await.is_some() {}
}

/// Waits for a task; one that takes too long is aborted, so that it lets go of what it holds.
async fn end_within<T>(patience: Duration, mut task: JoinHandle<T>) {
    if timeout(patience, &mut task).await.is_err() {
        task.abort();
        let _ = timeout(SHORTEST, task).await;
    }
}

fn new_ledger(plan: &Plan, stand: &Stand, prices: &Prices) -> Ledger {
    let seed = super::seed();
    let ledger = Ledger::new(plan, stand.began, stand.pid1, leak::detector, seed);
    let ledger = ledger.inside(around()).behind(veil(plan));
    match prices.as_of() {
        Some(day) => ledger.with_prices_of(day),
        None => ledger,
    }
}

/// The session that we were started in, where a procession around us says so.
fn around() -> Option<SessionId> {
    std::env::var(SESSION_VARIABLE).ok().as_deref().and_then(SessionId::parse)
}

/// What `privacy` asks for; a salt is only read where something is hashed.
fn veil(plan: &Plan) -> Veil {
    let passing = salt::passing();
    let salt = if plan.privacy.hashes() { salt::kept(&plan.state_dir) } else { passing };
    Veil::new(plan.privacy.clone(), salt, passing)
}

/// Hands lines of the audit trail to the store, in between.
fn keep_audit(writer: &Arc<Writer>) -> trail::Keep {
    let writer = Arc::downgrade(writer);
    Box::new(move |row| {
        if let Some(writer) = writer.upgrade() {
            writer.submit(Batch { rows: vec![Row::Audit(Box::new(row))] });
        }
    })
}

fn submit_to(writer: &Arc<Writer>, journal: Option<Journal>) -> impl FnMut(Batch) + use<> {
    let writer = Arc::clone(writer);
    move |batch| {
        if let Some(journal) = &journal {
            journal.tell(&batch);
        }
        writer.submit(batch);
    }
}

/// Has the last rows committed while everything else ends.
fn hurry(writer: &Arc<Writer>) -> Box<dyn Fn() + Send> {
    let writer = Arc::clone(writer);
    Box::new(move || writer.hurry())
}

fn waiting_for(writer: &Arc<Writer>) -> Box<dyn Fn() -> Waiting + Send> {
    let writer = Arc::clone(writer);
    Box::new(move || writer.waiting())
}

/// Runs a task again whenever it panics, so that a fault of ours costs a moment and not a sense.
/// The task ends with us.
pub(super) async fn restarting<F>(room: &'static str, mut make: impl FnMut() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut running = JoinSet::new();
    running.spawn(make());
    while let Some(ended) = running.join_next().await {
        if ended.is_err_and(|error| error.is_panic()) {
            tracing::error!(target: "assembly", room, "a task panicked and is begun again");
            tokio::time::sleep(RESTART_PAUSE).await;
            running.spawn(make());
        }
    }
}

/// Runs a task that cannot be begun again, because a panic takes its queue with it, and says so then:
/// what it did is not done any more in this life, and all else goes on.
async fn until_lost(room: &'static str, task: impl Future<Output = ()> + Send + 'static) {
    let mut running = JoinSet::new();
    running.spawn(task);
    if running.join_next().await.is_some_and(|ended| ended.is_err_and(|error| error.is_panic())) {
        tracing::error!(target: "assembly", room, "a task panicked; its work is not done until a restart");
    }
}

/// Passes on what earlier lives left, once the store knows.
async fn tell_of_earlier_lives(
    resume: oneshot::Receiver<Resume>,
    resumed: oneshot::Sender<TokenResume>,
    entries: WeakSender<Entry>,
) {
    let Ok(Resume { open: sessions, tokens, chains }) = resume.await else { return };
    // Before anything is read of the logs, so that numbers go on where they were.
    if let Some(entries) = entries.upgrade().filter(|_| !chains.is_empty()) {
        let _ = entries.send(Entry::ChainsFound(chains)).await;
    }
    let _ = resumed.send(tokens);
    if let Some(entries) = entries.upgrade().filter(|_| !sessions.is_empty()) {
        let _ = entries.send(Entry::OpenSessionsFound { at: clock::now(), sessions }).await;
    }
}

/// Passes on how the store is, for as long as there is one.
async fn report_store(health: watch::Receiver<StoreHealth>, entries: WeakSender<Entry>) {
    restarting("store", || pass_on_health(health.clone(), entries.clone())).await;
}

async fn pass_on_health(mut health: watch::Receiver<StoreHealth>, entries: WeakSender<Entry>) {
    while health.changed().await.is_ok() {
        let now = *health.borrow_and_update();
        let Some(entries) = entries.upgrade() else { return };
        let _ = entries.send(Entry::StoreReported(Box::new(now))).await;
    }
}

/// Keeps the run file in step with what lives.
async fn keep_runs(keeper: Option<Arc<RunKeeper>>, runs: watch::Receiver<Vec<LiveRun>>) {
    let Some(keeper) = keeper else { return };
    restarting("runs", || keep_each(Arc::clone(&keeper), runs.clone())).await;
}

async fn keep_each(keeper: Arc<RunKeeper>, mut runs: watch::Receiver<Vec<LiveRun>>) {
    while runs.changed().await.is_ok() {
        let live = runs.borrow_and_update().clone();
        keeper.keep(live.into_iter().map(record).collect());
    }
}

fn record(run: LiveRun) -> RunRecord {
    RunRecord { session: run.session, process: run.process, main: run.main }
}

/// Gives back what a wave of starts and ends has left free, once there is quiet after it. Wakes up
/// only when others do.
async fn give_memory_back(mut pictures: watch::Receiver<Arc<Snapshot>>) {
    let (mut given_at, mut last) = (0, clock::instant());
    while pictures.changed().await.is_ok() {
        let sessions: u64 = {
            let picture = pictures.borrow_and_update();
            picture.opened.values().chain(picture.closed.values()).sum()
        };
        let quiet = std::mem::replace(&mut last, clock::instant()).elapsed() >= QUIET;
        if quiet && sessions != given_at {
            heap::give_back();
            heap::forget_code();
            given_at = sessions;
        }
    }
}

/// Makes the health tests that need no command. Who panics gives up those that wait, which then
/// fail by their own time.
async fn probe_health(orders: mpsc::Receiver<ProbeOrder>, doors: Doors) {
    probing::probe(orders, doors.tidings).await;
}

/// Samples memory.
async fn sample(
    interval: Duration,
    pictures: watch::Receiver<Arc<Snapshot>>,
    entries: mpsc::Sender<Entry>,
) {
    restarting("memory", || probe::watch(interval, pictures.clone(), entries.clone())).await;
}

/// Tells the ledger whose output has grown, once a tick, because it is a sign of activity.
async fn written(interval: Duration, output: Option<Output>, entries: WeakSender<Entry>) {
    let Some(output) = output else { return };
    let mut known: HashMap<Arc<str>, u64> = HashMap::new();
    loop {
        tokio::time::sleep(interval).await;
        let bytes = output.figures().into_iter().map(|(name, figures)| (name, figures.bytes));
        let now: HashMap<Arc<str>, u64> = bytes.collect();
        let grown = |(name, bytes): &(&Arc<str>, &u64)| known.get(*name).unwrap_or(&0) < bytes;
        let processes: Vec<Arc<str>> =
            now.iter().filter(grown).map(|(name, _)| Arc::clone(name)).collect();
        known = now;
        let Some(entries) = entries.upgrade() else { return };
        if !processes.is_empty() {
            let _ = entries.try_send(Entry::OutputSeen { at: clock::now(), processes });
        }
    }
}

/// Follows the files that processes are restarted for.
async fn watch_files(plans: watch::Receiver<Arc<Plan>>, tidings: mpsc::Sender<Fact>) {
    restarting("watch", || files::follow(plans.clone(), tidings.clone(), sys::watch)).await;
}

/// Where the doors get what they show.
fn sources(
    pictures: watch::Receiver<Arc<Snapshot>>,
    pulse: Pulse,
    output: Option<Output>,
) -> Arc<Sources> {
    let turning = pulse.clone();
    Arc::new(Sources {
        snapshot: Box::new(move || pictures.borrow().clone()),
        own: Box::new(move || {
            let (turns, faults) = (Some(turning.turns()), Some(faults::seen()));
            SelfFigures { turns, faults, ..myself::read() }
        }),
        output: Box::new(move || output.as_ref().map(Output::figures).unwrap_or_default()),
        alive: Box::new(move || pulse.is_alive()),
    })
}

/// Serves metrics, health and the landing page.
async fn listen(
    plan: Arc<Plan>,
    sources: Arc<Sources>,
    stopped: watch::Receiver<bool>,
    entries: WeakSender<Entry>,
) {
    let Some(address) = plan.listen else { return };
    restarting("serve", || {
        let entries = entries.clone();
        let report = move |bound: Option<_>| {
            let up = bound.is_some();
            if let Some(entries) = entries.upgrade() {
                let _ = entries.try_send(Entry::ListenerReported { up });
            }
        };
        listener::serve(address, Arc::clone(&sources), Limits::default(), stopped.clone(), report)
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_panics_is_begun_again_until_it_ends_by_itself() {
        let begun = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&begun);
        restarting("a test", move || {
            let turn = count.fetch_add(1, Ordering::Relaxed);
            async move { assert!(turn >= 2, "a fault that a test put here") }
        })
        .await;
        assert_eq!(begun.load(Ordering::Relaxed), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_that_loses_a_task_is_counted_in_its_room_and_ends_nothing_else() {
        // As the log does it.
        std::panic::set_hook(Box::new(|panic| {
            faults::note(panic.location().map_or("", std::panic::Location::file));
        }));
        let counted = || {
            let faults = faults::seen();
            faults.by_room().find(|(room, _)| *room == "assembly").map(|(_, count)| count)
        };
        let before = counted().expect("a room");
        until_lost("a test", async { panic!("a fault that a test put here") }).await;
        assert_eq!(counted(), Some(before + 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_end_lets_go_of_what_it_holds() {
        let held = Arc::new(());
        let hold = Arc::clone(&held);
        let task = tokio::spawn(async move {
            std::future::pending::<()>().await;
            drop(hold);
        });
        end_within(LAST_WORDS, task).await;
        assert!(Arc::into_inner(held).is_some());
    }
}
