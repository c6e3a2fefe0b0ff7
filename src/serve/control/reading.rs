//! What the picture says, in the shapes of the wire. Pure but for our own pid.

use std::collections::BTreeMap;

use super::query::Query;
use super::role::Role;
use crate::clock;
use crate::context::Context;
use crate::ledger::care::Rest;
use crate::ledger::session;
use crate::ledger::snapshot::{ProcessView, Snapshot};
use crate::memory::LeakState;
use crate::serve::wire;
use crate::supervise::lifecycle::PhaseName;
use crate::units::{ExitStatus, Wall};

/// How many similar names are offered in place of one that nobody knows.
const MOST_SIMILAR: usize = 3;

pub(super) fn status(picture: &Snapshot, alive: bool, role: &Role) -> wire::Status {
    let mut states: BTreeMap<String, u64> = BTreeMap::new();
    for process in picture.processes.iter().filter(|process| !process.retired) {
        *states.entry(process.phase.as_str().to_owned()).or_default() += 1;
    }
    wire::Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        pid1: picture.house.pid1,
        started: picture.house.started.to_string(),
        uptime_seconds: seconds(picture.house.started, clock::now().wall),
        stopping: picture.house.stopping,
        alive,
        generation: picture.generation,
        states,
        store_up: picture.house.store.map(|store| store.up),
        role: role.as_str().to_owned(),
    }
}

/// Every process, or those in one of the states that are asked for.
pub(super) fn processes(picture: &Snapshot, query: &Query) -> wire::Processes {
    let states = query.words("state");
    let asked =
        |process: &&ProcessView| states.is_empty() || states.contains(&process.phase.as_str());
    let now = clock::now().wall;
    let processes = picture.processes.iter().filter(asked);
    wire::Processes {
        generation: picture.generation,
        at: picture.at.wall.to_string(),
        processes: processes.map(|view| process(view, picture, now)).collect(),
    }
}

pub(super) fn process(view: &ProcessView, picture: &Snapshot, now: Wall) -> wire::Process {
    let run = view.run.as_ref();
    let sample = run.and_then(|run| run.sample);
    let tokens = picture.process_tokens.get(&view.name).map(|tokens| tokens.total());
    let leak = run.and_then(|run| Some(run.verdict.as_ref()?.state));
    wire::Process {
        name: view.name.clone(),
        family: view.family.clone(),
        replica: replica(view, picture),
        state: view.phase.as_str().to_owned(),
        health: view.care.health.map(|health| health.as_str().to_owned()),
        status: run.and_then(|run| run.status.clone()),
        pid: run.and_then(|run| run.main).map(|main| main.pid),
        run: run.map(|run| run.run.0),
        session: run.map(|run| run.session.to_string()),
        started: run.map(|run| run.started.to_string()),
        uptime_seconds: run.map(|run| seconds(run.started, now)),
        restarts: view.restarts,
        last_exit: view.last_status.map(|status| exit(status, view.last_exit)),
        rest: view.care.rest.as_ref().map(rest),
        next_run: next_run(view, now).map(|at| at.to_string()),
        failed_tests: view.care.tests_failed,
        failed_test_output: view.care.test_said.as_ref().map(|said| said.to_string()),
        memory_bytes: sample.map(|sample| sample.resident.0),
        peak_memory_bytes: run.and_then(|run| run.peak_resident).map(|bytes| bytes.0),
        // What was not measured has no level.
        memory_level: sample.and(run).map(|run| run.level.as_str().to_owned()),
        leak_suspected: leak.and_then(LeakState::is_suspected),
        leak: leak.map(|state| state.as_str().to_owned()),
        cpu_seconds: view.cpu_seconds_ended + sample.map_or(0.0, |sample| sample.cpu_seconds),
        tree: sample.map(|sample| sample.processes),
        forced_kills: view.forced_kills,
        crash_loops: view.crash_loops,
        agent: view.agent.clone(),
        tokens: tokens.filter(|_| view.agent.is_some()),
    }
}

fn replica(view: &ProcessView, picture: &Snapshot) -> Option<wire::Replica> {
    let number = view.replica?;
    let siblings = picture.processes.iter();
    let of =
        siblings.filter(|one| !one.retired && one.replica.is_some() && one.family == view.family);
    Some(wire::Replica { number, of: u32::try_from(of.count()).unwrap_or(u32::MAX) })
}

fn rest(rest: &Rest) -> wire::Rest {
    let Rest { delay, until, streak } = *rest;
    wire::Rest { until: until.to_string(), delay_seconds: delay.as_secs_f64(), streak }
}

