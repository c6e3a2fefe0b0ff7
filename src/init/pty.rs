//! A terminal of a child's own, in place of pipes: programs colour what they write to a terminal, and
//! write each line at once. What is written to it is read at our end like what goes into a pipe.
//!
//! It is as large as ours, where we have one. Nobody types at it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use libc::winsize;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::pty::{OpenptyResult, openpty};
use nix::sys::termios::{OutputFlags, SetArg, tcgetattr, tcsetattr};
use nix::unistd::{Uid, fchown};

use crate::config::plan::User;
use crate::init::sys;
use crate::units::RunId;

/// What a terminal is where nobody knows better: the VT100's.
const USUAL: winsize = winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };

/// Both ends of a terminal.
pub struct Pty {
    /// Our end, to read from.
    master: OwnedFd,
    /// The child's.
    slave: OwnedFd,
}

impl Pty {
    /// Opens one for a child of this user; ours when `None`.
    pub fn open(user: Option<&User>) -> io::Result<Self> {
        let OpenptyResult { master, slave } = openpty(Some(&size_of_ours()), None)?;
        for end in [&master, &slave] {
            fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        }
        // Lines end as they do in a pipe.
        let mut modes = tcgetattr(&slave)?;
        modes.output_flags.remove(OutputFlags::ONLCR);
        tcsetattr(&slave, SetArg::TCSANOW, &modes)?;
        // As a login does it, so that `/dev/tty` can be opened by its name.
        if let Some(user) = user {
            fchown(&slave, Some(Uid::from_raw(user.uid)), None)?;
        }
        Ok(Self { master, slave })
    }

    /// What the child gets.
    pub fn child_end(&self) -> RawFd {
        self.slave.as_raw_fd()
    }

    /// A second descriptor of our end, by which its size is set.
    pub fn handle(&self) -> io::Result<OwnedFd> {
        self.master.try_clone()
    }

    /// The end to read from; the child's is closed.
    pub fn into_our_end(self) -> OwnedFd {
        self.master
    }
}

/// The terminals of the runs that live.
#[derive(Default)]
pub struct Windows(BTreeMap<RunId, OwnedFd>);

impl Windows {
    /// This run has one from now on.
    pub fn insert(&mut self, run: RunId, handle: OwnedFd) {
        self.0.insert(run, handle);
    }

    /// The run is over.
    pub fn remove(&mut self, run: RunId) {
        self.0.remove(&run);
    }

    /// Ours has another size: so have they, and the kernel tells whoever is in their foreground.
    pub fn follow_ours(&self) {
        let size = size_of_ours();
        for window in self.0.values() {
            // One that hangs up just now needs no size.
            let _ = sys::set_window_size(window.as_fd(), &size);
        }
    }
}

fn size_of_ours() -> winsize {
    let ours =
        || [io::stdin().as_fd(), io::stdout().as_fd(), io::stderr().as_fd()].map(sys::window_size);
    let known = |size: &winsize| size.ws_row > 0 && size.ws_col > 0;
    // Where all three lead elsewhere there may still be one that we were started at.
    let named = || File::open("/dev/tty").ok().and_then(|tty| sys::window_size(tty.as_fd()));
    ours().into_iter().flatten().chain(named()).find(known).unwrap_or(USUAL)
}
