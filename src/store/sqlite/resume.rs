//! What a new life reads of the lives before it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use rusqlite::{Connection, Row};
use serde_json::Value;

use super::chains;
use crate::clock;
use crate::ledger::entry::OpenSession;
use crate::ledger::session::{SessionKind, SessionState};
use crate::store::MOST_HELD;
use crate::tokens::{
    Cost, CountedBefore, FileProgress, MOST_FILES, MOST_SPENT, SPENT_OF_LATE, SpentBefore,
    TokenCounts, TokenResume, UsageKey, UsageSource,
};
use crate::units::{Money, SessionId, Wall};

/// Responses whose keys are read at the start, the newest first: 8 MB, and about three years of
/// an agent that is never idle.
const MAX_SEEN: u32 = 1_000_000;
/// Log files whose progress is kept and read at the start, the newest first.
pub const MOST_PROGRESS: u32 = MOST_FILES as u32;
/// How far back it is read what was counted of a conversation: one that goes on after a longer rest
/// begins anew, which the rule of sources stands.
const COUNTED_MS: i64 = 7 * 86_400_000;
/// Open sessions that are found at one start; the next start finds the rest.
const MAX_OPEN: u32 = 10_000;

/// Everything that the tailer has to know.
pub fn token_resume(db: &Connection) -> rusqlite::Result<TokenResume> {
    Ok(TokenResume {
        progress: progress(db)?,
        seen: seen(db)?,
        told: chains::told(db)?,
        elsewhere: elsewhere(db)?,
        counted: counted(db)?,
        spent: spent(db)?,
    })
}

/// Sessions without an end. Their next sequence number is the one that can be stored: what the
/// projection says may run ahead of it, where events had to be dropped.
pub fn open_sessions(db: &Connection) -> rusqlite::Result<Vec<OpenSession>> {
    let mut statement = db.prepare(
        "SELECT id, kind, state, process, started_ms, (SELECT max(sequence) + 1 FROM session_events \
         WHERE session_id = id), max(last_activity_ms, coalesce((SELECT max(at_ms) FROM \
         session_events WHERE session_id = id), 0)) FROM sessions WHERE ended_ms IS NULL \
         ORDER BY started_ms LIMIT ?1",
    )?;
    let rows = statement.query_map([MAX_OPEN], open_session)?;
    rows.filter_map(Result::transpose).collect()
}

/// What the newest ended sessions held, oldest first.
pub fn held_before(db: &Connection) -> rusqlite::Result<Vec<(String, Value)>> {
    let mut statement = db.prepare(
        "SELECT s.process, e.detail FROM (SELECT id, process, ended_ms FROM sessions WHERE ended_ms \
         IS NOT NULL ORDER BY ended_ms DESC LIMIT ?1) AS s JOIN session_events AS e ON \
         e.session_id = s.id AND e.event_type = 'memory_history' ORDER BY s.ended_ms",
    )?;
    let rows = statement.query_map([MOST_HELD], |row| {
        let (process, detail): (String, String) = (row.get(0)?, row.get(1)?);
        Ok((process, serde_json::from_str(&detail).unwrap_or_default()))
    })?;
    rows.collect()
}

/// `None` for a row that no version of ours has written.
fn open_session(row: &Row<'_>) -> rusqlite::Result<Option<OpenSession>> {
    let (id, kind, state): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let (process, started) = (row.get(3)?, Wall(row.get(4)?));
    let events = row.get::<_, Option<i64>>(5)?.unwrap_or(0).cast_unsigned();
    let last_activity = Wall(row.get(6)?);
    let known = (SessionId::parse(&id), SessionKind::parse(&kind), SessionState::parse(&state));
    let (Some(id), Some(kind), Some(state)) = known else { return Ok(None) };
    Ok(Some(OpenSession {
        id,
        kind,
        state,
        process,
        started,
        last_activity,
        events,
        ours: true,
        kept: None,
    }))
}

