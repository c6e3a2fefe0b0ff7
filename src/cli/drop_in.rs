//! `procession [options] -- CMD`, and the same under the names of tini and dumb-init, with their
//! options, their variables and their defaults. Read by hand and without the description of all
//! that could be said, because this lies between the exec of PID 1 and its first child.
//!
//! Words are read as getopt(3) reads them: short options may be joined (`-gv`, `-e143`), long ones
//! take their value behind `=` or as the next word and may be cut short. Where a name of ours could
//! also be a verb, or something is unknown, the full reading decides.

mod words;

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use self::words::{Found, Words};
use crate::config::plan::{Passing, PassingScope};
use crate::log::Format;
use crate::supervise::shutdown::EXIT_USAGE;
use crate::units::Signal;

/// What both peers leave with when they are used wrongly.
const PEERS_USAGE: u8 = 1;

/// Where one command is shown when nothing else is said.
pub(super) const DEFAULT_LISTEN: &str = "0.0.0.0:9917";

/// Whom we stand in for, by the name that we were called by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guise {
    /// Ourselves.
    Procession,
    /// tini, which Docker calls `docker-init`.
    Tini,
    /// dumb-init.
    DumbInit,
}

impl Guise {
    fn of(called: Option<&OsStr>) -> Self {
        let called = called.map(OsStrExt::as_bytes).unwrap_or_default();
        match called.rsplit(|byte| *byte == b'/').next() {
            Some(b"tini" | b"tini-static" | b"docker-init") => Self::Tini,
            Some(b"dumb-init") => Self::DumbInit,
            _ => Self::Procession,
        }
    }

    /// The options that it understands: short ones as in getopt(3), a colon behind those with a
    /// value, and the long ones with the short one that they stand for.
    fn options(self) -> (&'static str, &'static [(&'static str, char)]) {
        const LONG: [(&str, char); 5] = [
            ("help", 'h'),
            ("single-child", 'c'),
            ("rewrite:", 'r'),
            ("verbose", 'v'),
            ("version", 'V'),
        ];
        match self {
            Self::Procession => ("sgp:e:wvcr:hVl", &words::OURS),
            Self::Tini => ("p:hvwgle:s", &[("version", 'V')]),
            Self::DumbInit => ("hvVcr:", &LONG),
        }
    }

    fn usage_code(self) -> u8 {
        if self == Self::Procession { EXIT_USAGE } else { PEERS_USAGE }
    }

    fn passing(self) -> Passing {
        match self {
            Self::Procession | Self::Tini => Passing::default(),
            Self::DumbInit => {
                Passing { scope: PassingScope::Group, own_session: true, ..Passing::default() }
            }
        }
    }
}

/// One command, and how it is to be accompanied.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Request {
    pub(super) guise: Guise,
    pub(super) command: Vec<OsString>,
    pub(super) passing: Passing,
    /// Where to listen.
    pub(super) listen: Option<SocketAddr>,
    /// The history, where it is to be kept.
    pub(super) store: Option<PathBuf>,
    /// Whether a next life shall find what this one leaves behind.
    pub(super) recovers: bool,
    pub(super) log_level: String,
    pub(super) log_format: Format,
}

/// What was typed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reading {
    /// One command.
    Run(Box<Request>),
    /// A question, which is answered on standard output.
    Answer(String),
    /// Something that cannot be understood: why, and what to leave with.
    Refused(String, u8),
    /// Something else altogether, or nothing.
    Other,
}

