//! Reads what costs more than a tree's size, on a thread of its own and as seldom as it must.
//!
//! Reading `smaps_rollup` walks the page tables of a process and holds its memory lock meanwhile, so
//! that it takes milliseconds for each GiB, and can hang where a page is owed by a dead file server.
//! So it is never waited for; all of them together take half a hundredth of one processor at most, and
//! no more than a hundredth in any ten seconds, see [`parts_budget`](crate::memory::parts_budget), so
//! that a reading of all trees lasts as long as it must; and a process that is larger than [`LARGEST`]
//! is not read. Who cannot be read for want of rights (another user's process
//! without `CAP_SYS_PTRACE`) leaves the figures of its tree unknown.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::WeakSender;

use crate::clock;
use crate::ledger::entry::Entry;
use crate::memory::parts::{
    Parts, Rollup, Status, TreeParts, parse_io, parse_rollup, parse_status,
};
use crate::memory::parts_budget::{Allowance, Next};
use crate::memory::probe::desk::Desk;
use crate::memory::{PartsCost, Unread, proc};
use crate::units::{Bytes, Mono, Now, ProcId, RunId};

/// The largest process whose pages are walked: at 7 ms for each GiB its memory lock is held for a
/// twentieth of a second.
const LARGEST: Bytes = Bytes(8 << 30);

/// The largest of the files that are read; `status` is the one, with its lists of processors.
const FILE_MAX: usize = 8 << 10;

/// A process that is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) id: ProcId,
    pub(super) run: RunId,
    /// Whether nobody but us takes over what it has read and written, once it is gone.
    pub(super) is_ours: bool,
}

/// The near side of the thread that reads, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Measurer {
    desk: Arc<Desk<(Now, Vec<Asked>), Entry>>,
    /// When the next reading may begin; absent while one goes on.
    next: Arc<Mutex<Option<Mono>>>,
}

/// When a reading began, and when what it took is earned back.
#[derive(Clone, Copy, Debug)]
struct Took {
    began: Mono,
    whole: Mono,
}

impl Took {
    /// When the next one may begin. A tenth of the interval is given up, so that the tick that is due
    /// a moment too early does not make it wait for another one.
    fn next(self, interval: Duration) -> Mono {
        self.whole.max(self.began.after(interval / 10 * 9))
    }
}

impl Measurer {
    /// Starts the thread. Without one these figures are not known.
    pub(super) fn start(interval: Duration, entries: WeakSender<Entry>) -> Option<Self> {
        let desk = Arc::<Desk<_, _>>::default();
        let next = Arc::new(Mutex::new(Some(Mono::default())));
        let far = FarSide { desk: Arc::clone(&desk), next: Arc::clone(&next), interval, entries };
        let read_all = move || Reader::default().answer(&far);
        let thread = std::thread::Builder::new().name("smaps".into()).spawn(read_all);
        if let Err(error) = thread {
            tracing::warn!(target: "memory", %error, "proportional memory is not read: no thread");
            return None;
        }
        Some(Self { desk, next })
    }

    /// Asks for a reading of these, where the pause after the last one is over. Nobody is waited for.
    /// False when the thread is gone.
    pub(super) fn offer(&mut self, now: Now, members: impl FnOnce() -> Vec<Asked>) -> bool {
        if self.desk.is_left() {
            return false;
        }
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let may_begin = next.is_some_and(|next| next <= now.mono);
        if may_begin {
            *next = None;
        }
        drop(next);
        if may_begin {
            self.desk.ask((now, members()));
        }
        true
    }

    /// The reading that was asked for last, where it is done within this time. One that takes longer is
    /// told by the thread itself.
    pub(super) fn answer_within(&self, patience: Duration) -> Option<Entry> {
        self.desk.answer_within(patience)
    }
}

impl Drop for Measurer {
    fn drop(&mut self) {
        self.desk.leave();
    }
}

/// What the thread has of the near side. Dropped when the thread ends, however it does.
struct FarSide {
    desk: Arc<Desk<(Now, Vec<Asked>), Entry>>,
    next: Arc<Mutex<Option<Mono>>>,
    /// Between the beginnings of two readings, at least.
    interval: Duration,
    entries: WeakSender<Entry>,
}

impl Drop for FarSide {
    fn drop(&mut self) {
        self.desk.leave();
    }
}

/// The far side: what it has to remember between two readings.
#[derive(Debug, Default)]
struct Reader {
    cost: PartsCost,
    allowance: Allowance,
    /// What was read of disks last, by those who were there last.
    before: BTreeMap<ProcId, (Asked, Moved)>,
    departed: BTreeMap<RunId, Moved>,
    told: BTreeMap<RunId, Moved>,
}

