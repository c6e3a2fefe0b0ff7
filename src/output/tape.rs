//! What one run wrote, byte for byte and as it came, for those who read along: half a line counts as
//! much as a whole one, because a program that asks something ends with no newline.
//!
//! A cursor counts the bytes of both outputs together and only grows. Whoever reads on from one
//! learns how much of what came between is gone. A tape that nothing was put on holds no memory.

use std::collections::VecDeque;

use crate::output::plan::Which;
use crate::output::ring::Room;

/// What a tape grows by at least.
const STEP: usize = 1024;

/// What a change from one output to the other costs beside its bytes.
const OVERHEAD: usize = size_of::<Stretch>();

/// What one run wrote last.
#[derive(Debug, Default)]
pub struct Tape {
    bytes: VecDeque<u8>,
    stretches: VecDeque<Stretch>,
    /// What it may take now, all of which was taken from the room of the house.
    size: usize,
    /// The cursor behind the last byte.
    end: u64,
    over: bool,
}

/// Bytes in a row that were written to the same output.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    which: Which,
    len: usize,
}

/// How a tape is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Where to begin.
    pub cursor: u64,
    /// Only this output; both, in the order in which they came, where nothing is said.
    pub which: Option<Which>,
    /// At most so many bytes.
    pub most: usize,
    /// Whether a character whose end is still to come is left for the next time.
    pub whole_characters: bool,
}

/// A part of a tape.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reel {
    /// What was written.
    pub bytes: Vec<u8>,
    /// Where to read on.
    pub next: u64,
    /// How many bytes between the cursor that was asked for and the first that is kept are gone.
    pub missed: u64,
    /// Whether the cursor is beyond all that was ever written, and so is none of this tape.
    pub strange: bool,
    /// Whether nothing follows.
    pub over: bool,
}

/// The last of a tape, to be kept elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// The cursor of the first byte.
    pub begin: u64,
    /// Whether nothing follows.
    pub over: bool,
    /// What was written, in order.
    pub parts: Vec<(Which, Vec<u8>)>,
}

impl Recording {
    /// The cursor behind the last byte.
    pub fn end(&self) -> u64 {
        self.begin + self.parts.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>()
    }
}

impl From<Recording> for Tape {
    /// A tape that can be read as it was.
    fn from(recording: Recording) -> Self {
        let (end, over) = (recording.end(), recording.over);
        let mut tape = Self { end, over, ..Self::default() };
        for (which, bytes) in recording.parts {
            tape.stretches.push_back(Stretch { which, len: bytes.len() });
            tape.bytes.extend(bytes);
        }
        tape
    }
}

impl Tape {
    /// Puts on what was written; `most` bounds this tape, `room` all of them.
    pub fn put(&mut self, bytes: &[u8], which: Which, most: usize, room: &Room) {
        if bytes.is_empty() || self.over {
            return;
        }
        self.end += bytes.len() as u64;
        self.grow(self.used() + bytes.len() + OVERHEAD, most, room);
        let fits = self.size.saturating_sub(OVERHEAD);
        let kept = &bytes[bytes.len().saturating_sub(fits)..];
        self.drop_to(fits - kept.len());
        if kept.is_empty() {
            return;
        }
        self.bytes.extend(kept);
        match self.stretches.back_mut() {
            Some(last) if last.which == which => last.len += kept.len(),
            _ => self.stretches.push_back(Stretch { which, len: kept.len() }),
        }
    }

    /// Nothing follows; what it does not need is given back.
    pub fn finish(&mut self, room: &Room) {
        self.over = true;
        self.bytes.shrink_to_fit();
        let spare = self.size.saturating_sub(self.used());
        self.size -= spare;
        room.give(spare);
    }

    /// Whether nothing follows.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// What it took from the room of the house.
    pub fn taken(&self) -> usize {
        self.size
    }

    /// Reads a part.
    pub fn read(&self, wanted: Wanted) -> Reel {
        let begin = self.end - self.bytes.len() as u64;
        let strange = wanted.cursor > self.end;
        let from = wanted.cursor.clamp(begin, self.end);
        let mut reel = Reel { next: from, strange, ..Reel::default() };
        reel.missed = from.saturating_sub(wanted.cursor);
        let mut places = Vec::new();
        let mut at = begin;
        for stretch in &self.stretches {
            let (first, last) = (at.max(from), at + stretch.len as u64);
            at = last;
            if first >= last {
                continue;
            }
            let wants = wanted.which.is_none_or(|which| which == stretch.which);
            let room = (wanted.most - reel.bytes.len()) as u64;
            let fits = if wants { last.min(first.saturating_add(room)) } else { last };
            if wants {
                places.push((reel.bytes.len(), first));
                reel.bytes.extend(self.slice(first - begin, fits - begin));
            }
            reel.next = fits;
            // What found no room is read next time, and so is all that comes behind it.
            if fits < last {
                break;
            }
        }
        let complete = self.over && reel.next == self.end;
        if wanted.whole_characters && !complete {
            hold_back(&mut reel, &places);
        }
        reel.over = self.over && reel.next == self.end;
        reel
    }

