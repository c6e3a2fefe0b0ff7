//! `procession reload` and `procession shutdown`.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::{Door, Failure, print};
use crate::serve::wire::{Ordered, Reloaded};

#[derive(Debug, Args)]
pub struct Options {
    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    door: Door,
}

pub(super) async fn reload(options: &Options) -> Result<(), Failure> {
    let client = options.door.client()?;
    let (changes, text) = client.post::<Reloaded>("/v1/reload", &json!({}), Duration::ZERO).await?;
    if options.json { print(text.trim_end()) } else { print(&told(&changes)) }
}

pub(super) async fn shut_down(options: &Options) -> Result<(), Failure> {
    let client = options.door.client()?;
    let (_, text) = client.post::<Ordered>("/v1/shutdown", &json!({}), Duration::ZERO).await?;
    if options.json { print(text.trim_end()) } else { print("everything is being stopped") }
}

fn told(changes: &Reloaded) -> String {
    let Reloaded { added, removed, restarted, adjusted, put_off } = changes;
    let lines: Vec<String> = [
        ("added", added),
        ("removed", removed),
        ("restarted", restarted),
        ("adjusted", adjusted),
        ("holds from the next life on", put_off),
    ]
    .into_iter()
    .filter(|(_, names)| !names.is_empty())
    .map(|(what, names)| format!("{what}: {}", names.join(", ")))
    .collect();
    if lines.is_empty() { "nothing changed".to_owned() } else { lines.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_told() {
        assert_eq!(told(&Reloaded::default()), "nothing changed");
        let added = vec!["a".to_owned(), "b".to_owned()];
        let changes = Reloaded { added, put_off: vec!["store".into()], ..Reloaded::default() };
        assert_eq!(told(&changes), "added: a, b\nholds from the next life on: store");
    }
}
