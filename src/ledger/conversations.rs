//! Which session an agent's conversation is, inside which run. Knows no events: it says what is
//! to be opened, ended or turned idle, and the fold does so.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::units::{Mono, SessionId};

/// Conversations of one run that are followed at the same time. A long run that starts a new
/// conversation for each task would otherwise hold all of them for ever.
const PER_RUN: usize = 100;

/// How an agent's conversation is told from all others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The session of the run that it belongs to.
    pub run: SessionId,
    /// The agent's label value.
    pub agent: String,
    /// The agent's own id of it.
    pub native_id: String,
}

/// The conversations of the live runs and of those that ended last.
#[derive(Debug, Default)]
pub struct Conversations {
    followed: BTreeMap<Key, Followed>,
}

#[derive(Debug)]
struct Followed {
    session: SessionId,
    last_usage: Mono,
    idle: bool,
}

/// A conversation that was known when it was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its session.
    pub session: SessionId,
    /// Whether it had been idle.
    pub was_idle: bool,
}

impl Conversations {
    /// Takes a sign of activity; `None` where the conversation is new.
    pub fn used(&mut self, key: &Key, at: Mono) -> Option<Known> {
        let followed = self.followed.get_mut(key)?;
        followed.last_usage = at;
        let was_idle = std::mem::take(&mut followed.idle);
        Some(Known { session: followed.session, was_idle })
    }

    /// Follows a new conversation. Where its run has too many, answers with the one that was
    /// silent for longest, which is followed no more.
    pub fn follow(&mut self, key: Key, session: SessionId, at: Mono) -> Option<SessionId> {
        let evicted = self.make_room(key.run);
        self.followed.insert(key, Followed { session, last_usage: at, idle: false });
        evicted
    }

    /// Whether a conversation is new, and could be followed without letting go of another one.
    pub fn has_room(&self, key: &Key) -> bool {
        !self.followed.contains_key(key) && self.of(key.run).len() < PER_RUN
    }

    fn make_room(&mut self, run: SessionId) -> Option<SessionId> {
        let of_run = || self.followed.iter().filter(|(key, _)| key.run == run);
        if of_run().count() < PER_RUN {
            return None;
        }
        let (key, _) = of_run().min_by_key(|(_, followed)| followed.last_usage)?;
        let key = key.clone();
        self.followed.remove(&key).map(|followed| followed.session)
    }

    /// Conversations of a run, in no order that means anything.
    pub fn of(&self, run: SessionId) -> Vec<SessionId> {
        let of_run = self.followed.iter().filter(|(key, _)| key.run == run);
        of_run.map(|(_, followed)| followed.session).collect()
    }

    /// Follows the conversations of a run no more: nothing can be read for them any longer.
    pub fn forget(&mut self, run: SessionId) {
        self.followed.retain(|key, _| key.run != run);
    }

    /// Those that have rested for so long, and did not when this was last asked.
    pub fn newly_idle(&mut self, at: Mono, idle: Duration) -> Vec<SessionId> {
        let resting = self
            .followed
            .values_mut()
            .filter(|followed| !followed.idle && at.since(followed.last_usage) >= idle);
        resting
            .map(|followed| {
                followed.idle = true;
                followed.session
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Wall;

    const HOUR: u64 = 3_600_000_000_000;
    const AN_HOUR: Duration = Duration::from_nanos(HOUR);

    fn id(n: u128) -> SessionId {
        SessionId::new(Wall(7), n)
    }

    fn key(n: usize) -> Key {
        Key { run: id(1), agent: "claude".into(), native_id: format!("c{n}") }
    }

    #[test]
    fn an_hour_of_silence_is_told_once_and_ended_by_use() {
        let mut talks = Conversations::default();
        talks.follow(key(1), id(2), Mono(0));
        assert!(talks.newly_idle(Mono(HOUR - 1), AN_HOUR).is_empty());
        assert_eq!(talks.newly_idle(Mono(HOUR), AN_HOUR), [id(2)]);
        assert!(talks.newly_idle(Mono(HOUR + 1), AN_HOUR).is_empty());
        let known = |was_idle| Some(Known { session: id(2), was_idle });
        assert_eq!(talks.used(&key(1), Mono(HOUR + 2)), known(true));
        assert_eq!(talks.used(&key(1), Mono(HOUR + 3)), known(false));
        assert_eq!(talks.newly_idle(Mono(2 * HOUR + 3), AN_HOUR), [id(2)]);
    }

    #[test]
    fn beyond_the_bound_the_most_silent_one_gives_way() {
        let mut talks = Conversations::default();
        for n in 0..PER_RUN {
            assert_eq!(talks.follow(key(n), id(n as u128 + 10), Mono(n as u64)), None);
        }
        talks.used(&key(0), Mono(HOUR));
        assert_eq!(talks.follow(key(PER_RUN), id(9), Mono(HOUR)), Some(id(11)));
        assert_eq!(talks.of(id(1)).len(), PER_RUN);
        assert_eq!(talks.used(&key(1), Mono(HOUR)), None);
        talks.forget(id(1));
        assert!(talks.of(id(1)).is_empty());
    }
}
