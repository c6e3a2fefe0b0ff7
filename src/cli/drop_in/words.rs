//! Words as getopt(3) takes them apart: joined short options, long ones that may be cut short, and
//! the end of the options.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::cli::drop_in::Guise;

/// What stands for the long options that have no short one.
pub(super) const LISTEN: char = '1';
pub(super) const STORE: char = '2';
pub(super) const LOG_LEVEL: char = '3';
pub(super) const LOG_FORMAT: char = '4';

/// Our own long options; a colon behind those with a value.
pub(super) const OURS: [(&str, char); 9] = [
    ("help", 'h'),
    ("single-child", 'c'),
    ("rewrite:", 'r'),
    ("verbose", 'v'),
    ("version", 'V'),
    ("listen:", LISTEN),
    ("store:", STORE),
    ("log-level:", LOG_LEVEL),
    ("log-format:", LOG_FORMAT),
];

/// What comes next.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    /// An option by its letter, with its value or an empty one.
    Option(char, OsString),
    /// `--`, and what stands behind it.
    Command(Vec<OsString>),
    /// A word that is no option, or the end; it is still there.
    Verb,
    /// An option that nobody knows, or one whose value is missing.
    Unknown,
}

/// The words that were typed, the name of the program left out.
pub(super) struct Words {
    words: Vec<OsString>,
    at: usize,
    /// Where we are in a word of joined short options; 0 between words.
    inside: usize,
    short: &'static str,
    long: &'static [(&'static str, char)],
}

impl Words {
    pub(super) fn new(
        words: Vec<OsString>,
        short: &'static str,
        long: &'static [(&'static str, char)],
    ) -> Self {
        Self { words, at: 0, inside: 0, short, long }
    }

    pub(super) fn next(&mut self) -> Found {
        if self.inside > 0 {
            return self.joined();
        }
        match self.words.get(self.at).map(|word| word.as_bytes()) {
            Some(b"--") => Found::Command(self.words.split_off(self.at + 1)),
            Some([b'-', b'-', name @ ..]) => {
                let name = name.to_vec();
                self.at += 1;
                self.long(&name)
            }
            Some([b'-', _, ..]) => {
                self.inside = 1;
                self.joined()
            }
            Some(_) | None => Found::Verb,
        }
    }

    /// The command that begins here without `--` before it. tini permutes its words, so that a `--`
    /// behind the program is its own as well, as its usage has it: `tini PROGRAM -- ARGS`. It would
    /// also take options out of the command; those stay.
    pub(super) fn rest(&mut self, guise: Guise) -> Vec<OsString> {
        let mut command = self.words.split_off(self.at.min(self.words.len()));
        let is_option = |word: &OsString| word.len() > 1 && word.as_bytes()[0] == b'-';
        let first = command.iter().position(is_option);
        if let Some(at) = first.filter(|at| guise == Guise::Tini && command[*at] == "--") {
            command.remove(at);
        }
        command
    }

    /// The next of several short options in one word.
    fn joined(&mut self) -> Found {
        let word = self.words[self.at].as_bytes();
        let letter = char::from(word[self.inside]);
        let rest = word[self.inside + 1..].to_vec();
        let Some(known) = self.short.find(letter).filter(|_| letter != ':') else {
            return Found::Unknown;
        };
        let takes_value = self.short[known + 1..].starts_with(':');
        if rest.is_empty() || takes_value {
            (self.at, self.inside) = (self.at + 1, 0);
        } else {
            self.inside += 1;
        }
        match (takes_value, rest.is_empty()) {
            (false, _) => Found::Option(letter, OsString::new()),
            (true, false) => Found::Option(letter, OsString::from_vec(rest)),
            (true, true) => self.value_of(letter),
        }
    }

    fn long(&mut self, text: &[u8]) -> Found {
        let (name, value) = match text.iter().position(|byte| *byte == b'=') {
            Some(at) => (&text[..at], Some(OsStr::from_bytes(&text[at + 1..]).to_owned())),
            None => (text, None),
        };
        let Some((known, letter)) = self.known(name) else { return Found::Unknown };
        match (known.ends_with(':'), value) {
            (true, Some(value)) => Found::Option(letter, value),
            (true, None) => self.value_of(letter),
            (false, None) => Found::Option(letter, OsString::new()),
            (false, Some(_)) => Found::Unknown,
        }
    }

    /// The long option of this name, or the only one that begins so.
    fn known(&self, name: &[u8]) -> Option<(&'static str, char)> {
        let plain = |known: &'static str| known.trim_end_matches(':').as_bytes();
        let exact = self.long.iter().find(|(known, _)| plain(known) == name);
        let mut begun = self.long.iter().filter(|(known, _)| plain(known).starts_with(name));
        let only = begun.next().filter(|_| begun.next().is_none());
        exact.or(only).copied()
    }

    fn value_of(&mut self, letter: char) -> Found {
        let Some(value) = self.words.get(self.at).cloned() else { return Found::Unknown };
        self.at += 1;
        Found::Option(letter, value)
    }
}
