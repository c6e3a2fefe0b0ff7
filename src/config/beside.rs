//! A command that runs beside the plan: what may be said of it, in the words of a file and with the
//! same faults.

use std::time::Duration;

use super::file;
use super::plan::{Limit, OutputPlan, ProcessPlan, Resource, Stdin};
use super::problem::{Level, Problem, Problems};
use super::quantity::{parse_bytes, parse_duration};
use super::surroundings::Surroundings;
use crate::units::Bytes;

/// What is asked of a command, as it was typed. What is absent stays as is usual for such commands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The name that it runs under.
    pub name: Option<String>,
    /// As whom.
    pub user: Option<String>,
    /// How it is asked to end.
    pub stop_signal: Option<String>,
    /// From the asking to SIGKILL.
    pub stop_grace_period: Option<String>,
    /// How long it may run.
    pub timeout: Option<String>,
    /// Bytes of memory of its own, for each process.
    pub memory: Option<String>,
    /// CPU time of each process.
    pub cpu_time: Option<String>,
    /// Open files of each process.
    pub nofile: Option<u64>,
    /// Processes of its user.
    pub nproc: Option<u64>,
    /// How much is kept of what it writes.
    pub keep_output: Option<String>,
    /// Where its standard input comes from: `null` or `pipe`.
    pub stdin: Option<String>,
}

/// The most that is kept of what one command writes: as much as of all together.
const MOST_KEPT: Bytes = OutputPlan::KEEP_TOGETHER;

/// The name of one that has none yet.
const NAMELESS: &str = "nameless";

/// A process of this kind, which runs nothing yet; its name is empty where none was asked for. What
/// was not asked for is as `usual` has it.
///
/// # Errors
///
/// Every fault, with the key that it is in.
pub fn read(
    asked: &Asked,
    usual: ProcessPlan,
    around: &Surroundings<'_>,
) -> Result<ProcessPlan, Vec<String>> {
    let Asked { name, user, stop_signal, stop_grace_period, .. } = asked;
    let keys = [
        ("user", user.as_ref()),
        ("stop_signal", stop_signal.as_ref()),
        ("stop_grace_period", stop_grace_period.as_ref()),
    ];
    let name = name.as_deref().unwrap_or(NAMELESS);
    let said = keys.iter().filter_map(|(key, text)| Some((*key, text.as_ref()?)));
    let said: String = said.map(|(key, text)| format!(", {key}: {}", quoted(text))).collect();
    if let Some((key, _)) = unwritable(&keys, name) {
        return Err(vec![format!("{key}: it has characters that are no text")]);
    }
    let bounds = Bounds::read(asked);
    let text = format!("processes: {{{}: {{command: [x]{said}}}}}", quoted(name));
    // What stands at the top of a file is not asked for, so that no variable says it either.
    let around = Surroundings { vars: &|_| None, ..*around };
    let read = file::read(&text, &around);
    let (read, bounds) = match (read, bounds) {
        (Ok(read), Ok(bounds)) => (read, bounds),
        (read, bounds) => {
            let of_file = read.err().map(|problems| told(&problems, name)).unwrap_or_default();
            return Err([of_file, bounds.err().unwrap_or_default()].concat());
        }
    };
    let Some(read) = read.plan.processes.into_iter().next() else { return Ok(usual) };
    Ok(bounds.put_on(ProcessPlan {
        name: asked.name.clone().unwrap_or_default(),
        world: read.world,
        stop_signal: stop_signal.as_ref().map_or(usual.stop_signal, |_| read.stop_signal),
        stop_grace_period: stop_grace_period
            .as_ref()
            .map_or(usual.stop_grace_period, |_| read.stop_grace_period),
        ..usual
    }))
}

/// The faults of the file that was made of it, each with what was asked.
fn told(problems: &Problems, name: &str) -> Vec<String> {
    let faults = problems.iter().filter(|problem| problem.level == Level::Fault);
    let below = format!("processes.{name}.");
    let key = |path: &str| path.strip_prefix(&below).unwrap_or("name").to_owned();
    let advice = |advice: &Option<String>| {
        advice.as_ref().map(|advice| format!("; {advice}")).unwrap_or_default()
    };
    let told = |fault: &Problem| {
        format!("{}: {}{}", key(&fault.path), fault.message, advice(&fault.advice))
    };
    faults.map(told).collect()
}

