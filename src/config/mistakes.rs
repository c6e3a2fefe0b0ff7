//! Every mistake that people make in a configuration, with all that is said about it. The cases
//! are data in `mistakes.txt`: a name, the text, and what a person gets to read.

use std::path::Path;

use super::file::{self, Loaded};
use super::plan::zone_file_of;
use super::problem::{Level, Problem, Problems};
use super::surroundings::{ReadError, Surroundings};

/// The users of the made-up world.
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nme:x:1000:1000:Me:/home/me:/bin/sh\n";

/// Reads a configuration that lies in `/app`, in a small made-up world.
pub(super) fn read(text: &str) -> Result<Loaded, Problems> {
    let vars = |name: &str| {
        let known = [("HOME", "/home/me"), ("PORT", "80"), ("WORD", "soon"), ("API_KEY", "s3cr3t")];
        known.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    };
    let files = |path: &Path| match path.to_str() {
        Some("/app/.env") => Ok("A=file\nB=${PORT}\n".to_owned()),
        Some("/app/bad.env") => Ok("A=1\nB!=2\n".to_owned()),
        Some("/etc/passwd") => Ok(PASSWD.to_owned()),
        Some("/etc/group") => Ok("root:x:0:\nstaff:x:50:me\ndocker:x:999:you,me\n".to_owned()),
        Some("/app/folder") => Err(ReadError::Folder),
        _ => Err(ReadError::Missing),
    };
    let folder = Path::new("/app");
    let bytes = |path: &Path| match path.to_str() {
        Some("/usr/share/zoneinfo") => Err(ReadError::Folder),
        Some("/usr/share/zoneinfo/Europe/Berlin") => Ok(zone_file_of("CET-1CEST,M3.5.0,M10.5.0/3")),
        Some("/usr/share/zoneinfo/leapseconds") => Ok(b"#".to_vec()),
        _ => Err(ReadError::Missing),
    };
    let (read, bytes) = (&files, &bytes);
    let around = Surroundings { file: "config.yaml", folder, uid: 0, vars: &vars, read, bytes };
    file::read(text, &around)
}

