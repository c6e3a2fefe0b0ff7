//! Reads the lines of one file from an offset on: a buffer at a time, whatever the size of the
//! file and of its lines.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use memchr::memchr;

use crate::tokens::tail::plain;

/// Read at a time. Lines within it are not copied.
pub const BUFFER: usize = 64 << 10;

/// A longer line is passed over. A response cannot be so long: 128,000 tokens of output are under
/// 1 MiB, and each block of it has a line of its own.
pub const LONGEST_LINE: usize = 16 << 20;

/// A line's buffer that has grown beyond this is given back.
const KEPT_LINE: usize = 1 << 20;

/// How many bytes before the offset are remembered, to know the file again.
const TAIL: usize = 64;

/// The memory that reading takes, shared by all files since one is read at a time.
pub struct Reader {
    buffer: Vec<u8>,
    line: Vec<u8>,
}

/// How far a file is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Where the first line begins that has not been read to its end.
    pub line: u64,
    /// Where to read on: beyond `line` only within a line that is passed over.
    pub read: u64,
    /// Whether `read` lies within a line that is passed over.
    pub skipping: bool,
    /// The bytes before `read`, by which a file is known to be the same.
    tail: Vec<u8>,
}

/// What reading found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A line without its line feed, and where it begins.
    Line(u64, &'a [u8]),
    /// What stands beside the messages of a document.
    Head(&'a [u8]),
    /// A line that is longer than a line may be.
    Oversized,
}

impl Position {
    /// At the beginning of a line.
    pub fn at(offset: u64) -> Self {
        Self { line: offset, read: offset, ..Self::default() }
    }

    /// Whether `file` still is what was read up to here: the bytes before are the same, or, where
    /// none are remembered, a line ends here.
    pub fn continues(&self, file: &File) -> io::Result<bool> {
        let mut bytes = [0; TAIL];
        if self.read == 0 {
            return Ok(true);
        }
        if self.tail.is_empty() {
            return Ok(file.read_at(&mut bytes[..1], self.read - 1)? == 1 && bytes[0] == b'\n');
        }
        let bytes = &mut bytes[..self.tail.len()];
        let start = self.read - bytes.len() as u64;
        Ok(file.read_at(bytes, start)? == bytes.len() && *bytes == *self.tail)
    }

    fn remember(&mut self, file: &File) -> io::Result<()> {
        let length = usize::try_from(self.read).unwrap_or(TAIL).min(TAIL);
        self.tail.resize(length, 0);
        let read = file.read_at(&mut self.tail, self.read - length as u64)?;
        self.tail.truncate(read);
        Ok(())
    }
}

impl Reader {
    /// A reader with its one buffer.
    pub fn new() -> Self {
        Self { buffer: vec![0; BUFFER], line: Vec::new() }
    }

    /// Reads whole lines from `at` on until the file ends or about `budget` bytes are read; whether
    /// the end was reached. A last line without a line feed is left for later.
    pub fn read(
        &mut self,
        file: &File,
        at: &mut Position,
        budget: u64,
        mut each: impl FnMut(Found),
    ) -> io::Result<bool> {
        self.line.clear();
        let (first, start) = (at.line, at.read);
        let mut next = at.read;
        let ended = loop {
            // Within a long line the budget is stretched; else it would be read again and again.
            let on = at.line > first || at.skipping;
            if next - start >= budget && on && self.line.len() <= BUFFER {
                break false;
            }
            let count = file.read_at(&mut self.buffer, next)?;
            if count == 0 {
                break true;
            }
            if let Some(behind) = plain::behind_hole(file, &self.buffer[..count], next) {
                if !std::mem::replace(&mut at.skipping, true) {
                    self.line.clear();
                    each(Found::Oversized);
                }
                next = behind;
                at.read = next;
                continue;
            }
            self.split(count, at, &mut each);
            next += count as u64;
            at.read = if at.skipping { next } else { at.line };
        };
        if self.line.capacity() > KEPT_LINE {
            self.line = Vec::new();
        }
        at.remember(file)?;
        Ok(ended)
    }

    /// Splits what was read into lines; the last part waits in `line`.
    fn split(&mut self, count: usize, at: &mut Position, each: &mut impl FnMut(Found)) {
        let mut rest = &self.buffer[..count];
        while let Some(end) = memchr(b'\n', rest) {
            let (part, behind) = (&rest[..end], &rest[end + 1..]);
            let length = self.line.len() + part.len();
            if at.skipping {
                at.skipping = false;
                at.line = at.read + (count - behind.len()) as u64;
            } else {
                match (self.line.is_empty(), length > LONGEST_LINE) {
                    (_, true) => each(Found::Oversized),
                    (true, _) => each(Found::Line(at.line, part)),
                    (false, _) => {
                        self.line.extend_from_slice(part);
                        each(Found::Line(at.line, &self.line));
                    }
                }
                at.line += length as u64 + 1;
            }
            self.line.clear();
            rest = behind;
        }
        self.keep(rest.len(), count, at, each);
    }

    /// Keeps the last part of what was read until the rest of its line comes.
    fn keep(
        &mut self,
        length: usize,
        count: usize,
        at: &mut Position,
        each: &mut impl FnMut(Found),
    ) {
        if at.skipping {
            return;
        }
        if self.line.len() + length > LONGEST_LINE {
            at.skipping = true;
            self.line.clear();
            return each(Found::Oversized);
        }
        self.line.extend_from_slice(&self.buffer[count - length..count]);
    }
}
