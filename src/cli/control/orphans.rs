//! `procession orphans`: what sessions that are over left behind.

use std::path::PathBuf;

use clap::Args;

use super::phrase::{harmless, table};
use super::{Door, EXIT_FAILED, Failure, print};
use crate::assembly::orphans::{Fate, left_behind};
use crate::cli::control::knock::encoded;
use crate::config::load::state_dir;
use crate::serve::wire::orphans::{Orphan, Orphans, OrphansBody};

/// For those who were asked to end, and killed, before the answer.
const ENDING: std::time::Duration = std::time::Duration::from_secs(10);

#[derive(Debug, Args)]
pub struct Options {
    /// Only those that are called so; those that tools of web projects leave running when not given.
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,

    /// Whatever they are called.
    #[arg(long, conflicts_with = "name")]
    all: bool,

    /// List them and do nothing; this is what is done when nothing is said.
    #[arg(long, conflicts_with = "kill")]
    dry_run: bool,

    /// Ask them to end, and kill those that have not after two seconds.
    #[arg(long)]
    kill: bool,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    door: Door,
}

pub(super) async fn orphans(options: &Options) -> Result<(), Failure> {
    let (found, text) = match ask(options).await {
        // Nobody is there to be asked: what was left behind can be found all the same.
        Err(Failure::Unreachable(_)) => alone(options)?,
        answered => answered?,
    };
    if options.json {
        print(text.trim_end())?;
    } else if found.orphans.is_empty() {
        print("nothing was left behind")?;
    } else {
        let headings = ["PID", "NAME", "SESSION", "EVIDENCE", "OUTCOME", "COMMAND"];
        print(&table(&headings, &found.orphans.iter().map(row).collect::<Vec<_>>()))?;
    }
    let left = found.orphans.iter().any(|one| one.outcome.as_deref() == Some("left"));
    if left { Err(Failure::Told(EXIT_FAILED)) } else { Ok(()) }
}

async fn ask(options: &Options) -> Result<(Orphans, String), Failure> {
    let client = options.door.client()?;
    let Options { name, all, .. } = options;
    if options.kill {
        let body = OrphansBody { names: name.clone(), all: *all };
        return client.post("/v1/orphans/end", &body, ENDING).await;
    }
    let names: Vec<String> = name.iter().map(|name| format!("name={}", encoded(name))).collect();
    let path = format!("/v1/orphans?all={all}&{}", names.join("&"));
    let text = client.get_text(path.trim_end_matches('&')).await?;
    let found = serde_json::from_str(&text);
    found.map(|found| (found, text)).map_err(|error| Failure::Failed(error.to_string()))
}

/// Looks without a supervisor, in its state folder and at everybody.
fn alone(options: &Options) -> Result<(Orphans, String), Failure> {
    let fate = if options.kill { Fate::Ended } else { Fate::Told };
    let folder: PathBuf = options.door.state_dir().unwrap_or_else(state_dir);
    let found = left_behind(&folder, options.name.clone(), options.all, fate);
    let found = found.map_err(|error| Failure::Failed(error.to_string()))?;
    let text = serde_json::to_string(&found).unwrap_or_default();
    Ok((found, text))
}

fn row(orphan: &Orphan) -> Vec<String> {
    let outcome = orphan.outcome.clone().unwrap_or_else(|| super::phrase::NOTHING.to_owned());
    vec![
        orphan.pid.to_string(),
        harmless(&orphan.name),
        orphan.session.clone(),
        orphan.evidence.clone(),
        outcome,
        harmless(&orphan.command.join(" ")),
    ]
}
