//! The quantities and identities that every room speaks of.
//!
//! Pure values: nothing here reads a clock, a random source or the kernel. Money is an integer
//! number of nano-dollars and tokens are whole, so that sums are exact however they are grouped.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A count with its thousands set apart: `1,234,567`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A quantity of memory or of data, in bytes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Bytes(pub u64);

impl Bytes {
    /// `n` mebibytes (2^20 bytes).
    pub const fn mib(n: u64) -> Self {
        Self(n << 20)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u32, &str); 3] = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
        for (shift, unit) in UNITS {
            if self.0 >= 1 << shift {
                return write!(f, "{:.1} {unit}", self.0 as f64 / f64::from(1u32 << shift));
            }
        }
        write!(f, "{} B", self.0)
    }
}

/// An amount of money in nano-dollars (10^-9 US dollars), rounded once per priced response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Money(pub i64);

impl Money {
    /// The amount in US dollars, for display and for metrics, never for further sums.
    pub fn dollars(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The sum, pinned at the largest amount rather than wrapped.
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// One spawn-to-exit of a process. Unique within one life of the supervisor; travels with every
/// fact about the run, so that news of an earlier run can never be taken for news of this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunId(pub u64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

/// One errand: a command that is run beside a process, for a health test or a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErrandId(pub u64);

/// One order that somebody waits for an answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// The place of a process in the plan's list: cheap to copy, valid for one plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessIx(pub usize);

/// The identity of a session: a ULID, sortable by the millisecond it was opened in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(ulid::Ulid);

impl SessionId {
    /// Composes an id of a wall clock time and 80 random bits.
    pub fn new(at: Wall, random: u128) -> Self {
        Self(ulid::Ulid::from_parts(u64::try_from(at.0).unwrap_or(0), random))
    }

    /// Reads the 26 characters that [`fmt::Display`] writes; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        ulid::Ulid::from_string(text).ok().map(Self)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// As its 26 characters.
impl Serialize for SessionId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a session id"))
    }
}

/// Paths as JSON, which has no word for those that are not UTF-8: these are written as their bytes.
pub mod any_path {
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::{Path, PathBuf};

    use super::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Bytes(Vec<u8>),
    }

    /// Writes one, for `#[serde(with)]`.
    pub fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        match path.to_str() {
            Some(text) => text.serialize(to),
            None => path.as_os_str().as_bytes().serialize(to),
        }
    }

    /// Reads what [`serialize`] writes.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        Ok(match Written::deserialize(from)? {
            Written::Text(text) => PathBuf::from(text),
            Written::Bytes(bytes) => PathBuf::from(OsString::from_vec(bytes)),
        })
    }
}

/// What the kernel knows a process by. The start time tells a process from a later one that was
/// given the same pid; a pid alone never identifies anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcId {
    /// The process id in our own pid namespace.
    pub pid: i32,
    /// Start time in clock ticks since boot: field 22 of `/proc/PID/stat`.
    pub start_ticks: u64,
}

/// A signal by its number: 1 to 31, or a real-time one up to 64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Signal(pub i32);

/// Names of the standard signals on Linux (x86, arm, riscv), from `signal(7)`.
const SIGNAL_NAMES: [(&str, i32); 31] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];

/// The first real-time signal that the C library leaves to programs (glibc keeps 32 and 33).
const RTMIN: i32 = 34;
/// The last real-time signal.
const RTMAX: i32 = 64;

impl Signal {
    /// Hang-up: the terminal went away, or "read your configuration again".
    pub const HUP: Self = Self(1);
    /// Ctrl-C at a terminal.
    pub const INT: Self = Self(2);
    /// Ctrl-\ at a terminal.
    pub const QUIT: Self = Self(3);
    /// Ends a process without asking it.
    pub const KILL: Self = Self(9);
    /// For the program to give a meaning to.
    pub const USR1: Self = Self(10);
    /// For the program to give a meaning to.
    pub const USR2: Self = Self(12);
    /// The polite request to end; what every container runtime sends first.
    pub const TERM: Self = Self(15);
    /// A child changed its state.
    pub const CHLD: Self = Self(17);
    /// Wakes a stopped process.
    pub const CONT: Self = Self(18);
    /// Stops a process, whatever it wants.
    pub const STOP: Self = Self(19);
    /// Ctrl-Z at a terminal.
    pub const TSTP: Self = Self(20);
    /// A process in the background wants to read from the terminal.
    pub const TTIN: Self = Self(21);
    /// A process in the background wants to write to the terminal.
    pub const TTOU: Self = Self(22);
    /// The terminal changed its size.
    pub const WINCH: Self = Self(28);

    /// Reads `TERM`, `SIGTERM`, `15`, `RTMIN+3` or `SIGRTMAX-1`, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        let upper = text.trim().to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        if let Ok(number) = name.parse::<i32>() {
            return (1..=RTMAX).contains(&number).then_some(Self(number));
        }
        if let Some(rest) = name.strip_prefix("RTMIN") {
            return real_time(RTMIN, rest);
        }
        if let Some(rest) = name.strip_prefix("RTMAX") {
            return real_time(RTMAX, rest);
        }
        SIGNAL_NAMES.iter().find(|(known, _)| *known == name).map(|(_, n)| Self(*n))
    }
}

