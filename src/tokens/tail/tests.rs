//! The follower on real files: appended to, torn, replaced, replayed, and followed by one life after
//! another.

use std::collections::HashSet;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;

use crate::clock;
use crate::secret::masker::Masker;
use crate::tokens::price::Prices;
use crate::tokens::source::Source;
use crate::tokens::tail::corpus::{Corpus, append};
use crate::tokens::tail::scene::{EARLY, LATE, Scene, follower, line, line_of, owner};
use crate::tokens::tail::{Follower, Start, follow};
use crate::tokens::{TokenResume, Usage};
use crate::units::{Mono, Now, Wall};

#[test]
fn appended_lines_count_once_and_only_they_are_read() {
    let mut scene = Scene::new(EARLY);
    let mut bytes = 0;
    for (id, output) in [("a", 1), ("b", 2), ("c", 3)] {
        scene.append("p/s.jsonl", &line(id, output));
        scene.quiet();
        bytes += line(id, output).len() as u64;
        assert_eq!(scene.lines.bytes, bytes);
    }
    assert_eq!(scene.outputs(), [1, 2, 3]);
    assert_eq!(scene.usages[0].conversation, "s1");
    assert_eq!(scene.usages[0].agent, "claude");
    assert_eq!(scene.offset("p/s.jsonl"), Some(bytes));
}

#[test]
fn a_poll_that_finds_nothing_hands_on_nothing() {
    let mut scene = Scene::new(EARLY);
    scene.append("p/s.jsonl", &line("a", 1));
    scene.quiet();
    for _ in 0..3 {
        scene.ms += 500;
        assert_eq!(scene.follower.poll(scene.now()), []);
    }
}

#[test]
fn a_line_that_is_completed_later_counts_then() {
    let mut scene = Scene::new(EARLY);
    let text = line("a", 7);
    for part in [&text[..50], &text[50..text.len() - 1]] {
        scene.append("s.jsonl", part);
        scene.quiet();
        assert_eq!((scene.usages.len(), scene.lines.malformed), (0, 0));
        assert_eq!(scene.offset("s.jsonl"), Some(0));
    }
    scene.append("s.jsonl", "\n");
    scene.quiet();
    assert_eq!(scene.outputs(), [7]);
}

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
    let sources = Source::merged([(dir.path().to_owned(), owner("agent", None))]);
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
fn a_restart_in_the_middle_of_a_response_counts_it_once_and_whole() {
    let mut scene = Scene::new(EARLY);
    scene.append("s.jsonl", &line("a", 1));
    scene.poll();
    scene.append("s.jsonl", &line("b", 1));
    scene.poll();
    scene.ms += 500;
    scene.poll();
    assert_eq!(scene.outputs(), [1], "the first is closed, the second is open");
    assert_eq!(scene.offset("s.jsonl"), Some(line("a", 1).len() as u64));
    scene.restart();
    scene.append("s.jsonl", &line("b", 40));
    scene.append("s.jsonl", &line("a", 1));
    scene.quiet();
    assert_eq!(scene.outputs(), [1, 40]);
}

#[test]
fn what_was_written_while_we_were_down_counts_in_the_new_life() {
    let mut scene = Scene::new(EARLY);
    scene.append("s.jsonl", &line("a", 1));
    scene.quiet();
    scene.append("s.jsonl", &line("b", 2));
    scene.append("p/other.jsonl", &line("c", 3));
    scene.restart();
    scene.quiet();
    let mut outputs = scene.outputs();
    outputs.sort_unstable();
    assert_eq!(outputs, [1, 2, 3]);
}

/// Writes `first`, lets it be read, lets `change` do something to the file, and tells which outputs
/// were counted in the end.
fn after_change(change: impl Fn(&Path), restarts: bool) -> Vec<u64> {
    let mut scene = Scene::new(EARLY);
    scene.append("s.jsonl", &format!("{}{}", line("a", 1), line("b", 2)));
    scene.quiet();
    change(&scene.path("s.jsonl"));
    if restarts {
        scene.restart();
    }
    // A name that was given to another file is seen at the second look.
    scene.quiet();
    scene.quiet();
    assert_eq!(scene.corrections, 0);
    scene.outputs()
}

