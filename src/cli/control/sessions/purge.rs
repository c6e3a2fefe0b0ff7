//! `procession sessions purge` and `procession sessions forget`: ended sessions that go.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::control::{Door, Failure, print};
use crate::config::span::age;
use crate::serve::wire::rights::{ForgetBody, Forgotten, PurgeBody};

/// How long it may take, beyond what every answer may.
const WAIT: Duration = Duration::from_secs(3600);

#[derive(Debug, Args)]
pub struct Purge {
    /// Those that ended so long ago: 7d, 12h, …
    #[arg(long, value_name = "AGE", default_value = "7d")]
    older_than: String,

    /// Only those that ended as one of these.
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    state: Vec<End>,

    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub struct Forget {
    /// The user whose sessions go, with all that are a part of them.
    #[arg(long, value_name = "NAME", required_unless_present = "agent")]
    user: Option<String>,

    /// The agent whose sessions go.
    #[arg(long, value_name = "NAME", conflicts_with = "user")]
    agent: Option<String>,

    #[command(flatten)]
    how: How,
}

/// An end that sessions come to.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
enum End {
    Completed,
    Failed,
    TimedOut,
    Killed,
    #[value(name = "oom")]
    OutOfMemory,
    Lost,
}

#[derive(Debug, Args)]
struct How {
    /// Only count them.
    #[arg(long)]
    dry_run: bool,

    /// Why; the audit trail keeps it.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    door: Door,
}

pub async fn purge(options: &Purge) -> Result<(), Failure> {
    let age = age(&options.older_than).ok_or_else(|| {
        let typed = &options.older_than;
        Failure::Failed(format!("expected an age such as 7d or 12h, found {typed:?}"))
    })?;
    let word = |end: &End| end.to_possible_value().map(|it| it.get_name().to_owned());
    let body = PurgeBody {
        older_than_seconds: Some(age.as_secs()),
        states: options.state.iter().filter_map(word).collect(),
        dry_run: options.how.dry_run,
    };
    let_go("/v1/purge", &body, &options.how).await
}

pub async fn forget(options: &Forget) -> Result<(), Failure> {
    let (user, agent) = (options.user.clone(), options.agent.clone());
    let body = ForgetBody { user, agent, dry_run: options.how.dry_run };
    let_go("/v1/forget", &body, &options.how).await
}

async fn let_go(path: &str, body: &impl serde::Serialize, how: &How) -> Result<(), Failure> {
    let client = how.door.client()?.because(how.reason.clone());
    let (gone, text): (Forgotten, _) = client.post(path, body, WAIT).await?;
    if how.json {
        return print(text.trim_end());
    }
    let verb = if gone.dry_run { "would go" } else { "are gone" };
    print(&format!("{} ended sessions {verb}", gone.sessions))?;
    if gone.live > 0 {
        print(&format!("{} live ones stay until they have ended: ask again then", gone.live))?;
    }
    Ok(())
}
