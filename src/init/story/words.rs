//! The words for what is less common than starting and ending: health, hooks, orders, plans, and who
//! keeps a run from being over. Each says what to do, where there is something to be done.

use std::time::Duration;

use crate::config::plan::{Changes, OnUnhealthy, ProcessPlan};
use crate::init::story::{Part, Story, debug, error, info, warn};
use crate::supervise::fact::{ErrandEnd, Holder};
use crate::supervise::lifecycle::{Health, Order, Role, SignalResponse, TestFailure};
use crate::supervise::wish::{Refusal, Reply};
use crate::units::{ExitStatus, ProcessIx, RunId, Signal};

impl Story {
    /// Only who has to show more than being executed becomes ready in a way that is worth a line.
    pub(super) fn ready(&self, run: RunId) -> Option<Part> {
        let plan = self.runs.get(&run).map(|process| self.plan.process(*process));
        let shows = plan.is_some_and(|plan| plan.ready.is_some() || plan.health.is_some());
        let words = format!("{} is ready", self.name(run));
        if shows { info(words) } else { debug(words) }
    }

    pub(super) fn health(&self, run: RunId, health: Health) -> Option<Part> {
        let name = self.name(run);
        let plan = self.runs.get(&run).and_then(|ix| self.plan.process(*ix).health.as_ref());
        match (health, plan.map(|plan| plan.on_unhealthy)) {
            (Health::Starting, _) => debug(format!("the health of {name} is not known yet")),
            (Health::Healthy, _) => info(format!("{name} is healthy")),
            (Health::Unhealthy, Some(OnUnhealthy::Restart)) => {
                warn(format!("{name} is unhealthy and is ended"))
            }
            (Health::Unhealthy, _) => warn(format!("{name} is unhealthy")),
        }
    }

    pub(super) fn test_failed(
        &self,
        run: RunId,
        failure: TestFailure,
        row: u32,
        said: Option<&str>,
    ) -> Option<Part> {
        let how = match failure {
            TestFailure::Unanswered => "it was not answered".to_owned(),
            TestFailure::Status(status) => format!("it was answered with {status}"),
            TestFailure::Command(end) => ended(end),
            TestFailure::TimedOut => "it took too long".to_owned(),
        };
        let said = said.map(|said| format!(": {}", said.replace('\n', " | "))).unwrap_or_default();
        let name = self.name(run);
        let words = format!("health test of {name} failed, {row} in a row: {how}{said}");
        // While it starts, failing is what tests do.
        if row == 0 { debug(words) } else { info(words) }
    }

    pub(super) fn hook_failed(
        &self,
        process: ProcessIx,
        hook: Role,
        end: Option<ErrandEnd>,
    ) -> Option<Part> {
        let how = end.map_or_else(|| "it took too long and was killed".to_owned(), ended);
        warn(format!("{} of {} failed: {how}", role(hook), self.process(process)))
    }

    pub(super) fn held(
        &self,
        run: RunId,
        holders: &[Holder],
        after: Duration,
        unkillable: bool,
    ) -> Option<Part> {
        let name = self.name(run);
        let who = if holders.is_empty() { "nobody who can be seen".into() } else { list(holders) };
        let after = span(after);
        if unkillable {
            return error(format!(
                "{name} is given up after {after}: {who} cannot be killed; state D waits for \
                 a disk or a share, see /proc/PID/stack"
            ));
        }
        warn(format!("{name} is held up after {after} by {who}"))
    }

    /// Not put into words where nobody reads them: orphans come by the ten thousand.
    pub(super) fn orphans(
        &self,
        process: Option<ProcessIx>,
        status: ExitStatus,
        count: u64,
    ) -> Option<Part> {
        // Who asked to be warned of each was warned by the reaper.
        let is_told = self.plan.passing.warn_on_reap;
        if is_told || !tracing::enabled!(target: "init", tracing::Level::DEBUG) {
            return None;
        }
        let whose = process.map_or(String::new(), |ix| format!(" of {}", self.process(ix)));
        let words = match count {
            1 => format!("reaped an orphan{whose}: {status}"),
            _ => format!("reaped {count} orphans{whose}, each: {status}"),
        };
        debug(words)
    }
}

pub(super) fn role(role: Role) -> String {
    match role {
        Role::HealthTest => "the health test".into(),
        Role::PostStart(at) => format!("post_start hook {}", at + 1),
        Role::PreStop(at) => format!("pre_stop hook {}", at + 1),
        Role::PostExit(at) => format!("post_exit hook {}", at + 1),
    }
}

fn ended(end: ErrandEnd) -> String {
    match end {
        ErrandEnd::Exited(status) => status.to_string(),
        ErrandEnd::NotSpawned(failure) => failure.to_string(),
    }
}

