//! Agents that go on spending behind the end of their run, at their end: whoever carries a session of
//! that process in its environment, or descends from somebody who does, is asked to end, then killed.
//! The loop sends the signals, after a look of its own at whose they are.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use crate::init::inward::Order;
use crate::ledger::snapshot::Snapshot;
use crate::memory::orphan::{Known, Names, Orphan, orphans};
use crate::memory::{proc, strays};
use crate::supervise::wish::Wish;
use crate::units::{ProcId, SessionId, Signal};

/// How long everybody may take to be looked at.
const LOOK: Duration = Duration::from_secs(5);

/// From SIGTERM to SIGKILL.
const GRACE: Duration = Duration::from_secs(2);

/// Whose runs left somebody behind.
pub(super) struct Behind {
    /// The process.
    pub(super) process: String,
    /// Its last run.
    pub(super) session: SessionId,
    /// What is known.
    pub(super) picture: Arc<Snapshot>,
}

/// Looks for them and ends them.
pub(super) async fn end(behind: Behind, orders: mpsc::Sender<Order>) {
    let process = behind.process.clone();
    let look = move || find(&behind);
    let found = match tokio::task::spawn_blocking(look).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => {
            tracing::warn!(target: "orphans", process, "who goes on spending is not known: {error}");
            return;
        }
        Err(_) => return,
    };
    let count = found.len();
    tracing::warn!(target: "orphans", process, count, "it goes on spending behind its end: those who \
        were seen to have been left behind by it are ended");
    ring(&orders, found.clone(), Signal::TERM);
    sleep(GRACE).await;
    ring(&orders, found.into_iter().filter(lives).collect(), Signal::KILL);
}

/// Off the task: `/proc` can hang.
fn find(behind: &Behind) -> std::io::Result<Vec<ProcId>> {
    let us = std::process::id().cast_signed();
    let picture = &behind.picture;
    let live = picture.sessions.iter().map(|session| (session.id, session.main)).collect();
    let known = Known { spared: vec![us], us: Some(us), live, left: Vec::new() };
    let found = orphans(&strays::everybody(LOOK)?, &known, &Names::All);
    Ok(found.into_iter().filter(|it| is_of(behind, it)).map(|it| it.id).collect())
}

/// Whether a run of this process left it behind, the last one or an earlier one.
fn is_of(behind: &Behind, orphan: &Orphan) -> bool {
    let mut ended = behind.picture.ended.iter();
    orphan.session == behind.session
        || ended.any(|one| one.id == orphan.session && one.process == behind.process)
}

fn ring(orders: &mpsc::Sender<Order>, ids: Vec<ProcId>, signal: Signal) {
    if ids.is_empty() {
        return;
    }
    let (reply, _) = oneshot::channel();
    if orders.try_send(Order { wish: Wish::SignalOrphans { ids, signal }, reply }).is_err() {
        tracing::warn!(target: "orphans", "the door is busy: they are looked for again");
    }
}

fn lives(id: &ProcId) -> bool {
    proc::stat(id.pid).is_ok_and(|stat| stat.id == *id && stat.is_alive())
}
