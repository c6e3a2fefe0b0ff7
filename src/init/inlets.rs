//! What a child writes to in place of our own standard output and error: two pipes, or a terminal of
//! its own.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use nix::fcntl::OFlag;
use nix::unistd::pipe2;

use crate::config::plan::{OutputMode, Plan, ProcessPlan, Stdin};
use crate::init::downward::{Channel, Inlet};
use crate::init::pty::Pty;
use crate::init::spawn::Extras;
use crate::units::{ProcessIx, RunId};

/// Both ends of whatever it is.
pub enum Inlets {
    /// One for each of the two descriptors.
    Pipes { stdout: Pipe, stderr: Pipe },
    /// One for both.
    Terminal(Pty),
}

/// Both ends.
pub struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
}

impl Inlets {
    /// Opens them where the plan wants anything but what is inherited.
    pub fn wanted_by(plan: &ProcessPlan) -> io::Result<Option<Self>> {
        if plan.output.mode == OutputMode::Passthrough {
            return Ok(None);
        }
        Ok(Some(Self::Pipes { stdout: Pipe::open()?, stderr: Pipe::open()? }))
    }

    /// Opens a terminal where the plan wants one of its own.
    pub fn terminal_of(plan: &ProcessPlan) -> io::Result<Option<Self>> {
        if plan.world.stdin != Stdin::OwnTerminal {
            return Ok(None);
        }
        Pty::open(plan.world.user.as_ref()).map(|pty| Some(Self::Terminal(pty)))
    }

    /// By which the size of the terminal is set, where it is one.
    pub fn window(&self) -> Option<OwnedFd> {
        match self {
            Self::Pipes { .. } => None,
            Self::Terminal(pty) => pty.handle().ok(),
        }
    }

    /// What the child is told.
    pub fn extras(&self) -> Extras {
        match self {
            Self::Pipes { stdout, stderr } => {
                let outputs = [stdout, stderr].map(|pipe| Some(pipe.write.as_raw_fd()));
                Extras { outputs, ..Extras::default() }
            }
            Self::Terminal(pty) => {
                let end = Some(pty.child_end());
                Extras { outputs: [end, end], terminal: end, ..Extras::default() }
            }
        }
    }

    /// The ends to read from; the others, which are the child's by now, are closed.
    pub fn into_streams(self, run: RunId, process: ProcessIx, plan: &Arc<Plan>) -> Vec<Inlet> {
        let inlet = |channel, fd| Inlet { process, run, plan: Arc::clone(plan), channel, fd };
        match self {
            Self::Pipes { stdout, stderr } => {
                vec![inlet(Channel::Stdout, stdout.read), inlet(Channel::Stderr, stderr.read)]
            }
            // A terminal knows no difference between the two.
            Self::Terminal(pty) => vec![inlet(Channel::Stdout, pty.into_our_end())],
        }
    }
}

/// A pipe by which a child is spoken to, where its plan wants one.
pub fn intake(plan: &ProcessPlan) -> io::Result<Option<Pipe>> {
    if plan.world.stdin != Stdin::Pipe {
        return Ok(None);
    }
    Pipe::open().map(Some)
}

impl Pipe {
    /// The end that a child reads from.
    pub fn far_end(&self) -> RawFd {
        self.read.as_raw_fd()
    }

    /// The end to write to; the other, which is the child's by now, is closed.
    pub fn into_near_end(self) -> OwnedFd {
        self.write
    }

    /// The child's end waits for room, as programs expect of their output.
    fn open() -> io::Result<Self> {
        let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
        Ok(Self { read, write })
    }
}

/// Nowhere: for commands whose output nobody asked for.
pub fn nowhere() -> io::Result<OwnedFd> {
    File::options().write(true).open("/dev/null").map(OwnedFd::from)
}
