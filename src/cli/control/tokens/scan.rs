//! `procession tokens scan`: what histories on disk come to, whether or not anybody runs.

use std::collections::BTreeMap;
use std::io::{Write, stdout};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use crate::cli::control::phrase::{harmless, table};
use crate::cli::control::{EXIT_FAILED, Failure, print};
use crate::config::plan::Dialect;
use crate::tokens::TokenKind;
use crate::tokens::agents::default_roots;
use crate::tokens::price::Prices;
use crate::tokens::tail::offline::{self, Scan};
use crate::tokens::tally::{By, Sum};

#[derive(Debug, Args)]
pub struct Options {
    /// Folders and files of transcripts; where the agents keep them unless given.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// What sums are made by, several separated by commas.
    #[arg(long, value_name = "WHAT", value_delimiter = ',', default_values = ["day"])]
    by: Vec<Group>,

    /// Print JSON.
    #[arg(long, conflicts_with = "csv")]
    json: bool,

    /// Print lines of values separated by commas, with a line of headings.
    #[arg(long)]
    csv: bool,
}

/// What sums are made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Group {
    /// The day of the response, in UTC.
    Day,
    /// The model.
    Model,
    /// The folder that the agent worked in.
    Project,
    /// The agent's own id of the conversation.
    Conversation,
}

/// Everything that was found, and the same by what was asked for.
struct Found {
    scan: Scan,
    total: Sum,
    parts: Vec<(By, BTreeMap<String, Sum>)>,
}

pub fn scan(options: &Options) -> Result<(), Failure> {
    let paths = match options.paths.as_slice() {
        [] => usual(),
        named => named.to_vec(),
    };
    let scan = offline::scan(&paths);
    let by: Vec<By> = options.by.iter().map(|group| group.by()).collect();
    let (total, parts) = scan.tally.sums(&Prices::embedded(), &by);
    let found = Found { scan, total, parts: by.into_iter().zip(parts).collect() };
    for (path, why) in &found.scan.faults {
        let path = harmless(&path.display().to_string());
        let mut err = std::io::stderr().lock();
        writeln!(err, "procession: cannot read {path}: {why}; its tokens are not counted")?;
    }
    match (options.json, options.csv) {
        (true, _) => print(&found.as_json().to_string()),
        (_, true) => found.print_csv(),
        _ => found.print_tables(),
    }?;
    if found.scan.faults.is_empty() { Ok(()) } else { Err(Failure::Told(EXIT_FAILED)) }
}

/// The folders of every agent that are there.
fn usual() -> Vec<PathBuf> {
    let roots = Dialect::ALL
        .into_iter()
        .flat_map(|dialect| default_roots(dialect, |name| std::env::var(name).ok()));
    roots.filter(|root| root.is_dir()).collect()
}

impl Group {
    fn by(self) -> By {
        match self {
            Self::Day => By::Day,
            Self::Model => By::Model,
            Self::Project => By::Project,
            Self::Conversation => By::Conversation,
        }
    }
}

impl Found {
    fn as_json(&self) -> Value {
        let parts = self.parts.iter().map(|(by, part)| {
            let rows = part.iter().map(|(name, sum)| {
                let mut row = Map::from_iter([(by.as_str().to_owned(), json!(name))]);
                row.extend(figures(sum));
                Value::Object(row)
            });
            (by.as_str().to_owned(), Value::Array(rows.collect()))
        });
        let lines = &self.scan.lines;
        json!({
            "totals": figures(&self.total).into_iter().collect::<Map<String, Value>>(),
            "by": parts.collect::<Map<String, Value>>(),
            "files": self.scan.files,
            "unreadable_files": self.scan.faults.len(),
            "bytes": lines.bytes,
            "lines": {
                "counted": lines.counted,
                "duplicate": lines.duplicate,
                "ignored": lines.ignored,
                "malformed": lines.malformed,
                "oversized": lines.oversized,
            },
            "reused_ids": self.scan.tally.reused,
        })
    }

    fn print_csv(&self) -> Result<(), Failure> {
        let mut out = stdout().lock();
        let columns = figures(&Sum::default());
        let named: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        writeln!(out, "by,name,{}", named.join(","))?;
        for (by, part) in &self.parts {
            for (name, sum) in part {
                let values: Vec<String> =
                    figures(sum).iter().map(|(_, value)| value.to_string()).collect();
                writeln!(out, "{},{},{}", by.as_str(), quoted(name), values.join(","))?;
            }
        }
        Ok(out.flush()?)
    }

    fn print_tables(&self) -> Result<(), Failure> {
        for (by, part) in &self.parts {
            let heading = by.as_str().to_uppercase();
            let headings = [
                heading.as_str(),
                "RESPONSES",
                "INPUT",
                "OUTPUT",
                "CACHE READ",
                "CACHE WRITE",
                "TOTAL",
                "USD",
            ];
            let rows = part.iter().map(|(name, sum)| cells(name, sum));
            let all = std::iter::once(cells("all", &self.total));
            print(&table(&headings, &rows.chain(all).collect::<Vec<_>>()))?;
        }
        let malformed = self.scan.lines.malformed + self.scan.lines.oversized;
        if malformed > 0 {
            print(&format!("{malformed} lines look like usage and cannot be read"))?;
        }
        Ok(())
    }
}

/// The figures of a sum, in the order of their columns.
fn figures(sum: &Sum) -> Vec<(String, Value)> {
    let kinds = TokenKind::ALL.map(|kind| (kind.as_str().to_owned(), json!(sum.tokens.of(kind))));
    let before = [("responses".to_owned(), json!(sum.responses))];
    let behind = [
        ("total", json!(sum.tokens.total())),
        ("reasoning", json!(sum.reasoning)),
        ("cost_nano_usd", json!(sum.nanos)),
        ("cost_usd", json!(sum.nanos as f64 / 1e9)),
        ("unpriced_tokens", json!(sum.unpriced)),
    ];
    let behind = behind.map(|(name, value)| (name.to_owned(), value));
    before.into_iter().chain(kinds).chain(behind).collect()
}

/// What has no price is never shown as free.
fn cells(name: &str, sum: &Sum) -> Vec<String> {
    let tokens = &sum.tokens;
    let written = tokens.cache_write + tokens.cache_write_5m + tokens.cache_write_1h;
    let dollars = match sum.unpriced {
        0 => format!("{:.4}", sum.nanos as f64 / 1e9),
        all if all == tokens.total() => "-".to_owned(),
        _ => format!("{:.4}+", sum.nanos as f64 / 1e9),
    };
    let counts = [sum.responses, tokens.input, tokens.output, tokens.cache_read, written];
    let counts = counts.into_iter().chain([tokens.total()]).map(|count| count.to_string());
    std::iter::once(harmless(name)).chain(counts).chain([dollars]).collect()
}

/// A value of RFC 4180; one that a spreadsheet would take for a formula is told to be a text.
fn quoted(name: &str) -> String {
    let name = harmless(name);
    let formula = name.starts_with(['=', '+', '-', '@']);
    let name = if formula { format!("'{name}") } else { name };
    if name.contains([',', '"', '\'']) {
        format!("\"{}\"", name.replace('"', "\"\""))
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_values_and_no_formulas() {
        for (name, value) in
            [("a", "a"), ("a,b\"c", "\"a,b\"\"c\""), ("=1+1", "\"'=1+1\""), ("a\nb", "a\u{fffd}b")]
        {
            assert_eq!(quoted(name), value);
        }
    }
}
