//! What outlived an earlier life of ours: ended before anything is started anew, because it holds
//! the ports and files that the new one wants.

use std::thread::sleep;
use std::time::Duration;

use crate::clock;
use crate::init::kin::Kin;
use crate::memory::proc;
use crate::memory::stat::ProcStat;
use crate::units::{ProcId, RunId, Signal};

/// How long survivors may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);
/// How long we wait for the dead after SIGKILL.
const KILL_WAIT: Duration = Duration::from_millis(500);
/// Between two looks. They are not our children, so that nobody tells us when they end.
const GAP: Duration = Duration::from_millis(10);

/// Whether a process with this pid and this start time lives; a zombie does not.
pub fn is_alive(id: ProcId) -> bool {
    proc::stat(id.pid).is_ok_and(|stat| stat.id == id && ProcStat::is_alive(&stat))
}

/// Ends the trees of these main processes: asks, waits, kills. Answers for each with how many
/// processes of its tree were found. Takes two and a half seconds at most.
pub fn end(mains: &[ProcId]) -> Vec<u32> {
    let roots: Vec<(RunId, ProcId)> =
        (0..).map(RunId).zip(mains).map(|(run, main)| (run, *main)).collect();
    let mut kin = Kin::new(i32::try_from(std::process::id()).unwrap_or(1));
    kin.look(&roots, &[]);
    let found = roots.iter().map(|(run, _)| kin.size(*run)).collect();
    for (signal, patience) in [(Signal::TERM, GRACE), (Signal::KILL, KILL_WAIT)] {
        for (run, _) in &roots {
            kin.signal_tree(*run, signal);
            kin.signal_tree(*run, Signal::CONT);
        }
        if all_ended(&mut kin, &roots, patience) {
            break;
        }
    }
    found
}

fn all_ended(kin: &mut Kin, roots: &[(RunId, ProcId)], patience: Duration) -> bool {
    let until = clock::now().mono.after(patience);
    loop {
        kin.look(roots, &[]);
        if roots.iter().all(|(run, _)| !kin.lives(*run)) {
            return true;
        }
        if clock::now().mono >= until {
            return false;
        }
        sleep(GAP);
    }
}
