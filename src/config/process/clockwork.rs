//! `schedule`: when a process runs by the clock.

use super::Kind;
use crate::config::cursor::{Cursor, Fields};
use crate::config::plan::{RestartPolicy, Schedule, Standing};
use crate::config::problem::quoted;

/// The names under which people know the one time zone that there is.
const UTC: [&str; 4] = ["UTC", "Etc/UTC", "GMT", "Z"];

/// `schedule`, with what does not go with it.
pub(super) fn schedule(
    fields: &mut Fields<'_>,
    kind: Kind,
    policy: RestartPolicy,
    standing: Standing,
) -> Option<Schedule> {
    let at = fields.get("schedule")?;
    let schedule = expression(&at);
    if kind == Kind::Init {
        let advice = "remove it, or write `type: oneshot`";
        at.fault("every process waits for an init task, so it cannot wait for the clock", advice);
    }
    if matches!(policy, RestartPolicy::Always | RestartPolicy::UnlessStopped) {
        let advice = "write `restart: on-failure`, or `no`";
        at.fault("a process that is always restarted never waits for the clock", advice);
    }
    if standing == Standing::OnDemand {
        let message = "`autostart: false` says that nothing but an order starts it";
        at.fault(message, "remove one of them");
    }
    schedule
}

/// An expression, or a map with `cron`.
fn expression(at: &Cursor<'_>) -> Option<Schedule> {
    if !at.is_map() {
        return cron(at);
    }
    let mut fields = at.fields("a cron expression, or a map with `cron`")?;
    let found = fields.get("cron");
    if found.is_none() {
        fields.missing("cron", "write `cron: '*/5 * * * *'`", &[]);
    }
    fields.read("timezone", |at| {
        let utc = |text: &str| UTC.contains(&text).then_some(());
        let advice = "a static program has no table of time zones; write the times in UTC";
        at.parsed("`UTC`", utc, |_| Some(advice.to_owned()))
    });
    fields.finish(&[
        ("time_zone", "did you mean `timezone`?"),
        ("tz", "did you mean `timezone`?"),
        ("overlap", "write `replicas: 2` beside `schedule` to let two runs live at once"),
    ]);
    cron(&found?)
}

fn cron(at: &Cursor<'_>) -> Option<Schedule> {
    let text = at.text("a cron expression such as `*/5 * * * *`")?;
    match Schedule::parse(text) {
        Ok(schedule) => Some(schedule),
        Err(fault) => {
            at.fault(format!("the expression {} {}", quoted(text), fault.message), fault.advice);
            None
        }
    }
}
