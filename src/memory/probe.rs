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
use crate::memory::proc::{self, StatmFile};
use crate::memory::stat::{ProcStat, Statm};
use crate::memory::tree::Lineage;
use crate::supervise::lifecycle::PhaseName;
use crate::units::{Bytes, Now, ProcId, RunId};

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
    loop {
        rhythm.hurry(scene.look(&snapshots.borrow_and_update()));
        tokio::select! {
            () = rhythm.due() => {
                let samples;
                (probe, samples) = sample_aside(probe, scene.roots.clone()).await;
                if !deliver(&entries, samples, &mut rhythm.skipped) {
                    return;
                }
            }
            changed = snapshots.changed() => if changed.is_err() { return },
        }
    }
}

/// The live runs as the last snapshot showed them.
#[derive(Debug, Default)]
struct Scene {
    roots: Vec<(RunId, ProcId)>,
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
            if process.phase == PhaseName::Stopping {
                new.stopping.push(run.run);
            }
        }
        let is_born = new.roots.iter().any(|root| !self.roots.contains(root));
        let begins_to_stop = new.stopping.iter().any(|run| !self.stopping.contains(run));
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
        let wish = Instant::now() + within;
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
) -> (Probe, Option<Vec<TreeSample>>) {
    let pass = tokio::task::spawn_blocking(move || {
        let samples = probe.sample(clock::now(), &roots);
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

/// Hands the samples over without waiting. False when nobody will ever take them.
fn deliver(
    entries: &mpsc::Sender<Entry>,
    samples: Option<Vec<TreeSample>>,
    skipped: &mut u64,
) -> bool {
    let Some(samples) = samples else {
        *skipped += 1;
        return true;
    };
    if samples.is_empty() && *skipped == 0 {
        return !entries.is_closed();
    }
    match entries.try_send(Entry::Sampled { samples, skipped: *skipped }) {
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
    pass: Vec<ProcStat>,
    /// Members of the last tick, in the order of pids.
    members: Vec<Member>,
    /// Room for those of the tick before.
    spare: Vec<Member>,
    spent: Vec<Spent>,
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
    statm: Option<StatmFile>,
    ticks: u64,
    /// Whether we are its parent, so that its time will be booked on us.
    is_ours: bool,
}

/// CPU ticks of a run, apart from those of its present members.
#[derive(Debug)]
struct Spent {
    run: RunId,
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
            pass: vec![],
            members: vec![],
            spare: vec![],
            spent: vec![],
            keep_at_most: descriptor_budget(),
            page_size: proc::page_size(),
            ticks_per_second: proc::ticks_per_second(),
            failing: false,
        }
    }

    /// One sample of each run that has a living process; a run that has none is left out.
    pub fn sample(&mut self, now: Now, roots: &[(RunId, ProcId)]) -> Vec<TreeSample> {
        if !self.look(roots) {
            return vec![];
        }
        self.spent.retain(|spent| roots.iter().any(|(run, _)| *run == spent.run));
        self.meet();
        let mut samples = vec![];
        for at in 0..self.members.len() {
            let Some(statm) = self.read(at) else { continue };
            let sample = sample_of(&mut samples, self.members[at].run, now);
            sample.processes += 1;
            sample.resident.0 += statm.resident * self.page_size;
            sample.anonymous.0 += statm.resident.saturating_sub(statm.shared) * self.page_size;
            sample.virtual_size.0 += statm.size * self.page_size;
        }
        for sample in &mut samples {
            sample.cpu_seconds = self.ticks_of(sample.run) as f64 / self.ticks_per_second as f64;
        }
        samples
    }

    /// Who is whose after the last sample.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
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
    fn meet(&mut self) {
        std::mem::swap(&mut self.members, &mut self.spare);
        let mut before = self.spare.drain(..).peekable();
        for placed in self.lineage.placed() {
            let Some(run) = placed.run else { continue };
            let id = placed.stat.id;
            while let Some(gone) = before.next_if(|known| known.id < id) {
                bury(&mut self.spent, &gone);
            }
            let known = before.next_if(|known| known.id == id);
            self.members.push(Member {
                id,
                run,
                statm: known.and_then(|known| known.statm).filter(|_| placed.stat.is_alive()),
                ticks: placed.stat.ticks(),
                is_ours: placed.stat.ppid == self.own_pid,
            });
        }
        before.for_each(|gone| bury(&mut self.spent, &gone));
        self.members.shrink_to(self.members.len().max(KEPT_MAX));
    }

    /// The memory of a member; `None` when it is a zombie or gone.
    fn read(&mut self, at: usize) -> Option<Statm> {
        let member = &mut self.members[at];
        let read = match member.statm.take() {
            Some(kept) => kept.read().map(|statm| (kept, statm)),
            None => StatmFile::open(member.id.pid)
                .and_then(|opened| opened.read().map(|statm| (opened, statm))),
        };
        match read {
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

    /// Every tick that the run is known to have used; never less than was told before.
    fn ticks_of(&mut self, run: RunId) -> u64 {
        let of_run = self.members.iter().filter(|member| member.run == run);
        let present: u64 = of_run.map(|member| member.ticks).sum();
        let spent = spent_by(&mut self.spent, run);
        spent.told = spent.told.max(spent.departed + present);
        spent.told
    }
}

/// Keeps the time of a member that is gone with its run, unless a member has waited for it.
fn bury(spent: &mut Vec<Spent>, gone: &Member) {
    if gone.is_ours {
        spent_by(spent, gone.run).departed += gone.ticks;
    }
}

fn spent_by(spent: &mut Vec<Spent>, run: RunId) -> &mut Spent {
    let at = spent.iter().position(|spent| spent.run == run).unwrap_or_else(|| {
        spent.push(Spent { run, departed: 0, told: 0 });
        spent.len() - 1
    });
    &mut spent[at]
}

/// The sample of a run in the making.
fn sample_of(samples: &mut Vec<TreeSample>, run: RunId, at: Now) -> &mut TreeSample {
    let place = samples.iter().position(|sample| sample.run == run).unwrap_or_else(|| {
        samples.push(TreeSample {
            run,
            at,
            resident: Bytes(0),
            anonymous: Bytes(0),
            virtual_size: Bytes(0),
            processes: 0,
            cpu_seconds: 0.0,
        });
        samples.len() - 1
    });
    &mut samples[place]
}

fn descriptor_budget() -> usize {
    let soft = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
    (usize::try_from(soft).unwrap_or(usize::MAX) / KEPT_SHARE).min(KEPT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::snapshot::{ProcessView, RunView};
    use crate::memory::MemoryLevel;
    use crate::units::{SessionId, Wall};
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::process::CommandExt;
    use std::process::{Child, ChildStdout, Command, Stdio};

    const RUN: RunId = RunId(7);
    /// Longer than anything here takes on a busy machine, shorter than a person's patience.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// A shell script in a group of its own, ended with its whole tree when dropped.
    struct Tree {
        main: Child,
        id: ProcId,
        output: BufReader<ChildStdout>,
    }

    impl Tree {
        fn start(script: &str) -> Self {
            let mut command = Command::new("sh");
            command.args(["-c", script]).process_group(0);
            let mut main = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let pid = main.id().cast_signed();
            let id = ProcId { pid, start_ticks: proc::start_ticks(pid).unwrap() };
            let output = BufReader::new(main.stdout.take().unwrap());
            Self { main, id, output }
        }

        fn roots(&self) -> [(RunId, ProcId); 1] {
            [(RUN, self.id)]
        }

        fn line(&mut self) -> String {
            let mut line = String::new();
            self.output.read_line(&mut line).unwrap();
            line.trim().to_owned()
        }

        fn say(&mut self, line: &str) {
            writeln!(self.main.stdin.as_mut().unwrap(), "{line}").unwrap();
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let mut lineage = Lineage::new(std::process::id().cast_signed());
            lineage.observe(&proc::scan().unwrap(), &self.roots());
            lineage.members(RUN).for_each(kill);
            let _ = self.main.wait();
        }
    }

    fn kill(id: ProcId) {
        use nix::sys::signal::{Signal, kill};
        let _ = kill(nix::unistd::Pid::from_raw(id.pid), Signal::SIGKILL);
    }

    /// Samples until the sample is as wanted.
    fn sample_until(
        probe: &mut Probe,
        tree: &Tree,
        good: impl Fn(&TreeSample) -> bool,
    ) -> TreeSample {
        let began = std::time::Instant::now();
        loop {
            let samples = probe.sample(clock::now(), &tree.roots());
            match samples.as_slice() {
                [sample] if good(sample) => return *sample,
                other => assert!(began.elapsed() < PATIENCE, "still {other:?}"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What the kernel says of resident memory in another file, in bytes.
    fn resident_by_status(pid: i32) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// `tail` keeps what has no newline, and a pipe that stays open keeps `tail`.
    const HOLDS_40_MB: &str = "{ head -c 40000000 /dev/zero; sleep 300; } | tail; :";

    #[test]
    fn a_tree_is_summed_to_what_the_kernel_says_of_its_members() {
        let tree = Tree::start(HOLDS_40_MB);
        let mut probe = Probe::new();
        let sample = sample_until(&mut probe, &tree, |sample| {
            sample.anonymous >= Bytes(40_000_000) && sample.processes >= 3
        });
        let by_status: u64 =
            probe.lineage().members(RUN).map(|id| resident_by_status(id.pid)).sum();
        let share = sample.resident.0 as f64 / by_status as f64;
        assert!((0.9..1.1).contains(&share), "{} instead of {by_status}", sample.resident.0);
        assert!(sample.anonymous < sample.resident && sample.resident < sample.virtual_size);
    }

    #[test]
    fn a_daemon_that_left_its_session_and_its_parents_stays_in_the_tree() {
        nix::sys::prctl::set_child_subreaper(true).unwrap();
        let mut tree = Tree::start(
            "setsid sh -c 'echo up; read go; sleep 300 >/dev/null & echo $!'; echo gone; sleep 300",
        );
        assert_eq!(tree.line(), "up");
        let mut probe = Probe::new();
        probe.sample(clock::now(), &tree.roots());
        tree.say("go");
        let daemon: i32 = tree.line().parse().unwrap();
        assert_eq!(tree.line(), "gone");
        let stat = proc::stat(daemon).unwrap();
        assert_eq!(stat.ppid, std::process::id().cast_signed(), "it was not orphaned");
        assert_ne!(stat.sid, tree.id.pid, "it is in the old session");
        sample_until(&mut probe, &tree, |sample| sample.processes == 3);
        assert_eq!(probe.lineage().run_of(stat.id), Some(RUN));
        kill(stat.id);
        let _ = nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(daemon), None);
        sample_until(&mut probe, &tree, |sample| sample.processes == 2);
    }

    #[test]
    fn a_run_without_a_living_process_has_no_sample() {
        let mut tree = Tree::start("exit 0");
        let mut probe = Probe::new();
        while proc::stat(tree.id.pid).unwrap().is_alive() {
            std::thread::yield_now();
        }
        assert_eq!(probe.sample(clock::now(), &tree.roots()), [], "a zombie");
        tree.main.wait().unwrap();
        assert_eq!(probe.sample(clock::now(), &tree.roots()), [], "reaped");
        assert_eq!(probe.sample(clock::now(), &[]), [], "no run at all");
    }

    #[test]
    fn descriptors_are_kept_within_the_budget_and_only_for_the_living() {
        let tree = Tree::start("sleep 300 & sleep 300 & sleep 300 & wait");
        let kept = |probe: &Probe| probe.members.iter().filter(|m| m.statm.is_some()).count();
        let mut probe = Probe::new();
        sample_until(&mut probe, &tree, |sample| sample.processes == 4);
        assert_eq!(kept(&probe), 4);
        probe.keep_at_most = 2;
        sample_until(&mut probe, &tree, |sample| sample.processes == 4);
        assert_eq!(kept(&probe), 2);
        probe.let_go(&std::io::Error::from_raw_os_error(libc::EMFILE));
        sample_until(&mut probe, &tree, |sample| sample.processes == 4);
        assert_eq!(kept(&probe), 0);
    }

    #[test]
    fn cpu_time_counts_the_children_that_were_waited_for() {
        let mut tree = Tree::start(
            "sh -c 'n=0; while [ $n -lt 200000 ]; do n=$((n+1)); done'; echo done; sleep 300",
        );
        assert_eq!(tree.line(), "done");
        let sample = sample_until(&mut Probe::new(), &tree, |sample| sample.processes == 2);
        assert!(sample.cpu_seconds > 0.0);
    }

    #[test]
    fn cpu_time_never_falls_when_an_orphan_is_reaped_by_us() {
        let mut probe = Probe::new();
        let member = |pid, ticks, is_ours| Member {
            id: ProcId { pid, start_ticks: 1 },
            run: RUN,
            statm: None,
            ticks,
            is_ours,
        };
        probe.members = vec![member(1, 10, true), member(2, 5, false), member(3, 100, true)];
        assert_eq!(probe.ticks_of(RUN), 115);
        let orphan = probe.members.pop().unwrap();
        bury(&mut probe.spent, &orphan);
        assert_eq!(probe.ticks_of(RUN), 115, "its time stays");
        let child = probe.members.pop().unwrap();
        bury(&mut probe.spent, &child);
        probe.members[0].ticks += child.ticks + 1;
        assert_eq!(probe.ticks_of(RUN), 116, "its parent has its time");
        probe.members.clear();
        assert_eq!(probe.ticks_of(RUN), 116, "nothing falls, whatever happens");
    }

    fn snapshot_of(tree: &Tree, phase: PhaseName) -> Arc<Snapshot> {
        let run = RunView {
            run: RUN,
            session: SessionId::new(Wall(0), 0),
            main: Some(tree.id),
            started: Wall(0),
            sample: None,
            peak_resident: None,
            level: MemoryLevel::Normal,
            verdict: None,
        };
        let process = ProcessView {
            name: "web".into(),
            phase,
            run: Some(run),
            restarts: 0,
            exits: Default::default(),
            spawn_failures: Default::default(),
            forced_kills: 0,
            crash_loops: 0,
            last_status: None,
            last_exit: None,
            cpu_seconds_ended: 0.0,
            thresholds: Default::default(),
            agent: None,
            leaks_suspected: 0,
        };
        Arc::new(Snapshot { processes: vec![process], ..Default::default() })
    }

    async fn next_sample(entries: &mut mpsc::Receiver<Entry>) -> TreeSample {
        loop {
            let next = tokio::time::timeout(PATIENCE, entries.recv());
            match next.await.expect("no sample in time") {
                Some(Entry::Sampled { samples, .. }) if !samples.is_empty() => return samples[0],
                Some(_) => {}
                None => panic!("the probe ended"),
            }
        }
    }

    #[tokio::test]
    async fn a_new_run_and_one_that_stops_are_sampled_between_two_ticks() {
        let tree = Tree::start("sleep 300");
        let (snapshots, seen) = tokio::sync::watch::channel(Arc::new(Snapshot::default()));
        let (entries, mut told) = mpsc::channel(16);
        let hour = Duration::from_secs(3600);
        let probe = tokio::spawn(watch(hour, seen, entries));
        // The first tick finds no run, so that what follows comes from the two wishes alone.
        tokio::time::sleep(Duration::from_millis(50)).await;
        snapshots.send_replace(snapshot_of(&tree, PhaseName::Ready));
        assert_eq!(next_sample(&mut told).await.run, RUN);
        snapshots.send_replace(snapshot_of(&tree, PhaseName::Stopping));
        assert!(next_sample(&mut told).await.resident > Bytes(0));
        drop(snapshots);
        tokio::time::timeout(PATIENCE, probe).await.unwrap().unwrap();
    }

    #[test]
    fn only_what_is_new_in_a_snapshot_is_worth_an_extra_sample() {
        let tree = Tree::start("sleep 300");
        let mut scene = Scene::default();
        let ready = snapshot_of(&tree, PhaseName::Ready);
        let stopping = snapshot_of(&tree, PhaseName::Stopping);
        for (snapshot, expected) in [
            (&Arc::default(), None),
            (&ready, Some(SETTLING)),
            (&ready, None),
            (&stopping, Some(Duration::ZERO)),
            (&stopping, None),
            (&Arc::default(), None),
        ] {
            assert_eq!(scene.look(snapshot), expected);
        }
    }

    #[tokio::test]
    async fn late_ticks_are_counted() {
        let mut rhythm = Rhythm::new(Duration::from_secs(5));
        let start = Instant::now();
        for (second, skipped) in [(0, 0), (5, 0), (10, 0), (25, 2), (30, 2), (40, 3)] {
            rhythm.count_skipped(start + Duration::from_secs(second));
            assert_eq!(rhythm.skipped, skipped, "at {second} s");
        }
    }

    #[test]
    fn a_full_queue_costs_a_sample_and_is_counted() {
        let (entries, mut told) = mpsc::channel(1);
        let mut skipped = 0;
        let one = || {
            let sample = *sample_of(&mut vec![], RUN, Now::default());
            Some(vec![sample])
        };
        assert!(deliver(&entries, one(), &mut skipped));
        assert!(deliver(&entries, one(), &mut skipped));
        assert!(deliver(&entries, one(), &mut skipped));
        assert_eq!(skipped, 2);
        told.try_recv().unwrap();
        assert!(deliver(&entries, one(), &mut skipped));
        assert!(matches!(told.try_recv(), Ok(Entry::Sampled { skipped: 2, .. })));
        assert_eq!(skipped, 0);
        drop(told);
        assert!(!deliver(&entries, one(), &mut skipped));
    }
}
