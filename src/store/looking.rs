//! Reading a history that nobody supervises with: the same questions, and a thread that commits
//! nothing.

use std::sync::Arc;
use std::thread::Builder;

use crate::config::plan::StorePlan;
use crate::ledger::store_figures::ErrorCategory;
use crate::store::life::Beginnings;
use crate::store::opening::open_once;
use crate::store::reading;
use crate::store::reading::reader::{Asked, Reader, Unanswered};
use crate::store::shelf::{Shelf, Woken};
use crate::store::{Store, StoreError};
use crate::units::Mono;

/// Nothing is due where nothing is written.
const NEVER: Mono = Mono(u64::MAX);

/// Opens a history that is there and answers questions about it for as long as we live. May wait for
/// a disk.
///
/// # Errors
///
/// Why it cannot be opened; a file that is not there is not created.
pub fn look(plan: &StorePlan, begins: Beginnings) -> Result<Reader, StoreError> {
    let mut store = open_once(plan, Beginnings { only_looks: true, ..begins })?;
    let shelf = Arc::<Shelf>::default();
    let reader = Reader::of(Arc::clone(&shelf));
    let spawned = Builder::new().name("store".into()).spawn(move || answer(&shelf, &mut *store));
    spawned.map_err(|error| StoreError {
        attempt: "start the thread of the store".to_owned(),
        cause: error.to_string(),
        refused: false,
        category: ErrorCategory::Unreachable,
    })?;
    Ok(reader)
}

fn answer(shelf: &Shelf, store: &mut dyn Store) {
    while shelf.wait(|_| NEVER) != Woken::Closed {
        while let Some(Asked { question, reply }) = shelf.next_question() {
            let answer = reading::answer(store, &question);
            // Whoever does not wait any more needs no answer.
            let _ = reply.send(answer.map_err(|error| Unanswered::Failed(error.to_string())));
        }
    }
}