/// Bytes that were fetched and sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Moved {
    read: u64,
    written: u64,
}

impl Moved {
    fn and(self, other: Self) -> Self {
        let (read, written) = (self.read + other.read, self.written + other.written);
        Self { read, written }
    }

    fn max(self, other: Self) -> Self {
        Self { read: self.read.max(other.read), written: self.written.max(other.written) }
    }
}

impl Reader {
    fn answer(&mut self, far: &FarSide) {
        while let Some((_, mut members)) = far.desk.next_question() {
            let began = clock::now().mono;
            let Some(last) = self.read_all(&mut members, &far.entries) else { return };
            let took = Took { began, whole: self.allowance.whole() };
            let mut next = far.next.lock().unwrap_or_else(PoisonError::into_inner);
            *next = Some(took.next(far.interval));
            drop(next);
            let alone = far.desk.answer(last);
            if alone.is_some_and(|alone| tell(alone, &far.entries).is_none()) {
                return;
            }
        }
    }

    /// Reads tree by tree, and gives what was read last. What was read before each rest is told at once; `None`
    /// when nobody is there to hear it.
    fn read_all(&mut self, members: &mut [Asked], entries: &WeakSender<Entry>) -> Option<Entry> {
        self.forget_all_but(members);
        self.cost.readings += 1;
        members.sort_unstable_by_key(|asked| (asked.run, asked.id));
        let mut trees = Vec::new();
        for tree in members.chunk_by(|one, other| one.run == other.run) {
            if let Some(until) = self.allowance.wait(Next::Tree, clock::now().mono) {
                tell(self.entry(std::mem::take(&mut trees)), entries)?;
                sleep_until(until);
            }
            trees.extend(self.measure(clock::now(), tree));
        }
        Some(self.entry(trees))
    }

    fn entry(&self, trees: Vec<TreeParts>) -> Entry {
        Entry::PartsRead { at: clock::now(), trees, cost: self.cost }
    }

    /// Forgets runs that have no member any more.
    fn forget_all_but(&mut self, members: &[Asked]) {
        let live: BTreeSet<RunId> = members.iter().map(|asked| asked.run).collect();
        self.before.retain(|_, (asked, _)| live.contains(&asked.run));
        self.departed.retain(|run, _| live.contains(run));
        self.told.retain(|run, _| live.contains(run));
    }

    /// The figures of one tree that has a member which could be read.
    fn measure(&mut self, at: Now, tree: &[Asked]) -> Option<TreeParts> {
        let run = tree.first()?.run;
        let (mut sum, mut now) = (None, BTreeMap::new());
        for asked in tree {
            if let Some(until) = self.allowance.wait(Next::Member, clock::now().mono) {
                sleep_until(until);
            }
            let Some(parts) = self.paid(asked.id) else { continue };
            sum = Some(sum.unwrap_or(Parts::NOTHING).and(parts));
            let moved = self.moved_by(asked.id, &parts);
            now.extend(moved.map(|moved| (asked.id, (*asked, moved))));
        }
        self.bury(run, &now);
        self.before.retain(|_, (asked, _)| asked.run != run);
        self.before.append(&mut now);
        Some(TreeParts { run, at, parts: self.counted(run, sum?) })
    }

    /// What one process holds, with what it took of a processor to read that. Time that others had it, or
    /// that the process let us wait, is not ours.
    fn paid(&mut self, id: ProcId) -> Option<Parts> {
        let before = clock::thread_cpu();
        let parts = self.read(id);
        let cost = clock::thread_cpu().saturating_sub(before);
        self.cost.spent += cost;
        self.allowance.spend(cost, clock::now().mono);
        parts
    }

    /// What a member has moved. Who cannot be read any more is not gone, and what is known of it stays.
    fn moved_by(&self, id: ProcId, parts: &Parts) -> Option<Moved> {
        match (parts.read, parts.written) {
            (Some(read), Some(written)) => Some(Moved { read, written }),
            _ => self.before.get(&id).map(|(_, moved)| *moved),
        }
    }

    /// Keeps what was moved by those of a run who are gone and whom no member has waited for.
    fn bury(&mut self, run: RunId, now: &BTreeMap<ProcId, (Asked, Moved)>) {
        let of_run = self.before.iter().filter(|(_, (asked, _))| asked.run == run);
        let gone = of_run.filter(|(id, (asked, _))| asked.is_ours && !now.contains_key(id));
        let moved = gone.fold(Moved::default(), |sum, (_, (_, moved))| sum.and(*moved));
        let departed = self.departed.entry(run).or_default();
        *departed = departed.and(moved);
    }

