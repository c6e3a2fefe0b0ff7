//! The terminal of one command: who stops the command from the keyboard must not lose the terminal.
//!
//! The command is in the foreground with a group of its own, so that Ctrl-Z stops it and not us, and
//! a shell above, which waits for us, would never know. Only stops from the terminal are minded: who
//! sends SIGSTOP by hand can send SIGCONT by hand, too.

use std::io::{IsTerminal, stdin};

use nix::errno::Errno;
use nix::sys::signal::{Signal as Named, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, getpgid, getpgrp, getppid, getsid, tcgetpgrp, tcsetpgrp};

use crate::config::plan::Mode;

/// Our controlling terminal, which standard input is.
pub struct Terminal(());

impl Terminal {
    /// Where one command has a terminal to be stopped from.
    pub fn of(mode: Mode) -> Option<Self> {
        (mode == Mode::OneCommand && stdin().is_terminal()).then_some(Self(()))
    }

    /// Does what a stop of the command from the terminal asks for: a shell above is told by stopping
    /// ourselves, which we return from once it continues us; where there is none, nobody could ever
    /// continue the command, and so it goes on.
    pub fn mind(&self, command: i32) {
        let command = Pid::from_raw(command);
        if !was_stopped(command) {
            return;
        }
        if has_shell_above() {
            hand_back_and_stop(command);
        }
        // Gone meanwhile is no trouble of ours.
        let _ = killpg(command, Named::SIGCONT);
    }
}

/// Whether the terminal has stopped it since we last asked. Its end is not looked at.
fn was_stopped(command: Pid) -> bool {
    let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG;
    let by_terminal = [Named::SIGTSTP, Named::SIGTTIN, Named::SIGTTOU];
    matches!(waitid(Id::Pid(command), flags),
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

/// Gives the terminal to our own group, stops that, and once continued passes it on again, unless
/// we were continued in the background.
fn hand_back_and_stop(command: Pid) {
    let _ = tcsetpgrp(stdin(), getpgrp());
    // The whole group: the others of a pipeline were not in the foreground either.
    let _ = kill(Pid::from_raw(0), Named::SIGSTOP);
    if tcgetpgrp(stdin()) == Ok(getpgrp()) {
        let _ = tcsetpgrp(stdin(), command);
    }
}
