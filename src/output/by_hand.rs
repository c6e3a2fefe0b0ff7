//! The reader without a thread of its own, for as long as none can be had: a limit of processes is
//! used up by those that run, say.
//!
//! Whoever has moments to spare reads then, on the thread that he has: no process waits in its
//! `write`, `logs` and readiness work, and what is shown waits in its queue for a writer, the oldest
//! dropped. Once a second a thread is tried for again.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::time::{interval, sleep};

use crate::output::door::Output;
use crate::output::engine::Turn;

/// Has the runtime tell when a descriptor can be read.
pub type Register = fn(OwnedFd) -> io::Result<AsyncFd<OwnedFd>>;

/// How long after a thread could not be had it is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How often it is looked for something to read where even a descriptor cannot be had.
const BLIND: Duration = Duration::from_millis(20);

/// Reads whenever the room lacks a thread. Never ends; costs nothing while there is one.
pub async fn stand_in(output: Output, register: Register) {
    loop {
        output.lacks_thread().await;
        if output.by_hand().turn().is_none() {
            continue;
        }
        tracing::warn!(
            target: "output",
            "what processes write is read by the loop that supervises, until a thread can be had"
        );
        read_until_relieved(&output, register).await;
        tracing::info!(target: "output", "a thread reads what processes write");
    }
}

/// Reads until a thread has taken over.
async fn read_until_relieved(output: &Output, register: Register) {
    let by_hand = output.by_hand();
    let events = by_hand.fd().and_then(register).ok();
    let mut again = interval(RETRY);
    again.reset();
    while let Some(turn) = by_hand.turn() {
        let wait = match turn {
            Turn::WaitAtMost(wait) => wait,
            Turn::Over => return,
        };
        tokio::select! {
            () = something_to_read(events.as_ref()) => {}
            () = passed(wait) => {}
            _ = again.tick() => drop(output.stand()),
        }
        // Whoever supervises has the next moment.
        tokio::task::yield_now().await;
    }
}

async fn something_to_read(events: Option<&AsyncFd<OwnedFd>>) {
    match events.map(AsyncFd::readable) {
        Some(readable) => {
            let _: io::Result<()> = readable.await.map(|mut ready| ready.clear_ready());
        }
        None => sleep(BLIND).await,
    }
}

async fn passed(wait: Option<Duration>) {
    match wait {
        Some(Duration::ZERO) => {}
        Some(wait) => sleep(wait).await,
        None => std::future::pending().await,
    }
}
