//! What applications ask for: external sessions are opened, kept alive and closed.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use crate::context::Context;
use crate::ledger::activity::Bounds;
use crate::ledger::fold::{Ledger, batch};
use crate::ledger::labels::{UNKNOWN, clip};
use crate::ledger::outcome::Outcome;
use crate::ledger::request::{
    Beat, Closing, Limits, Named, Opening, OwnContext, Refusal, Reply, Request,
};
use crate::ledger::row::{Batch, EventSource, Row};
use crate::ledger::session::{Session, SessionKind, SessionState};
use crate::ledger::sessions::Note;
use crate::units::{Now, SessionId};

/// The most labels of one session, its parent's included.
pub const MOST_LABELS: usize = 16;

/// The longest reason of an end that is kept, in bytes.
const LONGEST_REASON: usize = 500;

/// The longest note of a heartbeat that is kept, in bytes.
const LONGEST_NOTE: usize = 500;

/// A heartbeat that says nothing else is kept this often, so that a next life knows when a session
/// was last alive.
const KEEP_BEATS: std::time::Duration = std::time::Duration::from_secs(30);

/// How long a place is kept for a command that was admitted and has not begun; one that cannot be
/// started is not heard of again.
const KEEP_PLACE: std::time::Duration = std::time::Duration::from_secs(5);

pub(super) type Answer = Result<(Reply, Vec<Row>), Refusal>;

impl Ledger {
    /// Takes in what somebody asks for, and answers.
    pub fn ask(&mut self, at: Now, request: Request) -> (Reply, Vec<Batch>) {
        let mut batches = self.turn_to(at);
        let answer = match request {
            Request::Open(opening) => self.open_external(at, *opening),
            Request::Beat { session, beat } => self.beat(at, &session, beat),
            Request::Close { session, closing } => self.close_external(at, &session, closing),
            Request::Dropped(session) => self.dropped(at, session),
            Request::Chain(asked) => {
                let (rows, reply) = self.chain_asked(at, asked);
                Ok((Reply::Chain(reply), rows))
            }
            Request::Count { calls, within, heard } => {
                self.spend.heard(heard);
                Ok(self.calls_told(at, calls, within))
            }
            Request::Label { process, label } => self.label_memory(at, &process, &label),
            Request::OrphansEnded { asked, killed } => {
                self.house.orphans_ended += asked;
                self.house.orphans_killed += killed;
                Ok((Reply::Noted, Vec::new()))
            }
            Request::Admit => self.admit(at).map(|()| (Reply::Admitted, Vec::new())),
        };
        match answer {
            Ok((reply, rows)) => {
                batches.extend(batch(rows));
                (reply, batches)
            }
            Err(refusal) => (Reply::Refused(refusal), batches),
        }
    }

    /// Whether one more may be opened; counts where it may not.
    fn room(&mut self) -> Result<(), Refusal> {
        if self.house.stopping {
            return Err(Refusal::GoingDown);
        }
        let limit = self.rules.max_concurrent;
        if self.open_bounded() < limit as usize {
            return Ok(());
        }
        self.house.sessions_refused += 1;
        Err(Refusal::Limit { limit })
    }

    /// Keeps a place for a command until it runs, so that of many that are asked for at once no more are
    /// started than may be.
    fn admit(&mut self, at: Now) -> Result<(), Refusal> {
        self.admitted.retain(|until| *until > at.mono);
        self.room()?;
        self.affords(at, UNKNOWN, None)?;
        self.admitted.push(at.mono.after(KEEP_PLACE));
        Ok(())
    }

    /// External sessions and spawned commands that are open, and places that are kept for some.
    pub(super) fn open_bounded(&self) -> usize {
        let spawned = self.processes.iter().filter(|one| one.spawned && one.run.is_some());
        let kept = self.admitted.iter().filter(|until| **until > self.now.mono);
        self.externals.count() + spawned.count() + kept.count()
    }