/// Everything that is said about a text: its faults, or the warnings beside its plan.
fn said(text: &str) -> String {
    match read(text) {
        Ok(loaded) => loaded.warnings.to_string(),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn every_mistake_is_explained() {
    let cases = include_str!("mistakes.txt").split("=== ").skip(1);
    let mut wrong = String::new();
    for case in cases {
        let (name, rest) = case.split_once('\n').expect("a name");
        let (text, expected) = rest.split_once("\n~~~\n").expect("two parts");
        let found = said(&format!("{text}\n"));
        if found.trim_end() != expected.trim_end() {
            wrong.push_str(&format!("=== {name}\n{text}\n~~~\n{found}\n\n"));
        }
    }
    assert!(wrong.is_empty(), "these are said otherwise:\n{wrong}");
}

#[test]
fn many_mistakes_are_told_at_once_and_in_order() {
    let text =
        "processes:\n  a: {command: '', restart: x, stop_signal: y}\n  b: {colour: z}\nfoo: 1\n";
    let problems = read(text).expect_err("faults");
    let lines: Vec<usize> = problems.iter().filter_map(|p| p.place).map(|p| p.line).collect();
    assert_eq!(lines, [2, 2, 2, 3, 3, 4]);
}

#[test]
fn more_than_a_hundred_mistakes_are_counted() {
    let text =
        format!("processes: {{a: {{command: a}}}}\n{}", many(5000, |n| format!("k{n}: 1\n")));
    let problems = read(&text).expect_err("faults");
    assert_eq!(problems.count(), 5000);
    assert!(problems.to_string().ends_with("\nand 4900 more"));
}

/// Texts that are small and want to be large, and what stops them.
#[test]
fn hostile_files_are_refused() {
    let aliases = |n: usize| {
        if n == 0 {
            "[x]".to_owned()
        } else {
            format!("[{}]", ["*a"; 9].join(", ").replace('a', &format!("a{}", n - 1)))
        }
    };
    let bomb = many(25, |n| format!("a{n}: &a{n} {}\n", aliases(n)));
    let chain = many(5000, |n| {
        format!("a{n}: &a{n} [{}]\n", if n == 0 { "x".into() } else { format!("*a{}", n - 1) })
    });
    let texts = format!("s: &s {}\nt: [{}]\n", "x".repeat(100_000), many(1000, |_| "*s,".into()));
    let merges = format!(
        "a: &a {{{}}}\nb:\n  <<: [{}]\n",
        many(10_000, |n| format!("k{n}: 1,")),
        many(5000, |_| "*a,".into())
    );
    let keys = many(90_000, |n| format!("k{n}: 1\n"));
    for (text, message) in [
        (bomb, "aliases make this file grow"),
        (chain, "more than 32 deep"),
        (texts, "aliases make this file grow"),
        (merges, "aliases make this file grow"),
        (keys, "unknown key"),
        ("[".repeat(500_000), "more than 32 deep"),
        ("{a: ".repeat(200_000), "more than 32 deep"),
        ("- ".repeat(500_000), "more than 32 deep"),
        ("a: $(\n".repeat(100_000), "`$` begins a variable"),
        (
            format!("processes: {{{}}}", many(5000, |n| format!("p{n}: {{command: x}},"))),
            "at most 2000",
        ),
    ] {
        let problems = read(&text).expect_err(message).to_string();
        assert!(problems.contains(message), "{message}: {}", &problems[..problems.len().min(500)]);
        assert!(problems.len() < 100_000, "{message}: {} bytes", problems.len());
    }
}

fn many(count: usize, one: impl Fn(usize) -> String) -> String {
    (0..count).map(one).collect()
}

/// Cuts, doubles and swaps pieces of the example, from a seed, and reads what comes out: a plan, or
/// problems whose places lie inside the text. Nothing may panic.
#[test]
fn whatever_is_done_to_the_example_is_a_plan_or_has_places() {
    let seed = 0x5eed;
    let mut random = fastrand::Rng::with_seed(seed);
    let example = include_str!("../../config.yaml");
    for round in 0..1500 {
        let text = mutated(example, &mut random);
        let Err(problems) = read(&text) else { continue };
        let is_fault = |problem: &Problem| problem.level == Level::Fault;
        assert!(problems.iter().any(is_fault), "seed {seed}, round {round}: no fault and no plan");
        let lines: Vec<&str> = text.split('\n').collect();
        for place in problems.iter().filter(|p| p.file == "config.yaml").filter_map(|p| p.place) {
            // A lone CR ends a line for YAML, so a text has at least the lines that are here.
            let line = lines.get(place.line - 1);
            let inside = text.contains('\r')
                || line.is_some_and(|line| place.column <= line.chars().count() + 1);
            assert!(inside, "seed {seed}, round {round}: {place:?} in\n{text}");
        }
        let _ = problems.to_string();
    }
}

#[test]
fn no_text_can_break_the_reader_of_variables() {
    let mut random = fastrand::Rng::with_seed(7);
    let pieces =
        ["A", "=", "'", "\"", "\\", "\n", "#", " ", "$", "{", "}", ":-", "é", "export ", "\0"];
    for _ in 0..3000 {
        let text: String =
            (0..random.usize(..30)).map(|_| pieces[random.usize(..pieces.len())]).collect();
        let sink = super::problem::Sink::new(".env", &text);
        super::env_file::parse(&text, &|_| None, &sink);
        sink.into_problems().to_string();
    }
}

/// Characters that mean something to YAML, to us or to UTF-8.
const SHARP: &str = "\t\0\r\n:#-[]{}&*!|>'\"%@`$ ,?~é🦀";

fn mutated(text: &str, random: &mut fastrand::Rng) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..random.usize(1..6) {
        if chars.is_empty() {
            break;
        }
        let from = random.usize(..chars.len());
        let to = (from + random.usize(1..80)).min(chars.len());
        match random.u8(..7) {
            0 => chars.truncate(from),
            1 => drop(chars.drain(from..to)),
            2 => {
                let piece = chars[from..to].to_vec();
                let at = random.usize(..chars.len());
                chars.splice(at..at, piece);
            }
            3 => {
                chars[from] =
                    SHARP.chars().nth(random.usize(..SHARP.chars().count())).unwrap_or(' ')
            }
            4 => chars.insert(from, random.char(..)),
            5 => chars.swap(from, to - 1),
            _ => {
                let line_end =
                    chars[from..].iter().position(|c| *c == '\n').map_or(from, |n| from + n);
                drop(chars.drain(from..line_end));
            }
        }
    }
    chars.into_iter().collect()
}
