//! The pipes that a child writes to in place of our own standard output and error.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use nix::fcntl::OFlag;
use nix::unistd::pipe2;

use crate::config::plan::{OutputMode, Plan, ProcessPlan};
use crate::init::downward::{Channel, Inlet};
use crate::init::spawn::Extras;
use crate::units::{ProcessIx, RunId};

/// One pipe for each of the two descriptors, both ends.
pub struct Inlets {
    stdout: Pipe,
    stderr: Pipe,
}

struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
}

impl Inlets {
    /// Opens them where the plan wants anything but what is inherited.
    pub fn wanted_by(plan: &ProcessPlan) -> io::Result<Option<Self>> {
        if plan.output.mode == OutputMode::Passthrough {
            return Ok(None);
        }
        Ok(Some(Self { stdout: Pipe::open()?, stderr: Pipe::open()? }))
    }

    /// What the child is told.
    pub fn extras(&self) -> Extras {
        let ends = [&self.stdout, &self.stderr].map(|pipe| Some(pipe.write.as_raw_fd()));
        Extras { outputs: ends, ..Extras::default() }
    }

    /// The ends to read from; the others, which are the child's by now, are closed.
    pub fn into_streams(self, run: RunId, process: ProcessIx, plan: &Arc<Plan>) -> [Inlet; 2] {
        let Self { stdout, stderr } = self;
        [(Channel::Stdout, stdout.read), (Channel::Stderr, stderr.read)]
            .map(|(channel, fd)| Inlet { process, run, plan: Arc::clone(plan), channel, fd })
    }
}

impl Pipe {
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
