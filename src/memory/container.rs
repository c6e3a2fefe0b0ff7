//! What our own control group says of memory: the figures that the container is judged by.
//!
//! Owns the files of both versions of control groups and what their words mean. Pure: `group` opens
//! them. Whatever a kernel, a mount or a permission lacks is `None` and never 0. Formats:
//! `cgroup-v2.rst` and `cgroup-v1/memory.rst` of the kernel, `psi.rst` for pressure.

use crate::memory::stat::unsigned;
use crate::units::{Bytes, Now};

/// Which version of control groups accounts for our memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupMode {
    /// The first, alone or beside the second.
    V1,
    /// The second.
    V2,
    /// Neither can be read.
    #[default]
    None,
}

impl GroupMode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::V1, Self::V2, Self::None];

    /// The value of the `mode` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::None => "none",
        }
    }
}

/// What is known of the container's memory at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ContainerFigures {
    /// When it was read.
    pub at: Now,
    /// By which version.
    pub mode: GroupMode,
    /// Everything that is charged to it, what the kernel keeps of files included.
    pub usage: Option<Bytes>,
    /// The least of its own limit, those of the groups above it that can be seen, and the machine's
    /// memory.
    pub limit: Option<Bytes>,
    /// The least `memory.high` of its own and of the groups above it that can be seen: whoever allocates
    /// above it is slowed down, and pages are taken away; version 1 has none.
    pub high: Option<Bytes>,
    /// The machine's memory.
    pub machine: Option<Bytes>,
    /// Usage without what is cached of files and was not used lately: what a kubelet evicts by.
    pub working_set: Option<Bytes>,
    /// What of it is swapped out.
    pub swap: Option<Bytes>,
    /// The most that its usage was.
    pub peak: Option<Bytes>,
    /// What it is made of.
    pub parts: GroupParts,
    /// How often it met its limits.
    pub events: GroupEvents,
    /// How much it waits for memory.
    pub pressure: Option<Pressure>,
}

/// What a group's usage is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupParts {
    /// Anonymous pages.
    pub anonymous: Option<Bytes>,
    /// What is cached of files, shared memory included.
    pub file: Option<Bytes>,
    /// Shared memory and files that lie in memory.
    pub shared: Option<Bytes>,
    /// What the kernel keeps for itself in our name.
    pub slab: Option<Bytes>,
    /// What is cached of files and was not used lately.
    pub inactive_file: Option<Bytes>,
}

impl GroupParts {
    /// Each that adds to its usage with the value of its `part` label; shared memory is in `file`.
    pub fn by_name(&self) -> [(&'static str, Option<Bytes>); 4] {
        let (anonymous, file) = (("anonymous", self.anonymous), ("file", self.file));
        [anonymous, file, ("shmem", self.shared), ("slab", self.slab)]
    }
}

/// How often a group met its limits, since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupEvents {
    /// Pages were taken away although its usage was within `memory.low`.
    pub low: Option<u64>,
    /// Its usage was above `memory.high`.
    pub high: Option<u64>,
    /// Its usage was about to go over `memory.max`; for version 1, `failcnt`.
    pub max: Option<u64>,
    /// An allocation was about to fail.
    pub oom: Option<u64>,
    /// Processes that the kernel killed for want of memory.
    pub oom_kill: Option<u64>,
    /// Groups that the kernel killed as a whole (`memory.oom.group`); since Linux 5.17.
    pub oom_group_kill: Option<u64>,
}

impl GroupEvents {
    /// Each with the value of its `event` label.
    pub fn by_name(&self) -> [(&'static str, Option<u64>); 6] {
        let kills = [("oom_kill", self.oom_kill), ("oom_group_kill", self.oom_group_kill)];
        let [low, high] = [("low", self.low), ("high", self.high)];
        [low, high, ("max", self.max), ("oom", self.oom), kills[0], kills[1]]
    }
}

/// How much somebody waits for memory (PSI).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pressure {
    /// Whether it is the machine's rather than the container's.
    pub of_machine: bool,
    /// While some process waited.
    pub some: Stall,
    /// While all of them did; older kernels do not say.
    pub full: Option<Stall>,
}

