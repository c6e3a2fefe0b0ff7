//! Reading `/proc`: one pass over every process, and single files.
//!
//! Owns the paths and the descriptors; what the bytes mean stands in `stat`. Paths and contents
//! go through buffers on the stack, since the pass is made for every process on every tick.
//! Nothing here waits: these files are made by the kernel from memory.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;

use nix::dir::Dir;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::{SysconfVar, sysconf};

use crate::memory::stat::{ProcStat, Statm, parse_stat, parse_statm, unsigned};

/// `/proc/PID/stat` has 52 numbers of at most 20 digits and a name of at most 64 bytes.
const STAT_MAX: usize = 1280;
/// `/proc/PID/statm` has seven numbers of at most 20 digits.
const STATM_MAX: usize = 160;
/// `/proc/`, a pid of at most 10 digits, and the longest file name that is asked for here.
const PATH_MAX: usize = 48;
/// Threads that are tried for one that lives: who has ended is gone at once, unless it is debugged.
const THREADS_TRIED: usize = 8;

/// Every process that can be seen, in the order of their pids, into a buffer that is used again, so
/// that a pass allocates nothing. Those that vanish during the pass are left out; the picture is not
/// atomic, since the kernel has no such thing.
pub fn scan_into(found: &mut Vec<ProcStat>) -> io::Result<()> {
    found.clear();
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut proc = Dir::open("/proc", flags, Mode::empty()).map_err(cannot_scan)?;
    for entry in proc.iter() {
        let entry = entry.map_err(cannot_scan)?;
        let Some(pid) = pid_of(entry.file_name().to_bytes()) else { continue };
        match stat(pid) {
            Ok(stat) => found.push(stat),
            Err(error) if is_exhausted(&error) => return Err(error),
            Err(_vanished) => {}
        }
    }
    found.sort_unstable_by_key(|stat| stat.id.pid);
    Ok(())
}

/// One process as it is now. `NotFound` when there is none with this pid.
pub fn stat(pid: i32) -> io::Result<ProcStat> {
    let mut buffer = [0; STAT_MAX];
    let line = read_small(pid, "stat", &mut buffer)?;
    parse_stat(line).ok_or_else(|| unreadable(pid, "stat"))
}

/// The children of a process, by pid, zombies included: those that its first thread started and
/// those that came to it. Not every kernel lists them. Whole only for who reaps none meanwhile.
pub fn children(pid: i32) -> io::Result<Vec<i32>> {
    let list = std::fs::read(format!("/proc/{pid}/task/{pid}/children"))?;
    Ok(list.split(|byte| *byte == b' ').filter_map(pid_of).collect())
}

/// When the process was started, in clock ticks since boot: with its pid, its identity.
pub fn start_ticks(pid: i32) -> io::Result<u64> {
    stat(pid).map(|stat| stat.id.start_ticks)
}

/// The memory of one process as it is now, in pages.
pub fn statm(pid: i32) -> io::Result<Statm> {
    StatmFile::open(pid)?.read()
}

/// `/proc/PID/statm`, kept open: reading it again costs a third of opening it anew. The descriptor
/// stays with the process that it was opened for, whoever gets the pid afterwards.
#[derive(Debug)]
pub struct StatmFile(File);

impl StatmFile {
    /// Opens it for the process that has this pid now.
    pub fn open(pid: i32) -> io::Result<Self> {
        let mut path = [0; PATH_MAX];
        File::open(path_of(pid, "statm", &mut path)?).map(Self)
    }

    /// Opens that of a thread other than the first one; `None` where no such thread lives.
    pub fn of_thread(pid: i32) -> Option<Self> {
        by_thread(pid).map(|(_, file)| file)
    }

    /// Reads it. An error means that the process or the thread is gone; all zero that it is a zombie,
    /// or that it has no thread any more but others, see [`ProcStat::is_headless`].
    pub fn read(&self) -> io::Result<Statm> {
        let mut buffer = [0; STATM_MAX];
        let length = self.0.read_at(&mut buffer, 0)?;
        parse_statm(&buffer[..length])
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "cannot read statm"))
    }
}

/// The folder that tells of a process: its own, or where that is empty, because its first thread has
/// ended before others, the one of a thread that lives.
pub fn folder(stat: &ProcStat) -> String {
    let own = stat.id.pid;
    let others = stat.is_headless().then(|| thread_folder(own)).flatten();
    others.unwrap_or_else(|| format!("/proc/{own}"))
}

/// The folder of a thread other than the first one; `None` where no such thread lives.
pub fn thread_folder(pid: i32) -> Option<String> {
    by_thread(pid).map(|(thread, _)| format!("/proc/{pid}/task/{thread}"))
}

fn by_thread(pid: i32) -> Option<(i32, StatmFile)> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten();
    let threads = threads.filter_map(|entry| pid_of(entry.file_name().as_bytes()));
    threads.filter(|thread| *thread != pid).take(THREADS_TRIED).find_map(|thread| {
        let file = File::open(format!("/proc/{pid}/task/{thread}/statm")).ok().map(StatmFile)?;
        let lives = file.read().is_ok_and(|statm| statm != Statm::default());
        lives.then_some((thread, file))
    })
}

