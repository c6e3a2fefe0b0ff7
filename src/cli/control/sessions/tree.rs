//! `procession sessions tree ID`: a session with all that are a part of it.

use clap::Args;

use crate::cli::control::knock::encoded;
use crate::cli::control::phrase::{harmless, span};
use crate::cli::control::{Door, Failure, note, print};
use crate::serve::wire::Session;
use crate::serve::wire::history::{Node, SessionTree};

#[derive(Debug, Args)]
pub struct Options {
    /// The session, by its identity or its own id.
    #[arg(value_name = "ID")]
    id: String,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    door: Door,
}

pub async fn tree(options: &Options) -> Result<(), Failure> {
    let path = format!("/v1/sessions/{}/tree", encoded(&options.id));
    let client = options.door.client()?;
    if options.json {
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
    fn parts_hang_below_what_they_are_a_part_of() {
        let tree = node("a", vec![node("b", vec![node("c", vec![])]), node("d", vec![])]);
        let mut lines = Vec::new();
        branches(&tree, "", &mut lines);
        let told = |line: &str| format!("{line}  process  web  active");
        assert_eq!(lines, [told("├─ b"), told("│  └─ c"), told("└─ d")]);
    }
}
