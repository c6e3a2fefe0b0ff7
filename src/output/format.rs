//! What lines look like on our own output: with a prefix, or as JSON.
//!
//! Everything that is the same for all lines of one read is made once; a line then costs one search
//! for its end and two or three copies.

use std::io::Write;

use memchr::memchr;

use crate::output::cut::Cut;
use crate::output::plan::{Show, Which};
use crate::units::Wall;

/// Compose's order: what is told apart best comes first.
const PALETTE: [&str; 10] = ["36", "33", "32", "35", "34", "96", "93", "92", "95", "94"];

/// What comes out of one read at a time, so that a stream of empty lines does not become a flood.
const PORTION: usize = 512 << 10;
/// So little is never divided.
const SMALLEST_PORTION: usize = 2 << 10;
/// What a JSON line has besides its head and its text: the time and the marks.
const JSON_FRAME: usize = 80;

/// Whether lines get colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// The target is no terminal, or nobody wants any.
    None,
    /// This place of the palette, which goes round.
    Nth(usize),
}

/// How the lines of one stream look.
#[derive(Debug)]
pub enum Form {
    /// Each begins with these bytes.
    Prefix(Box<[u8]>),
    /// Each is an object; these bytes follow the time.
    Json(Box<[u8]>),
    /// As they were written.
    Raw,
}

/// What is said of a line besides its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The process did not end the line here.
    pub partial: bool,
    /// The main process had ended and its output was complete: somebody it left behind wrote this.
    pub leftover: bool,
}

impl Form {
    /// The form of one stream of a process; `None` when it is not shown.
    pub fn of(show: Show, name: &str, which: Which, colour: Colour) -> Option<Self> {
        match show {
            Show::Prefixed { width } => Some(Self::Prefix(prefix(name, width, colour))),
            Show::Json => Some(Self::json(name, which)),
            Show::Hidden => None,
        }
    }

    /// One JSON object for each line.
    pub fn json(name: &str, which: Which) -> Self {
        let mut head = b"\",\"process\":\"".to_vec();
        escape(name.as_bytes(), &mut head);
        let _ = write!(head, "\",\"stream\":\"{}\",\"line\":\"", which.name());
        Self::Json(head.into())
    }

    /// How much of what was read can be put into form at once without more than [`PORTION`] coming
    /// out, escapes aside: a newline costs one byte there, and a whole object here.
    pub fn portion(&self, read: &[u8]) -> usize {
        let each = match self {
            Self::Prefix(prefix) => prefix.len(),
            Self::Json(head) => head.len() + JSON_FRAME,
            Self::Raw => 0,
        };
        let mut len = read.len();
        while len > SMALLEST_PORTION {
            let size = len + count(&read[..len]) as usize * each;
            if size <= PORTION {
                break;
            }
            len = (len / 2).min(len * (PORTION / 1024) / (size / 1024)).max(SMALLEST_PORTION);
        }
        len
    }

    /// Puts what was cut behind `out`.
    pub fn cut(&self, cut: Cut<'_>, at: Wall, mark: Mark, out: &mut Vec<u8>) {
        match cut {
            Cut::Lines(lines) => self.lines(lines, at, mark, out),
            Cut::Piece(piece) => self.piece(piece, at, mark, out),
        }
    }

    /// Puts whole lines, each with its newline, behind `out`.
    fn lines(&self, lines: &[u8], at: Wall, mark: Mark, out: &mut Vec<u8>) {
        match self {
            Self::Prefix(prefix) => each(lines, |line| {
                out.extend_from_slice(prefix);
                out.extend_from_slice(line);
            }),
            Self::Json(head) => {
                let head = json_head(at, head);
                let tail = json_tail(mark);
                each(lines, |line| {
                    out.extend_from_slice(&head);
                    escape(&line[..line.len() - 1], out);
                    out.extend_from_slice(tail);
                })
            }
            Self::Raw => out.extend_from_slice(lines),
        }
    }

    /// Puts a piece of a line behind `out`.
    fn piece(&self, piece: &[u8], at: Wall, mark: Mark, out: &mut Vec<u8>) {
        match self {
            Self::Prefix(prefix) => out.extend_from_slice(prefix),
            Self::Json(head) => {
                out.extend_from_slice(&json_head(at, head));
                escape(piece, out);
                out.extend_from_slice(json_tail(Mark { partial: true, ..mark }));
                return;
            }
            Self::Raw => {}
        }
        out.extend_from_slice(piece);
        out.push(b'\n');
    }
}

/// How many lines there are.
pub fn count(lines: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', lines).count() as u64
}

fn each(mut lines: &[u8], mut put: impl FnMut(&[u8])) {
    while let Some(end) = memchr(b'\n', lines) {
        let (line, rest) = lines.split_at(end + 1);
        put(line);
        lines = rest;
    }
}

fn prefix(name: &str, width: usize, colour: Colour) -> Box<[u8]> {
    let text = match colour {
        Colour::None => format!("{name:width$} | "),
        Colour::Nth(nth) => {
            format!("\x1b[{}m{name:width$} |\x1b[0m ", PALETTE[nth % PALETTE.len()])
        }
    };
    text.into_bytes().into()
}

fn json_head(at: Wall, head: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(48 + head.len());
    let _ = write!(whole, "{{\"time\":\"{at}");
    whole.extend_from_slice(head);
    whole
}

