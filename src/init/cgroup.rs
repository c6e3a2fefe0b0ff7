//! A control group for each run, where we may make some (cgroup v2, writable): whoever is born in it
//! stays in it wherever it hides, it can be killed at once, and it tells who is left.
//!
//! In most containers the hierarchy is read-only; then there are no groups, and lineage has to do.
//! No controller is turned on in them, so that the limits of our own group hold as before and the
//! rule against processes in inner groups (`cgroups(7)`) is kept. One command has none: it is all
//! that we have, and it must find its world as it would be under tini.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::units::RunId;

/// Where systems mount the hierarchy: alone, or beside the first version.
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// The groups of all runs, below our own.
pub struct Groups {
    home: PathBuf,
    /// Begins every name, and is ours alone: below the same group there may be another first process
    /// of another namespace, whose pid is 1 as well.
    prefix: String,
    made: BTreeMap<RunId, PathBuf>,
}

impl Groups {
    /// Looks whether groups can be made, by making one.
    pub fn find() -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let found = MOUNTS.iter().find_map(|mount| Self::below(Path::new(mount), &own));
        if found.is_none() {
            tracing::debug!(target: "init", "no control group can be made: lineage has to do");
        }
        found
    }

    fn below(mount: &Path, own: &str) -> Option<Self> {
        let home = home(mount, own)?;
        let prefix = prefix();
        let trial = home.join(format!("{prefix}trial"));
        fs::create_dir(&trial).ok()?;
        // What looks like a hierarchy and fills no new folder is none.
        let works = trial.join("cgroup.procs").exists();
        let _ = fs::remove_dir(&trial);
        works.then_some(Self { home, prefix, made: BTreeMap::new() })
    }

    /// Makes the group of a run, and opens what its first process writes itself into.
    pub fn make(&mut self, run: RunId) -> Option<File> {
        let path = self.home.join(format!("{}{run}", self.prefix));
        match fs::create_dir(&path) {
            Ok(()) => {}
            // By us, for this very run.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                tracing::debug!(target: "init", "no control group for {run}: {error}");
                return None;
            }
        }
        let procs = OpenOptions::new().write(true).open(path.join("cgroup.procs")).ok();
        self.made.insert(run, path);
        procs
    }

    /// Kills everybody in the group of a run at once, also those who are just being born.
    pub fn kill(&self, run: RunId) {
        let Some(path) = self.made.get(&run) else { return };
        // Older than Linux 5.14 there is no such file: members are killed one by one anyway.
        let killed = OpenOptions::new().write(true).open(path.join("cgroup.kill"));
        let _ = killed.and_then(|mut file| file.write_all(b"1"));
    }

    /// In whose group this process is.
    pub fn run_of(&self, pid: i32) -> Option<RunId> {
        let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        self.run_named(&text)
    }

    fn run_named(&self, text: &str) -> Option<RunId> {
        let path = own_path(text)?;
        let group = path.split('/').find_map(|part| part.strip_prefix(&self.prefix))?;
        let run = RunId(group.strip_prefix('r')?.parse().ok()?);
        self.made.contains_key(&run).then_some(run)
    }

    /// The run is over: its group goes. One that somebody is still in goes when we leave.
    pub fn remove(&mut self, run: RunId) {
        if self.made.get(&run).is_some_and(|path| fs::remove_dir(path).is_ok()) {
            self.made.remove(&run);
        }
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for path in self.made.values() {
            let _ = fs::remove_dir(path);
        }
    }
}

/// What nobody else begins names with: the standard library keys its hashers by chance.
fn prefix() -> String {
    format!(
        "procession-{}-{:016x}-",
        std::process::id(),
        RandomState::new().build_hasher().finish()
    )
}

/// The folder of our own group: below the mount by its name, or the mount itself where that is all
/// that a container sees of it.
fn home(mount: &Path, own: &str) -> Option<PathBuf> {
    let is_group = |path: &PathBuf| path.join("cgroup.procs").exists();
    // The first version has none of these at its top.
    if !mount.join("cgroup.controllers").exists() {
        return None;
    }
    let named = mount.join(own_path(own)?.trim_start_matches('/'));
    [named, mount.to_path_buf()].into_iter().find(is_group)
}

