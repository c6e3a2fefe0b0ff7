//! Everything below the line: what observes, and how it is begun and ended.
//!
//! Each sense is a task that feeds the ledger's queue, and each outlet one that the ledger feeds.
//! They end in the order of the flow: first the senses, then the ledger, which ends when nobody
//! can tell it anything any more, then the store.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::assembly::accounts::Pricing;
use crate::assembly::control::{self, Tied};
use crate::assembly::following::{Following, follow};
use crate::assembly::journal::Written;
use crate::assembly::keeping::{self, Kept};
use crate::assembly::senses::{self, Around, Running};
use crate::assembly::stand::Stand;
use crate::assembly::{Links, accounts, logs, receiving, recording, spoken};
use crate::clock;
use crate::config::plan::Plan;
use crate::ledger::entry::{Entry, SurvivorOutcome};
use crate::ledger::snapshot::Snapshot;
use crate::ledger::task;
use crate::store::runfile::RunKeeper;
use crate::store::writer::Writer;
use crate::units::{Mono, ProcessIx, SessionId};

/// Contexts that wait to be captured: one for each session that is opened at once.
const CONTEXTS: usize = 256;

/// Threads for what waits for disks: memory, agents' logs and the context of a session, and one to
/// spare.
const ASIDE: usize = 4;
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

/// Asks for the context of a session; one that finds no room goes without.
fn pass_on(contexts: mpsc::Sender<(ProcessIx, SessionId)>) -> impl Fn(ProcessIx, SessionId) {
    move |process, session| {
        let _ = contexts.try_send((process, session));
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
        let Links { pulse, doors, tasks, source, output, fed, spoken, reserved } = links;
        let on = runtime.enter();
        let (stop, stopped) = watch::channel(false);
        let (snapshots, pictures) = watch::channel(Arc::new(Snapshot::default()));
        let (live_runs, runs) = watch::channel(Vec::new());
        let (opened, contexts) = mpsc::channel(CONTEXTS);
        let (resumed, resume) = oneshot::channel();
        let (requests, asked) = mpsc::channel(task::REQUESTS);
        let (pricing, veil) = (Pricing::begin(&plan.tokens), keeping::veil(plan));
        let (reread, priced) = (pricing.reread(), pricing.now());
        let ledger = keeping::new_ledger(plan, &stand, &priced.borrow(), veil.clone());
        let mut kept = Kept::begin(plan, stand.beginnings(), stand.owner, stand.inherited);
        let beside = control::beside(plan, output.clone());
        let (events, heard) = control::events(plan, stand.began.wall, &beside);
        let knock = control::knocks_at(&doors, snapshots.subscribe(), tasks.plans.clone());
        let outlets = kept.outlets(pass_on(opened), heard, knock, snapshots, live_runs);
        let ledger = tokio::spawn(task::run(ledger, queue, asked, outlets));
        let (plans, stdin) = (tasks.plans.clone(), control::feed(&beside, fed));
        let reading = spoken::read(spoken, priced.clone(), entries.clone(), stopped.clone());
        let start =
            Following { plans: plans.clone(), began: stand.began.wall, prices: priced, resume };
        let store = kept.store_by_now();
        let Kept { writer, reports, keeper, journal, .. } = kept;
        let mut patient = recording::begin(plan, &output, &beside, &writer, &stopped);
        patient.spawn(follow(start, entries.clone(), stopped.clone()));
        patient.spawn(senses::until_lost("spoken", reading));
        patient.spawn(senses::tell_of_earlier_lives(reports.resume, resumed, entries.downgrade()));
        let report = plan.tokens.report.clone();
        patient.spawn(accounts::report(report, pictures.clone(), stopped.clone()));
        let around = Around { plan, doors: &doors, pictures: &pictures, entries, output: &output };
        let running = Running { runs, keeper: keeper.clone(), health: reports.health };
        let mut senses =
            around.sense(tasks, contexts, (source.clone(), Arc::clone(&reread)), stdin, running);
        senses.spawn(pricing.follow(entries.downgrade()));
        senses.spawn(receiving::receive(reserved, requests.clone(), stopped.clone()));
        let tied = Tied {
            source,
            reread,
            doors,
            pictures: pictures.clone(),
            events,
            pulse: pulse.clone(),
            logs: logs::of(output.clone(), plans),
            beside,
            history: writer.reader(),
            requests,
            keep: keeping::audit(&writer),
            entries: entries.downgrade(),
            veil,
        };
        senses.spawn(control::take_orders(Arc::clone(plan), tied, stopped.clone()));
        let sources = senses::sources(pictures, pulse, output, store);
        senses.spawn(senses::listen(Arc::clone(plan), sources, stopped, entries.downgrade()));
        tell_of_survivors(entries, handled);
        drop(on);
        let has_socket = plan.control.socket.is_some();
        Self { runtime, ledger, senses, patient, stop, writer, keeper, journal, has_socket }
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

#[cfg(test)]
mod tests {
    use super::*;

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
