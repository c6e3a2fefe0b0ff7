//! The table of addresses, and who answers at each. `openapi.json` describes the same; a test holds
//! the two against each other.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Request, StatusCode};

use super::answer::{Answer, JSON, json, whole};
use super::awaiting::Goal;
use super::gate::{self, About};
use super::orphans::Orphans;
use super::problem::Problem;
use super::query::{Query, decoded};
use super::role::{Caller, Limits};
use super::spawned::Spawned;
use super::trail::Asked;
use super::{
    Desk, budgets, chains, external, history, logs, memory, orders, orphans, reading, request,
    rights,
};
use super::{spawned, spawning, statistics, usage, watching};
use crate::clock;
use crate::serve::wire;

/// The description of everything here.
pub const OPENAPI: &str = include_str!("../openapi.json");

/// An address with a method, and what is answered there.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// `GET`, `POST` or `PUT`.
    pub method: &'static str,
    /// Its path; a part in braces stands for any name.
    pub path: &'static str,
    /// Parameters behind the question mark.
    pub parameters: &'static [&'static str],
    what: What,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Status,
    Processes,
    Process,
    Logs,
    Events,
    Describe,
    Order(Goal),
    OrderOne(Goal),
    Signal,
    SignalOne,
    Reload,
    Spawn,
    ShutDown,
    /// The audit trail, and what is to be forgotten or taken out.
    Rights(rights::What),
    /// Sessions, live and ended.
    History(history::What),
    Spawned(Spawned),
    Orphans(Orphans),
    /// Sessions, counted.
    Statistics,
    /// Sessions of applications.
    External(external::What),
    /// Chains of agents.
    Agents(chains::Asked),
    /// What trees hold.
    Memory(memory::What),
    /// What was spent.
    Usage(usage::What),
    /// What may be spent.
    Budgets(budgets::What),
}

pub(super) const fn get(
    path: &'static str,
    parameters: &'static [&'static str],
    what: What,
) -> Route {
    Route { method: "GET", path, parameters, what }
}

pub(super) const fn post(
    path: &'static str,
    parameters: &'static [&'static str],
    what: What,
) -> Route {
    Route { method: "POST", path, parameters, what }
}

pub(super) const fn put(
    path: &'static str,
    parameters: &'static [&'static str],
    what: What,
) -> Route {
    Route { method: "PUT", path, parameters, what }
}

const WAIT: &[&str] = &["wait"];

/// The tables of addresses, one for each subject.
const TABLES: &[&[Route]] = &[
    ROUTES,
    external::ROUTES,
    history::ROUTES,
    statistics::ROUTES,
    chains::ROUTES,
    memory::ROUTES,
    usage::ROUTES,
    budgets::ROUTES,
    spawned::ROUTES,
    orphans::ROUTES,
    rights::ROUTES,
];

/// Every address.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    TABLES.iter().copied().flatten()
}

/// Processes, what happens, and the house.
const ROUTES: &[Route] = &[
    get("/v1/status", &[], What::Status),
    get("/v1/processes", &["state"], What::Processes),
    get("/v1/processes/{name}", &[], What::Process),
    get("/v1/processes/{name}/logs", &logs::PARAMETERS, What::Logs),
    post("/v1/processes/{name}/start", WAIT, What::OrderOne(Goal::Up)),
    post("/v1/processes/{name}/stop", WAIT, What::OrderOne(Goal::Down)),
    post("/v1/processes/{name}/restart", WAIT, What::OrderOne(Goal::Anew)),
    post("/v1/processes/{name}/signal", &[], What::SignalOne),
    post("/v1/start", WAIT, What::Order(Goal::Up)),
    post("/v1/stop", WAIT, What::Order(Goal::Down)),
    post("/v1/restart", WAIT, What::Order(Goal::Anew)),
    post("/v1/signal", &[], What::Signal),
    post("/v1/reload", &[], What::Reload),
    post("/v1/spawn", WAIT, What::Spawn),
    post("/v1/shutdown", &[], What::ShutDown),
    get("/v1/events", &watching::PARAMETERS, What::Events),
    get("/v1/openapi.json", &[], What::Describe),
];

