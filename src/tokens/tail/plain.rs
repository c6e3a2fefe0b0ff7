//! Plain files: opened without waiting for anybody, and read without their holes.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{Whence, lseek};

use crate::tokens::tail::read::LONGEST_LINE;

/// What to do with a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// Somebody named it.
    Follow,
    /// It was found, and may lead anywhere.
    Refuse,
}

/// Opens a plain file for reading. What took its place meanwhile is refused: a pipe would be waited
/// for until somebody writes to it.
pub fn open(path: &Path, links: Links) -> io::Result<File> {
    let not_through = match links {
        Links::Follow => OFlag::empty(),
        Links::Refuse => OFlag::O_NOFOLLOW,
    };
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY | not_through;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no plain file any more")),
    }
}

/// Where data begins again behind a hole at `at` that is longer than any line, if there is one: `read`
/// is what was read there. Of a sparse file only what was written is read.
pub fn behind_hole(file: &File, read: &[u8], at: u64) -> Option<u64> {
    if read.first() != Some(&0) || read.last() != Some(&0) {
        return None;
    }
    let next = match lseek(file, i64::try_from(at).ok()?, Whence::SeekData) {
        Ok(next) => u64::try_from(next).ok()?,
        // Nothing but a hole until the end.
        Err(Errno::ENXIO) => file.metadata().ok()?.len(),
        Err(_) => return None,
    };
    (next.checked_sub(at)? > LONGEST_LINE as u64).then_some(next)
}
