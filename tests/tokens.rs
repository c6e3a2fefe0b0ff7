//! The conformance corpus: every trap of every agent's transcripts comes to its true totals, summed up
//! offline and followed live.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use procession::clock;
use procession::config::plan::{Dialect, OutputMode, OutputPlan, ProcessPlan};
use procession::tokens::price::Prices;
use procession::tokens::source::{Owner, Source, Whose};
use procession::tokens::stdout::{Batch, HOLD, Lost, Spoken, Stdout};
use procession::tokens::tail::{Follower, Start};
use procession::tokens::{Cost, LineCounts, TokenCounts, TokenKind, TokenResume, Usage};
use procession::units::{Mono, Now, RunId, Wall};
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

/// A case of what agents print: a command for each process, in the order of their coming.
struct Printed {
    path: PathBuf,
    commands: Vec<String>,
    expected: Value,
}

fn printed() -> Vec<Printed> {
    let mut cases = Vec::new();
    for dialect in ["claude", "codex"] {
        for entry in fs::read_dir(root().join("stdout").join(dialect)).expect("cases") {
            let path = entry.expect("a case").path();
            let text = fs::read_to_string(path.join("expected.json")).expect("what it comes to");
            let expected: Value = serde_json::from_str(&text).expect("JSON");
            let commands = serde_json::from_value(expected["commands"].clone()).expect("words");
            cases.push(Printed { path, commands, expected });
        }
    }
    cases.sort_by(|one, other| one.path.cmp(&other.path));
    cases
}

/// What is told of a case when each line comes so long after the one before.
fn spoken(case: &Printed, apart: Duration) -> (Vec<Spoken>, LineCounts) {
    let mut stdout = Stdout::new(Prices::embedded());
    let mut now = Now { mono: Mono(0), wall: Wall(0) };
    let (mut told, mut lines) = (Vec::new(), LineCounts::default());
    for (number, command) in (1u64..).zip(&case.commands) {
        let words = command.split(' ').map(str::to_owned).collect();
        let output = OutputPlan::new(OutputMode::Quiet);
        let plan = ProcessPlan { output, ..ProcessPlan::new("it", words) };
        let capture = plan.capture().expect("a command that tells");
        let text = fs::read(case.path.join(format!("run-{number}.jsonl"))).expect("lines");
        for line in text.split(|byte| *byte == b'\n') {
            stdout.line(RunId(number), &"it".into(), &capture, line, now);
            now = Now { mono: now.mono.after(apart), wall: now.wall };
            collect(stdout.settle(now, false), &mut told, &mut lines);
        }
    }
    collect(stdout.settle(now, true), &mut told, &mut lines);
    assert_eq!(stdout.settle(now, true).iter().map(|batch| batch.spoken.len()).sum::<usize>(), 0);
    (told, lines)
}

fn collect(batches: Vec<Batch>, told: &mut Vec<Spoken>, lines: &mut LineCounts) {
    for batch in batches {
        lines.malformed += batch.lines.malformed;
        lines.counted += batch.lines.counted;
        told.extend(batch.spoken);
    }
}

#[test]
fn every_case_of_what_agents_print_comes_to_its_true_totals() {
    let cases = printed();
    assert!(cases.len() > 20, "{} cases", cases.len());
    for case in cases {
        // All at once, as they come, and so slowly that everything is told before the next line.
        for apart in [Duration::ZERO, Duration::from_millis(800), 2 * HOLD] {
            let most = case.expected["lines_at_most_apart_seconds"].as_u64();
            let slow = most.is_some_and(|most| apart > Duration::from_secs(most));
            let totals = &case.expected[if slow { "totals_when_slow" } else { "totals" }];
            let (told, lines) = spoken(&case, apart);
            let usages: Vec<Usage> = told.iter().map(|one| one.usage.clone()).collect();
            let mut counted = counted(&usages);
            let responses = told.iter().filter(|one| one.response).count() as u64;
            counted.insert("responses".into(), responses);
            for (name, value) in totals.as_object().expect("totals") {
                let expected = value.as_u64().expect("a count");
                assert_eq!(counted[name], expected, "{name} of {:?}, {apart:?}", case.path);
            }
            assert_eq!(lines.malformed, case.expected["malformed_lines"], "{:?}", case.path);
        }
    }
}

#[test]
fn what_is_printed_of_limits_is_told_with_the_agent_and_the_time() {
    let line = r#"{"type":"rate_limit_event","rate_limit_info":{"status":"allowed","rateLimitType":"five_hour","utilization":0.25,"resetsAt":1790850000}}"#;
    let mut stdout = Stdout::new(Prices::embedded());
    let now = Now { mono: Mono(0), wall: Wall(7) };
    let output = OutputPlan::new(OutputMode::Quiet);
    let words = "claude -p --output-format stream-json".split(' ').map(str::to_owned).collect();
    let plan = ProcessPlan { output, ..ProcessPlan::new("it", words) };
    let capture = plan.capture().expect("a command that tells");
    stdout.line(RunId(1), &"it".into(), &capture, line.as_bytes(), now);
    let lost = Lost { too_long: 2, no_room: 3 };
    stdout.lost(RunId(1), &"it".into(), &capture, lost, now);
    let [batch] = stdout.settle(now, true).try_into().expect("one run");
    let quota = &batch.quotas[0];
    assert_eq!((quota.agent.as_str(), quota.window.as_str(), quota.used), ("claude", "5h", 0.25));
    assert_eq!((quota.resets, quota.at), (Some(Wall(1_790_850_000_000)), Wall(7)));
    assert_eq!((batch.lines.oversized, batch.lines.dropped), (2, 3));
}
