//! Sessions, counted: what is kept by the store, what lives by the picture.

use std::collections::BTreeMap;

use hyper::StatusCode;

use super::Desk;
use super::answer::{Answer, json};
use super::api::{Route, What as Any, get};
use super::history::{not_kept, time};
use super::problem::Problem;
use super::query::Query;
use crate::ledger::session::{Session, SessionState};
use crate::ledger::snapshot::Snapshot;
use crate::serve::wire::statistics::{Bucket, Group, Latency, Live, Statistics};
use crate::store::reading::reader::Unanswered;
use crate::store::reading::statistics::{BUCKETS, By, Group as Counted};
use crate::store::reading::{Answer as Kept, Question};
use crate::units::Wall;

/// The addresses of this file.
pub(super) const ROUTES: &[Route] =
    &[get("/v1/statistics", &["by", "since", "until"], Any::Statistics)];

/// The answer to a question for statistics.
pub(super) async fn answer(desk: &Desk, query: &Query) -> Result<Answer, Problem> {
    let names = By::ALL.map(By::as_str);
    let by = query.one_of("by", &names)?.unwrap_or(By::Process.as_str());
    let by = By::ALL.into_iter().find(|known| known.as_str() == by).unwrap_or(By::Process);
    let (since, until) = (time(query, "since")?, time(query, "until")?);
    let groups = match desk.sources.history.ask(Question::Statistics { by, since, until }).await {
        Ok(Kept::Statistics(groups)) => groups,
        Ok(_) => Vec::new(),
        Err(Unanswered::InMemory) => return Err(not_kept()),
        Err(why) => return Err(Problem::unanswered(&why.to_string())),
    };
    let picture = desk.picture();
    let mut totals = Counted::default();
    groups.iter().for_each(|(_, counted)| totals.add(counted));
    let told = groups.iter().map(|(name, counted)| Group {
        current: current(&picture, by, name.as_deref()),
        name: name.clone(),
        ..group(counted)
    });
    let told = Statistics {
        at: picture.at.wall.to_string(),
        by: by.as_str().to_owned(),
        totals: group(&totals),
        groups: told.collect(),
        live: live(&picture),
        store: latencies(&picture),
    };
    Ok(json(StatusCode::OK, &told))
}

fn group(counted: &Counted) -> Group {
    use SessionState::{Completed, Failed, Killed, OutOfMemory, TimedOut};
    let (sessions, ended) = (counted.sessions(), counted.ended());
    let part = |count: u64| (ended > 0).then(|| count as f64 / ended as f64);
    let failures =
        [Failed, TimedOut, Killed, OutOfMemory].map(|state| counted.of(state)).iter().sum();
    let word = |(state, count): (&SessionState, &u64)| (state.as_str().to_owned(), *count);
    Group {
        name: None,
        sessions,
        states: counted.states.iter().map(word).collect(),
        success_rate: part(counted.of(Completed)),
        failure_rate: part(failures),
        events_per_session: counted.events as f64 / sessions.max(1) as f64,
        mean_duration_seconds: part(counted.lasted).map(|millis| millis / 1e3),
        first: counted.opened.map(|(first, _)| first.to_string()),
        last: counted.opened.map(|(_, last)| last.to_string()),
        current: None,
        durations: durations(counted),
    }
}

fn durations(counted: &Counted) -> Vec<Bucket> {
    let mut buckets: BTreeMap<usize, BTreeMap<String, u64>> = BTreeMap::new();
    for ((state, bucket), count) in &counted.durations {
        buckets.entry(*bucket).or_default().insert(state.as_str().to_owned(), *count);
    }
    let bucket = |(number, ended)| Bucket { up_to_seconds: BUCKETS.get(number).copied(), ended };
    buckets.into_iter().map(bucket).collect()
}

/// The newest live session of a group.
fn current(picture: &Snapshot, by: By, name: Option<&str>) -> Option<String> {
    let of = |session: &Session| match by {
        By::Project => session.project(),
        By::User => session.user().map(str::to_owned),
        By::Agent => session.agent.clone(),
        By::Process => Some(session.process.clone()).filter(|process| !process.is_empty()),
        By::Kind => Some(session.kind.as_str().to_owned()),
    };
    let is_it = |session: &&std::sync::Arc<Session>| of(session).as_deref() == name;
    picture.sessions.iter().rev().find(is_it).map(|session| session.id.to_string())
}

fn live(picture: &Snapshot) -> Live {
    let now = picture.at.wall;
    let ages: Vec<f64> = picture.sessions.iter().map(|it| age(it.started, now)).collect();
    let idle = picture.sessions.iter().filter(|it| it.state == SessionState::Idle).count();
    let runs = picture.processes.iter().filter_map(|process| process.run.as_ref());
    let ready: Vec<f64> = runs.filter_map(|run| Some(run.ready?.as_secs_f64())).collect();
    Live {
        sessions: ages.len() as u64,
        idle: idle as u64,
        oldest_seconds: ages.iter().copied().reduce(f64::max),
        newest_seconds: ages.iter().copied().reduce(f64::min),
        mean_seconds: mean(&ages),
        mean_startup_seconds: mean(&ready),
    }
}

fn age(started: Wall, now: Wall) -> f64 {
    now.0.saturating_sub(started.0).max(0) as f64 / 1e3
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn latencies(picture: &Snapshot) -> Vec<Latency> {
    let Some(store) = &picture.house.store else { return Vec::new() };
    let told = store.figures.latencies().filter(|(_, latency)| latency.count > 0);
    told.map(|(operation, latency)| Latency {
        operation: operation.as_str().to_owned(),
        count: latency.count,
        mean_seconds: latency.total.as_secs_f64() / latency.count as f64,
    })
    .collect()
}
