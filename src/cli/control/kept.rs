//! Whom verbs ask that only read what is kept: the procession that runs, or its history after it has
//! ended.

use std::path::{Path, PathBuf};

use clap::Args;

use super::knock::Client;
use super::{Door, Failure};
use crate::assembly::archive::Archive;
use crate::cli::run::store;

/// Where what is kept is read.
#[derive(Debug, Args)]
pub(super) struct Kept {
    /// Read a history that nobody supervises with, as after a container died: a file, or the URL of
    /// a database. Without it, the procession that runs is asked.
    #[arg(long, value_name = "FILE|URL")]
    store: Option<PathBuf>,

    #[command(flatten)]
    door: Door,
}

impl Kept {
    pub(super) async fn client(&self) -> Result<Client, Failure> {
        match &self.store {
            Some(place) => Ok(Client::of_archive(opened(place).await?)),
            None => self.door.client(),
        }
    }

    /// Whether a history is read that nobody supervises with.
    pub(super) fn is_archive(&self) -> bool {
        self.store.is_some()
    }
}

/// Aside, because a database has a runtime of its own.
async fn opened(place: &Path) -> Result<Archive, Failure> {
    let plan = store(place.to_path_buf()).map_err(Failure::Failed)?;
    let opened = tokio::task::spawn_blocking(move || Archive::open(&plan)).await;
    opened.map_err(|error| Failure::Failed(error.to_string()))?.map_err(unread)
}

/// Why a history cannot be read, with what to do where somebody supervises with it.
pub(super) fn unread(why: String) -> Failure {
    let busy = why.contains("another program has it open");
    let advice = "; leave out --store to ask the procession that runs with it";
    Failure::Failed(format!("{why}{}", if busy { advice } else { "" }))
}
