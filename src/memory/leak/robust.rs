//! The rule that looks at floors: at what collectors, caches and people leave behind.
//!
//! It keeps the lowest values of the series in pieces that widen as the series ages
//! ([`floors`](super::floors)), describes them in figures without a scale ([`shape`](super::shape)),
//! and has small trees vote on those ([`forest`](super::forest)). The trees were grown on series of
//! a generator, in wide ranges, and on recorded programs by `bench/leaks/train`. Nothing is learnt
//! where it runs, so that the same samples always give the same verdicts. What votes do not decide
//! are the bounds below, which are few and named.

use std::time::Duration;

use crate::memory::leak::Setting;
use crate::memory::leak::evidence::Evidence;
use crate::memory::leak::floors::Floors;
use crate::memory::leak::forest::votes;
use crate::memory::leak::measured::{Measured, Seen};
use crate::memory::leak::model;
use crate::memory::leak::shape::{self, Look};
use crate::memory::{LeakDetector, LeakState, Range, TreeSample, Verdict};
use crate::units::{Bytes, Mono, Now};

/// Samples in a piece at first.
const NARROWEST: u32 = 8;
/// And at last, of those that tell of the last hours: 64 pieces of 128 samples are eleven hours at
/// five seconds.
const WIDEST: u32 = 128;
/// Samples before anything is said: 16 pieces, of which a line and a bend need as many. Most of the
/// recorded programs that were well still warmed up before, and looked like leaks.
pub const LEAST_SAMPLES: u32 = 16 * NARROWEST;
/// The part of the room below the limit that a growth has to take before it matters: with less, it
/// takes another hundred times as long as it was seen until somebody is hurt.
pub const LEAST_SHARE: f64 = 0.01;
/// Above these odds a leak is confirmed: their logarithm, as the trees vote. Chosen on draws that no
/// tree was grown on, as the least with about one false alarm in 200 hours.
pub const CONFIRMED: f64 = 1.9;
/// Above these it is suspected: three to one.
pub const SUSPECTED: f64 = 1.1;
/// Below these it is no longer, one to five: far enough from the others not to flutter.
pub const CLEARED: f64 = -1.6;
/// The part that the newest look has in the odds, as in any exponentially weighted mean. One look
/// can be an accident of where a piece begins; with this, about six have their say.
const NEWEST: f64 = 0.3;
/// Looks in a row that have to agree before a state is given up: a rest between two stairs is no
/// end. To take one up, two have to agree.
const LOOKS_TO_CLEAR: u8 = 8;
/// What a gap counts for at most, in intervals: while a machine sleeps nothing leaks.
const LONGEST_GAP: f64 = 16.0;
/// Where there is no limit, this many times what was seen is taken for one.
const WITHOUT_LIMIT: f64 = 4.0;

/// The robust rule.
#[derive(Clone, Debug)]
pub struct Robust {
    near: Floors<64>,
    /// Of the whole life, for what is too slow for the last hours.
    far: Floors<32>,
    limit: Option<Bytes>,
    interval: Duration,
    /// Seconds that were lived through up to the last sample.
    lived: f64,
    last: Option<Mono>,
    samples: u32,
    highest: Bytes,
    newest: Option<Look>,
    odds: Option<f64>,
    held: LeakState,
    since: Now,
    /// What the look before this one was for.
    before: LeakState,
    /// Looks in a row for giving up what is held.
    clearing: u8,
}

impl LeakDetector for Robust {
    fn observe(&mut self, sample: &TreeSample) {
        // A tree of which nothing could be read holds nothing: that is no fall, it is no figure.
        if sample.anonymous == Bytes(0) {
            return;
        }
        if self.samples == 0 {
            self.since = sample.at;
        }
        self.live_until(sample.at.mono);
        self.samples = self.samples.saturating_add(1);
        self.highest = self.highest.max(sample.anonymous);
        let (at, size) = (self.lived as f32, sample.anonymous.0 as f32);
        let is_near = self.near.push(at, size);
        let is_far = self.far.push(at, size);
        if is_near {
            let look = shape::look(self.near.pieces(), self.near.width(), self.bound());
            self.judge(look, sample.at);
        } else if is_far && self.far.width() > self.near.width() {
            let look = shape::look(self.far.pieces(), self.far.width(), self.bound());
            self.judge(look, sample.at);
        }
    }

