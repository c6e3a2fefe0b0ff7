//! The world that a process of a configuration wakes up in, as the kernel shows it: who it is, what it
//! may use, what it can reach, and what it is told in secret.

use std::fs;
use std::process::{Command, Stdio};

use crate::house::{As, BINARY, House, folder_with};

const BOTH: [As; 2] = [As::Pid1, As::Subreaper];

/// What a shell prints in a process with these keys; a semicolon ends each.
fn prints(stand: As, keys: &str, script: &str) -> String {
    let (code, output, log) = ends(stand, &[], keys, script);
    assert_eq!(code, 0, "{log}");
    output
}

/// The same below another program: the exit code, what was printed, and the log.
fn ends(stand: As, wrapper: &[&str], keys: &str, script: &str) -> (i32, String, String) {
    let keys: String = keys.split_inclusive(';').map(|key| key.replace(';', ",")).collect();
    let script = script.replace('$', "$$");
    let config = format!(
        "store: memory\nmetrics: false\noutput: passthrough\nprocesses: {{it: {{{keys} command: [bash, -c, {script:?}]}}}}"
    );
    let words = [wrapper, &[BINARY, "run"]].concat();
    let mut house = House::of_program(stand, &words, Ok(folder_with(&config)));
    let (code, _) = house.end();
    (code, house.output(), house.log())
}

#[test]
fn user_and_groups_are_taken_in_full() {
    let status = "grep -E '^(Uid|Gid|Groups|CapEff|CapPrm)' /proc/self/status | tr '\\t' ' '";
    for stand in BOTH {
        let output = prints(stand, "user: '4321:8765'; group_add: [7, 100];", status);
        let lines: Vec<&str> = output.lines().map(str::trim).collect();
        assert_eq!(
            lines,
            [
                "Uid: 4321 4321 4321 4321",
                "Gid: 8765 8765 8765 8765",
                "Groups: 7 100 8765",
                "CapPrm: 0000000000000000",
                "CapEff: 0000000000000000",
            ],
            "{stand:?}"
        );
    }
}

#[test]
fn a_user_has_its_own_home_and_name() {
    let script = "echo $HOME $USER $LOGNAME; id -un";
    let keys = "user: nobody;";
    assert_eq!(prints(As::Pid1, keys, script), "/nonexistent nobody nobody\nnobody\n");
    let keys = "user: nobody; environment: {HOME: /elsewhere};";
    assert_eq!(prints(As::Pid1, keys, script), "/elsewhere nobody nobody\nnobody\n");
    let keys = "user: '4321:1';";
    assert_eq!(prints(As::Pid1, keys, "echo $HOME,$USER,$LOGNAME"), "/,,\n");
}

#[test]
fn umask_limits_and_ranks_are_set() {
    let keys = "umask: '027'; ulimits: {nofile: {soft: 100, hard: 200}, core: 0, stack: 4194304}; \
                nice: 5; oom_score_adj: 500; cpuset: '0'; io_priority: 'best-effort:2';";
    let script = "umask; ulimit -Sn; ulimit -Hn; ulimit -Sc; ulimit -Ss; nice; \
                  cat /proc/self/oom_score_adj; grep -o 'Cpus_allowed_list.*' /proc/self/status; \
                  ionice -p $$";
    let expected = "0027\n100\n200\n0\n4096\n5\n500\nCpus_allowed_list:\t0\nbest-effort: prio 2\n";
    for keys in [keys.to_owned(), format!("{keys} user: nobody;")] {
        assert_eq!(prints(As::Pid1, &keys, script), expected, "{keys}");
    }
    assert_eq!(prints(As::Subreaper, "io_priority: idle;", "ionice -p $$"), "idle\n");
}

#[test]
fn what_is_not_written_is_as_it_was_for_us() {
    let script = "umask; ulimit -a; ulimit -Ha; nice; cat /proc/self/oom_score_adj; \
                  grep Cpus_allowed_list /proc/self/status; id; echo $HOME $USER";
    let plain = Command::new("bash").args(["-c", script]).output().expect("bash can be run");
    assert_eq!(prints(As::Subreaper, "", script), String::from_utf8_lossy(&plain.stdout));
}

#[test]
fn signals_are_clean_and_no_descriptor_is_left_whatever_we_were_given() {
    let script = "exec 9</dev/null; exec env --ignore-signal=HUP --ignore-signal=PIPE \
                  --block-signal=USR1 --block-signal=TERM \"$@\"";
    let wrapper = ["bash", "-c", script, "x"];
    let look = "cat /proc/self/status | grep -E '^Sig(Blk|Ign|Cgt)' | cut -f2; ls /proc/self/fd";
    let (code, output, log) = ends(As::Subreaper, &wrapper, "", look);
    assert_eq!((code, output.as_str()), (0, CLEAN), "{log}");
}

/// Nothing blocked, ignored or caught; `ls` itself has the fourth descriptor open.
const CLEAN: &str = "0000000000000000\n0000000000000000\n0000000000000000\n0\n1\n2\n3\n";

#[test]
fn standard_input_is_empty_unless_it_is_asked_for() {
    let wrapper = ["bash", "-c", "echo from outside | \"$@\"", "x"];
    let read = "read line; echo got $line";
    let got = |keys: &str| ends(As::Subreaper, &wrapper, keys, read).1;
    assert_eq!(got(""), "got\n");
    assert_eq!(got("stdin_open: false;"), "got\n");
    assert_eq!(got("stdin_open: true;"), "got from outside\n");
}

const SECRET: &str = "wren-under-the-old-bridge";

