//! Orders: who may give them, how they reach the mind, and what became of them. Each is written
//! down in the log with who gave it.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::answer::{Answer, json};
use super::awaiting::{FRESH, Goal, is_over};
use super::problem::Problem;
use super::role::Caller;
use super::{Busy, Desk, NotRead, budgets, reading};
use crate::clock;
use crate::ledger::snapshot::Snapshot;
use crate::serve::wire;
use crate::supervise::wish::{Refusal, Reply, Wish};
use crate::units::{ProcessIx, Signal};

/// For the loop to answer, which takes microseconds.
const REPLY: Duration = Duration::from_secs(5);

/// For a configuration to be read; a disk can hang.
pub(super) const READING: Duration = Duration::from_secs(20);

/// Names in one order.
const MOST_NAMES: usize = 1000;

/// Starts, stops or restarts.
pub(super) async fn move_to(
    desk: &Desk,
    caller: &Caller,
    goal: Goal,
    names: Vec<String>,
    wait: Option<Duration>,
) -> Result<Answer, Problem> {
    let (order, wish): (_, fn(Vec<String>) -> Wish) = match goal {
        Goal::Up => ("start", Wish::Start),
        Goal::Down => ("stop", Wish::Stop),
        Goal::Anew => ("restart", Wish::Restart),
    };
    let said = format!("{order} {}", names.join(" "));
    let before = desk.picture();
    let given = async {
        check(&names)?;
        caller.may_order(&names, &before)?;
        if goal != Goal::Down {
            budgets::afford(&before, &names)?;
        }
        give(desk, wish(names)).await
    };
    let places = match audited(caller, &said, given.await)? {
        Reply::Accepted(places) => places,
        other => return Err(strange(&other)),
    };
    let wait = wait.unwrap_or_default();
    let done = !wait.is_zero() && carried_out(desk, goal, &before, &places, wait).await;
    let status = if done { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok(json(status, &ordered(desk, order, done, &places)))
}

/// Sends a signal.
pub(super) async fn signal(
    desk: &Desk,
    caller: &Caller,
    body: wire::SignalBody,
) -> Result<Answer, Problem> {
    let wire::SignalBody { signal: text, group, names } = body;
    let to = if group { "the group of " } else { "" };
    let said = format!("signal {text} to {to}{}", names.join(" "));
    let given = async {
        check(&names)?;
        let signal = Signal::parse(&text).ok_or_else(|| {
            let detail = format!("{text:?} is no signal");
            Problem::invalid(detail).suggest("use a name or a number: HUP, SIGUSR1, 10, RTMIN+3")
        })?;
        caller.may_order(&names, &desk.picture())?;
        give(desk, Wish::Signal { names, signal, group }).await
    };
    match audited(caller, &said, given.await)? {
        Reply::Accepted(places) => {
            Ok(json(StatusCode::OK, &ordered(desk, "signal", true, &places)))
        }
        other => Err(strange(&other)),
    }
}

/// Reads the configuration anew and changes to it.
pub(super) async fn reload(desk: &Desk, caller: &Caller) -> Result<Answer, Problem> {
    let given = async {
        caller.role.may_order_all()?;
        let read = Arc::clone(&desk.sources.read_plan);
        let read = timeout(READING, tokio::task::spawn_blocking(move || read())).await;
        match read {
            Ok(Ok(Ok(plan))) => give(desk, Wish::Reload(plan)).await,
            Ok(Ok(Err(NotRead::Faults(faults)))) => Err(Problem::bad_configuration(faults)),
            Ok(Ok(Err(NotRead::NoFile))) => {
                let detail = "there is no configuration: one command is accompanied";
                Err(Problem::conflict("no-configuration", "nothing to reload", detail))
            }
            Ok(Err(_)) => Err(Problem::no_reply()),
            Err(_) => Err(Problem::busy("the configuration could not be read in time")),
        }
    };
    let before = desk.picture();
    let changes = match audited(caller, "reload", given.await)? {
        Reply::Reloaded(changes) => changes,
        other => return Err(strange(&other)),
    };
    // A picture may have been taken before the ledger was told of those who are new.
    let shows_all =
        |picture: &Snapshot| changes.added.iter().all(|ix| picture.process(*ix).is_some());
    let picture = settled(desk, shows_all).await;
    // What was removed is shown no more once it has ended.
    let known = |ix: &ProcessIx| name(&picture, *ix).or_else(|| name(&before, *ix));
    let names = |places: &[ProcessIx]| -> Vec<String> { places.iter().filter_map(known).collect() };
    let reloaded = wire::Reloaded {
        added: names(&changes.added),
        removed: names(&changes.removed),
        restarted: names(&changes.restarted),
        adjusted: names(&changes.adjusted),
        put_off: changes.put_off.iter().map(|key| (*key).to_owned()).collect(),
    };
    Ok(json(StatusCode::OK, &reloaded))
}

/// Goes down.
pub(super) async fn shut_down(desk: &Desk, caller: &Caller) -> Result<Answer, Problem> {
    let given = async {
        caller.role.may_order_all()?;
        give(desk, Wish::Shutdown).await
    };
    match audited(caller, "shutdown", given.await)? {
        Reply::Accepted(places) => {
            Ok(json(StatusCode::ACCEPTED, &ordered(desk, "shutdown", false, &places)))
        }
        other => Err(strange(&other)),
    }
}

fn check(names: &[String]) -> Result<(), Problem> {
    match names {
        [] => Err(Problem::invalid("no process is named").suggest(r#"send {"names": ["NAME"]}"#)),
        names if names.len() > MOST_NAMES => {
            Err(Problem::invalid(format!("an order may name {MOST_NAMES} processes")))
        }
        _ => Ok(()),
    }
}

/// Offers a wish to the loop and waits for its answer.
pub(super) async fn give(desk: &Desk, wish: Wish) -> Result<Reply, Problem> {
    let reply = (desk.sources.orders)(wish).map_err(|busy| match busy {
        Busy::Full => Problem::busy("too many orders wait already"),
        Busy::Gone => Problem::going_down(),
    })?;
    match timeout(REPLY, reply).await {
        Ok(Ok(Reply::UnknownName(name))) => {
            let similar = reading::similar(&name, &desk.picture());
            Err(Problem::unknown("process", &name, &similar))
        }
        Ok(Ok(Reply::Refused(refusal))) => Err(refused(refusal)),
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(_)) => Err(Problem::going_down()),
        Err(_) => Err(Problem::no_reply()),
    }
}

fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::GoingDown => Problem::going_down(),
        Refusal::NotRunning => {
            Problem::conflict("not-running", "not running", "none of these processes runs")
        }
        Refusal::Full => Problem::busy("too many spawned commands run already"),
        Refusal::NameTaken(name) => {
            let detail =
                format!("a process, or a spawned command that lives, is called {name} already");
            Problem::conflict("name-taken", "the name is taken", detail).suggest(format!(
                "choose another name, or end a spawned command first: `procession stop {name}`"
            ))
        }
        Refusal::OneCommand => {
            let detail = "one command is accompanied, and lives and dies as it likes";
            Problem::conflict("one-command", "not with one command", detail)
                .suggest("use `procession run` with a configuration")
        }
    }
}

