//! `procession run` and `procession -- CMD`: from what was typed to a plan, and then to its life.

use std::path::PathBuf;
use std::time::Duration;

use crate::assembly;
use crate::cli::drop_in::{Guise, Request};
use crate::cli::{RunOptions, refuse, unusable};
use crate::config::load::{load, state_dir};
use crate::config::one_command::{Options, one_command};
use crate::config::plan::{Plan, Recovery, StorePlan};
use crate::config::postgres;
use crate::init::signals::Caught;
use crate::log::{self, Format};

/// How long the last lines of the log may take.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// Runs the processes of a file.
pub(super) fn run(options: &RunOptions, caught: Caught) -> u8 {
    let loaded = match load(&options.config) {
        Ok(loaded) => loaded,
        Err(problems) => return unusable(&options.config, &problems),
    };
    let warnings = loaded.warnings;
    // By the log and not by ourselves: a full standard error must not keep anything from starting.
    let warn =
        move || warnings.iter().for_each(|problem| tracing::warn!(target: "config", "{problem}"));
    // Compose passes a variable that nobody set as an empty one.
    let typed = options.log.log_level.as_deref().filter(|typed| !typed.trim().is_empty());
    let source = Some(options.config.clone());
    let format = options.log.log_format.into();
    live(loaded.plan, source, typed.unwrap_or("info"), format, caught, warn)
}

/// Runs one command. It owns the terminal, so that we only speak up when something is wrong.
pub(super) fn run_one(request: Request, caught: Caught) -> u8 {
    let caught = match request.guise {
        // It passes on what means a fault as well, when somebody sends it.
        Guise::DumbInit => caught.with_faults(),
        Guise::Procession | Guise::Tini => Ok(caught),
    };
    let caught = match caught {
        Ok(caught) => caught,
        Err(error) => return refuse(&format!("cannot catch signals: {error}")),
    };
    let mut options = Options::new(run_file_folder());
    options.listen = request.listen;
    options.passing = request.passing;
    if !request.recovers {
        options.recovery = Recovery::Off;
    }
    if let Some(place) = request.store {
        options.store = match store(place) {
            Ok(store) => store,
            Err(why) => return refuse(&why),
        };
    }
    let plan = one_command(request.command, options);
    live(plan, None, &request.log_level, request.log_format, caught, || {})
}

/// A file, or the database that a URL leads to.
pub(super) fn store(place: PathBuf) -> Result<StorePlan, String> {
    match place.to_str().filter(|text| postgres::is_url(text)) {
        None => Ok(StorePlan::Sqlite(place)),
        Some(url) => match postgres::parse(url) {
            Ok(plan) => Ok(StorePlan::Postgres(Box::new(plan))),
            Err(fault) => Err(format!("--store: {}; {}", fault.message, fault.advice)),
        },
    }
}

/// A folder for each working folder, so that two commands in two projects do not take each other's
/// processes for what an earlier life of theirs left behind. PID 1 keeps no run file, since nothing
/// outlives it, and so needs none.
fn run_file_folder() -> PathBuf {
    if std::process::id() == 1 {
        return PathBuf::new();
    }
    let here = std::env::current_dir().unwrap_or_default();
    state_dir().join(here.display().to_string().replace('/', "-"))
}

fn live(
    plan: Plan,
    source: Option<PathBuf>,
    levels: &str,
    format: Format,
    caught: Caught,
    warn: impl FnOnce(),
) -> u8 {
    let log = match log::begin(levels, format) {
        Ok(log) => log,
        Err(why) => return refuse(&why),
    };
    log.mask_by(plan.privacy.masker.clone());
    warn();
    let code = assembly::run(plan, source, caught);
    log.finish(LAST_WORDS);
    code
}
