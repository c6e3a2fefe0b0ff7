//! One process as the file would have it.

use std::collections::HashSet;

use serde::Serialize;

use super::memory::{Memory, memory};
use super::output::{Output, output};
use super::sessions::{Session, session};
use super::world::{World, world};
use super::{OrOff, Ordered, is_empty, path_text, plain};
use crate::chains::limits::Limits;
use crate::config::families::named;
use crate::config::plan::{
    AgentPlan, Condition, HealthPlan, Hook, OnCrashLoop, OnUnhealthy, Plan, ProcessPlan,
    ReadsStdout, ReadyPlan, RestartPlan, RestartPolicy, Schedule, Standing, Test, WatchRule,
};
use crate::config::quantity::print_duration;
use crate::secret::mask::{mask_command, mask_value};

/// An expression alone where it means UTC.
#[derive(Serialize)]
#[serde(untagged)]
enum Clock {
    Utc(String),
    Elsewhere { cron: String, timezone: String },
}

fn clock(schedule: &Schedule) -> Clock {
    let cron = schedule.cron.clone();
    match schedule.zone.name() {
        "UTC" => Clock::Utc(cron),
        zone => Clock::Elsewhere { cron, timezone: zone.to_owned() },
    }
}

#[derive(Serialize)]
pub(super) struct Process {
    command: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replicas: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    autostart: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<Clock>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_dir: Option<String>,
    #[serde(skip_serializing_if = "is_empty")]
    environment: Ordered<String>,
    #[serde(flatten)]
    world: World,
    #[serde(skip_serializing_if = "is_empty")]
    depends_on: Ordered<Dependency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ready: Option<Ready>,
    #[serde(skip_serializing_if = "Option::is_none")]
    healthcheck: Option<Health>,
    #[serde(skip_serializing_if = "Option::is_none")]
    watchdog: Option<String>,
    restart: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    restart_policy: Option<Restart>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    success_exit_codes: Vec<u8>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    post_start: Vec<ShownHook>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pre_stop: Vec<ShownHook>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    post_exit: Vec<ShownHook>,
    stop_signal: String,
    stop_grace_period: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    forward_signals: Vec<String>,
    output: Output,
    #[serde(skip_serializing_if = "Option::is_none")]
    develop: Option<Develop>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Memory>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<Agent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<Tokens>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Session>,
}

#[derive(Serialize)]
struct Dependency {
    condition: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    required: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restart: Option<bool>,
}

#[derive(Serialize)]
struct Ready {
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notify: Option<bool>,
    timeout: OrOff<String>,
}

#[derive(Default, Serialize)]
struct Health {
    #[serde(skip_serializing_if = "Option::is_none")]
    test: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<String>,
    interval: String,
    timeout: String,
    retries: u32,
    start_period: String,
    start_interval: String,
    on_unhealthy: &'static str,
}

#[derive(Serialize)]
pub(super) struct ShownHook {
    command: Vec<String>,
    timeout: String,
}

#[derive(Serialize)]
struct Restart {
    delay: String,
    factor: f64,
    max_delay: String,
    jitter: f64,
    window: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_crash_loop: Option<&'static str>,
}

#[derive(Serialize)]
struct Develop {
    watch: Vec<Watch>,
}

#[derive(Serialize)]
struct Watch {
    path: String,
    action: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ignore: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    include: Vec<String>,
    debounce: String,
}

#[derive(Serialize)]
struct Tokens {
    stdout: bool,
}

#[derive(Serialize)]
struct Agent {
    name: String,
    dialect: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    transcripts: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_window: Option<u64>,
    hand_over_at: f64,
    full_at: f64,
}

/// The process, or the family that it is the first replica of.
pub(super) fn process(plan: &Plan, one: &ProcessPlan, replicas: Option<u32>) -> Process {
    let hooks = |hooks: &[Hook]| hooks.iter().map(hook).collect();
    Process {
        command: command(&one.words()),
        replicas,
        autostart: (one.standing == Standing::OnDemand).then_some(false),
        schedule: one.schedule.as_ref().map(clock),
        working_dir: one.working_dir.as_deref().map(path_text),
        environment: Ordered(environment(&one.environment)),
        world: world(&one.world),
        depends_on: Ordered(dependencies(plan, one)),
        ready: one.ready.as_ref().map(ready),
        healthcheck: one.health.as_ref().map(health),
        watchdog: one.watchdog.map(print_duration),
        restart: restart(one.restart.policy),
        restart_policy: restart_policy(&one.restart),
        success_exit_codes: one.restart.success_codes.clone(),
        post_start: hooks(&one.hooks.post_start),
        pre_stop: hooks(&one.hooks.pre_stop),
        post_exit: hooks(&one.hooks.post_exit),
        stop_signal: one.stop_signal.to_string(),
        stop_grace_period: print_duration(one.stop_grace_period),
        forward_signals: one.forward_signals.iter().map(ToString::to_string).collect(),
        output: output(&one.output, one.replica.is_some()),
        develop: (!one.watch.is_empty())
            .then(|| Develop { watch: one.watch.iter().map(watch).collect() }),
        memory: memory(&one.thresholds, one.hooks.on_memory.as_ref()),
        agent: one.agent.as_ref().map(agent),
        tokens: match one.reads_stdout {
            ReadsStdout::Auto => None,
            ReadsStdout::On => Some(Tokens { stdout: true }),
            ReadsStdout::Off => Some(Tokens { stdout: false }),
        },
        session: session(one),
    }
}

