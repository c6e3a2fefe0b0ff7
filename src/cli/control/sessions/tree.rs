//! `procession sessions tree [ID]`: a session with all that are a part of it, or all that live.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;

use crate::cli::control::kept::Kept;
use crate::cli::control::knock::{Client, encoded};
use crate::cli::control::phrase::{harmless, span};
use crate::cli::control::{Failure, note, print};
use crate::serve::wire::Session;
use crate::serve::wire::history::{Node, SessionTree, Sessions};

#[derive(Debug, Args)]
pub struct Options {
    /// The session, by its identity or its own id; without it all that live.
    #[arg(value_name = "ID")]
    id: Option<String>,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    kept: Kept,
}

pub async fn tree(options: &Options) -> Result<(), Failure> {
    let client = options.kept.client().await?;
    match &options.id {
        Some(id) => one(&client, id, options.json).await,
        None => all(&client, options.json).await,
    }
}

/// All that live, each below what it is a part of; the newest thousand.
async fn all(client: &Client, json: bool) -> Result<(), Failure> {
    let found: Sessions = client.get("/v1/sessions?standing=live&limit=1000").await?;
    let trees = forest(found.sessions);
    if json {
        return print(&serde_json::to_string(&trees).unwrap_or_default());
    }
    let mut lines = Vec::new();
    for tree in &trees {
        lines.push(line(&tree.session));
        branches(tree, "", &mut lines);
    }
    lines.iter().try_for_each(|line| print(line))?;
    if found.next.is_some() {
        note("there are more than are shown: name one, or `sessions list --live`");
    }
    Ok(())
}

/// Trees of sessions that came newest first. Whose parent is not among them is a root.
fn forest(sessions: Vec<Session>) -> Vec<Node> {
    let known: BTreeSet<String> = sessions.iter().map(|session| session.id.clone()).collect();
    let mut parts: BTreeMap<Option<String>, Vec<Session>> = BTreeMap::new();
    for session in sessions.into_iter().rev() {
        let parent = session.parent.clone().filter(|parent| known.contains(parent));
        parts.entry(parent).or_default().push(session);
    }
    below(None, &mut parts)
}

fn below(parent: Option<String>, parts: &mut BTreeMap<Option<String>, Vec<Session>>) -> Vec<Node> {
    let children = parts.remove(&parent).unwrap_or_default();
    let mut node = |session: Session| {
        let children = below(Some(session.id.clone()), parts);
        Node { session, children }
    };
    children.into_iter().map(&mut node).collect()
}

async fn one(client: &Client, id: &str, json: bool) -> Result<(), Failure> {
    let path = format!("/v1/sessions/{}/tree", encoded(id));
    if json {
        return print(client.get_text(&path).await?.trim_end());
    }
    let told: SessionTree = client.get(&path).await?;
    for above in told.ancestors.iter().rev() {
        print(&format!("{} …", line(above)))?;
    }
    let mut lines = vec![line(&told.tree.session)];
    branches(&told.tree, "", &mut lines);
    lines.iter().try_for_each(|line| print(line))?;
    if told.more {
        note("there are more parts than are shown");
    }
    if let Some(why) = told.incomplete {
        note(&format!("older sessions may be missing: {}", harmless(&why)));
    }
    Ok(())
}

/// The parts of a node, each behind the lines that lead to it.
fn branches(node: &Node, before: &str, lines: &mut Vec<String>) {
    for (at, child) in node.children.iter().enumerate() {
        let is_last = at + 1 == node.children.len();
        let (fork, beside) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        lines.push(format!("{before}{fork}{}", line(&child.session)));
        branches(child, &format!("{before}{beside}"), lines);
    }
}

fn line(session: &Session) -> String {
    let name = session.agent.as_ref().or(session.native_id.as_ref()).unwrap_or(&session.process);
    let end = session.end.as_ref().map(|end| format!("  {}", span(end.duration_seconds)));
    let end = end.unwrap_or_default();
    harmless(&format!("{}  {}  {name}  {}{end}", session.id, session.kind, session.state))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: &str, children: Vec<Node>) -> Node {
        let session = serde_json::json!({
            "id": id, "kind": "process", "process": "web", "state": "active", "started": "T",
            "last_activity": "T", "events": 1, "tokens": 0, "cost_nano_usd": 0,
        });
        Node { session: serde_json::from_value(session).expect("a session"), children }
    }

    #[test]
    fn all_that_live_hang_below_what_they_are_a_part_of() {
        let with = |id: &str, parent: Option<&str>| {
            let parent = parent.map(str::to_owned);
            Session { parent, ..node(id, Vec::new()).session }
        };
        // Newest first, and the parent of one is over.
        let told =
            [with("d", Some("gone")), with("c", Some("a")), with("b", None), with("a", None)];
        let trees = forest(told.into());
        let roots: Vec<&str> = trees.iter().map(|tree| tree.session.id.as_str()).collect();
        assert_eq!(roots, ["a", "b", "d"]);
        let parts: Vec<usize> = trees.iter().map(|tree| tree.children.len()).collect();
        assert_eq!((parts, trees[0].children[0].session.id.as_str()), (vec![1, 0, 0], "c"));
    }

    #[test]
    fn parts_hang_below_what_they_are_a_part_of() {
        let tree = node("a", vec![node("b", vec![node("c", vec![])]), node("d", vec![])]);
        let mut lines = Vec::new();
        branches(&tree, "", &mut lines);
        let told = |line: &str| format!("{line}  process  web  active");
        assert_eq!(lines, [told("├─ b"), told("│  └─ c"), told("└─ d")]);
    }
}
