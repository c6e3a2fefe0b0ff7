//! `procession sessions terminate`: the end of a spawned command.

use std::time::Duration;

use clap::Args;

use crate::cli::control::knock::encoded;
use crate::cli::control::orders::seconds;
use crate::cli::control::{Door, Failure, print};
use crate::serve::wire::spawned::{Command, TerminateBody};

/// How long its end is waited for where nothing is said.
const USUAL: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub struct Options {
    /// Its session, or the pid of its main process.
    id: String,

    /// At once, by SIGKILL.
    #[arg(long, conflicts_with = "grace")]
    force: bool,

    /// Seconds from the asking to SIGKILL; what it was started with when not given.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    grace: Option<Duration>,

    /// Do not wait until it is over.
    #[arg(long)]
    no_wait: bool,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    door: Door,
}

pub(super) async fn terminate(options: &Options) -> Result<(), Failure> {
    let wait = match (options.no_wait, options.grace) {
        (true, _) => Duration::ZERO,
        (false, grace) => USUAL + grace.unwrap_or_default(),
    };
    let body = TerminateBody {
        force: options.force,
        grace_seconds: options.grace.map(|grace| grace.as_secs_f64()),
    };
    let path =
        format!("/v1/sessions/{}/terminate?wait={}", encoded(&options.id), wait.as_secs_f64());
    let client = options.door.client()?;
    let (command, text) = client.post::<Command>(&path, &body, wait).await?;
    if options.json {
        return print(text.trim_end());
    }
    let Command { process, end, .. } = &command;
    match end {
        Some(end) => print(&format!("{process}: {}", end.reason)),
        None if options.no_wait => print(&format!("{process}: is being ended")),
        None => Err(Failure::Failed(format!("{process} still runs; it is being ended"))),
    }
}
