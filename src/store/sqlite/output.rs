//! What commands wrote: the last of each, and of the newest commands.

use rusqlite::{Connection, params};

use crate::ledger::written::Written;
use crate::store::columns::signed;
use crate::store::output::{MOST_OUTPUTS, bytes, stretches};

/// Replaces what is kept of a command's output, and lets go of the oldest where too much is kept.
pub fn put(db: &Connection, written: &Written) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO session_output (session_id, at_ms, first, over, stretches, bytes) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (session_id) DO UPDATE SET \
         at_ms = excluded.at_ms, first = excluded.first, over = excluded.over, \
         stretches = excluded.stretches, bytes = excluded.bytes",
    )?
    .execute(params![
        written.session.to_string(),
        written.at.0,
        signed(written.begin),
        i64::from(written.over),
        stretches(written),
        bytes(written),
    ])?;
    db.prepare_cached(
        "DELETE FROM session_output WHERE session_id IN (SELECT session_id FROM session_output \
         ORDER BY at_ms DESC, session_id DESC LIMIT -1 OFFSET ?1)",
    )?
    .execute([MOST_OUTPUTS])?;
    Ok(())
}
