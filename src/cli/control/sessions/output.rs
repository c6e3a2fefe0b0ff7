//! `procession sessions output`: what a spawned command wrote.

use std::io::{Write, stdout};
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::control::kept::Kept;
use crate::cli::control::knock::encoded;
use crate::cli::control::{Failure, print};
use crate::serve::wire::spawned::Output;

/// How long one question for more may wait; then it is asked again.
const TURN: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub struct Options {
    /// Its session, or the pid of its main process.
    id: String,

    /// Go on until it has ended.
    #[arg(short, long)]
    follow: bool,

    /// Begin at this place: `next` of an earlier answer.
    #[arg(long, value_name = "CURSOR", default_value_t = 0)]
    cursor: u64,

    /// Only this output of it.
    #[arg(long, value_name = "WHICH", default_value = "both")]
    stream: Stream,

    /// Print JSON, an object for each part.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    kept: Kept,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Stream {
    Stdout,
    Stderr,
    Both,
}

impl Stream {
    fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Both => "both",
        }
    }
}

pub(super) async fn output(options: &Options) -> Result<(), Failure> {
    let Options { id, follow, stream, json, .. } = options;
    let client = options.kept.client().await?;
    let mut cursor = options.cursor;
    let wait = if *follow { TURN } else { Duration::ZERO };
    loop {
        let path = format!(
            "/v1/sessions/{}/output?cursor={cursor}&stream={}&wait={}",
            encoded(id),
            stream.as_str(),
            wait.as_secs()
        );
        let part: Output = client.get_later(&path, wait).await?;
        show(&part, *json)?;
        let came = part.next != cursor;
        cursor = part.next;
        if part.ended || !follow && !came {
            return Ok(());
        }
    }
}

fn show(part: &Output, json: bool) -> Result<(), Failure> {
    if json {
        return print(&serde_json::to_string(part).unwrap_or_default());
    }
    let mut out = stdout().lock();
    if part.missed > 0 {
        writeln!(out, "[{} bytes are not kept any more]", part.missed)?;
    }
    out.write_all(part.text.as_deref().unwrap_or_default().as_bytes())?;
    Ok(out.flush()?)
}
