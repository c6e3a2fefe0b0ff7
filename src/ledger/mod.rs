//! What is known: a fold of everything that happened into rows to keep and a picture to show.

pub mod entry;
pub mod row;
pub mod session;
pub mod snapshot;
