//! Invented plans: everything that a file may ask for, in any mixture.

use std::path::PathBuf;
use std::time::Duration;

use procession::config::plan::{
    Condition, ControlGroups, ControlPlan, Dependency, HealthPlan, Hook, Hooks, LeakRule,
    MemoryPlan, Mode, OnCrashLoop, OnUnhealthy, Passing, Plan, PrivacyPlan, ProcessPlan, ReadyPlan,
    Recovery, Replica, RestartPlan, RestartPolicy, Schedule, SessionsPlan, Standing, StorePlan,
    Test, TokensPlan, Zone,
};
use procession::units::{ProcessIx, Signal};

/// A whole plan.
pub fn plan(rng: &mut fastrand::Rng) -> Plan {
    let count = rng.usize(1..=6);
    let mode = if count == 1 && rng.bool() { Mode::OneCommand } else { Mode::Supervise };
    let mut processes: Vec<ProcessPlan> =
        (0..count).map(|at| process(rng, at, format!("p{at}"))).collect();
    if mode == Mode::OneCommand {
        processes = vec![ProcessPlan::new("p0", vec!["x".into()])];
        processes[0].stop_grace_period = Duration::from_millis(rng.u64(0..15_000));
    }
    if count > 2 && one_in(rng, 3) {
        make_replicas(&mut processes);
    }
    let deciders = if rng.bool() { vec![ProcessIx(rng.usize(..count))] } else { Vec::new() };
    Plan {
        mode,
        passing: Passing::default(),
        control: ControlPlan::default(),
        processes,
        exit_code_from: deciders,
        shutdown_timeout: Duration::from_millis(rng.u64(200..20_000)),
        listen: None,
        store: StorePlan::Memory,
        spool: None,
        keep_output: None,
        state_dir: PathBuf::from("nowhere"),
        recovery: Recovery::End,
        cgroups: ControlGroups::Auto,
        memory: MemoryPlan { interval: Duration::from_secs(5), leak_rule: LeakRule::GrowthCount },
        privacy: PrivacyPlan::default(),
        sessions: SessionsPlan::default(),
        tokens: TokensPlan::default(),
        budgets: Vec::new(),
        file_digest: None,
    }
}

/// What a file says later: some processes are gone, some changed, one is new.
pub fn another(rng: &mut fastrand::Rng, plan: &Plan) -> Plan {
    let stays =
        |process: &ProcessPlan| !matches!(process.standing, Standing::Spawned | Standing::Retired);
    let kept: Vec<usize> = (0..plan.processes.len())
        .filter(|at| stays(&plan.processes[*at]) && !one_in(rng, 6))
        .collect();
    let place = |old: ProcessIx| kept.iter().position(|at| *at == old.0).map(ProcessIx);
    let mut processes: Vec<ProcessPlan> = Vec::new();
    for at in &kept {
        let mut process = plan.processes[*at].clone();
        let moved = process
            .depends_on
            .iter()
            .filter_map(|on| Some(Dependency { process: place(on.process)?, ..*on }));
        process.depends_on = moved.collect();
        match rng.u8(..6) {
            0 => process.command.push("changed".into()),
            1 => process.restart.max_attempts = rng.bool().then(|| rng.u32(0..6)),
            2 => process.health = health(rng),
            _ => {}
        }
        processes.push(process);
    }
    if processes.is_empty() || rng.bool() {
        let at = processes.len();
        let name = format!("n{}", rng.u8(..3));
        processes.push(process(rng, at, name));
    }
    processes.extend(back(rng, plan));
    let mut names = std::collections::BTreeSet::new();
    let doubled = !processes.iter().all(|process| names.insert(process.name.clone()));
    if doubled {
        processes.pop();
    }
    let exit_code_from = plan.exit_code_from.iter().filter_map(|ix| place(*ix)).collect();
    Plan { processes, exit_code_from, ..plan.clone() }
}

/// One that was gone comes back, perhaps while its last run is still being ended.
fn back(rng: &mut fastrand::Rng, plan: &Plan) -> Option<ProcessPlan> {
    let retired = |one: &&ProcessPlan| one.standing == Standing::Retired;
    let gone: Vec<&ProcessPlan> = plan.processes.iter().filter(retired).collect();
    let back = rng.choice(&gone).filter(|_| one_in(rng, 2))?;
    let standing = if one_in(rng, 4) { Standing::OnDemand } else { Standing::Wanted };
    let schedule = back.schedule.clone().filter(|_| standing == Standing::Wanted);
    Some(ProcessPlan { standing, schedule, depends_on: Vec::new(), ..ProcessPlan::clone(back) })
}

