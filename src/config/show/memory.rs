//! Thresholds of memory, as they would be written.

use serde::Serialize;

use super::process::{ShownHook, hook};
use crate::config::plan::{Hook, MemoryActions, Threshold, Thresholds};
use crate::config::process::memory::{ENDS, HOOK};
use crate::config::quantity::print_bytes;

/// What stands below `memory` of a process.
#[derive(Serialize)]
pub(super) struct Memory {
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    critical: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    on_warning: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    on_critical: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hook: Option<ShownHook>,
}

/// What is not as usual; nothing where all is.
pub(super) fn memory(thresholds: &Thresholds, on_memory: Option<&Hook>) -> Option<Memory> {
    (*thresholds != Thresholds::default()).then(|| Memory {
        warning: threshold(thresholds.warning),
        critical: threshold(thresholds.critical),
        on_warning: actions(thresholds.on_warning),
        on_critical: actions(thresholds.on_critical),
        hook: on_memory.map(hook),
    })
}

fn threshold(threshold: Threshold) -> Option<String> {
    match threshold {
        Threshold::Usual => None,
        Threshold::Size(size) => Some(print_bytes(size)),
        Threshold::Percent(percent) => Some(format!("{percent}%")),
    }
}

fn actions(actions: MemoryActions) -> Vec<String> {
    let signal = actions.signal.map(|signal| signal.to_string());
    let end = ENDS.iter().find(|(_, end)| Some(*end) == actions.end);
    let hook = actions.hook.then(|| HOOK.to_owned());
    let end = end.map(|(word, _)| (*word).to_owned());
    signal.into_iter().chain(hook).chain(end).collect()
}