    fn open_external(&mut self, at: Now, opening: Opening) -> Answer {
        if let Some(id) = opening.native_id.as_deref().and_then(|id| self.externals.by_native(id)) {
            return self.open_again(at, id, &opening);
        }
        if let Some(ended) = opening.native_id.as_deref().and_then(|id| self.sessions.native(id)) {
            return Err(Refusal::Ended { session: ended.id, state: ended.state });
        }
        let parent = self.parent_of(&opening)?;
        self.room()?;
        let id = SessionId::new(at.wall, self.random.u128(..));
        let session = self.external(id, at, parent, &opening);
        self.affords(at, &session.process, session.agent.as_deref())?;
        let detail = json!({
            "native_id": opening.native_id,
            "parent": parent.map(|parent| parent.to_string()),
            "on_parent_end": opening.on_parent_end.as_str(),
            "bound": opening.bound,
        });
        let note =
            Note::new("opened", "asked for by an application", detail).from(EventSource::Api);
        let rows = self.sessions.open(session, at, note);
        let policy = opening.on_parent_end;
        self.externals.insert(id, parent, opening.native_id, policy, at.mono);
        self.bind(id, opening.bound);
        let rules = &self.rules;
        let bounds = Bounds { idle: rules.idle_timeout, longest: rules.max_duration };
        self.activity.watch(id, bounds, at.mono);
        Ok((self.opened(id, true)?, rows))
    }

    fn open_again(&mut self, at: Now, id: SessionId, opening: &Opening) -> Answer {
        if !self.is_within(id, opening.within) || !self.is_for(id, &opening.limits) {
            let id = opening.native_id.clone().unwrap_or_default();
            return Err(Refusal::Taken(id));
        }
        self.bind(id, opening.bound);
        let rows = self.signed(at, id);
        Ok((self.opened(id, false)?, rows))
    }

    fn opened(&self, id: SessionId, new: bool) -> Result<Reply, Refusal> {
        let session = self.sessions.shared(id).ok_or(Refusal::Unknown(id.to_string()))?;
        Ok(Reply::Opened { session, new })
    }

    fn bind(&mut self, id: SessionId, bound: bool) {
        if let Some(open) = self.externals.get_mut(id).filter(|_| bound) {
            open.bound = Some(open.bound.unwrap_or(0) + 1);
        }
    }

    /// The parent that is named, else the session that the asker is in.
    fn parent_of(&self, opening: &Opening) -> Result<Option<SessionId>, Refusal> {
        let within = opening.within;
        let parent = match &opening.parent {
            Some(id) => {
                let limits = opening.limits.clone();
                self.find(&Named { id: id.clone(), within, limits })?
            }
            None => match within {
                Some(id) => id,
                None => return Ok(None),
            },
        };
        let known = self.sessions.get(parent);
        let known = known.ok_or_else(|| Refusal::Unknown(parent.to_string()))?;
        match known.state {
            state if state.is_end() => Err(Refusal::Ended { session: parent, state }),
            SessionState::Stopping => Err(Refusal::Stopping(parent)),
            _ => Ok(Some(parent)),
        }
    }

    fn external(
        &mut self,
        id: SessionId,
        at: Now,
        parent: Option<SessionId>,
        opening: &Opening,
    ) -> Session {
        let parent = parent.and_then(|parent| self.sessions.get(parent));
        let process = parent.map_or(UNKNOWN, |parent| parent.process.as_str()).to_owned();
        let inherited = parent.and_then(|parent| parent.agent.clone());
        let context = context(parent.and_then(|parent| parent.context.as_deref()), &opening.own);
        let parent = parent.map(|parent| parent.id);
        let agent = opening.own.agent.as_deref().map(|agent| self.spend.agent(agent).to_owned());
        Session {
            kind: SessionKind::External,
            parent,
            agent: agent.or(inherited),
            native_id: opening.native_id.clone(),
            state: SessionState::Active,
            context: Some(Arc::new(context)),
            ..Session::opened(id, process, at.wall)
        }
    }

    fn beat(&mut self, at: Now, named: &Named, beat: Beat) -> Answer {
        let id = self.find_open(named)?;
        let mut rows = self.signed(at, id);
        if beat.tells() {
            rows.extend(self.beat_spent(at, id, &beat));
            let note = beat.note.as_deref().map(|note| clip(note, LONGEST_NOTE));
            let detail = json!({
                "note": note,
                "tokens": beat.tokens.total(),
                "cost_nano_usd": beat.cost,
            });
            let note =
                Note::new("heartbeat", "told by its application", detail).from(EventSource::Api);
            rows.extend(self.sessions.note(id, at, note));
        } else if let Some(open) = self.externals.get_mut(id)
            && at.mono.since(open.kept) >= KEEP_BEATS
        {
            open.kept = at.mono;
            rows.extend(self.sessions.projection(id));
        }
        Ok((self.done(id)?, rows))
    }

