//! One command at a real terminal: keys reach it once, it can be stopped and continued, and whoever
//! had the terminal before has it again afterwards.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::house::{BINARY, folder_with, until};

const INTERRUPT: &str = "\u{3}";
const SUSPEND: &str = "\u{1a}";
const HOLD: &str = "\u{13}";

/// A terminal with a program as the leader of its session.
struct Terminal {
    leader: Child,
    keys: File,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    fn with(program: &[&str]) -> Self {
        let pair = nix::pty::openpty(None, None).expect("a terminal");
        let side = || Stdio::from(pair.slave.try_clone().expect("a descriptor"));
        let leader = Command::new("setsid")
            .args(["--ctty", "--wait"])
            .args(program)
            .env("PS1", "$ ")
            .env("PROCESSION_LOG", "warn")
            .stdin(side())
            .stdout(side())
            .stderr(side())
            .spawn()
            .expect("setsid can be run");
        let keys = File::from(pair.master);
        let screen = Arc::new(Mutex::new(String::new()));
        let (mut shown, seen) = (keys.try_clone().expect("a descriptor"), Arc::clone(&screen));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // Ends with an error once nobody has the terminal open.
            while let Ok(count @ 1..) = shown.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]);
                seen.lock().expect("no panic").push_str(&text);
            }
        });
        Self { leader, keys, screen }
    }

    /// One command of ours as the leader, as in a container that was given a terminal.
    fn of_command(script: &str) -> Self {
        Self::with(&[BINARY, "--listen", "off", "--", "bash", "-c", script])
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("a terminal");
    }

    fn screen(&self) -> String {
        self.screen.lock().expect("no panic").clone()
    }

    /// Waits until the screen shows this.
    fn shows(&self, text: &str) {
        until(&format!("the terminal shows {text}"), || self.screen().contains(text).then_some(()));
    }

    /// The group in the foreground: what is typed now is for it, in the way that it wants.
    fn foreground(&self) -> i32 {
        nix::unistd::tcgetpgrp(&self.keys).expect("a group").as_raw()
    }

    /// Waits until somebody else is in the foreground, and tells who.
    fn passes_from(&self, group: i32) -> i32 {
        until("another group is in the foreground", || {
            Some(self.foreground()).filter(|now| *now != group)
        })
    }

    fn end(&mut self) -> Option<i32> {
        until("the leader ends", || self.leader.try_wait().expect("a child of ours")).code()
    }
}

impl Drop for Terminal {
    // The test runner shows it, because the test failed.
    #[allow(clippy::print_stdout)]
    fn drop(&mut self) {
        // What is left of the session is hung up when the terminal is closed.
        let _ = self.leader.kill();
        let _ = self.leader.wait();
        if std::thread::panicking() {
            println!("--- the terminal:\n{}", self.screen());
        }
    }
}

#[test]
fn an_interrupt_reaches_the_command_once() {
    let mut terminal = Terminal::of_command(
        "n=0; trap 'n=$((n + 1)); echo heard $n' INT; echo ready; until [ $n = 3 ]; do sleep 0.05; \
         done; exit 9",
    );
    terminal.shows("ready");
    for number in 1..=3 {
        terminal.press(INTERRUPT);
        terminal.shows(&format!("heard {number}"));
    }
    assert_eq!(terminal.end(), Some(9), "not one more came from us:\n{}", terminal.screen());
}

#[test]
fn jobs_of_a_shell_are_stopped_and_continued_by_it() {
    let mut terminal =
        Terminal::with(&[BINARY, "--listen", "off", "--", "bash", "--norc", "--noprofile"]);
    terminal.shows("$ ");
    let shell = terminal.foreground();
    terminal.press("cat\n");
    let cat = terminal.passes_from(shell);
    terminal.press("typed\n");
    terminal.shows("typed\r\ntyped");
    terminal.press(SUSPEND);
    terminal.shows("Stopped");
    terminal.press("fg\n");
    assert_eq!(terminal.passes_from(shell), cat);
    terminal.press("more\n");
    terminal.shows("more\r\nmore");
    terminal.press(INTERRUPT);
    assert_eq!(terminal.passes_from(cat), shell);
    terminal.press("exit 6\n");
    assert_eq!(terminal.end(), Some(6));
}

