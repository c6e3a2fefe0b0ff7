//! Our own control group, found once and read on every tick: a handful of small files that the
//! kernel makes from memory.

use std::fs;
use std::path::{Path, PathBuf};

use crate::memory::container::{
    ContainerFigures, GroupEvents, GroupMode, GroupParts, Pressure, own_group, parse_count,
    parse_events, parse_limit, parse_pressure, parse_stat, word, working_set,
};
use crate::memory::parts;
use crate::units::{Bytes, Now};

/// The leaf that we move to where our own group hands its limits on: the container is what is above
/// it.
pub const LEAF: &str = "procession-self";

/// Where the hierarchies are mounted: the second version alone, and beside the first.
const SECOND: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
/// Where systems mount the memory of the first version.
const FIRST: [&str; 1] = ["/sys/fs/cgroup/memory"];

/// Our own group, or none.
#[derive(Clone, Debug)]
pub struct Group {
    mode: GroupMode,
    home: PathBuf,
    mount: PathBuf,
}

impl Group {
    /// Looks for the group that we are in.
    pub fn find() -> Self {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self::among(&FIRST.map(Path::new), &SECOND.map(Path::new), &own)
    }

    /// The same below these mounts. A group that does not say how much it uses is none: the root of
    /// a hierarchy, one without the controller, one that is not mounted.
    fn among(first: &[&Path], second: &[&Path], own: &str) -> Self {
        let none = Self { mode: GroupMode::None, home: PathBuf::new(), mount: PathBuf::new() };
        let Some((mode, path)) = own_group(own) else { return none };
        let path = path.trim_start_matches('/');
        let above_leaf = Path::new(path).file_name().is_some_and(|name| name == LEAF);
        let path = if above_leaf { &path[..path.len() - LEAF.len()] } else { path };
        let path = path.trim_end_matches('/');
        let mounts = if mode == GroupMode::V1 { first } else { second };
        // In a container all that is seen of the hierarchy may be its own group.
        let homes = mounts.iter().flat_map(|mount| [mount.join(path), mount.to_path_buf()]);
        let mut known = homes.zip(mounts.iter().flat_map(|mount| [mount, mount])).filter_map(
            |(home, mount)| {
                let found = Self { mode, home, mount: mount.to_path_buf() };
                found.usage().is_some().then_some(found)
            },
        );
        known.next().unwrap_or(none)
    }

    /// Reads everything that it says, and the machine's pressure where it says nothing of that.
    pub fn read(&self, at: Now) -> ContainerFigures {
        let parts = self.parts();
        let usage = self.usage();
        let machine = machine_memory();
        ContainerFigures {
            at,
            mode: self.mode,
            usage,
            limit: self.limit(machine),
            high: self.high(),
            machine,
            working_set: working_set(usage, &parts),
            swap: self.swap(),
            peak: self.bytes(["memory.max_usage_in_bytes", "memory.peak"]),
            parts,
            events: self.events(),
            pressure: self.pressure(),
        }
    }

    /// Processes of it, and of the groups below it, that the kernel killed for want of memory.
    pub fn oom_kills(&self) -> Option<u64> {
        match self.mode {
            GroupMode::V2 => parse_events(&self.file("memory.events")?).oom_kill,
            GroupMode::V1 => word(&self.file("memory.oom_control")?, "oom_kill"),
            GroupMode::None => None,
        }
    }

    fn usage(&self) -> Option<Bytes> {
        self.bytes(["memory.usage_in_bytes", "memory.current"])
    }

    fn parts(&self) -> GroupParts {
        let text = self.file("memory.stat");
        text.map(|text| parse_stat(&text, self.mode)).unwrap_or_default()
    }

    fn swap(&self) -> Option<Bytes> {
        match self.mode {
            GroupMode::V2 => self.count("memory.swap.current").map(Bytes),
            GroupMode::V1 => word(&self.file("memory.stat")?, "total_swap").map(Bytes),
            GroupMode::None => None,
        }
    }

    fn events(&self) -> GroupEvents {
        match self.mode {
            GroupMode::V2 => {
                self.file("memory.events").map(|text| parse_events(&text)).unwrap_or_default()
            }
            GroupMode::V1 => GroupEvents {
                max: self.count("memory.failcnt"),
                oom_kill: self.oom_kills(),
                ..GroupEvents::default()
            },
            GroupMode::None => GroupEvents::default(),
        }
    }

