//! A look at everybody in `/proc`, for the question who was left behind.
//!
//! Environments and command lines wait for the memory lock of their process, which can hang for ever (a
//! page that a dead file server owes). So whoever looks does it on a thread that nobody has to wait for.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use crate::memory::marker::session_of;
use crate::memory::orphan::Seen;
use crate::memory::proc;
use crate::memory::stat::ProcStat;

/// How much of a command line is read, and how many of its words are kept.
const MOST_BYTES: u64 = 4096;
const MOST_WORDS: usize = 6;

/// What our own program is called.
const OUR_NAME: &str = "procession";

/// Everybody who can be seen, in the order of pids, within this time.
///
/// # Errors
///
/// When `/proc` cannot be read, when there is no thread to be had for it, or when it takes too long.
pub fn everybody(patience: Duration) -> io::Result<Vec<Seen>> {
    let (told, table) = sync_channel(1);
    let look = move || drop(told.try_send(look()));
    std::thread::Builder::new().name("strays".into()).spawn(look)?;
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "/proc could not be read in time");
    table.recv_timeout(patience).map_err(late)?
}

fn look() -> io::Result<Vec<Seen>> {
    let mut stats = Vec::new();
    proc::scan_into(&mut stats)?;
    let us = Us::known();
    Ok(stats.into_iter().map(|stat| us.see(stat)).collect())
}

/// What tells our own kind, and those who live where we do.
struct Us {
    program: Option<(u64, u64)>,
    namespace: Option<(u64, u64)>,
}

impl Us {
    fn known() -> Self {
        Self { program: identity("/proc/self/exe"), namespace: identity("/proc/self/ns/pid") }
    }

    fn see(&self, stat: ProcStat) -> Seen {
        let folder = proc::folder(&stat);
        let name = fs::read(format!("/proc/{}/comm", stat.id.pid)).unwrap_or_default();
        let name = String::from_utf8_lossy(name.trim_ascii_end()).into_owned();
        let words = words(&folder).unwrap_or_default();
        let session = session_of(stat.id);
        let supervises = name.starts_with(OUR_NAME) || self.is_our_program(&folder);
        // Where it cannot be told it is somebody else's, whom we do not touch.
        let namespace = identity(format!("{folder}/ns/pid"));
        let here = namespace.is_some() && namespace == self.namespace;
        Seen { stat, name, words, session, supervises, here }
    }

    /// Whether it runs our program, under whatever name.
    fn is_our_program(&self, folder: &str) -> bool {
        let path = format!("{folder}/exe");
        let named = fs::read_link(&path).is_ok_and(|exe| {
            let file = exe.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // A program that was replaced since is shown with ` (deleted)` behind its name.
            file == OUR_NAME || file.strip_suffix(" (deleted)") == Some(OUR_NAME)
        });
        named || self.program.is_some() && identity(path) == self.program
    }
}

fn identity(path: impl AsRef<Path>) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

fn words(folder: &str) -> io::Result<Vec<String>> {
    let mut line = Vec::new();
    File::open(format!("{folder}/cmdline"))?.take(MOST_BYTES).read_to_end(&mut line)?;
    let words = line.split(|byte| *byte == 0).filter(|word| !word.is_empty()).take(MOST_WORDS);
    Ok(words.map(|word| String::from_utf8_lossy(word).into_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::orphan::{Known, Names, orphans};

    #[test]
    fn we_are_seen_and_never_left_behind() {
        let us = std::process::id().cast_signed();
        let table = everybody(Duration::from_secs(60)).expect("/proc");
        let seen = table.iter().find(|seen| seen.stat.id.pid == us).expect("we are there");
        assert!(seen.here && !seen.words.is_empty() && seen.supervises, "our own program");
        let known = Known { spared: vec![us], ..Known::default() };
        assert!(orphans(&table, &known, &Names::All).iter().all(|one| one.id.pid != us));
    }
}