#[test]
fn a_command_that_nobody_could_continue_is_not_stopped_by_the_terminal() {
    let mut terminal = Terminal::of_command("echo ready; read line; echo got $line; exit 8");
    terminal.shows("ready");
    terminal.press(SUSPEND);
    terminal.press("a line\n");
    terminal.shows("got a line");
    assert_eq!(terminal.end(), Some(8));
}

#[test]
fn a_shell_above_gets_the_terminal_when_the_command_is_stopped_and_when_it_ends() {
    let mut terminal = Terminal::with(&["bash", "--norc", "--noprofile"]);
    terminal.shows("$ ");
    let script = "echo re''ady; read line; echo got $line; exit 8";
    terminal.press(&format!("{BINARY} --listen off -- bash -c '{script}'\n"));
    terminal.shows("ready\r\n");
    let command = terminal.foreground();
    terminal.press(SUSPEND);
    terminal.shows("Stopped");
    terminal.press("echo back in the sh''ell\n");
    terminal.shows("back in the shell");
    terminal.press("fg\n");
    until("the command is in the foreground again", || {
        (terminal.foreground() == command).then_some(())
    });
    terminal.press("a line\n");
    terminal.shows("got a line");
    terminal.passes_from(command);
    terminal.press("echo it ended with co''de $?\n");
    terminal.shows("it ended with code 8");
    terminal.press("exit 3\n");
    assert_eq!(terminal.end(), Some(3));
}

/// A shell that knows no jobs puts nobody into the foreground, itself least of all.
#[test]
fn who_had_the_terminal_before_us_can_read_from_it_afterwards() {
    for script in ["true", "kill -9 $$", "bash -ic 'exit 3'"] {
        let line =
            format!("{BINARY} --listen off -- sh -c \"{script}\"; read word; echo got $word");
        let mut terminal = Terminal::with(&["dash", "-c", &line.replace("$$", "\\$\\$")]);
        let leader = i32::try_from(terminal.leader.id()).expect("a pid");
        terminal.press("back\n");
        terminal.shows("got back");
        assert_eq!(terminal.end(), Some(0), "{leader} {script}");
    }
}

#[test]
fn a_terminal_that_a_killed_command_left_in_disorder_is_put_in_order() {
    let line = |script: &str| format!("{BINARY} --listen off -- sh -c \"{script}\"; stty -a");
    let mut killed = Terminal::with(&["dash", "-c", &line("stty raw -echo; kill -9 \\$\\$")]);
    killed.shows(" icanon");
    killed.shows(" echo ");
    killed.end();
    // Who ends by itself may have been started for it.
    let mut meant = Terminal::with(&["dash", "-c", &line("stty -echo")]);
    meant.shows(" -echo ");
    meant.end();
}

#[test]
fn a_terminal_that_takes_nothing_delays_no_end() {
    // Whoever is left behind waits in a write, and nobody else can use the terminal meanwhile.
    let mut terminal = Terminal::of_command("(trap '' TERM; while :; do echo tick; done) & wait");
    terminal.shows("tick");
    terminal.press(HOLD);
    let seen = || terminal.screen().len();
    until("nothing is shown any more", || {
        let before = seen();
        std::thread::sleep(std::time::Duration::from_millis(200));
        (seen() == before).then_some(())
    });
    let leader = nix::unistd::Pid::from_raw(terminal.leader.id().cast_signed());
    nix::sys::signal::kill(leader, nix::sys::signal::Signal::SIGTERM).expect("it lives");
    assert_eq!(terminal.end(), Some(143));
}

#[test]
fn a_command_in_the_background_takes_no_terminal_from_anybody() {
    let mut terminal = Terminal::with(&["bash", "--norc", "--noprofile"]);
    terminal.shows("$ ");
    let shell = terminal.foreground();
    terminal.press(&format!("{BINARY} --listen off -- sh -c 'echo be''gun; sleep 300' &\n"));
    terminal.shows("begun");
    assert_eq!(terminal.foreground(), shell);
    terminal.press("echo still h''ere\n");
    terminal.shows("still here");
    terminal.press("kill %1; wait; exit 5\n");
    assert_eq!(terminal.end(), Some(5));
}

