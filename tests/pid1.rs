//! procession as PID 1 of real namespaces, and as a subreaper, with real processes.

use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::house::{As, House, mark, marked, until};

const BOTH: [As; 2] = [As::Pid1, As::Subreaper];

#[test]
fn every_exit_code_is_passed_on() {
    for code in 0..=255 {
        let mut house = House::of_command(As::Pid1, &format!("exit {code}"));
        assert_eq!(house.end().0, code);
    }
}

#[test]
fn death_by_a_signal_is_128_and_its_number() {
    for number in [1, 2, 3, 6, 9, 10, 14, 15, 34, 40, 64] {
        for stand in BOTH {
            let mut house = House::of_command(stand, &format!("kill -{number} $$; sleep 9"));
            assert_eq!(house.end().0, 128 + number, "{stand:?}");
        }
    }
}

#[test]
fn what_cannot_be_executed_is_126_or_127() {
    let text = tempfile::NamedTempFile::new().expect("a file that is no program");
    let path = text.path().display().to_string();
    for (program, code) in [
        ("/nowhere/to/be/found", 127),
        ("no-such-program-anywhere", 127),
        ("/etc", 126),
        (&path, 126),
    ] {
        let arguments = ["--listen", "off", "--", program];
        let mut house = House::start(As::Pid1, &arguments, tempfile::tempdir());
        assert_eq!(house.end().0, code, "{program}");
        let config = format!("processes: {{it: {{command: [{program:?}]}}}}");
        assert_eq!(House::of_config(As::Subreaper, &config).end().0, code, "{program}");
    }
}

#[test]
fn one_command_gets_every_signal() {
    // Not the ones that cannot be caught, that mean a fault of our own, or that tell of a child.
    let numbers: Vec<i32> =
        (1..=64).filter(|n| ![4, 5, 6, 7, 8, 9, 11, 17, 19, 31, 32, 33].contains(n)).collect();
    let traps: String = numbers.iter().map(|n| format!("trap 'echo {n} >> told' {n}\n")).collect();
    let script = format!("{traps} echo ready > begun\nwhile [ ! -e stop ]; do sleep 0.01; done");
    for stand in BOTH {
        let arguments = ["--listen", "off", "--", "bash", "-c", &script];
        let mut house = House::start(stand, &arguments, tempfile::tempdir());
        house.await_lines("begun", 1);
        for (at, number) in numbers.iter().enumerate() {
            house.signal(*number);
            let told = house.await_lines("told", at + 1);
            assert_eq!(told.last(), Some(&number.to_string()), "{stand:?}");
        }
        fs::write(house.dir().join("stop"), "").expect("a file");
        assert_eq!(house.end().0, 0);
    }
}

#[test]
fn a_signal_that_comes_at_once_is_not_lost() {
    for _ in 0..50 {
        let mut house =
            House::of_command(As::Pid1, "trap 'exit 7' TERM; while :; do sleep 0.01; done");
        house.await_attention();
        house.signal(15);
        let (code, _) = house.end();
        // Before the trap is set the command dies of the signal, as it would anywhere.
        assert!([7, 143].contains(&code), "{code}");
    }
}

#[test]
fn one_command_may_take_its_time_but_what_it_leaves_behind_may_not() {
    let mark = mark();
    let script = format!("(trap '' TERM; setsid sleep {mark}) & sleep 0.3; echo gone; exit 5");
    for stand in BOTH {
        let mut house = House::of_command(stand, &script);
        assert_eq!(house.end().0, 5, "{stand:?}");
        assert_eq!(marked(&mark), Vec::<i32>::new(), "{stand:?}");
    }
}

/// One process that stops in an unusual way, what it exits with, and whether it needs force.
const STUBBORN: [(&str, &str, i32); 5] = [
    ("ignores TERM", "trap '' TERM; while :; do sleep MARK & wait; done", 137),
    ("is stopped", "kill -STOP $$; sleep MARK", 143),
    ("hides in a session", "setsid sleep MARK & wait", 143),
    (
        "hides two levels deep",
        "(setsid sh -c 'trap \"\" TERM; sleep MARK; sleep MARK' &) ; sleep MARK",
        143,
    ),
    ("holds pipes open", "sleep MARK | cat & exec sleep MARK", 143),
];

#[test]
fn the_stop_fits_its_budget_whatever_the_children_do() {
    for stand in BOTH {
        for (habit, script, code) in STUBBORN {
            let mark = mark();
            let script = script.replace("MARK", &mark);
            let config = format!(
                "shutdown_timeout: 4s\nprocesses:\n  it:\n    command: [bash, -c, {script:?}]\n"
            );
            let mut house = House::of_config(stand, &config);
            until("it runs", || (!marked(&mark).is_empty()).then_some(()));
            sleep(Duration::from_millis(200));
            house.signal(15);
            let (got, took) = house.end();
            assert_eq!(got, code, "{habit}, {stand:?}");
            assert!(took < Duration::from_secs(4), "{habit}, {stand:?}: took {took:?}");
            assert_eq!(marked(&mark), Vec::<i32>::new(), "{habit}, {stand:?}: a survivor");
        }
    }
}

