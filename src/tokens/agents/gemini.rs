//! Gemini CLI's chats: newer ones are one JSON object a line, older ones one object in all, which
//! is written anew each time.
//!
//! Owns which messages count and what each says. A message is written again once its tokens are
//! known, under the same id; what was taken back by a rewind was billed all the same.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::chains::step::Calls;
use crate::tokens::agents::gemini::content::Content;
use crate::tokens::agents::lenient::{self, Count, List, Object, Text, trimmed};
use crate::tokens::agents::{Line, Said, Sighting, Talk, Thread};
use crate::tokens::{TokenCounts, UsageKey};
use crate::units::Wall;

mod content;
#[cfg(test)]
mod tests;

/// The dialect's name, for keys.
const NAME: &str = "gemini";

/// Fields of a tool's arguments that name a file.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Given<'a> {
    #[serde(borrow)]
    file_path: Text<'a>,
    #[serde(borrow)]
    absolute_path: Text<'a>,
    #[serde(borrow)]
    todos: List<Object<Todo<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Todo<'a> {
    #[serde(borrow)]
    description: Text<'a>,
    #[serde(borrow)]
    status: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Call<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    args: Object<Given<'a>>,
}

/// `input` has `cached` within it, `output` has not `thoughts`.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Tokens {
    input: Count,
    output: Count,
    cached: Count,
    thoughts: Count,
    tool: Count,
}

/// The head of a chat.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Head<'a> {
    #[serde(borrow, rename = "sessionId")]
    session_id: Text<'a>,
    #[serde(borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    directories: List<Text<'a>>,
}

/// A line: a message, the head, or a change of it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Record<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    r#type: Text<'a>,
    #[serde(borrow)]
    timestamp: Text<'a>,
    #[serde(borrow)]
    model: Text<'a>,
    tokens: Object<Tokens>,
    content: Content,
    #[serde(borrow, rename = "toolCalls")]
    tool_calls: List<Object<Call<'a>>>,
    #[serde(borrow, rename = "$set")]
    set: Object<Head<'a>>,
    #[serde(borrow, rename = "sessionId")]
    session_id: Text<'a>,
    #[serde(borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    directories: List<Text<'a>>,
}

/// What is known of a chat from what was read of it.
#[derive(Clone, Debug, Default)]
pub struct Chat {
    session: String,
    sidechain: bool,
    cwd: Option<String>,
}

/// Whether a file holds a chat: one in a folder `chats`, or below it.
pub fn is_transcript(path: &Path) -> bool {
    let named = path.extension().is_some_and(|end| end == "json" || end == "jsonl");
    named && path.parent().is_some_and(|dir| dir.iter().any(|part| part == "chats"))
}

/// Whether a chat is one object in all.
pub fn is_document(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "json")
}

/// The folder of chats of an agent with this environment. It need not exist.
pub fn default_roots(env: impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let set = |name: &str| env(name).filter(|value| !value.trim().is_empty());
    let home = set("GEMINI_CLI_HOME").or_else(|| set("HOME"));
    home.map(|home| PathBuf::from(home).join(".gemini/tmp")).into_iter().collect()
}

impl Chat {
    /// A chat of which nothing was read. Where its head is missing, the name stands for it.
    pub fn new(path: &Path) -> Self {
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        Self { session: name.to_owned(), ..Self::default() }
    }

    /// Decodes one line, or one message of a whole chat, and calls `each` for what it tells.
    pub fn decode(&mut self, line: &[u8], excerpts: bool, mut each: impl FnMut(Line)) {
        let line = trimmed(line);
        if line.is_empty() {
            return each(Line::Ignored);
        }
        match serde_json::from_slice::<Record>(line) {
            Ok(record) => each(self.hear(&record, excerpts)),
            Err(_) => self.salvage(line, excerpts, each),
        }
    }

    /// Takes in what stands beside the messages of a whole chat.
    pub fn head(&mut self, head: &[u8]) {
        let head: Head = serde_json::from_slice(head).unwrap_or_default();
        self.learn(&head.session_id, &head.kind, &head.directories);
    }

