//! The attributes of a resource, a point or a record: the few that mean something, and one number
//! that tells them from all others, so that a billion of them take no room.

use std::time::Duration;

use crate::tokens::UsageKey;
use crate::tokens::call::LONGEST_NAME;

/// What is kept of them.
const WANTED: [&str; 33] = [
    "service.name",
    "session.id",
    "conversation.id",
    "gen_ai.conversation.id",
    "event.name",
    "event.kind",
    "event.sequence",
    "event.timestamp",
    "type",
    "model",
    "speed",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_creation_tokens",
    "request_id",
    "duration_ms",
    "input_token_count",
    "output_token_count",
    "cached_token_count",
    "cached_content_token_count",
    "reasoning_token_count",
    "thoughts_token_count",
    "tool_token_count",
    "http.response.status_code",
    "status_code",
    "prompt_id",
    "gen_ai.token.type",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "gen_ai.provider.name",
    "gen_ai.system",
    "success",
];

/// A value of one.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A number.
    Double(f64),
    /// Yes or no.
    Bool(bool),
}

/// The attributes of one thing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes {
    kept: Vec<(&'static str, Value)>,
    identity: u64,
}

impl Attributes {
    /// Whether an attribute of this name is kept.
    pub fn wanted(name: &[u8]) -> Option<&'static str> {
        WANTED.into_iter().find(|wanted| wanted.as_bytes() == name)
    }

    /// Takes one in: `raw` is all of it, in whatever encoding. Their order means nothing.
    pub fn add(&mut self, name: &[u8], raw: &[u8], value: impl FnOnce() -> Option<Value>) {
        self.identity = self.identity.wrapping_add(UsageKey::of("attribute", raw).0);
        let Some(name) = Self::wanted(name) else { return };
        if self.kept.iter().all(|(known, _)| *known != name)
            && let Some(value) = value()
        {
            self.kept.push((name, value));
        }
    }

    /// The same for the same attributes.
    pub fn identity(&self) -> u64 {
        self.identity
    }

    /// A value as text, where it is a fit name.
    pub fn text(&self, name: &str) -> Option<String> {
        let text = match self.get(name)? {
            Value::Text(text) => text.clone(),
            Value::Int(number) => number.to_string(),
            Value::Double(_) | Value::Bool(_) => return None,
        };
        let fits =
            !text.is_empty() && text.len() <= LONGEST_NAME && !text.contains(char::is_control);
        fits.then_some(text)
    }

    /// A value as a word to compare with.
    pub fn word(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A count, which some senders write as text. `None` where there is none, or it is no count.
    pub fn count(&self, name: &str) -> Option<u64> {
        const MOST: u64 = 1_000_000_000_000;
        let count = match self.get(name)? {
            Value::Text(text) => text.trim().parse().ok()?,
            Value::Int(number) => u64::try_from(*number).ok()?,
            Value::Double(number) if (0.0..1e12).contains(number) => number.round() as u64,
            Value::Double(_) | Value::Bool(_) => return None,
        };
        (count <= MOST).then_some(count)
    }

    /// A count, where a missing one is none.
    pub fn count_or_none(&self, name: &str) -> Option<u64> {
        match self.get(name) {
            Some(_) => self.count(name),
            None => Some(0),
        }
    }

    /// Milliseconds.
    pub fn millis(&self, name: &str) -> Option<Duration> {
        self.count(name).map(Duration::from_millis)
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.kept.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}
