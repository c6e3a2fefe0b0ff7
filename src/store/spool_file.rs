//! What waits for a store that is away, in a file: so that it outlives us.
//!
//! One file for each life, `spool/LIFE.spool` in the state folder, of the same layout as a log: a line
//! is the CRC-32 of what follows, a space and a JSON value. The first says whose rows these are, each
//! further one is a batch. Lines are only ever appended, so that a kill leaves a last line that is torn
//! at worst; a line that is damaged is passed over, and the histories say what they lack by it.
//!
//! The file is locked for as long as its life lasts, as run files are. Nothing is forced to the disk:
//! what was written is in the kernel's hands, and outlives a kill of ours and the end of the container.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::ledger::row::Batch;
use crate::store::left_behind::{Lock, open_unused};
use crate::store::life::Life;
use crate::units::Bytes;

/// The folder of all spools, in the state folder.
pub const FOLDER: &str = "spool";

/// The layout that is written and read.
const VERSION: u32 = 1;

/// Files of earlier lives that are looked at.
const MAX_FILES: usize = 64;

/// The longest line that is read: far longer than any batch of ours.
const LONGEST_LINE: u64 = 16 * 1024 * 1024;

/// Whose rows a file holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Header {
    version: u32,
    life: Life,
}

/// Our own file.
pub struct SpoolFile {
    path: PathBuf,
    file: File,
    /// How much of it is whole lines.
    length: u64,
    /// Rows in it.
    rows: u64,
    most: Bytes,
}

impl SpoolFile {
    /// Begins the file of this life anew, with these batches in it. The one that was there before is
    /// replaced in one step. Answers with the rows that found no room too.
    pub fn begin(
        state_dir: &Path,
        life: &Life,
        most: Bytes,
        batches: &[Batch],
    ) -> io::Result<(Self, u64)> {
        let folder = state_dir.join(FOLDER);
        own_folder(&folder)?;
        let path = folder.join(format!("{}.spool", life.id));
        let beside = path.with_extension("tmp");
        remove(&beside)?;
        let flags = libc::O_NOFOLLOW;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600).custom_flags(flags);
        let file = options.open(&beside)?;
        // Where locks are unknown the reader goes by whose life it is.
        let _ = file.try_lock();
        let mut spool = Self { path, file, length: 0, rows: 0, most };
        let header = line(&Header { version: VERSION, life: life.clone() })?;
        let written = spool.write(&header).and_then(|()| spool.append(batches));
        let dropped = written.inspect_err(|_| drop(fs::remove_file(&beside)))?;
        fs::rename(&beside, &spool.path)?;
        Ok((spool, dropped))
    }

    /// Appends what there is room for: the last quarter is for the starts, changes and ends of
    /// sessions alone. Answers with the rows that found no room.
    pub fn append(&mut self, batches: &[Batch]) -> io::Result<u64> {
        let mut lines = BufWriter::with_capacity(1 << 16, Vec::new());
        let (mut length, mut rows, mut dropped) = (self.length, 0, 0);
        for batch in batches {
            let (line, count) = (line(batch)?, batch.rows.len() as u64);
            let room = if batch.is_lifecycle() { self.most.0 } else { self.most.0 / 4 * 3 };
            if length + line.len() as u64 > room {
                dropped += count;
                continue;
            }
            lines.write_all(&line)?;
            length += line.len() as u64;
            rows += count;
        }
        let lines = lines.into_inner().map_err(io::IntoInnerError::into_error)?;
        self.write(&lines)?;
        self.rows += rows;
        Ok(dropped)
    }

    /// Writes behind the last whole line; of what could not be written nothing stays.
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let written =
            self.file.seek(SeekFrom::Start(self.length)).and_then(|_| self.file.write_all(lines));
        if let Err(error) = written {
            let _ = self.file.set_len(self.length);
            return Err(error);
        }
        self.length += lines.len() as u64;
        Ok(())
    }

    /// How large it is, and the rows in it.
    pub fn size(&self) -> (Bytes, u64) {
        (Bytes(self.length), self.rows)
    }

    /// Removes it, once everything in it is kept elsewhere.
    pub fn discard(self) -> io::Result<()> {
        remove(&self.path)
    }
}

/// The file of a life that is over.
pub struct LeftSpool {
    /// Whose rows they are.
    pub life: Life,
    path: PathBuf,
    lines: Lines,
    /// Lines that were damaged, or torn.
    pub damaged: u64,
}

