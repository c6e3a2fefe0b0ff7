//! Which supervisor wrote a row, and whether it still lives.
//!
//! Many supervisors write to one database, so what one of them left open is not always left behind.
//! A life is known by where it runs: its boot and pid namespace, in which the kernel can be asked; its
//! instance, which only one living supervisor has at a time; and its host.
//!
//! The instance is an identity in the state folder, in a file that stays locked for as long as its
//! supervisor lives. The kernel gives a lock up when its holder is gone, so whoever holds it knows that
//! all earlier lives of the instance are over, whatever container they ran in.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::store::runfile::Owner;
use crate::units::{ProcId, SessionId, Wall};

/// The file in the state folder that holds the instance's identity.
pub const INSTANCE_FILE: &str = "instance";

/// Of a supervisor of which the kernel can tell us nothing: for how long it must have been silent,
/// and away from the database, before what it left open counts as left behind. Long, because a
/// machine may sleep over a holiday.
pub const LONGEST_SILENCE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// One life of one supervisor, as other lives know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// Its own identity.
    pub id: SessionId,
    /// What all lives with one state folder have in common.
    pub instance: String,
    /// The name of its host or container.
    pub host: String,
    /// Where its pids mean something.
    pub owner: Owner,
    /// When it began.
    pub began: Wall,
}

/// Whether another life may still write to its sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It lives: its sessions are its own.
    Lives,
    /// It is over.
    Over,
    /// It is over, unless it is connected to the database.
    OverUnlessConnected,
    /// It is over if it is not connected and was silent for [`LONGEST_SILENCE`].
    OverIfSilent,
}

/// Ourselves.
#[derive(Clone)]
pub struct Identity {
    life: Life,
    alive: Alive,
    only_looks: bool,
    /// Held for as long as we live.
    _lock: Option<Arc<File>>,
}

/// Says whether a process with this pid and this start time exists.
pub type Alive = Arc<dyn Fn(ProcId) -> bool + Send + Sync>;

/// What an identity is made of, before anything is read.
#[derive(Clone)]
pub struct Beginnings {
    /// The identity of this life.
    pub id: SessionId,
    /// When it began.
    pub began: Wall,
    /// Us, to the kernel; absent without `/proc`.
    pub supervisor: Option<ProcId>,
    /// Asks the kernel for others.
    pub alive: Alive,
    /// Whether we only look: nothing is left behind by us.
    pub only_looks: bool,
}

impl Identity {
    /// Learns who we are. Never fails: what cannot be learnt is replaced by something that no other
    /// life has, so that at worst nothing of an earlier life is recognised. Without a state folder
    /// nothing is written or locked.
    pub fn learn(from: Beginnings, state_dir: Option<&Path>) -> Self {
        let Beginnings { id, began, supervisor, alive, only_looks } = from;
        let (instance, lock) = match state_dir.map(|folder| take_instance(folder, id)) {
            Some(Ok((instance, lock))) => (instance, Some(Arc::new(lock))),
            Some(Err(error)) => {
                tracing::debug!(target: "store", "this life has an instance of its own: {error}");
                (id.to_string(), None)
            }
            None => (id.to_string(), None),
        };
        let unknown = Owner {
            boot_id: id.to_string(),
            pid_namespace: String::new(),
            supervisor: ProcId { pid: 0, start_ticks: 0 },
        };
        let owner = supervisor.and_then(|us| Owner::read(us).ok()).unwrap_or(unknown);
        let host = nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned();
        Self { life: Life { id, instance, host, owner, began }, alive, only_looks, _lock: lock }
    }

    /// Whether we write nothing, so that nobody needs to know of us.
    pub fn only_looks(&self) -> bool {
        self.only_looks
    }

    /// Our own life.
    pub fn life(&self) -> &Life {
        &self.life
    }