    /// So much of the end of it, at most.
    pub fn recording(&self, most: usize) -> Recording {
        let length = self.bytes.len().min(most) as u64;
        let (begin, first) = (self.end - length, self.bytes.len() as u64 - length);
        let (mut parts, mut at) = (Vec::new(), 0);
        for stretch in &self.stretches {
            let (from, to) = (first.max(at), at + stretch.len as u64);
            at = to;
            if from < to {
                parts.push((stretch.which, self.slice(from, to).collect()));
            }
        }
        Recording { begin, over: self.over, parts }
    }

    fn slice(&self, from: u64, to: u64) -> impl Iterator<Item = u8> + '_ {
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(self.bytes.len());
        self.bytes.range(place(from)..place(to)).copied()
    }

    fn used(&self) -> usize {
        self.bytes.len() + self.stretches.len() * OVERHEAD
    }

    /// Doubles until `wanted` fits or there is no room.
    fn grow(&mut self, wanted: usize, most: usize, room: &Room) {
        while self.size < wanted.min(most) {
            let more = self.size.max(STEP).min(most - self.size);
            if !room.take(more) {
                break;
            }
            self.size += more;
        }
    }

    /// Drops the oldest bytes until no more than `goal` is used.
    fn drop_to(&mut self, goal: usize) {
        while self.used() > goal {
            let excess = self.used() - goal;
            let Some(first) = self.stretches.front_mut() else { return };
            let gone = excess.min(first.len);
            first.len -= gone;
            if first.len == 0 {
                self.stretches.pop_front();
            }
            self.bytes.drain(..gone);
        }
    }
}

/// Leaves the begun character at the end for the next time. `places` are the cursors of bytes of the
/// reel, by their places in it.
fn hold_back(reel: &mut Reel, places: &[(usize, u64)]) {
    let kept = reel.bytes.len() - begun(&reel.bytes);
    let Some((place, cursor)) = places.iter().rev().find(|(place, _)| *place <= kept) else {
        return;
    };
    if kept < reel.bytes.len() {
        reel.next = cursor + (kept - place) as u64;
        reel.bytes.truncate(kept);
    }
}

