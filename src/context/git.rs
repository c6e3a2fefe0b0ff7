//! The state of the checkout that a directory lies in, read from git's files.
//!
//! Nothing is forked and nothing is written, so the index is not refreshed and no object is read:
//! a file counts as changed when its size, time, type or executable bit is not the one that git
//! noted. That is `git status` without the second look at the content: a file that was only
//! touched counts as changed, and what is staged but not committed does not.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::index::{self, Kind, Tracked};
use super::{GitState, read};
use crate::clock;

/// References, `HEAD`, `.git` and `commondir` are one line: a path at the longest.
const LINE_MAX: u64 = 4096;
/// Packed references take some 70 bytes each: a hundred thousand of them.
const PACKED_MAX: u64 = 8 << 20;
/// A checkout's own configuration is a screenful.
const CONFIG_MAX: u64 = 1 << 20;
/// An index of as many files as we compare, with room for its extensions.
const INDEX_MAX: u64 = 20 << 20;
/// Tracked files that are compared at most.
const TRACKED_MAX: usize = 20_000;
/// How long the comparison may take: nobody waits for it, but it costs the disk something.
const PATIENCE: Duration = Duration::from_millis(50);
/// Files that are compared between two looks at the clock: less than a millisecond's worth.
const BETWEEN_LOOKS: usize = 256;
/// References may lead to others; git follows as many.
const REFERENCE_DEPTH: usize = 5;

/// The state of the checkout that `dir` lies in; `None` if it lies in none.
pub fn state(dir: &Path) -> Option<GitState> {
    let checkout = Checkout::around(dir)?;
    let head = line(&checkout.own.join("HEAD"))?;
    let target = head.strip_prefix("ref:").map(str::trim);
    let commit = if checkout.settings.reftable { None } else { checkout.commit(&head) };
    let dirty = checkout.dirty(commit.is_some());
    // A head whose references lie in tables names a branch that cannot be.
    let branch = target.and_then(|name| name.strip_prefix("refs/heads/"));
    let branch = branch.filter(|name| *name != ".invalid").map(str::to_owned);
    let root = Some(checkout.root.to_string_lossy().into_owned());
    Some(GitState { root, branch, commit, dirty })
}

/// Where a checkout and its files lie.
struct Checkout {
    /// The directory with the tracked files.
    root: PathBuf,
    /// Git's files of this checkout.
    own: PathBuf,
    /// Git's files that it shares with other checkouts; the same for all but linked ones.
    common: PathBuf,
    settings: Settings,
}

impl Checkout {
    /// The innermost checkout around a directory.
    fn around(dir: &Path) -> Option<Self> {
        let dir = fs::canonicalize(dir).ok()?;
        let (root, own) = dir.ancestors().find_map(|root| {
            let own = git_dir(root)?;
            own.join("HEAD").is_file().then(|| (root.to_path_buf(), own))
        })?;
        let common = line(&own.join("commondir")).map_or(own.clone(), |path| own.join(path));
        let config = read::text(&common.join("config"), CONFIG_MAX).unwrap_or_default();
        Some(Self { root, own, common, settings: Settings::read(&config) })
    }

    /// The commit that the content of a reference leads to.
    fn commit(&self, reference: &str) -> Option<String> {
        let mut reference = reference.to_owned();
        for _ in 0..REFERENCE_DEPTH {
            let Some(name) = reference.strip_prefix("ref:") else {
                return is_object(&reference).then_some(reference);
            };
            let name = name.trim();
            if !name.starts_with("refs/") || name.split('/').any(|part| part == "..") {
                return None;
            }
            let loose = line(&self.own.join(name)).or_else(|| line(&self.common.join(name)));
            reference = loose.or_else(|| self.packed(name))?;
        }
        None
    }

    fn packed(&self, name: &str) -> Option<String> {
        let packed = read::text(&self.common.join("packed-refs"), PACKED_MAX)?;
        let found = packed.lines().filter_map(|line| line.split_once(' '));
        found.filter(|(_, known)| *known == name).map(|(object, _)| object.to_owned()).next()
    }

