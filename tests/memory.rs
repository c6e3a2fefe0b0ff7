//! The memory of a procession that runs: who is killed for want of it, what is reported of it, and
//! what may be seen of other users' processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::house::{As, BINARY, House, folder_with, until};
use crate::support::{free_port, get};

/// A control group of the test's own with a limit, below the one that the test runs in.
struct Limited(PathBuf);

impl Limited {
    /// Version 1's, or 2's where memory is counted by that.
    fn of(bytes: u64) -> Self {
        let own = fs::read_to_string("/proc/self/cgroup").expect("our groups");
        let home = own.lines().find_map(|line| {
            let mut words = line.splitn(3, ':').skip(1);
            let (controllers, path) = (words.next()?, words.next()?.trim_start_matches('/'));
            match controllers {
                "memory" => Some(Path::new("/sys/fs/cgroup/memory").join(path)),
                "" => Some(Path::new("/sys/fs/cgroup").join(path))
                    .filter(|home| home.join("memory.events").exists()),
                _ => None,
            }
        });
        let home = home.expect("a control group that counts memory");
        let group = home.join(format!("procession-test-{}", std::process::id()));
        fs::create_dir(&group).expect("control groups that may be written");
        let limit = |file: &str, value: u64| fs::write(group.join(file), value.to_string());
        limit("memory.limit_in_bytes", bytes)
            .or_else(|_| limit("memory.max", bytes))
            .expect("a limit can be set");
        // So that nothing is put into swap instead, where there is one.
        let _ = limit("memory.memsw.limit_in_bytes", bytes);
        let _ = limit("memory.swap.max", 0);
        Self(group)
    }

    /// Gives it another limit.
    fn limit(&self, bytes: u64) {
        let limit = |file: &str| fs::write(self.0.join(file), bytes.to_string());
        limit("memory.limit_in_bytes")
            .or_else(|_| limit("memory.max"))
            .expect("a limit can be set");
    }

