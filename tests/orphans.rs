//! What crashed supervisors left behind, by real crashes and real names. On a machine that others use
//! too, nothing is ended here but what has a name that only this test gives.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::house::{As, BINARY, House, children, mark, marked, until};

/// Copies of programs under names of their own, in a folder of the test's.
struct Programs(tempfile::TempDir);

impl Programs {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn copy(&self, of: &str, name: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::copy(of, &path).expect("a copy");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
        path
    }
}

/// A stranger that is ended with the test.
struct Stranger(Child);

impl Stranger {
    fn start(program: &Path, argument: &str) -> Self {
        let child = Command::new(program).arg(argument).stdin(Stdio::null()).spawn();
        Self(child.expect("a program"))
    }

    fn pid(&self) -> i64 {
        self.0.id().into()
    }

    fn lives(&mut self) -> bool {
        self.0.try_wait().expect("a child of ours").is_none()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a process executes.
fn exe(pid: i32) -> PathBuf {
    fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default()
}

/// Kills a supervisor at once, when so many processes with this mark run; their pids.
fn crash(house: &mut House, mark: &str, count: usize) -> Vec<i32> {
    let left = until("all of them run", || {
        let found = marked(mark);
        let ready = found.iter().all(|pid| {
            // Before its exec a child looks like its parent.
            !exe(*pid).ends_with("procession")
        });
        (ready && found.len() == count).then_some(found)
    });
    house.signal(9);
    assert_eq!(house.end().0, 137);
    left
}

fn orphans(socket: &Path, state: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.arg("orphans").args(arguments).env("PROCESSION_SOCKET", socket);
    command.env("PROCESSION_STATE_DIR", state).stdin(Stdio::null());
    command.output().expect("our own binary")
}

#[track_caller]
fn found(output: &Output) -> Vec<Value> {
    let said = String::from_utf8_lossy(&output.stderr);
    let found: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e} {said}"));
    found["orphans"].as_array().expect("a list").clone()
}

fn of(all: &[Value], pid: impl Into<i64>) -> Option<&Value> {
    let pid = pid.into();
    all.iter().find(|one| one["pid"] == pid)
}

/// A name that no other test gives, short enough to be the kernel's too.
fn own_name() -> String {
    format!("orph{}", fastrand::u32(1_000_000..9_999_999))
}

#[test]
fn without_a_supervisor_those_with_evidence_are_ended_and_namesakes_live_on() {
    let (programs, name, mark) = (Programs::new(), own_name(), mark());
    let vite = programs.copy("/bin/sleep", "vite").display().to_string();
    let own = programs.copy("/bin/sleep", &name);
    let shell = programs.copy("/bin/sh", &format!("{name}-sh")).display().to_string();
    let it = own.display().to_string();
    // One is the main process of a run; one was left by a parent that is gone, with another session
    // and group; one has no variable of ours and a parent that was left behind.
    let line = format!("setsid {it} {mark} & env -i {it} {mark} & exec {vite} {mark}");
    let config = format!(
        "processes: {{a: {{command: [sh, -c, '{line}']}}, b: {{command: ['{it}', '{mark}']}}}}\n"
    );
    let mut house = House::of_config(As::Subreaper, &config);
    let dir = house.dir().to_owned();
    let (socket, state) = (dir.join("none.sock"), dir.join("state"));
    let stubborn = format!("trap \"\" TERM; while :; do sleep 0.05; done; : {mark}");
    until("the run file is written", || {
        let text: String = fs::read_dir(state.join("runs"))
            .ok()?
            .flatten()
            .filter_map(|file| fs::read_to_string(file.path()).ok())
            .collect();
        (text.matches("\"process\"").count() == 2).then_some(())
    });
    let listed = found(&orphans(&socket, &state, &["--all", "--json"]));
    let living = marked(&mark);
    assert!(living.iter().all(|pid| of(&listed, *pid).is_none()), "it lives: {listed:?}");
    until("the shell has become what it runs", || {
        let is_vite = |pid: &i32| exe(*pid).ends_with("vite");
        marked(&mark).iter().any(is_vite).then_some(())
    });
    let left = crash(&mut house, &mark, 4);
    let mut decoy = Stranger::start(&own, &mark);
    let mut namesake = Stranger::start(&programs.copy("/bin/sleep", "esbuild"), &mark);

    let usual = found(&orphans(&socket, &state, &["--json"]));
    let usual: Vec<&Value> =
        usual.iter().filter(|one| left.iter().any(|pid| one["pid"] == *pid)).collect();
    assert_eq!(usual.len(), 1, "only one has a usual name: {usual:?}");
    assert_eq!((&usual[0]["name"], &usual[0]["evidence"]), (&"vite".into(), &"run_file".into()));
    assert!(of(&found(&orphans(&socket, &state, &["--json"])), namesake.pid()).is_none());

    let listed = found(&orphans(&socket, &state, &["--name", &name, "--json"]));
    let mut evidence: Vec<&str> =
        listed.iter().filter_map(|one| one["evidence"].as_str()).collect();
    evidence.sort_unstable();
    assert_eq!(evidence, ["lineage", "marker", "run_file"], "{listed:?}");
    assert!(of(&listed, decoy.pid()).is_none());
    assert_eq!(marked(&mark).len(), 6, "a look ends nobody");

    let table = orphans(&socket, &state, &["--name", &name, "--dry-run"]);
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.starts_with("PID") && table.contains(&name) && table.contains("run_file"));
    let ended = orphans(&socket, &state, &["--name", &name, "--kill", "--json"]);
    assert_eq!(ended.status.code(), Some(0));
    let ended = found(&ended);
    assert!(ended.len() == 3 && ended.iter().all(|one| one["outcome"] == "ended"), "{ended:?}");
    assert!(decoy.lives() && namesake.lives());
    assert_eq!(marked(&mark).len(), 3, "vite and the two strangers");
    let nothing = orphans(&socket, &state, &["--name", &name]);
    assert_eq!(String::from_utf8_lossy(&nothing.stdout), "nothing was left behind\n");
    let rest = left.iter().find(|pid| of(&ended, **pid).is_none()).expect("vite");
    let _ = Command::new("kill").args(["-9", &rest.to_string()]).status();
    until("vite is gone", || (marked(&mark).len() == 2).then_some(()));

