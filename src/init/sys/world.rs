//! Who a child is and what it may use, as the kernel takes it. Made before the fork; what is called
//! after it allocates nothing.

use std::ffi::CString;

use super::{OpenFiles, errno, raw};
use crate::config::plan::{self, IoPriority, Limit, Resource, User, World};

/// Everything of a [`World`] that is set by system calls.
pub struct Settings {
    umask: Option<libc::mode_t>,
    limits: Vec<(libc::__rlimit_resource_t, libc::rlimit)>,
    nice: Option<i32>,
    oom_score_adj: Option<String>,
    /// One bit for each processor; all of them when empty.
    cpus: Vec<u64>,
    io_priority: Option<i32>,
    identity: Option<Identity>,
}

struct Identity {
    uid: libc::uid_t,
    gid: libc::gid_t,
    groups: Vec<libc::gid_t>,
}

impl Settings {
    pub(super) fn of(world: &World) -> Self {
        Self {
            umask: world.umask,
            limits: world.limits.iter().map(limit).collect(),
            nice: world.nice,
            oom_score_adj: world.oom_score_adj.map(|score| score.to_string()),
            cpus: bits(&world.cpus),
            io_priority: world.io_priority.map(io_priority),
            identity: world.user.as_ref().map(Identity::of),
        }
    }

    /// Whether nothing of it holds for whoever uses the same memory: the kernel makes memory
    /// unreadable where an identity changes (`proc(5)`), and keeps one score for it.
    pub(super) fn leaves_memory_alone(&self) -> bool {
        self.identity.is_none() && self.oom_score_adj.is_none()
    }

    /// Ranks and limits. `open_files` is given back first: we raised it for ourselves alone.
    pub(super) fn restrict(&self, open_files: Option<OpenFiles>) -> Result<(), i32> {
        if let Some(OpenFiles(given)) = &open_files {
            let _ = raw::limit(libc::RLIMIT_NOFILE, given);
        }
        self.umask.into_iter().for_each(raw::umask);
        if let Some(score) = &self.oom_score_adj {
            write_score(score.as_bytes())?;
        }
        self.nice.map_or(Ok(0), raw::nice)?;
        if !self.cpus.is_empty() {
            raw::run_on(&self.cpus)?;
        }
        self.io_priority.map_or(Ok(0), raw::io_priority)?;
        self.limits.iter().try_for_each(|(resource, limit)| raw::limit(*resource, limit).map(drop))
    }

    /// Groups, group, user: each takes away the right to do the one before it.
    pub(super) fn become_somebody(&self) -> Result<(), i32> {
        match &self.identity {
            Some(identity) if !identity.is_ours() => identity.take(),
            Some(_) | None => Ok(()),
        }
    }
}

impl Identity {
    fn of(user: &User) -> Self {
        Self { uid: user.uid, gid: user.gid, groups: user.groups.clone() }
    }

    /// Whether we are that user and no privileged one: then there is nothing to take, and nothing
    /// that we might.
    fn is_ours(&self) -> bool {
        // SAFETY: plain system calls that cannot fail.
        unsafe {
            libc::geteuid() != 0 && libc::geteuid() == self.uid && libc::getegid() == self.gid
        }
    }

    fn take(&self) -> Result<(), i32> {
        // SAFETY: the list is as long as it is said to be, and outlives the call.
        unsafe {
            done(libc::setgroups(self.groups.len(), self.groups.as_ptr()))?;
            done(libc::setresgid(self.gid, self.gid, self.gid))?;
            done(libc::setresuid(self.uid, self.uid, self.uid))
        }
    }
}

/// A variable whose value is read from a file by the child, into room that is made before the fork.
pub struct Secret {
    file: CString,
    /// `NAME=`, then room for the longest value, a line end and the end of the string.
    text: Vec<u8>,
    value_at: usize,
}

impl Secret {
    pub(super) fn new(variable: &str, file: CString) -> Self {
        let mut text = format!("{variable}=").into_bytes();
        let value_at = text.len();
        // The kernel gives zeroed pages, which cost nothing until they are written.
        text.resize(value_at + plan::Secret::LONGEST + LINE_END, 0);
        Self { file, text, value_at }
    }

