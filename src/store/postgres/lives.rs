//! Whose rows there are, and which of their lives are over.
//!
//! A supervisor that is connected holds a shared lock of its own. Whoever wants to know whether it is
//! connected tries to take that lock alone.

use tokio_postgres::{Client, Row, Transaction};

use super::fault::Fault;
use crate::store::columns::signed;
use crate::store::life::{Identity, LONGEST_SILENCE, Life, Verdict};
use crate::store::runfile::Owner;
use crate::units::{ProcId, SessionId, Wall};

/// The first number of our advisory locks that are about the database (`proh` in ASCII).
pub const HOUSE: i32 = 0x7072_6f68;

/// The first number of our advisory locks that are about a life (`prol` in ASCII); the second is a
/// hash of its identity.
const LIVES: i32 = 0x7072_6f6c;

/// The server's clock, in milliseconds: what is compared is all by it.
pub const NOW: &str = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// From one note that we live to the next, in milliseconds.
const NOTE_INTERVAL: i64 = 60_000;

/// Says who we are, and holds our lock for as long as the connection lasts.
pub async fn introduce(client: &Client, life: &Life) -> Result<(), Fault> {
    mention(client, life).await?;
    let lock = format!("SELECT pg_advisory_lock_shared({LIVES}, hashtext($1))");
    client.query(&lock, &[&life.id.to_string()]).await?;
    Ok(())
}

/// Says who somebody is whose rows are written: we, or a life that is over.
pub async fn mention(client: &Client, life: &Life) -> Result<(), Fault> {
    let us = life.id.to_string();
    let owner = &life.owner;
    let row = format!(
        "INSERT INTO supervisors (life, instance, host, boot_id, pid_namespace, pid, start_ticks, \
         began_ms, last_seen_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, {NOW}) \
         ON CONFLICT (life) DO UPDATE SET last_seen_ms = excluded.last_seen_ms"
    );
    client
        .execute(
            &row,
            &[
                &us,
                &life.instance,
                &life.host,
                &owner.boot_id,
                &owner.pid_namespace,
                &i64::from(owner.supervisor.pid),
                &signed(owner.supervisor.start_ticks),
                &life.began.0,
            ],
        )
        .await?;
    Ok(())
}

/// The statement by which a commit notes that we live, where that was not noted lately. Its parameter
/// is our life.
pub fn note() -> String {
    format!(
        "UPDATE supervisors SET last_seen_ms = {NOW} \
         WHERE life = $1 AND last_seen_ms < {NOW} - {NOTE_INTERVAL}"
    )
}

/// The lives that are over and left sessions open.
pub async fn over(transaction: &Transaction<'_>, us: &Identity) -> Result<Vec<String>, Fault> {
    let rows = transaction
        .query(
            &format!(
                "SELECT life, instance, host, boot_id, pid_namespace, pid, start_ticks, began_ms, \
                 {NOW} - last_seen_ms AS silent FROM supervisors WHERE life IN (SELECT \
                 coalesce(claimed_by, supervisor) FROM sessions WHERE ended_ms IS NULL)"
            ),
            &[],
        )
        .await?;
    let mut over = Vec::new();
    for row in &rows {
        let Some(life) = life_of(row)? else { continue };
        let silent = row.try_get::<_, i64>("silent")? >= LONGEST_SILENCE.as_millis() as i64;
        let verdict = us.judge(&life);
        let is_over = match verdict {
            Verdict::Lives => false,
            Verdict::Over => true,
            Verdict::OverIfSilent if !silent => false,
            Verdict::OverUnlessConnected | Verdict::OverIfSilent => {
                !is_connected(transaction, &life.id.to_string()).await?
            }
        };
        if is_over {
            over.push(life.id.to_string());
        }
    }
    Ok(over)
}

/// `None` for a row that no version of ours has written.
fn life_of(row: &Row) -> Result<Option<Life>, tokio_postgres::Error> {
    let Some(id) = SessionId::parse(row.try_get("life")?) else { return Ok(None) };
    let pid = i32::try_from(row.try_get::<_, i64>("pid")?).unwrap_or(0);
    let start_ticks = row.try_get::<_, i64>("start_ticks")?.cast_unsigned();
    Ok(Some(Life {
        id,
        instance: row.try_get("instance")?,
        host: row.try_get("host")?,
        owner: Owner {
            boot_id: row.try_get("boot_id")?,
            pid_namespace: row.try_get("pid_namespace")?,
            supervisor: ProcId { pid, start_ticks },
        },
        began: Wall(row.try_get("began_ms")?),
    }))
}

async fn is_connected(transaction: &Transaction<'_>, life: &str) -> Result<bool, Fault> {
    let text = format!("SELECT NOT pg_try_advisory_xact_lock({LIVES}, hashtext($1))");
    Ok(transaction.query_one(&text, &[&life]).await?.try_get(0)?)
}