impl LeftSpool {
    /// The next batch; `None` at the end.
    pub fn next_batch(&mut self) -> io::Result<Option<Batch>> {
        loop {
            match self.lines.next()? {
                Line::Whole(Some(batch)) => return Ok(Some(batch)),
                Line::Whole(None) => self.damaged += 1,
                Line::Torn => {
                    self.damaged += 1;
                    return Ok(None);
                }
                Line::End => return Ok(None),
            }
        }
    }

    /// Removes it, once everything in it is kept elsewhere.
    pub fn discard(self) -> io::Result<()> {
        remove(&self.path)
    }
}

/// Finds what lives that are over left in `state_dir`, the oldest first. `is_over` is asked where the
/// file system knows no locks.
pub fn find_left(state_dir: &Path, is_over: impl Fn(&Life) -> bool) -> Vec<LeftSpool> {
    let folder = state_dir.join(FOLDER);
    let mut paths: Vec<PathBuf> = match fs::read_dir(&folder) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            tracing::warn!(target: "store", folder = %folder.display(),
                "cannot look for the spools of earlier lives: {error}");
            return Vec::new();
        }
    };
    paths.retain(|path| path.extension().is_some_and(|end| end == "spool"));
    // Their names are in the order of time.
    paths.sort();
    paths.into_iter().take(MAX_FILES).filter_map(|path| left(path, &is_over)).collect()
}

fn left(path: PathBuf, is_over: &impl Fn(&Life) -> bool) -> Option<LeftSpool> {
    let (file, lock) = open_unused(&path)?;
    let about = file.metadata().ok()?;
    if about.uid() != nix::unistd::geteuid().as_raw() || about.mode() & 0o022 != 0 {
        tracing::warn!(target: "store", path = %path.display(),
            "this spool is not ours alone, and is left where it is");
        return None;
    }
    let mut lines = Lines(BufReader::new(file));
    match lines.next::<Header>() {
        Ok(Line::Whole(Some(Header { version: VERSION, life }))) => {
            let over = lock == Lock::Held || is_over(&life);
            over.then_some(LeftSpool { life, path, lines, damaged: 0 })
        }
        // Its writer died before a single batch was in it.
        Ok(Line::End | Line::Torn) => {
            let _ = remove(&path);
            None
        }
        found => {
            set_aside(&path, found.err());
            None
        }
    }
}

fn set_aside(path: &Path, error: Option<io::Error>) {
    let trouble = error.map_or("its layout is not known here".to_owned(), |e| e.to_string());
    let aside = path.with_extension("corrupt");
    let moved = fs::rename(path, &aside).is_ok();
    tracing::warn!(target: "store", path = %path.display(), moved,
        "cannot read the spool of an earlier life: {trouble}; set aside as {}", aside.display());
}

/// The lines of a file, each held against its sum.
struct Lines(BufReader<File>);

enum Line<T> {
    /// One that ends; nothing where it is damaged.
    Whole(Option<T>),
    /// The last one, which does not end.
    Torn,
    End,
}

impl Lines {
    fn next<T: for<'de> Deserialize<'de>>(&mut self) -> io::Result<Line<T>> {
        let mut bytes = Vec::new();
        (&mut self.0).take(LONGEST_LINE).read_until(b'\n', &mut bytes)?;
        Ok(match bytes.split_last() {
            None => Line::End,
            Some((b'\n', line)) => Line::Whole(checked(line)),
            Some(_) => Line::Torn,
        })
    }
}

/// A value as a line.
fn line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = b"00000000 ".to_vec();
    serde_json::to_writer(&mut bytes, value)?;
    let sum = format!("{:08x}", crc32fast::hash(&bytes[9..]));
    bytes[..8].copy_from_slice(sum.as_bytes());
    bytes.push(b'\n');
    Ok(bytes)
}

fn checked<T: for<'de> Deserialize<'de>>(line: &[u8]) -> Option<T> {
    let (sum, value) = (line.get(..8)?, line.get(9..)?);
    let sum = u32::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()?;
    if sum != crc32fast::hash(value) {
        return None;
    }
    serde_json::from_slice(value).ok()
}

/// Makes the folder, or makes sure that it is one that nobody else can put something into.
fn own_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let about = fs::symlink_metadata(folder)?;
    let ours = about.uid() == nix::unistd::geteuid().as_raw() && about.mode() & 0o022 == 0;
    if about.is_dir() && ours {
        return Ok(());
    }
    Err(io::Error::other(format!("{} is not a folder of ours alone", folder.display())))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
