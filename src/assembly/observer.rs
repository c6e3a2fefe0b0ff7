//! Beginning to observe, while the loop turns already: what is below takes milliseconds to build.

use std::io;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::below::{self, Below};
use super::{LAST_MOMENTS, SHORTEST_WAIT};
use crate::clock;
use crate::ledger::entry::Entry;
use crate::units::Mono;

/// Before the second attempt to begin observing; each further wait is twice as long.
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// The longest wait between two attempts.
const LAST_RETRY: Duration = Duration::from_secs(10);

/// Begins to observe. Where it cannot be begun nothing is seen, and supervising goes on.
pub(super) struct Observer<F> {
    living: mpsc::WeakSender<Entry>,
    begin: Arc<Mutex<Option<F>>>,
}

impl<F: FnOnce(mpsc::Sender<Entry>) -> Option<Below> + Send + 'static> Observer<F> {
    pub(super) fn new(living: mpsc::WeakSender<Entry>, begin: F) -> Self {
        Self { living, begin: Arc::new(Mutex::new(Some(begin))) }
    }

    /// On a thread of its own; `None` where there is none to be had, and it can be tried again.
    pub(super) fn start(&self) -> Option<Begun> {
        let (hand_over, below) = sync_channel(1);
        let begin = Arc::clone(&self.begin);
        // From the loop: a life that is over by the time the thread runs has its history kept.
        let entries = self.living.upgrade()?;
        let begin = move || {
            // Taken only here: a thread that could not be had must not take it down with it.
            let begin = begin.lock().unwrap_or_else(PoisonError::into_inner).take();
            // Nobody takes over what is below once we were too late.
            begin
                .and_then(|begin| begin(entries))
                .is_some_and(|below| hand_over.send(below).is_ok())
        };
        let spawned = thread::Builder::new().name("observe".into()).spawn(begin);
        let thread = spawned.inspect_err(cannot_observe).ok()?.thread().clone();
        Some(Begun { thread, below })
    }
}

/// What observes, from the thread that begins it.
pub(super) struct Begun {
    thread: Thread,
    below: Receiver<Below>,
}

impl Begun {
    /// Takes it over. The thread may have given up, and even one that hangs must not keep us.
    pub(super) fn take(self, leave_by: Mono) -> Option<Below> {
        self.thread.unpark();
        let left = leave_by.since(clock::now().mono).clamp(SHORTEST_WAIT, LAST_MOMENTS);
        self.below.recv_timeout(left).ok()
    }
}

/// A runtime for what observes, as soon as it can be had: threads and descriptors may be short for
/// a while. It is tried once at least, and `None` once the loop has ended.
pub(super) fn runtime_while(
    mut entries: mpsc::Sender<Entry>,
) -> Option<(Runtime, mpsc::Sender<Entry>)> {
    let mut wait = FIRST_RETRY;
    loop {
        match below::runtime() {
            Ok(runtime) => return Some((runtime, entries)),
            Err(error) => cannot_observe(&error),
        }
        let living = entries.downgrade();
        drop(entries);
        thread::park_timeout(wait);
        wait = (wait * 2).min(LAST_RETRY);
        entries = living.upgrade()?;
    }
}

fn cannot_observe(error: &io::Error) {
    tracing::error!(target: "assembly", "cannot observe: {error}; processes run on unseen");
}
