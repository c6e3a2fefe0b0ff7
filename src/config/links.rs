//! Names that point at other processes: whom they mean, whether they exist, and whether they form a
//! circle.
//!
//! A name means an entry of the file with all its replicas, or one replica by its number.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::cursor::{Cursor, did_you_mean};
use super::plan::{Condition, Dependency, RestartPolicy, Standing};
use super::problem::{nearest, quoted, shortened};
use super::process::{Draft, Kind, Wanted};
use super::replicas::replica_name;
use crate::units::ProcessIx;

/// Whom a name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// The entry of the file, among those that could be read.
    draft: usize,
    /// Its processes in the plan.
    pub places: Range<usize>,
}

/// The processes of the file by name.
pub(super) struct Names<'n> {
    at: HashMap<String, Named>,
    /// In the order of the file; also names of entries that have faults of their own.
    known: Vec<&'n str>,
}

impl<'n> Names<'n> {
    /// `known` are all keys under `processes`, `drafts` those that could be read.
    pub(super) fn new(known: Vec<&'n str>, drafts: &[Draft<'_>]) -> Self {
        let mut at = HashMap::new();
        let mut next = 0;
        for (draft, of) in drafts.iter().enumerate() {
            let places = next..next + of.count();
            next = places.end;
            for (place, (number, _)) in places.clone().zip(of.numbers()) {
                let name = replica_name(&of.plan.name, number);
                if number.is_some() && known.contains(&&*name) {
                    of.fault_of_replicas(&format!("{} is another process", quoted(&name)));
                }
                at.insert(name, Named { draft, places: place..place + 1 });
            }
            at.insert(of.plan.name.clone(), Named { draft, places });
        }
        Self { at, known }
    }

    /// Whom the name at `at` means.
    pub(super) fn find(&self, at: &Cursor<'_>, name: &str) -> Option<Named> {
        if let Some(found) = self.at.get(name) {
            return Some(found.clone());
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

    /// All processes of one entry of the file.
    fn all_of(&self, draft: usize, drafts: &[Draft<'_>]) -> Option<Named> {
        self.at.get(&drafts[draft].plan.name).cloned()
    }
}

/// One dependency of an entry of the file.
struct Edge<'d> {
    on: Named,
    condition: Condition,
    required: bool,
    restart: bool,
    /// Where it stands; nowhere when it follows from `type: init`.
    at: Option<&'d Cursor<'d>>,
}

/// The dependencies of every draft, in the order of the drafts.
pub(super) fn dependencies(drafts: &[Draft<'_>], names: &Names<'_>) -> Vec<Vec<Dependency>> {
    let mut last_init = None;
    let mut edges: Vec<Vec<Edge<'_>>> = vec![];
    let inits: Vec<usize> = (0..drafts.len()).filter(|at| drafts[*at].kind == Kind::Init).collect();
    for (at, draft) in drafts.iter().enumerate() {
        let mut found = edges_of(draft, drafts, names);
        let before = if draft.kind == Kind::Init { last_init } else { inits.last().copied() };
        found.extend(init_edge(before, &found, drafts, names));
        if draft.kind == Kind::Init {
            last_init = Some(at);
        }
        edges.push(found);
    }
    Circles { drafts, edges: &edges, done: HashSet::new(), trail: vec![] }.find_all();
    edges.iter().map(|all| all.iter().flat_map(flattened).collect()).collect()
}

/// What follows from an init task that goes before, unless it is waited for anyway.
fn init_edge<'d>(
    before: Option<usize>,
    known: &[Edge<'_>],
    drafts: &[Draft<'_>],
    names: &Names<'_>,
) -> Option<Edge<'d>> {
    let on = names.all_of(before?, drafts)?;
    let new = known.iter().all(|edge| edge.on.draft != on.draft);
    new.then_some(Edge {
        on,
        condition: Condition::CompletedSuccessfully,
        required: true,
        restart: false,
        at: None,
    })
}

fn flattened<'e>(edge: &'e Edge<'_>) -> impl Iterator<Item = Dependency> + 'e {
    edge.on.places.clone().map(|place| Dependency {
        process: ProcessIx(place),
        condition: edge.condition,
        required: edge.required,
        restart: edge.restart,
    })
}

fn edges_of<'d>(draft: &'d Draft<'_>, drafts: &[Draft<'_>], names: &Names<'_>) -> Vec<Edge<'d>> {
    let mut found: Vec<Edge<'_>> = vec![];
    for wanted in &draft.wanted {
        let Some(on) = names.find(&wanted.at, &wanted.name) else { continue };
        let target = &drafts[on.draft];
        if std::ptr::eq(target, draft) {
            wanted.at.fault("a process cannot wait for itself", "remove it");
            continue;
        }
        if found.iter().any(|known| overlap(&known.on.places, &on.places)) {
            let message = format!("{} stands here twice", quoted(&wanted.name));
            wanted.at.fault(message, "keep one of them");
            continue;
        }
        if !can_wait(draft, wanted, target) {
            continue;
        }
        let condition = condition(wanted, target);
        let Wanted { required, restart, at, .. } = wanted;
        found.push(Edge { on, condition, required: *required, restart: *restart, at: Some(at) });
    }
    found
}

fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

/// What is waited for; a condition that can never be met is told about.
fn condition(wanted: &Wanted<'_>, target: &Draft<'_>) -> Condition {
    let Some((condition, at)) = &wanted.condition else {
        return match target.kind {
            Kind::Service => Condition::Started,
            Kind::Oneshot | Kind::Init => Condition::CompletedSuccessfully,
        };
    };
    let name = quoted(&target.plan.name);
    let endless =
        matches!(target.plan.restart.policy, RestartPolicy::Always | RestartPolicy::UnlessStopped);
    match condition {
        Condition::CompletedSuccessfully if endless => {
            let message = format!("{name} never completes, it is always restarted");
            wanted.at.warn(message, "write `restart: on-failure` there");
        }
        Condition::Healthy if target.plan.health.is_none() && target.plan.ready.is_none() => at
            .fault(
                format!("{name} has no `healthcheck` and no `ready` that could tell"),
                "write one there, or `service_started` here",
            ),
        Condition::Started | Condition::Healthy if target.kind == Kind::Init => at.fault(
            format!("{name} is an init task: every process waits until it has completed"),
            "write `service_completed_successfully`, or remove it",
        ),
        _ => {}
    }
    *condition
}

/// Whether one can wait for the other: not for what comes later anyway. One that is to be asked for is
/// asked for by this.
fn can_wait(draft: &Draft<'_>, wanted: &Wanted<'_>, target: &Draft<'_>) -> bool {
    let name = quoted(&target.plan.name);
    if draft.kind == Kind::Init && target.kind != Kind::Init {
        wanted.at.fault(
            format!("an init task cannot wait for {name}, which waits for all init tasks"),
            "write `type: init` there, or `type: oneshot` here",
        );
        return false;
    }
    let alone = draft.plan.standing == Standing::Wanted && wanted.required;
    if alone && target.plan.standing == Standing::OnDemand {
        let message =
            format!("{name} starts in spite of its `autostart: false`, because this one needs it");
        wanted.at.warn(message, "remove that, or write `required: false` here");
    }
    true
}

/// A walk along the dependencies that reports every step back onto its own trail.
struct Circles<'d> {
    drafts: &'d [Draft<'d>],
    edges: &'d [Vec<Edge<'d>>],
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
        for edge in &edges[at] {
            let next = edge.on.draft;
            match self.trail.iter().position(|passed| *passed == next) {
                Some(from) => self.report(from, edge.at),
                None => self.walk(next),
            }
        }
        self.trail.pop();
    }

    /// Names the way round. Where the last step is not written anywhere, the one before it is.
    fn report(&self, from: usize, place: Option<&Cursor<'_>>) {
        let circle = self.trail[from..].iter().chain([&self.trail[from]]);
        let names: Vec<&str> = circle.map(|at| self.drafts[*at].plan.name.as_str()).collect();
        let message = format!("these wait for each other: {}", names.join(" -> "));
        let steps = self.trail[from..].windows(2).rev();
        let mut written = steps.filter_map(|step| {
            self.edges[step[0]].iter().find(|edge| edge.on.draft == step[1])?.at
        });
        if let Some(place) = place.or(written.next()) {
            place.fault(message, "remove one of these dependencies");
        }
    }
}
