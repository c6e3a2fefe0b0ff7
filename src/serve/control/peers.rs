//! Who asks: the process at the other end of the socket, and whether it lies inside one of our
//! runs.
//!
//! Agents often run under our own uid, so that the mode of the socket keeps none of them out. Who
//! descends from us was started by one of our runs, whatever it is called: it may look, and act on
//! its own run only. Who does not descend from us was started by somebody else who may reach the
//! socket: the admin. Each time that something cannot be told, the asker counts as less.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use nix::sys::socket::{getsockopt, sockopt};

use crate::ledger::snapshot::Snapshot;
use crate::memory::proc;
use crate::memory::stat::ProcStat;
use crate::units::{ProcId, SessionId};

/// Links from a process to its forebears that are followed; real chains have a dozen.
const MOST_LINKS: usize = 256;

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its pid in our namespace; 0 when it lives in another.
    pub pid: i32,
    /// As whom it runs.
    pub uid: u32,
    /// The kernel's short name for its program.
    pub name: String,
    /// Where it stands.
    pub place: Place,
}

/// Where a peer stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// It does not descend from us.
    Outside,
    /// It lies in the tree of this run.
    Inside {
        /// The process that it is a run of.
        process: String,
        /// The session that the run is.
        session: SessionId,
    },
    /// It descends from us, and nobody knows by which run; or it cannot be told.
    Unknown,
}

/// Looks at the other end of a connection. The kernel wrote down who it was when it connected; a
/// pid that was freed since is told by the descriptor of the process, or by its start time.
pub fn look(stream: &impl AsFd, snapshot: &Snapshot) -> io::Result<Peer> {
    let stream = stream.as_fd();
    let credentials = getsockopt(&stream, sockopt::PeerCredentials)?;
    let (pid, uid) = (credentials.pid(), credentials.uid());
    let us = i32::try_from(std::process::id()).unwrap_or(0);
    let peer = |name: String, place| Peer { pid, uid, name, place };
    if pid == 0 || pid == us {
        // It lives outside our namespace, where none of our runs can get; or it is ourselves.
        return Ok(peer("?".to_owned(), Place::Outside));
    }
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let name = name.trim_end().to_owned();
    let chain = chain_of(pid, us);
    // Asked last: if it still is that pid, everything above was about it.
    let is_it = match getsockopt(&stream, sockopt::PeerPidfd) {
        Ok(pidfd) => names(&pidfd, pid),
        // A kernel before 6.5: what is left is that nobody takes the pid within microseconds.
        Err(Errno::ENOPROTOOPT) => proc::stat(pid).is_ok(),
        Err(_) => false,
    };
    let place = if is_it { placed(&chain, us, snapshot) } else { Place::Unknown };
    Ok(peer(name, place))
}

/// Whether the descriptor is of a living process with this pid.
fn names(pidfd: &impl AsRawFd, pid: i32) -> bool {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd()));
    let info = info.unwrap_or_default();
    let found = info.lines().find_map(|line| line.strip_prefix("Pid:"));
    found.and_then(|text| text.trim().parse().ok()) == Some(pid)
}

/// A process and its forebears, until one of them is ours, or nobody's, or cannot be read.
fn chain_of(pid: i32, us: i32) -> Vec<ProcStat> {
    let mut chain: Vec<ProcStat> = Vec::new();
    let mut next = pid;
    while chain.len() < MOST_LINKS
        && next > 0
        && next != us
        && let Ok(stat) = proc::stat(next)
    {
        next = stat.ppid;
        chain.push(stat);
    }
    chain
}

/// Where the first of a chain stands.
fn placed(chain: &[ProcStat], us: i32, snapshot: &Snapshot) -> Place {
    let Some(last) = chain.last() else { return Place::Unknown };
    let older = |pair: &[ProcStat]| pair[1].id.start_ticks <= pair[0].id.start_ticks;
    // A parent that is younger than its child took over a pid while we looked.
    if !chain.windows(2).all(older) {
        return Place::Unknown;
    }
    match last.ppid {
        parent if parent == us => run_of(chain, snapshot),
        0 => Place::Outside,
        _ => Place::Unknown,
    }
}

/// The run whose main process is in the chain, or whose session or group a member of it carries.
fn run_of(chain: &[ProcStat], snapshot: &Snapshot) -> Place {
    let is_main = |main: ProcId| chain.iter().any(|stat| stat.id == main);
    let carried = |main: ProcId| chain.iter().any(|s| s.sid == main.pid || s.pgid == main.pid);
    let runs = || {
        let runs = snapshot.processes.iter().filter_map(|p| Some((p, p.run.as_ref()?)));
        runs.filter_map(|(process, run)| Some((process, run.session, run.main?)))
    };
    let found = runs().find(|(_, _, main)| is_main(*main));
    let found = found.or_else(|| runs().find(|(_, _, main)| carried(*main)));
    match found {
        Some((process, session, _)) => Place::Inside { process: process.name.clone(), session },
        None => Place::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::control::example;

    const US: i32 = 1;

    fn stat(pid: i32, ppid: i32, start_ticks: u64) -> ProcStat {
        let id = ProcId { pid, start_ticks };
        ProcStat {
            id,
            ppid,
            pgid: pid,
            sid: pid,
            state: b'S',
            threads: 1,
            own_ticks: 0,
            waited_ticks: 0,
        }
    }

    /// Where the first of the chain stands, when `web` runs as pid 10 since 100.
    fn place(chain: &[ProcStat]) -> Place {
        placed(chain, US, &example::picture())
    }

    fn inside() -> Place {
        Place::Inside { process: "web".to_owned(), session: example::session(1) }
    }

    #[test]
    fn who_descends_from_a_run_is_inside_it() {
        assert_eq!(place(&[stat(30, 20, 120), stat(20, 10, 110), stat(10, US, 100)]), inside());
        assert_eq!(place(&[stat(10, US, 100)]), inside());
    }

    #[test]
    fn who_was_left_to_us_is_placed_by_its_session_or_by_nothing() {
        assert_eq!(place(&[ProcStat { sid: 10, ..stat(30, US, 120) }]), inside());
        assert_eq!(place(&[stat(30, US, 120)]), Place::Unknown);
        // The pid of the main process, but another process.
        let another = ProcStat { sid: 9, pgid: 9, ..stat(10, US, 500) };
        assert_eq!(place(&[another]), Place::Unknown);
    }

    #[test]
    fn who_descends_from_nobody_of_ours_is_outside() {
        assert_eq!(place(&[stat(30, 20, 120), stat(20, 0, 110)]), Place::Outside);
    }

    #[test]
    fn what_cannot_be_told_is_not_outside() {
        assert_eq!(place(&[]), Place::Unknown);
        // The parent vanished before it was read.
        assert_eq!(place(&[stat(30, 20, 120)]), Place::Unknown);
        // A newer process had its pid by then, and that one is outside.
        assert_eq!(place(&[stat(30, 20, 120), stat(20, 0, 130)]), Place::Unknown);
    }
}
