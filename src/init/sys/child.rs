//! A child's life from its fork to its program.
//!
//! Everything is prepared before the fork. Afterwards only functions that are async-signal-safe are
//! called (`signal-safety(7)`), and plain system calls, since another thread may have held any lock
//! at that moment for ever. That includes those that change an identity: glibc renews its locks for
//! them in the child of a fork. The order, with the reason of each step:
//!
//! 1. the control group, so that whatever follows is counted there;
//! 2. session, group and terminal, while all signals are blocked: who is in the background and takes
//!    the terminal would be stopped for it (`tcsetpgrp(3)`);
//! 3. standard input, output and error; every other descriptor is closed by the exec;
//! 4. secrets, while we are who we were, and while descriptors may be opened;
//! 5. umask, ranks and limits, while we may raise them (`setrlimit(2)`, `CAP_SYS_RESOURCE`), and
//!    while `/proc/self` is ours to write: it is root's once an identity was changed (`proc(5)`);
//! 6. the supplementary groups, then the group, then the user, each of which takes away the right to
//!    do the one before (`setgroups(2)`, `CAP_SETGID`; CERT POS36-C);
//! 7. the working directory, as the user who has to work there;
//! 8. signals: every disposition its default, then nothing blocked.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr;

use super::world::{self, Secret, Slot};
use super::{OpenFiles, errno, pipe};
use crate::config::plan::World;

/// What a child gets, made before the fork.
pub struct Prepared {
    /// The paths to try, in the order of `PATH`.
    pub candidates: Vec<CString>,
    /// The arguments, the program's name first.
    pub argv: Vec<CString>,
    /// The environment as `KEY=VALUE`, without the secrets.
    pub envp: Vec<CString>,
    /// Variables whose values the child reads from files.
    pub secrets: Vec<Secret>,
    /// Where to go first.
    pub working_dir: Option<CString>,
    /// How it stands to the terminal.
    pub station: Station,
    /// Where its standard input comes from.
    pub input: Input,
    /// What becomes its standard output and standard error, where that is not ours; never one of
    /// the two numbers themselves, which are always open in us.
    pub outputs: [Option<RawFd>; 2],
    /// What it is to us.
    pub manner: Manner,
    /// How many descriptors it may have open, where that is not what we may.
    pub open_files: Option<OpenFiles>,
    /// Who it is and what it may use.
    pub world: world::Settings,
    /// A control group's `cgroup.procs`, open for writing.
    pub cgroup: Option<RawFd>,
}

impl Prepared {
    /// Whether it may use our memory until it executes: while it does, we stand still. So only the
    /// one command may, beside which there is nobody to look after; and only where nothing but the
    /// program can keep it waiting, and no identity is changed, which the C library does in all
    /// threads that it finds in this memory.
    fn may_share(&self) -> bool {
        self.manner == Manner::Accompanied
            && self.secrets.is_empty()
            && self.working_dir.is_none()
            && !self.world.changes_identity()
    }
}

/// The settings of a plan, as the kernel takes them.
pub fn settings(world: &World) -> world::Settings {
    world::Settings::of(world)
}

/// A variable whose value is read from this file by the child.
pub fn secret(variable: &str, file: CString) -> Secret {
    Secret::new(variable, file)
}

/// How a child stands to the terminal, and so which group it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Station {
    /// A session and group of its own, and no terminal.
    Apart,
    /// A group of its own in our session; in the foreground where standard input is a terminal and
    /// we are in its foreground.
    Foreground,
    /// A session and group of its own, whose terminal becomes what standard input is.
    Leader,
}

/// Where a child's standard input comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// It is empty.
    Empty,
    /// It is ours.
    Ours,
    /// It is this one, which is open in us, and never one of the three standard ones.
    From(RawFd),
}

/// What a child is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// The one command that we stand in front of: it gets every descriptor that we were given, and
    /// what is no binary is given to the shell, as `execvp(3)` does.
    Accompanied,
    /// One of several: only its standard descriptors are open, and only programs are executed.
    Supervised,
}

/// The steps that a child reports when they fail, as they go through the pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildStep {
    /// Control group, session, group, terminal, standard descriptors.
    Prepare = 1,
    /// A file with a secret.
    Secret = 2,
    /// umask, ranks and limits.
    Limits = 3,
    /// Groups and user.
    User = 4,
    /// `chdir`.
    WorkingDir = 5,
    /// `execve`.
    Exec = 6,
}

