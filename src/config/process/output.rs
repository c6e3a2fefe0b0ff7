//! `output`: what becomes of what a process writes. The same key at the top of the file says what is
//! usual.

use std::time::Duration;

use crate::config::cursor::{Cursor, Fields};
use crate::config::plan::{OutputFile, OutputMode, OutputPlan};
use crate::config::read;
use crate::config::surroundings::Surroundings;
use crate::units::Bytes;

/// What a process of a file does unless told otherwise: several that write to one output have to be
/// told apart.
pub(in crate::config) const USUAL_MODE: OutputMode = OutputMode::Prefixed;

/// The words of `output`, and of its `mode`.
const MODES: [(&str, OutputMode); 4] = [
    ("prefixed", OutputMode::Prefixed),
    ("json", OutputMode::Json),
    ("passthrough", OutputMode::Passthrough),
    ("quiet", OutputMode::Quiet),
];

/// Kept in memory for each process: it has no more than all of them together.
const MOST_KEPT: Bytes = OutputPlan::KEEP_TOGETHER;
/// The bounds of a longest line: a line of text, and what a log shipper may still take.
const LEAST_LINE: Bytes = Bytes(256);
const MOST_LINE: Bytes = Bytes::mib(1);
/// A process that is kept waiting for longer looks dead to its users.
const MOST_BLOCK: Duration = Duration::from_secs(10);
/// A file that is rotated sooner is all rotation.
const LEAST_FILE: Bytes = Bytes(4 << 10);
const LEAST_AGE: Duration = Duration::from_secs(1);
/// How many rotated files one process may have.
const MOST_FILES: u32 = 1000;

/// Where nothing is said of a file: its size before it is rotated, and how many are kept.
const FILE_SIZE: Bytes = Bytes::mib(10);
const FILES: u32 = 5;

/// Reads `output` where `usual` is what holds without it.
pub(in crate::config) fn output(
    at: &Cursor<'_>,
    usual: &OutputPlan,
    around: &Surroundings<'_>,
) -> Option<OutputPlan> {
    if !at.is_map() {
        return Some(OutputPlan { mode: at.choice(&MODES)?, ..usual.clone() });
    }
    let mut fields = at.fields("a map")?;
    let kept = |at: &Cursor<'_>| read::bytes_within(at, Bytes(0), MOST_KEPT);
    let line = |at: &Cursor<'_>| read::bytes_within(at, LEAST_LINE, MOST_LINE);
    let mode = fields.read("mode", |at| at.choice(&MODES)).unwrap_or(usual.mode);
    let plan = OutputPlan {
        mode,
        keep: fields.read("keep", kept).unwrap_or(usual.keep),
        longest_line: fields.read("longest_line", line).unwrap_or(usual.longest_line),
        max_block: fields.read("max_block", block).unwrap_or(usual.max_block),
        file: file(&mut fields, mode, around),
    };
    fields.finish(&[
        ("prefix", "write `mode: prefixed`"),
        ("format", "did you mean `mode`?"),
        ("path", "write it under `file`"),
        ("max_size", "write it under `file`"),
        ("max_age", "write it under `file`"),
    ]);
    Some(plan)
}

fn block(at: &Cursor<'_>) -> Option<Duration> {
    read::duration(at).and_then(|block| match block <= MOST_BLOCK {
        true => Some(block),
        false => at.expected("at most `10s`", "a process that waits for longer looks dead"),
    })
}

/// `file`: a path, or a map.
fn file(
    fields: &mut Fields<'_>,
    mode: OutputMode,
    around: &Surroundings<'_>,
) -> Option<OutputFile> {
    let at = fields.get("file")?;
    if mode == OutputMode::Passthrough {
        let message = "with `passthrough` nothing comes by here that could be written to a file";
        at.fault(message, "write `mode: prefixed`, or `quiet`");
    }
    if !at.is_map() {
        let path = read::path(&at, around)?;
        return Some(OutputFile { path, max_size: Some(FILE_SIZE), max_age: None, keep: FILES });
    }
    let mut fields = at.fields("a path or a map with `path`")?;
    let path_at = fields.get("path");
    if path_at.is_none() {
        fields.missing("path", "write `path: FILE`", &[]);
    }
    let size = |at: &Cursor<'_>| read::bytes_within(at, LEAST_FILE, Bytes(u64::MAX));
    let age = |at: &Cursor<'_>| read::duration_from(at, LEAST_AGE, "rotating costs time");
    let max_size = fields.get("max_size").and_then(|at| read::unless_off(&at, size));
    let max_age = fields.get("max_age").and_then(|at| read::unless_off(&at, age));
    let keep = fields.read("keep", |at| read::whole(at, 0, i64::from(MOST_FILES)));
    fields.finish(&[]);
    Some(OutputFile {
        path: read::path(&path_at?, around)?,
        max_size: max_size.unwrap_or(Some(FILE_SIZE)),
        max_age: max_age.unwrap_or(None),
        keep: keep.and_then(|keep| u32::try_from(keep).ok()).unwrap_or(FILES),
    })
}
