//! Claude Code's session transcripts, one JSON object a line.
//!
//! Owns which lines count and what each says; the format is internal to its maker and changes, so
//! it is read leniently. `requestId` is not read: a response is known by `message.id` alone, since
//! asides and forks repeat it under new request ids, and some endpoints give none.

use std::path::PathBuf;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;

use crate::tokens::agents::claude::content::{Content, Told, Unread};
use crate::tokens::agents::lenient::{self, Count, Flag, Object, Text, trimmed};
use crate::tokens::agents::{Extras, Line, Sighting, Thread};
use crate::tokens::{TokenCounts, UsageKey, UsageSource};
use crate::units::Wall;

/// The dialect's name, for keys and labels.
pub const NAME: &str = "claude";

/// A bookkeeping file of subagents that is no transcript.
pub const NOT_A_TRANSCRIPT: &str = "journal.jsonl";

/// What the keys of lines are made with.
const LINE: &str = "claude line uuid";

/// The model of local notices, which nobody was asked for.
const SYNTHETIC: &str = "<synthetic>";

static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"usage\""));
static INPUT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"input\""));

/// A line, with as much of the message's content as is of interest.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "C: Deserialize<'de> + Default"))]
struct Entry<'a, C> {
    #[serde(borrow)]
    r#type: Text<'a>,
    #[serde(borrow)]
    uuid: Text<'a>,
    #[serde(borrow, rename = "parentUuid")]
    parent_uuid: Text<'a>,
    #[serde(borrow, rename = "sessionId")]
    session_id: Text<'a>,
    #[serde(borrow, rename = "forkedFrom")]
    forked_from: Object<Fork<'a>>,
    #[serde(rename = "isSidechain")]
    is_sidechain: Flag,
    #[serde(rename = "isApiErrorMessage")]
    is_api_error: Flag,
    #[serde(borrow)]
    timestamp: Text<'a>,
    #[serde(borrow)]
    cwd: Text<'a>,
    #[serde(borrow)]
    message: Object<Message<'a, C>>,
}

/// Where a line of a fork was copied from.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Fork<'a> {
    #[serde(borrow, rename = "sessionId")]
    session_id: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "C: Deserialize<'de> + Default"))]
struct Message<'a, C> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    model: Text<'a>,
    #[serde(borrow)]
    stop_reason: Text<'a>,
    content: C,
    #[serde(borrow)]
    usage: Object<Usage<'a>>,
}

