//! The world that a process wakes up in: its user, limits, priorities and standard input.

use super::secrets::secrets;
use super::user::user;
use crate::config::cursor::{Cursor, Fields};
use crate::config::plan::{IoPriority, Limit, OutputMode, OutputPlan, Resource, Stdin, World};
use crate::config::read;
use crate::config::surroundings::Surroundings;

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

/// The processors that a mask of `sched_setaffinity(2)` has room for.
const MAX_CPUS: u16 = 1024;

/// The usual level of a class of input and output, as `ioprio_set(2)` has it.
const USUAL_LEVEL: u8 = 4;

/// Everything that is set between fork and exec.
pub(super) fn world(
    fields: &mut Fields<'_>,
    environment: &[(String, String)],
    around: &Surroundings<'_>,
) -> World {
    let small = |at: &Cursor<'_>, least, most| {
        read::whole(at, least, most).and_then(|number| i32::try_from(number).ok())
    };
    World {
        user: user(fields, around),
        umask: fields.read("umask", umask),
        limits: fields.read("ulimits", ulimits).unwrap_or_default(),
        nice: fields.read("nice", |at| small(at, -20, 19)),
        oom_score_adj: fields.read("oom_score_adj", |at| small(at, -1000, 1000)),
        cpus: fields.read("cpuset", cpuset).unwrap_or_default(),
        io_priority: fields.read("io_priority", io_priority),
        stdin: Stdin::Usual,
        secrets: secrets(fields, environment, around),
    }
}

/// `umask`: octal, however it is written. YAML takes `022` for a number, we for its digits.
fn umask(at: &Cursor<'_>) -> Option<u32> {
    let parse = |text: &str| {
        let digits = text.strip_prefix("0o").unwrap_or(text);
        let octal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        u32::from_str_radix(digits, 8).ok().filter(|mask| octal && *mask <= 0o777)
    };
    at.parsed("an octal number from `000` to `777`", parse, |text| {
        let fits = |text: &str| text.strip_prefix('1').is_some_and(|rest| rest.len() == 3);
        fits(text).then(|| "write the last three digits".to_owned())
    })
}

/// `ulimits`: a map of resources with one number, or with `soft` and `hard`.
fn ulimits(at: &Cursor<'_>) -> Option<Vec<Limit>> {
    let mut fields = at.fields("a map of limits")?;
    let limits = RESOURCES.iter().filter_map(|(word, resource)| {
        let at = fields.get(word)?;
        limit(&at, *resource)
    });
    let limits = limits.collect();
    fields.finish(&[("open_files", "did you mean `nofile`?"), ("fds", "did you mean `nofile`?")]);
    Some(limits)
}

fn limit(at: &Cursor<'_>, resource: Resource) -> Option<Limit> {
    let (soft, hard) = match at.is_map() {
        false => {
            let both = ceiling(at, resource)?;
            (both, both)
        }
        true => soft_and_hard(at, resource)?,
    };
    if hard.is_some_and(|hard| soft.is_none_or(|soft| soft > hard)) {
        at.fault("`soft` is larger than `hard`", "make it smaller");
    }
    Some(Limit { resource, soft, hard })
}

fn soft_and_hard(at: &Cursor<'_>, resource: Resource) -> Option<(Option<u64>, Option<u64>)> {
    let mut fields = at.fields("a number, or a map with `soft` and `hard`")?;
    let (soft, hard) = (fields.get("soft"), fields.get("hard"));
    for (key, found) in [("soft", &soft), ("hard", &hard)] {
        if found.is_none() {
            fields.missing(key, "write both, or one number in place of the map", &[]);
        }
    }
    fields.finish(&[]);
    let read = |at: Option<Cursor<'_>>| at.and_then(|at| ceiling(&at, resource));
    let (soft, hard) = (read(soft), read(hard));
    Some((soft?, hard?))
}

/// A limit; nothing where there is none.
fn ceiling(at: &Cursor<'_>, resource: Resource) -> Option<Option<u64>> {
    let parse = |text: &str| match text {
        "-1" | "unlimited" => Some(None),
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok().map(Some),
        _ => None,
    };
    let found = at.parsed("a whole number, or `-1` for no limit", parse, |_| None)?;
    if found.is_none() && resource == Resource::OpenFiles {
        let advice = "the kernel's own limit is `fs.nr_open`; write `1048576`";
        return at.expected("a number, because descriptors are always limited", advice);
    }
    Some(found)
}

/// `cpuset`: `0-3`, `0,2`, `0-1,3`.
fn cpuset(at: &Cursor<'_>) -> Option<Vec<u16>> {
    let parse = |text: &str| {
        let mut cpus = vec![];
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            if first > last || last >= MAX_CPUS || cpus.len() > MAX_CPUS.into() {
                return None;
            }
            cpus.extend(first..=last);
        }
        cpus.sort_unstable();
        cpus.dedup();
        Some(cpus)
    };
    at.parsed("processors such as `0-1,3`, each below 1024", parse, |_| None)
}

/// `idle`, `best-effort:4`, `realtime:0`.
fn io_priority(at: &Cursor<'_>) -> Option<IoPriority> {
    let parse = |text: &str| {
        let (class, level) = text.split_once(':').map_or((text, None), |(c, l)| (c, Some(l)));
        let number = level.map(|level| level.parse::<u8>().ok().filter(|level| *level < 8));
        let level = number.unwrap_or(Some(USUAL_LEVEL))?;
        match class {
            "idle" => (!text.contains(':')).then_some(IoPriority::Idle),
            "best-effort" => Some(IoPriority::BestEffort(level)),
            "realtime" => Some(IoPriority::RealTime(level)),
            _ => None,
        }
    };
    at.parsed("`idle`, or `best-effort` or `realtime` with `:0` (first) to `:7`", parse, |_| None)
}

/// Where standard input comes from. With `tty` the process has our terminal, and nothing may stand
/// in between; where it says what becomes of its output, it has a terminal of its own, which we read.
/// The output that follows comes back too.
pub(super) fn standard_input<'a>(
    fields: &mut Fields<'a>,
    output: OutputPlan,
    output_at: Option<&Cursor<'_>>,
) -> (Stdin, OutputPlan, Option<Cursor<'a>>) {
    let on = |at: Option<Cursor<'a>>| at.filter(|at| read::boolean(at).unwrap_or(false));
    let (open, tty) = (on(fields.get("stdin_open")), on(fields.get("tty")));
    let Some(tty) = tty else {
        let stdin = if open.is_some() { Stdin::Inherit } else { Stdin::Usual };
        return (stdin, output, open);
    };
    if output_at.is_some() && output.mode != OutputMode::Passthrough {
        if let Some(at) = open {
            let message =
                "nobody can type at the terminal of its own that it gets with this `output`";
            at.fault(message, "remove it, or write `output: passthrough` to hand it ours");
        }
        return (Stdin::OwnTerminal, output, None);
    }
    let output = OutputPlan { mode: OutputMode::Passthrough, file: None, ..output };
    (Stdin::Terminal, output, Some(tty))
}
