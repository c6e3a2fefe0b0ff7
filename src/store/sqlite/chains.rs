//! The chains of agents: what is written of them, and what a new life reads.

use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use crate::chains::chain::{KeptChain, Link};
use crate::chains::continuation::Continuation;
use crate::chains::interaction::Interaction;
use crate::store::chains::{
    InteractionColumns, LinkColumns, MOST_INTERACTIONS, MOST_LINKS, MOST_TOLD, MOST_WHOLE,
    continuation_json, kept, state_json,
};
use crate::store::columns::signed;
use crate::tokens::UsageKey;

/// Replaces what is kept of a conversation. What it worked on is added to, where memory let go of it.
pub fn put_link(db: &Connection, agent: &str, link: &Link) -> rusqlite::Result<()> {
    let continuation = match link.let_go {
        true => serde_json::to_string(&link.whole_work(&work(db, agent, &link.id)?)),
        false => Ok(continuation_json(link)),
    };
    db.prepare_cached(
        "INSERT INTO agent_chains (agent, conversation, number, process, session_id, resumes, \
         first_ms, last_ms, prompts, responses, state, continuation) VALUES (:agent, \
         :conversation, :number, :process, :session_id, :resumes, :first_ms, :last_ms, :prompts, \
         :responses, :state, :continuation) ON CONFLICT (agent, conversation) DO UPDATE SET \
         number = excluded.number, process = excluded.process, session_id = excluded.session_id, \
         resumes = excluded.resumes, first_ms = excluded.first_ms, last_ms = excluded.last_ms, \
         prompts = excluded.prompts, responses = excluded.responses, state = excluded.state, \
         continuation = excluded.continuation",
    )?
    .execute(named_params! {
        ":agent": agent,
        ":conversation": link.id,
        ":number": signed(link.number),
        ":process": link.process,
        ":session_id": link.session.map(|session| session.to_string()),
        ":resumes": link.resumes,
        ":first_ms": link.first.0,
        ":last_ms": link.last.0,
        ":prompts": signed(link.prompts),
        ":responses": signed(link.responses),
        ":state": state_json(link),
        ":continuation": continuation.unwrap_or_default(),
    })?;
    Ok(())
}

/// What is kept of what a conversation worked on.
fn work(db: &Connection, agent: &str, conversation: &str) -> rusqlite::Result<Continuation> {
    let kept: Option<String> = db
        .prepare_cached(
            "SELECT continuation FROM agent_chains WHERE agent = ?1 AND conversation = ?2",
        )?
        .query_row([agent, conversation], |row| row.get(0))
        .optional()?;
    Ok(kept.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

/// Replaces what is kept of an interaction.
pub fn put_interaction(db: &Connection, one: &Interaction) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO interactions (key, agent, conversation, session_id, at_ms, origin, prompt, \
         response, metadata) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (key) \
         DO UPDATE SET session_id = coalesce(excluded.session_id, interactions.session_id), \
         prompt = coalesce(excluded.prompt, interactions.prompt), \
         response = coalesce(excluded.response, interactions.response)",
    )?
    .execute(params![
        one.key.cast_signed(),
        one.agent,
        one.conversation,
        one.session.map(|session| session.to_string()),
        one.at.0,
        one.origin.as_str(),
        one.prompt,
        one.response,
        serde_json::Value::Object(one.metadata.clone()).to_string(),
    ])?;
    Ok(())
}

/// Forgets the chain of an agent.
pub fn reset(db: &Connection, agent: &str) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM agent_chains WHERE agent = ?1")?.execute([agent])?;
    db.prepare_cached("DELETE FROM interactions WHERE agent = ?1")?.execute([agent])?;
    Ok(())
}

/// The chains of earlier lives, the newest of each.
pub fn chains(db: &Connection) -> rusqlite::Result<Vec<(String, KeptChain)>> {
    let mut statement = db.prepare(
        "SELECT agent, conversation, number, process, session_id, resumes, first_ms, last_ms, \
         prompts, responses, state, CASE WHEN number > newest - ?2 THEN continuation ELSE '' END \
         FROM agent_chains JOIN (SELECT agent AS whose, max(number) AS newest FROM agent_chains \
         GROUP BY agent) ON agent = whose WHERE number = 1 OR number > newest - ?1 \
         ORDER BY agent, number",
    )?;
    let links =
        statement.query_map([MOST_LINKS, MOST_WHOLE], link)?.collect::<rusqlite::Result<_>>()?;
    let mut statement = db.prepare(
        "SELECT key, agent, conversation, session_id, at_ms, origin, prompt, response, metadata \
         FROM (SELECT *, row_number() OVER (PARTITION BY agent ORDER BY at_ms DESC, key) AS place \
         FROM interactions) WHERE place <= ?1 ORDER BY at_ms, key",
    )?;
    let interactions =
        statement.query_map([MOST_INTERACTIONS], interaction)?.collect::<rusqlite::Result<_>>()?;
    Ok(kept(links, interactions))
}

/// The conversations of the newest responses and prompts, newest last.
pub fn told(db: &Connection) -> rusqlite::Result<Vec<(UsageKey, String)>> {
    let mut statement = db.prepare(
        "SELECT key, conversation FROM \
         (SELECT * FROM (SELECT key, conversation, stored_ms AS ms FROM token_usage \
         ORDER BY stored_ms DESC LIMIT ?1) UNION ALL \
         SELECT * FROM (SELECT key, conversation, at_ms AS ms FROM interactions \
         ORDER BY at_ms DESC LIMIT ?1)) ORDER BY ms DESC LIMIT ?1",
    )?;
    let rows = statement.query_map([MOST_TOLD], |row| {
        Ok((UsageKey(row.get::<_, i64>(0)?.cast_unsigned()), row.get(1)?))
    })?;
    let mut told = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    told.reverse();
    Ok(told)
}

fn link(row: &Row<'_>) -> rusqlite::Result<LinkColumns> {
    Ok(LinkColumns {
        agent: row.get(0)?,
        conversation: row.get(1)?,
        number: row.get(2)?,
        process: row.get(3)?,
        session: row.get(4)?,
        resumes: row.get(5)?,
        first: row.get(6)?,
        last: row.get(7)?,
        prompts: row.get(8)?,
        responses: row.get(9)?,
        state: row.get(10)?,
        continuation: row.get(11)?,
    })
}

fn interaction(row: &Row<'_>) -> rusqlite::Result<InteractionColumns> {
    Ok(InteractionColumns {
        key: row.get(0)?,
        agent: row.get(1)?,
        conversation: row.get(2)?,
        session: row.get(3)?,
        at: row.get(4)?,
        origin: row.get(5)?,
        prompt: row.get(6)?,
        response: row.get(7)?,
        metadata: row.get(8)?,
    })
}