/// What a command may use, and how it is spoken to: what is asked of commands only.
struct Bounds {
    timeout: Option<Duration>,
    limits: Vec<Limit>,
    keep: Option<Bytes>,
    stdin: Option<Stdin>,
}

impl Bounds {
    fn read(asked: &Asked) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let timeout = part(&mut faults, "timeout", asked.timeout.as_deref(), span);
        let cpu = part(&mut faults, "cpu_time", asked.cpu_time.as_deref(), span);
        let memory = part(&mut faults, "memory", asked.memory.as_deref(), size);
        let keep = part(&mut faults, "keep_output", asked.keep_output.as_deref(), kept);
        let stdin = part(&mut faults, "stdin", asked.stdin.as_deref(), |text| match text {
            "null" => Ok(Stdin::Null),
            "pipe" => Ok(Stdin::Pipe),
            _ => Err(format!("expected `pipe` or `null`, found `{text}`")),
        });
        // A part of a second is a whole one to the kernel, which would else end it at once.
        let cpu = cpu.map(|time| time.as_secs() + u64::from(time.subsec_nanos() > 0));
        let limits = [
            (Resource::Data, memory.map(|bytes| bytes.0)),
            (Resource::Cpu, cpu),
            (Resource::OpenFiles, asked.nofile),
            (Resource::Processes, asked.nproc),
        ];
        let limit = |(resource, most): (Resource, Option<u64>)| {
            most.map(|most| Limit { resource, soft: Some(most), hard: Some(most) })
        };
        let limits = limits.into_iter().filter_map(limit).collect();
        if faults.is_empty() { Ok(Self { timeout, limits, keep, stdin }) } else { Err(faults) }
    }

    fn put_on(self, mut plan: ProcessPlan) -> ProcessPlan {
        plan.max_duration = self.timeout.or(plan.max_duration);
        plan.world.limits.extend(self.limits);
        plan.world.stdin = self.stdin.unwrap_or(plan.world.stdin);
        plan.output.keep = self.keep.unwrap_or(plan.output.keep);
        plan
    }
}

/// Reads what was asked for a key, if anything was.
fn part<T>(
    faults: &mut Vec<String>,
    key: &str,
    text: Option<&str>,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    let read = read(text?);
    read.map_err(|fault| faults.push(format!("{key}: {fault}"))).ok()
}

fn span(text: &str) -> Result<Duration, String> {
    let found = parse_duration(text).filter(|span| !span.is_zero());
    found.ok_or_else(|| format!("expected a duration such as `1m30s`, found `{text}`"))
}

fn size(text: &str) -> Result<Bytes, String> {
    let found = parse_bytes(text).filter(|size| size.0 > 0);
    found.ok_or_else(|| format!("expected a size such as `512MiB`, found `{text}`"))
}

fn kept(text: &str) -> Result<Bytes, String> {
    let found = parse_bytes(text).filter(|size| *size <= MOST_KEPT);
    found.ok_or_else(|| format!("expected a size up to {MOST_KEPT}, found `{text}`"))
}

/// The first that no file could say.
fn unwritable<'a>(
    keys: &[(&'a str, Option<&'a String>)],
    name: &'a str,
) -> Option<(&'a str, &'a str)> {
    let all = keys.iter().filter_map(|(key, text)| Some((*key, text.as_ref()?.as_str())));
    all.chain([("name", name)]).find(|(_, text)| text.chars().any(char::is_control))
}

