//! `procession sessions export`: sessions, to be taken elsewhere.

use std::io::{Write, stdout};
use std::ops::ControlFlow;

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::cli::control::Failure;
use crate::cli::control::kept::Kept;
use crate::cli::control::knock::encoded;
use crate::clock;
use crate::config::span::moment;

#[derive(Debug, Args)]
pub struct Options {
    /// One array, an object in each line, or a table.
    #[arg(long, value_name = "FORMAT", default_value = "jsonl")]
    format: Form,

    /// Only those of these users.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    user: Vec<String>,

    /// Only those of these agents.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    agent: Vec<String>,

    /// Only those of these processes.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    process: Vec<String>,

    /// Only those that were opened then or later: 2026-11-20T09:30:00Z, or how long ago (1h, 7d).
    #[arg(long, value_name = "TIME")]
    since: Option<String>,

    /// Only those that were opened before.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,

    /// Put hashes in the place of whatever could say who, where and on what.
    #[arg(long)]
    anonymise: bool,

    /// What happened to each session as well; not in a table.
    #[arg(long)]
    events: bool,

    /// What spawned commands wrote last as well, masked as it is kept; not in a table, and not with
    /// --anonymise: nobody knows whose names are in it.
    #[arg(long, conflicts_with = "anonymise")]
    output: bool,

    #[command(flatten)]
    kept: Kept,
}

/// How sessions are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Json,
    Jsonl,
    Csv,
}

pub async fn export(options: &Options) -> Result<(), Failure> {
    let path = path(options)?;
    let (mut broken, mut open) = (None, options.format == Form::Json);
    let take = |line: &str| {
        broken = broken.take().or_else(|| fault(line));
        open &= line != "]";
        writeln!(stdout().lock(), "{line}")?;
        Ok(ControlFlow::Continue(()))
    };
    options.kept.client().await?.lines(&path, take).await?;
    stdout().lock().flush()?;
    match (broken, open) {
        (Some(why), _) => Err(Failure::Failed(format!("broken off: {why}"))),
        (None, true) => Err(Failure::Failed("broken off: the array has no end".to_owned())),
        (None, false) => Ok(()),
    }
}

fn path(options: &Options) -> Result<String, Failure> {
    let format = options.format.to_possible_value();
    let format = format.map(|it| it.get_name().to_owned()).unwrap_or_default();
    let (anonymise, events, output) = (options.anonymise, options.events, options.output);
    let mut path =
        format!("/v1/export?format={format}&anonymise={anonymise}&events={events}&output={output}");
    for (name, words) in
        [("user", &options.user), ("agent", &options.agent), ("process", &options.process)]
    {
        if !words.is_empty() {
            let words: Vec<String> = words.iter().map(|word| encoded(word)).collect();
            path.push_str(&format!("&{name}={}", words.join(",")));
        }
    }
    for (name, typed) in [("since", &options.since), ("until", &options.until)] {
        if let Some(typed) = typed {
            path.push_str(&format!("&{name}={}", encoded(&time(typed)?)));
        }
    }
    Ok(path)
}

/// A moment as it was typed, as the API takes it.
pub fn time(typed: &str) -> Result<String, Failure> {
    let what = "a time such as 2026-11-20T09:30:00Z, or how long ago, such as 90m or 7d";
    let fault = || Failure::Failed(format!("expected {what}, found {typed:?}"));
    moment(typed, clock::now().wall).map(|at| at.to_string()).ok_or_else(fault)
}

/// What the last line says where it was broken off.
fn fault(line: &str) -> Option<String> {
    if let Some(why) = line.strip_prefix("# broken off: ") {
        return Some(why.to_owned());
    }
    let said: Value = serde_json::from_str(line).ok()?;
    let is_fault = said["type"] == "error";
    is_fault.then(|| said["detail"].as_str().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_broken_off_is_seen() {
        assert_eq!(fault("# broken off: x").as_deref(), Some("x"));
        let told = serde_json::json!({ "type": "error", "detail": "y" }).to_string();
        assert_eq!(fault(&told).as_deref(), Some("y"), "{told}");
        assert_eq!(fault(r#"{"id":"error","type":"session"}"#), None);
        assert_eq!(fault("["), None);
        assert!(time("7d").is_ok() && time("soon").is_err());
    }
}
