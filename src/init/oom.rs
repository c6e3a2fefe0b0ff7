//! Whether it was the kernel that killed, for want of memory: SIGKILL, and a group that counts one
//! more such kill than before. Either alone proves nothing.
//!
//! A run's own group tells of it alone. Where there is none, the container's counter has to do, which
//! rises for everybody in it: each rise is taken for one death, and what is left of it is forgotten
//! with the next death that was no kill.

use crate::init::Body;
use crate::memory::group::Group;
use crate::units::{ExitStatus, RunId, Signal};

/// What the container's group counted when it was last looked at.
#[derive(Debug, Default)]
pub(super) struct OomKills {
    group: Option<Group>,
    known: Option<u64>,
}

impl OomKills {
    /// Finds the group, once: not before there is somebody who may be killed.
    pub(super) fn begin(&mut self) {
        if self.group.is_none() {
            self.group = Some(Group::find());
            self.forget();
        }
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

impl Body {
    /// Whether the kernel ended the main process of this run for want of memory.
    pub(super) fn was_oom_killed(&mut self, run: RunId, status: ExitStatus) -> bool {
        if status != ExitStatus::Signal(Signal::KILL) {
            self.oom.forget();
            return false;
        }
        let risen = self.oom.has_risen();
        let own = self.groups.as_ref().and_then(|groups| groups.oom_kills(run));
        own.map_or(risen, |kills| kills > 0)
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
}