impl ChildStep {
    const ALL: [Self; 6] =
        [Self::Prepare, Self::Secret, Self::Limits, Self::User, Self::WorkingDir, Self::Exec];
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

/// What a child that shares our memory may use of it until it executes.
const STACK_BYTES: usize = 64 << 10;

/// Forks and, in the child, executes. Returns as soon as the child exists; for the one command that
/// we stand in front of, once it was executed.
pub fn spawn(mut prepared: Prepared) -> io::Result<Forked> {
    let mut image = Image::of(&mut prepared);
    let (read, write) = pipe()?;
    // Without this a signal that reaches the child before its exec would run what handlers there
    // are, and step 2 of the child's life needs it.
    let mask = block_all()?;
    let forked = if image.prepared.may_share() {
        share(&mut image, write.as_raw_fd())
    } else {
        fork(&mut image, write.as_raw_fd())
    };
    restore_mask(&mask);
    Ok(Forked { pid: forked?, pipe: read })
}

fn fork(image: &mut Image<'_>, pipe: RawFd) -> io::Result<i32> {
    // SAFETY: the child calls only what is allowed there until it executes or leaves.
    match unsafe { libc::fork() } {
        0 => image.run(pipe),
        pid if pid < 0 => Err(io::Error::last_os_error()),
        pid => Ok(pid),
    }
}

/// A fork without a copy of our memory, as in `vfork(2)`: we stand still until the child has executed
/// or left. That saves the copying of page tables, and each page that either would write to.
fn share(image: &mut Image<'_>, pipe: RawFd) -> io::Result<i32> {
    struct Start<'a, 'b>(&'a mut Image<'b>, RawFd);
    extern "C" fn begin(start: *mut libc::c_void) -> libc::c_int {
        // SAFETY: it is the value below, which nobody else uses while we stand still.
        let Start(image, pipe) = unsafe { &mut *start.cast::<Start<'_, '_>>() };
        image.run(*pipe)
    }
    let mut stack = vec![0u128; STACK_BYTES / size_of::<u128>()];
    let mut start = Start(image, pipe);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the stack grows down from an aligned end and lives as long as the child needs it; the
    // child calls only what is allowed after a fork, and nothing of it outlives that but its pid.
    let pid = unsafe {
        let end = stack.as_mut_ptr_range().end;
        libc::clone(begin, end.cast(), flags, (&raw mut start).cast())
    };
    if pid < 0 { Err(io::Error::last_os_error()) } else { Ok(pid) }
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
    let number = i32::from_ne_bytes([a, b, c, d]);
    let step = ChildStep::ALL.into_iter().find(|step| *step as i32 == number);
    Report { step: step.unwrap_or(ChildStep::Exec), errno: i32::from_ne_bytes([e, f, g, h]) }
}

/// What [`Prepared`] looks like to the kernel: arrays of pointers that end in null. Whatever they
/// point to lives in [`Prepared`], which the child has its own copy of.
struct Image<'a> {
    prepared: &'a Prepared,
    candidates: Vec<*const libc::c_char>,
    argv: Vec<*const libc::c_char>,
    /// The shell, a place for the candidate, and the arguments.
    shell: Vec<*const libc::c_char>,
    envp: Vec<*const libc::c_char>,
    secrets: Vec<Slot>,
}

impl<'a> Image<'a> {
    fn of(prepared: &'a mut Prepared) -> Self {
        let secrets: Vec<Slot> = prepared.secrets.iter_mut().map(Secret::slot).collect();
        let prepared = &*prepared;
        let pointers = |strings: &[CString]| strings.iter().map(|s| s.as_ptr()).collect::<Vec<_>>();
        let ended = |mut all: Vec<_>| {
            all.push(ptr::null());
            all
        };
        let argv = pointers(&prepared.argv);
        let arguments = argv.iter().skip(1).copied();
        let shell = [SHELL.as_ptr(), ptr::null()].into_iter().chain(arguments).collect();
        let variables = pointers(&prepared.envp).into_iter().chain(secrets.iter().map(Slot::start));
        Self {
            prepared,
            candidates: pointers(&prepared.candidates),
            shell: ended(shell),
            envp: ended(variables.collect()),
            argv: ended(argv),
            secrets,
        }
    }

    /// The child's whole life before its program. Never returns, allocates nothing.
    fn run(&mut self, pipe: RawFd) -> ! {
        let (step, errno) = match self.live() {
            Err(failed) => failed,
            Ok(()) => (ChildStep::Exec, self.execute()),
        };
        report(pipe, step, errno);
        // SAFETY: ends this process without running anything of ours.
        unsafe { libc::_exit(if errno == libc::ENOENT { 127 } else { 126 }) }
    }

    fn live(&mut self) -> Result<(), (ChildStep, i32)> {
        let during = |step: ChildStep| move |errno: i32| (step, errno);
        self.stand().map_err(during(ChildStep::Prepare))?;
        self.secrets.iter().try_for_each(Slot::fill).map_err(during(ChildStep::Secret))?;
        let Prepared { world, open_files, .. } = self.prepared;
        world.restrict(*open_files).map_err(during(ChildStep::Limits))?;
        world.become_somebody().map_err(during(ChildStep::User))?;
        self.enter().map_err(during(ChildStep::WorkingDir))?;
        clean_signals();
        Ok(())
    }

    fn stand(&self) -> Result<(), i32> {
        if let Some(procs) = self.prepared.cgroup {
            // SAFETY: the buffer holds one byte. A group that cannot be entered is done without.
            unsafe { libc::write(procs, c"0".as_ptr().cast(), 1) };
        }
        if let Input::From(input) = self.prepared.input {
            take_input(input)?;
        }
        match self.prepared.station {
            // SAFETY: a plain system call; the child of a fork leads no group.
            Station::Apart => drop(unsafe { libc::setsid() }),
            Station::Foreground => step_forward(),
            Station::Leader => lead(),
        }
        if self.prepared.input == Input::Empty {
            empty_input()?;
        }
        for (number, output) in (1..).zip(self.prepared.outputs) {
            // SAFETY: a plain system call.
            if output.is_some_and(|output| unsafe { libc::dup2(output, number) } < 0) {
                return Err(errno());
            }
        }
        if self.prepared.manner == Manner::Supervised {
            close_others();
        }
        Ok(())
    }

