//! Durations and byte sizes as Compose writes them.
//!
//! Reads `1h30m` and `512mb`, prints what it would read. All arithmetic is on integers, so nothing
//! is rounded away in between.

use std::time::Duration;

use crate::units::{Bytes, Money};

/// Units of time in nanoseconds, largest first, as they are printed.
const TIMES: [(&str, u128); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// What people write for a unit of time, and the unit that is meant.
const TIME_WORDS: [(&str, &str); 17] = [
    ("h", "h"),
    ("hr", "h"),
    ("hrs", "h"),
    ("hour", "h"),
    ("hours", "h"),
    ("m", "m"),
    ("min", "m"),
    ("mins", "m"),
    ("minute", "m"),
    ("minutes", "m"),
    ("s", "s"),
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("msec", "ms"),
    ("millis", "ms"),
];

/// The longest duration that means something: a year.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// The most digits of a number that are read; more would only overflow.
const MAX_DIGITS: usize = 20;

/// Reads `1h30m`, `1m30.5s`, `500ms`; a number without a unit is nothing, except `0`.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut nanos = 0u128;
    while !rest.is_empty() {
        let (number, behind) = split_number(rest)?;
        let length = behind.find(|c: char| !c.is_alphabetic()).unwrap_or(behind.len());
        let unit = if &behind[..length] == "µs" { "us" } else { &behind[..length] };
        let (_, scale) = TIMES.iter().find(|(name, _)| *name == unit)?;
        nanos = nanos.checked_add(number.times(*scale)?)?;
        rest = &behind[length..];
    }
    let duration = Duration::from_nanos(u64::try_from(nanos).ok()?);
    (!text.is_empty() && duration <= LONGEST).then_some(duration)
}

/// What somebody most likely meant who wrote a duration that cannot be read.
pub(super) fn duration_advice(text: &str) -> Option<String> {
    let (_, unit) = split_number(text)?;
    let number = &text[..text.len() - unit.len()];
    let word = unit.trim().to_lowercase();
    if word.is_empty() {
        return Some(format!("give a unit: `{number}s`, `{number}ms` or `{number}m`"));
    }
    if matches!(word.as_str(), "d" | "day" | "days") {
        let hours = number.parse::<u32>().ok()?.checked_mul(24)?;
        return Some(format!("write `{hours}h`"));
    }
    let (_, unit) = TIME_WORDS.iter().find(|(written, _)| *written == word)?;
    Some(format!("write `{number}{unit}`"))
}

