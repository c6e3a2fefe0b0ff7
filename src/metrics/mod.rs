//! From the snapshot to Prometheus' families, at scrape time and without a registry: a process
//! that is gone has no series, because nothing was ever registered for it.
//!
//! `catalogue` says what is promised, `families` projects a snapshot onto it, `label` makes values
//! fit to be a label's, `text` and `openmetrics` write the two formats, `line` the series of both,
//! and `negotiate` picks the format that was asked for. All of it thinks; the bytes travel through the `serve` room.

pub mod catalogue;
pub mod families;
pub mod label;
pub mod line;
pub mod negotiate;
pub mod openmetrics;
pub mod text;
