//! How the memory of a process went, as lines of text: sizes upwards from nothing, time to the right.

use crate::cli::control::phrase::{size, span};
use crate::serve::wire::memory::Point;

/// Columns of a chart, without what is written beside it.
const COLUMNS: usize = 60;
/// Lines of a chart, without what is written below it.
const LINES: usize = 8;
/// Parts of a line, from nothing to all of it.
const PARTS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The chart of at least two moments; of fewer there is nothing to draw.
pub(super) fn chart(points: &[Point]) -> Option<String> {
    let (first, last) = (points.first()?, points.last()?);
    let lasted = last.second - first.second;
    if lasted == 0 {
        return None;
    }
    let columns = columns(points, first.second, lasted);
    let most = points.iter().map(|point| point.size_bytes).max()?.max(1);
    let mut lines: Vec<String> = (0..LINES).rev().map(|line| drawn(&columns, line, most)).collect();
    let ago = format!("{} ago", span(f64::from(lasted)));
    let pad = COLUMNS.saturating_sub(ago.chars().count());
    lines.push(format!("{:>14} └{}", "0 B", "─".repeat(COLUMNS)));
    lines.push(format!("{:>14}  {ago}{:>pad$}", "", "now"));
    Some(lines.join("\n"))
}

/// One line, the lowest of which is 0: what it stands for at its top, and its part of each column.
fn drawn(columns: &[Option<u64>], line: usize, most: u64) -> String {
    let said = match line + 1 {
        LINES => size(Some(most)),
        middle if middle * 2 == LINES => size(Some(most / 2)),
        _ => String::new(),
    };
    let mark = if said.is_empty() { '│' } else { '┤' };
    let part = |column: &Option<u64>| {
        let parts = column.map_or(0, |bytes| eighths(bytes, most));
        PARTS[parts.saturating_sub(line * 8).min(8)]
    };
    let bars: String = columns.iter().map(part).collect();
    format!("{said:>14} {mark}{}", bars.trim_end())
}

/// How many eighths of a line a size fills; what is not nothing is seen.
fn eighths(bytes: u64, most: u64) -> usize {
    let all = (LINES * 8) as u128;
    let filled = u128::from(bytes) * all / u128::from(most);
    usize::try_from(filled).unwrap_or(0).max(usize::from(bytes > 0))
}

/// The most that was held in each column, and between two moments what the later one tells. A gap stays
/// empty.
fn columns(points: &[Point], begun: u32, lasted: u32) -> Vec<Option<u64>> {
    let mut columns = vec![None; COLUMNS];
    let place = |second: u32| {
        let at = u64::from(second - begun) * (COLUMNS as u64 - 1) / u64::from(lasted);
        usize::try_from(at).unwrap_or(0)
    };
    for point in points {
        let column = &mut columns[place(point.second)];
        *column = (*column).max(Some(point.size_bytes));
    }
    for pair in points.windows(2).filter(|pair| !pair[1].after_gap) {
        // A coarse point is the peak of its span: what lies before it was no higher.
        let (from, to) = (place(pair[0].second) + 1, place(pair[1].second));
        (from..to).for_each(|at| columns[at] = columns[to]);
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u32, size_bytes: u64) -> Point {
        Point { second, size_bytes, resident_bytes: 0, after_gap: false }
    }

    #[test]
    fn a_chart_rises_from_nothing_with_what_is_held() {
        let points: Vec<Point> =
            (0..60).map(|nth| at(nth * 10, u64::from(nth + 5) << 20)).collect();
        let text = chart(&points).expect("a chart");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), LINES + 2, "{text}");
        assert!(lines[0].starts_with("      64.0 MiB ┤") && lines[0].ends_with('█'), "{text}");
        assert!(lines[4].starts_with("      32.0 MiB ┤"), "{text}");
        assert_eq!(lines[8], format!("           0 B └{}", "─".repeat(COLUMNS)));
        assert!(lines[9].contains("9m 50s ago") && lines[9].ends_with("now"), "{text}");
        let width = |line: &str| line.chars().count();
        assert!(lines.iter().all(|line| width(line) <= 16 + COLUMNS), "{text}");
        assert_eq!(width(lines[9]), 16 + COLUMNS, "{text}");
        // It rises along a line: the lowest line of text is full nearly from the start.
        assert!(lines[7].matches('█').count() > 50 && lines[0].matches('█').count() == 1, "{text}");
    }

    #[test]
    fn a_gap_is_left_empty_and_a_coarse_past_is_not_one() {
        let filled = chart(&[at(0, 8), at(60, 8), at(61, 8)]).expect("a chart");
        assert_eq!(filled.lines().next().expect("a line").matches('█').count(), COLUMNS);
        let torn = chart(&[at(0, 8), Point { after_gap: true, ..at(60, 8) }, at(61, 8)]);
        let torn = torn.expect("a chart");
        assert!(torn.lines().next().expect("a line").contains("█   "), "{torn}");
    }

    #[test]
    fn what_is_next_to_nothing_is_seen_and_nothing_is_not_drawn() {
        assert_eq!(
            (chart(&[]), chart(&[at(7, 9)]), chart(&[at(7, 9), at(7, 9)])),
            (None, None, None)
        );
        let text = chart(&[at(0, 1), at(1, u64::MAX)]).expect("a chart");
        assert!(text.lines().nth(LINES - 1).expect("a line").contains('▁'), "{text}");
        let empty = chart(&[at(0, 0), at(1, 0)]).expect("a chart");
        assert!(!empty.contains('▁') && !empty.contains('█'), "{empty}");
    }
}
