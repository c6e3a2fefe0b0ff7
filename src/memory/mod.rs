//! How much memory each run's whole tree holds, and whether that looks like a leak.
//!
//! `proc` reads `/proc` and `stat` understands it, `tree` says which processes belong to which run
//! and `marker` whose those are who lost their lineage, `probe` samples them, `level` and `leak`
//! judge them against what `limit` says, `myself` reads our own figures. What costs more to
//! read is `parts`, within `parts_budget`, and what the container's own group says is `container`, which
//! `group` reads. `history` is what a run held, and `recurring` a leak that outlives restarts. Only `proc`, `marker`, `probe`,
//! `group` and `myself` touch the world.

pub mod container;
pub mod group;
pub mod history;
pub mod leak;
pub mod level;
pub mod limit;
pub mod marker;
pub mod orphan;
pub mod parts;
pub mod parts_budget;
pub mod recurring;
pub mod strays;
pub mod myself;
pub mod probe;
pub mod proc;
pub mod stat;
pub mod tree;

use std::time::Duration;

use crate::faults::Faults;
use crate::memory::leak::evidence::Evidence;
use crate::units::{Bytes, Now, RunId, Wall};

/// The memory of one run's whole tree at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TreeSample {
    /// Whose tree.
    pub run: RunId,
    /// When it was read.
    pub at: Now,
    /// Resident bytes summed over the tree; shared pages count once for each process.
    pub resident: Bytes,
    /// Resident minus shared (`statm`), summed: what the tree alone holds, roughly.
    pub anonymous: Bytes,
    /// The same of the one member that has the most of it: less than this the tree cannot hold,
    /// whatever its members share.
    pub largest: Bytes,
    /// Virtual size, summed.
    pub virtual_size: Bytes,
    /// Living processes in the tree.
    pub processes: u32,
    /// The dead in the tree whose own parent, who is not us, has not read their status.
    pub zombies: u32,
    /// Since when the oldest of them has been seen.
    pub oldest_zombie: Option<Wall>,
    /// User and system CPU seconds of the living and of the reaped that they waited for.
    pub cpu_seconds: f64,
}

/// What we ourselves use, at one moment; absent where it cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SelfFigures {
    /// User and system CPU seconds that we spent; those of children are not in it.
    pub cpu_seconds: Option<f64>,
    /// Resident bytes.
    pub resident: Option<Bytes>,
    /// Virtual bytes.
    pub virtual_size: Option<Bytes>,
    /// Open descriptors.
    pub open_fds: Option<u64>,
    /// Descriptors that we may have open; absent when there is no limit.
    pub max_fds: Option<u64>,
    /// When we were started, in seconds since 1970.
    pub start_time_seconds: Option<f64>,
    /// What the loop that supervises has done.
    pub turns: Option<Turns>,
    /// Faults of ours that were caught.
    pub faults: Option<Faults>,
}

/// The turns of the loop so far: while one is under way, nothing else is heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    /// How many.
    pub count: u64,
    /// How long all of them took.
    pub total: Duration,
    /// How long the longest took.
    pub longest: Duration,
}

/// What reading proportional figures has cost so far, and why some could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartsCost {
    /// Readings of all trees.
    pub readings: u64,
    /// The processor time that they took together.
    pub spent: Duration,
    /// Processes that could not be read, in the order of [`Unread::ALL`].
    pub unread: [u64; Unread::ALL.len()],
}

/// Why a process has no proportional figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// We may not look: another user's process, without the capability for it.
    Denied,
    /// It is so large that looking would hold it up.
    TooLarge,
    /// The kernel has no such file (before Linux 4.14).
    Unsupported,
    /// Something else.
    Other,
}

impl Unread {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Denied, Self::TooLarge, Self::Unsupported, Self::Other];

    /// The value of the `reason` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::TooLarge => "too_large",
            Self::Unsupported => "unsupported",
            Self::Other => "other",
        }
    }
}

/// What a leak rule says of a series, from the least to the most that is known against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeakState {
    /// Too few samples to say anything.
    Unknown,
    /// No sign of one.
    None,
    /// It grows like a leak, and may yet turn out to be something else.
    Suspected,
    /// Nothing but a leak explains it: worth a page.
    Confirmed,
}

impl LeakState {
    /// Every state, from the least.
    pub const ALL: [Self; 4] = [Self::Unknown, Self::None, Self::Suspected, Self::Confirmed];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::None => "none",
            Self::Suspected => "suspected",
            Self::Confirmed => "confirmed",
        }
    }

    /// How people are told of it, wherever that is.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Unknown => "too early",
            Self::None | Self::Suspected | Self::Confirmed => self.as_str(),
        }
    }

    /// Whether a leak is suspected or more than that; `None` where nothing can be said.
    pub fn is_suspected(self) -> Option<bool> {
        (self != Self::Unknown).then_some(self >= Self::Suspected)
    }

    /// Whether one is confirmed; `None` where nothing can be said.
    pub fn is_confirmed(self) -> Option<bool> {
        (self != Self::Unknown).then_some(self == Self::Confirmed)
    }
}

/// Between which figures the true one lies, nineteen times in twenty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The lower one.
    pub low: f64,
    /// The higher one.
    pub high: f64,
}

/// A rule's judgement with its evidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// The judgement.
    pub state: LeakState,
    /// Since when the state has held.
    pub since: Now,
    /// Growth over the window, in bytes per second; `None` where there is no window yet.
    pub growth: Option<f64>,
    /// How sure that figure is; `None` where the rule cannot say.
    pub growth_range: Option<Range>,
    /// How long it takes to the limit if that goes on; `None` without a limit or growth.
    pub to_limit: Option<Duration>,
    /// What the rule has seen; it prints as a sentence.
    pub evidence: Evidence,
}

/// A rule that judges one tree's series, fed sample by sample. The state it keeps is small, and
/// the same samples always give the same verdicts.
pub trait LeakDetector: Send {
    /// Takes the next sample of the tree.
    fn observe(&mut self, sample: &TreeSample);
    /// What it says now.
    fn verdict(&self) -> Verdict;
    /// Takes another limit of the tree's bytes, from now on.
    fn limit(&mut self, limit: Option<Bytes>);
}

/// How a tree's size compares with its thresholds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemoryLevel {
    /// Below the warning threshold.
    Normal,
    /// At or above the warning threshold.
    Warning,
    /// At or above the critical threshold.
    Critical,
}

impl MemoryLevel {
    /// Every level, from the lowest.
    pub const ALL: [Self; 3] = [Self::Normal, Self::Warning, Self::Critical];

    /// The value of the `level` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}
