//! Measurements of the follower, run by hand: `cargo test --release --lib -- --ignored --nocapture
//! --test-threads 1 measure`.

use std::fmt::Arguments;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use crate::clock;
use crate::tokens::tail::corpus::{Corpus, append};
use crate::tokens::tail::scene::{EARLY, LATE, follower, line};
use crate::tokens::{TokenBatch, TokenCounts, TokenResume};

fn say(what: Arguments) {
    let _ = writeln!(std::io::stderr(), "{what}");
}

#[test]
#[ignore = "a measurement"]
fn measure_two_hundred_megabytes() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut truth = TokenCounts::default();
    for seed in 1..=20 {
        let part = Corpus::new(seed, 65);
        part.write(dir.path());
        truth = truth.plus(&part.truth.tokens);
    }
    let proc = |file: &str, key: &str| {
        let text = fs::read_to_string(format!("/proc/self/{file}")).expect("proc");
        text.lines().find(|line| line.starts_with(key)).unwrap_or_default().to_owned()
    };
    fs::write("/proc/self/clear_refs", "5").expect("the peak is forgotten");
    let (before, began) = (proc("status", "VmRSS"), Instant::now());
    let mut follower = follower(dir.path(), EARLY, TokenResume::default());
    let mut found = TokenCounts::default();
    let mut lines = Vec::new();
    let mut sum = |batches: Vec<TokenBatch>| {
        for batch in batches {
            found = batch.usages.iter().fold(found, |sum, usage| sum.plus(&usage.tokens));
            lines.push(batch.lines);
        }
    };
    sum(follower.poll(clock::now()));
    while follower.is_behind() {
        sum(follower.poll(clock::now()));
    }
    sum(follower.finish(clock::now()));
    let (took, files) = (began.elapsed(), follower.files());
    let bytes: u64 = lines.iter().map(|lines| lines.bytes).sum();
    say(format_args!("{bytes} bytes, {files} files, in {took:?}"));
    say(format_args!(
        "{before}, then {}, peak {}",
        proc("status", "VmRSS"),
        proc("status", "VmHWM")
    ));
    assert_eq!(found, truth);
}

#[test]
#[ignore = "a measurement"]
fn measure_an_idle_poll_of_old_files() {
    for count in [500, 10_000] {
        let dir = tempfile::tempdir().expect("a folder");
        let old = SystemTime::now() - Duration::from_secs(7_200);
        let age = |path: &Path| File::open(path).and_then(|file| file.set_modified(old));
        for number in 0..count {
            let path = dir.path().join(format!("p{}/{number}.jsonl", number % 20));
            append(&path, line(&number.to_string(), 1).as_bytes());
            age(&path).expect("an old file");
        }
        for number in 0..20 {
            age(&dir.path().join(format!("p{number}"))).expect("an old folder");
        }
        let mut follower = follower(dir.path(), LATE, TokenResume::default());
        while !follower.poll(clock::now()).is_empty() || follower.is_behind() {}
        let began = Instant::now();
        for _ in 0..1_000 {
            follower.poll(clock::now());
        }
        say(format_args!("{} files: {:?} a poll", follower.files(), began.elapsed() / 1_000));
    }
}
