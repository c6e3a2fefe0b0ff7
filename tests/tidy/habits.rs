//! What every file keeps to: no word that takes PID 1 down, no drawer for odds and ends, nothing
//! too long to be read at one go.

use super::source::{Source, Word};

/// A function longer than this does more than one thing.
const LONGEST_FUNCTION: usize = 70;

/// A file longer than this, tests included, holds more than one idea; 400 is what to aim for.
const LONGEST_FILE: usize = 500;

/// Functions that may be longer: only tables. File, function, reason.
const LONG_FUNCTIONS: &[(&str, &str, &str)] = &[];

/// Files that may be longer: only tables. File, reason.
const LONG_FILES: &[(&str, &str)] = &[];

/// The one module that may hold unsafe code: this file, and those in the folder of its name.
const UNSAFE: &str = "src/init/sys.rs";

/// Where a panic cannot be caused by any input or by the system. File, a piece of the line, reason.
const PANICS: &[(&str, &str, &str)] = &[];

/// What may end in a panic. Our loop has rites for one, but nobody outside may be able to ask.
const PANICKY: &[&str] =
    &[".expect", ".expect_err", ".unwrap", ".unwrap_err", "panic!", "unreachable!"];

/// What the methods among them take at most; a method of ours with their name takes more.
const PANICKY_ARGUMENTS: usize = 1;

/// Words that no file of ours holds, tests included, each with the reason.
const WORDS: &[(&str, &str)] = &[
    ("dbg!", "it is for the bench"),
    ("eprint!", "a closed stderr would end PID 1: log it"),
    ("eprintln!", "a closed stderr would end PID 1: log it"),
    ("print!", "a closed stdout would end PID 1: write and handle the error"),
    ("println!", "a closed stdout would end PID 1: write and handle the error"),
    ("todo!", "thin is fewer options, never a stub"),
    ("unimplemented!", "thin is fewer options, never a stub"),
    ("#[ignore", "a test that does not run is no test"),
];

/// Names of files and folders in which anything might lie.
const DRAWERS: &[&str] = &["common", "helper", "helpers", "misc", "shared", "util", "utils"];

/// Complaints about words that no file of ours holds.
pub fn words(source: &Source) -> Vec<String> {
    let reason = |word: &Word| {
        WORDS.iter().find(|(banned, _)| word.word.starts_with(banned)).map(|(_, reason)| reason)
    };
    let complain = |word: &Word| {
        reason(word).map(|reason| source.at(word.line, format!("{}: {reason}", word.word)))
    };
    source.words.iter().filter_map(complain).collect()
}

/// Complaints about unsafe code, and about leave to write it, outside the one file.
pub fn unsafety(source: &Source) -> Vec<String> {
    let module = UNSAFE.trim_end_matches("rs").replace('.', "/");
    if source.path == UNSAFE || source.path.starts_with(&module) {
        return Vec::new();
    }
    let allows = |word: &str| word.starts_with("#[") && word.contains("unsafe_code");
    let unsafety = source.words.iter().filter(|w| w.word == "unsafe" || allows(&w.word));
    unsafety.map(|w| source.at(w.line, format!("{} outside {UNSAFE}", w.word))).collect()
}

/// Complaints about what may panic outside the tests.
pub fn panics(source: &Source) -> Vec<String> {
    panicky(source)
        .filter(|word| !PANICS.iter().any(|row| excuses(row, source, word)))
        .map(|word| source.at(word.line, format!("{} may panic: return an error", word.word)))
        .collect()
}

/// Complaints about `super::super`, which hides how far a name reaches.
pub fn climbing(source: &Source) -> Vec<String> {
    let climbs = source.names.iter().filter(|name| name.written.contains("super::super"));
    climbs.map(|name| source.at(name.line, "super::super: start from crate")).collect()
}

/// Complaints about file names in which anything might lie.
pub fn drawers(path: &str) -> Vec<String> {
    let parts = path.split('/').map(|part| part.split('.').next().unwrap_or(part));
    let drawers = parts.filter(|part| DRAWERS.contains(part));
    drawers.map(|part| format!("{path}: {part} says nothing about what lies in it")).collect()
}

/// Complaints about what is too long.
pub fn lengths(source: &Source) -> Vec<String> {
    let known =
        |name: &str| LONG_FUNCTIONS.iter().any(|(path, f, _)| is(source, path) && f == &name);
    let long = source.functions.iter().filter(|f| f.lines > LONGEST_FUNCTION && !known(&f.name));
    let mut found: Vec<String> = long
        .map(|f| {
            source.at(f.line, format!("{} has {} of {LONGEST_FUNCTION} lines", f.name, f.lines))
        })
        .collect();
    let lines = source.text.lines().count();
    if lines > LONGEST_FILE && !LONG_FILES.iter().any(|(path, _)| is(source, path)) {
        found.push(format!("{}: {lines} of {LONGEST_FILE} lines", source.path));
    }
    found
}

