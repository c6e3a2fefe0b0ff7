//! How much memory the C library keeps for itself.
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

/// Other libraries keep little.
#[cfg(not(target_env = "gnu"))]
pub fn keep_small() {}

/// Other libraries keep little.
#[cfg(not(target_env = "gnu"))]
pub fn give_back() {}
