//! Between the thread that samples and the one that reads what costs more: a question goes over it,
//! and the answer comes back, for as long as somebody waits for it here.
//!
//! A lock that is let go of before anybody is woken, rather than a channel: who is woken under the
//! lock of a channel falls asleep again at once, and that is a waking more for each question.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Room for one question and one answer.
#[derive(Debug)]
pub(super) struct Desk<Q, A> {
    held: Mutex<Held<Q, A>>,
    asked: Condvar,
    answered: Condvar,
}

#[derive(Debug)]
struct Held<Q, A> {
    question: Option<Q>,
    answer: Option<A>,
    /// Somebody looks here for the answer to the last question.
    is_awaited: bool,
    /// One of the two has left.
    is_left: bool,
}

impl<Q, A> Default for Desk<Q, A> {
    fn default() -> Self {
        let held = Held { question: None, answer: None, is_awaited: false, is_left: false };
        Self { held: Mutex::new(held), asked: Condvar::new(), answered: Condvar::new() }
    }
}

impl<Q, A> Desk<Q, A> {
    /// Asks. Who asks waits for the answer from now on.
    pub(super) fn ask(&self, question: Q) {
        let mut held = self.lock();
        (held.question, held.answer, held.is_awaited) = (Some(question), None, true);
        drop(held);
        self.asked.notify_one();
    }

    /// Waits for the next question; `None` when there will be none.
    pub(super) fn next_question(&self) -> Option<Q> {
        let none = |held: &mut Held<Q, A>| held.question.is_none() && !held.is_left;
        let waited = self.asked.wait_while(self.lock(), none);
        waited.unwrap_or_else(PoisonError::into_inner).question.take()
    }

    /// Leaves an answer; gives it back where nobody waits for it any more.
    pub(super) fn answer(&self, answer: A) -> Option<A> {
        let mut held = self.lock();
        if !held.is_awaited {
            return Some(answer);
        }
        held.answer = Some(answer);
        drop(held);
        self.answered.notify_one();
        None
    }

    /// Waits for the answer, for so long at most. Nobody waits for it from then on.
    pub(super) fn answer_within(&self, patience: Duration) -> Option<A> {
        let comes =
            |held: &mut Held<Q, A>| held.is_awaited && held.answer.is_none() && !held.is_left;
        let waited = self.answered.wait_timeout_while(self.lock(), patience, comes);
        let mut held = waited.unwrap_or_else(PoisonError::into_inner).0;
        held.is_awaited = false;
        held.answer.take()
    }

    /// Says that one of the two has gone.
    pub(super) fn leave(&self) {
        self.lock().is_left = true;
        self.asked.notify_one();
        self.answered.notify_one();
    }

    /// Whether one of the two has gone.
    pub(super) fn is_left(&self) -> bool {
        self.lock().is_left
    }

    fn lock(&self) -> MutexGuard<'_, Held<Q, A>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Longer than anything here takes on a busy machine.
    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn an_answer_goes_to_whoever_asked_or_back_and_never_both() {
        let desk = Desk::<u8, u8>::default();
        assert_eq!(desk.answer(1), Some(1), "nobody asked");
        desk.ask(2);
        assert_eq!(desk.next_question(), Some(2));
        assert_eq!(desk.answer(3), None, "it is taken along");
        assert_eq!(desk.answer_within(PATIENCE), Some(3));
        assert_eq!(desk.answer_within(PATIENCE), None, "it is waited for once");
        desk.ask(4);
        assert_eq!(desk.answer_within(Duration::ZERO), None, "it takes too long");
        assert_eq!(desk.answer(5), Some(5), "nobody waits any more");
    }

    #[test]
    fn each_is_woken_by_the_other_and_by_its_leaving() {
        let desk = Arc::<Desk<u8, u8>>::default();
        let theirs = Arc::clone(&desk);
        let other = std::thread::spawn(move || {
            while let Some(question) = theirs.next_question() {
                theirs.answer(question + 1);
            }
        });
        for question in 0..100 {
            desk.ask(question);
            assert_eq!(desk.answer_within(PATIENCE), Some(question + 1));
        }
        desk.leave();
        other.join().expect("it ends");
        assert!(desk.is_left());
        desk.ask(1);
        assert_eq!(desk.answer_within(PATIENCE), None, "nobody is there to answer");
    }
}
