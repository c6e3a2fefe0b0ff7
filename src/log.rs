//! Our own log on standard error: one line for each event, never waited for.
//!
//! Lines go through a bounded queue to a thread of their own, so that a full pipe, a stopped
//! terminal or a log driver that hangs can block nothing. What does not fit is dropped, counted,
//! and told about when there is room again.

use std::io::{self, Write};
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tracing::metadata::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

use crate::faults;
use crate::secret::mask::mask_shapes;
use crate::secret::masker::Masker;

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
    let log = Log::new();
    let late = Late { levels, format, log: log.clone(), formatter: OnceLock::new() };
    // A second beginning in one program is a test's; the first one stays.
    let _ = tracing::subscriber::set_global_default(late);
    // The usual hook writes to standard error itself, where a full pipe would hold us up.
    std::panic::set_hook(Box::new(|panic| {
        faults::note(panic.location().map_or("", Location::file));
        tracing::error!(target: "panic", "{panic}");
    }));
    Ok(log)
}

/// Builds what puts events into words with the first of them, because it is made of a hundred
/// kilobytes of tables that the first spawn would wait for.
struct Late {
    levels: Targets,
    format: Format,
    log: Log,
    formatter: OnceLock<Box<dyn Subscriber + Send + Sync>>,
}

impl Late {
    fn formatter(&self) -> &dyn Subscriber {
        self.formatter.get_or_init(|| {
            let words = tracing_subscriber::fmt::layer().with_ansi(false);
            let words = words.with_writer(self.log.clone());
            match self.format {
                Format::Text => Box::new(tracing_subscriber::registry().with(words)),
                Format::Json => {
                    Box::new(tracing_subscriber::registry().with(words.json().flatten_event(true)))
                }
            }
        })
    }
}

impl Subscriber for Late {
    fn enabled(&self, event: &Metadata<'_>) -> bool {
        self.levels.would_enable(event.target(), event.level())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.levels.iter().map(|(_, level)| level).chain(self.levels.default_level()).max()
    }

    fn event(&self, event: &Event<'_>) {
        self.formatter().event(event);
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.formatter().new_span(span)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        self.formatter().record(span, values);
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        self.formatter().record_follows_from(span, follows);
    }

    fn enter(&self, span: &Id) {
        self.formatter().enter(span);
    }

    fn exit(&self, span: &Id) {
        self.formatter().exit(span);
    }

    fn clone_span(&self, span: &Id) -> Id {
        self.formatter().clone_span(span)
    }

    fn try_close(&self, span: Id) -> bool {
        self.formatter().try_close(span)
    }
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

/// The near end of the queue to the thread that writes. It is begun with the first line: a quiet
/// life needs none, and a talkative one spawns before it says so.
#[derive(Clone)]
pub struct Log {
    /// Of tokio, since its room is made when it is needed: the queue is empty most of the time.
    jobs: Sender<Job>,
    shared: Arc<Shared>,
}

struct Shared {
    dropped: AtomicU64,
    /// The far end, until the thread takes it.
    far_end: Mutex<Option<Receiver<Job>>>,
    /// A thread was begun.
    writes: AtomicBool,
    /// What the configuration has masked besides what we mask anyway.
    masker: OnceLock<Masker>,
}

enum Job {
    Write(Vec<u8>),
    /// Answered once everything before it was written.
    Answer(SyncSender<()>),
}

impl Log {
    fn new() -> Self {
        let (jobs, far_end) = channel(QUEUE);
        let shared = Shared {
            dropped: AtomicU64::new(0),
            far_end: Mutex::new(Some(far_end)),
            writes: AtomicBool::new(false),
            masker: OnceLock::new(),
        };
        Self { jobs, shared: Arc::new(shared) }
    }

    /// Masks by these patterns as well, from now on. The first say stands.
    pub fn mask_by(&self, masker: Masker) {
        let _ = self.shared.masker.set(masker);
    }

    /// Gives what waits this long to be written.
    pub fn finish(&self, patience: Duration) {
        let (answer, answered) = sync_channel(1);
        if self.shared.writes.load(Ordering::SeqCst)
            && self.jobs.try_send(Job::Answer(answer)).is_ok()
        {
            let _ = answered.recv_timeout(patience);
        }
    }

