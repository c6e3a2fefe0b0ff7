//! The doors: one listener for metrics, health and the landing page. Read-only, for whoever can
//! reach it: it never carries logs, commands or control.
//!
//! `listener` owns the socket and everything that a bad client can do to it, `patience` its
//! deadline for slow readers, `routes` what is answered, `packing` what scrapes share, `page` the landing page, `table` and
//! `phrase` the tables and figures on it. Nothing here can hold up supervision: a request reads the
//! latest picture and waits for nobody.

mod connections;
pub mod control;
pub mod events;
pub mod ingest;
pub mod listener;
pub mod packing;
pub mod page;
mod patience;
pub mod phrase;
mod readiness;
pub mod routes;
mod sparkline;
mod table;
pub mod wire;

use std::sync::Arc;

use crate::ledger::entry::StoreHealth;
use crate::ledger::snapshot::Snapshot;
use crate::memory::SelfFigures;
use crate::output::figures::OutputFigures;

/// A question that every request asks anew. It must answer at once.
pub type Source<T> = Box<dyn Fn() -> T + Send + Sync>;

/// Where the doors get what they show.
pub struct Sources {
    /// The latest picture.
    pub snapshot: Source<Arc<Snapshot>>,
    /// What the kernel says of procession itself.
    pub own: Source<SelfFigures>,
    /// What processes wrote, by name.
    pub output: Source<Vec<(Arc<str>, OutputFigures)>>,
    /// How the store is by now; absent where there is none, or it is as in the picture.
    pub store: Source<Option<StoreHealth>>,
    /// Whether the loop that supervises still turns.
    pub alive: Source<bool>,
}
