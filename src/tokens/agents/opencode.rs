//! opencode's messages: rows of its database, and in older versions a file each.
//!
//! Owns which messages count and what each says. A message is written again while it comes, and
//! copied by a fork under a new id: so it is known by when it was made, by whom and with what prompt.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::chains::step::Calls;
use crate::tokens::agents::lenient::{Clip, Count, List, Object, Text};
use crate::tokens::agents::{Line, Said, Sighting, Talk, Thread};
use crate::tokens::{TokenCounts, UsageKey};
use crate::units::Wall;

#[cfg(test)]
mod tests;

/// The dialect's name, for keys.
const NAME: &str = "opencode";

/// The database. Others beside it, such as `opencode-old.db`, are copies.
pub const DATABASE: &str = "opencode.db";

/// Other fields than these are of no interest.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Message<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow, rename = "sessionID")]
    session_id: Text<'a>,
    #[serde(borrow)]
    role: Text<'a>,
    #[serde(borrow, rename = "modelID")]
    model_id: Text<'a>,
    #[serde(borrow, rename = "providerID")]
    provider_id: Text<'a>,
    #[serde(borrow)]
    model: Object<Model<'a>>,
    #[serde(borrow)]
    path: Object<Place<'a>>,
    time: Object<Times>,
    tokens: Object<Tokens>,
    #[serde(borrow)]
    finish: Text<'a>,
}

/// Where newer versions name the model.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Model<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow, rename = "providerID")]
    provider_id: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Place<'a> {
    #[serde(borrow)]
    cwd: Text<'a>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Times {
    created: Option<f64>,
    completed: Option<f64>,
}

/// All of them disjoint.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Tokens {
    input: Count,
    output: Count,
    reasoning: Count,
    cache: Object<Cache>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Cache {
    read: Count,
    write: Count,
}

/// A part of a message, where it is a tool's use or a text.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Part<'a> {
    #[serde(borrow)]
    r#type: Text<'a>,
    #[serde(borrow)]
    tool: Text<'a>,
    text: Clip,
    #[serde(borrow)]
    state: Object<State<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct State<'a> {
    #[serde(borrow)]
    input: Object<Input<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Input<'a> {
    #[serde(borrow, rename = "filePath")]
    file_path: Text<'a>,
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

/// A row of the database: what does not stand in the message itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Row<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its conversation.
    pub session: &'a str,
}

/// What the parts of a message say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Which tools it uses.
    pub calls: Calls,
    /// The beginning of what it says.
    pub text: Option<String>,
}

/// Whether a file holds messages: the database, or a message of an older version.
pub fn is_transcript(path: &Path) -> bool {
    let is_message = || {
        let named = path.extension().is_some_and(|end| end == "json");
        let folder = path.parent().and_then(Path::parent).and_then(Path::file_name);
        named && folder.is_some_and(|name| name == "message")
    };
    is_database(path) || is_message()
}

/// Whether a file is the database.
pub fn is_database(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == DATABASE)
}

/// The folder of an agent with this environment. It need not exist.
pub fn default_roots(env: impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let set = |name: &str| env(name).filter(|value| !value.trim().is_empty()).map(PathBuf::from);
    let data = set("XDG_DATA_HOME").or_else(|| Some(set("HOME")?.join(".local/share")));
    data.map(|data| data.join(NAME)).into_iter().collect()
}

/// Decodes one message, and calls `each` for what it tells.
pub fn decode(text: &[u8], row: Row<'_>, parts: Parts, mut each: impl FnMut(Line)) {
    match serde_json::from_slice::<Message>(text) {
        Ok(message) => each(message.told(row, parts)),
        Err(_) => {
            let usage = memchr::memmem::find(text, b"\"tokens\"").is_some();
            each(if usage { Line::Malformed } else { Line::Ignored });
        }
    }
}

impl Parts {
    /// Takes in a part.
    pub fn take(&mut self, part: &[u8]) {
        let part: Part = serde_json::from_slice(part).unwrap_or_default();
        match part.r#type.filled() {
            Some("text") if self.text.is_none() => {
                self.text = part.text.0.filter(|text| !text.trim().is_empty());
            }
            Some("tool") => self.call(&part),
            _ => {}
        }
    }

    fn call(&mut self, part: &Part) {
        let Some(tool) = part.tool.filled() else { return };
        self.calls.tools.push(tool.to_owned());
        let Some(input) = part.state.0.as_ref().and_then(|state| state.input.0.as_ref()) else {
            return;
        };
        let owned = |text: &Text| text.filled().map(str::to_owned);
        self.calls.files.extend(owned(&input.file_path));
        match tool {
            "task" => self.calls.tasks.extend(owned(&input.description)),
            "todowrite" => {
                let begun = input.todos.0.iter().filter_map(|todo| todo.0.as_ref());
                let begun = begun.filter(|todo| todo.status.filled() != Some("pending"));
                self.calls.tasks.extend(begun.filter_map(|todo| owned(&todo.content)));
            }
            _ => {}
        }
    }
}

