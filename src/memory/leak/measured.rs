//! What the robust rule has measured, for people.

use std::fmt;

use crate::memory::leak::bounds::CONFIRMED_OF_LITTLE;
use crate::memory::leak::evidence::{Bound, Criterion, Percent, Span, Unit};
use crate::memory::leak::robust::{LEAST_SAMPLES, LEAST_SHARE};
use crate::memory::leak::shape::Shape;
use crate::units::Bytes;

/// What the robust rule has measured at its last look.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// Samples so far.
    pub samples: u32,
    /// Seconds that were lived through.
    pub lived: f64,
    /// Seconds that have to be, before anything is confirmed; 0 where it takes so much that nobody waits.
    pub warm_up: f64,
    /// What was seen, once there are enough samples.
    pub seen: Option<Seen>,
}

/// What was seen of the floors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// Seconds over which one line describes the floors.
    pub span: f64,
    /// Bytes by which it rises in that time; negative where it falls.
    pub growth: f64,
    /// Bytes at its end.
    pub level: f64,
    /// The logarithm of the odds that it is a leak, as the trees vote; `None` where floors do not
    /// rise.
    pub odds: Option<f64>,
    /// The logarithm of the odds above which it is confirmed.
    pub needed: f64,
    /// The figures that they vote on.
    pub shape: Option<Shape>,
}

impl Seen {
    /// How likely a leak is, from 0 to 1: the odds as a share.
    pub fn likelihood(&self) -> f64 {
        self.odds.map_or(0.0, share)
    }

    /// How likely it has to be to be confirmed: more so while it has taken next to nothing of the room.
    pub fn sure(&self) -> f64 {
        share(self.needed)
    }
}

fn share(odds: f64) -> f64 {
    1.0 / (1.0 + (-odds).exp())
}

impl Measured {
    /// The figures with what they are held against: those that have to be met, then the ones that
    /// the trees look at most.
    pub fn criteria(&self) -> Vec<Criterion> {
        let shape = self.seen.as_ref().and_then(|seen| seen.shape.as_ref());
        let of = |figure: fn(&Shape) -> f64| shape.map(figure);
        let bounded = |name, value, unit, bound| Criterion { name, value, unit, bound };
        let weighed = |name, value| bounded(name, value, Unit::Ratio, Bound::Weighed);
        let growth = self.seen.map(|seen| seen.growth);
        let span = self.seen.map(|seen| seen.span);
        let likelihood = self.seen.map(|seen| seen.likelihood());
        let sure = self.seen.map_or(share(CONFIRMED_OF_LITTLE), |seen| seen.sure());
        let least = f64::from(LEAST_SAMPLES);
        vec![
            bounded("samples", Some(self.samples.into()), Unit::Count, Bound::AtLeast(least)),
            bounded("time since the first sample", Some(self.lived), Unit::Seconds, self.waits()),
            bounded(
                "share of the room to the limit that it took",
                of(Shape::of_room),
                Unit::Ratio,
                Bound::AtLeast(LEAST_SHARE),
            ),
            bounded("likelihood of a leak", likelihood, Unit::Ratio, Bound::Above(sure)),
            bounded("growth of what stays behind", growth, Unit::Bytes, Bound::Weighed),
            bounded("time that it took", span, Unit::Seconds, Bound::Weighed),
            weighed("growth, in times of its noise", of(Shape::by_noise)),
            weighed("slope of the flattest third, of the whole slope", of(Shape::flattest_third)),
            weighed("how much worse a ramp that ended fits", of(Shape::against_ended)),
            weighed("how much worse a saturating curve fits", of(Shape::against_saturating)),
            weighed("largest fall, of the growth", of(Shape::largest_fall)),
            weighed("newest floors above earlier peaks, of the growth", of(Shape::above_peaks)),
        ]
    }

    /// What the time has to be: a bound of no time at all would be none.
    fn waits(&self) -> Bound {
        if self.warm_up > 0.0 { Bound::AtLeast(self.warm_up) } else { Bound::Weighed }
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(seen) = self.seen.filter(|_| self.samples >= LEAST_SAMPLES) else {
            return write!(
                f,
                "{} of the {LEAST_SAMPLES} samples that the rule needs",
                self.samples
            );
        };
        let bytes = Bytes(seen.growth.abs() as u64);
        let level = Bytes(seen.level.max(0.0) as u64);
        if seen.growth <= 0.0 {
            return write!(f, "what stays behind does not grow: {level}");
        }
        write!(
            f,
            "what stays behind grew by {bytes} in {} to {level}; likelihood of a leak {} \
             (confirmed above {})",
            Span(seen.span),
            Percent(seen.likelihood()),
            Percent(seen.sure()),
        )?;
        let taken = seen.shape.map_or(0.0, |shape| shape.of_room());
        if taken < LEAST_SHARE {
            let (taken, least) = (Percent(taken), Percent(LEAST_SHARE));
            write!(f, "; it took {taken} of the room to the limit, and matters from {least} on")?;
        }
        if self.lived < self.warm_up {
            write!(f, "; nothing is confirmed in the first {}", Span(self.warm_up))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::leak::shape::FIGURES;

    /// A growth that took this part of the room, with these odds.
    fn seen(of_room: f64, odds: f64) -> Measured {
        let shape = Shape([of_room; FIGURES]);
        let seen = Seen {
            span: 5_700.0,
            growth: 10.0 * 1_048_576.0,
            level: 30.0 * 1_048_576.0,
            odds: Some(odds),
            needed: 5.0,
            shape: Some(shape),
        };
        Measured { samples: LEAST_SAMPLES, lived: 900.0, warm_up: 120.0, seen: Some(seen) }
    }

    #[test]
    fn the_sentence_says_how_much_in_what_time_and_never_claims_to_be_certain() {
        assert_eq!(
            seen(0.2, 20.0).to_string(),
            "what stays behind grew by 10.0 MiB in 95 min to 30.0 MiB; likelihood of a leak over 99.9 % \
             (confirmed above 99.3 %)"
        );
    }

    #[test]
    fn why_a_growth_that_took_next_to_no_room_is_no_alarm_is_said() {
        let told = seen(0.0004, 20.0).to_string();
        let why = "; it took under 0.1 % of the room to the limit, and matters from 1.0 % on";
        assert!(told.ends_with(why), "{told}");
        assert!(!seen(LEAST_SHARE, 20.0).to_string().contains("matters"));
    }

    #[test]
    fn a_time_that_nobody_waits_for_is_told_without_a_bound() {
        let time = |measured: Measured| measured.criteria()[1].bound;
        assert_eq!(time(seen(0.05, 20.0)), Bound::AtLeast(120.0));
        assert_eq!(time(Measured { warm_up: 0.0, ..seen(0.2, 20.0) }), Bound::Weighed);
    }

    #[test]
    fn that_a_program_may_still_warm_up_is_said() {
        let young = Measured { lived: 119.0, ..seen(0.05, 20.0) };
        let said = young.to_string();
        assert!(said.ends_with("; nothing is confirmed in the first 2 min"), "{said}");
        assert!(!seen(0.05, 20.0).to_string().contains("nothing is confirmed"));
        let unmet = |it: &Criterion| !it.is_met();
        assert!(
            young.criteria().iter().any(unmet) && !seen(0.05, 20.0).criteria().iter().any(unmet)
        );
    }
}
