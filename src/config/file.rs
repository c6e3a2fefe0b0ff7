//! The whole file: every top-level key, what it means when it is left out, and what must fit
//! together. The mirror of [`super::plan::Plan`] on the side of the text.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::budgets::budgets;
use super::control::control;
use super::cursor::{Cursor, Fields};
use super::links::{Names, dependencies};
use super::parse::parse;
use super::plan::{
    ControlGroups, Hook, LeakRule, MemoryPlan, Mode, OutputPlan, Passing, Plan, ProcessPlan,
    Recovery, Thresholds,
};
use super::privacy::privacy;
use super::problem::{Problems, Sink, quoted};
use super::process::memory::{hook, thresholds};
use super::process::output::{USUAL_MODE, output as process_output};
use super::process::{Draft, Usual, process};
use super::quantity::print_duration;
use super::read;
use super::sessions::sessions;
use super::store::{Kept, store};
use super::surroundings::{Surroundings, default_state_dir};
use super::tokens::tokens;
use crate::units::ProcessIx;

/// From the request to stop to our exit: Docker kills after 10 s, and a second remains for us.
pub(super) const DEFAULT_SHUTDOWN: Duration = Duration::from_secs(9);

/// The shortest stop in which there is time to kill, reap and write down.
const LEAST_SHUTDOWN: Duration = Duration::from_millis(100);

/// Where metrics are served unless told otherwise: to whoever reaches the container.
pub(super) const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9917);

/// Between two samples of memory, unless told otherwise.
pub(super) const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);

/// Sampling more often than this costs more than it shows.
const LEAST_INTERVAL: Duration = Duration::from_millis(100);

/// The most processes of one container, replicas included. Each has its own series and labels.
pub(super) const MAX_PROCESSES: usize = 2000;

/// The most dependencies of all processes together: a hundred replicas that wait for a hundred
/// others are ten thousand.
const MAX_DEPENDENCIES: usize = 50_000;

/// Top-level words of Compose and what they are here.
const COMPOSE_WORDS: [(&str, &str); 6] = [
    ("services", "did you mean `processes`?"),
    ("version", "the format has no versions; remove it"),
    ("name", "the container's name is its own; remove it"),
    ("networks", "processes share the container's network; remove it"),
    ("volumes", "mount volumes where the container is started; remove it"),
    ("stop_grace_period", "write it under a process, or `shutdown_timeout` for all together"),
];

/// A configuration that can be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// What to do.
    pub plan: Plan,
    /// What probably does not mean what was meant.
    pub warnings: Problems,
}

/// Reads the text of a configuration: the plan, or everything that is wrong with it.
pub fn read(text: &str, around: &Surroundings<'_>) -> Result<Loaded, Problems> {
    let digest = super::digest::of(text.as_bytes());
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let sink = Sink::new(around.file, text);
    let plan = parse(text, around.vars, &sink)
        .and_then(|root| whole(&Cursor::root(&root, &sink), digest, around));
    let faulty = sink.is_faulty();
    let problems = sink.into_problems();
    match plan {
        Some(plan) if !faulty => Ok(Loaded { plan, warnings: problems }),
        _ => Err(problems),
    }
}