    /// A program that joins it and becomes another one.
    fn wrapper(&self) -> [String; 4] {
        let join = format!("echo $$ > {}/cgroup.procs; exec \"$@\"", self.0.display());
        ["sh".into(), "-c".into(), join, "sh".into()]
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        // Whoever was in it may not be gone yet; what is left then is empty and harmless.
        for _ in 0..100 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

fn ask(house: &House, words: &[&str]) -> Option<String> {
    let output = Command::new(BINARY)
        .args(words)
        .env("PROCESSION_SOCKET", house.dir().join("c.sock"))
        .output()
        .expect("our own binary");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn ask_json(house: &House, words: &[&str]) -> Option<Value> {
    serde_json::from_str(&ask(house, words)?).ok()
}

/// How the run of a process ended, once it has.
fn outcome(house: &House, process: &str) -> Option<String> {
    let page = ask_json(house, &["sessions", "list", "--json", "-p", process])?;
    let ended = page["sessions"].as_array()?.iter().find(|one| one["end"].is_object())?;
    ended["state"].as_str().map(str::to_owned)
}

#[test]
fn who_is_killed_for_want_of_memory_is_told_from_who_is_killed() {
    let group = Limited::of(96 << 20);
    let wrapper = group.wrapper();
    let wrapper: Vec<&str> = wrapper.iter().map(String::as_str).collect();
    let config = "metrics: {listen: false}\ncontrol: DIR/c.sock\nstore: memory\ncgroups: off\n\
        memory: {interval: 200ms}\nprocesses:\n  hog: {command: [tail, /dev/zero], restart: 'no'}\n  \
        shot: {command: [sh, -c, 'kill -9 $$$$'], restart: 'no'}\n  \
        keep: {command: [sleep, '1000000']}\n";
    let mut house = House::under(As::Subreaper, &wrapper, &["run"], Ok(folder_with(config)));
    let ends = |process: &str| until("it has ended", || outcome(&house, process));
    assert_eq!(ends("hog"), "oom");
    assert_eq!(ends("shot"), "failed", "it had room enough");
    let found = until("the group is read", || {
        let memory = ask_json(&house, &["memory", "--json"])?;
        let container = memory["container"].clone();
        (container["events"]["oom_kill"].as_u64()? > 0).then_some(container)
    });
    assert_eq!(found["limit_bytes"], 96 << 20, "{found}");
    assert!(found["usage_bytes"].as_u64().is_some_and(|usage| usage > 0), "{found}");
    assert!(house.log().contains("was killed by the kernel for want of memory"), "{}", house.log());
    house.signal(15);
    house.end();
    drop(house);
    drop(group);
}

/// About forty mebibytes a second.
const RACES: &str =
    "import time; kept = []\\nwhile True: kept.append(b\\\"x\\\" * (2 << 20)); time.sleep(0.05)";

#[test]
fn who_is_killed_for_want_of_memory_within_seconds_run_after_run_leaks() {
    let group = Limited::of(128 << 20);
    let wrapper = group.wrapper();
    let wrapper: Vec<&str> = wrapper.iter().map(String::as_str).collect();
    let port = free_port();
    let config = format!(
        "metrics: {{listen: \"127.0.0.1:{port}\"}}\ncontrol: DIR/c.sock\nstore: memory\ncgroups: off\n\
         memory: {{interval: 500ms}}\nprocesses:\n  races:\n    command: [python3, -c, \"{RACES}\"]\n    \
         restart: always\n    restart_policy: {{delay: 100ms, max_delay: 100ms, max_attempts: 1000}}\n  \
         keep: {{command: [sleep, '1000000']}}\n"
    );
    let mut house = House::under(As::Subreaper, &wrapper, &["run"], Ok(folder_with(&config)));
    let found = until("its runs are alike", || {
        let told = held(&house, "races")?;
        told["recurring"].is_object().then(|| told["recurring"].clone())
    });
    assert!(found["runs"].as_u64() >= Some(3), "{found}");
    assert!(found["growth_bytes_per_second"].as_f64() > Some(1e6), "{found}");
    let runs = until("it is told", || {
        let page = get(&format!("http://127.0.0.1:{port}/metrics"))?;
        series(&page, "leak_recurring", "races").filter(|runs| *runs >= 3.0)
    });
    assert!(runs < 100.0, "{runs}");
    assert!(ask(&house, &["memory"]).expect("a glance").contains("in each of "));
    house.signal(15);
    house.end();
    drop(house);
    drop(group);
}

#[test]
fn what_a_tree_holds_is_reported_with_its_line_and_its_label() {
    let config = "control: DIR/c.sock\nstore: memory\nmemory: {interval: 100ms}\nprocesses:\n  \
        it: {command: [sh, -c, 'sleep 1000000 & exec sleep 1000000']}\n";
    let mut house = House::of_config(As::Subreaper, config);
    let report = until("there is a line", || {
        let report = ask_json(&house, &["memory", "it", "--json"])?;
        // A line has a place for each second.
        (report["history"].as_array()?.len() >= 3).then_some(report)
    });
    let now = &report["now"];
    for name in ["resident_bytes", "virtual_bytes", "peak_bytes", "average_bytes", "size_bytes"] {
        assert!(now[name].as_u64().is_some_and(|bytes| bytes > 0), "{name} in {now}");
    }
    assert_eq!((&now["level"], &now["leak"]["state"]), (&"normal".into(), &"unknown".into()));
    assert!(
        ["critical", "container", "machine"]
            .contains(&now["leak"]["limit"].as_str().expect("a limit"))
    );
    assert!(now["leak"]["limit_bytes"].as_u64() <= now["critical_bytes"].as_u64(), "{now}");
    assert!(report["plot"].as_str().is_some_and(|plot| plot.contains('█')), "{report}");
    assert!(report["history"].as_array().is_some_and(|history| history.len() >= 2), "{report}");

    assert!(ask(&house, &["memory", "label", "it", "after warm-up"]).is_some());
    let text = until("the label is shown", || {
        ask(&house, &["memory", "it"]).filter(|text| text.contains("after warm-up"))
    });
    for part in [
        "resident",
        "virtual",
        "average of 10",
        "normal",
        "too early to say",
        "session",
        "now",
        "█",
    ] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
    let explained = ask(&house, &["memory", "explain", "it"]).expect("an explanation");
    assert!(explained.contains(" samples that the rule needs"), "{explained}");
    house.signal(15);
    house.end();
}

/// The end of our own processes, where what others run may not be seen: `nobody`, below a `/proc` that
/// shows each user his own (hidepid=2).
#[test]
fn what_may_not_be_seen_is_absent_and_the_rest_is_told() {
    let folder = folder_with(
        "metrics: {listen: false}\ncontrol: DIR/c.sock\nstore: memory\nmemory: {interval: 100ms}\n\
         processes:\n  own: {command: [sleep, '1000000']}\n  \
         hidden: {command: [DIR/elevated, '1000000']}\n  \
         both: {command: [sh, -c, 'DIR/elevated 1000000 & exec sleep 1000000']}\n",
    );
    let (dir, ours) = (folder.path().to_owned(), folder.path().join("procession"));
    // Readable for whoever is nobody, wherever this was built.
    fs::hard_link(BINARY, &ours).or_else(|_| fs::copy(BINARY, &ours).map(drop)).expect("a copy");
    let shell = |script: &str| {
        let ran = Command::new("sh").args(["-ec", script]).current_dir(&dir).status();
        assert!(ran.expect("a shell").success(), "{script}");
    };
    // A program that becomes root, as sudo does.
    shell("cp \"$(command -v sleep)\" elevated; chmod 4755 elevated; chown nobody . config.yaml");
    let become_nobody = "mount -t proc -o hidepid=2 proc /proc; exec setpriv --reuid=nobody \
        --regid=nogroup --clear-groups \"$@\"";
    let program = [&["sh", "-c", become_nobody, "sh"], &[ours.to_str().expect("UTF-8"), "run"][..]];
    let mut house = House::of_program(As::Pid1, &program.concat(), Ok(folder));
    let told = until("there are samples", || {
        let told = ask_json(&house, &["memory", "--json"])?;
        (told["processes"][0]["samples"].as_u64()? >= 5).then_some(told)
    });
    let held = |nth: usize, name: &str| told["processes"][nth][name].as_u64();
    for process in [0, 2] {
        assert!(held(process, "resident_bytes").is_some_and(|bytes| bytes > 0), "{told}");
    }
    for name in ["resident_bytes", "anonymous_bytes", "size_bytes", "proportional_bytes"] {
        assert!(told["processes"][1][name].is_null(), "{name} of what is hidden: {told}");
    }
    house.signal(15);
    house.end();
}

/// What commands for levels and budgets are told, sorted.
const TELLS: &str =
    "env | grep -E '^PROCESSION_(HOOK|PROCESS|MEMORY|BUDGET)' | sort > DIR/hook; pwd >> DIR/hook";

#[test]
fn the_command_of_a_level_is_run_beside_the_plan_where_its_process_is_and_as_a_session() {
    // `tail` holds what has no newline for as long as its input is open.
    let holds = "{ head -c 40000000 /dev/zero; exec sleep 100000; } | tail";
    let config = format!(
        "control: DIR/c.sock\nstore: memory\nmemory: {{interval: 100ms}}\nprocesses:\n  big:\n    \
         command: [sh, -c, {holds:?}]\n    working_dir: /\n    memory:\n      warning: 20MiB\n      \
         critical: 4GiB\n      on_warning: hook\n      \
         hook: {{command: [sh, -c, {TELLS:?}], timeout: 20s}}\n"
    );
    let mut house = House::of_config(As::Subreaper, &config);
    let told = house.await_lines("hook", 5);
    assert!(
        told[1]
            .strip_prefix("PROCESSION_MEMORY_BYTES=")
            .is_some_and(|size| { size.parse::<u64>().is_ok_and(|size| size >= 20 << 20) })
    );
    let rest: Vec<&str> = told.iter().map(String::as_str).collect();
    assert_eq!(rest[0], "PROCESSION_HOOK=memory");
    assert_eq!(rest[2..], ["PROCESSION_MEMORY_LEVEL=warning", "PROCESSION_PROCESS=big", "/"]);
    let socket = house.dir().join("c.sock");
    until("its session is over", || {
        let mut list = Command::new(BINARY);
        list.args(["sessions", "list", "--ended", "--process", "big-hook", "--json"]);
        let output = list.env("PROCESSION_SOCKET", &socket).output().expect("our own binary");
        let found: Value = serde_json::from_slice(&output.stdout).ok()?;
        (found["sessions"][0]["state"] == "completed").then_some(())
    });
    house.signal(15);
    house.end();
}

/// A shell that holds 40 MB until it is ended, and runs `then` meanwhile.
fn holds(then: &str) -> String {
    let script = format!("held=$$(head -c 40000000 /dev/zero | tr '\\0' x); {then}");
    format!("[sh, -c, {script:?}]")
}

/// One process in `GET /v1/memory`.
fn held(house: &House, process: &str) -> Option<Value> {
    let told = ask_json(house, &["memory", "--json"])?;
    told["processes"].as_array()?.iter().find(|one| one["name"] == process).cloned()
}

/// What was done to the runs of a process because of their memory, and the levels that they came to.
fn happened(house: &House, process: &str) -> Option<Vec<String>> {
    let page = ask_json(house, &["sessions", "list", "--json", "-p", process])?;
    let mut found = Vec::new();
    for session in page["sessions"].as_array()? {
        let told = ask(house, &["sessions", "events", session["id"].as_str()?, "--json"])?;
        for line in told.lines() {
            let event: Value = serde_json::from_str(line).expect("JSON");
            let word = event["event_type"].as_str()?.strip_prefix("memory_");
            let action = event["context"]["action"].as_str().unwrap_or_default();
            found.extend(word.map(|word| format!("{word} {action}").trim_end().to_owned()));
        }
    }
    Some(found)
}

#[test]
fn who_stays_too_large_is_signalled_stopped_or_restarted_but_not_in_a_circle() {
    let waits = holds("sleep 1000000; :");
    let told = holds("while :; do sleep 0.1; done");
    let told = told.replacen("held=", "trap 'echo told >> DIR/told' USR1; held=", 1);
    let config = format!(
        "control: DIR/c.sock\nstore: {{sqlite: DIR/history.db}}\nmemory: {{interval: 100ms}}\n\
         processes:\n  again: {{command: {waits}, memory: {{critical: 20MiB, on_critical: restart}}}}\n  \
         ends: {{command: {waits}, memory: {{critical: 20MiB, on_critical: [event, stop]}}}}\n  \
         told: {{command: {told}, memory: {{warning: 20MiB, critical: 4GiB, on_warning: SIGUSR1}}}}\n  \
         calm: {{command: {waits}, memory: {{critical: 400MiB, on_critical: stop}}}}\n"
    );
    let mut house = House::of_config(As::Subreaper, &config);
    house.await_lines("told", 1);
    until("it is stopped", || outcome(&house, "ends").filter(|outcome| outcome == "completed"));
    until("it runs again", || outcome(&house, "again"));
    // Long enough for more restarts than one.
    until("it is as large again", || {
        let now = held(&house, "again")?;
        (now["level"] == "critical" && now["samples"].as_u64()? >= 20).then_some(())
    });
    let count = |process: &str, word: &str| {
        let found = happened(&house, process)?;
        Some(found.iter().filter(|one| *one == word).count())
    };
    until("both runs are kept as critical", || {
        count("again", "critical").filter(|runs| *runs >= 2)
    });
    assert_eq!(count("again", "action restart"), Some(1), "and restarted once");
    assert_eq!((count("ends", "critical"), count("ends", "action stop")), (Some(1), Some(1)));
    assert_eq!((count("told", "warning"), count("told", "action signal")), (Some(1), Some(1)));
    assert_eq!(count("calm", "action stop"), Some(0));
    assert_eq!(held(&house, "calm").expect("it lives")["level"], "normal");
    assert_eq!(fs::read_to_string(house.dir().join("told")).expect("a file"), "told\n");
    house.signal(15);
    house.end();
}

/// Three that leave their parents and their session one after the other, before any look can see
/// them with who was in between, and that is gone for good; and four copies of one that share all that they hold.
const ESCAPES: &str = "import os, time\n\
    def leave(more):\n    if os.fork(): return os.wait()\n    os.setsid()\n    if os.fork(): os._exit(0)\n    \
    held = bytearray(20000000)\n    if more: leave(more - 1)\n    time.sleep(1000000)\n\
    leave(2)\ntime.sleep(1000000)\n";
const SHARES: &str = "import os, time\nheld = b'x' * 40000000\n\
    for _ in range(4):\n    if not os.fork(): time.sleep(1000000)\ntime.sleep(1000000)\n";

/// The series of a process on the page of metrics.
fn series(page: &str, name: &str, process: &str) -> Option<f64> {
    let line = format!("procession_process_{name}{{process=\"{process}\"}} ");
    page.lines().find_map(|one| one.strip_prefix(&line)).map(|value| value.parse().expect(value))
}

#[test]
fn escaped_descendants_count_shared_pages_count_once_and_every_door_tells_the_same() {
    let port = free_port();
    let folder = folder_with(&format!(
        "metrics: {{listen: \"127.0.0.1:{port}\"}}\ncontrol: DIR/c.sock\nstore: memory\n\
         memory: {{interval: 100ms}}\nprocesses:\n  away: {{command: [python3, DIR/escapes.py]}}\n  \
         alike: {{command: [python3, DIR/shares.py]}}\n"
    ));
    fs::write(folder.path().join("escapes.py"), ESCAPES).expect("a program");
    fs::write(folder.path().join("shares.py"), SHARES).expect("a program");
    let mut house = House::start(As::Subreaper, &["run"], Ok(folder));
    let (away, alike) = until("all of them are there and were read", || {
        let (away, alike) = (held(&house, "away")?, held(&house, "alike")?);
        let is_whole = |one: &Value, count: u64, least: u64| {
            one["threads"] == count && one["proportional_bytes"].as_u64() >= Some(least)
        };
        (is_whole(&away, 4, 60_000_000) && is_whole(&alike, 5, 40_000_000)).then_some((away, alike))
    });
    let of =
        |one: &Value, name: &str| one[name].as_u64().unwrap_or_else(|| panic!("{name}: {one}"));
    assert_eq!((of(&away, "processes"), of(&alike, "processes")), (4, 5));
    assert!(of(&alike, "resident_bytes") > 200_000_000, "{alike}");
    assert!(of(&alike, "proportional_bytes") < 100_000_000, "shared pages count once: {alike}");
    assert!(of(&alike, "unique_bytes") < 40_000_000, "who holds them alone: {alike}");
    assert!(of(&alike, "size_bytes") < 100_000_000, "what is acted on: {alike}");
    until("both doors tell the same", || {
        let page = get(&format!("http://127.0.0.1:{port}/metrics"))?;
        let alike = held(&house, "alike")?;
        let same = [
            ("memory_resident_bytes", "resident_bytes"),
            ("memory_anonymous_bytes", "anonymous_bytes"),
            ("memory_virtual_bytes", "virtual_bytes"),
            ("memory_proportional_bytes", "proportional_bytes"),
            ("memory_unique_bytes", "unique_bytes"),
            ("memory_swap_bytes", "swap_bytes"),
            ("memory_peak_bytes", "peak_bytes"),
            ("memory_size_bytes", "size_bytes"),
            ("tree_processes", "processes"),
            ("threads", "threads"),
            ("open_fds", "open_fds"),
            ("io_read_bytes_total", "read_bytes"),
            ("io_written_bytes_total", "written_bytes"),
        ];
        // Read one after the other: at rest they are the same in the end.
        let is_same = |(series_name, name): &(&str, &str)| {
            series(&page, series_name, "alike") == alike[*name].as_f64() && alike[*name].is_number()
        };
        same.iter().all(is_same).then_some(())
    });
    house.signal(15);
    house.end();
}

/// Its first thread ends, and another one holds 50 MiB for as long as it is let.
const HEADLESS: &str = "import ctypes, os, threading, time\n\
    def hold():\n    held = bytes(1) * (50 << 20)\n    time.sleep(1000000)\n\
    threading.Thread(target=hold).start()\n\
    exit = {'x86_64': 60, 'aarch64': 93}[os.uname().machine]\nctypes.CDLL(None).syscall(exit, 0)\n";

#[test]
fn a_process_whose_first_thread_has_ended_is_told_and_ended_like_any_other() {
    let port = free_port();
    let folder = folder_with(&format!(
        "metrics: {{listen: \"127.0.0.1:{port}\"}}\ncontrol: DIR/c.sock\nstore: memory\ncgroups: off\n\
         memory: {{interval: 100ms}}\nprocesses:\n  it: {{command: [python3, DIR/it.py]}}\n  \
         away: {{command: [sh, -c, '(setsid python3 DIR/it.py & echo $$! > DIR/away); \
         exec sleep 1000000']}}\n"
    ));
    fs::write(folder.path().join("it.py"), HEADLESS).expect("a program");
    let mut house = House::start(As::Subreaper, &["run"], Ok(folder));
    let away = &house.await_lines("away", 1)[0];
    let away = Path::new("/proc").join(away);
    let is_headless = |folder: &Path| {
        let stat = fs::read_to_string(folder.join("stat")).ok()?;
        stat.rsplit(')').next()?.starts_with(" Z ").then_some(())
    };
    until("its first thread has ended", || is_headless(&away));
    for (process, members) in [("it", 1), ("away", 2)] {
        let told = until("its figures are read", || {
            let told = held(&house, process)?;
            let large = |name: &str| told[name].as_u64().is_some_and(|bytes| bytes >= 50 << 20);
            [
                "resident_bytes",
                "anonymous_bytes",
                "proportional_bytes",
                "unique_bytes",
                "peak_bytes",
            ]
            .iter()
            .all(|name| large(name))
            .then_some(told)
        });
        assert_eq!(told["processes"], members, "{told}");
        assert!(told["open_fds"].as_u64() >= Some(3), "{told}");
        assert!(told["read_bytes"].is_number() && told["written_bytes"].is_number(), "{told}");
    }
    let page = get(&format!("http://127.0.0.1:{port}/metrics")).expect("metrics");
    assert_eq!(series(&page, "zombies", "it"), Some(0.0));
    assert_eq!(series(&page, "zombies", "away"), Some(0.0));
    house.signal(15);
    house.end();
    assert!(is_headless(&away).is_none(), "it was left behind");
}

#[test]
fn a_part_of_a_limit_follows_the_limit() {
    let group = Limited::of(1 << 30);
    let wrapper = group.wrapper();
    let wrapper: Vec<&str> = wrapper.iter().map(String::as_str).collect();
    let config = format!(
        "metrics: {{listen: false}}\ncontrol: DIR/c.sock\nstore: memory\ncgroups: off\n\
         memory: {{interval: 100ms}}\nprocesses:\n  it:\n    command: {}\n    \
         memory: {{warning: 10%, critical: 50%}}\n",
        holds("sleep 1000000; :")
    );
    let mut house = House::under(As::Subreaper, &wrapper, &["run"], Ok(folder_with(&config)));
    let it = |level: &str, warning: u64| {
        until(level, || {
            let now = held(&house, "it")?;
            let is_read = now["size_bytes"].as_u64()? >= 40_000_000;
            (is_read && now["level"] == level && now["warning_bytes"] == warning).then_some(())
        });
    };
    it("normal", (1 << 30) / 10);
    group.limit(350 << 20);
    it("warning", 350 * (1 << 20) / 10);
    house.signal(15);
    house.end();
    drop(house);
    drop(group);
}
