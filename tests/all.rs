//! All integration tests, in one binary.

// What clippy.toml bans is banned from the program; tests run programs and read clocks.
#![allow(clippy::disallowed_methods)]

mod budgets;
mod chains;
mod cli;
mod cli_verbs;
mod contract;
mod drop_in;
mod control;
mod corners;
mod end_to_end;
mod golden;
mod hardship;
mod history;
mod house;
mod image;
mod kept;
mod leaking;
mod leaks;
mod live;
mod lifecycle;
mod memory;
mod mind;
mod orphans;
mod output;
mod picture;
mod postgres;
mod pid1;
mod recovery;
mod rights;
mod rites;
mod serve;
mod sessions;
mod sim;
mod spawned;
mod spoken;
mod storm;
mod support;
mod terminal;
mod tidy;
mod tokens;
mod usage;
mod watch;
mod windows;
mod world;
