//! System calls that touch nothing but the kernel, for a child that uses our memory until it executes:
//! the C library's own would write to our `errno`, and change identities in all threads that they find
//! in there.
//!
//! Each answers what the kernel does, or the error's number.

use std::ffi::c_char;
use std::os::fd::RawFd;

/// The kernel's answers from here up are errors, negated (`arch/*/kernel/entry*`).
const FIRST_ERROR: usize = usize::MAX - 4094;

type Answer = Result<usize, i32>;

/// # Safety
///
/// The arguments must be what this call of the kernel expects, and pointers among them valid.
#[cfg(target_arch = "x86_64")]
unsafe fn ask(number: libc::c_long, [a, b, c, d, e]: [usize; 5]) -> usize {
    let answer: usize;
    // SAFETY: the kernel clobbers rcx and r11 alone, and nothing of the stack.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") number as usize => answer,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    answer
}

/// # Safety
///
/// As above.
#[cfg(target_arch = "aarch64")]
unsafe fn ask(number: libc::c_long, [a, b, c, d, e]: [usize; 5]) -> usize {
    let answer: usize;
    // SAFETY: the kernel clobbers nothing but the answer's register.
    unsafe {
        std::arch::asm!(
            "svc 0",
            in("x8") number as usize,
            inlateout("x0") a => answer,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e,
            options(nostack),
        );
    }
    answer
}

/// Whether [`ask`] leaves all but the kernel alone. Elsewhere children get a copy of our memory.
pub(super) const IS_RAW: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

/// # Safety
///
/// As above; and the caller has a copy of our memory, since the C library's `errno` is written.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe fn ask(number: libc::c_long, [a, b, c, d, e]: [usize; 5]) -> usize {
    // SAFETY: by the caller.
    match unsafe { libc::syscall(number, a, b, c, d, e) } {
        -1 => usize::MAX - (super::errno() as usize - 1),
        answer => answer as usize,
    }
}

/// # Safety
///
/// As for [`ask`].
unsafe fn call<const N: usize>(number: libc::c_long, given: [usize; N]) -> Answer {
    let mut all = [0; 5];
    all[..N].copy_from_slice(&given);
    // SAFETY: by the caller.
    match unsafe { ask(number, all) } {
        answer if answer >= FIRST_ERROR => Err(answer.wrapping_neg() as i32),
        answer => Ok(answer),
    }
}

/// A descriptor or a small number as a register holds it.
fn word(number: i32) -> usize {
    number as isize as usize
}

pub(super) fn write(fd: RawFd, bytes: &[u8]) -> Answer {
    // SAFETY: the buffer is as long as it is said to be.
    unsafe { call(libc::SYS_write, [word(fd), bytes.as_ptr() as usize, bytes.len()]) }
}

/// # Safety
///
/// `path` is a string that outlives the call.
pub(super) unsafe fn open(path: *const c_char, flags: i32) -> Result<RawFd, i32> {
    // SAFETY: by the caller.
    let fd = unsafe { call(libc::SYS_openat, [word(libc::AT_FDCWD), path as usize, word(flags)]) };
    fd.map(|fd| fd as RawFd)
}

pub(super) fn close(fd: RawFd) {
    // SAFETY: a plain system call on a descriptor of the caller's own.
    let _ = unsafe { call(libc::SYS_close, [word(fd)]) };
}

/// Makes `to` another name of `from`, which must not be the same number.
pub(super) fn duplicate(from: RawFd, to: RawFd) -> Answer {
    // SAFETY: a plain system call.
    unsafe { call(libc::SYS_dup3, [word(from), word(to), 0]) }
}

/// Has an exec close every descriptor from `first` on.
pub(super) fn close_on_exec_from(first: RawFd) -> Answer {
    let flags = libc::CLOSE_RANGE_CLOEXEC as usize;
    // SAFETY: a plain system call.
    unsafe { call(libc::SYS_close_range, [word(first), libc::c_uint::MAX as usize, flags]) }
}

/// Has an exec close this descriptor.
pub(super) fn close_on_exec(fd: RawFd) {
    let (set, flag) = (word(libc::F_SETFD), word(libc::FD_CLOEXEC));
    // SAFETY: a plain system call; one that is not open is passed over.
    let _ = unsafe { call(libc::SYS_fcntl, [word(fd), set, flag]) };
}

pub(super) fn new_session() {
    // SAFETY: a plain system call; it fails for the leader of a group alone.
    let _ = unsafe { call(libc::SYS_setsid, []) };
}

/// A group of our own. Answers the one that we were in.
pub(super) fn new_group() -> i32 {
    // SAFETY: plain system calls on ourselves.
    unsafe {
        let before = call(libc::SYS_getpgid, [0]);
        let _ = call(libc::SYS_setpgid, [0, 0]);
        before.map_or(0, |group| group as i32)
    }
}

