//! What is forgotten, and when.
//!
//! Whoever shares the database forgets for all of them; one at a time does.

use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::fault::Fault;
use super::link::Link;
use super::lives::{HOUSE, NOW};
use super::resume::MOST_PROGRESS;
use crate::config::plan::RetentionPlan;
use crate::ledger::forget::Whose;
use crate::store::columns::millis;
use crate::store::life::Identity;
use crate::store::reading::Forgotten;
use crate::store::reading::statement::{Statement, Value};
use crate::store::retention::{
    self, ARCHIVE, Bounds, HISTORY, OUTLINE, PRUNED_ROWS, PRUNED_SESSIONS, TO_ARCHIVE, TO_DROP,
};
use crate::units::Wall;

/// The lock of [`HOUSE`] under which is forgotten.
const PRUNING: i32 = 2;

/// One short step of forgetting; says whether it found as much as it may take in one step.
pub async fn prune(
    link: &mut Link,
    us: &Identity,
    now: Wall,
    keep: &RetentionPlan,
) -> Result<bool, Fault> {
    let transaction = link.client().transaction().await?;
    let lock = format!("SELECT pg_try_advisory_xact_lock({HOUSE}, {PRUNING})");
    if !transaction.query_one(&lock, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(false);
    }
    let bounds = Bounds::at(now, keep);
    let most = i64::from(PRUNED_SESSIONS);
    let ended = ids(&transaction, TO_ARCHIVE, &[&bounds.completed, &bounds.failed, &most]).await?;
    forget_all(&transaction, &ended, Some(now)).await?;
    let outlines = ids(&transaction, TO_DROP, &[&bounds.archived, &most]).await?;
    forget_all(&transaction, &outlines, None).await?;
    let mut more = ended.len().max(outlines.len()) == PRUNED_SESSIONS as usize;
    for (statement, bound) in [
        (
            "DELETE FROM memory_samples WHERE (session_id, at_ms, label) IN (SELECT session_id, \
             at_ms, label FROM memory_samples WHERE at_ms < $1 AND label <> 'session_end' LIMIT $2)",
            bounds.samples,
        ),
        (
            "DELETE FROM token_usage WHERE key IN \
             (SELECT key FROM token_usage WHERE stored_ms < $1 LIMIT $2)",
            bounds.failed,
        ),
        (
            "DELETE FROM seen_responses WHERE (instance, key) IN \
             (SELECT instance, key FROM seen_responses WHERE stored_ms < $1 LIMIT $2)",
            bounds.failed,
        ),
        (
            "DELETE FROM audit WHERE id IN \
             (SELECT id FROM audit WHERE at_ms < $1 ORDER BY at_ms LIMIT $2)",
            bounds.audit,
        ),
        (
            "DELETE FROM agent_chains WHERE (instance, agent, conversation) IN (SELECT instance, \
             agent, conversation FROM agent_chains WHERE last_ms < $1 LIMIT $2)",
            bounds.failed,
        ),
        (
            "DELETE FROM interactions WHERE (instance, key) IN \
             (SELECT instance, key FROM interactions WHERE at_ms < $1 LIMIT $2)",
            bounds.failed,
        ),
    ] {
        let gone = transaction.execute(statement, &[&bound, &i64::from(PRUNED_ROWS)]).await?;
        more |= gone == u64::from(PRUNED_ROWS);
    }
    forget_lives(&transaction, us, keep).await?;
    more |= prune_progress(&transaction, &us.life().instance).await?;
    transaction.commit().await?;
    Ok(more)
}

/// Forgets who was not seen for as long as anything of theirs is kept, and left nothing open. By the
/// server's clock, so that one of ours that jumps ahead makes nobody forgotten.
async fn forget_lives(
    transaction: &Transaction<'_>,
    us: &Identity,
    keep: &RetentionPlan,
) -> Result<(), Fault> {
    let statement = format!(
        "DELETE FROM supervisors l WHERE life <> $1 AND last_seen_ms < {NOW} - $2 AND NOT EXISTS \
         (SELECT 1 FROM sessions WHERE ended_ms IS NULL AND l.life IN (supervisor, claimed_by))"
    );
    let silent = 2 * millis(keep.failed.max(keep.archived));
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

async fn ids(
    transaction: &Transaction<'_>,
    statement: &str,
    values: &[&(dyn ToSql + Sync)],
) -> Result<Vec<String>, Fault> {
    let rows = transaction.query(statement, values).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

/// Removes the history of sessions; their outline stays as archived at a time, or goes as well. Events
/// go while their session is still there and ended: the schema lets no others go.
async fn forget_all(
    transaction: &Transaction<'_>,
    ids: &[String],
    archived: Option<Wall>,
) -> Result<(), Fault> {
    if ids.is_empty() {
        return Ok(());
    }
    // One statement for all of them: what is written for one is met by any.
    let of_all = |one: &str| one.replace("= $1", "= ANY ($1)");
    for statement in HISTORY {
        transaction.execute(&of_all(statement), &[&ids]).await?;
    }
    if let Some(at) = archived {
        let archive = ARCHIVE.replace("= $2", "= ANY ($2)");
        transaction.execute(&archive, &[&at.0, &ids]).await?;
        return Ok(());
    }
    for statement in OUTLINE {
        transaction.execute(&of_all(statement), &[&ids]).await?;
    }
    Ok(())
}

/// One short step of what somebody wants forgotten; without a step, how much there is. The room is
/// used again after the next `VACUUM`, which the server does by itself.
pub async fn forget(link: &mut Link, whose: &Whose, step: bool) -> Result<Forgotten, Fault> {
    let transaction = link.client().transaction().await?;
    if !step {
        let Statement { text, values } = retention::meant(whose, "count(*)");
        let counted: i64 = transaction.query_one(&text, &parameters(&values)).await?.try_get(0)?;
        return Ok(Forgotten { sessions: counted.cast_unsigned(), more: false });
    }
    let Statement { text, values } = retention::one_step(whose);
    let ids = ids(&transaction, &text, &parameters(&values)).await?;
    forget_all(&transaction, &ids, None).await?;
    transaction.commit().await?;
    Ok(Forgotten { sessions: ids.len() as u64, more: ids.len() == PRUNED_SESSIONS as usize })
}

fn parameters(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(parameter).collect()
}

fn parameter(value: &Value) -> &(dyn ToSql + Sync) {
    match value {
        Value::Text(text) => text,
        Value::Number(number) => number,
    }
}
