//! The pages for people: what they set as code and looks like a metric is one.

use super::Known;
use super::alerts;
use crate::support::{ours, text};

/// Every page that may name metrics, as far as it is there.
const PAGES: [&str; 3] = ["README.md", "CHANGELOG.md", "alerts/RUNBOOK.md"];
/// How our names begin, and those about our own process.
const PREFIXES: [&str; 2] = ["procession_", "process_"];

#[test]
fn pages_name_only_what_is_promised() {
    let known = alerts::known();
    for page in PAGES.into_iter().filter(|page| ours(page).exists()) {
        for span in code(&text(page)) {
            check(&known, page, span);
        }
    }
}

/// Each word that looks like one of our metrics must be one, with the labels that follow it. A
/// word that goes on with `…` stands for all that begin with it.
fn check(known: &Known, page: &str, span: &str) {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut rest = span;
    while let Some(from) = rest.find(part) {
        let word = &rest[from..];
        let length = word.find(|c| !part(c)).unwrap_or(word.len());
        let (word, after) = word.split_at(length);
        rest = after;
        if !PREFIXES.iter().any(|prefix| word.starts_with(prefix)) {
            continue;
        }
        if after.starts_with(['…', '*']) {
            assert!(known.0.keys().any(|name| name.starts_with(word)), "{page}: {word}…");
            continue;
        }
        let labels = after.strip_prefix('{').and_then(|after| after.split_once('}'));
        let labels = labels.map(|(labels, _)| format!("{{{labels}}}")).unwrap_or_default();
        known.check(page, &format!("{word}{labels}"));
    }
}

/// What stands between backquotes, one or three.
fn code(page: &str) -> impl Iterator<Item = &str> {
    page.split('`').skip(1).step_by(2).filter(|span| !span.is_empty())
}
