//! What an earlier life of ours left behind, by the run files that it could not remove.
//!
//! This is the one look at a disk before the first spawn, so it is bounded in time, in files and in
//! bytes, and whatever goes wrong in it means only that less is found. A file says something about
//! a process only on the same boot and in the same pid namespace; a pid is believed only together
//! with its start time.

use std::fs::{self, DirEntry, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use crate::clock;
use crate::store::runfile::{FOLDER, Owner, RunFile, RunRecord, VERSION};
use crate::units::ProcId;

/// Entries of the folder that are looked at. Each supervisor has one file, and removes it.
const MAX_FILES: usize = 256;

/// The size of a file that is read: a thousand runs, generously.
const MAX_BYTES: u64 = 256 * 1024;

/// The processes that one dead supervisor left behind.
#[derive(Debug)]
pub struct LeftBehind {
    /// Its runs whose main process lives.
    pub runs: Vec<RunRecord>,
    path: PathBuf,
    /// Locked for as long as we deal with it, so that no other procession does.
    lock: File,
}

impl LeftBehind {
    /// Whether each of its runs is among these.
    pub(super) fn is_named_by(&self, runs: &[RunRecord]) -> bool {
        self.runs.iter().all(|left| runs.iter().any(|run| run.main == left.main))
    }

    /// Removes the run file, once its processes were ended or taken over. Unless this is called,
    /// the next life finds them again.
    pub fn discard(self) {
        remove(&self.path, "its processes are dealt with");
        drop(self.lock);
    }
}

/// Finds what dead supervisors left in `state_dir`, within `patience` even where the disk hangs.
/// `alive` says whether a process with this pid and this start time exists.
pub fn find_left_behind(
    state_dir: &Path,
    ours: &Owner,
    patience: Duration,
    alive: impl Fn(ProcId) -> bool + Send + 'static,
) -> Vec<LeftBehind> {
    let deadline = clock::now().mono.after(patience);
    let (found, finds) = sync_channel(MAX_FILES);
    let look = Look { folder: state_dir.join(FOLDER), ours: ours.clone(), alive, found };
    let thread = std::thread::Builder::new().name("left-behind".into());
    if let Err(error) = thread.spawn(move || look.at_all()) {
        tracing::warn!(target: "store", "cannot look for what an earlier life left: {error}");
        return Vec::new();
    }
    let rest = || deadline.since(clock::now().mono);
    std::iter::from_fn(|| finds.recv_timeout(rest()).ok()).collect()
}

/// One look at the folder, on its own thread.
struct Look<Alive> {
    folder: PathBuf,
    ours: Owner,
    alive: Alive,
    /// Closed when nobody waits any more.
    found: SyncSender<LeftBehind>,
}

impl<Alive: Fn(ProcId) -> bool> Look<Alive> {
    fn at_all(&self) {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                tracing::warn!(target: "store", folder = %self.folder.display(),
                    "cannot look for what an earlier life left: {error}");
                return;
            }
        };
        for entry in entries.flatten().take(MAX_FILES) {
            if let Some(found) = self.at(&entry) {
                // After the deadline the file stays as it is, for the next life.
                let _ = self.found.try_send(found);
            }
        }
    }

    fn at(&self, entry: &DirEntry) -> Option<LeftBehind> {
        let path = entry.path();
        let extension = path.extension()?;
        if extension != "json" && extension != "tmp" {
            return None;
        }
        let (file, lock) = open_unused(&path)?;
        if extension == "tmp" {
            remove(&path, "its writer died over it");
            return None;
        }
        match read(&file) {
            Ok(content) => self.judge(content, path, file, lock),
            Err(trouble) => {
                set_aside(&path, &trouble);
                None
            }
        }
    }

    fn judge(&self, content: RunFile, path: PathBuf, file: File, lock: Lock) -> Option<LeftBehind> {
        let owner = &content.owner;
        let ours = &self.ours;
        let same_place = owner.boot_id == ours.boot_id && owner.pid_namespace == ours.pid_namespace;
        if same_place && (self.alive)(owner.supervisor) {
            return None;
        }
        if !same_place && lock == Lock::Unknown {
            return None;
        }
        let mut runs = content.runs;
        runs.retain(|run| same_place && (self.alive)(run.main));
        if runs.is_empty() {
            remove(&path, "nothing of it lives");
            return None;
        }
        Some(LeftBehind { runs, path, lock: file })
    }
}

/// What a file's lock says of its supervisor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    /// It is gone: we hold the lock now.
    Held,
    /// The file system knows no locks.
    Unknown,
}

/// Opens and locks a file whose supervisor does not hold it; `None` where one does.
pub(super) fn open_unused(path: &Path) -> Option<(File, Lock)> {
    // Neither a link to elsewhere is followed nor a pipe waited for.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    let lock = match file.try_lock() {
        Ok(()) => Lock::Held,
        Err(TryLockError::WouldBlock) => return None,
        Err(TryLockError::Error(_)) => Lock::Unknown,
    };
    // A living supervisor may have put a new file in the place of the one that we opened.
    let (opened, now) = (file.metadata().ok()?, fs::symlink_metadata(path).ok()?);
    let identity = |at: &Metadata| (at.dev(), at.ino());
    (opened.is_file() && identity(&opened) == identity(&now)).then_some((file, lock))
}

fn read(file: &File) -> Result<RunFile, String> {
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("it is larger than {MAX_BYTES} bytes"));
    }
    let content: RunFile = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    if content.version != VERSION {
        return Err(format!("its version is {}, not {VERSION}", content.version));
    }
    Ok(content)
}

fn set_aside(path: &Path, trouble: &str) {
    let aside = path.with_extension("corrupt");
    let moved = fs::rename(path, &aside);
    tracing::warn!(target: "store", path = %path.display(), moved = moved.is_ok(),
        "cannot read a run file: {trouble}; set aside as {}", aside.display());
}

