//! What wakes the loop: descriptors that have something to say, and whoever puts something into its
//! queues. One `epoll(7)` set, and no runtime above it: what lies between a signal and the child
//! that it is for is a read and a kill.

use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::units::{ErrandId, RunId};

/// How many bells are heard at once; the kernel keeps those that ring on for the next time.
const AT_ONCE: usize = 32;

/// What rang.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bell {
    /// Signals have arrived.
    Signals,
    /// Children have died.
    Deaths,
    /// Something was put into a queue.
    Queues,
    /// The pipe of a spawn has something to say.
    Pipe(RunId),
    /// A run has something to say.
    Notices(RunId),
    /// A process that was taken over ended.
    AdoptedEnded(RunId),
    /// A test of health wrote something.
    Said(ErrandId),
}

/// What the kernel keeps for us: the kind in the lowest bits, and above them whose it is.
const KIND_BITS: u32 = 3;

impl Bell {
    fn word(self) -> u64 {
        let (kind, whose) = match self {
            Self::Signals => (0, 0),
            Self::Deaths => (1, 0),
            Self::Queues => (2, 0),
            Self::Pipe(run) => (3, run.0),
            Self::Notices(run) => (4, run.0),
            Self::AdoptedEnded(run) => (5, run.0),
            Self::Said(errand) => (6, errand.0),
        };
        whose << KIND_BITS | kind
    }

    fn of_word(word: u64) -> Self {
        let run = RunId(word >> KIND_BITS);
        match word & ((1 << KIND_BITS) - 1) {
            0 => Self::Signals,
            1 => Self::Deaths,
            2 => Self::Queues,
            3 => Self::Pipe(run),
            4 => Self::Notices(run),
            5 => Self::AdoptedEnded(run),
            _ => Self::Said(ErrandId(run.0)),
        }
    }
}

/// How often a descriptor rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ringing {
    /// For as long as there is something to read.
    On,
    /// Once for each thing that comes.
    Anew,
    /// Once, until [`Rung::again`].
    Once,
}

impl Ringing {
    fn flags(self) -> EpollFlags {
        let readable = EpollFlags::EPOLLIN;
        match self {
            Self::On => readable,
            Self::Anew => readable | EpollFlags::EPOLLET,
            Self::Once => readable | EpollFlags::EPOLLONESHOT,
        }
    }
}

/// All bells of the loop.
pub(super) struct Bells {
    set: Rc<Epoll>,
    door: Arc<Door>,
    waker: Waker,
}

/// What those in other threads ring by.
struct Door(EventFd);

impl Wake for Door {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // It fails only where it rings already, more often than can be counted.
        let _ = self.0.write(1);
    }
}

impl Bells {
    /// None but the door's.
    pub(super) fn new() -> io::Result<Self> {
        let set = Rc::new(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?);
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let door = Arc::new(Door(EventFd::from_value_and_flags(0, flags)?));
        set.add(&door.0, EpollEvent::new(Ringing::On.flags(), Bell::Queues.word()))?;
        let waker = Waker::from(Arc::clone(&door));
        Ok(Self { set, door, waker })
    }

    /// Has this descriptor ring.
    pub(super) fn hang(&self, fd: OwnedFd, bell: Bell, ringing: Ringing) -> io::Result<Rung> {
        self.set.add(&fd, EpollEvent::new(ringing.flags(), bell.word()))?;
        Ok(Rung { fd, set: Rc::clone(&self.set) })
    }

