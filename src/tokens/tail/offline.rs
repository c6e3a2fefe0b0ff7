//! Sums up histories as they lie on the disk, whether or not anybody runs: each file once, from its
//! beginning to its end, a buffer at a time.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::config::plan::Dialect;
use crate::tokens::LineCounts;
use crate::tokens::agents::{self, Decoder, Line, Shape};
use crate::tokens::tail::document;
use crate::tokens::tail::plain::{self, Links};
use crate::tokens::tail::read::{Found, LONGEST_LINE, Position, Reader};
use crate::tokens::tally::Tally;

/// Folders within folders that are looked into.
const DEEPEST: usize = 32;

/// Bytes of a file by which its dialect is known where its name does not tell.
const SNIFFED: usize = 4 << 10;

/// What a scan found.
#[derive(Default)]
pub struct Scan {
    /// Every response.
    pub tally: Tally,
    /// What became of the lines.
    pub lines: LineCounts,
    /// Files that were read.
    pub files: u64,
    /// What could not be read, and why.
    pub faults: Vec<(PathBuf, io::Error)>,
}

/// A file that is to be read.
struct Candidate {
    dialect: Dialect,
    shape: Shape,
    written: Option<SystemTime>,
    path: PathBuf,
}

/// Sums up every transcript below these paths.
pub fn scan(paths: &[PathBuf]) -> Scan {
    let mut scan = Scan::default();
    let mut found = Vec::new();
    for path in paths {
        scan.collect(path, 0, &mut found);
    }
    // Copies come after what they were copied from: names of rollouts begin with their time.
    found.sort_by(|a, b| {
        let named = |one: &Candidate| match one.dialect {
            Dialect::Codex => one.path.file_name().map(ToOwned::to_owned),
            Dialect::Claude | Dialect::Gemini | Dialect::Opencode => None,
        };
        (named(a), a.written, &a.path).cmp(&(named(b), b.written, &b.path))
    });
    found.dedup_by(|a, b| a.path == b.path);
    let mut reader = Reader::new();
    for one in &found {
        scan.files += 1;
        if let Err(error) = scan.read(&mut reader, one) {
            scan.faults.push((one.path.clone(), error));
        }
    }
    scan
}

impl Scan {
    /// Finds what is to be read. Links are followed where they are named, and not below.
    fn collect(&mut self, path: &Path, depth: usize, found: &mut Vec<Candidate>) {
        let looked = if depth == 0 { fs::metadata(path) } else { fs::symlink_metadata(path) };
        let meta = match looked {
            Ok(meta) => meta,
            Err(error) => return self.faults.push((path.to_owned(), error)),
        };
        if meta.is_file() {
            match kind(path, depth == 0) {
                Ok(Some((dialect, shape))) => {
                    let written = meta.modified().ok();
                    found.push(Candidate { dialect, shape, written, path: path.to_owned() });
                }
                Ok(None) => {}
                Err(error) => self.faults.push((path.to_owned(), error)),
            }
        } else if meta.is_dir() && depth < DEEPEST {
            match fs::read_dir(path) {
                Ok(entries) => entries
                    .filter_map(Result::ok)
                    .for_each(|entry| self.collect(&entry.path(), depth + 1, found)),
                Err(error) => self.faults.push((path.to_owned(), error)),
            }
        } else if depth == 0 {
            let error = io::Error::other("neither a plain file nor a folder");
            self.faults.push((path.to_owned(), error));
        }
    }

    fn read(&mut self, reader: &mut Reader, one: &Candidate) -> io::Result<()> {
        let mut decoder = Decoder::new(one.dialect, &one.path);
        if one.shape == Shape::Database {
            return self.read_rows(&one.path);
        }
        let file = plain::open(&one.path, Links::Follow)?;
        let is_one = one.dialect == Dialect::Opencode;
        let mut bytes = 0;
        match one.shape {
            Shape::Document if is_one => {
                bytes = document::whole(&file, |found| self.take(&mut decoder, found))?;
            }
            Shape::Document => {
                bytes = document::messages(&file, |found| self.take(&mut decoder, found))?;
            }
            Shape::Lines => {
                let mut at = Position::default();
                reader.read(&file, &mut at, u64::MAX, |found| self.take(&mut decoder, found))?;
                bytes += at.read + self.last_line(&file, &at, &mut decoder)?;
            }
            Shape::Database => {}
        }
        decoder.finish(|line| self.hear(line));
        self.lines.bytes += bytes;
        Ok(())
    }