fn whole(at: &Cursor<'_>, digest: String, around: &Surroundings<'_>) -> Option<Plan> {
    if at.is_null() {
        at.fault("the file is empty", "write `processes: {web: {command: npm run dev}}`");
        return None;
    }
    let mut fields = at.fields("a map with `processes`")?;
    let (memory, thresholds, on_memory) = memory(&mut fields);
    let usual = Usual { thresholds, on_memory, output: output(&mut fields, around) };
    let shutdown_timeout = fields
        .read("shutdown_timeout", |at| {
            read::duration_from(at, LEAST_SHUTDOWN, "ending processes takes time")
        })
        .unwrap_or(DEFAULT_SHUTDOWN);
    let processes_at = fields.get("processes");
    if processes_at.is_none() {
        let advice = "write `processes: {web: {command: npm run dev}}`";
        fields.missing("processes", advice, &COMPOSE_WORDS);
    }
    let deciders_at = fields.get("exit_code_from");
    let (processes, exit_code_from) =
        processes(processes_at.as_ref(), deciders_at.as_ref(), &usual, shutdown_timeout, around);
    let state_dir = fields
        .read("state_dir", |at| read::path(at, around))
        .unwrap_or_else(|| default_state_dir(around.uid, around.vars));
    let Kept { store, spool, output } = store(&mut fields, &state_dir, around);
    let budgets = budgets(&mut fields, processes_at.as_ref(), &processes, around);
    let plan = Plan {
        mode: Mode::Supervise,
        passing: Passing::default(),
        control: control(fields.get("control").as_ref(), &state_dir, around),
        processes,
        exit_code_from,
        shutdown_timeout,
        listen: listen(&mut fields),
        store,
        spool,
        keep_output: output,
        state_dir,
        recovery: recovery(&mut fields),
        cgroups: cgroups(&mut fields),
        memory,
        sessions: sessions(at, &mut fields, around),
        privacy: privacy(&mut fields),
        tokens: tokens(&mut fields, around),
        budgets,
        file_digest: Some(digest),
    };
    fields.finish(&COMPOSE_WORDS);
    Some(plan)
}

fn processes(
    at: Option<&Cursor<'_>>,
    deciders_at: Option<&Cursor<'_>>,
    usual: &Usual,
    shutdown_timeout: Duration,
    around: &Surroundings<'_>,
) -> (Vec<ProcessPlan>, Vec<ProcessIx>) {
    let entries = at.and_then(|at| at.entries("a map of processes by name")).unwrap_or_default();
    let at = at.filter(|at| at.is_map() || at.is_null());
    if let Some(at) = at.filter(|_| entries.is_empty()) {
        at.fault("there is no process here", "write `web: {command: npm run dev}` below it");
    }
    if let Some(at) = at.filter(|_| entries.len() > MAX_PROCESSES) {
        too_many(at, entries.len());
        return (vec![], vec![]);
    }
    let mut drafts = vec![];
    for (entry, value) in &entries {
        if let Some(fault) = read::name_fault(&entry.key) {
            let advice = Some("choose another name".to_owned());
            value.sink().fault(entry.place, value.path(), fault.to_owned(), advice);
        }
        drafts.extend(process(value, &entry.key, usual, around));
    }
    let count = drafts.iter().map(Draft::count).sum();
    if let Some(at) = at.filter(|_| count > MAX_PROCESSES) {
        too_many(at, count);
        return (vec![], vec![]);
    }
    warn_of_long_graces(&drafts, shutdown_timeout);
    drafts.iter().for_each(Draft::check_names);
    only_one_reads(&drafts);
    let names = Names::new(entries.iter().map(|(entry, _)| &*entry.key).collect(), &drafts);
    let exit_code_from = deciders_at.and_then(|at| deciders(at, &names)).unwrap_or_default();
    let linked = dependencies(&drafts, &names);
    let links = drafts.iter().zip(&linked).map(|(draft, linked)| draft.count() * linked.len());
    if let Some(at) = at.filter(|_| links.sum::<usize>() > MAX_DEPENDENCIES) {
        let what = format!("at most {MAX_DEPENDENCIES} dependencies, replicas counted");
        at.expected::<()>(&what, "let fewer wait, or wait for one that waits for the others");
        return (vec![], vec![]);
    }
    let plans = drafts.into_iter().zip(linked).flat_map(|(draft, links)| draft.into_plans(links));
    (plans.collect(), exit_code_from)
}

fn too_many(at: &Cursor<'_>, count: usize) {
    let message =
        format!("these are {count} processes, replicas counted; at most {MAX_PROCESSES} can be");
    at.fault(message, "run the others in a second container");
}

