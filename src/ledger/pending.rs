//! Batches that the store has no room for yet, bounded by class: a flood of samples takes no room
//! from usage, and neither takes any from the starts and ends of sessions.

use std::collections::VecDeque;

use crate::ledger::row::{Batch, Row};

/// Rows of each class that may wait. With a tick every five seconds and ten trees the samples of
/// an hour; a lifecycle row is the largest with about 2 KiB, so that 20 MiB is the most in all.
const ROWS_PER_CLASS: usize = 8_000;

/// Samples, usage, and the story of sessions.
const CLASSES: usize = 3;

/// Batches in their order, as long as there is room.
#[derive(Debug, Default)]
pub struct Pending {
    classes: [Class; CLASSES],
    next: u64,
    dropped: u64,
}

#[derive(Debug, Default)]
struct Class {
    waiting: VecDeque<Numbered>,
    rows: usize,
}

/// A batch with its place in the order over all classes.
#[derive(Debug)]
pub struct Numbered {
    number: u64,
    batch: Batch,
}

impl Pending {
    /// Takes a batch in behind all others. Where its class has no room, the oldest of that class
    /// give way: what comes later tells more, since projections and offsets replace one another.
    pub fn push(&mut self, batch: Batch) {
        let number = self.next;
        self.next += 1;
        let class = &mut self.classes[class_of(&batch)];
        class.rows += batch.rows.len();
        class.waiting.push_back(Numbered { number, batch });
        while class.rows > ROWS_PER_CLASS && class.waiting.len() > 1 {
            if let Some(oldest) = class.take() {
                self.dropped += oldest.batch.rows.len() as u64;
            }
        }
    }

    /// Hands batches to `store`, oldest first. A class of which it gives one back has to wait, and
    /// the others go on: the store keeps its last places for the story of sessions.
    pub fn hand_to(&mut self, store: &mut impl FnMut(Batch) -> Result<(), Batch>) {
        let mut refused = [false; CLASSES];
        while let Some((class, Numbered { number, batch })) = self.pop(&refused) {
            if let Err(batch) = store(batch) {
                self.classes[class].put_back(Numbered { number, batch });
                refused[class] = true;
            }
        }
    }

    /// Rows that wait.
    pub fn rows(&self) -> u64 {
        self.classes.iter().map(|class| class.rows as u64).sum()
    }

    /// Rows that gave way, ever.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The oldest batch of all classes but those that were refused.
    fn pop(&mut self, refused: &[bool; CLASSES]) -> Option<(usize, Numbered)> {
        let open = (0..CLASSES).filter(|class| !refused[*class]);
        let heads = open.filter_map(|class| Some((self.classes[class].head()?, class)));
        let (_, class) = heads.min()?;
        Some((class, self.classes[class].take()?))
    }
}

impl Class {
    /// The number of its oldest batch.
    fn head(&self) -> Option<u64> {
        self.waiting.front().map(|head| head.number)
    }

    fn take(&mut self) -> Option<Numbered> {
        let head = self.waiting.pop_front()?;
        self.rows -= head.batch.rows.len();
        Some(head)
    }

    fn put_back(&mut self, head: Numbered) {
        self.rows += head.batch.rows.len();
        self.waiting.push_front(head);
    }
}

/// 0 for samples alone, 1 for usage, 2 for the story of sessions.
fn class_of(batch: &Batch) -> usize {
    if batch.is_lifecycle() {
        2
    } else if batch.rows.iter().all(|row| matches!(row, Row::Sample(_))) {
        0
    } else {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::row::{SampleRow, SessionEvent};
    use crate::tokens::UsageKey;
    use crate::units::{Bytes, SessionId, Wall};

    fn session() -> SessionId {
        SessionId::new(Wall(1), 1)
    }

    fn sample(at: i64) -> Batch {
        let (resident, anonymous) = (Bytes(1), Bytes(1));
        let label = "interval";
        let (session, at) = (session(), Wall(at));
        let row = SampleRow { session, at, resident, anonymous, processes: 1, label };
        Batch { rows: vec![Row::Sample(row)] }
    }

    fn event(sequence: u64) -> Batch {
        let row = SessionEvent {
            session: session(),
            sequence,
            at: Wall(0),
            event_type: "test",
            previous_state: None,
            new_state: None,
            trigger: String::new(),
            detail: serde_json::Value::Null,
        };
        Batch { rows: vec![Row::Event(row)] }
    }

    fn seen(key: u64) -> Batch {
        Batch { rows: vec![Row::Seen(UsageKey(key))] }
    }

    fn all(pending: &mut Pending) -> Vec<Batch> {
        let mut taken = Vec::new();
        pending.hand_to(&mut |batch| {
            taken.push(batch);
            Ok(())
        });
        taken
    }

    #[test]
    fn the_order_over_all_classes_is_kept() {
        let mut pending = Pending::default();
        let batches = [event(0), sample(1), seen(2), sample(3), event(4)];
        batches.iter().cloned().for_each(|batch| pending.push(batch));
        assert_eq!(pending.rows(), 5);
        assert_eq!(all(&mut pending), batches);
        assert_eq!(pending.rows(), 0);
    }

    #[test]
    fn what_is_given_back_keeps_its_place() {
        let mut pending = Pending::default();
        let batches = [event(0), event(1), sample(2)];
        batches.iter().cloned().for_each(|batch| pending.push(batch));
        pending.hand_to(&mut Err);
        assert_eq!(pending.rows(), 3);
        assert_eq!(all(&mut pending), batches);
    }

    #[test]
    fn samples_that_are_refused_do_not_hold_up_a_session() {
        let mut pending = Pending::default();
        [sample(0), event(1), sample(2), event(3)].into_iter().for_each(|b| pending.push(b));
        let mut taken = Vec::new();
        pending.hand_to(&mut |batch| {
            if !batch.is_lifecycle() {
                return Err(batch);
            }
            taken.push(batch);
            Ok(())
        });
        assert_eq!(taken, [event(1), event(3)]);
        assert_eq!(all(&mut pending), [sample(0), sample(2)]);
    }

    #[test]
    fn a_flood_of_samples_costs_samples_only() {
        let mut pending = Pending::default();
        pending.push(event(0));
        pending.push(seen(1));
        for at in 0..ROWS_PER_CLASS as i64 + 5 {
            pending.push(sample(at));
        }
        assert_eq!(pending.dropped(), 5);
        let kept = all(&mut pending);
        assert_eq!(kept[..3], [event(0), seen(1), sample(5)]);
        assert_eq!(kept.len(), ROWS_PER_CLASS + 2);
    }

    #[test]
    fn even_the_story_of_sessions_is_bounded() {
        let mut pending = Pending::default();
        for sequence in 0..2 * ROWS_PER_CLASS as u64 {
            pending.push(event(sequence));
        }
        assert_eq!(pending.rows(), ROWS_PER_CLASS as u64);
        assert_eq!(pending.dropped(), ROWS_PER_CLASS as u64);
    }
}
