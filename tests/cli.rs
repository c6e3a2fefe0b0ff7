//! What a person at the keyboard meets: answers, refusals, exit codes, and a log in the form that was
//! asked for. Whatever is refused has started nothing.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::house::{As, BINARY, House, folder_with};

/// Runs it to its end in this folder.
fn run(folder: &Path, arguments: &[&str]) -> Output {
    by(folder, &[], arguments)
}

/// The same, by another program that takes a command.
fn by(folder: &Path, wrapper: &[&str], arguments: &[&str]) -> Output {
    let words: Vec<&str> = wrapper.iter().chain(&[BINARY]).chain(arguments).copied().collect();
    Command::new(words[0])
        .args(&words[1..])
        .current_dir(folder)
        .env_remove("PROCESSION_LOG")
        .env("PROCESSION_STATE_DIR", folder.join("state"))
        .stdin(Stdio::null())
        .output()
        .expect("procession can be run")
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Both verbs refuse the configuration in this folder with these words, and nothing was begun.
fn is_refused(folder: &TempDir, wrapper: &[&str], words: &[&str]) {
    let before = entries(folder.path());
    for verb in ["check", "run"] {
        let output = by(folder.path(), wrapper, &[verb]);
        let text = said(&output);
        assert_eq!((code(&output), printed(&output).as_str()), (Some(2), ""), "{verb}: {text}");
        for word in words {
            assert!(text.contains(word), "{verb}: {word} is missing in:\n{text}");
        }
    }
    assert_eq!(entries(folder.path()), before, "nothing was started and nothing written");
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Takes from root the right to read what nobody may read.
const WITHOUT_OVERRIDE: [&str; 2] = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];

#[test]
fn a_configuration_that_cannot_be_read_is_refused() {
    let folder = || tempfile::tempdir().expect("a folder");
    let missing = ["config.yaml: there is no such file; check the path", "name yours with -c"];
    is_refused(&folder(), &[], &missing);
    for verb in ["check", "run"] {
        let named = said(&run(folder().path(), &[verb, "-c", "typo.yaml"]));
        assert_eq!(named, "typo.yaml: there is no such file; check the path\n", "{verb}");
    }

    let directory = folder();
    fs::create_dir(directory.path().join("config.yaml")).expect("a folder");
    is_refused(&directory, &[], &["config.yaml: this is a folder"]);

    let binary = folder();
    let text = b"processes:\n  a: {command: touch started}\n  # \xff\n";
    fs::write(binary.path().join("config.yaml"), text).expect("a file");
    is_refused(&binary, &[], &["config.yaml: it is not UTF-8 text (line 3)"]);

    let secret = folder_with("processes: {a: {command: touch DIR/started}}");
    let path = secret.path().join("config.yaml");
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o000);
    fs::set_permissions(&path, closed).expect("a mode");
    is_refused(&secret, &WITHOUT_OVERRIDE, &["config.yaml: it may not be read", "mode"]);
}

#[test]
fn every_fault_is_told_at_once_and_nothing_is_started() {
    let folder = folder_with(
        "processes:\n  good: {command: touch DIR/started}\n  web:\n    comand: touch DIR/started\n    \
         restart: sometimes\n    stop_grace_period: ten\n  a: {command: [touch, DIR/started], \
         depends_on: [b]}\n  b: {command: 7, depends_on: [a]}\nshutdown_timout: 4s\n",
    );
    is_refused(
        &folder,
        &[],
        &[
            "config.yaml:5:5: processes.web.comand: unknown key; did you mean `command`?",
            "config.yaml:6:14: processes.web.restart: expected",
            "config.yaml:7:24: processes.web.stop_grace_period: expected a duration",
            "these wait for each other: a -> b -> a",
            "config.yaml:10:1: shutdown_timout: unknown key; did you mean `shutdown_timeout`?",
        ],
    );
}

#[test]
fn check_prints_the_plan_and_starts_nothing() {
    let folder = folder_with(
        "processes:\n  web: {command: touch DIR/started, depends_on: [db]}\n  db: {command: true}\n",
    );
    let output = run(folder.path(), &["check"]);
    assert_eq!((code(&output), said(&output).as_str()), (Some(0), ""));
    let plan = printed(&output);
    for part in ["  web:", "command:", "restart: no", "shutdown_timeout: 9s", "1. db", "2. web"] {
        assert!(plan.contains(part), "{part} is missing in:\n{plan}");
    }
    assert_eq!(entries(folder.path()), ["config.yaml"]);
}

