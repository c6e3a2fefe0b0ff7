//! Takes in the lines of one file: history becomes known, the rest goes to the book.

use crate::secret::masker::Masker;
use crate::tokens::agents::{Decoder, Line};
use crate::tokens::book::{Book, FileId, Heard, Place};
use crate::tokens::quota::Quota;
use crate::tokens::source::{Source, Whose};
use crate::tokens::tail::read::Found;
use crate::tokens::talks::{self, Talks};
use crate::tokens::{LineCounts, UsageKey};
use crate::units::{Now, Wall};

/// What listens to one file.
pub struct Ears<'a> {
    /// Where responses are told.
    pub book: &'a mut Book,
    /// Where it is told what happens in conversations.
    pub talks: &'a mut Talks,
    /// How texts are masked, where they may be kept.
    pub excerpts: Option<&'a Masker>,
    /// Whose file it is.
    pub source: &'a Source,
    /// Which file it is.
    pub file: FileId,
    /// What reads it.
    pub decoder: &'a mut Decoder,
    /// Whether what is known is read again and again; then it is told of but once.
    pub retold: bool,
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
    /// How much of limits is used.
    pub quotas: &'a mut Vec<Quota>,
}

impl<'a> Ears<'a> {
    /// Takes in what was read.
    pub fn take_in(&mut self, found: Found) {
        match found {
            Found::Oversized => self.lines.oversized += 1,
            Found::Head(head) => self.decoder.head(head),
            Found::Line(offset, line) => {
                // Lent out meanwhile, since what it tells is heard by the rest of us.
                let mut decoder = std::mem::replace(self.decoder, Decoder::Claude);
                decoder.decode(line, self.excerpts.is_some(), |told| self.hear(offset, told));
                *self.decoder = decoder;
            }
        }
    }

    /// Takes in what a line told.
    pub fn hear(&mut self, offset: u64, line: Line) {
        match line {
            Line::Ignored => self.lines.ignored += 1,
            Line::Malformed => self.lines.malformed += 1,
            Line::Unknown => self.lines.unknown += 1,
            Line::Limit(mut quota) => {
                self.source.whose(None).agent.as_ref().clone_into(&mut quota.agent);
                self.quotas.push(*quota);
            }
            Line::Said(talk) => {
                self.lines.ignored += 1;
                if self.is_history(offset, talk.at) {
                    return self.talks.seed(&talk.conversation, &talk.thread, None);
                }
                let whose = self.source.whose(talk.cwd.as_deref());
                let from = self.from(&whose, offset);
                self.talks.said(*talk, from);
            }
            Line::Told(told) => {
                if self.is_history(offset, told.at) {
                    self.lines.duplicate += 1;
                    self.seeded.extend(self.book.seed(&told));
                    let response = (!told.sidechain).then_some(told.key);
                    return self.talks.seed(&told.conversation, &told.thread, response);
                }
                let whose = self.source.whose(told.cwd.as_deref());
                let from = self.from(&whose, offset);
                let window = told.window.or_else(|| self.book.window(&told.model));
                if !self.retold || !self.book.knows(told.key) {
                    self.talks.responded(&told, window, from);
                }
                let place = from.place;
                match self.book.hear(*told, whose, place, self.now) {
                    Heard::Counted => self.lines.counted += 1,
                    Heard::Duplicate => self.lines.duplicate += 1,
                }
            }
        }
    }

    /// Whether a line was there before us. What was written since we began, into a file that we had
    /// not looked at yet, was not.
    pub fn is_history(&self, offset: u64, at: Option<Wall>) -> bool {
        let ours = at.is_some_and(|at| self.begun <= at && at <= self.now.wall);
        offset < self.history && !ours
    }

    fn from<'w>(&self, whose: &'w Whose, offset: u64) -> talks::Source<'w>
    where
        'a: 'w,
    {
        let place = Place { file: self.file, offset };
        talks::Source { whose, place, now: self.now.wall, excerpts: self.excerpts }
    }
}
