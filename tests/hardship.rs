//! What a container takes away or puts in the way: ports, disks, descriptors, threads, /proc, a
//! readable log, a terminal. Less is seen then; what is configured runs, stops and tells its code.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use tempfile::TempDir;

use crate::house::{As, BINARY, House, children, folder_with, mark, marked, until};
use crate::support::{free_port, get};

/// Runs until it is told to stop.
const STEADY: &str = "processes: {a: {command: [sleep, infinity]}}\n";

fn listening(port: u16, config: &str) -> TempDir {
    folder_with(&format!("metrics: {{listen: \"127.0.0.1:{port}\"}}\n{config}"))
}

fn metrics(port: u16) -> Option<String> {
    get(&format!("http://127.0.0.1:{port}/metrics"))
}

/// Waits until the metrics have this line.
fn shows(port: u16, line: &str) {
    until(&format!("the metrics show {line}"), || {
        metrics(port)?.lines().any(|shown| shown == line).then_some(())
    });
}

/// Ends it by SIGTERM, in time and with this code.
fn stops(house: &mut House, code: i32) {
    house.signal(15);
    let (got, took) = house.end();
    assert_eq!(got, code);
    assert!(took < Duration::from_secs(9), "took {took:?}");
}

#[test]
fn a_taken_port_is_said_waited_for_and_taken() {
    let squatter = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = squatter.local_addr().expect("an address").port();
    let address = format!("127.0.0.1:{port}");
    let command = ["--listen", &address, "--", "sh", "-c", "echo up >> up; sleep infinity & wait"];
    let houses = [
        House::start(As::Subreaper, &["run"], Ok(listening(port, STEADY))),
        House::start(As::Subreaper, &command, tempfile::tempdir()),
    ];
    houses[1].await_lines("up", 1);
    for house in &houses {
        until("the log tells of the port", || {
            house.log().contains(&format!("WARN serve: cannot listen on {address}")).then_some(())
        });
    }
    drop(squatter);
    for mut house in houses {
        shows(port, "procession_build_info{version=\"0.1.0\"} 1");
        stops(&mut house, 143);
    }
}

#[test]
fn an_unusable_store_is_said_and_hinders_nobody() {
    let no_override = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];
    let read_only = |dir: &Path| {
        fs::create_dir(dir.join("history")).expect("a folder");
        fs::set_permissions(dir.join("history"), fs::Permissions::from_mode(0o555))
            .expect("a mode");
    };
    let folder = |dir: &Path| fs::create_dir_all(dir.join("history/h.db")).expect("a folder");
    let newer = |dir: &Path| {
        fs::create_dir(dir.join("history")).expect("a folder");
        let db = rusqlite::Connection::open(dir.join("history/h.db")).expect("a file");
        let ours =
            "PRAGMA application_id = 1886547811; PRAGMA user_version = 99; CREATE TABLE t (x)";
        db.execute_batch(ours).expect("written");
    };
    type Case<'a> = (&'a [&'a str], &'a dyn Fn(&Path), &'a str);
    let cases: [Case<'_>; 3] = [
        (&no_override, &read_only, "Permission denied"),
        (&[], &folder, "it is a folder"),
        (&[], &newer, "written by a newer procession"),
    ];
    for (wrapper, prepare, why) in cases {
        let port = free_port();
        let dir = listening(port, &format!("store: {{sqlite: DIR/history/h.db}}\n{STEADY}"));
        prepare(dir.path());
        let mut house = House::under(As::Subreaper, wrapper, &["run"], Ok(dir));
        shows(port, "procession_store_up 0");
        shows(port, "procession_process_up{process=\"a\"} 1");
        assert!(house.log().contains(why), "{why}");
        stops(&mut house, 143);
    }
}

#[test]
fn a_store_that_is_no_database_is_kept_and_a_new_one_begun() {
    let port = free_port();
    let dir = listening(port, &format!("store: {{sqlite: DIR/h.db}}\n{STEADY}"));
    let garbage = vec![0xa5; 10_000];
    fs::write(dir.path().join("h.db"), &garbage).expect("a file");
    let mut house = House::start(As::Subreaper, &["run"], Ok(dir));
    shows(port, "procession_store_up 1");
    shows(port, "procession_store_files_set_aside_total 1");
    let entries = fs::read_dir(house.dir()).expect("a folder").flatten();
    let kept: Vec<_> = entries.filter(|e| fs::read(e.path()).is_ok_and(|b| b == garbage)).collect();
    assert_eq!(kept.len(), 1, "under another name");
    assert!(house.log().contains("file is not a database"));
    stops(&mut house, 143);
}

