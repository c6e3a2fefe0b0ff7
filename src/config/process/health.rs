//! How the usability of a process is learnt: `healthcheck`, `ready` and `watchdog`.

use std::time::Duration;

use crate::config::cursor::{Cursor, Fields};
use crate::config::plan::{HealthPlan, OnUnhealthy, ReadyPlan, RestartPolicy, Test};
use crate::config::problem::quoted;
use crate::config::{endpoint, read};

/// Compose's figures.
const INTERVAL: Duration = Duration::from_secs(30);
/// As long as Compose grants: a false alarm ends a run, so it has to be the slower mistake.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Sooner than Compose's five seconds: dependents wait for the first test that passes, and so does the
/// person in front of them.
const START_INTERVAL: Duration = Duration::from_secs(1);
const RETRIES: u32 = 3;

/// A run that is not ready by then is ended as failed, unless told otherwise.
pub(super) const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// Asking more often costs more than it tells.
const LEAST_INTERVAL: Duration = Duration::from_millis(100);
/// Less passes on a busy machine before a test has begun.
const LEAST_TIMEOUT: Duration = Duration::from_millis(10);
/// A process that has to feed us more often does nothing else.
const LEAST_WATCHDOG: Duration = Duration::from_millis(100);

/// `healthcheck`; none when it is turned off.
pub(super) fn health(at: &Cursor<'_>, policy: RestartPolicy) -> Option<HealthPlan> {
    let mut fields = at.fields("a map with `test`, `http` or `tcp`")?;
    let disabled = fields.read("disable", read::boolean).unwrap_or(false);
    let asked = question(&mut fields, disabled);
    let interval =
        |at: &Cursor<'_>| read::duration_from(at, LEAST_INTERVAL, "each test costs time");
    let timeout = |at: &Cursor<'_>| read::duration_from(at, LEAST_TIMEOUT, "a test takes time");
    let on_unhealthy = fields.read("on_unhealthy", |at| at.choice(&ON_UNHEALTHY));
    let plan = HealthPlan {
        test: Test::Exec(vec![]),
        interval: fields.read("interval", interval).unwrap_or(INTERVAL),
        timeout: fields.read("timeout", timeout).unwrap_or(TIMEOUT),
        retries: fields.read("retries", retries).unwrap_or(RETRIES),
        start_period: fields.read("start_period", read::duration).unwrap_or_default(),
        start_interval: fields.read("start_interval", interval).unwrap_or(START_INTERVAL),
        on_unhealthy: on_unhealthy.unwrap_or(match policy {
            RestartPolicy::No => OnUnhealthy::Report,
            _ => OnUnhealthy::Restart,
        }),
    };
    fields.finish(&[
        ("command", "did you mean `test`?"),
        ("exec", "did you mean `test`?"),
        ("url", "did you mean `http`?"),
        ("port", "write `tcp: 127.0.0.1:PORT`"),
        ("period", "did you mean `interval`?"),
        ("failure_threshold", "did you mean `retries`?"),
    ]);
    match asked {
        Asked::Test(test) => Some(HealthPlan { test, ..plan }),
        Asked::Nothing | Asked::Faulty => None,
    }
}

/// So many failures in a row at most, or a sick process is never noticed.
const MOST_RETRIES: i64 = 1000;

fn retries(at: &Cursor<'_>) -> Option<u32> {
    read::whole(at, 1, MOST_RETRIES).and_then(|count| u32::try_from(count).ok())
}

/// The words of `on_unhealthy`.
const ON_UNHEALTHY: [(&str, OnUnhealthy); 2] =
    [("restart", OnUnhealthy::Restart), ("report", OnUnhealthy::Report)];

/// What a `healthcheck` asks.
enum Asked {
    Test(Test),
    /// It is turned off.
    Nothing,
    /// The fault is told.
    Faulty,
}

/// Exactly one of `test`, `http` and `tcp`, unless it is turned off.
fn question(fields: &mut Fields<'_>, disabled: bool) -> Asked {
    let found = ["test", "http", "tcp"].map(|key| (key, fields.get(key)));
    let mut written = found.iter().filter_map(|(key, at)| Some((*key, at.as_ref()?)));
    let Some((key, first)) = written.next() else {
        if !disabled {
            let advice = "write `test: [CMD, …]`, `http: URL` or `tcp: ADDRESS`";
            fields.missing("test", advice, &[("command", "did you mean `test`?")]);
        }
        return if disabled { Asked::Nothing } else { Asked::Faulty };
    };
    for (other, second) in written {
        second.fault(format!("`{key}` stands here as well as `{other}`"), "keep one of them");
    }
    let asked = match key {
        "test" => test(first),
        "http" => endpoint::http(first).map(Asked::Test),
        _ => endpoint::tcp(first).map(Asked::Test),
    };
    match asked {
        Some(_) if disabled => Asked::Nothing,
        asked => asked.unwrap_or(Asked::Faulty),
    }
}

