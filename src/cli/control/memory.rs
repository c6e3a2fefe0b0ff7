//! `procession memory`: what every tree holds, how one went, and why a leak is suspected.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::knock::encoded;
use super::phrase::{NOTHING, harmless, size, span, table};
use super::{Door, Failure, print};
use crate::serve::wire::Session;
use crate::serve::wire::memory::{Explained, Held, LabelBody, Leak, Memory, ProcessMemory};

const HEADINGS: [&str; 8] =
    ["NAME", "RESIDENT", "PROPORTIONAL", "PEAK", "AVERAGE", "LEVEL", "LEAK", "GROWTH"];

/// For the ledger to answer.
const LABELLING: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Options {
    #[command(subcommand)]
    verb: Option<Verb>,

    /// Only this process, with how it went; all of them at a glance when not given.
    #[arg(value_name = "NAME")]
    name: Option<String>,

    #[command(flatten)]
    how: How,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print every value that thresholds and the leak rule look at, with what it is held against.
    Explain(OfOne),
    /// Say what the last sample of a process stands for, and the next one that is kept.
    Label(Label),
}

#[derive(Debug, Args)]
struct OfOne {
    /// The process.
    #[arg(value_name = "NAME")]
    name: String,

    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
struct Label {
    /// The process.
    #[arg(value_name = "NAME")]
    name: String,

    /// What it stands for, in a few words.
    #[arg(value_name = "TEXT")]
    text: String,

