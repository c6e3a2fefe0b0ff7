//! From a process of the plan to a child: arguments, environment and search path, all made before
//! the fork.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::RawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::config::plan::{Mode, ProcessPlan, Secret, Stdin, User};
use crate::init::sys::OpenFiles;
use crate::init::sys::child::{self, ChildStep, Forked, Input, Manner, Prepared, Report, Station};
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
    /// What becomes its standard input, where it is to be spoken to. Open for as long as the call
    /// lasts.
    pub input: Option<RawFd>,
    /// The terminal of its own that it gets, which is its standard input and leads its session. Open
    /// for as long as the call lasts.
    pub terminal: Option<RawFd>,
    /// Whether one command gets a session of its own, with our terminal.
    pub own_session: bool,
    /// The `cgroup.procs` of its control group. Open for as long as the call lasts.
    pub cgroup: Option<RawFd>,
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
    child::spawn(prepared).map_err(|error| failure(SpawnStep::Fork, &error))
}

/// What a child's report means.
pub fn explain(report: Report) -> SpawnFailure {
    let step = match report.step {
        ChildStep::Prepare => SpawnStep::Prepare,
        ChildStep::Secret => SpawnStep::Secret,
        ChildStep::Limits => SpawnStep::Limits,
        ChildStep::User => SpawnStep::User,
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
    let secret = |secret: &Secret| Ok(child::secret(&secret.variable, c_path(&secret.file)?));
    let (station, input) = match extras.terminal {
        Some(terminal) => (Station::Leader, Input::From(terminal)),
        None => standing(mode, plan.world.stdin, extras.own_session),
    };
    let input = extras.input.map_or(input, Input::From);
    Ok(Prepared {
        candidates: candidates(program, path)?,
        argv: plan
            .command
            .iter()
            .map(|word| c_string(word.as_bytes()))
            .collect::<Result<_, _>>()?,
        envp: environment.iter().map(variable).collect::<Result<_, _>>()?,
        secrets: plan.world.secrets.iter().map(secret).collect::<io::Result<_>>()?,
        working_dir: plan.working_dir.as_deref().map(c_path).transpose()?,
        station,
        input,
        outputs: extras.outputs,
        manner: match mode {
            Mode::OneCommand => Manner::Accompanied,
            Mode::Supervise => Manner::Supervised,
        },
        open_files,
        world: child::settings(&plan.world),
        cgroup: extras.cgroup,
    })
}

/// How a child stands to the terminal, and where its standard input comes from.
fn standing(mode: Mode, stdin: Stdin, own_session: bool) -> (Station, Input) {
    let usual = match mode {
        Mode::OneCommand if own_session => (Station::Leader, Input::Ours),
        Mode::OneCommand => (Station::Foreground, Input::Ours),
        Mode::Supervise => (Station::Apart, Input::Empty),
    };
    match stdin {
        Stdin::Usual => usual,
        // One that could not be had is done without.
        Stdin::Null | Stdin::Pipe | Stdin::OwnTerminal => (usual.0, Input::Empty),
        Stdin::Inherit => (usual.0, Input::Ours),
        Stdin::Terminal => (Station::Foreground, Input::Ours),
    }
}

/// What a process is given under this name, before anything of ours.
pub fn given(plan: &ProcessPlan, name: &str) -> Option<String> {
    let said = plan.environment.iter().rev().find(|(key, _)| key == name);
    said.map(|(_, value)| value.clone()).or_else(|| std::env::var(name).ok())
}

/// Our own environment, who the child is, what the plan adds, what the spawn adds, and the session:
/// later ones win. Secrets are left to the child.
fn environment(
    plan: &ProcessPlan,
    session: SessionId,
    extras: &Extras,
) -> Vec<(OsString, OsString)> {
    let secret = |key: &OsStr| plan.world.secrets.iter().any(|secret| *key == *secret.variable);
    let without = |key: &OsStr| extras.without.iter().any(|without| key == *without);
    let mut all: Vec<(OsString, OsString)> =
        std::env::vars_os().filter(|(key, _)| !without(key)).collect();
    let login = plan.world.user.iter().flat_map(login);
    let added = plan.environment.iter().map(|(key, value)| (key.into(), Some(value.into())));
    let extra = extras.variables.iter().map(|(key, value)| ((*key).into(), Some(value.into())));
    let marker = (SESSION_VARIABLE.into(), Some(session.to_string().into()));
    for (key, value) in login.chain(added).chain(extra).chain([marker]) {
        all.retain(|(known, _)| *known != key);
        all.extend(value.map(|value| (key, value)));
    }
    all.retain(|(key, _)| !secret(key));
    all
}

/// What a login sets; what is not known of the user is not kept of ours. A home is never missing,
/// because programs take our own for theirs then: `/`, as Docker has it.
fn login(user: &User) -> [(OsString, Option<OsString>); 3] {
    let name = user.name.as_ref().map(OsString::from);
    let home = user.home.as_ref().map_or_else(|| "/".into(), |home| home.clone().into_os_string());
    [("HOME".into(), Some(home)), ("USER".into(), name.clone()), ("LOGNAME".into(), name)]
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
    fn a_login_is_set_unless_the_plan_sets_it_and_secrets_are_left_out() {
        let mut plan = ProcessPlan::new("it", vec!["a".into()]);
        plan.environment = [("HOME", "/theirs"), ("KEY", "plain")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .to_vec();
        plan.world.user = Some(User {
            uid: 7,
            gid: 7,
            groups: vec![7],
            name: Some("app".into()),
            home: Some("/home/app".into()),
        });
        plan.world.secrets = vec![Secret { variable: "KEY".into(), file: "/s".into() }];
        let session = SessionId::new(crate::units::Wall(0), 1);
        let value = |plan: &ProcessPlan, name: &str| {
            let all = environment(plan, session, &Extras::default());
            all.into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
        };
        assert_eq!(value(&plan, "HOME"), Some("/theirs".into()));
        assert_eq!(value(&plan, "USER"), Some("app".into()));
        assert_eq!(value(&plan, "LOGNAME"), Some("app".into()));
        assert_eq!(value(&plan, "KEY"), None);
        plan.environment.clear();
        assert_eq!(value(&plan, "HOME"), Some("/home/app".into()));
        plan.world.user = Some(User { uid: 7, gid: 7, groups: vec![], name: None, home: None });
        assert_eq!((value(&plan, "HOME"), value(&plan, "USER")), (Some("/".into()), None));
    }

    #[test]
    fn standard_input_follows_the_mode_and_the_plan() {
        for (mode, stdin, own_session, expected) in [
            (Mode::OneCommand, Stdin::Usual, false, (Station::Foreground, Input::Ours)),
            (Mode::OneCommand, Stdin::Usual, true, (Station::Leader, Input::Ours)),
            (Mode::Supervise, Stdin::Usual, false, (Station::Apart, Input::Empty)),
            (Mode::Supervise, Stdin::Null, false, (Station::Apart, Input::Empty)),
            (Mode::Supervise, Stdin::Inherit, false, (Station::Apart, Input::Ours)),
            (Mode::Supervise, Stdin::Pipe, false, (Station::Apart, Input::Empty)),
            (Mode::Supervise, Stdin::OwnTerminal, false, (Station::Apart, Input::Empty)),
            (Mode::Supervise, Stdin::Terminal, false, (Station::Foreground, Input::Ours)),
        ] {
            assert_eq!(standing(mode, stdin, own_session), expected, "{mode:?} {stdin:?}");
        }
    }

    #[test]
    fn a_word_with_a_nul_is_an_error_and_not_a_panic() {
        assert!(c_string(b"a\0b").is_err());
    }
}
