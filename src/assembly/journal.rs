//! The events of sessions as JSON lines in a file, for those who ship logs.
//!
//! A thread of its own writes it, because a disk can hang. Whoever tells it of events never waits:
//! when too many lines wait they are dropped, and it is said how many. The file is begun anew when it
//! is large, and opened again where it was renamed by somebody else, as `logrotate` does.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use crate::clock;
use crate::ledger::row::{Batch, Row, SessionEvent, Word};
use crate::output::plan::{FileFormat, FilePlan};
use crate::output::rotate::LogFile;
use crate::serve::wire::history;
use crate::units::Bytes;

/// Batches of lines that may wait for the disk; a start or an end of hundreds of processes at once
/// makes as many.
const WAITING: usize = 4096;

/// A file is begun anew beyond this, and so many older ones are kept.
const LARGEST: Bytes = Bytes::mib(64);
/// See [`LARGEST`].
const OLDER: usize = 2;

/// Where events are told.
pub(super) struct Journal {
    lines: SyncSender<Vec<u8>>,
    dropped: Arc<AtomicU64>,
}

/// The other end, which is closed once all is written.
pub(super) struct Written(Receiver<()>);

impl Journal {
    /// Begins a file; absent where no thread can be had, which is said.
    pub(super) fn start(path: PathBuf) -> Option<(Self, Written)> {
        let (lines, queue) = sync_channel::<Vec<u8>>(WAITING);
        let (done, written) = sync_channel(1);
        let dropped = Arc::<AtomicU64>::default();
        let plan = FilePlan {
            path,
            format: FileFormat::Raw,
            max_size: Some(LARGEST),
            max_age: None,
            keep: OLDER,
        };
        let lost = Arc::clone(&dropped);
        let write = move || {
            write(queue, LogFile::new(Arc::new(plan)), &lost);
            drop(done);
        };
        match thread::Builder::new().name("journal".into()).spawn(write) {
            Ok(_) => Some((Self { lines, dropped }, Written(written))),
            Err(error) => {
                tracing::error!(target: "assembly", %error, "cannot write the events of sessions");
                None
            }
        }
    }

    /// Tells of the events of a batch. Never waits.
    pub(super) fn tell(&self, batch: &Batch) {
        let events = batch.rows.iter().filter_map(|row| match row {
            Row::Event(event) => Some(event),
            _ => None,
        });
        let (mut lines, mut count) = (Vec::new(), 0);
        for event in events {
            if serde_json::to_writer(&mut lines, &line(event)).is_ok() {
                lines.push(b'\n');
                count += 1;
            }
        }
        if count > 0 && self.lines.try_send(lines).is_err() {
            self.dropped.fetch_add(count, Ordering::Relaxed);
        }
    }
}

impl Written {
    /// Waits until all is written, for so long at most. Nobody tells anything any more.
    pub(super) fn wait(self, patience: Duration) {
        let _ = self.0.recv_timeout(patience);
    }
}

fn write(queue: Receiver<Vec<u8>>, mut file: LogFile, dropped: &AtomicU64) {
    let mut told = 0;
    while let Ok(lines) = queue.recv() {
        file.reopen_if_renamed();
        let count = lines.iter().filter(|byte| **byte == b'\n').count() as u64;
        if file.write(&lines, clock::now()) > 0 {
            dropped.fetch_add(count, Ordering::Relaxed);
            continue;
        }
        let lost = dropped.load(Ordering::Relaxed);
        if lost > told {
            tracing::warn!(target: "assembly", lines = lost - told,
                "events of sessions are missing in their file; the store has them");
            told = lost;
        }
    }
}

/// An event as it is told everywhere.
fn line(event: &SessionEvent) -> history::SessionEvent {
    let text = |text: &Option<Word>| text.as_deref().map(str::to_owned);
    history::SessionEvent {
        session_id: event.session.to_string(),
        sequence: event.sequence,
        timestamp: event.at.to_string(),
        event_type: event.event_type.to_string(),
        subtype: text(&event.subtype),
        previous_state: text(&event.previous_state),
        new_state: text(&event.new_state),
        trigger: event.trigger.clone(),
        source: event.source.as_str().to_owned(),
        version: crate::ledger::row::EVENT_VERSION.into(),
        context: event.detail.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::ledger::row::EventSource;
    use crate::units::{SessionId, Wall};

    const PATIENCE: Duration = Duration::from_secs(20);

    fn batch(sequence: u64) -> Batch {
        let event = SessionEvent {
            session: SessionId::new(Wall(1), 1),
            sequence,
            at: Wall(1_790_000_000_000),
            event_type: "opened".into(),
            subtype: Some("process".into()),
            previous_state: None,
            new_state: Some("initializing".into()),
            trigger: "line\nbreak".into(),
            source: EventSource::Init,
            detail: serde_json::json!({ "attempt": sequence }),
        };
        Batch { rows: vec![Row::Event(event)] }
    }

    fn wait_for(path: &std::path::Path, lines: usize) -> Vec<serde_json::Value> {
        let begun = std::time::Instant::now();
        loop {
            let text = fs::read_to_string(path).unwrap_or_default();
            if text.lines().count() >= lines && text.ends_with('\n') {
                return text.lines().map(|it| serde_json::from_str(it).expect("JSON")).collect();
            }
            assert!(begun.elapsed() < PATIENCE, "only {text:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn each_event_is_a_line_and_a_file_that_was_renamed_is_begun_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("events.jsonl");
        let (journal, written) = Journal::start(path.clone()).expect("a thread");
        journal.tell(&batch(0));
        let first = wait_for(&path, 1);
        assert_eq!(first[0]["timestamp"], "2026-09-21T14:13:20.000Z");
        assert_eq!(first[0]["trigger"], "line\nbreak");
        assert_eq!(first[0]["context"]["attempt"], 0);
        let moved = folder.path().join("events.jsonl-20261121");
        fs::rename(&path, &moved).expect("renamed");
        journal.tell(&batch(1));
        assert_eq!(wait_for(&path, 1)[0]["sequence"], 1, "in a new file");
        assert_eq!(wait_for(&moved, 1).len(), 1);
        drop(journal);
        written.wait(PATIENCE);
    }

    #[test]
    fn a_place_that_cannot_be_written_to_holds_up_nobody_and_lines_are_counted() {
        let folder = tempfile::tempdir().expect("a folder");
        let (journal, written) = Journal::start(folder.path().to_owned()).expect("a thread");
        (0..10).for_each(|sequence| journal.tell(&batch(sequence)));
        let dropped = Arc::clone(&journal.dropped);
        drop(journal);
        written.wait(PATIENCE);
        assert_eq!(dropped.load(Ordering::Relaxed), 10);
    }
}