    /// The least limit of it and of whoever is above it, as far as that is seen, and of the machine.
    fn limit(&self, machine: Option<Bytes>) -> Option<Bytes> {
        let seen = match self.mode {
            GroupMode::V1 => self.least("memory.limit_in_bytes"),
            GroupMode::V2 => self.least("memory.max"),
            GroupMode::None => None,
        };
        // Of those above it that are not seen as well, where the first version says so.
        let stat = self.file("memory.stat");
        let told = stat.and_then(|text| word(&text, "hierarchical_memory_limit"));
        let told = told.and_then(|limit| parse_limit(limit.to_string().as_bytes()));
        seen.into_iter().chain(told).chain(machine).min()
    }

    fn high(&self) -> Option<Bytes> {
        if self.mode == GroupMode::V2 { self.least("memory.high") } else { None }
    }

    /// The least that a file says of those of it and of whoever is above it.
    fn least(&self, name: &str) -> Option<Bytes> {
        let above = self.home.ancestors().take_while(|path| path.starts_with(&self.mount));
        above.filter_map(|path| parse_limit(&fs::read(path.join(name)).ok()?)).min()
    }

    /// The machine's pressure counts where the group does not say its own.
    fn pressure(&self) -> Option<Pressure> {
        let own = self.file("memory.pressure").filter(|_| self.mode == GroupMode::V2);
        let own = own.and_then(|text| parse_pressure(&text, false));
        own.or_else(|| parse_pressure(&fs::read("/proc/pressure/memory").ok()?, true))
    }

    /// The file of the version that we have: the first one's name, then the second one's.
    fn bytes(&self, names: [&str; 2]) -> Option<Bytes> {
        match self.mode {
            GroupMode::V1 => self.count(names[0]),
            GroupMode::V2 => self.count(names[1]),
            GroupMode::None => None,
        }
        .map(Bytes)
    }

    fn count(&self, name: &str) -> Option<u64> {
        parse_count(&self.file(name)?)
    }

    fn file(&self, name: &str) -> Option<Vec<u8>> {
        if self.mode == GroupMode::None {
            return None;
        }
        fs::read(self.home.join(name)).ok()
    }
}

