//! Every unsafe line: the system calls that no library wraps as PID 1 needs them.
//!
//! Owns the two forms of waiting, the sending of signals to what was verified, and in the files
//! below it: signals as they arrive, and a child's life from its fork to its program. Refuses policy: who is spawned, waited for or signalled is decided elsewhere.
#![allow(unsafe_code)]

pub mod arrivals;
pub mod heap;
pub mod child;
mod raw;
mod world;

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use tokio::io::unix::AsyncFd;

use crate::units::{Bytes, ExitStatus, RunUsage, Signal};

/// A soft and a hard limit of open descriptors.
#[derive(Clone, Copy)]
pub struct OpenFiles(libc::rlimit);

fn errno() -> i32 {
    // SAFETY: the location is this thread's own.
    unsafe { *libc::__errno_location() }
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: the array holds two descriptors; on success both are ours alone.
    unsafe {
        if libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok((OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])))
    }
}

/// Lets us have as many descriptors open as we may at most: a pipe or two for each process add up.
/// Answers what was given to us, for children, since programs that use select(2) break beyond 1024.
pub fn raise_open_files() -> Option<OpenFiles> {
    // SAFETY: the kernel fills the structure in before it is read.
    unsafe {
        let mut given = std::mem::zeroed::<libc::rlimit>();
        check(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut given)).ok()?;
        let most = libc::rlimit { rlim_cur: given.rlim_max, ..given };
        check(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const most)).ok()?;
        Some(OpenFiles(given))
    }
}

/// Has this signal sent to us when the one who started us ends. The kernel means the thread that
/// started us, and forgets the wish when we take on another identity.
pub fn get_on_parent_death(signal: Signal) -> io::Result<()> {
    // SAFETY: a plain system call on ourselves.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal.0, 0, 0, 0) })
}

/// Lets go of our controlling terminal, so that a child can lead a session on it. The kernel tells
/// the foreground of a session by two signals that its leader has left; those are not for the child
/// (dumb-init#136), and are taken from what waits for us.
pub fn leave_terminal() {
    // SAFETY: plain system calls, with sets that are initialised before they are read.
    unsafe {
        let mut before = std::mem::zeroed::<libc::sigset_t>();
        libc::sigpending(&raw mut before);
        libc::ioctl(0, libc::TIOCNOTTY);
        for signal in [libc::SIGHUP, libc::SIGCONT] {
            let mut only = std::mem::zeroed::<libc::sigset_t>();
            libc::sigemptyset(&raw mut only);
            libc::sigaddset(&raw mut only, signal);
            let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            if libc::sigismember(&raw const before, signal) == 0 {
                libc::sigtimedwait(&raw const only, ptr::null_mut(), &raw const at_once);
            }
        }
    }
}

/// How large a terminal is; `None` where it is none.
pub fn window_size(terminal: BorrowedFd<'_>) -> Option<libc::winsize> {
    // SAFETY: the kernel fills the structure in before it is read.
    unsafe {
        let mut size = std::mem::zeroed::<libc::winsize>();
        check(libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size)).ok()?;
        Some(size)
    }
}

/// Sets how large a terminal is, of which whoever is in its foreground is told.
pub fn set_window_size(terminal: BorrowedFd<'_>, size: &libc::winsize) -> io::Result<()> {
    // SAFETY: the kernel only reads the structure.
    check(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const *size) })
}

/// Gives a signal its default action back.
pub fn take_default(signal: Signal) {
    // SAFETY: the default action runs nothing of ours.
    unsafe { libc::signal(signal.0, libc::SIG_DFL) };
}

/// What a look at our children found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// This child is dead and waits to be reaped.
    Dead(i32),
    /// We have children, and all of them live.
    AllLive,
    /// We have no child at all, and so no descendant.
    Alone,
}

/// Looks for a dead child without reaping it. The same one is found until it is reaped.
pub fn look() -> Look {
    // SAFETY: the kernel fills the structure in, or leaves the pid at 0.
    unsafe {
        let mut info = std::mem::zeroed::<libc::siginfo_t>();
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        match libc::waitid(libc::P_ALL, 0, &raw mut info, flags) {
            0 if info.si_pid() != 0 => Look::Dead(info.si_pid()),
            0 => Look::AllLive,
            _ if errno() == libc::ECHILD => Look::Alone,
            _ => Look::AllLive,
        }
    }
}

/// Reads the status of a dead child, once; its pid may be another's from then on.
pub fn reap(pid: i32) -> Option<(ExitStatus, RunUsage)> {
    let mut status = 0;
    // SAFETY: the kernel fills both in when it returns the pid.
    let usage = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        if libc::wait4(pid, &raw mut status, libc::WNOHANG, &raw mut usage) != pid {
            return None;
        }
        usage
    };
    let ended = if libc::WIFSIGNALED(status) {
        ExitStatus::Signal(Signal(libc::WTERMSIG(status)))
    } else {
        ExitStatus::Code(u8::try_from(libc::WEXITSTATUS(status)).unwrap_or(u8::MAX))
    };
    let cpu = duration(usage.ru_utime) + duration(usage.ru_stime);
    // Linux counts the largest resident set in kibibytes.
    let max_rss = Bytes(u64::try_from(usage.ru_maxrss).unwrap_or(0) << 10);
    Some((ended, RunUsage { cpu, max_rss, oom_killed: false }))
}

