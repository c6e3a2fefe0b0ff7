//! Commands beside the plan, as the doors know them: the roll of them, what they wrote, and what they
//! are told.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::feeding::Feeds;
use crate::ledger::beside::{Command, Roll};
use crate::output::tape::{Reel, Wanted};
use crate::supervise::lifecycle::Lifecycle;
use crate::units::{Now, RunId, SessionId};

/// What runs wrote that are recorded, as the output room keeps it.
pub trait Tapes: Send + Sync {
    /// Reads a part; waits up to `wait` while there is nothing to read yet. `None` where nothing of
    /// it is kept.
    fn read(&self, run: RunId, wanted: Wanted, wait: Duration) -> Reading<'_>;
}

/// A part of a tape that is still to come.
pub type Reading<'a> = Pin<Box<dyn Future<Output = Option<Reel>> + Send + 'a>>;

/// Nothing is recorded.
#[derive(Debug)]
pub struct NoTapes;

impl Tapes for NoTapes {
    fn read(&self, _: RunId, _: Wanted, _: Duration) -> Reading<'_> {
        Box::pin(async { None })
    }
}

/// Everything that is known of commands beside the plan.
pub struct Beside {
    roll: Mutex<Roll>,
    changed: watch::Sender<()>,
    /// What they wrote.
    pub tapes: Arc<dyn Tapes>,
    /// What they are told.
    pub feeds: Arc<Feeds>,
}

impl Beside {
    /// Nobody runs yet.
    pub fn new(roll: Roll, tapes: Arc<dyn Tapes>, feeds: Arc<Feeds>) -> Self {
        Self { roll: Mutex::new(roll), changed: watch::channel(()).0, tapes, feeds }
    }

    /// Takes in a line of the story.
    pub fn hear(&self, at: Now, event: &Lifecycle) {
        if self.roll().hear(at, event) {
            self.changed.send_replace(());
        }
    }

    /// Told whenever a command begins, changes or ends.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// The runs that live.
    pub fn live(&self) -> Vec<RunId> {
        self.roll().running().map(|command| command.run).collect()
    }

    /// The session that a run is, where it is known.
    pub fn session_of(&self, run: RunId) -> Option<SessionId> {
        self.roll().of_run(run).map(|command| command.session)
    }

    /// Those that live and so many that ended, the newest of each first.
    pub(super) fn all(&self, ended: usize) -> (Vec<Command>, Vec<Command>) {
        let roll = self.roll();
        (roll.running().cloned().collect(), roll.over().take(ended).cloned().collect())
    }

    /// The one with this session or this pid.
    pub(super) fn find(&self, id: &str) -> Option<Command> {
        self.roll().find(id).cloned()
    }

    /// The one with this session, once it is as it should be, or when time is up; `None` while it is
    /// not known.
    pub(super) async fn once(
        &self,
        session: &str,
        wait: Duration,
        is_there: impl Fn(&Command) -> bool,
    ) -> Option<Command> {
        let mut changes = self.changed.subscribe();
        let reached = async {
            loop {
                changes.borrow_and_update();
                if let Some(found) = self.find(session).filter(&is_there) {
                    return Some(found);
                }
                changes.changed().await.ok()?;
            }
        };
        match tokio::time::timeout(wait, reached).await {
            Ok(found) => found,
            Err(_) => self.find(session),
        }
    }

    /// Whoever panicked with the lock left a roll behind that is whole.
    fn roll(&self) -> MutexGuard<'_, Roll> {
        self.roll.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