/// Two that read our standard input would take each other's bytes.
fn only_one_reads(drafts: &[Draft<'_>]) {
    let mut first: Option<&Draft<'_>> = None;
    for draft in drafts {
        let Some(at) = &draft.stdin else { continue };
        if draft.count() > 1 {
            let message = "only one process can have our standard input, not all replicas";
            at.fault(message, "remove it, or write `replicas: 1`");
        } else if let Some(first) = first {
            let name = quoted(&first.plan.name);
            at.fault(format!("{name} has our standard input already"), "remove one of them");
        }
        first = first.or(Some(draft));
    }
}

/// A process cannot have more time to end than all of them together.
fn warn_of_long_graces(drafts: &[Draft<'_>], shutdown_timeout: Duration) {
    for draft in drafts {
        let Some(at) = &draft.grace else { continue };
        if draft.plan.stop_grace_period > shutdown_timeout {
            let whole = print_duration(shutdown_timeout);
            let message =
                format!("this is longer than `shutdown_timeout` ({whole}), which comes first");
            at.warn(message, "make one of them longer or the other shorter");
        }
    }
}

fn deciders(at: &Cursor<'_>, names: &Names<'_>) -> Option<Vec<ProcessIx>> {
    let items = at.one_or_many("the name of a process or a list of names")?;
    let mut found: Vec<ProcessIx> = vec![];
    for item in items {
        let Some(name) = item.text("the name of a process") else { continue };
        let Some(named) = names.find(&item, name) else { continue };
        let mut all = named.places.map(ProcessIx);
        if all.clone().any(|process| found.contains(&process)) {
            item.fault("this name stands here twice", "keep one of them");
        } else {
            found.extend(&mut all);
        }
    }
    Some(found)
}

/// What is usual for the output of all processes.
fn output(fields: &mut Fields<'_>, around: &Surroundings<'_>) -> OutputPlan {
    let usual = OutputPlan::new(USUAL_MODE);
    let Some(at) = fields.get("output") else { return usual };
    let said = process_output(&at, &usual, around).unwrap_or(usual);
    if said.file.is_some() {
        at.fault("processes cannot share one file", "write `file` under the `output` of each");
    }
    OutputPlan { file: None, ..said }
}

fn memory(fields: &mut Fields<'_>) -> (MemoryPlan, Thresholds, Option<Hook>) {
    let mut plan = MemoryPlan { interval: DEFAULT_INTERVAL, leak_rule: LeakRule::default() };
    let (mut limits, mut on_memory) = (Thresholds::default(), None);
    if let Some(mut fields) = fields.read("memory", |at| at.fields("a map")) {
        let interval =
            |at: &Cursor<'_>| read::duration_from(at, LEAST_INTERVAL, "sampling costs CPU time");
        plan.interval = fields.read("interval", interval).unwrap_or(plan.interval);
        limits = thresholds(&mut fields, limits);
        on_memory = hook(&mut fields, limits, None);
        let rule = fields.read("leak_rule", |at| at.choice(&LeakRule::NAMES));
        plan.leak_rule = rule.unwrap_or(plan.leak_rule);
        fields.finish(&[]);
    }
    (plan, limits, on_memory)
}

/// `metrics: {listen: ADDRESS}`; `false` in place of either turns it off.
fn listen(fields: &mut Fields<'_>) -> Option<SocketAddr> {
    let Some(at) = fields.get("metrics") else { return Some(DEFAULT_LISTEN) };
    if at.scalar() == Some("false") {
        return None;
    }
    let mut fields = at.fields("`listen: ADDRESS` below it, or `false`")?;
    let listen = fields.get("listen");
    fields.finish(&[("port", "write `listen: 0.0.0.0:PORT`")]);
    match listen {
        Some(at) if at.scalar() == Some("false") => None,
        Some(at) => read::address(&at),
        None => Some(DEFAULT_LISTEN),
    }
}

fn recovery(fields: &mut Fields<'_>) -> Recovery {
    let words = [("end", Recovery::End), ("adopt", Recovery::Adopt)];
    fields.read("recovery", |at| at.choice(&words)).unwrap_or(Recovery::End)
}

fn cgroups(fields: &mut Fields<'_>) -> ControlGroups {
    let words = [("auto", ControlGroups::Auto), ("off", ControlGroups::Off)];
    fields.read("cgroups", |at| at.choice(&words)).unwrap_or_default()
}
