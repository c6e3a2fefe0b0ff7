//! Our own log on standard error: one line for each event, never waited for.
//!
//! Lines go through a bounded queue to a thread of their own, so that a full pipe, a stopped
//! terminal or a log driver that hangs can block nothing. What does not fit is dropped, counted,
//! and told about when there is room again.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How many lines may wait to be written.
const QUEUE: usize = 1024;

/// What can have a level of its own: the rooms that log, and `panic` for faults of ours.
const ROOMS: [&str; 10] = [
    "assembly", "config", "init", "ledger", "memory", "output", "panic", "serve", "store", "tokens",
];

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For log shippers: one JSON object for each line.
    Json,
}

/// Begins to log. `levels` is a level, or levels by target: `info`, `warn,init=debug`.
///
/// # Errors
///
/// When `levels` cannot be read; then nothing was begun.
pub fn begin(levels: &str, format: Format) -> Result<Log, String> {
    let levels = read_levels(levels)?;
    let (lines, queue) = sync_channel(QUEUE);
    let dropped = Arc::new(AtomicU64::new(0));
    let log = Log { lines: lines.clone(), dropped: Arc::clone(&dropped) };
    // Without a thread every line is lost; supervising goes on.
    let _ = std::thread::Builder::new().name("log".into()).spawn(move || write_all(&queue));
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(log.clone());
    let registry = tracing_subscriber::registry().with(levels);
    // A second beginning in one program is a test's; the first one stays.
    let _ = match format {
        Format::Text => registry.with(layer).try_init(),
        Format::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
    // The usual hook writes to standard error itself, where a full pipe would hold us up.
    std::panic::set_hook(Box::new(|panic| tracing::error!(target: "panic", "{panic}")));
    Ok(log)
}

/// Levels as they were typed. A word that is neither a level nor a room would be taken for a room
/// that never says a word, and all others would fall silent.
fn read_levels(typed: &str) -> Result<Targets, String> {
    let refusal = |why: String| {
        format!(
            "cannot read the log level `{typed}`: {why}; write off, error, warn, info, debug or \
             trace, or levels by room: `warn,init=debug`"
        )
    };
    let levels: Targets = typed.parse().map_err(|error| refusal(format!("{error}")))?;
    match levels.iter().find(|(room, _)| !ROOMS.contains(room)) {
        Some((word, _)) => Err(refusal(format!("there is no level and no room `{word}`"))),
        None => Ok(levels),
    }
}

/// The near end of the queue to the thread that writes.
#[derive(Clone)]
pub struct Log {
    lines: SyncSender<Job>,
    dropped: Arc<AtomicU64>,
}

enum Job {
    Write(Vec<u8>),
    /// Answered once everything before it was written.
    Answer(SyncSender<()>),
}

impl Log {
    /// Gives what waits this long to be written.
    pub fn finish(&self, patience: Duration) {
        let (answer, answered) = sync_channel(1);
        if self.lines.try_send(Job::Answer(answer)).is_ok() {
            let _ = answered.recv_timeout(patience);
        }
    }

    fn put(&self, line: Vec<u8>) {
        let lost = self.dropped.load(Ordering::Relaxed);
        if lost > 0 {
            let notice =
                format!("procession: {lost} lines of log were dropped: standard error is slow\n");
            if self.lines.try_send(Job::Write(notice.into_bytes())).is_ok() {
                self.dropped.fetch_sub(lost, Ordering::Relaxed);
            }
        }
        if let Err(TrySendError::Full(_)) = self.lines.try_send(Job::Write(line)) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn write_all(queue: &Receiver<Job>) {
    while let Ok(job) = queue.recv() {
        match job {
            // A closed standard error is no reason to end, and nobody could be told.
            Job::Write(line) => drop(io::stderr().write_all(&line)),
            Job::Answer(answer) => drop(answer.try_send(())),
        }
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { log: self, text: Vec::new() }
    }
}

/// One event while it is put into words; handed over whole when it is complete.
pub struct Line<'a> {
    log: &'a Log,
    text: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        self.log.put(std::mem::take(&mut self.text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_by_room() {
        for typed in ["", "off", "warn", "INFO", "warn,init=debug", "error,store=trace,serve"] {
            assert!(read_levels(typed).is_ok(), "{typed}");
        }
    }

    #[test]
    fn a_word_that_would_silence_everything_is_refused() {
        for (typed, word) in [("loud", "loud"), ("warn,ini=debug", "ini"), ("init=loud", "loud")] {
            let said = read_levels(typed).expect_err("not a level");
            assert!(said.contains("warn,init=debug") && said.contains(word), "{said}");
        }
    }
}
