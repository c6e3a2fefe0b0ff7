//! What a new life reads of the lives before it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use serde_json::Value;
use tokio_postgres::{Error, Row};

use super::chains;
use super::fault::Fault;
use super::link::Link;
use super::lives::{self, HOUSE};
use crate::clock;
use crate::ledger::entry::OpenSession;
use crate::ledger::session::{SessionKind, SessionState};
use crate::store::MOST_HELD;
use crate::store::life::Identity;
use crate::tokens::{
    Cost, CountedBefore, FileProgress, MOST_FILES, MOST_SPENT, SPENT_OF_LATE, SpentBefore,
    TokenCounts, TokenResume, UsageKey, UsageSource,
};
use crate::units::{Money, SessionId, Wall};

/// Responses whose keys are read at the start, the newest first: 8 MB.
const MAX_SEEN: i64 = 1_000_000;
/// How far back it is read what was counted of a conversation: one that goes on after a longer rest
/// begins anew, which the rule of sources stands.
const COUNTED_MS: i64 = 7 * 86_400_000;
/// Open sessions that are taken over at one start; the next start finds the rest.
const MAX_OPEN: i64 = 10_000;
/// The lock of [`HOUSE`] under which sessions are claimed.
const CLAIMING: i32 = 3;
/// Log files whose progress is kept and read at the start, the newest first.
pub const MOST_PROGRESS: i64 = MOST_FILES as i64;

/// Sessions that lives which are over left open. They are claimed as they are found, so that of many
/// supervisors that start at once each closes its own share. Their next sequence number is the one
/// that can be stored.
pub async fn open_sessions(link: &mut Link, us: &Identity) -> Result<Vec<OpenSession>, Fault> {
    let ours = us.life().id.to_string();
    let transaction = link.client().transaction().await?;
    let over = lives::over(&transaction, us).await?;
    if !over.is_empty() {
        // One after the other: two that claim the same rows could wait for each other.
        let lock = format!("SELECT pg_advisory_xact_lock({HOUSE}, {CLAIMING})");
        transaction.batch_execute(&lock).await?;
    }
    for life in over {
        transaction
            .execute(
                "UPDATE sessions SET claimed_by = $1 WHERE ended_ms IS NULL \
                 AND coalesce(claimed_by, supervisor) = $2 AND id IN (SELECT id FROM sessions \
                 WHERE ended_ms IS NULL AND coalesce(claimed_by, supervisor) = $2 \
                 ORDER BY started_ms LIMIT $3)",
                &[&ours, &life, &MAX_OPEN],
            )
            .await?;
    }
    let rows = transaction
        .query(
            "SELECT id, kind, state, process, started_ms, (SELECT max(sequence) + 1 FROM \
             session_events WHERE session_id = id) AS events, greatest(last_activity_ms, (SELECT \
             max(at_ms) FROM session_events WHERE session_id = id)) AS last_ms, coalesce((SELECT \
             instance = $3 FROM supervisors WHERE life = supervisor), false) AS ours FROM sessions \
             WHERE ended_ms IS NULL AND claimed_by = $1 ORDER BY started_ms LIMIT $2",
            &[&ours, &MAX_OPEN, &us.life().instance],
        )
        .await?;
    transaction.commit().await?;
    let sessions: Result<Vec<_>, Error> =
        rows.iter().filter_map(|row| open_session(row).transpose()).collect();
    Ok(sessions?)
}

/// What the newest ended sessions of this instance held, oldest first.
pub async fn held_before(link: &mut Link, us: &Identity) -> Result<Vec<(String, Value)>, Fault> {
    let rows = link
        .client()
        .query(
            "SELECT s.process, e.detail::text FROM (SELECT id, process, ended_ms FROM sessions \
             WHERE ended_ms IS NOT NULL AND supervisor IN (SELECT life FROM supervisors WHERE \
             instance = $1) ORDER BY ended_ms DESC LIMIT $2) AS s JOIN session_events AS e ON \
             e.session_id = s.id AND e.event_type = 'memory_history' ORDER BY s.ended_ms",
            &[&us.life().instance, &i64::from(MOST_HELD)],
        )
        .await?;
    let held: Result<Vec<_>, Error> = rows.iter().map(held).collect();
    Ok(held?)
}