/// One line of a transcript, of a response that was given just now.
fn response(number: u32, tokens: u64, text: &str) -> Vec<u8> {
    let now = jiff::Timestamp::now();
    format!(
        "{{\"type\":\"assistant\",\"uuid\":\"u{number}\",\"sessionId\":\"s\",\"requestId\":\
         \"req_{number}\",\"timestamp\":\"{now}\",\"message\":{{\"id\":\"msg_{number}\",\"role\":\
         \"assistant\",\"model\":\"claude-sonnet-4-5\",\"stop_reason\":\"end_turn\",\"content\":\
         [{{\"type\":\"text\",\"text\":\"{text}\"}}],\"usage\":{{\"input_tokens\":{tokens},\
         \"output_tokens\":1}}}}}}\n"
    )
    .into_bytes()
}

#[test]
fn a_broken_transcript_costs_only_its_broken_lines() {
    let port = free_port();
    let dir = listening(
        port,
        "processes:\n  it:\n    command: [sleep, infinity]\n    agent: {dialect: claude, \
         transcripts: [DIR/claude]}\n",
    );
    let project = dir.path().join("claude/projects/-x");
    fs::create_dir_all(&project).expect("a folder");
    let mut house = House::start(As::Subreaper, &["run"], Ok(dir));
    let shows_tokens = |tokens: u64| {
        shows(
            port,
            &format!("procession_process_tokens_total{{process=\"it\",kind=\"input\"}} {tokens}"),
        );
    };
    shows_tokens(0);
    let mut transcript = fs::File::create(project.join("s.jsonl")).expect("a transcript");
    let mut append = |bytes: &[u8]| transcript.write_all(bytes).expect("a file");

    append(b"garbage\n\0\0\0\0\n{\"type\":\"assistant\"}\n[1,2]\n\xff\xfe\n");
    append(&response(1, 1, "after garbage"));
    shows_tokens(1);
    append(&vec![b'z'; 50_000_000]);
    append(b"\n");
    append(&response(2, 2, &"y".repeat(50_000_000)));
    append(&response(3, 4, "after lines of 50 MB, the second one a good response but for that"));
    shows_tokens(5);
    append(&vec![0; 1_000_000]);
    append(&response(4, 8, "behind NULs, as after a crash of the host"));
    shows_tokens(13);
    let torn = response(5, 16, "completed later");
    append(&torn[..60]);
    shows(port, "procession_process_tokens_total{process=\"it\",kind=\"output\"} 3");
    append(&torn[60..]);
    shows_tokens(29);
    assert_eq!(metrics(port).map(|text| text.contains("\"oversized\"} 2")), Some(true));
    stops(&mut house, 143);
}

/// Orphans without end, a process that ends and is begun again, and one that does not listen.
const STORM: &str = "shutdown_timeout: 4s\nprocesses:\n  orphans: {command: [sh, -c, 'while :; do (sleep \
                     0 &); done 2>/dev/null']}\n  again: {command: \"true\", restart: always, \
                     restart_policy: {delay: 10ms, max_delay: 10ms, max_attempts: 100000}}\n  deaf: \
                     {command: [sh, -c, 'trap \"\" TERM; while :; do sleep 1; done 2>/dev/null'], \
                     stop_grace_period: 60s}\n";

#[test]
fn a_full_standard_error_that_nobody_reads_blocks_nothing() {
    let port = free_port();
    // The first line is a warning of the configuration; the pipe is full before it.
    let fill = "mkfifo full; exec 2<>full; head -c 65536 /dev/zero >&2; exec \"$@\"";
    let arguments = ["run", "--log-level", "trace"];
    let wrapper = ["sh", "-c", fill, "sh"];
    let mut house = House::under(As::Subreaper, &wrapper, &arguments, Ok(listening(port, STORM)));
    until("a thousand orphans are reaped and a hundred runs were begun", || {
        let text = metrics(port)?;
        let figure = |series: &str| {
            text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse::<f64>().ok())
        };
        let orphans = figure("procession_reaped_total{kind=\"orphan\"} ")?;
        let restarts = figure("procession_process_restarts_total{process=\"again\"} ")?;
        (orphans > 1000.0 && restarts > 100.0).then_some(())
    });
    house.signal(15);
    let (_, took) = house.end();
    assert!(took < Duration::from_secs(4), "took {took:?}");
}

