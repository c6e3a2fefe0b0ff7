//! Whether it was the kernel that killed, for want of memory: SIGKILL, and a group that counts one
//! more such kill than before. Either alone proves nothing.
//!
//! A run's own group tells of it alone. Where there is none, the container's counter has to do, which
//! rises for everybody in it: each rise is taken for one death, and what is left of it is forgotten
//! with the next death that was no kill.
//!
//! A rise is believed for a while only. The kernel counts as it kills, so that the death follows at
//! once; one that follows later is another's work: a worker of the run was killed, which its parent
//! saw, and in the evening somebody ends the parent by hand.

use std::time::Duration;

use crate::init::Body;
use crate::memory::group::Group;
use crate::units::{ExitStatus, Mono, RunId, Signal};

/// From one look at the count to the next, at least: a death that follows its kill by less than this
/// is the kernel's. A large process is taken apart in seconds. A loop that has nothing to do turns
/// every half minute, so that no rise is believed for longer than two of those.
const LOOKS_APART: Duration = Duration::from_secs(10);

/// What the container's group counted when it was last looked at.
#[derive(Debug, Default)]
pub(super) struct OomKills {
    group: Option<Group>,
    /// What no death was taken of yet is above this.
    known: Option<u64>,
    looks: Looks,
}

/// What was counted at the last two looks, the older one first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Looks {
    counts: [Option<u64>; 2],
    last: Mono,
}

impl Looks {
    fn are_due(&self, now: Mono) -> bool {
        now.since(self.last) >= LOOKS_APART
    }

    /// Takes in another look. Whatever was counted before the one before it is old by now.
    fn take(&mut self, count: Option<u64>, now: Mono) {
        *self = Self { counts: [self.counts[1], count], last: now };
    }

    /// What no death was taken of yet, without what is old: that is of none that is still to come.
    fn let_go_of_old(&self, known: Option<u64>) -> Option<u64> {
        known.max(self.counts[0])
    }

    /// Whether it rose a short while ago; `None` where that cannot be said.
    fn have_risen_to(&self, count: Option<u64>) -> Option<bool> {
        Some(count? > self.counts[0]?)
    }
}

impl OomKills {
    /// Finds the group, once: not before there is somebody who may be killed.
    pub(super) fn begin(&mut self) {
        if self.group.is_none() {
            self.group = Some(Group::find());
            self.forget();
            self.looks.counts = [self.known; 2];
        }
    }

    /// Looks at the count now and then, so that an old rise is told from a new one.
    pub(super) fn keep_up(&mut self, now: Mono) {
        if self.group.is_some() && self.looks.are_due(now) {
            let count = self.count();
            self.looks.take(count, now);
            self.known = self.looks.let_go_of_old(self.known);
        }
    }

    /// Whether anybody was killed a short while ago; `None` where that cannot be said.
    fn are_recent(&self) -> Option<bool> {
        self.looks.have_risen_to(self.count())
    }

    /// Somebody was killed: whether the count has risen. One death is taken of the rise.
    fn has_risen(&mut self) -> bool {
        let count = self.count();
        take_one(&mut self.known, count)
    }

    /// Somebody ended otherwise: what rose until now is not of a later death.
    fn forget(&mut self) {
        self.known = self.count();
    }

    fn count(&self) -> Option<u64> {
        self.group.as_ref().and_then(Group::oom_kills)
    }
}

/// Takes one death of what the count has risen since it was known. Where it was not known, or cannot
/// be read any more, nothing is claimed.
fn take_one(known: &mut Option<u64>, count: Option<u64>) -> bool {
    let (Some(before), Some(now)) = (*known, count) else {
        *known = count;
        return false;
    };
    let has_risen = now > before;
    // With a group that is killed as a whole a victim may be counted twice.
    *known = Some(if has_risen { before + 1 } else { now });
    has_risen
}

/// Whether a death was the kernel's work: by the count of the run's own group, where there is one and
/// somebody was killed a short while ago, and else by what rose in the container's.
fn is_kernels(own: Option<u64>, are_recent: Option<bool>, risen: bool) -> bool {
    own.map_or(risen, |kills| kills > 0 && are_recent != Some(false))
}

impl Body {
    /// Whether the kernel ended the main process of this run for want of memory.
    pub(super) fn was_oom_killed(&mut self, run: RunId, status: ExitStatus) -> bool {
        if status != ExitStatus::Signal(Signal::KILL) {
            self.oom.forget();
            return false;
        }
        let are_recent = self.oom.are_recent();
        let risen = self.oom.has_risen();
        let own = self.groups.as_ref().and_then(|groups| groups.oom_kills(run));
        is_kernels(own, are_recent, risen)
    }

    /// A stranger of ours was killed: it may be whom the count has risen for.
    pub(super) fn stranger_was_killed(&mut self) {
        self.oom.has_risen();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rise_is_one_death_and_no_count_is_no_proof() {
        let mut known = Some(3);
        for (count, expected) in [
            (Some(3), false),
            (Some(5), true),
            (Some(5), true),
            (Some(5), false),
            (None, false),
            (Some(9), false),
            (Some(10), true),
            // Another group, or a counter that began anew.
            (Some(2), false),
            (Some(3), true),
        ] {
            assert_eq!(take_one(&mut known, count), expected, "{count:?}");
        }
    }

    #[test]
    fn a_rise_is_believed_for_a_short_while() {
        let at = |second: u64| Mono(second * 1_000_000_000);
        let mut looks = Looks { counts: [Some(3); 2], last: at(0) };
        let mut known = Some(3);
        let mut look = |second: u64, count: u64| {
            if looks.are_due(at(second)) {
                looks.take(Some(count), at(second));
                known = looks.let_go_of_old(known);
            }
            (looks.have_risen_to(Some(count)), take_one(&mut known.clone(), Some(count)))
        };
        assert_eq!(look(9, 3), (Some(false), false));
        assert_eq!(look(9, 4), (Some(true), true), "just now");
        assert_eq!(look(10, 4), (Some(true), true));
        assert_eq!(look(19, 4), (Some(true), true), "not looked at again yet");
        assert_eq!(look(20, 4), (Some(false), false), "ten seconds ago at least");
        assert_eq!(look(40, 5), (Some(true), true), "another one");
    }

    #[test]
    fn what_cannot_be_counted_is_not_held_against_the_groups_own_word() {
        let at = |second: u64| Mono(second * 1_000_000_000);
        let mut looks = Looks::default();
        looks.take(Some(3), at(10));
        assert_eq!(looks.have_risen_to(Some(4)), None, "nothing to compare with");
        assert_eq!(looks.have_risen_to(None), None);
        assert_eq!((looks.let_go_of_old(Some(3)), looks.let_go_of_old(None)), (Some(3), None));
        for (own, are_recent, risen, expected) in [
            (None, Some(true), true, true),
            (None, Some(true), false, false),
            (Some(0), Some(true), true, false),
            (Some(1), Some(true), false, true),
            (Some(1), None, false, true),
            (Some(1), Some(false), true, false),
        ] {
            assert_eq!(is_kernels(own, are_recent, risen), expected, "{own:?} {are_recent:?}");
        }
    }
}
