//! The conversations of one agent in order, each with its number and with the one that it goes on
//! with. The newest are here; all of them are in the store.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::chains::continuation::Continuation;
use crate::chains::interaction::{Interaction, Origin};
use crate::chains::limits::{Fullness, Limits};
use crate::chains::step::{Context, Deed, Step};
use crate::units::{SessionId, Wall};

/// Conversations of one agent that are kept in memory, the newest.
pub const LINKS_KEPT: usize = 100;
/// Older ones whose numbers and counts are still in memory, so that one of them that is heard of again
/// goes on: some 300 KiB of an agent that has held so many.
pub const OLDER_KEPT: usize = 1_000;
/// What the newest conversations of one agent worked on is kept in memory up to this many bytes: of a
/// hundred, where each touched thirty files.
const CONTINUATIONS_SIZE: usize = 256 << 10;
/// Interactions of one agent that are kept in memory, the newest.
pub const INTERACTIONS_KEPT: usize = 100;
/// Agents that have a chain; a label has as many values at most.
pub const MOST_AGENTS: usize = 64;

/// One conversation of a chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// From 1, in the order in which they were first heard of.
    pub number: u64,
    /// The agent's own id.
    pub id: String,
    /// The process that it was last held in, where it is known.
    pub process: Option<String>,
    /// Its session; the last one where several runs held it.
    pub session: Option<SessionId>,
    /// The conversation that it goes on with.
    pub resumes: Option<String>,
    /// When it was first heard of, by the agent's clock.
    pub first: Wall,
    /// When it was last heard of.
    pub last: Wall,
    /// Prompts so far.
    pub prompts: u64,
    /// Responses so far.
    pub responses: u64,
    /// Times that its window was emptied into a summary.
    pub compactions: u64,
    /// What its window held after the last response; unknown after a compaction.
    pub context: Option<Context>,
    /// How full it is.
    pub fullness: Fullness,
    /// What it worked on.
    pub continuation: Arc<Continuation>,
    /// What it worked on was let go of: here is only what came since, and the store has the rest.
    #[serde(default)]
    pub let_go: bool,
    /// The interaction that is being answered.
    pub asked: Option<u64>,
}

/// The conversations of one agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chain {
    /// The agent's name.
    pub agent: String,
    /// When it counts as full.
    pub limits: Limits,
    /// The number of the newest.
    pub count: u64,
    /// The id of number 1.
    pub first: Option<String>,
    /// The id of the one that was last heard of.
    pub current: Option<String>,
    /// The newest, by number.
    pub links: VecDeque<Arc<Link>>,
    /// Those before them, by number; they are shown from the store.
    older: VecDeque<Arc<Link>>,
    /// The newest interactions, oldest first.
    pub interactions: VecDeque<Arc<Interaction>>,
    /// Times that a hand-over began to be due, in this life.
    pub hand_overs_due: u64,
}

/// What changed by a step, for those who keep and tell it.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// It became known that it goes on with another one.
    Resumes {
        /// That one.
        predecessor: String,
    },
    /// It became at least this full.
    Fuller(Fullness),
    /// An interaction began, or more of it is known.
    Interaction(Arc<Interaction>),
}

impl Link {
    fn new(number: u64, id: &str, at: Wall) -> Self {
        Self {
            number,
            id: id.to_owned(),
            process: None,
            session: None,
            resumes: None,
            first: at,
            last: at,
            prompts: 0,
            responses: 0,
            compactions: 0,
            context: None,
            fullness: Fullness::Room,
            continuation: Arc::default(),
            let_go: false,
            asked: None,
        }
    }

    /// Lets go of what it worked on; what comes from now on is noted beside what the store has.
    fn let_go_of_work(&mut self) {
        (self.continuation, self.let_go) = (Arc::default(), true);
    }

    /// What it worked on in all, of what the store has of it.
    pub fn whole_work(&self, kept: &Continuation) -> Continuation {
        let mut whole = if self.let_go { kept.clone() } else { Continuation::default() };
        let own = &self.continuation;
        whole.note(&own.files, &own.tools, &own.tasks);
        whole
    }

    /// The tokens that its window holds.
    pub fn window(&self, limits: &Limits) -> u64 {
        let context = self.context.as_ref();
        limits.window_of(
            context.and_then(|context| context.window),
            context.map_or(0, |context| context.tokens),
        )
    }