#[test]
fn closed_standard_streams_stop_nothing() {
    let port = free_port();
    let close = ["sh", "-c", "exec \"$@\" <&- >&- 2>&-", "sh"];
    let mut house = House::under(As::Subreaper, &close, &["run"], Ok(listening(port, STEADY)));
    shows(port, "procession_process_up{process=\"a\"} 1");
    stops(&mut house, 143);
}

#[test]
fn without_descriptors_to_spare_everything_runs_and_stops() {
    for limit in ["--nofile=12:12", "--nofile=16:16", "--nofile=24:24"] {
        let mark = mark();
        let config = format!(
            "metrics: {{listen: false}}\nprocesses:\n  a: {{command: [sleep, '{mark}']}}\n  b: \
             {{command: [sleep, '{mark}']}}\n"
        );
        let mut house =
            House::under(As::Subreaper, &["prlimit", limit], &["run"], Ok(folder_with(&config)));
        until("both run", || (marked(&mark).len() == 2).then_some(()));
        stops(&mut house, 0);
        assert_eq!(marked(&mark), Vec::<i32>::new(), "{limit}");
    }
}

#[test]
fn our_own_limit_of_descriptors_is_raised_and_children_keep_theirs() {
    let port = free_port();
    let many: String =
        (0..60).map(|n| format!("  p{n}: {{command: [sleep, infinity]}}\n")).collect();
    let dir = listening(port, &format!("processes:\n{many}"));
    let mut house =
        House::under(As::Subreaper, &["prlimit", "--nofile=40:4000"], &["run"], Ok(dir));
    until("all of them are up and seen", || {
        let text = metrics(port)?;
        let up = |line: &&str| line.starts_with("procession_process_up{") && line.ends_with(" 1");
        (text.lines().filter(up).count() == 60).then_some(())
    });
    let child = children(house.pid)[0];
    let limits = fs::read_to_string(format!("/proc/{child}/limits")).expect("its limits");
    let files = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit");
    assert_eq!(files.split_whitespace().collect::<Vec<_>>()[3..5], ["40", "4000"]);
    stops(&mut house, 0);
}

/// Programs of a user that nobody else is, which take up what it may have.
struct Crowd(Vec<Child>);

impl Drop for Crowd {
    fn drop(&mut self) {
        for program in &mut self.0 {
            let _ = program.kill();
            let _ = program.wait();
        }
    }
}

/// As many programs of this user as there are to be, and the words before a binary that is to run as
/// the same user, of whom `most` may run. By its descriptor the binary can be executed wherever it
/// lies.
fn crowded(user: u32, many: usize, most: usize) -> (Crowd, String) {
    let become_user = format!("--reuid={user}");
    let sleeper = || Command::new("setpriv").arg(&become_user).args(["sleep", "600"]).spawn();
    let crowd = Crowd((0..many).map(|_| sleeper().expect("setpriv can be run")).collect());
    until("they are somebody else", || {
        let is_theirs = |child: &Child| {
            let status = fs::read_to_string(format!("/proc/{}/status", child.id()));
            status.is_ok_and(|status| status.contains(&format!("Uid:\t{user}")))
        };
        crowd.0.iter().all(is_theirs).then_some(())
    });
    let script = format!(
        "exec 9<{BINARY}; exec setpriv {become_user} --clear-groups prlimit --nproc={most}:{most} \
         /proc/self/fd/9 run"
    );
    (crowd, script)
}

#[test]
fn what_observes_waits_for_threads_and_what_runs_does_not() {
    // Room for main, the log, the child, and one or two of those that read and observe.
    let (crowd, script) = crowded(2_000_000_000 + std::process::id(), 20, 25);
    let port = free_port();
    let dir = listening(port, STEADY);
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("a mode");
    let mut house = House::under(As::Subreaper, &["sh", "-c", &script], &[], Ok(dir));
    until("it says that it cannot observe", || {
        house.log().contains("cannot observe: ").then_some(())
    });
    assert_eq!(children(house.pid).len(), 1, "what is configured runs");
    drop(crowd);
    shows(port, "procession_process_up{process=\"a\"} 1");
    stops(&mut house, 143);
}

