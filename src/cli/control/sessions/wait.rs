//! `procession sessions wait`: for the end of a spawned command.

use std::time::Duration;

use clap::Args;

use crate::cli::control::orders::seconds;
use crate::cli::control::{Door, EXIT_FAILED, Failure, print, spoken};

/// How long it is waited for where nothing is said.
const USUAL: &str = "3600";

#[derive(Debug, Args)]
pub struct Options {
    /// Its session, or the pid of its main process.
    id: String,

    /// For so many seconds at most.
    #[arg(long, value_name = "SECONDS", default_value = USUAL, value_parser = seconds)]
    timeout: Duration,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    door: Door,
}

pub(super) async fn wait(options: &Options) -> Result<(), Failure> {
    let client = options.door.client()?;
    let command = spoken::end_of(&client, &options.id, options.timeout).await?;
    if options.json {
        print(&serde_json::to_string(&command).unwrap_or_default())?;
    }
    let Some(end) = &command.end else {
        return Err(Failure::Failed(format!("{} still runs", command.process)));
    };
    match end.exit_code.unwrap_or(EXIT_FAILED) {
        0 => Ok(()),
        code => Err(Failure::Told(code)),
    }
}