/// The answer to a request, whatever it is.
pub(super) async fn answer(
    desk: &Arc<Desk>,
    caller: &Caller,
    request: Request<Incoming>,
) -> Answer {
    let (route, name) = match routed(&request) {
        Ok(found) => found,
        Err(problem) => return problem.answer(),
    };
    // The ledger treats what applications ask of it itself.
    let is_asked = matches!(route.what, What::External(_));
    let name = match route.path.starts_with("/v1/sessions/{") && !is_asked {
        true => desk.sources.veil.native_id(&name),
        false => name,
    };
    tracing::debug!(target: "control", "{caller} asks: {} {name}", route.method);
    let served = admitted(desk, caller, route, &name, request).await;
    let answer = served.unwrap_or_else(Problem::answer);
    if !UNAUDITED.contains(&(route.method, route.path)) {
        let action = format!("{} {}", route.method, route.path);
        let outcome = answer.status().as_u16();
        desk.sources.trail.note(caller, Asked { action, target: &name, outcome });
    }
    answer
}

/// What tells nothing of sessions and changes nothing. A heartbeat says that a session lives, as often
/// as once a second, and its opening and its end are written down; calls of models are kept themselves.
const UNAUDITED: [(&str, &str); 6] = [
    ("GET", "/v1/openapi.json"),
    ("GET", "/v1/processes"),
    ("GET", "/v1/processes/{name}"),
    ("GET", "/v1/status"),
    ("POST", "/v1/sessions/{id}/heartbeat"),
    ("POST", "/v1/usage"),
];

