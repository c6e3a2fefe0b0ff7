//! What is forgotten, and when.

use rusqlite::{Connection, params, params_from_iter};

use super::file;
use super::resume::MOST_PROGRESS;
use crate::config::plan::RetentionPlan;
use crate::ledger::forget::Whose;
use crate::store::reading::Forgotten;
use crate::store::retention::{
    self, ARCHIVE, Bounds, HISTORY, OUTLINE, PRUNED_ROWS, PRUNED_SESSIONS, TO_ARCHIVE, TO_DROP,
};
use crate::units::Wall;

/// Free pages (of 4 KiB) that one step of pruning gives back to the disk.
const PRUNED_PAGES: u32 = 1_000;

/// One short step of forgetting; says whether it found as much as it may take in one step.
pub fn prune(db: &mut Connection, now: Wall, keep: &RetentionPlan) -> rusqlite::Result<bool> {
    let transaction = file::begin(db)?;
    let bounds = Bounds::at(now, keep);
    let mut more = archive(&transaction, bounds, now)?;
    more |= drop_outlines(&transaction, bounds)?;
    for (statement, bound) in [
        (
            "DELETE FROM memory_samples WHERE (session_id, at_ms, label) IN (SELECT session_id, \
             at_ms, label FROM memory_samples WHERE at_ms < ?1 AND label <> 'session_end' LIMIT ?2)",
            bounds.samples,
        ),
        (
            "DELETE FROM token_usage WHERE key IN \
             (SELECT key FROM token_usage WHERE stored_ms < ?1 LIMIT ?2)",
            bounds.failed,
        ),
        (
            "DELETE FROM seen_responses WHERE key IN \
             (SELECT key FROM seen_responses WHERE stored_ms < ?1 LIMIT ?2)",
            bounds.failed,
        ),
        (
            "DELETE FROM audit WHERE id IN \
             (SELECT id FROM audit WHERE at_ms < ?1 ORDER BY at_ms LIMIT ?2)",
            bounds.audit,
        ),
        (
            "DELETE FROM agent_chains WHERE (agent, conversation) IN (SELECT agent, conversation \
             FROM agent_chains WHERE last_ms < ?1 LIMIT ?2)",
            bounds.failed,
        ),
        (
            "DELETE FROM interactions WHERE key IN \
             (SELECT key FROM interactions WHERE at_ms < ?1 LIMIT ?2)",
            bounds.failed,
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

/// Leaves the outline of sessions that ended long ago. Their events go while they are still there and
/// ended: the schema lets no others go.
fn archive(db: &Connection, bounds: Bounds, now: Wall) -> rusqlite::Result<bool> {
    let Bounds { completed, failed, .. } = bounds;
    let ids = ids(db, TO_ARCHIVE, params![completed, failed, PRUNED_SESSIONS])?;
    for id in &ids {
        forget_history(db, id)?;
        db.prepare_cached(ARCHIVE)?.execute(params![now.0, id])?;
    }
    Ok(ids.len() == PRUNED_SESSIONS as usize)
}

fn drop_outlines(db: &Connection, bounds: Bounds) -> rusqlite::Result<bool> {
    let ids = ids(db, TO_DROP, params![bounds.archived, PRUNED_SESSIONS])?;
    for id in &ids {
        forget_history(db, id)?;
        forget_outline(db, id)?;
    }
    Ok(ids.len() == PRUNED_SESSIONS as usize)
}

fn forget_history(db: &Connection, id: &str) -> rusqlite::Result<()> {
    HISTORY.iter().try_for_each(|one| db.prepare_cached(one)?.execute([id]).map(drop))
}

fn forget_outline(db: &Connection, id: &str) -> rusqlite::Result<()> {
    OUTLINE.iter().try_for_each(|one| db.prepare_cached(one)?.execute([id]).map(drop))
}

fn ids(
    db: &Connection,
    statement: &str,
    values: impl rusqlite::Params,
) -> rusqlite::Result<Vec<String>> {
    db.prepare_cached(statement)?.query_map(values, |row| row.get(0))?.collect()
}

/// One short step of what somebody wants forgotten; without a step, how much there is. With the last
/// step it is gone from the disk as well: what is deleted is overwritten, and the log that still
/// holds it is folded in and cut to nothing.
pub fn forget(db: &mut Connection, whose: &Whose, step: bool) -> rusqlite::Result<Forgotten> {
    if !step {
        let counted = retention::meant(whose, "count(*)");
        let sessions: i64 = db
            .prepare(&counted.text)?
            .query_row(params_from_iter(&counted.values), |row| row.get(0))?;
        return Ok(Forgotten { sessions: sessions.cast_unsigned(), more: false });
    }
    let meant = retention::one_step(whose);
    let transaction = file::begin(db)?;
    let ids = ids(&transaction, &meant.text, params_from_iter(&meant.values))?;
    for id in &ids {
        forget_history(&transaction, id)?;
        forget_outline(&transaction, id)?;
    }
    transaction.commit()?;
    let more = ids.len() == PRUNED_SESSIONS as usize;
    give_back(db)?;
    if !more {
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    Ok(Forgotten { sessions: ids.len() as u64, more })
}

/// Gives free pages back to the disk.
fn give_back(db: &Connection) -> rusqlite::Result<()> {
    let mut statement = db.prepare(&format!("PRAGMA incremental_vacuum({PRUNED_PAGES})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}
