//! Who is left of a run, and of all of us: the same lineage that memory is counted by, read on the
//! spot. Signals go to members by a hold on each; where the kernel gives none, by pid and start time,
//! and never by a bare number.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::time::Duration;

use crate::clock;
use crate::init::sys::{self, PidFd};
use crate::memory::marker::Markers;
use crate::memory::proc;
use crate::memory::stat::ProcStat;
use crate::memory::tree::Lineage;
use crate::supervise::fact::Holder;
use crate::units::{Mono, ProcId, RunId, SessionId, Signal};

/// The shortest time between two looks while somebody waits for a tree to empty.
const SHORTEST_REST: Duration = Duration::from_millis(10);
/// How many times longer than a look we rest after it, so that a table of ten thousand processes
/// does not keep us from reaping.
const REST_FACTOR: u32 = 10;

/// How long a look is good for a further signal: what two signals of one wave are meant for.
const JUST_NOW: Duration = Duration::from_millis(2);

/// How long a tree is not taken for empty while it is unknown whose strangers are: in a storm of forks
/// they are the tree's. One whose environment cannot be read for longer may be anybody's.
const UNKNOWN: Duration = Duration::from_millis(250);

/// The lineage of everything below us, and the trees that somebody waits for.
pub struct Kin {
    own_pid: i32,
    lineage: Lineage,
    markers: Markers,
    pass: Vec<ProcStat>,
    awaited: BTreeSet<RunId>,
    /// Runs whose trees were sent SIGKILL, with everybody who was sent it.
    condemned: BTreeMap<RunId, BTreeSet<ProcId>>,
    /// Since when there has been somebody of whom it is not known yet whose it is.
    unknown_since: Option<Mono>,
    /// When the last look was begun.
    began: Mono,
    /// When the last look was over.
    looked: Mono,
    look_at: Mono,
}

impl Kin {
    /// Knows nobody yet.
    pub fn new(own_pid: i32) -> Self {
        Self {
            own_pid,
            lineage: Lineage::new(own_pid),
            markers: Markers::new(),
            pass: Vec::new(),
            awaited: BTreeSet::new(),
            condemned: BTreeMap::new(),
            unknown_since: None,
            began: Mono(0),
            looked: Mono(0),
            look_at: Mono(0),
        }
    }

    /// Looks now. `roots` are the runs that matter with their main processes, dead ones included.
    pub fn look(&mut self, roots: &[(RunId, ProcId)], sessions: &[(RunId, SessionId)]) {
        self.began = clock::now().mono;
        // What was not known long ago says nothing of who is unknown now.
        let known_to_be_behind =
            self.unknown_since.filter(|_| self.began.since(self.looked) < UNKNOWN);
        // Without /proc nothing can be learnt, and what was learnt stays.
        if proc::scan_into(&mut self.pass).is_ok() {
            self.lineage.observe(&self.pass, roots);
            self.markers.place(&mut self.lineage, sessions);
        }
        self.looked = clock::now().mono;
        let since = known_to_be_behind.unwrap_or(self.looked);
        self.unknown_since = self.markers.are_behind().then_some(since);
        let took = self.looked.since(self.began);
        self.look_at = self.looked.after(SHORTEST_REST.max(took * REST_FACTOR));
    }

    /// Places those who came to us and of whom lineage knows nothing, by what else is known of them.
    pub fn place(&mut self, run_of: impl Fn(i32) -> Option<RunId>) {
        let known = |id: ProcId| run_of(id.pid).map(|run| (id, run));
        let learnt: Vec<(ProcId, RunId)> = self.lineage.strangers().filter_map(known).collect();
        self.lineage.place(&learnt);
    }

    /// Whether the last look was only just now.
    pub fn has_just_looked(&self) -> bool {
        self.looked > Mono(0) && clock::now().mono.since(self.looked) < JUST_NOW
    }

    /// Whether the last look was begun and done after this, and nobody is known to be new since.
    pub fn has_looked_since(&self, since: Mono) -> bool {
        self.looked > Mono(0) && self.began >= since
    }

    /// There is somebody new, of whom the last look knows nothing.
    pub fn expire_look(&mut self) {
        self.looked = Mono(0);
    }

    /// Whether we have a child that is not among these pids, which are in order. Whoever is left of a
    /// run whose main process was reaped is our child by now, or below one that is; so that where
    /// all children are known nobody is left, and no table has to be read. Yes where it cannot be
    /// told.
    pub fn has_strangers(&self, known: &[i32]) -> bool {
        let children = proc::children(self.own_pid);
        children.map_or(true, |pids| pids.iter().any(|pid| known.binary_search(pid).is_err()))
    }

