//! The story of the runs: each is a session of kind `process`, and its end ends what it holds.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::context::Context;
use crate::ledger::fold::{LastRun, Ledger, batch};
use crate::ledger::levels::LevelWatch;
use crate::ledger::outcome::Outcome;
use crate::ledger::row::{Batch, EventSource, Row, SampleRow, Word};
use crate::ledger::session::{Session, SessionState};
use crate::ledger::sessions::Note;
use crate::ledger::snapshot::{HouseView, ProcessView};
use crate::ledger::watch::MemoryWatch;
use crate::memory::TreeSample;
use crate::memory::history::History;
use crate::memory::leak::Setting;
use crate::memory::level::Basis;
use crate::memory::limit::Limit;
use crate::memory::parts::TreeParts;
use crate::supervise::lifecycle::{EndReason, Lifecycle, RunEnd};
use crate::units::{Bytes, ExitStatus, Mono, Now, ProcId, ProcessIx, RunId, SessionId, Wall};

/// A live run.
pub(super) struct Run {
    pub(super) id: RunId,
    pub(super) session: SessionId,
    pub(super) main: Option<ProcId>,
    pub(super) started: Wall,
    pub(super) opened: Mono,
    /// When its program was executed; what is read of it before is our own image.
    pub(super) executed: Option<Mono>,
    /// From its opening until it could be used.
    pub(super) ready: Option<Duration>,
    /// What it said of itself last.
    pub(super) status: Option<String>,
    pub(super) memory: MemoryWatch,
    /// What was read of its tree that costs more.
    pub(super) parts: Option<TreeParts>,
    /// What its tree is known to have read from disks and written to them.
    pub(super) moved: [Option<u64>; 2],
    /// What it held, and since when.
    pub(super) history: Arc<History>,
    /// See [`Run::history`].
    pub(super) first_sample: Option<Mono>,
    /// What its samples were last said to stand for.
    pub(super) label: Option<Arc<str>>,
    /// Whether the next sample is kept under that.
    pub(super) keeps_label: bool,
    /// The size that was last compared with the thresholds, and what it is taken from.
    pub(super) size: Option<(Bytes, Basis)>,
    /// Its size against the thresholds.
    pub(super) level: LevelWatch,
    /// What its growth is measured against.
    pub(super) limit: Option<Limit>,
    /// Whether it was counted as one that had to be killed.
    killed: bool,
    /// Why its end was asked for, where its time was up.
    pub(super) timed_out: Option<String>,
}

impl Run {
    /// Whether what was read of it at this moment was our own image, since its program was not
    /// executed yet.
    pub(super) fn was_our_image(&self, at: Mono) -> bool {
        self.executed.is_none_or(|executed| at < executed)
    }
}

