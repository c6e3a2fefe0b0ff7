//! Codex CLI's rollouts, one JSON object a line.
//!
//! Owns which rows count and what each says. A row means something only after those before it: the
//! model stands on an earlier one, counts are cumulative, and a fork begins with its parent's rows.
//! So a file has a memory, [`Rollout`], which is made again from the file's beginning where reading
//! goes on in the middle of it.

use std::path::{Path, PathBuf};

use self::row::{Payload, Row, Spent};
use crate::chains::step::Calls;
use crate::tokens::UsageKey;
use crate::tokens::agents::lenient::{self, Text, trimmed};
use crate::tokens::agents::{Extras, Line, Said, Sighting, Talk, Thread};
use crate::units::Wall;

mod calls;
mod limits;
mod row;
pub mod stdout;
#[cfg(test)]
mod tests;

/// The dialect's name, for keys.
const NAME: &str = "codex";

/// Between two rows of a copied history, which is written in one go, there is less than this; from a
/// question to its answer there is more.
const BURST_MS: u64 = 300;

/// A total that falls by less than this part of it is an old snapshot, not a new beginning.
const STALE_PART: u64 = 50;

/// Threads that a copied history may come from.
const MOST_ANCESTORS: usize = 16;

/// How many bytes of a row are looked at to pass it over unread.
const PEEK: usize = 160;

/// What is known of a rollout from the rows that were read.
#[derive(Clone, Debug, Default)]
pub struct Rollout {
    thread: String,
    began: Option<Wall>,
    /// Whether the file's own head was read.
    headed: bool,
    ancestors: Vec<String>,
    sidechain: bool,
    whose: Rows,
    /// Whether every row so far followed the one before it at once.
    burst: bool,
    before: Option<Wall>,
    cwd: Option<String>,
    provider: Option<String>,
    model: Option<String>,
    tier: Option<String>,
    total: Option<Spent>,
    /// A response whose model stands on a later row.
    waiting: Option<Box<Sighting>>,
    calls: Calls,
    text: Option<String>,
}

/// Whose the rows are that are read now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Rows {
    /// The thread's own.
    #[default]
    Own,
    /// The thread's own by their times alone: its ids do not tell. What the parent's rollout tells as
    /// well is a copy all the same.
    Presumed,
    /// Its parent's.
    Copied,
    /// One of both: the parent's rollout tells, where there is one.
    Doubtful,
}

impl Rows {
    fn is_own(self) -> bool {
        matches!(self, Self::Own | Self::Presumed)
    }
}

/// Whether a file of this name holds a rollout.
pub fn is_transcript(name: &[u8]) -> bool {
    name.starts_with(b"rollout-") && name.ends_with(b".jsonl")
}

/// The folders of rollouts of an agent with this environment. They need not exist.
pub fn default_roots(env: impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let set = |name: &str| env(name).filter(|value| !value.trim().is_empty()).map(PathBuf::from);
    let home = set("CODEX_HOME").or_else(|| Some(set("HOME")?.join(".codex")));
    let folders = |home: PathBuf| ["sessions", "archived_sessions"].map(|name| home.join(name));
    home.map(folders).into_iter().flatten().collect()
}

impl Rollout {
    /// A rollout of which nothing was read. Where its head is missing, the name says whose it is.
    pub fn new(path: &Path) -> Self {
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        let id = name.len().checked_sub(36).and_then(|at| name.get(at..)).unwrap_or(name);
        Self { thread: id.to_owned(), burst: true, ..Self::default() }
    }

    /// Decodes one line, and calls `each` for what it tells.
    pub fn decode(&mut self, line: &[u8], excerpts: bool, mut each: impl FnMut(Line)) {
        let line = trimmed(line);
        if passed_over(line) {
            return each(Line::Ignored);
        }
        match serde_json::from_slice::<Row>(line) {
            Ok(row) => self.hear(&row, line, excerpts, &mut each),
            Err(_) => self.salvage(line, excerpts, &mut each),
        }
    }

