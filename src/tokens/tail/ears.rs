//! Takes in the lines of one file: history becomes known, the rest goes to the book.

use crate::tokens::agents::{Line, claude};
use crate::tokens::book::{Book, FileId, Heard, Place};
use crate::tokens::source::Source;
use crate::tokens::tail::read::Found;
use crate::tokens::{LineCounts, UsageKey};
use crate::units::{Now, Wall};

/// What listens to one file.
pub struct Ears<'a> {
    /// Where responses are told.
    pub book: &'a mut Book,
    /// Whose file it is.
    pub source: &'a Source,
    /// Which file it is.
    pub file: FileId,
    /// What begins before this byte was there before us.
    pub history: u64,
    /// When our life began.
    pub begun: Wall,
    /// When it is read.
    pub now: Now,
    /// What becomes of the lines.
    pub lines: &'a mut LineCounts,
    /// Keys that become known.
    pub seeded: &'a mut Vec<UsageKey>,
}

impl Ears<'_> {
    /// Takes in what was read.
    pub fn take_in(&mut self, found: Found) {
        match found {
            Found::Oversized => self.lines.oversized += 1,
            Found::Line(offset, line) => claude::decode(line, |told| self.hear(offset, told)),
        }
    }

    fn hear(&mut self, offset: u64, line: Line) {
        match line {
            Line::Ignored => self.lines.ignored += 1,
            Line::Malformed => self.lines.malformed += 1,
            Line::Told(told) => {
                // Written since we began, into a file that we had not looked at yet.
                let ours = told.at.is_some_and(|at| self.begun <= at && at <= self.now.wall);
                if offset < self.history && !ours {
                    self.lines.duplicate += 1;
                    self.seeded.extend(self.book.seed(&told));
                    return;
                }
                let whose = self.source.whose(told.cwd.as_deref());
                let place = Place { file: self.file, offset };
                match self.book.hear(*told, whose, place, self.now) {
                    Heard::Counted => self.lines.counted += 1,
                    Heard::Duplicate => self.lines.duplicate += 1,
                }
            }
        }
    }
}
