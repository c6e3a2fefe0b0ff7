//! What a YAML parser complains about, in words that help.
//!
//! The parser names the rule that it was applying; a person wants to know what they typed. Only
//! the usual accidents are translated, everything else is passed on.

use super::parse::too_deep;
use super::problem::Place;

/// Advice for parser messages that contain a text.
const ADVICE: [(&str, &str); 14] = [
    ("in quoted scalar", "close the quote that is open here"),
    ("mapping values are not allowed", "put quotes around a value that contains `: `"),
    ("did not find expected key", "let all keys of one map begin in the same column"),
    ("invalid indentation", "let all keys of one map begin in the same column"),
    ("simple key expected", "let all keys of one map begin in the same column"),
    ("simple key expect ':'", "write `key: value`"),
    ("expected '-' indicator", "let all `-` of one list begin in the same column"),
    ("block sequence entries", "put the list below its key, each entry behind `- `"),
    ("expected ',' or ']'", "close the list with `]` and separate its entries by commas"),
    ("expected ',' or '}'", "close the map with `}` and separate its entries by commas"),
    ("unexpected end of stream", "close the quote that is open here"),
    ("trailing content after double-quoted", "put the whole value inside the quotes"),
    ("unknown anchor", "write `&name` before `*name`, or quote a value that begins with `*`"),
    ("unknown escape character", "use single quotes, in which `\\` is a plain character"),
];

/// Advice for a message that is not in the table.
const OTHERWISE: &str = "check the indentation, quotes and brackets here and in the line above";

/// The place, message and advice for a fault of syntax at `place`, in the line of text `line`,
/// inside a list or map
/// that begins with the bracket `open`.
pub(super) fn explain(
    info: &str,
    place: Place,
    line: &str,
    open: Option<(Place, char)>,
) -> (Place, String, &'static str) {
    let indent = line.len() - line.trim_start().len();
    if let Some(tab) = line[..indent].find('\t') {
        let column = line[..tab].chars().count() + 1;
        let message = "a tab is used for indentation".to_owned();
        return (Place { column, width: 1, ..place }, message, "YAML wants spaces: use two");
    }
    if let Some(first @ ('@' | '`' | '%')) = line.chars().nth(place.column - 1) {
        let message = format!("a value cannot begin with `{first}`").replace("```", "a back-tick");
        return (place, message, "put quotes around the value");
    }
    if info.contains("recursion limit") {
        return (place, too_deep(), "write it flatter");
    }
    let unclosed = info.contains(" flow ") || info.contains("placement of ':'");
    if let Some((open, bracket)) = open.filter(|(open, _)| unclosed && open.line < place.line) {
        let close = if bracket == '[' { "close it with `]`" } else { "close it with `}`" };
        return (open, format!("this `{bracket}` is not closed"), close);
    }
    let advice = ADVICE.iter().find(|(text, _)| info.contains(text)).map_or(OTHERWISE, |(_, a)| a);
    (place, format!("this is not YAML: {info}"), advice)
}
