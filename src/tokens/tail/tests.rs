//! The follower on real files.

mod appending;
mod files;
mod folders;
mod history;
mod lives;
mod odd;
mod dialects;
