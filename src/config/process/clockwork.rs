//! `schedule`: when a process runs by the clock.

use super::{Kind, zone};
use crate::config::cursor::{Cursor, Fields};
use crate::config::plan::{RestartPolicy, Schedule, Standing, Zone};
use crate::config::problem::quoted;
use crate::config::surroundings::Surroundings;

/// `schedule`, with what does not go with it.
pub(super) fn schedule(
    fields: &mut Fields<'_>,
    (kind, policy, standing): (Kind, RestartPolicy, Standing),
    around: &Surroundings<'_>,
) -> Option<Schedule> {
    let at = fields.get("schedule")?;
    let schedule = expression(&at, around);
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
fn expression(at: &Cursor<'_>, around: &Surroundings<'_>) -> Option<Schedule> {
    if !at.is_map() {
        return cron(at, Zone::default());
    }
    let mut fields = at.fields("a cron expression, or a map with `cron`")?;
    let found = fields.get("cron");
    if found.is_none() {
        fields.missing("cron", "write `cron: '*/5 * * * *'`", &[]);
    }
    let zone = fields.read("timezone", |at| zone::zone(at, around)).unwrap_or_default();
    fields.finish(&[
        ("time_zone", "did you mean `timezone`?"),
        ("tz", "did you mean `timezone`?"),
        ("overlap", "write `replicas: 2` beside `schedule` to let two runs live at once"),
    ]);
    cron(&found?, zone)
}

fn cron(at: &Cursor<'_>, zone: Zone) -> Option<Schedule> {
    let text = at.text("a cron expression such as `*/5 * * * *`")?;
    match Schedule::parse(text, zone) {
        Ok(schedule) => Some(schedule),
        Err(fault) => {
            at.fault(format!("the expression {} {}", quoted(text), fault.message), fault.advice);
            None
        }
    }
}
