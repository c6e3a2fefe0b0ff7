//! What a test of health wrote last: nobody wants all of it every few seconds, and everybody wants
//! its end when it failed.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::{pipe2, read};

use crate::init::bells::{Bell, Bells, Ringing, Rung};
use crate::secret::mask::mask_line;
use crate::units::ErrandId;

/// So much of the end is kept, in bytes: a few lines, as they fit into a line of the log.
const KEPT: usize = 256;
/// Read at once, and so often in a row: what an unasked pipe holds.
const PIECE: usize = 4 << 10;
const PIECES: usize = 16;
/// Who writes more than this is read no further, and takes too long: no test writes that much, and
/// reading it would keep the loop from better things.
const MOST: usize = 16 << 20;

/// The near end of a pipe that a test writes to.
pub(super) struct LastWords {
    /// Until nothing is to come, or too much came.
    rung: Option<Rung>,
    end: Vec<u8>,
    read: usize,
}

/// Both ends of a pipe, the near one non-blocking.
pub(super) fn open() -> io::Result<(OwnedFd, OwnedFd)> {
    let (near, far) = pipe2(OFlag::O_CLOEXEC)?;
    fcntl(&near, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((near, far))
}

impl LastWords {
    /// Has the near end ring when there is something to read.
    pub(super) fn of(near: OwnedFd, errand: ErrandId, bells: &Bells) -> io::Result<Self> {
        let rung = Some(bells.hang(near, Bell::Said(errand), Ringing::On)?);
        Ok(Self { rung, end: Vec::new(), read: 0 })
    }

    /// Reads what is there, up to a bound, for as long as it is worth listening.
    pub(super) fn take(&mut self) {
        if let Some(rung) = self.rung.take()
            && self.read_from(&rung)
        {
            self.rung = Some(rung);
        }
    }

    /// Whether more may come that is worth listening for.
    fn read_from(&mut self, rung: &Rung) -> bool {
        let mut piece = [0; PIECE];
        for _ in 0..PIECES {
            match read(rung.fd(), &mut piece) {
                Ok(0) => return false,
                Ok(bytes) => self.note(&piece[..bytes]),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return true,
                Err(_) => return false,
            }
            if self.read > MOST {
                return false;
            }
        }
        true
    }

    fn note(&mut self, piece: &[u8]) {
        self.read += piece.len();
        self.end.extend_from_slice(piece);
        let excess = self.end.len().saturating_sub(KEPT);
        self.end.drain(..excess);
    }

    /// The end of what was written, for people: without what a terminal would obey, and with secrets
    /// masked; `None` where nothing was written.
    pub(super) fn text(&self) -> Option<Arc<str>> {
        let text = String::from_utf8_lossy(&self.end);
        // A character may have been cut at the front.
        let text = if self.read > KEPT { text.trim_start_matches('\u{fffd}') } else { &text };
        let lines = text
            .lines()
            .map(|line| mask_line(&line.chars().filter(|c| !c.is_control()).collect::<String>()));
        let lines: Vec<String> = lines.filter(|line| !line.trim().is_empty()).collect();
        (!lines.is_empty()).then(|| lines.join("\n").into())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;

    fn heard(near: OwnedFd) -> LastWords {
        let bells = Bells::new().expect("a set");
        LastWords::of(near, ErrandId(1), &bells).expect("a place")
    }

    #[test]
    fn the_end_is_kept_whatever_comes_and_nobody_waits() {
        let (near, far) = open().expect("a pipe");
        let mut words = heard(near);
        let mut far = File::from(far);
        words.take();
        assert_eq!(words.text(), None);
        for number in 0..40_000 {
            writeln!(far, "line {number}").expect("room");
            if number % 1000 == 0 {
                words.take();
                assert!(words.rung.is_some());
            }
        }
        far.write_all("tätärä\x1b[31m\n".as_bytes()).expect("room");
        drop(far);
        while words.rung.is_some() {
            words.take();
        }
        let text = words.text().expect("it said something");
        assert!(text.len() <= KEPT && text.ends_with("line 39999\ntätärä[31m"), "{text}");
    }

    #[test]
    fn secrets_are_masked() {
        let (near, far) = open().expect("a pipe");
        let mut words = heard(near);
        File::from(far).write_all(b"GET /x?token=sesame\npassword=sesame").expect("room");
        words.take();
        let text = words.text().expect("it said something");
        assert!(!text.contains("sesame"), "{text}");
    }
}
