//! The tables, brought to the schema of today by numbered steps.
//!
//! Many supervisors may start at once on an empty database: whoever takes the lock first does the
//! work, in one transaction, and the others find it done.

use std::time::Duration;

use tokio_postgres::Client;

use super::fault::Fault;
use super::lives::HOUSE;

/// The steps from an empty database to the schema of today, in order.
pub const STEPS: [&str; 7] = [
    include_str!("../schema/postgres/0001_first.sql"),
    include_str!("../schema/postgres/0002_reading.sql"),
    include_str!("../schema/postgres/0003_chains.sql"),
    include_str!("../schema/postgres/0004_rights.sql"),
    include_str!("../schema/postgres/0005_sources.sql"),
    include_str!("../schema/postgres/0006_counted.sql"),
    include_str!("../schema/postgres/0007_output.sql"),
];

/// How long bringing a database up may take: a step may have to read every row.
pub const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// The lock of [`HOUSE`] under which steps are taken.
const MIGRATION: i32 = 1;

/// Brings the database to the schema of today; one that is beyond it is refused.
pub async fn bring_up(client: &mut Client) -> Result<(), Fault> {
    check_encoding(client).await?;
    if judge(taken(client).await?)? == STEPS.len() {
        return Ok(());
    }
    let patience = PATIENCE.as_millis();
    let transaction = client.transaction().await?;
    transaction
        .batch_execute(&format!(
            "SET LOCAL statement_timeout = {patience}; SET LOCAL lock_timeout = {patience}; \
             SELECT pg_advisory_xact_lock({HOUSE}, {MIGRATION}); \
             CREATE TABLE IF NOT EXISTS procession_schema \
             (step bigint NOT NULL PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now())"
        ))
        .await?;
    // Read again under the lock: another supervisor may have been first.
    let newest = "SELECT coalesce(max(step), 0) FROM procession_schema";
    let steps = judge(transaction.query_one(newest, &[]).await?.try_get(0)?)?;
    for (number, step) in (1_i64..).zip(STEPS).skip(steps) {
        transaction.batch_execute(step).await?;
        transaction.execute("INSERT INTO procession_schema (step) VALUES ($1)", &[&number]).await?;
    }
    Ok(transaction.commit().await?)
}

/// The steps that the database has taken.
async fn taken(client: &Client) -> Result<i64, Fault> {
    let there = "SELECT to_regclass('procession_schema') IS NOT NULL";
    if !client.query_one(there, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(0);
    }
    let newest = "SELECT coalesce(max(step), 0) FROM procession_schema";
    Ok(client.query_one(newest, &[]).await?.try_get(0)?)
}

fn judge(taken: i64) -> Result<usize, Fault> {
    let known = STEPS.len();
    usize::try_from(taken).ok().filter(|taken| *taken <= known).ok_or_else(|| {
        Fault::NotOurs(format!(
            "it was brought up by a newer procession (schema {taken}, this one knows {known}); run \
             that one, or give this one a database of its own"
        ))
    })
}

/// Whatever a process is called has to fit.
async fn check_encoding(client: &Client) -> Result<(), Fault> {
    let row = client.query_one("SELECT current_setting('server_encoding')", &[]).await?;
    let encoding: String = row.try_get(0)?;
    if encoding == "UTF8" {
        return Ok(());
    }
    let text = format!("it keeps text as {encoding}; create a database with `ENCODING 'UTF8'`");
    Err(Fault::NotOurs(text))
}
