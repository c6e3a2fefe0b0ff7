//! Which living processes belong to which run, wherever they were reparented to.
//!
//! Owns what was learnt from one pass over `/proc` to the next, and refuses to look anything up
//! itself: passes and roots are arguments. The rules, in order:
//!
//! 1. A process that descends from a run's main process by parent links is of that run.
//! 2. A process that was placed before stays placed, though its parents died and it became ours.
//!    Pids are reused, so that "the same" means the same pid and the same start time.
//! 3. A process in a session or a process group that a run has *claimed* is of that run. Claimed
//!    are the numbers of its main process, and of every process that was placed before: a
//!    daemon's child carries them even where its parent came and went between two passes.
//! 4. The children of all these.
//!
//! What is left is unattributed: what the container runtime executed beside us, and orphans that
//! were born and detached between two passes.
//!
//! **When a claim ends.** The kernel does not hand out a number again while a session or a group
//! carries it. So a claim holds for as long as each pass finds a member; it ends with the pass
//! that finds none, and when the pid of that number lives but is not the run's, because then the
//! number is somebody else's by now. What remains is a number that is freed and taken twice
//! between two passes, which needs every pid of the machine to be used once meanwhile.
//!
//! State is two lists of 72 bytes for each process (the last pass and room for the next) and 16
//! for each claim. The dead are forgotten with the pass that does not find them.

use crate::memory::stat::ProcStat;
use crate::units::{ProcId, RunId};

/// Room for this many processes is kept however few live: a thousand is a busy container.
const ROOM_KEPT: usize = 1000;

/// What is known of the lineage of all processes after the last pass.
#[derive(Debug)]
pub struct Lineage {
    own_pid: i32,
    /// In order.
    roots: Vec<(RunId, ProcId)>,
    /// Of the last pass, in the order of pids.
    placed: Vec<Placed>,
    /// In order, without duplicates.
    claims: Vec<Claim>,
    /// Room for the pass before, kept so that a pass allocates nothing.
    spare: Vec<Placed>,
}

/// A process of the last pass, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The process.
    pub stat: ProcStat,
    /// Its run; `None` where it could not be placed.
    pub run: Option<RunId>,
    /// Scratch of the walk: looked at already, nothing found above.
    barren: bool,
}

/// A session or group number whose holders are of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    number: i32,
    run: RunId,
}

impl Lineage {
    /// Knows nothing yet. `own_pid` is ours: lineage never passes through us.
    pub fn new(own_pid: i32) -> Self {
        Self { own_pid, roots: vec![], placed: vec![], claims: vec![], spare: vec![] }
    }

    /// Takes in one pass. `roots` are the runs that still matter with their main processes, dead
    /// ones included while it matters who is left of them; what is no root any more is forgotten.
    pub fn observe(&mut self, pass: &[ProcStat], roots: &[(RunId, ProcId)]) {
        self.begin(pass);
        self.claim_for_new(roots);
        self.place_roots();
        self.inherit();
        self.place_known();
        self.place_claimed();
        self.inherit();
        self.renew_claims();
    }

