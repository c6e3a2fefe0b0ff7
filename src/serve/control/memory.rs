//! Memory: what every tree holds, how it went, what is acted upon, and why a leak is suspected.

use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use tokio::time::timeout;

use super::answer::{Answer, json};
use super::api::{Route, What as Any, get, post};
use super::orders::audited;
use super::problem::Problem;
use super::role::Caller;
use super::{Busy, Desk, external, reading, request};
use crate::ledger::request::{Answered, Refusal, Reply, Request as Asked};
use crate::ledger::snapshot::{ProcessView, RunView, Snapshot};
use crate::memory::container::ContainerFigures;
use crate::memory::history::{Point, sparkline};
use crate::memory::leak::evidence::Criterion;
use crate::memory::limit::Limit;
use crate::memory::recurring::Recurring;
use crate::memory::{LeakState, Verdict};
use crate::serve::wire::memory as wire;
use crate::units::{Bytes, Wall};

/// What is answered at the addresses of this file.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    All,
    One,
    Label,
}

/// The addresses of this file.
pub(super) const ROUTES: &[Route] = &[
    get("/v1/memory", &[], Any::Memory(What::All)),
    get("/v1/memory/{name}", &[], Any::Memory(What::One)),
    post("/v1/processes/{name}/memory/label", &[], Any::Memory(What::Label)),
];

/// The widest line of a history that is drawn here.
const WIDTH: usize = 60;
/// The longest label, in characters.
const LONGEST_LABEL: usize = 64;

/// The answer to a request of this file.
pub(super) async fn answer(
    desk: &Desk,
    caller: &Caller,
    what: What,
    name: &str,
    request: Request<Incoming>,
) -> Result<Answer, Problem> {
    let picture = desk.picture();
    let now = picture.at.wall;
    match what {
        What::All => {
            let told = wire::Memory {
                generation: picture.generation,
                at: now.to_string(),
                container: picture.house.container.as_ref().map(container),
                processes: picture.processes.iter().map(|one| held(one, now)).collect(),
            };
            Ok(json(StatusCode::OK, &told))
        }
        What::One => Ok(json(StatusCode::OK, &one(find(&picture, name)?, now))),
        What::Label => {
            find(&picture, name)?;
            let wire::LabelBody { label } = request::body(request).await?;
            let said = format!("label memory of {name}");
            let given = async {
                caller.may_order(&[name.to_owned()], &picture)?;
                put_label(desk, name, label).await
            };
            audited(caller, &said, given.await)
        }
    }
}

fn find<'a>(picture: &'a Snapshot, name: &str) -> Result<&'a ProcessView, Problem> {
    let found = picture.processes.iter().find(|process| process.name == name);
    found.ok_or_else(|| Problem::unknown("process", name, &reading::similar(name, picture)))
}

async fn put_label(desk: &Desk, process: &str, label: String) -> Result<Answer, Problem> {
    let is_plain = |label: &str| !label.is_empty() && !label.chars().any(char::is_control);
    if label.chars().count() > LONGEST_LABEL || !is_plain(&label) {
        let detail = format!("a label is one line of 1 to {LONGEST_LABEL} characters");
        return Err(Problem::invalid(&detail));
    }
    let asked = Asked::Label { process: process.to_owned(), label };
    let reply = (desk.sources.requests)(asked).map_err(|busy| match busy {
        Busy::Full => Problem::busy("too many requests wait for an answer"),
        Busy::Gone => Problem::going_down(),
    })?;
    match timeout(external::REPLY, reply).await {
        Ok(Ok(Answered { reply: Reply::Done(session), .. })) => {
            Ok(json(StatusCode::OK, &reading::session(&session)))
        }
        Ok(Ok(Answered { reply: Reply::Refused(Refusal::Unknown(_)), .. })) => {
            let detail = format!("{process} does not run, so that it has no samples");
            Err(Problem::conflict("not-running", "the process does not run", detail))
        }
        Ok(Ok(_)) | Err(_) => Err(Problem::no_reply()),
        Ok(Err(_)) => Err(Problem::going_down()),
    }
}

fn one(process: &ProcessView, now: Wall) -> wire::ProcessMemory {
    let points = process.run.as_ref().map(|run| run.history.points()).unwrap_or_default();
    wire::ProcessMemory {
        now: held(process, now),
        plot: sparkline(&points, WIDTH),
        history: points.iter().map(point).collect(),
    }
}

fn point(point: &Point) -> wire::Point {
    wire::Point {
        second: point.second,
        size_bytes: point.size.0,
        resident_bytes: point.resident.0,
        after_gap: point.after_gap,
    }
}

