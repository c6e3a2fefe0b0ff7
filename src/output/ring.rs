//! The last lines of one process, for `logs`: a bounded ring with a cursor that only grows.
//!
//! A cursor counts the bytes of every line that was ever put in, its newline included. So whoever
//! reads on from a cursor learns how much of what came between is gone. A ring that nothing was put
//! into holds no memory; it grows by doubling, as far as the house has room ([`Room`]).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::output::plan::Which;
use crate::units::Wall;

/// What a ring may take even when the house has no room left.
pub const SMALLEST: usize = 1024;

/// What a stretch of lines costs beside its bytes, so that empty lines are bounded as well.
const OVERHEAD: usize = size_of::<Stretch>();

/// What all rings together may still take, in bytes.
#[derive(Debug)]
pub struct Room(AtomicUsize);

impl Room {
    /// Room for so many bytes.
    pub fn new(bytes: usize) -> Self {
        Self(AtomicUsize::new(bytes))
    }

    /// Takes so many bytes, if they are there.
    pub fn take(&self, bytes: usize) -> bool {
        let rest = |left: usize| left.checked_sub(bytes);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest).is_ok()
    }

    /// Gives back what a ring took that is no more.
    pub fn give(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The last lines.
#[derive(Debug, Default)]
pub struct Ring {
    bytes: VecDeque<u8>,
    stretches: VecDeque<Stretch>,
    /// What stretches and bytes may take now.
    size: usize,
    /// What of it was taken from the room of the house.
    taken: usize,
    /// The cursor behind the last line.
    end: u64,
    /// The house had no room when it last wanted more.
    cramped: bool,
}

/// Lines that came together.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    at: Wall,
    len: usize,
    which: Which,
    partial: bool,
}

/// One line as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When it was read.
    pub at: Wall,
    /// Where it was written.
    pub which: Which,
    /// The process did not end the line here.
    pub partial: bool,
    /// The text without the newline, as it was written: any bytes.
    pub text: Vec<u8>,
}

/// Some lines in their order, and where to read on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The lines.
    pub lines: Vec<Line>,
    /// Where to read on.
    pub next: u64,
    /// How many bytes between the cursor that was asked for and the first line are gone.
    pub missed: u64,
}

impl Ring {
    /// Puts whole lines in, each with its newline. `most` bounds this ring, `room` all of them.
    pub fn lines(&mut self, lines: &[u8], at: Wall, which: Which, most: usize, room: &Room) {
        self.put(lines, Stretch { at, len: lines.len(), which, partial: false }, most, room);
    }

    /// Puts a piece of a line in.
    pub fn piece(&mut self, piece: &[u8], at: Wall, which: Which, most: usize, room: &Room) {
        self.put(piece, Stretch { at, len: piece.len() + 1, which, partial: true }, most, room);
    }

    /// The cursor behind the last line.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// What this ring took from the room of the house.
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// Everything from `cursor` on. One of another life, beyond the end, begins at the start.
    pub fn since(&self, cursor: u64) -> Page {
        let begin = self.end - self.bytes.len() as u64;
        let from = if cursor > self.end { begin } else { cursor.max(begin) };
        let missed = if cursor > self.end { 0 } else { from - cursor };
        Page { lines: self.read(from - begin), next: self.end, missed }
    }

    /// The last `n` lines.
    pub fn tail(&self, n: usize) -> Page {
        let mut lines = self.read(0);
        lines.drain(..lines.len().saturating_sub(n));
        Page { lines, next: self.end, missed: 0 }
    }

    /// Has no more than `most` from now on, and gives the rest back to the house.
    pub fn fit(&mut self, most: usize, room: &Room) {
        if self.size <= most {
            return;
        }
        self.drop_to(most);
        self.bytes.shrink_to(most);
        self.size = most;
        let kept = most.saturating_sub(SMALLEST);
        room.give(self.taken.saturating_sub(kept));
        self.taken = self.taken.min(kept);
    }

    /// Whether it has less than `most` and wanted more, but the house had no room for it.
    pub fn is_cramped(&self) -> bool {
        self.cramped
    }

