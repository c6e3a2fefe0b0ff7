//! How many processes live that sessions which are over left behind, for whoever wants to be told. It is
//! looked at everybody only where there may be some: at the start, once sessions have ended, and for as
//! long as there are any.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::WeakSender;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::ledger::entry::Entry;
use crate::ledger::snapshot::Snapshot;
use crate::memory::orphan::{Names, orphans};
use crate::memory::strays;
use crate::serve::control::known_of_orphans;

/// From what gives reason to look until it is looked, so that a crash loop is no reason to look at
/// everybody all the time.
const GAP: Duration = Duration::from_secs(30);
/// How long everybody may take to be looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Looks and tells, until nobody is there to be told.
pub(super) async fn count(mut pictures: watch::Receiver<Arc<Snapshot>>, told: WeakSender<Entry>) {
    let (mut closed, mut known) = (None, 0);
    loop {
        let now: u64 = pictures.borrow_and_update().closed.values().sum();
        if known == 0 && closed == Some(now) {
            if pictures.changed().await.is_err() {
                return;
            }
            continue;
        }
        sleep(GAP).await;
        let picture = Arc::clone(&pictures.borrow());
        let now = picture.closed.values().sum();
        let Some(count) = look(picture).await else { continue };
        (closed, known) = (Some(now), count);
        let Some(entries) = told.upgrade() else { return };
        let _ = entries.send(Entry::OrphansSeen { count }).await;
    }
}

/// `None` where `/proc` could not be read in time.
async fn look(picture: Arc<Snapshot>) -> Option<u32> {
    let look = spawn_blocking(move || {
        let known = known_of_orphans(&picture);
        let table = strays::everybody(LOOK).ok()?;
        u32::try_from(orphans(&table, &known, &Names::All).len()).ok()
    });
    look.await.ok().flatten()
}
