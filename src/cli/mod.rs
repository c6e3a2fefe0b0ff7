//! The command line: what was typed, and one file for each verb.

mod check;
mod drop_in;
mod control;
mod run;
mod schema;

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum};

use self::drop_in::Reading;
use crate::config::problem::Problems;
use crate::init::signals::Caught;
use crate::log::Format;
use crate::supervise::shutdown::EXIT_USAGE;

/// The configuration where none is named.
const USUAL_CONFIG: &str = "config.yaml";

/// The longest lines of help, in columns: longer ones are hard to read, however wide a terminal is.
const WIDEST_HELP: usize = 100;

/// It was refused, or it failed.
const EXIT_FAILED: u8 = 1;

/// A container's PID 1: supervises development processes and coding agents, and shows sessions,
/// memory, leaks and tokens on /metrics.
#[derive(Debug, Parser)]
#[command(name = "procession", version, args_conflicts_with_subcommands = true)]
#[command(max_term_width = WIDEST_HELP)]
#[command(
    override_usage = "procession <run|check|ps|logs|…> [OPTIONS]\n       procession [OPTIONS] -- CMD [ARG...]"
)]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,

    #[command(flatten)]
    one: OneCommand,

    #[command(flatten)]
    log: LogOptions,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the processes of a configuration, until they are done or we are told to stop.
    Run(RunOptions),
    /// Read a configuration and print the plan, or every fault in it; start nothing.
    Check(CheckOptions),
    /// Print the JSON Schema of a configuration, for editors that complete and check it.
    Schema,
    #[command(flatten)]
    Control(control::Verb),
}

#[derive(Debug, Args)]
struct RunOptions {
    /// The configuration.
    #[arg(short, long, value_name = "FILE", default_value = USUAL_CONFIG)]
    config: PathBuf,

    #[command(flatten)]
    log: LogOptions,
}

#[derive(Debug, Args)]
struct CheckOptions {
    /// The configuration.
    #[arg(short, long, value_name = "FILE", default_value = USUAL_CONFIG)]
    config: PathBuf,
}

/// For help and for what cannot be understood alone: what is good is read by `drop_in`.
#[derive(Debug, Args)]
struct OneCommand {
    /// Where /metrics and the status page listen; `off` listens nowhere.
    #[arg(long, value_name = "ADDRESS", env = "PROCESSION_LISTEN")]
    #[arg(default_value = drop_in::DEFAULT_LISTEN)]
    listen: String,

    /// Keep history in this SQLite file, or in the database of a postgres:// URL; in memory when
    /// not given.
    #[arg(long, value_name = "FILE", env = "PROCESSION_STORE", hide_env_values = true)]
    store: Option<PathBuf>,

    /// Pass signals on to the whole group of the command.
    #[arg(short = 'g')]
    group: bool,

    /// Pass signals on to the command alone, as is usual.
    #[arg(short = 'c', long)]
    single_child: bool,

    /// Pass signal S on as R, or not at all where R is 0.
    #[arg(short = 'r', long, value_name = "S:R")]
    rewrite: Vec<String>,

    /// Take this exit code of the command for 0.
    #[arg(short = 'e', value_name = "CODE")]
    forgiven: Vec<String>,

    /// Get this signal when our parent dies.
    #[arg(short = 'p', value_name = "SIGNAL")]
    parent_death: Option<String>,

    /// Reap what is left behind also when not PID 1; always done.
    #[arg(short = 's')]
    subreaper: bool,

    /// Warn of every stranger that is reaped.
    #[arg(short = 'w')]
    warn_on_reap: bool,

    /// Log more; up to three times.
    #[arg(short = 'v', long, action = ArgAction::Count)]
    verbose: u8,

    /// Print the licence.
    #[arg(short = 'l')]
    licence: bool,

    /// The command that is run and waited for.
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

#[derive(Debug, Args)]
struct LogOptions {
    /// What is logged: error, warn, info, debug, trace, or levels by room: `warn,init=debug`. The
    /// usual level is info for `run` and warn for one command.
    #[arg(long, value_name = "LEVEL", env = "PROCESSION_LOG")]
    log_level: Option<String>,