/// The group in the foreground of a terminal; `None` where it is no terminal of ours.
pub(super) fn foreground(fd: RawFd) -> Option<i32> {
    let mut group = 0i32;
    let place = (&raw mut group) as usize;
    // SAFETY: the kernel writes one number.
    unsafe { call(libc::SYS_ioctl, [word(fd), libc::TIOCGPGRP as usize, place]) }.ok()?;
    Some(group)
}

/// Puts our own group, which has our number, into the foreground of a terminal.
pub(super) fn take_foreground(fd: RawFd) {
    // SAFETY: plain system calls; the kernel reads one number.
    unsafe {
        let group = call(libc::SYS_getpid, []).map_or(0, |pid| pid as i32);
        let place = (&raw const group) as usize;
        let _ = call(libc::SYS_ioctl, [word(fd), libc::TIOCSPGRP as usize, place]);
    }
}

/// Makes a terminal that of our session.
pub(super) fn take_terminal(fd: RawFd) {
    // SAFETY: a plain system call.
    let _ = unsafe { call(libc::SYS_ioctl, [word(fd), libc::TIOCSCTTY as usize, 0]) };
}

pub(super) fn umask(mask: libc::mode_t) {
    // SAFETY: a plain system call, which cannot fail.
    let _ = unsafe { call(libc::SYS_umask, [mask as usize]) };
}

pub(super) fn limit(resource: libc::__rlimit_resource_t, limit: &libc::rlimit) -> Answer {
    let place = (&raw const *limit) as usize;
    // SAFETY: the structure outlives the call, and is the kernel's own where `long` has 64 bits.
    unsafe { call(libc::SYS_prlimit64, [0, resource as usize, place, 0]) }
}

pub(super) fn nice(nice: i32) -> Answer {
    // SAFETY: a plain system call on ourselves.
    unsafe { call(libc::SYS_setpriority, [libc::PRIO_PROCESS as usize, 0, word(nice)]) }
}

pub(super) fn run_on(cpus: &[u64]) -> Answer {
    let (bytes, place) = (size_of_val(cpus), cpus.as_ptr() as usize);
    // SAFETY: the array is as long as it is said to be.
    unsafe { call(libc::SYS_sched_setaffinity, [0, bytes, place]) }
}

pub(super) fn io_priority(priority: i32) -> Answer {
    /// `linux/ioprio.h`.
    const WHO_PROCESS: usize = 1;
    // SAFETY: a plain system call on ourselves.
    unsafe { call(libc::SYS_ioprio_set, [WHO_PROCESS, 0, word(priority)]) }
}

/// # Safety
///
/// `path` is a string that outlives the call.
pub(super) unsafe fn enter(path: *const c_char) -> Answer {
    // SAFETY: by the caller.
    unsafe { call(libc::SYS_chdir, [path as usize]) }
}

/// Answers why it failed.
///
/// # Safety
///
/// A string, and two arrays of strings that end in null; all outlive the call.
pub(super) unsafe fn execute(
    path: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> i32 {
    // SAFETY: by the caller.
    let why = unsafe { call(libc::SYS_execve, [path as usize, argv as usize, envp as usize]) };
    why.err().unwrap_or(0)
}

/// Every disposition its default, and then nothing blocked.
pub(super) fn clean_signals() {
    // All zeroes is the default action in every layout, and the empty set.
    const NOTHING: [u64; 4] = [0; 4];
    const SET_BYTES: usize = 8;
    let nothing = NOTHING.as_ptr() as usize;
    // SAFETY: plain system calls; dispositions are those of our own table.
    unsafe {
        for signal in 1..=64 {
            let _ = call(libc::SYS_rt_sigaction, [signal, nothing, 0, SET_BYTES]);
        }
        let set = word(libc::SIG_SETMASK);
        let _ = call(libc::SYS_rt_sigprocmask, [set, nothing, 0, SET_BYTES]);
    }
}

/// Ends this process without running anything of ours.
pub(super) fn exit(code: i32) -> ! {
    loop {
        // SAFETY: a plain system call that does not come back.
        let _ = unsafe { call(libc::SYS_exit_group, [word(code)]) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_its_number_and_errno_is_left_alone() {
        // SAFETY: the location is this thread's own.
        unsafe { *libc::__errno_location() = 77 };
        assert_eq!(write(-1, b"x"), Err(libc::EBADF));
        // SAFETY: a string.
        assert_eq!(unsafe { open(c"/nowhere/at/all".as_ptr(), 0) }, Err(libc::ENOENT));
        assert_eq!(duplicate(0, 0), Err(libc::EINVAL));
        if IS_RAW {
            assert_eq!(crate::init::sys::errno(), 77);
        }
    }
}
