//! What observes, each as a task that a fault of ours does not end, or not unsaid.

use std::collections::HashMap;
use std::mem::take;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{self, WeakSender};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{contexts, handing, leftovers, reload};
use crate::clock;
use crate::config::plan::Plan;
use crate::faults;
use crate::init::downward::{ProbeOrder, Tasks};
use crate::init::inward::Doors;
use crate::init::pulse::Pulse;
use crate::init::sys::{self, heap};
use crate::ledger::entry::{Entry, StoreHealth};
use crate::ledger::snapshot::{LiveRun, Snapshot};
use crate::memory::{SelfFigures, myself, probe};
use crate::output::door::Output;
use crate::probing;
use crate::serve::listener::{self, Limits};
use crate::serve::{Source, Sources};
use crate::store::runfile::{RunKeeper, RunRecord};
use crate::store::writer::Resume;
use crate::supervise::fact::Fact;
use crate::tokens::TokenResume;
use crate::units::{ProcessIx, SessionId};
use crate::watch as files;

/// Between the panic of a task and its restart.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// Without a new picture for this long nothing is being started or ended.
const QUIET: Duration = Duration::from_secs(1);

/// What most senses look at, and where they tell of it.
pub(super) struct Around<'a> {
    pub(super) plan: &'a Arc<Plan>,
    pub(super) doors: &'a Doors,
    pub(super) pictures: &'a watch::Receiver<Arc<Snapshot>>,
    pub(super) entries: &'a mpsc::Sender<Entry>,
    pub(super) output: &'a Option<Output>,
}

/// What is told of the runs that live, and of the store.
pub(super) struct Running {
    pub(super) runs: watch::Receiver<Vec<LiveRun>>,
    pub(super) keeper: Option<Arc<RunKeeper>>,
    pub(super) health: watch::Receiver<StoreHealth>,
}

impl Around<'_> {
    /// Begins all of them. `contexts` are the sessions whose context is to be captured, `stdin` feeds
    /// those that are written to.
    pub(super) fn sense(
        &self,
        tasks: Tasks,
        contexts: mpsc::Receiver<(ProcessIx, SessionId)>,
        (source, reread): (Option<PathBuf>, Arc<Notify>),
        stdin: impl Future<Output = ()> + Send + 'static,
        running: Running,
    ) -> JoinSet<()> {
        let Tasks { probes, readings, plans } = tasks;
        let Running { runs, keeper, health } = running;
        let (doors, weak, interval) =
            (self.doors, self.entries.downgrade(), self.plan.memory.interval);
        let mut senses = JoinSet::new();
        senses.spawn(watch_files(plans.clone(), doors.tidings.clone()));
        let captured = contexts::capture_each(plans, contexts, weak.clone());
        senses.spawn(until_lost("context", captured));
        senses.spawn(until_lost("probing", probe_health(probes, doors.clone())));
        let reloads = reload::answer(source, readings, doors.clone(), reread);
        senses.spawn(until_lost("reload", reloads));
        senses.spawn(until_lost("stdin", stdin));
        senses.spawn(report_store(health, weak.clone()));
        senses.spawn(keep_runs(keeper, runs));
        senses.spawn(sample(interval, self.pictures.clone(), self.entries.clone()));
        senses.spawn(until_lost("orphans", leftovers::count(self.pictures.clone(), weak.clone())));
        if let Some(handing) = handing::follow(self.plan, self.pictures.clone()) {
            senses.spawn(until_lost("agents", handing));
        }
        senses.spawn(give_memory_back(self.pictures.clone()));
        senses.spawn(until_lost("output", written(interval, self.output.clone(), weak)));
        senses
    }
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
pub(super) async fn until_lost(
    room: &'static str,
    task: impl Future<Output = ()> + Send + 'static,
) {
    let mut running = JoinSet::new();
    running.spawn(task);
    if running.join_next().await.is_some_and(|ended| ended.is_err_and(|error| error.is_panic())) {
        tracing::error!(target: "assembly", room, "a task panicked; its work is not done until a restart");
    }
}

