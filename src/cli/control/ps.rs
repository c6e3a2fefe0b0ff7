//! `procession ps`: the processes at a glance.

use std::io::{IsTerminal, stdout};
use std::time::Duration;

use clap::Args;
use tokio::time::sleep;

use super::enough::Enough;
use super::knock::{Client, encoded};
use super::orders::seconds;
use super::phrase::{NOTHING, harmless, size, span, table};
use super::{Door, Failure, print};
use crate::serve::wire::{Process, Processes};

const HEADINGS: [&str; 10] = [
    "NAME",
    "STATE",
    "HEALTH",
    "PID",
    "UPTIME",
    "RESTARTS",
    "MEMORY",
    "CPU",
    "LAST EXIT",
    "STATUS",
];

/// Nobody sees more than that, and each look has its price.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// Hides the cursor, moves to the top left and clears what is below.
const CLEAR: &str = "\u{1b}[?25l\u{1b}[H\u{1b}[J";
/// Shows the cursor again.
const SHOW_CURSOR: &str = "\u{1b}[?25h";

#[derive(Debug, Args)]
pub struct Options {
    /// Only these processes, or families of replicas.
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// Show it again and again, every so many seconds.
    #[arg(short, long, value_name = "SECONDS", num_args = 0..=1, require_equals = true,
        default_missing_value = "2", value_parser = seconds)]
    watch: Option<Duration>,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    door: Door,
}

pub(super) async fn ps(options: &Options) -> Result<(), Failure> {
    if options.watch.is_none() || !stdout().is_terminal() {
        return look(options, false).await;
    }
    let enough = Enough::listen()?;
    let looked = tokio::select! {
        looked = look(options, !options.json) => looked,
        () = enough.came() => Ok(()),
    };
    print(SHOW_CURSOR)?;
    looked
}

/// Looks once, or for as long as somebody watches.
async fn look(options: &Options, clears: bool) -> Result<(), Failure> {
    let client = options.door.client()?;
    loop {
        let mut found: Processes = client.get("/v1/processes").await?;
        refuse_unknown(&client, &found, &options.names).await?;
        found.processes.retain(|process| is_meant(&options.names, &process.name));
        let text = match options.json {
            true => serde_json::to_string(&found).unwrap_or_default(),
            false => table(&HEADINGS, &found.processes.iter().map(row).collect::<Vec<_>>()),
        };
        print(&if clears { format!("{CLEAR}{text}") } else { text })?;
        match options.watch {
            Some(pause) => sleep(pause.max(SHORTEST_PAUSE)).await,
            None => return Ok(()),
        }
    }
}

/// Refuses names that mean nobody; the refusal says who may have been meant.
pub(super) async fn only_known(client: &Client, names: &[String]) -> Result<(), Failure> {
    if names.is_empty() {
        return Ok(());
    }
    refuse_unknown(client, &client.get("/v1/processes").await?, names).await
}

async fn refuse_unknown(
    client: &Client,
    found: &Processes,
    names: &[String],
) -> Result<(), Failure> {
    let Some(missing) = names.iter().find(|name| !knows(found, name)) else { return Ok(()) };
    client.get_text(&format!("/v1/processes/{}", encoded(missing))).await?;
    Err(Failure::Failed(format!("no process is called {missing:?}")))
}

fn knows(found: &Processes, name: &str) -> bool {
    found.processes.iter().any(|process| is_of(name, &process.name))
}

/// Whether a process is among those that were named; all are when none was.
pub(super) fn is_meant(names: &[String], process: &str) -> bool {
    names.is_empty() || names.iter().any(|name| is_of(name, process))
}

/// Whether a name means a process: its own name, or that of the family that it is a replica of.
fn is_of(name: &str, process: &str) -> bool {
    let number = process.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
    process == name
        || number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn row(process: &Process) -> Vec<String> {
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    vec![
        process.name.clone(),
        process.state.clone(),
        or_nothing(process.health.clone()),
        or_nothing(process.pid.map(|pid| pid.to_string())),
        or_nothing(process.uptime_seconds.map(span)),
        process.restarts.to_string(),
        size(process.memory_bytes),
        format!("{:.1}s", process.cpu_seconds),
        or_nothing(process.last_exit.as_ref().map(|exit| exit.text.clone())),
        process.status.as_deref().map(harmless).or_else(|| awaited(process)).unwrap_or_default(),
    ]
}

/// What ails it, or when it runs again, where that is known.
fn awaited(process: &Process) -> Option<String> {
    if let Some(said) = process
        .failed_test_output
        .as_ref()
        .filter(|_| process.health.as_deref() == Some("unhealthy"))
    {
        return said.lines().last().map(|line| format!("health test: {}", harmless(line)));
    }
    let rest = process.rest.as_ref().map(|rest| format!("runs again at {}", rest.until));
    let next = || process.next_run.as_ref().map(|at| format!("runs at {at}"));
    rest.or_else(|| outgrown(process)).or_else(next)
}

/// What its memory is said to do, where somebody should look.
fn outgrown(process: &Process) -> Option<String> {
    let level = process.memory_level.as_deref().filter(|level| *level != "normal");
    let level = level.map(|level| format!("memory {}", harmless(level)));
    // An older procession does not say which.
    let state = || harmless(process.leak.as_deref().unwrap_or("suspected"));
    let leak = (process.leak_suspected == Some(true)).then(|| format!("leak {}", state()));
    let said: Vec<String> = level.into_iter().chain(leak).collect();
    (!said.is_empty())
        .then(|| format!("{}: see `procession memory {}`", said.join(", "), process.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_means_its_replicas_and_nobody_else() {
        for (name, process, meant) in [
            ("web", "web", true),
            ("web", "web-1", true),
            ("web", "web-12", true),
            ("web", "web-", false),
            ("web", "web-api", false),
            ("web", "webs", false),
        ] {
            assert_eq!(is_of(name, process), meant, "{name} {process}");
        }
    }
}
