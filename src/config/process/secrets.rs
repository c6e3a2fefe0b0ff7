//! `secrets`: variables whose values are read from files in the child, so that nobody else ever
//! holds them.

use crate::config::cursor::{Cursor, Fields};
use crate::config::environment::{is_name, name_fault};
use crate::config::plan::Secret;
use crate::config::problem::quoted;
use crate::config::read;
use crate::config::surroundings::Surroundings;

/// The most secrets of one process: room for each is made before the fork.
const MAX_SECRETS: usize = 64;

/// Reads `secrets`; none of them may be among the variables that are written openly.
pub(super) fn secrets(
    fields: &mut Fields<'_>,
    environment: &[(String, String)],
    around: &Surroundings<'_>,
) -> Vec<Secret> {
    let Some(at) = fields.get("secrets") else { return vec![] };
    if at.is_list() {
        let items = at.items("a list").unwrap_or_default();
        let name = items.first().and_then(Cursor::scalar).filter(|name| is_name(name));
        let variable = name.map_or_else(|| "API_KEY".to_owned(), |name| name.to_uppercase());
        let file = name.unwrap_or("api_key");
        let advice = format!("write `{{{variable}: /run/secrets/{file}}}`");
        at.expected::<()>("a map of variables and files", advice);
        return vec![];
    }
    let entries = at.entries("a map of variables and files").unwrap_or_default();
    if entries.len() > MAX_SECRETS {
        at.expected::<()>(&format!("at most {MAX_SECRETS} secrets"), "");
        return vec![];
    }
    let secret = |name: &str, value: &Cursor<'_>| {
        if environment.iter().any(|(known, _)| known == name) {
            let message =
                format!("{} is a variable of `environment` or `env_file` too", quoted(name));
            value.fault(message, "keep one of them");
        }
        Some(Secret { variable: name.to_owned(), file: read::path(value, around)? })
    };
    let read = entries.iter().filter_map(|(entry, value)| {
        if is_name(&entry.key) {
            return secret(&entry.key, value);
        }
        let (message, advice) = name_fault(&entry.key);
        value.sink().fault(entry.place, value.path(), message, Some(advice));
        None
    });
    read.collect()
}
