//! What whole files mean: the smallest one, one with every key, and the one that we ship.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::mistakes::read;
use super::plan::*;
use super::show::show;
use crate::chains::limits::Limits;
use crate::units::{Bytes, Money, ProcessIx, Signal};

/// A file with every key, in forms that differ from the defaults.
const EVERYTHING: &str = include_str!("everything.yaml");

fn plan(text: &str) -> Plan {
    match read(text) {
        Ok(loaded) => loaded.plan,
        Err(problems) => panic!("{problems}"),
    }
}

fn process(name: &str, command: &[&str]) -> ProcessPlan {
    ProcessPlan::new(name, command.iter().map(|word| (*word).to_owned()).collect())
}

#[test]
fn keys_of_ones_own_hold_what_aliases_repeat() {
    let text = "x-usual: &usual {restart: always, x-why: ours}\n\
        processes:\n  web: {<<: *usual, command: c}\n  api: {<<: *usual, command: c, x-owner: me}\n";
    let loaded = read(text).expect("a plan");
    let policies = loaded.plan.processes.iter().map(|process| process.restart.policy);
    assert!(policies.eq([RestartPolicy::Always; 2]) && loaded.warnings.count() == 0);
    let unmeant = read("x-processes: {web: {command: c}}\n").expect_err("no processes");
    assert!(unmeant.to_string().contains("`processes` is missing"), "{unmeant}");
}

#[test]
fn one_command_is_a_complete_file() {
    let text = "processes: {web: {command: npm run dev}}";
    let expected = Plan {
        mode: Mode::Supervise,
        passing: Passing::default(),
        control: ControlPlan { socket: Some("/run/procession/control.sock".into()), tcp: None },
        processes: vec![ProcessPlan {
            output: OutputPlan::new(OutputMode::Prefixed),
            ..process("web", &["npm", "run", "dev"])
        }],
        exit_code_from: vec![],
        shutdown_timeout: Duration::from_secs(9),
        listen: Some(([0, 0, 0, 0], 9917).into()),
        store: StorePlan::Sqlite(PathBuf::from("/run/procession/history.db")),
        spool: Some(StorePlan::SPOOL),
        keep_output: Some(StorePlan::OUTPUT),
        state_dir: PathBuf::from("/run/procession"),
        recovery: Recovery::End,
        cgroups: ControlGroups::Auto,
        memory: MemoryPlan { interval: Duration::from_secs(5), leak_rule: LeakRule::Robust },
        privacy: PrivacyPlan::default(),
        sessions: SessionsPlan::default(),
        tokens: TokensPlan::default(),
        budgets: Vec::new(),
        file_digest: Some(
            "3e27780f11543de6635722afbac7190b77dc6ba4cdcd3787cd78f3a6f33f23b0".to_owned(),
        ),
    };
    assert_eq!(plan(text), expected);
}

fn named<'p>(plan: &'p Plan, name: &str) -> (ProcessIx, &'p ProcessPlan) {
    plan.indexed().find(|(_, one)| one.name == name).expect("a process of this name")
}

