//! Faults of our own: how many panics there were, by the room that they were in.
//!
//! Whoever runs a task or a thread below the line catches its panic and begins it anew, or says what
//! is lost. They are counted here, once for all of them: the hook that is called at a panic belongs to
//! the whole program and takes no argument, and so its counters are the program's as well.

use std::sync::atomic::{AtomicU64, Ordering};

/// The rooms that can have faults and live on; `other` is everything else, libraries included.
const ROOMS: [&str; 15] = [
    "assembly", "config", "context", "init", "ledger", "log", "memory", "metrics", "output",
    "probing", "serve", "store", "tokens", "watch", "other",
];

static COUNTS: [AtomicU64; ROOMS.len()] = [const { AtomicU64::new(0) }; ROOMS.len()];

/// How many faults there were so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults([u64; ROOMS.len()]);

impl Faults {
    /// Every room with its number, from 0.
    pub fn by_room(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        ROOMS.into_iter().zip(self.0)
    }
}

/// Counts one in this file of ours, or of a library.
pub fn note(file: &str) {
    COUNTS[place(file)].fetch_add(1, Ordering::Relaxed);
}

/// How many were counted.
pub fn seen() -> Faults {
    Faults(std::array::from_fn(|at| COUNTS[at].load(Ordering::Relaxed)))
}

/// Our own files are compiled by their paths from the top; libraries lie elsewhere.
fn place(file: &str) -> usize {
    let below = file.strip_prefix("src/").and_then(|path| path.split('/').next());
    let room = below.map(|room| room.strip_suffix(".rs").unwrap_or(room));
    let known = ROOMS.iter().position(|known| Some(*known) == room);
    known.unwrap_or(ROOMS.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_counted_where_it_was() {
        let count =
            |room: &str| seen().by_room().find(|(known, _)| *known == room).map(|(_, count)| count);
        assert_eq!((count("memory"), count("supervise")), (Some(0), None));
        note("src/memory/probe.rs");
        note("src/memory/probe.rs");
        note("src/log.rs");
        note("src/supervise/mod.rs");
        note("/elsewhere/src/memory/lib.rs");
        assert_eq!([count("memory"), count("log"), count("other")], [Some(2), Some(1), Some(2)]);
    }
}
