//! Storms of strangers: whoever dies by the ten thousand is reaped a few at a time, so that not each
//! of them costs a waking.
//!
//! The kernel tells of one death at most until we have read of it, so that whoever does not read for
//! a moment is not woken either. All other signals have a descriptor of their own and are not kept
//! waiting by that.

use std::time::Duration;

use crate::units::Mono;

/// How long the dead may wait for one another in a storm; shorter than anybody waits for a shell.
const REST: Duration = Duration::from_millis(1);

/// Strangers that are reaped this soon one after the other are a storm.
const SOON: Duration = Duration::from_millis(4);

/// Who come so many at once need no rest to be many; more of them would fill the table.
const MANY: u64 = 16;

/// What is known of the strangers that were reaped last.
#[derive(Debug, Default)]
pub struct Storm {
    last: Option<Mono>,
    rest_until: Option<Mono>,
}

impl Storm {
    /// So many strangers were reaped now, and nobody else.
    pub fn reaped(&mut self, now: Mono, strangers: u64) {
        let soon = self.last.is_some_and(|last| now.since(last) <= SOON);
        self.rest_until = (soon && strangers < MANY).then(|| now.after(REST));
        self.last = Some(now);
    }

    /// There is none, or it is over.
    pub fn calm(&mut self) {
        self.rest_until = None;
    }

    /// Until when the dead may wait.
    pub fn rest_until(&self) -> Option<Mono> {
        self.rest_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Mono {
        Mono(ms * 1_000_000)
    }

    #[test]
    fn only_strangers_who_follow_soon_are_kept_waiting() {
        let mut storm = Storm::default();
        storm.reaped(at(100), 1);
        assert_eq!(storm.rest_until(), None, "a single one");
        storm.reaped(at(103), 1);
        assert_eq!(storm.rest_until(), Some(at(104)));
        storm.reaped(at(105), MANY);
        assert_eq!(storm.rest_until(), None, "they are many already");
        storm.reaped(at(106), MANY - 1);
        assert_eq!(storm.rest_until(), Some(at(107)));
        storm.calm();
        assert_eq!(storm.rest_until(), None);
        storm.reaped(at(200), 3);
        assert_eq!(storm.rest_until(), None, "another storm");
    }
}
