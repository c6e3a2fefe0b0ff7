//! `procession audit`: who asked for what at the control doors, and what they got.

use std::io::{Write, stdout};

use clap::Args;

use super::kept::Kept;
use super::knock::encoded;
use super::phrase::harmless;
use super::sessions::export::time;
use super::{Failure, print};
use crate::serve::wire::rights::{Audit, AuditLine};

/// Lines that are asked for at once.
const PAGE: u64 = 1000;

#[derive(Debug, Args)]
pub struct Options {
    /// Only what was asked then or later: a time as 2026-11-20T09:30:00Z, or how long ago (1h, 7d).
    #[arg(long, value_name = "TIME")]
    since: Option<String>,

    /// Only what was asked before.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,

    /// Only actions that have this in them: `stop`, `/v1/sessions`, `POST`, …
    #[arg(long, value_name = "TEXT")]
    action: Option<String>,

    /// Only of this process, session or agent.
    #[arg(long, value_name = "NAME")]
    target: Option<String>,

    /// Only what was refused.
    #[arg(long)]
    refused: bool,

    /// So many lines, the newest; 0 is all.
    #[arg(short = 'n', long, value_name = "LINES", default_value_t = 100)]
    tail: u64,

    /// Print a JSON object for each line.
    #[arg(long, conflicts_with = "csv")]
    json: bool,

    /// Print a table for other programs.
    #[arg(long)]
    csv: bool,

    #[command(flatten)]
    kept: Kept,
}

pub(super) async fn audit(options: &Options) -> Result<(), Failure> {
    let client = options.kept.client().await?;
    let (mut left, mut cursor) = (if options.tail == 0 { u64::MAX } else { options.tail }, None);
    if options.csv {
        print(&COLUMNS.join(","))?;
    }
    while left > 0 {
        let page: Audit = client.get(&path(options, left.min(PAGE), cursor.as_deref())?).await?;
        left -= (page.lines.len() as u64).min(left);
        let told: String = page.lines.iter().map(|line| told(options, line) + "\n").collect();
        stdout().lock().write_all(told.as_bytes())?;
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(())
}

fn path(options: &Options, limit: u64, cursor: Option<&str>) -> Result<String, Failure> {
    let mut path = format!("/v1/audit?limit={limit}&refused={}", options.refused);
    let since = options.since.as_deref().map(time).transpose()?;
    let until = options.until.as_deref().map(time).transpose()?;
    for (name, value) in [
        ("since", since.as_deref()),
        ("until", until.as_deref()),
        ("action", options.action.as_deref()),
        ("target", options.target.as_deref()),
        ("cursor", cursor),
    ] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", encoded(value)));
        }
    }
    Ok(path)
}

const COLUMNS: [&str; 12] = [
    "at", "outcome", "role", "action", "target", "said", "reason", "uid", "pid", "name", "remote",
    "token",
];

fn told(options: &Options, line: &AuditLine) -> String {
    if options.json {
        return serde_json::to_string(line).unwrap_or_default();
    }
    let number = |number: Option<i64>| number.map(|it| it.to_string()).unwrap_or_default();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    if options.csv {
        let cells = [
            line.at.clone(),
            line.outcome.to_string(),
            line.role.clone(),
            line.action.clone(),
            line.target.clone(),
            line.said.clone(),
            text(&line.reason),
            number(line.uid.map(i64::from)),
            number(line.pid.map(i64::from)),
            text(&line.name),
            text(&line.remote),
            text(&line.token),
        ];
        return cells.map(|cell| quoted(&cell)).join(",");
    }
    let who = match (&line.token, &line.remote, &line.name, line.pid) {
        (Some(token), Some(remote), ..) => format!("{token}@{remote}"),
        (None, Some(remote), ..) => remote.clone(),
        (_, _, Some(name), Some(pid)) => format!("{name}[{pid}]"),
        _ => "?".to_owned(),
    };
    let what = if line.said.is_empty() { &line.target } else { &line.said };
    let reason = line.reason.as_ref().map(|it| format!("  because: {it}")).unwrap_or_default();
    let (at, outcome, role, action) = (&line.at, line.outcome, &line.role, &line.action);
    harmless(&format!("{at}  {outcome}  {role}  {who}  {action}  {what}{reason}"))
}

/// A cell of a table, as RFC 4180 has it; what would be taken for a formula is kept from that.
fn quoted(text: &str) -> String {
    let guarded = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if guarded { format!("'{text}") } else { text.to_owned() };
    match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_table_stays_one() {
        assert_eq!(quoted("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
        assert_eq!(quoted("=1+1"), "'=1+1");
        assert_eq!(quoted("plain"), "plain");
    }
}