impl Message<'_> {
    fn told(&self, row: Row<'_>, parts: Parts) -> Line {
        let conversation = self.session_id.filled().unwrap_or(row.session).to_owned();
        let tokens = self.tokens.0.unwrap_or_default().counts();
        match self.role.filled() {
            Some("user") => self.prompt(conversation, row, parts),
            None | Some("assistant") if tokens.total() > 0 => {
                Line::Told(Box::new(self.sighting(conversation, row, tokens, parts)))
            }
            _ => Line::Ignored,
        }
    }

    /// A message of an older version keeps its text elsewhere.
    fn prompt(&self, conversation: String, row: Row<'_>, parts: Parts) -> Line {
        if conversation.is_empty() || parts.text.is_none() {
            return Line::Ignored;
        }
        Line::Said(Box::new(Talk {
            conversation,
            at: self.made(),
            cwd: self.cwd(),
            thread: self.thread(row),
            said: Said::Prompt(parts.text),
        }))
    }

    fn thread(&self, row: Row<'_>) -> Thread {
        let id = self.id.filled().unwrap_or(row.id);
        let line = (!id.is_empty()).then(|| UsageKey::of("opencode line", id.as_bytes()));
        Thread { line, ..Thread::default() }
    }

    fn sighting(
        &self,
        conversation: String,
        row: Row<'_>,
        tokens: TokenCounts,
        parts: Parts,
    ) -> Sighting {
        let model = self.model.0.as_ref();
        let named = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let nested = |of: fn(&Model) -> Option<String>| model.and_then(of);
        let id = self.model_id.filled().map(str::to_owned);
        let provider = self.provider_id.filled().map(str::to_owned);
        let provider = provider
            .or_else(|| nested(|model| model.provider_id.filled().map(str::to_owned)))
            .map(|provider| provider_of(&provider).to_owned());
        let model = id.or_else(|| nested(|model| model.id.filled().map(str::to_owned)));
        Sighting {
            key: self.key(model.as_deref().unwrap_or_default(), &tokens),
            conversation,
            model: named(model.as_deref()),
            provider,
            at: self.made(),
            cwd: self.cwd(),
            tokens,
            reasoning: self.tokens.0.unwrap_or_default().reasoning.0,
            stopped: self.is_over(),
            calls: parts.calls,
            text: parts.text,
            thread: self.thread(row),
            ..Sighting::default()
        }
    }

    fn is_over(&self) -> bool {
        let completed = self.time.0.and_then(|time| time.completed);
        completed.is_some() || self.finish.filled().is_some()
    }

    /// What of it a fork keeps. The output may grow while it comes.
    fn key(&self, model: &str, tokens: &TokenCounts) -> UsageKey {
        let created = self.made().map_or(0, |at| at.0);
        let TokenCounts { input, cache_read, cache_write, .. } = *tokens;
        let prompt = [input, cache_read, cache_write].map(u64::to_le_bytes).concat();
        UsageKey::of(NAME, &[&created.to_le_bytes(), model.as_bytes(), &[0], &prompt].concat())
    }

    fn made(&self) -> Option<Wall> {
        let created = self.time.0?.created.filter(|ms| ms.is_finite() && *ms > 0.0)?;
        Some(Wall(created as i64))
    }

    fn cwd(&self) -> Option<String> {
        self.path.0.as_ref().and_then(|path| path.cwd.filled().map(str::to_owned))
    }
}

impl Tokens {
    fn counts(&self) -> TokenCounts {
        let cache = self.cache.0.unwrap_or_default();
        TokenCounts {
            input: self.input.0,
            output: self.output.0.saturating_add(self.reasoning.0),
            cache_read: cache.read.0,
            cache_write: cache.write.0,
            ..TokenCounts::default()
        }
    }
}

/// OpenTelemetry's name of a provider; of one that it has none for, nobody's.
fn provider_of(id: &str) -> &'static str {
    match id {
        "anthropic" => "anthropic",
        "openai" => "openai",
        "google" => "gcp.gemini",
        "google-vertex" | "google-vertex-anthropic" => "gcp.vertex_ai",
        "amazon-bedrock" => "aws.bedrock",
        "azure" => "azure.ai.openai",
        "deepseek" => "deepseek",
        "groq" => "groq",
        "mistral" => "mistral_ai",
        "perplexity" => "perplexity",
        "xai" => "x_ai",
        _ => "unknown",
    }
}
