//! Real processes against what the kernel says of them, and bookkeeping over made ones.

use super::*;
use crate::memory::probe::tests::until_headless;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;

const RUN: RunId = RunId(7);
/// Longer than anything here takes on a busy machine, shorter than a person's patience.
const PATIENCE: Duration = Duration::from_secs(30);

/// A shell with two copies of itself, which ends when it is dropped, and they with its pipe.
struct Family {
    main: Child,
    pids: Vec<i32>,
}

impl Family {
    /// Each of the three holds the same 20 MB, which none of them writes to.
    fn start() -> Self {
        // What runs in the background has no standard input of its own.
        let script = "held=$(head -c 20000000 /dev/zero | tr '\\0' x); exec 3<&0; \
             for one in 1 2; do (sh -c 'echo $PPID'; read end <&3) & done; \
             echo $$; read end; wait";
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut main = command.spawn().unwrap();
        let lines = BufReader::new(main.stdout.take().unwrap()).lines();
        let pids: Vec<i32> = lines.take(3).map(|line| line.unwrap().parse().unwrap()).collect();
        Self { main, pids }
    }

    fn asked(&self) -> Vec<Asked> {
        self.pids.iter().map(|pid| asked(*pid)).collect()
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        drop(self.main.stdin.take());
        let _ = self.main.wait();
    }
}

fn asked(pid: i32) -> Asked {
    let start_ticks = proc::start_ticks(pid).unwrap();
    Asked { id: ProcId { pid, start_ticks }, run: RUN, is_ours: true }
}

fn sleeper() -> Child {
    Command::new("sleep").arg("300").stdout(Stdio::null()).spawn().unwrap()
}

fn end(mut child: Child) {
    let _ = child.kill();
    let _ = child.wait();
}

