//! procession: a container's PID 1 that shows what runs, what leaks, what agents spend, and how it
//! ended.

// What clippy.toml bans is banned from the program; tests run programs and read clocks.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

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
