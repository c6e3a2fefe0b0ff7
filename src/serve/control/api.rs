//! The table of addresses, and who answers at each. `openapi.json` describes the same; a test holds
//! the two against each other.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Request, StatusCode};

use super::answer::{Answer, JSON, json, whole};
use super::awaiting::Goal;
use super::problem::Problem;
use super::query::{Query, decoded};
use super::role::Caller;
use super::{
    Desk, external, history, logs, orders, reading, request, spawning, statistics, watching,
};
use crate::clock;
use crate::serve::wire;

/// The description of everything here.
pub const OPENAPI: &str = include_str!("../openapi.json");

/// An address with a method, and what is answered there.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// `GET` or `POST`.
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
    /// Sessions, live and ended.
    History(history::What),
    /// Sessions, counted.
    Statistics,
    /// Sessions of applications.
    External(external::What),
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

const WAIT: &[&str] = &["wait"];

/// The tables of addresses, one for each subject.
const TABLES: &[&[Route]] = &[ROUTES, external::ROUTES, history::ROUTES, statistics::ROUTES];

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
    match route(desk, caller, request).await {
        Ok(answer) => answer,
        Err(problem) => problem.answer(),
    }
}

async fn route(
    desk: &Arc<Desk>,
    caller: &Caller,
    request: Request<Incoming>,
) -> Result<Answer, Problem> {
    let path = request.uri().path();
    let here: Vec<(&Route, String)> =
        routes().filter_map(|route| Some((route, named(route.path, path)?))).collect();
    let Some((route, name)) = here.iter().find(|(route, _)| route.method == request.method())
    else {
        let allowed: Vec<&str> = here.iter().map(|(route, _)| route.method).collect();
        return Err(match &allowed[..] {
            [] => Problem::no_route(path),
            allowed => Problem::wrong_method(request.method().as_str(), path, &allowed.join(", ")),
        });
    };
    let query = Query::read(request.uri().query(), route.parameters)?;
    let name = decoded(name)?;
    tracing::debug!(target: "control", "{caller} asks: {} {path}", route.method);
    serve(desk, caller, route.what, &name, query, request).await
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
        What::Logs => {
            find(desk, name)?;
            logs::answer(desk, name, &query, request.headers())
        }
        What::History(what) => history::answer(desk, what, name, &query).await,
        What::External(what) => external::answer(desk, caller, what, name, request).await,
        What::Statistics => statistics::answer(desk, &query).await,
        What::Events => watching::answer(desk, &query, request.headers()),
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
