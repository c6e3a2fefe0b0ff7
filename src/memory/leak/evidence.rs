//! What a rule has seen, in figures; the words are made of them when somebody asks.

use std::fmt;

use crate::memory::leak::growth_count;
use crate::memory::leak::measured::Measured;

/// What a rule has seen. Plain, because one is made for each sample.
// Boxing the larger one would cost an allocation for each sample.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Evidence {
    /// What the growth-count rule has counted.
    GrowthCount(growth_count::Counted),
    /// What the robust rule has measured.
    Robust(Measured),
}

/// How a rule came to its verdict: what it says in one sentence, and each figure that it looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// For people.
    pub sentence: String,
    /// In the order in which the rule looks at them. All that have a bound have to be met.
    pub criteria: Vec<Criterion>,
}

/// A figure that a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Criterion {
    /// What is measured, in a few words.
    pub name: &'static str,
    /// How much it is now; `None` where it cannot be said yet.
    pub value: Option<f64>,
    /// Of what the value and the bound are counted.
    pub unit: Unit,
    /// What the value has to be for a leak.
    pub bound: Bound,
}

/// What a figure has to be for a leak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// This or more.
    AtLeast(f64),
    /// More than this.
    Above(f64),
    /// This or less.
    AtMost(f64),
    /// It counts together with others; alone it decides nothing.
    Weighed,
}

/// Of what a figure is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// A part of a whole, from 0 to 1, or one figure divided by another.
    Ratio,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// Seconds.
    Seconds,
}

impl Evidence {
    /// The figures with what they are held against, and a sentence.
    pub fn explain(&self) -> Explanation {
        match self {
            Self::GrowthCount(counted) => {
                Explanation { sentence: self.to_string(), criteria: counted.criteria() }
            }
            Self::Robust(measured) => {
                Explanation { sentence: self.to_string(), criteria: measured.criteria() }
            }
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GrowthCount(counted) => counted.fmt(f),
            Self::Robust(measured) => measured.fmt(f),
        }
    }
}

impl Criterion {
    /// Whether the value is as it has to be for a leak; one that cannot be said is not.
    pub fn is_met(&self) -> bool {
        self.value.is_some_and(|value| match self.bound {
            Bound::AtLeast(bound) => value >= bound,
            Bound::Above(bound) => value > bound,
            Bound::AtMost(bound) => value <= bound,
            Bound::Weighed => true,
        })
    }
}

impl Bound {
    /// How it is written: `≥`, `>` or `≤`, and empty where there is none.
    pub fn sign(self) -> &'static str {
        match self {
            Self::AtLeast(_) => "≥",
            Self::Above(_) => ">",
            Self::AtMost(_) => "≤",
            Self::Weighed => "",
        }
    }

    /// What the value is held against; `None` where it decides nothing alone.
    pub fn value(self) -> Option<f64> {
        match self {
            Self::AtLeast(value) | Self::Above(value) | Self::AtMost(value) => Some(value),
            Self::Weighed => None,
        }
    }
}

/// Seconds as they are told in a sentence: `45 s`, `95 min`, `30 h`, `12 days`.
pub struct Span(pub f64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(f64, &str); 3] = [(86_400.0, "days"), (3_600.0, "h"), (60.0, "min")];
        let unit = UNITS.iter().find(|(length, _)| self.0 >= 2.0 * length);
        let (length, name) = unit.copied().unwrap_or((1.0, "s"));
        write!(f, "{:.0} {name}", self.0 / length)
    }
}

/// A share from 0 to 1 in hundredths, with as many digits as it takes to tell it from nothing. What is
/// short of all of it is never told as all of it.
pub struct Percent(pub f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.0 * 100.0;
        match percent {
            99.95..100.0 => f.write_str("over 99.9 %"),
            0.1.. | ..=0.0 => write!(f, "{percent:.1} %"),
            _ => f.write_str("under 0.1 %"),
        }
    }
}

impl Unit {
    /// How it is written behind a number; empty for things that are counted.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "",
            Self::Ratio => "ratio",
            Self::Bytes => "bytes",
            Self::BytesPerSecond => "bytes/s",
            Self::Seconds => "s",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_shares_are_told_without_digits_that_say_nothing() {
        for (seconds, told) in
            [(0.4, "0 s"), (119.0, "119 s"), (604_800.0, "7 days"), (5_700.0, "95 min")]
        {
            assert_eq!(Span(seconds).to_string(), told);
        }
        for (share, told) in [
            (0.0, "0.0 %"),
            (0.0002, "under 0.1 %"),
            (0.5, "50.0 %"),
            (0.999_97, "over 99.9 %"),
            (1.0, "100.0 %"),
        ] {
            assert_eq!(Percent(share).to_string(), told);
        }
    }

    #[test]
    fn a_criterion_is_met_on_its_side_of_the_bound() {
        for (bound, met) in [
            (Bound::AtLeast(2.0), [false, true, true]),
            (Bound::Above(2.0), [false, false, true]),
            (Bound::AtMost(2.0), [true, true, false]),
        ] {
            let of = |value| Criterion { name: "x", value, unit: Unit::Count, bound }.is_met();
            assert_eq!([of(Some(1.0)), of(Some(2.0)), of(Some(3.0))], met, "{bound:?}");
            assert!(!of(None) && !of(Some(f64::NAN)), "{bound:?}");
        }
        assert_eq!((Bound::AtMost(2.0).value(), Bound::Weighed.value()), (Some(2.0), None));
    }
}
