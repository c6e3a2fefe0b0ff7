//! The terminal of the one process that has it: who stops the process from the keyboard must not lose
//! the terminal, and whoever had it before us has it again when we leave, as it was.
//!
//! The process is in the foreground with a group of its own, so that Ctrl-Z stops it and not us, and
//! a shell above, which waits for us, would never know. Only stops from the terminal are minded: who
//! sends SIGSTOP by hand can send SIGCONT by hand, too.

use std::io::{IsTerminal, stdin};

use nix::errno::Errno;
use nix::sys::signal::{Signal as Named, kill, killpg};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, getpgid, getpgrp, getppid, getsid, tcgetpgrp, tcsetpgrp};

use crate::config::plan::{Mode, Passing, Plan, ProcessPlan, Stdin};
use crate::init::sys;
use crate::units::{ExitStatus, Signal};

/// Our controlling terminal, which standard input is.
pub struct Terminal {
    /// How it was set when we came.
    modes: Option<Termios>,
    /// The living process that has it from us.
    owner: Option<Pid>,
    /// Who had it from us last; its group may still be in the foreground.
    last_owner: Option<Pid>,
}

impl Terminal {
    /// Where a process of the plan gets the terminal that standard input is. One that leads a
    /// session of its own must have it without us, so that we let go of it.
    pub fn of(plan: &Plan) -> Option<Self> {
        let wanted = plan.processes.iter().any(|process| owns(plan.mode, process));
        if !wanted || !stdin().is_terminal() {
            return None;
        }
        if plan.passing.own_session {
            sys::leave_terminal();
            return None;
        }
        Some(Self { modes: tcgetattr(stdin()).ok(), owner: None, last_owner: None })
    }

    /// A child was spawned; if it is the one that is to have the terminal, it has taken it.
    pub fn spawned(&mut self, mode: Mode, process: &ProcessPlan, pid: i32) {
        if owns(mode, process) {
            self.owner = Some(Pid::from_raw(pid));
            self.last_owner = self.owner;
        }
    }

    /// A child has ended. The next one can take the terminal from us alone.
    pub fn ended(&mut self, pid: i32, status: ExitStatus) {
        if self.owner != Some(Pid::from_raw(pid)) {
            return;
        }
        self.owner = None;
        self.take_back();
        // Who is killed cannot clear up behind itself; what others set, they may have been for.
        // At once: a terminal that takes nothing (Ctrl-S, or nobody reads it) never drains.
        if let (ExitStatus::Signal(_), Some(modes)) = (status, &self.modes) {
            let _ = tcsetattr(stdin(), SetArg::TCSANOW, modes);
        }
    }

    /// Does what a stop of the owner from the terminal asks for: a shell above is told by stopping
    /// ourselves, which we return from once it continues us; where there is none, nobody could ever
    /// continue the owner, and so it goes on.
    pub fn mind(&self) {
        let Some(owner) = self.owner else { return };
        if !was_stopped(owner) {
            return;
        }
        // In the background it asked for the terminal, which we were given meanwhile.
        let was_given = tcgetpgrp(stdin()) == Ok(getpgrp());
        if has_shell_above() && !was_given {
            hand_back_and_stop(owner);
        }
        pass_on(owner);
        // Gone meanwhile is no trouble of ours.
        let _ = killpg(owner, Named::SIGCONT);
    }

    /// Takes the terminal back from who had it from us, and from nobody else: a shell may have given
    /// it to another job.
    fn take_back(&self) {
        let (Ok(foreground), Some(owner)) = (tcgetpgrp(stdin()), self.last_owner) else { return };
        let is_gone = foreground.as_raw() > 0 && killpg(foreground, None) == Err(Errno::ESRCH);
        if foreground == owner || is_gone {
            let _ = tcsetpgrp(stdin(), getpgrp());
        }
    }
}

impl Drop for Terminal {
    /// Also when the loop has failed.
    fn drop(&mut self) {
        self.take_back();
    }
}

/// A command in a session of its own cannot be stopped from our terminal; when we are asked to let
/// it stop, it has been stopped, and a shell above is told by stopping ourselves as well.
pub fn stop_along(passing: &Passing, signal: Signal) {
    if passing.own_session && [Signal::TSTP, Signal::TTIN, Signal::TTOU].contains(&signal) {
        // The kernel does not stop the first process of a namespace for it.
        let _ = kill(Pid::this(), Named::SIGSTOP);
    }
}

/// Whether this process has the terminal.
fn owns(mode: Mode, process: &ProcessPlan) -> bool {
    match process.world.stdin {
        Stdin::Terminal => true,
        Stdin::Usual | Stdin::Inherit => mode == Mode::OneCommand,
        Stdin::Null | Stdin::Pipe | Stdin::OwnTerminal => false,
    }
}

/// Whether the terminal has stopped it since we last asked. Its end is not looked at.
fn was_stopped(owner: Pid) -> bool {
    let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG;
    let by_terminal = [Named::SIGTSTP, Named::SIGTTIN, Named::SIGTTOU];
    matches!(waitid(Id::Pid(owner), flags),
        Ok(WaitStatus::Stopped(_, signal)) if by_terminal.contains(&signal))
}

/// Whether our parent is of our session and not of our group, as a shell with jobs is.
fn has_shell_above() -> bool {
    let parent = getppid();
    let same_session = || Ok::<_, Errno>(getsid(Some(parent))? == getsid(None)?);
    parent.as_raw() > 0
        && same_session().unwrap_or(false)
        && getpgid(Some(parent)).is_ok_and(|group| group != getpgrp())
}

/// Gives the terminal to our own group, if the owner has it, and stops that.
fn hand_back_and_stop(owner: Pid) {
    if tcgetpgrp(stdin()) == Ok(owner) {
        let _ = tcsetpgrp(stdin(), getpgrp());
    }
    // The whole group: the others of a pipeline were not in the foreground either.
    let _ = kill(Pid::from_raw(0), Named::SIGSTOP);
}

/// Gives the owner the terminal, unless we were continued in the background.
fn pass_on(owner: Pid) {
    if tcgetpgrp(stdin()) == Ok(getpgrp()) {
        let _ = tcsetpgrp(stdin(), owner);
    }
}
