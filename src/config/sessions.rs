//! `sessions` at the top and `session` of a process: how long they may rest and last. Where the file
//! is silent the environment speaks, and where that is silent too, the defaults.

use std::time::Duration;

use super::cursor::{Cursor, Fields};
use super::plan::{RetentionPlan, SessionRule, SessionsPlan};
use super::problem::quoted;
use super::read;
use super::surroundings::Surroundings;

/// The variable for the idle time-out, in seconds; 0 is never.
const TIMEOUT_VARIABLE: &str = "SESSION_TIMEOUT_SECS";
/// The variable for the concurrent limit.
const LIMIT_VARIABLE: &str = "SESSION_MAX_CONCURRENT";
/// The variable for the clean-up interval, in seconds.
const CLEANUP_VARIABLE: &str = "SESSION_CLEANUP_INTERVAL";

/// A session that rests for less cannot be told from one that works.
const LEAST: Duration = Duration::from_secs(1);
/// The most sessions that can be open at once: each takes some kilobytes.
const MOST_CONCURRENT: u32 = 100_000;
/// The most seconds that a variable can say: a year, as for every duration.
const MOST_SECONDS: u32 = 366 * 24 * 3600;
/// The most warnings before an end.
const MOST_WARNINGS: usize = 10;

/// What stands behind `sessions`, with the environment where it is silent.
pub(super) fn sessions(
    file: &Cursor<'_>,
    fields: &mut Fields<'_>,
    around: &Surroundings<'_>,
) -> SessionsPlan {
    let usual = SessionsPlan::default();
    let Some(mut fields) = fields.read("sessions", |at| at.fields("a map")) else {
        return SessionsPlan {
            idle_timeout: said_timeout(file, around).unwrap_or(usual.idle_timeout),
            max_concurrent: said_limit(file, around).unwrap_or(usual.max_concurrent),
            cleanup_interval: said_cleanup(file, around).unwrap_or(usual.cleanup_interval),
            ..usual
        };
    };
    let plan = SessionsPlan {
        idle_timeout: match fields.get("idle_timeout") {
            Some(at) => read::unless_off(&at, span).flatten(),
            None => said_timeout(file, around).unwrap_or(usual.idle_timeout),
        },
        max_duration: fields
            .read("max_duration", |at| read::unless_off(at, span))
            .unwrap_or(usual.max_duration),
        max_concurrent: match fields.get("max_concurrent") {
            Some(at) => limit(&at),
            None => said_limit(file, around),
        }
        .unwrap_or(usual.max_concurrent),
        cleanup_interval: match fields.get("cleanup_interval") {
            Some(at) => span(&at),
            None => said_cleanup(file, around),
        }
        .unwrap_or(usual.cleanup_interval),
        warn_at: fields.read("warn_at", warnings).unwrap_or(usual.warn_at),
        warn_signal: fields
            .read("warn_signal", |at| read::unless_off(at, read::signal))
            .unwrap_or(usual.warn_signal),
        snapshot_interval: fields
            .read("snapshot_interval", |at| read::unless_off(at, span))
            .unwrap_or(usual.snapshot_interval),
        log: fields.read("log", |at| read::unless_off(at, |at| read::path(at, around))).flatten(),
        retention: fields.read("retention", retention).unwrap_or(usual.retention),
    };
    fields.finish(&[
        ("timeout", "did you mean `idle_timeout`?"),
        ("limit", "did you mean `max_concurrent`?"),
        ("keep", "did you mean `retention`?"),
    ]);
    plan
}

/// How long history is kept. What is kept of a session as a whole is kept for as long as its history
/// at least.
fn retention(at: &Cursor<'_>) -> Option<RetentionPlan> {
    let usual = RetentionPlan::default();
    let mut fields = at.fields("a map of durations")?;
    let plan = RetentionPlan {
        completed: fields.read("completed", span).unwrap_or(usual.completed),
        failed: fields.read("failed", span).unwrap_or(usual.failed),
        archived: fields.read("archived", read::duration).unwrap_or(usual.archived),
        audit: fields.read("audit", span).unwrap_or(usual.audit),
        samples: fields.read("samples", span).unwrap_or(usual.samples),
    };
    fields.finish(&[
        ("ended", "write `completed` and `failed`"),
        ("archive", "did you mean `archived`?"),
    ]);
    Some(plan)
}

/// What a process asks for, and how long a run of it may last.
pub(super) fn session(at: &Cursor<'_>) -> Option<(SessionRule, Option<Duration>)> {
    let mut fields = at.fields("a map with `idle_timeout` or `max_duration`")?;
    let or_never = |at: &Cursor<'_>| read::unless_off(at, span);
    let idle_timeout = fields.read("idle_timeout", or_never).flatten();
    let max_duration = fields.read("max_duration", or_never).flatten();
    fields.finish(&[("timeout", "did you mean `idle_timeout`?")]);
    Some((SessionRule { idle_timeout }, max_duration))
}

fn span(at: &Cursor<'_>) -> Option<Duration> {
    read::duration_from(at, LEAST, "nobody could tell such a session from one that works")
}

