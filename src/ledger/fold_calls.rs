//! Calls of models that were told at a door: priced, put to a session, and counted once.

use std::sync::Arc;

use crate::ledger::calls::{self, Called};
use crate::ledger::fold::Ledger;
use crate::ledger::fold_budgets::Spending;
use crate::ledger::fold_chains::Changed;
use crate::ledger::labels::UNKNOWN;
use crate::ledger::request::{Beat, Limits, Named, Refusal, Reply, Spent};
use crate::ledger::row::Row;
use crate::ledger::session::SessionKind;
use crate::tokens::call::Call;
use crate::tokens::{Cost, Usage, UsageKey, UsageSource};
use crate::units::{Now, SessionId};

/// Whose call it is.
struct Payer {
    session: Option<SessionId>,
    process: String,
    agent: String,
    /// The agent's own id, where the session is a conversation.
    conversation: Option<String>,
}

impl Ledger {
    /// Takes in what was told at a door, each call by itself.
    pub(super) fn calls_told(
        &mut self,
        at: Now,
        told: Vec<Call>,
        within: Option<SessionId>,
    ) -> (Reply, Vec<Row>) {
        let (mut spent, mut rows) = (Spent::default(), Vec::new());
        for (index, call) in told.into_iter().enumerate() {
            match self.call_told(at, call, within) {
                Ok(Some(of_call)) => {
                    spent.counted += 1;
                    rows.extend(of_call);
                }
                Ok(None) => spent.known += 1,
                Err(refusal) => spent.refused.push((index, refusal)),
            }
        }
        (Reply::Spent(spent), rows)
    }

    /// The rows of one call; `None` where it counts no more.
    fn call_told(
        &mut self,
        at: Now,
        call: Call,
        within: Option<SessionId>,
    ) -> Result<Option<Vec<Row>>, Refusal> {
        let payer = self.payer(&call, within)?;
        let usage = self.priced(at, &call, &payer);
        let Some(usage) = self.precedence.hear(usage) else { return Ok(None) };
        let mut rows = Vec::new();
        let session = self.booked(at, &call, &payer, &usage, &mut rows);
        let Call { endpoint, latency, failed, .. } = call;
        self.requested(&payer.process, &usage, failed);
        if usage.tokens.total() > 0 || usage.withheld > 0 {
            self.spend.count(&payer.process, &usage, true);
            rows.extend(self.charged(at, &payer.process, &Spending::of(&usage)));
            let process = payer.process.clone();
            rows.push(Row::Usage { session, process, usage: Box::new(usage.clone()) });
        }
        if usage.is_a_response() {
            let process = payer.process;
            self.called(Called { process, session, usage, endpoint, latency, failed });
        }
        Ok(Some(rows))
    }

    /// What an application said with a heartbeat that its session spent: counted and charged like a
    /// call, though it is none and names no model.
    pub(super) fn beat_spent(&mut self, at: Now, id: SessionId, beat: &Beat) -> Vec<Row> {
        self.sessions.spent(id, &beat.tokens, beat.cost);
        if beat.tokens.total() == 0 && beat.cost.is_none() {
            return Vec::new();
        }
        let call = Call { source: UsageSource::Ingest, tokens: beat.tokens, ..Call::default() };
        let call = Call { model: UNKNOWN.to_owned(), ..call };
        let Ok(payer) = self.payer(&call, Some(id)) else { return Vec::new() };
        let cost = beat.cost.map_or(Cost::Unpriced, Cost::Priced);
        let usage = Usage { cost, ..self.priced(at, &call, &payer) };
        let process = payer.process;
        self.spend.count(&process, &usage, false);
        let mut rows = self.charged(at, &process, &Spending::of(&usage));
        rows.push(Row::Usage { session: Some(id), process, usage: Box::new(usage) });
        rows
    }

    /// Keeps a call for those who look.
    pub(super) fn called(&mut self, called: Called) {
        let called = Arc::new(called);
        calls::add(&mut self.calls, Arc::clone(&called));
        if self.tells_calls {
            self.newly_called.push(called);
        }
    }

    /// The calls since this was last asked, where they are to be told of.
    pub fn take_called(&mut self) -> Vec<Arc<Called>> {
        std::mem::take(&mut self.newly_called)
    }

    /// Counts a request for its outcome.
    pub(super) fn requested(&mut self, process: &str, usage: &Usage, failed: bool) {
        if usage.is_a_response() {
            self.spend.requested(process, usage, failed);
        }
    }

    fn payer(&mut self, call: &Call, within: Option<SessionId>) -> Result<Payer, Refusal> {
        let session = match &call.session {
            Some(id) => {
                Some(self.find(&Named { id: id.clone(), within, limits: Limits::default() })?)
            }
            None => within,
        };
        let known = session.and_then(|id| self.sessions.get(id));
        let process = known.map_or(UNKNOWN, |known| known.process.as_str()).to_owned();
        let of_session = known.and_then(|known| known.agent.clone());
        let native = known.filter(|known| known.kind == SessionKind::Conversation);
        let conversation = native.and_then(|known| known.native_id.clone());
        let configured = || {
            let mut all = self.processes.iter();
            all.find(|one| one.view.name == process).and_then(|one| one.view.agent.clone())
        };
        let agent = call.agent.clone().or(of_session).or_else(configured);
        let agent = agent.unwrap_or_else(|| UNKNOWN.to_owned());
        let agent = self.spend.agent(&agent).to_owned();
        Ok(Payer { session, process, agent, conversation })
    }

    fn priced(&mut self, at: Now, call: &Call, payer: &Payer) -> Usage {
        let label = self.prices.label(&call.model);
        let when = call.at.unwrap_or(at.wall);
        let native = || match (&payer.conversation, payer.session) {
            (Some(native), _) => native.clone(),
            // Two signals of one sender are two sources, though it names no conversation.
            (None, Some(session)) if call.source != UsageSource::Ingest => session.to_string(),
            (None, _) => String::new(),
        };
        let conversation = match call.conversation.is_empty() {
            true => native(),
            false => call.conversation.clone(),
        };
        Usage {
            key: call.key.unwrap_or_else(|| UsageKey(self.random.u64(..))),
            source: call.source,
            agent: payer.agent.clone(),
            provider: call.provider.clone().unwrap_or_else(|| label.provider.to_owned()),
            model: label.model,
            conversation,
            at: when,
            tokens: call.tokens,
            reasoning: call.reasoning.min(call.tokens.output),
            cost: self.prices.cost(&call.model, when, &call.tokens, &call.extras),
            withheld: 0,
        }
    }

    /// Books a call on its conversation where it names one, else on the session that it belongs to.
    fn booked(
        &mut self,
        at: Now,
        call: &Call,
        payer: &Payer,
        usage: &Usage,
        rows: &mut Vec<Row>,
    ) -> Option<SessionId> {
        let talks = payer.conversation.is_none() && !call.conversation.is_empty();
        let ix = self.named(&payer.process).filter(|_| talks);
        let session = ix.and_then(|ix| self.attribute(at, ix, usage, rows)).or(payer.session);
        if let Some(id) = session {
            rows.extend(self.signed(at, id));
            let changed = self.spent(at, id, usage);
            rows.extend(changed.into_iter().flatten().flat_map(|id| self.told(at, id)));
        }
        if talks {
            let mut changed = Changed::new();
            self.responded(usage, session, &mut changed);
            rows.extend(self.links(changed));
        }
        session
    }
}
