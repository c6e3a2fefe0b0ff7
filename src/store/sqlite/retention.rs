//! What is forgotten, and when.

use std::time::Duration;

use rusqlite::Connection;

use super::file;
use super::resume::MOST_PROGRESS;
use crate::store::retention::{
    KEEP_ENDED, KEEP_FAILED, KEEP_SAMPLES, PRUNED_ROWS, PRUNED_SESSIONS,
};
use crate::units::Wall;

/// Free pages (of 4 KiB) that one step of pruning gives back to the disk.
const PRUNED_PAGES: u32 = 1_000;

/// One short step of forgetting; says whether it found as much as it may take in one step.
pub fn prune(db: &mut Connection, now: Wall) -> rusqlite::Result<bool> {
    let transaction = file::begin(db)?;
    let before = |keep: Duration| now.0.saturating_sub(keep.as_millis() as i64);
    let mut more = prune_sessions(&transaction, before(KEEP_ENDED), before(KEEP_FAILED))?;
    for (statement, bound) in [
        (
            "DELETE FROM memory_samples WHERE (session_id, at_ms, label) IN (SELECT session_id, \
             at_ms, label FROM memory_samples WHERE at_ms < ?1 AND label <> 'session_end' LIMIT ?2)",
            before(KEEP_SAMPLES),
        ),
        (
            "DELETE FROM token_usage WHERE key IN \
             (SELECT key FROM token_usage WHERE stored_ms < ?1 LIMIT ?2)",
            before(KEEP_FAILED),
        ),
        (
            "DELETE FROM seen_responses WHERE key IN \
             (SELECT key FROM seen_responses WHERE stored_ms < ?1 LIMIT ?2)",
            before(KEEP_FAILED),
        ),
        (
            "DELETE FROM agent_chains WHERE (agent, conversation) IN (SELECT agent, conversation \
             FROM agent_chains WHERE last_ms < ?1 LIMIT ?2)",
            before(KEEP_FAILED),
        ),
        (
            "DELETE FROM interactions WHERE key IN \
             (SELECT key FROM interactions WHERE at_ms < ?1 LIMIT ?2)",
            before(KEEP_FAILED),
        ),
        // By number and not by age: a log that lies there untouched would be taken for a new one,
        // and all of it counted again.
        (
            "DELETE FROM file_progress WHERE (device, inode) IN (SELECT device, inode \
             FROM file_progress ORDER BY stored_ms DESC LIMIT ?2 OFFSET ?1)",
            MOST_PROGRESS.into(),
        ),
    ] {
        more |= transaction.execute(statement, (bound, PRUNED_ROWS))? == PRUNED_ROWS as usize;
    }
    transaction.commit()?;
    give_back(db)?;
    if !more {
        fold_in(db)?;
    }
    Ok(more)
}

/// Brings what is in the log into the database, so that a copy of that file alone lacks little.
fn fold_in(db: &Connection) -> rusqlite::Result<()> {
    db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}

/// Removes ended sessions with all that belongs to them. Their events go while they are still
/// there and ended: the schema lets no others go.
fn prune_sessions(db: &Connection, ended: i64, failed: i64) -> rusqlite::Result<bool> {
    let ids: Vec<String> = db
        .prepare(
            "SELECT id FROM sessions WHERE ended_ms < ?1 \
             AND (state = 'completed' OR ended_ms < ?2) ORDER BY ended_ms LIMIT ?3",
        )?
        .query_map((ended, failed, PRUNED_SESSIONS), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for id in &ids {
        db.prepare_cached("DELETE FROM session_events WHERE session_id = ?1")?.execute([id])?;
        db.prepare_cached("DELETE FROM memory_samples WHERE session_id = ?1")?.execute([id])?;
        db.prepare_cached("DELETE FROM sessions WHERE id = ?1")?.execute([id])?;
    }
    Ok(ids.len() == PRUNED_SESSIONS as usize)
}

/// Gives free pages back to the disk.
fn give_back(db: &Connection) -> rusqlite::Result<()> {
    let mut statement = db.prepare(&format!("PRAGMA incremental_vacuum({PRUNED_PAGES})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}