    /// The living processes of a run, its main one included.
    pub fn members(&self, run: RunId) -> impl Iterator<Item = ProcId> + '_ {
        self.placed
            .iter()
            .filter(move |placed| placed.run == Some(run) && placed.stat.is_alive())
            .map(|placed| placed.stat.id)
    }

    /// Those that belong to no run and came to us: our children, though we know no reason.
    pub fn strangers(&self) -> impl Iterator<Item = ProcId> + '_ {
        let came_to_us =
            |placed: &&Placed| placed.run.is_none() && placed.stat.ppid == self.own_pid;
        let alive = |placed: &&Placed| placed.stat.is_alive();
        self.placed.iter().filter(came_to_us).filter(alive).map(|placed| placed.stat.id)
    }

    /// Places processes of the last pass of which it was learnt otherwise whose they are, and all
    /// that descends from them. Runs that are no roots are passed over.
    pub fn place(&mut self, learnt: &[(ProcId, RunId)]) {
        let mut placed_one = false;
        for (id, run) in learnt {
            let is_root = is_among(&self.roots, *run);
            let Some(at) = find(&self.placed, id.pid).filter(|_| is_root) else { continue };
            let placed = &mut self.placed[at];
            if placed.stat.id == *id && placed.run.is_none() {
                placed.run = Some(*run);
                placed_one = true;
            }
        }
        if placed_one {
            self.inherit();
            self.renew_claims();
        }
    }

    /// Every process of the last pass, zombies included, in the order of pids.
    pub fn placed(&self) -> &[Placed] {
        &self.placed
    }

    /// The living descendants of a process by parent links alone, in the order of pids. Asked for
    /// ourselves, that is all that we have to answer for.
    pub fn descendants(&self, of: i32) -> Vec<ProcId> {
        let is_below = |start: usize| {
            let mut at = start;
            for _ in 0..self.placed.len() {
                match parent(&self.placed, at) {
                    _ if self.placed[at].stat.ppid == of => return true,
                    Some(above) => at = above,
                    None => return false,
                }
            }
            false
        };
        (0..self.placed.len())
            .filter(|at| self.placed[*at].stat.is_alive() && is_below(*at))
            .map(|at| self.placed[at].stat.id)
            .collect()
    }

    /// Puts the last pass aside and the new one in its place, nothing placed.
    fn begin(&mut self, pass: &[ProcStat]) {
        std::mem::swap(&mut self.placed, &mut self.spare);
        self.placed.clear();
        self.placed.shrink_to(pass.len().max(ROOM_KEPT));
        self.placed.extend(pass.iter().map(|stat| Placed {
            stat: *stat,
            run: None,
            barren: false,
        }));
        self.placed.sort_unstable_by_key(|placed| placed.stat.id.pid);
    }

    /// A new root claims the number of its main process before anybody was seen to carry it.
    fn claim_for_new(&mut self, roots: &[(RunId, ProcId)]) {
        let mut sorted = roots.to_vec();
        sorted.sort_unstable();
        let before = std::mem::replace(&mut self.roots, sorted);
        let new = self.roots.iter().filter(|root| before.binary_search(root).is_err());
        self.claims.retain(|claim| is_among(&self.roots, claim.run));
        self.claims.extend(new.map(|(run, main)| Claim { number: main.pid, run: *run }));
        self.sort_claims();
    }

    fn place_roots(&mut self) {
        for (run, main) in &self.roots {
            let Some(at) = find(&self.placed, main.pid) else { continue };
            if self.placed[at].stat.id == *main {
                self.placed[at].run = Some(*run);
            }
        }
    }

    /// Both passes are in the order of pids, so that they are gone through side by side.
    fn place_known(&mut self) {
        let mut before = self.spare.iter().peekable();
        for placed in &mut self.placed {
            let pid = placed.stat.id.pid;
            while before.next_if(|known| known.stat.id.pid < pid).is_some() {}
            let Some(known) = before.peek() else { break };
            let still_matters = |run: &RunId| is_among(&self.roots, *run);
            if placed.run.is_none() && known.stat.id == placed.stat.id {
                placed.run = known.run.filter(still_matters);
            }
        }
    }

    fn place_claimed(&mut self) {
        for at in 0..self.placed.len() {
            let Placed { stat, run: None, .. } = self.placed[at] else { continue };
            self.placed[at].run = self.claimant(stat.sid).or_else(|| self.claimant(stat.pgid));
        }
    }

    /// The one run that claims a number, as long as a living holder of the pid does not speak
    /// against it. Two runs can only share a number when a process joined a group of the other's:
    /// then it proves nothing.
    fn claimant(&self, number: i32) -> Option<RunId> {
        let first = self.claims.partition_point(|claim| claim.number < number);
        let mut same = self.claims[first..].iter().take_while(|claim| claim.number == number);
        let run = same.next()?.run;
        let is_leader_of_run = |at: usize| self.placed[at].run == Some(run);
        (same.next().is_none() && find(&self.placed, number).is_none_or(is_leader_of_run))
            .then_some(run)
    }

    /// Gives every process without a run that of its nearest ancestor with one.
    fn inherit(&mut self) {
        self.placed.iter_mut().for_each(|placed| placed.barren = false);
        for start in 0..self.placed.len() {
            let found = self.nearest_above(start);
            self.spread(start, found);
        }
    }

    /// The run of the nearest process from `start` upwards that has one. Bounded, because links
    /// that were read one after the other may form a ring.
    fn nearest_above(&self, start: usize) -> Option<RunId> {
        let mut at = start;
        for _ in 0..self.placed.len() {
            let placed = &self.placed[at];
            if placed.run.is_some() || placed.barren || placed.stat.id.pid == self.own_pid {
                return placed.run;
            }
            at = parent(&self.placed, at)?;
        }
        None
    }

    /// Notes what was found for all that were passed on the way, so that none is walked twice.
    fn spread(&mut self, start: usize, found: Option<RunId>) {
        let mut at = Some(start);
        while let Some(here) = at {
            let placed = &mut self.placed[here];
            if placed.run.is_some() || placed.barren {
                return;
            }
            placed.run = found;
            placed.barren = found.is_none();
            at = parent(&self.placed, here);
        }
    }

    /// Claims the numbers that placed processes carry now. Ours are never claimed: runs that were
    /// given no session of their own share them.
    fn renew_claims(&mut self) {
        let own = find(&self.placed, self.own_pid).map(|at| self.placed[at].stat);
        self.claims.clear();
        let Some(own) = own else { return };
        let is_foreign = |number: &i32| *number > 0 && ![own.sid, own.pgid].contains(number);
        for placed in &self.placed {
            let Some(run) = placed.run else { continue };
            let numbers = [placed.stat.sid, placed.stat.pgid].into_iter().filter(is_foreign);
            self.claims.extend(numbers.map(|number| Claim { number, run }));
        }
        self.sort_claims();
    }

    fn sort_claims(&mut self) {
        self.claims.sort_unstable();
        self.claims.dedup();
    }
}

