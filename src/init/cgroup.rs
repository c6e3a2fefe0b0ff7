//! A control group for each run, where we may make some (cgroup v2, writable): whoever is born in it
//! stays in it wherever it hides, it can be killed at once, and it tells who is left.
//!
//! In most containers the hierarchy is read-only; then there are no groups, and lineage has to do.
//! Where our own group is limited, its limits are handed on (`limits`), because programs look for them
//! in their own; for as long as that cannot be done no run gets a group: a heap of the wrong size is
//! worse than a slower end. One command has none: it is all that we have, and it must find its world
//! as it would be under tini.

mod limits;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock;
use crate::init::cgroup::limits::Limits;
use crate::memory::container::parse_events;
use crate::units::{Mono, RunId, SessionId};

/// Where systems mount the hierarchy: alone, or beside the first version.
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// Begins every name. The session follows, because several containers may see one hierarchy, and
/// each of them has a first process and a first run.
const PREFIX: &str = "procession-";

/// How long a limit that was changed from outside (`docker update`, a resize of a pod) may take
/// to reach the groups of runs that live.
const LOOKS_APART: Duration = Duration::from_secs(30);

/// How old a look may be that a new run is given its group by: what it sees at its start is what it
/// goes by, but a crowd is not worth a look for each.
const LOOK_BEFORE_A_RUN: Duration = Duration::from_secs(1);

/// A group that stands empty for so long was left behind by a life that was killed. In a younger one
/// somebody may be just about to enter.
const STALE_MILLIS: i64 = 60_000;

/// The groups of all runs, below our own.
pub struct Groups {
    home: PathBuf,
    /// The name of each.
    made: BTreeMap<RunId, String>,
    handing: Handing,
    /// When we last looked whether that has changed.
    looked_at: Mono,
}

/// What becomes of the limits of our own group.
enum Handing {
    /// It has none.
    Unlimited,
    /// They are written into the groups of runs.
    On(Limits),
    /// They cannot be, so that new runs get no group.
    Withheld,
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
        let trial = home.join(format!("{PREFIX}trial-{}", std::process::id()));
        fs::create_dir(&trial).ok()?;
        // What looks like a hierarchy and fills no new folder is none.
        let works = trial.join("cgroup.procs").exists();
        let _ = fs::remove_dir(&trial);
        let handing = works.then(|| Handing::of(&home))?;
        if matches!(handing, Handing::Withheld) {
            return None;
        }
        Some(Self { handing, home, made: BTreeMap::new(), looked_at: clock::now().mono })
    }

    /// Makes the group of a run, and opens what its first process writes itself into. `None` also
    /// where programs would not see our limits in it.
    pub fn make(&mut self, now: Mono, run: RunId, session: SessionId) -> Option<File> {
        self.look(now, LOOK_BEFORE_A_RUN);
        if matches!(self.handing, Handing::Withheld) {
            return None;
        }
        let name = format!("{PREFIX}{session}");
        let path = self.home.join(&name);
        if let Err(error) = fs::create_dir(&path) {
            tracing::debug!(target: "init", "no control group for {run}: {error}");
            return None;
        }
        self.made.insert(run, name);
        if let Handing::On(limits) = &self.handing {
            limits.write(&path);
        }
        OpenOptions::new().write(true).open(path.join("cgroup.procs")).ok()
    }

    /// Kills everybody in the group of a run at once, also those who are just being born.
    pub fn kill(&self, run: RunId) {
        let Some(path) = self.path(run) else { return };
        // Older than Linux 5.14 there is no such file: members are killed one by one anyway.
        let killed = OpenOptions::new().write(true).open(path.join("cgroup.kill"));
        let _ = killed.and_then(|mut file| file.write_all(b"1"));
    }

    /// How often the kernel killed in the group of a run for want of memory; `None` where the group
    /// does not count that.
    pub fn oom_kills(&self, run: RunId) -> Option<u64> {
        let text = fs::read(self.path(run)?.join("memory.events")).ok()?;
        parse_events(&text).oom_kill
    }

    /// In whose group this process is.
    pub fn run_of(&self, pid: i32) -> Option<RunId> {
        let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        self.run_named(&text)
    }

    fn run_named(&self, text: &str) -> Option<RunId> {
        let mut parts = own_path(text)?.split('/').filter(|part| part.starts_with(PREFIX));
        let run_of = |part: &str| self.made.iter().find(|(_, name)| *name == part);
        parts.find_map(run_of).map(|(run, _)| *run)
    }

    /// The run is over: its group goes. One that somebody is still in goes when we leave.
    pub fn remove(&mut self, run: RunId) {
        if self.path(run).is_some_and(|path| fs::remove_dir(path).is_ok()) {
            self.made.remove(&run);
        }
    }

    /// Hands on what was changed about our limits from outside. Looks now and then only.
    pub fn keep_up(&mut self, now: Mono) {
        self.look(now, LOOKS_APART);
    }

    /// When [`Groups::keep_up`] wants to be called.
    pub fn deadline(&self) -> Mono {
        self.looked_at.after(LOOKS_APART)
    }

    /// Looks at our limits, unless the last look is younger than this.
    fn look(&mut self, now: Mono, apart: Duration) {
        if now.since(self.looked_at) < apart {
            return;
        }
        self.looked_at = now;
        if self.handing.has_changed(&self.home)
            && let Handing::On(limits) = &self.handing
        {
            self.made.values().for_each(|name| limits.write(&self.home.join(name)));
        }
    }

    fn path(&self, run: RunId) -> Option<PathBuf> {
        self.made.get(&run).map(|name| self.home.join(name))
    }

    /// Removes what lives that were killed left behind. Only an empty group can be removed.
    fn remove_stale(&self) {
        let Ok(entries) = fs::read_dir(&self.home) else { return };
        let now = clock::now().wall.0;
        for entry in entries.flatten() {
            let is_ours = entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes());
            let made = || entry.metadata().map_or(now, |made| made.mtime() * 1000);
            if is_ours && now - made() > STALE_MILLIS {
                let _ = fs::remove_dir(entry.path());
            }
        }
    }
}