impl Ledger {
    /// Takes in a line of the story.
    pub(super) fn lifecycle(&mut self, at: Now, event: Lifecycle) -> Vec<Row> {
        match event {
            Lifecycle::RunOpened { run, process, session, attempt, adopted } => {
                self.run_opened(at, (run, process, session), attempt, adopted)
            }
            Lifecycle::RunForked { run, id } => self.run_forked(at, run, id),
            Lifecycle::RunExecuted { run } => {
                if let Some((_, live)) = self.run_mut(run) {
                    live.executed = Some(at.mono);
                }
                let note = Note::new("started", "its program was executed", json!({}))
                    .from(EventSource::Init);
                self.run_advanced(at, run, SessionState::Active, note)
            }
            Lifecycle::RunStopping { run, cause } => {
                let note = Note::new("stopping", cause.told(), json!({})).from(EventSource::Init);
                self.run_advanced(at, run, SessionState::Stopping, note)
            }
            Lifecycle::RunKilled { run, .. } => self.run_killed(at, run),
            Lifecycle::RunEnded { run, end } => self.run_ended(at, run, &end),
            Lifecycle::Left { code } => self.left(at, code),
            Lifecycle::PhaseChanged { process, phase } => {
                self.shown(process, |view| view.phase = phase)
            }
            Lifecycle::CrashLooped { process, .. } => {
                self.shown(process, |view| view.crash_loops += 1)
            }
            // The phase says so, and there is no run.
            Lifecycle::StartBlocked { .. } => Vec::new(),
            Lifecycle::SignalArrived { signal, response } => self.counted(|house| {
                *house.signals.entry((signal, response.as_str())).or_default() += 1;
            }),
            Lifecycle::ShutdownBegan { .. } => self.counted(|house| house.stopping = true),
            Lifecycle::RunReady { .. }
            | Lifecycle::HealthChanged { .. }
            | Lifecycle::TestFailed { .. }
            | Lifecycle::StatusTold { .. }
            | Lifecycle::HookFailed { .. }
            | Lifecycle::RunHeld { .. }
            | Lifecycle::RestartScheduled { .. }
            | Lifecycle::ScheduleSkipped { .. }
            | Lifecycle::OrphansReaped { .. }
            | Lifecycle::OrderGiven { .. }
            | Lifecycle::ReloadFailed { .. }
            | Lifecycle::PlanChanged { .. } => self.care(at, event),
        }
    }

    /// Changes what is shown of a process; nothing is to be kept of it.
    pub(super) fn shown(
        &mut self,
        ix: ProcessIx,
        change: impl FnOnce(&mut ProcessView),
    ) -> Vec<Row> {
        match self.process(ix) {
            Some(process) => change(&mut process.view),
            None => self.ignore(),
        }
        Vec::new()
    }

    /// Changes what is shown of the house; nothing is to be kept of it.
    pub(super) fn counted(&mut self, change: impl FnOnce(&mut HouseView)) -> Vec<Row> {
        change(&mut self.house);
        Vec::new()
    }

    fn run_opened(
        &mut self,
        at: Now,
        (run, ix, session): (RunId, ProcessIx, SessionId),
        attempt: u32,
        adopted: bool,
    ) -> Vec<Row> {
        let Some(process) = self.processes.get(ix.0) else {
            self.ignore();
            return Vec::new();
        };
        if self.run_position(run).is_some() || self.sessions.get(session).is_some() {
            self.ignore();
            return Vec::new();
        }
        let name = process.view.name.clone();
        if process.spawned && !self.admitted.is_empty() {
            self.admitted.remove(0);
        }
        let mut rows = self.close_run(at, ix, &missed_end(), None);
        let detail = json!({ "run": run.0, "attempt": attempt, "adopted": adopted });
        let note =
            Note::new("opened", open_trigger(attempt, adopted), detail).from(EventSource::Init);
        let opened = Session { parent: self.around, ..Session::opened(session, name, at.wall) };
        if adopted && self.awaits_earlier() {
            let opened = Session { state: SessionState::Active, ..opened };
            rows.extend(self.sessions.open_unheard(opened, at, note));
        } else {
            rows.extend(self.sessions.open(opened, at, note));
        }
        self.activity.watch(session, self.bounds_of(ix), at.mono);
        self.budget_of_run(at, ix, adopted);
        let limit = self.limit_of(ix);
        let setting = Setting {
            rule: self.rule,
            limit: limit.map(|limit| limit.bytes),
            interval: self.sampled_every,
        };
        let memory = MemoryWatch::new((self.make_detector)(&setting));
        if let Some(process) = self.process(ix) {
            process.view.restarts = process.view.restarts.max(attempt.into());
            process.view.care.rest = None;
            process.run = Some(Run {
                id: run,
                session,
                main: None,
                started: at.wall,
                opened: at.mono,
                executed: adopted.then_some(at.mono),
                ready: None,
                status: None,
                memory,
                parts: None,
                moved: [None; 2],
                history: Arc::default(),
                first_sample: None,
                label: None,
                keeps_label: false,
                size: None,
                level: LevelWatch::default(),
                limit,
                killed: false,
                timed_out: None,
            });
        }
        rows
    }