fn command(words: &[String]) -> Vec<String> {
    mask_command(words).iter().map(|word| plain(word)).collect()
}

fn dependencies(plan: &Plan, one: &ProcessPlan) -> Vec<(String, Dependency)> {
    let dependency = |(name, dependency): (&str, &crate::config::plan::Dependency)| {
        let condition = match dependency.condition {
            Condition::Started => "service_started",
            Condition::Healthy => "service_healthy",
            Condition::CompletedSuccessfully => "service_completed_successfully",
        };
        let required = (!dependency.required).then_some(false);
        let restart = dependency.restart.then_some(true);
        (name.to_owned(), Dependency { condition, required, restart })
    };
    named(plan, &one.depends_on).into_iter().map(dependency).collect()
}

/// The variables that the process will see: of several with one name only the last.
fn environment(variables: &[(String, String)]) -> Vec<(String, String)> {
    let mut known = HashSet::new();
    let last = variables.iter().rev().filter(|(name, _)| known.insert(name));
    let mut shown: Vec<(String, String)> =
        last.map(|(name, value)| (name.clone(), plain(&mask_value(name, value)))).collect();
    shown.reverse();
    shown
}

fn ready(plan: &ReadyPlan) -> Ready {
    Ready {
        log: plan.log.as_deref().map(plain),
        notify: plan.notify.then_some(true),
        timeout: OrOff::of(plan.timeout.map(print_duration)),
    }
}

fn health(plan: &HealthPlan) -> Health {
    let asked = match &plan.test {
        Test::Exec(words) => {
            let test = std::iter::once("CMD".to_owned()).chain(command(words)).collect();
            Health { test: Some(test), ..Health::default() }
        }
        Test::Http { host, path, .. } => {
            Health { http: Some(plain(&format!("http://{host}{path}"))), ..Health::default() }
        }
        Test::Tcp(address) => Health { tcp: Some(address.to_string()), ..Health::default() },
    };
    Health {
        interval: print_duration(plan.interval),
        timeout: print_duration(plan.timeout),
        retries: plan.retries,
        start_period: print_duration(plan.start_period),
        start_interval: print_duration(plan.start_interval),
        on_unhealthy: match plan.on_unhealthy {
            OnUnhealthy::Report => "report",
            OnUnhealthy::Restart => "restart",
        },
        ..asked
    }
}

pub(super) fn hook(plan: &Hook) -> ShownHook {
    ShownHook { command: command(&plan.command), timeout: print_duration(plan.timeout) }
}

fn restart(policy: RestartPolicy) -> &'static str {
    match policy {
        RestartPolicy::No => "no",
        RestartPolicy::OnFailure => "on-failure",
        RestartPolicy::Always => "always",
        RestartPolicy::UnlessStopped => "unless-stopped",
    }
}

fn restart_policy(plan: &RestartPlan) -> Option<Restart> {
    (plan.policy != RestartPolicy::No).then(|| Restart {
        delay: print_duration(plan.backoff.delay),
        factor: plan.backoff.factor,
        max_delay: print_duration(plan.backoff.max_delay),
        jitter: plan.backoff.jitter,
        window: print_duration(plan.backoff.window),
        max_attempts: plan.max_attempts,
        on_crash_loop: plan.max_attempts.map(|_| match plan.on_crash_loop {
            OnCrashLoop::Stay => "stay",
            OnCrashLoop::Exit => "exit",
        }),
    })
}

fn watch(rule: &WatchRule) -> Watch {
    let patterns = |all: &[String]| all.iter().map(|one| plain(one)).collect();
    Watch {
        path: path_text(&rule.path),
        action: "restart",
        ignore: patterns(&rule.ignore),
        include: patterns(&rule.include),
        debounce: print_duration(rule.debounce),
    }
}

fn agent(plan: &AgentPlan) -> Agent {
    let dialect = plan.dialect.as_str();
    let transcripts = plan.transcripts.iter().map(|path| path_text(path)).collect();
    let Limits { window: context_window, hand_over_at, full_at } = plan.limits;
    Agent { name: plan.name.clone(), dialect, transcripts, context_window, hand_over_at, full_at }
}
