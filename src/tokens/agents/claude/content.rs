//! What stands in a message: texts, and which tools are used on what.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::chains::step::Calls;
use crate::tokens::agents::lenient::{Clip, List, Object, Text};

/// Tools whose `file_path` or `notebook_path` is a file that they read or write.
const OF_FILES: [&str; 6] = ["Read", "Edit", "MultiEdit", "Write", "NotebookRead", "NotebookEdit"];

/// Blocks of one message that are looked at; each block has a line of its own nowadays.
const BLOCKS: usize = 256;

/// What a content tells.
pub trait Told {
    /// The tools that are used.
    fn calls(&self) -> Calls;
    /// The beginning of its text.
    fn text(&self) -> Option<String>;
}

/// A content that was passed over.
#[derive(Default)]
pub struct Unread;

/// A content that was read.
#[derive(Default)]
pub struct Content {
    /// Whether a tool's result is in it.
    pub is_result: bool,
    text: Option<String>,
    calls: Calls,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Block<'a> {
    #[serde(borrow)]
    r#type: Text<'a>,
    text: Clip,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    input: Object<Input<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Input<'a> {
    #[serde(borrow)]
    file_path: Text<'a>,
    #[serde(borrow)]
    notebook_path: Text<'a>,
    #[serde(borrow)]
    subject: Text<'a>,
    #[serde(borrow)]
    description: Text<'a>,
    #[serde(borrow)]
    todos: List<Object<Todo<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Todo<'a> {
    #[serde(borrow)]
    content: Text<'a>,
    #[serde(borrow)]
    status: Text<'a>,
}

impl Told for Unread {
    fn calls(&self) -> Calls {
        Calls::default()
    }

    fn text(&self) -> Option<String> {
        None
    }
}

impl Told for Content {
    fn calls(&self) -> Calls {
        self.calls.clone()
    }

    fn text(&self) -> Option<String> {
        self.text.clone()
    }
}

impl Content {
    fn take(&mut self, block: &Block) {
        match block.r#type.filled() {
            Some("text") if self.text.is_none() => self.text.clone_from(&block.text.0),
            Some("tool_result") => self.is_result = true,
            Some("tool_use") => self.call(block),
            _ => {}
        }
    }

    fn call(&mut self, block: &Block) {
        let Some(name) = block.name.filled() else { return };
        self.calls.tools.push(name.to_owned());
        let Some(input) = &block.input.0 else { return };
        let owned = |text: &Text| text.filled().map(str::to_owned);
        match name {
            _ if OF_FILES.contains(&name) => {
                self.calls.files.extend(owned(&input.file_path).or(owned(&input.notebook_path)));
            }
            "TodoWrite" => self.calls.tasks.extend(input.todos.0.iter().filter_map(Object::begun)),
            "TaskCreate" => {
                self.calls.tasks.extend(owned(&input.subject).or(owned(&input.description)));
            }
            "Task" | "Agent" => self.calls.tasks.extend(owned(&input.description)),
            _ => {}
        }
    }
}

impl Object<Todo<'_>> {
    /// The task, unless it is only planned.
    fn begun(&self) -> Option<String> {
        let todo = self.0.as_ref().filter(|todo| todo.status.filled() != Some("pending"))?;
        todo.content.filled().map(str::to_owned)
    }
}

impl<'de> Deserialize<'de> for Unread {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_ignored_any(IgnoredAny).map(|_| Self)
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Wanted;
        impl<'de> Visitor<'de> for Wanted {
            type Value = Content;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a text or blocks")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Content, E> {
                let text: Clip = Clip::deserialize(serde::de::value::StrDeserializer::new(text))?;
                Ok(Content { text: text.0, ..Content::default() })
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
                let mut content = Content::default();
                for _ in 0..BLOCKS {
                    let Some(block) = seq.next_element::<Object<Block>>()? else {
                        return Ok(content);
                    };
                    block.0.iter().for_each(|block| content.take(block));
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(content)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Content::default())
            }
            fn visit_unit<E: Error>(self) -> Result<Content, E> {
                Ok(Content::default())
            }
        }
        from.deserialize_any(Wanted)
    }
}
