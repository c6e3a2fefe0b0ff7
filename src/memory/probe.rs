//! The sense for memory: reads every tree on an interval and tells the ledger.
//!
//! Owns the descriptors of `/proc` and the rhythm. One pass over `/proc` serves all runs. Whatever
//! goes wrong here costs a sample and never more: a full queue or a late tick is counted and
//! skipped, a pass that fails is said once and tried again, and nobody waits for us.
//!
//! Memory is read from `statm`, whose descriptor is kept for as long as the process lives, within
//! a budget; beyond it the file is opened for each reading.
//!
//! **CPU time of a tree** is, for each member, its own time and that of the children that it has
//! waited for. No tick is counted twice: the kernel moves a child's time to its parent in the
//! moment the child is reaped and disappears, and not before, so that zombies are still summed.
//! What an orphan had used is booked on us when we reap it; so that the tree's sum does not fall,
//! the last figure that was read of it is kept as the run's.

mod parts;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::clock;
use crate::ledger::entry::Entry;
use crate::ledger::snapshot::Snapshot;
use crate::memory::TreeSample;
use crate::memory::group::Group;
use crate::memory::marker::Markers;
use crate::memory::probe::parts::{Asked, Measurer};
use crate::memory::proc::{self, StatmFile};
use crate::memory::stat::{ProcStat, Statm};
use crate::memory::tree::Lineage;
use crate::supervise::lifecycle::PhaseName;
use crate::units::{Bytes, Now, ProcId, RunId, SessionId, Wall};

/// A shorter interval than this would make the probe itself the load.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
/// From the birth of a run to its first sample: by then a program was executed and its libraries
/// are mapped, so that the sample is not of our own image.
const SETTLING: Duration = Duration::from_millis(200);
/// Descriptors that are kept at most: a thousand processes are a busy container.
const KEPT_MAX: usize = 1024;
/// The share of our descriptors that the kept ones may take; the rest is for pipes and sockets.
const KEPT_SHARE: usize = 4;

/// Samples every tree that `snapshots` names until one of the two channels is closed.
///
/// A run is sampled on each tick, shortly after its birth, and when it begins to stop, so that
/// even a short one has a figure and every orderly end has a last one.
pub async fn watch(
    interval: Duration,
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    entries: mpsc::Sender<Entry>,
) {
    let mut rhythm = Rhythm::new(interval);
    let mut probe = Probe::new();
    let mut scene = Scene::default();
    let mut measurer = Measurer::start(interval, entries.downgrade());
    let group = Arc::new(Group::find());
    loop {
        rhythm.hurry(scene.look(&snapshots.borrow_and_update()));
        tokio::select! {
            () = rhythm.due() => {
                let samples;
                (probe, samples) = sample_aside(probe, scene.roots.clone(), scene.sessions.clone()).await;
                let is_there = |one: &mut Measurer| one.offer(clock::now(), || probe.asked());
                measurer = measurer.take_if(is_there);
                read_container(&group, &entries).await;
                let told = samples.map(|samples| (samples, probe.unreaped()));
                if !deliver(&entries, told, &mut rhythm.skipped) {
                    return;
                }
            }
            changed = snapshots.changed() => if changed.is_err() { return },
        }
    }
}

/// The live runs as the last snapshot showed them, in order.
#[derive(Debug, Default)]
struct Scene {
    roots: Vec<(RunId, ProcId)>,
    sessions: Vec<(RunId, SessionId)>,
    stopping: Vec<RunId>,
}

impl Scene {
    /// Takes in a snapshot. Says how soon a sample is wanted because of what is new in it.
    fn look(&mut self, snapshot: &Snapshot) -> Option<Duration> {
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
        let is_born = new.roots.iter().any(|root| self.roots.binary_search(root).is_err());
        let begins_to_stop =
            new.stopping.iter().any(|run| self.stopping.binary_search(run).is_err());
        *self = new;
        if begins_to_stop { Some(Duration::ZERO) } else { is_born.then_some(SETTLING) }
    }
}

/// When the next sample is due, and how many were missed.
struct Rhythm {
    ticks: Interval,
    last: Option<Instant>,
    /// An extra sample between two ticks.
    extra: Option<Instant>,
    /// Ticks without a sample since the last one that was delivered.
    skipped: u64,
}