#[test]
fn a_file_that_is_not_what_it_was_is_read_anew_and_nothing_counts_twice() {
    type Change = (&'static str, fn(&Path), &'static [u64]);
    let changes: [Change; 6] = [
        ("shrunk", |path| fs::write(path, line("a", 1)).expect("write"), &[1, 2]),
        (
            "rewritten longer",
            |path| {
                let text = format!("{}{}{}", line("x", 8), line("a", 1), line("y", 9));
                fs::write(path, text).expect("write");
            },
            &[1, 2, 8, 9],
        ),
        (
            "rewritten as long",
            |path| {
                fs::write(path, format!("{}{}", line("x", 8), line("y", 9))).expect("write");
            },
            &[1, 2, 8, 9],
        ),
        (
            "replaced",
            |path| {
                let new = path.with_extension("tmp");
                fs::write(&new, format!("{}{}{}", line("x", 8), line("b", 2), line("c", 3)))
                    .expect("write");
                fs::rename(new, path).expect("rename");
            },
            &[1, 2, 3, 8],
        ),
        (
            "deleted and made again",
            |path| {
                fs::remove_file(path).expect("remove");
                fs::write(path, format!("{}{}{}", line("c", 3), line("a", 1), line("d", 4)))
                    .expect("write");
            },
            &[1, 2, 3, 4],
        ),
        (
            "renamed and written on",
            |path| {
                let new = path.with_file_name("t.jsonl");
                fs::rename(path, &new).expect("rename");
                append(&new, line("c", 3).as_bytes());
                append(path, line("d", 4).as_bytes());
            },
            &[1, 2, 3, 4],
        ),
    ];
    for (name, change, outputs) in changes {
        for restarts in [false, true] {
            // The old name, the old inode and a line that ends at the old place: across lives that
            // is the old file. (A file that is made again may be given the inode of the one before.)
            if restarts && (name.starts_with("rewritten") || name.starts_with("deleted")) {
                continue;
            }
            let mut found = after_change(change, restarts);
            found.sort_unstable();
            assert_eq!(found, outputs, "{name}, restarted: {restarts}");
        }
    }
}

#[test]
fn a_renamed_file_is_not_read_again() {
    let mut scene = Scene::new(EARLY);
    scene.append("s.jsonl", &line("a", 1));
    scene.quiet();
    fs::rename(scene.path("s.jsonl"), scene.path("t.jsonl")).expect("rename");
    scene.append("t.jsonl", &line("b", 2));
    scene.quiet();
    assert_eq!(scene.outputs(), [1, 2]);
    assert_eq!(scene.lines.bytes, (line("a", 1) + &line("b", 2)).len() as u64);
    assert_eq!(scene.files, 1);
    assert_eq!(scene.offset("t.jsonl"), Some(scene.lines.bytes));
}

#[test]
fn a_deleted_file_is_forgotten_and_what_it_opened_still_counts() {
    let mut scene = Scene::new(EARLY);
    scene.append("p/s.jsonl", &line("a", 1));
    scene.poll();
    fs::remove_dir_all(scene.path("p")).expect("remove");
    scene.quiet();
    assert_eq!((scene.outputs(), scene.files), (vec![1], 0));
    scene.append("p/s.jsonl", &line("b", 2));
    scene.quiet();
    assert_eq!(scene.outputs(), [1, 2]);
}

