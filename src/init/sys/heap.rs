//! How much memory the C library keeps for itself, and our code.
//!
//! Its allocator gives each thread a pool and rarely gives anything back, so that the start of a
//! thousand processes, which is told of all at once, would be paid for by a whole life.

/// Pools at most: the loop's own, and one that everybody below shares with it.
#[cfg(target_env = "gnu")]
const POOLS: i32 = 2;

/// From this size on a block is mapped by itself and goes back to the kernel when it is freed. The
/// library would raise it by itself with each larger block.
#[cfg(target_env = "gnu")]
const MAPPED_FROM: i32 = 128 << 10;

/// Keeps the pools few; call it before there is a second thread.
#[cfg(target_env = "gnu")]
pub fn keep_small() {
    // SAFETY: both take effect for what is allocated from now on, and fail without harm.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, POOLS);
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_FROM);
    }
}

/// Gives whole pages that are free back to the kernel.
#[cfg(target_env = "gnu")]
pub fn give_back() {
    // SAFETY: the allocator takes its own locks.
    unsafe { libc::malloc_trim(0) };
}

/// Takes the program's own code out of our memory: what was used to begin is not used again. The
/// kernel keeps the file, and maps what is called from then on anew, a few pages for each first call.
pub fn forget_code() {
    unsafe extern "C" {
        static __executable_start: u8;
        static etext: u8;
    }
    // SAFETY: the linker sets both, at the beginning and the end of what is never written; nothing is
    // lost by leaving it to the file that it came from. Holes are passed over.
    unsafe {
        let start = (&raw const __executable_start).addr() & !(PAGE - 1);
        let end = (&raw const etext).addr() & !(PAGE - 1);
        let pages = std::ptr::without_provenance_mut(start);
        libc::madvise(pages, end.saturating_sub(start), libc::MADV_DONTNEED);
    }
}

/// The smallest page of any processor that we run on. Where pages are larger the kernel refuses, unless
/// the range happens to fit, and all stays mapped.
const PAGE: usize = 4096;

/// Other libraries keep little.
#[cfg(not(target_env = "gnu"))]
pub fn keep_small() {}

/// Other libraries keep little.
#[cfg(not(target_env = "gnu"))]
pub fn give_back() {}

#[cfg(test)]
mod tests {
    use super::*;

    /// How much of the files that we are made of is mapped, in kilobytes.
    fn mapped() -> usize {
        let text = std::fs::read_to_string("/proc/self/status").expect("a status");
        let line = text.lines().find_map(|line| line.strip_prefix("RssFile:")).expect("a figure");
        line.trim_end_matches("kB").trim().parse().expect("a number")
    }

    #[test]
    fn code_that_is_forgotten_is_there_when_it_is_called() {
        let before = mapped();
        forget_code();
        let after = mapped();
        assert!(after < before, "{before} kB before, {after} kB after");
        assert_eq!(format!("{:?}", vec![1.5, 2.0]), "[1.5, 2.0]");
    }
}