    /// What still waits for a row that did not come.
    pub fn finish(&mut self, mut each: impl FnMut(Line)) {
        if let Some(waiting) = self.waiting.take() {
            each(Line::Told(waiting));
        }
    }

    /// Whole rows behind a torn one.
    fn salvage(&mut self, line: &[u8], excerpts: bool, each: &mut impl FnMut(Line)) {
        let mut found = false;
        lenient::salvage(line, |row: Row, entire| {
            if row.timestamp.filled().is_some() && row.r#type.filled().is_some() {
                found = true;
                self.hear(&row, entire, excerpts, each);
            }
        });
        if !found {
            let usage = memchr::memmem::find(line, b"\"token_count\"").is_some();
            each(if usage { Line::Malformed } else { Line::Ignored });
        }
    }

    fn hear(&mut self, row: &Row, line: &[u8], excerpts: bool, each: &mut impl FnMut(Line)) {
        let Some(payload) = &row.payload.0 else { return each(Line::Ignored) };
        let at = row.timestamp.filled().and_then(Wall::parse);
        self.time(at);
        match (row.r#type.filled(), payload.r#type.filled()) {
            (Some("session_meta"), _) => self.head(payload, at, each),
            (Some("turn_context"), _) => self.turn(payload, at, each),
            (Some("compacted"), _) => self.say(Said::Compacted, at, each),
            (Some("event_msg"), Some(kind)) => {
                self.event(kind, payload, at, line, excerpts, each);
            }
            (Some("response_item"), _) => {
                if self.whose.is_own() {
                    calls::note(&mut self.calls, payload);
                }
                each(Line::Ignored);
            }
            _ => each(Line::Ignored),
        }
    }

    fn event(
        &mut self,
        kind: &str,
        payload: &Payload,
        at: Option<Wall>,
        line: &[u8],
        excerpts: bool,
        each: &mut impl FnMut(Line),
    ) {
        match kind {
            "token_count" => self.count(payload, at, line, each),
            "task_started" | "turn_started" => {
                self.begin(payload, at);
                each(Line::Ignored);
            }
            "user_message" => {
                let text = payload.message.0.clone().filter(|_| excerpts);
                self.say(Said::Prompt(text), at, each);
            }
            "agent_message" => {
                if self.whose.is_own() {
                    self.text = payload.message.0.clone().filter(|_| excerpts);
                }
                each(Line::Ignored);
            }
            "thread_settings_applied" => {
                let settings = payload.thread_settings.0.as_ref();
                self.tier = settings.and_then(|set| owned(&set.service_tier));
                each(Line::Ignored);
            }
            _ => each(Line::Ignored),
        }
    }

    /// The first head is the thread's own; others are copied from its ancestors.
    fn head(&mut self, head: &Payload, at: Option<Wall>, each: &mut impl FnMut(Line)) {
        let id = head.id.filled().unwrap_or_default();
        if self.headed {
            if id != self.thread && self.is_at_its_beginning() {
                self.inherit(id);
            }
            return each(Line::Ignored);
        }
        self.headed = true;
        if !id.is_empty() {
            id.clone_into(&mut self.thread);
        }
        self.began = at;
        self.cwd = owned(&head.cwd);
        self.provider = owned(&head.model_provider);
        let spawn = head.source.0.as_ref().and_then(|source| source.subagent.0.as_ref());
        self.sidechain = spawn.is_some() || head.thread_source.filled() == Some("subagent");
        match head.forked_from_id.filled() {
            Some(parent) if parent != self.thread => {
                self.inherit(parent);
                if !self.sidechain {
                    let copied_from = Some(parent.to_owned());
                    let thread = Thread { copied_from, ..Thread::default() };
                    return each(Line::Said(self.talk(Said::Copied, thread, at)));
                }
            }
            _ => {}
        }
        each(Line::Ignored);
    }

    /// Whether the thread did nothing of its own yet.
    fn is_at_its_beginning(&self) -> bool {
        !self.whose.is_own() || (self.total.is_none() && self.model.is_none())
    }

    fn inherit(&mut self, ancestor: &str) {
        if self.whose == Rows::Own {
            self.whose = Rows::Doubtful;
        }
        if self.ancestors.len() < MOST_ANCESTORS && !self.ancestors.iter().any(|a| a == ancestor) {
            self.ancestors.push(ancestor.to_owned());
        }
    }

    fn turn(&mut self, turn: &Payload, at: Option<Wall>, each: &mut impl FnMut(Line)) {
        self.begin(turn, at);
        if let Some(model) = turn.model.filled() {
            self.model = Some(model.to_owned());
        }
        if let Some(cwd) = turn.cwd.filled() {
            self.cwd = Some(cwd.to_owned());
        }
        match self.waiting.take() {
            Some(mut waiting) => {
                waiting.model = self.model.clone().unwrap_or_default();
                each(Line::Told(waiting));
            }
            None => each(Line::Ignored),
        }
    }

    /// A turn begins: of whom? Newer ids hold the time at which they were given.
    fn begin(&mut self, turn: &Payload, at: Option<Wall>) {
        if self.whose.is_own() {
            return;
        }
        let given = turn.turn_id.filled().and_then(time_of);
        self.whose = match (time_of(&self.thread), given, self.began, at) {
            (Some(thread), Some(turn), ..) if thread <= turn => Rows::Own,
            (Some(_), Some(_), ..) => Rows::Copied,
            (_, _, Some(began), Some(at)) if at < began => Rows::Copied,
            _ if !self.burst => Rows::Presumed,
            _ => Rows::Doubtful,
        };
    }

    fn time(&mut self, at: Option<Wall>) {
        if let (Some(at), Some(before)) = (at, self.before) {
            self.burst &= at.0.abs_diff(before.0) < BURST_MS;
        }
        self.before = at.or(self.before);
    }

    fn count(
        &mut self,
        payload: &Payload,
        at: Option<Wall>,
        line: &[u8],
        each: &mut impl FnMut(Line),
    ) {
        if self.whose.is_own() {
            limits::told(payload, at, each);
        }
        let Some(info) = payload.info.0 else { return each(Line::Ignored) };
        let (total, last) = (info.total_token_usage.0, info.last_token_usage.0);
        if total.is_none() && last.is_none() {
            return each(Line::Unknown);
        }
        let Some(spent) = self.spent(total, last) else { return each(Line::Ignored) };
        if self.is_copied(at) || spent.sum() == 0 {
            return each(Line::Ignored);
        }
        let window = Some(info.model_context_window.0).filter(|window| *window > 0);
        let mut told = self.sighting(&spent, at, window);
        told.key = total.map_or_else(|| UsageKey::of("codex line", line), |total| self.key(&total));
        if matches!(self.whose, Rows::Doubtful | Rows::Presumed) {
            let of = |thread: &String| total.map(|total| key(thread, &total));
            told.copy_of = self.ancestors.iter().filter_map(of).collect();
        }
        match self.model {
            Some(_) => each(Line::Told(Box::new(told))),
            // It belongs to the turn whose context is still to come.
            None => match self.waiting.replace(Box::new(told)) {
                Some(before) => each(Line::Told(before)),
                None => each(Line::Ignored),
            },
        }
    }

    /// Whether a row is surely its parent's.
    fn is_copied(&self, at: Option<Wall>) -> bool {
        let older = matches!((at, self.began), (Some(at), Some(began)) if at < began);
        match self.whose {
            Rows::Own | Rows::Presumed => false,
            Rows::Copied => true,
            Rows::Doubtful => older || self.burst,
        }
    }

    /// What was spent for this row, if it is no repetition.
    fn spent(&mut self, total: Option<Spent>, last: Option<Spent>) -> Option<Spent> {
        let last = last.filter(|last| last.sum() > 0);
        let Some(total) = total else { return last };
        let Some(before) = self.total.replace(total) else { return last.or(Some(total)) };
        if before.vector() == total.vector() {
            return None;
        }
        let lost = before.sum().saturating_sub(total.sum());
        if lost == 0 {
            return last.or_else(|| Some(total.since(&before)));
        }
        let begins_anew = last.is_none_or(|last| last.vector() == total.vector());
        if lost.saturating_mul(STALE_PART) <= before.sum() && !begins_anew {
            self.total = Some(before);
            return None;
        }
        last.or(Some(total))
    }

    fn sighting(&mut self, spent: &Spent, at: Option<Wall>, window: Option<u64>) -> Sighting {
        let tokens = spent.counts();
        Sighting {
            conversation: self.thread.clone(),
            sidechain: self.sidechain,
            model: self.model.clone().unwrap_or_default(),
            provider: self.provider.clone().or_else(|| Some("openai".to_owned())),
            at,
            cwd: self.cwd.clone(),
            tokens,
            reasoning: spent.reasoning_output_tokens.0.min(tokens.output),
            extras: Extras { service_tier: self.tier.clone(), ..Extras::default() },
            stopped: true,
            window,
            calls: std::mem::take(&mut self.calls),
            text: self.text.take(),
            ..Sighting::default()
        }
    }

    fn key(&self, total: &Spent) -> UsageKey {
        key(&self.thread, total)
    }

    fn say(&self, said: Said, at: Option<Wall>, each: &mut impl FnMut(Line)) {
        let is_copy = !self.whose.is_own();
        match is_copy || self.sidechain {
            true => each(Line::Ignored),
            false => each(Line::Said(self.talk(said, Thread::default(), at))),
        }
    }

    fn talk(&self, said: Said, thread: Thread, at: Option<Wall>) -> Box<Talk> {
        let (conversation, cwd) = (self.thread.clone(), self.cwd.clone());
        Box::new(Talk { conversation, at, cwd, thread, said })
    }
}

