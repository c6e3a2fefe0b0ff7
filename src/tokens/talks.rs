//! What the transcripts tell of conversations beside tokens: which line was told first where, and what
//! happened, handed on once the offset of its file has passed it.
//!
//! A copied line is known by its own id or by that of its response, and shows which conversation goes
//! on with which. What is read again after a crash lies behind the stored offset, and what lies before
//! it was handed on in the same transaction: so nothing is told twice and nothing is lost.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::chains::interaction::excerpt;
use crate::chains::step::{Context, Deed, Step};
use crate::secret::masker::Masker;
use crate::tokens::UsageKey;
use crate::tokens::agents::{Said, Sighting, Talk, Thread};
use crate::tokens::book::{FileId, Place};
use crate::tokens::source::Whose;
use crate::units::Wall;

/// Lines in one of two generations whose conversation is remembered: 7/8 of 2^16 fills a hash table
/// of 1.6 MB, and the newest generation alone is some weeks of one agent.
const GENERATION: usize = 7 << 13;

/// Conversations whose link is remembered, so that it is told once rather than for each line.
const LINKS: usize = 4096;

/// The conversation that first told a line, for the newest lines.
#[derive(Debug, Default)]
struct Origins {
    young: HashMap<UsageKey, Arc<str>>,
    old: HashMap<UsageKey, Arc<str>>,
    last: Option<Arc<str>>,
}

impl Origins {
    fn of(&self, key: UsageKey) -> Option<&Arc<str>> {
        self.young.get(&key).or_else(|| self.old.get(&key))
    }

    fn remember(&mut self, key: UsageKey, conversation: &str) {
        if self.of(key).is_some() {
            return;
        }
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        let shared = self.last.take().filter(|last| **last == *conversation);
        let shared = shared.unwrap_or_else(|| conversation.into());
        self.young.insert(key, Arc::clone(&shared));
        self.last = Some(shared);
    }
}

/// What is told of conversations.
#[derive(Debug, Default)]
pub struct Talks {
    origins: Origins,
    linked: HashMap<String, Arc<str>>,
    /// What happened and may not be handed on yet, with the byte that its line begins at.
    waiting: BTreeMap<FileId, VecDeque<(u64, Step)>>,
    /// What may be handed on.
    ready: Vec<Step>,
}

/// Whose line it is, and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Whose.
    pub whose: &'a Whose,
    /// Where it begins.
    pub place: Place,
    /// When it is read, for a line that does not say when it was written.
    pub now: Wall,
    /// How texts are masked, where they may be kept.
    pub excerpts: Option<&'a Masker>,
}

impl Talks {
    /// Talks of a life that knows these lines of earlier ones, newest last.
    pub fn new(known: impl IntoIterator<Item = (UsageKey, String)>) -> Self {
        let mut talks = Self::default();
        for (key, conversation) in known {
            talks.origins.remember(key, &conversation);
        }
        talks
    }

    /// Remembers a line of the past without telling of it.
    pub fn seed(&mut self, conversation: &str, thread: &Thread, response: Option<UsageKey>) {
        for key in thread.line.into_iter().chain(response) {
            self.origins.remember(key, conversation);
        }
    }

    /// Takes in a line of a response; `window` is that of its model.
    pub fn responded(&mut self, told: &Sighting, window: Option<u64>, from: Source<'_>) {
        if told.conversation.is_empty() {
            return;
        }
        let context = (!told.sidechain).then(|| Context {
            // A compaction is a request of its own, with a window of its own.
            tokens: told.tokens.minus(&told.extras.compaction).total(),
            model: told.model.clone(),
            window,
        });
        let text = told.text.as_deref().filter(|_| !told.sidechain);
        let text = text.zip(from.excerpts).map(|(text, masker)| excerpt(text, masker));
        let deed = Deed::Answered {
            calls: told.calls.clone(),
            context: context.filter(|context| context.tokens > 0),
            excerpt: text.filter(|text| !text.is_empty()),
        };
        let key = (!told.sidechain).then_some(told.key);
        self.hear(&told.conversation, &told.thread, key, told.at, deed, from);
    }

