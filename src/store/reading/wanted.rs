//! Which sessions are asked for. An empty list asks for all.

use super::place::{Cursor, Place};
use crate::ledger::session::{Session, SessionKind, SessionState};
use crate::units::{SessionId, Wall};

/// Which sessions are asked for, newest first, and from where on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// In one of these states.
    pub states: Vec<SessionState>,
    /// Of one of these kinds.
    pub kinds: Vec<SessionKind>,
    /// Of one of these processes.
    pub processes: Vec<String>,
    /// Of one of these users.
    pub users: Vec<String>,
    /// Of one of these agents.
    pub agents: Vec<String>,
    /// A part of this one.
    pub parent: Option<SessionId>,
    /// In this checkout or folder.
    pub project: Option<String>,
    /// Opened then or later.
    pub since: Option<Wall>,
    /// Opened before.
    pub until: Option<Wall>,
    /// Ended, or not.
    pub standing: Option<Standing>,
    /// Whose identity, or name with whoever opened it, begins so.
    pub prefix: Option<String>,
    /// Behind this place.
    pub after: Option<Place>,
    /// How many at most.
    pub limit: u32,
}

/// Whether a session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not yet.
    Live,
    /// It has.
    Ended,
}

impl Wanted {
    /// Whether a session is among those, wherever the page begins.
    pub fn admits(&self, session: &Session) -> bool {
        let user = session.user();
        (self.states.is_empty() || self.states.contains(&session.state))
            && (self.kinds.is_empty() || self.kinds.contains(&session.kind))
            && among(&self.processes, Some(&session.process))
            && among(&self.users, user)
            && among(&self.agents, session.agent.as_deref())
            && self.parent.is_none_or(|parent| session.parent == Some(parent))
            && self.project.as_ref().is_none_or(|it| session.project().as_ref() == Some(it))
            && self.since.is_none_or(|since| session.started >= since)
            && self.until.is_none_or(|until| session.started < until)
            && self.standing.is_none_or(|standing| standing == Standing::of(session))
            && self.prefix.as_ref().is_none_or(|prefix| begins(session, prefix))
    }

    /// Tells questions for other sessions apart, whatever page they ask for.
    pub fn shape(&self) -> u32 {
        let shape = Self { after: None, limit: 0, ..self.clone() };
        // FNV-1a: the same in every life, unlike the hash of the standard library.
        let bytes = format!("{shape:?}").into_bytes();
        bytes.iter().fold(0x811c_9dc5, |hash: u32, byte| {
            (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
        })
    }

    /// The cursor behind a session, in a history of this life alone or of all.
    pub fn cursor(&self, place: Place, life: Option<Wall>) -> Cursor {
        Cursor { shape: self.shape(), life, place }
    }
}

impl Standing {
    fn of(session: &Session) -> Self {
        if session.end.is_some() { Self::Ended } else { Self::Live }
    }
}

impl Place {
    /// The place of a session.
    pub fn of(session: &Session) -> Self {
        Self { started: session.started, id: session.id }
    }
}

fn among(names: &[String], name: Option<&str>) -> bool {
    names.is_empty() || name.is_some_and(|name| names.iter().any(|known| known == name))
}

fn begins(session: &Session, prefix: &str) -> bool {
    let of_id = session.id.to_string().starts_with(&prefix.to_ascii_uppercase());
    of_id || session.native_id.as_ref().is_some_and(|id| id.starts_with(prefix))
}
