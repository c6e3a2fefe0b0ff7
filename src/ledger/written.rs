//! What a command beside the plan wrote, as it is kept beyond its end. Pure.
//!
//! It is masked line by line, and each line stays as long as it was: a cursor counts the bytes that
//! were written, so that it means the same in memory and in the store. Where that leaves room behind a
//! mask there are spaces, and what a mask makes longer is cut.

use serde::{Deserialize, Serialize};

use crate::secret::MASK;
use crate::secret::masker::Masker;
use crate::units::{SessionId, Wall};

/// What the lines of a private key begin and end with.
const KEY: &str = "PRIVATE KEY-----";

/// The last of what one session wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Written {
    /// Whose output.
    pub session: SessionId,
    /// When it was looked at.
    pub at: Wall,
    /// The cursor of the first byte: so many came before it and are gone.
    pub begin: u64,
    /// Whether nothing follows.
    pub over: bool,
    /// What was written, in order.
    pub parts: Vec<Part>,
}

/// Bytes in a row that were written to the same output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Whether they were written to standard error.
    pub stderr: bool,
    /// The bytes.
    pub bytes: Raw,
}

/// Bytes that are text nearly always, and are then written as such.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Shape", into = "Shape")]
pub struct Raw(pub Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Shape {
    Text(String),
    Other(Vec<u8>),
}

impl From<Shape> for Raw {
    fn from(shape: Shape) -> Self {
        match shape {
            Shape::Text(text) => Self(text.into_bytes()),
            Shape::Other(bytes) => Self(bytes),
        }
    }
}

impl From<Raw> for Shape {
    fn from(Raw(bytes): Raw) -> Self {
        String::from_utf8(bytes).map_or_else(|no| Self::Other(no.into_bytes()), Self::Text)
    }
}

impl Written {
    /// As it may be kept. A line whose beginning is gone, or whose end is still to come, could hold a
    /// half of a secret that nobody recognises, and is masked as a whole.
    pub fn masked(mut self, masker: &Masker) -> Self {
        for stderr in [false, true] {
            let of_it = self.parts.iter().filter(|part| part.stderr == stderr);
            let mut bytes: Vec<u8> = of_it.flat_map(|part| &part.bytes.0).copied().collect();
            mask_lines(&mut bytes, self.begin > 0, self.over, masker);
            let mut rest = &bytes[..];
            for part in self.parts.iter_mut().filter(|part| part.stderr == stderr) {
                let (own, behind) = rest.split_at(part.bytes.0.len());
                part.bytes.0.copy_from_slice(own);
                rest = behind;
            }
        }
        self
    }
}

fn mask_lines(bytes: &mut [u8], begins_within: bool, over: bool, masker: &Masker) {
    let (mut first, mut in_key) = (begins_within, false);
    for line in bytes.split_inclusive_mut(|byte| *byte == b'\n') {
        let whole = line.last() == Some(&b'\n');
        let length = line.len() - usize::from(whole);
        let line = &mut line[..length];
        let text = String::from_utf8_lossy(line);
        let (begins, ends) = marks_of_key(&text);
        let hidden = in_key || begins || std::mem::take(&mut first) || !whole && !over;
        in_key = (in_key || begins) && !ends;
        let masked = if hidden { MASK.to_owned() } else { masker.line(&text) };
        if hidden || masked != text {
            fill(line, &masked);
        }
    }
}

/// Whether a private key begins in a line, and whether one ends there.
fn marks_of_key(line: &str) -> (bool, bool) {
    let has = |mark: &str| line.find(mark).is_some_and(|at| line[at..].contains(KEY));
    (has("-----BEGIN "), has("-----END "))
}

/// Writes the text over the bytes, as far as it fits, and spaces behind it.
fn fill(bytes: &mut [u8], text: &str) {
    let fits = text.floor_char_boundary(bytes.len());
    let (front, back) = bytes.split_at_mut(fits);
    front.copy_from_slice(&text.as_bytes()[..fits]);
    back.fill(b' ');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::masker::Pattern;

    fn written(begin: u64, over: bool, parts: &[(bool, &[u8])]) -> Written {
        let part =
            |(stderr, bytes): &(bool, &[u8])| Part { stderr: *stderr, bytes: Raw(bytes.to_vec()) };
        let (session, parts) = (SessionId::new(Wall(1), 1), parts.iter().map(part).collect());
        Written { session, at: Wall(1), begin, over, parts }
    }

    fn text(written: Written) -> Vec<String> {
        let masker = Masker::new(vec![Pattern::new("ticket", "T-[0-9]").expect("a pattern")]);
        let text = |part: Part| String::from_utf8_lossy(&part.bytes.0).into_owned();
        written.masked(&masker).parts.into_iter().map(text).collect()
    }

    #[test]
    fn lines_lose_their_secrets_and_not_their_length() {
        let parts: [(bool, &[u8]); 3] =
            [(false, b"ok\npass"), (true, b"T-1\n"), (false, b"word=hunter2 x\nT-2 \xff\n")];
        let masked = text(written(0, true, &parts));
        assert_eq!(masked[0], "ok\npass");
        assert_eq!(masked[1], "***\n");
        assert_eq!(masked[2].lines().next(), Some("word=***      "), "over two parts of a line");
        let lengths: Vec<usize> = parts.iter().map(|(_, bytes)| bytes.len()).collect();
        let kept = written(0, true, &parts).masked(&Masker::default());
        assert_eq!(kept.parts.iter().map(|it| it.bytes.0.len()).collect::<Vec<_>>(), lengths);
        assert_eq!(text(written(0, true, &[(false, b"T-1T-1T-1")])), ["*********"]);
        assert_eq!(text(written(0, true, &[(false, b"pin=1")])).len(), 1);
    }

    #[test]
    fn what_is_cut_and_what_is_begun_is_masked_as_a_whole() {
        let parts: [(bool, &[u8]); 3] =
            [(false, b"ret\nfine\nbeg"), (true, b"tail\n"), (true, b"whole\n")];
        assert_eq!(text(written(9, false, &parts)), ["***\nfine\n***", "*** \n", "whole\n"]);
        assert_eq!(text(written(0, true, &parts)), ["ret\nfine\nbeg", "tail\n", "whole\n"]);
        assert_eq!(text(written(1, true, &[(false, b"x\n")])), ["*\n"]);
    }

    #[test]
    fn a_private_key_is_masked_from_its_first_line_to_its_last() {
        let key =
            b"-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nAQAB\n-----END RSA PRIVATE KEY-----\nok\n";
        let masked = text(written(0, true, &[(false, key)])).remove(0);
        let lines: Vec<&str> = masked.lines().map(str::trim_end).collect();
        assert_eq!(lines, ["***", "***", "***", "***", "ok"]);
    }

    #[test]
    fn what_is_no_text_is_kept_and_comes_back() {
        let raw = written(0, true, &[(true, b"\xff\x00\n"), (false, b"text\n")]);
        let kept = raw.clone().masked(&Masker::default());
        assert_eq!(kept, raw);
        let json = serde_json::to_string(&kept).expect("JSON");
        assert!(json.contains("\"text\\n\""), "{json}");
        assert_eq!(serde_json::from_str::<Written>(&json).expect("read"), kept);
    }
}