/// Bytes in a page.
pub fn page_size() -> u64 {
    const USUAL: u64 = 4096;
    system_constant(SysconfVar::PAGE_SIZE).unwrap_or(USUAL)
}

/// Clock ticks in a second, the unit of all times in `/proc/PID/stat`.
pub fn ticks_per_second() -> u64 {
    const USUAL: u64 = 100;
    system_constant(SysconfVar::CLK_TCK).unwrap_or(USUAL)
}

/// Whether we have run out of something, rather than the process out of life.
pub fn is_exhausted(error: &io::Error) -> bool {
    use libc::{EMFILE, ENFILE, ENOMEM};
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE | ENOMEM))
}

fn system_constant(name: SysconfVar) -> Option<u64> {
    let value = sysconf(name).ok().flatten()?;
    u64::try_from(value).ok().filter(|value| *value > 0)
}

/// The file of one process, read with one call, since the kernel makes it in one go for each.
fn read_small<'b>(pid: i32, name: &str, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
    let mut path = [0; PATH_MAX];
    let length = File::open(path_of(pid, name, &mut path)?)?.read(buffer)?;
    Ok(&buffer[..length])
}

fn path_of<'b>(pid: i32, name: &str, buffer: &'b mut [u8; PATH_MAX]) -> io::Result<&'b str> {
    let mut rest = &mut buffer[..];
    write!(rest, "/proc/{pid}/{name}")?;
    let length = PATH_MAX - rest.len();
    std::str::from_utf8(&buffer[..length]).map_err(io::Error::other)
}

fn pid_of(name: &[u8]) -> Option<i32> {
    unsigned(name).and_then(|pid| i32::try_from(pid).ok())
}

fn cannot_scan(errno: nix::Error) -> io::Error {
    let cause = io::Error::from(errno);
    if is_exhausted(&cause) {
        return cause;
    }
    io::Error::new(cause.kind(), format!("cannot list /proc: {cause}; is it mounted?"))
}

fn unreadable(pid: i32, name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("cannot understand /proc/{pid}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    /// A child that lives until it is dropped.
    struct Sleeper(std::process::Child);

    impl Sleeper {
        fn start() -> Self {
            Self(Command::new("sleep").arg("300").stdout(Stdio::null()).spawn().unwrap())
        }

        fn pid(&self) -> i32 {
            self.0.id().cast_signed()
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn own_pid() -> i32 {
        std::process::id().cast_signed()
    }

    #[test]
    fn a_pass_finds_us_and_our_child_in_the_order_of_pids() {
        let child = Sleeper::start();
        let mut found = vec![];
        scan_into(&mut found).unwrap();
        assert!(found.is_sorted_by_key(|stat| stat.id.pid));
        let of = |pid| found.iter().find(|stat| stat.id.pid == pid).copied();
        assert_eq!(of(child.pid()).map(|stat| stat.ppid), Some(own_pid()));
        assert!(of(own_pid()).is_some_and(|stat| stat.is_alive()));
    }

    #[test]
    fn a_zombie_has_no_memory_and_a_reaped_process_cannot_be_read() {
        let mut child = Sleeper::start();
        let kept = StatmFile::open(child.pid()).unwrap();
        child.0.kill().unwrap();
        while stat(child.pid()).unwrap().is_alive() {
            std::thread::yield_now();
        }
        assert_eq!(kept.read().unwrap(), Statm::default());
        child.0.wait().unwrap();
        assert!(kept.read().is_err());
        assert_eq!(stat(child.pid()).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_child_is_listed_until_it_is_reaped() {
        // Children are listed by thread, and this test is not the first one of its process.
        let shell = "sleep 300 & echo $!; read line; kill $!; wait $!; echo done; read line";
        let mut parent = Command::new("sh")
            .args(["-c", shell])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = parent.id().cast_signed();
        let mut said = BufReader::new(parent.stdout.take().unwrap()).lines();
        let child: i32 = said.next().unwrap().unwrap().parse().unwrap();
        assert_eq!(children(pid).unwrap(), [child]);
        let mut asked = parent.stdin.take().unwrap();
        asked.write_all(b"\n").unwrap();
        assert_eq!(said.next().unwrap().unwrap(), "done");
        assert_eq!(children(pid).unwrap(), [0; 0]);
        drop(asked);
        parent.wait().unwrap();
        assert!(children(pid).is_err());
    }

    #[test]
    fn start_times_follow_the_order_of_birth() {
        let child = Sleeper::start();
        assert!(start_ticks(child.pid()).unwrap() >= start_ticks(own_pid()).unwrap());
    }

    #[test]
    fn the_constants_of_the_system_are_plausible() {
        assert!(page_size().is_power_of_two());
        assert!((1..=10_000).contains(&ticks_per_second()));
    }
}
