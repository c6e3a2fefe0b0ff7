//! What is forgotten, and when.
//!
//! Whoever shares the database forgets for all of them; one at a time does.

use std::time::Duration;

use tokio_postgres::Transaction;

use super::fault::Fault;
use super::link::Link;
use super::lives::{HOUSE, NOW};
use super::resume::MOST_PROGRESS;
use crate::store::life::Identity;
use crate::store::retention::{
    KEEP_ENDED, KEEP_FAILED, KEEP_SAMPLES, PRUNED_ROWS, PRUNED_SESSIONS,
};
use crate::units::Wall;

/// The lock of [`HOUSE`] under which is forgotten.
const PRUNING: i32 = 2;

/// One short step of forgetting; says whether it found as much as it may take in one step.
pub async fn prune(link: &mut Link, us: &Identity, now: Wall) -> Result<bool, Fault> {
    let transaction = link.client().transaction().await?;
    let lock = format!("SELECT pg_try_advisory_xact_lock({HOUSE}, {PRUNING})");
    if !transaction.query_one(&lock, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(false);
    }
    let before = |keep: Duration| now.0.saturating_sub(keep.as_millis() as i64);
    let mut more = prune_sessions(&transaction, before(KEEP_ENDED), before(KEEP_FAILED)).await?;
    for (statement, bound) in [
        (
            "DELETE FROM memory_samples WHERE (session_id, at_ms, label) IN (SELECT session_id, \
             at_ms, label FROM memory_samples WHERE at_ms < $1 AND label <> 'session_end' LIMIT $2)",
            before(KEEP_SAMPLES),
        ),
        (
            "DELETE FROM token_usage WHERE key IN \
             (SELECT key FROM token_usage WHERE stored_ms < $1 LIMIT $2)",
            before(KEEP_FAILED),
        ),
        (
            "DELETE FROM seen_responses WHERE (instance, key) IN \
             (SELECT instance, key FROM seen_responses WHERE stored_ms < $1 LIMIT $2)",
            before(KEEP_FAILED),
        ),
        (
            "DELETE FROM agent_chains WHERE (instance, agent, conversation) IN (SELECT instance, \
             agent, conversation FROM agent_chains WHERE last_ms < $1 LIMIT $2)",
            before(KEEP_FAILED),
        ),
        (
            "DELETE FROM interactions WHERE (instance, key) IN \
             (SELECT instance, key FROM interactions WHERE at_ms < $1 LIMIT $2)",
            before(KEEP_FAILED),
        ),
    ] {
        let gone = transaction.execute(statement, &[&bound, &i64::from(PRUNED_ROWS)]).await?;
        more |= gone == u64::from(PRUNED_ROWS);
    }
    forget_lives(&transaction, us).await?;
    more |= prune_progress(&transaction, &us.life().instance).await?;
    transaction.commit().await?;
    Ok(more)
}

/// Forgets who was not seen for as long as anything of theirs is kept, and left nothing open. By the
/// server's clock, so that one of ours that jumps ahead makes nobody forgotten.
async fn forget_lives(transaction: &Transaction<'_>, us: &Identity) -> Result<(), Fault> {
    let statement = format!(
        "DELETE FROM supervisors l WHERE life <> $1 AND last_seen_ms < {NOW} - $2 AND NOT EXISTS \
         (SELECT 1 FROM sessions WHERE ended_ms IS NULL AND l.life IN (supervisor, claimed_by))"
    );
    let silent = 2 * KEEP_FAILED.as_millis() as i64;
    transaction.execute(&statement, &[&us.life().id.to_string(), &silent]).await?;
    Ok(())
}

/// By number and not by age: a log that lies there untouched would be taken for a new one, and all
/// of it counted again. What nobody is left for goes whatever its number.
async fn prune_progress(transaction: &Transaction<'_>, instance: &str) -> Result<bool, Fault> {
    let surplus = transaction
        .execute(
            "DELETE FROM file_progress WHERE instance = $1 AND (device, inode) IN (SELECT device, \
             inode FROM file_progress WHERE instance = $1 ORDER BY stored_ms DESC \
             LIMIT $3 OFFSET $2)",
            &[&instance, &MOST_PROGRESS, &i64::from(PRUNED_ROWS)],
        )
        .await?;
    transaction
        .execute(
            "DELETE FROM file_progress WHERE instance NOT IN (SELECT instance FROM supervisors)",
            &[],
        )
        .await?;
    Ok(surplus == u64::from(PRUNED_ROWS))
}

/// Removes ended sessions with all that belongs to them. Their events go while they are still there
/// and ended: the schema lets no others go.
async fn prune_sessions(
    transaction: &Transaction<'_>,
    ended: i64,
    failed: i64,
) -> Result<bool, Fault> {
    let rows = transaction
        .query(
            "SELECT id FROM sessions WHERE ended_ms < $1 \
             AND (state = 'completed' OR ended_ms < $2) ORDER BY ended_ms LIMIT $3",
            &[&ended, &failed, &i64::from(PRUNED_SESSIONS)],
        )
        .await?;
    let ids = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
    for statement in [
        "DELETE FROM session_events WHERE session_id = ANY ($1)",
        "DELETE FROM memory_samples WHERE session_id = ANY ($1)",
        "DELETE FROM sessions WHERE id = ANY ($1)",
    ] {
        transaction.execute(statement, &[&ids]).await?;
    }
    Ok(ids.len() == PRUNED_SESSIONS as usize)
}
