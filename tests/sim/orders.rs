//! What orders promise: who is started is held no more, nobody is started upon what is to end, and
//! what runs anew begins in the order of the dependencies.

use std::collections::BTreeSet;

use procession::config::plan::Standing;
use procession::supervise::lifecycle::Order;
use procession::supervise::wish::Reply;
use procession::units::{ProcessIx, RunId};

use super::Life;

impl Life {
    /// An order was carried out. Another one than a restart may have changed what is to come back.
    pub fn note_order(&mut self, order: Order) {
        self.ordered = Some(order);
        if order != Order::Restart {
            self.to_return.clear();
        }
    }

    /// What an order starts is not held any more, and what it ends is started upon by nobody.
    pub fn note_reply(&mut self, reply: &Reply) {
        let Reply::Accepted(these) = reply else { return };
        if let Some(Order::Start | Order::Restart) = self.ordered {
            these.iter().for_each(|ix| {
                self.held.remove(ix);
            });
        }
        let of_these = self.process_of.iter().filter(|(_, ix)| these.contains(ix));
        let runs: Vec<RunId> = of_these.map(|(run, _)| *run).collect();
        match self.ordered {
            Some(Order::Stop) => self.to_end.extend(runs),
            Some(Order::Restart) => self.note_restart(&runs),
            // One that was to end and has not been asked yet may go on.
            Some(Order::Start) => runs.iter().for_each(|run| {
                self.to_end.remove(run);
            }),
            _ => {}
        }
    }

    /// What those need that are named is started; they, and those along with them, run anew.
    fn note_restart(&mut self, runs: &[RunId]) {
        let needed = self.needed_by_the_named();
        for run in runs {
            if needed.contains(&self.process_of[run]) {
                self.to_end.remove(run);
            } else {
                self.to_end.insert(*run);
                self.to_return.insert(*run);
            }
        }
    }

    fn needed_by_the_named(&self) -> BTreeSet<ProcessIx> {
        let is_named = |ix: &ProcessIx| {
            let plan = self.plan.process(*ix);
            let named = |name: &String| *name == plan.name || name == plan.family();
            plan.standing != Standing::Retired && self.named.iter().any(named)
        };
        let all = (0..self.plan.processes.len()).map(ProcessIx);
        let mut open: Vec<ProcessIx> = all.filter(is_named).collect();
        let mut needed = BTreeSet::new();
        while let Some(ix) = open.pop() {
            let on = self.plan.process(ix).depends_on.iter().map(|on| on.process);
            open.extend(on.filter(|on| !is_named(on) && needed.insert(*on)));
        }
        needed
    }

    /// What a process stood under ends before the process begins, where both run anew.
    pub fn check_dependents(&self, process: ProcessIx) {
        let depends = |ix: &ProcessIx| {
            self.plan.process(*ix).depends_on.iter().any(|on| on.process == process)
        };
        let lives = |run: &&RunId| !self.ended.contains_key(*run);
        if self.to_return.iter().filter(lives).any(|run| depends(&self.process_of[run])) {
            self.fail("a process was started while what depends on it was yet to end and run anew");
        }
    }
}
