//! Tables and figures as people read them. Pure.

use crate::units::Bytes;

/// What stands where there is nothing to say.
pub(super) const NOTHING: &str = "-";

/// Rows under headings, each column as wide as its widest cell.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        widest.max(headings[column].len())
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let rows = rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    std::iter::once(line(headings.to_vec())).chain(rows).collect::<Vec<_>>().join("\n")
}

/// Seconds in their two largest units: `2d 3h`, `4m 5s`, `12s`.
pub(super) fn span(seconds: f64) -> String {
    // A span that was sent to us is not negative, and a century fits.
    let seconds = seconds.max(0.0) as u64;
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest}s"),
        (0, 0, _) => format!("{minutes}m {rest}s"),
        (0, _, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

/// A size.
pub(super) fn size(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| NOTHING.to_owned(), |bytes| Bytes(bytes).to_string())
}

/// Text without anything that a terminal takes for an order.
pub(super) fn harmless(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let rows = vec![vec!["web".to_owned(), "ready".to_owned()], vec!["é".into(), "x".into()]];
        assert_eq!(table(&["N", "STATE"], &rows), "N    STATE\nweb  ready\né    x");
    }

    #[test]
    fn spans_are_short() {
        for (seconds, text) in
            [(0.4, "0s"), (59.9, "59s"), (245.0, "4m 5s"), (3660.0, "1h 1m"), (183_600.0, "2d 3h")]
        {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn a_terminal_is_told_nothing_by_what_was_told_us() {
        assert_eq!(harmless("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
    }
}
