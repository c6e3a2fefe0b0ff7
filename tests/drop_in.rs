//! In place of tini and dumb-init: the real ones and ours side by side, with the same words, the
//! same exit codes, and the same signals seen by the command and by its group.
//!
//! Where ours differs on purpose there is a test for that as well: leftovers are asked before they
//! are killed, a real-time signal arrives under dumb-init too, and what cannot be executed is always
//! 126 or 127.

use std::fs;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::house::{As, BINARY, House, children, mark, marked, until};
use crate::support::{free_port, get};

const BOTH: [As; 2] = [As::Pid1, As::Subreaper];

/// One of the two programs that we stand in for, and ourselves under its name.
struct Pair {
    real: PathBuf,
    ours: PathBuf,
    _folder: TempDir,
}

impl Pair {
    fn of(name: &str) -> Self {
        let real = Path::new("/usr/bin").join(name);
        assert!(real.exists(), "{name} is missing: run tests/setup");
        let folder = tempfile::tempdir().expect("a folder");
        let ours = folder.path().join(name);
        std::os::unix::fs::symlink(BINARY, &ours).expect("a link");
        Self { real, ours, _folder: folder }
    }

    fn both(&self) -> [&Path; 2] {
        [&self.real, &self.ours]
    }
}

/// Runs it to its end with nothing of this test's environment that any of them listens to.
fn run(program: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(program)
        .args(arguments)
        .env_remove("PROCESSION_LOG")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("it can be run")
}

/// What becomes of each line, for the real one and for ours: the exit code and what was printed.
fn compare(pair: &Pair, lines: &[&[&str]]) {
    for line in lines {
        let [real, ours] = pair.both().map(|program| run(program, line, &[]));
        assert_eq!(ours.status.code(), real.status.code(), "{line:?}: {ours:?}");
        // Help, version and licence are each one's own.
        if line.contains(&"--") {
            assert_eq!(ours.stdout, real.stdout, "{line:?}");
        }
    }
}

#[test]
fn the_words_of_tini_mean_the_same() {
    // Not open for writing, or it could not be executed.
    let text = tempfile::NamedTempFile::new().expect("a script").into_temp_path();
    fs::write(&text, "exit 5\n").expect("a script");
    let script = text.display().to_string();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&script, mode).expect("a mode");
    let show = ["sh", "-c", "echo $#: \"$*\"", "x", "a b", ""];
    compare(
        &Pair::of("tini"),
        &[
            &["--", "true"],
            &["--", "false"],
            &["--", "sh", "-c", "exit 7"],
            &["--", "sh", "-c", "exit 255"],
            &["--", "sh", "-c", "kill -TERM $$"],
            &["--", "sh", "-c", "kill -9 $$"],
            &["--", "bash", "-c", "kill -40 $$"],
            &["-e", "7", "--", "sh", "-c", "exit 7"],
            &["-e7", "--", "sh", "-c", "exit 8"],
            &["-e143", "-e", "7", "--", "sh", "-c", "kill -TERM $$"],
            &["-e", "127", "--", "/nowhere/to/be/found"],
            &["-gsw", "--", "true"],
            &["-ge9", "--", "sh", "-c", "exit 9"],
            &["-p", "SIGTERM", "--", "true"],
            &["-pSIGKILL", "--", "true"],
            &["--", "/nowhere/to/be/found"],
            &["--", "no-such-program-anywhere"],
            &["--", "/etc"],
            &["--", "/etc/passwd"],
            // No line says its interpreter: execvp(3) gives it to the shell.
            &["--", &script],
            &["true"],
            &["false"],
            &["echo", "--", "-n", "x"],
            &["echo", "a", "--", "b", "--", "c"],
            &["--", "echo", "a", "--", "b"],
            &[&["--"], &show[..]].concat(),
            &["-h"],
            &["-l"],
            &["--version"],
            &[],
            &["--"],
            &["-x", "--", "true"],
            &["-e"],
            &["-e", "256", "--", "true"],
            &["-e", "-1", "--", "true"],
            &["-e", "x", "--", "true"],
            &["-p", "NONSENSE", "--", "true"],
            &["--verbose", "--", "true"],
        ],
    );
}

