//! The run file: which processes live now, for the life of ours that comes after this one.
//!
//! One small file for each supervisor, `runs/PID-STARTTICKS.json` in the state folder. Each change
//! is written beside it and renamed over it, so that whoever reads it finds the old list or the new
//! one, whole. Nothing is forced to the disk: a `kill -9` of ours leaves what was written, and a
//! crash of the machine ends the processes too.
//!
//! The file stays locked (`flock`) for as long as its supervisor lives. The kernel gives a lock up
//! when its holder is gone, whatever pid namespace it lived in, so two containers that share a
//! state folder never take each other for dead.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::store::left_behind::LeftBehind;
use crate::units::{ProcId, SessionId};

/// The folder of all run files, in the state folder.
pub const FOLDER: &str = "runs";

/// The layout that is written and read.
pub const VERSION: u32 = 1;

/// From a change that could not be written to the next attempt.
const RETRY: Duration = Duration::from_secs(5);

/// What a run file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFile {
    /// See [`VERSION`].
    pub version: u32,
    /// Whose list it is.
    pub owner: Owner,
    /// The runs that live.
    pub runs: Vec<RunRecord>,
}

/// The supervisor that writes a run file, and where its pids mean something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The kernel's id of the boot: start times count from it.
    pub boot_id: String,
    /// The pid namespace, as the kernel names it: `pid:[4026531836]`.
    pub pid_namespace: String,
    /// The supervisor itself.
    pub supervisor: ProcId,
}

impl Owner {
    /// Asks the kernel where `supervisor`, which is us, lives.
    pub fn read(supervisor: ProcId) -> io::Result<Self> {
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
        let pid_namespace = fs::read_link("/proc/self/ns/pid")?.to_string_lossy().into_owned();
        Ok(Self { boot_id, pid_namespace, supervisor })
    }

    fn file_stem(&self) -> String {
        format!("{}-{}", self.supervisor.pid, self.supervisor.start_ticks)
    }
}

/// A run that lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The session that it is.
    pub session: SessionId,
    /// The process of the plan that it is a run of.
    pub process: String,
    /// Its main process.
    pub main: ProcId,
}

/// Keeps our own run file in step with what lives, on a thread of its own, since a disk may hang.
pub struct RunKeeper {
    wish: Arc<Wish>,
    /// Says whether the file is gone again.
    done: Mutex<Receiver<bool>>,
}

/// What the thread is to do next: only the latest list counts.
#[derive(Default)]
struct Wish {
    next: Mutex<Next>,
    changed: Condvar,
}

#[derive(Default)]
struct Next {
    runs: Option<Vec<RunRecord>>,
    leave: bool,
}

impl RunKeeper {
    /// Starts the thread; nothing is written before the first [`RunKeeper::keep`]. The files of those
    /// who were taken over stay until ours names them, so that a kill at any moment loses nobody.
    pub fn start(state_dir: &Path, owner: Owner, inherited: Vec<LeftBehind>) -> Self {
        let wish = Arc::new(Wish::default());
        let (finished, done) = sync_channel(1);
        let mut pen = Pen::new(state_dir, owner, inherited);
        let wishes = wish.clone();
        let thread = std::thread::Builder::new().name("runfile".into());
        if let Err(error) = thread.spawn(move || pen.work(&wishes, &finished)) {
            tracing::warn!(target: "store", "cannot start the thread of the run file: {error}; \
                what outlives us will not be found again");
        }
        Self { wish, done: Mutex::new(done) }
    }

    /// Replaces the list of what lives. Never waits for the disk.
    pub fn keep(&self, runs: Vec<RunRecord>) {
        self.wish.lock().runs = Some(runs);
        self.wish.changed.notify_one();
    }

    /// Removes the file, because nothing is left behind; blocks for `patience` at most. Says
    /// whether it is gone.
    pub fn close(self, patience: Duration) -> bool {
        self.wish.lock().leave = true;
        self.wish.changed.notify_one();
        let done = self.done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.recv_timeout(patience).unwrap_or(false)
    }
}

impl Wish {
    fn lock(&self) -> MutexGuard<'_, Next> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a list to write, at most for `patience` if there is one; `None` is for leaving.
    fn next(&self, unwritten: Option<Vec<RunRecord>>) -> Option<Vec<RunRecord>> {
        let idle = |next: &mut Next| next.runs.is_none() && !next.leave;
        let mut next = match unwritten {
            None => {
                let waited = self.changed.wait_while(self.lock(), idle);
                waited.unwrap_or_else(PoisonError::into_inner)
            }
            Some(_) => {
                let waited = self.changed.wait_timeout_while(self.lock(), RETRY, idle);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        if next.leave { None } else { next.runs.take().or(unwritten) }
    }
}

/// The thread's side: the file and its lock.
struct Pen {
    folder: PathBuf,
    owner: Owner,
    /// The file that is in place now, locked.
    held: Option<File>,
    /// Files of earlier lives that name somebody whom ours does not name yet.
    inherited: Vec<LeftBehind>,
    trouble: bool,
}

impl Pen {
    fn new(state_dir: &Path, owner: Owner, inherited: Vec<LeftBehind>) -> Self {
        let folder = state_dir.join(FOLDER);
        Self { folder, owner, held: None, inherited, trouble: false }
    }

    fn work(&mut self, wish: &Wish, finished: &SyncSender<bool>) {
        let mut unwritten = None;
        while let Some(runs) = wish.next(unwritten.take()) {
            if let Err(error) = self.put(&runs) {
                self.complain(&error);
                unwritten = Some(runs);
            } else {
                self.trouble = false;
            }
        }
        // Whoever was taken over has ended with us.
        self.discard(|_| true);
        let _ = finished.send(self.remove().is_ok());
    }

    /// Writes a list, and then removes what it stands in the place of.
    fn put(&mut self, runs: &[RunRecord]) -> io::Result<()> {
        self.write(runs)?;
        self.discard(|left| left.is_named_by(runs));
        Ok(())
    }

    fn discard(&mut self, is_done: impl Fn(&LeftBehind) -> bool) {
        let done = self.inherited.extract_if(.., |left| is_done(left));
        done.for_each(LeftBehind::discard);
    }

    fn complain(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.trouble, true) {
            tracing::warn!(target: "store", folder = %self.folder.display(),
                "cannot write the run file: {error}; what outlives a kill of ours will not be \
                 found again, until the folder is writable");
        }
    }

    fn write(&mut self, runs: &[RunRecord]) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let content = RunFile { version: VERSION, owner: self.owner.clone(), runs: runs.to_vec() };
        let beside = self.folder.join(format!("{}.tmp", self.owner.file_stem()));
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        // Where locks are unknown the reader goes by pid and start time.
        let _ = file.try_lock();
        file.write_all(&serde_json::to_vec(&content)?)?;
        fs::rename(&beside, self.path())?;
        self.held = Some(file);
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.json", self.owner.file_stem()))
    }