    /// The part of its window that is used, where that is known.
    pub fn ratio(&self, limits: &Limits) -> Option<f64> {
        let context = self.context.as_ref()?;
        Some(context.tokens as f64 / self.window(limits) as f64)
    }
}

impl Chain {
    /// A chain without a conversation.
    pub fn new(agent: &str, limits: Limits) -> Self {
        Self { agent: agent.to_owned(), limits, ..Self::default() }
    }

    /// A conversation that is in memory.
    pub fn get(&self, id: &str) -> Option<&Arc<Link>> {
        self.links.iter().rev().chain(self.older.iter().rev()).find(|link| link.id == id)
    }

    /// The conversation that was last heard of.
    pub fn current(&self) -> Option<&Arc<Link>> {
        self.get(self.current.as_deref()?)
    }

    /// The conversation of this id, begun if it is new; it is the current one from now on.
    fn link(&mut self, id: &str, at: Wall) -> &mut Link {
        let place = |links: &VecDeque<Arc<Link>>| links.iter().rposition(|link| link.id == id);
        let link = match (place(&self.links), place(&self.older)) {
            (Some(newer), _) => &mut self.links[newer],
            (None, Some(older)) => &mut self.older[older],
            (None, None) => {
                let newest = self.begin(id, at);
                &mut self.links[newest]
            }
        };
        if self.current.as_deref() != Some(id) {
            self.current = Some(id.to_owned());
        }
        let link = Arc::make_mut(link);
        (link.first, link.last) = (link.first.min(at), link.last.max(at));
        link
    }

    fn begin(&mut self, id: &str, at: Wall) -> usize {
        self.count += 1;
        self.first.get_or_insert_with(|| id.to_owned());
        self.links.push_back(Arc::new(Link::new(self.count, id, at)));
        self.let_go();
        self.bound_continuations();
        self.links.len() - 1
    }

    /// Lets go of what the oldest worked on, where that of the newer ones leaves no room for it.
    fn bound_continuations(&mut self) {
        let mut room = CONTINUATIONS_SIZE;
        let newest_first = self.links.iter_mut().rev().chain(self.older.iter_mut().rev());
        for link in newest_first.filter(|link| !link.continuation.is_empty()) {
            room = room.saturating_sub(link.continuation.size());
            if room == 0 {
                Arc::make_mut(link).let_go_of_work();
            }
        }
    }

    /// Keeps the newest as such, and of those before them as many as there is room for.
    fn let_go(&mut self) {
        let surplus = self.links.len().saturating_sub(LINKS_KEPT);
        self.older.extend(self.links.drain(..surplus).map(without_continuation));
        let surplus = self.older.len().saturating_sub(OLDER_KEPT);
        self.older.drain(..surplus);
    }

    /// Takes in what happened in one of its conversations, and says what follows.
    pub fn take(&mut self, step: Step) -> Vec<News> {
        let mut news = Vec::new();
        self.link(&step.conversation, step.at).process.clone_from(&step.process);
        if let Some(predecessor) = step.resumes {
            news.extend(self.resume(&step.conversation, step.at, predecessor));
        }
        match step.deed {
            Deed::Copied => {}
            Deed::Prompted { key, excerpt } => {
                news.extend(self.prompted(&step.conversation, step.at, key, excerpt));
            }
            Deed::Answered { calls, context, excerpt } => {
                let link = self.link(&step.conversation, step.at);
                if !calls.is_empty() {
                    let kept = Arc::make_mut(&mut link.continuation);
                    kept.note(&calls.files, &calls.tools, &calls.tasks);
                }
                let asked = link.asked;
                let answer = asked.zip(excerpt).and_then(|(key, text)| self.answered(key, text));
                news.extend(answer.map(News::Interaction));
                if let Some(context) = context {
                    news.extend(self.fill(&step.conversation, step.at, context));
                }
            }
            Deed::Compacted => {
                let link = self.link(&step.conversation, step.at);
                link.compactions += 1;
                (link.context, link.fullness) = (None, Fullness::Room);
            }
        }
        news
    }

