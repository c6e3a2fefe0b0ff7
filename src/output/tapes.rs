//! The tapes of all runs that are recorded. Written by the reader, read by whoever asks, across
//! threads.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::output::plan::Which;
use crate::output::ring::Room;
use crate::output::tape::{Recording, Reel, Tape, Wanted};
use crate::units::{Bytes, RunId};

/// How many tapes of runs that are over are kept, the newest.
const MOST_OVER: usize = 100;

/// How many tapes that are over may wait for whoever keeps them elsewhere; they count as memory of the
/// house until they are taken.
const MOST_FINISHED: usize = 1024;

/// All tapes.
#[derive(Debug)]
pub struct Tapes {
    kept: Mutex<Kept>,
    /// Told when a tape is new.
    born: Notify,
    /// Told when one is over that is waited for.
    finished: Notify,
    room: Arc<Room>,
}

#[derive(Debug, Default)]
struct Kept {
    by_run: BTreeMap<RunId, Arc<Recorder>>,
    /// Those that are over, the oldest first.
    over: VecDeque<RunId>,
    /// Those that are over and were not taken yet; absent while nobody takes them.
    finished: Option<VecDeque<(RunId, Arc<Recorder>)>>,
}

/// The tape of one run while it is recorded.
#[derive(Debug)]
pub struct Recorder {
    tape: Mutex<Tape>,
    most: usize,
    grown: Notify,
    room: Arc<Room>,
}

impl Tapes {
    /// None yet; all of them together may hold so much.
    pub fn new(together: Bytes) -> Self {
        let room = Arc::new(Room::new(size(together)));
        Self { kept: Mutex::default(), born: Notify::new(), finished: Notify::new(), room }
    }

    /// The tape of a run, which keeps so much; both outputs of a run are on one.
    pub fn record(&self, run: RunId, keep: Bytes) -> Arc<Recorder> {
        let mut kept = lock(&self.kept);
        let begin = || {
            let (tape, grown) = (Mutex::default(), Notify::new());
            Arc::new(Recorder { tape, most: size(keep), grown, room: Arc::clone(&self.room) })
        };
        let recorder = Arc::clone(kept.by_run.entry(run).or_insert_with(begin));
        drop(kept);
        self.born.notify_waiters();
        recorder
    }

    /// All that the run wrote is on its tape. The oldest that are over make room.
    pub fn finish(&self, run: RunId) {
        let mut kept = lock(&self.kept);
        let Some(recorder) = kept.by_run.get(&run).cloned() else { return };
        if !recorder.finish() {
            return;
        }
        if let Some(finished) = &mut kept.finished
            && finished.len() < MOST_FINISHED
        {
            finished.push_back((run, recorder));
            self.finished.notify_one();
        }
        kept.over.push_back(run);
        if kept.over.len() > MOST_OVER
            && let Some(oldest) = kept.over.pop_front()
        {
            kept.by_run.remove(&oldest);
        }
    }

    /// Reads what a run wrote; waits up to `wait` while there is nothing to read yet. `None` where
    /// nothing of it is recorded, or not any more.
    pub async fn read(&self, run: RunId, wanted: Wanted, wait: Duration) -> Option<Reel> {
        let more = async {
            loop {
                let born = self.born.notified();
                tokio::pin!(born);
                born.as_mut().enable();
                match self.find(run) {
                    Some(recorder) => return recorder.beyond(wanted).await,
                    None => born.await,
                }
            }
        };
        match tokio::time::timeout(wait, more).await {
            Ok(reel) => Some(reel),
            Err(_) => self.find(run).map(|recorder| lock(&recorder.tape).read(wanted)),
        }
    }

    /// From now on tapes that are over wait until [`Tapes::finished`] takes them.
    pub fn take_finished(&self) {
        lock(&self.kept).finished.get_or_insert_default();
    }

    /// The next tape that is over, where one waits.
    pub fn next_finished(&self) -> Option<(RunId, Arc<Recorder>)> {
        lock(&self.kept).finished.as_mut()?.pop_front()
    }

    /// Waits until a tape is over that was not taken yet.
    pub async fn finished(&self) {
        while lock(&self.kept).finished.as_ref().is_none_or(VecDeque::is_empty) {
            self.finished.notified().await;
        }
    }

