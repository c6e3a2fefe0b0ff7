//! How `sessions`, and `session` of a process, are shown.

use std::time::Duration;

use super::OrOff;
use crate::config::plan::{ProcessPlan, SessionsPlan};
use crate::config::quantity::print_duration;

#[derive(serde::Serialize)]
pub(super) struct Sessions {
    idle_timeout: OrOff<String>,
    max_duration: OrOff<String>,
    max_concurrent: u32,
    cleanup_interval: String,
    warn_at: Vec<f64>,
    warn_signal: OrOff<String>,
    snapshot_interval: OrOff<String>,
    log: OrOff<String>,
    retention: Retention,
}

#[derive(serde::Serialize)]
struct Retention {
    completed: String,
    failed: String,
    archived: String,
    audit: String,
    samples: String,
}

#[derive(serde::Serialize)]
pub(super) struct Session {
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_duration: Option<String>,
}

pub(super) fn sessions(plan: &SessionsPlan) -> Sessions {
    let or_off = |span: Option<Duration>| OrOff::of(span.map(print_duration));
    Sessions {
        idle_timeout: or_off(plan.idle_timeout),
        max_duration: or_off(plan.max_duration),
        max_concurrent: plan.max_concurrent,
        cleanup_interval: print_duration(plan.cleanup_interval),
        warn_at: plan.warn_at.clone(),
        warn_signal: OrOff::of(plan.warn_signal.map(|signal| signal.to_string())),
        snapshot_interval: or_off(plan.snapshot_interval),
        log: OrOff::of(plan.log.as_ref().map(|path| path.display().to_string())),
        retention: Retention {
            completed: print_duration(plan.retention.completed),
            failed: print_duration(plan.retention.failed),
            archived: print_duration(plan.retention.archived),
            audit: print_duration(plan.retention.audit),
            samples: print_duration(plan.retention.samples),
        },
    }
}

/// Nothing where nothing is asked for.
pub(super) fn session(process: &ProcessPlan) -> Option<Session> {
    let (idle, longest) = (process.session.idle_timeout, process.max_duration);
    (idle.is_some() || longest.is_some()).then(|| Session {
        idle_timeout: idle.map(print_duration),
        max_duration: longest.map(print_duration),
    })
}