#[test]
fn without_a_thread_to_read_what_processes_write_they_write_on_and_are_shown_later() {
    // Room for main, the log and the child.
    let (crowd, script) = crowded(2_050_000_000 + std::process::id(), 20, 23);
    // Far more than a pipe holds, before the child says so by a file.
    let config = "metrics: false\nprocesses:\n  a:\n    command: [sh, -c, 'i=0; while [ $$i -lt 30000 ]; \
         do echo line $$i; i=$$((i+1)); done; echo > written; while :; do read -r x < fifo; echo $$x; done']\n    \
         ready: {log: line 29999}\n";
    let dir = folder_with(config);
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("a mode");
    let fifo = dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_retain(0o666)).expect("a pipe");
    fs::set_permissions(&fifo, fs::Permissions::from_mode(0o666)).expect("a mode");
    let mut house = House::under(As::Subreaper, &["sh", "-c", &script], &[], Ok(dir));
    // It would wait in its writes for ever if nobody read.
    house.await_lines("written", 1);
    drop(crowd);
    until("it is ready", || house.log().contains("a (r1) is ready").then_some(()));
    // Who was there first had the one place: the log, or who reads.
    if house.log().contains("read by the loop that supervises") {
        until("a thread takes over", || {
            house.log().contains("a thread reads what processes write").then_some(())
        });
    }
    fs::write(&fifo, "said at last\n").expect("it reads");
    until("what it writes is shown", || house.output().contains("a | said at last").then_some(()));
    stops(&mut house, 143);
}

#[test]
fn without_proc_everything_runs_and_stops_and_memory_is_absent() {
    let port = free_port();
    let mark = mark();
    let config = format!(
        "shutdown_timeout: 30s\nprocesses:\n  a: {{command: [sh, -c, 'setsid sleep {mark} & exec sleep {mark}']}}\n"
    );
    let unmount = "umount --lazy /proc; exec \"$@\"";
    let wrapper = [
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child=SIGKILL",
        "sh",
        "-c",
        unmount,
        "sh",
    ];
    let mut house = House::under(As::Pid1, &wrapper, &["run"], Ok(listening(port, &config)));
    shows(port, "procession_process_up{process=\"a\"} 1");
    let text = metrics(port).expect("metrics");
    for absent in ["procession_process_memory_resident_bytes{", "\nprocess_resident_memory_bytes "]
    {
        assert!(!text.contains(absent), "{absent} is in:\n{text}");
    }
    until("both run", || (marked(&mark).len() == 2).then_some(()));
    house.signal(15);
    let (code, took) = house.end();
    assert_eq!(code, 143);
    assert!(took < Duration::from_secs(20), "who hides in a session was not asked: took {took:?}");
    assert_eq!(marked(&mark), Vec::<i32>::new());
}

#[test]
fn an_empty_environment_and_a_lost_working_directory_are_enough() {
    let script = "mkdir gone; cd gone; rmdir ../gone; exec env -i \"$@\"";
    let arguments = ["--listen", "off", "--", "sh", "-c", "/bin/sleep 0.1; exit 5"];
    for stand in [As::Pid1, As::Subreaper] {
        let wrapper: Vec<&str> = match stand {
            As::Pid1 => {
                vec!["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", script, "sh"]
            }
            As::Subreaper => vec!["sh", "-c", script, "sh"],
        };
        let mut house = House::under(stand, &wrapper, &arguments, tempfile::tempdir());
        assert_eq!(house.end().0, 5, "{stand:?}");
    }
}

#[test]
fn being_stopped_and_continued_from_outside_loses_nothing() {
    let script = "trap 'echo heard >> heard; exit 4' TERM; echo up > up; \
                  while :; do (sleep 0.01 &); sleep 0.01; done";
    let arguments = ["--listen", "off", "--", "bash", "-c", script];
    let mut house = House::start(As::Pid1, &arguments, tempfile::tempdir());
    house.await_lines("up", 1);
    house.signal(19);
    std::thread::sleep(Duration::from_millis(500));
    house.signal(15);
    assert!(!house.dir().join("heard").exists());
    house.signal(18);
    assert_eq!(house.end().0, 4);
}

#[test]
fn clients_that_never_read_hinder_neither_scrapes_nor_the_stop() {
    let port = free_port();
    let mut house = House::start(As::Pid1, &["run"], Ok(listening(port, STEADY)));
    shows(port, "procession_process_up{process=\"a\"} 1");
    let request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(50);
    let mut clients = Vec::new();
    for number in 0..200 {
        let mut client = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        let half = if number % 2 == 0 { &request[..20] } else { &request };
        // A client that was cut off already has had its answer.
        let _ = client.write_all(half.as_bytes());
        clients.push(client);
    }
    shows(port, "procession_process_up{process=\"a\"} 1");
    stops(&mut house, 143);
}