#[test]
fn every_key_reaches_the_plan() {
    let plan = plan(EVERYTHING);
    let [db, job, web] = ["db", "job", "web"].map(|name| named(&plan, name).1);
    assert_eq!(plan.exit_code_from, [named(&plan, "web").0, ProcessIx(0)]);
    assert_eq!(plan.shutdown_timeout, Duration::from_secs(30));
    assert_eq!(plan.listen, Some(([127, 0, 0, 1], 0).into()));
    assert_eq!((plan.spool, plan.keep_output), (Some(Bytes::mib(64)), Some(Bytes(8 << 10))));
    let StorePlan::Postgres(store) = &plan.store else { panic!("{:?}", plan.store) };
    assert_eq!(store.roots, Roots::File("/app/ca.pem".into()));
    assert_eq!(store.password_file.as_deref(), Some(Path::new("/app/db.password")));
    assert_eq!(plan.state_dir, Path::new("/home/me/state"));
    assert_eq!((plan.recovery, plan.cgroups), (Recovery::Adopt, ControlGroups::Off));
    assert_eq!(plan.memory.interval, Duration::from_millis(1500));

    assert_eq!(db.command, ["postgres", "-D", "data dir"]);
    assert_eq!(db.restart.policy, RestartPolicy::UnlessStopped);
    assert_eq!(
        db.thresholds,
        Thresholds { warning: Threshold::Size(Bytes::mib(100)), ..Thresholds::default() }
    );

    let completed = Condition::CompletedSuccessfully;
    assert_eq!(job.command, ["sh", "-c", "a && b > \"c\" $d"]);
    let migrated = Dependency::on(named(&plan, "migrate").0, completed);
    assert_eq!(job.depends_on, [Dependency::on(ProcessIx(0), Condition::Started), migrated]);
    assert_eq!((job.restart.policy, job.restart.max_attempts), (RestartPolicy::OnFailure, Some(5)));

    let job_first = Dependency::on(ProcessIx(1), completed);
    let db_first = Dependency::on(ProcessIx(0), Condition::Started);
    assert_eq!(web.depends_on, [job_first, db_first, migrated]);
    assert_eq!(web.command, ["node", "--port", "80", "server.js"]);
    assert_eq!(web.working_dir.as_deref(), Some(Path::new("/app/web")));
    assert_eq!(
        (web.stop_signal, web.stop_grace_period),
        (Signal::INT, Duration::from_millis(2500))
    );
    assert_eq!(web.forward_signals, [Signal::HUP, Signal::USR2]);
    let backoff = Backoff {
        delay: Duration::from_secs(1),
        factor: 1.5,
        max_delay: Duration::from_secs(60),
        jitter: 0.0,
        window: Duration::from_secs(120),
    };
    assert_eq!((web.restart.policy, web.restart.backoff), (RestartPolicy::Always, backoff));
    assert_eq!(web.restart.max_attempts, Some(7));
    assert_eq!(web.restart.on_crash_loop, OnCrashLoop::Exit);
    let environment: Vec<(&str, &str)> =
        web.environment.iter().map(|(name, value)| (&**name, &**value)).collect();
    let expected = [
        ("A", "file"),
        ("B", "80"),
        ("A", "map"),
        ("N", "010"),
        ("T", "true"),
        ("E", ""),
        ("HOME", "/home/me"),
        ("API_KEY", "s3cr3t"),
        ("SHARED", "yes"),
    ];
    assert_eq!(environment, expected);
    let agent = AgentPlan {
        name: "coder".to_owned(),
        dialect: Dialect::Claude,
        transcripts: vec!["/home/me/.claude".into(), "/app/more".into()],
        limits: Limits { window: Some(150_000), hand_over_at: 0.7, full_at: 0.95 },
    };
    assert_eq!(web.agent, Some(agent));
}

#[test]
fn words_of_yaml_1_1_stay_words() {
    let plan = plan("processes: {web: {command: [echo, no, on, 012, 1.0, 0x1f], restart: no}}");
    assert_eq!(plan.processes[0].command, ["echo", "no", "on", "012", "1.0", "0x1f"]);
}

#[test]
fn metrics_and_store_can_be_turned_off() {
    let off = plan("processes: {a: {command: a}}\nmetrics: false\nstore: memory");
    assert_eq!((off.listen, off.store), (None, StorePlan::Memory));
    let off = plan("processes: {a: {command: a}}\nmetrics: {listen: false}");
    assert_eq!(off.listen, None);
}

#[test]
fn one_threshold_alone_keeps_its_distance_from_the_other() {
    let thresholds = |memory: &str| {
        plan(&format!("processes: {{a: {{command: a, memory: {memory}}}}}")).processes[0].thresholds
    };
    let mib = |warning, critical| {
        let sizes = Thresholds::of_sizes(Bytes::mib(warning), Bytes::mib(critical));
        (sizes.warning, sizes.critical)
    };
    let both = |memory: &str| (thresholds(memory).warning, thresholds(memory).critical);
    assert_eq!(both("{warning: 16m}"), (mib(16, 0).0, Threshold::Usual));
    assert_eq!(both("{warning: 8000m}"), mib(8000, 12_000));
    assert_eq!(both("{critical: 300m}"), mib(200, 300));
    assert_eq!(both("{warning: 80%}"), (Threshold::Percent(80), Threshold::Percent(90)));
    assert_eq!(both("{warning: 80%, critical: 4g}"), (Threshold::Percent(80), mib(0, 4096).1));
    assert_eq!(thresholds("{}"), Thresholds::default());
}

