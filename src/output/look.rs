//! The line that tells that a process is ready.
//!
//! Without special characters the pattern is text and is looked for in many lines at once; a
//! regular expression is tried on each line, bytes that are not UTF-8 shown as U+FFFD.

use std::fmt;
use std::sync::Arc;

use memchr::memmem;

/// A pattern to be looked for in lines. Cheap to clone.
#[derive(Clone)]
pub struct Pattern(Arc<Inner>);

struct Inner {
    typed: String,
    kind: Kind,
}

enum Kind {
    Text(Box<memmem::Finder<'static>>),
    Regex(regex_lite::Regex),
}

impl Pattern {
    /// Reads a regular expression.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn parse(typed: &str) -> Result<Self, String> {
        let plain = !typed.is_empty() && regex_lite::escape(typed) == typed;
        let kind = if plain {
            Kind::Text(Box::new(memmem::Finder::new(typed.as_bytes()).into_owned()))
        } else {
            Kind::Regex(regex_lite::Regex::new(typed).map_err(|error| error.to_string())?)
        };
        Ok(Self(Arc::new(Inner { typed: typed.to_owned(), kind })))
    }

    /// Whether one of `lines`, which newlines part, has it.
    pub fn is_in(&self, lines: &[u8]) -> bool {
        match &self.0.kind {
            Kind::Text(finder) => finder.find(lines).is_some(),
            Kind::Regex(regex) => lines
                .split(|byte| *byte == b'\n')
                .any(|line| regex.is_match(&String::from_utf8_lossy(trim_return(line)))),
        }
    }
}

/// The line without the carriage return that some programs put before the newline: `$` means the
/// end of the text to whoever wrote the pattern.
fn trim_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/", self.0.typed)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.typed == other.0.typed
    }
}

impl Eq for Pattern {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_found_in_lines() {
        for (pattern, lines, found) in [
            ("Listening on", "boot\nListening on 3000\n", true),
            ("Listening on", "boot\nlistening\n", false),
            ("^ready$", "not ready\nready\r\n", true),
            ("^ready$", "ready now\n", false),
            ("(?i)listening .*:[0-9]+", "LISTENING on :80\n", true),
            ("a b", "a\nb\n", false),
            ("a.b", "a\nb\n", false),
        ] {
            let parsed = Pattern::parse(pattern).unwrap();
            assert_eq!(parsed.is_in(lines.as_bytes()), found, "{pattern} in {lines:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_do_not_hide_a_match() {
        let pattern = Pattern::parse("rea.y").unwrap();
        assert!(pattern.is_in(b"\xff\xfe ready"));
        assert!(pattern.is_in(b"rea\xffy"));
    }

    #[test]
    fn a_pattern_that_cannot_be_read_is_refused() {
        assert!(Pattern::parse("(unclosed").is_err());
    }
}
