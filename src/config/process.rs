//! One entry of `processes`: every key that it knows, and what each means when it is left out.

mod agent;
mod clockwork;
mod depends;
mod develop;
mod health;
pub(super) mod hooks;
pub(super) mod memory;
pub(super) mod output;
mod restart;
mod secrets;
mod spending;
mod user;
mod world;
pub(super) mod zone;

use std::time::Duration;

use super::cursor::{Cursor, Fields};
use super::environment::{env_files, environment};
use super::plan::{
    Hook, Hooks, OutputMode, OutputPlan, ProcessPlan, ReadyPlan, Standing, Stdin, Thresholds, World,
};
use super::read;
use super::sessions::session;
use super::surroundings::Surroundings;
use crate::units::Signal;

pub(super) use self::depends::Wanted;
pub(super) use self::world::RESOURCES;

/// Words of Compose and of other supervisors that mean nothing to a process, or another thing.
const OTHER_WORDS: [(&str, &str); 17] = [
    ("args", "arguments belong into `command`"),
    ("build", "images are not built here; remove it"),
    ("cmd", "did you mean `command`?"),
    ("container_name", "the key of the process is its name; remove it"),
    ("cwd", "did you mean `working_dir`?"),
    ("deploy", "did you mean `replicas`, `restart` and `restart_policy`?"),
    ("env", "did you mean `environment`?"),
    ("expose", "processes share the container's network; remove it"),
    ("image", "a process runs in this container; remove it and write `command`"),
    ("init", "procession is the init; remove it"),
    ("labels", "labels are not read; remove it"),
    ("mem_limit", "did you mean `memory: {critical: …}`?"),
    ("networks", "processes share the container's network; remove it"),
    ("ports", "publish ports where the container is started; remove it"),
    ("scale", "did you mean `replicas`?"),
    ("stop_timeout", "did you mean `stop_grace_period`?"),
    ("volumes", "mount volumes where the container is started; remove it"),
];

/// What holds for every process that does not say otherwise.
pub(super) struct Usual {
    pub thresholds: Thresholds,
    pub on_memory: Option<Hook>,
    pub output: OutputPlan,
}

/// How long a process is meant to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// For as long as the house is up.
    Service,
    /// To completion.
    Oneshot,
    /// To completion, before everything that is not of this kind, and one after another.
    Init,
}

/// The words of `type`.
const KINDS: [(&str, Kind); 3] =
    [("service", Kind::Service), ("oneshot", Kind::Oneshot), ("init", Kind::Init)];

/// The most replicas of one process: each is an own process with own series.
const MAX_REPLICAS: i64 = 100;

/// A process as the file has it: its dependencies are still names.
pub(super) struct Draft<'a> {
    /// Everything but the dependencies.
    pub plan: ProcessPlan,
    /// How long it is meant to run.
    pub kind: Kind,
    /// How many of it there are, where that is written.
    pub replicas: Option<(u32, Cursor<'a>)>,
    /// The dependencies by name.
    pub wanted: Vec<Wanted<'a>>,
    /// The grace period where it is written, for a comparison with the time of the whole stop.
    pub grace: Option<Cursor<'a>>,
    /// Where it says that it has our standard input, which only one can.
    pub stdin: Option<Cursor<'a>>,
}

/// Reads the entry `name`. Faults go to the sink; the draft is only good without any.
pub(super) fn process<'a>(
    at: &Cursor<'a>,
    name: &str,
    usual: &Usual,
    around: &Surroundings<'_>,
) -> Option<Draft<'a>> {
    let mut fields = at.fields("a map with `command`")?;
    let command = command(&mut fields);
    let (grace, stop_grace_period) = grace(&mut fields);
    let kind = fields.read("type", |at| at.choice(&KINDS)).unwrap_or(Kind::Service);
    let restart = restart::restart(&mut fields, kind);
    let replicas = replicas(&mut fields, kind);
    let standing = standing(&mut fields, kind);
    let environment = variables(&mut fields, around);
    let world = world::world(&mut fields, &environment, around);
    let (stdin, output, stdin_at) = streams(&mut fields, &usual.output, around);
    let (rule, max_duration) = fields.read("session", session).unwrap_or_default();
    let spending = fields.get("tokens");
    let own = |at: &Cursor<'_>| memory::memory(at, usual.thresholds, usual.on_memory.as_ref());
    let (thresholds, on_memory) =
        fields.read("memory", own).unwrap_or_else(|| (usual.thresholds, usual.on_memory.clone()));
    let plan = ProcessPlan {
        standing,
        working_dir: fields.read("working_dir", |at| read::path(at, around)),
        world: World { stdin, ..world },
        environment,
        ready: ready(&mut fields, &output),
        health: fields.read("healthcheck", |at| health::health(at, restart.policy)),
        watchdog: fields.read("watchdog", health::watchdog),
        hooks: Hooks { on_memory, ..hooks::hooks(&mut fields) },
        schedule: clockwork::schedule(&mut fields, (kind, restart.policy, standing), around),
        watch: fields.read("develop", |at| develop::develop(at, around)).unwrap_or_default(),
        restart,
        output,
        stop_signal: fields.read("stop_signal", read::signal).unwrap_or(Signal::TERM),
        stop_grace_period,
        forward_signals: fields.read("forward_signals", signals).unwrap_or_default(),
        thresholds,
        agent: fields.read("agent", |at| agent::agent(at, around)),
        reads_stdout: spending.as_ref().and_then(spending::tokens).unwrap_or_default(),
        session: rule,
        max_duration,
        ..ProcessPlan::new(name, command)
    };
    let wanted = fields.read("depends_on", depends::depends_on).unwrap_or_default();
    fields.finish(&OTHER_WORDS);
    if let Some(at) = &spending {
        spending::check(at, &plan);
    }
    Some(Draft { plan, kind, replicas, wanted, grace, stdin: stdin_at })
}