    fn verdict(&self) -> Verdict {
        let rising = self.newest.filter(|look| look.shape.is_some());
        let limited = self.limit.is_some();
        Verdict {
            state: self.held,
            since: self.since,
            growth: self.newest.map(|look| look.slope),
            growth_range: self
                .newest
                .map(|look| Range { low: look.slope - look.error, high: look.slope + look.error }),
            to_limit: rising
                .filter(|_| limited)
                .and_then(|look| Duration::try_from_secs_f64(look.to_limit).ok()),
            evidence: Evidence::Robust(self.measured()),
        }
    }

    fn limit(&mut self, limit: Option<Bytes>) {
        self.limit = limit;
    }
}

impl Robust {
    /// A rule that has seen nothing yet.
    pub fn new(setting: &Setting) -> Self {
        Self {
            near: Floors::new(NARROWEST, WIDEST),
            far: Floors::new(NARROWEST, u32::MAX / 2),
            limit: setting.limit,
            interval: setting.interval,
            lived: 0.0,
            last: None,
            samples: 0,
            highest: Bytes(0),
            newest: None,
            odds: None,
            held: LeakState::Unknown,
            since: Now::default(),
            before: LeakState::Unknown,
            clearing: 0,
        }
    }

    /// Time that stands still or runs back has not been lived through, and of a gap only its beginning.
    fn live_until(&mut self, now: Mono) {
        let span = self.last.map_or(0.0, |last| now.since(last).as_secs_f64());
        self.lived += span.min(LONGEST_GAP * self.interval.as_secs_f64());
        self.last = Some(self.last.map_or(now, |last| last.max(now)));
    }

    fn bound(&self) -> f64 {
        let usual = WITHOUT_LIMIT * self.highest.0 as f64;
        self.limit.map_or(usual, |limit| limit.0.max(1) as f64)
    }

    fn judge(&mut self, look: Option<Look>, at: Now) {
        let Some(look) = look else { return };
        let matters = look.shape.is_some_and(|shape| shape.of_room() >= LEAST_SHARE);
        let voted = look.shape.map_or(model::NEVER, |shape| {
            model::BASE + votes(&model::SIZES, &model::NODES, &shape.0)
        });
        // What takes next to no room may be a leak and is no alarm.
        let newest = if matters { voted } else { voted.min(0.0) };
        let odds = self.odds.map_or(newest, |odds| odds + NEWEST * (newest - odds));
        (self.newest, self.odds) = (Some(look), Some(odds));
        self.take_up(if matters { wanted(odds) } else { LeakState::None }, at);
        self.give_up(odds, at);
    }

    fn take_up(&mut self, wanted: LeakState, at: Now) {
        if self.held == LeakState::Unknown {
            self.hold(LeakState::None, at);
        }
        let agreed = wanted.min(std::mem::replace(&mut self.before, wanted));
        if agreed > self.held {
            self.hold(agreed, at);
        }
    }

    fn give_up(&mut self, odds: f64, at: Now) {
        let clears = self.held >= LeakState::Suspected && odds < CLEARED;
        self.clearing = if clears { self.clearing + 1 } else { 0 };
        if self.clearing >= LOOKS_TO_CLEAR {
            self.hold(LeakState::None, at);
        }
    }

    fn hold(&mut self, state: LeakState, at: Now) {
        (self.held, self.since, self.clearing) = (state, at, 0);
    }

    fn measured(&self) -> Measured {
        let seen = self.newest.map(|look| Seen {
            span: look.span,
            growth: look.growth,
            level: look.level,
            odds: look.shape.and(self.odds),
            shape: look.shape,
        });
        Measured { samples: self.samples, seen }
    }
}

fn wanted(odds: f64) -> LeakState {
    if odds > CONFIRMED {
        LeakState::Confirmed
    } else if odds > SUSPECTED {
        LeakState::Suspected
    } else {
        LeakState::None
    }
}
