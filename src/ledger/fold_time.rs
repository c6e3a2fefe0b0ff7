//! What time brings: warnings, ends for want of activity, snapshots, and letting go of what ended;
//! and how the end of a session passes down its tree.

use std::time::Duration;

use serde_json::json;

use crate::ledger::activity::{Bounds, Due};
use crate::ledger::external::Held;
use crate::ledger::fold::{Ledger, batch};
use crate::ledger::outcome::{Outcome, known};
use crate::ledger::request::Knock;
use crate::ledger::row::{Batch, Row};
use crate::ledger::session::{OnParentEnd, SessionKind, SessionState};
use crate::ledger::sessions::Note;
use crate::units::{ExitStatus, Mono, Now, ProcessIx, SessionId};

/// How long a session is held open for the children that it waits for.
const HELD_FOR: Duration = Duration::from_secs(300);

/// How often it is asked which conversations have gone idle, at most.
const IDLE_CHECK: Duration = Duration::from_secs(10);

impl Ledger {
    /// When time brings something, so that somebody must tell us that it has passed.
    pub fn next_due(&self) -> Option<Mono> {
        let snapshot = self.snapshot_at.filter(|_| self.sessions.has_live());
        let cleanup = self.sessions.has_ended(SessionKind::External).then_some(self.cleanup_at);
        let all = [self.activity.next(), self.externals.next(), snapshot, cleanup];
        all.into_iter().flatten().min()
    }

    /// Moves the clock on, and with it whatever waits for time to pass.
    pub(super) fn turn_to(&mut self, at: Now) -> Vec<Batch> {
        if at.mono >= self.now.mono {
            self.now = at;
        }
        let mut rows = self.rest_conversations(at);
        for (session, due) in self.activity.due(at.mono, &self.rules.warn_at) {
            rows.extend(self.fall_due(at, session, due));
        }
        for held in self.externals.overdue(at.mono) {
            rows.extend(self.wait_no_longer(at, held));
        }
        rows.extend(self.save_snapshots(at));
        self.clean_up(at);
        rows.extend(self.budgets_turned(at));
        batch(rows).into_iter().collect()
    }

    fn rest_conversations(&mut self, at: Now) -> Vec<Row> {
        let Some(idle) = self.rules.idle_timeout else { return Vec::new() };
        if at.mono.since(self.idle_checked) < IDLE_CHECK {
            return Vec::new();
        }
        self.idle_checked = at.mono;
        let resting = self.conversations.newly_idle(at.mono, idle);
        let rows = resting.into_iter().flat_map(|session| {
            let detail = json!({ "seconds": idle.as_secs_f64() });
            let note = Note::new("idle", "no usage for its idle time-out", detail);
            self.sessions.advance(session, SessionState::Idle, at, note)
        });
        rows.collect()
    }

    fn fall_due(&mut self, at: Now, id: SessionId, due: Due) -> Vec<Row> {
        let Some(session) = self.sessions.get(id).filter(|one| one.end.is_none()) else {
            self.activity.forget(id);
            return Vec::new();
        };
        if session.state == SessionState::Stopping {
            return Vec::new();
        }
        match due {
            Due::Warning { fraction, left, first } => self.warn(at, id, fraction, left, first),
            Due::Silent(after) => {
                let reason = format!("no activity for {} s", after.as_secs_f64());
                self.time_out(at, id, reason)
            }
            Due::TooLong(after) => {
                let reason = format!("it lasted for {} s", after.as_secs_f64());
                self.time_out(at, id, reason)
            }
        }
    }

    fn warn(
        &mut self,
        at: Now,
        id: SessionId,
        fraction: f64,
        left: Duration,
        first: bool,
    ) -> Vec<Row> {
        let mut rows = Vec::new();
        if first {
            let note = Note::new("idle", "no activity", json!({}));
            rows.extend(self.sessions.advance(id, SessionState::Idle, at, note));
        }
        let left = left.as_secs_f64();
        let detail = json!({ "fraction": fraction, "seconds_left": left });
        let note = Note::new("idle_warning", "no activity", detail);
        rows.extend(self.sessions.note(id, at, note));
        rows.extend(self.save_snapshot(at, id, "idle warning"));
        if let Some(kind) = self.sessions.get(id).map(|session| session.kind) {
            *self.house.idle_warnings.entry(kind).or_default() += 1;
        }
        if let (Some(signal), Some(ix)) = (self.rules.warn_signal, self.process_of_run(id)) {
            let process = self.processes[ix.0].view.name.clone();
            self.knocks.push(Knock::Signal { process, signal });
        }
        rows
    }

