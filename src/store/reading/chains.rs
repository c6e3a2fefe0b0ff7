//! Questions about the chains of agents.

use super::Answer;
use super::kept::Columns;
use super::statement::{Statement, Value};

/// The statement that finds the number of a conversation.
pub fn number(agent: &str, id: &str) -> Statement {
    let mut it = Statement::from("SELECT number FROM agent_chains WHERE agent = ".to_owned());
    let agent = it.value(Value::Text(plain(agent)));
    it.push(&format!("{agent} AND conversation = "));
    let id = it.value(Value::Text(plain(id)));
    it.push(&format!("{id} ORDER BY last_ms DESC LIMIT 1"));
    it
}

/// What its row says.
pub fn answer<C: Columns>(rows: &[C]) -> Result<Answer, C::Fault> {
    let number = rows.first().map(|row| row.number(0)).transpose()?.flatten();
    Ok(Answer::Number(number.map(i64::cast_unsigned)))
}

/// Nothing that is kept has a NUL character.
fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
