//! History in an embedded SQLite file.
//!
//! The file belongs to one supervisor at a time. Exclusive locking is asked for *before* the
//! write-ahead log, so that its index lives in our own memory: the usual `-shm` file is mapped,
//! and whoever truncates a mapped file kills the process that maps it. For the same reason the
//! database itself is never mapped.
//!
//! Durable is what outlives us: our own `kill -9`, and the end of the container, which is the same to
//! the kernel. What a commit has written is in the kernel's hands then, so that `synchronous=NORMAL`
//! is enough: the log is forced to the disk before it is folded into the database, and not at each
//! commit. A power cut can take back what the kernel had not written yet, which it does after half a
//! minute at most; the database stays sound, the sessions of that time are closed as lost, and tokens
//! are read again from the logs, because how far they were read is in the same transaction. To force
//! each commit would cost a flush of the disk for each sample in each container, and one more at a
//! stop, which takes longer than everything else that we do there.
//!
//! Nor is the log folded in when we close: it lies beside the database, and the next life does it
//! once it has begun.
//!
//! The file must never be opened and closed by other means in this process: POSIX locks are
//! per process, and closing any descriptor of the file would silently give ours up.

mod chains;
mod fault;
mod file;
mod output;
mod reading;
mod resume;
mod retention;
mod rows;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::Value;

use self::fault::Fault;
use self::file::OpenFile;
use crate::chains::chain::KeptChain;
use crate::clock;
use crate::config::plan::RetentionPlan;
use crate::ledger::entry::OpenSession;
use crate::ledger::row::Batch;
use crate::ledger::session::Session;
use crate::store::figures::Figures;
use crate::store::life::Life;
use crate::store::reading::{Answer, Question};
use crate::store::{Store, StoreError};
use crate::tokens::TokenResume;
use crate::units::Wall;

/// History in an embedded SQLite file.
pub struct SqliteStore {
    path: PathBuf,
    /// Absent while the file had to be set aside or was taken away, until the next call.
    open: Option<OpenFile>,
    /// Whose rows are written; absent where nobody said whose.
    life: Option<Life>,
    figures: Figures,
}

impl SqliteStore {
    /// Opens the history at `path`, creating it and its folder where they do not exist. A file
    /// that is damaged beyond reading is set aside under another name and a new one is begun.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_as(path, None, Figures::default())
    }

    /// Opens the history at `path` without ever writing to it; a supervisor that holds it keeps us out.
    pub fn open_to_look(path: &Path) -> Result<Self, StoreError> {
        let figures = Figures::default();
        let mut store = Self { path: path.to_owned(), open: None, life: None, figures };
        let open = OpenFile::open_to_look(path).map_err(|fault| store.error("open", fault))?;
        store.open = Some(open);
        Ok(store)
    }

    /// As [`SqliteStore::open`], with whose rows are written, and what counts files that are set
    /// aside.
    pub fn open_as(path: &Path, life: Option<Life>, figures: Figures) -> Result<Self, StoreError> {
        let mut store = Self { path: path.to_owned(), open: None, life, figures };
        // Else `:memory:` would not be a file, and a change of our folder would move it.
        store.path = std::path::absolute(path).map_err(|e| store.error("open", e.into()))?;
        store.file()?;
        Ok(store)
    }

    /// The open file. One that was deleted, emptied or replaced behind our back is left, since what is
    /// committed to it would never be found again.
    fn file(&mut self) -> Result<&mut OpenFile, StoreError> {
        if self.open.as_ref().is_some_and(|file| !file.is_at(&self.path)) {
            tracing::warn!(target: "store", path = %self.path.display(),
                "the history was deleted, emptied or replaced by somebody; beginning anew");
            self.open = None;
        }
        let file = match self.open.take() {
            Some(file) => file,
            None => self.open_or_begin_anew().map_err(|fault| self.error("open", fault))?,
        };
        Ok(self.open.insert(file))
    }

    fn open_or_begin_anew(&self) -> Result<OpenFile, Fault> {
        match OpenFile::open(&self.path) {
            Err(fault) if fault.is_damage() => {
                file::set_aside(&self.path, &fault)?;
                self.figures.set_aside();
                OpenFile::open(&self.path)
            }
            other => other,
        }
    }

    /// Runs `work` on the database, and judges what goes wrong.
    fn with<T>(
        &mut self,
        attempt: &str,
        work: impl FnOnce(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let fault = match work(&mut self.file()?.db) {
            Ok(value) => return Ok(value),
            Err(fault) => fault,
        };
        if fault.is_damage() {
            // Closed before it is renamed, so that nothing is written to it under its new name.
            self.open = None;
            file::set_aside(&self.path, &fault).map_err(|e| self.error("set aside", e.into()))?;
            self.figures.set_aside();
        }
        Err(self.error(attempt, fault))
    }

    fn commit_as(&mut self, life: Option<&Life>, batches: &[Batch]) -> Result<(), StoreError> {
        let at = clock::now().wall;
        self.with("commit to", |db| {
            let transaction = file::begin(db)?;
            if let Some(life) = life {
                rows::introduce(&transaction, life)?;
            }
            let id = life.map(|life| life.id.to_string());
            let stamp = rows::Stamp { life: id.as_deref(), at };
            for row in batches.iter().flat_map(|batch| &batch.rows) {
                rows::write(&transaction, row, stamp)?;
            }
            Ok(transaction.commit()?)
        })
    }

    fn error(&self, attempt: &str, fault: Fault) -> StoreError {
        StoreError {
            attempt: format!("{attempt} the history {}", self.path.display()),
            cause: fault.to_string(),
            refused: fault.is_refusal(),
            category: fault.category(),
        }
    }
}

impl Store for SqliteStore {
    fn open_sessions(&mut self) -> Result<Vec<OpenSession>, StoreError> {
        self.with("read open sessions from", |db| Ok(resume::open_sessions(db)?))
    }

    fn token_resume(&mut self) -> Result<TokenResume, StoreError> {
        self.with("read token progress from", |db| Ok(resume::token_resume(db)?))
    }

    fn chains(&mut self) -> Result<Vec<(String, KeptChain)>, StoreError> {
        self.with("read the chains from", |db| Ok(chains::chains(db)?))
    }

    fn held_before(&mut self) -> Result<Vec<(String, Value)>, StoreError> {
        self.with("read what was held from", |db| Ok(resume::held_before(db)?))
    }

    fn commit(&mut self, batches: &[Batch]) -> Result<(), StoreError> {
        let life = self.life.clone();
        self.commit_as(life.as_ref(), batches)
    }

    fn commit_for(&mut self, life: &Life, batches: &[Batch]) -> Result<(), StoreError> {
        self.commit_as(Some(life), batches)
    }

    fn prune(&mut self, now: Wall, keep: &RetentionPlan) -> Result<bool, StoreError> {
        self.with("prune", |db| Ok(retention::prune(db, now, keep)?))
    }

    fn answer(&mut self, question: &Question) -> Result<Answer, StoreError> {
        self.with("read", |db| Ok(reading::answer(db, question)?))
    }

    fn repair(&mut self, told: &Session) -> Result<(), StoreError> {
        self.with("repair", |db| Ok(reading::repair(db, told)?))
    }

    fn hasten(&mut self) {
        if let Some(file) = &self.open {
            // Should it fail, a commit takes longer, and nothing else is different.
            let _ = file.db.pragma_update(None, "wal_autocheckpoint", 0);
        }
    }
}
