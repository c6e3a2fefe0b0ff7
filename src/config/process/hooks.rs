//! The commands around a run: `post_start`, `pre_stop` and `post_exit`.

use std::time::Duration;

use crate::config::cursor::{Cursor, Fields};
use crate::config::plan::{Hook, Hooks};
use crate::config::read;

/// A hook that takes longer is killed, unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A program takes time to start.
const LEAST_TIMEOUT: Duration = Duration::from_millis(10);
/// More belong into a script.
const MAX_HOOKS: usize = 16;

/// Words of Compose's hooks that mean nothing here.
const COMPOSE_WORDS: [(&str, &str); 4] = [
    ("user", "a hook runs as its process does; remove it"),
    ("privileged", "a hook runs as its process does; remove it"),
    ("working_dir", "a hook starts where its process does; write `cd` into a script"),
    ("environment", "a hook has the variables of its process; write `env NAME=value` before it"),
];

/// All hooks of a process.
pub(super) fn hooks(fields: &mut Fields<'_>) -> Hooks {
    let mut list = |key| fields.read(key, hook_list).unwrap_or_default();
    Hooks {
        post_start: list("post_start"),
        pre_stop: list("pre_stop"),
        post_exit: list("post_exit"),
        on_memory: None,
    }
}

/// A command, one hook, or a list of hooks. A list of words is one command.
fn hook_list(at: &Cursor<'_>) -> Option<Vec<Hook>> {
    if at.is_map() {
        return Some(hook(at).into_iter().collect());
    }
    let items = if at.is_list() { at.items("a list")? } else { vec![] };
    if !items.iter().any(Cursor::is_map) {
        return Some(vec![Hook { command: read::command(at)?, timeout: TIMEOUT }]);
    }
    if items.len() > MAX_HOOKS {
        return at.expected(&format!("at most {MAX_HOOKS} hooks"), "write a script for them");
    }
    Some(items.iter().filter_map(hook).collect())
}

/// A command, or one hook.
pub(in crate::config) fn one(at: &Cursor<'_>) -> Option<Hook> {
    if at.is_map() {
        return hook(at);
    }
    Some(Hook { command: read::command(at)?, timeout: TIMEOUT })
}

/// `hook` beside the actions that may name it; one without the other means nothing.
pub(in crate::config) fn named(
    fields: &mut Fields<'_>,
    is_named: bool,
    names: &str,
    usual: Option<&Hook>,
) -> Option<Hook> {
    let at = fields.get("hook");
    match &at {
        Some(at) if !is_named => at.fault("nothing runs it", format!("write {names}")),
        None if is_named && usual.is_none() => {
            fields.missing("hook", "write `hook: COMMAND`", &[]);
        }
        _ => {}
    }
    at.as_ref().and_then(one).or_else(|| usual.cloned())
}

fn hook(at: &Cursor<'_>) -> Option<Hook> {
    let mut fields = at.fields("a map with `command`")?;
    let command_at = fields.get("command");
    if command_at.is_none() {
        fields.missing("command", "write `command: …`", &[]);
    }
    let timeout = |at: &Cursor<'_>| read::duration_from(at, LEAST_TIMEOUT, "a command takes time");
    let timeout = fields.read("timeout", timeout).unwrap_or(TIMEOUT);
    fields.finish(&COMPOSE_WORDS);
    Some(Hook { command: read::command(&command_at?)?, timeout })
}
