//! What happens, for whoever looks on: a bounded ring that every listener reads at its own pace.
//! Nobody is waited for; who is too slow learns how much was missed.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::ledger::happening::Happening;
use crate::serve::wire;
use crate::units::Wall;

/// Happenings that are kept for those who come back: about a quarter of a kilobyte each.
pub const KEPT: usize = 512;

/// The last happenings.
pub struct Events {
    ring: Mutex<Ring>,
    newest: watch::Sender<u64>,
    /// Tells our events from those of an earlier life.
    life: i64,
}

#[derive(Default)]
struct Ring {
    told: VecDeque<Happening>,
    /// How many were told before the first that is kept.
    gone: u64,
}

/// What was told behind some place.
#[derive(Debug)]
pub struct News {
    /// In their order.
    pub events: Vec<wire::Event>,
    /// How many are missing in front of them.
    pub missed: u64,
    /// The place behind the last.
    pub next: u64,
}

impl Events {
    /// None yet, in the life that began then.
    pub fn new(began: Wall) -> Self {
        Self { ring: Mutex::default(), newest: watch::Sender::new(0), life: began.0 }
    }

    /// Tells everybody.
    pub fn tell(&self, happening: Happening) {
        let mut ring = self.ring();
        if ring.told.len() == KEPT {
            ring.told.pop_front();
            ring.gone += 1;
        }
        ring.told.push_back(happening);
        let newest = ring.end();
        drop(ring);
        self.newest.send_replace(newest);
    }

    /// The place behind the last that was told.
    pub fn end(&self) -> u64 {
        self.ring().end()
    }

    /// The place in front of the first that is kept.
    pub fn begin(&self) -> u64 {
        self.ring().gone
    }

    /// Changes with each that is told.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// At most `most` of those that were told from `place` on.
    pub fn since(&self, place: u64, most: usize) -> News {
        let ring = self.ring();
        let from = place.clamp(ring.gone, ring.end());
        let skip = usize::try_from(from - ring.gone).unwrap_or(usize::MAX);
        let told: Vec<Happening> = ring.told.iter().skip(skip).take(most).cloned().collect();
        drop(ring);
        let events: Vec<wire::Event> =
            (from..).zip(&told).map(|(place, happening)| self.event(place, happening)).collect();
        let next = from + events.len() as u64;
        News { events, missed: from.saturating_sub(place), next }
    }

    /// The place behind the event of this id; `None` for one of another life, or of none.
    pub fn behind(&self, id: &str) -> Option<u64> {
        let (life, place) = id.split_once('-')?;
        let place = place.parse::<u64>().ok()?.checked_add(1)?;
        (life == self.life.to_string() && place <= self.end()).then_some(place)
    }

    fn event(&self, place: u64, happening: &Happening) -> wire::Event {
        let (kind, detail) = happening.told();
        wire::Event {
            id: format!("{}-{place}", self.life),
            at: happening.at.to_string(),
            kind: kind.to_owned(),
            process: happening.process().map(str::to_owned),
            run: happening.run.map(|run| run.0),
            session: happening.session.map(|session| session.to_string()),
            detail,
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn end(&self) -> u64 {
        self.gone + self.told.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ledger::happening::Narrator;
    use crate::serve::control::example::plan;
    use crate::supervise::lifecycle::Lifecycle;

    fn events(told: u8) -> Events {
        let events = Events::new(Wall(1000));
        let mut narrator = Narrator::new(Arc::new(plan(&["web"])));
        for code in 0..told {
            let line = Lifecycle::Left { code };
            narrator.tell(Wall(code.into()), &line).into_iter().for_each(|it| events.tell(it));
        }
        events
    }

    fn codes(news: &News) -> Vec<u64> {
        news.events.iter().filter_map(|event| event.detail["exit_code"].as_u64()).collect()
    }

    #[test]
    fn a_listener_goes_on_from_where_it_was() {
        let events = events(5);
        let first = events.since(0, 3);
        assert_eq!((codes(&first), first.missed, first.next), (vec![0, 1, 2], 0, 3));
        assert_eq!(codes(&events.since(first.next, 10)), [3, 4]);
        assert_eq!(first.events[2].id, "1000-2");
        assert_eq!(events.behind("1000-2"), Some(3));
        assert_eq!(events.since(5, 10).events, []);
    }

    #[test]
    fn an_id_of_another_life_or_of_no_event_is_no_place() {
        let events = events(5);
        for id in ["999-2", "1000-5", "1000-", "1000", "", "1000--1", "1000-18446744073709551615"] {
            assert_eq!(events.behind(id), None, "{id}");
        }
    }

    #[test]
    fn who_is_too_slow_learns_how_much_was_missed() {
        let events = events(200);
        let mut narrator = Narrator::new(Arc::new(plan(&["web"])));
        for _ in 0..KEPT {
            let told = narrator.tell(Wall(0), &Lifecycle::Left { code: 9 });
            told.into_iter().for_each(|it| events.tell(it));
        }
        let news = events.since(150, usize::MAX);
        assert_eq!((news.missed, news.events.len(), news.next), (50, KEPT, 200 + KEPT as u64));
    }
}
