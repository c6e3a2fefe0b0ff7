//! One series as a line of text. Both formats spell it alike, so that there is one writer for both,
//! and it takes what it writes as it is borrowed from the picture: with a thousand processes there
//! are sixty thousand lines, and a string of its own for each label would cost more than all else.

use std::fmt::Write;

use crate::metrics::label;

/// Where whole numbers are no longer told apart from their neighbours: 2^53.
const EXACT: i64 = 1 << 53;

/// Writes the line, with each label's value made fit and escaped.
pub fn write<'a>(
    text: &mut String,
    name: &str,
    labels: impl IntoIterator<Item = (&'a str, &'a str)>,
    value: f64,
) {
    text.push_str(name);
    let mut before = "{";
    for (label, value) in labels {
        text.push_str(before);
        text.push_str(label);
        text.push_str("=\"");
        write_value(text, value);
        before = "\",";
    }
    text.push_str(if before == "{" { " " } else { "\"} " });
    write_number(text, value);
    text.push('\n');
}

/// A label's value, at one look where it is as plain as almost all of them are.
fn write_value(text: &mut String, value: &str) {
    if value.len() <= label::LONGEST && value.bytes().all(is_plain) {
        text.push_str(value);
    } else {
        push_escaped(text, &label::fit(value));
    }
}

/// Whether the byte is a letter by itself that no format escapes.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

/// Label values have the same three escapes in both formats, and OpenMetrics has them in its help
/// texts as well.
pub fn push_escaped(text: &mut String, value: &str) {
    for letter in value.chars() {
        match letter {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            letter => text.push(letter),
        }
    }
}

/// The shortest digits that mean this number, without an exponent; counts take the short way.
pub fn write_number(text: &mut String, value: f64) {
    let whole = value as i64;
    // By their bits, because -0 is written as it is.
    if (whole as f64).to_bits() == value.to_bits() && whole.abs() < EXACT {
        text.push_str(itoa::Buffer::new().format(whole));
    } else {
        // Writing to a string cannot fail.
        let _ = write!(text, "{value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(labels: &[(&str, &str)], value: f64) -> String {
        let mut text = String::new();
        write(&mut text, "x", labels.iter().copied(), value);
        text
    }

    #[test]
    fn a_line_has_its_labels_in_braces_and_none_without_labels() {
        assert_eq!(line(&[], 3.0), "x 3\n");
        assert_eq!(line(&[("a", "1")], 0.25), "x{a=\"1\"} 0.25\n");
        assert_eq!(line(&[("a", "1"), ("b", "")], -1.0), "x{a=\"1\",b=\"\"} -1\n");
    }

    #[test]
    fn a_label_value_is_made_fit_and_escaped() {
        assert_eq!(line(&[("a", "b\\c\"dü")], 0.0), "x{a=\"b\\\\c\\\"dü\"} 0\n");
        let unfit = line(&[("a", "b\nc\u{7f}")], 0.0);
        assert!(unfit.starts_with("x{a=\"bc~"), "{unfit}");
        let long = line(&[("a", &"y".repeat(label::LONGEST + 1))], 0.0);
        assert!(long.len() == "x{a=\"\"} 0\n".len() + label::LONGEST, "{long}");
    }

    #[test]
    fn a_number_is_written_as_the_standard_library_writes_it() {
        let edge = EXACT as f64;
        for value in [
            0.0,
            -0.0,
            1.0,
            -17.0,
            0.1,
            1e-7,
            edge - 1.0,
            edge,
            edge + 2.0,
            -edge,
            i64::MAX as f64,
            i64::MIN as f64,
            u64::MAX as f64,
            1e300,
            f64::MIN_POSITIVE,
            1_790_000_000.123,
        ] {
            let mut text = String::new();
            write_number(&mut text, value);
            assert_eq!(text, value.to_string());
        }
    }
}
