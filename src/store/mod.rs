//! Where history is kept beyond our own life. Durable means committed, and only what is committed
//! is acknowledged; nothing that supervises ever waits for it.
//!
//! [`writer`] owns the one thread that may wait for a disk; what waits for it is on the [`shelf`], and
//! [`spool`] decides what goes when a disk stays away for too long. `spooler` copies it to a `spool_file`
//! meanwhile, which the next life commits. `sqlite` and `postgres` are the
//! stores themselves, [`reading`] is what they are asked, [`looking`] asks a history that nobody supervises with, and [`figures`] counts what they do. Apart from them, [`life`] is who writes,
//! [`runfile`] keeps a small record of what runs now, and [`left_behind`] reads what an
//! earlier life recorded, `left_open` what is kept of sessions that could go on, and [`salt`] keeps the salt of hashes: this works also when history is in memory or the store is away.

mod columns;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod chains;
mod commit_loop;
#[cfg(test)]
mod examples;
pub mod figures;
pub mod left_behind;
mod left_open;
pub mod looking;
pub mod life;
pub mod opening;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod output;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod reading;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod retention;
pub mod runfile;
pub mod salt;
pub mod shelf;
pub mod spool;
mod spool_file;
mod spooler;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(test)]
mod suite;
pub mod writer;

use serde_json::Value;

use crate::chains::chain::KeptChain;
use crate::config::plan::RetentionPlan;
use crate::ledger::entry::OpenSession;
use crate::ledger::row::Batch;
use crate::ledger::session::Session;
use crate::ledger::store_figures::ErrorCategory;
use crate::store::life::Life;
use crate::store::reading::{Answer, Question};
use crate::tokens::TokenResume;
use crate::units::Wall;

/// Ended sessions of which it is read what they held: some of each of as many processes as are usual.
pub const MOST_HELD: u32 = 512;

/// A place that keeps history. One thread owns it, and every call may block.
pub trait Store: Send {
    /// Sessions that were opened and left behind: by any earlier life where the place is ours alone,
    /// and where others write as well by those lives that are over. Whoever is told of a session has
    /// to close it; nobody else is told of it.
    fn open_sessions(&mut self) -> Result<Vec<OpenSession>, StoreError>;

    /// How far the logs were read and which responses are known.
    fn token_resume(&mut self) -> Result<TokenResume, StoreError>;

    /// The chains of agents, the newest conversations of each.
    fn chains(&mut self) -> Result<Vec<(String, KeptChain)>, StoreError>;

    /// What ended runs held, as the details of their events tell it, by process: of the newest
    /// [`MOST_HELD`] runs of this instance, oldest first.
    fn held_before(&mut self) -> Result<Vec<(String, Value)>, StoreError>;

    /// Commits the batches in one transaction: all of them, or none. What was committed before is
    /// passed over, so that a commit whose outcome is unknown can simply be tried again.
    fn commit(&mut self, batches: &[Batch]) -> Result<(), StoreError>;

    /// As [`Store::commit`], of rows that another life could not commit: they are told to be its own.
    fn commit_for(&mut self, life: &Life, batches: &[Batch]) -> Result<(), StoreError>;

    /// Forgets some of what is older than it has to be kept, in one short step. Says whether more
    /// is left to forget.
    fn prune(&mut self, now: Wall, keep: &RetentionPlan) -> Result<bool, StoreError>;

    /// Answers a question about what is kept. Short, because commits wait behind it.
    fn answer(&mut self, question: &Question) -> Result<Answer, StoreError>;

    /// Makes what is kept of a session what its events tell.
    fn repair(&mut self, told: &Session) -> Result<(), StoreError>;

    /// Says that we are leaving: only commits count from now on, and what can be done later is left
    /// to the next life.
    fn hasten(&mut self) {}
}

/// Why the store cannot do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError {
    /// What was tried: `open …`, `commit …`.
    pub attempt: String,
    /// What stood in the way, and what a person can do about it.
    pub cause: String,
    /// Whether the rows themselves are at fault, so that trying again cannot help.
    pub refused: bool,
    /// What kind of trouble it is.
    pub category: ErrorCategory,
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot {}: {}", self.attempt, self.cause)
    }
}

impl std::error::Error for StoreError {}
