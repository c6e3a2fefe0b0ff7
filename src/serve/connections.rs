//! The open connections of a listener, which are never more than its limit.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

/// For answers under way when we are told to stop; a part of the shutdown budget.
const DRAIN: Duration = Duration::from_millis(500);

/// The conversations with clients, each a task.
#[derive(Default)]
pub(super) struct Connections {
    tasks: JoinSet<()>,
    oldest_first: VecDeque<(AbortHandle, Engaged)>,
}

/// Whether a conversation is in the middle of an answer that goes on for as long as both want: it is
/// not idle however old it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Engaged(Arc<AtomicBool>);

impl Engaged {
    /// Says so, or that it is over.
    pub(super) fn set(&self, engaged: bool) {
        self.0.store(engaged, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Connections {
    /// Takes a conversation in; at the limit, the oldest has to go that is not engaged. An answer
    /// takes milliseconds, so that it is idle, slow, or up to no good, and nobody can keep others
    /// out by holding connections open: those that are engaged have a limit of their own.
    pub(super) async fn admit<F>(&mut self, converse: impl FnOnce(Engaged) -> F, limit: usize)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.oldest_first.retain(|(connection, _)| !connection.is_finished());
        while self.oldest_first.len() >= limit {
            let idle = self.oldest_first.iter().position(|(_, engaged)| !engaged.is_set());
            if let Some((oldest, _)) = self.oldest_first.remove(idle.unwrap_or(0)) {
                tracing::debug!(target: "serve", "too many connections, closing the oldest");
                oldest.abort();
            }
        }
        while self.tasks.len() >= limit {
            self.tasks.join_next().await;
        }
        let engaged = Engaged::default();
        let conversation = self.tasks.spawn(converse(engaged.clone()));
        self.oldest_first.push_back((conversation, engaged));
    }

    /// Resolves when a conversation has ended; `None` at once when there is none.
    pub(super) async fn one_ended(&mut self) -> Option<()> {
        self.tasks.join_next().await.map(drop)
    }

    /// Waits for answers under way, each connection having been told to end after its own.
    pub(super) async fn drain(mut self) {
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(DRAIN, ended).await.is_err() {
            tracing::debug!(target: "serve", "clients that did not take their answer in time were cut off");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_makes_room_unless_it_is_engaged() {
        let mut connections = Connections::default();
        let mut ends = Vec::new();
        for n in 0..4 {
            let (alive, end) = tokio::sync::oneshot::channel::<()>();
            ends.push(end);
            let converse = |engaged: Engaged| {
                engaged.set(n == 0);
                async move {
                    let _alive = alive;
                    std::future::pending::<()>().await;
                }
            };
            connections.admit(converse, 3).await;
        }
        let closed: Vec<bool> = ends
            .iter_mut()
            .map(|end| {
                end.try_recv()
                    .is_err_and(|error| error == tokio::sync::oneshot::error::TryRecvError::Closed)
            })
            .collect();
        assert_eq!(closed, [false, true, false, false]);
    }
}
