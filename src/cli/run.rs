//! `procession run` and `procession -- CMD`: from what was typed to a plan, and then to its life.

use std::io::stderr;
use std::path::PathBuf;
use std::time::Duration;

use crate::assembly;
use crate::cli::{Listen, LogOptions, OneCommand, RunOptions, refuse, say};
use crate::config::load::{load, state_dir};
use crate::config::one_command::{Options, one_command};
use crate::config::plan::{Plan, StorePlan};
use crate::init::signals::Caught;
use crate::log;
use crate::supervise::shutdown::EXIT_USAGE;

/// How long the last lines of the log may take.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// Runs the processes of a file.
pub(super) fn run(options: &RunOptions, caught: Caught) -> u8 {
    let loaded = match load(&options.config) {
        Ok(loaded) => loaded,
        Err(problems) => {
            say(&mut stderr(), &problems.to_string());
            return EXIT_USAGE;
        }
    };
    let warnings = loaded.warnings;
    // By the log and not by ourselves: a full standard error must not keep anything from starting.
    let warn =
        move || warnings.iter().for_each(|problem| tracing::warn!(target: "config", "{problem}"));
    let source = Some(options.config.clone());
    live(loaded.plan, source, &options.log, "info", caught, warn)
}

/// Runs one command. It owns the terminal, so that we only speak up when something is wrong.
pub(super) fn run_one(one: OneCommand, log: &LogOptions, caught: Caught) -> u8 {
    let mut options = Options::new(state_of_here());
    options.listen = match one.listen {
        Listen::At(address) => Some(address),
        Listen::Off => None,
    };
    if let Some(path) = one.store {
        options.store = StorePlan::Sqlite(path);
    }
    live(one_command(one.command, options), None, log, "warn", caught, || {})
}

/// A folder for each working folder, so that two commands in two projects do not take each other's
/// processes for what an earlier life of theirs left behind.
fn state_of_here() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    state_dir().join(here.display().to_string().replace('/', "-"))
}

fn live(
    plan: Plan,
    source: Option<PathBuf>,
    options: &LogOptions,
    usual: &str,
    caught: Caught,
    warn: impl FnOnce(),
) -> u8 {
    // Compose passes a variable that nobody set as an empty one.
    let typed = options.log_level.as_deref().filter(|typed| !typed.trim().is_empty());
    let levels = typed.unwrap_or(usual);
    let log = match log::begin(levels, options.log_format.into()) {
        Ok(log) => log,
        Err(why) => return refuse(&why),
    };
    warn();
    let code = assembly::run(plan, source, caught);
    log.finish(LAST_WORDS);
    code
}
