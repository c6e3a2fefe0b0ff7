//! `procession sessions show ID`: one session with all that is known of it.

use clap::Args;

use crate::cli::control::kept::Kept;
use crate::cli::control::knock::encoded;
use crate::cli::control::phrase::{harmless, size, span};
use crate::cli::control::{Failure, print};
use crate::serve::wire::Session;

#[derive(Debug, Args)]
pub struct Options {
    /// The session, by its identity or its own id.
    #[arg(value_name = "ID")]
    id: String,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    kept: Kept,
}

pub async fn show(options: &Options) -> Result<(), Failure> {
    let path = format!("/v1/sessions/{}", encoded(&options.id));
    let client = options.kept.client().await?;
    if options.json {
        return print(client.get_text(&path).await?.trim_end());
    }
    let session: Session = client.get(&path).await?;
    let lines = told(&session);
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    lines.iter().try_for_each(|(name, value)| print(&format!("{name:<width$}  {value}")))
}

/// What is known of it, line by line.
fn told(session: &Session) -> Vec<(&'static str, String)> {
    let mut lines = vec![("id", session.id.clone()), ("kind", session.kind.clone())];
    let mut tell = |name, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            lines.push((name, harmless(&value)));
        }
    };
    let (context, end) = (session.context.as_ref(), session.end.as_ref());
    tell("own id", session.native_id.clone());
    tell("parent", session.parent.clone());
    tell("process", Some(session.process.clone()));
    tell("agent", session.agent.clone());
    tell("state", Some(session.state.clone()));
    tell("started", Some(session.started.clone()));
    tell("last activity", Some(session.last_activity.clone()));
    tell("pid", session.pid.map(|pid| pid.to_string()));
    tell("command", context.map(|context| context.command.join(" ")));
    tell("folder", context.and_then(|context| context.working_dir.clone()));
    tell("branch", context.and_then(|it| it.git.as_ref()?.branch.clone()));
    tell("user", context.and_then(|context| context.user.clone()));
    tell("events", Some(session.events.to_string()));
    tell("peak memory", session.peak_memory_bytes.map(|bytes| size(Some(bytes))));
    tell("CPU", session.cpu_seconds.map(|seconds| format!("{seconds:.1}s")));
    tell("tokens", Some(session.tokens.to_string()).filter(|_| session.tokens > 0));
    tell("cost", Some(session.cost_nano_usd).filter(|cost| *cost > 0).map(dollars));
    tell("ended", end.map(|end| end.at.clone()));
    tell("duration", end.map(|end| span(end.duration_seconds)));
    tell("exit code", end.and_then(|end| end.exit_code).map(|code| code.to_string()));
    tell("reason", end.map(|end| end.reason.clone()));
    lines
}

fn dollars(nanos: i64) -> String {
    format!("${:.4}", nanos as f64 / 1e9)
}
