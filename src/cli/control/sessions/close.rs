//! `procession sessions close ID`: the end of a session of one's own.

use std::time::Duration;

use clap::Args;

use crate::cli::control::knock::encoded;
use crate::cli::control::{Door, Failure, print};
use crate::serve::wire::external::{CloseBody, Kept};

#[derive(Debug, Args)]
pub struct Options {
    /// The session, by its identity or its own id.
    #[arg(value_name = "ID")]
    id: String,

    /// That it failed; else it completed.
    #[arg(long)]
    failed: bool,

    /// Why, in words.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    door: Door,
}

pub async fn close(options: &Options) -> Result<(), Failure> {
    let outcome = if options.failed { "failed" } else { "completed" };
    let body = CloseBody { outcome: Some(outcome.to_owned()), reason: options.reason.clone() };
    let path = format!("/v1/sessions/{}/close", encoded(&options.id));
    let (kept, text): (Kept, _) = options.door.client()?.post(&path, &body, Duration::ZERO).await?;
    match options.json {
        true => print(text.trim_end()),
        false => print(&format!("{}: {}", kept.session.id, kept.session.state)),
    }
}
