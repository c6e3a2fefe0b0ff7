//! The files that are followed: which they are, what they are called, and which to look at now.
//!
//! What changed lately is looked at every time, the rest in turn, so that ten thousand old files
//! cost no more than a few hundred.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::path::{Path, PathBuf};

use crate::tokens::MOST_FILES;
use crate::tokens::book::FileId;
use crate::tokens::tail::file::{self, Change, Identity, Tracked};
use crate::units::{Mono, Now};

/// Files that did not change for a while and are looked at nonetheless, in one poll: with 100 files
/// each is seen within half a second, with 10,000 within a minute. Where the kernel tells of
/// changes, this is for what it does not tell.
const COLD_AT_ONCE: usize = 32;
/// And where the kernel tells of all that is written here.
const COLD_WHERE_TOLD: usize = 6;

/// All files that are followed.
#[derive(Default)]
pub struct Shelf {
    files: HashMap<FileId, Tracked>,
    paths: HashMap<PathBuf, FileId>,
    inodes: HashMap<(u64, u64), FileId>,
    next: u64,
    /// Files that changed lately.
    hot: BTreeSet<FileId>,
    /// All files, in the order in which they are looked at.
    round: VecDeque<FileId>,
    full: bool,
}

/// What became of a file that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is followed from now on.
    New(FileId),
    /// It was followed already, under another name.
    Renamed(FileId),
    /// It is not followed.
    Refused,
}

impl Shelf {
    /// How many are followed.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether a file of this name is followed.
    pub fn has(&self, path: &Path) -> bool {
        self.paths.contains_key(path)
    }

    /// A file that is followed.
    pub fn get_mut(&mut self, id: FileId) -> Option<&mut Tracked> {
        self.files.get_mut(&id)
    }

    /// The file of this name among us.
    pub fn get(&self, id: FileId) -> Option<&Tracked> {
        self.files.get(&id)
    }

    /// All of them, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Tracked> {
        self.files.values()
    }

    /// Begins to follow a file, or follows one to its new name.
    pub fn put(&mut self, tracked: Tracked, now: Mono) -> Put {
        let inode = inode(tracked.identity);
        if let Some(id) = self.inodes.get(&inode).copied() {
            return self.rename(id, tracked);
        }
        if self.files.len() >= MOST_FILES {
            return self.refuse(&tracked.path);
        }
        let id = FileId(self.next);
        self.next += 1;
        if tracked.hot_until > now {
            self.hot.insert(id);
        }
        self.paths.insert(tracked.path.clone(), id);
        self.inodes.insert(inode, id);
        self.round.push_back(id);
        self.files.insert(id, tracked);
        Put::New(id)
    }

    /// Has a file looked at the next time; whether it is followed.
    pub fn warm(&mut self, path: &Path) -> bool {
        let known = self.paths.get(path).copied();
        self.hot.extend(known);
        known.is_some()
    }

    /// Has every file looked at the next time.
    pub fn warm_all(&mut self) {
        self.hot.extend(self.files.keys().copied());
    }

    /// Looks at the files that changed lately, and at some of the others, fewer where the kernel tells
    /// of changes, and tells which changed.
    pub fn check(&mut self, now: Now, told: bool) -> Vec<(FileId, Change)> {
        let some = if told { COLD_WHERE_TOLD } else { COLD_AT_ONCE }.min(self.round.len());
        let mut due = self.hot.clone();
        due.extend(self.round.iter().take(some));
        self.round.rotate_left(some);
        let checked = due.into_iter().map(|id| (id, self.check_one(id, now.mono)));
        checked.filter(|(_, change)| *change != Change::None).collect()
    }

    fn check_one(&mut self, id: FileId, now: Mono) -> Change {
        let Some(tracked) = self.files.get_mut(&id) else { return Change::None };
        let before = inode(tracked.identity);
        let change = tracked.check(now);
        let after = inode(tracked.identity);
        if tracked.hot_until > now {
            self.hot.insert(id);
        } else {
            self.hot.remove(&id);
        }
        match change {
            Change::Gone => self.remove(id),
            Change::Replaced => {
                self.inodes.remove(&before);
                self.inodes.insert(after, id);
            }
            Change::None | Change::Written => {}
        }
        change
    }

    /// Follows a file to its new name; its old one may be given to another. A file that has but
    /// the inode in common is left to the look that finds the old one gone.
    fn rename(&mut self, id: FileId, found: Tracked) -> Put {
        let Some(known) = self.files.get_mut(&id) else { return Put::Refused };
        if known.identity != found.identity {
            return Put::Refused;
        }
        let old = std::mem::replace(&mut known.path, found.path.clone());
        known.told = None;
        self.paths.insert(found.path, id);
        let at_old = file::stat(&old).ok().flatten();
        if at_old.is_none_or(|(identity, _)| identity != found.identity) {
            self.paths.remove(&old);
        }
        Put::Renamed(id)
    }

    fn refuse(&mut self, path: &Path) -> Put {
        if !std::mem::replace(&mut self.full, true) {
            let path = path.display();
            tracing::warn!(
                target: "tokens",
                "cannot follow {path}: {MOST_FILES} transcripts are followed already; remove old ones"
            );
        }
        Put::Refused
    }

    fn remove(&mut self, id: FileId) {
        let Some(tracked) = self.files.remove(&id) else { return };
        let inode = inode(tracked.identity);
        if self.inodes.get(&inode) == Some(&id) {
            self.inodes.remove(&inode);
        }
        self.paths.retain(|_, known| *known != id);
        self.hot.remove(&id);
        self.round.retain(|known| *known != id);
    }
}

fn inode(identity: Identity) -> (u64, u64) {
    (identity.device, identity.inode)
}
