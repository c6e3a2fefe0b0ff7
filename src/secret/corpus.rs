//! Holds the rule against a corpus of invented examples, and its time against hostile texts.

use std::time::{Duration, Instant};

use super::mask::{mask_command, mask_line, mask_shapes};

const CORPUS: &str = include_str!("corpus.txt");

/// The length of hostile texts, in bytes.
const LENGTH: usize = 200_000;

/// What they may take in an unoptimised build on a busy machine; what takes the square of the length
/// takes minutes.
const BOUND: Duration = Duration::from_secs(20);

fn shown(way: &str, text: &str) -> String {
    let word = |before: &[&str]| {
        let words: Vec<String> = before.iter().chain([&text]).map(|word| (*word).into()).collect();
        mask_command(&words).pop().unwrap_or_default()
    };
    match way {
        "text" => mask_shapes(text),
        "line" => mask_line(text),
        "command" => word(&["run"]),
        "script" => word(&["sh", "-c"]),
        other => panic!("there is no way {other:?}"),
    }
}

#[test]
fn the_corpus_is_masked_as_it_says() {
    let examples = CORPUS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let (mut masked, mut stays, mut wrong) = (0, 0, Vec::new());
    for line in examples {
        let line = line.replace("\\n", "\n");
        let mut parts = line.split('|').map(str::trim);
        let (way, text) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let expected = parts.next();
        *if expected.is_some() { &mut masked } else { &mut stays } += 1;
        let found = shown(way, text);
        if found != expected.unwrap_or(text) {
            wrong.push(format!("{line} => {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(masked > 80 && stays > 30, "{masked} are masked and {stays} stay");
}

#[test]
fn masking_twice_changes_nothing() {
    for line in CORPUS.lines() {
        let once = mask_shapes(line);
        assert_eq!(mask_shapes(&once), once, "{line}");
    }
}

#[test]
fn hostile_text_takes_time_by_its_length() {
    const PARTS: [&str; 22] = [
        "sk-",
        "a@",
        "@",
        "a.",
        "DE89 ",
        "DE8937040044053201300",
        "4111 ",
        "4",
        "a://",
        "a://b:",
        "Bearer ",
        "key ",
        "key=\"",
        "\\\"",
        "\"'",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY",
        "eyJ",
        "-u ",
        "$(",
        "hooks.slack.com",
        "x ",
    ];
    for part in PARTS {
        let text = part.repeat(LENGTH / part.len());
        let begun = Instant::now();
        for way in ["text", "line", "script"] {
            shown(way, &text);
        }
        let took = begun.elapsed();
        assert!(took < BOUND, "{part:?} takes {took:?}");
    }
}
