//! `procession sessions …`: spans of work, those of applications among them. One file for each verb.

mod close;
pub mod export;
mod heartbeat;
mod open;
mod purge;

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
    /// Print sessions, to be taken elsewhere.
    Export(export::Options),
    /// Forget sessions that ended long ago.
    Purge(purge::Purge),
    /// Forget the ended sessions of a user or an agent, with all that are a part of them.
    Forget(purge::Forget),
}

pub async fn sessions(options: &Options) -> Result<(), Failure> {
    match &options.verb {
        Verb::Open(options) => open::open(options).await,
        Verb::Heartbeat(options) => heartbeat::heartbeat(options).await,
        Verb::Close(options) => close::close(options).await,
        Verb::Export(options) => export::export(options).await,
        Verb::Purge(options) => purge::purge(options).await,
        Verb::Forget(options) => purge::forget(options).await,
    }
}
