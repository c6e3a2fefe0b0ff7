//! Questions about what commands wrote.

use super::Answer;
use super::kept::Columns;
use super::statement::{Statement, Value};
use crate::store::output::OutputColumns;
use crate::units::SessionId;

/// The statement that finds what a command wrote.
pub fn statement(session: SessionId) -> Statement {
    let columns = "session_id, at_ms, first, over, stretches, bytes";
    let mut it =
        Statement::from(format!("SELECT {columns} FROM session_output WHERE session_id = "));
    let session = it.value(Value::Text(session.to_string()));
    it.push(&session);
    it
}

/// What its row says.
pub fn answer<C: Columns>(rows: &[C]) -> Result<Answer, C::Fault> {
    let Some(row) = rows.first() else { return Ok(Answer::Output(None)) };
    let Some(session) = row.text(0)?.as_deref().and_then(SessionId::parse) else {
        return Ok(Answer::Output(None));
    };
    let number = |at| Ok(row.number(at)?.unwrap_or_default());
    let columns = OutputColumns {
        session,
        at: number(1)?,
        first: number(2)?,
        over: number(3)?,
        stretches: row.text(4)?.unwrap_or_default(),
        bytes: row.bytes(5)?.unwrap_or_default(),
    };
    Ok(Answer::Output(Some(Box::new(columns.written()))))
}
