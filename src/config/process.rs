//! One entry of `processes`: every key that it knows, and what each means when it is left out.

use std::time::Duration;

use super::cursor::{Cursor, Fields};
use super::environment::{env_files, environment};
use super::plan::{
    AgentPlan, Backoff, Condition, Dialect, ProcessPlan, RestartPlan, RestartPolicy, Thresholds,
};
use super::quantity::print_duration;
use super::read;
use super::surroundings::Surroundings;
use crate::units::{Bytes, Signal};

/// From the asking to SIGKILL, where nothing is said: Compose's figure.
pub(super) const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// The shortest pause between two starts: a program that cannot start must not take the CPU.
const LEAST_DELAY: Duration = Duration::from_millis(10);

/// The largest factor of a back-off; beyond it the second delay is the longest one anyway.
const MAX_FACTOR: f64 = 100.0;

/// Words of Compose that mean nothing to a process, or nothing yet.
const COMPOSE_WORDS: [(&str, &str); 19] = [
    ("args", "arguments belong into `command`"),
    ("build", "images are not built here; remove it"),
    ("cmd", "did you mean `command`?"),
    ("container_name", "the key of the process is its name; remove it"),
    ("cwd", "did you mean `working_dir`?"),
    ("deploy", "did you mean `restart` and `restart_policy`?"),
    ("env", "did you mean `environment`?"),
    ("expose", "processes share the container's network; remove it"),
    ("healthcheck", "health checks are not read yet; remove it"),
    ("image", "a process runs in this container; remove it and write `command`"),
    ("init", "procession is the init; remove it"),
    ("labels", "labels are not read; remove it"),
    ("mem_limit", "did you mean `memory: {critical: …}`?"),
    ("networks", "processes share the container's network; remove it"),
    ("ports", "publish ports where the container is started; remove it"),
    ("stop_timeout", "did you mean `stop_grace_period`?"),
    ("ulimits", "limits are not set yet; remove it"),
    ("user", "processes run as our own user for now; remove it"),
    ("volumes", "mount volumes where the container is started; remove it"),
];

/// A process as the file has it: its dependencies are still names.
pub(super) struct Draft<'a> {
    /// Everything but the dependencies.
    pub plan: ProcessPlan,
    /// The dependencies by name.
    pub wanted: Vec<Wanted<'a>>,
    /// The grace period where it is written, for a comparison with the time of the whole stop.
    pub grace: Option<Cursor<'a>>,
}

/// A dependency by name.
pub(super) struct Wanted<'a> {
    /// Where it stands.
    pub at: Cursor<'a>,
    /// The process that is waited for.
    pub name: String,
    /// What must have happened to it.
    pub condition: Condition,
}

/// Reads the entry `name`. Faults go to the sink; the draft is only good without any.
pub(super) fn process<'a>(
    at: &Cursor<'a>,
    name: &str,
    thresholds: Thresholds,
    around: &Surroundings<'_>,
) -> Option<Draft<'a>> {
    let mut fields = at.fields("a map with `command`")?;
    let command = command(&mut fields);
    let (grace, stop_grace_period) = grace(&mut fields);
    let plan = ProcessPlan {
        working_dir: fields.read("working_dir", |at| read::path(at, around)),
        environment: variables(&mut fields, around),
        restart: restart(&mut fields),
        stop_signal: fields.read("stop_signal", read::signal).unwrap_or(Signal::TERM),
        stop_grace_period,
        forward_signals: fields.read("forward_signals", signals).unwrap_or_default(),
        thresholds: fields.read("memory", |at| memory(at, thresholds)).unwrap_or(thresholds),
        agent: fields.read("agent", |at| agent(at, around)),
        ..ProcessPlan::new(name, command)
    };
    let wanted = fields.read("depends_on", depends_on).unwrap_or_default();
    fields.finish(&COMPOSE_WORDS);
    Some(Draft { plan, wanted, grace })
}

