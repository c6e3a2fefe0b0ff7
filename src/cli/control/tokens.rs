//! `procession tokens`: what was spent, and the verbs by which something is told of it.

mod record;
mod report;
mod scan;

use clap::{Args, Subcommand};

use super::Failure;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Options {
    #[command(subcommand)]
    verb: Option<Verb>,

    #[command(flatten)]
    report: report::Options,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Tell of a call of a model.
    Record(Box<record::Options>),
    /// Sum up histories on disk: those of Claude Code, Codex, Gemini CLI and opencode.
    Scan(scan::Options),
}

pub async fn tokens(options: &Options) -> Result<(), Failure> {
    match &options.verb {
        Some(Verb::Record(options)) => record::record(options).await,
        Some(Verb::Scan(options)) => scan::scan(options),
        None => report::report(&options.report).await,
    }
}
