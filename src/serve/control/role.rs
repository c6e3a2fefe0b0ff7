//! What those who ask may do. Pure.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use super::gate;
use super::peers::{Peer, Place};
use super::problem::Problem;
use crate::config::plan::TokenRole;
pub(super) use crate::ledger::request::Limits;
use crate::ledger::snapshot::{ProcessView, Snapshot};
use crate::units::SessionId;

/// Who asks, and as what they count.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// For the log.
    pub(super) who: Who,
    /// As what they count.
    pub(super) role: Role,
    /// Why they ask, as they put it.
    pub(super) reason: Option<String>,
    /// What they ordered, in words, once that is known.
    pub(super) said: Arc<OnceLock<String>>,
}

impl Caller {
    /// Somebody with a request.
    pub(super) fn new(who: Who, role: Role) -> Self {
        Self { who, role, reason: None, said: Arc::default() }
    }

    /// With why they ask.
    pub(super) fn because(mut self, reason: Option<String>) -> Self {
        self.reason = reason;
        self
    }

    /// Whether they may order something of these processes.
    pub(super) fn may_order(&self, names: &[String], picture: &Snapshot) -> Result<(), Problem> {
        let Some(limits) = self.role.limits() else { return self.role.may_order(names, picture) };
        self.role.may_order_all()?;
        // A family is meant by its name as well.
        let is_meant = |name: &str, it: &ProcessView| it.name == name || it.family == name;
        let meant = names.iter().map(|name| {
            let mut all = picture.processes.iter().filter(|it| is_meant(name, it)).peekable();
            let known = all.peek().is_some();
            known && all.all(|it| gate::covers_process(limits, &it.name, picture))
        });
        match meant.zip(names).find(|(covered, _)| !covered) {
            Some((_, name)) if !self.goes_beyond() => Err(gate::beyond(&format!("{name:?}"))),
            _ => Ok(()),
        }
    }

    /// Whose sessions they are limited to, where they may not go beyond.
    pub(super) fn confined(&self) -> Option<&Limits> {
        self.role.limits().filter(|_| !self.goes_beyond())
    }

    /// Whether they may go beyond their limits, since they said why.
    fn goes_beyond(&self) -> bool {
        self.role.rank() == Some(Rank::Admin) && self.reason.is_some()
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub(super) enum Who {
    /// At the other end of the socket.
    Peer(Peer),
    /// Somebody over TCP.
    Remote {
        /// At this address.
        from: SocketAddr,
        /// The name of the token that they know.
        token: Option<String>,
    },
}

/// As what somebody counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// May do everything.
    Admin(Limits),
    /// May look, and give orders to processes and sessions.
    Operator(Limits),
    /// May look.
    Viewer(Limits),
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

/// What roles of tokens are, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// May look.
    Viewer,
    /// May order as well.
    Operator,
    /// May do everything.
    Admin,
}

impl Rank {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl Role {
    /// The role of a token.
    pub(super) fn of_token(rank: TokenRole, limits: Limits) -> Self {
        match rank {
            TokenRole::Viewer => Self::Viewer(limits),
            TokenRole::Operator => Self::Operator(limits),
            TokenRole::Admin => Self::Admin(limits),
        }
    }

    /// What it counts as, where it is not that of somebody inside a run.
    pub(super) fn rank(&self) -> Option<Rank> {
        match self {
            Self::Admin(_) => Some(Rank::Admin),
            Self::Operator(_) => Some(Rank::Operator),
            Self::Viewer(_) => Some(Rank::Viewer),
            Self::Member { .. } | Self::Onlooker => None,
        }
    }

    /// Whose sessions it is for, where it is not for all.
    pub(super) fn limits(&self) -> Option<&Limits> {
        match self {
            Self::Admin(limits) | Self::Operator(limits) | Self::Viewer(limits) => {
                Some(limits).filter(|limits| !limits.are_none())
            }
            Self::Member { .. } | Self::Onlooker => None,
        }
    }

    /// By where a peer stands.
    pub(super) fn of(place: &Place) -> Self {
        match place {
            Place::Outside => Self::Admin(Limits::default()),
            Place::Inside { process, session } => {
                Self::Member { process: process.clone(), session: *session }
            }
            Place::Unknown => Self::Onlooker,
        }
    }

    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Admin(_) => Rank::Admin.as_str(),
            Self::Operator(_) => Rank::Operator.as_str(),
            Self::Viewer(_) => Rank::Viewer.as_str(),
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
            Self::Admin(_) | Self::Operator(_) => return Ok(()),
            Self::Viewer(_) => return Err(Problem::forbidden("a viewer may only look")),
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
            Who::Remote { from, token: None } => write!(f, "{from} (without a token")?,
            Who::Remote { from, token: Some(token) } => write!(f, "{from} (by token {token}")?,
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
        let all = Limits::default;
        check(&Role::Admin(all()), &["web", "db"], true);
        check(&Role::Operator(all()), &["web", "db"], true);
        check(&Role::Viewer(all()), &["web"], false);
        check(&Role::Onlooker, &["web"], false);
        check(&member(1), &["web"], true);
        check(&member(1), &["db"], false);
        check(&member(1), &["web", "db"], false);
        assert!(Role::Operator(all()).may_order_all().is_ok());
        assert!(Role::Viewer(all()).may_order_all().is_err());
        assert!(member(1).may_order_all().is_err());
        assert!(Role::Onlooker.may_order_all().is_err());
    }

    #[test]
    fn limits_hold_unless_an_admin_says_why_not() {
        let limits = || Limits { users: vec![], agents: vec!["claude".to_owned()] };
        let mut picture = example::picture();
        picture.processes[0].agent = Some("claude".to_owned());
        let from = ([127, 0, 0, 1], 5).into();
        let ask = |role: Role, reason: Option<&str>, name: &str| {
            let who = Who::Remote { from, token: None };
            let caller = Caller::new(who, role).because(reason.map(str::to_owned));
            caller.may_order(&[name.to_owned()], &picture).is_ok()
        };
        assert!(ask(Role::Operator(limits()), None, "web"));
        assert!(!ask(Role::Operator(limits()), Some("why"), "db"));
        assert!(!ask(Role::Operator(limits()), None, "nobody"));
        assert!(!ask(Role::Viewer(limits()), None, "web"));
        assert!(!ask(Role::Admin(limits()), None, "db"));
        assert!(ask(Role::Admin(limits()), Some("why"), "db"));
    }

    #[test]
    fn who_outlived_its_run_may_not_act_on_the_next() {
        check(&member(7), &["web"], false);
    }
}
