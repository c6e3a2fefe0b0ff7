//! Is told by the kernel which files are written to, so that an old one is noticed at once and ten
//! thousand of them cost nothing while they rest. Where it cannot be told (a file system over the
//! network, no watches left), looking in turn has to do.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use tokio::io::unix::AsyncFd;

/// Folders that are watched at most: a user has 8,192 watches where nothing else is set, and others
/// want some.
const MOST_FOLDERS: usize = 4_096;

/// What makes a descriptor awaitable; see [`crate::init::sys::watch`].
pub type Register = fn(OwnedFd) -> io::Result<AsyncFd<OwnedFd>>;

/// What was rung for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rung {
    /// Files that were written to, made or moved, and folders that were made.
    pub paths: Vec<PathBuf>,
    /// Whether some were not told, because there were too many.
    pub lost: bool,
}

/// What rings when a file is written to.
pub struct Bell {
    /// Nothing where the kernel gives none.
    inotify: Option<Inotify>,
    folders: HashMap<WatchDescriptor, PathBuf>,
    /// Some folder could not be watched.
    misses: bool,
}

impl Bell {
    /// A bell that is told nothing yet.
    pub fn new() -> Self {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).ok();
        Self { misses: inotify.is_none(), inotify, folders: HashMap::new() }
    }

    /// Rings for what is written in this folder from now on, if it can.
    pub fn watch(&mut self, folder: &Path) {
        let wanted = AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_ONLYDIR;
        let Some(inotify) = self.inotify.as_ref().filter(|_| self.folders.len() < MOST_FOLDERS)
        else {
            self.misses = true;
            return;
        };
        match inotify.add_watch(folder, wanted) {
            Ok(watch) => drop(self.folders.insert(watch, folder.to_owned())),
            // It may be gone again already; else it is one that nothing is told of.
            Err(error) => self.misses |= error != Errno::ENOENT,
        }
    }

    /// A descriptor that is readable when it rang; nothing where it never will.
    pub fn descriptor(&self) -> Option<OwnedFd> {
        self.inotify.as_ref()?.as_fd().try_clone_to_owned().ok()
    }

    /// Whether it rings for every folder that it was asked to.
    pub fn hears_all(&self) -> bool {
        !self.misses
    }

    /// What it rang for since it was last asked.
    pub fn rung(&mut self) -> Rung {
        let mut rung = Rung::default();
        let Some(inotify) = &self.inotify else { return rung };
        loop {
            match inotify.read_events() {
                Ok(events) => {
                    for event in events {
                        rung.lost |= event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW);
                        if event.mask.contains(AddWatchFlags::IN_IGNORED) {
                            self.folders.remove(&event.wd);
                        } else if let (Some(folder), Some(name)) =
                            (self.folders.get(&event.wd), event.name)
                        {
                            rung.paths.push(folder.join(name));
                        }
                    }
                }
                Err(Errno::EINTR) => {}
                Err(_) => break,
            }
        }
        rung.paths.sort_unstable();
        rung.paths.dedup();
        rung
    }
}

/// The file that a write is about: a database writes to a second one first.
pub fn meant(path: &Path) -> PathBuf {
    let bytes = path.as_os_str().as_bytes();
    let main = bytes.strip_suffix(b"-wal").unwrap_or(bytes);
    PathBuf::from(std::ffi::OsStr::from_bytes(main))
}
