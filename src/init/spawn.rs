//! From a process of the plan to a child: arguments, environment and search path, all made before
//! the fork.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::RawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::config::plan::{Mode, ProcessPlan};
use crate::init::sys::{self, ChildStep, Forked, OpenFiles, Prepared, Report, Station};
use crate::memory::marker::SESSION_VARIABLE;
use crate::supervise::fact::{SpawnFailure, SpawnStep};
use crate::units::SessionId;

/// Where programs are looked for when `PATH` is not set, as `execvp(3)` has it.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// What one spawn adds to the plan.
#[derive(Debug, Default)]
pub struct Extras {
    /// Variables that win over all others but the session's.
    pub variables: Vec<(&'static str, String)>,
    /// Variables of ours that the child does not inherit.
    pub without: &'static [&'static str],
    /// What it gets as standard output and standard error, where that is not what we have. Open for
    /// as long as the call lasts.
    pub outputs: [Option<RawFd>; 2],
}

/// Forks the process's program. The child exists when this returns; whether it was executed is
/// told by the pipe.
pub fn spawn(
    plan: &ProcessPlan,
    mode: Mode,
    session: SessionId,
    open_files: Option<OpenFiles>,
    extras: &Extras,
) -> Result<Forked, SpawnFailure> {
    let prepared = prepare(plan, mode, session, open_files, extras)
        .map_err(|error| failure(SpawnStep::Prepare, &error))?;
    sys::spawn(&prepared).map_err(|error| failure(SpawnStep::Fork, &error))
}

/// What a child's report means.
pub fn explain(report: Report) -> SpawnFailure {
    let step = match report.step {
        ChildStep::Prepare => SpawnStep::Prepare,
        ChildStep::WorkingDir => SpawnStep::WorkingDir,
        ChildStep::Exec => SpawnStep::Exec,
    };
    SpawnFailure { step, errno: report.errno }
}

fn failure(step: SpawnStep, error: &io::Error) -> SpawnFailure {
    SpawnFailure { step, errno: error.raw_os_error().unwrap_or(libc::EINVAL) }
}

fn prepare(
    plan: &ProcessPlan,
    mode: Mode,
    session: SessionId,
    open_files: Option<OpenFiles>,
    extras: &Extras,
) -> io::Result<Prepared> {
    let environment = environment(plan, session, extras);
    let path = environment.iter().find(|(key, _)| key == "PATH");
    let path = path.map_or(OsStr::new(DEFAULT_PATH), |(_, value)| value.as_os_str());
    let program = plan.command.first().map_or(OsStr::new(""), OsString::as_os_str);
    Ok(Prepared {
        candidates: candidates(program, path)?,
        argv: plan
            .command
            .iter()
            .map(|word| c_string(word.as_bytes()))
            .collect::<Result<_, _>>()?,
        envp: environment.iter().map(variable).collect::<Result<_, _>>()?,
        working_dir: plan.working_dir.as_deref().map(c_path).transpose()?,
        station: match mode {
            Mode::OneCommand => Station::Foreground,
            Mode::Supervise => Station::Apart,
        },
        open_files,
        outputs: extras.outputs,
    })
}

/// Our own environment, what the plan adds, what the spawn adds, and the session: later ones win.
fn environment(
    plan: &ProcessPlan,
    session: SessionId,
    extras: &Extras,
) -> Vec<(OsString, OsString)> {
    let ours = std::env::vars_os();
    let mut all: Vec<(OsString, OsString)> =
        ours.filter(|(key, _)| !extras.without.iter().any(|without| key == without)).collect();
    let added = plan.environment.iter().map(|(key, value)| (key.into(), value.into()));
    let extra = extras.variables.iter().map(|(key, value)| ((*key).into(), value.into()));
    let marker = (SESSION_VARIABLE.into(), session.to_string().into());
    for (key, value) in added.chain(extra).chain([marker]) {
        all.retain(|(known, _)| *known != key);
        all.push((key, value));
    }
    all
}

/// The paths that a name may mean: itself when it holds a slash, else one for each folder of the
/// search path, an empty one meaning the working directory.
fn candidates(program: &OsStr, path: &OsStr) -> io::Result<Vec<CString>> {
    if program.as_bytes().contains(&b'/') {
        return Ok(vec![c_string(program.as_bytes())?]);
    }
    let folders = path.as_bytes().split(|byte| *byte == b':');
    folders
        .map(|folder| {
            let folder = if folder.is_empty() { b".".as_slice() } else { folder };
            c_path(&Path::new(OsStr::from_bytes(folder)).join(program))
        })
        .collect()
}

fn variable((key, value): &(OsString, OsString)) -> io::Result<CString> {
    let mut both = key.clone().into_vec();
    both.push(b'=');
    both.extend_from_slice(value.as_bytes());
    c_string(&both)
}

fn c_path(path: &Path) -> io::Result<CString> {
    c_string(path.as_os_str().as_bytes())
}

/// A NUL inside a word cannot reach the kernel; the plan refuses it with a place, this refuses it
/// all the same.
fn c_string(bytes: &[u8]) -> io::Result<CString> {
    CString::new(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(program: &str, path: &str) -> Vec<String> {
        let found = candidates(OsStr::new(program), OsStr::new(path)).expect("no NUL");
        found.iter().map(|path| path.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn names_are_looked_for_along_the_path_and_paths_are_not() {
        assert_eq!(paths("vite", "/a:/b"), ["/a/vite", "/b/vite"]);
        assert_eq!(paths("vite", "/a::"), ["/a/vite", "./vite", "./vite"]);
        assert_eq!(paths("./vite", "/a:/b"), ["./vite"]);
        assert_eq!(paths("/opt/vite", "/a:/b"), ["/opt/vite"]);
    }

    #[test]
    fn a_word_with_a_nul_is_an_error_and_not_a_panic() {
        assert!(c_string(b"a\0b").is_err());
    }
}
