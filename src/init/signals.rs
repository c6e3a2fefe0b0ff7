//! Signals to facts: everything that can be caught is caught, from before the configuration is
//! read, and told once.
//!
//! Also those by which a terminal stops background processes that read or write it: while they are
//! held back the kernel never stops us, who hand the terminal over.

use std::io;
use std::os::fd::OwnedFd;

use crate::init::bells::{Bell, Bells, Ringing, Rung};
use crate::init::sys::{self, arrivals};
use crate::units::Signal;

/// What cannot be caught.
const BEYOND_US: [i32; 2] = [libc::SIGKILL, libc::SIGSTOP];

/// What the kernel raises for a fault of our own. Holding them back keeps none of those from ending
/// us, and lets one that somebody sends arrive like any other.
const FAULTS: [i32; 7] = [
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGTRAP,
    libc::SIGSYS,
    libc::SIGABRT,
];

/// The C library's own signals: 32 and 33 under glibc, up to 34 elsewhere.
const LIBRARY_FIRST: i32 = 32;

/// Signals that were caught and wait in the kernel, since nothing reads them yet.
pub struct Caught {
    told: OwnedFd,
    /// Deaths apart, so that they can be left unread for a moment.
    deaths: OwnedFd,
}

impl Caught {
    /// Catches everything from now on. The default action of most signals does nothing to PID 1,
    /// so that one that came before this is lost: call it first of all, before there is a second
    /// thread.
    pub fn begin() -> io::Result<Self> {
        Self::hold_back(wanted())
    }

    /// Catches also what means a fault, when somebody sends it to us.
    pub fn with_faults(self) -> io::Result<Self> {
        // What has arrived waits in the kernel meanwhile, and not in the descriptor.
        Self::hold_back(wanted().chain(FAULTS))
    }

    fn hold_back(signals: impl Iterator<Item = i32>) -> io::Result<Self> {
        let told = arrivals::hold_back(signals.filter(|signal| *signal != libc::SIGCHLD))?;
        Ok(Self { told, deaths: arrivals::hold_back([libc::SIGCHLD].into_iter())? })
    }

    /// Lets the usual ones end us again, for who has nothing to stop before it leaves: reading from
    /// a pipe or a share that hangs can then be given up. One that has arrived ends us now.
    pub fn let_go(self) {
        for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT] {
            sys::take_default(signal);
        }
        arrivals::let_through(wanted());
    }

    /// Has them ring.
    pub(super) fn listen(self, bells: &Bells) -> io::Result<Signals> {
        Ok(Signals {
            told: bells.hang(self.told, Bell::Signals, Ringing::On)?,
            deaths: bells.hang(self.deaths, Bell::Deaths, Ringing::Anew)?,
        })
    }
}

fn wanted() -> impl Iterator<Item = i32> {
    (1..=64).filter(|number| {
        !BEYOND_US.contains(number)
            && !FAULTS.contains(number)
            && !(LIBRARY_FIRST..libc::SIGRTMIN()).contains(number)
    })
}

/// Signals as they arrive.
pub(super) struct Signals {
    told: Rung,
    /// Each rings once, until it was taken: nobody who is left to wait for a moment wakes us.
    deaths: Rung,
}

impl Signals {
    /// Takes all that have arrived, but for deaths.
    pub(super) fn take(&self) -> io::Result<Vec<Signal>> {
        arrivals::take(self.told.fd())
    }

    /// Takes it that children have died, if any have: we are about to look.
    pub(super) fn take_deaths(&self) -> io::Result<()> {
        arrivals::take(self.deaths.fd()).map(drop)
    }
}