#[test]
fn check_can_be_interrupted_while_it_reads() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("config.yaml");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo can be run").success());
    let mut house = House::start(As::Subreaper, &["check"], Ok(folder));
    // Opens once it is opened for reading, too.
    let _never_written = fs::OpenOptions::new().write(true).open(&pipe).expect("a pipe");
    house.signal(15);
    assert_eq!(house.end().0, 143);
}

#[test]
fn help_and_version_are_answers_and_bad_usage_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let version = run(folder.path(), &["--version"]);
    let expected = concat!("procession ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!((code(&version), printed(&version).as_str()), (Some(0), expected));
    for arguments in [&["--help"][..], &["run", "--help"], &["check", "--help"], &["help"]] {
        let help = run(folder.path(), arguments);
        assert_eq!((code(&help), said(&help).as_str()), (Some(0), ""), "{arguments:?}");
        assert!(printed(&help).contains("Usage: procession"), "{arguments:?}");
    }
    for (arguments, advice) in [
        (&[][..], "procession run"),
        (&["--"], "procession run"),
        (&["true"], "procession [OPTIONS] -- CMD"),
        (&["--no-such-flag", "--", "touch", "started"], "--help"),
        (&["run", "extra"], "Usage: procession run"),
        (&["run", "-c"], "--config <FILE>"),
        (&["--listen", "localhost:80", "--", "touch", "started"], "expected an IP address"),
        (&["--log-format", "xml", "--", "touch", "started"], "text, json"),
        (&["--log-level", "loud", "--", "touch", "started"], "warn,init=debug"),
        (&["--log-level", "ini=debug", "--", "touch", "started"], "no room `ini`"),
    ] {
        let refusal = run(folder.path(), arguments);
        assert_eq!((code(&refusal), printed(&refusal).as_str()), (Some(2), ""), "{arguments:?}");
        assert!(said(&refusal).contains(advice), "{arguments:?}: {}", said(&refusal));
    }
    assert_eq!(entries(folder.path()), [""; 0], "nothing was started and nothing written");
}

#[test]
fn help_is_as_wide_as_the_terminal_and_never_wider_than_a_page() {
    let folder = tempfile::tempdir().expect("a folder");
    for (columns, widest) in [("60", 60), ("80", 80), ("300", 100)] {
        let wrapper = ["env", &format!("COLUMNS={columns}")];
        for verb in [&[][..], &["run"], &["spawn"], &["sessions", "list"], &["memory", "explain"]] {
            let help = printed(&by(folder.path(), &wrapper, &[verb, &["--help"]].concat()));
            let lines = help.lines().filter(|line| !line.contains("Usage:"));
            let wide = lines.max_by_key(|line| line.chars().count()).expect("a line");
            assert!(wide.chars().count() <= widest, "{verb:?} at {columns}: {wide}");
        }
    }
}

#[test]
fn closed_and_full_outputs_change_no_exit_code() {
    let good = folder_with("processes: {a: {command: true}}");
    let bad = folder_with("procesess: {}");
    for redirection in [">&-", ">/dev/full", "2>&-", "2>/dev/full", "<&- >&- 2>&-"] {
        let script = format!("exec \"$@\" {redirection}");
        let wrapper = ["sh", "-c", &script, "sh"];
        // Of a plan that is asked for, half is not all.
        let checked = i32::from(redirection == ">/dev/full");
        assert_eq!(code(&by(good.path(), &wrapper, &["check"])), Some(checked), "{redirection}");
        assert_eq!(code(&by(bad.path(), &wrapper, &["run"])), Some(2), "{redirection}");
        assert_eq!(code(&by(bad.path(), &wrapper, &["--help"])), Some(0), "{redirection}");
        let command = ["--listen", "off", "--log-level", "trace", "--", "sh", "-c", "exit 7"];
        assert_eq!(code(&by(bad.path(), &wrapper, &command)), Some(7), "{redirection}");
    }
}

