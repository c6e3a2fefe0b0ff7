//! The chains of agents: what transcripts and applications tell of conversations, with the rows to
//! keep and the events to tell on their sessions.

use std::collections::BTreeSet;

use serde_json::json;

use crate::chains::chain::{Chains, KeptChain, Link, News};
use crate::chains::limits::{Fullness, Limits};
use crate::chains::step::Step;
use crate::config::plan::Plan;
use crate::ledger::fold::Ledger;
use crate::ledger::labels::{OTHER, UNKNOWN, clip};
use crate::ledger::row::Row;
use crate::ledger::sessions::Note;
use crate::tokens::Usage;
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
        let agent = self.spend.agent(&usage.agent).to_owned();
        let conversation = clip(&usage.conversation, NATIVE_ID_LENGTH);
        if conversation.is_empty() || agent == UNKNOWN || agent == OTHER {
            return;
        }
        let Some(chain) = self.chains.of(&agent) else { return };
        chain.responded(conversation, usage.at, session);
        changed.insert((agent, conversation.to_owned()));
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
