//! Which sessions are to be ended for want of activity, or for lasting too long, and when to warn.
//! Knows no events: it says what is due, and the fold does so.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::units::{Mono, SessionId};

/// An end that was asked for and did not come is asked for again: the order may have found a full
/// queue.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// How long one session may rest and last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Without a sign of activity.
    pub idle: Option<Duration>,
    /// In all.
    pub longest: Option<Duration>,
}

/// The sessions that are watched.
#[derive(Debug, Default)]
pub struct Activity {
    watched: BTreeMap<SessionId, Watched>,
    /// No later than the earliest that is due: a sign of activity puts off what is due without
    /// making this later.
    next: Option<Mono>,
    /// Those whose first warning is still to be reckoned with, and since when: it depends on where
    /// warnings are asked for.
    fresh: Vec<(SessionId, Mono)>,
}

#[derive(Debug)]
struct Watched {
    bounds: Bounds,
    opened: Mono,
    seen: Mono,
    /// Warnings given since the last sign of activity.
    warned: usize,
    /// When the end was last asked for.
    asked: Option<Mono>,
}

/// What is due for a session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Due {
    /// A warning.
    Warning {
        /// The part of the idle time-out that is over.
        fraction: f64,
        /// What is left of it.
        left: Duration,
        /// Whether it is the first since the last sign of activity.
        first: bool,
    },
    /// The end, after so long without activity.
    Silent(Duration),
    /// The end, after so long.
    TooLong(Duration),
}

impl Activity {
    /// Watches a session from now on; one that has no bounds is not watched.
    pub fn watch(&mut self, session: SessionId, bounds: Bounds, at: Mono) {
        if bounds == Bounds::default() {
            return;
        }
        let watched = Watched { bounds, opened: at, seen: at, warned: 0, asked: None };
        self.watched.insert(session, watched);
        self.fresh.push((session, at));
    }

    /// Other bounds hold for a session that was opened then.
    pub fn rebound(&mut self, session: SessionId, bounds: Bounds, opened: Mono, at: Mono) {
        match self.watched.get_mut(&session) {
            Some(watched) if watched.bounds == bounds => return,
            Some(_) if bounds == Bounds::default() => return self.forget(session),
            Some(watched) => watched.bounds = bounds,
            None => self.watch(session, bounds, at),
        }
        if let Some(watched) = self.watched.get_mut(&session) {
            watched.opened = opened;
        }
        self.next = Some(at);
    }

    /// Takes a sign of activity; true where the session had been warned.
    pub fn seen(&mut self, session: SessionId, at: Mono) -> bool {
        let Some(watched) = self.watched.get_mut(&session) else { return false };
        watched.seen = watched.seen.max(at);
        std::mem::take(&mut watched.warned) > 0
    }

    /// Watches it no more.
    pub fn forget(&mut self, session: SessionId) {
        self.watched.remove(&session);
    }

    /// When something may be due.
    pub fn next(&self) -> Option<Mono> {
        self.fresh.first().map(|(_, at)| *at).or(self.next)
    }

    /// What is due by now, where warnings are given at these parts of the idle time-out.
    pub fn due(&mut self, at: Mono, warn_at: &[f64]) -> Vec<(SessionId, Due)> {
        for (id, _) in std::mem::take(&mut self.fresh) {
            let next = self.watched.get(&id).and_then(|watched| watched.next(warn_at));
            self.next = self.next.into_iter().chain(next).min();
        }
        if self.next.is_none_or(|next| at < next) {
            return Vec::new();
        }
        let mut due = Vec::new();
        self.next = None;
        for (id, watched) in &mut self.watched {
            due.extend(watched.due(at, warn_at).map(|due| (*id, due)));
            let next = watched.next(warn_at);
            self.next = self.next.into_iter().chain(next).min();
        }
        due
    }

    /// Sessions that are watched.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.watched.len()
    }
}