    /// The same with what was moved by those who are gone; never less than was told before.
    fn counted(&mut self, run: RunId, parts: Parts) -> Parts {
        let (Some(read), Some(written)) = (parts.read, parts.written) else { return parts };
        let departed = self.departed.get(&run).copied().unwrap_or_default();
        let told = self.told.entry(run).or_default();
        *told = told.max(departed.and(Moved { read, written }));
        Parts { read: Some(told.read), written: Some(told.written), ..parts }
    }

    /// What one process holds; `None` when it is gone, or is not the one that was meant.
    fn read(&mut self, id: ProcId) -> Option<Parts> {
        let mut buffer = [0; FILE_MAX];
        let own = format!("/proc/{}", id.pid);
        let (folder, status) = shown(id, &own, &mut buffer)?;
        let Status { resident, peak, swap, threads } = status;
        // A zombie has no memory any more.
        let rollup = self.rollup(&folder, resident?, &mut buffer);
        // A thread's own file tells of that thread alone.
        let (read, written) = file(&own, "io", &mut buffer).map_or((None, None), parse_io);
        let open_fds = open_fds(&folder).ok();
        // Who has the same pid and the same start afterwards was there all the time.
        let is_same = proc::start_ticks(id.pid).is_ok_and(|start| start == id.start_ticks);
        let (proportional, unique) = match rollup {
            Ok(Rollup { proportional, unique }) => (proportional, unique),
            Err(_) if !is_same => (None, None),
            Err(why) => {
                self.cost.unread[why as usize] += 1;
                (None, None)
            }
        };
        let parts = Parts { proportional, unique, swap, peak, threads, open_fds, read, written };
        is_same.then_some(parts)
    }

    fn rollup(
        &self,
        folder: &str,
        resident: Bytes,
        buffer: &mut [u8; FILE_MAX],
    ) -> Result<Rollup, Unread> {
        if resident > LARGEST {
            return Err(Unread::TooLarge);
        }
        let text = file(folder, "smaps_rollup", buffer).map_err(|error| match error.kind() {
            ErrorKind::PermissionDenied => Unread::Denied,
            ErrorKind::NotFound => Unread::Unsupported,
            _ => Unread::Other,
        })?;
        Ok(parse_rollup(text))
    }
}

/// `None` when nobody will ever hear it. A queue that is full costs a reading.
fn tell(entry: Entry, entries: &WeakSender<Entry>) -> Option<()> {
    let _ = entries.upgrade()?.try_send(entry);
    Some(())
}

fn sleep_until(until: Mono) {
    std::thread::sleep(until.since(clock::now().mono));
}

/// What `status` says of a process, and the folder that tells of it: its own, or where its first
/// thread has ended before others, that of one of these.
fn shown<'f>(
    id: ProcId,
    own: &'f str,
    buffer: &mut [u8; FILE_MAX],
) -> Option<(Cow<'f, str>, Status)> {
    let mut read = |folder: &str| Some(parse_status(file(folder, "status", buffer).ok()?));
    let status = read(own)?;
    let is_headless = status.resident.is_none() && status.threads.is_some_and(|count| count > 1);
    let others = is_headless.then(|| proc::thread_folder(id.pid)).flatten();
    match others {
        Some(folder) => read(&folder).map(|status| (Cow::Owned(folder), status)),
        None => Some((Cow::Borrowed(own), status)),
    }
}

/// A file of one folder. What the kernel makes piece by piece is read until its end.
fn file<'b>(folder: &str, name: &str, buffer: &'b mut [u8; FILE_MAX]) -> io::Result<&'b [u8]> {
    let mut file = File::open(format!("{folder}/{name}"))?;
    let mut length = 0;
    loop {
        match file.read(&mut buffer[length..])? {
            0 => return Ok(&buffer[..length]),
            more => length += more,
        }
    }
}

/// Since Linux 6.2 the folder's size is their number; before that they are counted.
fn open_fds(folder: &str) -> io::Result<u64> {
    let path = format!("{folder}/fd");
    match fs::metadata(&path)?.len() {
        0 => Ok(u64::try_from(fs::read_dir(&path)?.count()).unwrap_or(u64::MAX)),
        count => Ok(count),
    }
}

#[cfg(test)]
mod tests;
