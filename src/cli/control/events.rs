//! `procession events`: what happens, as it happens.

use std::ops::ControlFlow;

use clap::Args;
use serde_json::Value;

use super::knock::encoded;
use super::phrase::harmless;
use super::ps::only_known;
use super::{Door, Failure, print};
use crate::serve::wire::{Event, Gap};

#[derive(Debug, Args)]
pub struct Options {
    /// Only what happens to these processes, or families of replicas.
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// Only events of these kinds: run_ready, run_ended, phase_changed, …
    #[arg(short, long, value_name = "KIND", value_delimiter = ',')]
    kind: Vec<String>,

    /// Begin with so many of the last ones.
    #[arg(short = 'n', long, value_name = "EVENTS", default_value_t = 0)]
    tail: u64,

    /// Print a JSON object for each event.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    door: Door,
}

pub(super) async fn events(options: &Options) -> Result<(), Failure> {
    let mut path = format!("/v1/events?tail={}", options.tail);
    let lists = [("process", &options.names), ("kind", &options.kind)];
    for (name, words) in lists.into_iter().filter(|(_, words)| !words.is_empty()) {
        let words: Vec<String> = words.iter().map(|word| encoded(word)).collect();
        path.push_str(&format!("&{name}={}", words.join(",")));
    }
    let take = |line: &str| {
        if let Some(data) = line.strip_prefix("data: ") {
            print(&if options.json { data.to_owned() } else { told(data) })?;
        }
        Ok(ControlFlow::Continue(()))
    };
    let client = options.door.client()?;
    only_known(&client, &options.names).await?;
    client.lines(&path, take).await
}

/// An event in one line.
fn told(data: &str) -> String {
    let Ok(event) = serde_json::from_str::<Event>(data) else {
        let gap = serde_json::from_str::<Gap>(data).ok().and_then(|gap| gap.missed);
        let missed = gap.map(|n| format!("{n} events are")).unwrap_or("some events may be".into());
        return format!("[{missed} missing]");
    };
    let process = event.process.unwrap_or_else(|| "*".to_owned());
    let detail = event.detail.as_object().into_iter().flatten();
    let detail: String = detail.filter_map(|(name, value)| pair(name, value)).collect();
    harmless(&format!("{}  {process}  {}{detail}", event.at, event.kind))
}

fn pair(name: &str, value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(format!("  {name}={text}")),
        value => Some(format!("  {name}={value}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line() {
        let data = r#"{"id":"1-2","at":"T","kind":"run_ended","process":"web","run":3,
            "detail":{"exit_code":1,"signal":null,"reason":"it\u001b[2J"}}"#;
        assert_eq!(told(data), "T  web  run_ended  exit_code=1  reason=it\u{fffd}[2J");
        assert_eq!(told(r#"{"missed":5}"#), "[5 events are missing]");
        assert_eq!(told("{}"), "[some events may be missing]");
    }
}