impl Watched {
    fn due(&mut self, at: Mono, warn_at: &[f64]) -> Option<Due> {
        if self.asked.is_some_and(|asked| at < asked.after(ASK_AGAIN)) {
            return None;
        }
        if let Some(longest) = self.bounds.longest.filter(|span| at >= self.opened.after(*span)) {
            self.asked = Some(at);
            return Some(Due::TooLong(longest));
        }
        let idle = self.bounds.idle?;
        let silent = at.since(self.seen);
        if silent >= idle {
            self.asked = Some(at);
            return Some(Due::Silent(idle));
        }
        let reached = warn_at.iter().filter(|part| silent >= idle.mul_f64(**part)).count();
        if reached <= self.warned {
            return None;
        }
        let first = self.warned == 0;
        self.warned = reached;
        let fraction = *warn_at.get(reached - 1)?;
        Some(Due::Warning { fraction, left: idle.saturating_sub(silent), first })
    }

    fn next(&self, warn_at: &[f64]) -> Option<Mono> {
        if let Some(asked) = self.asked {
            return Some(asked.after(ASK_AGAIN));
        }
        let end = self.bounds.longest.map(|span| self.opened.after(span));
        let rest = self.bounds.idle.map(|idle| {
            let part = warn_at.get(self.warned).copied().unwrap_or(1.0);
            // A clock in nanoseconds and a part in binary may miss one another by one.
            self.seen.after(idle.mul_f64(part) + Duration::from_nanos(1))
        });
        end.into_iter().chain(rest).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Wall;

    const WARN_AT: [f64; 2] = [0.5, 0.9];

    fn id(n: u128) -> SessionId {
        SessionId::new(Wall(7), n)
    }

    fn s(seconds: u64) -> Mono {
        Mono(seconds * 1_000_000_000)
    }

    fn bounds(idle: u64, longest: Option<u64>) -> Bounds {
        let idle = Some(Duration::from_secs(idle));
        Bounds { idle, longest: longest.map(Duration::from_secs) }
    }

    fn warning(fraction: f64, left: u64, first: bool) -> Due {
        Due::Warning { fraction, left: Duration::from_secs(left), first }
    }

    #[test]
    fn silence_is_warned_of_at_each_part_once_and_then_ended() {
        let mut activity = Activity::default();
        activity.watch(id(1), bounds(100, None), s(0));
        assert_eq!(activity.due(s(0), &WARN_AT), []);
        assert!(activity.next().is_some_and(|next| next > s(50) && next < s(51)));
        assert_eq!(activity.due(s(60), &WARN_AT), [(id(1), warning(0.5, 40, true))]);
        assert_eq!(activity.due(s(80), &WARN_AT), []);
        assert_eq!(activity.due(s(91), &WARN_AT), [(id(1), warning(0.9, 9, false))]);
        let end = Due::Silent(Duration::from_secs(100));
        assert_eq!(activity.due(s(101), &WARN_AT), [(id(1), end)]);
        assert_eq!(activity.due(s(102), &WARN_AT), [], "it was asked for");
        assert_eq!(activity.due(s(107), &WARN_AT), [(id(1), end)], "it did not come");
        activity.forget(id(1));
        assert_eq!(activity.due(s(200), &WARN_AT), []);
        assert_eq!(activity.next(), None);
    }

    #[test]
    fn a_sign_of_activity_begins_anew_and_says_whether_it_was_idle() {
        let mut activity = Activity::default();
        activity.watch(id(1), bounds(100, Some(300)), s(0));
        assert_eq!(activity.due(s(95), &WARN_AT), [(id(1), warning(0.9, 5, true))]);
        assert!(activity.seen(id(1), s(96)));
        assert!(!activity.seen(id(1), s(97)));
        assert_eq!(activity.due(s(110), &WARN_AT), []);
        assert_eq!(activity.due(s(150), &WARN_AT), [(id(1), warning(0.5, 47, true))]);
        activity.seen(id(1), s(299));
        let end = Due::TooLong(Duration::from_secs(300));
        assert_eq!(activity.due(s(300), &WARN_AT), [(id(1), end)], "however busy it is");
    }

    #[test]
    fn nothing_is_looked_at_before_something_can_be_due() {
        let mut activity = Activity::default();
        activity.watch(id(1), Bounds::default(), s(0));
        assert_eq!((activity.len(), activity.next()), (0, None));
        activity.watch(id(2), bounds(100, None), s(0));
        activity.due(s(0), &[]);
        let next = activity.next().expect("its end");
        assert!(next > s(100) && next < s(101), "without warnings the end is next");
    }
}