    /// Whole messages behind a torn one.
    fn salvage(&mut self, line: &[u8], excerpts: bool, mut each: impl FnMut(Line)) {
        let mut found = false;
        lenient::salvage(line, |record: Record, _| {
            if record.id.filled().is_some() && record.timestamp.filled().is_some() {
                found = true;
                each(self.hear(&record, excerpts));
            }
        });
        if !found {
            let usage = memchr::memmem::find(line, b"\"tokens\"").is_some();
            each(if usage { Line::Malformed } else { Line::Ignored });
        }
    }

    fn learn(&mut self, session: &Text, kind: &Text, directories: &List<Text>) {
        if let Some(session) = session.filled() {
            session.clone_into(&mut self.session);
        }
        self.sidechain |= kind.filled() == Some("subagent");
        if let Some(first) = directories.0.first().and_then(Text::filled) {
            self.cwd = Some(first.to_owned());
        }
    }

    fn hear(&mut self, record: &Record, excerpts: bool) -> Line {
        let Some(id) = record.id.filled() else {
            // What `$set` holds beside the head is a copy of messages.
            let set = record.set.0.as_ref();
            set.inspect(|set| self.learn(&set.session_id, &set.kind, &set.directories));
            self.learn(&record.session_id, &record.kind, &record.directories);
            return Line::Ignored;
        };
        match (record.r#type.filled(), record.tokens.0) {
            (Some("user"), _) => self.prompt(record, id, excerpts),
            (_, Some(tokens)) if tokens.counts().total() > 0 => {
                Line::Told(Box::new(self.sighting(record, id, tokens, excerpts)))
            }
            _ => Line::Ignored,
        }
    }

    fn prompt(&self, record: &Record, id: &str, excerpts: bool) -> Line {
        let Some(text) = record.content.0.clone().filter(|_| !self.sidechain) else {
            return Line::Ignored;
        };
        Line::Said(Box::new(Talk {
            conversation: self.session.clone(),
            at: record.timestamp.filled().and_then(Wall::parse),
            cwd: self.cwd.clone(),
            thread: self.thread(id),
            said: Said::Prompt(excerpts.then_some(text)),
        }))
    }

    fn sighting(&self, record: &Record, id: &str, tokens: Tokens, excerpts: bool) -> Sighting {
        Sighting {
            key: self.key(NAME, id),
            conversation: self.session.clone(),
            sidechain: self.sidechain,
            model: record.model.filled().unwrap_or_default().to_owned(),
            provider: Some("gcp.gemini".to_owned()),
            at: record.timestamp.filled().and_then(Wall::parse),
            cwd: self.cwd.clone(),
            tokens: tokens.counts(),
            reasoning: tokens.thoughts.0,
            stopped: true,
            calls: calls(&record.tool_calls),
            text: record.content.0.clone().filter(|_| excerpts),
            thread: self.thread(id),
            ..Sighting::default()
        }
    }

    /// A chat that was moved to another file keeps its lines, so that one is known by its id alone.
    fn thread(&self, id: &str) -> Thread {
        Thread { line: Some(self.key("gemini line", id)), ..Thread::default() }
    }

    fn key(&self, what: &str, id: &str) -> UsageKey {
        UsageKey::of(what, &[self.session.as_bytes(), &[0], id.as_bytes()].concat())
    }
}

impl Tokens {
    /// The tokens in disjoint kinds.
    fn counts(&self) -> TokenCounts {
        let cached = self.cached.0.min(self.input.0);
        TokenCounts {
            input: (self.input.0 - cached).saturating_add(self.tool.0),
            output: self.output.0.saturating_add(self.thoughts.0),
            cache_read: cached,
            ..TokenCounts::default()
        }
    }
}

fn calls(list: &List<Object<Call>>) -> Calls {
    let mut calls = Calls::default();
    for call in list.0.iter().filter_map(|call| call.0.as_ref()) {
        let Some(name) = call.name.filled() else { continue };
        calls.tools.push(name.to_owned());
        let Some(given) = &call.args.0 else { continue };
        let file = given.file_path.filled().or(given.absolute_path.filled());
        calls.files.extend(file.map(str::to_owned));
        let begun = given.todos.0.iter().filter_map(|todo| todo.0.as_ref());
        let begun = begun.filter(|todo| todo.status.filled() != Some("pending"));
        calls.tasks.extend(begun.filter_map(|todo| todo.description.filled().map(str::to_owned)));
    }
    calls
}