    /// Links a conversation to the one that it goes on with, and lets it begin with what that one
    /// left. A circle is not taken.
    fn resume(&mut self, id: &str, at: Wall, predecessor: String) -> Option<News> {
        let known = self.get(id).and_then(|link| link.resumes.as_ref());
        if predecessor == id || known == Some(&predecessor) || self.descends(&predecessor, id) {
            return None;
        }
        let left = self.get(&predecessor).map(|link| Arc::clone(&link.continuation));
        let link = self.link(id, at);
        if let Some(left) = left.filter(|left| !left.is_empty()) {
            let mut kept = Continuation::clone(&left);
            let own = &link.continuation;
            kept.note(&own.files, &own.tools, &own.tasks);
            link.continuation = Arc::new(kept);
        }
        link.resumes = Some(predecessor.clone());
        Some(News::Resumes { predecessor })
    }

    /// Whether `id` goes on with `ancestor`, over any number of others.
    fn descends(&self, id: &str, ancestor: &str) -> bool {
        let mut at = self.get(id);
        // There can be no more than these between the two.
        for _ in 0..self.links.len() + self.older.len() {
            let Some(before) = at.and_then(|link| link.resumes.as_deref()) else { return false };
            if before == ancestor {
                return true;
            }
            at = self.get(before);
        }
        false
    }

    fn prompted(&mut self, id: &str, at: Wall, key: u64, prompt: Option<String>) -> Option<News> {
        if self.interactions.iter().any(|known| known.key == key) {
            return None;
        }
        let agent = self.agent.clone();
        let link = self.link(id, at);
        link.prompts += 1;
        link.asked = Some(key);
        let interaction = Arc::new(Interaction {
            key,
            agent,
            conversation: id.to_owned(),
            session: link.session,
            at,
            origin: Origin::Transcript,
            prompt,
            response: None,
            metadata: serde_json::Map::new(),
        });
        self.keep(Arc::clone(&interaction));
        Some(News::Interaction(interaction))
    }

    /// Takes in an interaction that an application tells of. One that is known by its key already
    /// changes nothing, and is the error.
    pub fn record(
        &mut self,
        mut interaction: Interaction,
    ) -> Result<Arc<Interaction>, Arc<Interaction>> {
        let key = interaction.key;
        if let Some(known) = self.interactions.iter().find(|known| known.key == key) {
            return Err(Arc::clone(known));
        }
        let link = self.link(&interaction.conversation, interaction.at);
        link.prompts += 1;
        link.session = link.session.or(interaction.session);
        interaction.session = interaction.session.or(link.session);
        let interaction = Arc::new(interaction);
        self.keep(Arc::clone(&interaction));
        Ok(interaction)
    }

    fn keep(&mut self, interaction: Arc<Interaction>) {
        self.interactions.push_back(interaction);
        if self.interactions.len() > INTERACTIONS_KEPT {
            self.interactions.pop_front();
        }
    }

    fn answered(&mut self, key: u64, text: String) -> Option<Arc<Interaction>> {
        let interaction = self.interactions.iter_mut().rev().find(|known| known.key == key)?;
        Arc::make_mut(interaction).response = Some(text);
        Some(Arc::clone(interaction))
    }

    /// Notes what its window holds; each mark that is crossed by that is news.
    fn fill(&mut self, id: &str, at: Wall, context: Context) -> Vec<News> {
        let limits = self.limits;
        let link = self.link(id, at);
        link.context = Some(context);
        let before = link.fullness;
        let now = link.ratio(&limits).map_or(before, |ratio| limits.judge(before, ratio));
        link.fullness = now;
        let crossed = |mark: &Fullness| before < *mark && *mark <= now;
        let crossed: Vec<_> = Fullness::ALL.into_iter().filter(crossed).collect();
        self.hand_overs_due += u64::from(crossed.contains(&Fullness::Due));
        crossed.into_iter().map(News::Fuller).collect()
    }

    /// Notes which session a conversation is, of which a response is only being told.
    pub fn attended(&mut self, id: &str, at: Wall, session: SessionId) {
        self.link(id, at).session = Some(session);
    }

    /// Counts a response in a conversation's session.
    pub fn responded(&mut self, id: &str, at: Wall, session: Option<SessionId>) {
        let link = self.link(id, at);
        link.responses += 1;
        link.session = session.or(link.session);
    }

