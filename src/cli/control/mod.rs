//! The verbs that ask a procession that runs: each speaks the wire over its control socket.
//!
//! They answer 0 when it is done, 1 when it was refused or failed, 2 for bad usage, and 3 when
//! nobody answers at the socket.

mod audit;
mod agents;
mod budgets;
mod completions;
mod enough;
mod events;
mod kept;
mod knock;
mod logs;
mod memory;
mod orders;
mod orphans;
mod phrase;
mod ps;
mod reload;
mod sessions;
mod signal;
mod spawn;
mod spoken;
mod tokens;
mod transcripts;

use std::io::{self, stderr};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use tokio::runtime::Builder;

use self::knock::Client;
use crate::cli::{EXIT_FAILED, USUAL_CONFIG, put, say, unwritten};
use crate::config::load::{load, state_dir};
use crate::serve::wire::{self, SOCKET_NAME};

/// Nobody answers at the socket.
const EXIT_UNREACHABLE: u8 = 3;

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List the processes with their state, memory and CPU time.
    #[command(alias = "status")]
    Ps(ps::Options),
    /// Start processes, and wait until they are ready.
    Start(orders::Options),
    /// Stop processes, and wait until they have ended.
    Stop(orders::Options),
    /// Restart processes in the order of their dependencies, and wait until they are ready.
    Restart(orders::Options),
    /// Send a signal to processes.
    Signal(signal::Options),
    /// Read the configuration anew: only what changed restarts.
    Reload(reload::Options),
    /// Stop everything, as after a SIGTERM.
    Shutdown(reload::Options),
    /// Show what every process holds of memory, how that went, and why a leak is suspected.
    Memory(memory::Options),
    /// Show what processes wrote last, and what they write.
    Logs(logs::Options),
    /// Run a command beside the configured processes.
    Spawn(Box<spawn::Options>),
    /// List or end what sessions that are over left behind.
    Orphans(orphans::Options),
    /// Show what ran and how it ended; open, export and forget sessions.
    Sessions(sessions::Options),
    /// Show what happens, as it happens.
    Events(events::Options),
    /// Show who asked for what at the control doors, and what they got.
    Audit(audit::Options),
    /// Show the chains of agents: their conversations, how full they are, and what to hand over.
    Agents(agents::Options),
    /// Show what was spent on models, and tell of calls.
    Tokens(tokens::Options),
    /// Show what may be spent on models, what was, and how long that lasts.
    Budgets(budgets::Options),
    /// Print a script that completes words in a shell.
    Completions(completions::Options),
}

/// Where the procession is that is asked.
#[derive(Debug, Args)]
struct Door {
    /// The control socket; by default that of the configuration, or the one in the usual folder.
    #[arg(long, value_name = "PATH", env = wire::SOCKET_VARIABLE)]
    socket: Option<PathBuf>,

    /// The configuration that the procession runs, which says where its socket is.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Why a verb did not do what it should.
#[derive(Debug)]
enum Failure {
    /// It was refused, or it failed, for this reason.
    Failed(String),
    /// Nobody answers, for this reason.
    Unreachable(String),
    /// Nobody reads what we print any more, which is no failure of ours.
    Unread,
    /// All was said already.
    Told(u8),
}

impl From<io::Error> for Failure {
    /// Only printing fails like this.
    fn from(error: io::Error) -> Self {
        unwritten(&error).map_or(Self::Unread, Self::Failed)
    }
}

/// Does what was asked for and answers with our exit code.
pub(super) fn perform(verb: &Verb) -> u8 {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("cannot begin: {error}"), EXIT_FAILED),
    };
    let answered = runtime.block_on(answer(verb));
    // Whoever still reads our standard input is not waited for.
    runtime.shutdown_background();
    match answered {
        Ok(()) | Err(Failure::Unread) => 0,
        Err(Failure::Failed(why)) => failed(&why, EXIT_FAILED),
        Err(Failure::Unreachable(why)) => failed(&why, EXIT_UNREACHABLE),
        Err(Failure::Told(code)) => code,
    }
}

