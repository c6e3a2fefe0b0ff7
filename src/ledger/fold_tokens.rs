//! What the agents spent: counted, and put to the conversation and the run that it belongs to.
//!
//! A batch stays one batch: responses, how far the files are read and which keys are seen are kept
//! together or not at all, so that a restart neither loses a token nor counts one twice.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::chains::step::Deed;
use crate::ledger::calls::Called;
use crate::ledger::conversations::Key;
use crate::ledger::fold::Ledger;
use crate::ledger::fold_budgets::Spending;
use crate::ledger::fold_chains::{Changed, NATIVE_ID_LENGTH};
use crate::ledger::labels::{UNKNOWN, clip};
use crate::ledger::outcome::{Outcome, summary};
use crate::ledger::row::{EventSource, Row};
use crate::ledger::session::{Figures, Session, SessionKind, SessionState, Totals};
use crate::ledger::sessions::Note;
use crate::tokens::{Cost, TokenBatch, Usage};
use crate::units::{Now, ProcessIx, SessionId, Wall};

/// The run that a response belongs to.
struct Owner {
    session: SessionId,
    /// Its end, where it has ended.
    outcome: Option<Outcome>,
}

/// What is counted together, and what comes of it.
pub(super) struct Counting {
    pub(super) at: Now,
    pub(super) ix: Option<ProcessIx>,
    /// The name that it counts for.
    pub(super) process: String,
    /// Sessions whose figures grew.
    pub(super) changed: BTreeSet<SessionId>,
    pub(super) rows: Vec<Row>,
}

impl Ledger {
    /// Takes in what following the logs found.
    pub(super) fn tokens_read(&mut self, at: Now, batch: TokenBatch) -> Vec<Row> {
        let ix = batch.process.as_deref().and_then(|name| self.named(name));
        let process = match ix {
            Some(ix) => self.processes[ix.0].view.name.clone(),
            None => UNKNOWN.to_owned(),
        };
        let (changed, rows) = (BTreeSet::new(), Vec::new());
        let telling = batch.telling;
        let mut counting = Counting { at, ix, process, changed, rows };
        let mut talked = Changed::new();
        for usage in batch.usages {
            self.count(&mut counting, usage, true, &mut talked);
        }
        if let Some(telling) = telling {
            self.being_told(&mut counting, telling);
        }
        let Counting { process, changed, mut rows, .. } = counting;
        for correction in &batch.corrections {
            self.spend.correct(&process, correction);
            rows.extend(self.charged(at, &process, &Spending::more(correction)));
        }
        self.spend.read(&batch.lines);
        self.files = batch.files.unwrap_or(self.files);
        self.lag = batch.lag.unwrap_or(self.lag);
        batch.quotas.into_iter().for_each(|quota| self.spend.limited(quota));
        let compacted = batch.steps.iter().filter(|step| step.deed == Deed::Compacted);
        compacted.for_each(|step| self.spend.compacted(&step.agent));
        rows.extend(changed.into_iter().flat_map(|id| self.told(at, id)));
        rows.extend(self.stepped(at, batch.steps, &mut talked));
        rows.extend(self.links(talked));
        rows.extend(batch.progress.into_iter().map(Row::Progress));
        rows.extend(batch.seeded.into_iter().map(Row::Seen));
        rows
    }

    /// Counts what was spent, where its source is believed; whether it is. What is no response of its
    /// own is the rest of some that were told before.
    pub(super) fn count(
        &mut self,
        counting: &mut Counting,
        usage: Usage,
        response: bool,
        talked: &mut Changed,
    ) -> bool {
        let Some(usage) = self.precedence.hear(usage) else { return false };
        let Counting { at, ix, process, changed, rows } = counting;
        let (at, ix, process) = (*at, *ix, process.clone());
        self.spend.count(&process, &usage, response);
        rows.extend(self.charged(at, &process, &Spending::of(&usage)));
        rows.extend(ix.into_iter().flat_map(|ix| self.spent_behind(at, ix, &usage)));
        let session = ix.and_then(|ix| self.attribute(at, ix, &usage, rows));
        if let Some(id) = session {
            rows.extend(self.signed(at, id));
        }
        changed.extend(session.and_then(|id| self.spent(at, id, &usage)).into_iter().flatten());
        self.responded(&usage, session, talked);
        if response {
            self.requested(&process, &usage, false);
            self.called(Called {
                process: process.clone(),
                session,
                usage: usage.clone(),
                endpoint: None,
                latency: None,
                failed: false,
            });
        }
        rows.push(Row::Usage { session, process, usage: Box::new(usage) });
        true
    }

    /// Takes in all responses of a process that are being told, so that gauges show them; nothing of
    /// them is counted, nor kept.
    fn being_told(&mut self, counting: &mut Counting, telling: Vec<Usage>) {
        let Counting { at, ix, process, rows, .. } = counting;
        let mut open: BTreeMap<SessionId, Figures> = BTreeMap::new();
        for usage in telling {
            let Some(usage) = self.precedence.foresee(usage) else { continue };
            let session = ix.and_then(|ix| self.attribute(*at, ix, &usage, rows));
            if let Some(id) = session {
                rows.extend(self.signed(*at, id));
                self.attended(&usage, id);
                book(open.entry(id).or_default(), &usage);
            }
        }
        self.telling.insert(process.clone(), open);
        self.telling.retain(|_, open| !open.is_empty());
    }

