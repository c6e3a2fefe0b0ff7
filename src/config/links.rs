//! Names that point at other processes: whether they exist, and whether they form a circle.

use std::collections::{HashMap, HashSet};

use super::cursor::{Cursor, did_you_mean};
use super::plan::{Condition, Dependency, ProcessPlan, RestartPolicy};
use super::problem::{nearest, quoted, shortened};
use super::process::Draft;
use crate::units::ProcessIx;

/// The processes of the file by name.
pub(super) struct Names<'n> {
    at: HashMap<&'n str, ProcessIx>,
    /// In the order of the file; also names of entries that have faults of their own.
    known: Vec<&'n str>,
}

impl<'n> Names<'n> {
    /// `known` are all keys under `processes`, `drafts` those that could be read.
    pub(super) fn new(known: Vec<&'n str>, drafts: &'n [Draft<'_>]) -> Self {
        let place = |(at, draft): (usize, &'n Draft<'_>)| (&*draft.plan.name, ProcessIx(at));
        Self { at: drafts.iter().enumerate().map(place).collect(), known }
    }

    /// The process that is named at `at`.
    pub(super) fn find(&self, at: &Cursor<'_>, name: &str) -> Option<ProcessIx> {
        if let Some(found) = self.at.get(name) {
            return Some(*found);
        }
        if !self.known.contains(&name) {
            let advice = match nearest(name, self.known.iter().copied()) {
                Some(near) => did_you_mean(near),
                None => format!("known: {}", shortened(&self.known.join(", "))),
            };
            at.fault(format!("there is no process {}", quoted(name)), advice);
        }
        None
    }
}

/// The dependencies of every draft, in the order of the drafts.
pub(super) fn dependencies(drafts: &[Draft<'_>], names: &Names<'_>) -> Vec<Vec<Dependency>> {
    let found: Vec<Vec<(Dependency, &Cursor<'_>)>> =
        drafts.iter().map(|draft| dependencies_of(draft, drafts, names)).collect();
    Circles { drafts, edges: &found, done: HashSet::new(), trail: vec![] }.find_all();
    found.into_iter().map(|all| all.into_iter().map(|(one, _)| one).collect()).collect()
}

fn dependencies_of<'d>(
    draft: &'d Draft<'_>,
    drafts: &[Draft<'_>],
    names: &Names<'_>,
) -> Vec<(Dependency, &'d Cursor<'d>)> {
    let mut found: Vec<(Dependency, &Cursor<'_>)> = vec![];
    for wanted in &draft.wanted {
        if wanted.name == draft.plan.name {
            wanted.at.fault("a process cannot wait for itself", "remove it");
            continue;
        }
        let Some(process) = names.find(&wanted.at, &wanted.name) else { continue };
        if found.iter().any(|(known, _)| known.process == process) {
            let message = format!("{} stands here twice", quoted(&wanted.name));
            wanted.at.fault(message, "keep one of them");
            continue;
        }
        let condition = wanted.condition;
        warn_of_endless(&wanted.at, condition, &drafts[process.0].plan);
        found.push((Dependency::on(process, condition), &wanted.at));
    }
    found
}

/// A process that is always restarted never completes.
fn warn_of_endless(at: &Cursor<'_>, condition: Condition, target: &ProcessPlan) {
    let endless =
        matches!(target.restart.policy, RestartPolicy::Always | RestartPolicy::UnlessStopped);
    if condition == Condition::CompletedSuccessfully && endless {
        let message = format!("{} never completes, it is always restarted", quoted(&target.name));
        at.warn(message, "write `restart: on-failure` there");
    }
}

/// A walk along the dependencies that reports every step back onto its own trail.
struct Circles<'d> {
    drafts: &'d [Draft<'d>],
    edges: &'d [Vec<(Dependency, &'d Cursor<'d>)>],
    done: HashSet<usize>,
    trail: Vec<usize>,
}

impl Circles<'_> {
    fn find_all(mut self) {
        for start in 0..self.edges.len() {
            self.walk(start);
        }
    }

    /// Recursion is as deep as there are processes at most, which the file's reader bounds.
    fn walk(&mut self, at: usize) {
        if !self.done.insert(at) {
            return;
        }
        self.trail.push(at);
        let edges = self.edges;
        for (dependency, place) in &edges[at] {
            let next = dependency.process.0;
            match self.trail.iter().position(|passed| *passed == next) {
                Some(from) => self.report(from, place),
                None => self.walk(next),
            }
        }
        self.trail.pop();
    }

    fn report(&self, from: usize, place: &Cursor<'_>) {
        let circle = self.trail[from..].iter().chain([&self.trail[from]]);
        let names: Vec<&str> = circle.map(|at| self.drafts[*at].plan.name.as_str()).collect();
        let message = format!("these wait for each other: {}", names.join(" -> "));
        place.fault(message, "remove one of these dependencies");
    }
}