    fn close_external(&mut self, at: Now, named: &Named, closing: Closing) -> Answer {
        let id = self.find_open(named)?;
        let (state, usual) = match closing.failed {
            true => (SessionState::Failed, "closed by its application as failed"),
            false => (SessionState::Completed, "closed by its application"),
        };
        let reason = closing.reason.as_deref().map_or(usual, |text| clip(text, LONGEST_REASON));
        let outcome = Outcome { state, reason: reason.to_owned() };
        let rows = self.end_tree(at, id, &outcome, None);
        Ok((self.done(id)?, rows))
    }

    /// A connection that a session was bound to is gone: with the last one it ends.
    fn dropped(&mut self, at: Now, id: SessionId) -> Answer {
        let unknown = || Refusal::Unknown(id.to_string());
        let open = self.externals.get_mut(id).ok_or_else(unknown)?;
        let left = open.bound.unwrap_or(0).saturating_sub(1);
        open.bound = Some(left);
        let mut rows = Vec::new();
        if left == 0 {
            let reason = "the connection that it was bound to is gone".to_owned();
            let outcome = Outcome { state: SessionState::Completed, reason };
            rows = self.end_tree(at, id, &outcome, None);
        }
        Ok((self.done(id)?, rows))
    }

    fn done(&self, id: SessionId) -> Result<Reply, Refusal> {
        self.sessions.shared(id).map(Reply::Done).ok_or(Refusal::Unknown(id.to_string()))
    }

    /// The session that is meant, live or newly ended.
    pub(super) fn find(&self, named: &Named) -> Result<SessionId, Refusal> {
        let known = SessionId::parse(&named.id).filter(|id| self.sessions.get(*id).is_some());
        let ended = || self.sessions.native(&named.id).map(|session| session.id);
        let found = known.or_else(|| self.externals.by_native(&named.id)).or_else(ended);
        found
            .filter(|id| self.is_within(*id, named.within) && self.is_for(*id, &named.limits))
            .ok_or_else(|| Refusal::Unknown(named.id.clone()))
    }

    fn find_open(&self, named: &Named) -> Result<SessionId, Refusal> {
        let id = self.find(named)?;
        let session = self.sessions.get(id).ok_or_else(|| Refusal::Unknown(named.id.clone()))?;
        match session {
            Session { kind, .. } if *kind != SessionKind::External => Err(Refusal::NotExternal(id)),
            Session { state, .. } if state.is_end() => {
                Err(Refusal::Ended { session: id, state: *state })
            }
            Session { state: SessionState::Stopping, .. } => Err(Refusal::Stopping(id)),
            _ => Ok(id),
        }
    }

    /// Whether a session is this one or lies below it.
    fn is_within(&self, id: SessionId, within: Option<SessionId>) -> bool {
        within.is_none_or(|within| self.sessions.chain(id).contains(&within))
    }

    /// Whether a session is inside limits, by what it or the nearest above it says of whose it is.
    fn is_for(&self, id: SessionId, limits: &Limits) -> bool {
        if limits.are_none() {
            return true;
        }
        let chain = self.sessions.chain(id);
        let known = || chain.iter().filter_map(|id| self.sessions.get(*id));
        let configured = || {
            let process = &known().next()?.process;
            let one = self.processes.iter().find(|one| one.view.name == *process)?;
            one.view.agent.as_deref()
        };
        let agent = known().find_map(|one| one.agent.as_deref()).or_else(configured);
        limits.admit(known().find_map(Session::user), agent)
    }
}

/// The context of a session inside another, with what it says of itself.
fn context(inherited: Option<&Context>, own: &OwnContext) -> Context {
    let ours = || Context {
        uid: own.uid.unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Context::default()
    };
    let mut context = inherited.cloned().unwrap_or_else(ours);
    context.command.clear();
    if let Some(dir) =
        own.working_dir.clone().filter(|dir| context.working_dir.as_ref() != Some(dir))
    {
        context.working_dir = Some(dir);
        context.git = None;
    }
    if let Some(user) = &own.user {
        context.user = Some(user.clone());
    }
    context.labels = labels(&context.labels, &own.labels);
    context
}

/// Its own labels, and those of its parent for which there is room.
fn labels(
    inherited: &BTreeMap<String, String>,
    own: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<_, _> =
        own.iter().take(MOST_LABELS).map(|(name, value)| (name.clone(), value.clone())).collect();
    for (name, value) in inherited {
        if labels.len() < MOST_LABELS {
            labels.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    labels
}
