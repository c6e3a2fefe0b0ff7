//! Whose a process is by the variable that we gave its forebears.
//!
//! A tool that starts a server in the background and leaves, between two looks, leaves an orphan
//! without lineage: its parents are gone, its session and group are its own. It still descends from
//! one of our runs, because it came to us, and its environment says from which. Either alone proves
//! nothing, so that both are asked for. Where an environment cannot be read (another user's
//! process, without the capability for it), the process stays unattributed.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;

use crate::memory::tree::Lineage;
use crate::units::{ProcId, RunId, SessionId};

/// The variable by which a child knows the session that it runs in.
pub const SESSION_VARIABLE: &str = "PROCESSION_SESSION_ID";

/// How much of an environment is read; the kernel's own bound for all of it is megabytes.
const MOST_BYTES: u64 = 128 << 10;

/// What strangers carry, each read once.
#[derive(Debug, Default)]
pub struct Markers(HashMap<ProcId, Option<SessionId>>);

impl Markers {
    /// Places those of the last pass that came to us without lineage and carry a session of ours.
    pub fn place(&mut self, lineage: &mut Lineage, sessions: &[(RunId, SessionId)]) {
        let strangers: Vec<ProcId> = lineage.strangers().collect();
        self.0.retain(|id, _| strangers.contains(id));
        let mut found = Vec::new();
        for id in strangers {
            let carried = *self.0.entry(id).or_insert_with(|| session_of(id.pid));
            let run = sessions.iter().find(|(_, session)| Some(*session) == carried);
            found.extend(run.map(|(run, _)| (id, *run)));
        }
        lineage.place(&found);
    }
}

/// The session that a process was started in, by its environment.
fn session_of(pid: i32) -> Option<SessionId> {
    let mut bytes = Vec::new();
    let file = File::open(format!("/proc/{pid}/environ")).ok()?;
    file.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    marked(&bytes)
}

fn marked(environment: &[u8]) -> Option<SessionId> {
    let variables = environment.split(|byte| *byte == 0);
    let mut values = variables.filter_map(|variable| {
        variable.strip_prefix(SESSION_VARIABLE.as_bytes())?.strip_prefix(b"=")
    });
    values.next_back().and_then(|id| SessionId::parse(std::str::from_utf8(id).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Wall;

    #[test]
    fn the_variable_is_found_whole_and_nowhere_else() {
        let id = SessionId::new(Wall(1_790_000_000_000), 7);
        let check = |text: String, found: Option<SessionId>| {
            assert_eq!(marked(text.as_bytes()), found, "{text:?}");
        };
        check(format!("A=1\0PROCESSION_SESSION_ID={id}\0B=2\0"), Some(id));
        check(format!("PROCESSION_SESSION_ID={id}"), Some(id));
        check(format!("XPROCESSION_SESSION_ID={id}\0"), None);
        check(format!("A=PROCESSION_SESSION_ID={id}\0"), None);
        check("PROCESSION_SESSION_ID=\0".into(), None);
        check("PROCESSION_SESSION_ID=not an id\0".into(), None);
        check(String::new(), None);
    }
}