    /// Whether a tracked file differs from what git noted. Without an index there is no tracked
    /// file, but then there should be no commit either.
    fn dirty(&self, has_commit: bool) -> Option<bool> {
        let path = self.own.join("index");
        if fs::symlink_metadata(&path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return (!has_commit).then_some(false);
        }
        let give_up = clock::now().mono.after(PATIENCE);
        let index = read::bytes(&path, INDEX_MAX)?;
        let tracked = index::parse(&index, self.settings.hash_len, TRACKED_MAX)?;
        for (looks, files) in tracked.chunks(BETWEEN_LOOKS).enumerate() {
            if looks > 0 && clock::now().mono > give_up {
                return None;
            }
            for file in files {
                if self.differs(file)? {
                    return Some(true);
                }
            }
        }
        Some(false)
    }

    /// `None` where the file may not be looked at.
    fn differs(&self, tracked: &Tracked) -> Option<bool> {
        if tracked.unwatched || tracked.unsettled || tracked.kind == Kind::Directory {
            return Some(tracked.unsettled);
        }
        match fs::symlink_metadata(self.root.join(OsStr::from_bytes(&tracked.path))) {
            Ok(found) => Some(self.has_changed(tracked, &found)),
            Err(error) if is_gone(error.kind()) => Some(true),
            Err(_) => None,
        }
    }

    fn has_changed(&self, tracked: &Tracked, found: &Metadata) -> bool {
        let same_kind = match tracked.kind {
            Kind::File { executable } => {
                let mode = self.settings.file_mode;
                found.is_file() && (!mode || executable == (found.mode() & 0o100 != 0))
            }
            Kind::Link => found.is_symlink(),
            Kind::Directory => found.is_dir(),
        };
        // Git notes the lower half of what is longer.
        let same_size = tracked.size == found.size() as u32;
        let same_second = tracked.mtime_seconds == found.mtime() as u32;
        let nanos = [i64::from(tracked.mtime_nanos), found.mtime_nsec()];
        // Some file systems and some writers of an index know seconds only.
        let same_nanos = nanos[0] == nanos[1] || nanos.contains(&0);
        !(same_kind && same_size && same_second && same_nanos)
    }
}

/// What the configuration of a repository says about the form of its files.
#[derive(Debug, PartialEq, Eq)]
struct Settings {
    /// The length of an object's id in bytes.
    hash_len: usize,
    /// Whether references lie in tables, which are not read.
    reftable: bool,
    /// Whether the executable bit counts.
    file_mode: bool,
}

impl Settings {
    /// Reads `[section]` and `key = value` lines; included files cannot change these settings in
    /// practice.
    fn read(config: &str) -> Self {
        let mut settings = Self { hash_len: 20, reftable: false, file_mode: true };
        let mut section = String::new();
        for line in config.to_ascii_lowercase().lines().map(str::trim) {
            if let Some(name) = line.strip_prefix('[') {
                section = name.split(']').next().unwrap_or_default().trim().to_owned();
                continue;
            }
            let Some((key, value)) = line.split_once('=') else { continue };
            match (section.as_str(), key.trim(), value.trim()) {
                ("core", "filemode", value) => settings.file_mode = value != "false",
                ("extensions", "objectformat", "sha256") => settings.hash_len = 32,
                ("extensions", "refstorage", value) => settings.reftable = value != "files",
                _ => {}
            }
        }
        settings
    }
}

/// Git's files of the checkout with this root: the directory `.git`, or the one that a file of
/// that name leads to in linked checkouts and submodules.
fn git_dir(root: &Path) -> Option<PathBuf> {
    let path = root.join(".git");
    if path.is_dir() {
        return Some(path);
    }
    let link = line(&path)?;
    Some(root.join(link.strip_prefix("gitdir:")?.trim()))
}

/// The content of a file that holds one line.
fn line(path: &Path) -> Option<String> {
    let text = read::text(path, LINE_MAX)?;
    let line = text.trim_end();
    (!line.is_empty() && !line.contains('\n')).then(|| line.to_owned())
}

/// Whether the text is the id of an object, of either length.
fn is_object(text: &str) -> bool {
    [40, 64].contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A file in the place of a directory takes away what lay below it.
fn is_gone(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests;
