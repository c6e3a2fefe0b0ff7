//! Questions about the chains of agents.

use super::kept::{Columns, page};
use super::statement::{Statement, Value};
use super::{Answer, LinksWanted, MOST, SaidWanted};
use crate::store::chains::{InteractionColumns, LinkColumns};
use crate::store::columns::signed;

/// The columns of a conversation, in the order in which they are read here.
const LINK: &str = "agent, conversation, number, process, session_id, resumes, first_ms, last_ms, \
    prompts, responses, CAST(state AS TEXT), CAST(continuation AS TEXT)";

/// The statement that finds conversations. Where instances share a database each has its own chains.
pub fn statement(wanted: &LinksWanted, instance: Option<&str>) -> Statement {
    let mut it = Statement::from(format!("SELECT {LINK} FROM agent_chains WHERE "));
    let numbers = [("number =", wanted.number), ("number <", wanted.before)]
        .map(|(compared, number)| (compared, number.map(|number| Value::Number(signed(number)))));
    let texts = [
        ("agent =", Some(wanted.agent.as_str())),
        ("instance =", instance),
        ("conversation =", wanted.id.as_deref()),
    ]
    .map(|(compared, text)| (compared, text.map(|text| Value::Text(plain(text)))));
    let mut and = "";
    for (compared, value) in texts.into_iter().chain(numbers) {
        let Some(value) = value else { continue };
        let value = it.value(value);
        it.push(&format!("{and}{compared} {value}"));
        and = " AND ";
    }
    let limit = wanted.limit.min(MOST) + 1;
    it.push(&format!(" ORDER BY number DESC LIMIT {limit}"));
    it
}

/// The columns of an interaction, in the order in which they are read here.
const SAID: &str = "key, agent, conversation, session_id, at_ms, origin, prompt, response, \
    CAST(metadata AS TEXT)";

/// The statement that finds what was asked and answered, newest first.
pub fn said(wanted: &SaidWanted, instance: Option<&str>) -> Statement {
    let mut it = Statement::from(format!("SELECT {SAID} FROM interactions WHERE "));
    let texts = [
        ("agent =", Some(wanted.agent.as_str())),
        (" AND instance =", instance),
        (" AND conversation =", wanted.conversation.as_deref()),
    ];
    for (compared, text) in texts {
        let Some(text) = text else { continue };
        let value = it.value(Value::Text(plain(text)));
        it.push(&format!("{compared} {value}"));
    }
    if let Some((at, key)) = wanted.before {
        let (at, key) = (it.value(Value::Number(at.0)), it.value(Value::Number(key)));
        it.push(&format!(" AND (at_ms < {at} OR at_ms = {at} AND key < {key})"));
    }
    let limit = wanted.limit.min(MOST) + 1;
    it.push(&format!(" ORDER BY at_ms DESC, key DESC LIMIT {limit}"));
    it
}

/// What its rows say.
pub fn said_answer<C: Columns>(rows: &[C], limit: u32) -> Result<Answer, C::Fault> {
    let interaction = |row: &C| {
        let text = |at| Ok(row.text(at)?.unwrap_or_default());
        let columns = InteractionColumns {
            key: row.number(0)?.unwrap_or_default(),
            agent: text(1)?,
            conversation: text(2)?,
            session: row.text(3)?,
            at: row.number(4)?.unwrap_or_default(),
            origin: text(5)?,
            prompt: row.text(6)?,
            response: row.text(7)?,
            metadata: text(8)?,
        };
        Ok(columns.interaction())
    };
    Ok(Answer::Interactions(page(rows, limit.min(MOST), interaction)?))
}

/// What its rows say.
pub fn answer<C: Columns>(rows: &[C], limit: u32) -> Result<Answer, C::Fault> {
    let link = |row: &C| {
        let text = |at| Ok(row.text(at)?.unwrap_or_default());
        let number = |at| Ok(row.number(at)?.unwrap_or_default());
        let columns = LinkColumns {
            agent: text(0)?,
            conversation: text(1)?,
            number: number(2)?,
            process: row.text(3)?,
            session: row.text(4)?,
            resumes: row.text(5)?,
            first: number(6)?,
            last: number(7)?,
            prompts: number(8)?,
            responses: number(9)?,
            state: text(10)?,
            continuation: text(11)?,
        };
        Ok(Some(columns.link()))
    };
    Ok(Answer::Conversations(page(rows, limit, link)?))
}

/// Nothing that is kept has a NUL character.
fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