/// When the clock starts it next; not while somebody keeps it from running.
fn next_run(view: &ProcessView, now: Wall) -> Option<Wall> {
    let by_the_clock = !view.retired && matches!(view.phase, PhaseName::Resting);
    view.schedule.as_ref().filter(|_| by_the_clock || view.run.is_some())?.next_after(now)
}

fn exit(status: ExitStatus, at: Option<Wall>) -> wire::Exit {
    let signal = match status {
        ExitStatus::Signal(signal) => Some(signal.to_string()),
        ExitStatus::Code(_) | ExitStatus::Unknown => None,
    };
    let at = at.map(|at| at.to_string());
    wire::Exit { code: status.code(), signal, at, text: status.to_string() }
}

/// The session of this id, if it is live or ended lately.
pub(super) fn find_session(picture: &Snapshot, id: &str) -> Option<wire::Session> {
    let mut all = picture.sessions.iter().chain(&picture.ended);
    all.find(|session| session.id.to_string() == id).map(|it| session(it))
}

pub(super) fn session(it: &session::Session) -> wire::Session {
    let figures = &it.figures;
    wire::Session {
        id: it.id.to_string(),
        kind: it.kind.as_str().to_owned(),
        parent: it.parent.map(|parent| parent.to_string()),
        process: it.process.clone(),
        agent: it.agent.clone(),
        native_id: it.native_id.clone(),
        state: it.state.as_str().to_owned(),
        started: it.started.to_string(),
        last_activity: it.last_activity.to_string(),
        pid: it.main.map(|main| main.pid),
        context: it.context.as_deref().map(context),
        events: it.events,
        peak_memory_bytes: figures.peak_memory.map(|bytes| bytes.0),
        cpu_seconds: figures.cpu_seconds,
        tokens: figures.tokens.total(),
        cost_nano_usd: figures.cost.0,
        total: wire::Totals {
            cpu_seconds: it.total.cpu_seconds,
            tokens: it.total.tokens.total(),
            cost_nano_usd: it.total.cost.0,
        },
        end: it.end.as_ref().map(|end| wire::SessionEnd {
            at: end.at.to_string(),
            duration_seconds: end.duration.as_secs_f64(),
            reason: end.reason.clone(),
            exit_code: end.status.map(ExitStatus::code),
        }),
    }
}

fn context(context: &Context) -> wire::Context {
    let git = context.git.as_ref().map(|git| wire::Git {
        root: git.root.clone(),
        branch: git.branch.clone(),
        commit: git.commit.clone(),
        dirty: git.dirty,
    });
    wire::Context {
        command: context.command.clone(),
        working_dir: context.working_dir.as_ref().map(|dir| dir.display().to_string()),
        git,
        user: context.user.clone(),
        uid: context.uid,
        gid: context.gid,
        hostname: context.host.hostname.clone(),
        version: context.version.clone(),
        config_digest: context.config_digest.to_string(),
        labels: context.labels.clone(),
    }
}

/// The names that somebody may have meant, the nearest first: one slip of the finger in three
/// letters is forgiven.
pub(super) fn similar(name: &str, picture: &Snapshot) -> Vec<String> {
    let known = picture.processes.iter().filter(|process| !process.retired);
    nearest(name, known.map(|process| process.name.as_str()))
}

/// The processes that a name means: the one that is called so, or all replicas of a family.
pub(super) fn meant<'a>(
    name: &'a str,
    picture: &'a Snapshot,
) -> impl Iterator<Item = &'a str> + Clone {
    let replicas = picture.processes.iter().filter(move |process| process.family == name);
    replicas.map(|process| process.name.as_str()).chain([name])
}

/// The nearest of these that somebody may have meant.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    let most = (name.chars().count() / 3).max(1);
    let mut near: Vec<(usize, &str)> =
        known.map(|known| (strsim::damerau_levenshtein(name, known), known)).collect();
    near.retain(|(distance, _)| *distance <= most);
    near.sort_unstable();
    near.into_iter().take(MOST_SIMILAR).map(|(_, known)| known.to_owned()).collect()
}

pub(super) fn seconds(from: Wall, to: Wall) -> f64 {
    to.0.saturating_sub(from.0).max(0) as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::control::example;

    #[test]
    fn names_that_may_have_been_meant_are_found() {
        let picture = example::picture();
        assert_eq!(similar("wbe", &picture), ["web"]);
        assert_eq!(similar("bd", &picture), ["db"]);
        assert_eq!(similar("database", &picture), [""; 0]);
    }

    #[test]
    fn a_span_is_never_negative() {
        assert_eq!(seconds(Wall(5_000), Wall(1_000)), 0.0);
        assert_eq!(seconds(Wall(1_000), Wall(2_500)), 1.5);
        assert_eq!(seconds(Wall(0), Wall(10_000_000_000)), 1e7);
    }
}
