//! Cuts a stream of bytes into lines, without copying more than the line that two reads share.
//!
//! Whole lines are handed on many at a time, as they lie in the buffer that was read. What has no
//! newline yet is kept, up to the longest line allowed; a longer one is handed on in pieces.

use memchr::{memchr, memrchr};

/// What a stream was cut into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut<'a> {
    /// One or more whole lines, each with its newline.
    Lines(&'a [u8]),
    /// A piece of a line, without a newline: the process has not ended the line here.
    Piece(&'a [u8]),
}

/// The beginning of a line whose end was not read yet.
#[derive(Debug, Default)]
pub struct Cutter {
    rest: Vec<u8>,
}

/// Keep no more than this allocated for a stream that waits with half a line.
const KEPT: usize = 1024;

impl Cutter {
    /// Cuts what was read. No line that is handed on is longer than `longest`, its newline aside.
    pub fn feed(&mut self, mut input: &[u8], longest: usize, mut hand: impl FnMut(Cut<'_>)) {
        if !self.rest.is_empty() {
            input = self.complete(input, longest, &mut hand);
        }
        let whole = whole_lines(input, longest);
        if whole > 0 {
            hand(Cut::Lines(&input[..whole]));
            input = &input[whole..];
        }
        while !input.is_empty() {
            input = self.odd(input, longest, &mut hand);
        }
    }

    /// Hands on what waits for its end, because the end will not come.
    pub fn finish(&mut self, mut hand: impl FnMut(Cut<'_>)) {
        if !self.rest.is_empty() {
            hand(Cut::Piece(&self.rest));
            self.rest = Vec::new();
        }
    }

    /// Whether no line was begun.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Completes the line that waits, as far as `input` goes; returns what is left of it.
    fn complete<'a>(
        &mut self,
        input: &'a [u8],
        longest: usize,
        hand: &mut impl FnMut(Cut<'_>),
    ) -> &'a [u8] {
        let room = longest.saturating_sub(self.rest.len());
        let near = &input[..input.len().min(room + 1)];
        match memchr(b'\n', near) {
            Some(end) => {
                self.rest.extend_from_slice(&input[..=end]);
                hand(Cut::Lines(&self.rest));
                self.clear();
                &input[end + 1..]
            }
            None if near.len() <= room => {
                self.rest.extend_from_slice(near);
                &[]
            }
            None => {
                self.rest.extend_from_slice(&input[..room]);
                let cut = character_end(&self.rest);
                hand(Cut::Piece(&self.rest[..cut]));
                self.rest.drain(..cut);
                &input[room..]
            }
        }
    }

    /// What does not begin with a whole line: a line that is too long, or one without its end. Or,
    /// behind such a one, whole lines again.
    fn odd<'a>(
        &mut self,
        input: &'a [u8],
        longest: usize,
        hand: &mut impl FnMut(Cut<'_>),
    ) -> &'a [u8] {
        if !self.rest.is_empty() {
            return self.complete(input, longest, hand);
        }
        let whole = whole_lines(input, longest);
        if whole > 0 {
            hand(Cut::Lines(&input[..whole]));
            return &input[whole..];
        }
        if input.len() <= longest {
            self.rest.extend_from_slice(input);
            return &[];
        }
        let cut = character_end(&input[..longest]);
        hand(Cut::Piece(&input[..cut]));
        &input[cut..]
    }

    fn clear(&mut self) {
        self.rest.clear();
        self.rest.shrink_to(KEPT);
    }
}

/// How many bytes from the start are whole lines, none longer than `longest`. Looks at one newline
/// in each stretch of that length: what lies between two of them cannot be longer.
fn whole_lines(input: &[u8], longest: usize) -> usize {
    let mut end = 0;
    loop {
        let window = &input[end..input.len().min(end + longest + 1)];
        match memrchr(b'\n', window) {
            Some(newline) => end += newline + 1,
            None => return end,
        }
    }
}

/// Where to cut so that no character of UTF-8 is cut in two; the end, where there is no such place.
fn character_end(piece: &[u8]) -> usize {
    let tail = piece.len().saturating_sub(4);
    let begins = |byte: &u8| *byte & 0b1100_0000 != 0b1000_0000;
    let Some(last) = piece[tail..].iter().rposition(begins).map(|at| tail + at) else {
        return piece.len();
    };
    let length = match piece[last] {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => 1,
    };
    if last > 0 && last + length > piece.len() { last } else { piece.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out, pieces in brackets, when the input comes in parts.
    fn cut(parts: &[&[u8]], longest: usize) -> String {
        let mut said = String::new();
        let mut cutter = Cutter::default();
        let mut hand = |cut: Cut<'_>| match cut {
            Cut::Lines(lines) => said += &String::from_utf8_lossy(lines),
            Cut::Piece(piece) => said += &format!("[{}]", String::from_utf8_lossy(piece)),
        };
        for part in parts {
            cutter.feed(part, longest, &mut hand);
        }
        cutter.finish(&mut hand);
        said
    }

    #[test]
    fn lines_are_cut_wherever_the_reads_fall() {
        let text = b"one\n\ntwo two\nthree\nlast";
        for first in 0..text.len() {
            for second in first..text.len() {
                let parts = [&text[..first], &text[first..second], &text[second..]];
                assert_eq!(cut(&parts, 64), "one\n\ntwo two\nthree\n[last]", "{first} {second}");
            }
        }
    }

    #[test]
    fn long_lines_come_in_pieces_wherever_the_reads_fall() {
        let text = b"0123456789\nab\n01234567\n";
        for first in 0..text.len() {
            let parts = [&text[..first], &text[first..]];
            assert_eq!(cut(&parts, 4), "[0123][4567]89\nab\n[0123]4567\n", "{first}");
        }
    }

    #[test]
    fn a_stream_without_newlines_is_never_kept_beyond_one_line() {
        let mut cutter = Cutter::default();
        let mut handed = 0;
        for _ in 0..1000 {
            cutter.feed(&[b'x'; 999], 100, |cut| match cut {
                Cut::Piece(piece) => handed += piece.len(),
                Cut::Lines(_) => panic!("there is no line"),
            });
            assert!(cutter.rest.len() <= 100 && cutter.rest.capacity() <= KEPT);
        }
        assert_eq!(handed + cutter.rest.len(), 999_000);
    }

    #[test]
    fn no_character_is_cut_in_two() {
        assert_eq!(cut(&["aaaé\n".as_bytes()], 4), "[aaa]é\n");
        assert_eq!(cut(&["日本語日本語\n".as_bytes()], 8), "[日本][語日]本語\n");
        assert_eq!(cut(&["ab🦀cd\n".as_bytes(), b"x\n"], 5), "[ab][🦀c]d\nx\n");
        assert_eq!(cut(&[b"\x80\x80\x80\x80\x80\x80\n"], 4).len(), 2 + 6 * 3 + 1);
    }
}