    fn remove(&mut self) -> io::Result<()> {
        use io::ErrorKind::{NotADirectory, NotFound};
        match fs::remove_file(self.path()) {
            Err(error) if !matches!(error.kind(), NotFound | NotADirectory) => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::left_behind::find_left_behind;

    fn owner() -> Owner {
        let supervisor = ProcId { pid: 7, start_ticks: 700 };
        Owner::read(supervisor).expect("this machine has a /proc")
    }

    fn record(process: &str) -> RunRecord {
        RunRecord {
            session: SessionId::new(crate::units::Wall(1_790_000_000_000), 1),
            process: process.into(),
            main: ProcId { pid: 42, start_ticks: 4200 },
        }
    }

    fn read(pen: &Pen) -> RunFile {
        serde_json::from_slice(&fs::read(pen.path()).expect("it is there")).expect("it is whole")
    }

    #[test]
    fn the_latest_list_is_the_one_that_is_kept() {
        let state = tempfile::tempdir().expect("a folder");
        let mut pen = Pen::new(state.path(), owner(), Vec::new());
        pen.write(&[record("web")]).expect("writable");
        pen.write(&[record("web"), record("api")]).expect("writable");
        let file = read(&pen);
        assert_eq!(file.owner, owner());
        assert_eq!(file.runs, [record("web"), record("api")]);
        assert_eq!(fs::read_dir(&pen.folder).expect("listed").count(), 1, "nothing lies beside it");
    }

    #[test]
    fn a_file_in_use_is_locked_through_every_change() {
        let state = tempfile::tempdir().expect("a folder");
        let mut pen = Pen::new(state.path(), owner(), Vec::new());
        for _ in 0..2 {
            pen.write(&[record("web")]).expect("writable");
            assert!(File::open(pen.path()).expect("readable").try_lock().is_err());
        }
    }

    #[test]
    fn a_clean_exit_leaves_nothing() {
        let state = tempfile::tempdir().expect("a folder");
        let keeper = RunKeeper::start(state.path(), owner(), Vec::new());
        keeper.keep(vec![record("web")]);
        let path = Pen::new(state.path(), owner(), Vec::new()).path();
        while !path.exists() {
            std::thread::yield_now();
        }
        assert!(keeper.close(Duration::from_secs(10)));
        assert!(!path.exists());
    }

    #[test]
    fn who_was_taken_over_is_in_the_old_file_until_the_new_one_names_them() {
        let state = tempfile::tempdir().expect("a folder");
        let gone = Owner { supervisor: ProcId { pid: 70, start_ticks: 700 }, ..owner() };
        let mut before = Pen::new(state.path(), gone, Vec::new());
        before.write(&[record("web")]).expect("writable");
        let old = before.path();
        drop(before);
        let lives = |id| id == record("web").main;
        let found = find_left_behind(state.path(), &owner(), Duration::from_secs(10), lives);
        let mut pen = Pen::new(state.path(), owner(), found);
        let other = ProcId { pid: 43, start_ticks: 4300 };
        pen.put(&[RunRecord { main: other, ..record("api") }]).expect("writable");
        assert!(old.exists(), "a kill now loses nobody");
        pen.put(&[record("web")]).expect("writable");
        assert!(!old.exists() && pen.path().exists());
    }

    #[test]
    fn a_folder_that_cannot_be_made_stalls_nobody() {
        let state = tempfile::tempdir().expect("a folder");
        fs::write(state.path().join(FOLDER), "a file in the way").expect("writable");
        let keeper = RunKeeper::start(state.path(), owner(), Vec::new());
        keeper.keep(vec![record("web")]);
        keeper.keep(Vec::new());
        assert!(keeper.close(Duration::from_secs(10)), "there is nothing to remove");
    }

    #[test]
    fn a_list_that_could_not_be_written_is_written_when_there_is_no_newer_one() {
        let wish = Wish::default();
        wish.lock().runs = Some(vec![record("newer")]);
        assert_eq!(wish.next(Some(vec![record("older")])), Some(vec![record("newer")]));
        wish.lock().leave = true;
        assert_eq!(wish.next(Some(vec![record("older")])), None);
    }
}