fn held(process: &ProcessView, now: Wall) -> wire::Held {
    let bytes = |bytes: Option<Bytes>| bytes.map(|bytes| bytes.0);
    let about = wire::Held {
        name: process.name.clone(),
        warning_bytes: bytes(process.bounds.warning),
        critical_bytes: bytes(process.bounds.critical),
        recurring: process.recurring.as_ref().map(recurring),
        ..wire::Held::default()
    };
    let Some(run) = &process.run else { return about };
    let about = wire::Held {
        session: Some(run.session.to_string()),
        peak_bytes: bytes(run.peak_resident),
        average_bytes: bytes(run.history.average()),
        samples: run.history.samples(),
        label: run.label.as_ref().map(|label| label.to_string()),
        leak: run.verdict.as_ref().map(|verdict| leak(verdict, run.limit, now)),
        ..about
    };
    with_costlier(with_sample(about, run), run, now)
}

fn with_sample(held: wire::Held, run: &RunView) -> wire::Held {
    let Some(sample) = &run.sample else { return held };
    wire::Held {
        resident_bytes: Some(sample.resident.0),
        virtual_bytes: Some(sample.virtual_size.0),
        anonymous_bytes: Some(sample.anonymous.0),
        processes: Some(sample.processes),
        cpu_seconds: Some(sample.cpu_seconds),
        size_bytes: run.size.map(|(size, _)| size.0),
        basis: run.size.map(|(_, basis)| basis.as_str().to_owned()),
        level: Some(run.level.as_str().to_owned()),
        ..held
    }
}

fn with_costlier(held: wire::Held, run: &RunView, now: Wall) -> wire::Held {
    let Some(tree) = &run.parts else { return held };
    let bytes = |bytes: Option<Bytes>| bytes.map(|bytes| bytes.0);
    wire::Held {
        proportional_bytes: bytes(tree.parts.proportional),
        unique_bytes: bytes(tree.parts.unique),
        swap_bytes: bytes(tree.parts.swap),
        threads: tree.parts.threads,
        open_fds: tree.parts.open_fds,
        read_bytes: run.moved[0],
        written_bytes: run.moved[1],
        proportional_age_seconds: Some(reading::seconds(tree.at.wall, now)),
        ..held
    }
}

fn leak(verdict: &Verdict, limit: Option<Limit>, now: Wall) -> wire::Leak {
    let explanation = verdict.evidence.explain();
    let is_known = verdict.state != LeakState::Unknown;
    wire::Leak {
        state: verdict.state.as_str().to_owned(),
        since: verdict.since.wall.to_string(),
        age_seconds: Some(reading::seconds(verdict.since.wall, now)),
        growth_bytes_per_second: verdict.growth.filter(|_| is_known),
        growth_between: verdict.growth_range.map(|range| [range.low, range.high]),
        seconds_to_limit: verdict.to_limit.map(|span| span.as_secs_f64()),
        limit_bytes: limit.map(|limit| limit.bytes.0),
        limit: limit.map(|limit| limit.of.as_str().to_owned()),
        evidence: explanation.sentence,
        explained: explanation.criteria.iter().map(explained).collect(),
    }
}

fn explained(criterion: &Criterion) -> wire::Explained {
    wire::Explained {
        name: criterion.name.to_owned(),
        value: criterion.value.filter(|value| value.is_finite()),
        unit: criterion.unit.as_str().to_owned(),
        sign: criterion.bound.sign().to_owned(),
        bound: criterion.bound.value(),
        met: criterion.bound.value().map(|_| criterion.is_met()),
    }
}

fn recurring(found: &Recurring) -> wire::Recurring {
    wire::Recurring {
        runs: found.runs as u64,
        growth_bytes_per_second: found.slope,
        start_bytes: found.start.0,
    }
}

fn container(figures: &ContainerFigures) -> wire::Container {
    let bytes = |bytes: Option<Bytes>| bytes.map(|bytes| bytes.0);
    let events = figures.events.by_name().into_iter();
    let parts = figures.parts.by_name().into_iter();
    wire::Container {
        mode: figures.mode.as_str().to_owned(),
        usage_bytes: bytes(figures.usage),
        limit_bytes: bytes(figures.limit),
        high_bytes: bytes(figures.high),
        working_set_bytes: bytes(figures.working_set),
        swap_bytes: bytes(figures.swap),
        peak_bytes: bytes(figures.peak),
        parts: parts.filter_map(|(name, bytes)| Some((name.to_owned(), bytes?.0))).collect(),
        events: events.filter_map(|(name, count)| Some((name.to_owned(), count?))).collect(),
        pressure: figures.pressure.map(|pressure| pressure.some.last_60s),
    }
}