fn remove(path: &Path, why: &str) {
    match fs::remove_file(path) {
        Ok(()) => {
            tracing::debug!(target: "store", path = %path.display(), "run file removed: {why}")
        }
        Err(error) => tracing::warn!(target: "store", path = %path.display(),
            "cannot remove a run file: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{SessionId, Wall};

    const DEAD: ProcId = ProcId { pid: 70, start_ticks: 700 };
    const ALIVE: ProcId = ProcId { pid: 42, start_ticks: 4200 };

    fn owner() -> Owner {
        Owner {
            boot_id: "this boot".into(),
            pid_namespace: "pid:[1]".into(),
            supervisor: ProcId { pid: 1, start_ticks: 1 },
        }
    }

    fn content(change: impl FnOnce(&mut RunFile)) -> Vec<u8> {
        let session = SessionId::new(Wall(1_790_000_000_000), 1);
        let run = |process: &str, main| RunRecord { session, process: process.into(), main };
        let mut file = RunFile {
            version: VERSION,
            owner: Owner { supervisor: DEAD, ..owner() },
            runs: vec![run("web", ALIVE), run("api", DEAD)],
        };
        change(&mut file);
        serde_json::to_vec(&file).expect("it is plain data")
    }

    fn find(state: &Path) -> Vec<LeftBehind> {
        find_left_behind(state, &owner(), Duration::from_secs(10), |id| id == ALIVE)
    }

    /// Puts one file there and says which runs are found and which files are left afterwards.
    fn check(content: &[u8]) -> (Vec<String>, Vec<String>) {
        let state = tempfile::tempdir().expect("a folder");
        let folder = state.path().join(FOLDER);
        fs::create_dir(&folder).expect("created");
        fs::write(folder.join("70-700.json"), content).expect("written");
        let found = find(state.path());
        let runs = found.iter().flat_map(|left| &left.runs).map(|run| run.process.clone());
        let names = fs::read_dir(&folder).expect("listed").flatten();
        let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        (runs.collect(), names.collect())
    }

    fn names(of: &[&str]) -> Vec<String> {
        of.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn of_a_dead_supervisor_the_living_processes_are_found() {
        assert_eq!(check(&content(|_| ())), (names(&["web"]), names(&["70-700.json"])));
    }

    #[test]
    fn a_living_supervisor_is_left_alone() {
        let file = content(|file| file.owner.supervisor = ALIVE);
        assert_eq!(check(&file), (names(&[]), names(&["70-700.json"])));
    }

    #[test]
    fn pids_of_another_boot_or_namespace_say_nothing() {
        for file in [
            content(|file| file.owner.boot_id = "another boot".into()),
            content(|file| file.owner.pid_namespace = "pid:[2]".into()),
            content(|file| file.runs.clear()),
        ] {
            assert_eq!(check(&file), (names(&[]), names(&[])));
        }
    }

    #[test]
    fn what_cannot_be_read_is_set_aside() {
        let huge = vec![b' '; MAX_BYTES as usize + 1];
        let newer = content(|file| file.version = VERSION + 1);
        for file in [b"".as_slice(), b"\0\xff{", b"{\"version\":1}", &huge, &newer] {
            assert_eq!(check(file), (names(&[]), names(&["70-700.corrupt"])));
        }
    }

    #[test]
    fn a_locked_file_belongs_to_somebody_whatever_its_pid_says() {
        let state = tempfile::tempdir().expect("a folder");
        let folder = state.path().join(FOLDER);
        fs::create_dir(&folder).expect("created");
        let path = folder.join("70-700.json");
        fs::write(&path, content(|_| ())).expect("written");
        let held = File::open(&path).expect("opened");
        held.lock().expect("locked");
        assert!(find(state.path()).is_empty());
        drop(held);
        let found = find(state.path());
        assert_eq!(found.len(), 1);
        assert!(find(state.path()).is_empty(), "we deal with it already");
        found.into_iter().for_each(LeftBehind::discard);
        assert!(!path.exists());
    }

    #[test]
    fn a_pipe_a_link_and_a_folder_are_passed_over() {
        let state = tempfile::tempdir().expect("a folder");
        let folder = state.path().join(FOLDER);
        fs::create_dir_all(folder.join("folder.json")).expect("created");
        let mode = nix::sys::stat::Mode::S_IRWXU;
        nix::unistd::mkfifo(&folder.join("pipe.json"), mode).expect("made");
        std::os::unix::fs::symlink("/proc/self/stat", folder.join("link.json")).expect("linked");
        fs::write(folder.join("1-1.tmp"), "half").expect("written");
        assert!(find(state.path()).is_empty());
        let left = fs::read_dir(&folder).expect("listed").count();
        assert_eq!(left, 3, "only the abandoned file is removed");
    }

    #[test]
    fn a_folder_that_is_not_there_holds_nothing() {
        assert!(find(Path::new("/nonexistent")).is_empty());
    }

    #[test]
    fn a_look_that_takes_too_long_finds_less() {
        let state = tempfile::tempdir().expect("a folder");
        let folder = state.path().join(FOLDER);
        fs::create_dir(&folder).expect("created");
        fs::write(folder.join("70-700.json"), content(|_| ())).expect("written");
        let (resume, hung) = sync_channel::<()>(0);
        let hung = std::sync::Mutex::new(hung);
        let alive = move |id| {
            let _ = hung.lock().expect("not poisoned").recv();
            id == ALIVE
        };
        let found = find_left_behind(state.path(), &owner(), Duration::from_millis(50), alive);
        assert!(found.is_empty());
        drop(resume);
    }
}