impl Rhythm {
    fn new(interval: Duration) -> Self {
        let mut ticks = tokio::time::interval(interval.max(SHORTEST_INTERVAL));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Self { ticks, last: None, extra: None, skipped: 0 }
    }

    /// Asks for an extra sample; the earliest wish counts.
    fn hurry(&mut self, within: Option<Duration>) {
        let Some(within) = within else { return };
        let wish = clock::instant() + within;
        self.extra = Some(self.extra.map_or(wish, |extra| extra.min(wish)));
    }

    /// Returns when a sample is due. Nothing is lost when it is dropped before.
    async fn due(&mut self) {
        let extra = self.extra;
        let early = async move {
            match extra {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = early => self.extra = None,
            scheduled = self.ticks.tick() => self.count_skipped(scheduled),
        }
    }

    fn count_skipped(&mut self, scheduled: Instant) {
        let period = self.ticks.period();
        if let Some(last) = self.last {
            // Rounded, since the timer's own grain is a millisecond.
            let elapsed = scheduled.duration_since(last) + period / 2;
            let periods = elapsed.as_nanos() / period.as_nanos();
            self.skipped += u64::try_from(periods.saturating_sub(1)).unwrap_or(u64::MAX);
        }
        self.last = Some(scheduled);
    }
}

/// Samples on a thread that may take its time. A panic there costs what the probe has learnt.
async fn sample_aside(
    mut probe: Probe,
    roots: Vec<(RunId, ProcId)>,
    sessions: Vec<(RunId, SessionId)>,
) -> (Probe, Option<Vec<TreeSample>>) {
    let pass = tokio::task::spawn_blocking(move || {
        let samples = probe.sample(clock::now(), &roots, &sessions);
        (probe, samples)
    });
    match pass.await {
        Ok((probe, samples)) => (probe, Some(samples)),
        Err(error) => {
            tracing::error!(target: "memory", %error, "the memory probe failed and begins anew");
            (Probe::new(), None)
        }
    }
}

/// Reads the container's group. A queue that is full costs a reading.
async fn read_container(group: &Arc<Group>, entries: &mpsc::Sender<Entry>) {
    let group = Arc::clone(group);
    let read = tokio::task::spawn_blocking(move || group.read(clock::now()));
    if let Ok(figures) = read.await {
        let _ = entries.try_send(Entry::ContainerRead(Box::new(figures)));
    }
}

/// Hands the samples over without waiting. False when nobody will ever take them.
fn deliver(
    entries: &mpsc::Sender<Entry>,
    told: Option<(Vec<TreeSample>, u32)>,
    skipped: &mut u64,
) -> bool {
    let Some((samples, unreaped)) = told else {
        *skipped += 1;
        return true;
    };
    if samples.is_empty() && *skipped == 0 {
        return !entries.is_closed();
    }
    match entries.try_send(Entry::Sampled { samples, unreaped, skipped: *skipped }) {
        Ok(()) => *skipped = 0,
        Err(TrySendError::Full(_)) => *skipped += 1,
        Err(TrySendError::Closed(_)) => return false,
    }
    true
}

/// Reads the memory of whole trees. Keeps what makes the next reading cheap and right.
#[derive(Debug)]
pub struct Probe {
    own_pid: i32,
    lineage: Lineage,
    markers: Markers,
    pass: Vec<ProcStat>,
    /// Members of the last tick, in the order of pids.
    members: Vec<Member>,
    /// Room for those of the tick before.
    spare: Vec<Member>,
    spent: BTreeMap<RunId, Spent>,
    keep_at_most: usize,
    page_size: u64,
    ticks_per_second: u64,
    failing: bool,
}

/// What is kept of a process of a run.
#[derive(Debug)]
struct Member {
    id: ProcId,
    run: RunId,
    /// Whether it lived when the pass came by.
    is_alive: bool,
    statm: Option<StatmFile>,
    ticks: u64,
    /// Whether we are its parent, so that its time will be booked on us.
    is_ours: bool,
    /// Since when it has been seen dead and neglected by a parent that is not us.
    zombie_since: Option<Wall>,
}

/// CPU ticks of a run, apart from those of its present members.
#[derive(Debug, Default)]
struct Spent {
    /// Of members that are gone and that no member has waited for.
    departed: u64,
    /// The largest sum that was told, which no later one may fall below.
    told: u64,
}

impl Default for Probe {
    fn default() -> Self {
        Self::new()
    }
}

impl Probe {
    /// Knows nothing yet and holds no descriptor.
    pub fn new() -> Self {
        let own_pid = std::process::id().cast_signed();
        Self {
            own_pid,
            lineage: Lineage::new(own_pid),
            markers: Markers::new(),
            pass: vec![],
            members: vec![],
            spare: vec![],
            spent: BTreeMap::new(),
            keep_at_most: descriptor_budget(),
            page_size: proc::page_size(),
            ticks_per_second: proc::ticks_per_second(),
            failing: false,
        }
    }

