//! `procession sessions stats`: sessions, counted by what they have in common.

use clap::Args;

use super::since::{Moment, moment};
use crate::cli::control::kept::Kept;
use crate::cli::control::phrase::{NOTHING, harmless, span, table};
use crate::cli::control::{Failure, print};
use crate::serve::wire::statistics::{Group, Statistics};

const HEADINGS: [&str; 9] =
    ["NAME", "SESSIONS", "LIVE", "COMPLETED", "FAILED", "SUCCESS", "MEAN", "EVENTS", "LAST"];

#[derive(Debug, Args)]
pub struct Options {
    /// What they have in common.
    #[arg(long, value_name = "WHAT", default_value = "process",
        value_parser = ["project", "user", "agent", "process", "kind", "tool"])]
    by: String,

    /// Only those that were opened then or later: 2026-11-20T09:30:00Z, or 2h for two hours ago.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Moment>,

    /// Only those that were opened before.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Moment>,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    kept: Kept,
}

pub async fn stats(options: &Options) -> Result<(), Failure> {
    let mut path = format!("/v1/statistics?by={}", options.by);
    for (name, at) in [("since", options.since), ("until", options.until)] {
        if let Some(at) = at {
            path.push_str(&format!("&{name}={}", at.told()));
        }
    }
    let client = options.kept.client().await?;
    if options.json {
        return print(client.get_text(&path).await?.trim_end());
    }
    let told: Statistics = client.get(&path).await?;
    let mut rows: Vec<Vec<String>> =
        told.groups.iter().map(|one| row(one, one.name.as_deref().unwrap_or(NOTHING))).collect();
    rows.push(row(&told.totals, "all"));
    print(&table(&HEADINGS, &rows))
}

fn row(group: &Group, name: &str) -> Vec<String> {
    let of = |states: &[&str]| -> u64 {
        states.iter().filter_map(|state| group.states.get(*state)).sum()
    };
    let part = |part: Option<f64>| {
        part.map_or_else(|| NOTHING.to_owned(), |part| format!("{:.0} %", part * 100.0))
    };
    vec![
        harmless(name),
        group.sessions.to_string(),
        of(&["initializing", "active", "idle", "stopping"]).to_string(),
        of(&["completed"]).to_string(),
        of(&["failed", "timed_out", "killed", "lost"]).to_string(),
        part(group.success_rate),
        group.mean_duration_seconds.map_or_else(|| NOTHING.to_owned(), span),
        format!("{:.1}", group.events_per_session),
        group.last.clone().unwrap_or_else(|| NOTHING.to_owned()),
    ]
}