/// `test` in Compose's forms: a text for a shell, or a list that begins with how it is run.
fn test(at: &Cursor<'_>) -> Option<Asked> {
    if let Some(text) = at.scalar() {
        return match text {
            "NONE" => Some(Asked::Nothing),
            _ => at.text("a test").map(|text| Asked::Test(shell(text))),
        };
    }
    let forms = "`[CMD, program, …]`, `[CMD-SHELL, \"…\"]` or a text for a shell";
    let items = at.items(forms)?;
    let Some((first, rest)) = items.split_first() else { return at.expected(forms, "") };
    match (first.scalar(), rest) {
        (Some("NONE"), []) => Some(Asked::Nothing),
        (Some("CMD-SHELL"), [text]) => text.text("a command").map(|text| Asked::Test(shell(text))),
        (Some("CMD"), [_, ..]) => read::words(rest).map(|words| Asked::Test(Test::Exec(words))),
        (Some("CMD"), []) => at.expected("a program behind `CMD`", "write `[CMD, program, …]`"),
        (Some("CMD-SHELL"), _) => {
            at.expected("one text behind `CMD-SHELL`", "write `[CMD-SHELL, \"…\"]`")
        }
        (Some(word), _) => {
            let advice = format!("write `[CMD, {}, …]`", crate::config::problem::shortened(word));
            first.expected("`CMD`, `CMD-SHELL` or `NONE`", advice)
        }
        (None, _) => first.expected("`CMD`, `CMD-SHELL` or `NONE`", ""),
    }
}

fn shell(text: &str) -> Test {
    Test::Exec(vec!["/bin/sh".into(), "-c".into(), text.into()])
}

/// `ready`: a pattern, or a map.
pub(super) fn ready(at: &Cursor<'_>) -> Option<ReadyPlan> {
    if at.scalar().is_some() {
        let log = Some(pattern(at)?);
        return Some(ReadyPlan { log, notify: false, timeout: Some(READY_TIMEOUT) });
    }
    let mut fields = at.fields("a pattern for a line of the log, or a map")?;
    let log_at = fields.get("log");
    let notify_at = fields.get("notify");
    let timeout = fields.get("timeout").and_then(|at| ready_timeout(&at));
    if log_at.is_none() && notify_at.is_none() {
        fields.missing("log", "write `log: PATTERN` or `notify: true`", &READY_WORDS);
    }
    fields.finish(&READY_WORDS);
    let log = log_at.as_ref().map(pattern);
    let notify = notify_at.as_ref().and_then(read::boolean);
    if let (None, Some(at), Some(false)) = (&log, &notify_at, notify) {
        at.expected::<()>("`true`", "or write `log: PATTERN`");
    }
    let notify = notify.unwrap_or(false);
    Some(ReadyPlan { log: log.flatten(), notify, timeout: timeout.unwrap_or(Some(READY_TIMEOUT)) })
}

/// Words of other tools for readiness, and what they are here.
const READY_WORDS: [(&str, &str); 5] = [
    ("ready_log_line", "did you mean `log`?"),
    ("http", "write it under `healthcheck`: a process is ready once its first test passed"),
    ("tcp", "write it under `healthcheck`: a process is ready once its first test passed"),
    ("test", "write it under `healthcheck`: a process is ready once its first test passed"),
    ("output", "did you mean `log`?"),
];

/// A duration, or `false` to wait for ever.
fn ready_timeout(at: &Cursor<'_>) -> Option<Option<Duration>> {
    let why = "write `false` to wait for ever";
    read::unless_off(at, |at| read::duration_from(at, LEAST_TIMEOUT, why))
}

/// A regular expression that can be compiled.
fn pattern(at: &Cursor<'_>) -> Option<String> {
    let text = at.text("a regular expression")?;
    match regex_lite::Regex::new(text) {
        Ok(_) => Some(text.to_owned()),
        Err(error) => {
            let message = format!("{} is not a regular expression: {error}", quoted(text));
            at.fault(message, "put a `\\` before each character that stands for itself");
            None
        }
    }
}

/// `watchdog`.
pub(super) fn watchdog(at: &Cursor<'_>) -> Option<Duration> {
    read::duration_from(at, LEAST_WATCHDOG, "it is how long a process may be silent")
}
