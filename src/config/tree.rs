//! A YAML file as a tree in which every key and value knows its place. `parse` grows it, a cursor
//! reads it. Knows no key by name, and no types: YAML 1.2 rules that `no` and `yes` are words, and
//! only the reader of a value decides whether it is a number.

use std::rc::Rc;

use super::problem::{Place, shortened};

/// The largest text that is read: a thousand times what a large configuration needs.
pub(super) const MAX_TEXT: usize = 1 << 20;

/// A value and its place.
#[derive(Debug)]
pub(super) struct Node {
    pub place: Place,
    pub value: Value,
    /// Nodes and bytes of this tree with its aliases spelled out.
    pub weight: usize,
    /// Levels of this tree with its aliases spelled out.
    pub depth: usize,
}

/// What can stand behind a key.
#[derive(Debug)]
pub(super) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// A word, a number, a text.
    Scalar(Scalar),
    /// A list.
    List(Vec<Rc<Node>>),
    /// A map, in the order of the file, without duplicates, merge keys resolved.
    Map(Vec<Entry>),
    /// Something whose fault is known already: readers pass over it in silence.
    Broken,
}

/// A word, a number, a text.
#[derive(Debug)]
pub(super) struct Scalar {
    /// With variables replaced.
    pub text: String,
    /// As it stands in the file, where that is different.
    pub written: Option<String>,
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: String,
    pub place: Place,
    pub value: Rc<Node>,
}

/// The way to a key below `path`.
pub(super) fn joined(path: &str, key: &str) -> String {
    let dot = if path.is_empty() { "" } else { "." };
    format!("{path}{dot}{}", shortened(key))
}