    /// Takes in a line without usage.
    pub fn said(&mut self, talk: Talk, from: Source<'_>) {
        let deed = match talk.said {
            Said::Compacted => Deed::Compacted,
            Said::Copied => Deed::Copied,
            Said::Prompt(text) => Deed::Prompted {
                key: prompt_key(&talk.thread, from.place).0,
                excerpt: text.zip(from.excerpts).map(|(text, masker)| excerpt(&text, masker)),
            },
        };
        self.hear(&talk.conversation, &talk.thread, None, talk.at, deed, from);
    }

    fn hear(
        &mut self,
        conversation: &str,
        thread: &Thread,
        response: Option<UsageKey>,
        at: Option<Wall>,
        deed: Deed,
        from: Source<'_>,
    ) {
        let other =
            |key: UsageKey| self.origins.of(key).filter(|known| ***known != *conversation).cloned();
        let line = thread.line.and_then(|line| self.origins.of(line)).cloned();
        let copied_from = thread.copied_from.as_deref().filter(|from| *from != conversation);
        let copied_from = copied_from.map(Arc::from);
        let is_copy = line.is_some() || copied_from.is_some();
        let elsewhere = line.filter(|known| **known != *conversation);
        let response_of = response.and_then(other);
        let is_copy = is_copy || response_of.is_some();
        let resumes = copied_from.or(elsewhere).or(response_of);
        let resumes = resumes.or_else(|| thread.before.and_then(other));
        for key in thread.line.into_iter().chain(response) {
            self.origins.remember(key, conversation);
        }
        let resumes = resumes.filter(|from| self.is_news(conversation, from));
        if is_copy && resumes.is_none() {
            return;
        }
        let step = Step {
            agent: from.whose.agent.to_string(),
            process: from.whose.process.as_deref().map(str::to_owned),
            conversation: conversation.to_owned(),
            at: at.unwrap_or(from.now),
            resumes: resumes.as_deref().map(str::to_owned),
            deed: if is_copy { Deed::Copied } else { deed },
        };
        self.waiting.entry(from.place.file).or_default().push_back((from.place.offset, step));
    }

    /// Whether it was not told yet that a conversation goes on with this one.
    fn is_news(&mut self, conversation: &str, from: &Arc<str>) -> bool {
        if self.linked.get(conversation) == Some(from) {
            return false;
        }
        if self.linked.len() >= LINKS {
            self.linked.clear();
        }
        self.linked.insert(conversation.to_owned(), Arc::clone(from));
        true
    }

    /// Files of which something waits.
    pub fn waiting(&self) -> Vec<FileId> {
        self.waiting.keys().copied().collect()
    }

    /// Lets go of what stands before this byte of a file.
    pub fn pass(&mut self, file: FileId, offset: u64) {
        let Some(steps) = self.waiting.get_mut(&file) else { return };
        let passed = steps.iter().take_while(|(at, _)| *at < offset).count();
        self.ready.extend(steps.drain(..passed).map(|(_, step)| step));
        if steps.is_empty() {
            self.waiting.remove(&file);
        }
    }

    /// Lets go of everything that a file told: it is followed no more, or read from its start again.
    pub fn forget(&mut self, file: FileId) {
        self.pass(file, u64::MAX);
    }

    /// What may be handed on since it was last asked.
    pub fn take(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.ready)
    }
}

/// By its own id, or else by its place: without an id it cannot be told from a copy.
fn prompt_key(thread: &Thread, place: Place) -> UsageKey {
    let place = [place.file.0.to_le_bytes(), place.offset.to_le_bytes()].concat();
    thread.line.unwrap_or_else(|| UsageKey::of("prompt", &place))
}

#[cfg(test)]
mod tests;
