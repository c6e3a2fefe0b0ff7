//! Every unsafe line: the system calls that no library wraps as PID 1 needs them.
//!
//! Owns fork and exec, the two forms of waiting, and the sending of signals to what was verified.
//! Refuses policy: who is spawned, waited for or signalled is decided elsewhere.
#![allow(unsafe_code)]

pub mod arrivals;

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use tokio::io::unix::AsyncFd;

use crate::units::{Bytes, ExitStatus, RunUsage, Signal};

/// Everything that a child needs between fork and exec, made before the fork: afterwards nothing
/// may allocate, because another thread may hold the allocator's lock for ever.
pub struct Prepared {
    /// The paths to try, in the order of `PATH`.
    pub candidates: Vec<CString>,
    /// The arguments, the program's name first.
    pub argv: Vec<CString>,
    /// The whole environment as `KEY=VALUE`.
    pub envp: Vec<CString>,
    /// Where to go first.
    pub working_dir: Option<CString>,
    /// How it stands to the terminal.
    pub station: Station,
    /// How many descriptors it may have open, where that is not what we may.
    pub open_files: Option<OpenFiles>,
    /// What becomes its standard output and standard error, where that is not ours; never one of
    /// the two numbers themselves, which are always open in us.
    pub outputs: [Option<RawFd>; 2],
}

/// A soft and a hard limit of open descriptors.
#[derive(Clone, Copy)]
pub struct OpenFiles(libc::rlimit);

/// How a child stands to the terminal, and so which group it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Station {
    /// A session and group of its own, no terminal, an empty standard input.
    Apart,
    /// A group of its own in our session; in the foreground where standard input is a terminal.
    Foreground,
}

/// The steps that a child reports when they fail, as they go through the pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildStep {
    /// Group, session, terminal, standard input.
    Prepare = 1,
    /// `chdir`.
    WorkingDir = 2,
    /// `execve`.
    Exec = 3,
}

/// A child that was forked: its pid, and the pipe that closes when its program is executed, or
/// brings a [`Report`] when that failed.
pub struct Forked {
    /// The child.
    pub pid: i32,
    /// Non-blocking; read with [`read_report`].
    pub pipe: OwnedFd,
}

/// What a child says when it could not execute its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The step that failed.
    pub step: ChildStep,
    /// The kernel's error number.
    pub errno: i32,
}

const REPORT_BYTES: usize = 8;

/// Forks and, in the child, executes. Returns as soon as the child exists.
pub fn spawn(prepared: &Prepared) -> io::Result<Forked> {
    let image = Image::of(prepared);
    let (read, write) = pipe()?;
    // Whatever reaches the child before its exec waits until the child takes the defaults.
    let mask = block_all()?;
    // SAFETY: the child calls only async-signal-safe functions until it executes or leaves.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        image.run(write.as_raw_fd());
    }
    let forked = if pid < 0 { Err(io::Error::last_os_error()) } else { Ok(pid) };
    restore_mask(&mask);
    Ok(Forked { pid: forked?, pipe: read })
}

/// Reads what the child said, without waiting: `Ok(None)` once its program was executed, an error
/// of kind `WouldBlock` while it is under way.
pub fn read_report(pipe: &OwnedFd) -> io::Result<Option<Report>> {
    let mut bytes = [0u8; REPORT_BYTES];
    // SAFETY: the buffer is as long as it is said to be.
    let got = unsafe { libc::read(pipe.as_raw_fd(), bytes.as_mut_ptr().cast(), REPORT_BYTES) };
    match usize::try_from(got) {
        Err(_) => Err(io::Error::last_os_error()),
        Ok(REPORT_BYTES) => Ok(Some(decode(bytes))),
        Ok(_) => Ok(None),
    }
}

fn decode(bytes: [u8; REPORT_BYTES]) -> Report {
    let [a, b, c, d, e, f, g, h] = bytes;
    let step = match i32::from_ne_bytes([a, b, c, d]) {
        1 => ChildStep::Prepare,
        2 => ChildStep::WorkingDir,
        _ => ChildStep::Exec,
    };
    Report { step, errno: i32::from_ne_bytes([e, f, g, h]) }
}

/// What [`Prepared`] looks like to the kernel: arrays of pointers that end in null.
struct Image {
    candidates: Vec<*const libc::c_char>,
    argv: Vec<*const libc::c_char>,
    envp: Vec<*const libc::c_char>,
    working_dir: *const libc::c_char,
    station: Station,
    open_files: Option<OpenFiles>,
    outputs: [Option<RawFd>; 2],
}

impl Image {
    fn of(prepared: &Prepared) -> Self {
        let pointers = |strings: &[CString]| {
            let mut all: Vec<_> = strings.iter().map(|string| string.as_ptr()).collect();
            all.push(ptr::null());
            all
        };
        Self {
            candidates: pointers(&prepared.candidates),
            argv: pointers(&prepared.argv),
            envp: pointers(&prepared.envp),
            working_dir: prepared.working_dir.as_ref().map_or(ptr::null(), |dir| dir.as_ptr()),
            station: prepared.station,
            open_files: prepared.open_files,
            outputs: prepared.outputs,
        }
    }

