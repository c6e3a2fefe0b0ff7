//! The chains of agents of this instance: what is written of them, and what a new life reads.

use tokio_postgres::{Error, Row};

use super::fault::Fault;
use super::link::Link as Server;
use super::rows::{Stamp, Value, Write, text};
use crate::chains::chain::{KeptChain, Link};
use crate::chains::continuation::{MOST_FILES, MOST_TASKS, MOST_TOOLS};
use crate::chains::interaction::Interaction;
use crate::store::chains::{
    InteractionColumns, LinkColumns, MOST_INTERACTIONS, MOST_LINKS, MOST_TOLD, MOST_WHOLE,
    continuation_json, kept, state_json,
};
use crate::store::columns::signed;
use crate::store::life::Identity;
use crate::tokens::UsageKey;

macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$(Box::new($value) as Value),*] };
}

/// What is kept of the names of one kind with those that come, each once and the newest of them.
macro_rules! merged {
    ($kind:literal, $most:literal) => {
        concat!(
            "(SELECT coalesce(json_agg(name ORDER BY place), '[]') FROM (SELECT name, max(place) \
             AS place FROM (SELECT value AS name, ordinality AS place FROM \
             json_array_elements_text(agent_chains.continuation->'",
            $kind,
            "') WITH ORDINALITY UNION ALL SELECT value, ordinality + 100000 FROM \
             json_array_elements_text(excluded.continuation->'",
            $kind,
            "') WITH ORDINALITY) AS each GROUP BY name ORDER BY max(place) DESC LIMIT ",
            $most,
            ") AS newest)"
        )
    };
}

// The numbers in the statement below; a literal is what it is put together from.
const _: () = assert!(MOST_FILES == 100 && MOST_TOOLS == 50 && MOST_TASKS == 50);

/// Replaces what is kept of a conversation. What it worked on is added to, where memory let go of it.
pub fn put_link(agent: &str, link: &Link, stamp: &Stamp) -> Write {
    Write {
        statement: concat!(
            "INSERT INTO agent_chains (instance, agent, conversation, number, process, \
             session_id, resumes, first_ms, last_ms, prompts, responses, state, \
             continuation) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, \
             $12::text::json, $13::text::json) ON CONFLICT (instance, agent, conversation) \
             DO UPDATE SET number = excluded.number, process = excluded.process, \
             session_id = excluded.session_id, resumes = excluded.resumes, \
             first_ms = excluded.first_ms, last_ms = excluded.last_ms, \
             prompts = excluded.prompts, responses = excluded.responses, \
             state = excluded.state, continuation = CASE WHEN $14 THEN json_build_object('files', ",
            merged!("files", "100"),
            ", 'tools', ",
            merged!("tools", "50"),
            ", 'tasks', ",
            merged!("tasks", "50"),
            ") ELSE excluded.continuation END"
        ),
        values: values![
            stamp.instance(),
            text(agent),
            text(&link.id),
            signed(link.number),
            link.process.as_deref().map(text),
            link.session.map(|session| session.to_string()),
            link.resumes.as_deref().map(text),
            link.first.0,
            link.last.0,
            signed(link.prompts),
            signed(link.responses),
            state_json(link),
            continuation_json(link),
            link.let_go,
        ],
    }
}

/// Replaces what is kept of an interaction.
pub fn put_interaction(one: &Interaction, stamp: &Stamp) -> Write {
    Write {
        statement: "INSERT INTO interactions (instance, key, agent, conversation, session_id, \
                    at_ms, origin, prompt, response, metadata) VALUES ($1, $2, $3, $4, $5, $6, \
                    $7, $8, $9, $10::text::json) ON CONFLICT (instance, key) DO UPDATE SET \
                    session_id = coalesce(excluded.session_id, interactions.session_id), \
                    prompt = coalesce(excluded.prompt, interactions.prompt), \
                    response = coalesce(excluded.response, interactions.response)",
        values: values![
            stamp.instance(),
            one.key.cast_signed(),
            text(&one.agent),
            text(&one.conversation),
            one.session.map(|session| session.to_string()),
            one.at.0,
            one.origin.as_str(),
            one.prompt.as_deref().map(text),
            one.response.as_deref().map(text),
            serde_json::Value::Object(one.metadata.clone()).to_string(),
        ],
    }
}