#[test]
fn a_line_of_fifty_megabytes_is_passed_over_and_the_next_counts() {
    let mut scene = Scene::new(EARLY);
    scene.append("s.jsonl", &line("a", 1));
    let megabyte = "x".repeat(1 << 20);
    scene.append("s.jsonl", r#"{"type":"assistant","message":{"usage":""#);
    for _ in 0..50 {
        scene.append("s.jsonl", &megabyte);
    }
    scene.quiet();
    assert_eq!((scene.outputs(), scene.lines.oversized), (vec![1], 1));
    assert_eq!(scene.offset("s.jsonl"), Some(line("a", 1).len() as u64), "never inside a line");
    scene.append("s.jsonl", &format!("{megabyte}\n{}", line("b", 2)));
    scene.quiet();
    assert_eq!((scene.outputs(), scene.lines.oversized), (vec![1, 2], 1));
    assert_eq!(scene.offset("s.jsonl"), Some(fs::metadata(scene.path("s.jsonl")).unwrap().len()));
}

#[test]
fn a_usage_line_of_megabytes_counts() {
    let mut scene = Scene::new(EARLY);
    let long = line("a", 1).replacen("/src", &"y".repeat(5 << 20), 1);
    scene.append("s.jsonl", &format!("{long}{}", line("b", 2)));
    scene.quiet();
    assert_eq!((scene.outputs(), scene.lines.oversized), (vec![1, 2], 0));
}

#[test]
fn lines_at_every_place_of_a_buffer_are_read_whole() {
    let mut scene = Scene::new(EARLY);
    let mut text = String::new();
    for id in 0..400 {
        text.push_str(&line(&format!("m{id}"), 1));
        text.push_str(&"z".repeat(97 * id % 1_231));
        text.push('\n');
    }
    scene.append("s.jsonl", &text);
    scene.quiet();
    assert_eq!(scene.usages.len(), 400);
    assert_eq!(scene.lines.bytes, text.len() as u64);
}

#[test]
fn garbage_is_counted_and_hurts_nothing() {
    let mut scene = Scene::new(EARLY);
    scene.append("s.jsonl", "\0\0\0\n\n\r\n{\"usage\"\n\u{1}\u{2}\n[[[[[\n");
    append(&scene.path("s.jsonl"), b"\xff\xfe \"usage\" \xf0\x28\n");
    scene.append("s.jsonl", &format!("\0\0{}", line("a", 1)));
    scene.quiet();
    assert_eq!((scene.outputs(), scene.lines.malformed), (vec![1], 2));
    assert_eq!(scene.lines.ignored, 5);
}

#[test]
fn a_large_file_does_not_starve_a_small_one() {
    let mut scene = Scene::new(EARLY);
    let padding = format!("{}\n", "x".repeat(1 << 20));
    for _ in 0..24 {
        scene.append("a.jsonl", &padding);
    }
    scene.append("b.jsonl", &line("b", 2));
    for _ in 0..2 {
        for batch in scene.follower.poll(scene.now()) {
            scene.store(batch);
        }
    }
    assert!(scene.follower.is_behind() && scene.lines.counted == 1);
}

#[test]
fn only_transcripts_are_read_and_links_are_not_followed() {
    let outside = tempfile::tempdir().expect("a folder");
    append(&outside.path().join("x.jsonl"), line("out", 1).as_bytes());
    let mut scene = Scene::new(EARLY);
    scene.append("p/s/subagents/journal.jsonl", &line("a", 1));
    scene.append("p/s.json", &line("b", 1));
    scene.append("p/dir.jsonl/s.jsonl", &line("c", 3));
    symlink(outside.path(), scene.path("link")).expect("a link");
    symlink(outside.path().join("x.jsonl"), scene.path("link.jsonl")).expect("a link");
    symlink(scene.dir.path(), scene.path("p/loop")).expect("a link");
    let made = Command::new("mkfifo").arg(scene.path("p/fifo.jsonl")).status();
    assert!(made.expect("mkfifo").success());
    scene.quiet();
    assert_eq!(scene.outputs(), [3]);
    assert_eq!(scene.files, 1);
}

#[test]
fn processes_that_share_a_folder_are_told_apart_by_where_they_work() {
    let dir = tempfile::tempdir().expect("a folder");
    let root = dir.path();
    let text = [
        line_of("a", 1, "s", "/src/a"),
        line_of("b", 2, "s", "/src/b/deep"),
        line_of("c", 3, "s", "/elsewhere"),
    ];
    append(&root.join("s.jsonl"), text.concat().as_bytes());
    let claims =
        [("a", "/src/a"), ("b", "/src/b")].map(|(p, dir)| (root.into(), owner(p, Some(dir))));
    let start = Start {
        at: EARLY,
        resume: TokenResume::default(),
        count_history: false,
        prices: Prices::embedded(),
        excerpts: Some(Masker::default()),
    };
    let batches = Follower::new(Source::merged(claims), start).finish(clock::now());
    let found: Vec<_> = batches
        .iter()
        .flat_map(|b| b.usages.iter().map(|u| (b.process.as_deref(), u.tokens.output)))
        .collect();
    assert_eq!(found, [(None, 3), (Some("a"), 1), (Some("b"), 2)]);
    let (last, before) = batches.split_last().expect("batches");
    assert!(!last.progress.is_empty());
    let after_usage = before.iter().rev().take_while(|b| !b.usages.is_empty());
    assert!(after_usage.into_iter().all(|b| b.progress.is_empty()), "offsets come last");
}

#[test]
fn a_corpus_with_every_trap_has_exactly_its_true_totals() {
    for seed in 1..=3 {
        let corpus = Corpus::new(seed, 30);
        let mut scene = Scene::new(EARLY);
        corpus.write(scene.dir.path());
        scene.quiet();
        assert_eq!(scene.truth(), corpus.truth, "seed {seed}");
        assert_eq!(scene.corrections, 0);
    }
}

#[test]
fn the_same_totals_come_live_through_twenty_lives_each_ended_by_a_kill() {
    for seed in 1..=3 {
        let mut corpus = Corpus::new(seed, 12);
        let mut scene = Scene::new(EARLY);
        let steps = std::mem::take(&mut corpus.steps);
        let each = steps.len() / 20;
        for (number, step) in steps.iter().enumerate() {
            step.write(scene.dir.path());
            scene.ms += 400;
            if corpus.below(3) == 0 {
                continue;
            }
            let mut batches = scene.follower.poll(scene.now());
            if number % each == each - 1 {
                // Killed before the store had all of it.
                let kept = corpus.below(batches.len() as u64 + 1) as usize;
                batches.truncate(kept);
                batches.into_iter().for_each(|batch| scene.store(batch));
                scene.restart();
                continue;
            }
            batches.into_iter().for_each(|batch| scene.store(batch));
        }
        scene.quiet();
        let dup = scene.usages.len() - keys(&scene.usages);
        assert_eq!((scene.truth(), dup), (corpus.truth, 0), "seed {seed}");
    }
}

fn keys(usages: &[Usage]) -> usize {
    usages.iter().map(|usage| usage.key).collect::<HashSet<_>>().len()
}

#[tokio::test]
async fn a_full_queue_is_waited_for_and_the_end_closes_what_is_open() {
    let dir = tempfile::tempdir().expect("a folder");
    for id in 0..50 {
        let text = line_of(&format!("m{id}"), 1, "s", &format!("/{id}"));
        append(&dir.path().join("s.jsonl"), text.as_bytes());
    }
    let claims =
        (0..50).map(|p| (dir.path().to_owned(), owner(&p.to_string(), Some(&format!("/{p}")))));
    let start = Start {
        at: EARLY,
        resume: TokenResume::default(),
        count_history: false,
        prices: Prices::embedded(),
        excerpts: Some(Masker::default()),
    };
    let follower = Follower::new(Source::merged(claims), start);
    let (sender, mut receiver) = mpsc::channel(1);
    let (_told, sources) = tokio::sync::watch::channel(Vec::new());
    let task = tokio::spawn(follow(follower, sources, sender, std::future::ready(())));
    let mut count = 0;
    while let Some(batch) = receiver.recv().await {
        count += batch.usages.len();
    }
    task.await.expect("the follower ends");
    assert_eq!(count, 50);
}

#[tokio::test]
async fn folders_that_are_told_of_later_are_followed_and_inner_ones_win() {
    let dir = tempfile::tempdir().expect("a folder");
    let inner = dir.path().join("inner");
    fs::create_dir(&inner).expect("a folder");
    let outer = vec![(dir.path().to_owned(), owner("outer", None))];
    let start = Start {
        at: EARLY,
        resume: TokenResume::default(),
        count_history: false,
        prices: Prices::embedded(),
        excerpts: Some(Masker::default()),
    };
    let (told, sources) = tokio::sync::watch::channel(Source::merged(outer.clone()));
    let follower = Follower::new(sources.borrow().clone(), start);
    let (sender, mut receiver) = mpsc::channel(8);
    let task = tokio::spawn(follow(follower, sources, sender, std::future::pending()));
    append(&dir.path().join("a.jsonl"), line("first", 1).as_bytes());
    let mut next = async || loop {
        let batch = receiver.recv().await.expect("it follows");
        if let [usage] = batch.usages.as_slice() {
            return (batch.process.map(|process| process.to_string()), usage.tokens.output);
        }
    };
    assert_eq!(next().await, (Some("outer".to_owned()), 1));
    let both = outer.into_iter().chain([(inner.clone(), owner("inner", None))]);
    told.send_replace(Source::merged(both));
    append(&inner.join("b.jsonl"), line("second", 2).as_bytes());
    assert_eq!(next().await, (Some("inner".to_owned()), 2));
    append(&dir.path().join("a.jsonl"), line("third", 3).as_bytes());
    assert_eq!(next().await, (Some("outer".to_owned()), 3));
    drop(told);
    append(&inner.join("b.jsonl"), line("fourth", 4).as_bytes());
    assert_eq!(next().await, (Some("inner".to_owned()), 4));
    task.abort();
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
fn old_files_that_are_written_to_again_are_noticed_in_turn() {
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
    for _ in 0..3 {
        scene.poll();
    }
    scene.quiet();
    let mut outputs = scene.outputs();
    outputs.sort_unstable();
    assert_eq!(outputs, [0, 299, 599]);
}
