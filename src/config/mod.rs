//! From the text of `config.yaml` to a checked plan, or to every fault in it at once.
//!
//! `file` reads text into a tree that knows the place of each value, `problem` says what is wrong
//! with it and what to write instead, and `plan` is what is left when nothing is wrong: typed,
//! ordered, and unable to fail later. Nothing outside this room sees the text.

pub mod plan;
