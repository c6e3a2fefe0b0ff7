//! Memory samples: every sample is a row, and what it changes is an event.

use serde_json::json;

use crate::ledger::fold::{Ledger, batch};
use crate::ledger::fold_runs::sample_row;
use crate::ledger::row::{Batch, EventSource, Row};
use crate::ledger::sessions::Note;
use crate::ledger::watch::{Change, LeakChange};
use crate::memory::{LeakState, MemoryLevel, TreeSample};
use crate::units::{ProcessIx, SessionId};

impl Ledger {
    /// Takes in one tick of the probe. The samples are one batch, which may be dropped when the
    /// store is behind; the events are another, which may not.
    pub(super) fn sampled(&mut self, samples: &[TreeSample]) -> Vec<Batch> {
        let mut kept = Vec::with_capacity(samples.len());
        let mut events = Vec::new();
        for sample in samples {
            let Some((ix, run)) = self.run_mut(sample.run) else {
                self.ignore();
                continue;
            };
            let session = run.session;
            let change = run.memory.observe(sample);
            kept.push(sample_row(session, sample, "interval"));
            self.refresh(ix, session);
            if change.worked {
                events.extend(self.signed(sample.at, session));
            }
            events.extend(self.memory_events(ix, session, sample, change));
        }
        batch(kept).into_iter().chain(batch(events)).collect()
    }

    /// Brings the session's figures up to date.
    fn refresh(&mut self, ix: ProcessIx, id: SessionId) {
        let run = self.processes.get(ix.0).and_then(|process| process.run.as_ref());
        let (Some(run), Some(session)) = (run, self.sessions.edit(id)) else { return };
        let before = session.figures.cpu_seconds;
        run.memory.fill(&mut session.figures);
        let now = std::mem::replace(&mut session.figures.cpu_seconds, before);
        self.sessions.used_cpu(id, now);
    }

    fn memory_events(
        &mut self,
        ix: ProcessIx,
        id: SessionId,
        sample: &TreeSample,
        change: Change,
    ) -> Vec<Row> {
        let mut rows = Vec::new();
        if let (Some(level), Some(process)) = (change.level, self.process(ix)) {
            let thresholds = process.view.thresholds;
            let detail = json!({
                "resident_bytes": sample.resident,
                "warning_bytes": thresholds.warning,
                "critical_bytes": thresholds.critical,
            });
            let note =
                Note::new(level_event(level), "memory sample", detail).from(EventSource::Probe);
            rows.extend(self.sessions.note(id, sample.at, note));
        }
        if let Some(change) = change.leak {
            rows.extend(self.leak_event(ix, id, sample, &change));
        }
        rows
    }

    fn leak_event(
        &mut self,
        ix: ProcessIx,
        id: SessionId,
        sample: &TreeSample,
        change: &LeakChange,
    ) -> Vec<Row> {
        if let Some(process) = self.process(ix) {
            process.view.leaks_suspected += u64::from(change.is_new_suspicion());
            process.view.leaks_confirmed += u64::from(change.is_new_confirmation());
        }
        let verdict = &change.verdict;
        let event_type = leak_event(verdict.state);
        let detail = json!({
            "resident_bytes": sample.resident,
            "growth_bytes_per_second": verdict.growth,
            "growth_between": verdict.growth_range.map(|range| [range.low, range.high]),
            "seconds_to_limit": verdict.to_limit.map(|span| span.as_secs_f64().round()),
            "evidence": verdict.evidence.to_string(),
        });
        self.sessions.note(
            id,
            sample.at,
            Note::new(event_type, "leak rule", detail).from(EventSource::Probe),
        )
    }
}

fn leak_event(state: LeakState) -> &'static str {
    match state {
        LeakState::Unknown | LeakState::None => "leak_cleared",
        LeakState::Suspected => "leak_suspected",
        LeakState::Confirmed => "leak_confirmed",
    }
}

fn level_event(level: MemoryLevel) -> &'static str {
    match level {
        MemoryLevel::Normal => "memory_normal",
        MemoryLevel::Warning => "memory_warning",
        MemoryLevel::Critical => "memory_critical",
    }
}
