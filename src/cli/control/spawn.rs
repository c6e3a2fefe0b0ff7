//! `procession spawn -- CMD`: a command beside the configured processes.

use std::time::Duration;

use clap::Args;

use super::knock::Client;
use super::orders::seconds;
use super::phrase::harmless;
use super::{Door, EXIT_FAILED, Failure, note, print, spoken};
use crate::serve::wire::{SpawnBody, Spawned};

/// The longest that an end is waited for at a time.
const LONGEST: Duration = Duration::from_secs(3600);

#[derive(Debug, Args)]
pub struct Options {
    /// Wait for its end, and end with its exit code; for so many seconds at most.
    #[arg(short, long, value_name = "SECONDS", num_args = 0..=1, require_equals = true,
        default_missing_value = "3600", value_parser = seconds)]
    wait: Option<Duration>,

    /// The name that it runs under; `spawned-N` when not given.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Where it starts.
    #[arg(long, alias = "cwd", value_name = "FOLDER")]
    dir: Option<String>,

    /// As whom it runs: a name or a number, and a group behind a colon.
    #[arg(short, long, value_name = "USER")]
    user: Option<String>,

    /// How it is asked to end; SIGINT when not given.
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Option<String>,

    /// From the asking to SIGKILL, such as `10s`; `1s` when not given.
    #[arg(long, value_name = "DURATION")]
    stop_grace_period: Option<String>,

    /// How long it may run, such as `5m`; then it is asked to end.
    #[arg(long, value_name = "DURATION")]
    timeout: Option<String>,

    /// What each of its processes may hold of memory of its own, such as `512MiB`.
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,

    /// CPU time of each of its processes, such as `10s`.
    #[arg(long, value_name = "DURATION")]
    cpu_time: Option<String>,

    /// Open files of each of its processes.
    #[arg(long, value_name = "NUMBER")]
    nofile: Option<u64>,

    /// Processes that its user may have.
    #[arg(long, value_name = "NUMBER")]
    nproc: Option<u64>,

    /// The last bytes of what it writes that are kept; `64KiB` when not given.
    #[arg(long, value_name = "SIZE")]
    keep_output: Option<String>,

    /// Send what is typed here to it, until that ends or it does.
    #[arg(short = 'i', long)]
    stdin: bool,

    /// What is added to its environment.
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,

    /// A line for the shell, in place of a command.
    #[arg(long, value_name = "LINE", conflicts_with = "command")]
    shell: Option<String>,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    door: Door,

    /// The command.
    #[arg(last = true, value_name = "CMD", required_unless_present = "shell")]
    command: Vec<String>,
}

fn variable(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let pair = pair.map(|(name, value)| (name.to_owned(), value.to_owned()));
    pair.ok_or_else(|| "expected NAME=VALUE".to_owned())
}

pub(super) async fn spawn(options: &Options) -> Result<(), Failure> {
    let body = SpawnBody {
        command: options.command.clone(),
        shell: options.shell.clone(),
        env: options.env.iter().cloned().collect(),
        cwd: options.dir.clone(),
        name: options.name.clone(),
        user: options.user.clone(),
        stop_signal: options.stop_signal.clone(),
        stop_grace_period: options.stop_grace_period.clone(),
        timeout: options.timeout.clone(),
        memory: options.memory.clone(),
        cpu_time: options.cpu_time.clone(),
        nofile: options.nofile,
        nproc: options.nproc,
        keep_output: options.keep_output.clone(),
        stdin: options.stdin.then(|| "pipe".to_owned()),
    };
    let client = options.door.client()?;
    if options.stdin {
        return speak(options, &client, &body).await;
    }
    let wait = options.wait.unwrap_or_default();
    let path = match options.wait {
        Some(wait) => format!("/v1/spawn?wait={}", wait.as_secs_f64()),
        None => "/v1/spawn".to_owned(),
    };
    let (spawned, text) = client.post::<Spawned>(&path, &body, wait).await?;
    begun(options, &spawned, &text)?;
    if options.wait.is_none() {
        return Ok(());
    }
    let Spawned { process, ended, .. } = &spawned;
    let Some(ended) = ended.as_ref().and_then(|session| session.end.as_ref()) else {
        return Err(Failure::Failed(format!("{process} still runs; it goes on")));
    };
    match ended.exit_code.unwrap_or(EXIT_FAILED) {
        0 => Ok(()),
        code => Err(Failure::Told(code)),
    }
}

/// Tells that it was started, or why it could not be. Who waits has its code all the same.
fn begun(options: &Options, spawned: &Spawned, text: &str) -> Result<(), Failure> {
    let Spawned { process, session, failure, ended, .. } = spawned;
    if options.json {
        print(text.trim_end())?;
    } else if failure.is_none() && ended.is_none() && (options.wait.is_none() || !options.stdin) {
        print(&format!("{process}: started (session {session})"))?;
    }
    let Some(why) = failure else { return Ok(()) };
    let program = options.command.first().map_or("sh", String::as_str);
    let why = format!("{process} ({}): {}", harmless(program), harmless(why));
    if options.wait.is_none() {
        return Err(Failure::Failed(why));
    }
    note(&why);
    Ok(())
}

/// Starts it, and sends it what comes here until that ends, or it does; then waits for its end where
/// that is asked for.
async fn speak(options: &Options, client: &Client, body: &SpawnBody) -> Result<(), Failure> {
    let (spawned, text) = client.post::<Spawned>("/v1/spawn", body, Duration::ZERO).await?;
    begun(options, &spawned, &text)?;
    let Spawned { process, session, .. } = &spawned;
    let wait = options.wait.unwrap_or(LONGEST);
    let ended = tokio::select! {
        sent = spoken::send_all(client, session) => {
            sent?;
            let Some(wait) = options.wait else { return Ok(()) };
            spoken::end_of(client, session, wait).await?
        }
        ended = spoken::end_of(client, session, wait) => ended?,
    };
    let Some(end) = ended.end else {
        return Err(Failure::Failed(format!("{process} still runs; it goes on")));
    };
    match end.exit_code.unwrap_or(EXIT_FAILED) {
        0 => Ok(()),
        _ if options.wait.is_none() => Ok(()),
        code => Err(Failure::Told(code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_have_a_name() {
        assert_eq!(variable("A=b=c"), Ok(("A".to_owned(), "b=c".to_owned())));
        assert!(variable("A").is_err() && variable("=b").is_err());
    }
}