    /// One sample of each run that has a living process; a run that has none is left out.
    pub fn sample(
        &mut self,
        now: Now,
        roots: &[(RunId, ProcId)],
        sessions: &[(RunId, SessionId)],
    ) -> Vec<TreeSample> {
        if !self.look(roots) {
            return vec![];
        }
        self.markers.place(&mut self.lineage, sessions);
        let live: BTreeSet<RunId> = roots.iter().map(|(run, _)| *run).collect();
        self.spent.retain(|run, _| live.contains(run));
        self.meet(now);
        let mut samples = BTreeMap::new();
        for at in 0..self.members.len() {
            let Some(statm) = self.read(at) else { continue };
            let run = self.members[at].run;
            let sample = samples.entry(run).or_insert_with(|| empty_sample(run, now));
            sample.processes += 1;
            sample.resident.0 += statm.resident * self.page_size;
            let anonymous = Bytes(statm.resident.saturating_sub(statm.shared) * self.page_size);
            sample.anonymous.0 += anonymous.0;
            sample.largest = sample.largest.max(anonymous);
            sample.virtual_size.0 += statm.size * self.page_size;
        }
        self.count_zombies(&mut samples);
        let ticks = self.ticks_by_run();
        for (run, sample) in &mut samples {
            let present = ticks.get(run).copied().unwrap_or(0);
            sample.cpu_seconds = self.told(*run, present) as f64 / self.ticks_per_second as f64;
        }
        samples.into_values().collect()
    }

    /// Counts the neglected dead of each run that has somebody living.
    fn count_zombies(&self, samples: &mut BTreeMap<RunId, TreeSample>) {
        for member in &self.members {
            let (Some(since), Some(sample)) = (member.zombie_since, samples.get_mut(&member.run))
            else {
                continue;
            };
            sample.zombies += 1;
            sample.oldest_zombie =
                Some(sample.oldest_zombie.map_or(since, |oldest| oldest.min(since)));
        }
    }

    /// The living members of the last pass, for who reads more of them.
    fn asked(&self) -> Vec<Asked> {
        let members = self.members.iter();
        members.map(|one| Asked { id: one.id, run: one.run, is_ours: one.is_ours }).collect()
    }

    /// Our own dead children that nobody had reaped when the last pass came by.
    pub fn unreaped(&self) -> u32 {
        let ours = |stat: &&ProcStat| stat.ppid == self.own_pid && stat.is_zombie();
        u32::try_from(self.pass.iter().filter(ours).count()).unwrap_or(u32::MAX)
    }

    /// Makes the pass, where there is somebody to look for. False when it failed, which is said
    /// when it begins to fail.
    fn look(&mut self, roots: &[(RunId, ProcId)]) -> bool {
        self.pass.clear();
        let looked = if roots.is_empty() { Ok(()) } else { proc::scan_into(&mut self.pass) };
        match &looked {
            Ok(()) => self.lineage.observe(&self.pass, roots),
            Err(error) if proc::is_exhausted(error) => self.let_go(error),
            Err(error) if !self.failing => {
                tracing::warn!(target: "memory", %error, "cannot sample memory; trying again");
            }
            Err(_) => {}
        }
        self.failing = looked.is_err();
        looked.is_ok()
    }

