//! Finds the transcripts in a folder, again and again, and cheaply when nothing changes: a folder is
//! listed only when its own time of change says so.
//!
//! Links are not followed below the root, so that nothing outside is read and no loop entered.

use std::collections::HashSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::plan::Dialect;
use crate::tokens::agents;
use crate::units::{Mono, Now};

/// Folders within folders; Claude Code's own layout has four.
const DEEPEST: usize = 8;

/// Folders in one tree. A session with subagents has one of its own.
const MOST_DIRS: usize = 20_000;

/// Folders that are listed for the first time, in one look.
const NEW_AT_ONCE: usize = 256;

/// Folders that did not change for a while and are looked at nonetheless, in one look.
const COLD_AT_ONCE: usize = 16;
/// And where the kernel tells of all that changes.
const COLD_WHERE_TOLD: usize = 2;

/// What changed within this time is looked at every time.
pub const HOT: Duration = Duration::from_secs(600);

/// Times of change are coarse: a folder that changed just now may change again within the same.
const COARSE_MS: i64 = 2_000;

/// A folder is listed again after this time even if it did not change, for file systems that tell
/// no change.
const RELIST: Duration = Duration::from_secs(60);
/// And where the kernel tells of all that changes.
const RELIST_WHERE_TOLD: Duration = Duration::from_secs(600);

/// A folder and all within it.
pub struct Tree {
    dialect: Dialect,
    /// The root comes first and is never dropped.
    dirs: Vec<Dir>,
    known: HashSet<PathBuf>,
    cursor: usize,
    /// Folders that were listed for the first time since they were last taken, or since they were not
    /// there.
    fresh: Vec<PathBuf>,
}

struct Dir {
    path: PathBuf,
    depth: usize,
    changed: Option<(i64, i64)>,
    listed: Option<Mono>,
    hot_until: Mono,
    /// Whether it was there when it was last looked at.
    found: bool,
    complained: bool,
    gone: bool,
}

impl Tree {
    /// The tree below `root`, which need not exist yet.
    pub fn new(dialect: Dialect, root: &Path) -> Self {
        let known = HashSet::from([root.to_owned()]);
        Self {
            dialect,
            dirs: vec![Dir::new(root.to_owned(), 0)],
            known,
            cursor: 0,
            fresh: Vec::new(),
        }
    }

    /// The root.
    pub fn root(&self) -> &Path {
        &self.dirs[0].path
    }

    /// Whether every folder was tried to list, or there is none: nothing more is found at once.
    pub fn is_complete(&self) -> bool {
        self.dirs.iter().all(|dir| dir.listed.is_some())
    }

    /// Whether all that is there was seen.
    pub fn is_known(&self) -> bool {
        self.dirs.iter().all(|dir| dir.listed.is_some() && !dir.complained)
    }