fn json_tail(mark: Mark) -> &'static [u8] {
    match (mark.partial, mark.leftover) {
        (false, false) => b"\"}\n",
        (true, false) => b"\",\"partial\":true}\n",
        (false, true) => b"\",\"leftover\":true}\n",
        (true, true) => b"\",\"partial\":true,\"leftover\":true}\n",
    }
}

/// Puts text behind `out` as it stands inside a JSON string; what is no UTF-8 becomes U+FFFD.
pub fn escape(text: &[u8], out: &mut Vec<u8>) {
    if is_plain(text) {
        return out.extend_from_slice(text);
    }
    for chunk in text.utf8_chunks() {
        escape_valid(chunk.valid(), out);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// Whether the bytes are ASCII that JSON takes as it is.
fn is_plain(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks::<8>();
    words.iter().all(|word| is_plain_word(u64::from_ne_bytes(*word)))
        && rest.iter().all(|byte| matches!(byte, 0x20..0x7f) && !matches!(byte, b'"' | b'\\'))
}

/// The same of eight bytes at once, by the tests for a byte that is zero, or less than another, of
/// <https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord>.
fn is_plain_word(word: u64) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = EACH * 0x80;
    let less_than =
        |bound: u8, word: u64| word.wrapping_sub(EACH * u64::from(bound)) & !word & HIGH;
    let any = |byte: u8| less_than(1, word ^ (EACH * u64::from(byte)));
    (word & HIGH) | less_than(0x20, word) | any(0x7f) | any(b'"') | any(b'\\') == 0
}

fn escape_valid(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut from = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let short: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..=0x1f => b"",
            _ => continue,
        };
        out.extend_from_slice(&bytes[from..at]);
        out.extend_from_slice(short);
        if short.is_empty() {
            let _ = write!(out, "\\u{byte:04x}");
        }
        from = at + 1;
    }
    out.extend_from_slice(&bytes[from..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bytes_are_plain_where_each_of_them_is() {
        for byte in 0..=u8::MAX {
            let plain = (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
            for at in 0..8 {
                for filler in [b' ', b'!', b'~', b'#', b'['] {
                    let mut word = [filler; 8];
                    word[at] = byte;
                    assert_eq!(is_plain(&word), plain, "{word:?}");
                }
            }
            assert_eq!(is_plain(&[byte]), plain, "{byte}");
        }
    }

    const AT: Wall = Wall(1_790_000_000_125);

    fn form(show: Show, colour: Colour) -> Form {
        Form::of(show, "web", Which::Stdout, colour).unwrap()
    }

    fn lines(form: &Form, lines: &[u8], mark: Mark) -> String {
        let mut out = Vec::new();
        form.lines(lines, AT, mark, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_line_gets_its_prefix() {
        let plain = form(Show::Prefixed { width: 5 }, Colour::None);
        assert_eq!(
            lines(&plain, b"one\n\nt\n", Mark::default()),
            "web   | one\nweb   | \nweb   | t\n"
        );
        let coloured = form(Show::Prefixed { width: 3 }, Colour::Nth(11));
        assert_eq!(lines(&coloured, b"x\n", Mark::default()), "\x1b[33mweb |\x1b[0m x\n");
    }

    #[test]
    fn every_line_becomes_an_object() {
        let json = form(Show::Json, Colour::None);
        let said = lines(&json, b"a \"b\"\n\n", Mark::default());
        assert_eq!(said.lines().count(), 2);
        assert_eq!(
            said.lines().next().unwrap(),
            r#"{"time":"2026-09-21T14:13:20.125Z","process":"web","stream":"stdout","line":"a \"b\""}"#
        );
    }

    #[test]
    fn whatever_is_written_json_reads_it_back() {
        let json = Form::json("we\"b", Which::Stderr);
        let every_byte: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').collect();
        for text in [&b""[..], b"plain", "täg 🦀\u{7f}".as_bytes(), b"\xf0\x9f", &every_byte] {
            let mut out = Vec::new();
            json.piece(text, AT, Mark { partial: true, leftover: true }, &mut out);
            let read: serde_json::Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(read["line"], String::from_utf8_lossy(text).as_ref());
            assert_eq!(read["process"], "we\"b");
            assert_eq!(read["stream"], "stderr");
            assert_eq!([&read["partial"], &read["leftover"]], [&serde_json::json!(true); 2]);
        }
    }

    #[test]
    fn a_flood_of_empty_lines_is_put_into_form_bit_by_bit() {
        let json = form(Show::Json, Colour::None);
        let mut mixed = vec![b'x'; 200 << 10];
        mixed.extend([b'\n'; 56 << 10]);
        for read in [vec![b'\n'; 256 << 10], mixed, vec![b'x'; 256 << 10], b"short\n".to_vec()] {
            let (mut rest, mut turns) = (&read[..], 0);
            while !rest.is_empty() {
                let portion = json.portion(rest);
                let mut out = Vec::new();
                let whole = rest[..portion].iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
                json.lines(&rest[..whole], AT, Mark::default(), &mut out);
                assert!(out.len() <= PORTION && portion > 0, "{}", out.len());
                rest = &rest[portion..];
                turns += 1;
            }
            assert!(turns < 130, "{turns}");
        }
    }

    #[test]
    fn pieces_are_ended_for_those_who_read_lines() {
        let mut out = Vec::new();
        form(Show::Prefixed { width: 0 }, Colour::None).piece(b"ab", AT, Mark::default(), &mut out);
        Form::Raw.piece(b"cd", AT, Mark::default(), &mut out);
        assert_eq!(out, b"web | ab\ncd\n");
    }
}
