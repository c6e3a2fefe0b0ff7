//! What the keys of a process's life mean, each in the plan: readiness, health, hooks, replicas,
//! worlds. The tests beside `example.rs`, for the keys that have more than one form.

use std::path::Path;
use std::time::Duration;

use super::mistakes::read;
use super::plan::*;
use super::surroundings::{ReadError, Surroundings};
use crate::units::{Bytes, ProcessIx, Wall};

fn plan(text: &str) -> Plan {
    match read(text) {
        Ok(loaded) => loaded.plan,
        Err(problems) => panic!("{problems}"),
    }
}

/// The only process of a file, with these keys.
fn one(keys: &str) -> ProcessPlan {
    plan(&format!("processes: {{a: {{command: a, {keys}}}}}")).processes.remove(0)
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn a_health_check_has_the_figures_of_compose() {
    let health = one("healthcheck: {test: curl -f x | grep ok}").health.expect("a check");
    let expected = HealthPlan {
        test: Test::Exec(words(&["/bin/sh", "-c", "curl -f x | grep ok"])),
        interval: Duration::from_secs(30),
        timeout: Duration::from_secs(30),
        retries: 3,
        start_period: Duration::ZERO,
        start_interval: Duration::from_secs(1),
        on_unhealthy: OnUnhealthy::Report,
    };
    assert_eq!(health, expected);
}

#[test]
fn a_health_test_is_read_in_every_form() {
    let test = |keys: &str| one(&format!("healthcheck: {keys}")).health.map(|health| health.test);
    let exec = |all: &[&str]| Some(Test::Exec(words(all)));
    assert_eq!(test("{test: [CMD, curl, -f]}"), exec(&["curl", "-f"]));
    assert_eq!(test("{test: [CMD-SHELL, 'a || b']}"), exec(&["/bin/sh", "-c", "a || b"]));
    assert_eq!(test("{tcp: 127.0.0.1:5432}"), Some(Test::Tcp(([127, 0, 0, 1], 5432).into())));
    for off in ["{test: [NONE]}", "{test: NONE}", "{disable: true}", "{test: a, disable: true}"] {
        assert_eq!(test(off), None, "{off}");
    }
}

#[test]
fn an_unhealthy_run_is_restarted_where_restarts_are_wanted() {
    let led_to = |keys: &str| one(keys).health.expect("a check").on_unhealthy;
    assert_eq!(led_to("restart: always, healthcheck: {test: a}"), OnUnhealthy::Restart);
    let keys = "restart: always, healthcheck: {test: a, on_unhealthy: report}";
    assert_eq!(led_to(keys), OnUnhealthy::Report);
}

#[test]
fn readiness_is_a_pattern_or_a_map() {
    let ready = |log: Option<&str>, notify, timeout| {
        Some(ReadyPlan { log: log.map(str::to_owned), notify, timeout })
    };
    let minute = Some(Duration::from_secs(60));
    assert_eq!(one("ready: listening on").ready, ready(Some("listening on"), false, minute));
    assert_eq!(one("ready: {notify: true}").ready, ready(None, true, minute));
    assert_eq!(one("ready: {log: x, timeout: false}").ready, ready(Some("x"), false, None));
}

#[test]
fn hooks_are_a_command_or_a_list_of_hooks() {
    let hook =
        |all: &[&str], seconds| Hook { command: words(all), timeout: Duration::from_secs(seconds) };
    assert_eq!(one("pre_stop: a 'b c'").hooks.pre_stop, [hook(&["a", "b c"], 30)]);
    assert_eq!(one("pre_stop: [a, b]").hooks.pre_stop, [hook(&["a", "b"], 30)]);
    let list = "post_exit: [{command: a b, timeout: 3s}, {command: [c]}]";
    assert_eq!(one(list).hooks.post_exit, [hook(&["a", "b"], 3), hook(&["c"], 30)]);
}

#[test]
fn output_begins_with_what_is_usual_in_the_file() {
    let plan = plan(
        "output: {mode: json, keep: 1MiB}\n\
         processes: {a: {command: a}, b: {command: b, output: {keep: 0}}, c: {command: c, output: quiet}}",
    );
    let found: Vec<(OutputMode, Bytes)> =
        plan.processes.iter().map(|one| (one.output.mode, one.output.keep)).collect();
    let expected = [
        (OutputMode::Json, Bytes::mib(1)),
        (OutputMode::Json, Bytes(0)),
        (OutputMode::Quiet, Bytes::mib(1)),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_terminal_is_ours_passed_through_or_one_of_its_own() {
    let shell = one("tty: true");
    assert_eq!((shell.world.stdin, shell.output.mode), (Stdin::Terminal, OutputMode::Passthrough));
    for (written, mode) in [("json", OutputMode::Json), ("{mode: quiet}", OutputMode::Quiet)] {
        let own = one(&format!("tty: true, output: {written}"));
        assert_eq!((own.world.stdin, own.output.mode), (Stdin::OwnTerminal, mode));
    }
    let two = "processes: {a: {command: a, tty: true, output: json, replicas: 2}, b: {command: b, tty: true}}";
    assert_eq!(plan(two).processes.len(), 3, "several can have one of their own");
    assert_eq!(one("tty: true, output: passthrough").world.stdin, Stdin::Terminal);
    assert_eq!(one("stdin_open: true").world.stdin, Stdin::Inherit);
    assert_eq!(one("stdin_open: false, tty: false").world.stdin, Stdin::Usual);
}

#[test]
fn control_is_a_socket_in_the_state_folder_unless_told_otherwise() {
    let control = |said: &str| plan(&format!("processes: {{a: {{command: a}}}}\n{said}")).control;
    let at = |path: &str| ControlPlan { socket: Some(path.into()), tcp: None };
    assert_eq!(control(""), at("/run/procession/control.sock"));
    assert_eq!(control("control: true\nstate_dir: s"), at("/app/s/control.sock"));
    assert_eq!(control("control: c.sock"), at("/app/c.sock"));
    assert_eq!(control("control: false"), ControlPlan::default());
    let tcp = TcpControl::by_token(([127, 0, 0, 1], 1).into(), "/app/t".into());
    let both = control("control: {listen: '127.0.0.1:1', token_file: t}");
    assert_eq!(both, ControlPlan { tcp: Some(tcp.clone()), ..at("/run/procession/control.sock") });
    let only = control("control: {socket: false, listen: '127.0.0.1:1', token_file: t}");
    assert_eq!(only, ControlPlan { socket: None, tcp: Some(tcp) });
}

#[test]
fn a_family_is_meant_by_its_name_and_a_replica_by_its_own() {
    let plan = plan(
        "exit_code_from: w\nprocesses:\n  w: {command: w, replicas: 2, output: {file: w.log}}\n  \
         a: {command: a, depends_on: [w]}\n  b: {command: b, depends_on: [w-2]}\n",
    );
    let names: Vec<&str> = plan.processes.iter().map(|one| &*one.name).collect();
    assert_eq!(names, ["w-1", "w-2", "a", "b"]);
    assert_eq!(plan.processes[1].replica, Some(Replica { of: "w".into(), number: 2 }));
    let file = plan.processes[1].output.file.as_ref().expect("a file");
    assert_eq!(file.path, Path::new("/app/w-2.log"));
    let on = |at: usize| Dependency::on(ProcessIx(at), Condition::Started);
    assert_eq!(plan.processes[2].depends_on, [on(0), on(1)]);
    assert_eq!(plan.processes[3].depends_on, [on(1)]);
    assert_eq!(plan.exit_code_from, [ProcessIx(0), ProcessIx(1)]);
}

#[test]
fn a_thousand_processes_are_possible() {
    let families: String =
        (0..20).map(|n| format!("  p{n}: {{command: a, replicas: 100}}\n")).collect();
    assert_eq!(plan(&format!("processes:\n{families}")).processes.len(), 2000);
}

#[test]
fn init_tasks_run_in_order_before_everything_else() {
    let plan = plan(
        "processes:\n  web: {command: w}\n  one: {command: a, type: init}\n  \
         two: {command: b, type: init}\n  three: {command: b, type: init, depends_on: [one]}\n",
    );
    let on = |at: usize| Dependency::on(ProcessIx(at), Condition::CompletedSuccessfully);
    let links: Vec<Vec<Dependency>> =
        plan.processes.iter().map(|one| one.depends_on.clone()).collect();
    assert_eq!(links, [vec![on(3)], vec![], vec![on(1)], vec![on(1), on(2)]]);
}

#[test]
fn what_runs_to_completion_is_waited_for_until_then() {
    let plan = plan(
        "processes:\n  a: {command: a, type: oneshot}\n  b: {command: b, depends_on: [a]}\n  \
         c: {command: c, depends_on: {a: {condition: service_started, required: false}}}\n",
    );
    let condition = Condition::CompletedSuccessfully;
    assert_eq!(plan.processes[1].depends_on, [Dependency::on(ProcessIx(0), condition)]);
    let started = Dependency::on(ProcessIx(0), Condition::Started);
    assert_eq!(plan.processes[2].depends_on, [Dependency { required: false, ..started }]);
}

#[test]
fn a_user_has_the_groups_that_docker_would_give() {
    let user = |keys: &str| one(keys).world.user.expect("a user");
    let me = User {
        uid: 1000,
        gid: 1000,
        groups: vec![1000, 50, 999],
        name: Some("me".into()),
        home: Some("/home/me".into()),
    };
    assert_eq!(user("user: me"), me);
    assert_eq!(user("user: 1000"), me);
    let alone = User { gid: 999, groups: vec![999], ..me.clone() };
    assert_eq!(user("user: 'me:docker'"), alone);
    assert_eq!(user("user: '1000:999'"), alone);
    let more = User { groups: vec![1000, 50, 999, 7], ..me };
    assert_eq!(user("user: me, group_add: [docker, 7, '50']"), more);
    let stranger = User { uid: 5, gid: 6, groups: vec![6], name: None, home: None };
    assert_eq!(user("user: '5:6'"), stranger);
}

#[test]
fn limits_and_priorities_are_read_in_every_form() {
    let limits = one("ulimits: {core: -1, nofile: {soft: 5, hard: 9}, nproc: unlimited}").world;
    let limit = |resource, soft, hard| Limit { resource, soft, hard };
    let expected = [
        limit(Resource::Core, None, None),
        limit(Resource::OpenFiles, Some(5), Some(9)),
        limit(Resource::Processes, None, None),
    ];
    assert_eq!(limits.limits, expected);
    for (written, mask) in [("022", 0o22), ("22", 0o22), ("0o22", 0o22), ("'077'", 0o77), ("0", 0)]
    {
        assert_eq!(one(&format!("umask: {written}")).world.umask, Some(mask), "{written}");
    }
    assert_eq!(one("cpuset: '3,0-1, 1'").world.cpus, [0, 1, 3]);
    assert_eq!(one("cpuset: 2").world.cpus, [2]);
    for (written, priority) in [
        ("idle", IoPriority::Idle),
        ("best-effort", IoPriority::BestEffort(4)),
        ("realtime:0", IoPriority::RealTime(0)),
    ] {
        let found = one(&format!("io_priority: {written}")).world.io_priority;
        assert_eq!(found, Some(priority), "{written}");
    }
}

#[test]
fn a_pause_of_nothing_is_a_pause() {
    let restart = one("restart: always, restart_policy: {delay: 0s}").restart;
    assert_eq!(restart.backoff.delay, Duration::ZERO);
    assert_eq!(one("success_exit_codes: [143, 0, 3, 3]").restart.success_codes, [3, 143]);
    assert_eq!(one("success_exit_codes: 2").restart.success_codes, [2]);
}

#[test]
fn a_schedule_is_text_or_a_map() {
    for written in
        ["'*/10 * * * *'", "{cron: '*/10 * * * *'}", "{cron: '*/10 * * * *', timezone: UTC}"]
    {
        let schedule = one(&format!("schedule: {written}")).schedule.expect("a schedule");
        let next = schedule.next_after(Wall(0)).expect("a time");
        assert_eq!(next, Wall(600_000), "{written}");
    }
}

#[test]
fn a_schedule_goes_by_the_clocks_of_its_zone() {
    let next = |zone: &str| {
        let schedule = one(&format!("schedule: {{cron: '0 9 * * *', timezone: {zone}}}")).schedule;
        schedule
            .expect("a schedule")
            .next_after(Wall::parse("2026-07-01T00:00:00Z").expect("a time"))
    };
    let at = |text: &str| Wall::parse(text);
    assert_eq!(next("Europe/Berlin"), at("2026-07-01T07:00:00Z"));
    for utc in ["UTC", "GMT", "Etc/UTC", "local"] {
        assert_eq!(next(utc), at("2026-07-01T09:00:00Z"), "{utc}");
    }
}

/// What is read in a world with these variables and these files of the zone database.
fn zone_of(name: &str, vars: &[(&str, &str)], files: &[(&str, &str)]) -> Result<Zone, String> {
    let vars = |wanted: &str| {
        vars.iter().find(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned())
    };
    let bytes = |path: &Path| match files.iter().find(|(known, _)| Path::new(known) == path) {
        Some((_, "")) => Err(ReadError::Folder),
        Some((_, rule)) => Ok(zone_file_of(rule)),
        None => Err(ReadError::Missing),
    };
    let read = |_: &Path| Err(ReadError::Missing);
    let (file, folder) = ("c", Path::new("/"));
    let around = Surroundings { file, folder, uid: 0, vars: &vars, read: &read, bytes: &bytes };
    let text =
        format!("processes: {{a: {{command: a, schedule: {{cron: '@daily', timezone: {name}}}}}}}");
    let mut loaded = super::file::read(&text, &around).map_err(|faults| faults.to_string())?;
    Ok(loaded.plan.processes.remove(0).schedule.expect("a schedule").zone)
}

#[test]
fn the_containers_own_zone_is_that_of_the_c_library() {
    const TOKYO: &str = "JST-9";
    let file = ("/usr/share/zoneinfo/Asia/Tokyo", TOKYO);
    let tokyo = || Zone::of_file("local", &zone_file_of(TOKYO));
    let local = |vars: &[_], files: &[_]| zone_of("local", vars, files).ok();
    assert_eq!(local(&[], &[]), Some(Zone::default().named("local")));
    assert_eq!(local(&[], &[("/etc/localtime", TOKYO)]), tokyo());
    for tz in ["Asia/Tokyo", ":Asia/Tokyo"] {
        let found = local(&[("TZ", tz)], &[file]).expect("a zone");
        assert_eq!(
            found,
            Zone::of_file(tz.trim_start_matches(':'), &zone_file_of(TOKYO))
                .expect("one")
                .named("local")
        );
    }
    let rule = Zone::of_rule("EST5EDT,M3.2.0,M11.1.0").map(|zone| zone.named("local"));
    assert_eq!(local(&[("TZ", "EST5EDT,M3.2.0,M11.1.0")], &[]), rule);
    let elsewhere = ("/zones/Asia/Tokyo", TOKYO);
    let found = zone_of("Asia/Tokyo", &[("TZDIR", "/zones")], &[elsewhere]).expect("a zone");
    assert_eq!(found.name(), "Asia/Tokyo");
}

#[test]
fn an_image_without_a_zone_database_is_told_what_to_do() {
    let said =
        |name: &str, vars: &[_], files: &[_]| zone_of(name, vars, files).expect_err("a fault");
    let none = said("Europe/Berlin", &[], &[]);
    assert!(none.contains("there is no zone database here"), "{none}");
    assert!(none.contains("install the package `tzdata`"), "{none}");
    let here = [("/usr/share/zoneinfo", "")];
    for name in ["Europe/Berlni", "../../etc/passwd", "/etc/localtime", "a//b"] {
        let none = said(name, &[], &here);
        assert!(none.contains("there is no time zone `"), "{none}");
    }
    let none = said("local", &[("TZ", "Nowhere/At_All")], &here);
    assert!(
        none.contains("the variable `TZ` is set, and there is no time zone `Nowhere"),
        "{none}"
    );
}

#[test]
fn secrets_are_files_and_watched_paths_too() {
    let process = one("secrets: {KEY: k}, develop: {watch: [{path: src, ignore: '*.log'}]}");
    let secret = Secret { variable: "KEY".into(), file: "/app/k".into() };
    assert_eq!(process.world.secrets, [secret]);
    let rule = WatchRule {
        path: "/app/src".into(),
        ignore: vec!["*.log".into()],
        include: vec![],
        debounce: Duration::from_millis(300),
    };
    assert_eq!(process.watch, [rule]);
}