fn list(holders: &[Holder]) -> String {
    let one = |holder: &Holder| {
        format!("{} (pid {}, state {})", holder.name, holder.id.pid, holder.state)
    };
    let all: Vec<String> = holders.iter().map(one).collect();
    let more = if holders.len() == Holder::MOST { ", and maybe others" } else { "" };
    format!("{}{more}", all.join(", "))
}

/// To a tenth of a second, or to a millisecond where that would say nothing.
pub(super) fn span(time: Duration) -> String {
    match time.as_millis() {
        millis @ 1..100 => format!("{millis} ms"),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

/// Why an order was refused; that one was carried out is told by what follows from it.
pub(super) fn reply(reply: &Reply) -> Option<Part> {
    match reply {
        Reply::Accepted(_) | Reply::Reloaded(_) | Reply::Spawned { .. } => None,
        Reply::UnknownName(name) => info(format!("nothing is called {name:?}")),
        Reply::Refused(refusal) => info(match refusal {
            Refusal::GoingDown => "everything is being stopped".into(),
            Refusal::NotRunning => "none of these runs".into(),
            Refusal::Full => "there is no room for one more".into(),
            Refusal::NameTaken(name) => {
                format!("a process, or a spawned command that lives, is called {name} already")
            }
            Refusal::OneCommand => "one command is accompanied and takes no orders".into(),
        }),
    }
}

pub(super) fn signal(signal: Signal, response: SignalResponse) -> Option<Part> {
    match response {
        SignalResponse::Shutdown => None,
        SignalResponse::Escalated => warn(format!("{signal} again: hurrying")),
        SignalResponse::Forwarded(_) => info(format!("passing on {signal}")),
        SignalResponse::Reload => info(format!("{signal}: reading the configuration anew")),
        SignalResponse::Ignored => debug(format!("{signal} has no meaning here")),
    }
}

pub(super) fn order(order: Order, accepted: bool) -> Option<Part> {
    let verb = order.as_str();
    info(if accepted { format!("ordered to {verb}") } else { format!("refusing to {verb}") })
}

pub(super) fn reload_failed(faults: u32) -> Option<Part> {
    error(match faults {
        0 => "the configuration could not be read: nothing was changed".into(),
        1 => "the configuration has a fault, told above: nothing was changed".into(),
        n => format!("the configuration has {n} faults, told above: nothing was changed"),
    })
}

/// What a reload came to, by the names of the plan that holds now.
pub(super) fn plan_changed(processes: &[ProcessPlan], changes: &Changes) -> Option<Part> {
    let names = |places: &[ProcessIx]| {
        let names = places.iter().filter_map(|ix| processes.get(ix.0));
        names.map(|process| process.name.clone()).collect::<Vec<_>>().join(", ")
    };
    let Changes { added, removed, restarted, adjusted, put_off } = changes;
    let lists = [
        ("new", names(added)),
        ("gone", names(removed)),
        ("restarted", names(restarted)),
        ("adjusted", names(adjusted)),
        ("changed only from the next start on", put_off.join(", ")),
    ];
    let told = lists.iter().filter(|(_, names)| !names.is_empty());
    let told: Vec<String> = told.map(|(what, names)| format!("{what}: {names}")).collect();
    let what = if told.is_empty() { "nothing is different".into() } else { told.join("; ") };
    info(format!("another configuration holds: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::ProcId;

    #[test]
    fn no_time_is_told_as_none() {
        let told = [0, 1, 99, 100, 1260].map(|millis| span(Duration::from_millis(millis)));
        assert_eq!(told, ["0.0 s", "1 ms", "99 ms", "0.1 s", "1.3 s"]);
    }

    #[test]
    fn a_reload_is_told_by_names_and_only_what_changed() {
        let plan = [ProcessPlan::new("web", vec!["node".into()])];
        let restarted = vec![ProcessIx(0), ProcessIx(7)];
        let changes = Changes { restarted, put_off: vec!["listen"], ..Changes::default() };
        let (_, told) = plan_changed(&plan, &changes).expect("a line");
        assert_eq!(
            told,
            "another configuration holds: restarted: web; changed only from the next start on: \
             listen"
        );
        let (_, told) = plan_changed(&plan, &Changes::default()).expect("a line");
        assert_eq!(told, "another configuration holds: nothing is different");
    }

    #[test]
    fn holders_are_told_with_what_is_needed_to_find_them() {
        let holder =
            Holder { id: ProcId { pid: 12, start_ticks: 1 }, name: "node".into(), state: 'D' };
        assert_eq!(list(std::slice::from_ref(&holder)), "node (pid 12, state D)");
        assert!(list(&vec![holder; Holder::MOST]).ends_with(", and maybe others"));
    }
}