/// `RTMIN` or `RTMAX` with an optional signed offset, when the sum is a real-time signal.
fn real_time(base: i32, offset: &str) -> Option<Signal> {
    let offset = if offset.is_empty() { 0 } else { offset.parse::<i32>().ok()? };
    let number = base.checked_add(offset)?;
    (RTMIN..=RTMAX).contains(&number).then_some(Signal(number))
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SIGNAL_NAMES.iter().find(|(_, n)| *n == self.0) {
            Some((name, _)) => write!(f, "SIG{name}"),
            None if self.0 == RTMIN => write!(f, "SIGRTMIN"),
            None if (RTMIN..=RTMAX).contains(&self.0) => write!(f, "SIGRTMIN+{}", self.0 - RTMIN),
            None => write!(f, "signal {}", self.0),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How a process ended, as the kernel told it. Flattened to a number only at the last door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitStatus {
    /// It called `exit` with this code.
    Code(u8),
    /// This signal ended it.
    Signal(Signal),
    /// It was not our child, so that the kernel told us only that it is gone.
    Unknown,
}

impl ExitStatus {
    /// The code a shell would report: 128 + n after a signal, 255 where nothing is known.
    pub fn code(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => u8::try_from(128 + signal.0).unwrap_or(255),
            Self::Unknown => 255,
        }
    }

    /// Whether the process ended by itself with code 0.
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }

    /// Whether it is code 0, or a code that was said to be no failure either.
    pub fn is_one_of(self, successes: &[u8]) -> bool {
        self.success() || successes.contains(&self.code())
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "ended by {signal}"),
            Self::Unknown => write!(f, "exit status unknown"),
        }
    }
}

/// What one run used, as `wait4(2)` reports it: the main process and the children it waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunUsage {
    /// User and system CPU time together.
    pub cpu: Duration,
    /// The largest resident set of any single process among them.
    pub max_rss: Bytes,
    /// Whether the kernel ended the main process for want of memory.
    pub oom_killed: bool,
}

/// A point on the monotonic clock, in nanoseconds since an arbitrary start. All timers use it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mono(pub u64);

impl Mono {
    /// This point and `delay` more, pinned at the end of time rather than wrapped.
    pub fn after(self, delay: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// This point and `lead` less, pinned at the beginning of time.
    pub fn before(self, lead: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(lead.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// The time from `earlier` to this point; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A point on the wall clock, in milliseconds since 1970-01-01 UTC. For display and storage only:
/// it may step in either direction at any time.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Wall(pub i64);

impl Wall {
    /// Reads ISO 8601 with an offset or `Z`, as logs write it; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|at| Self(at.as_millisecond()))
    }

    /// The point in seconds, as Prometheus wants timestamps.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e3
    }
}

/// ISO 8601 in UTC with milliseconds: `2026-11-20T09:30:00.125Z`.
impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => write!(f, "{timestamp:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

/// Both clocks, read together. Made in `clock.rs` only, and handed down as an argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// For timers.
    pub mono: Mono,
    /// For people.
    pub wall: Wall,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_read_in_every_usual_spelling() {
        for (text, number) in [
            ("TERM", 15),
            ("sigterm", 15),
            ("15", 15),
            ("SIGRTMIN+3", 37),
            ("rtmax-1", 63),
            ("SIGRTMIN", 34),
            ("SIGUSR2", 12),
        ] {
            assert_eq!(Signal::parse(text), Some(Signal(number)), "{text}");
        }
        for text in ["", "SIG", "0", "65", "RTMIN-1", "RTMAX+1", "TERMINATE", "-9"] {
            assert_eq!(Signal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_signal_prints_what_it_parses() {
        for number in (1..=31).chain(34..=64) {
            let signal = Signal(number);
            assert_eq!(Signal::parse(&signal.to_string()), Some(signal));
        }
    }

    #[test]
    fn exit_codes_follow_the_shell() {
        assert_eq!(ExitStatus::Code(7).code(), 7);
        assert_eq!(ExitStatus::Signal(Signal::TERM).code(), 143);
        assert_eq!(ExitStatus::Signal(Signal(64)).code(), 192);
    }

    #[test]
    fn wall_times_print_as_iso_8601() {
        assert_eq!(Wall(1_790_000_000_125).to_string(), "2026-09-21T14:13:20.125Z");
    }

    #[test]
    fn wall_times_are_read_with_any_offset() {
        for (text, found) in [
            ("2026-09-21T14:13:20.125Z", Some(Wall(1_790_000_000_125))),
            ("2026-09-21T16:13:20.125999+02:00", Some(Wall(1_790_000_000_125))),
            ("2026-09-21", None),
            ("", None),
        ] {
            assert_eq!(Wall::parse(text), found, "{text}");
        }
    }

    #[test]
    fn session_ids_survive_a_round_trip_and_sort_by_time() {
        let early = SessionId::new(Wall(1_790_000_000_000), 99);
        let late = SessionId::new(Wall(1_790_000_000_001), 1);
        assert_eq!(SessionId::parse(&early.to_string()), Some(early));
        assert!(early.to_string() < late.to_string());
    }
}
