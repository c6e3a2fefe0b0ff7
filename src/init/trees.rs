//! Whole trees: looked at, waited for and ended, also where somebody in them forks faster than others
//! can be killed.

use std::time::Duration;

use crate::clock;
use crate::init::children::Bond;
use crate::init::{Body, kin, sys};
use crate::supervise::fact::Fact;
use crate::units::{ErrandId, ProcId, RunId, Signal};

const STOP: Signal = Signal(libc::SIGSTOP);

/// How long one turn may take to stop whoever is born while others are killed.
const FREEZE: Duration = Duration::from_millis(20);

impl Body {
    /// Many runs whose grace is over at once are looked at once: killing one adds nobody to another.
    pub(super) fn name_holders(&mut self, run: RunId) {
        if !self.kin.has_looked_since(self.woke) {
            self.look();
        }
        let holders = self.kin.holders(run);
        self.learnt.push_back(Fact::HoldersNamed { run, holders });
    }

    pub(super) fn signal_house(&mut self, signal: Signal) {
        if sys::look() == sys::Look::Alone {
            return;
        }
        self.look_unless_just_done();
        self.kin.signal_all(signal);
        if signal == Signal::KILL {
            let mut struck = self.kin.everybody();
            self.freeze_and_kill(|kin| {
                let newborn: Vec<ProcId> =
                    kin.everybody().into_iter().filter(|id| !struck.contains(id)).collect();
                struck.extend(&newborn);
                newborn
            });
        }
    }

    pub(super) fn await_house(&mut self) {
        if sys::look() == sys::Look::Alone {
            self.learnt.push_back(Fact::HouseEmptied);
        } else {
            self.house_awaited = true;
        }
    }

    /// Looks who lives, and whose they are. An errand has a tree of its own while it lasts; what it
    /// leaves behind carries the session of its run, and so is the run's from then on.
    pub(super) fn look(&mut self) {
        let children = || self.children.iter();
        let errands = self.errands.iter().map(|(errand, it)| (tree_of(*errand), it.id));
        let roots: Vec<_> =
            children().map(|(run, child)| (*run, child.id)).chain(errands).collect();
        let sessions: Vec<_> = children().map(|(run, child)| (*run, child.session)).collect();
        self.kin.look(&roots, &sessions);
        if let Some(groups) = &self.groups {
            self.kin.place(|pid| groups.run_of(pid));
        }
    }

    /// For signals, which come in waves: one look serves a wave.
    pub(super) fn look_unless_just_done(&mut self) {
        if !self.kin.has_just_looked() {
            self.look();
        }
    }

    pub(super) fn look_for_the_left(&mut self) {
        if self.kin.deadline().is_some_and(|at| at <= clock::now().mono) {
            self.look();
            self.freeze_and_kill(kin::Kin::newborn);
            let emptied = self.kin.emptied();
            self.learnt.extend(emptied.into_iter().map(|run| Fact::TreeEmptied { run }));
        }
    }

    /// Kills whoever was born since the others were killed. They are stopped first, all of them, so
    /// that nobody is born any more while they are killed one after the other.
    fn freeze_and_kill(&mut self, mut newborn: impl FnMut(&mut kin::Kin) -> Vec<ProcId>) {
        let until = clock::now().mono.after(FREEZE);
        let mut frozen = Vec::new();
        loop {
            let new = newborn(&mut self.kin);
            new.iter().for_each(|id| kin::signal_verified(*id, STOP));
            let quiet = new.is_empty();
            frozen.extend(new);
            if quiet || clock::now().mono >= until {
                break;
            }
            self.look();
        }
        frozen.into_iter().for_each(|id| kin::signal_verified(id, Signal::KILL));
    }

    /// We have no child, and so no descendant; only what was taken over can be alive.
    pub(super) fn alone(&mut self) {
        if !self.children.values().any(|child| child.bond == Bond::Adopted) {
            let emptied = self.kin.all_emptied();
            self.learnt.extend(emptied.into_iter().map(|run| Fact::TreeEmptied { run }));
        }
        if std::mem::take(&mut self.house_awaited) {
            self.learnt.push_back(Fact::HouseEmptied);
        }
    }
}

/// The name of an errand's tree among those of runs, which are counted from below.
pub(super) fn tree_of(errand: ErrandId) -> RunId {
    RunId(u64::MAX - errand.0)
}
