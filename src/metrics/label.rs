//! Makes any text fit to be a label's value: bounded, printable, and still told apart from others.

use std::borrow::Cow;

/// Characters of a label's value at most. Prometheus itself has no limit by default; names that
/// people read in a legend are far shorter, and what is longer comes from a log gone wrong.
pub const LONGEST: usize = 128;

/// The mark that stands behind a value that had to be changed: `~` and eight hex digits.
const MARK: usize = 9;

/// The value itself where it is fit; else what is left of it without control characters, cut, and
/// marked with a hash of the whole, so that two different values never become one series.
pub fn fit(value: &str) -> Cow<'_, str> {
    if value.chars().count() <= LONGEST && !value.chars().any(char::is_control) {
        return Cow::Borrowed(value);
    }
    let kept: String =
        value.chars().filter(|letter| !letter.is_control()).take(LONGEST - MARK).collect();
    Cow::Owned(format!("{kept}~{:08x}", hash(value)))
}

/// FNV-1a, 32 bits: tells a handful of values apart and needs no crate.
fn hash(value: &str) -> u32 {
    value.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fit_value_is_left_alone() {
        let longest = "ü".repeat(LONGEST);
        for value in ["", "web", "we\"b\\", "名前", longest.as_str()] {
            assert_eq!(fit(value), value);
        }
    }

    #[test]
    fn an_unfit_value_is_bounded_printable_and_still_its_own() {
        let long = "x".repeat(LONGEST + 1);
        let longer = "x".repeat(LONGEST + 2);
        let unfit = ["a\nb", "a\tb", "\u{1b}[31mab", "\u{85}ab", &long, &longer];
        let mut seen: Vec<String> = unfit.iter().map(|value| fit(value).into_owned()).collect();
        for value in &seen {
            assert!(value.chars().count() <= LONGEST, "{value}");
            assert!(!value.chars().any(char::is_control), "{value}");
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), unfit.len(), "{seen:?}");
    }
}
