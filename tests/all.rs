//! All integration tests, in one binary.

// What clippy.toml bans is banned from the program; tests run programs and read clocks.
#![allow(clippy::disallowed_methods)]

mod contract;
mod end_to_end;
mod golden;
mod image;
mod picture;
mod pid1;
mod serve;
mod sim;
mod support;
mod tidy;
