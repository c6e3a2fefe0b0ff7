//! Ages and moments as people type them at a terminal.

use std::time::Duration;

use super::quantity::parse_duration;
use crate::units::Wall;

const DAY: u64 = 24 * 60 * 60;

/// An age such as `7d`, `1d12h` or `90m`.
pub fn age(text: &str) -> Option<Duration> {
    let Some((days, rest)) = text.split_once('d') else { return parse_duration(text) };
    let days = Duration::from_secs(days.parse::<u64>().ok()?.checked_mul(DAY)?);
    match rest {
        "" => Some(days),
        rest => days.checked_add(parse_duration(rest)?),
    }
}

/// A moment: a time as ISO 8601 has it, or so long before now.
pub fn moment(text: &str, now: Wall) -> Option<Wall> {
    let before =
        |age: Duration| Some(Wall(now.0.checked_sub(i64::try_from(age.as_millis()).ok()?)?));
    Wall::parse(text).or_else(|| before(age(text)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_moments_are_read_as_they_are_typed() {
        assert_eq!(age("7d"), Some(Duration::from_secs(7 * DAY)));
        assert_eq!(age("1d12h"), Some(Duration::from_secs(DAY + 12 * 3600)));
        assert_eq!(age("90m"), Some(Duration::from_secs(5400)));
        for odd in ["", "d", "-1d", "1dx", "soon", "99999999999999999999d"] {
            assert_eq!(age(odd), None, "{odd}");
        }
        assert_eq!(moment("1m", Wall(100_000)), Some(Wall(40_000)));
        assert_eq!(moment("1970-01-01T00:00:05Z", Wall(0)), Some(Wall(5_000)));
        assert_eq!(moment("never", Wall(0)), None);
    }
}
