//! procession: a container's PID 1 that shows what runs, what leaks, what agents spend, and how it
//! ended.
pub mod units;
pub mod clock;
pub mod config;
pub mod supervise;
pub mod init;
pub mod context;
pub mod memory;
pub mod tokens;
pub mod ledger;
pub mod store;
pub mod metrics;
pub mod serve;
pub mod log;
pub mod assembly;
pub mod cli;
