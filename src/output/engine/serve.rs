//! The reader at its work: one pipe, one read, and what came handed on.

use std::sync::Arc;

use nix::errno::Errno;
use nix::unistd::read;

use super::{Engine, LARGE_READ, SMALL_READ, TRIM_AFTER, Tools};
use crate::output::door::Event;
use crate::output::files::Files;
use crate::output::pace::Fill;
use crate::output::pipe::{Pipe, Stage};
use crate::output::queue::Queue;
use crate::units::{Mono, Now, RunId};

impl Engine {
    /// Serves each pipe that is ready once.
    pub(super) fn round(&mut self, now: Now) -> Fill {
        let mut fill = Fill::Nothing;
        for _ in 0..self.ready.len() {
            let Some(slot) = self.ready.pop_front() else { break };
            self.at_hand = Some(slot);
            fill = fill.max(self.serve(slot, now));
            self.at_hand = None;
        }
        fill
    }

    /// Reads a pipe once and hands on what came, unless it has to wait for a target.
    fn serve(&mut self, slot: usize, now: Now) -> Fill {
        let Some(pipe) = self.pipes.get(slot) else { return Fill::Nothing };
        if must_wait(pipe, &self.tools.files, now.mono) {
            pipe.stage = Stage::Held;
            self.held.push_back(slot);
            ask_for_room(pipe, &self.tools.files);
            return Fill::Nothing;
        }
        if !pipe.pending.is_empty() {
            let pending = std::mem::take(&mut pipe.pending);
            self.ready.push_back(slot);
            self.hand_on(slot, &pending, now);
            return Fill::Much;
        }
        if self.scratch.is_empty() {
            self.scratch = vec![0; SMALL_READ];
        }
        match read(&pipe.fd, &mut self.scratch) {
            Ok(0) => self.ended(slot, now),
            Ok(bytes) => return self.was_read(slot, bytes, now),
            Err(Errno::EAGAIN) if !pipe.hung_up => pipe.stage = Stage::Quiet,
            Err(Errno::EINTR) => self.ready.push_back(slot),
            Err(_) => self.ended(slot, now),
        }
        Fill::Nothing
    }

    fn was_read(&mut self, slot: usize, bytes: usize, now: Now) -> Fill {
        let scratch = std::mem::take(&mut self.scratch);
        let Some(pipe) = self.pipes.get(slot) else { return Fill::Nothing };
        // A terminal gives a piece at a time, and more when it is asked again.
        let emptied = bytes < scratch.len() && !pipe.is_terminal;
        let fill = pipe.note_read(bytes, emptied);
        pipe.record(&scratch[..bytes]);
        if let Some(ending) = self.endings.get_mut(&pipe.run) {
            ending.heard(now.mono);
        }
        if emptied && !pipe.hung_up {
            pipe.stage = Stage::Quiet;
        } else {
            self.ready.push_back(slot);
        }
        self.hand_on(slot, &scratch[..bytes], now);
        self.scratch = scratch;
        if !emptied {
            self.read_more(now.mono);
        }
        fill
    }

    /// From now on much is read at once.
    fn read_more(&mut self, now: Mono) {
        self.trim_at = Some(now.after(TRIM_AFTER));
        if self.scratch.len() < LARGE_READ {
            self.scratch = vec![0; LARGE_READ];
        }
    }

    /// Hands on what was read, in portions, and keeps what finds no room for later.
    fn hand_on(&mut self, slot: usize, mut rest: &[u8], now: Now) {
        let Tools { files, shelves, .. } = &self.tools;
        let Some(pipe) = self.pipes.get(slot) else { return };
        let mut found = false;
        while !rest.is_empty() && !pipe.mute {
            let (portion, behind) = rest.split_at(pipe.portion(rest));
            found |= pipe.hand_on(portion, now.wall, shelves, &mut self.buffers, files);
            rest = behind;
            if !rest.is_empty() && must_wait(pipe, files, now.mono) {
                pipe.pending = rest.to_vec();
                break;
            }
        }
        let (run, waits) = (pipe.run, !pipe.pending.is_empty() && pipe.stage == Stage::Quiet);
        if waits {
            self.make_ready(slot);
        }
        if found {
            self.found(run);
        }
    }

    /// The line that was looked for came; it is looked for no more.
    fn found(&mut self, run: RunId) {
        self.news.push_back(Event::Matched { run });
        for slot in self.pipes.of(run).to_vec() {
            if let Some(pipe) = self.pipes.get(slot) {
                pipe.ready = None;
            }
        }
    }

    /// All that wrote to the pipe are gone, and it is empty.
    fn ended(&mut self, slot: usize, now: Now) {
        self.finish(slot, now);
        let Some((pipe, unused)) = self.pipes.remove(slot) else { return };
        if let Some(file) = unused {
            self.close_file(file);
        }
        if self.pipes.of(pipe.run).is_empty() && self.endings.remove(&pipe.run).is_some() {
            self.tell_drained(pipe.run);
        }
    }

    /// Hands on the line that was begun, because nothing will complete it.
    pub(super) fn finish(&mut self, slot: usize, now: Now) {
        let Tools { files, shelves, .. } = &self.tools;
        let Some(pipe) = self.pipes.get(slot) else { return };
        let run = pipe.run;
        pipe.untap();
        if pipe.finish(now.wall, shelves, &mut self.buffers, files) {
            self.found(run);
        }
    }
}

/// Whether a target of the pipe is full and the pipe may wait for it. Who has waited as long as
/// they may give the target up for all.
fn must_wait(pipe: &mut Pipe, files: &Files, now: Mono) -> bool {
    let patience = pipe.patience();
    let full =
        |queue: &&Arc<Queue>| queue.is_full() && !(patience.is_some() && queue.is_given_up());
    if pipe.mute || pipe.queues(files).find(full).is_none() {
        pipe.held_since = None;
        return false;
    }
    let since = *pipe.held_since.get_or_insert(now);
    if patience.is_none_or(|patience| now.since(since) < patience) {
        return true;
    }
    pipe.queues(files).filter(full).for_each(|queue| queue.give_up());
    pipe.held_since = None;
    false
}

fn ask_for_room(pipe: &Pipe, files: &Files) {
    pipe.queues(files).filter(|queue| queue.is_full()).for_each(|queue| queue.ask_for_room());
}
