//! How the store of a plan is opened: what the thread that may wait does first, and again for as long
//! as it fails.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::config::plan::{PostgresPlan, StorePlan};
use crate::ledger::store_figures::ErrorCategory;
use crate::store::figures::Figures;
use crate::store::life::{Beginnings, Identity};
use crate::store::writer::Open;
use crate::store::{Store, StoreError};

/// Us, learnt once, on a thread that may wait for a disk.
#[derive(Clone)]
pub struct Who {
    begins: Beginnings,
    /// `None` of somebody who has no state folder, and so nothing that other lives could know them by.
    state_dir: Option<PathBuf>,
    known: Arc<OnceLock<Identity>>,
}

impl Who {
    /// Somebody who was not learnt yet, with this state folder.
    pub fn new(begins: Beginnings, state_dir: &Path) -> Self {
        Self { begins, state_dir: Some(state_dir.to_owned()), known: Arc::default() }
    }

    /// Somebody who opens a history and supervises nothing: no file is made or locked for them.
    fn passing_by(begins: Beginnings) -> Self {
        Self { begins, state_dir: None, known: Arc::default() }
    }

    /// Who we are. May wait for a disk.
    pub fn know(&self) -> Identity {
        let learn = || Identity::learn(self.begins.clone(), self.state_dir.as_deref());
        self.known.get_or_init(learn).clone()
    }
}

/// How a plan's store is opened; `None` where history is in memory.
pub fn of(plan: &StorePlan, who: Who, figures: &Figures) -> Option<Open> {
    match plan {
        StorePlan::Memory => None,
        StorePlan::Sqlite(path) => Some(sqlite(path.clone(), who, figures.clone())),
        StorePlan::Postgres(plan) => Some(postgres(plan.clone(), who)),
    }
}

/// Opens a history that is there, to look at it while nobody supervises with it.
///
/// # Errors
///
/// Why it cannot be opened; a file that is not there is not created.
pub fn open_once(plan: &StorePlan, begins: Beginnings) -> Result<Box<dyn Store>, StoreError> {
    let missing = |attempt: String, cause: &str| StoreError {
        attempt,
        cause: cause.to_owned(),
        refused: false,
        category: ErrorCategory::Unreachable,
    };
    if let StorePlan::Sqlite(path) = plan {
        if !path.exists() {
            let attempt = format!("open the history {}", path.display());
            return Err(missing(attempt, "there is no such file"));
        }
        if path.is_dir() {
            let cause = "it is a folder: name the file in it, which is usually history.db";
            return Err(missing(format!("open the history {}", path.display()), cause));
        }
        #[cfg(feature = "sqlite")]
        if begins.only_looks {
            let store = crate::store::sqlite::SqliteStore::open_to_look(path)?;
            return Ok(Box::new(store));
        }
    }
    let open = of(plan, Who::passing_by(begins), &Figures::default());
    let mut open = open.ok_or_else(|| missing("open a history".to_owned(), "it is in memory"))?;
    open()
}

#[cfg(feature = "sqlite")]
fn sqlite(path: PathBuf, who: Who, figures: Figures) -> Open {
    use crate::store::sqlite::SqliteStore;
    Box::new(move || {
        let life = who.know().life().clone();
        Ok(Box::new(SqliteStore::open_as(&path, Some(life), figures.clone())?))
    })
}

#[cfg(not(feature = "sqlite"))]
fn sqlite(path: PathBuf, _: Who, _: Figures) -> Open {
    let attempt = format!("open the history {}", path.display());
    Box::new(move || Err(not_built(&attempt, "sqlite")))
}

#[cfg(feature = "postgres")]
fn postgres(plan: Box<PostgresPlan>, who: Who) -> Open {
    use crate::store::postgres::PostgresStore;
    Box::new(move || Ok(Box::new(PostgresStore::open(&plan, who.know())?)))
}

#[cfg(not(feature = "postgres"))]
fn postgres(plan: Box<PostgresPlan>, _: Who) -> Open {
    let attempt = format!("open the history {plan}");
    Box::new(move || Err(not_built(&attempt, "postgres")))
}

#[cfg(not(all(feature = "sqlite", feature = "postgres")))]
fn not_built(attempt: &str, feature: &str) -> StoreError {
    StoreError {
        attempt: attempt.to_owned(),
        cause: format!("this procession was built without its `{feature}` feature"),
        refused: false,
        category: ErrorCategory::Schema,
    }
}
