//! From the text of `config.yaml` to a checked plan, or to every fault in it at once.
//!
//! ```text
//!   load* ──► parse ─► file, process ──► links ──► plan ──► order, show
//!   reads     a tree   what each key     names,     what is
//!   files     of text  means             cycles     left
//!                          │
//!                          └──► problem: everything that is wrong, with place and advice
//! ```
//!
//! The file is decoded in a pass of our own over a tree that knows the place of each value, because
//! a derived decoder stops at the first fault and cannot say where an unknown key stands. Only
//! `load` touches the world. Nothing outside this room sees the text, and nothing in the plan can
//! fail to be understood later.

pub mod plan;
pub mod problem;

pub mod beside;
pub mod load;
pub mod one_command;
pub mod order;
pub mod schema;
pub mod show;
pub mod span;
pub mod surroundings;

pub mod file;
mod budgets;
mod control;
mod families;
mod privacy;
mod sessions;
mod tokens;
mod store;
mod links;
mod digest;
mod process;
mod replicas;

mod accounts;
mod endpoint;
pub mod postgres;
mod environment;

mod cursor;
mod env_file;
pub mod interpolate;
mod quantity;
mod read;
mod words;

mod parse;
mod syntax;
mod tree;

pub use file::Loaded;
pub use load::{load, load_anew};

#[cfg(test)]
mod example;
#[cfg(test)]
mod lifecycle_keys;
#[cfg(test)]
mod mistakes;
