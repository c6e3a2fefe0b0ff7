//! The chains of agents: what transcripts and applications tell of conversations, with the rows to
//! keep and the events to tell on their sessions.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use crate::chains::chain::{Chain, Chains, KeptChain, Link, News};
use crate::chains::continuation::Continuation;
use crate::chains::interaction::{Interaction, Origin};
use crate::chains::limits::{Fullness, Limits};
use crate::chains::step::{Context, Deed, Step};
use crate::config::plan::Plan;
use crate::ledger::chain_request::{ChainRefusal, ChainReply, ChainRequest, Told};
use crate::ledger::fold::Ledger;
use crate::ledger::forget::Whose;
use crate::ledger::labels::{OTHER, UNKNOWN, clip};
use crate::ledger::row::Row;
use crate::ledger::sessions::Note;
use crate::tokens::{Usage, UsageKey};
use crate::units::{Now, SessionId};

/// The longest id of a conversation that is kept whole; a UUID has 36 characters.
pub(super) const NATIVE_ID_LENGTH: usize = 200;

/// Conversations of which something changed, by agent and id.
pub(super) type Changed = BTreeSet<(String, String)>;

/// Chains of the agents of a plan, which are there from the beginning.
pub(super) fn chains(plan: &Plan) -> Chains {
    let mut chains = Chains::default();
    for agent in plan.processes.iter().filter_map(|process| process.agent.as_ref()) {
        chains.expect(&agent.name, agent.limits);
    }
    chains
}

impl Ledger {
    /// Takes in what happened in conversations, in order.
    pub(super) fn stepped(&mut self, at: Now, steps: Vec<Step>, changed: &mut Changed) -> Vec<Row> {
        let mut rows = Vec::new();
        for mut step in steps {
            let agent = self.spend.agent(&step.agent).to_owned();
            step.conversation.truncate(clip(&step.conversation, NATIVE_ID_LENGTH).len());
            let conversation = step.conversation.clone();
            // What nobody can tell apart is no chain.
            if conversation.is_empty() || agent == UNKNOWN || agent == OTHER {
                continue;
            }
            let Some(chain) = self.chains.of(&agent) else { continue };
            let news = chain.take(step);
            changed.insert((agent.clone(), conversation.clone()));
            for one in news {
                rows.extend(self.told_news(at, &agent, &conversation, one));
            }
        }
        rows
    }

    /// Takes in a response that was counted for a session.
    pub(super) fn responded(
        &mut self,
        usage: &Usage,
        session: Option<SessionId>,
        changed: &mut Changed,
    ) {
        let conversation = clip(&usage.conversation, NATIVE_ID_LENGTH);
        let Some(agent) = self.chained(usage) else { return };
        let Some(chain) = self.chains.of(&agent) else { return };
        chain.responded(conversation, usage.at, session);
        changed.insert((agent, conversation.to_owned()));
    }

    /// Takes in that a response is being told in a session: what is learnt of the conversation before
    /// it is over is told there.
    pub(super) fn attended(&mut self, usage: &Usage, session: SessionId) {
        let conversation = clip(&usage.conversation, NATIVE_ID_LENGTH);
        let chain = self.chained(usage).and_then(|agent| self.chains.of(&agent));
        if let Some(chain) = chain {
            chain.attended(conversation, usage.at, session);
        }
    }

    /// The agent whose chain a response belongs to, if it belongs to one.
    fn chained(&mut self, usage: &Usage) -> Option<String> {
        let agent = self.spend.agent(&usage.agent);
        let none = usage.conversation.is_empty() || agent == UNKNOWN || agent == OTHER;
        (!none).then(|| agent.to_owned())
    }

    /// The rows that replace what is kept of these conversations.
    pub(super) fn links(&self, changed: Changed) -> Vec<Row> {
        let link = |(agent, id): (String, String)| {
            let link = self.chains.known(&agent)?.get(&id)?;
            Some(Row::Link { agent, link: link.clone() })
        };
        changed.into_iter().filter_map(link).collect()
    }

