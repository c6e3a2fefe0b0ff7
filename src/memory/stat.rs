//! The lines that `/proc` answers with, as values.
//!
//! Owns the two formats that are read for every process on every tick (`stat` and `statm`), and
//! nothing else: no file is opened here, nothing is allocated, and bytes that do not fit the
//! format give `None` rather than half a value. Format: `proc_pid_stat(5)`, `proc_pid_statm(5)`.

use crate::units::ProcId;

/// One process as `/proc/PID/stat` showed it at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcStat {
    /// What tells it from every other process.
    pub id: ProcId,
    /// Its parent; 0 when the parent is outside our pid namespace.
    pub ppid: i32,
    /// Its process group.
    pub pgid: i32,
    /// Its session.
    pub sid: i32,
    /// The letter of its state: `R`, `S`, `D`, `T`, `Z`, …
    pub state: u8,
    /// Its threads, of which the first one counts until the process ends, though it may have ended.
    pub threads: u32,
    /// User and system time of its own, in clock ticks.
    pub own_ticks: u64,
    /// The same of the children that it has waited for, and of those that they had waited for.
    pub waited_ticks: u64,
}

impl ProcStat {
    /// Whether it still runs or may run again; a zombie and a dead one only wait to be reaped.
    pub fn is_alive(&self) -> bool {
        !matches!(self.state, b'Z' | b'X' | b'x') || self.is_headless()
    }

    /// Whether it is dead and its status was not read by its parent.
    pub fn is_zombie(&self) -> bool {
        self.state == b'Z' && !self.is_headless()
    }

    /// Whether its first thread has ended before others. It lives, though it is shown as a zombie and
    /// most of its files are empty: those of the threads that are left tell instead.
    pub fn is_headless(&self) -> bool {
        self.state == b'Z' && self.threads > 1
    }

    /// Every clock tick that is booked on it: its own and those of whom it has waited for.
    pub fn ticks(&self) -> u64 {
        self.own_ticks.saturating_add(self.waited_ticks)
    }
}

/// Places of the fields behind the name, counted from the state as 0.
mod field {
    pub(super) const PPID: usize = 1;
    pub(super) const PGRP: usize = 2;
    pub(super) const SESSION: usize = 3;
    pub(super) const UTIME: usize = 11;
    pub(super) const STIME: usize = 12;
    pub(super) const CUTIME: usize = 13;
    pub(super) const CSTIME: usize = 14;
    pub(super) const NUM_THREADS: usize = 17;
    pub(super) const STARTTIME: usize = 19;
    pub(super) const COUNT: usize = 20;
}

/// Reads a line of `/proc/PID/stat`.
///
/// The second field is the name in parentheses, and a process may name itself anything, with
/// spaces, newlines and parentheses: the *last* closing one ends it, since only a letter and
/// numbers follow.
pub fn parse_stat(line: &[u8]) -> Option<ProcStat> {
    let open = memchr::memchr(b'(', line)?;
    let close = memchr::memrchr(b')', line).filter(|close| *close > open)?;
    let pid = signed(line[..open].trim_ascii())?;
    let mut words = line[close + 1..].split(|byte| byte.is_ascii_whitespace());
    let mut fields = [0i64; field::COUNT];
    words.next().filter(|gap| gap.is_empty())?;
    let [state] = words.next()? else { return None };
    for field in &mut fields[field::PPID..] {
        *field = signed(words.next()?)?;
    }
    let ticks = |at: usize| u64::try_from(fields[at]).unwrap_or(0);
    Some(ProcStat {
        id: ProcId { pid: i32::try_from(pid).ok()?, start_ticks: ticks(field::STARTTIME) },
        ppid: i32::try_from(fields[field::PPID]).ok()?,
        pgid: i32::try_from(fields[field::PGRP]).ok()?,
        sid: i32::try_from(fields[field::SESSION]).ok()?,
        state: *state,
        threads: u32::try_from(fields[field::NUM_THREADS]).unwrap_or(0),
        own_ticks: ticks(field::UTIME).saturating_add(ticks(field::STIME)),
        waited_ticks: ticks(field::CUTIME).saturating_add(ticks(field::CSTIME)),
    })
}

