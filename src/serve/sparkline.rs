//! A small line of what a tree held since its run began, drawn into the page without a script.

use crate::memory::history::{Point, heights};
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
    let places: Vec<String> = heights(points, PLACES, TOP)
        .into_iter()
        .enumerate()
        .filter_map(|(nth, height)| Some(format!("{},{}", nth * STEP, TOP - height?)))
        .collect();
    if places.len() < 2 {
        return String::new();
    }
    let most = points.iter().map(|point| point.size).max().unwrap_or(Bytes(0));
    let words = format!("at most {most}, now {}, in {} s", last.size, last.second - first.second);
    format!(
        "<svg class=\"spark {class}\" role=\"img\" aria-label=\"{words}\" viewBox=\"-1 -1 {} {}\">\
         <title>{words}</title><polyline points=\"{}\"/></svg>",
        (PLACES - 1) * STEP + 2,
        TOP + 2,
        places.join(" "),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
        assert!(line.contains("<title>at most 3.0 MiB, now 3.0 MiB, in 10 s</title>"), "{line}");
        let long = drawn(&points(100_000, |nth| nth % 50), "good");
        let places = long.split("points=\"").nth(1).expect("a line").split(' ').count();
        assert!((20..=PLACES + 1).contains(&places), "{places} in {long}");
        assert!(long.len() < 700, "{}", long.len());
    }

    #[test]
    fn one_sample_is_no_line() {
        assert_eq!(drawn(&[], "good"), "");
        assert_eq!(drawn(&points(1, |_| 5), "good"), "");
    }
}