#[test]
fn pages_that_forks_share_are_counted_once() {
    let family = Family::start();
    let mut reader = Reader::default();
    let began = std::time::Instant::now();
    // Until all of them have come to rest.
    loop {
        let tree = reader.measure(Now::default(), &family.asked()).expect("a tree");
        let parts = tree.parts;
        let resident: u64 = family.pids.iter().map(|pid| proc::statm(*pid).unwrap().resident).sum();
        let resident = resident * proc::page_size();
        let proportional = parts.proportional.unwrap().0;
        if resident > 60_000_000 && proportional * 2 < resident && parts.threads == Some(3) {
            assert!(parts.unique.unwrap().0 < proportional);
            assert!(proportional >= 20_000_000, "{proportional}");
            assert!(parts.peak.unwrap().0 >= 20_000_000 && parts.peak.unwrap().0 < resident);
            assert!(parts.open_fds.is_some_and(|count| (6..60).contains(&count)), "{parts:?}");
            assert!(parts.swap.is_some());
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{parts:?} of {resident}");
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn who_is_gone_or_dead_or_another_with_the_same_pid_is_left_out() {
    let mut reader = Reader::default();
    let (lives, mut dies) = (sleeper(), sleeper());
    let (good, dead) = (asked(lives.id().cast_signed()), asked(dies.id().cast_signed()));
    let mut reused = good;
    reused.id.start_ticks += 1;
    assert!(reader.read(good.id).is_some());
    assert_eq!(reader.read(reused.id), None, "the pid is another's by now");
    dies.kill().unwrap();
    while proc::stat(dead.id.pid).unwrap().is_alive() {
        std::thread::yield_now();
    }
    assert_eq!(reader.read(dead.id), None, "a zombie's files are empty");
    dies.wait().unwrap();
    assert_eq!(reader.read(dead.id), None);
    let tree = reader.measure(Now::default(), &[dead, good, reused]).expect("one lives");
    assert_eq!(tree.parts.threads, Some(1), "those who vanish take nothing from the others");
    assert_eq!(reader.measure(Now::default(), &[dead]), None);
    assert_eq!(reader.cost.unread, [0; 4], "nobody was refused");
    end(lives);
}

#[test]
fn a_process_whose_first_thread_has_ended_has_the_figures_of_the_others() {
    let script = "import ctypes, os, threading, time\ndef hold():\n    held = bytes(1) * 40000000\n    \
         print('held', flush=True)\n    time.sleep(300)\nthreading.Thread(target=hold).start()\n\
         exit = {'x86_64': 60, 'aarch64': 93}[os.uname().machine]\nctypes.CDLL(None).syscall(exit, 0)";
    let mut command = Command::new("python3");
    let mut child = command.args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let pid = child.id().cast_signed();
    until_headless(pid);
    let mut reader = Reader::default();
    let parts = reader.read(asked(pid).id).expect("it lives");
    let large = |bytes: Option<Bytes>| bytes.is_some_and(|bytes| bytes >= Bytes(40_000_000));
    assert!(large(parts.proportional) && large(parts.unique) && large(parts.peak), "{parts:?}");
    assert!(parts.open_fds.is_some_and(|count| count >= 3), "{parts:?}");
    // What it read is the process's, and not only the thread's.
    assert_eq!(parts.read, file_value(pid, "read_bytes:"), "{parts:?}");
    assert_eq!((parts.threads, reader.cost.unread), (Some(2), [0; 4]));
    end(child);
}

fn file_value(pid: i32, name: &str) -> Option<u64> {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    io.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

#[test]
fn a_process_that_is_too_large_is_not_walked_through() {
    let lives = sleeper();
    let folder = format!("/proc/{}", lives.id());
    let reader = Reader::default();
    let mut buffer = [0; FILE_MAX];
    let larger = Bytes(LARGEST.0 + 1);
    assert_eq!(reader.rollup(&folder, larger, &mut buffer), Err(Unread::TooLarge));
    assert!(reader.rollup(&folder, LARGEST, &mut buffer).is_ok_and(|it| it.proportional.is_some()));
    end(lives);
}

#[test]
fn what_was_moved_by_those_who_are_gone_is_kept_and_never_shrinks() {
    let mut reader = Reader::default();
    let member = |pid, is_ours| Asked { id: ProcId { pid, start_ticks: 1 }, run: RUN, is_ours };
    let mut read = |members: &[(i32, bool, u64)]| {
        let now: BTreeMap<ProcId, (Asked, Moved)> = members
            .iter()
            .map(|(pid, is_ours, bytes)| {
                let asked = member(*pid, *is_ours);
                (asked.id, (asked, Moved { read: *bytes, written: 2 * bytes }))
            })
            .collect();
        let sum: u64 = members.iter().map(|(_, _, bytes)| bytes).sum();
        reader.bury(RUN, &now);
        reader.before = now;
        let parts = Parts { read: Some(sum), written: Some(2 * sum), ..Parts::NOTHING };
        let told = reader.counted(RUN, parts);
        assert_eq!(told.written, told.read.map(|read| 2 * read));
        told.read
    };
    assert_eq!(read(&[(1, true, 10), (2, false, 5), (3, true, 7)]), Some(22));
    // 2 was waited for by 1, which has its bytes from now on; 3 was ours.
    assert_eq!(read(&[(1, true, 15)]), Some(22));
    // 1 was not waited for by 4, its child of before, and it is gone.
    assert_eq!(read(&[(4, false, 1)]), Some(23));
    assert_eq!(read(&[(4, false, 0)]), Some(23), "less than before");
}

#[test]
fn who_cannot_be_read_any_more_is_not_gone() {
    let mut reader = Reader::default();
    let one = Asked { id: ProcId { pid: 1, start_ticks: 1 }, run: RUN, is_ours: true };
    let parts = |read, written| Parts { read, written, ..Parts::NOTHING };
    assert_eq!(reader.moved_by(one.id, &parts(None, None)), None, "never read");
    let moved = reader.moved_by(one.id, &parts(Some(7), Some(8))).expect("what it moved");
    reader.before.insert(one.id, (one, moved));
    assert_eq!(reader.moved_by(one.id, &parts(None, None)), Some(moved));
}

#[test]
fn the_next_reading_begins_when_it_is_due_and_what_was_spent_is_earned_back() {
    let interval = Duration::from_secs(5);
    let at = |millis: u64| Mono(millis * 1_000_000);
    let next = |began, whole| Took { began: at(began), whole: at(whole) }.next(interval);
    assert_eq!(next(1_000, 1_200), at(5_500), "as often as samples");
    assert_eq!(next(1_000, 21_100), at(21_100), "200 times 100 ms");
}

#[test]
fn what_is_read_is_paid_for_told_tree_by_tree_and_no_more_of_who_is_gone() {
    let (one, two) = (sleeper(), sleeper());
    let of = |child: &Child, run| Asked { run: RunId(run), ..asked(child.id().cast_signed()) };
    let (entries, mut told) = tokio::sync::mpsc::channel(8);
    let mut reader = Reader::default();
    let mut members = [of(&two, 2), of(&one, 1)];
    let read = reader.read_all(&mut members, &entries.downgrade());
    let Some(Entry::PartsRead { trees, cost, .. }) = read else { panic!("not read") };
    assert!(told.try_recv().is_err(), "there was no rest to tell something before");
    let runs: Vec<u64> = trees.iter().map(|tree| tree.run.0).collect();
    assert_eq!((runs, cost.readings), (vec![1, 2], 1));
    assert!(cost.spent > Duration::ZERO && trees.iter().all(|tree| tree.at.mono > Mono(0)));
    let earned = reader.allowance.whole().since(clock::now().mono);
    assert!(earned > Duration::ZERO && earned <= cost.spent * 200, "{earned:?} of {cost:?}");
    assert!(!reader.told.is_empty());
    assert!(reader.read_all(&mut [], &entries.downgrade()).is_some());
    assert!(reader.before.is_empty() && reader.told.is_empty() && reader.departed.is_empty());
    let weak = entries.downgrade();
    drop(entries);
    reader.allowance.spend(Duration::from_secs(60), clock::now().mono);
    assert!(reader.read_all(&mut members, &weak).is_none(), "nobody hears it any more");
    [one, two].into_iter().for_each(end);
}
