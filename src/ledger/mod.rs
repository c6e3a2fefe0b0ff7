//! What is known: a fold of everything that happened into rows to keep and a picture to show.
//!
//! ```text
//!   Entry ──► task ──► fold ──► Batch ──► store
//!                        │
//!                        └────► Snapshot (latest wins) ──► every reader
//! ```
//!
//! `fold` is pure and is spread over one file for each kind of entry; `task` alone touches the
//! world. `sessions` is the only place that numbers events and changes states.

pub mod care;
pub mod chain_request;
mod fold_care;
mod fold_calls;
pub mod audit;
pub mod beside;
mod budget;
pub mod calls;
pub mod entry;
pub mod forget;
pub mod happening;
pub mod notice;
pub mod request;
pub mod replay;
pub mod row;
pub mod session;
pub mod snapshot;
pub mod store_figures;

pub mod fold;
mod fold_budgets;
mod fold_chains;
mod fold_earlier;
mod fold_memory;
mod fold_parts;
mod fold_requests;
mod fold_runs;
mod fold_spenders;
mod fold_stdout;
mod fold_time;
mod fold_tokens;
pub mod task;
mod view;

mod activity;
mod conversations;
mod external;
mod judged;
mod labels;
pub mod levels;
mod outcome;
mod sessions;
pub mod spans;
pub mod spend;
mod transition;
pub mod veil;
mod watch;
pub mod written;

#[cfg(test)]
mod stories;
