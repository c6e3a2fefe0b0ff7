//! What commands beside the plan are told on their standard input. Each has a queue of its own, and
//! somebody who writes it down the pipe as the command reads; nobody here waits for a command.

use std::collections::{BTreeMap, VecDeque};
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::body::Bytes;
use tokio::net::unix::pipe;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::AbortHandle;

use crate::units::RunId;

/// What may wait for one command, beside what its pipe holds.
pub const MOST_WAITING: usize = 256 << 10;

/// In how many pieces, each of which costs something beside its bytes.
const MOST_PIECES: usize = 1024;

/// Ended runs that are remembered to have had a pipe: the picture that shows their end comes a
/// moment later.
const MOST_GONE: usize = 100;

/// What is told of the pipes.
#[derive(Debug)]
pub enum Feeding {
    /// This run reads from this pipe, whose near end is ours alone.
    Begun(RunId, OwnedFd),
    /// The main process of this run is gone.
    Ended(RunId),
}

/// The pipes of all commands that have one.
#[derive(Debug, Default)]
pub struct Feeds(Mutex<Pipes>);

#[derive(Debug, Default)]
struct Pipes {
    open: BTreeMap<RunId, Feed>,
    /// Those of runs that ended, the newest last.
    gone: VecDeque<RunId>,
}

#[derive(Debug)]
struct Feed {
    /// Nothing follows once it is gone.
    pieces: Option<mpsc::Sender<Bytes>>,
    waiting: Arc<AtomicUsize>,
    writer: AbortHandle,
}

/// Why a command was not told anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotFed {
    /// It has no pipe.
    NoPipe,
    /// It was closed, here, by the command or by its end.
    Closed,
    /// So much waits already that this finds no room.
    Full(usize),
}

impl Feeds {
    /// Follows what is told of the pipes, until nobody tells anything any more.
    pub async fn follow(&self, mut told: mpsc::Receiver<Feeding>) {
        while let Some(feeding) = told.recv().await {
            match feeding {
                Feeding::Begun(run, pipe) => self.begin(run, pipe),
                Feeding::Ended(run) => lock(&self.0).end(run),
            }
        }
    }

    fn begin(&self, run: RunId, pipe: OwnedFd) {
        let (pieces, queue) = mpsc::channel(MOST_PIECES);
        let waiting = Arc::new(AtomicUsize::new(0));
        let writer = tokio::spawn(write_down(pipe, queue, Arc::clone(&waiting))).abort_handle();
        lock(&self.0).open.insert(run, Feed { pieces: Some(pieces), waiting, writer });
    }

    /// Takes all of it, or nothing; and nothing follows it where `closes`. How much waits then.
    pub fn put(&self, run: RunId, bytes: Bytes, closes: bool) -> Result<usize, NotFed> {
        let mut pipes = lock(&self.0);
        let feed = pipes.feed(run)?;
        let pieces = feed.pieces.as_ref().filter(|pieces| !pieces.is_closed());
        let pieces = pieces.ok_or(NotFed::Closed)?;
        let before = feed.waiting.load(Ordering::Acquire);
        if before + bytes.len() > MOST_WAITING {
            return Err(NotFed::Full(before));
        }
        if !bytes.is_empty() {
            let place = pieces.try_reserve().map_err(|error| match error {
                TrySendError::Full(()) => NotFed::Full(before),
                TrySendError::Closed(()) => NotFed::Closed,
            })?;
            feed.waiting.fetch_add(bytes.len(), Ordering::AcqRel);
            place.send(bytes);
        }
        if closes {
            feed.pieces = None;
        }
        Ok(feed.waiting.load(Ordering::Acquire))
    }
}

impl Pipes {
    fn feed(&mut self, run: RunId) -> Result<&mut Feed, NotFed> {
        let missing = if self.gone.contains(&run) { NotFed::Closed } else { NotFed::NoPipe };
        self.open.get_mut(&run).ok_or(missing)
    }

    fn end(&mut self, run: RunId) {
        let Some(feed) = self.open.remove(&run) else { return };
        feed.writer.abort();
        if self.gone.len() >= MOST_GONE {
            self.gone.pop_front();
        }
        self.gone.push_back(run);
    }
}

/// Writes down what comes, as the other end reads it. It ends when nothing follows, or when nobody
/// reads any more; either closes the pipe.
async fn write_down(pipe: OwnedFd, mut queue: mpsc::Receiver<Bytes>, waiting: Arc<AtomicUsize>) {
    let Ok(pipe) = pipe::Sender::from_owned_fd(pipe) else { return };
    while let Some(piece) = queue.recv().await {
        let mut rest = &piece[..];
        while !rest.is_empty() {
            match pipe.try_write(rest) {
                Ok(written) => {
                    rest = &rest[written..];
                    waiting.fetch_sub(written, Ordering::AcqRel);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if pipe.writable().await.is_err() {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
    }
}

/// Whoever panicked with the lock left a map behind that is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, Read, pipe};

    use super::*;

    const RUN: RunId = RunId(1);

    fn fed() -> (Feeds, PipeReader) {
        let (read, write) = pipe().expect("a pipe");
        let feeds = Feeds::default();
        feeds.begin(RUN, write.into());
        (feeds, read)
    }

    fn put(feeds: &Feeds, text: &str, closes: bool) -> Result<usize, NotFed> {
        feeds.put(RUN, Bytes::copy_from_slice(text.as_bytes()), closes)
    }

    async fn rest(mut read: PipeReader) -> String {
        let all = tokio::task::spawn_blocking(move || {
            let mut text = String::new();
            read.read_to_string(&mut text).map(|_| text)
        });
        all.await.expect("no panic").expect("text")
    }

    #[tokio::test]
    async fn what_is_put_in_comes_out_in_order_and_ends_when_it_is_closed() {
        let (feeds, read) = fed();
        assert!(put(&feeds, "one ", false).is_ok());
        let long = "x".repeat(200 << 10);
        assert!(put(&feeds, &long, false).is_ok(), "more than a pipe holds");
        assert!(put(&feeds, " end", true).is_ok());
        assert_eq!(put(&feeds, "more", false), Err(NotFed::Closed));
        assert_eq!(rest(read).await, format!("one {long} end"));
    }

    #[tokio::test]
    async fn a_command_that_does_not_read_gets_so_much_and_no_more() {
        let (feeds, read) = fed();
        let chunk = "x".repeat(100 << 10);
        let mut taken = 0;
        let refused = loop {
            match put(&feeds, &chunk, false) {
                Ok(_) => taken += chunk.len(),
                Err(refused) => break refused,
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        };
        assert!(matches!(refused, NotFed::Full(waiting) if waiting > 0), "{refused:?}");
        assert!((200 << 10..=MOST_WAITING + (64 << 10)).contains(&taken), "{taken}");
        assert!(put(&feeds, "", true).is_ok(), "it can be closed all the same");
        assert_eq!(rest(read).await.len(), taken);
    }

    #[tokio::test]
    async fn one_that_reads_no_more_or_is_gone_is_told_apart_from_one_without_a_pipe() {
        let (feeds, read) = fed();
        drop(read);
        let refused = loop {
            if let Err(refused) = put(&feeds, "x", false) {
                break refused;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(refused, NotFed::Closed);
        let (tell, told) = mpsc::channel(1);
        tell.send(Feeding::Ended(RUN)).await.expect("room");
        drop(tell);
        feeds.follow(told).await;
        assert_eq!(put(&feeds, "x", false), Err(NotFed::Closed));
        assert_eq!(feeds.put(RunId(2), Bytes::new(), false), Err(NotFed::NoPipe));
    }
}