/// How many bytes at the end are the beginning of a character of UTF-8 whose rest is missing.
fn begun(bytes: &[u8]) -> usize {
    let is_begun = |tail: &[u8]| {
        std::str::from_utf8(tail)
            .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
    };
    let tails = (1..=3.min(bytes.len())).rev();
    tails.into_iter().find(|length| is_begun(&bytes[bytes.len() - length..])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 4096;
    const ALL: Wanted =
        Wanted { cursor: 0, which: None, most: usize::MAX, whole_characters: false };

    fn tape(parts: &[(Which, &[u8])]) -> Tape {
        let mut tape = Tape::default();
        parts.iter().for_each(|(which, part)| tape.put(part, *which, MOST, &Room::new(1 << 20)));
        tape
    }

    /// Reads in steps of so many bytes, from the beginning, while more is put on.
    fn read_along(parts: &[&[u8]], most: usize) -> String {
        let (room, mut tape) = (Room::new(1 << 20), Tape::default());
        let (mut cursor, mut text) = (0, String::new());
        let mut read = |tape: &Tape| loop {
            let reel = tape.read(Wanted { cursor, most, whole_characters: true, ..ALL });
            text += &String::from_utf8_lossy(&reel.bytes);
            if std::mem::replace(&mut cursor, reel.next) == reel.next {
                return;
            }
        };
        for part in parts {
            tape.put(part, Which::Stdout, MOST, &room);
            read(&tape);
        }
        tape.finish(&room);
        read(&tape);
        text
    }

    #[test]
    fn what_was_written_is_read_back_by_output() {
        let tape =
            tape(&[(Which::Stdout, b"one "), (Which::Stderr, b"two "), (Which::Stdout, b"3")]);
        let read = |wanted| {
            let reel = tape.read(wanted);
            (String::from_utf8(reel.bytes).expect("text"), reel.next, reel.missed)
        };
        assert_eq!(read(ALL), ("one two 3".to_owned(), 9, 0));
        let of = |which| Wanted { which: Some(which), ..ALL };
        assert_eq!(read(of(Which::Stdout)), ("one 3".to_owned(), 9, 0));
        assert_eq!(read(of(Which::Stderr)), ("two ".to_owned(), 9, 0));
        assert_eq!(read(Wanted { most: 2, ..of(Which::Stderr) }), ("tw".to_owned(), 6, 0));
        assert_eq!(read(Wanted { cursor: 3, most: 3, ..ALL }), (" tw".to_owned(), 6, 0));
        assert_eq!(read(Wanted { cursor: 9, ..ALL }), (String::new(), 9, 0));
        assert!(!tape.read(ALL).strange && tape.read(Wanted { cursor: 10, ..ALL }).strange);
    }

    #[test]
    fn no_character_is_cut_in_two_wherever_reads_and_writes_fall() {
        let text = "aé日本🦀z".repeat(3);
        for first in 0..text.len() {
            for most in [4, 5, 7, 100] {
                let parts = [&text.as_bytes()[..first], &text.as_bytes()[first..]];
                assert_eq!(read_along(&parts, most), text, "{first} {most}");
            }
        }
    }

    #[test]
    fn what_is_no_text_is_read_all_the_same() {
        assert_eq!(read_along(&[b"a\xff\xfe", b"b\x80\x80\x80\x80\x80"], 4).chars().count(), 9);
        assert_eq!(read_along(&[b"cut \xf0\x9f"], 100), "cut \u{fffd}", "its end never came");
    }

    #[test]
    fn a_half_character_waits_for_its_end_only_while_there_may_be_one() {
        let mut tape = tape(&[(Which::Stdout, b"x\xc3"), (Which::Stderr, b"err")]);
        let wanted = Wanted { which: Some(Which::Stdout), whole_characters: true, ..ALL };
        let reel = tape.read(wanted);
        assert_eq!((&reel.bytes[..], reel.next, reel.over), (&b"x"[..], 1, false));
        tape.put(b"\xa9", Which::Stdout, MOST, &Room::new(1 << 20));
        let reel = tape.read(Wanted { cursor: reel.next, ..wanted });
        assert_eq!((String::from_utf8(reel.bytes), reel.next), (Ok("é".to_owned()), 6));
    }

    #[test]
    fn the_end_is_told_with_the_last_byte_and_not_before() {
        let mut tape = tape(&[(Which::Stdout, b"last words")]);
        assert!(!tape.read(ALL).over);
        let room = Room::new(0);
        tape.finish(&room);
        assert!(!tape.read(Wanted { most: 4, ..ALL }).over && tape.read(ALL).over);
        tape.put(b"and more", Which::Stdout, MOST, &room);
        assert_eq!(tape.read(ALL).next, 10, "what is left behind writes to nobody");
    }

    #[test]
    fn a_tape_stays_in_its_bounds_and_tells_what_is_gone() {
        let (room, mut tape) = (Room::new(1 << 20), Tape::default());
        let mut random = fastrand::Rng::with_seed(3);
        let (mut written, mut cursor, mut read, mut missed) = (0_u64, 0, 0, 0);
        for round in 0..3_000 {
            let which = if random.bool() { Which::Stdout } else { Which::Stderr };
            let part = vec![b'x'; random.usize(..if round % 100 == 0 { 9_000 } else { 30 })];
            tape.put(&part, which, MOST, &room);
            written += part.len() as u64;
            assert!(tape.used() <= MOST && tape.taken() <= MOST, "{}", tape.used());
            if random.u8(..4) == 0 {
                let reel = tape.read(Wanted { cursor, ..ALL });
                read += reel.bytes.len() as u64;
                missed += reel.missed;
                cursor = reel.next;
            }
        }
        let reel = tape.read(Wanted { cursor, ..ALL });
        assert_eq!(read + missed + reel.bytes.len() as u64 + reel.missed, written);
        assert!(missed > 0 && read > 0);
        tape.finish(&room);
        room.give(tape.taken());
        assert!(room.take(1 << 20), "all was given back");
    }

    #[test]
    fn the_end_of_a_tape_reads_as_it_did() {
        let tape =
            tape(&[(Which::Stdout, b"one "), (Which::Stderr, b"two "), (Which::Stdout, b"3")]);
        for most in 0..12 {
            let recording = tape.recording(most);
            assert_eq!((recording.end(), recording.begin), (9, 9_u64.saturating_sub(most as u64)));
            let again = Tape::from(recording.clone());
            assert_eq!(again.recording(most), recording);
            for cursor in recording.begin..=10 {
                let wanted = Wanted { cursor, most: 3, ..ALL };
                let reel = Reel { missed: 0, ..again.read(wanted) };
                assert_eq!(reel, tape.read(wanted), "{most} {cursor}");
            }
        }
    }

    #[test]
    fn without_room_nothing_is_kept_and_all_is_counted() {
        let (room, mut tape) = (Room::new(0), Tape::default());
        tape.put(b"abc", Which::Stdout, MOST, &room);
        let reel = tape.read(ALL);
        assert_eq!((reel.bytes.len(), reel.next, reel.missed), (0, 3, 3));
    }
}
