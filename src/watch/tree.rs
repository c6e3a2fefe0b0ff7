//! The kernel's watches: one on each folder below a rule's path, but for those that it ignores.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};
use tokio::io::unix::AsyncFd;

use crate::units::ProcessIx;
use crate::watch::rule::Rule;

/// Folders that are watched for one rule at most; more is an ignore pattern that is missing.
const FOLDERS: usize = 8192;

/// What makes a descriptor awaitable; see [`crate::init::sys::watch`].
pub type Register = fn(OwnedFd) -> io::Result<AsyncFd<OwnedFd>>;

/// A change that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// Whose files.
    pub(super) process: ProcessIx,
    /// How long changes must have come to rest.
    pub(super) debounce: Duration,
}

/// Every rule with its watches.
pub(super) struct Trees {
    rules: Vec<Rule>,
    /// Rules whose path is not there, or could not be watched as a whole.
    lacking: Vec<bool>,
    /// Why that is, as it was said last: what stays as it is is said once.
    said: Vec<Option<String>>,
    folders: BTreeMap<WatchDescriptor, Folder>,
    inotify: Inotify,
    /// Tells when there is something to read; the same open file as `inotify`.
    bell: AsyncFd<OwnedFd>,
}

/// A watched folder: where it is, and for which rules.
struct Folder {
    path: PathBuf,
    rules: Vec<usize>,
}

impl Trees {
    /// Nothing is watched yet. Needs a runtime.
    pub(super) fn new(rules: Vec<Rule>, register: Register) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        let bell = register(inotify.as_fd().try_clone_to_owned()?)?;
        let (lacking, said) = (vec![true; rules.len()], vec![None; rules.len()]);
        Ok(Self { rules, lacking, said, folders: BTreeMap::new(), inotify, bell })
    }

    /// Whether a rule has no watch where it should have one.
    pub(super) fn lacks_some(&self) -> bool {
        self.lacking.contains(&true)
    }

    /// Looks for what is not watched yet. What is found where nothing was before is a change, but
    /// for the first time.
    pub(super) fn look(&mut self) -> Vec<Heard> {
        let wanted: Vec<usize> = (0..self.rules.len()).filter(|rule| self.lacking[*rule]).collect();
        for rule in &wanted {
            let begun = self.begin(*rule);
            self.lacking[*rule] = begun.is_err();
            let why = begun.err().map(|error| error.to_string());
            let path = &self.rules[*rule].path;
            // Replicas have the same rules.
            let mut known = self.rules.iter().zip(&self.said);
            let was_said = known.any(|(other, said)| other.path == *path && *said == why);
            if let Some(error) = why.as_ref().filter(|_| !was_said) {
                let path = path.display();
                tracing::warn!(target: "watch", "{path} is not watched: {error}; it is looked for");
            }
            self.said[*rule] = why;
        }
        wanted
            .into_iter()
            .filter(|rule| !self.lacking[*rule])
            .map(|rule| self.heard(rule))
            .collect()
    }

    /// Waits for changes that count; one for each rule at most.
    pub(super) async fn hear(&mut self) -> Vec<Heard> {
        loop {
            let Ok(mut ready) = self.bell.readable().await else {
                return std::future::pending().await;
            };
            let Ok(events) = self.inotify.read_events() else {
                ready.clear_ready();
                continue;
            };
            drop(ready);
            let mut touched: Vec<usize> =
                events.iter().flat_map(|event| self.take_in(event)).collect();
            touched.sort_unstable();
            touched.dedup();
            if !touched.is_empty() {
                return touched.into_iter().map(|rule| self.heard(rule)).collect();
            }
        }
    }

    fn heard(&self, rule: usize) -> Heard {
        Heard { process: self.rules[rule].process, debounce: self.rules[rule].debounce }
    }

    /// The rules that an event counts for.
    fn take_in(&mut self, event: &InotifyEvent) -> Vec<usize> {
        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            // Nobody knows what was missed, folders included.
            self.lacking.fill(true);
            return (0..self.rules.len()).collect();
        }
        let key = event.wd;
        if event.mask.contains(AddWatchFlags::IN_IGNORED) {
            self.forget(key);
            return Vec::new();
        }
        let Some(folder) = self.folders.get(&key) else { return Vec::new() };
        let path = match &event.name {
            Some(name) => folder.path.join(name),
            None => return Vec::new(),
        };
        let rules = folder.rules.clone();
        let appeared = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
        if event.mask.contains(AddWatchFlags::IN_ISDIR) && event.mask.intersects(appeared) {
            for rule in &rules {
                self.lacking[*rule] |= self.descend(*rule, &path).is_err();
            }
        }
        rules.into_iter().filter(|rule| self.rules[*rule].counts(&path)).collect()
    }

    /// A folder is gone; where it was the path of a rule, that is looked for again.
    fn forget(&mut self, key: WatchDescriptor) {
        let Some(folder) = self.folders.remove(&key) else { return };
        for rule in folder.rules {
            let path = &self.rules[rule].path;
            self.lacking[rule] |= path.starts_with(&folder.path);
        }
    }

    /// Watches a rule's path: a folder with all that is below it, or the folder that a file is in,
    /// because editors replace files rather than write to them.
    fn begin(&mut self, rule: usize) -> io::Result<()> {
        let path = self.rules[rule].path.clone();
        if fs::metadata(&path)?.is_dir() {
            return self.descend(rule, &path);
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        self.watch(rule, parent.unwrap_or(Path::new(".")))
    }

    /// Watches a folder and all below it. Links to folders are not followed: they lead anywhere.
    fn descend(&mut self, rule: usize, top: &Path) -> io::Result<()> {
        let mut ahead = vec![top.to_owned()];
        while let Some(folder) = ahead.pop() {
            if folder != self.rules[rule].path && self.rules[rule].ignores(&folder) {
                continue;
            }
            self.watch(rule, &folder)?;
            // A folder that went away meanwhile has nothing to watch.
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            let folders =
                entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            ahead.extend(folders.map(|entry| entry.path()));
        }
        Ok(())
    }

    fn watch(&mut self, rule: usize, folder: &Path) -> io::Result<()> {
        let watched = self.folders.values().filter(|one| one.rules.contains(&rule)).count();
        if watched >= FOLDERS {
            let advice = format!("more than {FOLDERS} folders: name some of them under `ignore`");
            return Err(io::Error::other(advice));
        }
        let flags = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_ONLYDIR
            | AddWatchFlags::IN_DONT_FOLLOW;
        let added = self.inotify.add_watch(folder, flags);
        let key = match added {
            Ok(descriptor) => descriptor,
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(()),
            Err(Errno::ENOSPC) => {
                return Err(io::Error::other(
                    "no watches are left: raise fs.inotify.max_user_watches",
                ));
            }
            Err(error) => return Err(error.into()),
        };
        let place = Folder { path: folder.to_owned(), rules: Vec::new() };
        let known = self.folders.entry(key).or_insert(place);
        if !known.rules.contains(&rule) {
            known.rules.push(rule);
        }
        Ok(())
    }
}