#[test]
fn dependents_are_stopped_first_and_started_last() {
    let tell = |name: &str| {
        let script = format!(
            "echo start {name} >> DIR/told; trap 'echo stop {name} >> DIR/told; exit 0' TERM; \
             while :; do sleep 0.01; done"
        );
        format!("[bash, -c, {script:?}]")
    };
    let config = format!(
        "processes:\n  web: {{command: {}, depends_on: [api]}}\n  api: {{command: {}, depends_on: \
         [db]}}\n  db: {{command: {}}}\n",
        tell("web"),
        tell("api"),
        tell("db")
    );
    let mut house = House::of_config(As::Pid1, &config);
    let told = house.await_lines("told", 3);
    assert_eq!(told.len(), 3);
    sleep(Duration::from_millis(100));
    house.signal(15);
    assert_eq!(house.end().0, 0);
    let told = house.await_lines("told", 6);
    assert_eq!(told[3..], ["stop web", "stop api", "stop db"]);
}

#[test]
fn a_second_request_to_stop_hurries() {
    let mark = mark();
    let config = format!(
        "shutdown_timeout: 50s\nprocesses:\n  it:\n    stop_grace_period: 40s\n    command: [bash, \
         -c, \"trap '' TERM; while :; do sleep {mark} & wait; done\"]\n"
    );
    let mut house = House::of_config(As::Pid1, &config);
    until("it ignores TERM and sleeps", || (marked(&mark).len() >= 2).then_some(()));
    house.signal(15);
    sleep(Duration::from_millis(200));
    house.signal(15);
    let (code, took) = house.end();
    assert_eq!(code, 137);
    assert!(took < Duration::from_secs(20), "took {took:?} of a budget of 50 s");
}

#[test]
fn a_failing_process_is_restarted_until_it_is_given_up() {
    let config = "processes:\n  it:\n    command: [sh, -c, 'echo run >> DIR/told; exit 3']\n    \
                  restart: on-failure\n    restart_policy: {delay: 20ms, max_delay: 50ms, \
                  max_attempts: 3}\n";
    let mut house = House::of_config(As::Pid1, config);
    assert_eq!(house.end().0, 75);
    assert_eq!(house.await_lines("told", 4).len(), 4);
    assert!(house.log().contains("giving up it: 3 restarts in a row did not help"));
}

#[test]
fn what_hid_at_once_is_gone_before_the_next_run() {
    // Its parent is gone before anybody looked, and its session is its own.
    let script = "if [ -e DIR/pid ] && kill -0 $(cat DIR/pid); then echo alive; else echo free; fi \
                  >> DIR/told; setsid sh -c 'echo $$ > DIR/pid; exec sleep 300' & sleep 0.2; exit 1";
    let config = format!(
        "processes:\n  it:\n    command: [sh, -c, {script:?}]\n    restart: on-failure:2\n    \
         restart_policy: {{delay: 50ms}}\n  steady: {{command: [sleep, '300']}}\n\
         exit_code_from: it\n"
    );
    let mut house =
        House::of_config(As::Pid1, &config.replace("$(", "$$(").replace("$$ >", "$$$$ >"));
    assert_eq!(house.end().0, 75);
    assert_eq!(house.await_lines("told", 3), ["free"; 3]);
}

#[test]
fn children_start_with_clean_signals_and_no_descriptor_of_ours() {
    let script = "cat /proc/self/status; ls /proc/self/fd";
    // What a child gets that we start ourselves, with everything that we were given.
    let plain = Command::new("sh").args(["-c", script]).stdin(Stdio::null()).output();
    let plain = String::from_utf8(plain.expect("sh can be run").stdout).expect("text");
    for stand in BOTH {
        let arguments = ["--listen", "off", "--", "sh", "-c", script];
        let mut house = House::start(stand, &arguments, tempfile::tempdir());
        assert_eq!(house.end().0, 0);
        let output = house.output();
        assert_eq!(descriptors(&output), descriptors(&plain), "{stand:?}");
        for field in ["SigBlk:", "SigIgn:", "SigCgt:"] {
            let line = output.lines().find_map(|line| line.strip_prefix(field)).expect(field);
            assert_eq!(line.trim(), "0000000000000000", "{field} {stand:?}");
        }
    }
}

fn descriptors(output: &str) -> Vec<&str> {
    output.lines().filter(|line| line.parse::<u32>().is_ok()).collect()
}
