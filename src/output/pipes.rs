//! All pipes that are read: by their slot, which is what the kernel says of them, by their run, and
//! by the file that they go to.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::output::pipe::{Aims, Pipe};
use crate::output::plan::FilePlan;
use crate::units::RunId;

/// The pipes.
#[derive(Default)]
pub struct Pipes {
    slots: Vec<Option<Pipe>>,
    free: Vec<usize>,
    runs: HashMap<RunId, Vec<usize>>,
    /// How many pipes go to a file: it is closed after the last one.
    files: HashMap<PathBuf, usize>,
}

impl Pipes {
    /// The pipe in this slot.
    pub fn get(&mut self, slot: usize) -> Option<&mut Pipe> {
        self.slots.get_mut(slot)?.as_mut()
    }

    /// The pipe in this slot, to be looked at.
    pub fn peek(&self, slot: usize) -> Option<&Pipe> {
        self.slots.get(slot)?.as_ref()
    }

    /// The slot that the next pipe goes to.
    pub fn next_slot(&self) -> usize {
        self.free.last().copied().unwrap_or(self.slots.len())
    }

    /// Puts a pipe into the next slot, and returns that.
    pub fn insert(&mut self, pipe: Pipe) -> usize {
        let slot = self.next_slot();
        self.runs.entry(pipe.run).or_default().push(slot);
        if let Some(file) = pipe.file() {
            *self.files.entry(file.path.clone()).or_default() += 1;
        }
        match self.free.pop() {
            Some(_) => self.slots[slot] = Some(pipe),
            None => self.slots.push(Some(pipe)),
        }
        slot
    }

    /// Has what a pipe brings go elsewhere; returns the file that no pipe goes to any more.
    pub fn aim(&mut self, slot: usize, aims: Aims) -> Option<Arc<FilePlan>> {
        let pipe = self.slots.get_mut(slot)?.as_mut()?;
        let before = pipe.file().map(Arc::clone);
        pipe.aim(aims);
        if let Some(file) = pipe.file() {
            *self.files.entry(file.path.clone()).or_default() += 1;
        }
        before.filter(|file| self.is_last(file))
    }

    /// Takes the pipe out; with it the file that no pipe goes to any more.
    pub fn remove(&mut self, slot: usize) -> Option<(Pipe, Option<Arc<FilePlan>>)> {
        let pipe = self.slots.get_mut(slot)?.take()?;
        self.free.push(slot);
        if let Some(slots) = self.runs.get_mut(&pipe.run) {
            slots.retain(|other| *other != slot);
            if slots.is_empty() {
                self.runs.remove(&pipe.run);
            }
        }
        let unused = pipe.file().filter(|file| self.is_last(file)).map(Arc::clone);
        Some((pipe, unused))
    }

    /// Counts one pipe less for the file; whether it was the last.
    fn is_last(&mut self, file: &FilePlan) -> bool {
        let Some(count) = self.files.get_mut(&file.path) else { return false };
        *count -= 1;
        let last = *count == 0;
        if last {
            self.files.remove(&file.path);
        }
        last
    }

    /// The slots of a run's pipes.
    pub fn of(&self, run: RunId) -> &[usize] {
        self.runs.get(&run).map_or(&[], Vec::as_slice)
    }

    /// All slots that have a pipe.
    pub fn slots(&self) -> Vec<usize> {
        (0..self.slots.len()).filter(|slot| self.slots[*slot].is_some()).collect()
    }
}
