//! What `environment` and `env_file` add to the variables of a process.

use super::cursor::Cursor;
use super::env_file;
use super::problem::{Problem, Sink, quoted};
use super::read;
use super::surroundings::{ReadError, Surroundings};

/// `environment`: a map, or a list of `NAME=value`. A bare name passes our own variable through.
pub(super) fn environment(
    at: &Cursor<'_>,
    around: &Surroundings<'_>,
) -> Option<Vec<(String, String)>> {
    if at.is_list() {
        let items = at.items("a list")?;
        return Some(items.iter().filter_map(|item| assignment(item, around)).collect());
    }
    let entries = at.entries("a map of variables or a list of `NAME=value`")?;
    let variables = entries.iter().filter_map(|(entry, value)| {
        if !is_name(&entry.key) {
            let (message, advice) = name_fault(&entry.key);
            value.sink().fault(entry.place, value.path(), message, Some(advice));
            return None;
        }
        if value.is_null() {
            return variable(value, &entry.key, None, around);
        }
        let text = value.scalar().or_else(|| value.expected("text or a number", ""))?;
        variable(value, &entry.key, Some(text), around)
    });
    Some(variables.collect())
}

fn assignment(at: &Cursor<'_>, around: &Surroundings<'_>) -> Option<(String, String)> {
    let text = match at.scalar() {
        Some(text) => text,
        None => return at.expected("`NAME=value`", "put quotes around it"),
    };
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    if !is_name(name) {
        let (message, advice) = name_fault(name);
        at.fault(message, advice);
        return None;
    }
    variable(at, name, value, around)
}

/// A variable with its value, or with ours when it is written without one.
fn variable(
    at: &Cursor<'_>,
    name: &str,
    value: Option<&str>,
    around: &Surroundings<'_>,
) -> Option<(String, String)> {
    if value.is_some_and(|value| value.contains('\0')) {
        at.fault("a variable cannot contain a NUL character", "remove it");
        return None;
    }
    let value = value.map(str::to_owned).or_else(|| (around.vars)(name))?;
    Some((name.to_owned(), value))
}

/// Whether the kernel and every shell agree that this is a name.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c == '=' || c.is_whitespace() || c.is_control())
}

/// What is wrong with the name of a variable, and what to write.
pub(super) fn name_fault(name: &str) -> (String, String) {
    let message = format!("{} cannot be the name of a variable", quoted(name));
    (message, "write a name without spaces or `=`".to_owned())
}

/// `env_file`: one path, or a list of paths and of maps with `path` and `required`.
pub(super) fn env_files(at: &Cursor<'_>, around: &Surroundings<'_>) -> Vec<(String, String)> {
    let items = match at.is_map() {
        true => vec![at.clone()],
        false => at.one_or_many("a path or a list of paths").unwrap_or_default(),
    };
    items.iter().flat_map(|item| env_file(item, around)).collect()
}

fn env_file(at: &Cursor<'_>, around: &Surroundings<'_>) -> Vec<(String, String)> {
    let (path_at, required) = match at.is_map() {
        false => (Some(at.clone()), true),
        true => long_form(at),
    };
    let Some((at, path)) = path_at.and_then(|at| Some((at.clone(), read::path(&at, around)?)))
    else {
        return vec![];
    };
    match (around.read)(&path) {
        Ok(text) => {
            let file = path.to_string_lossy();
            let sink = Sink::secretive(&file, &text);
            let variables = env_file::parse(&text, around.vars, &sink);
            at.sink().adopt(sink);
            variables
        }
        Err(ReadError::Missing) if !required => vec![],
        Err(error) => {
            let (message, advice) = error.explain();
            at.fault(format!("{}: {message}", path.display()), advice);
            vec![]
        }
    }
}

fn long_form<'a>(at: &Cursor<'a>) -> (Option<Cursor<'a>>, bool) {
    let Some(mut fields) = at.fields("a path") else { return (None, true) };
    let path = fields.get("path");
    if path.is_none() {
        fields.missing("path", "write `path: FILE`", &[]);
    }
    let required = fields.read("required", read::boolean).unwrap_or(true);
    fields.finish(&[]);
    (path, required)
}

/// A problem of the file as a whole.
pub(super) fn unreadable(file: &str, error: &ReadError) -> Problem {
    let (message, advice) = error.explain();
    Problem::of_file(file, message, advice)
}
