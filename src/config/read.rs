//! Readers of single values: what a duration, a signal, a path, an address looks like in the file,
//! and what to say when it does not.

use std::net::{IpAddr, SocketAddr};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::cursor::Cursor;
use super::problem::{nearest, quoted};
use super::quantity;
use super::surroundings::Surroundings;
use super::words::{Habit, shell_habit, split};
use crate::units::{Bytes, Signal};

/// The longest name of a process or an agent: a DNS label's length, and short enough for a label.
const MAX_NAME: usize = 63;

/// The name under which figures appear that belong to no process.
pub(super) const RESERVED_NAME: &str = "unknown";

/// What the names of spawned commands begin with, in front of a number.
const SPAWNED: &str = "spawned-";

pub(super) fn duration(at: &Cursor<'_>) -> Option<Duration> {
    let what = "a duration such as `10s` or `1h30m`";
    at.parsed(what, quantity::parse_duration, quantity::duration_advice)
}

/// A duration that may not be shorter than `least`, because `why`.
pub(super) fn duration_from(at: &Cursor<'_>, least: Duration, why: &str) -> Option<Duration> {
    let duration = duration(at)?;
    if duration < least {
        let least = quantity::print_duration(least);
        return at.expected(&format!("at least `{least}`"), why);
    }
    Some(duration)
}

pub(super) fn bytes(at: &Cursor<'_>) -> Option<Bytes> {
    at.parsed("a size such as `4000MiB` or `2GiB`", quantity::parse_bytes, |_| None)
}

/// A size inside bounds.
pub(super) fn bytes_within(at: &Cursor<'_>, least: Bytes, most: Bytes) -> Option<Bytes> {
    let size = bytes(at)?;
    if size < least {
        return at.expected(&format!("at least `{}`", quantity::print_bytes(least)), "");
    }
    if size > most {
        return at.expected(&format!("at most `{}`", quantity::print_bytes(most)), "");
    }
    Some(size)
}

