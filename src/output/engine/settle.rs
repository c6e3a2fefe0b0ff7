//! The reader's deadlines: when output is complete, when a pipe has waited for long enough, when
//! the room is empty and can be left.

use std::time::Duration;

use super::{Engine, Turn};
use crate::output::ending::Ending;
use crate::output::pipe::{Buffers, Pipe, Stage};
use crate::output::queue::Queue;
use crate::units::{Mono, Now, RunId};

/// How long after a thread could not be had it is tried again.
const RETRY: Duration = Duration::from_secs(1);

impl Engine {
    /// Sees to what is due.
    pub(super) fn settle(&mut self, now: Now) {
        self.release_held(now.mono);
        let due = self.endings.iter().filter(|(_, ending)| ending.at() <= now.mono);
        for run in due.map(|(run, _)| *run).collect::<Vec<_>>() {
            self.settle_ending(run, now);
        }
        if self.trim_at.is_some_and(|at| at <= now.mono) {
            self.trim();
        }
        if self.unattended && self.attend_at.is_none_or(|at| at <= now.mono) {
            self.attend_again(now.mono);
        }
    }

    /// Tries again to get writers for targets that lack one. The first time a while after it failed.
    fn attend_again(&mut self, now: Mono) {
        let due = self.attend_at.replace(now.after(RETRY)).is_some();
        if due && self.attend_all() {
            self.attend_at = None;
        }
    }

    /// Sees to it that all targets have writers, which works once others have ended. Whether they
    /// have.
    fn attend_all(&mut self) -> bool {
        let attended = |slot: usize| {
            let pipe = self.pipes.peek(slot);
            pipe.is_none_or(|pipe| pipe.attend(&self.tools.files))
        };
        let lacking = self.pipes.slots().into_iter().filter(|slot| !attended(*slot)).count();
        self.unattended = lacking > 0;
        lacking == 0
    }

    /// Serves those again that have waited for a target as long as they may.
    fn release_held(&mut self, now: Mono) {
        for _ in 0..self.held.len() {
            let Some(slot) = self.held.pop_front() else { break };
            let over = |pipe: &mut Pipe| held_until(pipe).is_some_and(|at| at <= now);
            if self.pipes.get(slot).is_some_and(over) {
                self.make_ready(slot);
            } else {
                self.held.push_back(slot);
            }
        }
    }

    /// A run was quiet for long enough, or its time is up. Quiet is not who waits for a target.
    fn settle_ending(&mut self, run: RunId, now: Now) {
        let busy = |slot: &usize| self.pipes.peek(*slot).is_some_and(|p| p.stage != Stage::Quiet);
        let is_busy = self.pipes.of(run).iter().any(busy);
        match self.endings.get_mut(&run) {
            Some(ending) if is_busy && !ending.is_capped(now.mono) => ending.heard(now.mono),
            Some(_) => self.drained(run, now),
            None => {}
        }
    }

    /// The output of the run is complete; who writes on is a leftover.
    fn drained(&mut self, run: RunId, now: Now) {
        for slot in self.pipes.of(run).to_vec() {
            self.finish(slot, now);
            if let Some(pipe) = self.pipes.get(slot) {
                pipe.leftover = true;
            }
        }
        self.endings.remove(&run);
        self.tell_drained(run);
    }

    /// Gives large buffers up.
    fn trim(&mut self) {
        self.trim_at = None;
        self.scratch = Vec::new();
        self.buffers = Buffers::default();
        self.tools.queues().into_iter().for_each(Queue::trim);
    }

    pub(super) fn is_over(&self, now: Mono) -> bool {
        let empty = self.ready.is_empty() && self.held.is_empty();
        self.closing.is_some_and(|closing| empty || closing.is_capped(now))
    }

    pub(super) fn leave(&mut self, now: Now) -> Turn {
        for slot in self.pipes.slots() {
            self.finish(slot, now);
        }
        self.attend_all();
        self.tools.queues().into_iter().for_each(Queue::close);
        Turn::Over
    }

    /// How long nothing is due; `None` for as long as nothing comes.
    pub(super) fn wait(&mut self, now: Mono) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let endings = self.endings.values().chain(&self.closing).map(Ending::at);
        let held = self.held.iter().filter_map(|slot| self.pipes.peek(*slot).and_then(held_until));
        let next = endings.chain(held).chain(self.trim_at).chain(self.attend_at).min()?;
        Some(next.since(now))
    }
}

fn held_until(pipe: &Pipe) -> Option<Mono> {
    Some(pipe.held_since?.after(pipe.patience()?))
}
