//! What `claude -p --output-format json` and `stream-json` print.
//!
//! A response is several lines here too, and its output on them is always a placeholder: the true one
//! stands in `stream_event` lines where those are asked for, and in the sums of the `result`. Those
//! sums are over the whole tree and since the process or even the conversation began.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::content::Unread;
use super::{Message, SYNTHETIC, Usage};
use crate::tokens::agents::lenient::{Count, Figure, Object, Text, trimmed};
use crate::tokens::agents::{Extras, Sighting};
use crate::tokens::quota::{Quota, Window};
use crate::tokens::stdout::{Told, Total};
use crate::tokens::{TokenCounts, UsageKey, UsageSource};
use crate::units::Wall;

/// What the keys of responses are made with. Not those of transcripts: what is told here may lack its
/// output, so that the transcript has to be counted for the rest.
const RESPONSE: &str = "claude stdout";

/// Threads whose response is known that streams right now.
const THREADS: usize = 256;

/// What is known of a process from the lines that it wrote.
#[derive(Debug, Default)]
pub struct Reader {
    /// The model of the main thread.
    model: Option<String>,
    /// The response that streams now, by thread.
    streaming: BTreeMap<String, UsageKey>,
}

/// A line.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Said<'a> {
    #[serde(borrow)]
    r#type: Text<'a>,
    #[serde(borrow)]
    subtype: Text<'a>,
    #[serde(borrow)]
    session_id: Text<'a>,
    #[serde(borrow)]
    parent_tool_use_id: Text<'a>,
    #[serde(borrow)]
    model: Text<'a>,
    #[serde(borrow)]
    message: Object<Message<'a, Unread>>,
    #[serde(borrow)]
    event: Object<Event<'a>>,
    #[serde(borrow)]
    usage: Object<Usage<'a>>,
    #[serde(borrow)]
    rate_limit_info: Object<RateLimit<'a>>,
    #[serde(rename = "modelUsage")]
    model_usage: Object<BTreeMap<String, Object<ModelUsage>>>,
}

/// A piece of a response that streams.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Event<'a> {
    #[serde(borrow)]
    r#type: Text<'a>,
    #[serde(borrow)]
    message: Object<Message<'a, Unread>>,
    #[serde(borrow)]
    usage: Object<Usage<'a>>,
}

/// How much of a limit is used.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RateLimit<'a> {
    #[serde(borrow)]
    rate_limit_type: Text<'a>,
    /// From 0 to 1.
    utilization: Figure,
    /// Seconds since 1970.
    resets_at: Figure,
}

/// What was spent on a model.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ModelUsage {
    input_tokens: Count,
    output_tokens: Count,
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
    web_search_requests: Count,
    context_window: Count,
}

impl Reader {
    /// Decodes a line, and calls `each` for what it tells. `--verbose` puts all of them into one list.
    pub fn decode(&mut self, line: &[u8], mut each: impl FnMut(Told)) {
        let line = trimmed(line);
        match line.first() {
            Some(b'{') => match serde_json::from_slice::<Said>(line) {
                Ok(said) => self.hear(&said, &mut each),
                Err(_) => each(Told::Malformed),
            },
            Some(b'[') => match serde_json::from_slice::<Vec<Object<Said>>>(line) {
                Ok(all) => {
                    all.iter().flat_map(|one| &one.0).for_each(|said| self.hear(said, &mut each));
                }
                Err(_) => each(Told::Malformed),
            },
            _ => each(Told::Nothing),
        }
    }

