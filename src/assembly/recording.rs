//! What commands beside the plan wrote, on its way to the store: when all of it came, and every half a
//! minute while it grows, so that a kill of ours costs no more than that.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use crate::clock;
use crate::config::plan::Plan;
use crate::ledger::row::{Batch, Row};
use crate::ledger::written::{Part, Raw, Written};
use crate::output::door::Output;
use crate::output::plan::Which;
use crate::output::tape::Recording;
use crate::secret::masker::Masker;
use crate::serve::control::beside::Beside;
use crate::store::writer::Writer;
use crate::units::{RunId, SessionId};

/// From one look at what grows, and at what could not be placed, to the next.
const LOOK: Duration = Duration::from_secs(30);

/// Between two looks for the session of a run that is over already.
const SOON: Duration = Duration::from_millis(100);

/// How often it is looked for the session of a run before what it wrote is given up.
const TRIES: u8 = 20;

/// Keeps what commands write.
pub(super) struct Recordings {
    output: Output,
    beside: Arc<Beside>,
    writer: Weak<Writer>,
    masker: Masker,
    most: usize,
    /// How far of each run that lives is kept.
    kept: BTreeMap<RunId, u64>,
    /// What is over and belongs to no known session yet, with the looks that were in vain.
    unplaced: Vec<(RunId, Recording, u8)>,
}

impl Recordings {
    /// Keeps what the plan asks for; `None` where that is nothing, or where nothing can be kept.
    pub(super) fn of(
        plan: &Plan,
        output: Option<&Output>,
        beside: &Arc<Beside>,
        writer: &Arc<Writer>,
    ) -> Option<Self> {
        let most = plan.keep_output.filter(|_| writer.keeps())?;
        let output = output?.clone();
        output.tapes().take_finished();
        Some(Self {
            output,
            beside: Arc::clone(beside),
            writer: Arc::downgrade(writer),
            masker: plan.privacy.masker.clone(),
            most: usize::try_from(most.0).unwrap_or(usize::MAX),
            kept: BTreeMap::new(),
            unplaced: Vec::new(),
        })
    }

    /// Goes on until we leave, and then keeps what is left. It sleeps while no command lives.
    pub(super) async fn keep(mut self, mut stopped: watch::Receiver<bool>) {
        let mut changes = self.beside.changes();
        let mut look: Option<Instant> = None;
        loop {
            let wait = self.wait();
            look = wait.map(|wait| {
                let due = clock::instant() + wait;
                look.map_or(due, |known| known.min(due))
            });
            tokio::select! {
                () = self.output.tapes().finished() => self.take().await,
                changed = changes.changed() => if changed.is_err() { return },
                () = sleep_until(look.unwrap_or_else(clock::instant)), if look.is_some() => {
                    look = None;
                    self.look().await;
                }
                () = told(&mut stopped) => break,
            }
        }
        self.take().await;
        self.look().await;
    }

    /// How long nothing has to be done unless something happens.
    fn wait(&self) -> Option<Duration> {
        if !self.unplaced.is_empty() {
            return Some(SOON);
        }
        (!self.beside.live().is_empty()).then_some(LOOK)
    }

    /// Keeps what is over.
    async fn take(&mut self) {
        while let Some((run, tape)) = self.output.tapes().next_finished() {
            self.kept.remove(&run);
            let recording = tape.recording(self.most);
            if !recording.parts.is_empty() {
                self.place(run, recording, 0).await;
            }
        }
    }

    /// Keeps what has grown, and what had no session.
    async fn look(&mut self) {
        for (run, recording, tries) in std::mem::take(&mut self.unplaced) {
            self.place(run, recording, tries).await;
        }
        let live = self.beside.live();
        self.kept.retain(|run, _| live.contains(run));
        for run in live {
            let Some(tape) = self.output.tapes().find(run) else { continue };
            let recording = tape.recording(self.most);
            let end = recording.end();
            if !recording.over && self.kept.insert(run, end).unwrap_or(0) < end {
                self.place(run, recording, 0).await;
            }
        }
    }

    async fn place(&mut self, run: RunId, recording: Recording, tries: u8) {
        match self.beside.session_of(run) {
            Some(session) => self.submit(session, recording).await,
            None if tries < TRIES => self.unplaced.push((run, recording, tries + 1)),
            None => {}
        }
    }

    /// Masks it, which may take a while, and hands it to the store.
    async fn submit(&self, session: SessionId, recording: Recording) {
        let (masker, at) = (self.masker.clone(), clock::now().wall);
        let masked = spawn_blocking(move || written(session, recording, at).masked(&masker));
        if let (Ok(written), Some(writer)) = (masked.await, self.writer.upgrade()) {
            writer.submit(Batch { rows: vec![Row::Output(Arc::new(written))] });
        }
    }
}

async fn told(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

fn written(session: SessionId, recording: Recording, at: crate::units::Wall) -> Written {
    let Recording { begin, over, parts } = recording;
    let part = |(which, bytes)| Part { stderr: which == Which::Stderr, bytes: Raw(bytes) };
    Written { session, at, begin, over, parts: parts.into_iter().map(part).collect() }
}