/// As it stands in a file, where it means itself: no variable is put into it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''").replace('$', "$$"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::config::surroundings::ReadError;
    use crate::units::Signal;

    fn check(asked: Asked) -> Result<ProcessPlan, Vec<String>> {
        let passwd = "root:x:0:0::/root:/bin/sh\nbob:x:1000:1001::/home/bob:/bin/sh\n";
        let read = |path: &Path| match path.to_str() {
            Some("/etc/passwd") => Ok(passwd.to_owned()),
            Some("/etc/group") => Ok("bob:x:1001:\nbuild:x:50:bob\n".to_owned()),
            _ => Err(ReadError::Missing),
        };
        let vars = |_: &str| Some("a variable".to_owned());
        let around = Surroundings {
            file: "spawn",
            folder: Path::new("/"),
            uid: 0,
            vars: &vars,
            read: &read,
            bytes: &|_| Err(ReadError::Missing),
        };
        let usual = ProcessPlan {
            stop_signal: Signal::INT,
            stop_grace_period: Duration::from_secs(1),
            ..ProcessPlan::new("", vec!["true".to_owned()])
        };
        super::read(&asked, usual, &around)
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn what_is_not_asked_for_stays_as_is_usual() {
        let plan = check(Asked::default()).expect("a plan");
        assert_eq!((&*plan.name, plan.stop_signal), ("", Signal::INT));
        assert_eq!(plan.stop_grace_period, Duration::from_secs(1));
        assert_eq!(plan.words(), ["true"]);
    }

    #[test]
    fn what_is_asked_for_is_read_as_in_a_file() {
        let asked = Asked {
            name: some("job"),
            user: some("bob"),
            stop_signal: some("SIGQUIT"),
            stop_grace_period: some("1m30s"),
            ..Asked::default()
        };
        let plan = check(asked).expect("a plan");
        assert_eq!((&*plan.name, plan.stop_signal), ("job", Signal::QUIT));
        assert_eq!(plan.stop_grace_period, Duration::from_secs(90));
        let user = plan.world.user.expect("a user");
        assert_eq!((user.uid, user.gid, user.groups), (1000, 1001, vec![1001, 50]));
    }

    #[test]
    fn bounds_become_limits_of_the_kernel_and_of_ours() {
        let asked = Asked {
            timeout: some("5m"),
            memory: some("512MiB"),
            cpu_time: some("1500ms"),
            nofile: Some(64),
            nproc: Some(10),
            keep_output: some("1MiB"),
            stdin: some("pipe"),
            ..Asked::default()
        };
        let plan = check(asked).expect("a plan");
        assert_eq!(plan.max_duration, Some(Duration::from_secs(300)));
        let limits: Vec<_> =
            plan.world.limits.iter().map(|one| (one.resource, one.soft, one.hard)).collect();
        let both = |resource, most| (resource, Some(most), Some(most));
        let expected = [
            both(Resource::Data, 512 << 20),
            both(Resource::Cpu, 2),
            both(Resource::OpenFiles, 64),
            both(Resource::Processes, 10),
        ];
        assert_eq!(limits, expected);
        assert_eq!((plan.output.keep, plan.world.stdin), (Bytes::mib(1), Stdin::Pipe));
    }

    #[test]
    fn every_fault_is_told_with_its_key() {
        let asked = Asked {
            name: some("no name"),
            user: some("bobby"),
            stop_signal: some("LOUD"),
            stop_grace_period: some("soon"),
            timeout: some("0"),
            memory: some("much"),
            cpu_time: some("1"),
            keep_output: some("17MiB"),
            stdin: some("tty"),
            ..Asked::default()
        };
        let faults = check(asked).expect_err("faults");
        let keys: Vec<&str> = faults.iter().filter_map(|fault| fault.split(':').next()).collect();
        let file = ["name", "user", "stop_signal", "stop_grace_period"];
        let bounds = ["timeout", "cpu_time", "memory", "keep_output", "stdin"];
        assert_eq!(keys, [&file[..], &bounds[..]].concat(), "{faults:?}");
        assert!(faults[1].contains("no user `bobby` in /etc/passwd"), "{faults:?}");
    }

    #[test]
    fn nothing_that_is_asked_for_becomes_a_part_of_the_file() {
        for text in ["x', command: [y], user: 'root", "${USER}", "a: b", "a\nb", "\0", "[", "#"] {
            let as_name = Asked { name: some(text), ..Asked::default() };
            assert!(check(as_name).is_err(), "{text}");
            let as_user = Asked { user: some(text), ..Asked::default() };
            assert!(check(as_user).is_err(), "{text}");
        }
    }
}