/// A command beside the plan.
pub fn command(rng: &mut fastrand::Rng) -> ProcessPlan {
    ProcessPlan { hooks: hooks(rng), ..ProcessPlan::new("any", vec!["x".into()]) }
}

/// The first two are replicas of one process.
fn make_replicas(processes: &mut [ProcessPlan]) {
    for number in [1, 2] {
        let mut replica = processes[0].clone();
        replica.name = format!("w-{number}");
        replica.replica = Some(Replica { of: "w".into(), number });
        processes[number as usize - 1] = replica;
    }
}

fn process(rng: &mut fastrand::Rng, at: usize, name: String) -> ProcessPlan {
    let policies = [RestartPolicy::No, RestartPolicy::OnFailure, RestartPolicy::Always];
    let plan = ProcessPlan {
        depends_on: dependencies(rng, at),
        restart: RestartPlan {
            policy: policies[rng.usize(..3)],
            max_attempts: rng.bool().then(|| rng.u32(0..6)),
            on_crash_loop: if one_in(rng, 8) { OnCrashLoop::Exit } else { OnCrashLoop::Stay },
            success_codes: if one_in(rng, 4) { vec![3, 143] } else { Vec::new() },
            ..RestartPlan::default()
        },
        stop_grace_period: Duration::from_millis(rng.u64(0..15_000)),
        forward_signals: vec![Signal::USR1],
        ..ProcessPlan::new(name, vec!["x".into()])
    };
    // Half of them are plain.
    if rng.bool() { plan } else { adorned(rng, plan) }
}

fn adorned(rng: &mut fastrand::Rng, plan: ProcessPlan) -> ProcessPlan {
    let schedule =
        one_in(rng, 8).then(|| Schedule { cron: "* * * * *".into(), zone: Zone::default() });
    let on_demand = schedule.is_none() && one_in(rng, 8);
    ProcessPlan {
        standing: if on_demand { Standing::OnDemand } else { Standing::Wanted },
        ready: rng.bool().then(|| ReadyPlan {
            log: rng.bool().then(|| "ready".into()),
            notify: rng.bool(),
            timeout: rng.bool().then(|| Duration::from_millis(rng.u64(1..20_000))),
        }),
        health: if rng.bool() { health(rng) } else { None },
        watchdog: one_in(rng, 3).then(|| Duration::from_millis(rng.u64(500..5_000))),
        hooks: hooks(rng),
        schedule,
        ..plan
    }
}

fn dependencies(rng: &mut fastrand::Rng, at: usize) -> Vec<Dependency> {
    let conditions = [Condition::Started, Condition::Healthy, Condition::CompletedSuccessfully];
    let depends_on = (0..at).filter_map(|on| {
        let condition = conditions[[0, 0, 1, 1, 2][rng.usize(..5)]];
        let (required, restart) = (!one_in(rng, 6), one_in(rng, 4));
        let process = ProcessIx(on);
        (rng.u8(..) < 80).then_some(Dependency { process, condition, required, restart })
    });
    depends_on.collect()
}

fn health(rng: &mut fastrand::Rng) -> Option<HealthPlan> {
    let test = match rng.u8(..3) {
        0 => Test::Tcp("127.0.0.1:1".parse().expect("an address")),
        _ => Test::Exec(vec!["true".into()]),
    };
    // Seldom a storm of tests.
    let least = if one_in(rng, 16) { 20 } else { 500 };
    Some(HealthPlan {
        test,
        interval: Duration::from_millis(rng.u64(least..least * 10)),
        timeout: Duration::from_millis(rng.u64(50..3_000)),
        retries: rng.u32(0..4),
        start_period: Duration::from_millis(rng.u64(0..8_000)),
        start_interval: Duration::from_millis(rng.u64(least..least * 4)),
        on_unhealthy: if rng.bool() { OnUnhealthy::Restart } else { OnUnhealthy::Report },
    })
}

fn hooks(rng: &mut fastrand::Rng) -> Hooks {
    let mut list = || {
        let count = [0, 0, 1, 2][rng.usize(..4)];
        let hook = |_| Hook {
            command: vec!["x".into()],
            timeout: Duration::from_millis(rng.u64(1..6_000)),
        };
        (0..count).map(hook).collect()
    };
    Hooks { post_start: list(), pre_stop: list(), post_exit: list(), on_memory: None }
}

/// True once in so many times.
pub fn one_in(rng: &mut fastrand::Rng, times: u8) -> bool {
    rng.u8(..times) == 0
}
