//! Whether a transcript on disk is whole, line by line: what each says of itself, and where one does
//! not parse.

use serde::Deserialize;
use serde_json::Value;

use crate::units::Wall;

/// A longer line is a fault: no program that reads transcripts would hold it.
pub const LONGEST_LINE: usize = 64 << 20;

/// Faults that are named; the rest is counted.
pub const FAULTS_NAMED: usize = 20;

/// Conversations that are named.
const CONVERSATIONS_NAMED: usize = 10;

/// A line that does not parse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its number, from 1.
    pub line: u64,
    /// Where in it, in bytes from 1.
    pub column: usize,
    /// What is wrong.
    pub what: String,
}

/// What is known of a transcript so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Lines, without empty ones.
    pub lines: u64,
    /// Of them, those that a person or the agent said.
    pub messages: u64,
    /// The earliest time that a line tells.
    pub first: Option<Wall>,
    /// The latest.
    pub last: Option<Wall>,
    /// The conversations that lines tell of, the first ten.
    pub conversations: Vec<String>,
    /// Lines that do not parse, the first twenty.
    pub faults: Vec<Fault>,
    /// All lines that do not parse.
    pub faulty: u64,
    /// Lines looked at, empty ones included.
    seen: u64,
}

/// As much of a line as is of interest; a value of another kind is none.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Line {
    r#type: Value,
    timestamp: Value,
    #[serde(rename = "sessionId")]
    session: Value,
}

impl Findings {
    /// Looks at the next line, without its line feed. `whole` says whether it had one.
    pub fn take(&mut self, line: &[u8], whole: bool) {
        self.seen += 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        self.lines += 1;
        match serde_json::from_slice::<Line>(line) {
            Ok(found) if line.trim_ascii_start().starts_with(b"{") => self.note(&found),
            Ok(_) => self.fault(1, "this is JSON, and not an object".to_owned()),
            Err(error) => {
                let cut = if whole { "" } else { "; it has no line feed: it may still be written" };
                // The line and column that serde adds are those of its own, one line long, text.
                let said = error.to_string();
                let said = said.split(" at line ").next().unwrap_or_default();
                self.fault(error.column().max(1), format!("{said}{cut}"));
            }
        }
    }

    /// Notes a line that is longer than a line may be.
    pub fn take_oversized(&mut self) {
        self.seen += 1;
        self.lines += 1;
        let megabytes = LONGEST_LINE >> 20;
        self.fault(LONGEST_LINE + 1, format!("the line is longer than {megabytes} MiB"));
    }

    fn note(&mut self, found: &Line) {
        self.messages += u64::from(matches!(found.r#type.as_str(), Some("user" | "assistant")));
        if let Some(at) = found.timestamp.as_str().and_then(Wall::parse) {
            self.first = Some(self.first.map_or(at, |first| first.min(at)));
            self.last = Some(self.last.map_or(at, |last| last.max(at)));
        }
        let known = |id: &str| self.conversations.iter().any(|known| known == id);
        if let Some(id) = found.session.as_str().filter(|id| !id.is_empty() && !known(id))
            && self.conversations.len() < CONVERSATIONS_NAMED
        {
            self.conversations.push(id.to_owned());
        }
    }

    fn fault(&mut self, column: usize, what: String) {
        self.faulty += 1;
        if self.faults.len() < FAULTS_NAMED {
            self.faults.push(Fault { line: self.seen, column, what });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Findings {
        let mut found = Findings::default();
        let mut lines = text.split('\n').peekable();
        while let Some(line) = lines.next() {
            let last = lines.peek().is_none();
            if !(last && line.is_empty()) {
                found.take(line.as_bytes(), !last);
            }
        }
        found
    }

    #[test]
    fn what_is_whole_is_summed_up() {
        let found = found(concat!(
            r#"{"type":"user","sessionId":"a","timestamp":"2026-10-01T10:00:01Z"}"#,
            "\r\n\n",
            r#"{"type":"assistant","sessionId":"a","timestamp":"2026-10-01T10:00:00Z"}"#,
            "\n",
            r#"{"type":7,"timestamp":null,"text":"\ud83d"}"#,
            "\n",
        ));
        assert_eq!((found.lines, found.messages, found.faulty), (3, 2, 0), "{found:?}");
        assert_eq!(
            found.first.map(|at| at.to_string()).as_deref(),
            Some("2026-10-01T10:00:00.000Z")
        );
        assert_eq!(
            found.last.map(|at| at.to_string()).as_deref(),
            Some("2026-10-01T10:00:01.000Z")
        );
        assert_eq!(found.conversations, ["a"]);
    }

    #[test]
    fn what_does_not_parse_is_named_by_line_and_column() {
        let found = found("{}\n\n{\"a\":1,}\n[1]\n{\"a\"");
        let places: Vec<_> = found.faults.iter().map(|fault| (fault.line, fault.column)).collect();
        assert_eq!(places, [(3, 8), (4, 1), (5, 4)], "{found:?}");
        assert!(found.faults[2].what.contains("no line feed"), "{found:?}");
        assert_eq!((found.lines, found.faulty), (4, 3));
        let many = self::found(&"x\n".repeat(50));
        assert_eq!((many.faults.len(), many.faulty), (FAULTS_NAMED, 50));
    }
}
