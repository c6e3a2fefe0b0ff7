//! What a rollout's tool calls are made on.

use serde::Deserialize;

use super::row::Payload;
use crate::chains::step::Calls;
use crate::tokens::agents::lenient::{List, Object, Text};

/// Tools, files and tasks that are remembered of one response.
const MOST: usize = 64;

/// The lines of a patch that name a file.
const PATCHED: [&str; 4] =
    ["*** Add File: ", "*** Update File: ", "*** Delete File: ", "*** Move to: "];

#[derive(Default, Deserialize)]
#[serde(default)]
struct Plan<'a> {
    #[serde(borrow)]
    plan: List<Object<Task<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Task<'a> {
    #[serde(borrow)]
    step: Text<'a>,
    #[serde(borrow)]
    status: Text<'a>,
}

/// Notes a call.
pub fn note(calls: &mut Calls, payload: &Payload) {
    let Some(name) = payload.name.filled() else { return };
    push(&mut calls.tools, name);
    let given = payload.input.filled().or(payload.arguments.filled()).unwrap_or_default();
    if name == "update_plan" {
        let plan: Plan = serde_json::from_str(given).unwrap_or_default();
        let begun = plan.plan.0.iter().filter_map(|task| task.0.as_ref());
        let begun = begun.filter(|task| task.status.filled() != Some("pending"));
        begun.filter_map(|task| task.step.filled()).for_each(|step| push(&mut calls.tasks, step));
        return;
    }
    patched(given).for_each(|file| push(&mut calls.files, file));
}

/// The files that a patch names; within the arguments of a shell, line feeds are escaped.
fn patched(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.split('\n').flat_map(|line| line.split("\\n"));
    lines.filter_map(|line| PATCHED.iter().find_map(|mark| line.strip_prefix(mark))).map(str::trim)
}

fn push(list: &mut Vec<String>, one: &str) {
    if list.len() < MOST && !list.iter().any(|known| known == one) {
        list.push(one.to_owned());
    }
}