/// Complaints about a file that does not begin by saying what it is.
pub fn introduction(source: &Source) -> Vec<String> {
    let first = source.text.lines().next().unwrap_or_default();
    let silent = !first.starts_with("//! ");
    silent.then(|| source.at(1, "begin with `//!` and what it owns")).into_iter().collect()
}

/// Complaints about exceptions that nothing needs any more.
pub fn stale(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for row @ (path, piece, _) in PANICS {
        let used = |source: &&Source| panicky(source).any(|word| excuses(row, source, word));
        if sources.iter().find(used).is_none() {
            found.push(format!("PANICS: nothing in {path} needs {piece:?}"));
        }
    }
    for (path, name, _) in LONG_FUNCTIONS {
        let long = |source: &Source| {
            source.functions.iter().any(|f| f.name == *name && f.lines > LONGEST_FUNCTION)
        };
        if !sources.iter().any(|source| is(source, path) && long(source)) {
            found.push(format!("LONG_FUNCTIONS: {name} in {path} is short"));
        }
    }
    for (path, _) in LONG_FILES {
        let long = |source: &Source| source.text.lines().count() > LONGEST_FILE;
        if !sources.iter().any(|source| is(source, path) && long(source)) {
            found.push(format!("LONG_FILES: {path} is short"));
        }
    }
    found
}

fn panicky(source: &Source) -> impl Iterator<Item = &Word> {
    let panics =
        |word: &Word| PANICKY.contains(&word.word.as_str()) && word.arguments <= PANICKY_ARGUMENTS;
    source.words.iter().filter(move |word| !word.test && panics(word))
}

fn excuses(row: &(&str, &str, &str), source: &Source, word: &Word) -> bool {
    is(source, row.0) && source.line(word.line).contains(row.1)
}

fn is(source: &Source, path: &str) -> bool {
    source.path == path
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks one wall about a text at `src/room/file.rs`.
    fn check(wall: fn(&Source) -> Vec<String>, text: &str, faults: usize) {
        let found = wall(&Source::read("src/room/file.rs", text).unwrap());
        assert_eq!(found.len(), faults, "{text}: {found:?}");
    }

    #[test]
    fn words_that_end_pid_1_are_seen() {
        check(words, "fn f() { println!(\"{}\", dbg!(1)); todo!() }", 3);
        check(words, "fn f() { writeln!(out, \"println!()\") } // todo!()", 0);
        check(words, "#[cfg(test)] mod tests { #[test] #[ignore = \"slow\"] fn f() {} }", 1);
    }

    #[test]
    fn unsafe_code_is_seen() {
        check(unsafety, "fn f() { unsafe { g() } }", 1);
        check(unsafety, "#![allow(unsafe_code)]", 1);
        check(unsafety, "#![deny(missing_docs)]", 0);
        let allowed = Source::read(UNSAFE, "#![allow(unsafe_code)] fn f() { unsafe {} }").unwrap();
        assert_eq!(unsafety(&allowed), [""; 0]);
    }

    #[test]
    fn panics_are_seen_outside_the_tests() {
        check(panics, "fn f() { x.unwrap(); y.expect(\"y\"); panic!() }", 3);
        check(panics, "fn f() { x.unwrap_or_default(); y.expected(); z.expect(1, 2) }", 0);
        check(panics, "#[cfg(test)] mod tests { #[test] fn f() { x.unwrap() } }", 0);
        check(panics, "#[cfg(test)] mod tests {} fn f() { x.unwrap() }", 1);
    }

    #[test]
    fn climbing_is_seen() {
        check(climbing, "use super::super::x;", 1);
        check(climbing, "use super::x;", 0);
    }

    #[test]
    fn drawers_are_seen() {
        assert_eq!(drawers("src/util.rs").len(), 1);
        assert_eq!(drawers("src/common/x.rs").len(), 1);
        assert_eq!(drawers("src/utility.rs"), [""; 0]);
    }

    #[test]
    fn what_is_too_long_is_seen() {
        check(lengths, &format!("fn f() {{{}}}", "\n".repeat(LONGEST_FUNCTION)), 1);
        check(lengths, &format!("fn f() {{{}}}", "\n".repeat(LONGEST_FUNCTION - 1)), 0);
        check(lengths, &"\n".repeat(LONGEST_FILE + 1), 1);
        check(lengths, &"\n".repeat(LONGEST_FILE), 0);
    }

    #[test]
    fn a_file_without_an_introduction_is_seen() {
        check(introduction, "use a::b;", 1);
        check(introduction, "//! What it owns.\n", 0);
    }
}