/// Reads what was typed, the name that we were called by first. `variable` is our environment.
pub(super) fn read(
    mut typed: impl Iterator<Item = OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Reading {
    let guise = Guise::of(typed.next().as_deref());
    let (short, long) = guise.options();
    let mut said = Said::new(guise);
    let mut words = Words::new(typed.collect(), short, long);
    loop {
        match words.next() {
            Found::Option(letter, value) => match said.take(letter, &value) {
                Ok(None) => {}
                Ok(Some(answer)) => return answer,
                Err(why) => return Reading::Refused(why, guise.usage_code()),
            },
            Found::Command(command) => return said.finish(command, &variable),
            Found::Unknown | Found::Verb if guise == Guise::Procession => return Reading::Other,
            Found::Unknown => return Reading::Refused(usage(guise), guise.usage_code()),
            Found::Verb => return said.finish(words.rest(guise), &variable),
        }
    }
}

/// What was said so far.
struct Said {
    guise: Guise,
    passing: Passing,
    verbosity: usize,
    listen: Option<String>,
    store: Option<PathBuf>,
    log_level: Option<String>,
    log_format: Option<String>,
}

impl Said {
    fn new(guise: Guise) -> Self {
        Self {
            guise,
            passing: guise.passing(),
            verbosity: 0,
            listen: None,
            store: None,
            log_level: None,
            log_format: None,
        }
    }

    /// Takes in one option. Some of them are questions.
    fn take(&mut self, letter: char, value: &OsStr) -> Result<Option<Reading>, String> {
        let text = || value.to_string_lossy().into_owned();
        match letter {
            'h' | 'V' if self.guise == Guise::Procession => return Ok(Some(Reading::Other)),
            'h' => return Ok(Some(Reading::Answer(usage(self.guise)))),
            'V' => return Ok(Some(Reading::Answer(version()))),
            'l' => return Ok(Some(Reading::Answer(LICENCE.to_owned()))),
            // A subreaper is what we are wherever we are not the first process.
            's' => {}
            'g' => self.passing.scope = PassingScope::Group,
            'c' => self.accompany_alone(),
            'w' => self.passing.warn_on_reap = true,
            // dumb-init has one level more, and it is the one for finding faults.
            'v' if self.guise == Guise::DumbInit => self.verbosity = 2,
            'v' => self.verbosity += 1,
            'p' => self.passing.parent_death = Some(signal("-p", &text())?),
            'e' => self.passing.forgiven.push(code(&text())?),
            'r' => self.rewrite(&text())?,
            words::LISTEN => self.listen = Some(text()),
            words::STORE => self.store = Some(value.into()),
            words::LOG_LEVEL => self.log_level = Some(text()),
            _ => self.log_format = Some(text()),
        }
        Ok(None)
    }

    fn accompany_alone(&mut self) {
        self.passing.scope = PassingScope::Main;
        self.passing.own_session = false;
    }

    /// `15:2`, `TERM:INT`, `15:0`: the last word on a signal counts.
    fn rewrite(&mut self, rule: &str) -> Result<(), String> {
        let why = || {
            format!(
                "cannot read -r {rule}: expected two signals, such as 15:2 or TERM:INT, or 0 as the \
                 second one for not passing it on"
            )
        };
        let (from, to) = rule.split_once(':').ok_or_else(why)?;
        let from = Signal::parse(from).ok_or_else(why)?;
        let to = if to.trim() == "0" { None } else { Some(Signal::parse(to).ok_or_else(why)?) };
        self.passing.rewrite.retain(|(known, _)| *known != from);
        self.passing.rewrite.push((from, to));
        Ok(())
    }

    /// Everything was said: variables fill in what was not.
    fn finish(
        mut self,
        command: Vec<OsString>,
        variable: &impl Fn(&str) -> Option<OsString>,
    ) -> Reading {
        if command.is_empty() && self.guise == Guise::Procession {
            return Reading::Other;
        }
        let code = self.guise.usage_code();
        if command.is_empty() {
            return Reading::Refused(usage(self.guise), code);
        }
        self.hear_the_peers(variable);
        match self.request(command, variable) {
            Ok(request) => Reading::Run(Box::new(request)),
            Err(why) => Reading::Refused(why, code),
        }
    }

    /// The variables of tini and dumb-init.
    fn hear_the_peers(&mut self, variable: &impl Fn(&str) -> Option<OsString>) {
        if self.guise != Guise::DumbInit {
            if variable("TINI_KILL_PROCESS_GROUP").is_some() {
                self.passing.scope = PassingScope::Group;
            }
            // It counts from fatal errors alone; its usual level is 1, as ours is.
            if let Some(level) = variable("TINI_VERBOSITY") {
                let level = level.to_string_lossy().trim().parse::<usize>().unwrap_or(0);
                self.log_level.get_or_insert_with(|| level_named(level).to_owned());
            }
        }
        if self.guise != Guise::Tini {
            if variable("DUMB_INIT_SETSID").is_some_and(|value| value == "0") {
                self.accompany_alone();
            }
            if variable("DUMB_INIT_DEBUG").is_some_and(|value| value == "1") {
                self.verbosity = self.verbosity.max(2);
            }
        }
        if self.passing.own_session {
            self.stop_with_the_terminal();
        }
    }

    /// In a session of its own nobody can continue what the terminal stops, so that the command is
    /// stopped for good: what dumb-init does unless told otherwise.
    fn stop_with_the_terminal(&mut self) {
        for signal in [Signal::TSTP, Signal::TTIN, Signal::TTOU] {
            if self.passing.rewrite.iter().all(|(known, _)| *known != signal) {
                self.passing.rewrite.push((signal, Some(Signal::STOP)));
            }
        }
    }

    fn request(
        self,
        command: Vec<OsString>,
        variable: &impl Fn(&str) -> Option<OsString>,
    ) -> Result<Request, String> {
        // Compose passes a variable that nobody set as an empty one.
        let ours = |name: &str| variable(name).filter(|value| !value.is_empty());
        let text = |name: &str| ours(name).map(|value| value.to_string_lossy().into_owned());
        let usual = (self.guise == Guise::Procession).then(|| DEFAULT_LISTEN.to_owned());
        let listen = self.listen.or_else(|| text("PROCESSION_LISTEN")).or(usual);
        let store = self.store.or_else(|| ours("PROCESSION_STORE").map(PathBuf::from));
        let asked = store.is_some() || ours("PROCESSION_STATE_DIR").is_some();
        let levels = self.log_level.or_else(|| text("PROCESSION_LOG"));
        Ok(Request {
            guise: self.guise,
            command,
            passing: self.passing,
            listen: listen.map_or(Ok(None), |at| address(&at))?,
            store,
            recovers: asked || self.guise == Guise::Procession,
            log_level: levels.unwrap_or_else(|| level_named(1 + self.verbosity).to_owned()),
            log_format: format(self.log_format.or_else(|| text("PROCESSION_LOG_FORMAT")))?,
        })
    }
}

/// The level that a number stands for, as tini counts them.
fn level_named(number: usize) -> &'static str {
    ["error", "warn", "info", "debug", "trace"].get(number).copied().unwrap_or("trace")
}