fn held(row: &Row) -> Result<(String, Value), Error> {
    let detail: &str = row.try_get(1)?;
    Ok((row.try_get(0)?, serde_json::from_str(detail).unwrap_or_default()))
}

/// `None` for a row that no version of ours has written.
fn open_session(row: &Row) -> Result<Option<OpenSession>, Error> {
    let known = (
        SessionId::parse(row.try_get("id")?),
        SessionKind::parse(row.try_get("kind")?),
        SessionState::parse(row.try_get("state")?),
    );
    let (Some(id), Some(kind), Some(state)) = known else { return Ok(None) };
    let events = row.try_get::<_, Option<i64>>("events")?.unwrap_or(0).cast_unsigned();
    let (process, started) = (row.try_get("process")?, Wall(row.try_get("started_ms")?));
    let last_activity = Wall(row.try_get("last_ms")?);
    Ok(Some(OpenSession {
        id,
        kind,
        state,
        process,
        started,
        last_activity,
        events,
        ours: row.try_get("ours")?,
        kept: None,
    }))
}

/// Everything that the tailer has to know: of this instance, because files of other hosts have the
/// same numbers.
pub async fn token_resume(link: &mut Link, us: &Identity) -> Result<TokenResume, Fault> {
    let instance = &us.life().instance;
    let client = link.client();
    let rows = client
        .query(
            "SELECT device, inode, path, read_offset FROM file_progress WHERE instance = $1 \
             ORDER BY stored_ms DESC LIMIT $2",
            &[instance, &MOST_PROGRESS],
        )
        .await?;
    let progress: Result<Vec<_>, Error> = rows.iter().map(file_progress).collect();
    // As one value: a row for each would be twenty times as much.
    let seen = client
        .query_one(
            "SELECT coalesce(array_agg(key), '{}') FROM (SELECT key, stored_ms FROM token_usage \
             WHERE supervisor IN (SELECT life FROM supervisors WHERE instance = $1) \
             UNION SELECT key, stored_ms FROM seen_responses WHERE instance = $1 \
             ORDER BY stored_ms DESC LIMIT $2) AS newest",
            &[instance, &MAX_SEEN],
        )
        .await?;
    let seen: Vec<i64> = seen.try_get(0)?;
    let seen = seen.into_iter().map(|key| UsageKey(key.cast_unsigned())).collect();
    let told = chains::told(link, us).await?;
    let (elsewhere, counted) = sources(link, instance).await?;
    let spent = spent(link, instance).await?;
    Ok(TokenResume { progress: progress?, seen, told, elsewhere, counted, spent })
}

/// What was counted from elsewhere than transcripts, and how much of each conversation from where.
async fn sources(
    link: &mut Link,
    instance: &str,
) -> Result<(Vec<UsageKey>, Vec<CountedBefore>), Fault> {
    let client = link.client();
    let keys = client
        .query_one(
            "SELECT coalesce(array_agg(key), '{}') FROM (SELECT key FROM token_usage \
             WHERE source <> 'transcript' AND supervisor IN \
             (SELECT life FROM supervisors WHERE instance = $1) \
             ORDER BY stored_ms DESC LIMIT $2) AS newest",
            &[&instance, &MAX_SEEN],
        )
        .await?;
    let keys: Vec<i64> = keys.try_get(0)?;
    let rows = client
        .query(
            "SELECT conversation, source, sum(tokens_input + tokens_output + tokens_cache_read \
             + tokens_cache_write_5m + tokens_cache_write_1h + tokens_cache_write)::bigint AS tokens, \
             sum(withheld)::bigint AS withheld, max(at_ms) AS latest FROM token_usage \
             WHERE conversation <> '' AND supervisor IN \
             (SELECT life FROM supervisors WHERE instance = $1) AND stored_ms > \
             (SELECT max(stored_ms) FROM token_usage) - $2 \
             GROUP BY conversation, source ORDER BY max(stored_ms) DESC LIMIT $3",
            &[&instance, &COUNTED_MS, &MAX_OPEN],
        )
        .await?;
    let counted: Result<Vec<_>, Error> =
        rows.iter().filter_map(|row| counted(row).transpose()).collect();
    Ok((keys.into_iter().map(|key| UsageKey(key.cast_unsigned())).collect(), counted?))
}