#[test]
fn what_cannot_be_kept_is_no_success() {
    let folder = folder_with("processes: {a: {command: true}}");
    for arguments in [&["schema"][..], &["completions", "bash"], &["check"]] {
        let into = |redirection| {
            let script = format!("\"$@\" {redirection}");
            by(folder.path(), &["bash", "-o", "pipefail", "-c", &script, "bash"], arguments)
        };
        let full = into(">/dev/full");
        assert_eq!(code(&full), Some(1), "{arguments:?}");
        assert!(said(&full).contains("standard output: No space left"), "{}", said(&full));
        let left = into("| head -1");
        assert_eq!((code(&left), said(&left).as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn advice_for_commands_is_for_commands() {
    let folder = tempfile::tempdir().expect("a folder");
    let advised = |arguments: &[&str]| {
        let refusal = run(folder.path(), arguments);
        assert_eq!(code(&refusal), Some(2), "{arguments:?}");
        said(&refusal).contains("put `--` in front of it")
    };
    for meant in [&["ls"][..], &["run", "other.yaml"], &["check", "other.yaml"], &["-x"]] {
        assert!(advised(meant), "{meant:?}");
    }
    for other in [
        &["logs", "web", "-n", "-3"][..],
        &["sessions", "lst"],
        &["status", "--all"],
        &["help", "lst"],
    ] {
        assert!(!advised(other), "{other:?}");
    }
}

#[test]
fn a_broken_configuration_here_is_why_nobody_is_found() {
    let broken = folder_with("processes: {a: {comand: sleep 1}}");
    for verb in ["ps", "reload"] {
        let refusal = run(broken.path(), &[verb]);
        assert_eq!(code(&refusal), Some(3), "{verb}");
        let text = said(&refusal);
        let fault = "config.yaml:2:17: processes.a.comand: unknown key; did you mean `command`?";
        let usual = broken.path().join("state/control.sock").display().to_string();
        let nobody = format!("nobody answers at {usual}");
        for part in [&*nobody, "config.yaml", "has faults", "--socket", fault] {
            assert!(text.contains(part), "{verb}: {part} is missing in {text}");
        }
    }
    let none = run(tempfile::tempdir().expect("a folder").path(), &["ps"]);
    assert!(said(&none).contains("cannot reach"), "{}", said(&none));
}

#[test]
fn one_command_has_our_own_input_and_output() {
    let mut child = Command::new(BINARY)
        .args(["--listen", "off", "--", "sh", "-c", "cat; echo aside >&2; exit 3"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("procession can be run");
    child.stdin.take().expect("a pipe").write_all(b"what was typed").expect("a reader");
    let output = child.wait_with_output().expect("its end");
    let got = (code(&output), printed(&output), said(&output));
    assert_eq!(got, (Some(3), "what was typed".into(), "aside\n".into()), "and nothing of ours");
}

/// A warning of the configuration, and one process.
const WARNED: &str = "metrics: {listen: false}\nshutdown_timeout: 5s\nprocesses:\n  a: {command: \
                      touch DIR/started, stop_grace_period: 60s}\n";

#[test]
fn the_log_is_one_json_object_for_each_line() {
    let folder = folder_with(WARNED);
    let output = run(folder.path(), &["run", "--log-format", "json", "--log-level", "debug"]);
    assert_eq!(code(&output), Some(0));
    let text = said(&output);
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    for target in ["config", "init"] {
        assert!(lines.iter().any(|line| line["target"] == target), "{target} in:\n{text}");
    }
    for line in &lines {
        assert!(line["timestamp"].is_string() && line["message"].is_string(), "{line}");
    }
}

#[test]
fn levels_are_chosen_by_flag_or_variable_and_by_room() {
    let folder = folder_with(WARNED);
    let rooms = |output: &Output| {
        let text = said(output);
        let of = |room: &str| text.contains(&format!(" {room}: "));
        (of("config"), text.contains("DEBUG init: "), text.contains("INFO init: "))
    };
    let levelled = |level| run(folder.path(), &["run", "--log-level", level]);
    assert_eq!(rooms(&run(folder.path(), &["run"])), (true, false, true), "info is usual");
    assert_eq!(rooms(&levelled("error")), (false, false, false));
    assert_eq!(rooms(&levelled("warn,init=debug")), (true, true, true));
    assert_eq!(rooms(&levelled("init=info")), (false, false, true));
    let variable = |level: &str| by(folder.path(), &["env", level], &["run"]);
    assert_eq!(rooms(&variable("PROCESSION_LOG=warn")), (true, false, false));
    assert_eq!(rooms(&variable("PROCESSION_LOG=")), (true, false, true), "as if it were not set");
    let both = by(folder.path(), &["env", "PROCESSION_LOG=error"], &["run", "--log-level", "info"]);
    assert_eq!(rooms(&both), (true, false, true), "the flag wins");
    let refusal = variable("PROCESSION_LOG=quiet");
    assert_eq!(code(&refusal), Some(2));
    assert!(said(&refusal).contains("`quiet`"), "{}", said(&refusal));
}
