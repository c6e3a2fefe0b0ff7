//! Replicas told as the family that they are, where all of them are meant.

use super::plan::{Dependency, Plan, ProcessPlan};
use crate::units::ProcessIx;

/// The processes of a plan with one entry for each family: its first replica, and how many there
/// are.
pub(super) fn families(plan: &Plan) -> Vec<(&ProcessPlan, Option<u32>)> {
    let mut found: Vec<(&ProcessPlan, Option<u32>)> = vec![];
    for process in &plan.processes {
        match found.last_mut() {
            Some((first, Some(count))) if is_replica(first, process) => *count += 1,
            _ => found.push((process, process.replica.as_ref().map(|_| 1))),
        }
    }
    found
}

fn is_replica(first: &ProcessPlan, other: &ProcessPlan) -> bool {
    other.replica.is_some() && first.family() == other.family()
}

/// Dependencies by the names that a file would have for them.
pub(super) fn named<'p>(
    plan: &'p Plan,
    dependencies: &'p [Dependency],
) -> Vec<(&'p str, &'p Dependency)> {
    let places: Vec<ProcessIx> = dependencies.iter().map(|one| one.process).collect();
    let names = names(plan, &places);
    names.into_iter().map(|(name, at)| (name, &dependencies[at])).collect()
}

/// These processes by name, each family that is there as a whole by its own, with the place of the
/// first one in the list.
pub(super) fn names<'p>(plan: &'p Plan, places: &[ProcessIx]) -> Vec<(&'p str, usize)> {
    let mut found = vec![];
    let mut at = 0;
    while let Some(ix) = places.get(at) {
        let process = plan.process(*ix);
        let whole = size_of_family(plan, process);
        let all = places[at..].iter().take(whole);
        let same = all.filter(|ix| plan.process(**ix).family() == process.family()).count();
        let first = process.replica.as_ref().is_some_and(|replica| replica.number == 1);
        let (name, length) =
            if first && same == whole { (process.family(), whole) } else { (&*process.name, 1) };
        found.push((name, at));
        at += length;
    }
    found
}

fn size_of_family(plan: &Plan, process: &ProcessPlan) -> usize {
    match &process.replica {
        Some(replica) => {
            let own = |one: &&ProcessPlan| one.replica.as_ref().is_some_and(|r| r.of == replica.of);
            plan.processes.iter().filter(own).count()
        }
        None => 1,
    }
}
