//! Who may ask for what: one look at each request, before anything is done about it. The role says
//! what may be asked for, its limits of whom.
//!
//! ```text
//!   viewer      reads
//!   operator    and gives orders to processes and sessions
//!   admin       and runs commands, changes the house, reads the audit trail, purges and forgets
//! ```
//!
//! A role with limits is for the sessions of its users or agents, and for processes that run one; what
//! shows everybody is not for it. An admin may go beyond the limits for a reason, which is written down.

use super::api::Route;
use super::problem::Problem;
use super::query::Query;
use super::role::{Caller, Limits, Rank};
use crate::ledger::session::Session;
use crate::ledger::snapshot::Snapshot;

/// Orders to the house, and what is about those who give orders.
const HOUSE: [&str; 6] =
    ["/v1/audit", "/v1/forget", "/v1/purge", "/v1/reload", "/v1/shutdown", "/v1/spawn"];

/// What tells nothing of anybody's sessions.
const OPEN: [&str; 2] = ["/v1/openapi.json", "/v1/status"];

/// Orders that name processes in their body; they look at the names themselves.
const NAMED_IN_BODY: [&str; 4] = ["/v1/restart", "/v1/signal", "/v1/start", "/v1/stop"];

/// The least that somebody must count as, for an address.
pub(super) fn least(route: &Route) -> Rank {
    match route.method {
        _ if HOUSE.contains(&route.path) => Rank::Admin,
        "GET" => Rank::Viewer,
        _ => Rank::Operator,
    }
}

/// Whom a request is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum About {
    /// Nobody in particular, or what is looked at further in.
    Nobody,
    /// Everybody.
    Everybody,
    /// Whomever its parameters name.
    Named,
    /// A process.
    Process,
    /// A session.
    Session,
    /// An agent.
    Agent,
}

/// Whom a request to an address is about.
pub(super) fn about(route: &Route) -> About {
    let below =
        |folder: &str| route.path.strip_prefix(folder).is_some_and(|it| it.starts_with('{'));
    let opens_own = route.method == "POST" && route.path == "/v1/sessions";
    let takes_names = ["user", "agent"].iter().all(|name| route.parameters.contains(name));
    match route.path {
        path if OPEN.contains(&path) || NAMED_IN_BODY.contains(&path) || opens_own => About::Nobody,
        _ if below("/v1/processes/") || below("/v1/memory/") => About::Process,
        _ if below("/v1/sessions/") => About::Session,
        _ if below("/v1/agents/") => About::Agent,
        _ if takes_names => About::Named,
        _ => About::Everybody,
    }
}

/// Whether they count as enough.
pub(super) fn ranks(caller: &Caller, route: &Route) -> Result<(), Problem> {
    let Some(rank) = caller.role.rank() else {
        // Who lies inside a run is looked at where the order is given; the trail is not theirs.
        let closed = ["/v1/audit", "/v1/export", "/v1/forget", "/v1/purge"];
        return if closed.contains(&route.path) { caller.role.may_order_all() } else { Ok(()) };
    };
    let least = least(route);
    if rank >= least {
        return Ok(());
    }
    let (is, needs) = (rank.as_str(), least.as_str());
    let detail =
        format!("{} {} takes the role {needs}; this token has {is}", route.method, route.path);
    Err(Problem::forbidden(detail))
}

/// Whether a session is inside the limits of a role.
pub(super) fn covers(limits: &Limits, session: &Session, picture: &Snapshot) -> bool {
    let parent = |id| {
        let mut all = picture.sessions.iter().chain(&picture.ended);
        all.find(|it| it.id == id).map(|it| &**it)
    };
    let forebears =
        std::iter::successors(Some(session), |it| it.parent.and_then(parent)).take(MOST_FOREBEARS);
    let user = forebears.clone().find_map(Session::user);
    let configured = || {
        let mut processes = picture.processes.iter();
        let process = processes.find(|it| it.name == session.process)?;
        process.agent.as_deref()
    };
    let agent = forebears.clone().find_map(|it| it.agent.as_deref()).or_else(configured);
    limits.admit(user, agent)
}

/// How far up the tree it is looked for whose a session is.
const MOST_FOREBEARS: usize = 64;

/// Whether what a process runs, or ran last, is inside the limits of a role.
pub(super) fn covers_process(limits: &Limits, name: &str, picture: &Snapshot) -> bool {
    let of_process = |it: &&std::sync::Arc<Session>| it.process == name;
    let live = picture.sessions.iter().rev().find(of_process);
    let session = live.or_else(|| picture.ended.iter().find(of_process));
    let agent =
        picture.processes.iter().find(|it| it.name == name).and_then(|it| it.agent.as_deref());
    match session {
        Some(session) => covers(limits, session, picture),
        None => limits.admit(None, agent),
    }
}

/// Narrows the parameters to whom the limits name; who asks for somebody else is refused.
pub(super) fn narrowed(limits: &Limits, query: &mut Query) -> Result<(), Problem> {
    for (name, allowed) in [("user", &limits.users), ("agent", &limits.agents)] {
        if allowed.is_empty() {
            continue;
        }
        let asked = query.words(name);
        if let Some(other) = asked.iter().find(|word| !allowed.iter().any(|one| one == *word)) {
            return Err(beyond(&format!("the {name} {other:?}")));
        }
        if asked.is_empty() {
            query.put(name, allowed.join(","));
        }
    }
    Ok(())
}

/// That something is not theirs.
pub(super) fn beyond(what: &str) -> Problem {
    Problem::forbidden(format!("{what} is outside the limits of this token"))
        .suggest("an admin may go beyond for a reason: send the header `X-Procession-Reason: WHY`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::control::api::routes;

    /// What one budget limits may be what everybody spends.
    const OF_EVERYBODY: [&str; 1] = ["/v1/budgets/{name}"];

    #[test]
    fn every_address_is_about_somebody_and_takes_a_role() {
        for route in routes() {
            let named = route.path.contains('{') && !OF_EVERYBODY.contains(&route.path);
            let one = matches!(about(route), About::Process | About::Session | About::Agent);
            assert_eq!(named, one, "{} {}", route.method, route.path);
            if route.method == "POST" {
                assert!(least(route) > Rank::Viewer, "{}", route.path);
            }
        }
    }
}
