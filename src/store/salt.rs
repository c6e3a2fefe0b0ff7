//! The salt of hashes, in the state folder: what is alike has the same hash in every life of an
//! instance, and nobody who reads the history can make one.

use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use crate::secret::keyed::Salt;

/// The file in the state folder that holds it, for its owner alone.
pub const SALT_FILE: &str = "salt";

/// How long a disk may take; beyond that a salt has to do that lasts for this life.
const PATIENCE: Duration = Duration::from_secs(1);

/// The salt of this state folder, made where there is none yet. Never fails: where none can be kept,
/// it is one that lasts for this life, and it is said so.
pub fn kept(state_dir: &Path) -> Salt {
    let folder = state_dir.to_owned();
    let (hand_over, found) = sync_channel(1);
    let read = move || drop(hand_over.try_send(read_or_begin(&folder)));
    let spawned = std::thread::Builder::new().name("salt".into()).spawn(read);
    let late = |_| Err(io::Error::other("the disk takes too long"));
    let found = spawned.and_then(|_| found.recv_timeout(PATIENCE).unwrap_or_else(late));
    found.unwrap_or_else(|error| {
        tracing::warn!(target: "store", "the salt of hashes cannot be kept in {}: {error}; \
            what is hashed in this life cannot be grouped with what earlier ones hashed",
            state_dir.display());
        passing()
    })
}

/// A salt that nobody keeps.
pub fn passing() -> Salt {
    let random = RandomState::new();
    let mut salt = [0; 32];
    for (part, bytes) in salt.chunks_mut(8).enumerate() {
        let mut hasher = random.build_hasher();
        hasher.write_usize(part);
        bytes.copy_from_slice(&hasher.finish().to_ne_bytes());
    }
    Salt(salt)
}

fn read_or_begin(state_dir: &Path) -> io::Result<Salt> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(state_dir)?;
    let path = state_dir.join(SALT_FILE);
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).custom_flags(flags);
    match options.open(&path) {
        Ok(mut file) => {
            let salt = passing();
            file.write_all(&salt.0)?;
            Ok(salt)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let file = File::options().read(true).custom_flags(flags).open(&path)?;
            let mut salt = Vec::new();
            file.take(33).read_to_end(&mut salt)?;
            let other = |_| io::Error::other("the file `salt` there is not ours");
            salt.try_into().map(Salt).map_err(other)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_salt_outlives_its_life_and_is_for_its_owner() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("state");
        let salt = kept(&state);
        assert_eq!(kept(&state), salt);
        let mode = std::fs::metadata(state.join(SALT_FILE)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_ne!(kept(&folder.path().join("other")), salt);
    }

    #[test]
    fn where_none_can_be_kept_it_lasts_for_a_life() {
        assert_ne!(kept(Path::new("/proc/nowhere")), kept(Path::new("/proc/nowhere")));
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(SALT_FILE), "something else").expect("written");
        assert_ne!(kept(folder.path()), kept(folder.path()));
    }
}
