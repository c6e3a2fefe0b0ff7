//! Recorded programs, replayed through the leak rule as it is shipped.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::read::GzDecoder;
use procession::config::plan::LeakRule;
use procession::memory::leak::{Setting, detector};
use procession::memory::{LeakState, TreeSample};
use procession::units::{Bytes, Mono, Now, RunId, Wall};

/// Well, and confirmed as leaks: they grow along a line for one to five minutes and then stop, as caches and heaps
/// do that fill. Until then nobody could know, and nothing was recorded of the hours behind.
const FALSE_ALARMS: [&str; 20] = [
    "bun_lru",
    "claude_idle",
    "django_queries",
    "flask_cache",
    "go_limit",
    "graphql_documents",
    "java_defaults",
    "java_lru",
    "java_shenandoah",
    "jest_watch",
    "jvm_cache",
    "mariadb_pool",
    "memcached_lru",
    "next_dev",
    "py_popular",
    "pypy_lru",
    "pypy_popular",
    "pypy_slow_fill",
    "pyright_language_server",
    "python_cap",
];

/// Leaks that begin late, or lie below much that comes and goes: what was recorded of them is too short.
const MISSED: [&str; 2] = ["node_strings_leak", "pypy_logs_leak"];

fn traces() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/leaks/traces")
}

/// Whether each recorded program leaks, and how many bytes it may have.
fn labels() -> BTreeMap<String, (bool, u64)> {
    let text = std::fs::read_to_string(traces().join("labels.csv")).expect("labels");
    let row = |line: &str| {
        let words: Vec<&str> = line.split(',').collect();
        (words[0].to_owned(), (words[1] == "1", words[4].parse().expect("a limit")))
    };
    text.lines().skip(1).map(row).collect()
}

fn samples(name: &str) -> Vec<TreeSample> {
    let file = std::fs::File::open(traces().join(format!("{name}.csv.gz"))).expect("a trace");
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).expect("text");
    let sample = |line: &str| {
        let (at, size) = line.split_once(',').expect("two columns");
        let at = Duration::from_secs_f64(at.parse().expect("a time"));
        let bytes = Bytes(size.parse().expect("a size"));
        TreeSample {
            run: RunId(1),
            at: Now { mono: Mono::default().after(at), wall: Wall(0) },
            resident: bytes,
            anonymous: bytes,
            largest: bytes,
            virtual_size: bytes,
            processes: 1,
            zombies: 0,
            oldest_zombie: None,
            cpu_seconds: 0.0,
        }
    };
    text.lines().skip(1).map(sample).collect()
}

/// Whether a leak is confirmed at any time of a series.
fn is_confirmed(series: &[TreeSample], limit: u64) -> bool {
    let interval = Duration::from_millis(500);
    let setting = Setting { rule: LeakRule::Robust, limit: Some(Bytes(limit)), interval };
    let mut rule = detector(&setting);
    series.iter().any(|sample| {
        rule.observe(sample);
        rule.verdict().state == LeakState::Confirmed
    })
}

#[test]
fn recorded_programs_leak_where_they_do_and_nowhere_else() {
    let labels = labels();
    assert!(labels.len() >= 150, "{} traces", labels.len());
    let (mut false_alarms, mut missed) = (Vec::new(), Vec::new());
    for (name, (leaks, limit)) in labels {
        match (leaks, is_confirmed(&samples(&name), limit)) {
            (false, true) => false_alarms.push(name),
            (true, false) => missed.push(name),
            _ => {}
        }
    }
    assert_eq!(false_alarms, FALSE_ALARMS);
    assert_eq!(missed, MISSED);
}
