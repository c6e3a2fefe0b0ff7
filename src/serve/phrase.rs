//! Figures as people read them, and text that is safe inside HTML. Pure.

use std::fmt;
use std::time::Duration;

use crate::units::{Money, Wall, grouped};

/// What stands where there is nothing to say.
pub const NOTHING: &str = "–";

/// Text that is written with everything escaped that HTML could take for markup.
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                letter => fmt::Write::write_char(f, letter)?,
            }
        }
        Ok(())
    }
}

/// A count of things: `1 run`, `2 runs`.
pub fn counted(n: u64, thing: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", grouped(n))
}

/// A duration in its two largest units: `2 d 3 h`, `1 h`, `4 min 5 s`, `12 s`, `250 ms`.
pub fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (large, small) = match seconds {
        0 => return format!("{} ms", duration.as_millis()),
        1..60 => return format!("{seconds} s"),
        60..3600 => ((seconds / 60, "min"), (seconds % 60, "s")),
        3600..86_400 => ((seconds / 3600, "h"), (seconds / 60 % 60, "min")),
        _ => ((seconds / 86_400, "d"), (seconds / 3600 % 24, "h")),
    };
    match small {
        (0, _) => format!("{} {}", large.0, large.1),
        (rest, unit) => format!("{} {} {rest} {unit}", large.0, large.1),
    }
}

/// How long ago a moment was, with the moment itself for whoever points at it.
pub fn ago(then: Wall, now: Wall) -> String {
    let millis = u64::try_from(now.0.saturating_sub(then.0)).unwrap_or(0);
    let passed = match millis {
        0..1000 => "just now".to_owned(),
        _ => format!("{} ago", span(Duration::from_millis(millis))),
    };
    format!("<time datetime=\"{then}\" title=\"{then}\">{passed}</time>")
}

/// An amount in dollars: cents, and finer below one dollar, where agents' calls are.
pub fn dollars(amount: Money) -> String {
    let dollars = amount.dollars();
    if amount.0 != 0 && dollars.abs() < 1.0 {
        format!("${dollars:.4}")
    } else {
        format!("${dollars:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_written_as_text() {
        let said = Escaped("<b a='1' c=\"2\">&amp;").to_string();
        assert_eq!(said, "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;amp;");
    }

    #[test]
    fn figures_are_short_and_legible() {
        for (n, expected) in [(0, "0"), (999, "999"), (1000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(grouped(n), expected);
        }
        for (n, expected) in [(0, "0 runs"), (1, "1 run"), (1000, "1,000 runs")] {
            assert_eq!(counted(n, "run"), expected);
        }
        for (millis, expected) in [
            (250, "250 ms"),
            (1_000, "1 s"),
            (245_000, "4 min 5 s"),
            (3_600_000, "1 h"),
            (3_660_000, "1 h 1 min"),
            (183_600_000, "2 d 3 h"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), expected);
        }
        for (nanos, expected) in
            [(0, "$0.00"), (125_375_000, "$0.1254"), (12_345_678_901, "$12.35")]
        {
            assert_eq!(dollars(Money(nanos)), expected);
        }
    }

    #[test]
    fn a_moment_that_a_stepped_clock_puts_in_the_future_was_just_now() {
        assert!(ago(Wall(5_000), Wall(1_000)).contains(">just now<"));
        assert!(ago(Wall(5_000), Wall(66_000)).contains(">1 min 1 s ago<"));
    }
}