impl Handing {
    fn of(home: &Path) -> Self {
        match Limits::hand_on(home) {
            Ok(limits) => limits.map_or(Self::Unlimited, Self::On),
            Err(error) => {
                tracing::info!(
                    target: "init",
                    "no control groups: programs would not see the limits of ours in them, which \
                     cannot be handed on: {error}"
                );
                Self::Withheld
            }
        }
    }

    /// Looks anew. A first limit may come at any time, and whoever is in our group and keeps it from
    /// being handed on may leave it.
    fn has_changed(&mut self, home: &Path) -> bool {
        match self {
            Self::On(limits) => return limits.have_changed(),
            Self::Unlimited => *self = Self::of(home),
            // What was said once is not said again.
            Self::Withheld => {
                let Ok(limits) = Limits::hand_on(home) else { return false };
                *self = limits.map_or(Self::Unlimited, Self::On);
                tracing::info!(target: "init", "new runs have control groups again");
            }
        }
        matches!(self, Self::On(_))
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for name in self.made.values() {
            let _ = fs::remove_dir(self.home.join(name));
        }
        self.remove_stale();
    }
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
        let (handing, looked_at) = (Handing::Unlimited, Mono(0));
        Groups { home: home.to_path_buf(), made: BTreeMap::new(), handing, looked_at }
    }

    fn session(number: u128) -> SessionId {
        SessionId::new(crate::units::Wall(0), number)
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
    fn what_fills_no_new_folder_is_no_hierarchy_and_nothing_is_left_in_it() {
        let mount = hierarchy(&[""]);
        assert!(Groups::below(mount.path(), "0::/\n").is_none());
        let left = fs::read_dir(mount.path()).expect("a folder").flatten();
        assert!(left.into_iter().all(|entry| entry.path().is_file()));
    }

    #[test]
    fn a_run_is_known_by_its_group_and_killed_in_it() {
        let mount = hierarchy(&[""]);
        let mut groups = groups(mount.path());
        let name = format!("{PREFIX}{}", session(3));
        assert_eq!(groups.run_named(&format!("0::/{name}\n")), None);
        // A folder of a hierarchy would hold this when it is made.
        assert!(groups.make(Mono(0), RunId(3), session(3)).is_none());
        let kill = mount.path().join(&name).join("cgroup.kill");
        fs::write(&kill, "").expect("a file");
        groups.kill(RunId(4));
        assert_eq!(fs::read_to_string(&kill).expect("a file"), "");
        groups.kill(RunId(3));
        assert_eq!(fs::read_to_string(&kill).expect("a file"), "1");
        let other = format!("{PREFIX}{}", session(4));
        for (text, run) in [
            (format!("0::/{name}\n"), Some(RunId(3))),
            (format!("4:memory:/x\n0::/a/{name}/below\n"), Some(RunId(3))),
            (format!("0::/{other}\n"), None),
            (format!("0::/{name}x\n"), None),
            ("0::/\n".into(), None),
        ] {
            assert_eq!(groups.run_named(&text), run, "{text}");
        }
    }

    #[test]
    fn a_first_limit_that_comes_later_reaches_the_runs_that_live() {
        let mount = hierarchy(&["", "procession-self", "procession-run"]);
        let file = |path: &str| mount.path().join(path);
        let said = |path: &str| fs::read_to_string(file(path)).expect("a file");
        for path in ["cgroup.subtree_control", "procession-run/memory.max"] {
            fs::write(file(path), "").expect("a file");
        }
        fs::write(file("memory.max"), "max\n").expect("a file");
        let mut groups = groups(mount.path());
        groups.made.insert(RunId(3), "procession-run".into());
        let at = |seconds: u64| Mono(seconds * 1_000_000_000);
        groups.keep_up(at(100));
        assert_eq!(groups.deadline(), at(130));
        fs::write(file("memory.max"), "4096\n").expect("a file");
        groups.keep_up(at(129));
        assert_eq!(said("procession-run/memory.max"), "", "it is too early to look again");
        groups.keep_up(at(130));
        assert_eq!(said("procession-run/memory.max"), "4096");
        assert_eq!(said("cgroup.subtree_control"), "+memory");
        assert_eq!(said("procession-self/cgroup.procs"), "0", "we have moved");
    }

    #[test]
    fn no_run_gets_a_group_in_which_it_would_not_see_its_limits() {
        let mount = hierarchy(&["", "procession-self"]);
        let write =
            |file: &str, text: &str| fs::write(mount.path().join(file), text).expect("a file");
        write("cgroup.subtree_control", "");
        write("memory.max", "max\n");
        let mut groups = groups(mount.path());
        let mut has_one = |second: u64, run: u64| {
            groups.make(Mono(second * 1_000_000_000), RunId(run), session(run.into()));
            mount.path().join(format!("{PREFIX}{}", session(run.into()))).exists()
        };
        assert!(has_one(100, 1), "nothing limits us");
        write("memory.max", "4096\n");
        write("cgroup.procs", "57\n");
        assert!(has_one(100, 2), "the last look was a moment ago");
        assert!(!has_one(101, 3), "somebody is in the way");
        assert!(!has_one(102, 4), "still");
        write("cgroup.procs", "");
        assert!(has_one(103, 5), "nobody is any more");
    }

    #[test]
    fn a_group_goes_with_its_run_or_when_we_leave() {
        let mount = hierarchy(&[""]);
        let mut groups = groups(mount.path());
        let path = |run: u128| mount.path().join(format!("{PREFIX}{}", session(run)));
        // No file is made in these, so that they are what groups without processes are.
        for run in [1, 2] {
            assert!(groups.make(Mono(0), RunId(run), session(run.into())).is_none());
        }
        groups.remove(RunId(1));
        assert!(!path(1).exists() && path(2).exists());
        fs::write(path(2).join("somebody"), "").expect("a file");
        groups.remove(RunId(2));
        assert!(path(2).exists());
        fs::remove_file(path(2).join("somebody")).expect("a file");
        drop(groups);
        assert!(!path(2).exists());
    }

    #[test]
    fn what_killed_lives_left_behind_goes_but_nothing_young_and_nothing_else() {
        let mount = hierarchy(&["", "other"]);
        let made = |name: &str, age: u64| {
            let path = mount.path().join(name);
            fs::create_dir(&path).expect("a folder");
            let at = std::time::SystemTime::now() - Duration::from_secs(age);
            File::open(&path).and_then(|folder| folder.set_modified(at)).expect("a time");
            path
        };
        let (old, young) = (made("procession-old", 100), made("procession-young", 1));
        let theirs = made("somebody-old", 100);
        drop(groups(mount.path()));
        assert!(!old.exists() && young.exists() && theirs.exists());
    }
}
