//! What limits our own group, written into the groups below it, where programs look for it.
//!
//! A limit holds for everybody below the group that it is written in, but many programs read only
//! the files of their own group to choose the size of a heap or the number of threads (the JVM before
//! version 24, .NET). A group without a controller has no such file, and the machine's memory is
//! taken for the container's. So the controllers that limit us are turned on for the groups below,
//! and each of those says what ours says.
//!
//! No process may be in a group that hands controllers on (`cgroups(7)`), so that we move to a leaf
//! first, as systemd does in a container; `docker exec` follows the first process there by itself.
//! Where somebody else is in our group, or nothing may be written, nothing is changed.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::memory::group::LEAF;

/// Controllers with the file by which they limit; in it, `max` is no limit.
const CONTROLLERS: [(&str, &str); 3] =
    [("memory", "memory.max"), ("cpu", "cpu.max"), ("pids", "pids.max")];

/// What is said again below, where our own group says it. With the limit goes what is done when it
/// is met: all processes of a group are ended together where that is so for ours.
const FILES: [&str; 5] =
    ["memory.max", "memory.swap.max", "memory.oom.group", "cpu.max", "pids.max"];

/// The limits of our own group, which hand themselves on.
#[derive(Debug)]
pub(super) struct Limits {
    home: PathBuf,
    controllers: Vec<&'static str>,
    known: Vec<(&'static str, String)>,
}

impl Limits {
    /// Turns the controllers that limit us on below `home`. `None` where nothing limits us.
    ///
    /// # Errors
    ///
    /// Limits that cannot be handed on; then all is as it was.
    pub(super) fn hand_on(home: &Path) -> io::Result<Option<Self>> {
        let controllers = limiting(home);
        if controllers.is_empty() {
            return Ok(None);
        }
        is_ours_alone(home)?;
        if let Err(error) = make_room(home).and_then(|()| switch(home, '+', &controllers)) {
            come_back(home);
            return Err(error);
        }
        let mut new = Self { home: home.to_path_buf(), controllers, known: vec![] };
        new.known = new.read();
        // We look for our own limits there as well, and what is run in our name is in it.
        new.write(&home.join(LEAF));
        Ok(Some(new))
    }

    /// Writes the limits into a group that was just made.
    pub(super) fn write(&self, group: &Path) {
        for (file, text) in &self.known {
            if let Err(error) = put(&group.join(file), text) {
                tracing::debug!(target: "init", "{file} is not handed on: {error}");
            }
        }
    }

    /// Reads them anew. Whether they were changed from outside; then our leaf has them already: whoever
    /// is brought into the container later is in it too.
    pub(super) fn have_changed(&mut self) -> bool {
        self.widen();
        let before = std::mem::take(&mut self.known);
        self.known = self.read();
        let have_changed = self.known != before;
        if have_changed {
            self.write(&self.home.join(LEAF));
        }
        have_changed
    }

    /// What limits us by now and did not before is turned on as well; what cannot be is asked for again later.
    fn widen(&mut self) {
        let before = self.controllers.len();
        for name in limiting(&self.home) {
            if !self.controllers.contains(&name) {
                self.controllers.push(name);
            }
        }
        let are_more = self.controllers.len() > before;
        if are_more && switch(&self.home, '+', &self.controllers).is_err() {
            self.controllers.truncate(before);
        }
    }

    fn read(&self) -> Vec<(&'static str, String)> {
        let of_ours = |file: &&str| {
            let controller = file.split('.').next();
            self.controllers.iter().any(|ours| Some(*ours) == controller)
        };
        let files = FILES.into_iter().filter(of_ours);
        files.filter_map(|file| Some((file, read(&self.home, file)?))).collect()
    }
}

impl Drop for Limits {
    fn drop(&mut self) {
        if switch(&self.home, '-', &self.controllers).is_ok() {
            come_back(&self.home);
        }
    }
}

/// Whoever else is in our group is in the way: it is seen before we move for nothing.
fn is_ours_alone(home: &Path) -> io::Result<()> {
    let own = std::process::id().to_string();
    let all = read(home, "cgroup.procs").unwrap_or_default();
    match all.lines().find(|pid| *pid != own) {
        Some(pid) => Err(io::Error::other(format!("process {pid} is in our group as well"))),
        None => Ok(()),
    }
}

/// Leaves the group to those below it.
fn make_room(home: &Path) -> io::Result<()> {
    let leaf = home.join(LEAF);
    match fs::create_dir(&leaf) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => put(&leaf.join("cgroup.procs"), "0"),
    }
}

/// All at once: one that cannot be had leaves none.
fn switch(home: &Path, sign: char, controllers: &[&str]) -> io::Result<()> {
    let words: Vec<String> = controllers.iter().map(|name| format!("{sign}{name}")).collect();
    put(&home.join("cgroup.subtree_control"), &words.join(" "))
}

/// Whoever looks after us finds all as it was, where nobody is left below.
fn come_back(home: &Path) {
    let _ = put(&home.join("cgroup.procs"), "0");
    let _ = fs::remove_dir(home.join(LEAF));
}

/// The controllers that limit a group.
fn limiting(home: &Path) -> Vec<&'static str> {
    let limits = |(_, file): &(&str, &str)| read(home, file).is_some_and(|it| is_limit(&it));
    CONTROLLERS.into_iter().filter(limits).map(|(name, _)| name).collect()
}

fn read(group: &Path, file: &str) -> Option<String> {
    let text = fs::read_to_string(group.join(file)).ok()?;
    Some(text.trim_end().to_owned())
}

