//! A tap on what a process writes: whole lines for somebody who looks at each of them, beside where
//! they are shown and kept.
//!
//! Lines are put together once more here, because what is shown is cut much earlier than a line of
//! JSON ends. Whoever gets them must not wait: this is the reader's own thread.

use std::fmt;
use std::sync::Arc;

use memchr::memchr;

/// A longer line is passed over. It may hold a whole conversation; while it is read so much of it is
/// held for one process.
pub const LONGEST: usize = 4 << 20;

/// Kept allocated while half a line waits.
const KEPT: usize = 4 << 10;

/// What comes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tapped<'a> {
    /// A line, without its newline.
    Line(&'a [u8]),
    /// A line that was longer than [`LONGEST`], which is all that is known of it.
    TooLong,
}

/// Where the lines of one stream go. Cheap to clone.
#[derive(Clone)]
pub struct Tap(Arc<dyn Fn(Tapped<'_>) + Send + Sync>);

impl Tap {
    /// A tap that hands each line to `to`, which must not wait.
    pub fn new(to: impl Fn(Tapped<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(to))
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tap")
    }
}

/// The lines of one stream on their way to its tap.
#[derive(Debug)]
pub struct Lines {
    tap: Tap,
    rest: Vec<u8>,
    /// The line that is read now is too long already.
    passing: bool,
}

impl Lines {
    /// Of a stream of which nothing was read.
    pub fn new(tap: Tap) -> Self {
        Self { tap, rest: Vec::new(), passing: false }
    }

    /// Takes in what was read.
    pub fn feed(&mut self, mut read: &[u8]) {
        while let Some(end) = memchr(b'\n', read) {
            let (line, behind) = (&read[..end], &read[end + 1..]);
            if self.passing || self.rest.len() + line.len() > LONGEST {
                self.hand(Tapped::TooLong);
            } else if self.rest.is_empty() {
                self.hand(Tapped::Line(line));
            } else {
                self.rest.extend_from_slice(line);
                self.hand(Tapped::Line(&self.rest));
            }
            self.clear();
            read = behind;
        }
        if self.passing || self.rest.len() + read.len() > LONGEST {
            self.passing = true;
            self.rest = Vec::new();
        } else {
            self.rest.extend_from_slice(read);
        }
    }

    /// The last line has no newline, and none will come.
    pub fn finish(&mut self) {
        if self.passing {
            self.hand(Tapped::TooLong);
        } else if !self.rest.is_empty() {
            self.hand(Tapped::Line(&self.rest));
        }
        self.clear();
    }

    fn hand(&self, what: Tapped<'_>) {
        (self.tap.0)(what);
    }

    fn clear(&mut self) {
        self.passing = false;
        self.rest.clear();
        self.rest.shrink_to(KEPT);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn tapped(parts: &[&[u8]]) -> Vec<String> {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&heard);
        let mut lines = Lines::new(Tap::new(move |what| {
            to.lock().expect("whole").push(match what {
                Tapped::Line(line) if line.len() > 100 => format!("{} bytes", line.len()),
                Tapped::Line(line) => String::from_utf8_lossy(line).into_owned(),
                Tapped::TooLong => "too long".to_owned(),
            });
        }));
        for part in parts {
            lines.feed(part);
            assert!(lines.rest.len() <= LONGEST);
        }
        lines.finish();
        drop(lines);
        Arc::into_inner(heard).expect("the only one").into_inner().expect("whole")
    }

    #[test]
    fn lines_are_whole_wherever_the_reads_fall() {
        let text = b"one\n\ntwo two\r\nlast";
        for first in 0..text.len() {
            for second in first..text.len() {
                let parts = [&text[..first], &text[first..second], &text[second..]];
                assert_eq!(tapped(&parts), ["one", "", "two two\r", "last"], "{first} {second}");
            }
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_told_of_once_and_the_next_one_is_whole() {
        let half = vec![b'x'; LONGEST / 2];
        let whole = format!("{LONGEST} bytes");
        assert_eq!(tapped(&[&half, &half, b"\nnext\n"]), [whole.as_str(), "next"]);
        assert_eq!(tapped(&[&half, &half, b"x", b"y\nnext\n"]), ["too long", "next"]);
        assert_eq!(tapped(&[&half, &half, b"x\nnext\n"]), ["too long", "next"]);
        assert_eq!(tapped(&[&half, &half, &half]), ["too long"]);
    }
}
