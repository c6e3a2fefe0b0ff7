//! The files of processes, written by one thread that may hang on a disk as long as it likes.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::clock;
use crate::output::console::STACK;
use crate::output::queue::{AtWork, Chunk, Leaving, Queue};
use crate::output::rotate::LogFile;

/// The files, as the reader sees them.
pub struct Files {
    /// What waits to be written.
    pub queue: Arc<Queue>,
    leaving: Arc<Leaving>,
    attended: AtomicBool,
    /// That there was no thread to be had was told.
    told: AtomicBool,
}

impl Files {
    /// Without a writer, which comes with the first file.
    pub fn new(queue: Queue, leaving: &Arc<Leaving>) -> Self {
        let leaving = Arc::clone(leaving);
        Self {
            queue: Arc::new(queue),
            leaving,
            attended: AtomicBool::new(false),
            told: AtomicBool::new(false),
        }
    }

    /// Sees to it that there is a writer. Whether there is one.
    pub fn attend(&self) -> bool {
        if self.attended.swap(true, Ordering::AcqRel) {
            return true;
        }
        let writer = Writer {
            queue: Arc::clone(&self.queue),
            open: HashMap::new(),
            _at_work: self.leaving.enter(),
        };
        let thread = std::thread::Builder::new().name("output-files".into()).stack_size(STACK);
        let started = thread.spawn(move || writer.run());
        if let Err(error) = &started {
            if !self.told.swap(true, Ordering::Relaxed) {
                tracing::warn!(target: "output", %error, "no thread to write files, for now: the oldest lines are dropped");
            }
            self.attended.store(false, Ordering::Release);
        }
        started.is_ok()
    }
}

struct Writer {
    queue: Arc<Queue>,
    open: HashMap<PathBuf, LogFile>,
    _at_work: AtWork,
}

impl Writer {
    fn run(mut self) {
        while catch_unwind(AssertUnwindSafe(|| self.write_all())).is_err() {
            tracing::error!(target: "output", "the writer of files goes on after a fault of ours");
        }
    }

    fn write_all(&mut self) {
        while let Some(chunks) = self.queue.take() {
            for chunk in &chunks {
                self.write(chunk);
                self.queue.moved();
            }
            self.queue.give_back(chunks);
        }
    }

    fn write(&mut self, chunk: &Chunk) {
        let Some(plan) = &chunk.file else { return self.open.clear() };
        if chunk.bytes.is_empty() {
            self.open.remove(&plan.path);
            return;
        }
        let file = self.open.entry(plan.path.clone());
        let file = file.or_insert_with(|| LogFile::new(Arc::clone(plan)));
        file.follow(plan);
        let lost = file.write(&chunk.bytes, clock::now());
        if let (Some(shelf), true) = (&chunk.from, lost > 0) {
            shelf.dropped(&chunk.bytes[chunk.bytes.len() - lost..]);
        }
    }
}