    fn run_forked(&mut self, at: Now, run: RunId, id: ProcId) -> Vec<Row> {
        let Some((_, live)) = self.run_mut(run) else { return self.unknown_run() };
        live.main = Some(id);
        let session = live.session;
        if let Some(session) = self.sessions.edit(session) {
            session.main = Some(id);
        }
        let detail = json!({ "pid": id.pid, "start_ticks": id.start_ticks });
        self.sessions.note(
            session,
            at,
            Note::new("forked", "its main process exists", detail).from(EventSource::Init),
        )
    }

    fn run_advanced(&mut self, at: Now, run: RunId, to: SessionState, note: Note) -> Vec<Row> {
        let Some((_, live)) = self.run_mut(run) else { return self.unknown_run() };
        let session = live.session;
        self.sessions.touch(session, at.wall);
        let rows = self.sessions.advance(session, to, at, note);
        if rows.is_empty() {
            self.ignore();
        }
        rows
    }

    fn run_killed(&mut self, at: Now, run: RunId) -> Vec<Row> {
        let Some((ix, live)) = self.run_mut(run) else { return self.unknown_run() };
        let session = live.session;
        self.count_kill(ix);
        let note = Note::new("kill_sent", "it did not end in time", json!({ "signal": "SIGKILL" }))
            .from(EventSource::Init);
        self.sessions.note(session, at, note)
    }

    /// Counts a run that had to be killed, once.
    fn count_kill(&mut self, ix: ProcessIx) {
        let Some(process) = self.process(ix) else { return };
        let Some(run) = process.run.as_mut() else { return };
        if !std::mem::replace(&mut run.killed, true) {
            process.view.forced_kills += 1;
        }
    }

    fn run_ended(&mut self, at: Now, run: RunId, end: &RunEnd) -> Vec<Row> {
        let Some((ix, _)) = self.run_mut(run) else { return self.unknown_run() };
        if end.forced {
            self.count_kill(ix);
        }
        let rows = self.close_run(at, ix, &self.outcome_of(ix, end), Some(end));
        self.house.reaped_runs += u64::from(was_reaped(end));
        self.care_ended(ix, end);
        if let Some(process) = self.process(ix) {
            process.view.last_status = Some(end.status);
            if let EndReason::NotSpawned(failure) = end.reason {
                let failures = Arc::make_mut(&mut process.view.spawn_failures);
                *failures.entry(failure.reason()).or_default() += 1;
            }
        }
        rows
    }

    /// How a run ended: as it did by itself, unless its time was up and we asked for its end.
    fn outcome_of(&self, ix: ProcessIx, end: &RunEnd) -> Outcome {
        let run = self.processes.get(ix.0).and_then(|process| process.run.as_ref());
        match (run.and_then(|run| run.timed_out.clone()), end.reason) {
            (Some(reason), EndReason::Requested) => {
                let reason = format!("{reason} ({})", end.status);
                Outcome { state: SessionState::TimedOut, reason }
            }
            _ => Outcome::of_run(end, self.processes.get(ix.0).map_or(&[], |it| &it.successes)),
        }
    }