    /// A last line without a line feed counts if it is whole; else it was never finished.
    fn last_line(&mut self, file: &File, at: &Position, decoder: &mut Decoder) -> io::Result<u64> {
        if at.skipping {
            return Ok(0);
        }
        let length = file.metadata()?.len().saturating_sub(at.line);
        let length = usize::try_from(length).unwrap_or(LONGEST_LINE).min(LONGEST_LINE);
        let mut rest = vec![0; length];
        let read = file.read_at(&mut rest, at.line)?;
        decoder.usage(&rest[..read], |line| {
            if line != Line::Malformed {
                self.hear(line);
            }
        });
        Ok(read as u64)
    }

    #[cfg(feature = "sqlite")]
    fn read_rows(&mut self, path: &Path) -> io::Result<()> {
        use crate::tokens::agents::opencode::{self, Row};
        use crate::tokens::tail::database;

        database::messages(path, 0, u64::MAX, |message, parts| {
            self.lines.bytes += message.data.len() as u64;
            let row = Row { id: &message.id, session: &message.session };
            opencode::decode(&message.data, row, parts, |line| self.hear(line));
        })
    }

    #[cfg(not(feature = "sqlite"))]
    fn read_rows(&mut self, _: &Path) -> io::Result<()> {
        Err(io::Error::other("this build reads no databases"))
    }

    fn take(&mut self, decoder: &mut Decoder, found: Found<'_>) {
        match found {
            Found::Line(_, line) => decoder.usage(line, |line| self.hear(line)),
            Found::Head(head) => decoder.head(head),
            Found::Oversized => self.lines.oversized += 1,
        }
    }

    fn hear(&mut self, line: Line) {
        match line {
            Line::Told(told) => match self.tally.hear(*told) {
                true => self.lines.counted += 1,
                false => self.lines.duplicate += 1,
            },
            Line::Limit(_) => {}
            Line::Unknown => self.lines.unknown += 1,
            Line::Said(_) | Line::Ignored => self.lines.ignored += 1,
            Line::Malformed => self.lines.malformed += 1,
        }
    }
}

/// What a file is: by its name and place, else by how it begins.
fn kind(path: &Path, is_named: bool) -> io::Result<Option<(Dialect, Shape)>> {
    let placed = [Dialect::Codex, Dialect::Gemini, Dialect::Opencode];
    for dialect in placed {
        if let Some(shape) = agents::shape(dialect, path) {
            return Ok(Some((dialect, shape)));
        }
    }
    let lines = path.extension().is_some_and(|end| end == "jsonl");
    if !is_named && agents::shape(Dialect::Claude, path).is_none() {
        return Ok(None);
    }
    let mut head = vec![0; SNIFFED];
    let length = plain::open(path, Links::Follow)?.read_at(&mut head, 0)?;
    Ok(Some(sniff(&head[..length], lines)))
}

fn sniff(head: &[u8], lines: bool) -> (Dialect, Shape) {
    let has = |mark: &str| memchr::memmem::find(head, mark.as_bytes()).is_some();
    let shape = if lines { Shape::Lines } else { Shape::Document };
    if has("\"type\":\"session_meta\"")
        || has("\"type\":\"turn_context\"")
        || has("\"token_count\"")
    {
        (Dialect::Codex, Shape::Lines)
    } else if has("\"projectHash\"") || has("\"type\":\"gemini\"") || has("\"type\": \"gemini\"") {
        (Dialect::Gemini, shape)
    } else if has("\"modelID\"") && has("\"tokens\"") {
        (Dialect::Opencode, shape)
    } else {
        (Dialect::Claude, Shape::Lines)
    }
}