    #[command(flatten)]
    door: Door,
}

#[derive(Debug, Args)]
struct How {
    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    door: Door,
}

pub(super) async fn memory(options: &Options) -> Result<(), Failure> {
    match (&options.verb, &options.name) {
        (Some(Verb::Explain(of)), _) => show(&of.name, &of.how, explained).await,
        (Some(Verb::Label(label)), _) => put_label(label).await,
        (None, Some(name)) => show(name, &options.how, plotted).await,
        (None, None) => list(&options.how).await,
    }
}

async fn list(how: &How) -> Result<(), Failure> {
    let text = how.door.client()?.get_text("/v1/memory").await?;
    if how.json {
        return print(text.trim_end());
    }
    let found: Memory =
        serde_json::from_str(&text).map_err(|error| Failure::Failed(error.to_string()))?;
    print(&table(&HEADINGS, &found.processes.iter().map(row).collect::<Vec<_>>()))?;
    match found.container.filter(|container| container.usage_bytes.is_some()) {
        Some(container) => print(&format!(
            "container: {} of {}, working set {}",
            size(container.usage_bytes),
            size(container.limit_bytes),
            size(container.working_set_bytes)
        )),
        None => Ok(()),
    }
}

async fn show(
    name: &str,
    how: &How,
    told: impl Fn(&ProcessMemory) -> String,
) -> Result<(), Failure> {
    let text = how.door.client()?.get_text(&format!("/v1/memory/{}", encoded(name))).await?;
    if how.json {
        return print(text.trim_end());
    }
    let found: ProcessMemory =
        serde_json::from_str(&text).map_err(|error| Failure::Failed(error.to_string()))?;
    print(&told(&found))
}

async fn put_label(label: &Label) -> Result<(), Failure> {
    let path = format!("/v1/processes/{}/memory/label", encoded(&label.name));
    let body = LabelBody { label: label.text.clone() };
    let client = label.door.client()?;
    let (_, _): (Session, String) = client.post(&path, &body, LABELLING).await?;
    print(&format!("{}: {}", label.name, harmless(&label.text)))
}

fn row(held: &Held) -> Vec<String> {
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    let leak = held.leak.as_ref();
    let state = leak.map(|leak| match &held.recurring {
        Some(recurring) => format!("{}, in {} runs", leak.state, recurring.runs),
        None => leak.state.clone(),
    });
    vec![
        held.name.clone(),
        size(held.resident_bytes),
        size(held.proportional_bytes),
        size(held.peak_bytes),
        size(held.average_bytes),
        or_nothing(held.level.clone()),
        or_nothing(state),
        or_nothing(leak.and_then(|leak| leak.growth_bytes_per_second).map(rate)),
    ]
}

/// Bytes per second, with a sign where it shrinks.
fn rate(growth: f64) -> String {
    let sign = if growth < 0.0 { "-" } else { "" };
    format!("{sign}{}/s", size(Some(growth.abs() as u64)))
}

/// One process for people: its figures and its line.
fn plotted(found: &ProcessMemory) -> String {
    let held = &found.now;
    let mut lines = vec![format!("{}, {} samples", held.name, held.samples)];
    let mut tell = |name: &str, text: Option<String>| {
        if let Some(text) = text {
            lines.push(format!("{name:>14}  {text}"));
        }
    };
    let bytes = |bytes: Option<u64>| bytes.map(|bytes| size(Some(bytes)));
    let age = held.proportional_age_seconds;
    let proportional = bytes(held.proportional_bytes);
    tell("resident", bytes(held.resident_bytes));
    tell("virtual", bytes(held.virtual_bytes));
    tell("anonymous", bytes(held.anonymous_bytes));
    tell("proportional", proportional.map(|it| format!("{it}, {} ago", span(age.unwrap_or(0.0)))));
    tell("unique", bytes(held.unique_bytes));
    tell("swapped out", bytes(held.swap_bytes));
    tell("processes", held.processes.map(|count| format!("{count}{}", made_of(held))));
    tell("disk", moved(held));
    tell("peak", bytes(held.peak_bytes));
    tell("average of 10", bytes(held.average_bytes));
    tell("level", held.level.as_ref().map(|level| format!("{level}{}", against(held))));
    tell("leak", held.leak.as_ref().map(judged));
    tell(
        "each run alike",
        held.recurring
            .map(|it| format!("{} runs leak, {}", it.runs, rate(it.growth_bytes_per_second))),
    );
    tell("label", held.label.as_deref().map(harmless));
    if let (Some(first), Some(last)) = (found.history.first(), found.history.last()) {
        let lasted = span(f64::from(last.second - first.second));
        tell("", Some(format!("{}  the last {lasted}", harmless(&found.plot))));
    }
    lines.join("\n")
}

/// What else is counted of a tree.
fn made_of(held: &Held) -> String {
    let threads = held.threads.map(|count| format!(", {count} threads"));
    let open = held.open_fds.map(|count| format!(", {count} open descriptors"));
    let cpu = held.cpu_seconds.map(|seconds| format!(", {seconds:.1}s of CPU time"));
    [threads, open, cpu].into_iter().flatten().collect()
}

/// What its run fetched from disks and sent there.
fn moved(held: &Held) -> Option<String> {
    let (read, written) = (size(Some(held.read_bytes?)), size(Some(held.written_bytes?)));
    Some(format!("{read} read, {written} written"))
}

/// The thresholds that a size is held against.
fn against(held: &Held) -> String {
    let (Some(bytes), Some(basis)) = (held.size_bytes, &held.basis) else { return String::new() };
    let (warning, critical) = (size(held.warning_bytes), size(held.critical_bytes));
    format!(": {} ({basis}), warning at {warning}, critical at {critical}", size(Some(bytes)))
}

fn judged(leak: &Leak) -> String {
    let growth = leak.growth_bytes_per_second.map(|growth| format!(", {}", rate(growth)));
    let limit = leak.seconds_to_limit.map(|left| format!(", {} to {}", span(left), limit_of(leak)));
    let (growth, limit) = (growth.unwrap_or_default(), limit.unwrap_or_default());
    format!("{} since {}{growth}{limit}", leak.state, leak.since)
}

/// Which limit it is, and what it comes to.
fn limit_of(leak: &Leak) -> String {
    let whose = match leak.limit.as_deref() {
        Some("critical") => "the critical threshold",
        Some("container") => "the container's limit",
        Some("machine") => "the machine's memory",
        _ => return "the limit".to_owned(),
    };
    leak.limit_bytes.map_or_else(|| whose.to_owned(), |at| format!("{whose} of {}", size(Some(at))))
}

/// Every value of the verdict, with what it is held against.
fn explained(found: &ProcessMemory) -> String {
    let held = &found.now;
    let level = held.level.as_deref().unwrap_or(NOTHING);
    let mut lines = vec![format!("{}: level {level}{}", held.name, against(held))];
    let Some(leak) = &held.leak else {
        lines.push("leak: nothing was sampled yet".to_owned());
        return lines.join("\n");
    };
    lines.push(format!("leak: {}", judged(leak)));
    if let Some([low, high]) = leak.growth_between {
        lines.push(format!("growth is between {} and {}", rate(low), rate(high)));
    }
    lines.push(leak.evidence.clone());
    let rows: Vec<Vec<String>> = leak.explained.iter().map(criterion).collect();
    lines.push(table(&["WHAT", "VALUE", "FOR A LEAK", "MET"], &rows));
    lines.join("\n")
}

fn criterion(one: &Explained) -> Vec<String> {
    let figure = |value: f64| match one.unit.as_str() {
        "bytes" => size(Some(value.max(0.0) as u64)),
        "bytes/s" => rate(value),
        "s" => span(value),
        _ => format!("{value:.3}").trim_end_matches('0').trim_end_matches('.').to_owned(),
    };
    vec![
        one.name.clone(),
        one.value.map_or_else(|| NOTHING.to_owned(), figure),
        one.bound.map_or_else(
            || "weighed".to_owned(),
            |bound| format!("{} {}", one.sign, figure(bound)),
        ),
        one.met.map_or("", |met| if met { "yes" } else { "no" }).to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held() -> Held {
        let explained = Explained {
            name: "rising steps".into(),
            value: Some(0.889),
            unit: "ratio".into(),
            sign: ">".into(),
            bound: Some(0.8),
            met: Some(true),
        };
        Held {
            name: "web".into(),
            resident_bytes: Some(3 << 20),
            size_bytes: Some(2 << 20),
            basis: Some("proportional".into()),
            level: Some("warning".into()),
            warning_bytes: Some(1 << 20),
            samples: 12,
            leak: Some(Leak {
                state: "suspected".into(),
                since: "2026-01-01T00:00:00Z".into(),
                growth_bytes_per_second: Some(-2048.0),
                growth_between: Some([1024.0, 4096.0]),
                seconds_to_limit: Some(3700.0),
                limit_bytes: Some(512 << 20),
                limit: Some("container".into()),
                evidence: "8 of 9 steps rose".into(),
                explained: vec![explained],
            }),
            ..Held::default()
        }
    }

    #[test]
    fn every_value_of_a_verdict_is_printed_with_what_it_is_held_against() {
        let found = ProcessMemory { now: held(), plot: String::new(), history: vec![] };
        assert_eq!(
            explained(&found),
            "web: level warning: 2.0 MiB (proportional), warning at 1.0 MiB, critical at -\n\
             leak: suspected since 2026-01-01T00:00:00Z, -2.0 KiB/s, 1h 1m to the container's limit of 512.0 MiB\n\
             growth is between 1.0 KiB/s and 4.0 KiB/s\n\
             8 of 9 steps rose\n\
             WHAT          VALUE  FOR A LEAK  MET\n\
             rising steps  0.889  > 0.8       yes"
        );
        let idle = ProcessMemory { now: Held { name: "a".into(), ..Held::default() }, ..found };
        assert_eq!(explained(&idle), "a: level -\nleak: nothing was sampled yet");
    }

    #[test]
    fn what_is_not_known_is_not_printed() {
        let found = ProcessMemory { now: held(), plot: String::new(), history: vec![] };
        let text = plotted(&found);
        assert!(text.starts_with("web, 12 samples\n      resident  3.0 MiB\n"), "{text}");
        assert!(!text.contains("virtual") && !text.contains("the last"), "{text}");
        assert_eq!(row(&held())[2], NOTHING);
    }
}
