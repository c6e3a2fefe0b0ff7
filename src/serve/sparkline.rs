//! A small line of what a tree held since its run began, drawn into the page without a script.

use std::time::Duration;

use crate::memory::history::{Point, heights};
use crate::serve::phrase::span;
use crate::units::Bytes;

/// Points of a line at most: a page of a thousand processes grows by a third of a megabyte with them.
const PLACES: usize = 40;
/// From one place to the next.
const STEP: usize = 2;
/// From nothing to the most that was held.
const TOP: u32 = 20;

/// The line, in the colour of `class`; nothing where there is too little to draw.
pub fn drawn(points: &[Point], class: &str) -> String {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return String::new() };
    let lines = lines(&heights(points, PLACES, TOP));
    if lines.is_empty() {
        return String::new();
    }
    let most = points.iter().map(|point| point.size).max().unwrap_or(Bytes(0));
    let lasted = span(Duration::from_secs((last.second - first.second).into()));
    let words = format!(
        "memory of the last {lasted}: from {} to {}, at most {most}",
        first.size, last.size,
    );
    format!(
        "<svg class=\"spark {class}\" role=\"img\" aria-label=\"{words}\" viewBox=\"-1 -1 {} {}\">\
         <title>{words}</title>{lines}</svg>",
        (PLACES - 1) * STEP + 2,
        TOP + 2,
    )
}

/// A line for each stretch without a gap; a place that stands alone is none.
fn lines(heights: &[Option<u32>]) -> String {
    let places: Vec<_> = heights.iter().enumerate().collect();
    let stretches = places.split(|(_, height)| height.is_none());
    let line = |stretch: &[(usize, &Option<u32>)]| {
        let place = |(nth, height): &(usize, &Option<u32>)| {
            Some(format!("{},{}", nth * STEP, TOP - (**height)?))
        };
        let places: Vec<String> = stretch.iter().filter_map(place).collect();
        format!("<polyline points=\"{}\"/>", places.join(" "))
    };
    stretches.filter(|stretch| stretch.len() > 1).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::history::{History, Sizes};

    fn points(count: u64, size: impl Fn(u64) -> u64) -> Vec<Point> {
        let mut history = History::default();
        for nth in 0..count {
            let size = Bytes::mib(size(nth));
            history.push(Duration::from_secs(nth * 5), Sizes { size, ..Sizes::default() });
        }
        history.points()
    }

    #[test]
    fn a_line_rises_with_what_is_held_and_never_has_more_places() {
        let line = drawn(&points(3, |nth| nth + 1), "bad");
        assert!(line.contains("<polyline points=\"0,14 2,7 4,0\"/>"), "{line}");
        assert!(line.starts_with("<svg class=\"spark bad\""), "{line}");
        assert!(
            line.contains(
                "<title>memory of the last 10 s: from 1.0 MiB to 3.0 MiB, at most 3.0 MiB</title>"
            ),
            "{line}"
        );
        let long = drawn(&points(100_000, |nth| nth % 50), "good");
        let places = long.split("points=\"").nth(1).expect("a line").split(' ').count();
        assert!((20..=PLACES + 1).contains(&places), "{places} in {long}");
        assert!(long.len() < 740, "{}", long.len());
    }

    #[test]
    fn no_line_leads_over_a_gap() {
        let mut points = points(40, |_| 5);
        points[20].after_gap = true;
        points.iter_mut().skip(20).for_each(|point| point.second += 3_600);
        let drawn = drawn(&points, "good");
        assert_eq!(drawn.matches("<polyline").count(), 2, "{drawn}");
    }

    #[test]
    fn one_sample_is_no_line() {
        assert_eq!(drawn(&[], "good"), "");
        assert_eq!(drawn(&points(1, |_| 5), "good"), "");
    }
}
