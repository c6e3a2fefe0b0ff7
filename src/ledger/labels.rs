//! Label values that come from outside, kept to a bounded set.

use std::collections::BTreeSet;

/// What stands for every value beyond the bound.
pub const OTHER: &str = "other";

/// What stands for a value that is not known.
pub const UNKNOWN: &str = "unknown";

/// The longest value that becomes a label; the longest model name in use has about 60 bytes.
const MAX_LENGTH: usize = 120;

/// The first so many values that are met; all later ones are [`OTHER`].
#[derive(Debug)]
pub struct Bounded {
    known: BTreeSet<String>,
    limit: usize,
}

impl Bounded {
    /// A set that admits `limit` values.
    pub fn new(limit: usize) -> Self {
        Self { known: BTreeSet::new(), limit }
    }

    /// A set that admits `limit` values, those in `first` before any other and all of them.
    pub fn with<'a>(limit: usize, first: impl Iterator<Item = &'a str>) -> Self {
        let known: BTreeSet<String> = first.map(str::to_owned).collect();
        Self { limit: limit.max(known.len()), known }
    }

    /// The label value for `name`: itself while there is room.
    pub fn admit<'a>(&mut self, name: &'a str) -> &'a str {
        if name.is_empty() {
            return UNKNOWN;
        }
        if self.known.contains(name) {
            return name;
        }
        if self.known.len() >= self.limit || name.len() > MAX_LENGTH {
            return OTHER;
        }
        self.known.insert(name.to_owned());
        name
    }
}

/// The beginning of `text` that fits into `limit` bytes, cut between characters.
pub fn clip(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_bound_everything_is_other_and_the_known_stay() {
        let mut labels = Bounded::with(2, ["a"].into_iter());
        let admitted: Vec<_> = ["b", "c", "a", "b", "", "d"].map(|n| labels.admit(n)).into();
        assert_eq!(admitted, ["b", OTHER, "a", "b", UNKNOWN, OTHER]);
        assert_eq!(Bounded::new(1).admit(&"x".repeat(MAX_LENGTH + 1)), OTHER);
    }

    #[test]
    fn what_is_configured_always_fits() {
        let mut labels = Bounded::with(1, ["a", "b", "c"].into_iter());
        assert_eq!(labels.admit("c"), "c");
        assert_eq!(labels.admit("d"), OTHER);
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(clip("aäö", 2), "a");
        assert_eq!(clip("abc", 9), "abc");
    }
}