/// Minute by minute, by the agents' clocks.
async fn spent(link: &mut Link, instance: &str) -> Result<Vec<SpentBefore>, Fault> {
    let late = i64::try_from(SPENT_OF_LATE.as_millis()).unwrap_or(i64::MAX);
    let since = clock::now().wall.0.saturating_sub(late);
    let rows = link
        .client()
        .query(
            "SELECT process, agent, at_ms / 60000 AS minute, sum(tokens_input)::bigint AS input, \
             sum(tokens_output)::bigint AS output, sum(tokens_cache_read)::bigint AS cache_read, \
             sum(tokens_cache_write_5m)::bigint AS cache_write_5m, \
             sum(tokens_cache_write_1h)::bigint AS cache_write_1h, \
             sum(tokens_cache_write)::bigint AS cache_write, \
             sum(cost_nanodollars)::bigint AS cost FROM token_usage \
             WHERE stored_ms > $2 AND at_ms > $2 AND supervisor IN \
             (SELECT life FROM supervisors WHERE instance = $1) \
             GROUP BY process, agent, at_ms / 60000, cost_nanodollars IS NULL \
             ORDER BY at_ms / 60000 DESC LIMIT $3",
            &[&instance, &since, &i64::from(MOST_SPENT)],
        )
        .await?;
    let spent: Result<Vec<_>, Error> = rows.iter().map(spent_before).collect();
    Ok(spent?)
}

fn spent_before(row: &Row) -> Result<SpentBefore, Error> {
    let count = |column| row.try_get::<_, i64>(column).map(i64::cast_unsigned);
    let cost = row.try_get::<_, Option<i64>>("cost")?;
    Ok(SpentBefore {
        process: row.try_get("process")?,
        agent: row.try_get("agent")?,
        minute: Wall(row.try_get::<_, i64>("minute")?.saturating_mul(60_000)),
        tokens: TokenCounts {
            input: count("input")?,
            output: count("output")?,
            cache_read: count("cache_read")?,
            cache_write_5m: count("cache_write_5m")?,
            cache_write_1h: count("cache_write_1h")?,
            cache_write: count("cache_write")?,
        },
        cost: cost.map_or(Cost::Unpriced, |nanos| Cost::Priced(Money(nanos))),
    })
}

/// `None` for a source that no version of ours has written.
fn counted(row: &Row) -> Result<Option<CountedBefore>, Error> {
    let Some(source) = UsageSource::parse(row.try_get("source")?) else { return Ok(None) };
    Ok(Some(CountedBefore {
        conversation: row.try_get("conversation")?,
        source,
        tokens: row.try_get::<_, i64>("tokens")?.cast_unsigned(),
        withheld: row.try_get::<_, i64>("withheld")?.cast_unsigned(),
        latest: Wall(row.try_get("latest")?),
    }))
}

fn file_progress(row: &Row) -> Result<FileProgress, Error> {
    Ok(FileProgress {
        device: row.try_get::<_, i64>("device")?.cast_unsigned(),
        inode: row.try_get::<_, i64>("inode")?.cast_unsigned(),
        path: PathBuf::from(OsString::from_vec(row.try_get("path")?)),
        offset: row.try_get::<_, i64>("read_offset")?.cast_unsigned(),
    })
}
