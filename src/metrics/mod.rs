//! From the snapshot to Prometheus' families, at scrape time and without a registry: a process
//! that is gone has no series, because nothing was ever registered for it.

pub mod catalogue;
