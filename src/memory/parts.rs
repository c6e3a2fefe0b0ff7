//! The figures of a tree that cost more than its size: what it holds when shared pages are counted
//! once, what is swapped out, how much it read and wrote.
//!
//! Owns the formats of `/proc/PID/smaps_rollup`, `status` and `io`, and how the figures of members
//! add up. Opens nothing. A line that is missing, because the kernel is older or has no such thing,
//! gives `None` and never 0; a figure of a tree is known only where it is known of every member,
//! because a part of a sum is no sum. Formats: `proc_pid_smaps(5)`, `proc_pid_status(5)`,
//! `proc_pid_io(5)`.

use crate::memory::stat::unsigned;
use crate::units::{Bytes, Now, RunId};

/// What was read of one tree at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TreeParts {
    /// Whose tree.
    pub run: RunId,
    /// When it was read.
    pub at: Now,
    /// Its figures.
    pub parts: Parts,
}

/// Figures of one process, or of a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Resident bytes where each page counts by the share that a process has in it (PSS), so that
    /// the sum over a tree is right, with what of them is swapped out.
    pub proportional: Option<Bytes>,
    /// Resident bytes that nobody else maps (USS): what its end would give back.
    pub unique: Option<Bytes>,
    /// Anonymous bytes that are swapped out; shared ones count once for each process.
    pub swap: Option<Bytes>,
    /// The most that a single process of it was resident with.
    pub peak: Option<Bytes>,
    /// Threads.
    pub threads: Option<u64>,
    /// Open descriptors.
    pub open_fds: Option<u64>,
    /// Bytes that were fetched from disks, by it and by the children that it has waited for.
    pub read: Option<u64>,
    /// Bytes that were sent to disks, by the same.
    pub written: Option<u64>,
}

impl Parts {
    /// What a tree without members holds.
    pub const NOTHING: Self = Self {
        proportional: Some(Bytes(0)),
        unique: Some(Bytes(0)),
        swap: Some(Bytes(0)),
        peak: Some(Bytes(0)),
        threads: Some(0),
        open_fds: Some(0),
        read: Some(0),
        written: Some(0),
    };

    /// Both together. What is unknown of one is unknown of both; only a peak is none of a sum.
    pub fn and(self, other: Self) -> Self {
        let bytes =
            |one: Option<Bytes>, two: Option<Bytes>| Some(Bytes(one?.0.saturating_add(two?.0)));
        let count = |one: Option<u64>, two: Option<u64>| Some(one?.saturating_add(two?));
        Self {
            proportional: bytes(self.proportional, other.proportional),
            unique: bytes(self.unique, other.unique),
            swap: bytes(self.swap, other.swap),
            peak: self.peak.max(other.peak),
            threads: count(self.threads, other.threads),
            open_fds: count(self.open_fds, other.open_fds),
            read: count(self.read, other.read),
            written: count(self.written, other.written),
        }
    }
}

/// What `smaps_rollup` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rollup {
    /// `Pss` with `SwapPss`.
    pub proportional: Option<Bytes>,
    /// `Private_Clean`, `Private_Dirty` and `Private_Hugetlb`.
    pub unique: Option<Bytes>,
}

/// Reads `smaps_rollup`. A kernel without `SwapPss` has a proportional figure all the same.
pub fn parse_rollup(text: &[u8]) -> Rollup {
    let plus = |sum: Option<Bytes>, more: Option<Bytes>| {
        sum.map(|sum| Bytes(sum.0.saturating_add(more.unwrap_or_default().0)))
    };
    let dirty = kilobytes(text, b"Private_Dirty:");
    let unique = plus(dirty, kilobytes(text, b"Private_Clean:"));
    Rollup {
        proportional: plus(kilobytes(text, b"Pss:"), kilobytes(text, b"SwapPss:")),
        unique: plus(unique, kilobytes(text, b"Private_Hugetlb:")),
    }
}

/// What `status` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// `VmRSS`; a zombie and a thread of the kernel have none.
    pub resident: Option<Bytes>,
    /// `VmHWM`.
    pub peak: Option<Bytes>,
    /// `VmSwap`.
    pub swap: Option<Bytes>,
    /// `Threads`.
    pub threads: Option<u64>,
}