/// What `reader` makes of it, or nothing where `false` turns it off.
pub(super) fn unless_off<T>(
    at: &Cursor<'_>,
    reader: impl Fn(&Cursor<'_>) -> Option<T>,
) -> Option<Option<T>> {
    match at.scalar() {
        Some("false") => Some(None),
        _ => reader(at).map(Some),
    }
}

/// A whole number inside bounds.
pub(super) fn whole(at: &Cursor<'_>, least: i64, most: i64) -> Option<i64> {
    let what = format!("a whole number from {least} to {most}");
    let parse = |text: &str| text.parse().ok().filter(|number| (least..=most).contains(number));
    at.parsed(&what, parse, |_| None)
}

/// A decimal number inside bounds.
pub(super) fn number(at: &Cursor<'_>, least: f64, most: f64) -> Option<f64> {
    let what = format!("a number from {least} to {most}");
    let parse = |text: &str| {
        let plain = text.chars().all(|c| c.is_ascii_digit() || ".eE+-".contains(c));
        let number = text.parse::<f64>().ok()?;
        (plain && (least..=most).contains(&number)).then_some(number)
    };
    at.parsed(&what, parse, |_| None)
}

/// A whole number from 1.
pub(super) fn count(at: &Cursor<'_>) -> Option<u32> {
    let parse = |text: &str| text.parse::<u32>().ok().filter(|count| *count > 0);
    at.parsed("a whole number from 1", parse, |text| {
        (text == "0").then(|| "remove the key to have no limit".to_owned())
    })
}

pub(super) fn boolean(at: &Cursor<'_>) -> Option<bool> {
    at.choice(&[("true", true), ("false", false)])
}

/// A signal that a process can be sent.
pub(super) fn signal(at: &Cursor<'_>) -> Option<Signal> {
    at.parsed("a signal such as `SIGTERM`", Signal::parse, |text| {
        let known = (1..32).map(|number| Signal(number).to_string());
        let known: Vec<String> = known.collect();
        let with_prefix = format!("SIG{}", text.to_uppercase().trim_start_matches("SIG"));
        nearest(&with_prefix, known.iter().map(String::as_str)).map(super::cursor::did_you_mean)
    })
}

/// A literal address to listen at: names would need a resolver, which may not be there yet.
pub(super) fn address(at: &Cursor<'_>) -> Option<SocketAddr> {
    let parse = |text: &str| text.parse().ok();
    at.parsed("an address and port such as `0.0.0.0:9917`", parse, |text| {
        if text.parse::<u16>().is_ok() {
            return Some(format!("write `0.0.0.0:{text}`"));
        }
        let (host, port) = text.rsplit_once(':')?;
        match host {
            _ if host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
                && !host.contains("::") =>
            {
                Some("a port is a number up to 65535".to_owned())
            }
            "" | "*" => Some(format!("write `0.0.0.0:{port}`")),
            "localhost" => Some(format!("write `127.0.0.1:{port}`")),
            _ if host.contains(':') => {
                Some(format!("write `[{}]:{port}`", host.trim_matches(['[', ']'])))
            }
            _ => Some("give an IP address, names are not looked up".to_owned()),
        }
    })
}

/// A path, made absolute by the folder of the configuration when it is relative. `~/` is the home
/// of the user that we run as.
pub(super) fn path(at: &Cursor<'_>, around: &Surroundings<'_>) -> Option<PathBuf> {
    let text = at.text("a path")?;
    if text.contains('\0') {
        return at.expected("a path", "remove the NUL character");
    }
    if text != "~" && !text.starts_with("~/") {
        return Some(tidy(&around.folder.join(text)));
    }
    match (around.vars)("HOME") {
        Some(home) => Some(tidy(&Path::new(&home).join(text[1..].trim_start_matches('/')))),
        None => {
            at.fault("`~` has no meaning, because HOME is not set", "write the whole path");
            None
        }
    }
}

/// One path or a list of them.
pub(super) fn paths(at: &Cursor<'_>, around: &Surroundings<'_>) -> Option<Vec<PathBuf>> {
    let items = at.one_or_many("a path or a list of paths")?;
    Some(items.iter().filter_map(|item| path(item, around)).collect())
}

/// The path without its `.` parts, so that it reads as a person would write it.
fn tidy(path: &Path) -> PathBuf {
    let tidied: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
    if tidied.as_os_str().is_empty() { PathBuf::from(".") } else { tidied }
}

/// The words of a command: a string is split like a shell would, a list is taken as it is.
pub(super) fn command(at: &Cursor<'_>) -> Option<Vec<String>> {
    let words = match at.scalar() {
        Some(text) => command_string(at, text)?,
        None => {
            let what = "a command: text, or a list of words";
            list_of_words(&at.items(what)?)?
        }
    };
    program_and_arguments(at, words)
}

/// The words of a command that are the rest of a list; at least one.
pub(super) fn words(items: &[Cursor<'_>]) -> Option<Vec<String>> {
    program_and_arguments(items.first()?, list_of_words(items)?)
}

fn list_of_words(items: &[Cursor<'_>]) -> Option<Vec<String>> {
    items.iter().map(|item| word(item).map(str::to_owned)).collect()
}

fn program_and_arguments(at: &Cursor<'_>, words: Vec<String>) -> Option<Vec<String>> {
    if words.first().is_none_or(String::is_empty) {
        return at.expected("the name of a program", "write it, for instance `npm run dev`");
    }
    if words.iter().any(|word| word.contains('\0')) {
        at.fault("a command cannot contain a NUL character", "remove it");
        return None;
    }
    Some(words)
}

fn command_string(at: &Cursor<'_>, text: &str) -> Option<Vec<String>> {
    let Some(words) = split(text) else {
        at.fault(
            "a quote in this command is not closed",
            "close it, or write the command as a list",
        );
        return None;
    };
    if let Some(habit) = shell_habit(text) {
        warn_of_habit(at, &habit);
    }
    Some(words)
}

fn warn_of_habit(at: &Cursor<'_>, habit: &Habit) {
    let because = "because a command is not run by a shell";
    let shell = "write `[sh, -c, \"…\"]` to have one";
    match habit {
        Habit::Assignment(name) => {
            let message = format!("`{name}=…` is taken for the program, {because}");
            at.warn(message, format!("write {} under `environment`", quoted(name)));
        }
        Habit::Builtin(word) => {
            at.warn(format!("{} is taken for a program, {because}", quoted(word)), shell);
        }
        Habit::Home(word) => {
            let message = format!("{} is taken as it is, {because}", quoted(word));
            // Not `${HOME}`, which is ours, also where the program runs as another user.
            at.warn(message, "write the whole path, or `[sh, -c, \"…\"]` to have one");
        }
        Habit::Operator(word) => {
            at.warn(format!("{} is a plain argument, {because}", quoted(word)), shell);
        }
    }
}

/// A word of a list; an empty one is a word too.
fn word<'a>(at: &Cursor<'a>) -> Option<&'a str> {
    at.scalar().or_else(|| at.expected("a word", "put quotes around it if it is text"))
}

/// Whether a process or an agent can have this name, or what is wrong with it.
pub(super) fn name_fault(name: &str) -> Option<&'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if name == RESERVED_NAME {
        return Some("this name is kept for what belongs to no process");
    }
    if name.strip_prefix(SPAWNED).is_some_and(|number| number.parse::<u32>().is_ok()) {
        return Some("this name is kept for commands that are spawned by an order");
    }
    let good = name.len() <= MAX_NAME
        && name.chars().all(allowed)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric());
    (!good).then_some(
        "a name is made of 1 to 63 letters (a-z, A-Z), digits, `_`, `.` and `-`, a letter or digit \
         first",
    )
}

/// The name of an agent.
pub(super) fn name(at: &Cursor<'_>) -> Option<String> {
    let text = at.text("a name")?;
    match name_fault(text) {
        None => Some(text.to_owned()),
        Some(fault) => {
            at.fault(fault, "choose another name");
            None
        }
    }
}