/// The memory of one process in pages, as `/proc/PID/statm` showed it. All zero for a zombie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statm {
    /// Virtual size.
    pub size: u64,
    /// Resident pages.
    pub resident: u64,
    /// Resident pages of files and shared memory.
    pub shared: u64,
}

/// Reads the first three numbers of `/proc/PID/statm`.
pub fn parse_statm(line: &[u8]) -> Option<Statm> {
    let mut words = line.split(|byte| byte.is_ascii_whitespace());
    let mut next = || unsigned(words.next()?);
    Some(Statm { size: next()?, resident: next()?, shared: next()? })
}

/// A decimal number; fields that the kernel prints unsigned and that are larger than fits (limits,
/// addresses) are pinned, since none of them is among those that are used.
fn signed(digits: &[u8]) -> Option<i64> {
    match digits.strip_prefix(b"-") {
        Some(digits) => unsigned(digits).map(|n| -i64::try_from(n).unwrap_or(i64::MAX)),
        None => unsigned(digits).map(|n| i64::try_from(n).unwrap_or(i64::MAX)),
    }
}

/// A decimal number without a sign, pinned at the largest that fits.
pub fn unsigned(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |sum, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        Some(sum.saturating_mul(10).saturating_add(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A real line with `name` in the place of the name.
    fn line(name: &str) -> String {
        format!(
            "4242 ({name}) S 17 4200 4100 0 -1 4194304 900 8000 0 3 21 9 400 70 20 0 8 0 \
             123456 987654321 5000 18446744073709551615 1 1 0 0 0 0 0 4096 81920 0 0 0 17 1 0 0\n"
        )
    }

    #[test]
    fn the_name_of_a_process_cannot_move_its_fields() {
        for name in ["node", "", "a b", "tmux: server", ")", "x) R 1 1 1", "((", "new\nline", ") ("]
        {
            let stat = parse_stat(line(name).as_bytes());
            let expected = ProcStat {
                id: ProcId { pid: 4242, start_ticks: 123_456 },
                ppid: 17,
                pgid: 4200,
                sid: 4100,
                state: b'S',
                threads: 8,
                own_ticks: 30,
                waited_ticks: 470,
            };
            assert_eq!(stat, Some(expected), "{name:?}");
        }
    }

    #[test]
    fn a_process_whose_first_thread_ended_before_others_is_no_zombie() {
        let with = |threads: &str| {
            let line = line("java").replace(") S ", ") Z ").replace(" 20 0 8 0 ", threads);
            parse_stat(line.as_bytes()).expect("a line")
        };
        for dead in [with(" 20 0 1 0 "), with(" 20 0 0 0 ")] {
            assert!(dead.is_zombie() && !dead.is_alive() && !dead.is_headless());
        }
        for headless in [with(" 20 0 8 0 "), with(" 20 0 2 0 ")] {
            assert!(headless.is_headless() && headless.is_alive() && !headless.is_zombie());
        }
        let whole = parse_stat(line("java").as_bytes()).expect("a line");
        assert!(whole.is_alive() && !whole.is_zombie() && !whole.is_headless());
    }

    #[test]
    fn torn_or_foreign_lines_give_nothing() {
        let whole = line("sh");
        let cut = whole.find("123456").unwrap();
        for text in ["", "4242", "4242 (sh", "4242 (sh)", "x (sh) S 1 1 1", &whole[..cut]] {
            assert_eq!(parse_stat(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn statm_gives_its_first_three_numbers() {
        let expected = Statm { size: 5000, resident: 1200, shared: 300 };
        assert_eq!(parse_statm(b"5000 1200 300 12 0 900 0\n"), Some(expected));
        assert_eq!(parse_statm(b"0 0 0 0 0 0 0\n"), Some(Statm::default()));
        assert_eq!(parse_statm(b"5000 1200"), None);
        assert_eq!(parse_statm(b""), None);
    }

    #[test]
    fn only_zombies_and_the_dead_are_not_alive() {
        for (state, alive) in
            [(b'R', true), (b'T', true), (b'D', true), (b'Z', false), (b'X', false)]
        {
            let whole = parse_stat(line("sh").as_bytes()).unwrap();
            let stat = ProcStat { state, threads: 1, ..whole };
            assert_eq!(stat.is_alive(), alive, "{}", char::from(state));
        }
    }
}