    // One that does not hear is killed.
    let config = format!("processes: {{a: {{command: ['{shell}', -c, '{stubborn}']}}}}\n");
    let mut house = House::of_config(As::Subreaper, &config);
    let state = house.dir().join("state");
    crash(&mut house, &mark, 3);
    let ended =
        found(&orphans(&socket, &state, &["--name", &format!("{name}-sh"), "--kill", "--json"]));
    assert_eq!(ended.len(), 1, "{ended:?}");
    assert_eq!(ended[0]["outcome"], "killed");
    assert!(decoy.lives() && namesake.lives());
}

#[test]
fn a_supervisor_ends_what_others_left_and_none_of_its_own() {
    let (programs, name, mark, ours) = (Programs::new(), own_name(), mark(), mark());
    let it = programs.copy("/bin/sleep", &name).display().to_string();
    let config = format!("processes: {{a: {{command: ['{it}', '{mark}']}}}}\n");
    let mut crashed = House::of_config(As::Subreaper, &config);
    // Its own: a main process, and one that hides in a session and group of its own.
    let line = format!("setsid {it} {ours} & exec {it} {ours}");
    let inside = format!(
        "until [ -e DIR/go ]; do sleep 0.05; done; {BINARY} orphans --kill --name {name} > DIR/told 2>&1; touch DIR/done"
    );
    let config = format!(
        "control: DIR/c.sock\nprocesses:\n  a: {{command: [sh, -c, '{line}']}}\n  \
         b: {{command: [sh, -c, '{inside}'], environment: {{PROCESSION_SOCKET: DIR/c.sock}}}}\n"
    );
    let house = House::of_config(As::Subreaper, &config);
    let (socket, state) = (house.dir().join("c.sock"), house.dir().join("state"));
    until("its own run", || (marked(&ours).len() == 2).then_some(()));
    let left = crash(&mut crashed, &mark, 1);
    let own = marked(&ours);

    let listed = found(&orphans(&socket, &state, &["--name", &name, "--json"]));
    assert_eq!(listed.len(), 1, "{listed:?}");
    let one = of(&listed, left[0]).expect("it was left behind");
    assert_eq!((&one["name"], &one["evidence"]), (&name.as_str().into(), &"marker".into()));

    fs::write(house.dir().join("go"), "").expect("a file");
    until("one of its own has tried", || house.dir().join("done").exists().then_some(()));
    let told = fs::read_to_string(house.dir().join("told")).expect("it was told");
    assert!(told.contains("may look"), "{told}");
    assert_eq!(marked(&mark), left, "who runs inside may end nobody");

    let ended = found(&orphans(&socket, &state, &["--name", &name, "--kill", "--json"]));
    assert_eq!((ended.len(), &ended[0]["outcome"]), (1, &"ended".into()), "{ended:?}");
    assert_eq!((marked(&mark), marked(&ours)), (Vec::new(), own));
    assert!(house.log().contains("ordered: end what was left behind"), "{}", house.log());
    assert!(!children(house.pid).is_empty());
}
