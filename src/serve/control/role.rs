//! What those who ask may do. Pure.

use std::fmt;

use super::peers::{Peer, Place};
use super::problem::Problem;
use crate::ledger::snapshot::Snapshot;
use crate::units::SessionId;

/// Who asks, and as what they count.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// For the log.
    pub(super) who: Who,
    /// As what they count.
    pub(super) role: Role,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(super) enum Who {
    /// At the other end of the socket.
    Peer(Peer),
    /// Somebody who knows the token, at this address.
    Remote(std::net::SocketAddr),
}

/// As what somebody counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// May do everything.
    Operator,
    /// Runs inside a run: may look, and act on that run.
    Member {
        /// The process that it is a run of.
        process: String,
        /// The session that it is.
        session: SessionId,
    },
    /// May look.
    Onlooker,
}

impl Role {
    /// By where a peer stands.
    pub(super) fn of(place: &Place) -> Self {
        match place {
            Place::Outside => Self::Operator,
            Place::Inside { process, session } => {
                Self::Member { process: process.clone(), session: *session }
            }
            Place::Unknown => Self::Onlooker,
        }
    }

    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Member { .. } => "member",
            Self::Onlooker => "onlooker",
        }
    }

    /// Whether they may order something of these processes.
    pub(super) fn may_order(&self, names: &[String], picture: &Snapshot) -> Result<(), Problem> {
        let Self::Member { process, session } = self else { return self.may_order_all() };
        let is_current = || {
            let mut processes = picture.processes.iter();
            let own = processes.find(|it| it.name == *process);
            own.and_then(|own| own.run.as_ref()).is_some_and(|run| run.session == *session)
        };
        if names.iter().all(|name| name == process) && is_current() {
            return Ok(());
        }
        let detail = format!(
            "the asker runs inside {process} (session {session}) and may act on that run only"
        );
        Err(Problem::forbidden(detail).suggest(OUTSIDE))
    }

    /// Whether they may order what concerns everything.
    pub(super) fn may_order_all(&self) -> Result<(), Problem> {
        let detail = match self {
            Self::Operator => return Ok(()),
            Self::Member { process, session } => format!(
                "the asker runs inside {process} (session {session}) and may look, and act on that run only"
            ),
            Self::Onlooker => "the asker was started by one of the processes here, or cannot be \
                               told from one, and may only look"
                .to_owned(),
        };
        Err(Problem::forbidden(detail).suggest(OUTSIDE))
    }
}

/// What somebody can do who may not.
const OUTSIDE: &str = "give the order from outside: `docker exec … procession …`, or a terminal that \
                       procession did not start";

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.who {
            Who::Peer(Peer { pid, uid, name, .. }) => write!(f, "{name} (pid {pid}, uid {uid}")?,
            Who::Remote(address) => write!(f, "{address} (by token")?,
        }
        match &self.role {
            Role::Member { process, .. } => write!(f, ", inside {process})"),
            role => write!(f, ", {})", role.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::control::example;

    fn member(n: u64) -> Role {
        Role::Member { process: "web".to_owned(), session: example::session(n) }
    }

    fn check(role: &Role, names: &[&str], allowed: bool) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let answer = role.may_order(&names, &example::picture());
        assert_eq!(answer.is_ok(), allowed, "{role:?} {names:?}");
    }

    #[test]
    fn each_role_may_what_it_may() {
        check(&Role::Operator, &["web", "db"], true);
        check(&Role::Onlooker, &["web"], false);
        check(&member(1), &["web"], true);
        check(&member(1), &["db"], false);
        check(&member(1), &["web", "db"], false);
        assert!(Role::Operator.may_order_all().is_ok());
        assert!(member(1).may_order_all().is_err());
        assert!(Role::Onlooker.may_order_all().is_err());
    }

    #[test]
    fn who_outlived_its_run_may_not_act_on_the_next() {
        check(&member(7), &["web"], false);
    }
}