    fn put(&mut self, bytes: &[u8], stretch: Stretch, most: usize, room: &Room) {
        self.end += stretch.len as u64;
        self.grow(self.used() + stretch.len + OVERHEAD, most, room);
        let fits = self.size.saturating_sub(OVERHEAD);
        let kept = last_lines(bytes, if stretch.partial { fits.saturating_sub(1) } else { fits });
        let len = kept.len() + usize::from(stretch.partial);
        // All that is left of the older lines must be dropped too when a newer one was not kept.
        let goal = if kept.len() < bytes.len() { 0 } else { fits.saturating_sub(len) };
        self.drop_to(goal);
        if len == 0 || kept.is_empty() && !bytes.is_empty() {
            return;
        }
        self.bytes.extend(kept);
        if stretch.partial {
            self.bytes.push_back(b'\n');
        }
        self.note(Stretch { len, ..stretch });
    }

    /// Notes the stretch, together with the last one if nothing tells them apart.
    fn note(&mut self, new: Stretch) {
        if let Some(last) = self.stretches.back_mut() {
            let same = (last.at, last.which, last.partial) == (new.at, new.which, new.partial);
            if same {
                last.len += new.len;
                return;
            }
        }
        self.stretches.push_back(new);
    }

    fn used(&self) -> usize {
        self.bytes.len() + self.stretches.len() * OVERHEAD
    }

    /// Doubles until `wanted` fits or there is no room.
    fn grow(&mut self, wanted: usize, most: usize, room: &Room) {
        if self.size < SMALLEST {
            self.size = SMALLEST.min(most);
        }
        while self.size < wanted.min(most) {
            let more = self.size.min(most - self.size);
            self.cramped = !room.take(more);
            if self.cramped {
                break;
            }
            self.taken += more;
            self.size += more;
        }
        if self.bytes.capacity() < self.size {
            self.bytes.reserve_exact(self.size - self.bytes.len());
        }
    }

    /// Drops the oldest lines until no more than `goal` is used. Whole ones, so that nobody reads
    /// the second half of a line.
    fn drop_to(&mut self, goal: usize) {
        while self.used() > goal {
            let excess = self.used() - goal;
            let Some(first) = self.stretches.front_mut() else { return };
            let gone = if excess >= first.len {
                first.len
            } else {
                let behind = self.bytes.iter().skip(excess - 1).take(first.len - excess + 1);
                behind.take_while(|byte| **byte != b'\n').count() + excess
            };
            first.len -= gone;
            if first.len == 0 {
                self.stretches.pop_front();
            }
            self.bytes.drain(..gone);
        }
        if self.bytes.is_empty() {
            self.stretches.clear();
        }
    }

    /// The lines from `skip` bytes on.
    fn read(&self, skip: u64) -> Vec<Line> {
        let mut skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let mut bytes = self.bytes.iter().copied().skip(skip);
        let mut lines = Vec::new();
        for stretch in &self.stretches {
            let passed = skip.min(stretch.len);
            skip -= passed;
            let text: Vec<u8> = bytes.by_ref().take(stretch.len - passed).collect();
            let whole = text.strip_suffix(b"\n").unwrap_or(&text);
            if text.is_empty() {
                continue;
            }
            lines.extend(whole.split(|byte| *byte == b'\n').map(|line| Line {
                at: stretch.at,
                which: stretch.which,
                partial: stretch.partial,
                text: line.to_vec(),
            }));
        }
        lines
    }
}

