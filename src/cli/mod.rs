//! The command line: what was typed, and one file for each verb.

mod check;
mod run;
mod schema;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::init::signals::Caught;
use crate::log::Format;
use crate::supervise::shutdown::EXIT_USAGE;

/// A container's PID 1: supervises development processes and coding agents, and shows sessions,
/// memory, leaks and tokens on /metrics.
#[derive(Debug, Parser)]
#[command(name = "procession", version, args_conflicts_with_subcommands = true)]
#[command(
    override_usage = "procession <run|check|schema> [OPTIONS]\n       procession [OPTIONS] -- CMD [ARG...]"
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
}

#[derive(Debug, Args)]
struct RunOptions {
    /// The configuration.
    #[arg(short, long, value_name = "FILE", default_value = "config.yaml")]
    config: PathBuf,

    #[command(flatten)]
    log: LogOptions,
}

#[derive(Debug, Args)]
struct CheckOptions {
    /// The configuration.
    #[arg(short, long, value_name = "FILE", default_value = "config.yaml")]
    config: PathBuf,
}

#[derive(Debug, Args)]
struct OneCommand {
    /// Where /metrics and the status page listen; `off` listens nowhere.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:9917", value_parser = listen)]
    listen: Listen,

    /// Keep history in this SQLite file; in memory when not given.
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,

    /// The command that is run and waited for.
    #[arg(last = true, value_name = "CMD")]
    command: Vec<String>,
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

/// Where to listen, or that there is nothing to listen for.
#[derive(Clone, Copy, Debug)]
enum Listen {
    At(SocketAddr),
    Off,
}

fn listen(text: &str) -> Result<Listen, String> {
    if text == "off" {
        return Ok(Listen::Off);
    }
    text.parse().map(Listen::At).map_err(|_| {
        "expected an IP address with a port, such as 127.0.0.1:9917 or [::]:9917, or `off`".into()
    })
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
        None if cli.one.command.is_empty() => {
            refuse("nothing to run: write `procession run` or `procession -- CMD`; see --help")
        }
        None => run::run_one(cli.one, &cli.log, caught),
    }
}

/// Help and version go to standard output with code 0, everything else is bad usage.
fn usage(error: &clap::Error) -> u8 {
    let _ = error.print();
    if matches!(error.kind(), ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand) {
        say(&mut std::io::stderr(), ADVICE);
    }
    if error.use_stderr() { EXIT_USAGE } else { 0 }
}

/// Says why nothing was started.
fn refuse(why: &str) -> u8 {
    say(&mut std::io::stderr(), &format!("procession: {why}"));
    EXIT_USAGE
}

/// Writes a line for a person. A closed pipe must never panic us.
fn say(out: &mut dyn Write, text: &str) {
    let _ = writeln!(out, "{text}");
}
