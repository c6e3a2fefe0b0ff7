//! The chains of agents as columns, which both databases keep in the same way.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::chains::chain::{KeptChain, LINKS_KEPT, Link, OLDER_KEPT};
use crate::chains::interaction::{Interaction, Origin};
use crate::chains::limits::Fullness;
use crate::chains::step::Context;
use crate::units::{SessionId, Wall};

/// Conversations that are read of each agent at the start; as many as memory keeps.
pub const MOST_LINKS: i64 = (LINKS_KEPT + OLDER_KEPT) as i64;
/// Of so many of them it is read what they worked on.
pub const MOST_WHOLE: i64 = LINKS_KEPT as i64;
/// Interactions that are read of each agent at the start; as many as memory keeps.
pub const MOST_INTERACTIONS: i64 = 100;
/// Responses and prompts whose conversation is read at the start, the newest.
pub const MOST_TOLD: i64 = 20_000;

/// How full a window is, as it is kept.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct State {
    compactions: u64,
    tokens: Option<u64>,
    model: String,
    window: Option<u64>,
    fullness: String,
    /// Of the interaction that is being answered, bit for bit.
    asked: Option<i64>,
}

/// How full the window of a conversation is.
pub fn state_json(link: &Link) -> String {
    let context = link.context.as_ref();
    let state = State {
        compactions: link.compactions,
        tokens: context.map(|context| context.tokens),
        model: context.map(|context| context.model.clone()).unwrap_or_default(),
        window: context.and_then(|context| context.window),
        fullness: link.fullness.as_str().to_owned(),
        asked: link.asked.map(u64::cast_signed),
    };
    serde_json::to_string(&state).unwrap_or_default()
}

/// What a conversation worked on.
pub fn continuation_json(link: &Link) -> String {
    serde_json::to_string(&*link.continuation).unwrap_or_default()
}

/// One conversation as it is kept.
pub struct LinkColumns {
    pub agent: String,
    pub conversation: String,
    pub number: i64,
    pub process: Option<String>,
    pub session: Option<String>,
    pub resumes: Option<String>,
    pub first: i64,
    pub last: i64,
    pub prompts: i64,
    pub responses: i64,
    pub state: String,
    pub continuation: String,
}

impl LinkColumns {
    /// As it was written.
    pub fn link(self) -> Link {
        // What cannot be read was written by no version of ours; the rest is worth keeping.
        let state: State = serde_json::from_str(&self.state).unwrap_or_default();
        let (model, window) = (state.model, state.window);
        Link {
            number: self.number.cast_unsigned(),
            id: self.conversation,
            process: self.process,
            session: self.session.as_deref().and_then(SessionId::parse),
            resumes: self.resumes,
            first: Wall(self.first),
            last: Wall(self.last),
            prompts: self.prompts.cast_unsigned(),
            responses: self.responses.cast_unsigned(),
            compactions: state.compactions,
            context: state.tokens.map(|tokens| Context { tokens, model, window }),
            fullness: Fullness::parse(&state.fullness),
            // It is left out of those that memory knows by their numbers alone.
            let_go: self.continuation.is_empty(),
            continuation: Arc::new(serde_json::from_str(&self.continuation).unwrap_or_default()),
            asked: state.asked.map(i64::cast_unsigned),
        }
    }
}

/// One interaction as it is kept.
pub struct InteractionColumns {
    pub key: i64,
    pub agent: String,
    pub conversation: String,
    pub session: Option<String>,
    pub at: i64,
    pub origin: String,
    pub prompt: Option<String>,
    pub response: Option<String>,
    pub metadata: String,
}

impl InteractionColumns {
    /// As it was written; nothing where no version of ours wrote it.
    pub fn interaction(self) -> Option<Interaction> {
        Some(Interaction {
            key: self.key.cast_unsigned(),
            agent: self.agent,
            conversation: self.conversation,
            session: self.session.as_deref().and_then(SessionId::parse),
            at: Wall(self.at),
            origin: Origin::parse(&self.origin)?,
            prompt: self.prompt,
            response: self.response,
            metadata: serde_json::from_str(&self.metadata).unwrap_or_default(),
        })
    }
}

/// The chains of all agents, of rows in the order of their numbers and times. Number 1 comes first
/// where it is there, and is of use for its name alone unless the next is number 2.
pub fn kept(
    links: Vec<LinkColumns>,
    interactions: Vec<InteractionColumns>,
) -> Vec<(String, KeptChain)> {
    let mut chains: BTreeMap<String, KeptChain> = BTreeMap::new();
    for columns in links {
        let chain = chains.entry(columns.agent.clone()).or_default();
        let link = columns.link();
        if link.number == 1 {
            chain.first = Some(link.id.clone());
        }
        chain.links.push(link);
    }
    for chain in chains.values_mut() {
        let surplus = chain.links.len().saturating_sub(MOST_LINKS as usize);
        chain.links.drain(..surplus);
    }
    for columns in interactions {
        let agent = columns.agent.clone();
        if let (Some(chain), Some(one)) = (chains.get_mut(&agent), columns.interaction()) {
            chain.interactions.push(one);
        }
    }
    chains.into_iter().collect()
}