/// A snapshot is known by its thread and its figures: siblings that did equal work differ in the one,
/// moments of a thread in the other.
fn key(thread: &str, total: &Spent) -> UsageKey {
    let figures = total.vector().map(u64::to_le_bytes).concat();
    UsageKey::of(NAME, &[thread.as_bytes(), &[0], &figures].concat())
}

/// When an id was given, if it is one of those that say so (UUID, version 7): milliseconds.
fn time_of(id: &str) -> Option<u64> {
    let bytes = id.as_bytes();
    if bytes.len() != 36 || bytes[8] != b'-' || bytes[14] != b'7' {
        return None;
    }
    u64::from_str_radix(&[id.get(..8)?, id.get(9..13)?].concat(), 16).ok()
}

/// Whether the first bytes of a row say that nothing on it is of interest: results of tools and
/// answers are the most of a rollout.
fn passed_over(line: &[u8]) -> bool {
    let head = &line[..line.len().min(PEEK)];
    let after = |mark: &[u8]| memchr::memmem::find(head, mark).map(|at| &head[at + mark.len()..]);
    let is = |text: Option<&[u8]>, words: &[&str]| {
        text.is_some_and(|text| {
            words.iter().any(|word| {
                text.starts_with(word.as_bytes()) && text.get(word.len()) == Some(&b'"')
            })
        })
    };
    if line.is_empty() {
        return true;
    }
    let kind = after(b"\"payload\":{\"type\":\"");
    match after(b"\",\"type\":\"") {
        row if is(row, &["response_item"]) => is(
            kind,
            &[
                "message",
                "reasoning",
                "function_call_output",
                "custom_tool_call_output",
                "web_search_call",
                "ghost_snapshot",
            ],
        ),
        row if is(row, &["event_msg"]) => is(
            kind,
            &[
                "agent_reasoning",
                "exec_command_begin",
                "exec_command_end",
                "exec_command_output_delta",
                "item_completed",
                "mcp_tool_call_begin",
                "mcp_tool_call_end",
                "task_complete",
                "turn_diff",
            ],
        ),
        _ => false,
    }
}

fn owned(text: &Text) -> Option<String> {
    text.filled().map(str::to_owned)
}
