//! The sessions that applications opened and that are still open: whose children they are, by which
//! id their applications know them, and what holds whom open. Knows no events.

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::outcome::Outcome;
use crate::ledger::session::OnParentEnd;
use crate::units::{ExitStatus, Mono, SessionId};

/// Open external sessions, and sessions of every kind that are held open for theirs.
#[derive(Debug, Default)]
pub struct Externals {
    open: BTreeMap<SessionId, Open>,
    by_native: BTreeMap<String, SessionId>,
    children: BTreeMap<SessionId, BTreeSet<SessionId>>,
    held: BTreeMap<SessionId, Held>,
}

/// An open one.
#[derive(Debug)]
pub struct Open {
    /// What becomes of it when its parent ends.
    pub on_parent_end: OnParentEnd,
    /// Connections that it is bound to; `None` where it was never bound to one.
    pub bound: Option<u32>,
    /// When its projection was last kept.
    pub kept: Mono,
    parent: Option<SessionId>,
    native_id: Option<String>,
}

/// The end of a session that waits for its children.
#[derive(Clone, Debug)]
pub struct Held {
    /// How it ended.
    pub outcome: Outcome,
    /// What the kernel said, for a run.
    pub status: Option<ExitStatus>,
    /// When its children are not waited for any longer.
    pub until: Mono,
}

impl Externals {
    /// Takes one in.
    pub fn insert(
        &mut self,
        id: SessionId,
        parent: Option<SessionId>,
        native_id: Option<String>,
        on_parent_end: OnParentEnd,
        at: Mono,
    ) {
        if let Some(parent) = parent {
            self.children.entry(parent).or_default().insert(id);
        }
        if let Some(native_id) = native_id.clone() {
            self.by_native.insert(native_id, id);
        }
        let open = Open { on_parent_end, bound: None, kept: at, parent, native_id };
        self.open.insert(id, open);
    }

    /// Lets go of one that ended.
    pub fn remove(&mut self, id: SessionId) {
        let Some(open) = self.open.remove(&id) else { return };
        if let Some(native_id) = open.native_id {
            self.by_native.remove(&native_id);
        }
        self.part(id, open.parent);
    }

    /// It goes on without its parent.
    pub fn orphan(&mut self, id: SessionId) {
        let parent = self.open.get_mut(&id).and_then(|open| open.parent.take());
        self.part(id, parent);
    }

    fn part(&mut self, id: SessionId, parent: Option<SessionId>) {
        let Some(parent) = parent else { return };
        let Some(siblings) = self.children.get_mut(&parent) else { return };
        siblings.remove(&id);
        if siblings.is_empty() {
            self.children.remove(&parent);
        }
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.open.len()
    }

    /// All that are open.
    pub fn all(&self) -> Vec<SessionId> {
        self.open.keys().copied().collect()
    }

    /// One that is open.
    pub fn get_mut(&mut self, id: SessionId) -> Option<&mut Open> {
        self.open.get_mut(&id)
    }

    /// Whether this one is open.
    pub fn is_open(&self, id: SessionId) -> bool {
        self.open.contains_key(&id)
    }

    /// The open one that its application knows by this id.
    pub fn by_native(&self, native_id: &str) -> Option<SessionId> {
        self.by_native.get(native_id).copied()
    }

    /// Open children of any session, with what becomes of each at its end.
    pub fn children(&self, id: SessionId) -> Vec<(SessionId, OnParentEnd)> {
        let children = self.children.get(&id).into_iter().flatten();
        children.filter_map(|child| Some((*child, self.open.get(child)?.on_parent_end))).collect()
    }

    /// Whether an open child keeps this one from ending.
    pub fn is_waited_for(&self, id: SessionId) -> bool {
        self.children(id).iter().any(|(_, policy)| *policy == OnParentEnd::Wait)
    }

    /// Holds a session open.
    pub fn hold(&mut self, id: SessionId, held: Held) {
        self.held.entry(id).or_insert(held);
    }

    /// Whether a session is held open.
    pub fn is_held(&self, id: SessionId) -> bool {
        self.held.contains_key(&id)
    }

    /// Takes out the end of a session that is held open.
    pub fn release(&mut self, id: SessionId) -> Option<Held> {
        self.held.remove(&id)
    }

    /// All that are held open.
    pub fn all_held(&self) -> Vec<SessionId> {
        self.held.keys().copied().collect()
    }

    /// Those that are held open for too long.
    pub fn overdue(&self, at: Mono) -> Vec<SessionId> {
        self.held.iter().filter(|(_, held)| at >= held.until).map(|(id, _)| *id).collect()
    }

    /// Everything that is held here.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.open.len() + self.by_native.len() + self.children.len() + self.held.len()
    }

    /// When the first of those is held for too long.
    pub fn next(&self) -> Option<Mono> {
        self.held.values().map(|held| held.until).min()
    }
}
