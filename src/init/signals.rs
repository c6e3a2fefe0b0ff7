//! Signals to facts: everything that can be caught is caught, from before the configuration is
//! read, and told once.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use tokio::io::unix::AsyncFd;

use crate::init::sys;
use crate::units::Signal;

/// What cannot be caught, what the kernel raises for a fault of our own, what the C library keeps
/// for itself, and what the terminal stops background writers with (ignored instead).
const LEFT_ALONE: [i32; 12] = [
    libc::SIGKILL,
    libc::SIGSTOP,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGTRAP,
    libc::SIGSYS,
    libc::SIGABRT,
    libc::SIGTTIN,
    libc::SIGTTOU,
    libc::SIGPIPE,
];

/// The C library's own signals: 32 and 33 under glibc, up to 34 elsewhere.
const LIBRARY_FIRST: i32 = 32;

/// Signals that were caught, in a pipe that nothing reads yet.
pub struct Caught(SignalDelivery<UnixStream, SignalOnly>);

impl Caught {
    /// Catches everything from now on. The default action of most signals does nothing to PID 1,
    /// so that one that came before this is lost: call it first of all.
    pub fn begin() -> io::Result<Self> {
        sys::ignore_terminal_stops();
        let (read, write) = UnixStream::pair()?;
        let wanted = (1..=64).filter(|number| {
            !LEFT_ALONE.contains(number) && !(LIBRARY_FIRST..libc::SIGRTMIN()).contains(number)
        });
        Ok(Self(SignalDelivery::with_pipe(read, write, SignalOnly, wanted)?))
    }

    /// Lets the usual ones end us again, for who has nothing to stop before it leaves: reading from
    /// a pipe or a share that hangs can then be given up.
    pub fn let_go(self) {
        for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT] {
            sys::take_default(signal);
        }
    }

    /// Makes them awaitable; needs a runtime.
    pub fn listen(self) -> io::Result<Signals> {
        let bell = self.0.get_read().try_clone()?;
        bell.set_nonblocking(true)?;
        Ok(Signals { delivery: self.0, bell: sys::watch(bell.into())? })
    }
}

/// Signals as they arrive.
pub struct Signals {
    delivery: SignalDelivery<UnixStream, SignalOnly>,
    bell: AsyncFd<OwnedFd>,
}

impl Signals {
    /// Waits until at least one signal has arrived, and takes all that have. SIGCHLD is among
    /// them: it means "look", however many died. Cancelling loses nothing.
    pub async fn next(&mut self) -> io::Result<Vec<Signal>> {
        let mut ready = self.bell.readable().await?;
        ready.clear_ready();
        Ok(self.delivery.pending().map(Signal).collect())
    }
}
