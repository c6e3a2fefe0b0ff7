//! Takes a document apart while it is read: the objects in its outermost lists one by one, and what
//! stands beside them. Never more of it is held than one such object.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::tokens::tail::plain;
use crate::tokens::tail::read::{BUFFER, Found, LONGEST_LINE};

/// Bytes beside the messages that are kept.
const LONGEST_HEAD: usize = 64 << 10;

/// Where in a document we are.
#[derive(Default)]
struct Splitter {
    depth: usize,
    in_text: bool,
    escaped: bool,
    /// What stands before the first message.
    head: Vec<u8>,
    /// Whether the head was given.
    headed: bool,
    /// The message that is being read.
    message: Vec<u8>,
    in_message: bool,
    oversized: bool,
}

/// Reads the messages of a document; how long it is.
pub fn messages(file: &File, mut each: impl FnMut(Found)) -> io::Result<u64> {
    let (mut buffer, mut at) = (vec![0; BUFFER], 0);
    let mut splitter = Splitter::default();
    loop {
        let count = file.read_at(&mut buffer, at)?;
        if count == 0 {
            return Ok(at);
        }
        if let Some(behind) = plain::behind_hole(file, &buffer[..count], at) {
            at = behind;
            continue;
        }
        buffer[..count].iter().for_each(|byte| splitter.take(*byte, &mut each));
        at += count as u64;
    }
}

/// Reads a document that is one message; how long it is.
pub fn whole(file: &File, mut each: impl FnMut(Found)) -> io::Result<u64> {
    let (mut buffer, mut text, mut at) = (vec![0; BUFFER], Vec::new(), 0);
    loop {
        let count = file.read_at(&mut buffer, at)?;
        at += count as u64;
        if count > 0 && text.len() + count <= LONGEST_LINE {
            text.extend_from_slice(&buffer[..count]);
            continue;
        }
        each(if count == 0 { Found::Line(0, &text) } else { Found::Oversized });
        return Ok(file.metadata()?.len());
    }
}

impl Splitter {
    fn take(&mut self, byte: u8, each: &mut impl FnMut(Found)) {
        let opens = !self.in_text && matches!(byte, b'{' | b'[');
        let closes = !self.in_text && matches!(byte, b'}' | b']');
        if opens && byte == b'{' && self.depth == 2 {
            self.begin(each);
        }
        self.keep(byte);
        self.depth += usize::from(opens);
        self.depth = self.depth.saturating_sub(usize::from(closes));
        if closes && self.in_message && self.depth == 2 {
            self.end(each);
        }
        self.in_text ^= byte == b'"' && !self.escaped;
        self.escaped = self.in_text && byte == b'\\' && !self.escaped;
    }

    fn begin(&mut self, each: &mut impl FnMut(Found)) {
        if !std::mem::replace(&mut self.headed, true) {
            self.head.extend_from_slice(b"]}");
            each(Found::Head(&self.head));
        }
        self.in_message = true;
    }

    fn keep(&mut self, byte: u8) {
        match self.in_message {
            true if self.message.len() < LONGEST_LINE => self.message.push(byte),
            true => self.oversized = true,
            false if !self.headed && self.head.len() < LONGEST_HEAD => self.head.push(byte),
            false => {}
        }
    }

    fn end(&mut self, each: &mut impl FnMut(Found)) {
        let oversized = std::mem::take(&mut self.oversized);
        each(if oversized { Found::Oversized } else { Found::Line(0, &self.message) });
        self.message.clear();
        self.in_message = false;
    }
}
