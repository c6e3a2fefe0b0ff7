//! `procession signal`.

use std::time::Duration;

use clap::Args;

use super::{Door, Failure, print};
use crate::serve::wire::{Ordered, SignalBody};

#[derive(Debug, Args)]
pub struct Options {
    /// The signal: HUP, SIGUSR1, 10, RTMIN+3.
    #[arg(value_name = "SIGNAL")]
    signal: String,

    /// The processes, or families of replicas.
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,

    /// Send it to the whole process group rather than to the main process alone.
    #[arg(long)]
    group: bool,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    door: Door,
}

pub(super) async fn signal(options: &Options) -> Result<(), Failure> {
    let Options { signal, names, group, json, door } = options;
    let body = SignalBody { signal: signal.clone(), group: *group, names: names.clone() };
    let (ordered, text) =
        door.client()?.post::<Ordered>("/v1/signal", &body, Duration::ZERO).await?;
    if *json {
        return print(text.trim_end());
    }
    ordered.processes.iter().try_for_each(|process| print(&format!("{}: sent", process.name)))
}