    /// Ends an external session; asks for the end of a run at the door, as anybody would.
    fn time_out(&mut self, at: Now, id: SessionId, reason: String) -> Vec<Row> {
        let Some(ix) = self.process_of_run(id) else {
            return self.end_tree(at, id, &Outcome { state: SessionState::TimedOut, reason }, None);
        };
        self.knocks.push(Knock::End(id));
        let run = self.processes[ix.0].run.as_mut();
        let first = run.and_then(|run| run.timed_out.replace(reason.clone()));
        if first.is_some() {
            return Vec::new();
        }
        self.sessions.note(id, at, Note::new("time_out", reason, json!({})))
    }

    fn process_of_run(&self, id: SessionId) -> Option<ProcessIx> {
        let is_run = |run: &crate::ledger::fold_runs::Run| run.session == id;
        self.processes.iter().position(|one| one.run.as_ref().is_some_and(is_run)).map(ProcessIx)
    }

    /// How long a run of this process may rest and last.
    pub(super) fn bounds_of(&self, ix: ProcessIx) -> Bounds {
        let Some(process) = self.processes.get(ix.0) else { return Bounds::default() };
        let usual = |span: Option<Duration>| span.filter(|_| process.spawned);
        // How long a run may last where its plan says so is the mind's to see to.
        Bounds {
            idle: process.rule.idle_timeout.or(usual(self.rules.idle_timeout)),
            longest: usual(self.rules.max_duration),
        }
    }

    /// Takes a sign of activity of a session, which is one of all above it as well.
    pub(super) fn signed(&mut self, at: Now, id: SessionId) -> Vec<Row> {
        let mut rows = Vec::new();
        for id in self.sessions.chain(id) {
            self.sessions.touch(id, at.wall);
            let rested = self.activity.seen(id, at.mono);
            let idle = self.sessions.get(id).is_some_and(|it| it.state == SessionState::Idle);
            if rested && idle {
                let note = Note::new("resumed", "a sign of activity", json!({}));
                rows.extend(self.sessions.advance(id, SessionState::Active, at, note));
            }
        }
        rows
    }

    /// Processes wrote something.
    pub(super) fn output_seen(&mut self, at: Now, names: &[std::sync::Arc<str>]) -> Vec<Row> {
        let of = |name: &std::sync::Arc<str>| {
            let process = self.processes.iter().find(|one| *one.view.name == **name)?;
            process.run.as_ref().map(|run| run.session)
        };
        let sessions: Vec<SessionId> = names.iter().filter_map(of).collect();
        sessions.into_iter().flat_map(|session| self.signed(at, session)).collect()
    }