/// `entrypoint` and, behind it, `command`; one of them is needed.
fn command(fields: &mut Fields<'_>) -> Vec<String> {
    let entrypoint = fields.get("entrypoint").filter(|at| !at.is_null());
    let command = fields.get("command").filter(|at| !at.is_null() || entrypoint.is_none());
    if entrypoint.is_none() && command.is_none() {
        let advice = "write what to run, for instance `command: npm run dev`";
        fields.missing("command", advice, &COMPOSE_WORDS);
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
        None => (None, DEFAULT_GRACE),
    }
}

/// The variables of the files, and behind them those of the map, which win.
fn variables(fields: &mut Fields<'_>, around: &Surroundings<'_>) -> Vec<(String, String)> {
    let mut all = fields.get("env_file").map(|at| env_files(&at, around)).unwrap_or_default();
    all.extend(fields.read("environment", |at| environment(at, around)).unwrap_or_default());
    all
}

fn restart(fields: &mut Fields<'_>) -> RestartPlan {
    let at = fields.get("restart");
    let (policy, attempts) = at.as_ref().and_then(policy).unwrap_or((RestartPolicy::No, None));
    let mut plan = RestartPlan { policy, max_attempts: attempts, ..RestartPlan::default() };
    if let Some(at) = fields.get("restart_policy") {
        restart_policy(&at, &mut plan);
        if policy == RestartPolicy::No {
            let message = "this has no effect, because the process is never restarted";
            at.warn(message, "write `restart: on-failure` beside it");
        }
    }
    plan
}

/// `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:3`.
fn policy(at: &Cursor<'_>) -> Option<(RestartPolicy, Option<u32>)> {
    let words = [
        ("no", RestartPolicy::No),
        ("always", RestartPolicy::Always),
        ("on-failure", RestartPolicy::OnFailure),
        ("unless-stopped", RestartPolicy::UnlessStopped),
    ];
    let text = at.scalar().unwrap_or_default();
    match text.split_once(':') {
        None if text == "false" => at.expected("a restart policy", "write `no`"),
        None if matches!(text, "true" | "yes") => at.expected("a restart policy", "write `always`"),
        None => Some((at.choice(&words)?, None)),
        Some(("on-failure", count)) => match count.parse::<u32>().ok().filter(|count| *count > 0) {
            Some(count) => Some((RestartPolicy::OnFailure, Some(count))),
            None => at.expected(
                "`on-failure:` and a whole number from 1",
                "write `on-failure` to have no limit",
            ),
        },
        Some(_) => at
            .expected("a restart policy", "only `on-failure` takes a number, as in `on-failure:3`"),
    }
}

fn restart_policy(at: &Cursor<'_>, plan: &mut RestartPlan) -> Option<()> {
    let mut fields = at.fields("a map")?;
    let usual = Backoff::default();
    let delay = |at: &Cursor<'_>| {
        read::duration_from(at, LEAST_DELAY, "a program that cannot start would take the CPU")
    };
    let delay = fields.read("delay", delay).unwrap_or(usual.delay);
    let longest = fields.get("max_delay");
    let max_delay = match longest.as_ref().and_then(read::duration) {
        None => usual.max_delay.max(delay),
        Some(max_delay) => max_delay,
    };
    if let Some(longest) = longest.filter(|_| max_delay < delay) {
        let delay = print_duration(delay);
        longest.fault(format!("`max_delay` is shorter than `delay` ({delay})"), "make it longer");
    }
    plan.backoff = Backoff {
        delay,
        max_delay,
        factor: fields
            .read("factor", |at| read::number(at, 1.0, MAX_FACTOR))
            .unwrap_or(usual.factor),
        jitter: fields.read("jitter", |at| read::number(at, 0.0, 1.0)).unwrap_or(usual.jitter),
        window: fields.read("window", read::duration).unwrap_or(usual.window),
    };
    if let Some(at) = fields.get("max_attempts") {
        let attempts = read::count(&at);
        if let (Some(said), Some(attempts)) = (plan.max_attempts, attempts)
            && said != attempts
        {
            at.fault(format!("`restart: on-failure:{said}` says otherwise"), "keep one of them");
        }
        plan.max_attempts = attempts;
    }
    fields.finish(&[("condition", "write `restart: on-failure` or `restart: always`")]);
    Some(())
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