/// A line of a pressure file.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stall {
    /// The part of the last 10 seconds, from 0 to 1.
    pub last_10s: f64,
    /// The part of the last minute.
    pub last_60s: f64,
    /// Seconds in all.
    pub seconds: f64,
}

/// A limit that is none: half of what fits, since version 1 says 2^63 rounded down to a page.
const NO_LIMIT: u64 = 1 << 62;

/// A file that holds one number; `max` and what is as large as that is `None`.
pub fn parse_limit(text: &[u8]) -> Option<Bytes> {
    unsigned(text.trim_ascii()).filter(|limit| *limit < NO_LIMIT).map(Bytes)
}

/// A file that holds one number.
pub fn parse_count(text: &[u8]) -> Option<u64> {
    unsigned(text.trim_ascii())
}

/// The number behind a word of a flat file such as `memory.stat`.
pub fn word(text: &[u8], name: &str) -> Option<u64> {
    let mut lines = text.split(|byte| *byte == b'\n');
    let rest = lines.find_map(|line| line.strip_prefix(name.as_bytes())?.strip_prefix(b" "))?;
    unsigned(rest.trim_ascii())
}

/// What `memory.stat` of this version says.
pub fn parse_stat(text: &[u8], mode: GroupMode) -> GroupParts {
    let bytes = |name| word(text, name).map(Bytes);
    match mode {
        GroupMode::V2 => GroupParts {
            anonymous: bytes("anon"),
            file: bytes("file"),
            shared: bytes("shmem"),
            slab: bytes("slab"),
            inactive_file: bytes("inactive_file"),
        },
        // Without `total_` they would be of this group alone, without those below it.
        GroupMode::V1 => GroupParts {
            anonymous: bytes("total_rss"),
            file: bytes("total_cache"),
            shared: bytes("total_shmem"),
            slab: None,
            inactive_file: bytes("total_inactive_file"),
        },
        GroupMode::None => GroupParts::default(),
    }
}

/// What `memory.events` says.
pub fn parse_events(text: &[u8]) -> GroupEvents {
    let count = |name| word(text, name);
    GroupEvents {
        low: count("low"),
        high: count("high"),
        max: count("max"),
        oom: count("oom"),
        oom_kill: count("oom_kill"),
        oom_group_kill: count("oom_group_kill"),
    }
}

/// Usage without the inactive part of the cache, as cAdvisor has it: never below nothing.
pub fn working_set(usage: Option<Bytes>, parts: &GroupParts) -> Option<Bytes> {
    Some(Bytes(usage?.0.saturating_sub(parts.inactive_file?.0)))
}

/// Reads a pressure file.
pub fn parse_pressure(text: &[u8], of_machine: bool) -> Option<Pressure> {
    let text = std::str::from_utf8(text).ok()?;
    let of = |kind: &str| text.lines().find_map(|line| stall(line.strip_prefix(kind)?));
    Some(Pressure { of_machine, some: of("some ")?, full: of("full ") })
}

fn stall(line: &str) -> Option<Stall> {
    const MICROSECONDS: f64 = 1e-6;
    let field = |name: &str| {
        let mut words = line.split_ascii_whitespace();
        let number: f64 = words.find_map(|word| word.strip_prefix(name))?.parse().ok()?;
        (number.is_finite() && number >= 0.0).then_some(number)
    };
    Some(Stall {
        last_10s: field("avg10=")? / 100.0,
        last_60s: field("avg60=")? / 100.0,
        seconds: field("total=")? * MICROSECONDS,
    })
}