    /// Whether anything of the run's tree lives, by the last look.
    pub fn lives(&self, run: RunId) -> bool {
        self.lineage.members(run).next().is_some()
    }

    /// The living processes of the run's tree, by the last look.
    pub fn members(&self, run: RunId) -> impl Iterator<Item = ProcId> + '_ {
        self.lineage.members(run)
    }

    /// How many processes of the run's tree live, by the last look.
    pub fn size(&self, run: RunId) -> u32 {
        u32::try_from(self.lineage.members(run).count()).unwrap_or(u32::MAX)
    }

    /// Sends a signal to every living member of a run's tree, by the last look.
    pub fn signal_tree(&self, run: RunId, signal: Signal) {
        for id in self.lineage.members(run) {
            signal_verified(id, signal);
        }
    }

    /// Sends a signal to every living member of a run's tree that is not in this group, by the last
    /// look.
    pub fn signal_outsiders(&self, run: RunId, group: i32, signal: Signal) {
        for id in self.lineage.members(run).filter(|id| !sys::is_in_group(id.pid, group)) {
            signal_verified(id, signal);
        }
    }

    /// The run that a dead process was of, by the last look, which must have seen this very one.
    pub fn run_of_dead(&self, pid: i32) -> Option<RunId> {
        let placed = self.lineage.placed();
        let at = placed.binary_search_by_key(&pid, |placed| placed.stat.id.pid).ok()?;
        placed[at].run.filter(|_| is_same(placed[at].stat.id))
    }

    /// Who is left of a run, by the last look: a few of them by name.
    pub fn holders(&self, run: RunId) -> Vec<Holder> {
        let placed = self.lineage.placed().iter();
        let left = placed.filter(|placed| placed.run == Some(run) && placed.stat.is_alive());
        // Who cannot be killed is who matters most.
        let mut left: Vec<_> = left.map(|placed| (placed.stat.state, placed.stat.id)).collect();
        left.sort_by_key(|(state, _)| *state != b'D');
        left.truncate(Holder::MOST);
        let name =
            |(state, id): (u8, ProcId)| Holder { id, name: name(id.pid), state: state.into() };
        left.into_iter().map(name).collect()
    }

    /// The run's tree was sent SIGKILL: whoever is of it from now on was born meanwhile.
    pub fn condemn(&mut self, run: RunId) {
        let struck: Vec<ProcId> = self.lineage.members(run).collect();
        self.condemned.entry(run).or_default().extend(struck);
    }

    /// Those of condemned trees who were born since, by the last look; each is told of once.
    pub fn newborn(&mut self) -> Vec<ProcId> {
        let mut all = Vec::new();
        for (run, struck) in &mut self.condemned {
            all.extend(self.lineage.members(*run).filter(|id| struck.insert(*id)));
        }
        all
    }

    /// Whether it is of one of our runs, by the last look.
    pub fn is_of_a_run(&self, id: ProcId) -> bool {
        let placed = self.lineage.placed();
        let at = placed.binary_search_by_key(&id.pid, |placed| placed.stat.id.pid);
        at.is_ok_and(|at| placed[at].run.is_some())
    }

    /// Every living descendant of ours, by the last look.
    pub fn everybody(&self) -> Vec<ProcId> {
        self.lineage.descendants(self.own_pid)
    }

    /// The run is over, and nobody waits for its tree any more.
    pub fn forget(&mut self, run: RunId) {
        self.condemned.remove(&run);
        self.awaited.remove(&run);
    }

    /// Sends a signal to every living descendant of ours, by the last look. Where `/proc` does not
    /// show even us, the first process of a namespace can still reach all of it.
    pub fn signal_all(&self, signal: Signal) {
        if signal == Signal::KILL && sys::signal_namespace(signal).is_ok() {
            // In one stroke, so that nobody is born meanwhile. It all ends with us in any case.
            return;
        }
        if self.pass.iter().all(|process| process.id.pid != self.own_pid) {
            // As anybody else we reach nobody then: groups were signalled by their leaders.
            let _ = sys::signal_namespace(signal);
        }
        for id in self.everybody() {
            signal_verified(id, signal);
        }
    }

    /// Somebody wants to know when this run's tree is empty.
    pub fn await_tree(&mut self, run: RunId) {
        self.awaited.insert(run);
        self.look_at = Mono(0);
    }

    /// When to look again, while somebody waits.
    pub fn deadline(&self) -> Option<Mono> {
        (!self.awaited.is_empty()).then_some(self.look_at)
    }

    /// When to look again because by the last look it is not known whose somebody is; `None` where
    /// that is known, or where it takes so long that nobody waits for it.
    pub fn unsure_until(&self) -> Option<Mono> {
        let since = self.unknown_since?;
        (self.looked.since(since) < UNKNOWN).then_some(self.look_at)
    }

    /// The awaited trees that are empty, by the last look; nobody waits for them any more.
    pub fn emptied(&mut self) -> Vec<RunId> {
        if self.unsure_until().is_some() {
            return Vec::new();
        }
        let empty: Vec<RunId> =
            self.awaited.iter().copied().filter(|run| !self.lives(*run)).collect();
        self.awaited.retain(|run| !empty.contains(run));
        empty
    }

    /// Every awaited tree: all of them are empty, because we have no descendant at all.
    pub fn all_emptied(&mut self) -> Vec<RunId> {
        std::mem::take(&mut self.awaited).into_iter().collect()
    }
}

