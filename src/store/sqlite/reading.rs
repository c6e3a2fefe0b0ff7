//! What is asked of the history, answered.

use std::time::Duration;

use rusqlite::types::{ToSql, ToSqlOutput};
use rusqlite::{Connection, Row, ffi, params_from_iter};

use super::retention;
use crate::clock;
use crate::ledger::session::{Session, SessionState};
use crate::store::reading::kept::{self, Columns};
use crate::store::reading::statement::{self, Statement, Value};
use crate::store::reading::statistics::{self, Groups, Tally};
use crate::store::reading::{Answer, Question};
use crate::units::Wall;

/// How long commits may wait for a count.
const LONGEST: Duration = Duration::from_secs(2);

/// Rows between two looks at the clock.
const LOOK: u32 = 1_024;

/// Answers a question.
pub fn answer(db: &mut Connection, question: &Question) -> rusqlite::Result<Answer> {
    if let Question::Forget { whose, step } = question {
        return Ok(Answer::Forgotten(retention::forget(db, whose, *step)?));
    }
    if let Question::Statistics { by, since, until } = question {
        let each = statistics::each(*by, *since, *until);
        return Ok(Answer::Statistics(counted(db, &each, LONGEST)?));
    }
    let asked = statement::of(question);
    let mut statement = db.prepare_cached(&asked.text)?;
    let width = statement.column_count();
    let found = statement.query_map(params_from_iter(&asked.values), |row| Kept::of(row, width))?;
    let rows: Vec<Kept> = found.collect::<rusqlite::Result<_>>()?;
    kept::answer(question, &rows)
}

/// Counts sessions one by one from the index, so that it can be given up between two of them.
fn counted(db: &Connection, each: &Statement, most: Duration) -> rusqlite::Result<Groups> {
    let until = clock::now().mono.after(most);
    let mut statement = db.prepare_cached(&each.text)?;
    let mut rows = statement.query(params_from_iter(&each.values))?;
    let (mut tally, mut read) = (Tally::default(), 0_u32);
    while let Some(row) = rows.next()? {
        read += 1;
        if read.is_multiple_of(LOOK) && clock::now().mono > until {
            return Err(too_long(most));
        }
        let name = row.get_ref(0)?.as_str_or_null()?.unwrap_or_default();
        let Some(state) = SessionState::parse(row.get_ref(1)?.as_str()?) else { continue };
        tally.add_one(name, state, row.get(2)?, row.get(3)?, Wall(row.get(4)?));
    }
    Ok(tally.groups())
}

fn too_long(most: Duration) -> rusqlite::Error {
    let why = format!(
        "counting took longer than {} s, and commits wait for it; ask for a shorter span of time",
        most.as_secs()
    );
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_INTERRUPT), Some(why))
}

/// Makes what is kept of a session what its events tell.
pub fn repair(db: &Connection, told: &Session) -> rusqlite::Result<()> {
    let repair = statement::repair(told);
    db.execute(&repair.text, params_from_iter(&repair.values))?;
    Ok(())
}

/// A row by itself: those of the database are gone with the next one.
struct Kept(Vec<rusqlite::types::Value>);

impl Kept {
    fn of(row: &Row<'_>, width: usize) -> rusqlite::Result<Self> {
        (0..width).map(|at| row.get(at)).collect::<rusqlite::Result<_>>().map(Self)
    }
}

impl Columns for Kept {
    type Fault = rusqlite::Error;

    fn text(&self, at: usize) -> rusqlite::Result<Option<String>> {
        Ok(match self.0.get(at) {
            Some(rusqlite::types::Value::Text(text)) => Some(text.clone()),
            _ => None,
        })
    }

    fn number(&self, at: usize) -> rusqlite::Result<Option<i64>> {
        Ok(match self.0.get(at) {
            Some(rusqlite::types::Value::Integer(number)) => Some(*number),
            _ => None,
        })
    }

    fn bytes(&self, at: usize) -> rusqlite::Result<Option<Vec<u8>>> {
        Ok(match self.0.get(at) {
            Some(rusqlite::types::Value::Blob(bytes)) => Some(bytes.clone()),
            _ => None,
        })
    }

    fn real(&self, at: usize) -> rusqlite::Result<Option<f64>> {
        Ok(match self.0.get(at) {
            Some(rusqlite::types::Value::Real(number)) => Some(*number),
            _ => None,
        })
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Text(text) => text.to_sql(),
            Self::Number(number) => number.to_sql(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;
    use crate::store::examples::{bare, batch};
    use crate::store::reading::statistics::By;
    use crate::store::sqlite::SqliteStore;

    #[test]
    fn a_count_is_read_from_its_index_and_given_up_where_it_takes_too_long() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut store = SqliteStore::open(&folder.path().join("h.db")).expect("opened");
        for at in 0..40 {
            let sessions = (0..100).map(|one| bare(at * 100 + one));
            let rows = sessions.map(|one| crate::ledger::row::Row::Session(Box::new(one)));
            store.commit(&[batch(rows.collect())]).expect("committed");
        }
        let db = &mut store.file().expect("open").db;
        let each = statistics::each(By::User, Some(Wall(1)), None);
        let counted_all = counted(db, &each, LONGEST).expect("counted");
        assert_eq!(counted_all[0].1.sessions(), 4_000);
        let given_up = counted(db, &each, Duration::ZERO).expect_err("no time");
        assert!(given_up.to_string().contains("shorter span"), "{given_up}");
        let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {}", each.text)).expect("a plan");
        let lines = plan.query_map(params_from_iter(&each.values), |row| row.get::<_, String>(3));
        let lines: Vec<String> = lines.expect("planned").flatten().collect();
        let covered = "USING COVERING INDEX sessions_counted";
        assert!(lines.iter().any(|line| line.contains(covered)), "{lines:?}");
    }
}