/// `replicas`; an init task is run once.
fn replicas<'a>(fields: &mut Fields<'a>, kind: Kind) -> Option<(u32, Cursor<'a>)> {
    let at = fields.get("replicas")?;
    let count = read::whole(&at, 1, MAX_REPLICAS)?;
    if kind == Kind::Init {
        at.fault("an init task is run once", "remove it, or write `type: oneshot`");
    }
    Some((u32::try_from(count).ok()?, at))
}

/// `autostart`; an init task cannot wait to be asked for.
fn standing(fields: &mut Fields<'_>, kind: Kind) -> Standing {
    let Some(at) = fields.get("autostart") else { return Standing::Wanted };
    match read::boolean(&at) {
        Some(false) if kind == Kind::Init => {
            let advice = "remove it, or write `type: oneshot`";
            at.fault("every process waits for an init task, so it has to start by itself", advice);
            Standing::Wanted
        }
        Some(false) => Standing::OnDemand,
        _ => Standing::Wanted,
    }
}

/// `entrypoint` and, behind it, `command`; one of them is needed.
fn command(fields: &mut Fields<'_>) -> Vec<String> {
    let entrypoint = fields.get("entrypoint").filter(|at| !at.is_null());
    let command = fields.get("command").filter(|at| !at.is_null() || entrypoint.is_none());
    if entrypoint.is_none() && command.is_none() {
        let advice = "write what to run, for instance `command: npm run dev`";
        fields.missing("command", advice, &OTHER_WORDS);
    }
    let words = |at: Option<Cursor<'_>>| at.and_then(|at| read::command(&at)).unwrap_or_default();
    let mut all = words(entrypoint);
    all.extend(words(command));
    all
}

fn grace<'a>(fields: &mut Fields<'a>) -> (Option<Cursor<'a>>, Duration) {
    let at = fields.get("stop_grace_period");
    match at.as_ref().and_then(read::duration) {
        Some(period) => (at, period),
        None => (None, ProcessPlan::GRACE),
    }
}

/// The variables of the files, and behind them those of the map, which win.
fn variables(fields: &mut Fields<'_>, around: &Surroundings<'_>) -> Vec<(String, String)> {
    let mut all = fields.get("env_file").map(|at| env_files(&at, around)).unwrap_or_default();
    all.extend(fields.read("environment", |at| environment(at, around)).unwrap_or_default());
    all
}

/// Where its standard input comes from, and what becomes of its output.
fn streams<'a>(
    fields: &mut Fields<'a>,
    usual: &OutputPlan,
    around: &Surroundings<'_>,
) -> (Stdin, OutputPlan, Option<Cursor<'a>>) {
    let at = fields.get("output");
    let said = at.as_ref().and_then(|at| output::output(at, usual, around));
    world::standard_input(fields, said.unwrap_or_else(|| usual.clone()), at.as_ref())
}

/// `ready`; a pattern for the log needs an output that comes by here.
fn ready(fields: &mut Fields<'_>, output: &OutputPlan) -> Option<ReadyPlan> {
    let at = fields.get("ready")?;
    let ready = health::ready(&at)?;
    if ready.log.is_some() && output.mode == OutputMode::Passthrough {
        let message = "with `output: passthrough` no line of the log comes by here";
        at.fault(message, "write `output: prefixed`, or use a `healthcheck`");
    }
    Some(ready)
}

fn signals(at: &Cursor<'_>) -> Option<Vec<Signal>> {
    let items = at.one_or_many("a list of signals")?;
    Some(items.iter().filter_map(forwarded_signal).collect())
}

/// A signal that can reach us and has no other meaning for us.
fn forwarded_signal(at: &Cursor<'_>) -> Option<Signal> {
    let signal = read::signal(at)?;
    let advice = match signal {
        Signal::KILL | Signal(19) => "nobody can catch it; remove it",
        Signal::CHLD => "it tells us of ended processes; remove it",
        Signal::TERM | Signal::INT | Signal::QUIT => {
            "it stops all processes, each with its `stop_signal`; remove it"
        }
        _ => return Some(signal),
    };
    at.fault(format!("{signal} cannot be forwarded"), advice);
    None
}
