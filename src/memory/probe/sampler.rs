//! The thread that samples: it sleeps until a sample is due, and tells all that it learnt at once.
//!
//! A thread of its own, rather than a timer of the runtime and a thread to read aside: a quiet
//! container is woken for little else, and each tick would be four wakings instead of one (the
//! timers of the runtime are sorted into ever finer slots on the way, and an answer wakes who asked).

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, WeakSender};
use tokio::sync::watch;

use crate::clock;
use crate::ledger::entry::Entry;
use crate::ledger::snapshot::Snapshot;
use crate::memory::TreeSample;
use crate::memory::group::Group;
use crate::memory::probe::Probe;
use crate::memory::probe::parts::Measurer;
use crate::memory::probe::rhythm::Rhythm;
use crate::supervise::lifecycle::PhaseName;
use crate::units::{Mono, ProcId, RunId, SessionId};

/// From the birth of a run to its first sample: by then a program was executed and its libraries
/// are mapped, so that the sample is not of our own image.
pub(super) const SETTLING: Duration = Duration::from_millis(200);
/// How long a sample waits for what is read beside it, to be told with it: that of a few processes
/// takes less than a millisecond.
const BESIDE: Duration = Duration::from_millis(5);
/// How long after no thread could be had it is tried again.
const THREAD_AGAIN: Duration = Duration::from_secs(10);

/// Samples every tree that `snapshots` names until one of the two channels is closed.
///
/// A run is sampled on each tick, shortly after its birth, and when it begins to stop, so that
/// even a short one has a figure and every orderly end has a last one.
pub async fn watch(
    interval: Duration,
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    entries: mpsc::Sender<Entry>,
) {
    let sampler = loop {
        match Sampler::start(interval, snapshots.clone(), entries.downgrade()) {
            Ok(sampler) => break sampler,
            Err(error) => {
                tracing::error!(target: "memory", %error, "memory is not sampled: no thread; trying again");
                tokio::time::sleep(THREAD_AGAIN).await;
            }
        }
    };
    let mut scene = Scene::default();
    loop {
        if let Some(within) = scene.look(&snapshots.borrow_and_update()) {
            sampler.hurry(within);
        }
        tokio::select! {
            changed = snapshots.changed() => if changed.is_err() { return },
            () = entries.closed() => return,
        }
    }
}

/// The live runs as the last snapshot showed them, in order.
#[derive(Debug, Default)]
pub(super) struct Scene {
    roots: Vec<(RunId, ProcId)>,
    sessions: Vec<(RunId, SessionId)>,
    stopping: Vec<RunId>,
}

impl Scene {
    fn of(snapshot: &Snapshot) -> Self {
        let mut new = Self::default();
        for process in &snapshot.processes {
            let Some(run) = &process.run else { continue };
            let Some(main) = run.main else { continue };
            new.roots.push((run.run, main));
            new.sessions.push((run.run, run.session));
            if process.phase == PhaseName::Stopping {
                new.stopping.push(run.run);
            }
        }
        new.roots.sort_unstable();
        new.stopping.sort_unstable();
        new
    }

    /// Takes in a snapshot. Says how soon a sample is wanted because of what is new in it.
    pub(super) fn look(&mut self, snapshot: &Snapshot) -> Option<Duration> {
        let new = Self::of(snapshot);
        let is_born = new.roots.iter().any(|root| self.roots.binary_search(root).is_err());
        let begins_to_stop =
            new.stopping.iter().any(|run| self.stopping.binary_search(run).is_err());
        *self = new;
        if begins_to_stop { Some(Duration::ZERO) } else { is_born.then_some(SETTLING) }
    }
}

/// The near side of the thread, which ends when this is dropped.
struct Sampler(Arc<Bell>);

/// By which the thread is woken.
#[derive(Default)]
struct Bell {
    wishes: Mutex<Wishes>,
    rung: Condvar,
}

#[derive(Default)]
struct Wishes {
    /// When an extra sample is wanted.
    extra: Option<Mono>,
    ended: bool,
}