    pub(super) fn slot(&mut self) -> Slot {
        let room = self.text.len() - self.value_at;
        let start = self.text.as_mut_ptr();
        Slot { file: self.file.as_ptr(), start, value_at: self.value_at, room }
    }
}

/// Room for a line end behind the longest value, and for the end of the string.
const LINE_END: usize = 3;

/// Where a child puts a secret.
pub(super) struct Slot {
    file: *const libc::c_char,
    start: *mut u8,
    value_at: usize,
    room: usize,
}

impl Slot {
    /// The variable with its value, once it is filled.
    pub(super) fn start(&self) -> *const libc::c_char {
        self.start.cast_const().cast()
    }

    /// Reads the file. Only what is a file is read: a pipe could keep us waiting for ever.
    pub(super) fn fill(&self) -> Result<(), i32> {
        // SAFETY: the path is a string that outlives the call; the descriptor is ours alone.
        unsafe {
            let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOCTTY | libc::O_NONBLOCK;
            let fd = libc::open(self.file, flags);
            done(fd)?;
            let mut kind = std::mem::zeroed::<libc::stat>();
            done(libc::fstat(fd, &raw mut kind))?;
            if kind.st_mode & libc::S_IFMT != libc::S_IFREG {
                return Err(libc::EINVAL);
            }
            // SAFETY: the room behind the name belongs to this secret alone, and to this process.
            let room = std::slice::from_raw_parts_mut(self.start.add(self.value_at), self.room);
            let length = read_all(fd, room)?;
            libc::close(fd);
            end(room, length)
        }
    }
}

/// Reads until the end or until there is no more room.
fn read_all(fd: i32, room: &mut [u8]) -> Result<usize, i32> {
    let mut length = 0;
    while length < room.len() {
        let rest = &mut room[length..];
        // SAFETY: the rest is as long as it is said to be.
        let got = unsafe { libc::read(fd, rest.as_mut_ptr().cast(), rest.len()) };
        match usize::try_from(got) {
            Ok(0) => break,
            Ok(got) => length += got,
            Err(_) if errno() == libc::EINTR => {}
            Err(_) => return Err(errno()),
        }
    }
    Ok(length)
}

/// Takes off the line end that ends the value, and puts the end of the string there.
fn end(room: &mut [u8], length: usize) -> Result<(), i32> {
    let text = &room[..length];
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    if text.contains(&0) {
        return Err(libc::EINVAL);
    }
    if text.len() > plan::Secret::LONGEST || length == room.len() {
        return Err(libc::E2BIG);
    }
    let length = text.len();
    room[length] = 0;
    Ok(())
}

/// `linux/ioprio.h`: the class stands above the level.
const IOPRIO_CLASS_SHIFT: i32 = 13;

fn io_priority(priority: IoPriority) -> i32 {
    let (class, level) = match priority {
        IoPriority::RealTime(level) => (1, level),
        IoPriority::BestEffort(level) => (2, level),
        IoPriority::Idle => (3, 0),
    };
    class << IOPRIO_CLASS_SHIFT | i32::from(level)
}

fn bits(cpus: &[u16]) -> Vec<u64> {
    let mut bits = Vec::new();
    for cpu in cpus.iter().map(|cpu| usize::from(*cpu)) {
        bits.resize(bits.len().max(cpu / 64 + 1), 0);
        bits[cpu / 64] |= 1 << (cpu % 64);
    }
    bits
}

fn limit(limit: &Limit) -> (libc::__rlimit_resource_t, libc::rlimit) {
    let number = |limit: Option<u64>| limit.unwrap_or(libc::RLIM_INFINITY);
    let both = libc::rlimit { rlim_cur: number(limit.soft), rlim_max: number(limit.hard) };
    (resource(limit.resource), both)
}