/// Reads `status`.
pub fn parse_status(text: &[u8]) -> Status {
    Status {
        resident: kilobytes(text, b"VmRSS:"),
        peak: kilobytes(text, b"VmHWM:"),
        swap: kilobytes(text, b"VmSwap:"),
        threads: value(text, b"Threads:"),
    }
}

/// Reads `read_bytes` and `write_bytes` of `io`.
pub fn parse_io(text: &[u8]) -> (Option<u64>, Option<u64>) {
    (value(text, b"read_bytes:"), value(text, b"write_bytes:"))
}

/// The number of the line that begins with this name.
pub fn value(text: &[u8], name: &[u8]) -> Option<u64> {
    let mut lines = text.split(|byte| *byte == b'\n');
    let rest = lines.find_map(|line| line.strip_prefix(name))?;
    let mut words = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    unsigned(words.next()?)
}

/// The same of a line in kilobytes of 1024.
fn kilobytes(text: &[u8], name: &[u8]) -> Option<Bytes> {
    Some(Bytes(value(text, name)?.saturating_mul(1024)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLLUP: &[u8] = b"55d0c6a000-7ffd9a000 ---p 00000000 00:00 0    [rollup]\n\
        Rss:                1684 kB\nPss:                 318 kB\nPss_Dirty:           108 kB\n\
        Shared_Clean:       1508 kB\nShared_Dirty:          0 kB\nPrivate_Clean:        68 kB\n\
        Private_Dirty:       108 kB\nReferenced:         1684 kB\nSwap:                 40 kB\n\
        SwapPss:              20 kB\nLocked:                0 kB\n";

    #[test]
    fn a_rollup_counts_shared_pages_by_share_and_what_is_swapped_with_them() {
        let rollup = parse_rollup(ROLLUP);
        assert_eq!(rollup.proportional, Some(Bytes((318 + 20) * 1024)));
        assert_eq!(rollup.unique, Some(Bytes((68 + 108) * 1024)));
    }

    #[test]
    fn what_a_kernel_does_not_say_is_not_known() {
        assert_eq!(parse_rollup(b""), Rollup::default());
        assert_eq!(parse_rollup(b"Rss: 4 kB\n"), Rollup::default());
        let old = b"Pss: 4 kB\nPrivate_Clean: 0 kB\nPrivate_Dirty: 4 kB\n";
        assert_eq!(parse_rollup(old).proportional, Some(Bytes(4096)));
        assert_eq!(parse_status(b"Name:\tsh\nState:\tZ (zombie)\nThreads:\t1\n").resident, None);
        assert_eq!(parse_io(b"rchar: 5\n"), (None, None));
        for torn in [&b"Pss:"[..], b"Pss:\n", b"Pss: kB\n", b"Pss: -4 kB\n", b"Pss: 4x kB\n"] {
            assert_eq!(parse_rollup(torn).proportional, None, "{torn:?}");
        }
    }

    #[test]
    fn a_number_that_does_not_fit_is_pinned() {
        let text = b"Pss: 99999999999999999999999 kB\n";
        assert_eq!(parse_rollup(text).proportional, Some(Bytes(u64::MAX)));
    }

    #[test]
    fn a_status_gives_swap_peak_and_threads() {
        let text = b"Name:\tVmSwap: 7 kB\nVmPeak:\t 9 kB\nVmHWM:\t    6 kB\nVmRSS:\t    5 kB\n\
                     VmSwap:\t    3 kB\nThreads:\t8\n";
        let status = parse_status(text);
        assert_eq!((status.resident, status.peak), (Some(Bytes(5120)), Some(Bytes(6144))));
        assert_eq!((status.swap, status.threads), (Some(Bytes(3072)), Some(8)));
    }

    #[test]
    fn what_is_unknown_of_one_member_is_unknown_of_the_tree() {
        let one = Parts {
            proportional: Some(Bytes(10)),
            swap: Some(Bytes(1)),
            peak: Some(Bytes(9)),
            threads: Some(2),
            ..Parts::NOTHING
        };
        let denied = Parts { proportional: None, open_fds: None, peak: Some(Bytes(4)), ..one };
        let both = Parts::NOTHING.and(one).and(denied);
        assert_eq!((both.proportional, both.open_fds), (None, None));
        assert_eq!((both.swap, both.threads), (Some(Bytes(2)), Some(4)));
        assert_eq!(both.peak, Some(Bytes(9)), "the largest, since peaks do not come together");
    }
}