fn machine_memory() -> Option<Bytes> {
    let text = fs::read("/proc/meminfo").ok()?;
    Some(Bytes(parts::value(&text, b"MemTotal:")?.saturating_mul(1024)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// Folders with these files, as a hierarchy would have them.
    fn hierarchy(files: &[(&str, &str)]) -> tempfile::TempDir {
        let mount = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = mount.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        mount
    }

    #[test]
    fn the_least_limit_of_all_that_are_above_counts_and_the_machine_bounds_it() {
        let mount = hierarchy(&[
            ("memory.max", "max\n"),
            ("pod/memory.max", "67108864\n"),
            ("pod/memory.high", "33554432\n"),
            ("pod/it/memory.max", "134217728\n"),
            ("pod/it/memory.high", "max\n"),
            ("pod/it/memory.current", "1048576\n"),
        ]);
        let group = Group::among(&[], &[mount.path()], "0::/pod/it\n");
        let figures = group.read(Now::default());
        assert_eq!((figures.mode, figures.usage), (GroupMode::V2, Some(Bytes(MIB))));
        assert_eq!((figures.limit, figures.high), (Some(Bytes(64 * MIB)), Some(Bytes(32 * MIB))));
        fs::write(mount.path().join("pod/memory.max"), "max\n").expect("a file");
        fs::write(mount.path().join("pod/it/memory.max"), "9223372036854771712\n").expect("a file");
        assert_eq!(group.read(Now::default()).limit, machine_memory());
        assert!(machine_memory() > Some(Bytes::mib(64)));
    }

    #[test]
    fn what_a_kernel_of_the_second_version_does_not_have_is_absent_and_never_nothing() {
        // Linux 5.4 without swap; what came with later ones follows below.
        let files = [
            ("it/memory.current", "41000960\n"),
            ("it/memory.max", "134217728\n"),
            ("it/memory.events", "low 2\nhigh 10\nmax 54\noom 3\noom_kill 1\n"),
            ("it/memory.stat", "anon 25165824\nfile 16777216\nshmem 0\ninactive_file 16000000\n"),
        ];
        let old = hierarchy(&files);
        let group = Group::among(&[], &[old.path()], "0::/it\n");
        let figures = group.read(Now::default());
        assert_eq!((figures.peak, figures.swap, figures.high), (None, None, None));
        assert_eq!((figures.parts.shared, figures.parts.slab), (Some(Bytes(0)), None));
        let events = figures.events.by_name().map(|(_, count)| count);
        assert_eq!(events, [Some(2), Some(10), Some(54), Some(3), Some(1), None]);
        assert!(figures.pressure.is_none_or(|pressure| pressure.of_machine));
        for (file, text) in [
            ("memory.peak", "70000640\n"),
            ("memory.swap.current", "0\n"),
            ("memory.high", "max\n"),
            ("memory.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=10248\n"),
        ] {
            fs::write(old.path().join("it").join(file), text).expect("a file");
        }
        let figures = group.read(Now::default());
        assert_eq!((figures.peak, figures.swap), (Some(Bytes(70_000_640)), Some(Bytes(0))));
        assert_eq!(figures.high, None, "no limit is no figure");
        assert_eq!(figures.pressure.map(|pressure| pressure.of_machine), Some(false));
    }

    #[test]
    fn the_container_is_above_the_leaf_that_we_moved_to() {
        let mount = hierarchy(&[
            ("it/memory.current", "7\n"),
            ("it/procession-self/memory.current", "1\n"),
        ]);
        let group = Group::among(&[], &[mount.path()], "0::/it/procession-self\n");
        assert_eq!(group.read(Now::default()).usage, Some(Bytes(7)));
        let seen = hierarchy(&[("memory.current", "9\n")]);
        let group = Group::among(&[], &[seen.path()], "0::/procession-self\n");
        assert_eq!(group.read(Now::default()).usage, Some(Bytes(9)), "all that a container sees");
        let named_alike =
            hierarchy(&[("memory.current", "9\n"), ("my-procession-self/memory.current", "3\n")]);
        let group = Group::among(&[], &[named_alike.path()], "0::/my-procession-self\n");
        assert_eq!(group.read(Now::default()).usage, Some(Bytes(3)), "another's name");
    }

    #[test]
    fn the_first_version_is_read_where_it_accounts() {
        let mount = hierarchy(&[
            ("x/memory.usage_in_bytes", "500\n"),
            ("x/memory.max_usage_in_bytes", "600\n"),
            ("x/memory.limit_in_bytes", "9223372036854771712\n"),
            ("x/memory.failcnt", "40\n"),
            ("x/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"),
            (
                "x/memory.stat",
                "hierarchical_memory_limit 1000\ntotal_rss 200\ntotal_cache 90\n\
                 total_inactive_file 50\ntotal_swap 8\n",
            ),
        ]);
        let figures =
            Group::among(&[mount.path()], &[], "4:memory:/x\n0::/y\n").read(Now::default());
        assert_eq!(figures.mode, GroupMode::V1);
        assert_eq!(figures.limit, Some(Bytes(1000)), "told by the group, of one that is hidden");
        assert_eq!((figures.peak, figures.swap), (Some(Bytes(600)), Some(Bytes(8))));
        assert_eq!((figures.working_set, figures.parts.slab), (Some(Bytes(450)), None));
        let events = figures.events.by_name().map(|(_, count)| count);
        assert_eq!(events, [None, None, Some(40), None, Some(1), None]);
    }

    #[test]
    fn what_is_not_mounted_says_nothing_but_what_the_machine_has() {
        let gone = Path::new("/nowhere");
        for own in ["0::/it\n", "4:memory:/it\n", ""] {
            let figures = Group::among(&[gone], &[gone], own).read(Now::default());
            let known = ContainerFigures {
                limit: machine_memory(),
                machine: machine_memory(),
                pressure: figures.pressure,
                ..ContainerFigures::default()
            };
            assert_eq!(figures, known, "{own:?}");
            assert!(figures.pressure.is_none_or(|pressure| pressure.of_machine));
        }
        // The root of the second version has its files, but none that tells of memory.
        let root = hierarchy(&[("cgroup.procs", ""), ("memory.stat", "anon 5\n")]);
        let figures = Group::among(&[], &[root.path()], "0::/\n").read(Now::default());
        assert_eq!((figures.mode, figures.parts), (GroupMode::None, GroupParts::default()));
    }
}
