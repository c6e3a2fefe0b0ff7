//! Files that are replaced, cut, renamed, deleted, or no files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::tokens::tail::corpus::append;
use crate::tokens::tail::scene::{EARLY, Scene, line};

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
