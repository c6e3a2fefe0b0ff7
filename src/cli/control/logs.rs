//! `procession logs`: what processes wrote last, in the order of time, and what they write.

use std::ops::ControlFlow;

use clap::Args;
use tokio::task::JoinSet;

use super::knock::{Client, encoded};
use super::ps::is_meant;
use super::{Door, Failure, print};
use crate::serve::wire::{LogLine, Processes};

#[derive(Debug, Args)]
pub struct Options {
    /// The processes, or families of replicas; all of them when none is named.
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// Go on with what they write from now on.
    #[arg(short, long)]
    follow: bool,

    /// How many of the last lines of each; all that are kept when not given.
    #[arg(short = 'n', long, value_name = "LINES")]
    tail: Option<usize>,

    /// Only `stdout` or only `stderr`.
    #[arg(long, value_name = "STREAM")]
    stream: Option<String>,

    /// Show when each line was read.
    #[arg(short, long)]
    timestamps: bool,

    /// Print a JSON object for each line.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    door: Door,
}

/// How a line is shown.
#[derive(Clone, Copy)]
struct Style {
    /// As it came, in JSON.
    json: bool,
    /// With its time.
    time: bool,
    /// How wide the names in front of the lines are; without names when 0.
    names: usize,
}

pub(super) async fn logs(options: &Options) -> Result<(), Failure> {
    let client = options.door.client()?;
    let names = meant(&client, options).await?;
    let widest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let style = Style {
        json: options.json,
        time: options.timestamps,
        names: if names.len() > 1 { widest } else { 0 },
    };
    let mut query = "?format=json".to_owned();
    if let Some(lines) = options.tail {
        query.push_str(&format!("&tail={lines}"));
    }
    if let Some(stream) = &options.stream {
        query.push_str(&format!("&stream={}", encoded(stream)));
    }
    // Where several are meant, those of whom nothing is kept are passed over.
    let lenient = names.len() > 1;
    if options.follow {
        return follow(&client, &names, &(query + "&follow=true"), style).await;
    }
    let mut lines = Vec::new();
    for name in &names {
        match read(&client, name, &query).await {
            Err(Failure::Failed(_)) if lenient => {}
            read => lines.extend(read?),
        }
    }
    // Those of one process are in order, and stay so.
    lines.sort_by(|(one, _), (other, _)| one.time.cmp(&other.time));
    lines.iter().try_for_each(|(line, text)| show(line, text, style))
}

/// The processes that are meant, as they are called.
async fn meant(client: &Client, options: &Options) -> Result<Vec<String>, Failure> {
    let found: Processes = client.get("/v1/processes").await?;
    let names = found.processes.into_iter().map(|process| process.name);
    let names: Vec<String> = names.filter(|name| is_meant(&options.names, name)).collect();
    // Who is not known is asked for all the same: the answer says who may have been meant.
    let mut unknown = options
        .names
        .iter()
        .filter(|name| !names.iter().any(|it| is_meant(&[(*name).clone()], it)));
    match unknown.next().cloned() {
        Some(unknown) => Ok(vec![unknown]),
        None => Ok(names),
    }
}

async fn read(client: &Client, name: &str, query: &str) -> Result<Vec<(LogLine, String)>, Failure> {
    let mut lines = Vec::new();
    let path = format!("/v1/processes/{}/logs{query}", encoded(name));
    client
        .lines(&path, |text| {
            lines.extend(serde_json::from_str(text).ok().map(|line| (line, text.to_owned())));
            Ok(ControlFlow::Continue(()))
        })
        .await?;
    Ok(lines)
}

/// Follows all of them at once, until the last answer ends.
async fn follow(
    client: &Client,
    names: &[String],
    query: &str,
    style: Style,
) -> Result<(), Failure> {
    let mut followed = JoinSet::new();
    for name in names {
        let (client, path) =
            (client.clone(), format!("/v1/processes/{}/logs{query}", encoded(name)));
        followed.spawn(async move {
            client
                .lines(&path, |text| {
                    if let Ok(line) = serde_json::from_str(text) {
                        show(&line, text, style)?;
                    }
                    Ok(ControlFlow::Continue(()))
                })
                .await
        });
    }
    let lenient = names.len() > 1;
    while let Some(ended) = followed.join_next().await {
        match ended {
            Ok(Err(Failure::Failed(_))) if lenient => {}
            Ok(Err(failure)) => return Err(failure),
            Ok(Ok(())) | Err(_) => {}
        }
    }
    Ok(())
}

fn show(line: &LogLine, text: &str, style: Style) -> Result<(), Failure> {
    if style.json {
        return print(text);
    }
    let time = if style.time { format!("{} ", line.time) } else { String::new() };
    let name = match style.names {
        0 => String::new(),
        width => format!("{:<width$} | ", line.process),
    };
    print(&format!("{time}{name}{}", line.line))
}