    /// How it is logged.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    /// For people.
    Text,
    /// For log shippers: one JSON object for each line.
    Json,
}

impl From<LogFormat> for Format {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => Self::Text,
            LogFormat::Json => Self::Json,
        }
    }
}

/// What most likely was meant where a word could not be understood.
const ADVICE: &str = "\
To run a command, put `--` in front of it: procession -- sh -c true
To name a configuration, use -c: procession run -c other.yaml
Options before `--` are for one command; a file has its own words for them: see config.yaml";

/// Does what was typed and answers with our exit code. Signals are caught before anything else,
/// so that none is lost while the command line and the configuration are read.
pub fn main() -> u8 {
    let caught = match Caught::begin() {
        Ok(caught) => caught,
        Err(error) => return refuse(&format!("cannot catch signals: {error}")),
    };
    match drop_in::read(std::env::args_os(), |name| std::env::var_os(name)) {
        Reading::Run(request) => return run::run_one(*request, caught),
        Reading::Answer(text) => {
            say(&mut io::stdout(), text.trim_end());
            return 0;
        }
        Reading::Refused(why, code) => {
            say(&mut io::stderr(), &format!("procession: {why}"));
            return code;
        }
        Reading::Other => {}
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match cli.verb {
        Some(Verb::Run(options)) => run::run(&options, caught),
        Some(Verb::Check(options)) => {
            caught.let_go();
            check::check(&options)
        }
        Some(Verb::Schema) => {
            caught.let_go();
            schema::schema()
        }
        Some(Verb::Control(verb)) => {
            caught.let_go();
            control::perform(&verb)
        }
        None => refuse("nothing to run: write `procession run` or `procession -- CMD`; see --help"),
    }
}

/// Help and version go to standard output with code 0, everything else is bad usage.
fn usage(error: &clap::Error) -> u8 {
    let _ = error.print();
    let unknown = matches!(error.kind(), ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand);
    if unknown && !std::env::args_os().nth(1).is_some_and(|word| asks(&word)) {
        say(&mut io::stderr(), ADVICE);
    }
    if error.use_stderr() { EXIT_USAGE } else { 0 }
}

/// Whether this is a verb that starts nothing, so that nobody meant a command or a configuration.
fn asks(word: &OsStr) -> bool {
    let word = word.to_str().unwrap_or_default();
    // clap has a `help` of its own, which is no verb before the command line is put together.
    word == "help"
        || !["run", "check"].contains(&word) && Cli::command().find_subcommand(word).is_some()
}

/// Says why a configuration cannot be used. Who has none yet is told what one looks like.
fn unusable(config: &Path, problems: &Problems) -> u8 {
    let mut said = problems.to_string();
    if config == Path::new(USUAL_CONFIG) && !config.exists() {
        said +=
            "\nname yours with -c, or write it: `processes: {web: {command: npm run dev}}` is one";
    }
    say(&mut io::stderr(), &said);
    EXIT_USAGE
}

/// Says why nothing was started.
fn refuse(why: &str) -> u8 {
    say(&mut io::stderr(), &format!("procession: {why}"));
    EXIT_USAGE
}

/// Why not all was written; nothing where the reader left, as `head` does.
fn unwritten(error: &io::Error) -> Option<String> {
    let advice = "not all was written; see that there is room where it goes";
    (error.kind() != io::ErrorKind::BrokenPipe)
        .then(|| format!("standard output: {error}; {advice}"))
}

/// Prints what was asked for and answers 0, or 1 where it cannot be written: whoever keeps it in a
/// file must not take half of it for all.
fn answer(text: &str) -> u8 {
    let Some(why) = put(format_args!("{text}\n")).err().and_then(|error| unwritten(&error)) else {
        return 0;
    };
    say(&mut io::stderr(), &format!("procession: {why}"));
    EXIT_FAILED
}

/// Prints what was asked for, to its end: what is only buffered is not yet written.
fn put(text: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "{text}")?;
    out.flush()
}

/// Writes a line for a person. A closed pipe must never panic us.
fn say(out: &mut dyn Write, text: &str) {
    let _ = writeln!(out, "{text}");
}