/// Forgets the chain of an agent, and what was said in it.
pub fn reset(agent: &str, stamp: &Stamp) -> Write {
    Write {
        statement: "WITH said AS (DELETE FROM interactions WHERE instance = $1 AND agent = $2) \
                    DELETE FROM agent_chains WHERE instance = $1 AND agent = $2",
        values: values![stamp.instance(), text(agent)],
    }
}

/// The chains of earlier lives, the newest of each.
pub async fn chains(server: &mut Server, us: &Identity) -> Result<Vec<(String, KeptChain)>, Fault> {
    let instance = &us.life().instance;
    let client = server.client();
    let links = client
        .query(
            "SELECT agent, conversation, number, process, session_id, resumes, first_ms, last_ms, \
             prompts, responses, state::text, CASE WHEN number > newest - $3 \
             THEN continuation::text ELSE '' END FROM agent_chains JOIN (SELECT agent AS whose, \
             max(number) AS newest FROM agent_chains WHERE instance = $1 GROUP BY agent) AS n \
             ON agent = whose WHERE instance = $1 AND (number = 1 OR number > newest - $2) \
             ORDER BY agent, number",
            &[instance, &MOST_LINKS, &MOST_WHOLE],
        )
        .await?;
    let interactions = client
        .query(
            "SELECT key, agent, conversation, session_id, at_ms, origin, prompt, response, \
             metadata::text FROM (SELECT *, row_number() OVER (PARTITION BY agent ORDER BY \
             at_ms DESC, key) AS place FROM interactions WHERE instance = $1) AS newest \
             WHERE place <= $2 ORDER BY at_ms, key",
            &[instance, &MOST_INTERACTIONS],
        )
        .await?;
    let links: Result<Vec<_>, Error> = links.iter().map(link).collect();
    let interactions: Result<Vec<_>, Error> = interactions.iter().map(interaction).collect();
    Ok(kept(links?, interactions?))
}

/// The conversations of the newest responses and prompts, newest last.
pub async fn told(server: &mut Server, us: &Identity) -> Result<Vec<(UsageKey, String)>, Fault> {
    let rows = server
        .client()
        .query(
            "SELECT key, conversation FROM \
             ((SELECT key, conversation, stored_ms AS ms FROM token_usage \
             WHERE supervisor IN (SELECT life FROM supervisors WHERE instance = $1) \
             ORDER BY stored_ms DESC LIMIT $2) UNION ALL \
             (SELECT key, conversation, at_ms AS ms FROM interactions WHERE instance = $1 \
             ORDER BY at_ms DESC LIMIT $2)) AS told ORDER BY ms DESC LIMIT $2",
            &[&us.life().instance, &MOST_TOLD],
        )
        .await?;
    let told =
        |row: &Row| Ok((UsageKey(row.try_get::<_, i64>(0)?.cast_unsigned()), row.try_get(1)?));
    let told: Result<Vec<_>, Error> = rows.iter().rev().map(told).collect();
    Ok(told?)
}

fn link(row: &Row) -> Result<LinkColumns, Error> {
    Ok(LinkColumns {
        agent: row.try_get(0)?,
        conversation: row.try_get(1)?,
        number: row.try_get(2)?,
        process: row.try_get(3)?,
        session: row.try_get(4)?,
        resumes: row.try_get(5)?,
        first: row.try_get(6)?,
        last: row.try_get(7)?,
        prompts: row.try_get(8)?,
        responses: row.try_get(9)?,
        state: row.try_get(10)?,
        continuation: row.try_get(11)?,
    })
}

fn interaction(row: &Row) -> Result<InteractionColumns, Error> {
    Ok(InteractionColumns {
        key: row.try_get(0)?,
        agent: row.try_get(1)?,
        conversation: row.try_get(2)?,
        session: row.try_get(3)?,
        at: row.try_get(4)?,
        origin: row.try_get(5)?,
        prompt: row.try_get(6)?,
        response: row.try_get(7)?,
        metadata: row.try_get(8)?,
    })
}