    /// Ends a session with what ends with it, deepest first; who waits for children is held open
    /// until they are over.
    pub(super) fn end_tree(
        &mut self,
        at: Now,
        root: SessionId,
        outcome: &Outcome,
        status: Option<ExitStatus>,
    ) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut order = vec![root];
        let mut looked = 0;
        while let Some(id) = order.get(looked).copied() {
            looked += 1;
            for (child, policy) in self.externals.children(id) {
                match policy {
                    OnParentEnd::End => order.push(child),
                    OnParentEnd::Wait => {}
                    OnParentEnd::Orphan => {
                        self.externals.orphan(child);
                        let detail = json!({ "parent": id.to_string() });
                        let note = Note::new("parent_ended", "it goes on by itself", detail);
                        rows.extend(self.sessions.note(child, at, note));
                    }
                }
            }
        }
        let below = Outcome {
            state: outcome.state,
            reason: format!("its parent ended: {}", outcome.reason),
        };
        for id in order.into_iter().rev() {
            let (outcome, status) = if id == root { (outcome, status) } else { (&below, None) };
            rows.extend(match self.externals.is_waited_for(id) {
                true => self.hold(at, id, outcome, status),
                false => self.end_one(at, id, outcome, status),
            });
        }
        rows
    }

    fn hold(
        &mut self,
        at: Now,
        id: SessionId,
        outcome: &Outcome,
        status: Option<ExitStatus>,
    ) -> Vec<Row> {
        let until = at.mono.after(HELD_FOR);
        self.activity.forget(id);
        self.externals.hold(id, Held { outcome: outcome.clone(), status, until });
        let detail = json!({ "outcome": outcome.state.as_str(), "reason": outcome.reason });
        let note = Note::new("held_open", "it waits for its children", detail);
        self.sessions.advance(id, SessionState::Stopping, at, note)
    }

    fn end_one(
        &mut self,
        at: Now,
        id: SessionId,
        outcome: &Outcome,
        status: Option<ExitStatus>,
    ) -> Vec<Row> {
        let mut rows = self.sessions.end(id, at, outcome, status);
        let mut ended = id;
        loop {
            let parent = self.sessions.get(ended).and_then(|session| session.parent);
            self.activity.forget(ended);
            self.externals.remove(ended);
            // Whoever was held open for this one alone is over as well.
            let Some(parent) = parent.filter(|parent| {
                self.externals.is_held(*parent) && !self.externals.is_waited_for(*parent)
            }) else {
                return rows;
            };
            let Some(held) = self.externals.release(parent) else { return rows };
            rows.extend(self.sessions.end(parent, at, &held.outcome, held.status));
            ended = parent;
        }
    }

    fn wait_no_longer(&mut self, at: Now, id: SessionId) -> Vec<Row> {
        let reason = "its parent did not wait any longer".to_owned();
        let outcome = Outcome { state: SessionState::TimedOut, reason };
        let waiting = self.externals.children(id).into_iter();
        let waiting = waiting.filter(|(_, policy)| *policy == OnParentEnd::Wait);
        waiting.flat_map(|(child, _)| self.end_tree(at, child, &outcome, None)).collect()
    }

    /// We leave: nobody sees the end of what is still open.
    pub(super) fn end_externals(&mut self, at: Now, outcome: &Outcome) -> Vec<Row> {
        let mut rows = Vec::new();
        for id in self.externals.all().into_iter().rev() {
            if self.externals.is_open(id) && !self.externals.is_held(id) {
                rows.extend(self.end_one(at, id, outcome, None));
            }
        }
        for id in self.externals.all_held() {
            if let Some(held) = self.externals.release(id) {
                rows.extend(self.end_one(at, id, &held.outcome, held.status));
            }
        }
        rows
    }

    /// We leave: what applications hold open goes on in our next life, where there is one that finds
    /// it. What was bound to a connection ends with it.
    pub(super) fn leave_externals(&mut self, at: Now, outcome: &Outcome) -> Vec<Row> {
        let mut rows = Vec::new();
        let keeps = self.house.store.is_some();
        for id in self.externals.all() {
            let goes_on = self.externals.get_mut(id).is_some_and(|open| open.bound.is_none());
            if keeps && goes_on && !self.externals.is_held(id) {
                let note = Note::new("left_open", "the supervisor leaves", json!({}));
                rows.extend(self.sessions.note(id, at, note));
                self.externals.remove(id);
            }
        }
        rows.extend(self.end_externals(at, outcome));
        rows
    }

    fn save_snapshots(&mut self, at: Now) -> Vec<Row> {
        let Some(interval) = self.rules.snapshot_interval else { return Vec::new() };
        if self.snapshot_at.is_some_and(|due| at.mono < due) {
            return Vec::new();
        }
        self.snapshot_at = Some(at.mono.after(interval));
        let changed = self.sessions.changed();
        changed.into_iter().flat_map(|id| self.save_snapshot(at, id, "interval")).collect()
    }

    fn save_snapshot(&mut self, at: Now, id: SessionId, why: &str) -> Vec<Row> {
        let Some(session) = self.sessions.get(id) else { return Vec::new() };
        let detail = known(session);
        let rows = self.sessions.note(id, at, Note::new("snapshot", why, detail));
        self.sessions.saved(id);
        rows
    }

    /// What is held of sessions in memory: a day of many must not let it grow.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.sessions.live().len()
            + self.sessions.ended().len()
            + self.externals.held()
            + self.activity.len()
    }

    fn clean_up(&mut self, at: Now) {
        if at.mono < self.cleanup_at {
            return;
        }
        self.cleanup_at = at.mono.after(self.rules.cleanup_interval);
        self.sessions.let_go(SessionKind::External, at.wall, self.rules.cleanup_interval);
    }
}