    /// Ends the live run of a process, if it has one, with all that it holds: conversations first,
    /// then the run itself, then its last sample.
    fn close_run(
        &mut self,
        at: Now,
        ix: ProcessIx,
        outcome: &Outcome,
        end: Option<&RunEnd>,
    ) -> Vec<Row> {
        let Some(process) = self.process(ix) else { return Vec::new() };
        let Some(run) = process.run.take() else { return Vec::new() };
        let cpu = cpu_seconds(&run, end);
        process.view.cpu_seconds_ended += cpu.unwrap_or(0.0);
        process.view.moved_ended = process.view.moved(run.moved);
        *Arc::make_mut(&mut process.view.exits).entry(outcome.state).or_default() += 1;
        process.view.last_exit = Some(at.wall);
        let last = LastRun { session: run.session, outcome: outcome.clone() };
        let before = process.last.replace(last);
        self.sessions.used_cpu(run.session, cpu);
        let mut rows = self.remember_memory(at, ix, &run, outcome, end);
        for talk in self.conversations.of(run.session) {
            rows.extend(self.sessions.end(talk, at, &outcome.of_conversation(), None));
        }
        rows.extend(self.end_tree(at, run.session, outcome, end.map(|end| end.status)));
        rows.extend(
            run.memory.last().map(|sample| sample_row(run.session, &sample, "session_end".into())),
        );
        if let Some(before) = before {
            self.conversations.forget(before.session);
        }
        rows
    }

    /// We leave: whatever is live still will not be seen to end.
    fn left(&mut self, at: Now, code: u8) -> Vec<Row> {
        let outcome = Outcome::lost(&format!("its end was not seen before we left with {code}"));
        let runs = 0..self.processes.len();
        let mut rows: Vec<Row> =
            runs.flat_map(|ix| self.close_run(at, ProcessIx(ix), &outcome, None)).collect();
        rows.extend(self.leave_externals(at, &outcome));
        rows
    }

    /// Takes in where and as whom a session runs; it may have ended in the meantime.
    pub(super) fn context_captured(&mut self, id: SessionId, context: Arc<Context>) -> Vec<Batch> {
        let Some(session) = self.sessions.edit(id) else {
            self.ignore();
            return Vec::new();
        };
        let detail = serde_json::to_value(&*context).unwrap_or_default();
        session.context = Some(context);
        let note = Note::new("context_captured", "session opened", detail);
        batch(self.sessions.note(id, self.now, note)).into_iter().collect()
    }

    pub(super) fn run_mut(&mut self, id: RunId) -> Option<(ProcessIx, &mut Run)> {
        let ix = self.run_position(id)?;
        Some((ix, self.processes.get_mut(ix.0)?.run.as_mut()?))
    }

    fn run_position(&self, id: RunId) -> Option<ProcessIx> {
        let is_run = |run: &Run| run.id == id;
        self.processes.iter().position(|p| p.run.as_ref().is_some_and(is_run)).map(ProcessIx)
    }

    pub(super) fn unknown_run(&mut self) -> Vec<Row> {
        self.ignore();
        Vec::new()
    }
}

/// A kept sample.
pub(super) fn sample_row(session: SessionId, sample: &TreeSample, label: Word) -> Row {
    Row::Sample(SampleRow {
        session,
        at: sample.at.wall,
        resident: sample.resident,
        anonymous: sample.anonymous,
        processes: sample.processes,
        label,
    })
}

/// What the run used: the kernel's account and the samples each miss descendants that the other
/// may have seen, so the larger one is nearer to the truth and lets no counter shrink.
fn cpu_seconds(run: &Run, end: Option<&RunEnd>) -> Option<f64> {
    let accounted = end.and_then(|end| end.usage).map(|usage| usage.cpu.as_secs_f64());
    match (accounted, run.memory.cpu_seconds()) {
        (Some(accounted), Some(sampled)) => Some(accounted.max(sampled)),
        (accounted, sampled) => accounted.or(sampled),
    }
}

/// Whether there was a program whose status was read.
fn was_reaped(end: &RunEnd) -> bool {
    end.status != ExitStatus::Unknown && !matches!(end.reason, EndReason::NotSpawned(_))
}

/// A process has one live run at most, so a new one tells that the old one's end went missing.
fn missed_end() -> Outcome {
    Outcome::lost("its end did not reach the ledger")
}

fn open_trigger(attempt: u32, adopted: bool) -> &'static str {
    match (adopted, attempt) {
        (true, _) => "adopted",
        (false, 0) => "first start",
        (false, _) => "restart",
    }
}
