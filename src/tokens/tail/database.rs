//! Reads opencode's database while opencode writes to it: for reading only, so that nothing is ever
//! locked or put in its place by us.

use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Row, Statement};

use crate::tokens::agents::opencode::Parts;

/// How long a writer is waited for; what was written is still there the next time.
const PATIENCE: Duration = Duration::from_millis(200);

/// A longer part of a message is the result of a tool.
const LONGEST_PART: i64 = 1 << 20;

/// Tables that hold messages: the newer one tells the role beside them.
const TABLES: [(&str, &str); 2] = [("message", ""), ("session_message", "AND type = 'assistant'")];

/// A message.
pub struct Message {
    /// Its id.
    pub id: String,
    /// Its conversation.
    pub session: String,
    /// When it was written last: milliseconds of Unix time, 0 where that is not known.
    pub updated: u64,
    /// What it says, as JSON.
    pub data: Vec<u8>,
}

/// Calls `each` for the messages that were written at or after `since`, with what their parts say
/// where they were written at or after `history`.
pub fn messages(
    path: &Path,
    since: u64,
    history: u64,
    mut each: impl FnMut(Message, Parts),
) -> io::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(io::Error::other)?;
    db.busy_timeout(PATIENCE).map_err(io::Error::other)?;
    for (table, only) in TABLES {
        read_table(&db, table, only, since, history, &mut each).map_err(io::Error::other)?;
    }
    Ok(())
}

fn read_table(
    db: &Connection,
    table: &str,
    only: &str,
    since: u64,
    history: u64,
    each: &mut impl FnMut(Message, Parts),
) -> rusqlite::Result<()> {
    if !has_column(db, table, "data")? {
        return Ok(());
    }
    let updated = if has_column(db, table, "time_updated")? { "time_updated" } else { "0" };
    let query = format!(
        "SELECT id, session_id, {updated}, data FROM {table} \
         WHERE ({updated} = 0 OR {updated} >= ?1) {only} ORDER BY rowid"
    );
    let mut statement = db.prepare(&query)?;
    let mut parts = parts_of(db)?;
    let mut rows = statement.query([i64::try_from(since).unwrap_or(i64::MAX)])?;
    while let Some(row) = rows.next()? {
        let message = message(row)?;
        let found = match &mut parts {
            Some(parts) if message.updated >= history => read_parts(parts, &message.id)?,
            _ => Parts::default(),
        };
        each(message, found);
    }
    Ok(())
}

fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    let updated: i64 = row.get(2).unwrap_or(0);
    let data = row.get_ref(3)?;
    Ok(Message {
        id: row.get(0).unwrap_or_default(),
        session: row.get(1).unwrap_or_default(),
        updated: u64::try_from(updated).unwrap_or(0),
        data: data.as_bytes_or_null().ok().flatten().unwrap_or_default().to_vec(),
    })
}

fn parts_of(db: &Connection) -> rusqlite::Result<Option<Statement<'_>>> {
    if !has_column(db, "part", "message_id")? {
        return Ok(None);
    }
    let query = "SELECT data FROM part WHERE message_id = ?1 AND length(data) < ?2 ORDER BY rowid";
    db.prepare(query).map(Some)
}

fn read_parts(statement: &mut Statement<'_>, message: &str) -> rusqlite::Result<Parts> {
    let mut parts = Parts::default();
    let mut rows = statement.query((message, LONGEST_PART))?;
    while let Some(row) = rows.next()? {
        if let Ok(Some(data)) = row.get_ref(0)?.as_bytes_or_null() {
            parts.take(data);
        }
    }
    Ok(parts)
}

fn has_column(db: &Connection, table: &str, column: &str) -> rusqlite::Result<bool> {
    let query = "SELECT count(*) FROM pragma_table_info(?1) WHERE name = ?2";
    db.query_row(query, [table, column], |row| row.get::<_, i64>(0)).map(|count| count > 0)
}
