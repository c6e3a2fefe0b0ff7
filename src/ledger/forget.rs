//! Whose sessions are to be forgotten. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::ledger::session::{Session, SessionState};
use crate::units::{SessionId, Wall};

/// Which ended sessions go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Those of a user, with all that are a part of them.
    User(String),
    /// Those of an agent, with all that are a part of them.
    Agent(String),
    /// Those that ended before a time, in one of these states, or in any where none is named.
    Older {
        /// Before when.
        than: Wall,
        /// In which states.
        states: Vec<SessionState>,
    },
}

impl Whose {
    /// Those of these sessions that go. A part of one that is meant is meant as well.
    pub fn among<'a>(
        &self,
        sessions: impl Iterator<Item = &'a Arc<Session>> + Clone,
    ) -> BTreeSet<SessionId> {
        let mut meant: BTreeSet<SessionId> =
            sessions.clone().filter(|session| self.names(session)).map(|it| it.id).collect();
        let deep = !matches!(self, Self::Older { .. });
        loop {
            let before = meant.len();
            let parts = sessions.clone().filter(|session| {
                deep && session.parent.is_some_and(|parent| meant.contains(&parent))
            });
            let parts: Vec<SessionId> = parts.map(|session| session.id).collect();
            meant.extend(parts);
            if meant.len() == before {
                return meant;
            }
        }
    }

    fn names(&self, session: &Session) -> bool {
        match self {
            Self::User(user) => session.user() == Some(user),
            Self::Agent(agent) => session.agent.as_ref() == Some(agent),
            Self::Older { than, states } => {
                let ended = session.end.as_ref().is_some_and(|end| end.at < *than);
                ended && (states.is_empty() || states.contains(&session.state))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u128) -> SessionId {
        SessionId::new(Wall(1), n)
    }

    fn session(n: u128, parent: Option<u128>, agent: Option<&str>) -> Arc<Session> {
        Arc::new(Session {
            parent: parent.map(id),
            agent: agent.map(str::to_owned),
            ..Session::opened(id(n), "web".to_owned(), Wall(1))
        })
    }

    #[test]
    fn parts_go_with_what_they_are_a_part_of() {
        let sessions = [
            session(1, Some(2), None),
            session(2, Some(3), None),
            session(3, None, Some("claude")),
            session(4, None, None),
        ];
        let meant = Whose::Agent("claude".to_owned()).among(sessions.iter());
        assert_eq!(meant, BTreeSet::from([id(1), id(2), id(3)]));
        assert!(Whose::User("jane".to_owned()).among(sessions.iter()).is_empty());
    }

    #[test]
    fn only_what_ended_is_old() {
        let older = Whose::Older { than: Wall(10), states: vec![] };
        assert!(older.among([session(1, None, None)].iter()).is_empty());
    }
}
