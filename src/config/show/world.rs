//! The world of a process as the file would have it.

use serde::Serialize;

use super::{Ordered, is_empty, path_text};
use crate::config::plan::{IoPriority, Limit, Resource, Stdin, World as WorldPlan};
use crate::config::process::RESOURCES;

#[derive(Serialize)]
pub(super) struct World {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    group_add: Vec<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    umask: Option<String>,
    #[serde(skip_serializing_if = "is_empty")]
    ulimits: Ordered<Ulimit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nice: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oom_score_adj: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpuset: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    io_priority: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stdin_open: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tty: Option<bool>,
    #[serde(skip_serializing_if = "is_empty")]
    secrets: Ordered<String>,
}

#[derive(Serialize)]
struct Ulimit {
    soft: Ceiling,
    hard: Ceiling,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Ceiling {
    At(u64),
    Unlimited(&'static str),
}

pub(super) fn world(plan: &WorldPlan) -> World {
    let secret =
        |secret: &crate::config::plan::Secret| (secret.variable.clone(), path_text(&secret.file));
    World {
        user: plan.user.as_ref().map(|user| format!("{}:{}", user.uid, user.gid)),
        group_add: plan.user.as_ref().map_or_else(Vec::new, |user| {
            user.groups.iter().copied().filter(|group| *group != user.gid).collect()
        }),
        umask: plan.umask.map(|umask| format!("{umask:03o}")),
        ulimits: Ordered(plan.limits.iter().map(limit).collect()),
        nice: plan.nice,
        oom_score_adj: plan.oom_score_adj,
        cpuset: (!plan.cpus.is_empty()).then(|| ranges(&plan.cpus)),
        io_priority: plan.io_priority.map(io_priority),
        stdin_open: (plan.stdin == Stdin::Inherit).then_some(true),
        tty: matches!(plan.stdin, Stdin::Terminal | Stdin::OwnTerminal).then_some(true),
        secrets: Ordered(plan.secrets.iter().map(secret).collect()),
    }
}

fn limit(limit: &Limit) -> (String, Ulimit) {
    let ceiling = |at: Option<u64>| at.map_or(Ceiling::Unlimited("unlimited"), Ceiling::At);
    let shown = Ulimit { soft: ceiling(limit.soft), hard: ceiling(limit.hard) };
    (resource(limit.resource).to_owned(), shown)
}

fn resource(resource: Resource) -> &'static str {
    RESOURCES.iter().find(|(_, known)| *known == resource).map_or("", |(word, _)| word)
}

fn io_priority(priority: IoPriority) -> String {
    match priority {
        IoPriority::RealTime(level) => format!("realtime:{level}"),
        IoPriority::BestEffort(level) => format!("best-effort:{level}"),
        IoPriority::Idle => "idle".to_owned(),
    }
}

/// Processors in their order as `0-2,4`.
fn ranges(cpus: &[u16]) -> String {
    let runs = cpus.chunk_by(|one, next| one.checked_add(1) == Some(*next));
    let run = |run: &[u16]| match run {
        [first, .., last] => format!("{first}-{last}"),
        [only] => only.to_string(),
        [] => String::new(),
    };
    runs.map(run).collect::<Vec<String>>().join(",")
}
