//! Our own standard output and standard error: one writer each, or one for both where they lead to
//! the same place.
//!
//! The descriptors were inherited and are shared with others, so their flags are left alone; a
//! write may therefore take for ever, and only the writer's thread waits for it.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::fstat;
use nix::sys::uio::writev;

use crate::output::queue::{AtWork, Chunk, Leaving, Queue};

/// Threads of this room have small work to do.
pub const STACK: usize = 256 << 10;
/// What is written at once: enough to make a system call worth its while, little enough to see
/// whether a slow target moves.
const AT_ONCE: usize = 256 << 10;
/// And in so many parts at most; the kernel takes 1024.
const PARTS: usize = 256;

/// One place that lines are shown at.
pub struct Console {
    /// What waits to be shown.
    pub queue: Arc<Queue>,
    /// Whether somebody looks at it, so that colours make sense.
    pub is_terminal: bool,
    fd: Arc<OwnedFd>,
    leaving: Arc<Leaving>,
    attended: AtomicBool,
    /// That there was no thread to be had was told.
    told: AtomicBool,
}

impl Console {
    /// A place without its writer, which comes with the first line.
    pub fn new(fd: OwnedFd, queue: Queue, leaving: &Arc<Leaving>) -> Self {
        Self {
            queue: Arc::new(queue),
            is_terminal: fd.as_fd().is_terminal(),
            fd: Arc::new(fd),
            leaving: Arc::clone(leaving),
            attended: AtomicBool::new(false),
            told: AtomicBool::new(false),
        }
    }

    /// Whether something that is written to either comes out at the same place.
    pub fn leads_to(&self, other: BorrowedFd<'_>) -> bool {
        match (fstat(&*self.fd), fstat(other)) {
            (Ok(ours), Ok(theirs)) => (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino),
            _ => false,
        }
    }

    /// Sees to it that there is a writer. Whether there is one.
    pub fn attend(&self) -> bool {
        if self.attended.swap(true, Ordering::AcqRel) {
            return true;
        }
        let writer = Writer {
            queue: Arc::clone(&self.queue),
            fd: Arc::clone(&self.fd),
            torn: false,
            fault: None,
            _at_work: self.leaving.enter(),
        };
        let thread = std::thread::Builder::new().name("output-write".into()).stack_size(STACK);
        let started = thread.spawn(move || writer.run());
        if let Err(error) = &started {
            if !self.told.swap(true, Ordering::Relaxed) {
                tracing::warn!(target: "output", %error, "no thread to write output, for now: the oldest lines are dropped");
            }
            self.attended.store(false, Ordering::Release);
        }
        started.is_ok()
    }
}

struct Writer {
    queue: Arc<Queue>,
    fd: Arc<OwnedFd>,
    /// The last write ended within a line.
    torn: bool,
    /// Why the last write failed, so that it is told once.
    fault: Option<Errno>,
    _at_work: AtWork,
}

impl Writer {
    fn run(mut self) {
        while catch_unwind(AssertUnwindSafe(|| self.write_all())).is_err() {
            tracing::error!(target: "output", "the writer of output goes on after a fault of ours");
        }
    }

    fn write_all(&mut self) {
        while let Some(chunks) = self.queue.take() {
            let mut at = 0;
            while at < chunks.len() {
                let group = group(&chunks, at);
                self.write_group(&chunks, at, group);
                self.queue.moved();
                at += group;
            }
            self.queue.give_back(chunks);
        }
    }

    /// Writes some chunks whole, or counts those as lost that could not be.
    fn write_group(&mut self, chunks: &VecDeque<Chunk>, at: usize, len: usize) {
        let mut parts = Vec::with_capacity(len + 1);
        // What was torn must not run into the next line.
        parts.push(IoSlice::new(if self.torn { b"\n" } else { b"" }));
        parts.extend(chunks.range(at..at + len).map(|chunk| IoSlice::new(&chunk.bytes)));
        let mut rest = &mut parts[..];
        let result = write_whole(self.fd.as_fd(), &mut rest);
        let unwritten = rest.len();
        self.tell(result.err());
        if result.is_ok() {
            self.torn = false;
            return;
        }
        let lost = unwritten.min(len);
        chunks.range(at + len - lost..at + len).for_each(Chunk::lose);
        let cut = chunks.get(at + len - lost).map_or(0, |chunk| chunk.bytes.len());
        self.torn |= rest.first().is_some_and(|part| part.len() != cut);
    }

    fn tell(&mut self, fault: Option<Errno>) {
        match fault {
            Some(errno) if self.fault != fault => {
                tracing::warn!(target: "output", %errno, "output cannot be written: lines are dropped");
            }
            None if self.fault.is_some() => {
                tracing::info!(target: "output", "output can be written again");
            }
            _ => {}
        }
        self.fault = fault;
    }
}

/// How many chunks from `at` on are written together.
fn group(chunks: &VecDeque<Chunk>, at: usize) -> usize {
    let mut bytes = 0;
    let fits = chunks.range(at..).take(PARTS).take_while(|chunk| {
        bytes += chunk.bytes.len();
        bytes <= AT_ONCE
    });
    fits.count().max(1)
}

/// Writes all parts, and waits where somebody else made the descriptor non-blocking. What was not
/// written stays in `parts`.
fn write_whole(fd: BorrowedFd<'_>, parts: &mut &mut [IoSlice<'_>]) -> Result<(), Errno> {
    IoSlice::advance_slices(parts, 0);
    while !parts.is_empty() {
        match writev(fd, parts) {
            Ok(written) => IoSlice::advance_slices(parts, written),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                let mut fds = [PollFd::new(fd, PollFlags::POLLOUT)];
                let _ = poll(&mut fds, PollTimeout::NONE);
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Duplicates of our own standard output and standard error, which share their flags.
pub fn inherited() -> io::Result<[OwnedFd; 2]> {
    Ok([io::stdout().as_fd().try_clone_to_owned()?, io::stderr().as_fd().try_clone_to_owned()?])
}
