//! What `codex exec --json` prints: `thread.started`, and what was spent on the whole thread so far
//! whenever a turn is completed. The model is not told.

use serde::Deserialize;

use super::row::Spent;
use crate::tokens::agents::Extras;
use crate::tokens::agents::lenient::{Object, Text, trimmed};
use crate::tokens::stdout::{Told, Total};

/// What is known of a process from the lines that it wrote.
#[derive(Debug, Default)]
pub struct Reader {
    thread: Option<String>,
    /// The model that was asked for.
    model: Option<String>,
}

/// A line.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Said<'a> {
    #[serde(borrow)]
    r#type: Text<'a>,
    #[serde(borrow)]
    thread_id: Text<'a>,
    usage: Object<Spent>,
}

impl Reader {
    /// Of a process that was begun with this model.
    pub fn new(model: Option<String>) -> Self {
        Self { thread: None, model }
    }

    /// Decodes a line, and calls `each` for what it tells.
    pub fn decode(&mut self, line: &[u8], mut each: impl FnMut(Told)) {
        let line = trimmed(line);
        if line.first() != Some(&b'{') {
            return each(Told::Nothing);
        }
        let Ok(said) = serde_json::from_slice::<Said>(line) else { return each(Told::Malformed) };
        match (said.r#type.filled(), said.usage.0) {
            (Some("thread.started"), _) => {
                self.thread = said.thread_id.filled().map(str::to_owned);
                each(Told::Nothing);
            }
            (Some("turn.completed" | "turn.failed"), Some(spent)) => {
                let tokens = spent.counts();
                each(Told::Total(Box::new(Total {
                    conversation: self.thread.clone().unwrap_or_default(),
                    model: self.model.clone().unwrap_or_default(),
                    reasoning: spent.reasoning_output_tokens.0.min(tokens.output),
                    tokens,
                    lately: None,
                    cumulative: true,
                    extras: Extras::default(),
                    window: None,
                })));
            }
            _ => each(Told::Nothing),
        }
    }
}
