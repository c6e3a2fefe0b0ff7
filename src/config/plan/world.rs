//! The world that a child wakes up in: who it is, what it may use, and what it can reach.

use std::path::PathBuf;

/// Everything that is set between fork and exec; by default, as it is for us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct World {
    /// As whom it runs; ours when `None`.
    pub user: Option<User>,
    /// `umask`: the permission bits that new files do not get.
    pub umask: Option<u32>,
    /// `ulimits`.
    pub limits: Vec<Limit>,
    /// `nice`: -20 to 19.
    pub nice: Option<i32>,
    /// `oom_score_adj`: -1000 to 1000.
    pub oom_score_adj: Option<i32>,
    /// `cpuset`: the processors that it may run on; all when empty.
    pub cpus: Vec<u16>,
    /// `io_priority`.
    pub io_priority: Option<IoPriority>,
    /// Where its standard input comes from.
    pub stdin: Stdin,
    /// Variables whose values are read from files at the moment of the spawn, in the child, so that
    /// they reach neither the store nor the log.
    pub secrets: Vec<Secret>,
}

/// A user with everything that `initgroups(3)` and a login would give, as numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user's number.
    pub uid: u32,
    /// The primary group's number.
    pub gid: u32,
    /// Every group, the primary one included.
    pub groups: Vec<u32>,
    /// The name, where it is known: the values of `USER` and `LOGNAME`.
    pub name: Option<String>,
    /// The home folder, where it is known: the value of `HOME`.
    pub home: Option<PathBuf>,
}

/// One entry of `ulimits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What is limited.
    pub resource: Resource,
    /// The soft limit; `None` is unlimited.
    pub soft: Option<u64>,
    /// The hard limit; `None` is unlimited.
    pub hard: Option<u64>,
}

/// What can be limited; the words are those of `setrlimit(2)` in lower case, as Compose has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `as`: address space, bytes.
    AddressSpace,
    /// `core`: core dumps, bytes.
    Core,
    /// `cpu`: processor time, seconds.
    Cpu,
    /// `data`: data segment, bytes.
    Data,
    /// `fsize`: files, bytes.
    FileSize,
    /// `locks`: file locks.
    Locks,
    /// `memlock`: locked memory, bytes.
    MemLock,
    /// `msgqueue`: POSIX message queues, bytes.
    MsgQueue,
    /// `nice`: the ceiling of the nice value, as `20 - nice`.
    Nice,
    /// `nofile`: open descriptors.
    OpenFiles,
    /// `nproc`: processes of the user.
    Processes,
    /// `rss`: resident set, bytes; without effect since Linux 2.4.30.
    Resident,
    /// `rtprio`: real-time priority.
    RealTimePriority,
    /// `rttime`: real-time processor time, microseconds.
    RealTimeTime,
    /// `sigpending`: queued signals.
    PendingSignals,
    /// `stack`: stack, bytes.
    Stack,
}

/// The priority of reads and writes, as `ioprio_set(2)` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoPriority {
    /// Before everybody else; 0 is first, 7 last. Needs privilege.
    RealTime(u8),
    /// The usual class; 0 is first, 7 last.
    BestEffort(u8),
    /// Only when nobody else wants the disk.
    Idle,
}

/// Where standard input comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stdin {
    /// One command inherits ours; a process of a file gets an empty one.
    #[default]
    Usual,
    /// An empty one.
    Null,
    /// Ours (`stdin_open: true`).
    Inherit,
    /// Ours with the terminal, in the foreground (`tty: true`); at most one process of a plan.
    Terminal,
    /// A pipe that whoever started it writes to; for commands beside the plan.
    Pipe,
    /// A terminal of its own, by which it writes as well: `tty: true` with an output that we read.
    OwnTerminal,
}

/// A variable whose value is a file's content, without the line end that ends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// The variable.
    pub variable: String,
    /// The file, at most [`Secret::LONGEST`] bytes long.
    pub file: PathBuf,
}

impl Secret {
    /// What a value may hold at most: room for it is made before the fork.
    pub const LONGEST: usize = 64 << 10;
}