/// The line of the second version in `/proc/PID/cgroup`.
fn own_path(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("0::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that looks like a hierarchy with these groups in it.
    fn hierarchy(groups: &[&str]) -> tempfile::TempDir {
        let mount = tempfile::tempdir().expect("a folder");
        fs::write(mount.path().join("cgroup.controllers"), "").expect("a file");
        for group in groups {
            let path = mount.path().join(group);
            fs::create_dir_all(&path).expect("a folder");
            for file in ["cgroup.procs", "cgroup.kill"] {
                fs::write(path.join(file), "").expect("a file");
            }
        }
        mount
    }

    fn groups(home: &Path) -> Groups {
        Groups { home: home.to_path_buf(), prefix: "procession-7-".into(), made: BTreeMap::new() }
    }

    #[test]
    fn our_own_group_is_found_by_its_name_or_is_all_that_is_seen() {
        let check = |groups: &[&str], own: &str, expected: Option<&str>| {
            let mount = hierarchy(groups);
            let expected = expected.map(|path| mount.path().join(path));
            assert_eq!(home(mount.path(), own), expected, "{own}");
        };
        check(&["system/it"], "1:name=x:/y\n0::/system/it\n", Some("system/it"));
        check(&[""], "0::/\n", Some(""));
        check(&[""], "0::/docker/4711\n", Some(""));
        check(&["other"], "0::/gone\n", None);
        check(&[""], "1:name=systemd:/x\n", None);
        let first_version = tempfile::tempdir().expect("a folder");
        assert_eq!(home(first_version.path(), "0::/\n"), None);
    }

    #[test]
    fn two_first_processes_do_not_name_their_groups_alike() {
        assert_ne!(prefix(), prefix());
    }

    #[test]
    fn what_fills_no_new_folder_is_no_hierarchy_and_nothing_is_left_in_it() {
        let mount = hierarchy(&[""]);
        assert!(Groups::below(mount.path(), "0::/\n").is_none());
        let left = fs::read_dir(mount.path()).expect("a folder").flatten();
        assert!(left.into_iter().all(|entry| entry.path().is_file()));
    }

    #[test]
    fn a_run_is_made_a_group_and_known_by_it_and_killed_in_it() {
        let mount = hierarchy(&["", "procession-7-r3"]);
        let mut groups = groups(mount.path());
        assert_eq!(groups.run_named("0::/procession-7-r3\n"), None);
        let mut procs = groups.make(RunId(3)).expect("a group");
        procs.write_all(b"0").expect("writable");
        let read = |file: &str| fs::read_to_string(mount.path().join("procession-7-r3").join(file));
        assert_eq!(read("cgroup.procs").expect("a file"), "0");
        groups.kill(RunId(4));
        assert_eq!(read("cgroup.kill").expect("a file"), "");
        groups.kill(RunId(3));
        assert_eq!(read("cgroup.kill").expect("a file"), "1");
        for (text, run) in [
            ("0::/procession-7-r3\n", Some(RunId(3))),
            ("4:memory:/x\n0::/a/procession-7-r3/below\n", Some(RunId(3))),
            ("0::/procession-8-r3\n", None),
            ("0::/procession-7-r9\n", None),
            ("0::/\n", None),
        ] {
            assert_eq!(groups.run_named(text), run, "{text}");
        }
    }

    #[test]
    fn a_group_goes_with_its_run_or_when_we_leave() {
        let mount = hierarchy(&[""]);
        let mut groups = groups(mount.path());
        let path = |run: u64| mount.path().join(format!("procession-7-r{run}"));
        // No file is made in these, so that they are what groups without processes are.
        assert!(groups.make(RunId(1)).is_none() && groups.make(RunId(2)).is_none());
        groups.remove(RunId(1));
        assert!(!path(1).exists() && path(2).exists());
        fs::write(path(2).join("somebody"), "").expect("a file");
        groups.remove(RunId(2));
        assert!(path(2).exists());
        fs::remove_file(path(2).join("somebody")).expect("a file");
        drop(groups);
        assert!(!path(2).exists());
    }
}
