//! What a next conversation needs to know of the one before: files, tools and tasks, each once, the
//! newest of them.

use serde::{Deserialize, Serialize};

/// Files that are kept of a conversation: more than one person's day of work touches.
pub const MOST_FILES: usize = 100;
/// Tools that are kept of a conversation.
pub const MOST_TOOLS: usize = 50;
/// Tasks that are kept of a conversation.
pub const MOST_TASKS: usize = 50;

/// The longest name of a file, a tool or a task in bytes; what is longer is cut.
pub const LONGEST: usize = 1024;

/// What a conversation worked on, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Continuation {
    /// Files that were read or written.
    pub files: Vec<String>,
    /// Tools that were used.
    pub tools: Vec<String>,
    /// Tasks that were worked on.
    pub tasks: Vec<String>,
}

impl Continuation {
    /// Notes what was used. What was there already becomes the newest.
    pub fn note(&mut self, files: &[String], tools: &[String], tasks: &[String]) {
        take_in(&mut self.files, files, MOST_FILES);
        take_in(&mut self.tools, tools, MOST_TOOLS);
        take_in(&mut self.tasks, tasks, MOST_TASKS);
    }

    /// The same within its bounds, each thing once: for what was told from outside.
    pub fn bounded(self) -> Self {
        let mut kept = Self::default();
        kept.note(&self.files, &self.tools, &self.tasks);
        kept
    }

    /// The bytes of its words.
    pub fn size(&self) -> usize {
        [&self.files, &self.tools, &self.tasks].into_iter().flatten().map(String::len).sum()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.tools.is_empty() && self.tasks.is_empty()
    }
}

fn take_in(kept: &mut Vec<String>, more: &[String], most: usize) {
    for one in more {
        let one = &one[..one.floor_char_boundary(LONGEST)];
        if one.is_empty() {
            continue;
        }
        if let Some(at) = kept.iter().position(|known| known == one) {
            kept[at..].rotate_left(1);
            continue;
        }
        if kept.len() >= most {
            kept.remove(0);
        }
        kept.push(one.to_owned());
    }
}
