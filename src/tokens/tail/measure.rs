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

/// Writes parts of some 11 MB each, as many files or as one.
fn written(dir: &Path, parts: u64, as_one: bool) -> TokenCounts {
    (1..=parts).fold(TokenCounts::default(), |truth, seed| {
        let mut part = Corpus::new(seed, 65);
        if as_one {
            part.steps.retain(|step| !step.path.ends_with("journal.jsonl"));
            part.steps.iter_mut().for_each(|step| step.path = "one.jsonl".into());
        }
        part.write(dir);
        truth.plus(&part.truth.tokens)
    })
}

fn proc_status(key: &str) -> String {
    let text = fs::read_to_string("/proc/self/status").expect("proc");
    text.lines().find(|line| line.starts_with(key)).unwrap_or_default().replace("\t ", "")
}

fn read_all(dir: &Path) -> (TokenCounts, u64, usize) {
    let mut follower = follower(dir, EARLY, TokenResume::default());
    let (mut found, mut bytes) = (TokenCounts::default(), 0);
    let mut sum = |batches: Vec<TokenBatch>| {
        for batch in batches {
            found = batch.usages.iter().fold(found, |sum, usage| sum.plus(&usage.tokens));
            bytes += batch.lines.bytes;
        }
    };
    sum(follower.poll(clock::now()));
    while follower.is_behind() {
        sum(follower.poll(clock::now()));
    }
    sum(follower.finish(clock::now()));
    (found, bytes, follower.files())
}

#[test]
#[ignore = "a measurement"]
fn measure_reading() {
    for (parts, as_one) in [(20, false), (20, true), (90, true)] {
        let dir = tempfile::tempdir().expect("a folder");
        let truth = written(dir.path(), parts, as_one);
        fs::write("/proc/self/clear_refs", "5").expect("the peak is forgotten");
        let (before, began) = (proc_status("VmRSS"), Instant::now());
        let (found, bytes, files) = read_all(dir.path());
        let took = began.elapsed();
        let (after, peak) = (proc_status("VmRSS"), proc_status("VmHWM"));
        say(format_args!("{bytes} bytes in {files} files: {took:?}; {before}, {after}, {peak}"));
        assert_eq!(found, truth);
    }
}

#[test]
#[ignore = "a measurement"]
fn measure_from_an_appended_line_to_its_booking() {
    let dir = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let follower = follower(dir.path(), EARLY, TokenResume::default());
        let (sender, mut receiver) = tokio::sync::mpsc::channel(16);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let stopped = async { drop(stopped.await) };
        let task = tokio::spawn(crate::tokens::tail::follow(follower, sender, stopped));
        for (id, end) in [("a", "\"end_turn\""), ("b", "null")] {
            let line =
                line(id, 1).replace("\"usage\"", &format!("\"stop_reason\":{end},\"usage\""));
            append(&dir.path().join("s.jsonl"), line.as_bytes());
            let began = Instant::now();
            while receiver.recv().await.is_some_and(|batch| batch.usages.is_empty()) {}
            say(format_args!("stop reason {end}: booked after {:?}", began.elapsed()));
        }
        drop(stop);
        while receiver.recv().await.is_some() {}
        task.await.expect("the follower ends");
    });
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