#[test]
fn the_words_of_dumb_init_mean_the_same() {
    compare(
        &Pair::of("dumb-init"),
        &[
            &["true"],
            &["--", "false"],
            &["--", "sh", "-c", "exit 7"],
            &["sh", "-c", "kill -HUP $$"],
            &["--", "bash", "-c", "kill -64 $$"],
            &["-c", "--", "sh", "-c", "exit 3"],
            &["-v", "--", "sh", "-c", "exit 3"],
            &["--verbose", "--single-child", "--", "true"],
            &["--verb", "--sing", "--", "true"],
            &["-cv", "-r15:2", "--", "sh", "-c", "exit 4"],
            &["--rewrite=15:2", "--", "sh", "-c", "exit 4"],
            &["--rewrite", "15:0", "--", "echo", "-r", "--", "x"],
            &["echo", "-x"],
            &["-h"],
            &["--help"],
            &["-V"],
            &["--version"],
            &[],
            &["--"],
            &["-g", "--", "true"],
            &["--nonsense", "--", "true"],
            &["--ver", "--", "true"],
            &["--help=x", "--", "true"],
            &["-r", "15", "--", "true"],
            &["-r", "0:15", "--", "true"],
            &["-r", "15:99", "--", "true"],
            &["-r", "x:y", "--", "true"],
            &["-r"],
        ],
    );
}

/// Says what it gets in `main`, and a member of its group in `member`. It holds everything back and
/// takes it one by one, so that nothing stops or ends it.
const LISTENER: &str = "\
import os, signal
who = 'main' if os.fork() else 'member'
signals = set(range(1, 65)) - {9, 17, 19, 32, 33}
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
open('begun', 'a').write('up\\n')
while True:
    number = int(signal.sigwait(signals))
    with open(who, 'a') as heard:
        heard.write(f'{number}\\n')
";