/// `max`, or `max 100000` as the processor's time has it, is none.
fn is_limit(text: &str) -> bool {
    text.split(' ').next() != Some("max")
}

/// Files of this kind are never made or cut by who writes them.
fn put(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that looks like a group with these files.
    fn group(files: &[(&str, &str)]) -> tempfile::TempDir {
        let home = tempfile::tempdir().expect("a folder");
        let usual = [("cgroup.procs", ""), ("cgroup.subtree_control", "")];
        for (file, text) in usual.iter().chain(files) {
            fs::write(home.path().join(file), text).expect("a file");
        }
        home
    }

    /// The leaf as the kernel would make it.
    fn with_leaf(home: &Path) {
        fs::create_dir(home.join(LEAF)).expect("a folder");
        fs::write(home.join(LEAF).join("cgroup.procs"), "").expect("a file");
    }

    fn text(path: PathBuf) -> String {
        fs::read_to_string(path).expect("a file")
    }

    #[test]
    fn what_limits_us_is_turned_on_below_and_said_again_there() {
        let home = group(&[
            ("memory.max", "67108864\n"),
            ("memory.swap.max", "0\n"),
            ("memory.oom.group", "1\n"),
            ("cpu.max", "max 100000\n"),
            ("pids.max", "100\n"),
        ]);
        with_leaf(home.path());
        let limits = Limits::hand_on(home.path()).expect("it works").expect("limits");
        assert_eq!(text(home.path().join(LEAF).join("cgroup.procs")), "0");
        assert_eq!(text(home.path().join("cgroup.subtree_control")), "+memory +pids");
        let below = group(&[
            ("memory.max", "???"),
            ("memory.swap.max", "?"),
            ("memory.oom.group", "?"),
            ("cpu.max", "???"),
            ("pids.max", "???"),
        ]);
        limits.write(below.path());
        let said = FILES.map(|file| text(below.path().join(file)));
        assert_eq!(said, ["67108864", "0", "1", "???", "100"]);
        drop(limits);
        assert_eq!(text(home.path().join("cgroup.subtree_control")), "-memory -pids");
        assert_eq!(text(home.path().join("cgroup.procs")), "0");
    }

    #[test]
    fn without_a_limit_nothing_is_touched() {
        for files in [&[("memory.max", "max\n"), ("cpu.max", "max 100000\n")][..], &[]] {
            let home = group(files);
            assert!(Limits::hand_on(home.path()).expect("no fault").is_none());
            assert!(!home.path().join(LEAF).exists());
        }
    }

    #[test]
    fn what_cannot_be_handed_on_leaves_all_as_it_was() {
        let home = group(&[("memory.max", "1\n")]);
        with_leaf(home.path());
        // As if somebody else were in our group.
        fs::remove_file(home.path().join("cgroup.subtree_control")).expect("a file");
        assert!(Limits::hand_on(home.path()).is_err());
        assert_eq!(text(home.path().join("cgroup.procs")), "0", "we came back");
    }

    #[test]
    fn for_whom_somebody_is_in_the_way_nothing_moves() {
        let home = group(&[("memory.max", "1\n")]);
        with_leaf(home.path());
        let procs = home.path().join("cgroup.procs");
        let leaf = home.path().join(LEAF).join("cgroup.procs");
        let own = std::process::id();
        fs::write(&procs, format!("{own}\n57\n")).expect("a file");
        let error = Limits::hand_on(home.path()).expect_err("somebody is there");
        assert!(error.to_string().contains("process 57 is in our group"), "{error}");
        assert_eq!((text(procs.clone()), text(leaf.clone())), (format!("{own}\n57\n"), "".into()));
        fs::write(&procs, format!("{own}\n")).expect("a file");
        assert!(Limits::hand_on(home.path()).expect("nobody else").is_some());
        assert_eq!(text(leaf), "0");
    }

    #[test]
    fn a_limit_that_was_changed_from_outside_is_said_again() {
        let home = group(&[("memory.max", "1000\n")]);
        with_leaf(home.path());
        fs::write(home.path().join(LEAF).join("memory.max"), "").expect("a file");
        let mut limits = Limits::hand_on(home.path()).expect("it works").expect("limits");
        let leaf = || text(home.path().join(LEAF).join("memory.max"));
        assert_eq!(leaf(), "1000");
        assert!(!limits.have_changed());
        fs::write(home.path().join("memory.max"), "2000\n").expect("a file");
        assert!(limits.have_changed());
        assert_eq!(leaf(), "2000", "ours, and of whoever follows us into the container");
        assert_eq!(limits.known, [("memory.max", "2000".to_owned())]);
    }

    #[test]
    fn what_limits_us_only_later_is_turned_on_as_well() {
        let home = group(&[("memory.max", "1000\n"), ("pids.max", "max\n")]);
        with_leaf(home.path());
        let mut limits = Limits::hand_on(home.path()).expect("it works").expect("limits");
        let turned_on = || text(home.path().join("cgroup.subtree_control"));
        assert_eq!(turned_on(), "+memory");
        fs::write(home.path().join("pids.max"), "100\n").expect("a file");
        assert!(limits.have_changed());
        assert_eq!(turned_on(), "+memory +pids");
        fs::write(home.path().join("pids.max"), "max\n").expect("a file");
        assert!(limits.have_changed());
        assert_eq!(limits.known[1], ("pids.max", "max".to_owned()), "a limit that is taken back");
    }
}