    /// The end of what a run wrote, as far as it is kept.
    pub fn find(&self, run: RunId) -> Option<Arc<Recorder>> {
        lock(&self.kept).by_run.get(&run).cloned()
    }
}

impl Recorder {
    /// So much of the end of the tape, at most.
    pub fn recording(&self, most: usize) -> Recording {
        lock(&self.tape).recording(most)
    }

    /// Puts on what was written.
    pub fn put(&self, bytes: &[u8], which: Which) {
        lock(&self.tape).put(bytes, which, self.most, &self.room);
        self.grown.notify_waiters();
    }

    /// Whether it was not over before.
    fn finish(&self) -> bool {
        let mut tape = lock(&self.tape);
        let newly = !tape.is_over();
        if newly {
            tape.finish(&self.room);
        }
        drop(tape);
        self.grown.notify_waiters();
        newly
    }

    /// Waits until there is something to read, or nothing follows.
    async fn beyond(&self, wanted: Wanted) -> Reel {
        loop {
            let grown = self.grown.notified();
            tokio::pin!(grown);
            grown.as_mut().enable();
            let reel = lock(&self.tape).read(wanted);
            if !reel.bytes.is_empty() || reel.over || reel.strange || reel.missed > 0 {
                return reel;
            }
            grown.await;
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.room.give(lock(&self.tape).taken());
    }
}

fn size(bytes: Bytes) -> usize {
    usize::try_from(bytes.0).unwrap_or(usize::MAX)
}

/// Whoever panicked with the lock left a tape behind that is whole or lacks its last bytes.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Wanted = Wanted { cursor: 0, which: None, most: usize::MAX, whole_characters: true };
    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_answered_with_the_first_byte_with_the_end_or_when_time_is_up() {
        let tapes = Arc::new(Tapes::new(Bytes::mib(1)));
        let run = RunId(1);
        assert_eq!(tapes.read(run, ALL, LONG).await, None);
        let waiting = {
            let tapes = Arc::clone(&tapes);
            tokio::spawn(async move { tapes.read(run, ALL, LONG).await })
        };
        tokio::task::yield_now().await;
        let recorder = tapes.record(run, Bytes(4096));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        recorder.put(b"hello", Which::Stdout);
        let reel = waiting.await.expect("an answer").expect("a tape");
        assert_eq!((&reel.bytes[..], reel.over), (&b"hello"[..], false));
        let rest = Wanted { cursor: reel.next, ..ALL };
        let reel = tapes.read(run, rest, LONG).await.expect("a tape");
        assert_eq!((reel.next, reel.over), (5, false));
        tapes.finish(run);
        let reel = tapes.read(run, rest, LONG).await.expect("a tape");
        assert_eq!((reel.next, reel.over), (5, true));
    }

    #[tokio::test]
    async fn what_is_over_waits_for_whoever_takes_it_and_for_nobody_else() {
        let tapes = Tapes::new(Bytes::mib(1));
        let write = |run| {
            tapes.record(RunId(run), Bytes(4096)).put(b"words", Which::Stdout);
            tapes.finish(RunId(run));
        };
        write(1);
        tapes.take_finished();
        assert!(tapes.next_finished().is_none());
        (2..=150).for_each(write);
        tapes.finished().await;
        let taken: Vec<_> = std::iter::from_fn(|| tapes.next_finished()).collect();
        assert_eq!(taken.len(), 149, "also those that nobody else can read any more");
        assert!(
            taken.iter().all(|(_, it)| it.recording(3).parts == [(Which::Stdout, b"rds".into())])
        );
    }

    #[tokio::test]
    async fn of_those_that_are_over_the_newest_are_kept_and_all_room_comes_back() {
        let together = Bytes(1 << 20);
        let tapes = Tapes::new(together);
        for run in 1..=1_000 {
            tapes.record(RunId(run), Bytes(4096)).put(&[b'x'; 4000], Which::Stdout);
            tapes.finish(RunId(run));
            tapes.finish(RunId(run));
        }
        assert!(tapes.find(RunId(900)).is_none() && tapes.find(RunId(901)).is_some());
        let room = Arc::clone(&tapes.room);
        drop(tapes);
        assert!(room.take(1 << 20), "all was given back");
    }
}