    /// What a session that is opened for a conversation goes on with: the session before, where the
    /// conversation had one, else the conversation before.
    pub(super) fn gone_on(
        &mut self,
        at: Now,
        agent: &str,
        id: &str,
        session: SessionId,
    ) -> Vec<Row> {
        let Some(chain) = self.chains.known(agent) else { return Vec::new() };
        let Some(link) = chain.get(id) else { return Vec::new() };
        let (conversation, before) = match (link.session, &link.resumes) {
            (Some(before), _) => (id.to_owned(), Some(before)),
            (None, Some(other)) => (other.clone(), chain.get(other).and_then(|link| link.session)),
            (None, None) => return Vec::new(),
        };
        let note = resumed_from(&conversation, before, link.number);
        self.sessions.note(session, at, note)
    }

    pub(super) fn told_news(&mut self, at: Now, agent: &str, id: &str, news: News) -> Vec<Row> {
        let Some(chain) = self.chains.known(agent) else { return Vec::new() };
        let Some(link) = chain.get(id) else { return Vec::new() };
        match news {
            News::Interaction(interaction) => vec![Row::Interaction(interaction)],
            News::Resumes { predecessor } => {
                let before = chain.get(&predecessor).and_then(|link| link.session);
                let note = resumed_from(&predecessor, before, link.number);
                // Else it is told when the session is opened.
                let session = link.session;
                session.map(|session| self.sessions.note(session, at, note)).unwrap_or_default()
            }
            News::Fuller(fullness) => {
                let note = fuller(fullness, link, &chain.limits);
                let session = link.session;
                session.map(|session| self.sessions.note(session, at, note)).unwrap_or_default()
            }
        }
    }

    /// Puts what earlier lives kept before what is known.
    pub(super) fn chains_found(&mut self, found: Vec<(String, KeptChain)>) {
        for (agent, kept) in found {
            let agent = self.spend.agent(&agent).to_owned();
            if agent == UNKNOWN || agent == OTHER {
                continue;
            }
            if let Some(chain) = self.chains.of(&agent) {
                chain.restore(kept);
            }
        }
    }

    /// Forgets the conversations of an agent, but for those that go on, where that is whose sessions are
    /// forgotten. What applications told of without a session goes with the last of them.
    pub(super) fn forget_chain(&mut self, whose: &Whose) -> Vec<Row> {
        let Whose::Agent(agent) = whose else { return Vec::new() };
        if self.chains.known(agent).is_none() {
            return Vec::new();
        }
        let sessions = &self.sessions;
        let lives = |link: &Link| {
            let session = link.session.and_then(|id| sessions.get(id));
            session.is_some_and(|session| session.end.is_none())
        };
        let begins_anew = self.chains.of(agent).is_some_and(|chain| chain.forget(lives));
        begins_anew.then(|| Row::ChainReset(agent.clone())).into_iter().collect()
    }

    /// Does what is asked of a chain.
    pub fn chain_asked(&mut self, at: Now, asked: ChainRequest) -> (Vec<Row>, ChainReply) {
        match asked {
            ChainRequest::Record(told) => self.record(at, *told),
            ChainRequest::Replace { agent, conversation, continuation, tokens, window } => {
                let context = tokens.map(|tokens| Context { tokens, model: String::new(), window });
                self.replace(at, &agent, conversation, continuation, context)
            }
            ChainRequest::Reset { agent } => {
                if self.chains.known(&agent).is_none() {
                    return refused(ChainRefusal::NoAgent);
                }
                let reset = |chain: &mut Chain| {
                    let count = chain.count;
                    chain.reset();
                    count
                };
                let forgotten = self.chains.of(&agent).map_or(0, reset);
                (vec![Row::ChainReset(agent)], ChainReply::Reset { forgotten })
            }
        }
    }

