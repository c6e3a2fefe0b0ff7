//! Where history is kept beyond our own life. Durable means committed, and only what is committed
//! is acknowledged; nothing that supervises ever waits for it.

use crate::ledger::entry::OpenSession;
use crate::ledger::row::Batch;
use crate::tokens::TokenResume;

/// A place that keeps history. One thread owns it, and every call may block.
pub trait Store: Send {
    /// Sessions that were opened and never closed, by whichever life.
    fn open_sessions(&mut self) -> Result<Vec<OpenSession>, StoreError>;

    /// How far the logs were read and which responses are known.
    fn token_resume(&mut self) -> Result<TokenResume, StoreError>;

    /// Commits the batches in one transaction: all of them, or none.
    fn commit(&mut self, batches: &[Batch]) -> Result<(), StoreError>;
}

/// Why the store cannot do what it was asked for.
#[derive(Debug)]
pub struct StoreError {
    /// What was tried: `open …`, `commit …`.
    pub attempt: String,
    /// What stood in the way.
    pub cause: String,
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot {}: {}", self.attempt, self.cause)
    }
}

impl std::error::Error for StoreError {}
