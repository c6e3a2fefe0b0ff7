//! The parts of a message of opencode's where each has a file of its own, as older versions keep them:
//! what is asked, said and used stands there, and the message itself has but its figures.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::tokens::agents::opencode::Parts;
use crate::tokens::tail::plain::{self, Links};

/// A longer part is the result of a tool.
const LONGEST_PART: u64 = 1 << 20;

/// Parts of one message that are looked at.
const MOST_PARTS: usize = 1_000;

/// What the parts of the message in this file say, as far as they are there: they may be written behind
/// it, and then come with its next writing.
pub fn of_message(path: &Path) -> Parts {
    let mut parts = Parts::default();
    let Some(folder) = folder_of(path) else { return parts };
    let Ok(entries) = fs::read_dir(folder) else { return parts };
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    // Their names begin with their time.
    paths.sort();
    for path in paths.iter().take(MOST_PARTS) {
        let Ok(file) = plain::open(path, Links::Refuse) else { continue };
        let mut text = Vec::new();
        let read = file.take(LONGEST_PART + 1).read_to_end(&mut text);
        if read.is_ok() && text.len() as u64 <= LONGEST_PART {
            parts.take(&text);
        }
    }
    parts
}

/// `storage/part/MESSAGE` for `storage/message/SESSION/MESSAGE.json`.
fn folder_of(path: &Path) -> Option<PathBuf> {
    let storage = path.parent()?.parent()?.parent()?;
    Some(storage.join("part").join(path.file_stem()?))
}
