//! `procession sessions replay`: what is kept of sessions, held against their events.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::assembly;
use crate::cli::control::kept::unread;
use crate::cli::control::phrase::harmless;
use crate::cli::control::{Door, EXIT_FAILED, Failure, print};
use crate::cli::run::store;
use crate::serve::wire::history::Replayed;

#[derive(Debug, Args)]
pub struct Options {
    /// A history that nobody supervises with: a file, or the URL of a database. Without it, the
    /// procession that runs is asked.
    #[arg(long, value_name = "FILE|URL")]
    store: Option<PathBuf>,

    /// Make what is kept what the events tell.
    #[arg(long, requires = "store")]
    repair: bool,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    door: Door,
}

pub async fn replay(options: &Options) -> Result<(), Failure> {
    let found = match &options.store {
        Some(place) => offline(place, options.repair).await?,
        None => asked(&options.door).await?,
    };
    if options.json {
        print(&serde_json::to_string(&found).unwrap_or_default())?;
    } else {
        told(&found, options.repair).iter().try_for_each(|line| print(line))?;
    }
    match found.different.is_empty() || options.repair {
        true => Ok(()),
        false => Err(Failure::Told(EXIT_FAILED)),
    }
}

async fn asked(door: &Door) -> Result<Replayed, Failure> {
    let client = door.client()?;
    let mut all = Replayed::default();
    loop {
        let cursor = all.next.take().map(|next| format!("?cursor={next}")).unwrap_or_default();
        all.add(client.get(&format!("/v1/replay{cursor}")).await?);
        if all.next.is_none() {
            return Ok(all);
        }
    }
}

/// Aside, because a database has a runtime of its own.
async fn offline(place: &Path, repair: bool) -> Result<Replayed, Failure> {
    let plan = store(place.to_path_buf()).map_err(Failure::Failed)?;
    let found = tokio::task::spawn_blocking(move || assembly::replay::replay(&plan, repair)).await;
    let found = found.map_err(|error| Failure::Failed(error.to_string()))?;
    found.map_err(unread)
}

/// Each difference in a line, and all in one.
fn told(found: &Replayed, repaired: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for session in &found.different {
        for fault in &session.faults {
            lines.push(harmless(&format!("{}: {fault}", session.session)));
        }
        for one in &session.differences {
            let (field, told, kept) = (&one.field, &one.told, &one.kept);
            let id = &session.session;
            lines.push(harmless(&format!("{id}: {field} is {kept}, and its events say {told}")));
        }
    }
    let (same, partial, different) = (found.same, found.partial, found.different.len());
    let verb = if repaired { "were different" } else { "are different" };
    let given_up = match partial {
        0 => String::new(),
        partial => format!(", of {partial} some events had to be given up"),
    };
    lines.push(format!("{same} sessions are as their events say, {different} {verb}{given_up}"));
    lines
}