/// Where to listen; `off` listens nowhere.
pub(super) fn address(text: &str) -> Result<Option<SocketAddr>, String> {
    if text == "off" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        format!(
            "cannot listen on `{text}`: expected an IP address with a port, such as \
             127.0.0.1:9917 or [::]:9917, or `off`"
        )
    })
}

fn format(text: Option<String>) -> Result<Format, String> {
    match text.as_deref() {
        None | Some("text") => Ok(Format::Text),
        Some("json") => Ok(Format::Json),
        Some(other) => Err(format!("cannot log in the format `{other}`: write one of: text, json")),
    }
}

fn signal(option: &str, text: &str) -> Result<Signal, String> {
    Signal::parse(text).ok_or_else(|| {
        format!(
            "cannot read {option} {text}: expected a signal, such as SIGTERM, 15, or SIGRTMIN+3"
        )
    })
}

fn code(text: &str) -> Result<u8, String> {
    text.trim()
        .parse()
        .map_err(|_| format!("cannot read -e {text}: expected an exit code from 0 to 255"))
}

fn version() -> String {
    format!("procession {}", env!("CARGO_PKG_VERSION"))
}

const LICENCE: &str = include_str!("../../LICENSE-MIT");

fn usage(guise: Guise) -> String {
    let options = match guise {
        Guise::DumbInit => {
            "Usage: dumb-init [OPTIONS] [--] CMD [ARG...]

  -c, --single-child  signals reach CMD alone, and CMD keeps our session
  -r, --rewrite S:R   pass signal S on as R; 0 for not at all; may be repeated
  -v, --verbose       say on standard error what is done
  -h, --help          print this
  -V, --version       print the version

Variables: DUMB_INIT_SETSID=0 as -c, DUMB_INIT_DEBUG=1 as -v"
        }
        Guise::Tini | Guise::Procession => {
            "Usage: tini [OPTIONS] [--] CMD [ARG...]

  -g          signals reach the whole group of CMD
  -e CODE     take this exit code of CMD for 0; may be repeated
  -p SIGNAL   get this signal when our parent dies
  -s          reap what is left behind also when not PID 1; always done
  -w          warn of every stranger that is reaped
  -v          say more on standard error; up to three times
  -l          print the licence
  -h          print this
  --version   print the version

Variables: TINI_SUBREAPER as -s, TINI_KILL_PROCESS_GROUP as -g, TINI_VERBOSITY=0..4"
        }
    };
    let ours = "PROCESSION_LISTEN=ADDRESS serves metrics, PROCESSION_STORE=FILE keeps history, \
                PROCESSION_LOG=LEVEL says more.";
    format!("{}\n\n{options}\n{ours}", version())
}

#[cfg(test)]
mod tests;