/// Takes hold of the process that is meant. The hold is taken first, and only then is its start time
/// compared, so that the pid cannot change hands in between.
pub fn hold(id: ProcId) -> io::Result<PidFd> {
    let hold = PidFd::open(id.pid)?;
    if is_same(id) { Ok(hold) } else { Err(io::Error::from_raw_os_error(libc::ESRCH)) }
}

/// Sends a signal to the process that is meant, or to nobody. Where the kernel gives no hold (an old
/// one, a sandbox, a strict filter), the start time has to do.
pub fn signal_verified(id: ProcId, signal: Signal) {
    let sent = hold(id).and_then(|hold| hold.signal(signal));
    let gone = |error: &io::Error| error.raw_os_error() == Some(libc::ESRCH);
    if sent.is_err_and(|error| !gone(&error)) && is_same(id) {
        // Gone already is what was wanted.
        let _ = sys::signal_pid(id.pid, signal);
    }
}

fn is_same(id: ProcId) -> bool {
    proc::start_ticks(id.pid).is_ok_and(|ticks| ticks == id.start_ticks)
}

/// The kernel's short name of a process, fit for a line of log.
fn name(pid: i32) -> String {
    let name = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    let name = String::from_utf8_lossy(name.trim_ascii_end());
    name.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stranger's environment takes a while to be read: a busy machine, a page that is swapped out.
    #[test]
    fn whose_a_stranger_is_takes_a_while_and_is_waited_for_but_not_for_ever() {
        let mut stranger = std::process::Command::new("sleep").arg("60").spawn().expect("a child");
        let main = ProcId { pid: i32::MAX, start_ticks: 0 };
        let session = SessionId::new(crate::units::Wall(0), 1);
        let unsure = |read: fn(ProcId) -> Option<SessionId>, looks: u32, apart: Duration| {
            let mut kin = Kin::new(std::process::id().cast_signed());
            kin.markers = Markers::reading_by(read);
            let mut look = || {
                kin.look(&[(RunId(1), main)], &[(RunId(1), session)]);
                let unsure = kin.unsure_until().is_some();
                std::thread::sleep(apart);
                unsure
            };
            (0..looks).map(|_| look()).collect::<Vec<_>>()
        };
        let hang: fn(ProcId) -> Option<SessionId> = |_| {
            std::thread::sleep(Duration::from_secs(60));
            None
        };
        let slow: fn(ProcId) -> Option<SessionId> = |_| {
            std::thread::sleep(Duration::from_millis(100));
            None
        };
        let known = unsure(slow, 2, Duration::from_secs(5));
        assert_eq!(known, [true, false], "it was read meanwhile");
        let given_up = unsure(hang, 20, Duration::from_millis(30));
        assert!(given_up[0] && !given_up[19], "{given_up:?}");
        stranger.kill().and_then(|()| stranger.wait()).expect("an end");
    }

    #[test]
    fn a_look_serves_its_turn_until_somebody_is_new() {
        let mut kin = Kin::new(std::process::id().cast_signed());
        let woke = clock::now().mono;
        assert!(!kin.has_looked_since(woke));
        kin.look(&[], &[]);
        assert!(kin.has_looked_since(woke));
        assert!(!kin.has_looked_since(clock::now().mono.after(Duration::from_nanos(1))));
        kin.expire_look();
        assert!(!kin.has_looked_since(woke));
    }
}