/// The duration as [`parse_duration`] reads it.
pub(super) fn print_duration(duration: Duration) -> String {
    let mut rest = duration.as_nanos();
    let mut text = String::new();
    for (unit, scale) in TIMES {
        if rest >= scale {
            text.push_str(&format!("{}{unit}", rest / scale));
            rest %= scale;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Reads `4000MiB`, `2g`, `512kb` or plain bytes. As in Compose, `kb` and `k` are 1024 bytes too.
pub(super) fn parse_bytes(text: &str) -> Option<Bytes> {
    let (number, unit) = split_number(text)?;
    let scale = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return None,
    };
    number.times(1 << scale).and_then(|bytes| u64::try_from(bytes).ok()).map(Bytes)
}

/// The size as [`parse_bytes`] reads it, in the largest unit that loses nothing.
pub(super) fn print_bytes(bytes: Bytes) -> String {
    const UNITS: [(u32, &str); 3] = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let whole = UNITS.iter().find(|(shift, _)| bytes.0 != 0 && bytes.0.is_multiple_of(1 << shift));
    match whole {
        Some((shift, unit)) => format!("{}{unit}", bytes.0 >> shift),
        None => bytes.0.to_string(),
    }
}

/// Reads `5M`, `250k` or a plain number of tokens; thousands are of ten, as prices have them.
pub(super) fn parse_count(text: &str) -> Option<u64> {
    let (number, unit) = split_number(text)?;
    let scale = match unit.trim() {
        "" => 1,
        "k" | "K" => 1_000,
        "m" | "M" => 1_000_000,
        "g" | "G" | "b" | "B" => 1_000_000_000,
        _ => return None,
    };
    number.times(scale).and_then(|count| u64::try_from(count).ok())
}

/// The number as [`parse_count`] reads it, in the largest unit that loses nothing.
pub(super) fn print_count(count: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")];
    let whole = UNITS.iter().find(|(scale, _)| count != 0 && count.is_multiple_of(*scale));
    match whole {
        Some((scale, unit)) => format!("{}{unit}", count / scale),
        None => count.to_string(),
    }
}

/// Reads `20 USD`, `$20` (`$$20` in the file, where a dollar sign begins a variable) or `0.50`, in US
/// dollars, exact to the nano-dollar.
pub(super) fn parse_money(text: &str) -> Option<Money> {
    let (number, unit) = split_number(text.strip_prefix('$').unwrap_or(text))?;
    let known = matches!(unit.trim(), "" | "USD" | "usd") && number.places <= 9;
    let nanos = known.then(|| number.times(1_000_000_000)).flatten()?;
    i64::try_from(nanos).ok().map(Money)
}

/// The amount as [`parse_money`] reads it.
pub(super) fn print_money(Money(nanos): Money) -> String {
    let fraction = format!("{:09}", nanos.unsigned_abs() % 1_000_000_000);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{}{point}{fraction} USD", nanos / 1_000_000_000)
}

/// A decimal number, kept exact.
struct Decimal {
    digits: u128,
    /// How many of the digits stand behind the point.
    places: u32,
}

impl Decimal {
    /// The product, cut to a whole number.
    fn times(&self, scale: u128) -> Option<u128> {
        Some(self.digits.checked_mul(scale)? / 10u128.checked_pow(self.places)?)
    }
}

/// The number that the text begins with, and what follows it.
fn split_number(text: &str) -> Option<(Decimal, &str)> {
    let length = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(length);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || whole.len() + fraction.len() > MAX_DIGITS || number.ends_with('.') {
        return None;
    }
    let digits = format!("{whole}{fraction}").parse().ok()?;
    Some((Decimal { digits, places: u32::try_from(fraction.len()).ok()? }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_money_are_read_and_printed_exactly() {
        for (text, count, shown) in [
            ("5M", 5_000_000, "5M"),
            ("2.5k", 2_500, "2500"),
            ("1000", 1_000, "1k"),
            ("3 G", 3_000_000_000, "3G"),
            ("0", 0, "0"),
        ] {
            assert_eq!(parse_count(text), Some(count), "{text}");
            assert_eq!(print_count(count), shown);
        }
        for text in ["", "M", "-1", "5 MiB", "1e6", "5T", "99999999999G"] {
            assert_eq!(parse_count(text), None, "{text}");
        }
        for (text, nanos, shown) in [
            ("20 USD", 20_000_000_000, "20 USD"),
            ("$0.5", 500_000_000, "0.5 USD"),
            ("0.000000001", 1, "0.000000001 USD"),
            ("1.10usd", 1_100_000_000, "1.1 USD"),
        ] {
            assert_eq!(parse_money(text), Some(Money(nanos)), "{text}");
            assert_eq!(print_money(Money(nanos)), shown);
        }
        for text in ["", "$", "-1", "20 EUR", "0.0000000001", "99999999999"] {
            assert_eq!(parse_money(text), None, "{text}");
        }
    }

    #[test]
    fn durations_are_read_as_in_compose() {
        for (text, nanos) in [
            ("10s", 10_000_000_000),
            ("500ms", 500_000_000),
            ("1h30m", 5_400_000_000_000),
            ("1m30.5s", 90_500_000_000),
            ("2us", 2_000),
            ("2µs", 2_000),
            ("0", 0),
            ("0s", 0),
            ("1.000000001s", 1_000_000_001),
        ] {
            assert_eq!(parse_duration(text), Some(Duration::from_nanos(nanos)), "{text}");
        }
        for text in
            ["", "10", "s", "10 s", "-1s", "1.s", ".5s", "1e3s", "10x", "1..5s", "9999999h", "1S"]
        {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        assert_eq!(parse_duration(&"9".repeat(100_000)), None);
    }

    #[test]
    fn a_duration_prints_what_it_is_read_from() {
        for text in ["0s", "9s", "1h30m", "1m30s500ms", "1ms", "1us1ns"] {
            assert_eq!(parse_duration(text).map(print_duration).as_deref(), Some(text));
        }
    }

    #[test]
    fn advice_repeats_the_number() {
        for (text, advice) in [
            ("10", Some("give a unit: `10s`, `10ms` or `10m`")),
            ("10 s", Some("write `10s`")),
            ("5sec", Some("write `5s`")),
            ("2 days", Some("write `48h`")),
            ("soon", None),
        ] {
            assert_eq!(duration_advice(text).as_deref(), advice, "{text}");
        }
    }

    #[test]
    fn sizes_are_read_as_in_compose() {
        for (text, bytes) in [
            ("4000MiB", 4000 << 20),
            ("2GiB", 2 << 30),
            ("64m", 64 << 20),
            ("512kb", 512 << 10),
            ("1.5g", 3 << 29),
            ("1024", 1024),
            ("12 MB", 12 << 20),
        ] {
            assert_eq!(parse_bytes(text), Some(Bytes(bytes)), "{text}");
        }
        for text in ["", "m", "-1m", "1x", "1.m", "99999999999t", "1 2m"] {
            assert_eq!(parse_bytes(text), None, "{text}");
        }
    }

    #[test]
    fn a_size_prints_what_it_is_read_from() {
        for bytes in [0, 1, 1023, 1024, 1 << 20, 4000 << 20, 1 << 30, u64::MAX] {
            assert_eq!(parse_bytes(&print_bytes(Bytes(bytes))), Some(Bytes(bytes)));
        }
    }
}
