//! The rule that looks at floors: at what collectors, caches and people leave behind.
//!
//! It keeps the lowest values of the series in pieces that widen as the series ages
//! ([`floors`](super::floors)), describes them in figures without a scale ([`shape`](super::shape)),
//! and has small trees vote on those ([`forest`](super::forest)). How the votes went on from look to look
//! ([`course`](super::course)) is weighed with the figures by second trees, which settle whether a leak is
//! confirmed. The trees were grown on series of a generator, in wide ranges, the first also on recorded
//! programs, by `bench/leaks/train` and `bench/leaks/settle`. Nothing is learnt where it runs: the same
//! samples always give the same verdicts. What votes do not decide are the bounds below and those of a
//! confirmation ([`bounds`](super::bounds)), few and named.

use std::time::Duration;

use crate::memory::leak::Setting;
use crate::memory::leak::bounds::{self, CONFIRMED_OF_LITTLE};
use crate::memory::leak::course::Course;
use crate::memory::leak::evidence::Evidence;
use crate::memory::leak::floors::Floors;
use crate::memory::leak::measured::{Measured, Seen};
use crate::memory::leak::model;
use crate::memory::leak::settled;
use crate::memory::leak::shape::{self, Look, Shape};
use crate::memory::leak::slopes;
use crate::memory::{LeakDetector, LeakState, Range, TreeSample, Verdict};
use crate::units::{Bytes, Mono, Now};

/// Samples in a piece at first.
const NARROWEST: u32 = 8;
/// And at last, of those that tell of the last hours: 64 pieces of 128 samples are eleven hours at
/// five seconds.
const WIDEST: u32 = 128;
/// Samples before anything is said: with fewer pieces, a line and a bend fit alike.
pub const LEAST_SAMPLES: u32 = 13 * NARROWEST;
/// The part of the room below the limit that a growth has to take before it matters: with less, it
/// takes another hundred times as long as it was seen until somebody is hurt.
pub const LEAST_SHARE: f64 = 0.01;
/// Above these it is suspected: three to one.
pub const SUSPECTED: f64 = 1.1;
/// Below these it is no longer, one to five: far enough from the others not to flutter.
pub const CLEARED: f64 = -1.6;
/// From these odds on, five to three, the second trees are asked. They have the last word and not the only one:
/// what slows down without any noise looks like a leak to them.
const ASKED: f64 = 0.5;
/// Looks are this part of a piece apart, once a piece is wide enough: the half of a piece that has been
/// seen says nearly as much as a whole one, and sooner.
const PACES: u32 = 4;
/// Looks in a row that have to agree before a state is given up: a rest between two stairs is no
/// end. To suspect a leak, two have to agree.
const LOOKS_TO_CLEAR: u8 = 8;
/// What a gap counts for at most, in intervals: while a machine sleeps nothing leaks.
const LONGEST_GAP: f64 = 16.0;
/// Where there is no limit, this many times what was seen is taken for one.
const WITHOUT_LIMIT: f64 = 4.0;

/// What the second trees say of a look: halves of what figures are elsewhere, for each process has one.
#[derive(Clone, Copy, Debug)]
struct Settled {
    odds: f32,
    /// Above which they confirm it.
    needed: f32,
}

