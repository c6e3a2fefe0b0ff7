//! The database file: found, created, brought to the schema of today, or set aside.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::fault::Fault;
use crate::clock;

/// The steps from an empty file to the schema of today, in order. The number of steps that a file
/// has taken is kept in its `user_version`.
pub const MIGRATIONS: [&str; 8] = [
    include_str!("../schema/sqlite/0001_first.sql"),
    include_str!("../schema/sqlite/0002_supervisors.sql"),
    include_str!("../schema/sqlite/0003_reading.sql"),
    include_str!("../schema/sqlite/0004_chains.sql"),
    include_str!("../schema/sqlite/0005_rights.sql"),
    include_str!("../schema/sqlite/0006_sources.sql"),
    include_str!("../schema/sqlite/0007_counted.sql"),
    include_str!("../schema/sqlite/0008_output.sql"),
];

/// `proc` in ASCII: tells our files from those of other programs.
const APPLICATION_ID: i32 = 0x7072_6f63;

/// Damaged files, logs included, that are kept; beyond them the oldest goes.
const MAX_SET_ASIDE: usize = 6;

/// Settings of a connection; the module's doc says why. The cache and the log are kept small
/// because we are in every container; what is deleted is overwritten, since somebody may have asked
/// for it to be forgotten; and nothing is ever written to a folder for temporary files,
/// which an empty image does not have.
const SETTINGS: &str = "\
PRAGMA journal_mode = WAL; \
PRAGMA synchronous = NORMAL; \
PRAGMA mmap_size = 0; \
PRAGMA temp_store = MEMORY; \
PRAGMA secure_delete = ON; \
PRAGMA cache_size = -1024; \
PRAGMA journal_size_limit = 4194304;";

/// The database, with what tells its file from another one of the same name.
pub struct OpenFile {
    /// The connection; the file is locked for as long as it lives.
    pub db: Connection,
    device: u64,
    inode: u64,
}

impl OpenFile {
    /// Opens what is at `path`, created and migrated where that is needed.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        create(path)?;
        // Without the flag for URIs: a path is a path, whatever it looks like.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut db = Connection::open_with_flags(path, flags)?;
        if db.is_readonly("main")? {
            return Err(Fault::ReadOnly);
        }
        // Whoever holds the file keeps it for a life; waiting here would only delay the answer.
        db.busy_timeout(Duration::ZERO)?;
        db.execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA auto_vacuum = INCREMENTAL;")?;
        let steps = steps_taken(&db)?;
        db.execute_batch(SETTINGS)?;
        // Folding the log in costs two flushes of the disk: not at our end, where somebody waits.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        // Else a statement is made anew whenever its values change, which was a quarter of each commit.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        migrate(&mut db, steps)?;
        let at = fs::metadata(path)?;
        Ok(Self { db, device: at.dev(), inode: at.ino() })
    }

    /// Opens what is at `path` for those who only look.
    pub fn open_to_look(path: &Path) -> Result<Self, Fault> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags)?;
        db.busy_timeout(Duration::ZERO)?;
        if steps_taken(&db)? < MIGRATIONS.len() {
            let text = "it was written by an older procession; let this one run with it once";
            return Err(Fault::NotOurs(text.into()));
        }
        db.execute_batch(
            "PRAGMA query_only = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;",
        )?;
        let at = fs::metadata(path)?;
        Ok(Self { db, device: at.dev(), inode: at.ino() })
    }

    /// Whether `path` still leads to this file, and the file was not emptied: an open one never is.
    pub fn is_at(&self, path: &Path) -> bool {
        let is_it = |at: fs::Metadata| at.dev() == self.device && at.ino() == self.inode;
        fs::metadata(path).is_ok_and(|at| at.len() > 0 && is_it(at))
    }
}

/// Creates the file, readable by its owner alone, where there is none.
fn create(path: &Path) -> Result<(), Fault> {
    if path.is_dir() {
        return Err(Fault::NotOurs("it is a folder; name a file in it".into()));
    }
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error.into()),
        _ => Ok(()),
    }
}

/// The steps that a file which is ours, or still empty, has taken to the schema of today.
fn steps_taken(db: &Connection) -> Result<usize, Fault> {
    let pragma = |name| db.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let tables: u32 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 && pragma("application_id")? != APPLICATION_ID {
        let text = "it is the database of another program; give the history a file of its own";
        return Err(Fault::NotOurs(text.into()));
    }
    let steps = usize::try_from(pragma("user_version")?).unwrap_or(usize::MAX);
    if steps > MIGRATIONS.len() {
        return Err(Fault::NotOurs(format!(
            "it was written by a newer procession (schema {steps}, this one knows {}); run that \
             one, or move the file away to begin a new history",
            MIGRATIONS.len()
        )));
    }
    Ok(steps)
}

fn migrate(db: &mut Connection, taken: usize) -> rusqlite::Result<()> {
    for (number, step) in (1..).zip(MIGRATIONS).skip(taken) {
        let transaction = begin(db)?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update::<i32>(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Begins a transaction that may write, so that a lock which cannot be had is met at once.
pub fn begin(db: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    db.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// Renames a damaged history, with the time in its new name, and its log with it: a log that stays
/// behind could be played into the new file. It goes first for the same reason.
pub fn set_aside(path: &Path, why: &Fault) -> io::Result<()> {
    let prefix = suffixed(path, ".corrupt-");
    forget_oldest(&prefix);
    let aside = suffixed(&prefix, &clock::now().wall.0.to_string());
    match fs::rename(suffixed(path, "-wal"), suffixed(&aside, "-wal")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => fs::rename(path, &aside)?,
    }
    tracing::error!(target: "store", path = %path.display(), kept_as = %aside.display(),
        "the history cannot be read ({why}); it is kept under another name and a new one is begun");
    Ok(())
}

/// Makes room for one more damaged file, so that a failing disk does not fill up with them.
fn forget_oldest(prefix: &Path) {
    let Some(folder) = prefix.parent() else { return };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let start = prefix.as_os_str().as_bytes();
    let mut kept: Vec<_> =
        entries.filter(|path| path.as_os_str().as_bytes().starts_with(start)).collect();
    kept.sort();
    let surplus = kept.len().saturating_sub(MAX_SET_ASIDE - 1);
    for path in &kept[..surplus] {
        tracing::warn!(target: "store", path = %path.display(), "an old damaged history is removed");
        let _ = fs::remove_file(path);
    }
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_kept_statement_is_not_made_anew_for_other_values() {
        let dir = tempfile::tempdir().unwrap();
        let file = OpenFile::open(&dir.path().join("history.db")).unwrap();
        let last = "SELECT max(sequence) FROM session_events WHERE session_id = ?1";
        let add = "INSERT INTO session_events (session_id, sequence, at_ms, event_type, cause, \
                   detail) VALUES (?1, 0, 0, '', '', '')";
        for session in ["a", "b", "c"] {
            let mut statement = file.db.prepare_cached(last).unwrap();
            let found: Option<i64> = statement.query_row([session], |row| row.get(0)).unwrap();
            assert_eq!(found, None);
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
            file.db.prepare_cached(add).unwrap().execute([session]).unwrap();
        }
    }
}
