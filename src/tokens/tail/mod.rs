//! Follows the transcripts: finds them, reads what was appended, and hands on what it means.
//!
//! Owns the files and what is read of them. Polls, because that works on every file system that a
//! container can have; a poll reads only what was appended, opens one file at a time, and looks
//! often only at what changed lately, or what the kernel tells of. What is handed on is enough to start again after a crash:
//! the offset of a file is where its first open response begins, and what was closed since is
//! known by key, so that nothing is lost and nothing counted twice. Refuses to drop anything: when
//! the queue is full it waits, for the file is the real queue.

use std::os::fd::OwnedFd;
use std::pin::pin;
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, watch};

use crate::clock;
use crate::secret::masker::Masker;
use crate::tokens::price::Prices;
use crate::tokens::source::Source;
use crate::tokens::{TokenBatch, TokenResume};
use crate::units::{Now, Wall};

use crate::tokens::tail::bell::Register;
pub use crate::tokens::tail::follower::{Follower, Pause};

mod bell;
#[cfg(test)]
mod corpus;
#[cfg(feature = "sqlite")]
mod database;
mod document;
mod ears;
mod file;
mod follower;
mod read;
pub mod offline;
mod parts;
mod plain;
mod scan;
#[cfg(test)]
mod scene;
mod shelf;
mod telling;
mod turn;
#[cfg(test)]
mod tests;

/// Between two polls at least, when all is read, and at most while a response is open or the kernel
/// does not tell of all that is written. A line is seen within this time, its response closed half a
/// second later and told within this time again: less than a second in all.
const INTERVAL: Duration = Duration::from_millis(200);

/// Between two polls while nothing is open and the kernel tells of what is written: a share of another
/// machine may be written to without a word, and its lines are to be seen within a second too.
const REST: Duration = Duration::from_millis(500);

/// How to begin.
#[derive(Clone, Debug)]
pub struct Start {
    /// When this life began: what was written before is history.
    pub at: Wall,
    /// What earlier lives left.
    pub resume: TokenResume,
    /// Whether history is counted too when a folder is first seen.
    pub count_history: bool,
    /// What tokens cost.
    pub prices: Prices,
    /// How the beginnings of prompts and answers are masked, where they may be kept.
    pub excerpts: Option<Masker>,
}

/// What is told while something is followed.
pub struct Tidings {
    /// The folders to follow.
    pub sources: watch::Receiver<Vec<Source>>,
    /// What tokens cost from now on.
    pub prices: watch::Receiver<Prices>,
    /// What has the kernel wake us.
    pub register: Register,
}

/// Follows until `stop` is ready or nobody receives any more, then reads what is left once more and
/// closes every response. Folders that `sources` tells of meanwhile are followed as well.
pub async fn follow(
    mut follower: Follower,
    told: Tidings,
    sender: mpsc::Sender<TokenBatch>,
    stop: impl Future<Output = ()>,
) {
    let Tidings { mut sources, mut prices, register } = told;
    let bell = follower.bell().and_then(|bell| register(bell).ok());
    let mut stop = pin!(stop);
    // They may have changed since the follower was made.
    sources.mark_changed();
    loop {
        if sources.has_changed().unwrap_or(false) {
            follower.follow(&sources.borrow_and_update());
        }
        if prices.has_changed().unwrap_or(false) {
            follower.reprice(prices.borrow_and_update().clone());
        }
        let batches;
        (follower, batches) = on_a_thread(follower, Follower::poll).await;
        if !send(&sender, batches).await {
            return;
        }
        let pause = follower.pause();
        tokio::select! {
            biased;
            () = &mut stop => break,
            Ok(()) = sources.changed() => sources.mark_changed(),
            () = rest(bell.as_ref(), pause) => {}
        }
    }
    let (_, batches) = on_a_thread(follower, Follower::finish).await;
    send(&sender, batches).await;
}

/// Waits until there may be something to read.
async fn rest(bell: Option<&AsyncFd<OwnedFd>>, pause: Pause) {
    let (longest, bell) = match pause {
        Pause::None => return,
        Pause::Short => (INTERVAL, None),
        Pause::UntilTold => (REST, bell),
    };
    let begun = clock::instant();
    let rung = async {
        match bell {
            Some(bell) => match bell.readable().await {
                Ok(mut ready) => ready.clear_ready(),
                Err(_) => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    };
    // What is written in one go is read in one go.
    if tokio::time::timeout(longest, rung).await.is_ok() {
        tokio::time::sleep_until(begun + INTERVAL).await;
    }
}

async fn on_a_thread(
    mut follower: Follower,
    work: fn(&mut Follower, Now) -> Vec<TokenBatch>,
) -> (Follower, Vec<TokenBatch>) {
    let task = tokio::task::spawn_blocking(move || {
        let batches = work(&mut follower, clock::now());
        (follower, batches)
    });
    match task.await {
        Ok(done) => done,
        // Our caller begins anew after a panic; what was cancelled, was so with the whole runtime.
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => std::future::pending().await,
        },
    }
}

async fn send(sender: &mpsc::Sender<TokenBatch>, batches: Vec<TokenBatch>) -> bool {
    for batch in batches {
        if sender.send(batch).await.is_err() {
            return false;
        }
    }
    true
}
