//! The conformance corpus: every trap of every agent's transcripts comes to its true totals, summed up
//! offline and followed live.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use procession::clock;
use procession::config::plan::Dialect;
use procession::tokens::price::Prices;
use procession::tokens::source::{Owner, Source, Whose};
use procession::tokens::tail::{Follower, Start};
use procession::tokens::{Cost, TokenCounts, TokenKind, TokenResume, Usage};
use procession::units::Wall;
use serde_json::Value;

use crate::house::BINARY;

/// A case, and what it comes to.
struct Case {
    dialect: Dialect,
    path: PathBuf,
    expected: Value,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for dialect in Dialect::ALL {
        let folder = root().join(dialect.as_str());
        let mut paths: Vec<_> = fs::read_dir(&folder)
            .expect("cases")
            .map(|entry| entry.expect("a case").path())
            .collect();
        paths.sort();
        cases.extend(paths.into_iter().map(|path| {
            let text = fs::read_to_string(path.join("expected.json")).expect("what it comes to");
            Case { dialect, path, expected: serde_json::from_str(&text).expect("JSON") }
        }));
    }
    cases
}

fn counted(usages: &[Usage]) -> BTreeMap<String, u64> {
    let tokens = usages.iter().fold(TokenCounts::default(), |sum, one| sum.plus(&one.tokens));
    let kinds = TokenKind::ALL.map(|kind| (kind.as_str().to_owned(), tokens.of(kind)));
    let nanos = usages.iter().map(|one| match one.cost {
        Cost::Priced(money) => money.0.unsigned_abs(),
        Cost::Unpriced | Cost::Estimated(_) => 0,
    });
    let more = [
        ("responses", usages.len() as u64),
        ("reasoning", usages.iter().map(|one| one.reasoning).sum()),
        ("cost_nano_usd", nanos.sum()),
    ];
    kinds.into_iter().chain(more.map(|(name, count)| (name.to_owned(), count))).collect()
}

#[test]
fn every_case_comes_to_its_true_totals_when_it_is_scanned() {
    let cases = cases();
    assert!(cases.len() > 30, "{} cases", cases.len());
    for case in cases {
        let found = scan(&["--json", "--by", "conversation"], &case.path);
        let expected = &case.expected;
        for (name, value) in expected["totals"].as_object().expect("totals") {
            assert_eq!(&found["totals"][name], value, "{name} of {}", case.path.display());
        }
        assert_eq!(found["lines"]["malformed"], expected["malformed_lines"], "{:?}", case.path);
        for (name, responses) in
            expected["responses_by_conversation"].as_object().into_iter().flatten()
        {
            let rows = found["by"]["conversation"].as_array().expect("rows");
            let row = rows.iter().find(|row| row["conversation"] == *name);
            assert_eq!(&row.expect("a row")["responses"], responses, "{name} of {:?}", case.path);
        }
    }
}

#[test]
fn every_case_comes_to_the_same_when_it_is_followed() {
    for case in cases() {
        let whose = Whose { process: Some("agent".into()), agent: "agent".into() };
        let owner = Owner { whose, working_dir: None };
        let sources = Source::merged([(case.path.clone(), case.dialect, owner)]);
        let start = Start {
            at: Wall(0),
            resume: TokenResume::default(),
            count_history: true,
            prices: Prices::embedded(),
            excerpts: None,
        };
        let batches = Follower::new(sources, start).finish(clock::now());
        let usages: Vec<Usage> = batches.into_iter().flat_map(|batch| batch.usages).collect();
        let counted = counted(&usages);
        for (name, value) in case.expected["totals"].as_object().expect("totals") {
            assert_eq!(
                counted[name],
                value.as_u64().expect("a count"),
                "{name} of {:?}",
                case.path
            );
        }
    }
}

#[test]
fn sums_by_several_things_are_printed_for_people_and_programs() {
    let case = root().join("claude/fork-copies-history");
    let found = scan(&["--json", "--by", "day,model,project,conversation"], &case);
    for by in ["day", "model", "project", "conversation"] {
        let rows = found["by"][by].as_array().expect("rows");
        let sum: u64 = rows.iter().filter_map(|row| row["total"].as_u64()).sum();
        assert_eq!(found["totals"]["total"], sum, "{by}");
    }
    let table = run(&[case.as_path()], &["--by", "model"]);
    assert!(table.starts_with("MODEL"), "{table}");
    assert!(table.contains("claude-sonnet-5") && table.contains("\nall"), "{table}");
    let csv = run(&[case.as_path()], &["--csv"]);
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].starts_with("by,name,responses,input,output,"), "{csv}");
    assert!(lines[1].starts_with("day,2026-10-01,3,30,18,300,"), "{csv}");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tokens")
}

fn run(paths: &[&Path], options: &[&str]) -> String {
    let mut command = Command::new(BINARY);
    let output =
        command.args(["tokens", "scan"]).args(options).args(paths).output().expect("a run");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

fn scan(options: &[&str], path: &Path) -> Value {
    serde_json::from_str(&run(&[path], options)).expect("JSON")
}
