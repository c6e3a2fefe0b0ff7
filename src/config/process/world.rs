//! The world that a process wakes up in: limits, priorities, standard input, secrets.

use crate::config::plan::Resource;

/// The words of `ulimits`, which are Compose's.
pub(in crate::config) const RESOURCES: [(&str, Resource); 16] = [
    ("as", Resource::AddressSpace),
    ("core", Resource::Core),
    ("cpu", Resource::Cpu),
    ("data", Resource::Data),
    ("fsize", Resource::FileSize),
    ("locks", Resource::Locks),
    ("memlock", Resource::MemLock),
    ("msgqueue", Resource::MsgQueue),
    ("nice", Resource::Nice),
    ("nofile", Resource::OpenFiles),
    ("nproc", Resource::Processes),
    ("rss", Resource::Resident),
    ("rtprio", Resource::RealTimePriority),
    ("rttime", Resource::RealTimeTime),
    ("sigpending", Resource::PendingSignals),
    ("stack", Resource::Stack),
];
