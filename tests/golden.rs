//! The exposition, byte by byte, in both formats. Whoever changes it on purpose runs the tests
//! once with `PROCESSION_BLESS=1` and reads the difference before committing it: every name and
//! label in it is an interface.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use procession::config;
use procession::ledger::fold::Ledger;
use procession::ledger::snapshot::Snapshot;
use procession::memory::{SelfFigures, leak};
use procession::metrics::catalogue::{self, Kind};
use procession::metrics::families::{LIVE_SESSIONS_SHOWN, Seen, exposition};
use procession::metrics::negotiate::Format;
use procession::units::Now;

use crate::picture;

fn shown(format: Format, snapshot: Snapshot) -> String {
    let (snapshot, own, output) = (Arc::new(snapshot), picture::own(), picture::output());
    exposition(format, Seen { snapshot: &snapshot, own: &own, output: &output, store: None })
}

/// Of a picture that nothing else is known beside.
fn alone(snapshot: Snapshot) -> String {
    let (snapshot, own) = (Arc::new(snapshot), SelfFigures::default());
    exposition(Format::Text004, Seen { snapshot: &snapshot, own: &own, output: &[], store: None })
}

fn text() -> String {
    shown(Format::Text004, picture::snapshot())
}

fn open_metrics() -> String {
    shown(Format::OpenMetrics100, picture::snapshot())
}

fn check_golden(name: &str, said: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("PROCESSION_BLESS").is_some() {
        std::fs::write(&path, said).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    let differing = kept.lines().zip(said.lines()).find(|(kept, said)| kept != said);
    assert!(kept == said, "{name} differs, first at {differing:?}; see tests/golden.rs");
}

#[test]
fn the_text_format_is_as_it_was() {
    check_golden("metrics.txt", &text());
}

#[test]
fn the_open_metrics_format_is_as_it_was() {
    check_golden("metrics.openmetrics.txt", &open_metrics());
}

#[test]
fn every_promised_metric_appears_in_the_golden_text_in_order_and_nothing_else_does() {
    let text = text();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let said: Vec<(&str, &str)> = types.filter_map(|rest| rest.split_once(' ')).collect();
    let promised: Vec<(&str, &str)> = catalogue::ALL
        .iter()
        .map(|metric| {
            let kind = match metric.kind {
                Kind::Counter => "counter",
                Kind::Gauge | Kind::Info => "gauge",
                Kind::Histogram => "histogram",
            };
            (metric.name, kind)
        })
        .collect();
    assert_eq!(said, promised);
}

#[test]
fn every_sample_carries_exactly_the_promised_labels_and_no_series_comes_twice() {
    let mut promised = BTreeMap::new();
    for metric in catalogue::ALL {
        for suffix in metric.suffixes() {
            let bound = ["le"].into_iter().filter(|_| *suffix == "_bucket");
            let labels: Vec<&str> = metric.labels.iter().copied().chain(bound).collect();
            promised.insert(format!("{}{suffix}", metric.name), labels);
        }
    }
    let mut seen = BTreeSet::new();
    for line in text().lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').expect("a value");
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        // No value in the picture has a quote or a comma.
        let labels = labels.trim_end_matches('}').split_terminator(',');
        let names: Vec<&str> =
            labels.map(|label| label.split_once('=').expect("a label").0).collect();
        assert_eq!(names, promised[name], "{line}");
        assert!(seen.insert(series.to_owned()), "{line}");
    }
    assert!(seen.len() > promised.len());
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    for text in [text(), alone(Snapshot::default())] {
        let mut promtool = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("promtool is needed: apt-get install prometheus (promtool in newer Debian)");
        promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = promtool.wait_with_output().unwrap();
        let said =
            String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.trim().is_empty(), "promtool: {said}");
    }
}

#[test]
fn what_is_not_known_is_absent_and_what_was_configured_counts_from_zero() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.yaml");
    let processes = "processes: {web: {command: a}, coder: {command: b, agent: claude}}\n";
    std::fs::write(&path, format!("{processes}store: memory\n")).expect("writable");
    let plan = config::load(&path).unwrap_or_else(|problems| panic!("{problems}")).plan;
    let ledger = Ledger::new(&plan, Now::default(), true, leak::detector, 7);
    let snapshot = ledger.snapshot(1, Now::default());
    let text = alone(snapshot);
    for expected in [
        "procession_process_restarts_total{process=\"web\"} 0",
        "procession_process_exits_total{process=\"web\",outcome=\"lost\"} 0",
        "procession_process_spawn_failures_total{process=\"web\",reason=\"not_found\"} 0",
        "procession_process_tokens_total{process=\"coder\",kind=\"cache_read\"} 0",
        "procession_sessions_opened_total{kind=\"process\",process=\"web\"} 0",
        "procession_sessions_ended_total{kind=\"process\",process=\"web\",outcome=\"failed\"} 0",
        "procession_sessions_opened_total{kind=\"conversation\",process=\"coder\"} 0",
        "procession_reaped_total{kind=\"orphan\"} 0",
        "procession_process_up{process=\"web\"} 0",
        "procession_process_state{process=\"web\",state=\"waiting\"} 1",
        "procession_process_memory_threshold_bytes{process=\"web\",level=\"warning\"} 4194304000",
    ] {
        assert!(text.lines().any(|line| line == expected), "{expected} is missing in:\n{text}");
    }
    for absent in [
        "procession_process_memory_resident_bytes",
        "procession_process_memory_level",
        "procession_process_leak_suspected",
        "procession_process_start_timestamp_seconds",
        "procession_process_last_exit",
        "procession_store_",
        "procession_signals_total",
        "procession_process_tokens_total{process=\"web\"",
        "procession_tokens_total",
        "process_cpu_seconds_total",
        "process_open_fds",
        "procession_session_info",
        "procession_price_table",
    ] {
        assert!(!text.lines().any(|line| line.starts_with(absent)), "{absent} is in:\n{text}");
    }
}

#[test]
fn a_cost_that_nobody_knows_is_absent_rather_than_zero() {
    let text = text();
    assert!(text.contains("procession_cost_usd_total{process=\"coder\",agent=\"claude\",provider=\"anthropic\",model=\"claude-opus-4-5\"} 0.125375\n"), "{text}");
    assert!(!text.contains(
        "procession_cost_usd_total{process=\"coder\",agent=\"claude\",provider=\"unknown\""
    ));
}

#[test]
fn only_the_newest_live_sessions_have_series_of_their_own() {
    let surplus = 6;
    let mut snapshot = Snapshot::default();
    let numbers = 0..(LIVE_SESSIONS_SHOWN + surplus) as u64;
    snapshot.sessions = numbers.map(|number| picture::run_of("web", number)).collect();
    let text = alone(snapshot);
    let shown =
        |number: u64| text.contains(&format!("session_id=\"{}\"", picture::session_id(number)));
    assert!(!shown(surplus as u64 - 1) && shown(surplus as u64));
    assert!(shown((LIVE_SESSIONS_SHOWN + surplus - 1) as u64));
    assert!(text.contains("procession_sessions{kind=\"process\",state=\"active\"} 70\n"), "{text}");
}