async fn answer(verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::Ps(options) => ps::ps(options).await,
        Verb::Start(options) => orders::order("start", options).await,
        Verb::Stop(options) => orders::order("stop", options).await,
        Verb::Restart(options) => orders::order("restart", options).await,
        Verb::Signal(options) => signal::signal(options).await,
        Verb::Reload(options) => reload::reload(options).await,
        Verb::Shutdown(options) => reload::shut_down(options).await,
        Verb::Budgets(options) => budgets::budgets(options).await,
        Verb::Memory(options) => memory::memory(options).await,
        Verb::Logs(options) => logs::logs(options).await,
        Verb::Spawn(options) => spawn::spawn(options).await,
        Verb::Orphans(options) => orphans::orphans(options).await,
        Verb::Sessions(options) => sessions::sessions(options).await,
        Verb::Events(options) => events::events(options).await,
        Verb::Audit(options) => audit::audit(options).await,
        Verb::Agents(options) => agents::agents(options).await,
        Verb::Tokens(options) => tokens::tokens(options).await,
        Verb::Completions(options) => completions::print(options),
    }
}

fn failed(why: &str, code: u8) -> u8 {
    say(&mut stderr(), &format!("procession: {why}"));
    code
}

/// Says something beside what is printed.
fn note(text: &str) {
    say(&mut stderr(), &format!("procession: {text}"));
}

/// Prints a line; an error when nobody reads any more.
fn print(line: &str) -> Result<(), Failure> {
    Ok(put(format_args!("{line}\n"))?)
}

impl Door {
    fn client(&self) -> Result<Client, Failure> {
        Ok(Client::new(self.path()?))
    }

    /// The state folder of the configuration that was named.
    fn state_dir(&self) -> Option<PathBuf> {
        load(self.config.as_ref()?).ok().map(|loaded| loaded.plan.state_dir)
    }

    /// What was said, else what a configuration says that was named or lies here, else the usual.
    fn path(&self) -> Result<PathBuf, Failure> {
        if let Some(path) = self.socket.as_ref().filter(|path| !path.as_os_str().is_empty()) {
            return Ok(path.clone());
        }
        if let Some(config) = &self.config {
            let loaded = load(config).map_err(|problems| Failure::Failed(problems.to_string()))?;
            let closed = || format!("{} opens no control socket", config.display());
            return loaded.plan.control.socket.ok_or_else(|| Failure::Unreachable(closed()));
        }
        let answers = |path: &Path| UnixStream::connect(path).is_ok();
        let usual = state_dir().join(SOCKET_NAME);
        likely(&usual, || told_by(Path::new(USUAL_CONFIG), &usual), answers)
    }
}

/// The socket that a configuration tells of, if there is one. A file with faults tells of none, and
/// whoever has just broken it wants to know that as well as that nobody answers at the usual place.
fn told_by(config: &Path, usual: &Path) -> Result<Option<PathBuf>, Failure> {
    if !config.exists() {
        return Ok(None);
    }
    let loaded = load(config).map_err(|problems| {
        let (name, usual) = (config.display(), usual.display());
        Failure::Unreachable(format!(
            "nobody answers at {usual}, and {name}, which may tell of another place, has faults; mend \
             it, or name the socket by --socket or PROCESSION_SOCKET\n{problems}"
        ))
    })?;
    Ok(loaded.plan.control.socket)
}

/// The usual socket where somebody answers, else that of the configuration that lies here: what a
/// procession that was killed leaves behind must not hide one that lives.
fn likely(
    usual: &Path,
    here: impl FnOnce() -> Result<Option<PathBuf>, Failure>,
    answers: impl FnOnce(&Path) -> bool,
) -> Result<PathBuf, Failure> {
    let here = if answers(usual) { None } else { here()? };
    Ok(here.unwrap_or_else(|| usual.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_nobody_answers_at_hides_none_that_lives() {
        let check = |answers: bool, here: Option<&str>, chosen: &str| {
            let found = likely(Path::new("usual"), || Ok(here.map(PathBuf::from)), |_| answers);
            assert_eq!(found.expect("a socket"), Path::new(chosen), "{answers} {here:?}");
        };
        check(true, Some("here"), "usual");
        check(false, Some("here"), "here");
        check(false, None, "usual");
    }
}
