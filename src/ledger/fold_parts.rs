//! What is known of memory beside the samples: the costlier figures of each tree, what somebody says
//! a sample stands for, and what is kept of a run when it ends.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::ledger::fold::Ledger;
use crate::ledger::fold_requests::Answer;
use crate::ledger::fold_runs::Run;
use crate::ledger::judged::judged;
use crate::ledger::outcome::Outcome;
use crate::ledger::request::{Refusal, Reply};
use crate::ledger::row::{EventSource, Row};
use crate::ledger::session::SessionState;
use crate::ledger::sessions::Note;
use crate::memory::history::Point;
use crate::memory::parts::TreeParts;
use crate::memory::recurring::{RunTrend, SHORTEST, cut_short, recurring, trend};
use crate::memory::{LeakState, MemoryLevel, PartsCost};
use crate::supervise::lifecycle::RunEnd;
use crate::units::{Bytes, Now, ProcessIx};

/// Runs of one process whose memory is remembered.
const TRENDS: usize = 8;

impl Ledger {
    /// Takes in what was read of all trees. A run that ended meanwhile is passed over, and one whose
    /// program was not executed yet: what was read of that is our own image.
    pub(super) fn parts_read(&mut self, trees: Vec<TreeParts>, cost: PartsCost) {
        self.house.parts_cost = cost;
        for tree in trees {
            let Some((_, run)) = self.run_mut(tree.run) else { continue };
            if run.was_our_image(tree.at.mono) {
                continue;
            }
            let told = [tree.parts.read, tree.parts.written];
            for (moved, told) in run.moved.iter_mut().zip(told) {
                *moved = told.max(*moved);
            }
            run.parts = Some(tree);
            run.memory.peaked(tree.parts.peak);
        }
    }

    /// Says what the last sample of a process stands for, and the next ones with it.
    pub(super) fn label_memory(&mut self, at: Now, name: &str, label: &str) -> Answer {
        let process = self.processes.iter_mut().find(|process| process.view.name == name);
        let run = process.and_then(|process| process.run.as_mut());
        let run = run.ok_or_else(|| Refusal::Unknown(name.to_owned()))?;
        run.label = Some(Arc::from(label));
        run.keeps_label = true;
        let (id, sample) = (run.session, run.memory.last());
        let detail = json!({
            "label": label,
            "at": sample.map(|sample| sample.at.wall.to_string()),
            "resident_bytes": sample.map(|sample| sample.resident),
            "anonymous_bytes": sample.map(|sample| sample.anonymous),
            "virtual_bytes": sample.map(|sample| sample.virtual_size),
            "size_bytes": run.size.map(|(size, _)| size),
        });
        let note = Note::new("memory_label", "asked for", detail).from(EventSource::Api);
        let rows = self.sessions.note(id, at, note);
        let session = self.sessions.get(id).ok_or_else(|| Refusal::Unknown(name.to_owned()))?;
        Ok((Reply::Done(Arc::new(session.clone())), rows))
    }

    /// Takes in how the runs of earlier lives went, before those of this one. What they had alike was
    /// told then.
    pub(super) fn held_found(&mut self, found: Vec<(String, Value)>) {
        for process in &mut self.processes {
            let of_it = found.iter().filter(|(name, _)| *name == process.view.name);
            let mut trends: VecDeque<RunTrend> =
                of_it.filter_map(|(_, detail)| kept_trend(detail)).collect();
            trends.append(&mut process.trends);
            trends.drain(..trends.len().saturating_sub(TRENDS));
            process.view.recurring = recurring(trends.make_contiguous());
            process.trends = trends;
        }
    }

    /// Keeps what a run held that ends now, and looks whether it leaked as those before it did.
    pub(super) fn remember_memory(
        &mut self,
        at: Now,
        ix: ProcessIx,
        run: &Run,
        outcome: &Outcome,
        end: Option<&RunEnd>,
    ) -> Vec<Row> {
        let short = || short_trend(at, run, outcome, end);
        let trend = trend(&run.history).or_else(short);
        let Some(held) = held_by(run, trend) else { return Vec::new() };
        let note = Note::new("memory_history", "its run ends", held).from(EventSource::Probe);
        let mut rows = self.sessions.note(run.session, at, note);
        let (Some(process), Some(trend)) = (self.process(ix), trend) else { return rows };
        process.trends.push_back(trend);
        if process.trends.len() > TRENDS {
            process.trends.pop_front();
        }
        let found = recurring(process.trends.make_contiguous());
        let before = std::mem::replace(&mut process.view.recurring, found);
        let Some(found) = found.filter(|_| before.is_none()) else { return rows };
        process.view.leaks_recurring += 1;
        let detail = json!({
            "runs": found.runs,
            "growth_bytes_per_second": found.slope,
            "start_bytes": found.start,
        });
        let note = Note::new("leak_recurring", "its last runs", detail).from(EventSource::Probe);
        rows.extend(self.sessions.note(run.session, at, note));
        rows
    }
}

/// How a run went that was too short for a trend, where it ended for want of memory: the kernel killed it
/// for that, or it was at its critical level.
fn short_trend(at: Now, run: &Run, outcome: &Outcome, end: Option<&RunEnd>) -> Option<RunTrend> {
    let in_want =
        outcome.state == SessionState::OutOfMemory || run.level.level() == MemoryLevel::Critical;
    let lasted = at.mono.since(run.first_sample?);
    let most = end.and_then(|end| end.usage).map(|usage| usage.max_rss);
    let peak = run.memory.peak().max(most).unwrap_or_default();
    (in_want && lasted < SHORTEST).then(|| cut_short(&run.history, lasted, peak)).flatten()
}

/// What is kept of how a run's memory went, and of what was said of it last. A run that was too short
/// to say anything is not worth an event, unless it leaked.
fn held_by(run: &Run, trend: Option<RunTrend>) -> Option<Value> {
    let verdict = run.memory.verdict();
    let leaked = verdict.is_some_and(|verdict| verdict.state >= LeakState::Suspected);
    if trend.is_none() && !leaked {
        return None;
    }
    let mut held = json!({
        "history": told(&run.history.points()),
        "leak": verdict.map(|verdict| judged(verdict, run.limit)),
    });
    if let Some(trend) = trend {
        held["slope_bytes_per_second"] = json!(trend.slope);
        held["lasted_seconds"] = json!(trend.lasted.as_secs());
        held["start_bytes"] = json!(trend.start);
        held["settled_bytes"] = json!(trend.settled);
        held["end_bytes"] = json!(trend.end);
        held["grown_anonymous_bytes"] = json!(trend.anonymous);
    }
    Some(held)
}

/// What a run's event tells of how its memory went; `None` where a version wrote it that told less.
fn kept_trend(detail: &Value) -> Option<RunTrend> {
    let bytes = |name: &str| detail[name].as_u64().map(Bytes);
    Some(RunTrend {
        slope: detail["slope_bytes_per_second"].as_f64()?,
        lasted: Duration::from_secs(detail["lasted_seconds"].as_u64()?),
        start: bytes("start_bytes")?,
        settled: bytes("settled_bytes")?,
        end: bytes("end_bytes")?,
        anonymous: bytes("grown_anonymous_bytes")?,
    })
}

/// A history as it is kept: seconds since the first sample, the size, and the resident size in bytes.
pub(super) fn told(points: &[Point]) -> Vec<[u64; 3]> {
    let one = |point: &Point| [point.second.into(), point.size.0, point.resident.0];
    points.iter().map(one).collect()
}
