//! Who was left behind by supervisors that are gone, where none is there to be asked: looked for and
//! ended from a terminal.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::init::orphans::end_all;
use crate::init::recover;
use crate::memory::orphan::{Known, Names, Orphan, orphans};
use crate::memory::strays;
use crate::serve::control::told_of_orphan;
use crate::serve::wire::orphans::Orphans;
use crate::store::left_behind::{LeftBehind, find_left_behind};
use crate::store::runfile::Owner;
use crate::units::ProcId;

use super::stand::Stand;

/// How long everybody may take to be looked at, and the run files.
const LOOK: Duration = Duration::from_secs(5);

/// What is to be done with those that are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// They are only told.
    Told,
    /// They are asked to end, and killed where that does not help.
    Ended,
}

/// Looks for those who were left behind by whoever kept its run files in this folder, or by others
/// that gave them a session to carry.
///
/// # Errors
///
/// When `/proc` cannot be read.
pub fn left_behind(
    state_dir: &Path,
    names: Vec<String>,
    all: bool,
    fate: Fate,
) -> io::Result<Orphans> {
    let us = std::process::id().cast_signed();
    let owner = Stand::ourselves().and_then(|id| Owner::read(id).ok());
    let files: Vec<LeftBehind> = owner
        .map(|owner| find_left_behind(state_dir, &owner, LOOK, recover::is_alive))
        .unwrap_or_default();
    let runs = files.iter().flat_map(|file| &file.runs);
    let left = runs.map(|run| (run.session, run.main)).collect();
    let known = Known { spared: vec![us], us: None, live: Vec::new(), left };
    let names = if all { Names::All } else { Names::of(names) };
    let found = orphans(&strays::everybody(LOOK)?, &known, &names);
    let outcomes = match fate {
        Fate::Told => vec![None; found.len()],
        Fate::Ended => {
            let ids: Vec<ProcId> = found.iter().map(|orphan| orphan.id).collect();
            end_all(&ids).into_iter().map(|outcome| Some(outcome.as_str())).collect()
        }
    };
    // Nothing of a file is left once all of its processes have ended: the next life finds it so.
    drop(files);
    let told = |(orphan, outcome): (&Orphan, Option<&str>)| told_of_orphan(orphan, outcome);
    Ok(Orphans { orphans: found.iter().zip(outcomes).map(told).collect() })
}
