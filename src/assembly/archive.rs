//! A history that nobody supervises with, asked like a procession that runs: by the same API, of which
//! only what is kept has answers.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::UnixStream;
use tokio::sync::watch;

use crate::clock;
use crate::config::one_command::{Options, one_command};
use crate::config::plan::StorePlan;
use crate::ledger::snapshot::Snapshot;
use crate::ledger::veil::Veil;
use crate::serve::control::logs::NoLogs;
use crate::serve::control::trail::Trail;
use crate::serve::control::{Busy, NotRead, Sources, answer};
use crate::serve::events::Events;
use crate::store::life::Beginnings;
use crate::store::looking::look;
use crate::store::reading::reader::Reader;
use crate::store::salt;
use crate::units::SessionId;

use super::control::beside;

/// A history that can be asked, for as long as it is held.
#[derive(Clone)]
pub struct Archive(Arc<Sources>);

impl Archive {
    /// Opens a history that is there. May wait for a disk, or for a server.
    ///
    /// # Errors
    ///
    /// Why it cannot be read, in a line; a file that a supervisor holds is such a reason.
    pub fn open(plan: &StorePlan) -> Result<Self, String> {
        let history = look(plan, onlooker()).map_err(|error| error.to_string())?;
        Ok(Self(Arc::new(sources(history))))
    }

    /// A connection to somebody who answers out of it.
    ///
    /// # Errors
    ///
    /// When there is no descriptor left.
    pub fn connect(&self) -> io::Result<UnixStream> {
        let (near, far) = UnixStream::pair()?;
        tokio::spawn(answer(far, Arc::clone(&self.0)));
        Ok(near)
    }
}

/// Somebody who looks and leaves nothing behind.
pub(super) fn onlooker() -> Beginnings {
    let now = clock::now().wall;
    let id = SessionId::new(now, super::seed().into());
    Beginnings { id, began: now, supervisor: None, alive: Arc::new(|_| false), only_looks: true }
}

/// Nothing runs, nobody takes orders, and all that is known is kept.
fn sources(history: Reader) -> Sources {
    let nothing = Arc::new(one_command(Vec::new(), Options::new(PathBuf::new())));
    let (_, pictures) = watch::channel(Arc::new(Snapshot::default()));
    Sources {
        pictures,
        orders: Box::new(|_| Err(Busy::Gone)),
        requests: Box::new(|_| Err(Busy::Gone)),
        read_plan: Arc::new(|| Err(NotRead::NoFile)),
        read_command: Arc::new(|_, _| Err(vec!["nobody supervises with it".to_owned()])),
        logs: Arc::new(NoLogs),
        beside: beside(&nothing, None),
        events: Arc::new(Events::new(clock::now().wall)),
        history,
        trail: Trail::in_memory(),
        forget: Box::new(|_| false),
        veil: Veil::default(),
        salt: Arc::new(salt::passing),
        alive: Box::new(|| false),
    }
}