fn progress(db: &Connection) -> rusqlite::Result<Vec<FileProgress>> {
    let mut statement = db.prepare(
        "SELECT device, inode, path, read_offset FROM file_progress \
         ORDER BY stored_ms DESC LIMIT ?1",
    )?;
    let rows = statement.query_map([MOST_PROGRESS], |row| {
        Ok(FileProgress {
            device: row.get::<_, i64>(0)?.cast_unsigned(),
            inode: row.get::<_, i64>(1)?.cast_unsigned(),
            path: PathBuf::from(OsString::from_vec(row.get(2)?)),
            offset: row.get::<_, i64>(3)?.cast_unsigned(),
        })
    })?;
    rows.collect()
}

fn seen(db: &Connection) -> rusqlite::Result<Vec<UsageKey>> {
    let mut statement = db.prepare(
        "SELECT key, stored_ms FROM token_usage UNION SELECT key, stored_ms FROM seen_responses \
         ORDER BY stored_ms DESC LIMIT ?1",
    )?;
    let rows = statement
        .query_map([MAX_SEEN], |row| Ok(UsageKey(row.get::<_, i64>(0)?.cast_unsigned())))?;
    rows.collect()
}

fn elsewhere(db: &Connection) -> rusqlite::Result<Vec<UsageKey>> {
    let mut statement = db.prepare(
        "SELECT key FROM token_usage WHERE source <> 'transcript' ORDER BY stored_ms DESC LIMIT ?1",
    )?;
    let rows = statement
        .query_map([MAX_SEEN], |row| Ok(UsageKey(row.get::<_, i64>(0)?.cast_unsigned())))?;
    rows.collect()
}

fn counted(db: &Connection) -> rusqlite::Result<Vec<CountedBefore>> {
    let mut statement = db.prepare(
        "SELECT conversation, source, sum(tokens_input + tokens_output + tokens_cache_read \
         + tokens_cache_write_5m + tokens_cache_write_1h + tokens_cache_write), sum(withheld), \
         max(at_ms) FROM token_usage WHERE conversation <> '' AND stored_ms > \
         (SELECT max(stored_ms) FROM token_usage) - ?1 \
         GROUP BY conversation, source ORDER BY max(stored_ms) DESC LIMIT ?2",
    )?;
    let rows = statement.query_map([COUNTED_MS, i64::from(MAX_OPEN)], |row| {
        let known = UsageSource::parse(&row.get::<_, String>(1)?);
        Ok(known.map(|source| {
            (source, row.get(0), row.get::<_, i64>(2), row.get::<_, i64>(3), row.get(4))
        }))
    })?;
    let mut found = Vec::new();
    for row in rows {
        let Some((source, conversation, tokens, withheld, latest)) = row? else { continue };
        found.push(CountedBefore {
            conversation: conversation?,
            source,
            tokens: tokens?.cast_unsigned(),
            withheld: withheld?.cast_unsigned(),
            latest: Wall(latest?),
        });
    }
    Ok(found)
}

/// Minute by minute, by the agents' clocks.
fn spent(db: &Connection) -> rusqlite::Result<Vec<SpentBefore>> {
    let late = i64::try_from(SPENT_OF_LATE.as_millis()).unwrap_or(i64::MAX);
    let since = clock::now().wall.0.saturating_sub(late);
    let mut statement = db.prepare(
        "SELECT process, agent, at_ms / 60000, sum(tokens_input), sum(tokens_output), \
         sum(tokens_cache_read), sum(tokens_cache_write_5m), sum(tokens_cache_write_1h), \
         sum(tokens_cache_write), sum(cost_nanodollars) FROM token_usage \
         WHERE stored_ms > ?1 AND at_ms > ?1 \
         GROUP BY process, agent, at_ms / 60000, cost_nanodollars IS NULL \
         ORDER BY at_ms / 60000 DESC LIMIT ?2",
    )?;
    let rows = statement.query_map([since, i64::from(MOST_SPENT)], |row| {
        let count = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
        Ok(SpentBefore {
            process: row.get(0)?,
            agent: row.get(1)?,
            minute: Wall(row.get::<_, i64>(2)?.saturating_mul(60_000)),
            tokens: TokenCounts {
                input: count(3)?,
                output: count(4)?,
                cache_read: count(5)?,
                cache_write_5m: count(6)?,
                cache_write_1h: count(7)?,
                cache_write: count(8)?,
            },
            cost: row
                .get::<_, Option<i64>>(9)?
                .map_or(Cost::Unpriced, |it| Cost::Priced(Money(it))),
        })
    })?;
    rows.collect()
}
