//! Files whose change restarts a process: `develop.watch`, by inotify.
//!
//! `rule` says which paths count and is pure; `tree` keeps the kernel's watches on every folder below
//! a rule's path but the ignored ones; this file waits until changes have come to rest, and then
//! tells the mind. What cannot be watched is told in the log, and looked for again every so often.

mod rule;
mod tree;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::sleep_until;

use crate::clock;
use crate::config::plan::{Plan, ProcessPlan, Standing};
use crate::supervise::fact::Fact;
use crate::units::{Mono, ProcessIx};
use crate::watch::rule::Rule;
use crate::watch::tree::{Heard, Trees};

pub use crate::watch::tree::Register;

/// How soon a path that could not be watched is looked for again.
const SECOND_LOOK: Duration = Duration::from_secs(5);
/// As good as never.
const LATER: Duration = Duration::from_secs(86_400 * 365);
/// A tree that changes all the time is told of all the same, once it could have rested so many times.
const LONGEST: u32 = 20;

/// Follows the files of the plan that holds, until nobody publishes plans any more.
pub async fn follow(
    mut plans: watch::Receiver<Arc<Plan>>,
    tell: mpsc::Sender<Fact>,
    register: Register,
) {
    let mut rules = rules_of(&plans.borrow_and_update());
    loop {
        let others = tokio::select! {
            others = others_than(&rules, &mut plans) => others,
            () = follow_these(rules.clone(), &tell, register), if !rules.is_empty() => return,
        };
        let Some(others) = others else { return };
        rules = others;
    }
}

/// Waits for a plan with other rules: each spawned command is another plan, and what has changed a
/// moment before must not be lost with it. `None` once nobody publishes plans any more.
async fn others_than(rules: &[Rule], plans: &mut watch::Receiver<Arc<Plan>>) -> Option<Vec<Rule>> {
    loop {
        plans.changed().await.ok()?;
        let others = rules_of(&plans.borrow_and_update());
        if others != rules {
            return Some(others);
        }
    }
}

fn rules_of(plan: &Plan) -> Vec<Rule> {
    let is_there = |process: &&ProcessPlan| process.standing != Standing::Retired;
    let of = |(at, process): (usize, &ProcessPlan)| {
        let rules: Vec<Rule> =
            process.watch.iter().map(|rule| Rule::new(ProcessIx(at), rule)).collect();
        rules
    };
    plan.processes.iter().enumerate().filter(|(_, one)| is_there(one)).flat_map(of).collect()
}

/// Ends when nobody listens any more, or when the kernel gives us no way to watch.
async fn follow_these(rules: Vec<Rule>, tell: &mpsc::Sender<Fact>, register: Register) {
    let mut trees = match Trees::new(rules, register) {
        Ok(trees) => trees,
        Err(error) => {
            tracing::error!(target: "watch", "cannot watch files: {error}; restart by hand");
            return std::future::pending().await;
        }
    };
    let mut restless: BTreeMap<ProcessIx, Restless> = BTreeMap::new();
    trees.look();
    let mut look_at = now().after(SECOND_LOOK);
    loop {
        let rested = restless.values().map(|one| one.until).min();
        let look = trees.lacks_some().then_some(look_at);
        let wake = [rested, look].into_iter().flatten().min();
        let wake = wake.unwrap_or_else(|| now().after(LATER));
        tokio::select! {
            heard = trees.hear() => note(&mut restless, heard, now()),
            () = sleep_until(clock::instant_of(wake)) => {}
        }
        if trees.lacks_some() && now() >= look_at {
            note(&mut restless, trees.look(), now());
            look_at = now().after(SECOND_LOOK);
        }
        for process in take_rested(&mut restless, now()) {
            if tell.send(Fact::FilesChanged { process }).await.is_err() {
                return;
            }
        }
    }
}

fn now() -> Mono {
    clock::now().mono
}

/// A process whose files have changed a moment ago.
struct Restless {
    until: Mono,
    /// It is told by then, even if it never comes to rest.
    latest: Mono,
}

fn note(restless: &mut BTreeMap<ProcessIx, Restless>, heard: Vec<Heard>, now: Mono) {
    for Heard { process, debounce } in heard {
        let latest = now.after(debounce * LONGEST);
        let one = restless.entry(process).or_insert(Restless { until: now, latest });
        one.until = now.after(debounce).min(one.latest);
    }
}

fn take_rested(restless: &mut BTreeMap<ProcessIx, Restless>, now: Mono) -> Vec<ProcessIx> {
    let rested: Vec<ProcessIx> =
        restless.iter().filter(|(_, one)| one.until <= now).map(|(ix, _)| *ix).collect();
    restless.retain(|_, one| one.until > now);
    rested
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_rests_is_told_all_the_same_and_not_for_the_number_of_changes() {
        for apart in [1, 50, 99] {
            let mut restless = BTreeMap::new();
            let debounce = Duration::from_millis(100);
            let told = (0..10_000).find(|millis| {
                let now = Mono(0).after(Duration::from_millis(*millis));
                if millis % apart == 0 {
                    note(&mut restless, vec![Heard { process: ProcessIx(0), debounce }], now);
                }
                !take_rested(&mut restless, now).is_empty()
            });
            assert_eq!(told, Some(2000), "a change each {apart} ms");
        }
    }
}
