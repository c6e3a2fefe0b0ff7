//! Putting a session's context together when it is opened.
//!
//! Reads files, and some of them on whatever disk the project lies on: call it where waiting harms
//! nobody.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;

use super::identity::{self, Identity};
use super::{Context, HostFacts, git};
use crate::secret::mask::mask_command;

/// What all sessions of one life have in common, read once and shared by their contexts.
#[derive(Clone, Debug, Default)]
pub struct Life {
    identity: Identity,
    host: Arc<HostFacts>,
    digest: Arc<str>,
}

impl Life {
    /// Our own identity, on this host, by the configuration with this digest.
    pub fn new(host: HostFacts, digest: &str) -> Self {
        Self { identity: identity::own(), host: Arc::new(host), digest: digest.into() }
    }
}

/// The context of a run of `command` in `working_dir`, or where we are ourselves if it has none.
pub fn capture(command: &[String], working_dir: Option<&Path>, life: &Life) -> Context {
    let working_dir = runs_in(working_dir);
    let Identity { uid, gid, user, capabilities } = life.identity.clone();
    Context {
        command: mask_command(command),
        git: working_dir.as_deref().and_then(git::state),
        working_dir,
        user,
        uid,
        gid,
        capabilities,
        host: Arc::clone(&life.host),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        config_digest: Arc::clone(&life.digest),
        labels: BTreeMap::new(),
    }
}

/// The directory as an absolute path. Links in it stay, as they do for the shell of who wrote it.
fn runs_in(dir: Option<&Path>) -> Option<PathBuf> {
    match dir {
        Some(dir) => absolute(dir).ok(),
        None => std::env::current_dir().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_whole_and_holds_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        let host = HostFacts { cpus: 3, ..HostFacts::default() };
        let command = ["agent", "--token", "abc"].map(String::from);
        let context = capture(&command, Some(dir.path()), &Life::new(host.clone(), "d1"));
        assert_eq!(context.command, ["agent", "--token", "***"]);
        assert_eq!(context.working_dir.as_deref(), Some(dir.path()));
        assert_eq!(*context.host, host);
        assert_eq!(&*context.config_digest, "d1");
        assert_eq!(context.version, env!("CARGO_PKG_VERSION"));
        assert_eq!(context.uid, identity::own().uid);
    }

    #[test]
    fn a_working_directory_is_absolute() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(runs_in(None).as_ref(), Some(&here));
        assert_eq!(runs_in(Some(Path::new("src"))), Some(here.join("src")));
    }
}