    /// Brings the members up to date: descriptors stay with those that live on, and the time of
    /// those that are gone with their run. Both lists are in the order of pids.
    fn meet(&mut self, now: Now) {
        std::mem::swap(&mut self.members, &mut self.spare);
        let mut before = self.spare.drain(..).peekable();
        for placed in self.lineage.placed() {
            let Some(run) = placed.run else { continue };
            let id = placed.stat.id;
            while let Some(gone) = before.next_if(|known| known.id < id) {
                bury(&mut self.spent, &gone);
            }
            let known = before.next_if(|known| known.id == id);
            let is_ours = placed.stat.ppid == self.own_pid;
            let since = known.as_ref().and_then(|known| known.zombie_since).unwrap_or(now.wall);
            self.members.push(Member {
                id,
                run,
                is_alive: placed.stat.is_alive(),
                statm: known.and_then(|known| known.statm).filter(|_| placed.stat.is_alive()),
                ticks: placed.stat.ticks(),
                is_ours,
                zombie_since: (placed.stat.is_zombie() && !is_ours).then_some(since),
            });
        }
        before.for_each(|gone| bury(&mut self.spent, &gone));
        self.members.shrink_to(self.members.len().max(KEPT_MAX));
    }

    /// The memory of a member; `None` when it is a zombie or gone.
    fn read(&mut self, at: usize) -> Option<Statm> {
        let member = &mut self.members[at];
        if !member.is_alive {
            return None;
        }
        match read(member.id.pid, member.statm.take()) {
            Ok((file, statm)) => {
                member.statm = (at < self.keep_at_most).then_some(file);
                (statm != Statm::default()).then_some(statm)
            }
            Err(error) if proc::is_exhausted(&error) => {
                self.let_go(&error);
                None
            }
            Err(_gone) => None,
        }
    }

    /// Gives all kept descriptors back, for good: somebody else needs them more.
    fn let_go(&mut self, error: &std::io::Error) {
        if self.keep_at_most > 0 {
            tracing::warn!(target: "memory", %error, "giving up the descriptors kept for sampling");
        }
        self.keep_at_most = 0;
        self.members.iter_mut().for_each(|member| member.statm = None);
    }

    /// The ticks of the present members of each run.
    fn ticks_by_run(&self) -> BTreeMap<RunId, u64> {
        let mut ticks = BTreeMap::new();
        for member in &self.members {
            *ticks.entry(member.run).or_default() += member.ticks;
        }
        ticks
    }

    /// Every tick that the run is known to have used; never less than was told before.
    fn told(&mut self, run: RunId, present: u64) -> u64 {
        let spent = self.spent.entry(run).or_default();
        spent.told = spent.told.max(spent.departed + present);
        spent.told
    }
}

/// The memory of a living process, with the file that tells it: its own, or where its first thread
/// has ended, that of another one.
fn read(pid: i32, kept: Option<StatmFile>) -> std::io::Result<(StatmFile, Statm)> {
    let with = |file: StatmFile| file.read().map(|statm| (file, statm));
    let is_told = |(_, statm): &(StatmFile, Statm)| *statm != Statm::default();
    if let Some(told) = kept.and_then(|file| with(file).ok()).filter(is_told) {
        return Ok(told);
    }
    let own = StatmFile::open(pid).and_then(with)?;
    let others = || StatmFile::of_thread(pid).and_then(|file| with(file).ok());
    if is_told(&own) { Ok(own) } else { Ok(others().unwrap_or(own)) }
}

/// Keeps the time of a member that is gone with its run, unless a member has waited for it.
fn bury(spent: &mut BTreeMap<RunId, Spent>, gone: &Member) {
    if gone.is_ours {
        spent.entry(gone.run).or_default().departed += gone.ticks;
    }
}

/// The sample of a run in the making.
fn empty_sample(run: RunId, at: Now) -> TreeSample {
    TreeSample {
        run,
        at,
        resident: Bytes(0),
        anonymous: Bytes(0),
        largest: Bytes(0),
        virtual_size: Bytes(0),
        processes: 0,
        zombies: 0,
        oldest_zombie: None,
        cpu_seconds: 0.0,
    }
}

fn descriptor_budget() -> usize {
    let soft = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
    (usize::try_from(soft).unwrap_or(usize::MAX) / KEPT_SHARE).min(KEPT_MAX)
}

#[cfg(test)]
mod tests;
