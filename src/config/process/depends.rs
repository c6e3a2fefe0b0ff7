//! `depends_on`: whom a process waits for, still by name.

use crate::config::cursor::Cursor;
use crate::config::plan::Condition;
use crate::config::problem::shortened;
use crate::config::read;

/// A dependency by name.
pub(in crate::config) struct Wanted<'a> {
    /// Where it stands.
    pub at: Cursor<'a>,
    /// The process that is waited for.
    pub name: String,
    /// What must have happened to it, and where that is written; in the short form the kind of the
    /// other process decides.
    pub condition: Option<(Condition, Cursor<'a>)>,
    /// Whether it is never started without.
    pub required: bool,
    /// Whether it is restarted along with the other.
    pub restart: bool,
}

/// `depends_on`: a list of names, or a map of names with a `condition`.
pub(super) fn depends_on<'a>(at: &Cursor<'a>) -> Option<Vec<Wanted<'a>>> {
    if at.is_list() || at.is_null() {
        let items = at.items("a list of processes")?;
        let wanted = items.into_iter().filter_map(|at| {
            let name = at.text("the name of a process")?.to_owned();
            Some(Wanted { at, name, condition: None, required: true, restart: false })
        });
        return Some(wanted.collect());
    }
    if let Some(name) = at.scalar() {
        return at.expected("a list of processes", format!("write `[{}]`", shortened(name)));
    }
    let entries = at.entries("a list or map of processes")?;
    Some(entries.into_iter().map(|(entry, at)| long_form(at, entry.key.clone())).collect())
}

fn long_form(at: Cursor<'_>, name: String) -> Wanted<'_> {
    let words = [
        ("service_started", Condition::Started),
        ("service_healthy", Condition::Healthy),
        ("service_completed_successfully", Condition::CompletedSuccessfully),
    ];
    let usual = Wanted { at: at.clone(), name, condition: None, required: true, restart: false };
    let Some(mut fields) = at.fields("a map with `condition`") else { return usual };
    let found = fields.get("condition");
    if found.is_none() {
        fields.missing("condition", "write `condition: service_started`", &[]);
    }
    let required = fields.read("required", read::boolean).unwrap_or(true);
    let restart = fields.read("restart", read::boolean).unwrap_or(false);
    fields.finish(&[]);
    let condition = found.and_then(|at| Some((at.choice(&words)?, at)));
    Wanted { condition, required, restart, ..usual }
}
