//! Lines that are appended: whole, torn, long, and garbage.

use std::fs;

use crate::tokens::tail::Pause;
use crate::tokens::tail::corpus::append;
use crate::tokens::tail::scene::{EARLY, Scene, follower, line};
use crate::tokens::{Lag, TokenBatch, TokenResume};
use crate::units::{Now, Wall};

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
fn what_is_not_read_yet_is_told_with_since_when() {
    let mut scene = Scene::new(EARLY);
    let text = format!("{}\n", "x".repeat(1 << 20));
    let mut written = 0;
    for file in ["a.jsonl", "b.jsonl", "c.jsonl"] {
        (0..4).for_each(|_| scene.append(file, &text));
        written += 4 * text.len() as u64;
    }
    let now = scene.now();
    let lag = |batches: Vec<TokenBatch>| batches.into_iter().find_map(|batch| batch.lag);
    let first = lag(scene.follower.poll(now)).expect("it is behind");
    assert!(first.bytes > 0 && first.bytes < written, "{first:?}");
    assert_eq!(first.since, Some(now.wall));
    let mut last = first;
    for _ in 0..100 {
        let later = Now { wall: Wall(now.wall.0 + 7_000), ..now };
        last = lag(scene.follower.poll(later)).unwrap_or(last);
        assert!(last.since.is_none_or(|since| since == now.wall), "{last:?}");
    }
    assert_eq!(last, Lag::default());
}

#[test]
fn a_response_is_told_of_while_it_is_open_and_no_more_once_it_is_counted() {
    let mut scene = Scene::new(EARLY);
    scene.append("s.jsonl", &line("a", 1));
    scene.poll();
    assert_eq!((&scene.telling[..], &scene.outputs()[..]), (&[1][..], &[][..]));
    scene.append("s.jsonl", &line("a", 40));
    scene.append("s.jsonl", &line("b", 7));
    scene.poll();
    assert_eq!((&scene.telling[..], &scene.outputs()[..]), (&[40, 7][..], &[][..]));
    scene.ms += 500;
    scene.poll();
    assert_eq!((&scene.telling[..], &scene.outputs()[..]), (&[7][..], &[40][..]));
    assert_eq!(scene.follower.pause(), Pause::Short, "one is open");
    scene.quiet();
    assert_eq!((&scene.telling[..], &scene.outputs()[..]), (&[][..], &[40, 7][..]));
    assert_eq!(scene.follower.pause(), Pause::UntilTold);
    let again = scene.follower.poll(scene.now());
    assert!(again.is_empty(), "nothing is told twice: {again:?}");
}

#[test]
fn what_was_being_told_before_a_panic_is_taken_back() {
    let scene = Scene::new(EARLY);
    let mut anew = follower(scene.dir.path(), EARLY, TokenResume::default()).after_a_panic();
    let batches = anew.poll(scene.now());
    let taken_back: Vec<_> = batches
        .iter()
        .filter(|batch| batch.telling.as_ref().is_some_and(Vec::is_empty))
        .map(|batch| batch.process.as_deref())
        .collect();
    assert_eq!(taken_back, [None, Some("agent")]);
    assert!(anew.poll(scene.now()).iter().all(|batch| batch.telling.is_none()));
}
