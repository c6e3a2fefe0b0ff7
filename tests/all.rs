//! All integration tests, in one binary.

mod pid1;
mod sim;