    /// Puts what an application says in the place of what is known of a conversation, and says
    /// which marks were crossed by that.
    pub fn replace(
        &mut self,
        id: &str,
        at: Wall,
        continuation: Continuation,
        context: Option<Context>,
    ) -> Vec<News> {
        let link = self.link(id, at);
        (link.continuation, link.let_go) = (Arc::new(continuation.bounded()), false);
        context.map(|context| self.fill(id, at, context)).unwrap_or_default()
    }

    /// Begins anew: the next conversation has the number 1.
    pub fn reset(&mut self) {
        let (agent, limits) = (std::mem::take(&mut self.agent), self.limits);
        let hand_overs_due = self.hand_overs_due;
        *self = Self { agent, limits, hand_overs_due, ..Self::default() };
    }

    /// Forgets its conversations, but for those of which `lives` says that they are not to be. Whether
    /// none is left, so that it begins anew.
    pub fn forget(&mut self, lives: impl Fn(&Link) -> bool) -> bool {
        self.links.retain(|link| lives(link));
        self.older.retain(|link| lives(link));
        if self.links.is_empty() && self.older.is_empty() {
            self.reset();
            return true;
        }
        let left: Vec<&str> =
            self.links.iter().chain(&self.older).map(|link| link.id.as_str()).collect();
        let is_left = |id: &String| left.contains(&id.as_str());
        self.interactions.retain(|one| is_left(&one.conversation));
        self.first = self.first.take().filter(is_left);
        self.current = self.current.take().filter(is_left);
        false
    }

    /// Puts what earlier lives kept before what is known. Conversations of this life that were
    /// numbered already come behind.
    pub fn restore(&mut self, kept: KeptChain) {
        let older = std::mem::take(&mut self.older);
        let ours: Vec<_> = older.into_iter().chain(std::mem::take(&mut self.links)).collect();
        self.links = kept.links.into_iter().map(Arc::new).collect();
        let newest = self.links.iter().max_by_key(|link| (link.last, link.number));
        self.current = self.current.take().or(newest.map(|link| link.id.clone()));
        self.count = self.links.back().map_or(0, |link| link.number);
        self.first = kept.first.or(self.first.take());
        for link in ours {
            if self.get(&link.id).is_none() {
                self.count += 1;
                self.links.push_back(Arc::new(Link { number: self.count, ..Link::clone(&link) }));
            }
        }
        self.let_go();
        let ours = std::mem::take(&mut self.interactions);
        self.interactions = kept.interactions.into_iter().map(Arc::new).chain(ours).collect();
        let surplus = self.interactions.len().saturating_sub(INTERACTIONS_KEPT);
        self.interactions.drain(..surplus);
    }
}

fn without_continuation(mut link: Arc<Link>) -> Arc<Link> {
    if !link.continuation.is_empty() {
        Arc::make_mut(&mut link).let_go_of_work();
    }
    link
}

/// What earlier lives kept of one agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeptChain {
    /// The id of number 1.
    pub first: Option<String>,
    /// The newest conversations, by number.
    pub links: Vec<Link>,
    /// The newest interactions, oldest first.
    pub interactions: Vec<Interaction>,
}

/// The chains of all agents.
#[derive(Clone, Debug, Default)]
pub struct Chains {
    of: BTreeMap<String, Arc<Chain>>,
}

impl Chains {
    /// Makes room for an agent of the plan, whose chain is there from the beginning.
    pub fn expect(&mut self, agent: &str, limits: Limits) {
        let chain = self.of.entry(agent.to_owned()).or_default();
        let chain = Arc::make_mut(chain);
        (chain.agent, chain.limits) = (agent.to_owned(), limits);
    }

    /// The chain of an agent; a new one where there is room for one more.
    pub fn of(&mut self, agent: &str) -> Option<&mut Chain> {
        if !self.of.contains_key(agent) {
            if self.of.len() >= MOST_AGENTS {
                return None;
            }
            self.expect(agent, Limits::default());
        }
        self.of.get_mut(agent).map(Arc::make_mut)
    }

    /// The chain of an agent that is known.
    pub fn known(&self, agent: &str) -> Option<&Chain> {
        self.of.get(agent).map(Arc::as_ref)
    }

    /// All of them, by name.
    pub fn all(&self) -> Vec<Arc<Chain>> {
        self.of.values().cloned().collect()
    }
}