fn resource(resource: Resource) -> libc::__rlimit_resource_t {
    match resource {
        Resource::AddressSpace => libc::RLIMIT_AS,
        Resource::Core => libc::RLIMIT_CORE,
        Resource::Cpu => libc::RLIMIT_CPU,
        Resource::Data => libc::RLIMIT_DATA,
        Resource::FileSize => libc::RLIMIT_FSIZE,
        Resource::Locks => libc::RLIMIT_LOCKS,
        Resource::MemLock => libc::RLIMIT_MEMLOCK,
        Resource::MsgQueue => libc::RLIMIT_MSGQUEUE,
        Resource::Nice => libc::RLIMIT_NICE,
        Resource::OpenFiles => libc::RLIMIT_NOFILE,
        Resource::Processes => libc::RLIMIT_NPROC,
        Resource::Resident => libc::RLIMIT_RSS,
        Resource::RealTimePriority => libc::RLIMIT_RTPRIO,
        Resource::RealTimeTime => libc::RLIMIT_RTTIME,
        Resource::PendingSignals => libc::RLIMIT_SIGPENDING,
        Resource::Stack => libc::RLIMIT_STACK,
    }
}

fn write_score(score: &[u8]) -> Result<(), i32> {
    let flags = libc::O_WRONLY | libc::O_CLOEXEC;
    // SAFETY: a string.
    let fd = unsafe { raw::open(c"/proc/self/oom_score_adj".as_ptr(), flags) }?;
    let written = raw::write(fd, score);
    raw::close(fd);
    written.map(drop)
}

fn done(result: i32) -> Result<(), i32> {
    if result < 0 { Err(errno()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    /// What the variable `IT` is after reading a file of these bytes.
    fn read(bytes: &[u8]) -> Result<Vec<u8>, i32> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), bytes).expect("a file");
        let path = CString::new(file.path().as_os_str().as_encoded_bytes()).expect("no NUL");
        let mut secret = Secret::new("IT", path);
        secret.slot().fill()?;
        // SAFETY: a filled slot ends in a zero.
        let text = unsafe { CStr::from_ptr(secret.slot().start()) };
        Ok(text.to_bytes().strip_prefix(b"IT=").expect("the name").to_vec())
    }

    #[test]
    fn a_secret_is_the_content_without_one_line_end() {
        let check = |bytes: &[u8], value: &[u8]| assert_eq!(read(bytes).as_deref(), Ok(value));
        check(b"value", b"value");
        check(b"value\n", b"value");
        check(b"value\r\n", b"value");
        check(b"two\nlines\n\n", b"two\nlines\n");
        check(b"", b"");
        check(b"\xff\n", b"\xff");
        let longest = vec![b'x'; plan::Secret::LONGEST];
        check(&longest, &longest);
        check(&[longest.as_slice(), b"\r\n"].concat(), &longest);
    }

    #[test]
    fn what_is_no_secret_is_an_error() {
        assert_eq!(read(&vec![b'x'; plan::Secret::LONGEST + 1]), Err(libc::E2BIG));
        assert_eq!(read(&vec![b'x'; plan::Secret::LONGEST * 2]), Err(libc::E2BIG));
        assert_eq!(read(b"a\0b"), Err(libc::EINVAL));
        let of = |path: &CStr| Secret::new("IT", path.to_owned()).slot().fill();
        assert_eq!(of(c"/nowhere/to/be/found"), Err(libc::ENOENT));
        assert_eq!(of(c"/dev/zero"), Err(libc::EINVAL));
        assert_eq!(of(c"/"), Err(libc::EINVAL));
    }

    #[test]
    fn processors_are_bits() {
        assert_eq!(bits(&[]), [0u64; 0]);
        assert_eq!(bits(&[0, 3]), [0b1001]);
        assert_eq!(bits(&[64, 1]), [0b10, 1]);
    }

    #[test]
    fn the_class_of_a_priority_stands_above_its_level() {
        assert_eq!(io_priority(IoPriority::RealTime(3)), 1 << 13 | 3);
        assert_eq!(io_priority(IoPriority::BestEffort(7)), 2 << 13 | 7);
        assert_eq!(io_priority(IoPriority::Idle), 3 << 13);
    }
}
