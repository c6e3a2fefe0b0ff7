//! A child's life from its fork to its program.
//!
//! Everything is prepared before. A child uses our own memory until it executes, because a copy of it
//! costs far more than the program's start: page tables, and each page that any thread of ours writes
//! to afterwards. So it makes plain system calls ([`raw`]) on a stack of its own, and what it was lent
//! ([`Lent`]) is kept until it has executed or is gone. Where it reads secrets, becomes somebody else or
//! changes its score for the OOM killer it gets a copy all the same (`fork(2)`): the first must not
//! lie in our memory, and the others hold for whoever shares it. There only functions that are
//! async-signal-safe are called (`signal-safety(7)`), and those that change an identity: glibc renews
//! its locks for them in the child of a fork.
//!
//! The order, with the reason of each step:
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
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr::{self, NonNull};

use super::world::{self, Secret, Slot};
use super::{OpenFiles, pipe, raw};
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
    /// Whether the child may use our memory until it executes.
    fn may_share(&self) -> bool {
        raw::IS_RAW && self.secrets.is_empty() && self.world.leaves_memory_alone()
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
    /// What it may still use of ours.
    pub lent: Option<Lent>,
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

/// What a child's calls may take of a stack: some hundred bytes, and more without optimisation.
const STACK_WORDS: usize = (32 << 10) / size_of::<u128>();

/// What a child uses of our memory: its arguments, and its stack.
struct Loan {
    image: Image,
    pipe: RawFd,
    stack: Box<[MaybeUninit<u128>]>,
}

/// What a child may still use. It is only given back by whoever knows that the child does not use it
/// any more, and is lost otherwise.
pub struct Lent(NonNull<Loan>);

impl Lent {
    /// The child has executed its program, or was reaped.
    pub fn give_back(self) {
        // SAFETY: it came out of a box, once, and nobody else uses it any more.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// Forks and, in the child, executes. Returns as soon as the child exists; for the one command that
/// we stand in front of, beside which there is nobody to look after, once it was executed.
pub fn spawn(prepared: Prepared) -> io::Result<Forked> {
    let (read, write) = pipe()?;
    let shares = prepared.may_share();
    let waits = prepared.manner == Manner::Accompanied;
    let stack = Box::new_uninit_slice(if shares { STACK_WORDS } else { 0 });
    let loan = Box::new(Loan { image: Image::of(prepared), pipe: write.as_raw_fd(), stack });
    // Without this a signal that reaches the child before its exec would run what handlers there
    // are, and step 2 of the child's life needs it.
    let mask = block_all()?;
    let forked = if shares { share(loan, waits) } else { fork(*loan) };
    restore_mask(&mask);
    let (pid, lent) = forked?;
    Ok(Forked { pid, pipe: read, lent })
}

fn fork(mut loan: Loan) -> io::Result<(i32, Option<Lent>)> {
    // SAFETY: the child calls only what is allowed there until it executes or leaves.
    match unsafe { libc::fork() } {
        0 => loan.image.run(loan.pipe),
        pid if pid < 0 => Err(io::Error::last_os_error()),
        pid => Ok((pid, None)),
    }
}

/// A fork without a copy of our memory. Where `waits`, we stand still until the child has executed or
/// left, as in `vfork(2)`, so that it has the processor at once.
fn share(loan: Box<Loan>, waits: bool) -> io::Result<(i32, Option<Lent>)> {
    extern "C" fn begin(loan: *mut libc::c_void) -> libc::c_int {
        // SAFETY: it was lent to us alone.
        let loan = unsafe { &mut *loan.cast::<Loan>() };
        loan.image.run(loan.pipe)
    }
    let lent = Lent(NonNull::from(Box::leak(loan)));
    let flags = libc::CLONE_VM | libc::SIGCHLD | if waits { libc::CLONE_VFORK } else { 0 };
    // SAFETY: the stack grows down from an aligned end, and is kept with all that the child uses until
    // that is known to use it no more.
    let pid = unsafe {
        let end = (*lent.0.as_ptr()).stack.as_mut_ptr_range().end;
        libc::clone(begin, end.cast(), flags, lent.0.as_ptr().cast())
    };
    if pid < 0 {
        let error = io::Error::last_os_error();
        lent.give_back();
        return Err(error);
    }
    Ok((pid, Some(lent)))
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

/// What [`Prepared`] looks like to the kernel: arrays of pointers that end in null. What they point to
/// is in there, on the heap, and so stays where it is when this is moved.
struct Image {
    prepared: Prepared,
    candidates: Vec<*const libc::c_char>,
    argv: Vec<*const libc::c_char>,
    /// The shell, a place for the candidate, and the arguments.
    shell: Vec<*const libc::c_char>,
    envp: Vec<*const libc::c_char>,
    secrets: Vec<Slot>,
}

impl Image {
    fn of(mut prepared: Prepared) -> Self {
        let secrets: Vec<Slot> = prepared.secrets.iter_mut().map(Secret::slot).collect();
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
            candidates: pointers(&prepared.candidates),
            shell: ended(shell),
            envp: ended(variables.collect()),
            argv: ended(argv),
            secrets,
            prepared,
        }
    }

    /// The child's whole life before its program. Never returns, allocates nothing.
    fn run(&mut self, pipe: RawFd) -> ! {
        let (step, errno) = match self.live() {
            Err(failed) => failed,
            Ok(()) => (ChildStep::Exec, self.execute()),
        };
        report(pipe, step, errno);
        raw::exit(if errno == libc::ENOENT { 127 } else { 126 })
    }

    fn live(&mut self) -> Result<(), (ChildStep, i32)> {
        let during = |step: ChildStep| move |errno: i32| (step, errno);
        self.stand().map_err(during(ChildStep::Prepare))?;
        self.secrets.iter().try_for_each(Slot::fill).map_err(during(ChildStep::Secret))?;
        let Prepared { world, open_files, .. } = &self.prepared;
        world.restrict(*open_files).map_err(during(ChildStep::Limits))?;
        world.become_somebody().map_err(during(ChildStep::User))?;
        self.enter().map_err(during(ChildStep::WorkingDir))?;
        raw::clean_signals();
        Ok(())
    }

    fn stand(&self) -> Result<(), i32> {
        if let Some(procs) = self.prepared.cgroup {
            // A group that cannot be entered is done without.
            let _ = raw::write(procs, b"0");
        }
        if let Input::From(input) = self.prepared.input {
            raw::duplicate(input, 0)?;
        }
        match self.prepared.station {
            // The child of a fork leads no group.
            Station::Apart => raw::new_session(),
            Station::Foreground => step_forward(),
            Station::Leader => lead(),
        }
        if self.prepared.input == Input::Empty {
            empty_input()?;
        }
        for (number, output) in (1..).zip(self.prepared.outputs) {
            output.map_or(Ok(0), |output| raw::duplicate(output, number))?;
        }
        if self.prepared.manner == Manner::Supervised {
            close_others();
        }
        Ok(())
    }

    fn enter(&self) -> Result<(), i32> {
        let Some(dir) = &self.prepared.working_dir else { return Ok(()) };
        // SAFETY: a string that nobody changes.
        unsafe { raw::enter(dir.as_ptr()) }.map(drop)
    }

    /// Tries every candidate as `execvp(3)` does; returns why the last or the most telling failed.
    fn execute(&mut self) -> i32 {
        let mut verdict = libc::ENOENT;
        for &candidate in &self.candidates {
            // SAFETY: all three are null-terminated arrays or strings that outlive the call.
            match unsafe { raw::execute(candidate, self.argv.as_ptr(), self.envp.as_ptr()) } {
                libc::ENOENT | libc::ENOTDIR => {}
                libc::EACCES => verdict = libc::EACCES,
                libc::ENOEXEC if self.prepared.manner == Manner::Accompanied => {
                    self.shell[1] = candidate;
                    let (shell, words) = (SHELL.as_ptr(), self.shell.as_ptr());
                    // SAFETY: as above.
                    unsafe { raw::execute(shell, words, self.envp.as_ptr()) };
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
/// background takes no terminal away from anybody. All signals are blocked, so that SIGTTOU cannot
/// stop us.
fn step_forward() {
    let above = raw::new_group();
    if raw::foreground(0) == Some(above) {
        raw::take_foreground(0);
    }
}

/// A session of our own, with the terminal that standard input is, if nobody else has it.
fn lead() {
    raw::new_session();
    raw::take_terminal(0);
}

/// Without /dev/null (an empty image) an empty standard input is a closed one.
fn empty_input() -> Result<(), i32> {
    // SAFETY: a string.
    match unsafe { raw::open(c"/dev/null".as_ptr(), libc::O_RDONLY) } {
        Ok(0) => {}
        Ok(null) => {
            raw::duplicate(null, 0)?;
            raw::close(null);
        }
        Err(_) => raw::close(0),
    }
    Ok(())
}

/// Has the exec close everything but the standard descriptors; the pipe for our report stays open
/// until then.
fn close_others() {
    /// Where the kernel cannot do all at once (before 5.11), this many are looked at.
    const LOOKED_AT: RawFd = 1024;
    if raw::close_on_exec_from(3).is_err() {
        (3..LOOKED_AT).for_each(raw::close_on_exec);
    }
}

fn report(pipe: RawFd, step: ChildStep, errno: i32) {
    let mut bytes = [0u8; REPORT_BYTES];
    bytes[..4].copy_from_slice(&(step as i32).to_ne_bytes());
    bytes[4..].copy_from_slice(&errno.to_ne_bytes());
    // So short a write is atomic; nobody else could be told if it failed.
    let _ = raw::write(pipe, &bytes);
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