    /// What is kept of a session whose figures grew. One that has ended gets an event with all of
    /// them, because the summary at its end is short of what was closed only later.
    pub(super) fn told(&mut self, at: Now, id: SessionId) -> Vec<Row> {
        let Some(session) = self.sessions.get(id) else { return Vec::new() };
        match &session.end {
            None => self.sessions.projection(id).into_iter().collect(),
            Some(end) => {
                let figures = summary(session, end, session.events + 1);
                let note =
                    Note::new("tokens_late", "a response was closed behind the end", figures)
                        .from(EventSource::Tail);
                self.sessions.note(id, at, note)
            }
        }
    }

    pub(super) fn named(&self, name: &str) -> Option<ProcessIx> {
        self.processes.iter().position(|process| process.view.name == name).map(ProcessIx)
    }

    /// The session of the conversation that a response belongs to, opened if need be; `None` for a
    /// process that has had no run in this life.
    pub(super) fn attribute(
        &mut self,
        at: Now,
        ix: ProcessIx,
        usage: &Usage,
        rows: &mut Vec<Row>,
    ) -> Option<SessionId> {
        let owner = self.owner(ix, usage.at)?;
        let key = Key {
            run: owner.session,
            agent: self.spend.agent(&usage.agent).to_owned(),
            native_id: clip(&usage.conversation, NATIVE_ID_LENGTH).to_owned(),
        };
        let Some(known) = self.conversations.used(&key, at.mono) else {
            return Some(self.open_conversation(at, ix, key, owner.outcome, rows));
        };
        if known.was_idle {
            let note = Note::new("resumed", "usage", json!({})).from(EventSource::Tail);
            rows.extend(self.sessions.advance(known.session, SessionState::Active, at, note));
        }
        Some(known.session)
    }

    /// The live run, or the last one where none is live or the response is older than the live
    /// one: a response is closed seconds after it was given, when its run may have been replaced.
    fn owner(&self, ix: ProcessIx, given: Wall) -> Option<Owner> {
        let process = self.processes.get(ix.0)?;
        let live = process.run.as_ref();
        let last = process.last.as_ref();
        match (live, last) {
            (Some(run), Some(last)) if given < run.started => Some(Owner::ended(last)),
            (Some(run), _) => Some(Owner { session: run.session, outcome: None }),
            (None, last) => last.map(Owner::ended),
        }
    }

    fn open_conversation(
        &mut self,
        at: Now,
        ix: ProcessIx,
        key: Key,
        ended: Option<Outcome>,
        rows: &mut Vec<Row>,
    ) -> SessionId {
        let id = SessionId::new(at.wall, self.random.u128(..));
        let process = self.processes[ix.0].view.name.clone();
        let note = Note::new("opened", "first usage", json!({ "native_id": key.native_id }))
            .from(EventSource::Tail);
        rows.extend(self.sessions.open(conversation(id, process, &key, at), at, note));
        rows.extend(self.gone_on(at, &key.agent, &key.native_id, id));
        if let Some(silent) = self.conversations.follow(key, id, at.mono) {
            rows.extend(self.sessions.end(silent, at, &gave_way(), None));
        }
        if let Some(outcome) = ended {
            rows.extend(self.sessions.end(id, at, &outcome.of_conversation(), None));
        }
        id
    }

    /// Books a response on its conversation and on the run around it; answers with both.
    pub(super) fn spent(
        &mut self,
        at: Now,
        id: SessionId,
        usage: &Usage,
    ) -> Option<Vec<SessionId>> {
        let parent = self.sessions.get(id)?.parent;
        let both: Vec<SessionId> = std::iter::once(id).chain(parent).collect();
        for id in &both {
            if let Some(session) = self.sessions.edit(*id) {
                book(&mut session.figures, usage);
                // Nothing is active behind its end.
                session.last_activity = session.end.as_ref().map_or(at.wall, |end| end.at);
            }
        }
        // What a conversation uses is its run's own already, so that it is added once for all.
        for id in self.sessions.chain(id) {
            if let Some(session) = self.sessions.edit(id) {
                add(&mut session.total, usage);
            }
        }
        Some(both)
    }
}

impl Owner {
    fn ended(last: &crate::ledger::fold::LastRun) -> Self {
        Self { session: last.session, outcome: Some(last.outcome.clone()) }
    }
}

fn book(figures: &mut Figures, usage: &Usage) {
    figures.tokens = figures.tokens.plus(&usage.tokens);
    match usage.cost {
        Cost::Priced(money) => figures.cost = figures.cost.saturating_add(money),
        Cost::Unpriced | Cost::Estimated(_) => {
            figures.unpriced_tokens = figures.unpriced_tokens.saturating_add(usage.tokens.total());
        }
    }
}

fn add(total: &mut Totals, usage: &Usage) {
    total.tokens = total.tokens.plus(&usage.tokens);
    match usage.cost {
        Cost::Priced(money) => total.cost = total.cost.saturating_add(money),
        Cost::Unpriced | Cost::Estimated(_) => {
            total.unpriced_tokens = total.unpriced_tokens.saturating_add(usage.tokens.total());
        }
    }
}

fn gave_way() -> Outcome {
    let reason = "silent for longest among too many conversations of one run".to_owned();
    Outcome { state: SessionState::Completed, reason }
}

fn conversation(id: SessionId, process: String, key: &Key, at: Now) -> Session {
    Session {
        kind: SessionKind::Conversation,
        parent: Some(key.run),
        agent: Some(key.agent.clone()),
        native_id: Some(key.native_id.clone()),
        state: SessionState::Active,
        ..Session::opened(id, process, at.wall)
    }
}
