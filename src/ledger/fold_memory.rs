//! Memory samples: every sample is a row, and what it changes is an event.

use std::sync::Arc;

use serde_json::json;

use crate::config::plan::MemoryEnd;
use crate::ledger::fold::{Ledger, batch};
use crate::ledger::fold_parts::told;
use crate::ledger::fold_runs::sample_row;
use crate::ledger::judged::judged;
use crate::ledger::levels::{may_hook, may_restart};
use crate::ledger::notice::pace;
use crate::ledger::request::{HookCause, Hooked, Knock};
use crate::ledger::row::{Batch, EventSource, Row};
use crate::ledger::sessions::Note;
use crate::ledger::watch::LeakChange;
use crate::memory::history::Sizes;
use crate::memory::level::{self, Bounds};
use crate::memory::limit::Limit;
use crate::memory::{LeakState, MemoryLevel, TreeSample};
use crate::units::{Now, ProcessIx, SessionId};

impl Ledger {
    /// Takes in one tick of the probe, but for runs whose program was not executed yet: what is read
    /// of those is our own image. The samples are one batch, which may be dropped when the
    /// store is behind; the events are another, which may not.
    pub(super) fn sampled(&mut self, samples: &[TreeSample]) -> Vec<Batch> {
        let mut kept = Vec::with_capacity(samples.len());
        let mut events = Vec::new();
        for sample in samples {
            let Some((ix, run)) = self.run_mut(sample.run) else {
                self.ignore();
                continue;
            };
            if run.was_our_image(sample.at.mono) {
                continue;
            }
            let session = run.session;
            let change = run.memory.observe(sample);
            let label = run.label.as_ref().filter(|_| std::mem::take(&mut run.keeps_label));
            let label = label.map_or("interval".into(), |label| label.to_string().into());
            kept.push(sample_row(session, sample, label));
            self.refresh(ix, session);
            if change.worked {
                events.extend(self.signed(sample.at, session));
            }
            events.extend(self.leveled(ix, sample));
            if let Some(change) = change.leak {
                events.extend(self.leak_event(ix, session, sample, &change));
            }
        }
        batch(kept).into_iter().chain(batch(events)).collect()
    }

    /// What a process's memory may grow to, by what is known now.
    pub(super) fn limit_of(&self, ix: ProcessIx) -> Option<Limit> {
        let bounds = self.processes.get(ix.0).map(|process| process.view.bounds);
        Limit::least(bounds.and_then(|it| it.critical), self.house.container.as_ref())
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

    /// Compares a tree's size with its thresholds, tells of another level, and asks for what follows.
    fn leveled(&mut self, ix: ProcessIx, sample: &TreeSample) -> Vec<Row> {
        let container = self.house.container;
        let Some(process) = self.process(ix) else { return Vec::new() };
        let Some(run) = process.run.as_mut() else { return Vec::new() };
        let thresholds = process.view.thresholds;
        let bounds = Bounds::of(&thresholds, container.and_then(|container| container.limit));
        let measured = level::size(sample, run.parts.as_ref());
        let (size, basis) = (measured.bytes, measured.basis);
        run.size = Some((size, basis));
        let first = *run.first_sample.get_or_insert(sample.at.mono);
        let history = Arc::make_mut(&mut run.history);
        let (resident, anonymous) = (sample.resident, sample.anonymous);
        history.push(sample.at.mono.since(first), Sizes { size, resident, anonymous });
        process.view.bounds = bounds;
        let limit = Limit::least(bounds.critical, container.as_ref());
        if std::mem::replace(&mut run.limit, limit) != limit {
            run.memory.limit(limit.map(|limit| limit.bytes));
        }
        let passed = run.level.observe(measured, &bounds, &thresholds);
        let (id, name) = (run.session, process.view.name.clone());
        let mut rows = Vec::new();
        if let Some(level) = passed.level {
            let detail = json!({
                "size_bytes": size,
                "basis": basis.as_str(),
                "resident_bytes": sample.resident,
                "warning_bytes": bounds.warning,
                "critical_bytes": bounds.critical,
            });
            let note =
                Note::new(level_event(level), "memory sample", detail).from(EventSource::Probe);
            rows.extend(self.sessions.note(id, sample.at, note));
        }
        if let Some(signal) = passed.signal {
            let detail = json!({ "action": "signal", "signal": signal.to_string() });
            rows.extend(self.sessions.note(id, sample.at, action_note(detail)));
            self.knocks.push(Knock::Signal { process: name, signal });
        }
        if let Some(level) = passed.level.filter(|_| passed.hook) {
            rows.extend(self.hook_for_memory(ix, id, sample.at, HookCause::Memory { level, size }));
        }
        if let Some(end) = passed.end {
            rows.extend(self.end_for_memory(ix, id, sample.at, end));
        }
        rows
    }

    /// Asks for the command of a level to be run, where that was not done a moment ago.
    fn hook_for_memory(
        &mut self,
        ix: ProcessIx,
        id: SessionId,
        at: Now,
        cause: HookCause,
    ) -> Vec<Row> {
        let Some(process) = self.process(ix) else { return Vec::new() };
        if !may_hook(process.memory_hook, at.mono) {
            return Vec::new();
        }
        process.memory_hook = Some(at.mono);
        let process = Some(process.view.name.clone());
        self.knocks.push(Knock::Hook(Hooked { process, cause }));
        self.sessions.note(id, at, action_note(json!({ "action": "hook" })))
    }

    /// Asks for the end of a process that is too large, at the door as anybody would. A restart that
    /// comes too soon after the last one is asked for later, if it is still as large then.
    fn end_for_memory(
        &mut self,
        ix: ProcessIx,
        id: SessionId,
        at: Now,
        end: MemoryEnd,
    ) -> Vec<Row> {
        let Some(process) = self.process(ix) else { return Vec::new() };
        let restarts = end == MemoryEnd::Restart;
        if restarts && !may_restart(process.memory_restart, at.mono) {
            return Vec::new();
        }
        if let Some(run) = process.run.as_mut() {
            run.level.asked_to_end();
        }
        if restarts {
            process.memory_restart = Some(at.mono);
        }
        process.view.memory_ends += 1;
        let name = process.view.name.clone();
        let (action, knock) = match end {
            MemoryEnd::Restart => ("restart", Knock::Restart(name)),
            MemoryEnd::Stop => ("stop", Knock::Stop(name)),
        };
        self.knocks.push(knock);
        self.sessions.note(id, at, action_note(json!({ "action": action })))
    }

    fn leak_event(
        &mut self,
        ix: ProcessIx,
        id: SessionId,
        sample: &TreeSample,
        change: &LeakChange,
    ) -> Vec<Row> {
        let (mut held, mut limit) = (Vec::new(), None);
        if let Some(process) = self.process(ix) {
            process.view.leaks_suspected += u64::from(change.is_new_suspicion());
            process.view.leaks_confirmed += u64::from(change.is_new_confirmation());
            if let Some(run) = &process.run {
                (held, limit) = (told(&run.history.points()), run.limit);
            }
        }
        let mut detail = judged(&change.verdict, limit);
        detail["resident_bytes"] = json!(sample.resident);
        detail["history"] = json!(held);
        let state = change.verdict.state;
        let cause = match state >= LeakState::Suspected {
            true => format!("leak rule: {}", pace(&detail)),
            false => "leak rule".to_owned(),
        };
        let note = Note::new(leak_event(state), &cause, detail).from(EventSource::Probe);
        self.sessions.note(id, sample.at, note)
    }
}

fn action_note(detail: serde_json::Value) -> Note {
    Note::new("memory_action", "memory level", detail).from(EventSource::Probe)
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
