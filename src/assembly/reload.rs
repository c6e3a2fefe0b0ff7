//! The configuration read anew, off the loop: a file can lie on a share that hangs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;

use crate::config::problem::Problems;
use crate::config::{Loaded, load_anew};
use crate::init::inward::{Doors, Order};
use crate::supervise::fact::Fact;
use crate::supervise::wish::Wish;

/// Longer than this a local disk does not take; then somebody should know what is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads the file whenever it is asked for, and gives the order to hold what it says, or tells that
/// it has faults. One reading at a time; who asks meanwhile gets one more afterwards.
pub(super) async fn answer(
    source: Option<PathBuf>,
    mut readings: mpsc::Receiver<()>,
    doors: Doors,
    reread: Arc<Notify>,
) {
    while readings.recv().await.is_some() {
        let Some(path) = &source else {
            tracing::warn!(target: "config", "there is no file to be read anew");
            continue;
        };
        let told = match read(path).await {
            Some(read) => {
                if read.is_ok() {
                    reread.notify_one();
                }
                tell(read, &doors).await
            }
            None => doors.tidings.send(Fact::ReloadFailed { faults: 0 }).await.ok(),
        };
        if told.is_none() {
            return;
        }
    }
}

/// Reads on a thread of its own, which may hang for as long as the file does.
async fn read(path: &Path) -> Option<Result<Loaded, Problems>> {
    let (hand_over, loaded) = oneshot::channel();
    let owned = path.to_path_buf();
    let read = move || drop(hand_over.send(load_anew(&owned)));
    if let Err(error) = thread::Builder::new().name("reload".into()).spawn(read) {
        tracing::error!(target: "config", "cannot read {} anew: {error}", path.display());
        return None;
    }
    let mut loaded = std::pin::pin!(loaded);
    if let Ok(loaded) = timeout(PATIENCE, &mut loaded).await {
        return loaded.ok();
    }
    tracing::warn!(target: "config", "{} is still being read: is its disk there?", path.display());
    loaded.await.ok()
}

/// `None` once nobody listens any more.
async fn tell(read: Result<Loaded, Problems>, doors: &Doors) -> Option<()> {
    match read {
        Ok(Loaded { plan, warnings, .. }) => {
            for warning in warnings.iter() {
                tracing::warn!(target: "config", "{warning}");
            }
            let (reply, _) = oneshot::channel();
            let order = Order { wish: Wish::Reload(Arc::new(plan)), reply };
            doors.orders.send(order).await.ok()
        }
        Err(problems) => {
            for problem in problems.iter() {
                tracing::error!(target: "config", "{problem}");
            }
            let faults = u32::try_from(problems.count()).unwrap_or(u32::MAX);
            doors.tidings.send(Fact::ReloadFailed { faults }).await.ok()
        }
    }
}