/// An answer that the order has no place for.
pub(super) fn strange(reply: &Reply) -> Problem {
    tracing::error!(target: "control", ?reply, "an order was answered with something else");
    Problem::no_reply()
}

/// Writes down who ordered what, and what became of it.
pub(super) fn audited<T>(
    caller: &Caller,
    what: &str,
    outcome: Result<T, Problem>,
) -> Result<T, Problem> {
    let _ = caller.said.set(what.to_owned());
    match &outcome {
        Ok(_) => tracing::info!(target: "control", "{caller} ordered: {what}"),
        Err(problem) => {
            let (status, title) = (problem.status(), problem.title());
            tracing::warn!(target: "control", "{caller} ordered: {what}: refused ({status} {title})");
        }
    }
    outcome
}

/// Waits until an order is carried out for all that it means; `false` when that takes too long.
async fn carried_out(
    desk: &Desk,
    goal: Goal,
    before: &Snapshot,
    places: &[ProcessIx],
    wait: Duration,
) -> bool {
    let began = clock::instant();
    let (fresh, until) = (began + FRESH, began + wait);
    let mut pictures = desk.sources.pictures.clone();
    loop {
        let now = clock::instant();
        let picture = Arc::clone(&pictures.borrow_and_update());
        let is_over = |ix: &ProcessIx| {
            let process = picture.process(*ix);
            process.is_none_or(|it| is_over(goal, it, before, &picture, now >= fresh))
        };
        if places.iter().all(is_over) {
            return true;
        }
        if now >= until {
            return false;
        }
        let wake = if now < fresh { fresh.min(until) } else { until };
        tokio::select! {
            changed = pictures.changed() => if changed.is_err() { return false },
            () = sleep_until(wake) => {}
            () = desk.told_to_stop() => return false,
        }
    }
}

/// The first picture that was taken after now and shows what it must, or the last one when nothing
/// changes.
pub(super) async fn settled(desk: &Desk, shows: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
    let asked = clock::now().mono;
    let until: Instant = clock::instant() + FRESH;
    let mut pictures = desk.sources.pictures.clone();
    let newer = pictures.wait_for(|picture| picture.at.mono > asked && shows(picture));
    let _ = timeout_at(until, async { newer.await.map(drop) }).await;
    desk.picture()
}

fn ordered(desk: &Desk, order: &str, done: bool, places: &[ProcessIx]) -> wire::Ordered {
    let (picture, now) = (desk.picture(), clock::now().wall);
    let views = places.iter().filter_map(|ix| picture.process(*ix));
    let processes = views.map(|view| reading::process(view, &picture, now)).collect();
    wire::Ordered { order: order.to_owned(), done, processes }
}

pub(super) fn name(picture: &Snapshot, ix: ProcessIx) -> Option<String> {
    picture.process(ix).map(|process| process.name.clone())
}
