//! `procession start`, `stop` and `restart`.

use std::time::Duration;

use clap::Args;

use super::{Door, EXIT_FAILED, Failure, print};
use crate::serve::wire::{NamesBody, Ordered, Process, Processes};

#[derive(Debug, Args)]
pub struct Options {
    /// The processes, or families of replicas.
    #[arg(value_name = "NAME", required_unless_present = "all")]
    names: Vec<String>,

    /// All processes.
    #[arg(long, conflicts_with = "names")]
    all: bool,

    /// Do not wait until it is done.
    #[arg(long)]
    no_wait: bool,

    /// How many seconds to wait until it is done.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    timeout: Duration,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    door: Door,
}

/// Seconds that are waited for.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..=3600.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "expected seconds, at most 3600".to_owned())
}

pub(super) async fn order(verb: &str, options: &Options) -> Result<(), Failure> {
    let client = options.door.client()?;
    let names = match options.all {
        true => {
            let found: Processes = client.get("/v1/processes").await?;
            found.processes.into_iter().map(|process| process.name).collect()
        }
        false => options.names.clone(),
    };
    let wait = if options.no_wait { Duration::ZERO } else { options.timeout };
    let path = format!("/v1/{verb}?wait={}", wait.as_secs_f64());
    let (ordered, text) = client.post::<Ordered>(&path, &NamesBody { names }, wait).await?;
    if options.json {
        print(text.trim_end())?;
    } else {
        ordered.processes.iter().try_for_each(|process| print(&line(process)))?;
    }
    if options.no_wait || ordered.done && ordered.processes.iter().all(|it| is_well(verb, it)) {
        return Ok(());
    }
    if !ordered.done {
        let waited = wait.as_secs_f64();
        return Err(Failure::Failed(format!("{verb}: not done after {waited} s; it goes on")));
    }
    Err(Failure::Told(EXIT_FAILED))
}

/// Whether a process is where it was wanted.
fn is_well(verb: &str, process: &Process) -> bool {
    let ended_well = || process.last_exit.as_ref().is_some_and(|exit| exit.code == 0);
    match process.state.as_str() {
        "ready" | "done" => true,
        // Until it is run again, by the clock or by its policy.
        "resting" => ended_well(),
        _ => verb == "stop",
    }
}

fn line(process: &Process) -> String {
    let pid = process.pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
    let exit = process.last_exit.as_ref().filter(|_| process.pid.is_none());
    let exit = exit.map(|exit| format!(" ({})", exit.text)).unwrap_or_default();
    format!("{}: {}{pid}{exit}", process.name, process.state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_bounded() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        for wrong in ["-1", "soon", "3601", "NaN"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