    /// Rings for the queues, from wherever it is woken.
    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Waits this long for any to ring. None rings where time is up, or we were interrupted.
    pub(super) fn wait(
        &self,
        patience: Duration,
    ) -> io::Result<impl Iterator<Item = Bell> + use<>> {
        let mut events = [EpollEvent::empty(); AT_ONCE];
        let rung = match self.set.wait(&mut events, timeout(patience)) {
            Ok(rung) => rung,
            Err(Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        let rung = events.into_iter().take(rung).map(|event| Bell::of_word(event.data()));
        // Before anybody looks into the queues, so that what is put there meanwhile rings again.
        if rung.clone().any(|bell| bell == Bell::Queues) {
            let _ = self.door.0.read();
        }
        Ok(rung)
    }
}

/// Whole milliseconds, which is what the kernel takes, and not too few: who wakes up early finds
/// nothing to do.
fn timeout(patience: Duration) -> EpollTimeout {
    let millis = patience.as_nanos().div_ceil(1_000_000);
    EpollTimeout::try_from(millis).unwrap_or(EpollTimeout::NONE)
}

/// A descriptor that rings for as long as this lives. It is taken off before it is closed: a child
/// that has not executed yet holds a copy, for which it would go on to ring.
pub(super) struct Rung {
    fd: OwnedFd,
    set: Rc<Epoll>,
}

impl Rung {
    /// What rings.
    pub(super) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// Once more, for one that rang once.
    pub(super) fn again(&self, bell: Bell) {
        let mut event = EpollEvent::new(Ringing::Once.flags(), bell.word());
        // It hangs there, and there is no other reason to fail.
        let _ = self.set.modify(&self.fd, &mut event);
    }
}

impl Drop for Rung {
    fn drop(&mut self) {
        let _ = self.set.delete(&self.fd);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{PipeWriter, Write, pipe};

    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    fn heard(bells: &Bells) -> Vec<Bell> {
        bells.wait(SOON).expect("a set").collect()
    }

    fn hung(bells: &Bells, bell: Bell, ringing: Ringing) -> (Rung, PipeWriter) {
        let (read, write) = pipe().expect("a pipe");
        (bells.hang(read.into(), bell, ringing).expect("a place"), write)
    }

    #[test]
    fn a_bell_keeps_its_name() {
        let run = RunId(u64::MAX >> KIND_BITS);
        for bell in [
            Bell::Signals,
            Bell::Deaths,
            Bell::Queues,
            Bell::Pipe(run),
            Bell::Notices(RunId(7)),
            Bell::AdoptedEnded(run),
            Bell::Said(ErrandId(9)),
        ] {
            assert_eq!(Bell::of_word(bell.word()), bell);
        }
    }

    #[test]
    fn each_rings_as_often_as_it_was_asked_to() {
        let bells = Bells::new().expect("a set");
        let run = RunId(1);
        for (ringing, second, third) in [
            (Ringing::On, vec![Bell::Pipe(run)], vec![Bell::Pipe(run)]),
            (Ringing::Anew, vec![], vec![Bell::Pipe(run)]),
            (Ringing::Once, vec![], vec![]),
        ] {
            let (rung, mut write) = hung(&bells, Bell::Pipe(run), ringing);
            assert_eq!(heard(&bells), []);
            write.write_all(b"1").expect("room");
            assert_eq!(heard(&bells), [Bell::Pipe(run)], "{ringing:?}");
            assert_eq!(heard(&bells), second, "{ringing:?}");
            write.write_all(b"2").expect("room");
            assert_eq!(heard(&bells), third, "{ringing:?}");
            drop(rung);
        }
    }

    #[test]
    fn who_rang_once_rings_again_when_it_is_asked() {
        let bells = Bells::new().expect("a set");
        let bell = Bell::Notices(RunId(3));
        let (rung, mut write) = hung(&bells, bell, Ringing::Once);
        write.write_all(b"1").expect("room");
        assert_eq!(heard(&bells), [bell]);
        rung.again(bell);
        assert_eq!(heard(&bells), [bell]);
    }

    #[test]
    fn what_was_taken_off_is_silent_though_a_copy_of_it_is_open() {
        let bells = Bells::new().expect("a set");
        let (rung, mut write) = hung(&bells, Bell::Pipe(RunId(1)), Ringing::On);
        let _copy = rung.fd().try_clone().expect("a copy");
        write.write_all(b"1").expect("room");
        drop(rung);
        assert_eq!(heard(&bells), []);
    }

    #[test]
    fn the_door_rings_once_however_often_it_was_knocked_at() {
        let bells = Bells::new().expect("a set");
        let waker = bells.waker().clone();
        std::thread::spawn(move || (0..3).for_each(|_| waker.wake_by_ref())).join().expect("ends");
        assert_eq!(heard(&bells), [Bell::Queues]);
        assert_eq!(heard(&bells), []);
    }
}
