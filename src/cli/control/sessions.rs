//! `procession sessions …`: spans of work, those of applications among them. One file for each verb.

mod close;
mod heartbeat;
mod open;

use clap::{Args, Subcommand};

use super::Failure;

#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Open a session of one's own, and print its id.
    Open(open::Options),
    /// Say that a session is active.
    Heartbeat(heartbeat::Options),
    /// Close a session.
    Close(close::Options),
}

pub async fn sessions(options: &Options) -> Result<(), Failure> {
    match &options.verb {
        Verb::Open(options) => open::open(options).await,
        Verb::Heartbeat(options) => heartbeat::heartbeat(options).await,
        Verb::Close(options) => close::close(options).await,
    }
}
