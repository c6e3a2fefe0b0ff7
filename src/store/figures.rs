//! Counting what a store does: a store around a store, so that none of them counts for itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::chains::chain::KeptChain;
use crate::clock;
use crate::config::plan::RetentionPlan;
use crate::ledger::entry::OpenSession;
use crate::ledger::row::Batch;
use crate::ledger::session::Session;
use crate::ledger::store_figures::{Operation, StoreFigures};
use crate::store::life::Life;
use crate::store::reading::{Answer, Question};
use crate::store::writer::Open;
use crate::store::{Store, StoreError};
use crate::tokens::TokenResume;
use crate::units::Wall;

/// The figures of one store, held by whoever counts and by whoever tells of them.
#[derive(Clone, Debug, Default)]
pub struct Figures(Arc<Mutex<StoreFigures>>);

impl Figures {
    /// What was counted so far.
    pub fn now(&self) -> StoreFigures {
        *self.lock()
    }

    /// Counts a damaged file that was set aside.
    pub fn set_aside(&self) {
        self.lock().set_aside += 1;
    }

    fn time<T>(
        &self,
        operation: Operation,
        work: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let began = clock::now().mono;
        let result = work();
        let mut figures = self.lock();
        figures.took(operation, clock::now().mono.since(began));
        if let Err(error) = &result {
            figures.failed(error.category);
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, StoreFigures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens what `open` opens, and counts what it does from then on.
pub fn counted(mut open: Open, figures: Figures) -> Open {
    Box::new(move || {
        let store = figures.time(Operation::Open, &mut open)?;
        Ok(Box::new(Counted { store, figures: figures.clone() }))
    })
}

struct Counted {
    store: Box<dyn Store>,
    figures: Figures,
}

impl Store for Counted {
    fn open_sessions(&mut self) -> Result<Vec<OpenSession>, StoreError> {
        self.figures.time(Operation::Resume, || self.store.open_sessions())
    }

    fn token_resume(&mut self) -> Result<TokenResume, StoreError> {
        self.figures.time(Operation::Resume, || self.store.token_resume())
    }

    fn chains(&mut self) -> Result<Vec<(String, KeptChain)>, StoreError> {
        self.figures.time(Operation::Resume, || self.store.chains())
    }

    fn held_before(&mut self) -> Result<Vec<(String, Value)>, StoreError> {
        self.figures.time(Operation::Resume, || self.store.held_before())
    }

    fn commit(&mut self, batches: &[Batch]) -> Result<(), StoreError> {
        self.figures.time(Operation::Commit, || self.store.commit(batches))
    }

    fn commit_for(&mut self, life: &Life, batches: &[Batch]) -> Result<(), StoreError> {
        self.figures.time(Operation::Commit, || self.store.commit_for(life, batches))
    }

    fn prune(&mut self, now: Wall, keep: &RetentionPlan) -> Result<bool, StoreError> {
        self.figures.time(Operation::Prune, || self.store.prune(now, keep))
    }

    fn answer(&mut self, question: &Question) -> Result<Answer, StoreError> {
        self.figures.time(Operation::Read, || self.store.answer(question))
    }

    fn repair(&mut self, told: &Session) -> Result<(), StoreError> {
        self.figures.time(Operation::Commit, || self.store.repair(told))
    }

    fn hasten(&mut self) {
        self.store.hasten();
    }
}
