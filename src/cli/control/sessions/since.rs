//! Points in time as people give them: a date and time, or how long ago.

use crate::clock;
use crate::units::Wall;

/// Units of time with their seconds.
const UNITS: [(char, i64); 5] =
    [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400), ('w', 7 * 86_400)];

/// A point in time.
#[derive(Clone, Copy, Debug)]
pub struct Moment(Wall);

impl Moment {
    /// As the API takes it.
    pub fn told(&self) -> String {
        self.0.to_string()
    }
}

/// Reads `2026-11-20T09:30:00Z`, or `2h` for two hours ago.
pub fn moment(text: &str) -> Result<Moment, String> {
    if let Some(at) = Wall::parse(text) {
        return Ok(Moment(at));
    }
    let ago = seconds(text).ok_or_else(|| {
        "expected a time such as 2026-11-20T09:30:00Z, or 2h for two hours ago".to_owned()
    })?;
    Ok(Moment(Wall(clock::now().wall.0.saturating_sub(ago.saturating_mul(1000)))))
}

/// Reads `1h30m`, in seconds.
fn seconds(text: &str) -> Option<i64> {
    let (mut all, mut number) = (0_i64, String::new());
    for letter in text.chars() {
        if letter.is_ascii_digit() {
            number.push(letter);
            continue;
        }
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == letter)?;
        all = all.checked_add(number.parse::<i64>().ok()?.checked_mul(*unit)?)?;
        number.clear();
    }
    (number.is_empty() && !text.is_empty()).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_ago_are_understood_and_others_refused() {
        for (text, expected) in [("90s", Some(90)), ("1h30m", Some(5_400)), ("2w", Some(1_209_600))]
        {
            assert_eq!(seconds(text), expected, "{text}");
        }
        for wrong in ["", "5", "h", "1y", "-1h", "99999999999999999999s"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
        assert_eq!(
            moment("2026-11-20T09:30:00Z").map(|it| it.told()),
            Ok("2026-11-20T09:30:00.000Z".to_owned())
        );
    }
}
