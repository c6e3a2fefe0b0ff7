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

/// What the kernel tells of a folder. It does not tell of what goes elsewhere with a folder above it.
const EVENTS: AddWatchFlags = AddWatchFlags::IN_CLOSE_WRITE
    .union(AddWatchFlags::IN_CREATE)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_MOVE)
    .union(AddWatchFlags::IN_MOVE_SELF)
    .union(AddWatchFlags::IN_ATTRIB)
    .union(AddWatchFlags::IN_ONLYDIR);

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
    /// How many folders each has.
    watched: Vec<usize>,
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
        let watched = vec![0; rules.len()];
        Ok(Self { rules, lacking, said, watched, folders: BTreeMap::new(), inotify, bell })
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

    /// Waits for changes that count; one for each rule at most, and none where one has begun to lack its watch.
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
            let lacked = self.lacks_some();
            let mut touched: Vec<usize> =
                events.iter().flat_map(|event| self.take_in(event)).collect();
            touched.sort_unstable();
            touched.dedup();
            if !touched.is_empty() || self.lacks_some() && !lacked {
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
        if event.mask.contains(AddWatchFlags::IN_MOVE_SELF) {
            self.leave(&folder.path.clone());
            return Vec::new();
        }
        let path = match &event.name {
            Some(name) => folder.path.join(name),
            None => return Vec::new(),
        };
        let rules = folder.rules.clone();
        let is_folder = event.mask.contains(AddWatchFlags::IN_ISDIR);
        if is_folder && event.mask.contains(AddWatchFlags::IN_MOVED_FROM) {
            self.leave(&path);
        }
        let appeared = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
        let appeared = is_folder && event.mask.intersects(appeared);
        if appeared {
            for rule in &rules {
                self.lacking[*rule] |= self.descend(*rule, &path).is_err();
            }
        }
        let counts = |rule: &Rule| rule.counts(&path) || appeared && holds_what_counts(rule, &path);
        rules.into_iter().filter(|rule| counts(&self.rules[*rule])).collect()
    }

    /// A folder went elsewhere: what lies below it has other names now, and may be none of ours. What its new parent
    /// tells of is watched as what is new.
    fn leave(&mut self, top: &Path) {
        let below = self.folders.iter().filter(|(_, folder)| folder.path.starts_with(top));
        let gone: Vec<WatchDescriptor> = below.map(|(key, _)| *key).collect();
        for key in gone {
            // It may be gone already.
            let _ = self.inotify.rm_watch(key);
            self.forget(key);
        }
    }

    /// A folder is gone; where it was the path of a rule, that is looked for again.
    fn forget(&mut self, key: WatchDescriptor) {
        let Some(folder) = self.folders.remove(&key) else { return };
        for rule in folder.rules {
            let path = &self.rules[rule].path;
            self.lacking[rule] |= path.starts_with(&folder.path);
            self.watched[rule] -= 1;
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
        if self.watched[rule] >= FOLDERS {
            let advice = format!("more than {FOLDERS} folders: name some of them under `ignore`");
            return Err(io::Error::other(advice));
        }
        // A path that is a link itself was meant; any other link leads anywhere.
        let follows = folder == self.rules[rule].path;
        let links = if follows { AddWatchFlags::empty() } else { AddWatchFlags::IN_DONT_FOLLOW };
        let added = self.inotify.add_watch(folder, EVENTS | links);
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
            self.watched[rule] += 1;
        }
        Ok(())
    }
}

/// Whether a file below a folder that has just appeared counts: it came with it, or before the folder was watched.
fn holds_what_counts(rule: &Rule, top: &Path) -> bool {
    let mut ahead = vec![top.to_owned()];
    while let Some(folder) = ahead.pop() {
        if rule.ignores(&folder) {
            continue;
        }
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                ahead.push(path);
            } else if rule.counts(&path) {
                return true;
            }
        }
    }
    false
}