    fn record(&mut self, at: Now, told: Told) -> (Vec<Row>, ChainReply) {
        let agent = self.spend.agent(&told.agent).to_owned();
        let id = self.conversation_of(&told.conversation);
        if agent == OTHER || self.chains.of(&agent).is_none() {
            return refused(ChainRefusal::TooManyAgents);
        }
        let key = match &told.id {
            Some(said) => UsageKey::of(&format!("api {agent}"), said.as_bytes()).0,
            None => self.random.u64(..),
        };
        let interaction = Interaction {
            key,
            agent: agent.clone(),
            conversation: id.clone(),
            session: None,
            at: at.wall,
            origin: Origin::Api,
            prompt: told.prompt,
            response: told.response,
            metadata: told.metadata,
        };
        let Some(chain) = self.chains.of(&agent) else {
            return refused(ChainRefusal::TooManyAgents);
        };
        let mut rows = Vec::new();
        if let Some(resumes) = told.resumes {
            let deed = Deed::Copied;
            let (agent, conversation) = (agent.clone(), id.clone());
            let process = chain.get(&id).and_then(|link| link.process.clone());
            let resumes = Some(resumes);
            let step = Step { agent, process, conversation, at: at.wall, resumes, deed };
            let mut changed = Changed::new();
            rows.extend(self.stepped(at, vec![step], &mut changed));
        }
        let Some(chain) = self.chains.of(&agent) else {
            return refused(ChainRefusal::TooManyAgents);
        };
        let (interaction, known) = match chain.record(interaction) {
            Ok(new) => (new, false),
            Err(known) => (known, true),
        };
        if let Some(session) = interaction.session.and_then(|id| self.sessions.edit(id)) {
            session.last_activity = session.end.as_ref().map_or(at.wall, |end| end.at);
        }
        rows.push(Row::Interaction(Arc::clone(&interaction)));
        rows.extend(self.links(Changed::from([(agent, id)])));
        (rows, ChainReply::Recorded { interaction, known })
    }

    fn replace(
        &mut self,
        at: Now,
        agent: &str,
        conversation: Option<String>,
        continuation: Continuation,
        context: Option<Context>,
    ) -> (Vec<Row>, ChainReply) {
        let named = conversation.map(|id| self.conversation_of(&id));
        let agent = self.spend.agent(agent).to_owned();
        let room = if agent == OTHER { None } else { self.chains.of(&agent) };
        let Some(chain) = room else { return refused(ChainRefusal::TooManyAgents) };
        let Some(id) = named.or_else(|| chain.current.clone()) else {
            return refused(ChainRefusal::NoConversation);
        };
        let news = chain.replace(&id, at.wall, continuation, context);
        let mut rows = Vec::new();
        for one in news {
            rows.extend(self.told_news(at, &agent, &id, one));
        }
        rows.extend(self.links(Changed::from([(agent.clone(), id.clone())])));
        let chain = self.chains.all().into_iter().find(|chain| chain.agent == agent);
        let chain = chain.unwrap_or_default();
        (rows, ChainReply::Replaced { chain, conversation: id })
    }

    /// The agent's own id of a conversation that may be named by its session.
    fn conversation_of(&self, named: &str) -> String {
        let session = SessionId::parse(named).and_then(|id| self.sessions.get(id));
        let native = session.and_then(|session| session.native_id.clone());
        native.unwrap_or_else(|| clip(named, NATIVE_ID_LENGTH).to_owned())
    }
}

fn refused(refusal: ChainRefusal) -> (Vec<Row>, ChainReply) {
    (Vec::new(), ChainReply::Refused(refusal))
}

fn resumed_from(conversation: &str, session: Option<SessionId>, number: u64) -> Note {
    let session = session.map(|session| session.to_string());
    let detail = json!({ "conversation": conversation, "session": session, "number": number });
    Note::new("resumed_from", "the transcript goes on with an earlier one", detail)
}

fn fuller(fullness: Fullness, link: &Link, limits: &Limits) -> Note {
    let (event_type, trigger, mark) = match fullness {
        Fullness::Full => ("context_full", "the window is full", limits.full_at),
        Fullness::Due | Fullness::Room => {
            ("hand_over_due", "the window is nearly full", limits.hand_over_at)
        }
    };
    let detail = json!({
        "tokens": link.context.as_ref().map(|context| context.tokens),
        "window": link.window(limits),
        "ratio": link.ratio(limits),
        "mark": mark,
    });
    Note::new(event_type, trigger, detail)
}