/// As under dumb-init: the command leads a session of its own, which the terminal belongs to.
#[test]
fn a_command_with_a_session_of_its_own_has_the_terminal_for_its_jobs() {
    let folder = tempfile::tempdir().expect("a folder");
    let ours = folder.path().join("dumb-init").display().to_string();
    std::os::unix::fs::symlink(BINARY, &ours).expect("a link");
    for program in ["/usr/bin/dumb-init", &ours] {
        let mut terminal = Terminal::with(&[program, "--", "bash", "--norc", "--noprofile", "-i"]);
        terminal.shows("$ ");
        assert!(!terminal.screen().contains("no job control"), "{program}");
        let shell = terminal.foreground();
        terminal.press("cat\n");
        terminal.passes_from(shell);
        terminal.press("typed\n");
        terminal.shows("typed\r\ntyped");
        terminal.press(INTERRUPT);
        until("the shell has it again", || (terminal.foreground() == shell).then_some(()));
        terminal.press("exit 4\n");
        assert_eq!(terminal.end(), Some(4), "{program}");
    }
}

/// One of several has the terminal; the others have none, and its next run has it again.
#[test]
fn the_process_of_a_file_that_is_given_the_terminal_has_it_in_every_run() {
    let folder = folder_with(
        "metrics: false\nstore: memory\nexit_code_from: shell\nprocesses:\n  shell:\n    tty: true\n    \
         restart: on-failure\n    restart_policy: {delay: 10ms}\n    command: [bash, -c, 'echo \
         ready; read word; echo got $$word; [ $$word = enough ]']\n  other: {command: [bash, -c, \
         'if : < /dev/tty; then echo has one; else echo has none; fi; sleep 300']}\n",
    );
    let config = folder.path().join("config.yaml").display().to_string();
    let mut terminal = Terminal::with(&[BINARY, "run", "-c", &config]);
    terminal.shows("ready");
    terminal.shows("has none");
    terminal.press("more\n");
    terminal.shows("got more");
    until("it runs again", || (terminal.screen().matches("ready").count() > 1).then_some(()));
    // Nobody else is below us, so that the terminal lets it go on.
    terminal.press(SUSPEND);
    terminal.press("enough\n");
    terminal.shows("got enough");
    assert_eq!(terminal.end(), Some(0));
}

/// Sets how large the terminal is, of which its foreground is told by the kernel.
fn resize(terminal: &Terminal, rows: u32, columns: u32) {
    let side = Stdio::from(terminal.keys.try_clone().expect("a descriptor"));
    let size = [rows, columns].map(|number| number.to_string());
    let set = Command::new("stty").args(["rows", &size[0], "cols", &size[1]]).stdin(side).status();
    assert!(set.expect("stty can be run").success());
}

#[test]
fn a_terminal_of_its_own_is_as_large_as_ours_and_stays_so() {
    let script = "import os, signal, time\nshow = lambda *_: print('size', *os.get_terminal_size(), \
                  flush=True)\nsignal.signal(signal.SIGWINCH, show)\nshow()\ntime.sleep(300)";
    let config = format!(
        "store: memory\nmetrics: false\ncontrol: false\nprocesses:\n  it: {{tty: true, output: prefixed, \
         command: [python3, -c, {script:?}]}}\n"
    );
    let folder = folder_with(&config);
    let file = folder.path().join("config.yaml");
    let file = file.to_str().expect("text");
    // The shell waits until the terminal has its size.
    let start = format!("read go; exec {BINARY} run -c {file}");
    let mut terminal = Terminal::with(&["bash", "-c", &start]);
    resize(&terminal, 30, 100);
    terminal.press("\n");
    terminal.shows("size 100 30");
    resize(&terminal, 31, 101);
    terminal.shows("size 101 31");
    let _ = terminal.leader.kill();
}