#[test]
fn a_secret_reaches_its_process_and_nobody_else() {
    let folder = folder_with(
        "store: {sqlite: DIR/history.db}\nmetrics: false\nprocesses:\n  it:\n    user: nobody\n    \
         output: passthrough\n    secrets: {TOKEN: DIR/token}\n    command: [bash, -c, 'echo $$TOKEN | tr a-z b-za; sleep \
         0.3']\n",
    );
    let token = folder.path().join("token");
    fs::write(&token, format!("{SECRET}\n")).expect("a file");
    // Only we may read it: it is read before the user changes.
    fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .expect("a mode");
    let check = Command::new(BINARY).args(["check"]).current_dir(folder.path()).output();
    let check = check.expect("procession can be run");
    assert!(String::from_utf8_lossy(&check.stdout).contains("token"));
    assert!(!String::from_utf8_lossy(&check.stdout).contains(SECRET));

    let words = [BINARY, "run", "--log-level", "trace"];
    let mut house = House::of_program(As::Subreaper, &words, Ok(folder));
    assert_eq!(house.end().0, 0);
    let shifted: String = SECRET.chars().map(shift).collect();
    assert_eq!(house.output(), format!("{shifted}\n"));
    fs::remove_file(house.dir().join("token")).expect("a file");
    let mut looked_at = 0;
    let mut folders = vec![house.dir().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let bytes = fs::read(entry.path()).unwrap_or_default();
            looked_at += bytes.len();
            let found = bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
            assert!(!found, "{}", entry.path().display());
        }
    }
    assert!(looked_at > 10_000, "the history and the log are there: {looked_at} bytes");
}

/// As `tr a-z b-za` does.
fn shift(letter: char) -> char {
    match letter {
        'z' => 'a',
        'a'..='y' => char::from(letter as u8 + 1),
        other => other,
    }
}

#[test]
fn what_cannot_be_set_is_named_and_nothing_is_run() {
    let stripped = ["setpriv", "--reuid=4321", "--regid=4321", "--clear-groups"];
    for (wrapper, keys, words) in [
        (&[][..], "secrets: {TOKEN: /nowhere/token};", "cannot read a secret: No such file"),
        (&[], "secrets: {TOKEN: /etc};", "cannot read a secret"),
        (&[], "secrets: {TOKEN: /dev/zero};", "cannot read a secret"),
        (&stripped, "user: '1:1';", "cannot become its user"),
        (&stripped, "oom_score_adj: -900;", "cannot set its limits"),
        (&stripped, "nice: -5;", "cannot set its limits"),
        (&[], "cpuset: '1000';", "cannot set its limits"),
        (&[], "user: nobody; working_dir: /root;", "cannot enter its working_dir /root"),
    ] {
        let folder = "umask 0; mkdir -p state; \"$@\"";
        let words_of = [&["bash", "-c", folder, "x"][..], wrapper].concat();
        let (code, output, log) = run_in_the_open(&words_of, keys);
        assert_eq!((code, output.as_str()), (126, ""), "{keys} {log}");
        assert!(log.contains(words), "{keys}: {log}");
    }
}

/// In a folder that everybody may use, and with a program that says when it is run after all.
fn run_in_the_open(wrapper: &[&str], keys: &str) -> (i32, String, String) {
    let keys: String = keys.split_inclusive(';').map(|key| key.replace(';', ",")).collect();
    let folder = folder_with(&format!(
        "store: memory\nmetrics: false\noutput: passthrough\nprocesses: {{it: {{{keys} command: [echo, run]}}}}"
    ));
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(folder.path(), open).expect("a mode");
    let program = Command::new(wrapper[0])
        .args(&wrapper[1..])
        .args([&*program_for_all(folder.path()), "run"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("it can be run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (program.status.code().unwrap_or(-1), text(&program.stdout), text(&program.stderr))
}

/// A copy of ours where everybody can reach it: the target folder may be somebody's own.
fn program_for_all(folder: &std::path::Path) -> String {
    let copy = folder.join("procession");
    fs::copy(BINARY, &copy).expect("a copy");
    copy.display().to_string()
}

/// A terminal gives its output a piece at a time: all of it arrives, and each line ends once.
#[test]
fn a_terminal_of_its_own_is_one_in_every_way_and_its_output_is_ours_to_show() {
    let script = "python3 -c 'import os; print(*(os.isatty(n) for n in range(3)), \
                  os.tcgetpgrp(0) == os.getpgrp(), os.getsid(0) == os.getppid())'; stty size; \
                  echo typed > /dev/tty; echo err >&2; seq 20000";
    for stand in BOTH {
        for (keys, size) in [("", "24 80"), ("user: nobody;", "24 80")] {
            let keys = format!("{keys} tty: true; output: prefixed;");
            let output = prints(stand, &keys, script);
            let lines: Vec<&str> = output.lines().collect();
            let shown = ["it | True True True True True", &format!("it | {size}")];
            assert_eq!(lines[..2], shown, "{stand:?}");
            assert_eq!(lines[2..4], ["it | typed", "it | err"], "{stand:?}");
            assert_eq!(lines.len(), 20_004);
            assert_eq!(output.lines().next_back(), Some("it | 20000"));
            assert!(!output.contains('\r'), "a line ends as in a pipe");
        }
    }
}

#[test]
fn who_has_a_terminal_of_its_own_is_stopped_and_restarted_like_others() {
    let config = "control: false\nprocesses: {it: {tty: true, output: json, command: [bash, -c, \
                  'seq 30000; sleep 300']}}";
    let mut house = House::of_config(As::Pid1, config);
    // All of it comes, though nothing follows that would say so.
    crate::house::until("it runs", || house.output().contains("\"30000\"").then_some(()));
    house.signal(15);
    assert_eq!(house.end().0, 143, "{}", house.log());
}