    /// Whether another life may still write to its sessions.
    pub fn judge(&self, other: &Life) -> Verdict {
        let (ours, theirs) = (&self.life.owner, &other.owner);
        if other.id == self.life.id {
            return Verdict::Lives;
        }
        if ours.boot_id == theirs.boot_id && ours.pid_namespace == theirs.pid_namespace {
            let lives = (self.alive)(theirs.supervisor);
            return if lives { Verdict::Lives } else { Verdict::Over };
        }
        match (other.instance == self.life.instance, other.host == self.life.host) {
            (true, true) => Verdict::Over,
            // The same state folder under another name is a container that was made anew, or a copy.
            (true, false) => Verdict::OverUnlessConnected,
            (false, _) => Verdict::OverIfSilent,
        }
    }
}

/// Reads the instance of a state folder, or begins one, and locks it.
fn take_instance(state_dir: &Path, new: SessionId) -> io::Result<(String, File)> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(state_dir)?;
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(flags);
    let mut file = options.open(state_dir.join(INSTANCE_FILE))?;
    file.try_lock().map_err(|error| match error {
        std::fs::TryLockError::WouldBlock => io::Error::other("another life has the state folder"),
        std::fs::TryLockError::Error(error) => error,
    })?;
    let mut text = String::new();
    (&file).take(64).read_to_string(&mut text)?;
    if let Some(known) = SessionId::parse(text.trim()) {
        return Ok((known.to_string(), file));
    }
    file.rewind()?;
    file.set_len(0)?;
    file.write_all(new.to_string().as_bytes())?;
    Ok((new.to_string(), file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(state_dir: &Path, number: u128, living: &'static [i32]) -> Identity {
        let alive: Alive = Arc::new(|id| living.contains(&id.pid));
        let id = SessionId::new(Wall(1), number);
        let supervisor = Some(ProcId { pid: 1, start_ticks: 1 });
        Identity::learn(
            Beginnings { id, began: Wall(1), supervisor, alive, only_looks: false },
            Some(state_dir),
        )
    }

    fn other(of: &Identity, change: impl FnOnce(&mut Life)) -> Life {
        let mut life = of.life().clone();
        life.id = SessionId::new(Wall(1), 99);
        life.owner.supervisor.pid = 7;
        change(&mut life);
        life
    }

    #[test]
    fn an_instance_outlives_its_lives_and_is_held_by_one_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("state");
        let first = identity(&state, 1, &[]);
        let instance = first.life().instance.clone();
        let guest = identity(&state, 2, &[]);
        assert_ne!(guest.life().instance, instance, "the first still lives");
        drop((first, guest));
        assert_eq!(identity(&state, 3, &[]).life().instance, instance);
        std::fs::write(state.join(INSTANCE_FILE), "not an id").expect("written");
        assert_ne!(identity(&state, 4, &[]).life().instance, instance);
    }

    #[test]
    fn a_folder_that_cannot_be_written_costs_only_recognition() {
        let first = identity(Path::new("/proc/nowhere"), 1, &[]);
        let second = identity(Path::new("/proc/nowhere"), 2, &[]);
        assert_ne!(first.life().instance, second.life().instance);
    }

    #[test]
    fn in_one_pid_namespace_the_kernel_knows_who_lives() {
        let folder = tempfile::tempdir().expect("a folder");
        let us = identity(folder.path(), 1, &[7]);
        assert_eq!(us.judge(&other(&us, |_| ())), Verdict::Lives);
        let dead = other(&us, |life| life.owner.supervisor.pid = 8);
        assert_eq!(us.judge(&dead), Verdict::Over);
        assert_eq!(us.judge(us.life()), Verdict::Lives, "we do");
    }

    #[test]
    fn elsewhere_the_instance_says_so_and_else_only_silence_does() {
        let folder = tempfile::tempdir().expect("a folder");
        let us = identity(folder.path(), 1, &[7]);
        let restarted = other(&us, |life| life.owner.pid_namespace = "pid:[2]".into());
        assert_eq!(us.judge(&restarted), Verdict::Over);
        let renamed = Life { host: "other".into(), ..restarted.clone() };
        assert_eq!(us.judge(&renamed), Verdict::OverUnlessConnected);
        let stranger = Life { instance: "other".into(), ..restarted };
        assert_eq!(us.judge(&stranger), Verdict::OverIfSilent);
    }
}