/// The last whole lines of at most `most` bytes together, or of a piece its end.
fn last_lines(bytes: &[u8], most: usize) -> &[u8] {
    let Some(excess) = bytes.len().checked_sub(most).filter(|excess| *excess > 0) else {
        return bytes;
    };
    match memchr::memchr(b'\n', &bytes[excess - 1..]) {
        Some(newline) => &bytes[excess + newline..],
        None => &bytes[excess..],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 4096;

    fn put(ring: &mut Ring, text: &str, at: i64) {
        ring.lines(text.as_bytes(), Wall(at), Which::Stdout, MOST, &Room::new(1 << 20));
    }

    fn texts(page: &Page) -> Vec<String> {
        page.lines.iter().map(|line| String::from_utf8_lossy(&line.text).into_owned()).collect()
    }

    #[test]
    fn what_was_put_in_is_read_back() {
        let mut ring = Ring::default();
        assert_eq!((ring.since(0), ring.taken()), (Page::default(), 0));
        put(&mut ring, "one\ntwo\n", 1);
        put(&mut ring, "\n", 2);
        ring.piece(b"half", Wall(3), Which::Stderr, MOST, &Room::new(0));
        let page = ring.since(0);
        assert_eq!(texts(&page), ["one", "two", "", "half"]);
        assert_eq!((page.next, page.missed), (14, 0));
        assert!(page.lines[3].partial && page.lines[3].which == Which::Stderr);
        assert_eq!(page.lines[2].at, Wall(2));
        assert_eq!(texts(&ring.tail(2)), ["", "half"]);
        assert_eq!(texts(&ring.since(4)), ["two", "", "half"]);
        assert_eq!(texts(&ring.since(14)), [""; 0]);
    }

    #[test]
    fn a_reader_follows_and_knows_what_it_missed() {
        let mut ring = Ring::default();
        let (mut cursor, mut read, mut missed) = (0, 0, 0);
        for round in 0..1000_u64 {
            put(&mut ring, &format!("line {round:04}\n"), 1 + round as i64);
            if round % 300 == 299 {
                let page = ring.since(cursor);
                read += page.lines.len() as u64;
                missed += page.missed / 10;
                cursor = page.next;
            }
        }
        assert_eq!(read + missed, 900);
        assert!(missed > 0 && read > 60, "{missed} {read}");
        assert_eq!(ring.since(1 << 40).missed, 0);
    }

    #[test]
    fn a_ring_stays_in_its_bounds_whatever_comes() {
        let mut ring = Ring::default();
        let mut random = fastrand::Rng::with_seed(7);
        let mut written = 0;
        for at in 0..2_000 {
            let line = "x".repeat(random.usize(..if at % 100 == 0 { 9000 } else { 60 })) + "\n";
            let text = line.repeat(random.usize(1..4));
            written += text.len() as u64;
            put(&mut ring, &text, random.i64(..3) + at / 7);
            assert!(ring.used() <= MOST, "{}", ring.used());
            let page = ring.since(0);
            let held: usize = page.lines.iter().map(|line| line.text.len() + 1).sum();
            assert_eq!(page.next, written);
            assert_eq!(page.missed + held as u64, written);
            let last = ring.tail(1).lines;
            assert!(last.is_empty() || last[0].text.len() + 1 == line.len() || line.len() > 4000);
        }
    }

    #[test]
    fn empty_lines_are_bounded_too() {
        let mut ring = Ring::default();
        for at in 0..10_000 {
            put(&mut ring, "\n", at);
        }
        assert!(ring.used() <= MOST && ring.stretches.len() < MOST / OVERHEAD);
        assert!(ring.stretches.len() > 50);
    }

    #[test]
    fn a_ring_that_may_keep_nothing_keeps_nothing_and_counts_on() {
        let (mut ring, room) = (Ring::default(), Room::new(1 << 20));
        ring.lines(b"one\ntwo\n", Wall(1), Which::Stdout, 0, &room);
        ring.piece(b"half", Wall(2), Which::Stdout, 0, &room);
        assert_eq!((ring.tail(9).lines, ring.end(), ring.taken()), (Vec::new(), 13, 0));
        assert_eq!(ring.since(0).missed, 13);
    }

    #[test]
    fn a_ring_shrinks_and_grows_as_it_is_told() {
        let (mut ring, room) = (Ring::default(), Room::new(8 * SMALLEST));
        let fill = |ring: &mut Ring, most| {
            for at in 0..2_000 {
                ring.lines(b"0123456789\n", Wall(at / 100), Which::Stdout, most, &room);
            }
        };
        fill(&mut ring, 8 * SMALLEST);
        let end = ring.end();
        assert_eq!((ring.taken(), ring.is_cramped()), (7 * SMALLEST, false));
        for most in [2 * SMALLEST, SMALLEST / 2, 0] {
            ring.fit(most, &room);
            let held: usize = ring.since(0).lines.iter().map(|line| line.text.len() + 1).sum();
            assert!(ring.used() <= most && held <= most && (held > most / 2 || most == 0));
            assert_eq!((ring.taken(), ring.end()), (most.saturating_sub(SMALLEST), end));
        }
        fill(&mut ring, 8 * SMALLEST);
        assert_eq!((ring.taken(), ring.is_cramped()), (7 * SMALLEST, false));
        fill(&mut ring, 16 * SMALLEST);
        assert!(ring.is_cramped());
        ring.fit(0, &room);
        assert!(room.take(8 * SMALLEST), "all was given back");
    }

    #[test]
    fn without_room_a_ring_stays_small_but_works() {
        let (mut ring, room) = (Ring::default(), Room::new(SMALLEST));
        for at in 0..500 {
            ring.lines(b"0123456789\n", Wall(at), Which::Stdout, 1 << 16, &room);
        }
        assert_eq!((ring.size, ring.taken()), (2 * SMALLEST, SMALLEST));
        assert!(ring.tail(99).lines.len() > 20);
        room.give(ring.taken());
        assert!(room.take(SMALLEST));
    }
}