    fn hear(&mut self, said: &Said, each: &mut impl FnMut(Told)) {
        match said.r#type.filled() {
            Some("system") if said.subtype.filled() == Some("init") => {
                self.model = said.model.filled().map(str::to_owned);
                each(Told::Nothing);
            }
            Some("rate_limit_event") => each(said.limit().map_or(Told::Nothing, Told::Limit)),
            Some("assistant") => each(self.response(said)),
            Some("stream_event") => each(self.streamed(said)),
            Some("result") => self.result(said, each),
            _ => each(Told::Nothing),
        }
    }

    fn response(&mut self, said: &Said) -> Told {
        let Some(message) = &said.message.0 else { return Told::Nothing };
        let (Some(usage), Some(id)) = (&message.usage.0, message.id.filled()) else {
            return Told::Nothing;
        };
        if message.model.filled() == Some(SYNTHETIC) {
            return Told::Nothing;
        }
        let main = said.parent_tool_use_id.filled().is_none();
        if main && let Some(model) = message.model.filled() {
            self.model = Some(model.to_owned());
        }
        let compaction = usage.compaction();
        let tokens = usage.counts().plus(&compaction);
        Told::Response(Box::new(Sighting {
            source: UsageSource::Stdout,
            key: UsageKey::of(RESPONSE, id.as_bytes()),
            conversation: said.session_id.filled().unwrap_or_default().to_owned(),
            sidechain: !main,
            model: message.model.filled().unwrap_or_default().to_owned(),
            tokens,
            reasoning: usage.thinking().min(tokens.output),
            extras: usage.extras(compaction),
            ..Sighting::default()
        }))
    }

    /// Of the pieces of a response only its output is read: the others are on its lines. Every piece
    /// says that it is still being told, which may take longer than a response is waited for.
    fn streamed(&mut self, said: &Said) -> Told {
        let Some(event) = &said.event.0 else { return Told::Nothing };
        let thread = said.parent_tool_use_id.filled().unwrap_or_default();
        match event.r#type.filled() {
            Some("message_start") => {
                let id = event.message.0.as_ref().and_then(|message| message.id.filled());
                let key = id.map(|id| UsageKey::of(RESPONSE, id.as_bytes()));
                if self.streaming.len() >= THREADS {
                    self.streaming.clear();
                }
                if let Some(key) = key {
                    self.streaming.insert(thread.to_owned(), key);
                }
                Told::Nothing
            }
            Some("message_delta") => {
                let output = event.usage.0.as_ref().map(|usage| usage.output_tokens.0);
                match (self.streaming.get(thread), output) {
                    (Some(key), Some(output)) => Told::Output { key: *key, output },
                    _ => Told::Nothing,
                }
            }
            Some("content_block_start" | "content_block_delta" | "content_block_stop") => {
                let key = self.streaming.get(thread);
                key.map_or(Told::Nothing, |key| Told::Output { key: *key, output: 0 })
            }
            _ => Told::Nothing,
        }
    }

    fn result(&mut self, said: &Said, each: &mut impl FnMut(Told)) {
        let conversation = said.session_id.filled().unwrap_or_default();
        let call = said.usage.0.as_ref();
        let by_model = said.model_usage.0.iter().flatten();
        let by_model: Vec<_> =
            by_model.filter_map(|(model, usage)| Some((model, usage.0?))).collect();
        let main = self.main_of(&by_model);
        for (model, usage) in &by_model {
            let call = call.filter(|_| main.as_deref() == Some(model.as_str()));
            each(Told::Total(Box::new(Total {
                conversation: conversation.to_owned(),
                model: (*model).clone(),
                tokens: usage.counts(call),
                lately: call.map(Usage::counts),
                cumulative: true,
                extras: Extras {
                    web_searches: usage.web_search_requests.0,
                    ..call.map(|call| call.extras(TokenCounts::default())).unwrap_or_default()
                },
                reasoning: 0,
                window: Some(usage.context_window.0).filter(|window| *window > 0),
            })));
        }
        // Older versions tell the main thread only.
        if by_model.is_empty()
            && let Some(usage) = call
        {
            let compaction = usage.compaction();
            each(Told::Total(Box::new(Total {
                conversation: conversation.to_owned(),
                model: self.model.clone().unwrap_or_default(),
                tokens: usage.counts().plus(&compaction),
                lately: None,
                cumulative: false,
                extras: usage.extras(TokenCounts::default()),
                reasoning: usage.thinking(),
                window: None,
            })));
        }
    }

    /// The model of the main thread among those of a result; the one that most was spent on, where
    /// nothing was said of it before.
    fn main_of(&self, by_model: &[(&String, ModelUsage)]) -> Option<String> {
        let known = self.model.as_deref();
        let named = by_model.iter().find(|(model, _)| Some(model.as_str()) == known);
        let most = || by_model.iter().max_by_key(|(_, usage)| usage.counts(None).total());
        named.or_else(most).map(|(model, _)| (*model).clone())
    }
}

impl Said<'_> {
    fn limit(&self) -> Option<Quota> {
        let info = self.rate_limit_info.0.as_ref()?;
        let used = info.utilization.0.filter(|used| *used >= 0.0)?;
        let resets = info.resets_at.0.filter(|seconds| (0.0..1e11).contains(seconds));
        Some(Quota {
            agent: String::new(),
            window: Window::of_claude(info.rate_limit_type.filled().unwrap_or_default()),
            used,
            resets: resets.map(|seconds| Wall((seconds * 1000.0) as i64)),
            at: Wall(0),
        })
    }
}

impl ModelUsage {
    /// The tokens in disjoint kinds. How long the cache was written for is told of the main thread's
    /// last call only.
    fn counts(&self, call: Option<&Usage>) -> TokenCounts {
        let written = self.cache_creation_input_tokens.0;
        let long = call.map_or(0, |call| call.counts().cache_write_1h).min(written);
        TokenCounts {
            input: self.input_tokens.0,
            output: self.output_tokens.0,
            cache_read: self.cache_read_input_tokens.0,
            cache_write_5m: written - long,
            cache_write_1h: long,
            cache_write: 0,
        }
    }
}