/// `memory: {warning, critical}`. Where only one is written, the other keeps its distance: a
/// critical size below the warning would never warn.
pub(super) fn thresholds(fields: &mut Fields<'_>, usual: Thresholds) -> Thresholds {
    let warning = fields.read("warning", read::bytes);
    let critical_at = fields.get("critical");
    let critical = critical_at.as_ref().and_then(read::bytes);
    match (warning, critical) {
        (None, None) => usual,
        (Some(warning), None) => {
            let apart = Bytes(warning.0.saturating_add(warning.0 / 2));
            Thresholds { warning, critical: usual.critical.max(apart) }
        }
        (None, Some(critical)) => {
            Thresholds { warning: usual.warning.min(Bytes(critical.0 / 3 * 2)), critical }
        }
        (Some(warning), Some(critical)) => {
            if let Some(at) = critical_at.filter(|_| critical < warning) {
                at.fault("`critical` is smaller than `warning`", "make it larger");
            }
            Thresholds { warning, critical }
        }
    }
}

fn memory(at: &Cursor<'_>, usual: Thresholds) -> Option<Thresholds> {
    let mut fields = at.fields("a map with `warning` and `critical`")?;
    let thresholds = thresholds(&mut fields, usual);
    let elsewhere = "it is the same for all processes: write it under the top-level `memory`";
    fields.finish(&[("interval", elsewhere), ("leak_rule", elsewhere)]);
    Some(thresholds)
}

/// `claude`, or a map with `name`, `dialect` and `transcripts`.
fn agent(at: &Cursor<'_>, around: &Surroundings<'_>) -> Option<AgentPlan> {
    if !at.is_map() {
        let dialect = dialect(at)?;
        return Some(AgentPlan { name: "claude".to_owned(), dialect, transcripts: vec![] });
    }
    let mut fields = at.fields("an agent")?;
    let plan = AgentPlan {
        name: fields.read("name", read::name).unwrap_or_else(|| "claude".to_owned()),
        dialect: fields.read("dialect", dialect).unwrap_or(Dialect::Claude),
        transcripts: fields.read("transcripts", |at| read::paths(at, around)).unwrap_or_default(),
    };
    fields.finish(&[("path", "did you mean `transcripts`?")]);
    Some(plan)
}

fn dialect(at: &Cursor<'_>) -> Option<Dialect> {
    let known = |text: &str| (text == "claude").then_some(Dialect::Claude);
    at.parsed("`claude`", known, |_| {
        Some("only Claude Code's transcripts can be read so far".to_owned())
    })
}

/// `depends_on`: a list of names, or a map of names with a `condition`.
fn depends_on<'a>(at: &Cursor<'a>) -> Option<Vec<Wanted<'a>>> {
    if at.is_list() || at.is_null() {
        let items = at.items("a list of processes")?;
        let wanted = items.into_iter().filter_map(|at| {
            let name = at.text("the name of a process")?.to_owned();
            Some(Wanted { at, name, condition: Condition::Started })
        });
        return Some(wanted.collect());
    }
    if let Some(name) = at.scalar() {
        return at.expected(
            "a list of processes",
            format!("write `[{}]`", super::problem::shortened(name)),
        );
    }
    let entries = at.entries("a list or map of processes")?;
    let wanted = entries.into_iter().map(|(entry, at)| {
        let condition = condition(&at).unwrap_or(Condition::Started);
        Wanted { at, name: entry.key.clone(), condition }
    });
    Some(wanted.collect())
}

fn condition(at: &Cursor<'_>) -> Option<Condition> {
    let words = [
        ("service_started", Condition::Started),
        ("service_completed_successfully", Condition::CompletedSuccessfully),
    ];
    let mut fields = at.fields("a map with `condition`")?;
    let found = fields.get("condition");
    if found.is_none() {
        fields.missing("condition", "write `condition: service_started`", &[]);
    }
    fields.finish(&[
        ("required", "every dependency is required; remove it"),
        ("restart", "dependants are not restarted with it yet; remove it"),
    ]);
    let found = found?;
    match found.scalar() {
        Some("service_healthy") => {
            found.expected("a condition", "health checks are not read yet; write `service_started`")
        }
        _ => found.choice(&words),
    }
}
