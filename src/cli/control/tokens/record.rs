//! `procession tokens record`: a call of a model, told by a script, or many of them from a file.

use std::io::Read;
use std::time::Duration;

use clap::Args;

use crate::cli::control::{Door, Failure, note, print};
use crate::serve::wire::usage::{CallBody, CallTokens, Counted};

/// The most that is read of standard input: what one request may hold.
const LARGEST: u64 = 1024 * 1024;

#[derive(Debug, Args)]
pub struct Options {
    /// The model, as its provider names it; or `-` for calls on standard input: a JSON list of them,
    /// or one on each line.
    #[arg(value_name = "MODEL")]
    model: String,

    /// Prompt tokens that were neither read from nor written to a cache.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    input: u64,

    /// Generated tokens, thinking included.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    output: u64,

    /// Prompt tokens read from a cache.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    cache_read: u64,

    /// Prompt tokens written to a cache.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    cache_write: u64,

    /// The part of the output that was thinking.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    reasoning: u64,

    /// The session that it belongs to; by default that of the run that this is called in.
    #[arg(long, value_name = "ID")]
    session: Option<String>,

    /// The agent.
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,

    /// The address that was called, or a name for it.
    #[arg(long, value_name = "TEXT")]
    endpoint: Option<String>,

    /// How long it took, in milliseconds.
    #[arg(long, value_name = "MS")]
    latency_ms: Option<u64>,

    /// What the call is known by: told twice, it counts once.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,

    /// It failed.
    #[arg(long)]
    failed: bool,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    door: Door,
}

pub async fn record(options: &Options) -> Result<(), Failure> {
    let client = options.door.client()?;
    let (counted, text) = if options.model == "-" {
        let mut text = Vec::new();
        let read = std::io::stdin().take(LARGEST + 1).read_to_end(&mut text);
        read.map_err(|error| Failure::Failed(format!("cannot read standard input: {error}")))?;
        client.post_json_lines("/v1/usage", text).await?
    } else {
        client.post::<Counted>("/v1/usage", &body(options), Duration::ZERO).await?
    };
    if options.json {
        print(text.trim_end())?;
    }
    for refused in &counted.refused {
        let advice = refused.suggestion.as_ref().map(|it| format!("; {it}")).unwrap_or_default();
        note(&format!("call {} was not counted: {}{advice}", refused.index, refused.detail));
    }
    if !counted.durable {
        note("the store is away: what was counted is not kept yet");
    }
    if counted.refused.is_empty() {
        Ok(())
    } else {
        Err(Failure::Told(crate::cli::control::EXIT_FAILED))
    }
}

fn body(options: &Options) -> CallBody {
    let Options { input, output, cache_read, cache_write, reasoning, .. } = *options;
    let tokens =
        CallTokens { input, output, cache_read, cache_write, reasoning, ..CallTokens::default() };
    CallBody {
        session: options.session.clone(),
        agent: options.agent.clone(),
        model: options.model.clone(),
        endpoint: options.endpoint.clone(),
        idempotency_key: options.key.clone(),
        latency_ms: options.latency_ms,
        outcome: options.failed.then(|| "error".to_owned()),
        tokens,
        ..CallBody::default()
    }
}