/// The place of a pid in a list that is in the order of pids.
fn find(placed: &[Placed], pid: i32) -> Option<usize> {
    placed.binary_search_by_key(&pid, |placed| placed.stat.id.pid).ok()
}

/// The place of the parent. A parent that is younger than its child is another process by now,
/// that was given the pid of the one that died while the pass went on.
fn parent(placed: &[Placed], child: usize) -> Option<usize> {
    let child = &placed[child].stat;
    let at = find(placed, child.ppid)?;
    (placed[at].stat.id.start_ticks <= child.id.start_ticks).then_some(at)
}

/// Whether a run is one of these roots, which are in order.
fn is_among(roots: &[(RunId, ProcId)], run: RunId) -> bool {
    roots.binary_search_by_key(&run, |(root, _)| *root).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: i32 = 1;
    const A: RunId = RunId(1);
    const B: RunId = RunId(2);

    /// A sleeping process that was born at its own pid's tick.
    fn process(pid: i32, ppid: i32, pgid: i32, sid: i32) -> ProcStat {
        let id = ProcId { pid, start_ticks: pid.unsigned_abs().into() };
        ProcStat { id, ppid, pgid, sid, state: b'S', threads: 1, own_ticks: 0, waited_ticks: 0 }
    }

    /// The same pid, taken again later.
    fn reused(pid: i32, ppid: i32, pgid: i32, sid: i32) -> ProcStat {
        let later = ProcId { pid, start_ticks: 1_000_000 };
        ProcStat { id: later, ..process(pid, ppid, pgid, sid) }
    }

    fn zombie(stat: ProcStat) -> ProcStat {
        ProcStat { state: b'Z', ..stat }
    }

    fn main_of(run: RunId, pid: i32) -> (RunId, ProcId) {
        (run, process(pid, OURS, pid, pid).id)
    }

    #[test]
    fn what_is_learnt_otherwise_holds_for_all_below_and_for_the_next_pass() {
        let stranger = process(20, OURS, 20, 20);
        let pass = [process(OURS, 0, 1, 1), stranger, process(21, 20, 21, 21)];
        let mut lineage = Lineage::new(OURS);
        lineage.observe(&pass, &[main_of(A, 10)]);
        assert_eq!(lineage.strangers().collect::<Vec<_>>(), [stranger.id]);
        lineage.place(&[(stranger.id, B), (reused(20, OURS, 20, 20).id, A)]);
        assert_eq!(lineage.members(A).count() + lineage.members(B).count(), 0, "no root, no pid");
        lineage.place(&[(stranger.id, A)]);
        assert_eq!(lineage.members(A).count(), 2);
        lineage.observe(&pass, &[main_of(A, 10)]);
        assert_eq!(lineage.members(A).count(), 2);
        assert_eq!(lineage.strangers().count(), 0);
    }

    /// Runs passes, each with us as pid 1 in front, and says who is whose after the last.
    fn check(roots: &[(RunId, ProcId)], passes: &[&[ProcStat]], a: &[i32], nobody: &[i32]) {
        let mut lineage = Lineage::new(OURS);
        for pass in passes {
            let mut pass = pass.to_vec();
            pass.push(process(OURS, 0, 1, 1));
            lineage.observe(&pass, roots);
        }
        let members: Vec<i32> = lineage.members(A).map(|id| id.pid).collect();
        let unplaced = lineage.placed().iter().filter(|placed| placed.run.is_none());
        let unplaced = unplaced.filter(|placed| placed.stat.is_alive()).map(|p| p.stat.id.pid);
        let unplaced: Vec<i32> = unplaced.filter(|pid| *pid != OURS).collect();
        assert_eq!(members, a, "members of the run");
        assert_eq!(unplaced, nobody, "unattributed");
    }

    #[test]
    fn descendants_belong_to_the_run_in_whatever_session_they_are() {
        let pass = [
            process(10, 1, 10, 10),
            process(11, 10, 10, 10),
            process(12, 11, 12, 12),
            process(20, 1, 20, 20),
            process(21, 20, 20, 20),
        ];
        check(&[main_of(A, 10), main_of(B, 20)], &[&pass], &[10, 11, 12], &[]);
    }

    #[test]
    fn a_parent_with_a_higher_pid_than_its_child_is_still_its_parent() {
        // Pids wrapped around between the two births; start times did not.
        let mut child = process(5, 30_000, 10, 10);
        child.id.start_ticks = 40_000;
        let pass = [process(10, 1, 10, 10), process(30_000, 10, 10, 10), child];
        check(&[main_of(A, 10)], &[&pass], &[5, 10, 30_000], &[]);
    }

    #[test]
    fn a_daemon_that_was_seen_once_stays_when_it_becomes_ours() {
        let before = [process(10, 1, 10, 10), process(11, 10, 10, 10), process(12, 11, 12, 12)];
        let after = [process(10, 1, 10, 10), process(12, 1, 12, 12)];
        check(&[main_of(A, 10)], &[&before, &after, &after], &[10, 12], &[]);
    }

    #[test]
    fn children_of_a_detached_daemon_are_placed_with_it() {
        let before = [process(10, 1, 10, 10), process(12, 10, 12, 12)];
        let after = [process(12, 1, 12, 12), process(13, 12, 13, 13), process(14, 13, 14, 14)];
        check(&[main_of(A, 10)], &[&before, &after], &[12, 13, 14], &[]);
    }

    #[test]
    fn a_detached_process_in_the_session_or_group_of_the_main_one_is_placed_at_first_sight() {
        let by_session = process(40, 1, 39, 10);
        let by_group = process(41, 1, 10, 1);
        let pass = [process(10, 1, 10, 10), by_session, by_group];
        check(&[main_of(A, 10)], &[&pass], &[10, 40, 41], &[]);
    }

    #[test]
    fn who_is_left_is_known_though_the_main_process_is_reaped_before_the_first_pass() {
        let pass = [process(11, 1, 10, 10), process(12, 11, 12, 12), process(13, 1, 13, 13)];
        check(&[main_of(A, 10)], &[&pass], &[11, 12], &[13]);
    }

    #[test]
    fn a_session_that_a_placed_daemon_opened_is_claimed_too() {
        let before = [process(10, 1, 10, 10), process(12, 10, 12, 12)];
        let after = [process(10, 1, 10, 10), process(15, 1, 12, 12)];
        check(&[main_of(A, 10)], &[&before, &after], &[10, 15], &[]);
    }

    #[test]
    fn a_reused_pid_of_the_main_process_is_not_the_run() {
        let before = [process(10, 1, 10, 10)];
        let after = [reused(10, 1, 10, 10), process(50, 10, 10, 10)];
        check(&[main_of(A, 10)], &[&before, &after], &[], &[10, 50]);
        check(&[main_of(A, 10)], &[&after], &[], &[10, 50]);
    }

    #[test]
    fn a_claim_ends_with_the_pass_that_finds_no_holder() {
        let before = [process(10, 1, 10, 10)];
        let later = [process(50, 1, 10, 10)];
        check(&[main_of(A, 10)], &[&before, &[], &later], &[], &[50]);
        check(&[main_of(A, 10)], &[&before, &later], &[50], &[]);
    }

    #[test]
    fn a_known_process_whose_pid_was_reused_is_forgotten() {
        let before = [process(10, 1, 10, 10), process(12, 10, 12, 12)];
        let after = [process(10, 1, 10, 10), reused(12, 1, 12, 12)];
        check(&[main_of(A, 10)], &[&before, &after], &[10], &[12]);
    }

    #[test]
    fn sharing_our_session_or_group_proves_nothing() {
        let before = [process(10, 1, 1, 1)];
        let after = [process(10, 1, 1, 1), process(60, 1, 1, 1), process(61, 0, 0, 0)];
        check(&[main_of(A, 10)], &[&before, &after], &[10], &[60, 61]);
    }

    #[test]
    fn a_group_that_two_runs_share_proves_nothing() {
        let joined = process(21, 20, 10, 1);
        let before = [process(10, 1, 10, 1), process(20, 1, 20, 1), joined];
        let after = [process(10, 1, 10, 1), process(20, 1, 20, 1), process(70, 1, 10, 1)];
        check(&[main_of(A, 10), main_of(B, 20)], &[&before, &after], &[10], &[70]);
    }

    #[test]
    fn zombies_are_placed_but_not_living() {
        let dead = zombie(process(10, 1, 10, 10));
        let pass = [dead, process(11, 1, 10, 10)];
        check(&[main_of(A, 10)], &[&pass], &[11], &[]);
    }

    #[test]
    fn a_process_whose_first_thread_has_ended_lives() {
        let headless = ProcStat { threads: 2, ..zombie(process(11, 1, 11, 10)) };
        let pass = [process(10, 1, 10, 10), headless, process(12, 11, 12, 12)];
        check(&[main_of(A, 10)], &[&pass], &[10, 11, 12], &[]);
        let mut lineage = Lineage::new(OURS);
        lineage.observe(&pass, &[]);
        assert_eq!(lineage.descendants(OURS).len(), 3);
    }

    #[test]
    fn a_parent_that_is_younger_than_its_child_is_another_process() {
        let pass = [process(10, 1, 10, 10), reused(11, 10, 10, 10), process(12, 11, 12, 12)];
        check(&[main_of(A, 10)], &[&pass], &[10, 11], &[12]);
    }

    #[test]
    fn links_in_a_ring_end() {
        let mut one = process(30, 31, 30, 30);
        one.id.start_ticks = 31;
        let pass = [process(10, 1, 10, 10), one, process(31, 30, 31, 31)];
        check(&[main_of(A, 10)], &[&pass], &[10], &[30, 31]);
    }

    #[test]
    fn what_is_no_root_any_more_is_forgotten() {
        let mut lineage = Lineage::new(OURS);
        let left = [process(1, 0, 1, 1), process(11, 1, 10, 10)];
        lineage.observe(&left, &[main_of(A, 10)]);
        assert!(lineage.members(A).any(|id| id == left[1].id));
        lineage.observe(&left, &[]);
        assert!(lineage.members(A).all(|id| id != left[1].id));
        lineage.observe(&[], &[]);
        assert!(lineage.claims.is_empty() && lineage.placed.is_empty());
    }

    #[test]
    fn descendants_are_found_by_links_alone() {
        let mut lineage = Lineage::new(OURS);
        let pass = [
            process(1, 0, 1, 1),
            process(10, 1, 10, 10),
            zombie(process(11, 10, 10, 10)),
            process(12, 10, 12, 12),
            process(13, 12, 12, 12),
            process(80, 0, 80, 80),
        ];
        lineage.observe(&pass, &[]);
        let pids = |of| lineage.descendants(of).iter().map(|id| id.pid).collect::<Vec<_>>();
        assert_eq!(pids(1), [10, 12, 13]);
        assert_eq!(pids(10), [12, 13]);
        assert!(pids(13).is_empty());
        assert!(pids(999).is_empty());
    }
}