    fn put(&self, line: Vec<u8>) {
        self.begin_writing();
        let lost = self.shared.dropped.load(Ordering::Relaxed);
        if lost > 0 {
            let notice =
                format!("procession: {lost} lines of log were dropped: standard error is slow\n");
            if self.jobs.try_send(Job::Write(notice.into_bytes())).is_ok() {
                self.shared.dropped.fetch_sub(lost, Ordering::Relaxed);
            }
        }
        if let Err(TrySendError::Full(_)) = self.jobs.try_send(Job::Write(line)) {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Begins the thread with the first line, or with a later one where none could be had; meanwhile
    /// lines wait, as long as there is room.
    fn begin_writing(&self) {
        if self.shared.writes.swap(true, Ordering::SeqCst) {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let write = move || {
            // Taken only here: a thread that could not be had must not take the lines down with it.
            let queue = shared.far_end.lock().unwrap_or_else(PoisonError::into_inner).take();
            queue.into_iter().for_each(|mut queue| write_all(&mut queue, &shared.masker));
        };
        let thread = std::thread::Builder::new().name("log".into());
        if thread.spawn(write).is_err() {
            self.shared.writes.store(false, Ordering::SeqCst);
        }
    }
}

/// A line as it may be written. Masked here, where nobody waits for it.
fn masked(line: Vec<u8>, masker: Option<&Masker>) -> Vec<u8> {
    match std::str::from_utf8(&line) {
        Ok(text) => match masker {
            Some(masker) => masked_by(text, masker).into(),
            None => mask_shapes(text).into(),
        },
        Err(_) => line,
    }
}

/// A pattern of the configuration may find the quotes of a JSON line as well: then its values are
/// masked one by one.
fn masked_by(text: &str, masker: &Masker) -> String {
    let masked = masker.text(text);
    let is_json = |text: &str| serde_json::from_str::<serde_json::Value>(text);
    let Some(mut whole) = is_json(text).ok().filter(|_| is_json(&masked).is_err()) else {
        return masked;
    };
    masker.json(&mut whole);
    format!("{whole}\n")
}

fn write_all(queue: &mut Receiver<Job>, masker: &OnceLock<Masker>) {
    while let Some(job) = queue.blocking_recv() {
        match job {
            // A closed standard error is no reason to end, and nobody could be told.
            Job::Write(line) => drop(io::stderr().write_all(&masked(line, masker.get()))),
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
    fn no_more_lines_wait_than_there_is_room_for() {
        let log = Log::new();
        // The writer stands still: its end of the queue is here.
        let mut queue = log.shared.far_end.lock().expect("sound").take().expect("not begun");
        (0..QUEUE + 5).for_each(|_| log.put(b"line".to_vec()));
        let mut said = || std::iter::from_fn(|| queue.try_recv().ok()).collect::<Vec<Job>>();
        assert_eq!(said().len(), QUEUE);
        assert_eq!(log.shared.dropped.load(Ordering::Relaxed), 5);
        log.put(b"after".to_vec());
        let said = said();
        let Job::Write(notice) = &said[0] else { panic!("no notice") };
        assert!(notice.starts_with(b"procession: 5 lines of log were dropped"));
        assert_eq!(said.len(), 2);
    }

    #[test]
    fn lines_are_masked_before_they_are_written() {
        let patterns = vec![crate::secret::masker::Pattern::new("one", "EMP-[0-9]").expect("one")];
        let said = |masker: Option<&Masker>| {
            let line = br#"{"message":"EMP-1 <jane@mail.example>","n":1}"#.to_vec();
            String::from_utf8(masked(line, masker)).expect("text")
        };
        assert_eq!(said(None), r#"{"message":"EMP-1 <***>","n":1}"#);
        assert_eq!(said(Some(&Masker::new(patterns))), r#"{"message":"*** <***>","n":1}"#);
        assert_eq!(masked(vec![0xff], None), [0xff]);
        let greedy = crate::secret::masker::Pattern::new("all", "<.*").expect("one");
        let line = said(Some(&Masker::new(vec![greedy])));
        let line: serde_json::Value = serde_json::from_str(&line).expect("a whole line");
        assert_eq!(line, serde_json::json!({ "message": "EMP-1 ***", "n": 1 }));
    }

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

    #[test]
    fn a_panic_is_counted_by_the_room_that_it_was_in() {
        let _log = begin("off", Format::Text).expect("levels");
        let counted = || {
            let faults = faults::seen();
            faults.by_room().find(|(room, _)| *room == "log").map(|(_, count)| count)
        };
        let before = counted();
        let _ = std::thread::spawn(|| panic!("a fault that a test put here")).join();
        assert!(counted() > before);
    }
}