    fn enter(&self) -> Result<(), i32> {
        let Some(dir) = &self.prepared.working_dir else { return Ok(()) };
        // SAFETY: the string lives in the parent's copy of memory, which is ours too.
        if unsafe { libc::chdir(dir.as_ptr()) } < 0 { Err(errno()) } else { Ok(()) }
    }

    /// Tries every candidate as `execvp(3)` does; returns why the last or the most telling failed.
    fn execute(&mut self) -> i32 {
        let mut verdict = libc::ENOENT;
        for &candidate in &self.candidates {
            // SAFETY: all three are null-terminated arrays or strings that outlive the call.
            unsafe { libc::execve(candidate, self.argv.as_ptr(), self.envp.as_ptr()) };
            match errno() {
                libc::ENOENT | libc::ENOTDIR => {}
                libc::EACCES => verdict = libc::EACCES,
                libc::ENOEXEC if self.prepared.manner == Manner::Accompanied => {
                    self.shell[1] = candidate;
                    // SAFETY: as above.
                    unsafe {
                        libc::execve(SHELL.as_ptr(), self.shell.as_ptr(), self.envp.as_ptr())
                    };
                    return libc::ENOEXEC;
                }
                other => return other,
            }
        }
        verdict
    }
}

/// What `execvp(3)` gives a text to that no line says the interpreter of.
const SHELL: &std::ffi::CStr = c"/bin/sh";

/// A group of our own; in the foreground if our parent's was. One that was started in the
/// background takes no terminal away from anybody.
fn step_forward() {
    // SAFETY: plain system calls on ourselves and on descriptor 0. All signals are blocked, so that
    // SIGTTOU cannot stop us.
    unsafe {
        let above = libc::getpgrp();
        libc::setpgid(0, 0);
        if libc::isatty(0) == 1 && libc::tcgetpgrp(0) == above {
            libc::tcsetpgrp(0, libc::getpid());
        }
    }
}

/// A session of our own, with the terminal that standard input is, if nobody else has it.
fn lead() {
    // SAFETY: plain system calls on ourselves and on descriptor 0.
    unsafe {
        libc::setsid();
        libc::ioctl(0, libc::TIOCSCTTY, 0);
    }
}

fn take_input(input: RawFd) -> Result<(), i32> {
    // SAFETY: a plain system call.
    if unsafe { libc::dup2(input, 0) } < 0 { Err(errno()) } else { Ok(()) }
}

fn empty_input() -> Result<(), i32> {
    // SAFETY: plain system calls on descriptors of our own.
    unsafe {
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
    Ok(())
}

/// Has the exec close everything but the standard descriptors; the pipe for our report stays open
/// until then.
fn close_others() {
    /// Where the kernel cannot do all at once (before 5.11), this many are looked at.
    const LOOKED_AT: RawFd = 1024;
    // SAFETY: plain system calls that concern our own descriptors.
    unsafe {
        let last = libc::c_uint::MAX;
        if libc::syscall(libc::SYS_close_range, 3u32, last, libc::CLOSE_RANGE_CLOEXEC) < 0 {
            for fd in 3..LOOKED_AT {
                libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
            }
        }
    }
}

/// Every disposition its default, and then nothing blocked.
fn clean_signals() {
    // SAFETY: plain system calls; dispositions are those of our own copy.
    unsafe {
        // By system call, because the C library refuses to touch its own signals, which its
        // `posix_spawn` leaves ignored. All zeroes is the default action in every layout.
        let default = [0u64; 4];
        for signal in 1..=64 {
            let none = ptr::null::<u64>();
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), none, 8usize);
        }
        let mut none = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
    }
}

fn report(pipe: RawFd, step: ChildStep, errno: i32) {
    let mut bytes = [0u8; REPORT_BYTES];
    bytes[..4].copy_from_slice(&(step as i32).to_ne_bytes());
    bytes[4..].copy_from_slice(&errno.to_ne_bytes());
    // SAFETY: the buffer is as long as it is said to be; a short pipe write is atomic.
    unsafe { libc::write(pipe, bytes.as_ptr().cast(), REPORT_BYTES) };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_survives_the_pipe() {
        for step in ChildStep::ALL {
            let (read, write) = pipe().expect("a pipe");
            report(write.as_raw_fd(), step, libc::ENOTDIR);
            let want = Report { step, errno: libc::ENOTDIR };
            assert_eq!(read_report(&read).expect("readable"), Some(want));
            let pending = read_report(&read).expect_err("nothing more yet");
            assert_eq!(pending.kind(), io::ErrorKind::WouldBlock);
            drop(write);
            assert_eq!(read_report(&read).expect("closed"), None);
        }
    }
}