/// The address that is asked at, with what stands in place of the braces.
fn routed(request: &Request<Incoming>) -> Result<(&'static Route, String), Problem> {
    let path = request.uri().path();
    let here: Vec<(&'static Route, String)> =
        routes().filter_map(|route| Some((route, named(route.path, path)?))).collect();
    let Some((route, name)) = here.iter().find(|(route, _)| route.method == request.method())
    else {
        let allowed: Vec<&str> = here.iter().map(|(route, _)| route.method).collect();
        return Err(match &allowed[..] {
            [] => Problem::no_route(path),
            allowed => Problem::wrong_method(request.method().as_str(), path, &allowed.join(", ")),
        });
    };
    Ok((*route, decoded(name)?))
}

/// Looks whether they may, and serves them.
async fn admitted(
    desk: &Arc<Desk>,
    caller: &Caller,
    route: &Route,
    name: &str,
    request: Request<Incoming>,
) -> Result<Answer, Problem> {
    let mut query = Query::read(request.uri().query(), route.parameters)?;
    gate::ranks(caller, route)?;
    if let Some(limits) = caller.confined() {
        within(desk, limits, route, name, &mut query).await?;
    }
    query.translate("user", |user| desk.sources.veil.user(user));
    serve(desk, caller, route.what, name, query, request).await
}

/// Looks whether what is asked for is inside the limits of a role.
async fn within(
    desk: &Desk,
    limits: &Limits,
    route: &Route,
    name: &str,
    query: &mut Query,
) -> Result<(), Problem> {
    let picture = desk.picture();
    let covered = match gate::about(route) {
        About::Nobody => true,
        About::Everybody => {
            let what = format!("{} {}, which shows everybody,", route.method, route.path);
            return Err(gate::beyond(&what));
        }
        About::Named => return gate::narrowed(limits, query),
        About::Process => gate::covers_process(limits, name, &picture),
        About::Agent => limits.users.is_empty() && limits.agents.iter().any(|agent| agent == name),
        About::Session => return session_within(desk, limits, route, name).await,
    };
    if covered { Ok(()) } else { Err(gate::beyond(&format!("{name:?}"))) }
}

/// Looks whether the session that is meant is inside the limits of a role. It is found as the one who
/// serves the request finds it, so that it is looked at no other than that; what nobody knows of is
/// nobody's.
async fn session_within(
    desk: &Desk,
    limits: &Limits,
    route: &Route,
    name: &str,
) -> Result<(), Problem> {
    let session = match route.what {
        // The ledger looks as well, which knows of what was opened a moment ago.
        What::External(_) => match history::find(desk, name).await {
            Ok(session) => session,
            Err(_) => return Ok(()),
        },
        What::Spawned(_) => spawned::session(desk, name).await?,
        _ => history::find(desk, name).await?,
    };
    match gate::covers(limits, &session, &desk.picture()) {
        true => Ok(()),
        false => Err(gate::beyond(&format!("{name:?}"))),
    }
}

/// What a path has in place of the braces, if it is of this pattern; empty where there are none.
fn named(pattern: &str, path: &str) -> Option<String> {
    let mut name = String::new();
    let mut parts = path.split('/');
    for wanted in pattern.split('/') {
        let part = parts.next()?;
        if wanted.starts_with('{') && !part.is_empty() {
            name = part.to_owned();
        } else if wanted != part {
            return None;
        }
    }
    parts.next().is_none().then_some(name)
}

async fn serve(
    desk: &Arc<Desk>,
    caller: &Caller,
    what: What,
    name: &str,
    query: Query,
    request: Request<Incoming>,
) -> Result<Answer, Problem> {
    let own = || vec![name.to_owned()];
    match what {
        What::Order(goal) => {
            let wire::NamesBody { names } = request::body(request).await?;
            orders::move_to(desk, caller, goal, names, query.wait()?).await
        }
        What::OrderOne(goal) => orders::move_to(desk, caller, goal, own(), query.wait()?).await,
        What::Signal => orders::signal(desk, caller, request::body(request).await?).await,
        What::SignalOne => {
            let body: wire::SignalBody = request::body(request).await?;
            orders::signal(desk, caller, wire::SignalBody { names: own(), ..body }).await
        }
        What::Reload => orders::reload(desk, caller).await,
        What::Spawn => {
            let wait = query.wait()?;
            spawning::spawn(desk, caller, request::body(request).await?, wait).await
        }
        What::ShutDown => orders::shut_down(desk, caller).await,
        What::Rights(what) => rights::answer(desk, caller, what, &query, request).await,
        What::Logs => {
            find(desk, name)?;
            logs::answer(desk, name, &query, request.headers())
        }
        What::History(what) => history::answer(desk, caller, what, name, &query).await,
        What::Orphans(Orphans::List) => orphans::list(desk, &query).await,
        What::Orphans(Orphans::End) => {
            orphans::end(desk, caller, request::body(request).await?).await
        }
        What::Spawned(what) => spawned::answer(desk, caller, what, name, query, request).await,
        What::External(what) => external::answer(desk, caller, what, name, request).await,
        What::Statistics => statistics::answer(desk, &query).await,
        What::Events => watching::answer(desk, &query, request.headers()),
        What::Agents(asked) => chains::answer(desk, caller, asked, name, &query, request).await,
        What::Usage(what) => usage::answer(desk, caller, what, &query, request).await,
        What::Budgets(what) => budgets::answer(desk, what, name),
        What::Memory(what) => memory::answer(desk, caller, what, name, request).await,
        What::Describe => Ok(whole(StatusCode::OK, JSON, OPENAPI)),
        _ => read(desk, caller, what, name, &query),
    }
}

/// What only reads the picture.
fn read(
    desk: &Desk,
    caller: &Caller,
    what: What,
    name: &str,
    query: &Query,
) -> Result<Answer, Problem> {
    let picture = desk.picture();
    let alive = || (desk.sources.alive)();
    Ok(match what {
        What::Processes => json(StatusCode::OK, &reading::processes(&picture, query)),
        What::Process => json(StatusCode::OK, &find(desk, name)?),
        _ => json(StatusCode::OK, &reading::status(&picture, alive(), &caller.role)),
    })
}

fn find(desk: &Desk, name: &str) -> Result<wire::Process, Problem> {
    let picture = desk.picture();
    let found = picture.processes.iter().find(|process| process.name == name);
    let unknown = || Problem::unknown("process", name, &reading::similar(name, &picture));
    Ok(reading::process(found.ok_or_else(unknown)?, &picture, clock::now().wall))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_of_a_pattern_or_not() {
        let check = |path: &str, name: Option<&str>| {
            assert_eq!(named("/v1/processes/{name}/stop", path).as_deref(), name, "{path}");
        };
        check("/v1/processes/web/stop", Some("web"));
        check("/v1/processes/a%2Fb/stop", Some("a%2Fb"));
        check("/v1/processes//stop", None);
        check("/v1/processes/web/stop/", None);
        check("/v1/processes/web", None);
        check("/v1/processes/a/b/stop", None);
        assert_eq!(named("/v1/stop", "/v1/stop").as_deref(), Some(""));
    }
}
