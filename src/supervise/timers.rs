//! When each process wants to be looked at: one deadline each, the next one found at once.

use std::collections::BTreeSet;

use crate::units::{Mono, ProcessIx};

/// The deadlines of all processes.
#[derive(Debug, Default)]
pub struct Timers {
    set: Vec<Option<Mono>>,
    due: BTreeSet<(Mono, ProcessIx)>,
}

impl Timers {
    /// From now on this process has this deadline, or none.
    pub fn arm(&mut self, ix: ProcessIx, at: Option<Mono>) {
        if self.set.len() <= ix.0 {
            self.set.resize(ix.0 + 1, None);
        }
        let before = std::mem::replace(&mut self.set[ix.0], at);
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.due.remove(&(before, ix));
        }
        self.due.extend(at.map(|at| (at, ix)));
    }

    /// The next deadline.
    pub fn next(&self) -> Option<Mono> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Those whose deadline has come, the earliest first. They keep it until they are armed anew.
    pub fn late(&self, now: Mono) -> Vec<ProcessIx> {
        self.due.iter().take_while(|(at, _)| *at <= now).map(|(_, ix)| *ix).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_one_deadline_the_last_that_was_set() {
        let mut timers = Timers::default();
        timers.arm(ProcessIx(2), Some(Mono(30)));
        timers.arm(ProcessIx(0), Some(Mono(20)));
        timers.arm(ProcessIx(2), Some(Mono(10)));
        assert_eq!((timers.next(), timers.late(Mono(9))), (Some(Mono(10)), vec![]));
        assert_eq!(timers.late(Mono(25)), [ProcessIx(2), ProcessIx(0)]);
        timers.arm(ProcessIx(2), None);
        assert_eq!(timers.next(), Some(Mono(20)));
    }
}
