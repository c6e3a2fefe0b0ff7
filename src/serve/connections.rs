//! The open connections of a listener, which are never more than its limit.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

/// For answers under way when we are told to stop; a part of the shutdown budget.
const DRAIN: Duration = Duration::from_millis(500);

/// The conversations with clients, each a task.
#[derive(Default)]
pub(super) struct Connections {
    tasks: JoinSet<()>,
    oldest_first: VecDeque<AbortHandle>,
}

impl Connections {
    /// Takes a conversation in; at the limit, the oldest has to go. An answer takes milliseconds,
    /// so that the oldest is idle, slow, or up to no good, and nobody can keep others out by
    /// holding connections open.
    pub(super) async fn admit(
        &mut self,
        conversation: impl Future<Output = ()> + Send + 'static,
        limit: usize,
    ) {
        self.oldest_first.retain(|connection| !connection.is_finished());
        while self.oldest_first.len() >= limit {
            if let Some(oldest) = self.oldest_first.pop_front() {
                tracing::debug!(target: "serve", "too many connections, closing the oldest");
                oldest.abort();
            }
        }
        while self.tasks.len() >= limit {
            self.tasks.join_next().await;
        }
        self.oldest_first.push_back(self.tasks.spawn(conversation));
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