fn duration(time: libc::timeval) -> Duration {
    let micros = u32::try_from(time.tv_usec).unwrap_or(0);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), micros * 1_000)
}

/// Sends a signal by pid. Only where the pid is certain: for a child of ours that was not reaped, or
/// where nothing better can be had.
pub fn signal_pid(pid: i32, signal: Signal) -> io::Result<()> {
    // SAFETY: a plain system call.
    check(unsafe { libc::kill(pid, signal.0) })
}

/// Sends a signal to a process group whose leader was not reaped, or that has members still.
pub fn signal_group(leader: i32, signal: Signal) -> io::Result<()> {
    // SAFETY: a plain system call; 0 and 1 would mean our own group and everybody.
    if leader <= 1 {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    check(unsafe { libc::kill(-leader, signal.0) })
}

/// Whether a process is in the group of this leader. One that is gone is in none.
pub fn is_in_group(pid: i32, leader: i32) -> bool {
    // SAFETY: a plain system call.
    unsafe { libc::getpgid(pid) == leader }
}

/// Sends a signal to everybody in our namespace, as only its first process may.
pub fn signal_namespace(signal: Signal) -> io::Result<()> {
    if std::process::id() != 1 {
        return Err(io::Error::from_raw_os_error(libc::EPERM));
    }
    // SAFETY: a plain system call; PID 1 itself is left out by the kernel.
    check(unsafe { libc::kill(-1, signal.0) })
}

/// A hold on one process, whatever becomes of its pid.
pub struct PidFd(OwnedFd);

impl PidFd {
    /// Takes hold of whoever has this pid now.
    pub fn open(pid: i32) -> io::Result<Self> {
        // SAFETY: on success the descriptor is ours alone; it is close-on-exec by itself.
        unsafe {
            let fd = libc::syscall(libc::SYS_pidfd_open, pid, 0);
            check(i32::try_from(fd).unwrap_or(-1))?;
            Ok(Self(OwnedFd::from_raw_fd(fd as RawFd)))
        }
    }

    /// Sends a signal to it, or says that it is gone.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let none = ptr::null::<libc::siginfo_t>();
        // SAFETY: without signal information the kernel makes its own.
        let result = unsafe {
            libc::syscall(libc::SYS_pidfd_send_signal, self.0.as_raw_fd(), signal.0, none, 0)
        };
        check(i32::try_from(result).unwrap_or(-1))
    }

    /// The descriptor, which becomes readable when the process ends.
    pub fn into_fd(self) -> OwnedFd {
        self.0
    }
}

/// Makes a descriptor awaitable; needs a runtime.
pub fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor stays open for as long as it is registered, because both the owner
    // and the registration live and end in the same value.
    Ok(unsafe { AsyncFd::register(fd) }?)
}

fn check(result: i32) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;
    use crate::init::kin::signal_verified;
    use crate::units::ProcId;

    #[test]
    fn groups_zero_and_one_are_never_signalled() {
        for leader in [-1, 0, 1] {
            assert!(signal_group(leader, Signal(0)).is_err());
        }
    }

    /// Does this on a thread for which the kernel knows no `pidfd_open`.
    fn without_holds(work: impl FnOnce() + Send) {
        const NONE: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
        let line = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
        let mut filter = [
            line(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
            line(libc::BPF_JMP | libc::BPF_JEQ, 0, 1, libc::SYS_pidfd_open as u32),
            line(libc::BPF_RET, 0, 0, NONE),
            line(libc::BPF_RET, 0, 0, libc::SECCOMP_RET_ALLOW),
        ];
        let install = move || {
            let program = libc::sock_fprog { len: 4, filter: filter.as_mut_ptr() };
            // SAFETY: the filter outlives the calls, which copy it; it binds this thread alone.
            unsafe {
                check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)).expect("allowed");
                let mode = libc::SECCOMP_MODE_FILTER;
                check(libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program))
                    .expect("allowed");
            }
            work();
        };
        std::thread::scope(|scope| drop(scope.spawn(install)));
    }

    #[test]
    fn a_signal_arrives_where_the_kernel_gives_no_hold() {
        let mut child = std::process::Command::new("sleep").arg("300").spawn().expect("a child");
        let pid = child.id().cast_signed();
        let start_ticks = crate::memory::proc::start_ticks(pid).expect("it lives");
        without_holds(|| {
            assert!(PidFd::open(pid).is_err());
            let another = ProcId { pid, start_ticks: start_ticks + 1 };
            signal_verified(another, Signal::KILL);
            signal_verified(ProcId { pid, start_ticks }, Signal::TERM);
        });
        assert_eq!(child.wait().expect("ours").signal(), Some(libc::SIGTERM));
    }
}
