//! The socket of `sd_notify(3)`: one for each run that speaks, by which it says that it is ready, or
//! lives.
//!
//! It has no place in the file system, so that no folder must be writable and nothing is left behind.
//! Descriptors that are sent along are closed by the kernel, because no room is given for them.
//!
//! `WATCHDOG_PID` is not set, which the protocol allows: it would keep a server from speaking that
//! was started by a wrapper (`npm run`, `uv run`, a shell).

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::config::plan::ProcessPlan;
use crate::init::bells::{Bell, Bells, Ringing, Rung};
use crate::init::spawn::Extras;
use crate::supervise::fact::Notice;
use crate::units::RunId;

/// Longer messages are passed over, as by systemd, whose bound is the same.
const LONGEST: usize = 4096;
/// Messages that are taken in one turn.
const MOST_PER_TURN: usize = 16;
/// How long a run that says more than that at once is left waiting: the kernel makes it wait, too,
/// when the queue of its socket is full.
const PAUSE: Duration = Duration::from_millis(100);
/// Longer lines of `STATUS=` are cut.
const LONGEST_STATUS: usize = 256;

/// What a run gets for itself; those of ours are meant for us.
const VARIABLES: &[&str] = &["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// Our end of the socket of one run; closed with the run.
pub(super) struct Notify {
    name: String,
    run: RunId,
    socket: UnixDatagram,
    /// The same socket, which rings.
    rung: Rung,
    said_much: bool,
}

impl Notify {
    /// Opens one where the plan listens to what the run says.
    pub(super) fn wanted_by(
        plan: &ProcessPlan,
        run: RunId,
        bells: &Bells,
    ) -> io::Result<Option<Self>> {
        let ready = plan.ready.as_ref().is_some_and(|ready| ready.notify);
        if ready || plan.watchdog.is_some() { Self::open(run, bells).map(Some) } else { Ok(None) }
    }

    fn open(run: RunId, bells: &Bells) -> io::Result<Self> {
        let name = format!("procession/notify/{:016x}{:016x}", chance(), chance());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        socket.set_nonblocking(true)?;
        let copy = socket.try_clone()?.into();
        let rung = bells.hang(copy, Bell::Notices(run), Ringing::Once)?;
        Ok(Self { name, run, socket, rung, said_much: false })
    }

    /// Tells the child where to speak, and how often.
    pub(super) fn tell(&self, plan: &ProcessPlan, extras: &mut Extras) {
        extras.without = VARIABLES;
        extras.variables.push(("NOTIFY_SOCKET", format!("@{}", self.name)));
        if let Some(watchdog) = plan.watchdog {
            extras.variables.push(("WATCHDOG_USEC", watchdog.as_micros().to_string()));
        }
    }

    /// How long it is left waiting before we listen again, where it said too much at once.
    pub(super) fn pause(&self) -> Option<Duration> {
        self.said_much.then_some(PAUSE)
    }

    /// Rings once something was said.
    pub(super) fn listen(&self) {
        self.rung.again(Bell::Notices(self.run));
    }

    /// Takes what was said, up to a bound: each thing once, and the last status alone.
    pub(super) fn take(&mut self) -> Vec<Notice> {
        let mut message = [0; LONGEST + 1];
        let mut notices = Vec::new();
        self.said_much = true;
        for _ in 0..MOST_PER_TURN {
            let Ok(length) = self.socket.recv(&mut message) else {
                self.said_much = false;
                break;
            };
            if length <= LONGEST {
                read(&message[..length]).into_iter().for_each(|notice| note(&mut notices, notice));
            }
        }
        notices
    }
}

/// 64 bits that nobody can guess: the standard library keys its hashers from the system's source.
fn chance() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn note(notices: &mut Vec<Notice>, notice: Notice) {
    if matches!(notice, Notice::Status(_)) {
        notices.retain(|known| !matches!(known, Notice::Status(_)));
    }
    // Said again in the same breath it means the same.
    if notices.last() != Some(&notice) {
        notices.push(notice);
    }
}

/// What a message says: lines of `KEY=VALUE`. What is not understood is passed over.
fn read(message: &[u8]) -> Vec<Notice> {
    let mut notices = Vec::new();
    for line in message.split(|byte| *byte == b'\n') {
        if let Some(notice) = notice(line) {
            note(&mut notices, notice);
        }
    }
    notices
}

fn notice(line: &[u8]) -> Option<Notice> {
    let line = String::from_utf8_lossy(line);
    match line.split_once('=')? {
        ("READY", "1") => Some(Notice::Ready),
        ("STOPPING", "1") => Some(Notice::Stopping),
        ("RELOADING", "1") => Some(Notice::Reloading),
        ("WATCHDOG", "1") => Some(Notice::Watchdog),
        ("WATCHDOG", "trigger") => Some(Notice::WatchdogTriggered),
        ("EXTEND_TIMEOUT_USEC", micros) => micros.parse().ok().map(Notice::ExtendTimeout),
        ("STATUS", text) => Some(Notice::Status(status(text))),
        _ => None,
    }
}

/// One line of it that is fit for a terminal.
fn status(text: &str) -> String {
    let fit = |letter: char| if letter.is_control() { ' ' } else { letter };
    let mut line: String = text.trim().chars().map(fit).collect();
    line.truncate(line.floor_char_boundary(LONGEST_STATUS));
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood_and_the_rest_is_passed_over() {
        let all = b"READY=1\nSTATUS=up \x1b[1m\nMAINPID=7\nWATCHDOG=1\nWATCHDOG=trigger\n\
            EXTEND_TIMEOUT_USEC=5000000\nREADY=0\nFDSTORE=1\nSTOPPING=1\nRELOADING=1\n\xff=\n=\n";
        let want = [
            Notice::Ready,
            Notice::Status("up  [1m".into()),
            Notice::Watchdog,
            Notice::WatchdogTriggered,
            Notice::ExtendTimeout(5_000_000),
            Notice::Stopping,
            Notice::Reloading,
        ];
        assert_eq!(read(all), want);
        assert_eq!(read(b"EXTEND_TIMEOUT_USEC=-1\nready=1\nREADY"), []);
    }

    #[test]
    fn a_status_is_one_short_line_and_only_the_last_counts() {
        let long = format!("STATUS={}\nSTATUS={}", "a".repeat(10), "é".repeat(300));
        let [Notice::Status(told)] = &read(long.as_bytes())[..] else { panic!("one status") };
        assert_eq!(told.as_str(), "é".repeat(128));
        assert_eq!(read(&b"WATCHDOG=1\n".repeat(300)), [Notice::Watchdog]);
    }

    fn speaker(notify: &Notify) -> UnixDatagram {
        let address = SocketAddr::from_abstract_name(&notify.name).expect("a name");
        let socket = UnixDatagram::unbound().expect("a socket");
        socket.connect_addr(&address).expect("somebody listens");
        socket.set_nonblocking(true).expect("a flag");
        socket
    }

    #[test]
    fn a_flood_is_taken_in_bounded_sips_and_long_messages_not_at_all() {
        let bells = Bells::new().expect("a set");
        let rung = || bells.wait(PAUSE).expect("a set").collect::<Vec<Bell>>();
        let mut notify = Notify::open(RunId(3), &bells).expect("a socket");
        let speaker = speaker(&notify);
        speaker.send(&[b'A'; LONGEST + 1]).expect("room");
        speaker.send(b"READY=1").expect("room");
        assert_eq!(rung(), [Bell::Notices(RunId(3))]);
        assert_eq!(notify.take(), [Notice::Ready]);
        assert_eq!(notify.pause(), None);
        for _ in 0..4 * MOST_PER_TURN {
            // The kernel's own bound may be smaller than ours.
            while speaker.send(b"WATCHDOG=1").is_err() {
                assert_eq!(notify.take(), [Notice::Watchdog]);
            }
        }
        assert_eq!(rung(), [], "not listened to");
        notify.listen();
        assert_eq!(rung(), [Bell::Notices(RunId(3))]);
        while !notify.take().is_empty() {}
        assert_eq!(notify.pause(), None);
        drop(notify);
        assert!(speaker.send(b"READY=1").is_err());
    }
}
