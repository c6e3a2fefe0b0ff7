//! The checked plan as YAML in the words of the file, for `procession check`.
//!
//! Every default is written out, every variable replaced, every path whole, and every secret
//! masked. Apart from the masks, reading the text again gives the same plan. The types here mirror
//! the file, not the plan: the plan is not serialisable, so that it can change without changing
//! what is promised here.

use std::collections::HashSet;
use std::path::Path;

use serde::ser::{Serialize, Serializer};

use super::order;
use super::plan::{
    AgentPlan, Condition, Dialect, LeakRule, Mode, Plan, ProcessPlan, Recovery, RestartPlan,
    RestartPolicy, StorePlan,
};
use super::quantity::{print_bytes, print_duration};
use crate::secret::mask::{mask_command, mask_value};

/// The plan as YAML, with the start order as comments at its end.
pub fn show(plan: &Plan) -> String {
    let yaml = serde_yaml::to_string(&whole(plan))
        .unwrap_or_else(|error| format!("# cannot show the plan: {error}\n"));
    let order: String = order::describe(plan).iter().map(|line| format!("#   {line}\n")).collect();
    let how = match plan.mode {
        Mode::Supervise => "start order",
        Mode::OneCommand => "one command, every signal is forwarded to it",
    };
    format!("{yaml}\n# {how}:\n{order}")
}

/// A map that keeps its order.
struct Ordered<T>(Vec<(String, T)>);

impl<T: Serialize> Serialize for Ordered<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

#[derive(serde::Serialize)]
struct Whole {
    processes: Ordered<Process>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    exit_code_from: Vec<String>,
    shutdown_timeout: String,
    metrics: Metrics,
    store: Store,
    state_dir: String,
    recovery: &'static str,
    memory: Memory,
}

#[derive(serde::Serialize)]
struct Metrics {
    listen: Listen,
}

#[derive(serde::Serialize)]
#[serde(untagged)]
enum Listen {
    At(String),
    Off(bool),
}

#[derive(serde::Serialize)]
#[serde(untagged)]
enum Store {
    Memory(&'static str),
    File { sqlite: String },
}

#[derive(serde::Serialize)]
struct Memory {
    interval: String,
    leak_rule: &'static str,
}

#[derive(serde::Serialize)]
struct Process {
    command: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_dir: Option<String>,
    #[serde(skip_serializing_if = "is_empty")]
    environment: Ordered<String>,
    #[serde(skip_serializing_if = "is_empty")]
    depends_on: Ordered<Dependency>,
    restart: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    restart_policy: Option<Restart>,
    stop_signal: String,
    stop_grace_period: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    forward_signals: Vec<String>,
    memory: Thresholds,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<Agent>,
}

#[derive(serde::Serialize)]
struct Dependency {
    condition: &'static str,
}

#[derive(serde::Serialize)]
struct Restart {
    delay: String,
    factor: f64,
    max_delay: String,
    jitter: f64,
    window: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
}

#[derive(serde::Serialize)]
struct Thresholds {
    warning: String,
    critical: String,
}

#[derive(serde::Serialize)]
struct Agent {
    name: String,
    dialect: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    transcripts: Vec<String>,
}

fn is_empty<T>(map: &Ordered<T>) -> bool {
    map.0.is_empty()
}

fn whole(plan: &Plan) -> Whole {
    let processes = plan.processes.iter();
    let processes = processes.map(|one| (one.name.clone(), process(plan, one)));
    Whole {
        processes: Ordered(processes.collect()),
        exit_code_from: plan
            .exit_code_from
            .iter()
            .map(|at| plan.process(*at).name.clone())
            .collect(),
        shutdown_timeout: print_duration(plan.shutdown_timeout),
        metrics: Metrics {
            listen: plan.listen.map_or(Listen::Off(false), |at| Listen::At(at.to_string())),
        },
        store: match &plan.store {
            StorePlan::Memory => Store::Memory("memory"),
            StorePlan::Sqlite(path) => Store::File { sqlite: path_text(path) },
        },
        state_dir: path_text(&plan.state_dir),
        recovery: match plan.recovery {
            Recovery::End => "end",
            Recovery::Adopt => "adopt",
        },
        memory: Memory {
            interval: print_duration(plan.memory.interval),
            leak_rule: match plan.memory.leak_rule {
                LeakRule::GrowthCount => "growth-count",
            },
        },
    }
}

fn process(plan: &Plan, one: &ProcessPlan) -> Process {
    let dependencies = one.depends_on.iter().map(|dependency| {
        let condition = match dependency.condition {
            Condition::Started => "service_started",
            Condition::Healthy => "service_healthy",
            Condition::CompletedSuccessfully => "service_completed_successfully",
        };
        (plan.process(dependency.process).name.clone(), Dependency { condition })
    });
    Process {
        command: mask_command(&one.words()).iter().map(|word| plain(word)).collect(),
        working_dir: one.working_dir.as_deref().map(path_text),
        environment: Ordered(environment(&one.environment)),
        depends_on: Ordered(dependencies.collect()),
        restart: restart(one.restart.policy).to_owned(),
        restart_policy: restart_policy(&one.restart),
        stop_signal: one.stop_signal.to_string(),
        stop_grace_period: print_duration(one.stop_grace_period),
        forward_signals: one.forward_signals.iter().map(ToString::to_string).collect(),
        memory: Thresholds {
            warning: print_bytes(one.thresholds.warning),
            critical: print_bytes(one.thresholds.critical),
        },
        agent: one.agent.as_ref().map(agent),
    }
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
    })
}

fn agent(plan: &AgentPlan) -> Agent {
    let dialect = match plan.dialect {
        Dialect::Claude => "claude",
    };
    let transcripts = plan.transcripts.iter().map(|path| path_text(path)).collect();
    Agent { name: plan.name.clone(), dialect, transcripts }
}

fn path_text(path: &Path) -> String {
    plain(&path.to_string_lossy())
}

/// The text such that no variable is seen in it when it is read again.
fn plain(text: &str) -> String {
    text.replace('$', "$$")
}