    /// The child's whole life before its program. Never returns, allocates nothing.
    fn run(&self, pipe: RawFd) -> ! {
        let failed = match self.stand() {
            Err(errno) => (ChildStep::Prepare, errno),
            Ok(()) => match self.enter() {
                Err(errno) => (ChildStep::WorkingDir, errno),
                Ok(()) => (ChildStep::Exec, self.execute()),
            },
        };
        report(pipe, failed.0, failed.1);
        // SAFETY: ends this process without running anything of ours.
        unsafe { libc::_exit(if failed.1 == libc::ENOENT { 127 } else { 126 }) }
    }

    fn stand(&self) -> Result<(), i32> {
        // SAFETY: plain system calls on our own process; dispositions are those of a copy.
        unsafe {
            match self.station {
                Station::Apart => {
                    libc::setsid();
                    let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY);
                    if null >= 0 && libc::dup2(null, 0) < 0 {
                        return Err(errno());
                    }
                    // Without /dev/null (an empty image) an empty standard input is a closed one.
                    if null < 0 {
                        libc::close(0);
                    } else if null > 0 {
                        libc::close(null);
                    }
                }
                Station::Foreground => {
                    libc::setpgid(0, 0);
                    if libc::isatty(0) == 1 {
                        // All signals are blocked here, so that SIGTTOU cannot stop us.
                        libc::tcsetpgrp(0, libc::getpid());
                    }
                }
            }
            for (number, output) in (1..).zip(self.outputs) {
                if output.is_some_and(|output| libc::dup2(output, number) < 0) {
                    return Err(errno());
                }
            }
            // By system call, because the C library refuses to touch its own signals, which its
            // `posix_spawn` leaves ignored. All zeroes is the default action in every layout.
            let default = [0u64; 4];
            for signal in 1..=64 {
                let none = ptr::null::<u64>();
                libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), none, 8usize);
            }
            if let Some(OpenFiles(given)) = &self.open_files {
                libc::setrlimit(libc::RLIMIT_NOFILE, given);
            }
            let mut none = std::mem::zeroed::<libc::sigset_t>();
            libc::sigemptyset(&raw mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
        }
        Ok(())
    }

    fn enter(&self) -> Result<(), i32> {
        // SAFETY: the string lives in the parent's copy of memory, which is ours too.
        if !self.working_dir.is_null() && unsafe { libc::chdir(self.working_dir) } < 0 {
            return Err(errno());
        }
        Ok(())
    }

    /// Tries every candidate as `execvp(3)` does; returns why the last or the most telling failed.
    fn execute(&self) -> i32 {
        let mut verdict = libc::ENOENT;
        for candidate in self.candidates.iter().filter(|path| !path.is_null()) {
            // SAFETY: all three are null-terminated arrays or strings that outlive the call.
            unsafe { libc::execve(*candidate, self.argv.as_ptr(), self.envp.as_ptr()) };
            match errno() {
                libc::ENOENT | libc::ENOTDIR => {}
                libc::EACCES => verdict = libc::EACCES,
                other => return other,
            }
        }
        verdict
    }
}

fn report(pipe: RawFd, step: ChildStep, errno: i32) {
    let mut bytes = [0u8; REPORT_BYTES];
    bytes[..4].copy_from_slice(&(step as i32).to_ne_bytes());
    bytes[4..].copy_from_slice(&errno.to_ne_bytes());
    // SAFETY: the buffer is as long as it is said to be; a short pipe write is atomic.
    unsafe { libc::write(pipe, bytes.as_ptr().cast(), REPORT_BYTES) };
}

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

fn block_all() -> io::Result<libc::sigset_t> {
    // SAFETY: both sets are ours; the old mask is written before it is read.
    unsafe {
        let mut all = std::mem::zeroed::<libc::sigset_t>();
        let mut old = std::mem::zeroed::<libc::sigset_t>();
        libc::sigfillset(&raw mut all);
        match libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut old) {
            0 => Ok(old),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

fn restore_mask(mask: &libc::sigset_t) {
    // SAFETY: the mask was read by the same call.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask, ptr::null_mut()) };
}

/// Ignores the signals by which a terminal stops a background process that reads or writes it: as
/// the one who hands the terminal over we must never be stopped. Children get the default back.
pub fn ignore_terminal_stops() {
    // SAFETY: ignoring a signal runs nothing.
    unsafe {
        libc::signal(libc::SIGTTIN, libc::SIG_IGN);
        libc::signal(libc::SIGTTOU, libc::SIG_IGN);
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
    Some((ended, RunUsage { cpu, max_rss }))
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
    fn a_report_survives_the_pipe() {
        let (read, write) = pipe().expect("a pipe");
        report(write.as_raw_fd(), ChildStep::WorkingDir, libc::ENOTDIR);
        let want = Report { step: ChildStep::WorkingDir, errno: libc::ENOTDIR };
        assert_eq!(read_report(&read).expect("readable"), Some(want));
        let pending = read_report(&read).expect_err("nothing more yet");
        assert_eq!(pending.kind(), io::ErrorKind::WouldBlock);
        drop(write);
        assert_eq!(read_report(&read).expect("closed"), None);
    }

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
