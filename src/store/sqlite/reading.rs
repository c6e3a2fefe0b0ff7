//! What is asked of the history, answered.

use rusqlite::types::{ToSql, ToSqlOutput};
use rusqlite::{Connection, Row, params_from_iter};

use super::retention;
use crate::ledger::session::Session;
use crate::store::reading::kept::{self, Columns};
use crate::store::reading::statement::{self, Value};
use crate::store::reading::{Answer, Question};

/// Answers a question.
pub fn answer(db: &mut Connection, question: &Question) -> rusqlite::Result<Answer> {
    if let Question::Forget { whose, step } = question {
        return Ok(Answer::Forgotten(retention::forget(db, whose, *step)?));
    }
    let asked = statement::of(question);
    let mut statement = db.prepare_cached(&asked.text)?;
    let width = statement.column_count();
    let found = statement.query_map(params_from_iter(&asked.values), |row| Kept::of(row, width))?;
    let rows: Vec<Kept> = found.collect::<rusqlite::Result<_>>()?;
    kept::answer(question, &rows)
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
