//! The sense for memory: reads every tree on an interval and tells the ledger.
//!
//! Owns the descriptors of `/proc`. One pass over `/proc` serves all runs. Whatever goes wrong here
//! costs a sample and never more: a full queue or a late tick is counted and skipped, a pass that
//! fails is said once and tried again, and nobody waits for us. When it is read is the business of
//! `rhythm`, and who is woken for that of `sampler`.
//!
//! Memory is read from `statm`, whose descriptor is kept for as long as the process lives, within
//! a budget; beyond it the file is opened for each reading.
//!
//! **CPU time of a tree** is, for each member, its own time and that of the children that it has
//! waited for. No tick is counted twice: the kernel moves a child's time to its parent in the
//! moment the child is reaped and disappears, and not before, so that zombies are still summed.
//! What an orphan had used is booked on us when we reap it; so that the tree's sum does not fall,
//! the last figure that was read of it is kept as the run's.

mod desk;
mod parts;
mod rhythm;
mod sampler;

use std::collections::{BTreeMap, BTreeSet};

use nix::sys::resource::{Resource, getrlimit};

use crate::memory::TreeSample;
use crate::memory::marker::Markers;
use crate::memory::probe::parts::Asked;
use crate::memory::proc::{self, StatmFile};
use crate::memory::stat::{ProcStat, Statm};
use crate::memory::tree::Lineage;
use crate::units::{Bytes, Now, ProcId, RunId, SessionId, Wall};

pub use sampler::watch;

/// Descriptors that are kept at most: a thousand processes are a busy container.
const KEPT_MAX: usize = 1024;
/// The share of our descriptors that the kept ones may take; the rest is for pipes and sockets.
const KEPT_SHARE: usize = 4;

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
