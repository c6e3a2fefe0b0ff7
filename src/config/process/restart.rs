//! When and how fast a process is restarted: `restart`, `restart_policy`, `success_exit_codes`.

use std::time::Duration;

use super::Kind;
use crate::config::cursor::{Cursor, Fields};
use crate::config::plan::{Backoff, OnCrashLoop, RestartPlan, RestartPolicy};
use crate::config::quantity::print_duration;
use crate::config::read;

/// A shorter pause between two starts lets a program that cannot start take a whole processor.
const SANE_DELAY: Duration = Duration::from_millis(10);

/// The largest factor of a back-off; beyond it the second delay is the longest one anyway.
const MAX_FACTOR: f64 = 100.0;

/// The words of `on_crash_loop`.
const ON_CRASH_LOOP: [(&str, OnCrashLoop); 2] =
    [("stay", OnCrashLoop::Stay), ("exit", OnCrashLoop::Exit)];

/// Everything about restarts. What runs to completion cannot be restarted after success.
pub(super) fn restart(fields: &mut Fields<'_>, kind: Kind) -> RestartPlan {
    let at = fields.get("restart");
    let (policy, attempts) = at.as_ref().and_then(policy).unwrap_or((RestartPolicy::No, None));
    let endless = matches!(policy, RestartPolicy::Always | RestartPolicy::UnlessStopped);
    if let Some(at) = at.filter(|_| endless && kind != Kind::Service) {
        let message = "what runs to completion would be started again for ever";
        at.fault(message, "write `restart: on-failure`, or `type: service`");
    }
    let mut plan = RestartPlan { policy, max_attempts: attempts, ..RestartPlan::default() };
    plan.success_codes = fields.read("success_exit_codes", success_codes).unwrap_or_default();
    if let Some(at) = fields.get("restart_policy") {
        restart_policy(&at, &mut plan);
        if policy == RestartPolicy::No {
            let message = "this has no effect, because the process is never restarted";
            at.warn(message, "write `restart: on-failure` beside it");
        }
    }
    plan
}

/// `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:3`.
fn policy(at: &Cursor<'_>) -> Option<(RestartPolicy, Option<u32>)> {
    let words = [
        ("no", RestartPolicy::No),
        ("always", RestartPolicy::Always),
        ("on-failure", RestartPolicy::OnFailure),
        ("unless-stopped", RestartPolicy::UnlessStopped),
    ];
    let text = at.scalar().unwrap_or_default();
    match text.split_once(':') {
        None if text == "false" => at.expected("a restart policy", "write `no`"),
        None if matches!(text, "true" | "yes") => at.expected("a restart policy", "write `always`"),
        None => Some((at.choice(&words)?, None)),
        Some(("on-failure", count)) => match count.parse::<u32>().ok().filter(|count| *count > 0) {
            Some(count) => Some((RestartPolicy::OnFailure, Some(count))),
            None => at.expected(
                "`on-failure:` and a whole number from 1",
                "write `on-failure` to have no limit",
            ),
        },
        Some(_) => at
            .expected("a restart policy", "only `on-failure` takes a number, as in `on-failure:3`"),
    }
}

fn restart_policy(at: &Cursor<'_>, plan: &mut RestartPlan) -> Option<()> {
    let mut fields = at.fields("a map")?;
    plan.backoff = backoff(&mut fields);
    if let Some(at) = fields.get("max_attempts") {
        let attempts = read::count(&at);
        if let (Some(said), Some(attempts)) = (plan.max_attempts, attempts)
            && said != attempts
        {
            at.fault(format!("`restart: on-failure:{said}` says otherwise"), "keep one of them");
        }
        plan.max_attempts = attempts;
    }
    if let Some(at) = fields.get("on_crash_loop") {
        plan.on_crash_loop = at.choice(&ON_CRASH_LOOP).unwrap_or(OnCrashLoop::Stay);
        if plan.max_attempts.is_none() {
            let message = "this never happens, because the process is never given up";
            at.warn(message, "write `max_attempts: 5` beside it");
        }
    }
    fields.finish(&[
        ("condition", "write `restart: on-failure` or `restart: always`"),
        ("success_exit_codes", "write it beside `restart_policy`"),
    ]);
    Some(())
}

fn backoff(fields: &mut Fields<'_>) -> Backoff {
    let usual = Backoff::default();
    let delay = fields.read("delay", delay).unwrap_or(usual.delay);
    let longest = fields.get("max_delay");
    let max_delay = match longest.as_ref().and_then(read::duration) {
        None => usual.max_delay.max(delay),
        Some(max_delay) => max_delay,
    };
    if let Some(longest) = longest.filter(|_| max_delay < delay) {
        let delay = print_duration(delay);
        longest.fault(format!("`max_delay` is shorter than `delay` ({delay})"), "make it longer");
    }
    let factor = |at: &Cursor<'_>| read::number(at, 1.0, MAX_FACTOR);
    Backoff {
        delay,
        max_delay,
        factor: fields.read("factor", factor).unwrap_or(usual.factor),
        jitter: fields.read("jitter", |at| read::number(at, 0.0, 1.0)).unwrap_or(usual.jitter),
        window: fields.read("window", read::duration).unwrap_or(usual.window),
    }
}

fn delay(at: &Cursor<'_>) -> Option<Duration> {
    let delay = read::duration(at)?;
    if delay < SANE_DELAY {
        let message = "a program that cannot start is started again at once and takes the CPU";
        at.warn(message, "write `10ms` or more, or set `max_attempts`");
    }
    Some(delay)
}

/// Exit codes besides 0 that count as success, each once.
fn success_codes(at: &Cursor<'_>) -> Option<Vec<u8>> {
    let items = at.one_or_many("a list of exit codes")?;
    let codes = items.iter().filter_map(|item| {
        let parse = |text: &str| text.parse::<u8>().ok();
        item.parsed("an exit code from 0 to 255", parse, |text| {
            let signal = crate::units::Signal::parse(text).filter(|signal| signal.0 < 128)?;
            Some(format!("write `{}`", 128 + signal.0))
        })
    });
    let mut codes: Vec<u8> = codes.filter(|code| *code != 0).collect();
    codes.sort_unstable();
    codes.dedup();
    Some(codes)
}
