//! `procession sessions write`: something for the standard input of a spawned command.

use clap::Args;

use crate::cli::control::{Door, Failure, spoken};

#[derive(Debug, Args)]
pub struct Options {
    /// Its session, or the pid of its main process.
    id: String,

    /// What is sent; what comes on our standard input when not given.
    text: Option<String>,

    /// Close its standard input behind it; always done behind our own.
    #[arg(long)]
    close: bool,

    #[command(flatten)]
    door: Door,
}

pub(super) async fn write(options: &Options) -> Result<(), Failure> {
    let client = options.door.client()?;
    match &options.text {
        Some(text) => spoken::send(&client, &options.id, text.as_bytes(), options.close).await,
        None => spoken::send_all(&client, &options.id).await,
    }
}
