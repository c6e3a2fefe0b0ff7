//! `store:`, where history is kept.

use std::path::Path;

use super::cursor::{Cursor, Fields};
use super::plan::{PostgresPlan, Roots, StorePlan};
use super::postgres::{self, UrlFault};
use super::read;
use super::surroundings::Surroundings;

/// What stands behind `store`; a file in the state folder where nothing does.
pub(super) fn store(
    fields: &mut Fields<'_>,
    state_dir: &Path,
    around: &Surroundings<'_>,
) -> StorePlan {
    let usual = || StorePlan::Sqlite(state_dir.join("history.db"));
    let Some(at) = fields.get("store") else { return usual() };
    if at.is_map() {
        return at
            .fields("a store")
            .and_then(|fields| file_or_database(fields, around))
            .unwrap_or_else(usual);
    }
    if at.scalar().is_some_and(postgres::is_url) {
        return database(&at, around).map_or_else(usual, in_database);
    }
    let what = "`memory`, `postgres://USER@HOST/DATABASE`, or `sqlite: PATH` below it";
    let memory = |text: &str| (text == "memory").then_some(StorePlan::Memory);
    let advice =
        |text: &str| (text == "sqlite").then(|| "write `store: {sqlite: history.db}`".to_owned());
    at.parsed(what, memory, advice).unwrap_or_else(usual)
}

fn in_database(plan: PostgresPlan) -> StorePlan {
    StorePlan::Postgres(Box::new(plan))
}

fn file_or_database(mut fields: Fields<'_>, around: &Surroundings<'_>) -> Option<StorePlan> {
    let (file, url) = (fields.get("sqlite"), fields.get("postgres"));
    let password = fields.get("password_file");
    if file.is_none() && url.is_none() {
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