    /// Looks for changes, and gives the transcripts of every folder that may have changed; most of
    /// them are known already.
    pub fn look(&mut self, now: Now, told: bool) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut gone = false;
        for index in self.due(now.mono, told) {
            match self.dirs[index].list_if_changed(self.dialect, now, told) {
                Ok(None) => {}
                Ok(Some(list)) => {
                    if !std::mem::replace(&mut self.dirs[index].found, true) {
                        self.fresh.push(self.dirs[index].path.clone());
                    }
                    found.extend(list.transcripts);
                    self.add(list.dirs, self.dirs[index].depth + 1);
                }
                Err(error) => gone |= self.dirs[index].fail(&error, now.mono),
            }
        }
        if gone {
            self.drop_gone();
        }
        found
    }

    /// Folders that were found since this was last asked.
    pub fn fresh(&mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.fresh)
    }

    /// Has a folder listed the next time, if it is one of ours.
    pub fn warm(&mut self, folder: &Path, now: Mono) {
        if self.known.contains(folder)
            && let Some(dir) = self.dirs.iter_mut().find(|dir| dir.path == folder)
        {
            dir.changed = None;
            dir.hot_until = dir.hot_until.max(now.after(HOT));
        }
    }

    /// The folders to look at now: new ones, hot ones, and some of the others in turn.
    fn due(&mut self, now: Mono, told: bool) -> Vec<usize> {
        let (mut fresh, mut cold) = (0, 0);
        let in_turn = if told { COLD_WHERE_TOLD } else { COLD_AT_ONCE };
        let mut due = Vec::new();
        for step in 0..self.dirs.len() {
            let index = (self.cursor + step) % self.dirs.len();
            let dir = &self.dirs[index];
            let (used, most) = match (dir.listed, dir.hot_until > now) {
                (None, _) => (&mut fresh, NEW_AT_ONCE),
                (Some(_), false) => (&mut cold, in_turn),
                (Some(_), true) => (&mut 0, 1),
            };
            if *used < most {
                *used += 1;
                due.push(index);
            }
        }
        self.cursor = (self.cursor + in_turn) % self.dirs.len();
        due
    }

    fn add(&mut self, dirs: Vec<PathBuf>, depth: usize) {
        for path in dirs {
            if depth <= DEEPEST && self.dirs.len() < MOST_DIRS && self.known.insert(path.clone()) {
                self.dirs.push(Dir::new(path, depth));
            }
        }
    }

    fn drop_gone(&mut self) {
        let known = &mut self.known;
        self.dirs.retain(|dir| {
            if dir.gone {
                known.remove(&dir.path);
            }
            !dir.gone
        });
        self.cursor = 0;
    }
}

/// What a folder holds.
struct List {
    transcripts: Vec<PathBuf>,
    dirs: Vec<PathBuf>,
}

impl Dir {
    fn new(path: PathBuf, depth: usize) -> Self {
        Self {
            path,
            depth,
            changed: None,
            listed: None,
            hot_until: Mono::default(),
            found: false,
            complained: false,
            gone: false,
        }
    }

    fn list_if_changed(
        &mut self,
        dialect: Dialect,
        now: Now,
        told: bool,
    ) -> io::Result<Option<List>> {
        let meta = fs::metadata(&self.path)?;
        let changed = (meta.mtime(), meta.mtime_nsec());
        let age_ms = now.wall.0.saturating_sub(meta.mtime().saturating_mul(1_000));
        if age_ms < i64::try_from(HOT.as_millis()).unwrap_or(i64::MAX) {
            self.hot_until = now.mono.after(HOT);
        }
        let rest = if told { RELIST_WHERE_TOLD } else { RELIST };
        let fresh = self.listed.is_some_and(|at| now.mono.since(at) < rest);
        if fresh && self.changed == Some(changed) && age_ms > COARSE_MS {
            return Ok(None);
        }
        let list = list(dialect, &self.path)?;
        self.changed = Some(changed);
        self.listed = Some(now.mono);
        self.complained = false;
        Ok(Some(list))
    }

    /// Notes that the folder cannot be listed; whether it is gone. The root is tried again each
    /// time, since it may be about to be made.
    fn fail(&mut self, error: &io::Error, now: Mono) -> bool {
        let absent = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
        self.changed = None;
        self.listed = Some(now);
        if self.depth == 0 {
            self.hot_until = Mono(u64::MAX);
        }
        self.found = false;
        self.gone = absent && self.depth > 0;
        if !absent && !self.complained {
            let path = self.path.display();
            tracing::warn!(target: "tokens", "cannot list {path}: {error}; its transcripts are not counted");
        }
        self.complained = !absent;
        self.gone
    }
}

fn list(dialect: Dialect, path: &Path) -> io::Result<List> {
    let mut list = List { transcripts: Vec::new(), dirs: Vec::new() };
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            list.dirs.push(entry.path());
        } else if kind.is_file() {
            let path = entry.path();
            if agents::shape(dialect, &path).is_some() {
                list.transcripts.push(path);
            }
        }
    }
    Ok(list)
}
