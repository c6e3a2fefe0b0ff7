//! What was there before us: known, and not counted.

use std::fs::File;
use std::time::{Duration, SystemTime};

use crate::clock;
use crate::secret::masker::Masker;
use crate::tokens::TokenResume;
use crate::tokens::price::Prices;
use crate::tokens::source::Source;
use crate::tokens::tail::corpus::append;
use crate::tokens::tail::scene::{LATE, Scene, claim, follower, line, line_of, owner};
use crate::tokens::tail::{Follower, Start};
use crate::units::{Mono, Now, Wall};

#[test]
fn history_is_known_but_not_counted() {
    let mut scene = Scene::after(LATE, |root| {
        append(&root.join("p/old.jsonl"), line("a", 1).as_bytes());
        append(&root.join("p/old.jsonl"), &line("b", 2).as_bytes()[..60]);
    });
    scene.quiet();
    assert_eq!((scene.usages.len(), scene.stored.seen.len()), (0, 1));
    // Completed, appended to, and forked after we came.
    scene.append("p/old.jsonl", &line("b", 2)[60..]);
    scene.append("p/old.jsonl", &line("c", 3));
    scene.append("p/fork.jsonl", &line_of("a", 1, "s2", "/src"));
    scene.append("p/fork.jsonl", &line_of("d", 4, "s2", "/src"));
    scene.quiet();
    let mut outputs = scene.outputs();
    outputs.sort_unstable();
    assert_eq!(outputs, [2, 3, 4]);
}

#[test]
fn history_is_counted_when_asked_for() {
    let dir = tempfile::tempdir().expect("a folder");
    append(&dir.path().join("old.jsonl"), line("a", 5).as_bytes());
    let sources = Source::merged([claim(dir.path(), owner("agent", None))]);
    let start = Start {
        at: LATE,
        resume: TokenResume::default(),
        count_history: true,
        prices: Prices::embedded(),
        excerpts: Some(Masker::default()),
    };
    let batches = Follower::new(sources, start).finish(clock::now());
    assert_eq!(batches.iter().flat_map(|b| &b.usages).count(), 1);
}

#[test]
fn a_file_that_was_born_in_our_life_is_no_history_even_if_we_find_it_late() {
    let begun = clock::now().wall;
    let mut scene = Scene::after(begun, |root| {
        append(&root.join("p/x/new.jsonl"), line("a", 9).as_bytes());
    });
    scene.quiet();
    assert_eq!(scene.outputs(), [9]);
}

#[test]
fn a_folder_that_comes_later_has_no_history() {
    let dir = tempfile::tempdir().expect("a folder");
    let root = dir.path().join("projects");
    let mut follower = follower(&root, LATE, TokenResume::default());
    assert_eq!(follower.poll(clock::now()), []);
    append(&root.join("p/s.jsonl"), line("a", 9).as_bytes());
    let batches = follower.finish(clock::now());
    assert_eq!(batches.iter().flat_map(|b| &b.usages).count(), 1);
    assert!(batches.iter().flat_map(|b| &b.progress).any(|row| row.path == root));
}

#[test]
fn a_history_that_was_read_in_part_is_history_in_the_next_life_too() {
    let padding = format!("{}\n", "x".repeat(1 << 20));
    let mut scene = Scene::after(LATE, |root| {
        append(&root.join("old.jsonl"), line("a", 1).as_bytes());
        for _ in 0..10 {
            append(&root.join("old.jsonl"), padding.as_bytes());
        }
        append(&root.join("old.jsonl"), line("b", 2).as_bytes());
    });
    for batch in scene.follower.poll(scene.now()) {
        scene.store(batch);
    }
    assert!(scene.follower.is_behind());
    scene.restart();
    scene.quiet();
    assert_eq!((scene.usages.len(), scene.stored.seen.len()), (0, 2));
    scene.restart();
    scene.append("new.jsonl", &line("c", 3));
    scene.quiet();
    assert_eq!(scene.outputs(), [3]);
}

#[test]
fn lines_written_since_we_began_count_in_a_file_that_is_older() {
    let dir = tempfile::tempdir().expect("a folder");
    let begun = Wall(clock::now().wall.0 + 60_000);
    let stamped = |id: &str, ms: i64| {
        let at = Wall(begun.0 + ms).to_string();
        line(id, 1).replace("2026-10-01T10:00:00Z", &at)
    };
    for (id, ms) in [("before", -1), ("since", 1_000), ("to come", 90_000)] {
        append(&dir.path().join("s.jsonl"), stamped(id, ms).as_bytes());
    }
    let mut follower = follower(dir.path(), begun, TokenResume::default());
    let now = Now { mono: Mono(0), wall: Wall(begun.0 + 30_000) };
    let batches = follower.finish(now);
    let usages: Vec<_> = batches.iter().flat_map(|b| &b.usages).map(|u| u.at.0).collect();
    assert_eq!(usages, [begun.0 + 1_000]);
    assert_eq!(batches.iter().map(|b| b.seeded.len()).sum::<usize>(), 2);
}

#[test]
fn old_files_that_are_written_to_again_are_noticed_at_once() {
    let mut scene = Scene::after(LATE, |root| {
        let old = SystemTime::now() - Duration::from_secs(7_200);
        for number in 0..600 {
            let path = root.join(format!("{number}.jsonl"));
            append(&path, line(&format!("old {number}"), 1).as_bytes());
            File::open(path).and_then(|file| file.set_modified(old)).expect("an old file");
        }
    });
    scene.quiet();
    for number in [0, 299, 599] {
        scene.append(&format!("{number}.jsonl"), &line(&format!("new {number}"), number));
    }
    let before = scene.lines.bytes;
    scene.poll();
    // The kernel told of them: not one had to wait for its turn.
    let written = [0, 299, 599].map(|number| line(&format!("new {number}"), number).len() as u64);
    assert_eq!(scene.lines.bytes - before, written.iter().sum::<u64>());
    scene.quiet();
    let mut outputs = scene.outputs();
    outputs.sort_unstable();
    assert_eq!(outputs, [0, 299, 599]);
}