/// The robust rule.
#[derive(Clone, Debug)]
pub struct Robust {
    near: Floors<64>,
    limit: Option<Bytes>,
    interval: Duration,
    /// Seconds that were lived through up to the last sample.
    lived: f64,
    last: Option<Mono>,
    samples: u32,
    highest: Bytes,
    newest: Option<Look>,
    course: Course,
    /// What the second trees said of the newest look, if they were asked; it stays once a leak is confirmed.
    settled: Option<Settled>,
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
        let is_whole = self.near.push(at, size);
        let pace = (self.near.width() / PACES).max(NARROWEST);
        if is_whole || self.near.begun().is_multiple_of(pace) {
            let (pieces, count) = self.near.with_begun();
            let look = shape::look(&pieces[..count], self.near.width(), self.bound());
            self.judge(look, is_whole, sample.at);
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
            limit: setting.limit,
            interval: setting.interval,
            lived: 0.0,
            last: None,
            samples: 0,
            highest: Bytes(0),
            newest: None,
            course: Course::default(),
            settled: None,
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

    fn judge(&mut self, look: Option<Look>, is_whole: bool, at: Now) {
        let Some(look) = look else { return };
        let grown = look.shape.filter(|shape| shape.of_room() >= LEAST_SHARE);
        let voted =
            look.shape.map_or(model::NEVER, |shape| model::BASE + model::TREES.votes(&shape.0));
        // What takes next to no room may be a leak and is no alarm.
        let newest = if grown.is_some() { voted } else { voted.min(0.0) };
        self.course.push(newest, self.samples);
        let odds = self.course.odds().unwrap_or(newest);
        // What is confirmed has been settled: when it is over, the first trees say.
        if self.held != LeakState::Confirmed {
            self.settled = grown.filter(|_| odds > ASKED).map(|shape| self.settle(&shape));
        }
        // Growth that was picked out for looking like a leak's is told as it turned out to be.
        let is_likely = odds > 0.0 || self.settled.is_some_and(|settled| settled.odds > 0.0);
        self.newest = Some(if is_likely { self.corrected(look) } else { look });
        let is_suspect = grown.is_some() && odds > SUSPECTED;
        self.take_up(if is_suspect { LeakState::Suspected } else { LeakState::None }, at);
        if is_whole {
            self.give_up(odds, at);
        }
    }

    /// What the second trees say, which know how the votes went on.
    fn settle(&self, shape: &Shape) -> Settled {
        let odds = settled::BASE + settled::TREES.votes(&self.course.figures(shape));
        Settled { odds: odds as f32, needed: self.needed(shape) as f32 }
    }

    /// The look with the slope that such looks had in the end, as small trees tell it: whoever takes the
    /// steepest stretch for a leak takes many that are steeper than what follows.
    fn corrected(&self, look: Look) -> Look {
        let Some(shape) = look.shape else { return look };
        let voted = slopes::BASE + slopes::TREES.votes(&self.course.figures(&shape));
        let by = voted.clamp(-1.0, 1.0).exp();
        Look {
            slope: look.slope * by,
            error: look.error * by + look.slope.abs() * (by - 1.0).abs(),
            to_limit: look.to_limit / by,
            ..look
        }
    }

    fn take_up(&mut self, wanted: LeakState, at: Now) {
        if self.held == LeakState::Unknown {
            self.hold(LeakState::None, at);
        }
        let agreed = wanted.min(std::mem::replace(&mut self.before, wanted));
        let agreed = if self.is_sure() { LeakState::Confirmed } else { agreed };
        if agreed > self.held {
            self.hold(agreed, at);
        }
    }

    fn is_sure(&self) -> bool {
        let is_settled = self.settled.is_some_and(|settled| settled.odds > settled.needed);
        is_settled && self.lived >= self.warm_up()
    }

    fn needed(&self, shape: &Shape) -> f64 {
        bounds::needed(shape.of_room(), self.course.above())
    }

    fn warm_up(&self) -> f64 {
        let taken = self.newest.and_then(|look| look.shape).map_or(0.0, |shape| shape.of_room());
        bounds::warm_up(taken, self.samples)
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
        let odds = self.settled.map(|settled| settled.odds.into()).or(self.course.odds());
        let needed =
            |shape: Shape| self.settled.map_or(self.needed(&shape), |one| one.needed.into());
        let seen = self.newest.map(|look| Seen {
            span: look.span,
            growth: look.growth,
            level: look.level,
            odds: look.shape.and(odds),
            needed: look.shape.map_or(CONFIRMED_OF_LITTLE, needed),
            shape: look.shape,
        });
        Measured { samples: self.samples, lived: self.lived, warm_up: self.warm_up(), seen }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::plan::LeakRule;
    use crate::memory::leak::bounds::{LITTLE, PATIENCE, WARM_UP};
    use crate::memory::leak::evidence::Criterion;
    use crate::units::{RunId, Wall};

    const MIB: f64 = 1_048_576.0;

    fn sample(seconds: f64, mib: f64) -> TreeSample {
        let mono = Mono::default().after(Duration::from_secs_f64(seconds));
        TreeSample {
            run: RunId(1),
            at: Now { mono, wall: Wall((seconds * 1000.0) as i64) },
            resident: Bytes(0),
            anonymous: Bytes((mib * MIB) as u64),
            largest: Bytes(0),
            virtual_size: Bytes(0),
            processes: 1,
            zombies: 0,
            oldest_zombie: None,
            cpu_seconds: 0.0,
        }
    }

    fn rule() -> Robust {
        let interval = Duration::from_secs(5);
        let limit = Some(Bytes::mib(1024));
        Robust::new(&Setting { rule: LeakRule::Robust, limit, interval })
    }

    /// Noise that is the same each time, from -1 to 1.
    fn noise(nth: u32) -> f64 {
        let mixed = nth.wrapping_mul(2_654_435_761) ^ nth.wrapping_mul(40_503).rotate_left(13);
        f64::from(mixed % 2001) / 1000.0 - 1.0
    }

    /// The rule after so many samples, each five seconds after the one before, and whether it ever
    /// confirmed a leak.
    fn after(count: u32, mib: impl Fn(u32) -> f64) -> (Robust, bool) {
        let (mut rule, mut ever) = (rule(), false);
        for nth in 0..count {
            rule.observe(&sample(f64::from(nth) * 5.0, mib(nth)));
            ever |= rule.held == LeakState::Confirmed;
        }
        (rule, ever)
    }

    fn saw(nth: u32) -> f64 {
        f64::from(nth % 23) * 3.0
    }

    #[test]
    fn leaks_are_confirmed_whatever_lies_above_them() {
        let leak = |nth: u32| 200.0 + 0.25 * f64::from(nth);
        for (name, found) in [
            ("alone", after(1000, leak).1),
            ("in noise", after(1000, |nth| leak(nth) + 6.0 * noise(nth)).1),
            ("below saw teeth", after(1000, |nth| leak(nth) + saw(nth)).1),
            ("in stairs", after(1000, |nth| leak(nth - nth % 30) + noise(nth)).1),
            ("late", after(1500, |nth| leak(nth.max(600)) + noise(nth)).1),
        ] {
            assert!(found, "{name}");
        }
    }

    #[test]
    fn what_ends_is_no_leak() {
        let wave = |nth: u32| (f64::from(nth) / 30.0).sin();
        for (name, found) in [
            ("nothing", after(900, |_| 300.0).1),
            ("noise", after(900, |nth| 300.0 + 10.0 * noise(nth)).1),
            ("saw teeth", after(900, |nth| 300.0 + saw(nth) + noise(nth)).1),
            ("a period", after(900, |nth| 300.0 + 60.0 * wave(nth) + noise(nth)).1),
            ("a step", after(900, |nth| if nth < 300 { 300.0 } else { 400.0 } + noise(nth)).1),
            ("warming up", after(900, |nth| 400.0 - 300.0 / (1.0 + f64::from(nth) / 40.0)).1),
            ("filling", after(900, |nth| 200.0 + f64::from(nth.min(120)) + noise(nth)).1),
        ] {
            assert!(!found, "{name}");
        }
    }

    #[test]
    fn a_leak_is_told_with_its_growth_and_the_time_that_is_left() {
        let (rule, _) = after(1000, |nth| 200.0 + 0.25 * f64::from(nth) + noise(nth));
        let verdict = rule.verdict();
        assert_eq!(verdict.state, LeakState::Confirmed);
        let (growth, range) = verdict.growth.zip(verdict.growth_range).expect("it grows");
        let truth = 0.05 * MIB;
        assert!((growth / truth - 1.0).abs() < 0.05, "{growth} instead of {truth}");
        assert!(range.low <= truth && truth <= range.high, "{truth} in {range:?}");
        let left = verdict.to_limit.expect("there is a limit").as_secs_f64();
        assert!((left / 11_480.0 - 1.0).abs() < 0.05, "{left}");
        let explained = verdict.evidence.explain();
        assert!(explained.criteria.iter().all(Criterion::is_met), "{:?}", explained.criteria);
        let words = "what stays behind grew by ";
        assert!(explained.sentence.starts_with(words), "{}", explained.sentence);
    }

    #[test]
    fn a_leak_that_stops_is_taken_back() {
        let (rule, ever) = after(5000, |nth| 200.0 + 0.25 * f64::from(nth.min(1000)) + noise(nth));
        assert!(ever);
        assert_eq!(rule.held, LeakState::None);
    }

    #[test]
    fn a_growth_that_takes_next_to_no_room_is_no_alarm() {
        let (rule, ever) = after(900, |nth| 200.0 + 0.008 * f64::from(nth));
        assert!(!ever, "{}", rule.verdict().evidence);
    }

    #[test]
    fn without_enough_samples_nothing_is_said() {
        let (rule, _) = after(LEAST_SAMPLES - 1, |nth| 200.0 + f64::from(nth));
        let verdict = rule.verdict();
        assert_eq!((verdict.state, verdict.growth), (LeakState::Unknown, None));
        let expected = format!("{} of the {LEAST_SAMPLES} samples", LEAST_SAMPLES - 1);
        assert!(verdict.evidence.to_string().starts_with(&expected), "{}", verdict.evidence);
    }

    #[test]
    fn the_same_samples_give_the_same_verdicts() {
        let leak = |nth: u32| 200.0 + 0.25 * f64::from(nth) + saw(nth) + noise(nth);
        let (mut one, mut other) = (rule(), rule());
        for nth in 0..700 {
            let sample = sample(f64::from(nth) * 5.0, leak(nth));
            one.observe(&sample);
            other.observe(&sample);
            assert_eq!(one.verdict(), other.verdict(), "{nth}");
        }
    }

    #[test]
    fn time_that_stands_still_or_runs_back_and_trees_that_vanish_are_borne() {
        let mut rule = rule();
        for nth in 0..2000u32 {
            let seconds = match nth % 7 {
                3 => 5.0,
                4 => f64::from(nth) * 5.0 - 200.0,
                _ => f64::from(nth) * 5.0,
            };
            let mib = if nth % 50 == 0 { 0.0 } else { 300.0 + noise(nth) };
            rule.observe(&sample(seconds.max(0.0), mib));
            assert!(rule.verdict().growth.is_none_or(f64::is_finite));
            assert!(rule.held <= LeakState::None, "{}", rule.verdict().evidence);
        }
        let mut still = self::rule();
        (0..500u32).for_each(|nth| still.observe(&sample(7.0, 100.0 + f64::from(nth))));
        assert_eq!(still.verdict().growth, None, "no time has passed");
    }

    #[test]
    fn a_night_in_which_the_machine_slept_is_no_plateau() {
        let leak = |nth: u32| 200.0 + 0.25 * f64::from(nth) + noise(nth);
        let mut rule = rule();
        for nth in 0..1000u32 {
            let slept = if nth < 600 { 0.0 } else { 30_000.0 };
            rule.observe(&sample(f64::from(nth) * 5.0 + slept, leak(nth)));
        }
        assert_eq!(rule.held, LeakState::Confirmed, "{}", rule.verdict().evidence);
    }

    #[test]
    fn limits_of_any_size_are_borne() {
        for limit in [None, Some(Bytes(0)), Some(Bytes(1 << 63)), Some(Bytes(u64::MAX))] {
            let (mut rule, _) = after(300, |nth| 200.0 + 0.25 * f64::from(nth));
            rule.limit(limit);
            (300..400).for_each(|nth| {
                rule.observe(&sample(f64::from(nth) * 5.0, 200.0 + 0.25 * f64::from(nth)));
            });
            let left = rule.verdict().to_limit;
            assert_eq!(left.is_some(), limit.is_some(), "{limit:?}");
        }
    }

    #[test]
    fn years_of_samples_are_borne_and_a_slow_leak_in_them_is_found() {
        let (rule, found) = after(60_000, |nth| 200.0 + 0.002 * f64::from(nth) + 3.0 * noise(nth));
        assert!(found, "{}", rule.verdict().evidence);
    }

    #[test]
    fn a_growth_that_has_taken_next_to_nothing_is_watched_for_longer() {
        let slow = |nth: u32| 200.0 + 0.05 * f64::from(nth) + 4.0 * noise(nth);
        let needed = |count| {
            let (rule, _) = after(count, slow);
            rule.needed(&rule.newest.and_then(|look| look.shape).expect("it rises"))
        };
        let second = bounds::needed(LITTLE, 0.0);
        assert_eq!((needed(400), needed(2000)), (CONFIRMED_OF_LITTLE, second));
        let slower = |nth: u32| 200.0 + 0.02 * f64::from(nth) + 4.0 * noise(nth);
        let (rule, _) = after(2500, slower);
        let shape = rule.newest.and_then(|look| look.shape).expect("it rises");
        assert!(shape.of_room() < LITTLE && rule.course.above() > PATIENCE);
        assert_eq!(rule.needed(&shape), second, "for ever is too long");
    }

    #[test]
    fn what_may_still_warm_up_is_not_confirmed_unless_it_takes_much() {
        let confirmed_after = |mib: f64| {
            let mut rule = rule();
            (0..1000u32).map(|nth| f64::from(nth) / 4.0).find(|seconds| {
                let shaken = noise((seconds * 4.0) as u32);
                rule.observe(&sample(*seconds, 200.0 + mib * seconds + shaken));
                rule.held == LeakState::Confirmed
            })
        };
        let (slow, fast) = (confirmed_after(0.8), confirmed_after(6.0));
        assert!(slow.is_some_and(|seconds| (WARM_UP..130.0).contains(&seconds)), "{slow:?}");
        assert!(fast.is_some_and(|seconds| (39.0..WARM_UP).contains(&seconds)), "{fast:?}");
    }

    #[test]
    fn half_a_piece_is_looked_at() {
        let mut rule = rule();
        for nth in 0..1024u32 {
            rule.observe(&sample(f64::from(nth) * 5.0, 300.0 + noise(nth)));
        }
        let (width, before) = (rule.near.width(), rule.newest);
        assert_eq!(width, 32);
        (1024..1032u32).for_each(|nth| rule.observe(&sample(f64::from(nth) * 5.0, 350.0)));
        assert_ne!(rule.newest, before, "eight samples on");
    }

    #[test]
    fn a_detector_is_small() {
        assert!(size_of::<Robust>() <= 2560, "{} bytes", size_of::<Robust>());
    }
}
