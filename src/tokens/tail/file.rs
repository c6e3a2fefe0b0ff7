//! What is known of one followed file: which file it is, how far it is read, and how it looked.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::clock;
use crate::tokens::FileProgress;
use crate::tokens::agents::{Decoder, Shape};
use crate::tokens::tail::read::Position;
use crate::tokens::tail::scan::HOT;
use crate::units::{Mono, Wall};

/// What a file is known by. The time of its birth tells it from a later one that was given the
/// same inode, where the file system keeps one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// See `stat(2)`.
    pub device: u64,
    /// See `stat(2)`.
    pub inode: u64,
    /// When it was made.
    pub born: Option<Wall>,
}

/// How a file looked when it was last looked at: a change of either means that it was written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Its length.
    pub size: u64,
    /// When it was last written to: seconds and nanoseconds.
    pub written: (i64, i64),
}

/// A followed file.
#[derive(Debug)]
pub struct Tracked {
    /// Which of the sources it was found in.
    pub source: usize,
    /// Where it was found.
    pub path: PathBuf,
    /// Which file it is.
    pub identity: Identity,
    /// How messages lie in it.
    pub shape: Shape,
    /// What reads it, and what that knows of the part that was read; `None` before it was read.
    pub decoder: Option<Decoder>,
    /// How far it is read.
    pub position: Position,
    /// What begins before this byte was there before us.
    pub history: u64,
    /// The offset that was told last.
    pub told: Option<u64>,
    /// How it looked; `None` looks changed.
    pub look: Option<Look>,
    /// Until when it is looked at every time, because it changed lately.
    pub hot_until: Mono,
    /// Whether it was said that it cannot be read.
    pub complained: bool,
}

/// What looking at a file told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// It was written to.
    Written,
    /// It is another file: it is to be read from the start.
    Replaced,
    /// It is not there any more.
    Gone,
}

/// How a file looks together with what its database wrote but did not put in its place yet.
fn with_wal(path: &Path, look: Look) -> Look {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    match stat(Path::new(&name)) {
        Ok(Some((_, wal))) => Look {
            size: look.size.saturating_add(wal.size),
            written: look.written.max(wal.written),
        },
        Ok(None) | Err(_) => look,
    }
}

/// Reads what a regular file is and how it looks; `None` for anything else.
pub fn stat(path: &Path) -> io::Result<Option<(Identity, Look)>> {
    let meta = fs::symlink_metadata(path)?;
    Ok(meta.is_file().then(|| (identity(&meta), look(&meta))))
}

/// What a file is known by.
pub fn identity(meta: &Metadata) -> Identity {
    let born = meta.created().ok().map(clock::wall);
    Identity { device: meta.dev(), inode: meta.ino(), born }
}

fn look(meta: &Metadata) -> Look {
    Look { size: meta.len(), written: (meta.mtime(), meta.mtime_nsec()) }
}

impl Look {
    /// Whether it was written to lately.
    pub fn is_recent(&self, now: Wall) -> bool {
        let age_ms = now.0.saturating_sub(self.written.0.saturating_mul(1_000));
        age_ms < i64::try_from(HOT.as_millis()).unwrap_or(i64::MAX)
    }
}

impl Tracked {
    /// Bytes that were there when it was last looked at, and were not read.
    pub fn unread(&self) -> u64 {
        let size = self.look.as_ref().map_or(0, |look| look.size);
        let lines = self.shape == Shape::Lines;
        if lines { size.saturating_sub(self.position.read) } else { 0 }
    }

    /// Looks at the file, and notes what changed. That it is shorter than what was read of it is
    /// noticed when it is read.
    pub fn check(&mut self, now: Mono) -> Change {
        match stat(&self.path) {
            Ok(Some((identity, look))) => {
                let wide = |look| match self.shape {
                    Shape::Database => with_wal(&self.path, look),
                    Shape::Lines | Shape::Document => look,
                };
                self.compare(identity, wide(look), now)
            }
            Ok(None) => Change::Gone,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Change::Gone,
            // It may be readable again later; whatever was appended is still there then.
            Err(_) => Change::None,
        }
    }

    fn compare(&mut self, identity: Identity, look: Look, now: Mono) -> Change {
        let unchanged = self.look.replace(look) == Some(look);
        let same = identity == self.identity;
        if same && unchanged {
            return Change::None;
        }
        self.hot_until = now.after(HOT);
        if same {
            return Change::Written;
        }
        self.identity = identity;
        self.restart();
        Change::Replaced
    }

    /// Has it read from the start again. Nothing is counted twice: every key is known.
    pub fn restart(&mut self) {
        self.position = Position::default();
        self.decoder = None;
        self.history = 0;
    }

    /// Whether lines that were there before us are still to be read.
    pub fn in_history(&self) -> bool {
        self.position.line < self.history
    }

    /// The row to be stored, if the offset to go on from is another than was told last.
    pub fn progress(&mut self, hold: Option<u64>) -> Option<FileProgress> {
        let offset = hold.map_or(self.position.line, |hold| hold.min(self.position.line));
        if self.in_history() || self.told.replace(offset) == Some(offset) {
            return None;
        }
        let Identity { device, inode, .. } = self.identity;
        Some(FileProgress { path: self.path.clone(), device, inode, offset })
    }
}
