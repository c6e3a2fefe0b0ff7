//! `procession memory`: what every tree holds, how one went, and why a leak is suspected.

mod chart;
mod earlier;
mod words;

use std::time::Duration;

use clap::{Args, Subcommand};

use self::chart::chart;
use self::earlier::{Earlier, earlier};
use self::words::{against, rate};
use super::kept::Kept;
use super::knock::{Client, encoded};
use super::phrase::{NOTHING, harmless, size, span, table};
use super::{Door, Failure, print};
use crate::serve::wire::Session;
use crate::serve::wire::memory::{Held, LabelBody, Leak, Memory, ProcessMemory, Recurring};

const HEADINGS: [&str; 9] =
    ["NAME", "RESIDENT", "PROPORTIONAL", "PEAK", "AVERAGE", "LEVEL", "LEAK", "GROWTH", "LIMIT IN"];

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
    /// Print every value that thresholds and the leak rule look at, with what it is held against; where
    /// nothing leaks now, also what was said of the last run that did.
    Explain(OfOne),
    /// Say what the last sample of a process stands for, and the next one that is kept.
    Label(Label),
}

#[derive(Debug, Args)]
struct OfOne {
    /// The process.
    #[arg(value_name = "NAME")]
    name: String,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    kept: Kept,
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
        (Some(Verb::Explain(of)), _) => explain(of).await,
        (Some(Verb::Label(label)), _) => put_label(label).await,
        (None, Some(name)) => show(name, &options.how).await,
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

async fn show(name: &str, how: &How) -> Result<(), Failure> {
    let text = of_one(&how.door.client()?, name).await?;
    print(&if how.json { text } else { plotted(&understood(&text)?) })
}

async fn of_one(client: &Client, name: &str) -> Result<String, Failure> {
    let text = client.get_text(&format!("/v1/memory/{}", encoded(name))).await?;
    Ok(text.trim_end().to_owned())
}

fn understood(text: &str) -> Result<ProcessMemory, Failure> {
    serde_json::from_str(text).map_err(|error| Failure::Failed(error.to_string()))
}

async fn explain(of: &OfOne) -> Result<(), Failure> {
    let client = of.kept.client().await?;
    if of.kept.is_archive() {
        let found = earlier(&client, &of.name, false, None).await?;
        let found = found.ok_or_else(|| {
            Failure::Failed(format!("no verdict on a run of {:?} is kept there", of.name))
        })?;
        return print(&if of.json { kept_json(&found) } else { told_of(&found) });
    }
    let text = of_one(&client, &of.name).await?;
    if of.json {
        return print(&text);
    }
    let now = understood(&text)?.now;
    print(&explained(&now))?;
    if now.leak.as_ref().is_some_and(words::is_news) {
        return Ok(());
    }
    match earlier(&client, &of.name, true, now.session.as_deref()).await {
        Ok(Some(found)) => print(&format!("\nthe last run that leaked:\n{}", told_of(&found))),
        Ok(None) => Ok(()),
        // What was asked for is told already.
        Err(Failure::Failed(why) | Failure::Unreachable(why)) => {
            print(&format!("\nearlier runs: not known: {}", harmless(&why)))
        }
        Err(other) => Err(other),
    }
}

fn kept_json(found: &Earlier) -> String {
    let told = serde_json::json!({
        "session": found.session.id,
        "process": found.session.process,
        "at": found.at,
        "leak": found.leak,
    });
    told.to_string()
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
    let growth = leak.and_then(|leak| leak.growth_bytes_per_second).map(rate);
    // Of what is well, and grows for a while, nobody wants to hear that.
    let left = leak.filter(|leak| words::is_news(leak)).and_then(|leak| leak.seconds_to_limit);
    vec![
        held.name.clone(),
        size(held.resident_bytes),
        size(held.proportional_bytes),
        size(held.peak_bytes),
        size(held.average_bytes),
        or_nothing(held.level.clone()),
        or_nothing(said(leak, held.recurring)),
        or_nothing(growth),
        or_nothing(left.map(words::soon)),
    ]
}

/// What is said of a leak at a glance.
fn said(leak: Option<&Leak>, recurring: Option<Recurring>) -> Option<String> {
    let state = leak.map(|leak| match leak.age_seconds.filter(|_| words::is_news(leak)) {
        Some(age) => format!("{} {} ago", words::state(leak), span(age)),
        None => words::state(leak),
    });
    let alike = recurring.map(|it| format!("in each of {} runs", it.runs));
    let said: Vec<String> = state.into_iter().chain(alike).collect();
    (!said.is_empty()).then(|| said.join(", "))
}

/// One process for people: its figures and how they went.
fn plotted(found: &ProcessMemory) -> String {
    let held = &found.now;
    let mut lines = vec![heading(held, &format!("{} samples", held.samples))];
    lines.extend(figures(held).into_iter().map(|(name, text)| format!("{name:>14}  {text}")));
    if let (Some(first), Some(last)) = (found.history.first(), found.history.last()) {
        let lasted = span(f64::from(last.second - first.second));
        lines.push(format!("{:>14}  {}  the last {lasted}", "", harmless(&found.plot)));
    }
    if let Some(drawn) = chart(&found.history) {
        lines.extend([String::new(), drawn]);
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

/// Whom all of it is about.
fn heading(held: &Held, more: &str) -> String {
    let session = held.session.as_ref().map(|id| format!(", session {id}"));
    format!(
        "{}{}, {more}",
        harmless(&held.name),
        session.unwrap_or_else(|| ", does not run".into())
    )
}

/// What is known of one process, line by line.
fn figures(held: &Held) -> Vec<(&'static str, String)> {
    let bytes = |bytes: Option<u64>| bytes.map(|bytes| size(Some(bytes)));
    let age = held.proportional_age_seconds.unwrap_or(0.0);
    let aged = |bytes: String| format!("{bytes}, read {} ago", span(age));
    let leak = held.leak.as_ref();
    let lines = [
        ("resident", bytes(held.resident_bytes)),
        ("virtual", bytes(held.virtual_bytes)),
        ("anonymous", bytes(held.anonymous_bytes)),
        ("proportional", bytes(held.proportional_bytes).map(aged)),
        ("unique", bytes(held.unique_bytes)),
        ("swapped out", bytes(held.swap_bytes)),
        ("processes", held.processes.map(|count| format!("{count}{}", made_of(held)))),
        ("disk", moved(held)),
        ("peak", bytes(held.peak_bytes)),
        ("average of 10", bytes(held.average_bytes)),
        ("level", held.level.as_ref().map(|level| format!("{level}{}", against(held)))),
        ("leak", leak.map(words::verdict)),
        ("growth", leak.and_then(words::growth)),
        ("limit in", leak.filter(|leak| words::is_news(leak)).and_then(words::left)),
        ("each run alike", held.recurring.map(alike)),
        ("label", held.label.as_deref().map(harmless)),
    ];
    lines.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
}

fn alike(found: Recurring) -> String {
    format!(
        "the last {} runs leaked, by {} each, from {} on",
        found.runs,
        rate(found.growth_bytes_per_second),
        size(Some(found.start_bytes))
    )
}

/// Every value of the verdict, with what it is held against.
fn explained(held: &Held) -> String {
    let level = held.level.as_deref().unwrap_or(NOTHING);
    let mut lines = vec![heading(held, &format!("level {level}{}", against(held)))];
    lines.extend(held.recurring.map(|found| format!("each run alike: {}", alike(found))));
    match &held.leak {
        Some(leak) => lines.push(reasoned(&held.name, leak)),
        None if held.session.is_some() => lines.push("leak: nothing was sampled yet".to_owned()),
        None => {}
    }
    lines.join("\n")
}

/// A verdict with its growth, its reasons and what to do.
fn reasoned(name: &str, leak: &Leak) -> String {
    let mut lines = vec![format!("leak: {}", words::verdict(leak))];
    lines.extend(words::growth(leak).map(|growth| format!("growth: {growth}")));
    lines.extend(words::outlook(leak));
    if leak.state != "unknown" {
        lines.push(format!("why: {}", harmless(&leak.evidence)));
    }
    lines.push(words::figures(leak));
    lines.extend(words::advice(name, leak));
    lines.join("\n")
}

/// What was said of a run that is over.
fn told_of(found: &Earlier) -> String {
    let Earlier { session, at, leak } = found;
    let end = session.end.as_ref().map_or_else(
        || "its end is not known".to_owned(),
        |end| format!("ended {}: {}", end.at, harmless(&end.reason)),
    );
    let name = harmless(&session.process);
    format!("{name}, session {}, {end}\nas of {at}:\n{}", session.id, reasoned(&name, leak))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::wire::memory::Explained;

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
            session: Some("01M".into()),
            resident_bytes: Some(3 << 20),
            size_bytes: Some(2 << 20),
            basis: Some("proportional".into()),
            level: Some("warning".into()),
            warning_bytes: Some(1 << 20),
            samples: 12,
            leak: Some(Leak {
                state: "suspected".into(),
                since: "2026-01-01T00:00:00Z".into(),
                age_seconds: Some(245.0),
                growth_bytes_per_second: Some(2048.0),
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
        assert_eq!(
            explained(&held()),
            "web, session 01M, level warning: 2.0 MiB (proportional), warning at 1.0 MiB, critical at -\n\
             leak: suspected 4m 5s ago (2026-01-01T00:00:00Z)\n\
             growth: 2.0 KiB/s, 7.0 MiB an hour, nineteen times in twenty between 1.0 KiB/s and 4.0 KiB/s\n\
             if it goes on like this: 1h 1m, until the container's limit of 512.0 MiB is reached\n\
             why: 8 of 9 steps rose\n\
             WHAT          VALUE  FOR A LEAK  MET\n\
             rising steps  0.889  > 0.8       yes\n\
             what to do: watch it (`procession memory web`), and have a heap profile taken before it ends"
        );
        let idle = Held { name: "a".into(), ..Held::default() };
        assert_eq!(explained(&idle), "a, does not run, level -");
        let young = Held { session: Some("01M".into()), ..idle };
        assert!(explained(&young).ends_with("leak: nothing was sampled yet"));
    }

    #[test]
    fn what_is_not_known_is_not_printed() {
        let found = ProcessMemory { now: held(), plot: String::new(), history: vec![] };
        let text = plotted(&found);
        let begins = "web, session 01M, 12 samples\n      resident  3.0 MiB\n";
        assert!(text.starts_with(begins), "{text}");
        assert!(!text.contains("virtual") && !text.contains("the last"), "{text}");
        assert_eq!(row(&held())[2], NOTHING);
    }

    #[test]
    fn a_glance_tells_what_leaks_for_how_long_and_how_long_that_can_go_on() {
        assert_eq!(row(&held())[5..], ["warning", "suspected 4m 5s ago", "2.0 KiB/s", "1h 1m"]);
        let mut well = held();
        if let Some(leak) = &mut well.leak {
            leak.state = "none".into();
        }
        assert_eq!(row(&well)[6..], ["none", "2.0 KiB/s", NOTHING]);
        let runs = Recurring { runs: 3, growth_bytes_per_second: 1024.0, start_bytes: 1 << 20 };
        let resting = Held { recurring: Some(runs), leak: None, ..held() };
        assert_eq!(row(&resting)[6], "in each of 3 runs");
        assert!(
            plotted(&ProcessMemory { now: resting, plot: String::new(), history: vec![] })
                .contains(
                    "each run alike  the last 3 runs leaked, by 1.0 KiB/s each, from 1.0 MiB on"
                )
        );
    }

    #[test]
    fn a_run_that_is_over_is_explained_like_one_that_lives() {
        let session = Session { id: "01X".into(), process: "web".into(), ..Session::default() };
        let leak = held().leak.expect("a verdict");
        let found = Earlier { session, at: "2026-01-02T00:00:00Z".into(), leak };
        let text = told_of(&found);
        let begins = "web, session 01X, its end is not known\nas of 2026-01-02T00:00:00Z:\nleak: ";
        assert!(text.starts_with(begins) && text.contains("rising steps"), "{text}");
        assert!(kept_json(&found).contains("\"session\":\"01X\""));
    }
}
