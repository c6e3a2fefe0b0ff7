//! In which order processes start, as a person would say it. The mind decides by facts; this is
//! what it will decide when nothing goes wrong.

use std::collections::BTreeSet;

use super::families::named;
use super::plan::{Condition, Dependency, Plan, Schedule, Standing};
use crate::units::ProcessIx;

/// The processes such that each stands behind those it waits for; ties are broken by the order of
/// the file. Processes that wait for each other are left out.
pub fn start_order(plan: &Plan) -> Vec<ProcessIx> {
    let mut waiting: BTreeSet<usize> = (0..plan.processes.len()).collect();
    let mut order = Vec::with_capacity(waiting.len());
    let free = |at: &usize, waiting: &BTreeSet<usize>| {
        plan.processes[*at].depends_on.iter().all(|one| !waiting.contains(&one.process.0))
    };
    while let Some(next) = waiting.iter().copied().find(|at| free(at, &waiting)) {
        waiting.remove(&next);
        order.push(ProcessIx(next));
    }
    order
}

/// The start order in lines: `2. web, when db has started`.
pub fn describe(plan: &Plan) -> Vec<String> {
    let line = |(at, process): (usize, ProcessIx)| {
        let process = plan.process(process);
        let own = match (&process.schedule, process.standing) {
            (_, Standing::OnDemand) => Some("it is asked for".to_owned()),
            (Some(schedule), _) => Some(clock(schedule)),
            (None, _) => None,
        };
        let others = named(plan, &process.depends_on).into_iter().map(describe_dependency);
        let waits: Vec<String> = own.into_iter().chain(others).collect();
        match waits.is_empty() {
            true => format!("{}. {}", at + 1, process.name),
            false => format!("{}. {}, when {}", at + 1, process.name, waits.join(" and ")),
        }
    };
    start_order(plan).into_iter().enumerate().map(line).collect()
}

fn clock(schedule: &Schedule) -> String {
    let says = format!("the clock says `{}`", schedule.cron);
    match schedule.zone.name() {
        "UTC" => says,
        zone => format!("{says} in {zone}"),
    }
}

fn describe_dependency((name, dependency): (&str, &Dependency)) -> String {
    let unless = if dependency.required { "" } else { " or cannot" };
    match dependency.condition {
        Condition::Started => format!("{name} has started{unless}"),
        Condition::Healthy => format!("{name} is ready{unless}"),
        Condition::CompletedSuccessfully => format!("{name} has completed{unless}"),
    }
}
