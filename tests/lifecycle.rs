//! What surrounds a run, by the real binary with real processes: readiness, health, the watchdog,
//! hooks, reloads, and who holds an end up.

use std::fs;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use crate::house::{As, BINARY, House, mark, marked, until};
use crate::support::free_port;

/// Two processes: `web` waits until `api` is ready, which is written as `api`.
fn pair(api: &str) -> String {
    format!(
        "processes:\n  web:\n    command: [sh, -c, 'echo web >> DIR/told; exec sleep 300']\n    \
         depends_on: {{api: {{condition: service_healthy}}}}\n  api:\n    {}\n",
        api.replace('\n', "\n    ")
    )
}

/// Long enough for whatever would happen too early to have happened.
fn a_while() {
    sleep(Duration::from_millis(700));
}

fn told(house: &House, file: &str) -> Vec<String> {
    let text = fs::read_to_string(house.dir().join(file)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// What begins only once `api` shows that it is ready.
fn begins_only_after(house: House, show: impl FnOnce(&House)) {
    until("api runs", || house.log().contains("starting api").then_some(()));
    a_while();
    assert!(told(&house, "told").is_empty(), "it did not wait");
    show(&house);
    assert_eq!(house.await_lines("told", 1), ["web"]);
    until("it is told", || house.log().contains("is ready").then_some(()));
    stops(house);
}

#[test]
fn a_dependent_waits_until_a_command_finds_the_other_healthy() {
    let config = pair(
        "command: [sleep, '300']\nhealthcheck: {test: [CMD, test, -e, DIR/ok], interval: 100ms, \
         start_interval: 100ms, start_period: 60s}",
    );
    begins_only_after(House::of_config(As::Pid1, &config), |house| {
        fs::write(house.dir().join("ok"), "").expect("a file");
    });
}

#[test]
fn a_dependent_waits_until_a_port_is_listened_to() {
    let port = free_port();
    let config = pair(&format!(
        "command: [sleep, '300']\nhealthcheck: {{tcp: '127.0.0.1:{port}', interval: 100ms, \
         start_interval: 100ms, start_period: 60s}}",
    ));
    let mut held = None;
    begins_only_after(House::of_config(As::Subreaper, &config), |_| {
        held = Some(TcpListener::bind(("127.0.0.1", port)).expect("the port"));
    });
}

#[test]
fn a_dependent_waits_until_a_line_is_written() {
    let script = "while [ ! -e DIR/ok ]; do sleep 0.05; done; echo 'listening on :80'; sleep 300";
    let config =
        pair(&format!("command: [sh, -c, {script:?}]\nready: {{log: 'listening on :\\d+'}}"));
    begins_only_after(House::of_config(As::Pid1, &config), |house| {
        fs::write(house.dir().join("ok"), "").expect("a file");
    });
}

/// A socket that speaks for the process that wrote where to.
fn speaker(house: &House) -> UnixDatagram {
    let line = house.await_lines("notify", 1).remove(0);
    let name = line.split(' ').next().expect("a name").strip_prefix('@').expect("abstract");
    let address = SocketAddr::from_abstract_name(name).expect("an abstract name");
    let socket = UnixDatagram::unbound().expect("a socket");
    socket.connect_addr(&address).expect("somebody listens");
    socket
}

const TELL_WHERE: &str = "command: [sh, -c, 'echo $$NOTIFY_SOCKET $$WATCHDOG_USEC >> DIR/notify; \
                          exec sleep 300']";

#[test]
fn a_dependent_waits_until_it_is_notified() {
    let config = pair(&format!("{TELL_WHERE}\nready: {{notify: true}}"));
    begins_only_after(House::of_config(As::Pid1, &config), |house| {
        let speaker = speaker(house);
        speaker.send(b"STATUS=nearly").expect("room");
        speaker.send(b"READY=1\nSTATUS=up").expect("room");
    });
}

#[test]
fn who_does_not_feed_its_watchdog_is_ended_and_restarted() {
    let config = format!(
        "processes:\n  it:\n    {TELL_WHERE}\n    watchdog: 1500ms\n    restart: on-failure\n    \
         restart_policy: {{delay: 10ms}}\n"
    )
    .replace("\ncommand", "\n    command");
    let house = House::of_config(As::Pid1, &config);
    let first = house.await_lines("notify", 1).remove(0);
    assert!(first.ends_with(" 1500000"), "{first}");
    let speaker = speaker(&house);
    for _ in 0..30 {
        speaker.send(b"WATCHDOG=1").expect("it lives while it is fed");
        sleep(Duration::from_millis(100));
    }
    assert_eq!(told(&house, "notify").len(), 1, "it was fed in time");
    let notify = house.await_lines("notify", 2);
    assert_ne!(notify[0], notify[1], "each run has a socket of its own");
    assert!(house.log().contains("it did not feed its watchdog"), "{}", house.log());
    assert!(speaker.send(b"WATCHDOG=1").is_err(), "the first socket is closed");
    stops(house);
}

fn stops(mut house: House) {
    house.signal(15);
    house.end();
}

#[test]
fn an_unhealthy_run_is_restarted() {
    let config = "processes:\n  it:\n    command: [sh, -c, 'echo run >> DIR/told; touch DIR/ok; exec \
                  sleep 300']\n    restart: always\n    restart_policy: {delay: 10ms}\n    \
                  healthcheck: {test: [CMD, test, -e, DIR/ok], interval: 100ms, start_interval: 100ms, retries: 2}\n";
    let house = House::of_config(As::Pid1, config);
    house.await_lines("told", 1);
    until("it is healthy", || house.log().contains("is healthy").then_some(()));
    fs::remove_file(house.dir().join("ok")).expect("it is there");
    house.await_lines("told", 2);
    assert!(house.log().contains("is unhealthy and is ended"), "{}", house.log());
    stops(house);
}

#[test]
fn a_health_test_that_hangs_is_killed_with_all_that_it_started() {
    let mark = mark();
    let config = format!(
        "processes:\n  it:\n    command: [sleep, '300']\n    healthcheck:\n      test: [CMD-SHELL, \
         'echo test >> DIR/told; setsid sleep {mark} & sleep {mark}']\n      interval: 100ms\n      \
         start_interval: 100ms\n      timeout: 200ms\n      retries: 100\n"
    );
    let house = House::of_config(As::Pid1, &config);
    house.await_lines("told", 6);
    // One that is under way, with the three of it, and one that is being killed.
    assert!(marked(&mark).len() <= 6, "{:?} are left", marked(&mark));
    assert!(house.log().contains("it took too long"), "{}", house.log());
    stops(house);
    assert_eq!(marked(&mark), Vec::<i32>::new());
}

#[test]
fn hooks_run_around_a_run_in_order_and_know_whom_they_accompany() {
    let tell = |hook: &str| {
        let script = format!(
            "echo {hook} $$PROCESSION_PROCESS $$((PROCESSION_PID > 1)) \
             $${{PROCESSION_EXIT_CODE:-none}} >> DIR/told"
        );
        format!("[sh, -c, {script:?}]")
    };
    let config = format!(
        "processes:\n  it:\n    command: [sh, -c, \"trap 'echo term >> DIR/told; exit 7' TERM; while \
         :; do sleep 0.02; done\"]\n    post_start: [{{command: {}}}, {{command: {}}}]\n    pre_stop: \
         [{{command: {}}}]\n    post_exit: [{{command: {}}}]\n",
        tell("first"),
        tell("second"),
        tell("before"),
        tell("after")
    );
    let mut house = House::of_config(As::Pid1, &config);
    house.await_lines("told", 2);
    house.signal(15);
    house.end();
    let want = ["first it 1 none", "second it 1 none", "before it 1 none", "term", "after it 1 7"];
    assert_eq!(told(&house, "told"), want);
}

#[test]
fn a_hook_that_hangs_is_killed_and_delays_no_stop_beyond_its_time() {
    let mark = mark();
    let config = format!(
        "shutdown_timeout: 20s\nprocesses:\n  it:\n    command: [sh, -c, 'echo run >> DIR/told; exec sleep \
         300']\n    pre_stop: [{{command: [sh, -c, 'sleep {mark} & setsid sleep {mark}'], timeout: 300ms}}]\n"
    );
    let mut house = House::of_config(As::Pid1, &config);
    house.await_lines("told", 1);
    house.signal(15);
    let (_, took) = house.end();
    assert!(took < Duration::from_secs(9), "took {took:?}");
    assert!(house.log().contains("pre_stop hook 1 of it failed"), "{}", house.log());
    assert_eq!(marked(&mark), Vec::<i32>::new());
}

/// Writes another configuration in the place of the first, and asks for it.
fn reload(house: &House, config: &str) {
    let dir = house.dir().display().to_string();
    let text = format!("metrics: {{listen: false}}\nstate_dir: DIR/state\n{config}");
    fs::write(house.dir().join("config.yaml"), text.replace("DIR", &dir)).expect("writable");
    house.signal(1);
}

const STEADY: &str = "  steady: {command: [sh, -c, 'echo steady >> DIR/told; exec sleep 300']}\n";

fn with(other: &str) -> String {
    format!("processes:\n{STEADY}  {other}\n")
}

#[test]
fn a_reload_touches_only_what_changed() {
    let old = with("other: {command: [sh, -c, 'echo old >> DIR/told; exec sleep 300']}");
    let new = with("other: {command: [sh, -c, 'echo new >> DIR/told; exec sleep 300']}");
    let house = House::of_config(As::Pid1, &old);
    house.await_lines("told", 2);
    reload(&house, &new);
    assert_eq!(house.await_lines("told", 3)[2], "new");
    assert!(house.log().contains("restarted: other"), "{}", house.log());
    reload(&house, &with("third: {command: [sh, -c, 'echo third >> DIR/told; exec sleep 300']}"));
    assert_eq!(house.await_lines("told", 4)[3], "third");
    until("other is gone", || house.log().contains("gone: other").then_some(()));
    a_while();
    assert_eq!(told(&house, "told").iter().filter(|line| *line == "steady").count(), 1);
    stops(house);
}

#[test]
fn who_comes_back_by_a_reload_waits_for_what_comes_after_its_end() {
    let both = with(
        "other: {command: [sh, -c, 'echo run >> DIR/run; exec sleep 300'], post_exit: [sh, -c, 'echo \
         begun >> DIR/run; sleep 1; echo over >> DIR/run']}",
    );
    let house = House::of_config(As::Pid1, &both);
    house.await_lines("run", 1);
    reload(&house, &format!("processes:\n{STEADY}"));
    house.await_lines("run", 2);
    reload(&house, &both);
    until("other is back", || house.log().contains("new: other").then_some(()));
    assert_eq!(house.await_lines("run", 4), ["run", "begun", "over", "run"]);
    stops(house);
}

#[test]
fn a_reload_with_faults_changes_nothing_and_names_them() {
    let house = House::of_config(As::Pid1, &with(""));
    house.await_lines("told", 1);
    reload(&house, &with("other: {comand: [true], restart: sometimes}"));
    until("the faults are told", || house.log().contains("nothing was changed").then_some(()));
    let log = house.log();
    assert!(log.contains("comand") && log.contains("sometimes"), "{log}");
    // Nobody ever writes into it, and nobody waits for that.
    let file = house.dir().join("config.yaml");
    fs::remove_file(&file).expect("our own file");
    nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    house.signal(1);
    until("the pipe is told", || house.log().contains("this is a named pipe").then_some(()));
    fs::remove_file(&file).expect("our own file");
    reload(&house, &with("other: {command: [sh, -c, 'echo mended >> DIR/told; sleep 300']}"));
    assert_eq!(house.await_lines("told", 2)[1], "mended");
    stops(house);
}

#[test]
fn who_holds_an_end_up_is_named() {
    let mark = mark();
    let config = format!(
        "processes:\n  it:\n    stop_grace_period: 300ms\n    command: [bash, -c, \"trap '' TERM; \
         while :; do sleep {mark} & wait; done\"]\n"
    );
    let mut house = House::of_config(As::Pid1, &config);
    // The shell itself, and what it runs once it has its trap.
    until("it runs", || (marked(&mark).len() > 1).then_some(()));
    house.signal(15);
    assert_eq!(house.end().0, 137);
    let log = house.log();
    assert!(log.contains("is held up after 0.3 s by bash (pid "), "{log}");
}

/// A program of which each generation hides in a session of its own, ignores SIGTERM and has the next
/// one at once; as a command.
fn bomb(mark: &str) -> String {
    let bomb = format!(
        "import os, signal, sys, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nuntil = \
         time.time() + 60\nwhile time.time() < until:\n    if os.fork():\n        os._exit(0)\n    \
         os.setsid()\n# {mark}\n"
    );
    format!("[sh, -c, {:?}]", format!("exec python3 -c '{bomb}'"))
}

/// Where no control group can be written, which is most containers, lineage and signals have to do.
#[test]
fn who_forks_faster_than_others_can_be_killed_is_ended_without_control_groups() {
    let mark = mark();
    for stand in [As::Pid1, As::Subreaper] {
        let config = format!(
            "shutdown_timeout: 30s\ncgroups: off\ncontrol: DIR/sock\nprocesses:\n  bomb:\n    \
             command: {}\n    stop_grace_period: 300ms\n  steady: {{command: [sleep, '300']}}\n",
            bomb(&mark)
        );
        let house = House::of_config(stand, &config);
        until("it forks", || (!marked(&mark).is_empty()).then_some(()));
        until("it takes orders", || UnixStream::connect(house.dir().join("sock")).ok());
        sleep(Duration::from_millis(500));
        let stopped = Command::new(BINARY)
            .args(["stop", "bomb"])
            .env("PROCESSION_SOCKET", house.dir().join("sock"))
            .output()
            .expect("the verb can be run");
        assert!(stopped.status.success(), "{stopped:?}\n{}", house.log());
        until("nobody is left", || marked(&mark).is_empty().then_some(()));
        assert!(!house.log().contains("cannot be killed"), "{}", house.log());
        stops(house);
    }
}

#[test]
fn who_forks_faster_than_others_can_be_killed_is_ended_all_the_same() {
    let mark = mark();
    for stand in [As::Pid1, As::Subreaper] {
        let config = format!(
            "shutdown_timeout: 5s\nprocesses:\n  bomb:\n    command: {}\n    \
             stop_grace_period: 300ms\n  steady: {{command: [sleep, '300']}}\n",
            bomb(&mark)
        );
        let mut house = House::of_config(stand, &config);
        until("it forks", || (!marked(&mark).is_empty()).then_some(()));
        sleep(Duration::from_millis(500));
        house.signal(15);
        let (_, took) = house.end();
        assert!(took < Duration::from_secs(9), "took {took:?}");
        until("nobody is left", || marked(&mark).is_empty().then_some(()));
    }
}

#[test]
fn the_end_of_one_house_is_no_end_of_another_below_the_same_group() {
    let lasting = House::of_config(As::Pid1, "processes: {it: {command: [sleep, '300']}}");
    until("it runs", || lasting.log().contains("has pid").then_some(()));
    let mark = mark();
    // What is left of it has to be killed, in the run that has the same number.
    let script = format!("(trap '' TERM; setsid sleep {mark}) & sleep 0.2");
    let config = format!("processes: {{it: {{command: [sh, -c, \"{script}\"]}}}}");
    let mut brief = House::of_config(As::Pid1, &config);
    brief.end();
    assert_eq!(marked(&mark), Vec::<i32>::new());
    a_while();
    assert!(!lasting.log().contains("is over"), "{}", lasting.log());
    stops(lasting);
}

#[test]
fn who_left_the_group_is_asked_before_it_is_killed_though_its_parent_will_not_end() {
    let mark = mark();
    // What a shell ignores its children ignore for good, so that it begins to ignore it later.
    let script = format!(
        "setsid sh -c 'trap \"echo asked >> DIR/told; exit\" TERM; echo up >> DIR/told; while :; do \
         sleep 0.1; done; # {mark}' & trap '' TERM; while :; do sleep 0.1; done"
    );
    for stand in [As::Pid1, As::Subreaper] {
        let config = format!(
            "processes:\n  it:\n    command: [sh, -c, {script:?}]\n    stop_grace_period: 2s\n"
        );
        let mut house = House::of_config(stand, &config);
        house.await_lines("told", 1);
        house.signal(15);
        assert_eq!(house.end().0, 137);
        assert_eq!(told(&house, "told"), ["up", "asked"]);
        assert_eq!(marked(&mark), Vec::<i32>::new());
    }
}