/// Passes on what earlier lives left, once the store knows.
pub(super) async fn tell_of_earlier_lives(
    resume: oneshot::Receiver<Resume>,
    resumed: oneshot::Sender<TokenResume>,
    entries: WeakSender<Entry>,
) {
    let Ok(Resume { open: sessions, mut tokens, chains, held }) = resume.await else { return };
    // Before anything is read of the logs, so that numbers go on where they were.
    if let Some(entries) = entries.upgrade().filter(|_| !chains.is_empty()) {
        let _ = entries.send(Entry::ChainsFound(chains)).await;
    }
    if let Some(entries) = entries.upgrade().filter(|_| !held.is_empty()) {
        let _ = entries.send(Entry::HeldFound(held)).await;
    }
    let TokenResume { elsewhere: keys, counted, spent, .. } = &mut tokens;
    let (counted, keys, spent) = (take(counted), take(keys), take(spent));
    let found = Entry::CountedFound { at: clock::now(), counted, keys, spent };
    if let Some(entries) = entries.upgrade() {
        let _ = entries.send(found).await;
    }
    // Also where none is: what was taken over waits for what is known of it. Before anything is read, so
    // that the conversations of a run that was taken over go on, rather than to begin anew.
    if let Some(entries) = entries.upgrade() {
        let _ = entries.send(Entry::OpenSessionsFound { at: clock::now(), sessions }).await;
    }
    let _ = resumed.send(tokens);
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

/// Gives back what a wave of starts and ends has left free, once there is quiet after it.
async fn give_memory_back(mut pictures: watch::Receiver<Arc<Snapshot>>) {
    let mut given_at = 0;
    while let Some(sessions) = settled(&mut pictures, given_at).await {
        heap::give_back();
        heap::forget_code();
        given_at = sessions;
    }
}

/// How many sessions began and ended, once they are others than `before` and there is quiet; `None`
/// when we end.
async fn settled(pictures: &mut watch::Receiver<Arc<Snapshot>>, before: u64) -> Option<u64> {
    loop {
        let sessions: u64 = {
            let picture = pictures.borrow_and_update();
            picture.opened.values().chain(picture.closed.values()).sum()
        };
        if sessions == before {
            pictures.changed().await.ok()?;
        } else {
            match timeout(QUIET, pictures.changed()).await {
                Ok(changed) => changed.ok()?,
                Err(_) => return Some(sessions),
            }
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

/// Tells the ledger whose output has grown, once a tick, because it is a sign of activity. It sleeps
/// while nobody writes anything.
async fn written(interval: Duration, output: Option<Output>, entries: WeakSender<Entry>) {
    let Some(output) = output else { return };
    let mut known: HashMap<Arc<str>, u64> = HashMap::new();
    loop {
        // Before the look, so that nothing is missed that comes behind it.
        output.await_stir();
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
        drop(entries);
        output.stirred().await;
        tokio::time::sleep(interval).await;
    }
}

/// Follows the files that processes are restarted for.
async fn watch_files(plans: watch::Receiver<Arc<Plan>>, tidings: mpsc::Sender<Fact>) {
    restarting("watch", || files::follow(plans.clone(), tidings.clone(), sys::watch)).await;
}

/// Where the doors get what they show.
pub(super) fn sources(
    pictures: watch::Receiver<Arc<Snapshot>>,
    pulse: Pulse,
    output: Option<Output>,
    store: Source<Option<StoreHealth>>,
) -> Arc<Sources> {
    let turning = pulse.clone();
    Arc::new(Sources {
        snapshot: Box::new(move || pictures.borrow().clone()),
        own: Box::new(move || {
            let (turns, faults) = (Some(turning.turns()), Some(faults::seen()));
            SelfFigures { turns, faults, ..myself::read() }
        }),
        output: Box::new(move || output.as_ref().map(Output::figures).unwrap_or_default()),
        store,
        alive: Box::new(move || pulse.is_alive()),
    })
}

/// Serves metrics, health and the landing page.
pub(super) async fn listen(
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
}