/// What the command and a member of its group have heard after these signals were sent to the
/// first process; USR2 at the end shows that nothing is under way any more.
fn heard(
    stand: As,
    program: &Path,
    options: &[&str],
    signals: &[i32],
) -> (Vec<String>, Vec<String>) {
    let program = program.display().to_string();
    let words = [&[program.as_str()], options, &["--", "python3", "-c", LISTENER]].concat();
    let house = House::of_program(stand, &words, tempfile::tempdir());
    house.await_lines("begun", 2);
    let lines = |file: &str| {
        let text = fs::read_to_string(house.dir().join(file)).unwrap_or_default();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    for (sent, signal) in signals.iter().chain(&[libc::SIGUSR2]).enumerate() {
        house.signal(*signal);
        // One after the other, so that their order is seen; some are heard by nobody.
        let began = std::time::Instant::now();
        let under_way = || lines("main").len() <= sent || lines("member").len() <= sent;
        while under_way() && began.elapsed() < std::time::Duration::from_millis(100) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
    let last = libc::SIGUSR2.to_string();
    until("the last one is heard", || lines("main").contains(&last).then_some(()));
    // Where the member has heard any, it hears the last one, too.
    until("the member hears it", || {
        (lines("member").is_empty() || lines("member").contains(&last)).then_some(())
    });
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    (sorted(lines("main")), sorted(lines("member")))
}

/// Everything that can be sent, but for these.
fn all_but(left_out: &[i32]) -> Vec<i32> {
    let never = [libc::SIGKILL, libc::SIGCHLD, libc::SIGSTOP, libc::SIGUSR2, 32, 33];
    (1..=64).filter(|number| !never.contains(number) && !left_out.contains(number)).collect()
}

#[test]
fn the_same_signals_reach_the_command_and_its_group() {
    let (tini, dumb_init) = (Pair::of("tini"), Pair::of("dumb-init"));
    // tini ignores the last two, which ours passes on like any other.
    let of_tini = all_but(&[21, 22]);
    // It reads past the end of its table for real-time signals, and these three become SIGSTOP.
    let of_dumb_init: Vec<i32> =
        all_but(&[20, 21, 22]).into_iter().filter(|number| *number < 32).collect();
    for (pair, options, signals) in [
        (&tini, &[][..], &of_tini[..]),
        (&tini, &["-g"], &of_tini),
        (&dumb_init, &[], &of_dumb_init),
        (&dumb_init, &["-c"], &of_dumb_init),
        (&dumb_init, &["-r", "15:2", "--rewrite", "1:10"], &[15, 1, 14]),
        (&dumb_init, &["-r", "15:0"], &[15, 2]),
        (&dumb_init, &["-r", "20:14", "-r", "21:15", "-r", "22:1"], &[20, 21, 22]),
    ] {
        let [real, ours] = pair.both().map(|program| heard(As::Pid1, program, options, signals));
        assert_eq!(ours, real, "{} {options:?}", pair.real.display());
    }
}

#[test]
fn real_time_signals_arrive_and_are_rewritten_under_every_name() {
    let (tini, dumb_init) = (Pair::of("tini"), Pair::of("dumb-init"));
    let joined = |(main, member): (Vec<String>, Vec<String>)| (main.join(" "), member.join(" "));
    let both = |text: &str| (text.to_owned(), text.to_owned());
    let told = heard(As::Pid1, &dumb_init.ours, &["-r", "RTMIN+6:RTMAX"], &[34, 40]);
    assert_eq!(joined(told), both("12 34 64"));
    let told = heard(As::Subreaper, &tini.ours, &[], &[34, 40, 64]);
    assert_eq!(joined(told), ("12 34 40 64".into(), String::new()));
    let options = ["--listen", "off", "-g", "-r", "TERM:SIGRTMIN"];
    let told = heard(As::Pid1, Path::new(BINARY), &options, &[15, 2]);
    assert_eq!(joined(told), both("12 2 34"));
}

/// dumb-init stops the command for good when it is asked to let it stop, until it is continued.
#[test]
fn a_stop_from_the_terminal_is_a_real_one_where_nobody_could_continue_it() {
    for program in Pair::of("dumb-init").both() {
        let program = program.display().to_string();
        let words = [program.as_str(), "bash", "-c", "trap '' TSTP; echo up >> begun; sleep 300"];
        let house = House::of_program(As::Pid1, &words, tempfile::tempdir());
        house.await_lines("begun", 1);
        let command = children(house.pid)[0];
        house.signal(libc::SIGTSTP);
        until("the command is stopped", || (state(command)? == 'T').then_some(()));
        house.signal(libc::SIGCONT);
        until("the command goes on", || (state(command)? != 'T').then_some(()));
    }
}

/// The kernel's letter for what a process does.
fn state(pid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

#[test]
fn their_variables_mean_the_same() {
    let script = "[ $(cut -d' ' -f5 /proc/$$/stat) = $$ ] && echo group; \
                  [ $(cut -d' ' -f6 /proc/$$/stat) = $$ ] && echo session; true";
    let stands = |program: &Path, variables: &[(&str, &str)]| {
        let output = run(program, &["--", "sh", "-c", script], variables);
        String::from_utf8(output.stdout).expect("text")
    };
    let (tini, dumb_init) = (Pair::of("tini"), Pair::of("dumb-init"));
    assert_eq!(tini.both().map(|program| stands(program, &[])), ["group\n"; 2]);
    assert_eq!(dumb_init.both().map(|program| stands(program, &[])), ["group\nsession\n"; 2]);
    let off = [("DUMB_INIT_SETSID", "0")];
    // Ours keeps a group of its own, so that Ctrl-C reaches it once.
    assert_eq!(dumb_init.both().map(|program| stands(program, &off)), ["", "group\n"]);

    let said = |program: &Path, variables: &[(&str, &str)]| {
        !run(program, &["--", "true"], variables).stderr.is_empty()
    };
    for program in dumb_init.both() {
        assert!(said(program, &[("DUMB_INIT_DEBUG", "1")]));
        assert!(!said(program, &[("DUMB_INIT_DEBUG", "0")]));
    }
    for program in tini.both() {
        assert!(!said(program, &[("TINI_VERBOSITY", "0")]));
        assert!(!said(program, &[("TINI_SUBREAPER", ""), ("TINI_KILL_PROCESS_GROUP", "")]));
    }
    assert!(said(&tini.ours, &[("TINI_VERBOSITY", "3")]));
}

#[test]
fn a_parents_death_is_told_with_the_signal_that_was_asked_for() {
    for program in Pair::of("tini").both() {
        let folder = tempfile::tempdir().expect("a folder");
        let (told, mark) = (folder.path().join("told"), mark());
        let script = format!(
            "trap 'echo orphan > {0}; exit' USR1; echo up > {0}.up; sleep {mark} & wait; wait",
            told.display()
        );
        let parent =
            "\"$1\" -s -p SIGUSR1 -- sh -c \"$2\" & while [ ! -e $3.up ]; do sleep 0.02; done";
        let mut parent = Command::new("sh")
            .args(["-c", parent, "parent"])
            .arg(program)
            .args([&script, &told.display().to_string()])
            .spawn()
            .expect("sh can be run");
        parent.wait().expect("a child of ours");
        until("the command hears of it", || told.exists().then_some(()));
        for pid in marked(&mark) {
            let _ = Command::new("kill").arg(pid.to_string()).status();
        }
    }
}

#[test]
fn the_command_gets_the_same_signals_descriptors_and_words() {
    let word = std::ffi::OsString::from_vec(vec![b'a', 0xff, b'b']);
    let script = "cat /proc/self/status | grep -E '^Sig(Blk|Cgt)'; ls -l /proc/self/fd | grep -c dev.null; printf %s \"$1\"";
    for pair in [Pair::of("tini"), Pair::of("dumb-init")] {
        let [real, ours] = pair.both().map(|program| {
            // A descriptor of ours, as a socket or a file that was opened for the command.
            let command = "exec 7</dev/null; exec \"$0\" -- sh -c \"$1\" x \"$2\"";
            let mut command_line = Command::new("sh");
            command_line.args(["-c", command]).arg(program).arg(script).arg(&word);
            let output = command_line.stdin(Stdio::null()).output().expect("sh can be run");
            output.stdout
        });
        assert!(real.ends_with(word.as_bytes()), "{real:?}");
        assert_eq!(String::from_utf8_lossy(&ours), String::from_utf8_lossy(&real));
    }
}

#[test]
fn leftovers_are_asked_before_they_are_killed_under_every_name() {
    for name in ["tini", "dumb-init"] {
        for stand in BOTH {
            let (pair, mark) = (Pair::of(name), mark());
            // One hides in a session of its own and listens, the other does not listen.
            let listener = format!(
                "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {{15}}); \
                 open(\\\"begun\\\", \\\"a\\\").write(\\\"up\\n\\\"); signal.sigwait({{15}}); \
                 open(\\\"told\\\", \\\"a\\\").write(\\\"asked\\n\\\"); # {mark}"
            );
            let script = format!(
                "setsid python3 -c \"{listener}\" & (trap '' TERM; echo up >> begun; exec sleep {mark}) \
                 & while [ ! -e begun ] || [ $(wc -l < begun) -lt 2 ]; do sleep 0.02; done; exit 6"
            );
            let program = pair.ours.display().to_string();
            let words = [program.as_str(), "--", "bash", "-c", &script];
            let mut house = House::of_program(stand, &words, tempfile::tempdir());
            assert_eq!(house.end().0, 6, "{name} {stand:?}");
            assert_eq!(house.await_lines("told", 1), ["asked"], "{name} {stand:?}");
            assert_eq!(marked(&mark), [0; 0], "{name} {stand:?}");
        }
    }
}

#[test]
fn nothing_is_opened_started_or_written_under_a_borrowed_name() {
    for name in ["tini", "dumb-init"] {
        let pair = Pair::of(name);
        let program = pair.ours.display().to_string();
        let words = ["env", "-u", "PROCESSION_STATE_DIR", &program, "--", "sleep", "300"];
        let house = House::of_program(As::Subreaper, &words, tempfile::tempdir());
        until("the command runs", || (!children(house.pid).is_empty()).then_some(()));
        // What observes would begin soon after.
        std::thread::sleep(std::time::Duration::from_millis(300));
        let folder = PathBuf::from(format!("/proc/{}", house.pid));
        let count = |entry: &str| fs::read_dir(folder.join(entry)).expect("it runs").count();
        // The second thread writes the log, since the test asks for one.
        assert!(count("task") <= 2, "{name}: {} threads", count("task"));
        let open = fs::read_dir(folder.join("fd")).expect("it runs").flatten();
        let open = open.filter_map(|entry| fs::read_link(entry.path()).ok());
        let sockets = open.filter(|target| target.to_string_lossy().starts_with("socket:"));
        // A pair by which the runtime wakes itself is none that anybody can reach.
        assert!(!listens(house.pid), "{name}: {:?}", sockets.collect::<Vec<_>>());
        assert!(!house.dir().join("state").exists(), "{name}");
        house.signal(15);
    }
}

/// Whether any socket of this process takes connections.
fn listens(pid: i32) -> bool {
    let mut open = String::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs").flatten() {
        let target = fs::read_link(entry.path()).unwrap_or_default();
        open.push_str(&format!("{} ", target.display()));
    }
    let listening = |path: &str, state: &str, at: usize, inode: usize| {
        let mut text = String::new();
        let opened = fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text));
        opened.is_ok()
            && text.lines().skip(1).any(|line| {
                let fields: Vec<_> = line.split_whitespace().collect();
                fields.get(at) == Some(&state)
                    && fields.get(inode).is_some_and(|n| open.contains(&format!("socket:[{n}]")))
            })
    };
    listening("/proc/net/tcp", "0A", 3, 9) || listening("/proc/net/tcp6", "0A", 3, 9)
}

#[test]
fn a_variable_of_ours_asks_for_metrics_under_a_borrowed_name() {
    let (pair, port) = (Pair::of("tini"), free_port());
    let program = pair.ours.display().to_string();
    let listen = format!("PROCESSION_LISTEN=127.0.0.1:{port}");
    let words = ["env", &listen, &program, "--", "sleep", "300"];
    let mut house = House::of_program(As::Subreaper, &words, tempfile::tempdir());
    let page = until("metrics are served", || get(&format!("http://127.0.0.1:{port}/metrics")));
    assert!(page.contains("procession_process_state{process=\"sleep\""), "{page}");
    house.signal(15);
    assert_eq!(house.end().0, 143);
}

#[test]
fn reaped_strangers_are_warned_of_when_that_is_asked_for() {
    // Three that end at once: there is a line for each all the same.
    let script = "for i in 1 2 3; do (setsid sleep 0.3 &); done; sleep 1";
    let warns = |options: &[&str]| {
        let words = [options, &["--", "bash", "-c", script]].concat();
        let output = run(&Pair::of("tini").ours, &words, &[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        said.matches("reaped an orphan: exit code 0 (pid ").count()
    };
    assert_eq!((warns(&["-w"]), warns(&[])), (3, 0));
}