fn limit(at: &Cursor<'_>) -> Option<u32> {
    read::whole(at, 1, MOST_CONCURRENT.into()).and_then(|limit| u32::try_from(limit).ok())
}

fn warnings(at: &Cursor<'_>) -> Option<Vec<f64>> {
    let items = at.one_or_many("parts of the idle time-out, such as `[0.5, 0.8, 0.95]`")?;
    if items.len() > MOST_WARNINGS {
        return at.expected(&format!("at most {MOST_WARNINGS} parts"), "warn less often");
    }
    let inside = |item: &Cursor<'_>| {
        let part = read::number(item, 0.0, 1.0)?;
        let advice = "0 and 1 are the beginning and the end; write a part between them";
        if part > 0.0 && part < 1.0 { Some(part) } else { item.expected("a part", advice) }
    };
    let parts: Vec<f64> = items.iter().map(inside).collect::<Option<_>>()?;
    if parts.windows(2).any(|pair| pair[0] >= pair[1]) {
        return at.expected("parts that rise", "put them in order, each once");
    }
    Some(parts)
}

fn said_timeout(file: &Cursor<'_>, around: &Surroundings<'_>) -> Option<Option<Duration>> {
    let seconds = said(file, around, TIMEOUT_VARIABLE, 0, MOST_SECONDS, "seconds, 0 for never")?;
    Some((seconds > 0).then(|| Duration::from_secs(seconds.into())))
}

fn said_limit(file: &Cursor<'_>, around: &Surroundings<'_>) -> Option<u32> {
    said(file, around, LIMIT_VARIABLE, 1, MOST_CONCURRENT, "sessions")
}

fn said_cleanup(file: &Cursor<'_>, around: &Surroundings<'_>) -> Option<Duration> {
    let seconds = said(file, around, CLEANUP_VARIABLE, 1, MOST_SECONDS, "seconds")?;
    Some(Duration::from_secs(seconds.into()))
}

/// A whole number in a variable; an empty one says nothing.
fn said(
    file: &Cursor<'_>,
    around: &Surroundings<'_>,
    name: &str,
    least: u32,
    most: u32,
    of: &str,
) -> Option<u32> {
    let text = (around.vars)(name).filter(|text| !text.is_empty())?;
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    if number.is_none() {
        let message = format!(
            "the variable {name} says {}, which is no number from {least} to {most} ({of})",
            quoted(&text)
        );
        file.fault(
            message,
            "correct it or unset it; the key under `sessions` in the file goes first",
        );
    }
    number
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::file::{self, Loaded};
    use crate::config::problem::Problems;
    use crate::config::surroundings::ReadError;

    fn read_with(text: &str, said: &[(&str, &str)]) -> Result<Loaded, Problems> {
        let vars = |name: &str| {
            said.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let around = Surroundings {
            file: "config.yaml",
            folder: Path::new("/app"),
            uid: 0,
            vars: &vars,
            read: &|_| Err(ReadError::Missing),
            bytes: &|_| Err(ReadError::Missing),
        };
        file::read(&format!("processes: {{a: {{command: a}}}}\n{text}"), &around)
    }

    fn plan(text: &str, said: &[(&str, &str)]) -> SessionsPlan {
        read_with(text, said).expect("a plan").plan.sessions
    }

    const SAID: [(&str, &str); 3] =
        [(TIMEOUT_VARIABLE, "60"), (LIMIT_VARIABLE, "7"), (CLEANUP_VARIABLE, "30")];

    #[test]
    fn the_file_goes_before_the_environment_and_that_before_the_defaults() {
        assert_eq!(plan("", &[]), SessionsPlan::default());
        let said = plan("", &SAID);
        assert_eq!(said.idle_timeout, Some(Duration::from_secs(60)));
        assert_eq!((said.max_concurrent, said.cleanup_interval), (7, Duration::from_secs(30)));
        let both = plan("sessions: {idle_timeout: 2m, cleanup_interval: 1m}", &SAID);
        assert_eq!(both.idle_timeout, Some(Duration::from_secs(120)));
        assert_eq!((both.max_concurrent, both.cleanup_interval), (7, Duration::from_secs(60)));
        assert_eq!(plan("sessions: {idle_timeout: false}", &SAID).idle_timeout, None);
        assert_eq!(plan("", &[(TIMEOUT_VARIABLE, "0")]).idle_timeout, None);
        assert_eq!(plan("", &[(LIMIT_VARIABLE, "")]).max_concurrent, 100);
    }

    #[test]
    fn a_bad_variable_is_a_fault_that_names_it_unless_the_file_goes_first() {
        for (name, value) in
            [(TIMEOUT_VARIABLE, "1h"), (LIMIT_VARIABLE, "0"), (CLEANUP_VARIABLE, "-3")]
        {
            let problems = read_with("", &[(name, value)]).expect_err("a fault").to_string();
            assert!(problems.contains(name) && problems.contains("unset it"), "{problems}");
        }
        assert!(read_with("sessions: {max_concurrent: 5}", &[(LIMIT_VARIABLE, "0")]).is_ok());
    }
}
