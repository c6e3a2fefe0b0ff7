//! `procession sessions open`: a session of one's own, which ends by `close`, with its parent, for
//! want of activity, or with us where it is bound.

use std::ops::ControlFlow;
use std::time::Duration;

use clap::Args;

use crate::cli::control::{Door, Failure, print};
use crate::serve::wire::external::{OpenBody, Opened};

#[derive(Debug, Args)]
pub struct Options {
    /// Its id: while a session of this id is open, that one is answered.
    #[arg(long, value_name = "ID")]
    id: Option<String>,

    /// The session that it is a part of; that of the run that we are in when not given.
    #[arg(long, value_name = "ID")]
    parent: Option<String>,

    /// The agent; its parent's when not given.
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,

    /// The user; its parent's when not given.
    #[arg(short, long, value_name = "NAME")]
    user: Option<String>,

    /// The project's folder; its parent's when not given.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<String>,

    /// A name and a value of one's own; at most 16.
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = label)]
    label: Vec<(String, String)>,

    /// What becomes of it when its parent ends: it ends as well, goes on, or is waited for.
    #[arg(long, value_name = "POLICY", value_parser = ["end", "orphan", "wait"])]
    on_parent_end: Option<String>,

    /// Stay, print what happens to it, and let it end with us.
    #[arg(long)]
    bound: bool,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    door: Door,
}

fn label(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let pair = pair.map(|(name, value)| (name.to_owned(), value.to_owned()));
    pair.ok_or_else(|| "expected NAME=VALUE".to_owned())
}

pub async fn open(options: &Options) -> Result<(), Failure> {
    let body = OpenBody {
        id: options.id.clone(),
        parent: options.parent.clone(),
        agent: options.agent.clone(),
        user: options.user.clone(),
        working_dir: options.dir.clone(),
        labels: options.label.iter().cloned().collect(),
        on_parent_end: options.on_parent_end.clone(),
        bound: options.bound,
    };
    let client = options.door.client()?;
    if !options.bound {
        let (opened, text): (Opened, _) =
            client.post("/v1/sessions", &body, Duration::ZERO).await?;
        let id = &opened.session.id;
        return print(if options.json { text.trim_end() } else { id });
    }
    let mut first = true;
    let print_each = |line: &str| {
        let opened = std::mem::take(&mut first);
        if line.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        print(&if options.json { line.to_owned() } else { phrase(line, opened) })?;
        Ok(ControlFlow::Continue(()))
    };
    client.post_lines("/v1/sessions", &body, print_each).await
}

/// The id first, then each change of the state.
fn phrase(line: &str, opened: bool) -> String {
    let value: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
    let session = if opened { &value["session"] } else { &value };
    let text = |at: &serde_json::Value| at.as_str().unwrap_or_default().to_owned();
    match opened {
        true => text(&session["id"]),
        false => {
            let reason = session["end"]["reason"].as_str();
            let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("{}{reason}", text(&session["state"]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_a_name() {
        assert_eq!(label("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(label("a").is_err() && label("=b").is_err());
    }

    #[test]
    fn a_bound_session_tells_its_id_and_then_its_states() {
        assert_eq!(phrase(r#"{"session": {"id": "01A"}, "new": true}"#, true), "01A");
        assert_eq!(phrase(r#"{"id": "01A", "state": "idle"}"#, false), "idle");
        let end = r#"{"state": "timed_out", "end": {"reason": "no activity"}}"#;
        assert_eq!(phrase(end, false), "timed_out: no activity");
    }
}
