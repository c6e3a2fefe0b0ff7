//! The reader without a thread of its own, for as long as none can be had: a limit of processes is
//! used up by those that run, say.
//!
//! Whoever has moments to spare reads then, on the thread that he has: no process waits in its
//! `write`, `logs` and readiness work, and what is shown waits in its queue for a writer, the oldest
//! dropped. Once a second a thread is tried for again.

use std::time::Duration;

use crate::output::door::Output;
use crate::output::engine::Turn;
use crate::units::Mono;

/// How long after a thread could not be had it is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How often it is looked for something to read. A pipe holds what is written meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// Who reads where the room lacks a thread.
#[derive(Debug)]
pub struct StandIn {
    /// When a thread is tried for again, for as long as none reads.
    again: Option<Mono>,
}

impl StandIn {
    /// Nothing is lacking yet.
    pub fn new() -> Self {
        Self { again: None }
    }

    /// Reads for a moment where there is no thread for it, and says how long it may be left alone
    /// then; `None` where a thread reads. Costs next to nothing then.
    pub fn turn(&mut self, output: &Output, now: Mono) -> Option<Duration> {
        if !output.lacks_thread() {
            return self.relieved();
        }
        let again = *self.again.get_or_insert_with(|| {
            tracing::warn!(
                target: "output",
                "what processes write is read by the loop that supervises, until a thread can be had"
            );
            now.after(RETRY)
        });
        if again <= now {
            self.again = Some(now.after(RETRY));
            drop(output.stand());
        }
        match output.by_hand().turn() {
            Some(Turn::WaitAtMost(wait)) => Some(wait.map_or(LOOK, |wait| wait.min(LOOK))),
            Some(Turn::Over) | None => self.relieved(),
        }
    }

    fn relieved(&mut self) -> Option<Duration> {
        if self.again.take().is_some() {
            tracing::info!(target: "output", "a thread reads what processes write");
        }
        None
    }
}

impl Default for StandIn {
    fn default() -> Self {
        Self::new()
    }
}
