//! procession: a container's PID 1 that shows what runs, what leaks, what agents spend, and how it
//! ended.
pub mod assembly;
pub mod cli;
pub mod clock;
pub mod config;
pub mod context;
pub mod init;
pub mod ledger;
pub mod log;
pub mod memory;
pub mod metrics;
pub mod serve;
pub mod store;
pub mod supervise;
pub mod tokens;
pub mod units;
