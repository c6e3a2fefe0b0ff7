//! What the next conversation of an agent needs to know, as a file for tools that ask nobody: one for
//! each agent, `agents/NAME.json` in the state folder, for its owner alone. It says no more than the
//! doors do, and nobody ever reads a half of it.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::chains::chain::Chain;
use crate::config::plan::{Plan, StorePlan};
use crate::ledger::snapshot::Snapshot;
use crate::serve::control::saved_chain;

/// The folder of all of them, in the state folder.
const FOLDER: &str = "agents";

/// Between two times that files are written: a conversation changes with each of its lines.
const GAP: Duration = Duration::from_secs(1);

/// Writes a file whenever a chain has changed, until we end. `None` where nothing is to outlive us.
pub(super) fn follow(
    plan: &Plan,
    pictures: watch::Receiver<Arc<Snapshot>>,
) -> Option<impl Future<Output = ()> + Send + 'static + use<>> {
    let keeps = plan.store != StorePlan::Memory;
    let folder = plan.state_dir.join(FOLDER);
    keeps.then(|| write_each(folder, pictures))
}

async fn write_each(folder: PathBuf, mut pictures: watch::Receiver<Arc<Snapshot>>) {
    let mut written: BTreeMap<String, Arc<Chain>> = BTreeMap::new();
    let mut complained = false;
    loop {
        let chains = pictures.borrow_and_update().chains.clone();
        let is_new = |chain: &&Arc<Chain>| match written.get(&chain.agent) {
            Some(known) => !Arc::ptr_eq(known, chain),
            None => chain.count > 0,
        };
        let changed: Vec<Arc<Chain>> = chains.iter().filter(is_new).cloned().collect();
        if !changed.is_empty() {
            let outcome = write_all(folder.clone(), changed.clone()).await;
            if let Err(error) = outcome
                && !std::mem::replace(&mut complained, true)
            {
                tracing::warn!(target: "assembly", folder = %folder.display(), %error,
                    "what agents' next conversations need to know cannot be written there");
            }
            written.extend(changed.into_iter().map(|chain| (chain.agent.clone(), chain)));
            sleep(GAP).await;
        }
        if pictures.changed().await.is_err() {
            return;
        }
    }
}

async fn write_all(folder: PathBuf, chains: Vec<Arc<Chain>>) -> io::Result<()> {
    let write = move || chains.iter().try_for_each(|chain| write(&folder, chain));
    spawn_blocking(write).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// The file of a chain that began anew goes.
fn write(folder: &Path, chain: &Chain) -> io::Result<()> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    // Any other name would not be that of a file in this folder.
    if chain.agent.is_empty() || !chain.agent.bytes().all(fits) {
        return Ok(());
    }
    let path = folder.join(format!("{}.json", chain.agent));
    let Some(saved) = saved_chain(chain) else {
        return match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    };
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut text = serde_json::to_vec_pretty(&saved)?;
    text.push(b'\n');
    let beside = folder.join(format!(".{}.new", chain.agent));
    let mut file = begin(&beside)?;
    file.write_all(&text)?;
    std::fs::rename(beside, path)
}

/// Begins a file that was not there before.
fn begin(path: &Path) -> io::Result<File> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::chains::limits::Limits;
    use crate::chains::step::{Deed, Step};
    use crate::units::Wall;

    fn chain(agent: &str) -> Chain {
        let mut chain = Chain::new(agent, Limits::default());
        let (conversation, deed) = ("c1".to_owned(), Deed::Copied);
        let (agent, at) = (agent.to_owned(), Wall(1_790_000_000_000));
        chain.take(Step { agent, process: None, conversation, at, resumes: None, deed });
        chain
    }

    #[test]
    fn a_chain_is_written_for_its_owner_and_goes_with_its_reset() {
        let state = tempfile::tempdir().expect("a folder");
        let folder = state.path().join(FOLDER);
        let mut coder = chain("coder");
        // What a life that was cut short left there, and a trap.
        std::fs::create_dir(&folder).expect("a folder");
        std::os::unix::fs::symlink("/etc/passwd", folder.join(".coder.new")).expect("a link");
        write(&folder, &coder).expect("written");
        let path = folder.join("coder.json");
        let text = std::fs::read_to_string(&path).expect("a file");
        let saved: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((&saved["version"], &saved["agent"]), (&1.into(), &"coder".into()));
        assert_eq!(saved["continuation"]["conversation"], "c1");
        assert!(saved["hand_over"]["text"].as_str().is_some_and(|text| text.contains("coder")));
        let mode = std::fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 1, "nothing beside it");
        coder.reset();
        write(&folder, &coder).expect("removed");
        write(&folder, &coder).expect("nothing to remove");
        assert!(!path.exists());
        for name in ["", "../x", "a/b", "ä"] {
            write(&folder, &chain(name)).expect("left out");
        }
        assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 0);
    }
}
