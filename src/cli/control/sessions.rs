//! `procession sessions …`: spans of work, those of applications among them. One file for each verb.

mod close;
mod events;
pub mod export;
mod heartbeat;
mod list;
mod open;
mod replay;
mod show;
mod since;
mod stats;
mod tree;
mod purge;
mod output;
mod terminate;
mod wait;
mod write;

use clap::{Args, Subcommand};

use super::Failure;

#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List sessions, live and ended, newest first.
    List(Box<list::Options>),
    /// Show all that is known of a session.
    Show(show::Options),
    /// Show what happened to a session, in order.
    Events(events::Options),
    /// Show a session with all that are a part of it.
    Tree(tree::Options),
    /// Count sessions by what they have in common.
    Stats(stats::Options),
    /// Hold what is kept of sessions against what their events tell.
    Replay(replay::Options),
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
    /// Show what a spawned command wrote, and what it writes.
    Output(output::Options),
    /// Send a spawned command what comes on standard input.
    Write(write::Options),
    /// End a spawned command: ask it, then kill it.
    Terminate(terminate::Options),
    /// Wait for the end of a spawned command, and end with its exit code.
    Wait(wait::Options),
}

pub async fn sessions(options: &Options) -> Result<(), Failure> {
    match &options.verb {
        Verb::List(options) => list::list(options).await,
        Verb::Show(options) => show::show(options).await,
        Verb::Events(options) => events::events(options).await,
        Verb::Tree(options) => tree::tree(options).await,
        Verb::Stats(options) => stats::stats(options).await,
        Verb::Replay(options) => replay::replay(options).await,
        Verb::Open(options) => open::open(options).await,
        Verb::Heartbeat(options) => heartbeat::heartbeat(options).await,
        Verb::Close(options) => close::close(options).await,
        Verb::Export(options) => export::export(options).await,
        Verb::Purge(options) => purge::purge(options).await,
        Verb::Forget(options) => purge::forget(options).await,
        Verb::Output(options) => output::output(options).await,
        Verb::Write(options) => write::write(options).await,
        Verb::Terminate(options) => terminate::terminate(options).await,
        Verb::Wait(options) => wait::wait(options).await,
    }
}
