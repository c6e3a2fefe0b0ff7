//! The hand-over: what the next conversation is told of the one that is full.

use std::fmt::Write as _;

use crate::chains::chain::{Chain, Link};
use crate::chains::limits::Fullness;

/// Files that a summary names, the newest.
const FILES: usize = 20;
/// Tools that a summary names, the newest.
const TOOLS: usize = 10;
/// Tasks that a summary names, the newest.
const TASKS: usize = 20;

/// What the next conversation is told.
#[derive(Clone, Debug, PartialEq)]
pub struct HandOver {
    /// Whose conversation.
    pub agent: String,
    /// Its id.
    pub conversation: String,
    /// Its number in the chain.
    pub number: u64,
    /// Tokens in its window; unknown before the first response and after a compaction.
    pub tokens: Option<u64>,
    /// Tokens that its window holds.
    pub window: u64,
    /// The part of it that is used.
    pub ratio: Option<f64>,
    /// Whether the next one should take over, and whether it has to.
    pub fullness: Fullness,
    /// The last files, newest first.
    pub files: Vec<String>,
    /// The last tools, newest first.
    pub tools: Vec<String>,
    /// The tasks that were worked on, in their order.
    pub tasks: Vec<String>,
}

impl HandOver {
    /// The hand-over of a conversation of this chain.
    pub fn of(chain: &Chain, link: &Link) -> Self {
        let newest = |names: &[String], most| names.iter().rev().take(most).cloned().collect();
        let kept = &link.continuation;
        let tasks = &kept.tasks[kept.tasks.len().saturating_sub(TASKS)..];
        Self {
            agent: chain.agent.clone(),
            conversation: link.id.clone(),
            number: link.number,
            tokens: link.context.as_ref().map(|context| context.tokens),
            window: link.window(&chain.limits),
            ratio: link.ratio(&chain.limits),
            fullness: link.fullness,
            files: newest(&kept.files, FILES),
            tools: newest(&kept.tools, TOOLS),
            tasks: tasks.to_vec(),
        }
    }

    /// Whether the next conversation should take over.
    pub fn is_due(&self) -> bool {
        self.fullness >= Fullness::Due
    }

    /// In words, to be put before the next conversation.
    pub fn text(&self) -> String {
        let mut text = format!(
            "Conversation {} of {} (number {} of its chain).\n",
            plain(&self.conversation),
            plain(&self.agent),
            self.number
        );
        let _ = match (self.tokens, self.ratio) {
            (Some(tokens), Some(ratio)) => {
                writeln!(
                    text,
                    "Context: {tokens} of {} tokens, {:.1} %.",
                    self.window,
                    ratio * 100.0
                )
            }
            _ => writeln!(text, "Context: not known, of {} tokens.", self.window),
        };
        text.push_str(match self.fullness {
            Fullness::Room => "There is room: no hand-over is due.\n",
            Fullness::Due => "A hand-over is due.\n",
            Fullness::Full => "The context is full: hand over now.\n",
        });
        for (heading, names) in [
            ("Tasks worked on:", &self.tasks),
            ("Last files, newest first:", &self.files),
            ("Last tools, newest first:", &self.tools),
        ] {
            if !names.is_empty() {
                let _ = writeln!(text, "\n{heading}");
                for name in names {
                    let _ = writeln!(text, "- {}", plain(name));
                }
            }
        }
        text
    }
}

/// On one line, and without what a terminal would take for an order.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