impl Sampler {
    fn start(
        interval: Duration,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        entries: WeakSender<Entry>,
    ) -> io::Result<Self> {
        let bell = Arc::<Bell>::default();
        let hears = Arc::clone(&bell);
        let work = move || Work::begin(interval, snapshots, entries).go_on(&hears);
        std::thread::Builder::new().name("memory".into()).spawn(work)?;
        Ok(Self(bell))
    }

    /// Has an extra sample taken.
    fn hurry(&self, within: Duration) {
        let at = clock::now().mono.after(within);
        let mut wishes = self.0.lock();
        wishes.extra = Some(wishes.extra.map_or(at, |extra| extra.min(at)));
        drop(wishes);
        self.0.rung.notify_one();
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.rung.notify_one();
    }
}

impl Bell {
    /// Waits until a sample is due; false when none is wanted any more.
    fn await_due(&self, rhythm: &mut Rhythm) -> bool {
        let mut wishes = self.lock();
        loop {
            if wishes.ended {
                return false;
            }
            if let Some(extra) = wishes.extra.take() {
                rhythm.hurry(extra);
            }
            let now = clock::now().mono;
            if rhythm.begin(now) {
                return true;
            }
            let waited = self.rung.wait_timeout(wishes, rhythm.due().since(now));
            wishes = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Wishes> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The far side.
struct Work {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    entries: WeakSender<Entry>,
    rhythm: Rhythm,
    probe: Probe,
    /// Absent once its thread is gone.
    measurer: Option<Measurer>,
    group: Group,
}

impl Work {
    fn begin(
        interval: Duration,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        entries: WeakSender<Entry>,
    ) -> Self {
        Self {
            snapshots,
            rhythm: Rhythm::new(interval, clock::now().mono),
            probe: Probe::new(),
            measurer: Measurer::start(interval, entries.clone()),
            group: Group::find(),
            entries,
        }
    }

    /// Samples until nobody wants it any more.
    fn go_on(mut self, bell: &Bell) {
        while bell.await_due(&mut self.rhythm) {
            let read = catch_unwind(AssertUnwindSafe(|| self.read())).ok();
            if read.is_none() {
                // A panic costs what the probe has learnt.
                tracing::error!(target: "memory", "the memory probe failed and begins anew");
                self.probe = Probe::new();
            }
            // Held for no longer than that: the ledger ends when nobody can tell it anything.
            let Some(entries) = self.entries.upgrade() else { return };
            if !deliver(&entries, read, &mut self.rhythm.skipped) {
                return;
            }
        }
    }

    /// What one tick learns.
    fn read(&mut self) -> Tick {
        let picture = Arc::clone(&self.snapshots.borrow());
        let Scene { roots, sessions, .. } = Scene::of(&picture);
        drop(picture);
        let samples = self.probe.sample(clock::now(), &roots, &sessions);
        let is_there = |one: &mut Measurer| one.offer(clock::now(), || self.probe.asked());
        self.measurer = self.measurer.take_if(is_there);
        let container = Entry::ContainerRead(Box::new(self.group.read(clock::now())));
        let parts = self.measurer.as_ref().and_then(|measurer| measurer.answer_within(BESIDE));
        let beside = parts.into_iter().chain([container]).collect();
        Tick { beside, samples, unreaped: self.probe.unreaped() }
    }
}

/// What was learnt in one tick.
#[derive(Default)]
pub(super) struct Tick {
    /// What was read beside the samples.
    pub(super) beside: Vec<Entry>,
    pub(super) samples: Vec<TreeSample>,
    pub(super) unreaped: u32,
}

/// Hands a tick over without waiting. False when nobody will ever take it.
pub(super) fn deliver(
    entries: &mpsc::Sender<Entry>,
    read: Option<Tick>,
    skipped: &mut u64,
) -> bool {
    let Some(Tick { beside: mut told, samples, unreaped }) = read else {
        *skipped += 1;
        return true;
    };
    let tells = !samples.is_empty() || *skipped > 0;
    if tells {
        told.push(Entry::Sampled { samples, unreaped, skipped: *skipped });
    }
    match entries.try_send(Entry::Together(told)) {
        Ok(()) if tells => *skipped = 0,
        Ok(()) => {}
        Err(TrySendError::Full(_)) => *skipped += 1,
        Err(TrySendError::Closed(_)) => return false,
    }
    true
}
