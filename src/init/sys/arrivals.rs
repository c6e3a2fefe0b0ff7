//! Signals as a descriptor: held back from delivery, and read when we are ready for them.
//!
//! A signal that is blocked waits in the kernel, also for PID 1, for whom one with its default
//! action would be lost. So one call catches everything, no handler runs anywhere, in a child
//! before its exec least of all, and each real-time signal arrives as often as it was sent.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use crate::units::Signal;

/// How many signals are read at once.
const AT_ONCE: usize = 16;
const EACH: usize = size_of::<libc::signalfd_siginfo>();

/// Holds these back from now on, in this thread and in those that it starts, and gives the
/// descriptor that tells of them: not blocking, closed by an exec.
pub fn hold_back(signals: impl Iterator<Item = i32>) -> io::Result<OwnedFd> {
    let set = set_of(signals);
    // SAFETY: the set is initialised; the descriptor is ours alone. A child whose end we ignore
    // would be reaped by the kernel, so that its status would be lost.
    unsafe {
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        mask(libc::SIG_BLOCK, &set)?;
        let fd = libc::signalfd(-1, &raw const set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC);
        super::check(fd)?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Delivers these again, those first that were held back.
pub fn let_through(signals: impl Iterator<Item = i32>) {
    // It fails for a wrong argument alone.
    let _ = mask(libc::SIG_UNBLOCK, &set_of(signals));
}

/// Takes everything that has arrived, without waiting.
pub fn take(fd: &OwnedFd) -> io::Result<Vec<Signal>> {
    let mut taken = Vec::new();
    loop {
        let read = read(fd, &mut taken);
        match read {
            Ok(AT_ONCE) => {}
            Ok(_) => return Ok(taken),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(taken),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn read(fd: &OwnedFd, taken: &mut Vec<Signal>) -> io::Result<usize> {
    let mut told = [const { MaybeUninit::<libc::signalfd_siginfo>::uninit() }; AT_ONCE];
    // SAFETY: the kernel writes whole structures only, and says how many bytes they are.
    let got = unsafe { libc::read(fd.as_raw_fd(), told.as_mut_ptr().cast(), AT_ONCE * EACH) };
    let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())? / EACH;
    // SAFETY: that many were written.
    let told = told.iter().take(got).map(|told| unsafe { told.assume_init_ref() });
    let numbers = told.filter(|told| !is_our_own_pipe(told)).map(|told| told.ssi_signo);
    taken.extend(numbers.filter_map(|number| i32::try_from(number).ok()).map(Signal));
    Ok(got)
}

/// Whether this tells that we wrote to a pipe that nobody reads, which the write has told already.
fn is_our_own_pipe(told: &libc::signalfd_siginfo) -> bool {
    told.ssi_signo == libc::SIGPIPE.cast_unsigned() && told.ssi_pid == std::process::id()
}

fn set_of(signals: impl Iterator<Item = i32>) -> libc::sigset_t {
    // SAFETY: the set is emptied before anything is added; wrong numbers are refused.
    unsafe {
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut set);
        for signal in signals {
            libc::sigaddset(&raw mut set, signal);
        }
        set
    }
}

fn mask(how: i32, set: &libc::sigset_t) -> io::Result<()> {
    // SAFETY: the set is initialised, and the old mask is not asked for.
    match unsafe { libc::pthread_sigmask(how, set, ptr::null_mut()) } {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// To this thread alone, since the others of the test do not hold it back.
    fn raise(signal: i32) {
        // SAFETY: the thread is our own and lives.
        assert_eq!(unsafe { libc::pthread_kill(libc::pthread_self(), signal) }, 0);
    }

    #[test]
    fn what_arrives_is_told_once_and_real_time_signals_as_often_as_they_were_sent() {
        let real_time = libc::SIGRTMIN() + 2;
        let fd = hold_back([libc::SIGUSR1, libc::SIGTERM, real_time].into_iter()).expect("a hold");
        assert_eq!(take(&fd).expect("readable"), []);
        for signal in [libc::SIGTERM, libc::SIGUSR1, libc::SIGTERM] {
            raise(signal);
        }
        (0..AT_ONCE + 3).for_each(|_| raise(real_time));
        let taken = take(&fd).expect("readable");
        let of = |number| taken.iter().filter(|signal| **signal == Signal(number)).count();
        assert_eq!((of(libc::SIGUSR1), of(libc::SIGTERM), of(real_time)), (1, 1, AT_ONCE + 3));
        assert_eq!(take(&fd).expect("readable"), []);
    }
}