/// The path of our group in the hierarchy of memory: which version, and where below its mount. The
/// first version counts where it has the controller, because then the second one cannot.
pub fn own_group(cgroup: &str) -> Option<(GroupMode, &str)> {
    let mut lines = cgroup.lines();
    let first = lines.find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        controllers.split(',').any(|name| name == "memory").then_some(path)
    });
    let second = || cgroup.lines().find_map(|line| line.strip_prefix("0::"));
    match first {
        Some(path) => Some((GroupMode::V1, path)),
        None => second().map(|path| (GroupMode::V2, path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_two_to_the_63_is_none() {
        for text in ["max\n", "9223372036854771712\n", "9223372036854775807", "", "-1", "abc\n"] {
            assert_eq!(parse_limit(text.as_bytes()), None, "{text:?}");
        }
        let more = b"99999999999999999999999999\n";
        assert_eq!(parse_limit(more), None);
        assert_eq!(parse_limit(b"67108864\n"), Some(Bytes(67_108_864)));
        assert_eq!(parse_limit(b"0\n"), Some(Bytes(0)));
    }

    #[test]
    fn both_versions_say_what_usage_is_made_of() {
        let second = b"anon 100\nfile 50\nkernel 9\nslab 7\nshmem 5\ninactive_file 30\n";
        let parts = parse_stat(second, GroupMode::V2);
        assert_eq!((parts.anonymous, parts.file), (Some(Bytes(100)), Some(Bytes(50))));
        assert_eq!((parts.shared, parts.slab), (Some(Bytes(5)), Some(Bytes(7))));
        assert_eq!(working_set(Some(Bytes(170)), &parts), Some(Bytes(140)));
        let first = b"cache 1\nrss 2\nshmem 3\ntotal_cache 10\ntotal_rss 20\ntotal_shmem 4\n\
                      total_inactive_file 3\n";
        let parts = parse_stat(first, GroupMode::V1);
        assert_eq!((parts.anonymous, parts.file), (Some(Bytes(20)), Some(Bytes(10))));
        assert_eq!((parts.shared, parts.slab), (Some(Bytes(4)), None));
        assert_eq!(working_set(Some(Bytes(1)), &parts), Some(Bytes(0)), "never below nothing");
        assert_eq!(working_set(Some(Bytes(1)), &GroupParts::default()), None);
    }

    #[test]
    fn a_word_is_a_whole_one() {
        let text = b"oom_kill 3\noom 2\noom_group_kill 1\nhigh x\n";
        let events = parse_events(text);
        assert_eq!(
            (events.oom, events.oom_kill, events.oom_group_kill),
            (Some(2), Some(3), Some(1))
        );
        assert_eq!((events.low, events.high, events.max), (None, None, None));
    }

    #[test]
    fn pressure_is_read_in_parts_of_one_and_in_seconds() {
        let text = b"some avg10=12.50 avg60=1.00 avg300=0.00 total=2500000\n\
                     full avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\n";
        let pressure = parse_pressure(text, false).expect("pressure");
        assert_eq!(pressure.some, Stall { last_10s: 0.125, last_60s: 0.01, seconds: 2.5 });
        assert_eq!(pressure.full.map(|full| full.seconds), Some(1.0));
        assert_eq!(parse_pressure(b"", true), None);
        assert_eq!(parse_pressure(b"some avg10=nan avg60=0 total=0\n", true), None);
        let old = parse_pressure(b"some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n", true);
        assert_eq!(old.map(|old| old.full), Some(None));
    }

    #[test]
    fn the_version_that_has_the_controller_counts() {
        for (text, expected) in [
            ("0::/a/b\n", Some((GroupMode::V2, "/a/b"))),
            ("4:memory:/x\n0::/\n", Some((GroupMode::V1, "/x"))),
            ("4:cpu,memory:/docker/1\n", Some((GroupMode::V1, "/docker/1"))),
            ("4:name=memory:/x\n", None),
            ("", None),
        ] {
            assert_eq!(own_group(text), expected, "{text:?}");
        }
    }
}
