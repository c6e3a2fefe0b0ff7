//! `procession sessions heartbeat ID`: that a session is active, and what it used.

use std::time::Duration;

use clap::Args;

use crate::cli::control::knock::encoded;
use crate::cli::control::{Door, Failure, print};
use crate::serve::wire::external::{HeartbeatBody, Kept, TokensBody};

#[derive(Debug, Args)]
pub struct Options {
    /// The session, by its identity or its own id.
    #[arg(value_name = "ID")]
    id: String,

    /// What is done, in a few words.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,

    /// Tokens that were sent since the last heartbeat.
    #[arg(long, value_name = "COUNT")]
    input_tokens: Option<u64>,

    /// Tokens that were answered since the last heartbeat.
    #[arg(long, value_name = "COUNT")]
    output_tokens: Option<u64>,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    door: Door,
}

pub async fn heartbeat(options: &Options) -> Result<(), Failure> {
    let (input, output) = (options.input_tokens, options.output_tokens);
    let tokens = (input.is_some() || output.is_some()).then(|| TokensBody {
        input: input.unwrap_or(0),
        output: output.unwrap_or(0),
        ..TokensBody::default()
    });
    let body = HeartbeatBody { note: options.note.clone(), tokens, cost_nano_usd: None };
    let path = format!("/v1/sessions/{}/heartbeat", encoded(&options.id));
    let (_, text): (Kept, _) = options.door.client()?.post(&path, &body, Duration::ZERO).await?;
    if options.json { print(text.trim_end()) } else { Ok(()) }
}