/// Of a response, or of one of its `iterations`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Usage<'a> {
    #[serde(borrow)]
    r#type: Text<'a>,
    input_tokens: Count,
    output_tokens: Count,
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
    cache_creation: Object<Split>,
    output_tokens_details: Object<OutputDetails>,
    server_tool_use: Object<ServerTools>,
    #[serde(borrow)]
    service_tier: Text<'a>,
    #[serde(borrow)]
    speed: Text<'a>,
    #[serde(borrow)]
    inference_geo: Text<'a>,
    #[serde(borrow)]
    iterations: Option<Vec<Object<Usage<'a>>>>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Split {
    ephemeral_5m_input_tokens: Count,
    ephemeral_1h_input_tokens: Count,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct OutputDetails {
    thinking_tokens: Count,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct ServerTools {
    web_search_requests: Count,
}

/// Decodes one line without its line feed, and calls `each` for what it tells: once, or more often
/// where two writers put several objects on one line. Texts are read where `excerpts` are wanted.
pub fn decode(line: &[u8], excerpts: bool, mut each: impl FnMut(Line)) {
    let line = trimmed(line);
    if USAGE.find(line).is_none() {
        return each(talk::told(line, excerpts));
    }
    if (excerpts || INPUT.find(line).is_some())
        && let Ok(entry) = serde_json::from_slice::<Entry<Content>>(line)
    {
        return each(entry.told(line));
    }
    // The content is not worth a token: a text in it that is no text must not make the rest so.
    match serde_json::from_slice::<Entry<Unread>>(line) {
        Ok(entry) => each(entry.told(line)),
        Err(_) => salvage(line, each),
    }
}

/// Decodes one line of which only the usage is wanted: faster, since no content is looked at.
pub fn usage(line: &[u8], mut each: impl FnMut(Line)) {
    if USAGE.find(line).is_none() {
        return each(Line::Ignored);
    }
    let line = trimmed(line);
    match serde_json::from_slice::<Entry<Unread>>(line) {
        Ok(entry) => each(entry.told(line)),
        Err(_) => salvage(line, each),
    }
}

/// Whether a file of this name holds a transcript.
pub fn is_transcript(name: &[u8]) -> bool {
    name.ends_with(b".jsonl") && name != NOT_A_TRANSCRIPT.as_bytes()
}

/// The folders of transcripts of an agent with this environment: those below `CLAUDE_CONFIG_DIR`,
/// which may be a list, else the usual ones. They need not exist.
pub fn default_roots(env: impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let set = |name: &str| env(name).filter(|value| !value.trim().is_empty());
    let below = |folder: &str| PathBuf::from(folder.trim()).join("projects");
    if let Some(list) = set("CLAUDE_CONFIG_DIR") {
        return list.split(',').filter(|one| !one.trim().is_empty()).map(below).collect();
    }
    let home = set("HOME");
    let config = set("XDG_CONFIG_HOME").or(home.as_ref().map(|home| format!("{home}/.config")));
    let folders =
        [home.map(|home| format!("{home}/.claude")), config.map(|dir| format!("{dir}/claude"))];
    folders.iter().flatten().map(|folder| below(folder)).collect()
}

/// Whether lines of this type are known to hold no response, whatever is in their message.
fn is_known(kind: Option<&str>) -> bool {
    matches!(kind, None | Some("user" | "progress" | "system" | "summary" | "attachment"))
}

/// Whole entries on a line that is not one: behind a torn one, or side by side.
fn salvage(line: &[u8], mut each: impl FnMut(Line)) {
    let mut found = false;
    lenient::salvage(line, |entry: Entry<Unread>, entire| {
        // A copy nested in a torn line, as `progress` lines have one, names no session.
        if entry.session_id.filled().is_some() {
            let told = entry.told(entire);
            found |= told != Line::Ignored;
            each(told);
        }
    });
    if !found {
        each(Line::Malformed);
    }
}

impl<C: Told> Entry<'_, C> {
    fn told(&self, line: &[u8]) -> Line {
        if self.is_api_error.0 {
            return Line::Ignored;
        }
        let Some(message) = &self.message.0 else { return Line::Ignored };
        let Some(usage) = &message.usage.0 else { return Line::Ignored };
        match self.r#type.filled() {
            Some("assistant") => {}
            // A response by another name would be lost in silence.
            kind => return if is_known(kind) { Line::Ignored } else { Line::Unknown },
        }
        if message.model.filled() == Some(SYNTHETIC) {
            return Line::Ignored;
        }
        Line::Told(Box::new(self.sighting(message, usage, line)))
    }

    fn sighting(&self, message: &Message<C>, usage: &Usage, line: &[u8]) -> Sighting {
        let owned = |text: &Text| text.filled().map(str::to_owned);
        let compaction = usage.compaction();
        let tokens = usage.counts().plus(&compaction);
        Sighting {
            source: UsageSource::Transcript,
            key: self.key(message, line),
            conversation: owned(&self.session_id).unwrap_or_default(),
            sidechain: self.is_sidechain.0,
            model: owned(&message.model).unwrap_or_default(),
            at: self.timestamp.filled().and_then(Wall::parse),
            cwd: owned(&self.cwd),
            tokens,
            reasoning: usage.thinking().min(tokens.output),
            extras: usage.extras(compaction),
            stopped: message.stop_reason.filled().is_some(),
            thread: self.thread(),
            calls: message.content.calls(),
            text: message.content.text(),
            ..Sighting::default()
        }
    }

    fn thread(&self) -> Thread {
        let key = |text: &Text| text.filled().map(|uuid| UsageKey::of(LINE, uuid.as_bytes()));
        let fork = self.forked_from.0.as_ref();
        Thread {
            line: key(&self.uuid),
            before: key(&self.parent_uuid),
            copied_from: fork.and_then(|fork| fork.session_id.filled().map(str::to_owned)),
        }
    }

    /// The message's id, else the line's own, else the line itself: copies are the same bytes.
    fn key(&self, message: &Message<C>, line: &[u8]) -> UsageKey {
        match (message.id.filled(), self.uuid.filled()) {
            (Some(id), _) => UsageKey::of(NAME, id.as_bytes()),
            (None, Some(uuid)) => UsageKey::of("claude uuid", uuid.as_bytes()),
            (None, None) => UsageKey::of("claude line", line),
        }
    }
}

impl Usage<'_> {
    /// The tokens in disjoint kinds, without those of iterations.
    fn counts(&self) -> TokenCounts {
        let split = self.cache_creation.0.unwrap_or_default();
        let (short, long) = (split.ephemeral_5m_input_tokens.0, split.ephemeral_1h_input_tokens.0);
        // Some endpoints give the total and a split of zeros.
        let short = if short + long == 0 { self.cache_creation_input_tokens.0 } else { short };
        TokenCounts {
            input: self.input_tokens.0,
            output: self.output_tokens.0,
            cache_read: self.cache_read_input_tokens.0,
            cache_write_5m: short,
            cache_write_1h: long,
            cache_write: 0,
        }
    }

    /// The tokens of compactions, which the response's own counts leave out; those of its other
    /// iterations are in them.
    fn compaction(&self) -> TokenCounts {
        let iterations = self.iterations.iter().flatten().filter_map(|each| each.0.as_ref());
        iterations
            .filter(|each| each.r#type.filled() == Some("compaction"))
            .fold(TokenCounts::default(), |sum, each| sum.plus(&each.counts()))
    }

    fn thinking(&self) -> u64 {
        self.output_tokens_details.0.unwrap_or_default().thinking_tokens.0
    }

    fn extras(&self, compaction: TokenCounts) -> Extras {
        Extras {
            web_searches: self.server_tool_use.0.unwrap_or_default().web_search_requests.0,
            service_tier: self.service_tier.filled().map(str::to_owned),
            fast: self.speed.filled() == Some("fast"),
            inference_geo: self.inference_geo.filled().map(str::to_owned),
            compaction,
            summed: false,
        }
    }
}

mod content;
pub mod stdout;
mod talk;
#[cfg(test)]
mod tests;
