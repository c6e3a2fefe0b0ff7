//! Lines of agents that print what they spend, on their way from the reader of output to the ledger.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use crate::clock;
use crate::config::plan::Capture;
use crate::ledger::entry::Entry;
use crate::output::tap::{Tap, Tapped};
use crate::tokens::price::Prices;
use crate::tokens::stdout::{Lost, Stdout};
use crate::units::{Now, RunId};

/// Lines that wait.
const LINES: usize = 1_024;

/// Bytes of lines that wait, of all processes together: twice the longest line.
const BYTES: usize = 8 << 20;

/// Before the last of it is told at our end: so long the transcripts have to be read to theirs.
const AFTER_TRANSCRIPTS: Duration = Duration::from_millis(100);

/// A line on its way.
struct Piece {
    speaker: Arc<Speaker>,
    /// Nothing but news of lines that were lost, where there is none.
    line: Option<Vec<u8>>,
}

/// Who wrote it.
struct Speaker {
    run: RunId,
    process: Arc<str>,
    capture: Capture,
    too_long: AtomicU64,
    no_room: AtomicU64,
}

/// Makes taps.
pub(super) struct Taps {
    pieces: mpsc::Sender<Piece>,
    waiting: Arc<AtomicUsize>,
}

/// The other end.
pub(super) struct Queue {
    pieces: mpsc::Receiver<Piece>,
    waiting: Arc<AtomicUsize>,
}

/// Both ends.
pub(super) fn lines() -> (Taps, Queue) {
    let (sender, pieces) = mpsc::channel(LINES);
    let waiting = Arc::new(AtomicUsize::new(0));
    let taps = Taps { pieces: sender, waiting: Arc::clone(&waiting) };
    (taps, Queue { pieces, waiting })
}

impl Taps {
    /// A tap for what a run writes to its standard output. It never waits: a line for which there is
    /// no room is lost, and counted.
    pub(super) fn of(&self, run: RunId, process: &str, capture: Capture) -> Tap {
        let (pieces, waiting) = (self.pieces.clone(), Arc::clone(&self.waiting));
        let (too_long, no_room) = (AtomicU64::new(0), AtomicU64::new(0));
        let speaker = Speaker { run, process: process.into(), capture, too_long, no_room };
        let speaker = Arc::new(speaker);
        Tap::new(move |what| {
            let speaker = Arc::clone(&speaker);
            match what {
                Tapped::TooLong => {
                    speaker.too_long.fetch_add(1, Ordering::Relaxed);
                    // Where there is no room the next line brings the news.
                    let _ = pieces.try_send(Piece { speaker, line: None });
                }
                Tapped::Line(line) => {
                    let before = waiting.fetch_add(line.len(), Ordering::Relaxed);
                    let fits = before.saturating_add(line.len()) <= BYTES;
                    let permit = pieces.try_reserve().ok().filter(|_| fits);
                    let Some(permit) = permit else {
                        waiting.fetch_sub(line.len(), Ordering::Relaxed);
                        speaker.no_room.fetch_add(1, Ordering::Relaxed);
                        return;
                    };
                    permit.send(Piece { speaker, line: Some(line.to_vec()) });
                }
            }
        })
    }
}

impl Queue {
    fn take(&self, piece: Piece, stdout: &mut Stdout, now: Now) {
        let Piece { speaker, line } = piece;
        let Speaker { run, process, capture, too_long, no_room } = &*speaker;
        if let Some(line) = line {
            self.waiting.fetch_sub(line.len(), Ordering::Relaxed);
            stdout.line(*run, process, capture, &line, now);
        }
        let taken = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
        let lost = Lost { too_long: taken(too_long), no_room: taken(no_room) };
        if lost != Lost::default() {
            stdout.lost(*run, process, capture, lost, now);
        }
    }
}

/// Reads them until we are to stop.
pub(super) async fn read(
    mut queue: Queue,
    mut prices: watch::Receiver<Prices>,
    entries: mpsc::Sender<Entry>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut stdout = Stdout::new(prices.borrow_and_update().clone());
    loop {
        if prices.has_changed().unwrap_or(false) {
            stdout.reprice(prices.borrow_and_update().clone());
        }
        let wait = stdout.due().map(|due| due.since(clock::now().mono));
        tokio::select! {
            biased;
            piece = queue.pieces.recv() => match piece {
                Some(piece) => queue.take(piece, &mut stdout, clock::now()),
                None => break,
            },
            () = passed(wait) => {}
            () = async { drop(stopped.wait_for(|stop| *stop).await) } => break,
        }
        tell(&mut stdout, &entries, false).await;
    }
    while let Ok(piece) = queue.pieces.try_recv() {
        queue.take(piece, &mut stdout, clock::now());
    }
    if stdout.due().is_some() {
        sleep(AFTER_TRANSCRIPTS).await;
        tell(&mut stdout, &entries, true).await;
    }
}

async fn passed(wait: Option<Duration>) {
    match wait {
        Some(wait) => sleep(wait).await,
        None => std::future::pending().await,
    }
}

async fn tell(stdout: &mut Stdout, entries: &mpsc::Sender<Entry>, all: bool) {
    for batch in stdout.settle(clock::now(), all) {
        let _ = entries.send(Entry::StdoutRead { at: clock::now(), batch }).await;
    }
}
