//! Lines without usage that tell something of a conversation all the same: what a person asked, and
//! that the window was emptied into a summary. All others are passed over unread: results of tools
//! are the most of a transcript.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;

use super::Entry;
use super::content::{Content, Told};
use crate::tokens::agents::lenient::{Flag, Text, trimmed};
use crate::tokens::agents::{Line, Said, Talk};
use crate::units::Wall;

/// A longer prompt is passed over: a person types less, and pictures are not read.
const LONGEST: usize = 4 << 20;

/// A compaction's line is short, but for the tools that it names.
const LONGEST_NOTICE: usize = 64 << 10;

static USER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"user\""));
static RESULT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"tool_result\""));
static BOUNDARY: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"compact_boundary\""));

/// What else a line says of itself.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Marks<'a> {
    #[serde(borrow)]
    subtype: Text<'a>,
    #[serde(rename = "isMeta")]
    is_meta: Flag,
    #[serde(rename = "isCompactSummary")]
    is_summary: Flag,
}

/// What a line without usage tells.
pub fn told(line: &[u8], excerpts: bool) -> Line {
    let line = trimmed(line);
    let asks = line.len() <= LONGEST && USER.find(line).is_some() && RESULT.find(line).is_none();
    if !asks && (line.len() > LONGEST_NOTICE || BOUNDARY.find(line).is_none()) {
        return Line::Ignored;
    }
    let entry = serde_json::from_slice::<Entry<Content>>(line);
    let marks = serde_json::from_slice::<Marks>(line);
    let (Ok(entry), Ok(marks)) = (entry, marks) else { return Line::Ignored };
    let said = entry.said(&marks, excerpts);
    said.and_then(|said| entry.talk(said)).map_or(Line::Ignored, |talk| Line::Said(Box::new(talk)))
}

impl Entry<'_, Content> {
    fn said(&self, marks: &Marks, excerpts: bool) -> Option<Said> {
        if self.is_sidechain.0 {
            return None;
        }
        match self.r#type.filled()? {
            "system" if marks.subtype.filled() == Some("compact_boundary") => Some(Said::Compacted),
            "user" if !marks.is_meta.0 && !marks.is_summary.0 => {
                let content = &self.message.0.as_ref()?.content;
                let text = content.text().filter(|_| !content.is_result)?;
                is_prompt(&text).then_some(Said::Prompt(excerpts.then_some(text)))
            }
            _ => None,
        }
    }

    fn talk(&self, said: Said) -> Option<Talk> {
        Some(Talk {
            conversation: self.session_id.filled()?.to_owned(),
            at: self.timestamp.filled().and_then(Wall::parse),
            cwd: self.cwd.filled().map(str::to_owned),
            thread: self.thread(),
            said,
        })
    }
}

/// Whether a person wrote it: what local commands print, and that an answer was broken off, is put
/// in a person's mouth.
fn is_prompt(text: &str) -> bool {
    let text = text.trim_start();
    !text.is_empty()
        && !text.starts_with("<local-command-")
        && !text.starts_with("[Request interrupted")
}