#[test]
fn what_follows_a_level_is_a_word_or_a_list() {
    let follows = |memory: &str| {
        let text = format!("processes: {{a: {{command: a, memory: {memory}}}}}");
        let thresholds = plan(&text).processes[0].thresholds;
        [thresholds.on_warning, thresholds.on_critical]
    };
    let signal = |signal| MemoryActions { signal: Some(signal), ..MemoryActions::default() };
    let end = |end| MemoryActions { end: Some(end), ..MemoryActions::default() };
    let none = MemoryActions::default();
    assert_eq!(follows("{on_warning: event}"), [none, none]);
    assert_eq!(
        follows("{on_warning: [event, SIGUSR2], on_critical: restart}"),
        [signal(Signal::parse("SIGUSR2").expect("a signal")), end(MemoryEnd::Restart)]
    );
    assert_eq!(follows("{on_critical: [stop]}"), [none, end(MemoryEnd::Stop)]);
}

#[test]
fn a_carriage_return_and_a_byte_order_mark_change_nothing() {
    let unix = "processes:\n  web:\n    command: a\n    restart: always\n";
    let dos = format!("\u{feff}{}", unix.replace('\n', "\r\n"));
    assert_eq!(plan(&dos).processes, plan(unix).processes);
}

#[test]
fn the_example_has_no_problem() {
    let loaded = super::load::load(Path::new("config.yaml")).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(loaded.warnings.to_string(), "");
    let names: Vec<&str> = loaded.plan.processes.iter().map(|one| &*one.name).collect();
    assert_eq!(names, ["web", "leaky", "agent", "tidy", "worker-1", "worker-2"]);
    assert_eq!(loaded.plan.exit_code_from, [ProcessIx(0)]);
}

#[test]
fn budgets_reach_the_plan() {
    let plan = plan(EVERYTHING);
    assert_eq!(plan.tokens.orphaned_spenders, OrphanedSpenders::End);
    let [daily, hourly, each, whole] = &plan.budgets[..] else { panic!("{:?}", plan.budgets) };
    assert_eq!((&daily.scope, &*daily.warn), (&BudgetScope::Agent("coder".into()), &[60, 90][..]));
    assert_eq!(daily.limit, BudgetLimit::Cost(Money(12_500_000_000)));
    assert!(matches!(&daily.window, BudgetWindow::Day(zone) if zone.name() == "Europe/Berlin"));
    let all = BudgetActions { signal: Some(Signal::USR1), stop: true, refuse: true, hook: true };
    assert_eq!((daily.actions, whole.actions), (all, BudgetActions::default()));
    let kinds = CountedKinds([true, true, false, false, false, false]);
    assert_eq!(hourly.limit, BudgetLimit::Tokens { most: 250_000, kinds });
    assert_eq!((&hourly.window, hourly.warn.len()), (&BudgetWindow::Hour, 0));
    assert_eq!((&each.window, &*each.warn), (&BudgetWindow::Run, &[50, 80, 95][..]));
    assert_eq!((&whole.window, &whole.scope), (&BudgetWindow::Life, &BudgetScope::Container));
}

#[test]
fn the_plan_is_shown_whole_and_without_secrets() {
    let shown = show(&plan(EVERYTHING));
    assert_eq!(shown, include_str!("everything.shown.yaml"), "{shown}");
    assert!(!shown.contains("s3cr3t"), "{shown}");
}

#[test]
fn what_is_shown_means_the_same() {
    let mut before = plan(&EVERYTHING.replace("API_KEY", "PORT"));
    let mut after = plan(&show(&before));
    // Only the text differs, and of several values of a variable the last one is shown.
    before.file_digest = None;
    after.file_digest = None;
    let (web, _) = named(&before, "web");
    before.processes[web.0].environment.remove(0);
    assert_eq!(after, before);
}

#[test]
fn the_start_order_follows_dependencies_then_the_file() {
    let plan = plan(
        "processes:\n  web: {command: w, depends_on: [db]}\n  cache: {command: c}\n  db: {command: d}\n",
    );
    assert_eq!(super::order::describe(&plan), ["1. cache", "2. db", "3. web, when db has started"]);
}
