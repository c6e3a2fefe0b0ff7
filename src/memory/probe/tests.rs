//! Real trees against what the kernel says of them.

use super::sampler::{Scene, Tick, deliver};
use super::*;
use crate::clock;
use crate::config::plan::ProcessPlan;
use crate::ledger::entry::Entry;
use crate::ledger::snapshot::{ProcessView, RunView, Snapshot};
use crate::supervise::lifecycle::PhaseName;
use crate::units::{ProcessIx, SessionId, Wall};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

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
        let mut pass = vec![];
        loop {
            // Again, because one of them may have forked after it was seen.
            proc::scan_into(&mut pass).unwrap();
            lineage.observe(&pass, &self.roots());
            let left: Vec<ProcId> = lineage.members(RUN).collect();
            if left.is_empty() {
                break;
            }
            left.into_iter().for_each(kill);
        }
        let _ = self.main.wait();
    }
}

fn kill(id: ProcId) {
    use nix::sys::signal::{Signal, kill};
    let _ = kill(nix::unistd::Pid::from_raw(id.pid), Signal::SIGKILL);
}

/// Samples until the sample is as wanted.
fn sample_until(probe: &mut Probe, tree: &Tree, good: impl Fn(&TreeSample) -> bool) -> TreeSample {
    let began = std::time::Instant::now();
    loop {
        let samples = probe.sample(clock::now(), &tree.roots(), &[]);
        match samples.as_slice() {
            [sample] if good(sample) => return *sample,
            other => assert!(began.elapsed() < PATIENCE, "still {other:?}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What the kernel says of resident memory in another file, in bytes; none of who is dead or gone.
fn resident_by_status(pid: i32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024)
}

/// `tail` keeps what has no newline, and a pipe that stays open keeps `tail`. Who is large is neither the
/// first nor the last of them.
const HOLDS_40_MB: &str = "{ head -c 40000000 /dev/zero; exec sleep 300; } | tail & sleep 300; :";

#[test]
fn a_tree_is_summed_to_what_the_kernel_says_of_its_members() {
    let tree = Tree::start(HOLDS_40_MB);
    let mut probe = Probe::new();
    let sample = sample_until(&mut probe, &tree, |sample| {
        sample.anonymous >= Bytes(40_000_000) && sample.processes == 4
    });
    assert!(sample.anonymous < sample.resident && sample.resident < sample.virtual_size);
    assert!(Bytes(40_000_000) <= sample.largest && sample.largest < sample.anonymous);
    // The two are read one after the other, and meanwhile one of them may still execute another
    // program or grow, and `head`, which is dead, be reaped: they agree once the tree is at rest.
    let members: Vec<ProcId> = probe.lineage.members(RUN).collect();
    sample_until(&mut probe, &tree, |sample| {
        let by_status: u64 = members.iter().filter_map(|id| resident_by_status(id.pid)).sum();
        (0.9..1.1).contains(&(sample.resident.0 as f64 / by_status as f64))
    });
}

#[test]
fn a_daemon_that_left_its_session_and_its_parents_stays_in_the_tree() {
    nix::sys::prctl::set_child_subreaper(true).unwrap();
    let mut tree = Tree::start(
        "setsid sh -c 'echo up; read go; sleep 300 >/dev/null & echo $!'; echo gone; sleep 300",
    );
    assert_eq!(tree.line(), "up");
    let mut probe = Probe::new();
    probe.sample(clock::now(), &tree.roots(), &[]);
    tree.say("go");
    let daemon: i32 = tree.line().parse().unwrap();
    assert_eq!(tree.line(), "gone");
    let stat = proc::stat(daemon).unwrap();
    assert_eq!(stat.ppid, std::process::id().cast_signed(), "it was not orphaned");
    assert_ne!(stat.sid, tree.id.pid, "it is in the old session");
    sample_until(&mut probe, &tree, |sample| sample.processes == 3);
    assert!(probe.lineage.members(RUN).any(|id| id == stat.id));
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
    assert_eq!(probe.sample(clock::now(), &tree.roots(), &[]), [], "a zombie");
    tree.main.wait().unwrap();
    assert_eq!(probe.sample(clock::now(), &tree.roots(), &[]), [], "reaped");
    assert_eq!(probe.sample(clock::now(), &[], &[]), [], "no run at all");
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
        is_alive: true,
        statm: None,
        ticks,
        is_ours,
        zombie_since: None,
    };
    probe.members = vec![member(1, 10, true), member(2, 5, false), member(3, 100, true)];
    assert_eq!(ticks_told(&mut probe), 115);
    let orphan = probe.members.pop().unwrap();
    bury(&mut probe.spent, &orphan);
    assert_eq!(ticks_told(&mut probe), 115, "its time stays");
    let child = probe.members.pop().unwrap();
    bury(&mut probe.spent, &child);
    probe.members[0].ticks += child.ticks + 1;
    assert_eq!(ticks_told(&mut probe), 116, "its parent has its time");
    probe.members.clear();
    assert_eq!(ticks_told(&mut probe), 116, "nothing falls, whatever happens");
}

fn ticks_told(probe: &mut Probe) -> u64 {
    let present = probe.ticks_by_run().get(&RUN).copied().unwrap_or(0);
    probe.told(RUN, present)
}

fn snapshot_of(tree: &Tree, phase: PhaseName) -> Arc<Snapshot> {
    let opened = RunView::new(RUN, SessionId::new(Wall(0), 0), Wall(0));
    let run = RunView { main: Some(tree.id), ..opened };
    let plan = ProcessPlan::new("web", vec!["true".to_owned()]);
    let process = ProcessView { phase, run: Some(run), ..ProcessView::new(ProcessIx(0), &plan) };
    Arc::new(Snapshot { processes: vec![process], ..Default::default() })
}

async fn next_sample(entries: &mut mpsc::Receiver<Entry>) -> TreeSample {
    loop {
        let next = tokio::time::timeout(PATIENCE, entries.recv());
        let Some(Entry::Together(told)) = next.await.expect("no sample in time") else {
            panic!("the probe ended, or told something alone");
        };
        match told.last() {
            Some(Entry::Sampled { samples, .. }) if !samples.is_empty() => return samples[0],
            _ => {}
        }
    }
}

#[tokio::test]
async fn all_that_a_tick_learns_is_told_at_once() {
    let tree = Tree::start("sleep 300");
    let (snapshots, seen) = watch::channel(snapshot_of(&tree, PhaseName::Ready));
    let (entries, mut told) = mpsc::channel(16);
    let often = Duration::from_millis(100);
    let probe = tokio::spawn(watch(often, seen, entries));
    let began = clock::now().mono;
    // On a machine that is busy one of them may be late, and is told alone then.
    loop {
        let next = tokio::time::timeout(PATIENCE, told.recv()).await.expect("a tick in time");
        if let Some(Entry::Together(all)) = &next
            && let [Entry::PartsRead { .. }, Entry::ContainerRead(_), Entry::Sampled { .. }] =
                all[..]
        {
            break;
        }
        assert!(clock::now().mono.since(began) < PATIENCE, "still {next:?}");
    }
    drop(snapshots);
    tokio::time::timeout(PATIENCE, probe).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_new_run_and_one_that_stops_are_sampled_between_two_ticks() {
    let tree = Tree::start("sleep 300");
    let (snapshots, seen) = watch::channel(Arc::new(Snapshot::default()));
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
        (&ready, Some(sampler::SETTLING)),
        (&ready, None),
        (&stopping, Some(Duration::ZERO)),
        (&stopping, None),
        (&Arc::default(), None),
    ] {
        assert_eq!(scene.look(snapshot), expected);
    }
}

#[test]
fn a_full_queue_costs_a_sample_and_is_counted() {
    let (entries, mut told) = mpsc::channel(1);
    let mut skipped = 0;
    let one = || Some(Tick { samples: vec![empty_sample(RUN, Now::default())], ..Tick::default() });
    assert!(deliver(&entries, one(), &mut skipped));
    assert!(deliver(&entries, one(), &mut skipped));
    assert!(deliver(&entries, one(), &mut skipped));
    assert_eq!(skipped, 2);
    told.try_recv().unwrap();
    assert!(deliver(&entries, one(), &mut skipped));
    let Ok(Entry::Together(all)) = told.try_recv() else { panic!("nothing was told") };
    assert!(matches!(all[..], [Entry::Sampled { skipped: 2, .. }]), "{all:?}");
    assert_eq!(skipped, 0);
    drop(told);
    assert!(!deliver(&entries, one(), &mut skipped));
}

#[test]
fn children_that_a_parent_neglects_are_counted_with_the_time_since_when() {
    let script = "exec python3 -c 'import os, time\nfor n in range(3):\n    os.fork() or \
                  os._exit(0)\nprint(\"done\", flush=True)\ninput()\nos.wait()\ntime.sleep(300)'";
    let mut tree = Tree::start(script);
    assert_eq!(tree.line(), "done");
    let mut probe = Probe::new();
    let before = clock::now().wall;
    let first = sample_until(&mut probe, &tree, |sample| sample.zombies == 3);
    let since = first.oldest_zombie.expect("a time");
    assert!(before <= since && since <= clock::now().wall);
    assert_eq!(first.processes, 1, "the dead are no members");
    std::thread::sleep(Duration::from_millis(20));
    let [later] = probe.sample(clock::now(), &tree.roots(), &[])[..] else { panic!("a sample") };
    assert_eq!(later.oldest_zombie, Some(since), "the same since the first look");
    tree.say("");
    sample_until(&mut probe, &tree, |sample| sample.zombies == 2);
}

#[test]
fn a_child_of_ours_that_waits_to_be_reaped_is_no_neglected_one_of_the_tree() {
    let mut tree = Tree::start("read go");
    let mut probe = Probe::new();
    assert_eq!(sample_until(&mut probe, &tree, |_| true).zombies, 0);
    tree.say("");
    while proc::stat(tree.id.pid).unwrap().is_alive() {
        std::thread::yield_now();
    }
    assert_eq!(probe.sample(clock::now(), &tree.roots(), &[]), []);
    // Where tests share a process, others have children as well.
    assert!(probe.unreaped() >= 1);
}

/// Waits until the first thread has ended. Where that is never seen, the test fails rather than to wait for ever.
pub(super) fn until_headless(pid: i32) {
    let begun = clock::now().mono;
    while !proc::stat(pid).expect("it lives").is_headless() {
        let waited = clock::now().mono.since(begun);
        assert!(waited < PATIENCE, "its first thread has not ended");
        std::thread::yield_now();
    }
}

/// Its main thread ends, and another one holds 40 MB.
const HEADLESS: &str = "exec python3 -c 'import ctypes, os, threading, time
def hold():
    held = bytes(1) * 40000000
    print(\"held\", flush=True)
    time.sleep(300)
threading.Thread(target=hold).start()
exit = {\"x86_64\": 60, \"aarch64\": 93}[os.uname().machine]
ctypes.CDLL(None).syscall(exit, 0)'";

#[test]
fn a_process_whose_first_thread_has_ended_is_read_by_another_one() {
    let mut tree = Tree::start(HEADLESS);
    assert_eq!(tree.line(), "held");
    until_headless(tree.id.pid);
    assert_eq!(proc::statm(tree.id.pid).unwrap(), Statm::default(), "its own file is empty");
    let mut probe = Probe::new();
    for look in ["new", "kept"] {
        let [sample] = probe.sample(clock::now(), &tree.roots(), &[])[..] else { panic!("{look}") };
        assert!(sample.anonymous >= Bytes(40_000_000), "{look}: {sample:?}");
        assert_eq!((sample.processes, sample.zombies), (1, 0), "{look}");
        assert!(probe.members[0].statm.is_some(), "{look}");
    }
    kill(tree.id);
    while proc::stat(tree.id.pid).unwrap().is_alive() {
        std::thread::yield_now();
    }
    assert_eq!(probe.sample(clock::now(), &tree.roots(), &[]), [], "dead as a whole");
}

#[test]
fn a_first_thread_that_ends_between_two_looks_takes_nothing_with_it() {
    let begins = "exec python3 -c 'import ctypes, os, threading, time
held = bytes(1) * 40000000
threading.Thread(target=time.sleep, args=[300]).start()
print(\"held\", flush=True)
input()
exit = {\"x86_64\": 60, \"aarch64\": 93}[os.uname().machine]
ctypes.CDLL(None).syscall(exit, 0)'";
    let mut tree = Tree::start(begins);
    assert_eq!(tree.line(), "held");
    let mut probe = Probe::new();
    let [before] = probe.sample(clock::now(), &tree.roots(), &[])[..] else { panic!("no sample") };
    tree.say("");
    until_headless(tree.id.pid);
    // As if it had ended since the pass: what was kept is the first thread's.
    let statm = probe.read(0).expect("it lives");
    assert!(statm.resident * probe.page_size >= before.resident.0 / 2, "{statm:?}, {before:?}");
    let [after] = probe.sample(clock::now(), &tree.roots(), &[])[..] else { panic!("no sample") };
    assert!(after.resident >= Bytes(40_000_000), "{after:?}");
}
