//! Where and as whom a session runs, captured once at its start.
//!
//! Nothing is forked for it: git's state is read from its files, the host's from the kernel. What
//! could not be learnt is absent rather than guessed.
//!
//! `index` understands git's; the others touch the world: `git` and `host` read the checkout and the
//! machine, `identity` says as whom we run, `read` reads files within bounds, and `capture` puts a
//! context together.

pub mod capture;
pub mod git;
pub mod host;
pub mod identity;

mod index;
mod read;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use crate::units::Bytes;

/// What a session inherits from the moment it was opened in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// The command with its secrets masked.
    pub command: Vec<String>,
    /// Where it runs; told as it would be shown where it is not UTF-8.
    #[serde(serialize_with = "as_shown")]
    pub working_dir: Option<PathBuf>,
    /// The checkout that the working directory lies in, if it lies in one.
    pub git: Option<GitState>,
    /// The name that the user id has in `/etc/passwd`.
    pub user: Option<String>,
    /// The user id that the command runs under.
    pub uid: u32,
    /// The group id that the command runs under.
    pub gid: u32,
    /// The effective capabilities by name, lowest bit first.
    pub capabilities: Arc<[String]>,
    /// What the machine and its system are.
    pub host: Arc<HostFacts>,
    /// Our own version.
    pub version: String,
    /// SHA-256 of the configuration, in hex.
    pub config_digest: Arc<str>,
    /// Names and values that an application gave its session.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// JSON has no word for a path that is not UTF-8.
fn as_shown<S: Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.to_string_lossy()).serialize(to)
}

/// The state of a git checkout, read from its files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitState {
    /// The folder with the tracked files, as it would be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// The branch; absent when the head is detached.
    pub branch: Option<String>,
    /// The commit that is checked out; absent before the first one.
    pub commit: Option<String>,
    /// Whether a tracked file differs from the index in size or time; `None` where the index could
    /// not be read inside its bounds.
    pub dirty: Option<bool>,
}

/// What the machine and its system are. The same for every session of one life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// The host's name.
    pub hostname: Option<String>,
    /// The distribution and its release.
    pub os: Option<String>,
    /// The kernel's release.
    pub kernel: Option<String>,
    /// Processors that we may use.
    pub cpus: u32,
    /// The machine's memory, or the container's limit where that is lower.
    pub memory: Bytes,
    /// The kernel's id of this boot.
    pub boot_id: String,
}
