//! Those who were left behind by sessions that are over, at their end. A supervisor ends them when it
//! is asked to, after a look of its own at whose they are; where there is none, a verb at the terminal
//! does, which has no children and reaps nobody.

use std::thread::sleep;
use std::time::Duration;

use crate::clock;
use crate::init::recover::is_alive;
use crate::init::{Body, kin};
use crate::units::{ProcId, Signal};

/// How long they may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);
/// How long we wait for the dead after SIGKILL.
const KILL_WAIT: Duration = Duration::from_millis(500);
/// Between two looks.
const GAP: Duration = Duration::from_millis(10);

/// What became of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ended when it was asked to.
    Ended,
    /// It had to be killed.
    Killed,
    /// Even that did not help, or we may not.
    Left,
}

impl Outcome {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Killed => "killed",
            Self::Left => "left",
        }
    }
}

/// Asks all of them to end, waits, and kills. Takes two and a half seconds at most.
pub fn end_all(ids: &[ProcId]) -> Vec<Outcome> {
    let asked = rung(ids, Signal::TERM, GRACE);
    let killed = rung(&asked, Signal::KILL, KILL_WAIT);
    let outcome = |id: &ProcId| match (asked.contains(id), killed.contains(id)) {
        (false, _) => Outcome::Ended,
        (true, false) => Outcome::Killed,
        (true, true) => Outcome::Left,
    };
    ids.iter().map(outcome).collect()
}

/// Sends them a signal and waits for their end; those that live on.
fn rung(ids: &[ProcId], signal: Signal, patience: Duration) -> Vec<ProcId> {
    for id in ids {
        kin::signal_verified(*id, signal);
        kin::signal_verified(*id, Signal::CONT);
    }
    let until = clock::now().mono.after(patience);
    loop {
        let left: Vec<ProcId> = ids.iter().copied().filter(|id| is_alive(*id)).collect();
        if left.is_empty() || clock::now().mono >= until {
            return left;
        }
        sleep(GAP);
    }
}

impl Body {
    /// Sends a signal to those who are of none of our runs. Whoever named them looked a while ago.
    pub(super) fn signal_orphans(&mut self, ids: &[ProcId], signal: Signal) {
        self.look();
        for id in ids.iter().filter(|id| !self.kin.is_of_a_run(**id)) {
            kin::signal_verified(*id, signal);
            kin::signal_verified(*id, Signal::CONT);
        }
    }
}
