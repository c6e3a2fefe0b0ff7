//! The last rites: what is done when the loop itself failed. Ask, kill, reap, and leave; no policy,
//! no ledger, nothing that could fail again.

use std::thread::sleep;
use std::time::Duration;

use crate::clock;
use crate::init::kin::Kin;
use crate::init::sys::{self, Look};
use crate::units::Signal;

/// How long everybody may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);
/// How long we wait for the dead after SIGKILL.
const KILL_WAIT: Duration = Duration::from_millis(500);
/// Between two looks.
const GAP: Duration = Duration::from_millis(10);

/// Ends every descendant of ours and reaps it.
pub fn perform() {
    for (signal, patience) in [(Signal::TERM, GRACE), (Signal::KILL, KILL_WAIT)] {
        let mut kin = Kin::new(i32::try_from(std::process::id()).unwrap_or(1));
        kin.look(&[], &[]);
        kin.signal_all(signal);
        kin.signal_all(Signal::CONT);
        if alone_within(patience) {
            return;
        }
    }
}

fn alone_within(patience: Duration) -> bool {
    let until = clock::now().mono.after(patience);
    loop {
        match sys::look() {
            Look::Alone => return true,
            Look::Dead(pid) => drop(sys::reap(pid)),
            Look::AllLive if clock::now().mono >= until => return false,
            Look::AllLive => sleep(GAP),
        }
    }
}
