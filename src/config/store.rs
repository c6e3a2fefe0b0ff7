//! `store:`, where history is kept.

use std::path::Path;

use super::cursor::{Cursor, Fields};
use super::plan::{PostgresPlan, Roots, StorePlan};
use super::postgres::{self, UrlFault};
use super::read;
use super::surroundings::Surroundings;
use crate::units::Bytes;

/// The least and the most that the file may hold where history waits while its store is away.
const SPOOL: (Bytes, Bytes) = (Bytes::mib(1), Bytes::mib(1024));

/// The least and the most that is kept of what a command wrote.
const OUTPUT: (Bytes, Bytes) = (Bytes(1 << 10), Bytes::mib(1));

/// What stands behind `store`.
pub(super) struct Kept {
    /// Where history is kept: a file in the state folder where nothing is said.
    pub(super) store: StorePlan,
    /// How large the spool may be.
    pub(super) spool: Option<Bytes>,
    /// How much is kept of what a command wrote.
    pub(super) output: Option<Bytes>,
}

/// What stands behind `store`.
pub(super) fn store(fields: &mut Fields<'_>, state_dir: &Path, around: &Surroundings<'_>) -> Kept {
    let usual = StorePlan::Sqlite(state_dir.join("history.db"));
    let (spool, output) = (Some(StorePlan::SPOOL), Some(StorePlan::OUTPUT));
    let mut kept = Kept { store: usual, spool, output };
    let Some(at) = fields.get("store") else { return kept };
    let plan = if at.is_map() {
        at.fields("a store").and_then(|fields| file_or_database(fields, &mut kept, around))
    } else if at.scalar().is_some_and(postgres::is_url) {
        database(&at, around).map(in_database)
    } else {
        let what = "`memory`, `postgres://USER@HOST/DATABASE`, or `sqlite: PATH` below it";
        let memory = |text: &str| (text == "memory").then_some(StorePlan::Memory);
        let advice = |text: &str| {
            (text == "sqlite").then(|| "write `store: {sqlite: history.db}`".to_owned())
        };
        at.parsed(what, memory, advice)
    };
    kept.store = plan.unwrap_or(kept.store);
    kept
}

/// A size within these bounds, or `false`.
fn size(at: &Cursor<'_>, (least, most): (Bytes, Bytes)) -> Option<Option<Bytes>> {
    read::unless_off(at, |at| read::bytes_within(at, least, most))
}

fn in_database(plan: PostgresPlan) -> StorePlan {
    StorePlan::Postgres(Box::new(plan))
}

/// Nothing where only sizes are spoken of, or where something is wrong.
fn file_or_database(
    mut fields: Fields<'_>,
    kept: &mut Kept,
    around: &Surroundings<'_>,
) -> Option<StorePlan> {
    let (file, url) = (fields.get("sqlite"), fields.get("postgres"));
    let password = fields.get("password_file");
    let sizes = [("spool", SPOOL, &mut kept.spool), ("output", OUTPUT, &mut kept.output)];
    let mut sized = false;
    for (name, bounds, place) in sizes {
        let Some(at) = fields.get(name) else { continue };
        sized = true;
        *place = size(&at, bounds).unwrap_or(*place);
    }
    if file.is_none() && url.is_none() && (!sized || password.is_some()) {
        let advice = "write `sqlite: PATH`, `postgres: URL`, or `store: memory`";
        fields.missing("sqlite", advice, &[]);
    }
    fields.finish(&[("url", "write `postgres: URL`"), ("path", "write `sqlite: PATH`")]);
    let Some(url) = url else {
        if let (Some(_), Some(password)) = (&file, password) {
            password.fault("only a database has a password", "remove it, or add `postgres: URL`");
        }
        return read::path(&file?, around).map(StorePlan::Sqlite);
    };
    if let Some(file) = file {
        file.fault("history is kept in one place", "keep either `sqlite` or `postgres`");
    }
    let mut plan = database(&url, around)?;
    plan.password_file = password.and_then(|at| read::path(&at, around));
    if let (Some(_), Some(_)) = (&plan.password, &plan.password_file) {
        url.fault("the password is given twice", "keep `password_file`");
    }
    Some(in_database(plan))
}

/// What a URL says. A relative path in it begins in the folder of the file, as all others do.
fn database(at: &Cursor<'_>, around: &Surroundings<'_>) -> Option<PostgresPlan> {
    match postgres::parse(at.text("the URL of a database")?) {
        Ok(mut plan) => {
            if let Roots::File(path) = &mut plan.roots {
                *path = around.folder.join(&*path);
            }
            Some(plan)
        }
        Err(UrlFault { message, advice }) => {
            at.fault(message, advice);
            None
        }
    }
}
