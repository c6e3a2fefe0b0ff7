//! What takes the place of a file, and files that are mostly nothing or closed to us: nobody is waited
//! for, nothing is counted twice, and the others are read on.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::stat::Mode;
use nix::unistd::{Uid, mkfifo, setfsuid};

use crate::tokens::tail::corpus::append;
use crate::tokens::tail::offline::{Scan, scan};
use crate::tokens::tail::plain::{self, Links};
use crate::tokens::tail::scene::{EARLY, Scene, line};

fn fifo(path: &Path) {
    mkfifo(path, Mode::S_IRWXU).expect("a pipe");
}

/// Runs what may hang, and gives up on it.
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, end) = mpsc::channel();
    std::thread::spawn(move || done.send(work()));
    end.recv_timeout(Duration::from_secs(60)).expect("it waits for somebody")
}

fn scanned(paths: Vec<PathBuf>) -> Scan {
    in_time(move || scan(&paths))
}

#[test]
fn a_pipe_is_opened_by_nobody_and_not_waited_for() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("s.jsonl");
    fifo(&path);
    let of_pipe = path.clone();
    assert!(in_time(move || plain::open(&of_pipe, Links::Refuse)).is_err());
    let found = scanned(vec![dir.path().to_owned()]);
    assert_eq!((found.files, found.faults.len()), (0, 0));
    let named = scanned(vec![path]);
    assert_eq!(named.files, 0);
    assert!(named.faults[0].1.to_string().contains("neither a plain file"), "{:?}", named.faults);
}

#[test]
fn what_takes_the_place_of_a_file_is_not_read_and_the_file_counts_once_when_it_is_back() {
    type Place = fn(&Path, &Path);
    let places: [(&str, Place); 3] = [
        ("pipe", |path, _| fifo(path)),
        ("link", |path, elsewhere| symlink(elsewhere, path).expect("a link")),
        ("folder", |path, _| fs::create_dir(path).expect("a folder")),
    ];
    for (name, place) in places {
        let elsewhere = tempfile::NamedTempFile::new().expect("a file");
        append(elsewhere.path(), line("out", 99).as_bytes());
        let mut scene = Scene::new(EARLY);
        scene.append("s.jsonl", &line("a", 1));
        scene.quiet();
        let (path, aside) = (scene.path("s.jsonl"), scene.path("aside"));
        fs::rename(&path, &aside).expect("moved");
        place(&path, elsewhere.path());
        scene.append("other.jsonl", &line("b", 2));
        scene.quiet();
        assert_eq!(scene.outputs(), [1, 2], "{name}");
        let gone = if name == "folder" { fs::remove_dir(&path) } else { fs::remove_file(&path) };
        gone.expect("removed");
        append(&aside, line("c", 3).as_bytes());
        fs::rename(&aside, &path).expect("moved");
        scene.quiet();
        scene.quiet();
        assert_eq!(scene.outputs(), [1, 2, 3], "{name}");
    }
}

#[test]
fn a_scan_follows_no_link_below_what_it_was_given_and_no_circle() {
    let elsewhere = tempfile::tempdir().expect("a folder");
    append(&elsewhere.path().join("out.jsonl"), line("out", 99).as_bytes());
    let dir = tempfile::tempdir().expect("a folder");
    append(&dir.path().join("s.jsonl"), line("a", 1).as_bytes());
    let link = |to: &Path, name: &str| symlink(to, dir.path().join(name)).expect("a link");
    link(&elsewhere.path().join("out.jsonl"), "file.jsonl");
    link(elsewhere.path(), "folder");
    link(dir.path(), "circle");
    let found = scanned(vec![dir.path().to_owned()]);
    assert_eq!((found.files, found.tally.len(), found.faults.len()), (1, 1, 0));
}

#[test]
fn of_a_sparse_file_only_what_was_written_is_read() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("s.jsonl");
    append(&path, line("a", 1).as_bytes());
    let file = OpenOptions::new().write(true).open(&path).expect("a file");
    // More than could be read in the time that this test has.
    let hole = 1 << 40;
    file.write_all_at(format!("\n{}", line("b", 2)).as_bytes(), hole).expect("room");
    file.set_len(2 * hole).expect("a hole at the end");
    let found = scanned(vec![path.clone()]);
    assert_eq!((found.tally.len(), found.lines.oversized), (2, 2));

    let (outputs, lines) = in_time(move || {
        let mut scene = Scene::after(EARLY, |root| {
            fs::rename(&path, root.join("s.jsonl")).expect("moved");
        });
        scene.append("other.jsonl", &line("c", 3));
        scene.quiet();
        // Behind the hole is written on.
        let path = scene.path("s.jsonl");
        append(&path, format!("\n{}", line("d", 4)).as_bytes());
        scene.quiet();
        let mut outputs = scene.outputs();
        outputs.sort_unstable();
        (outputs, scene.lines)
    });
    assert_eq!((outputs, lines.oversized), (vec![1, 2, 3, 4], 2));
}

#[test]
fn a_file_that_is_closed_to_us_is_read_when_it_is_opened() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("s.jsonl");
    append(&path, line("a", 1).as_bytes());
    let open = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("ours");
    // Root reads everything: so as somebody else, on this thread alone.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("ours");
    let root = Uid::effective().is_root();
    let as_nobody = |nobody: bool| {
        if root {
            setfsuid(if nobody { Uid::from_raw(65_534) } else { Uid::from_raw(0) });
        }
    };
    open(0o000);
    let mut scene = Scene::after(EARLY, |_| {});
    scene.follower = crate::tokens::tail::scene::follower(
        dir.path(),
        EARLY,
        crate::tokens::TokenResume::default(),
    );
    as_nobody(true);
    assert!(File::open(&path).is_err(), "it is closed");
    append(&dir.path().join("other.jsonl"), line("b", 2).as_bytes());
    scene.quiet();
    assert_eq!(scene.outputs(), [2], "the others are read");
    let found = scan(&[dir.path().to_owned()]);
    as_nobody(false);
    assert_eq!((found.tally.len(), found.faults.len()), (1, 1));
    open(0o644);
    as_nobody(true);
    scene.quiet();
    scene.quiet();
    as_nobody(false);
    assert_eq!(scene.outputs(), [2, 1]);
}

#[test]
fn a_file_that_is_rotated_in_the_middle_of_a_response_counts_it_once_and_whole() {
    // As logrotate does: by a new name and a new file, or by a copy and a cut.
    type Rotate = fn(&Path);
    let ways: [(&str, Rotate); 2] = [
        ("renamed", |path| fs::rename(path, path.with_file_name("s-1.jsonl")).expect("moved")),
        ("cut", |path| {
            fs::copy(path, path.with_file_name("s-1.jsonl")).expect("copied");
            File::options().write(true).truncate(true).open(path).expect("cut");
        }),
    ];
    for (name, rotate) in ways {
        let mut scene = Scene::new(EARLY);
        scene.append("s.jsonl", &format!("{}{}", line("a", 1), line("b", 2)));
        scene.poll();
        rotate(&scene.path("s.jsonl"));
        scene.append("s.jsonl", &format!("{}{}", line("b", 20), line("c", 3)));
        scene.quiet();
        scene.quiet();
        assert_eq!(scene.outputs(), [1, 20, 3], "{name}");
        scene.restart();
        scene.append("s.jsonl", &line("d", 4));
        scene.quiet();
        scene.quiet();
        assert_eq!(scene.outputs(), [1, 20, 3, 4], "{name}, in the next life");
        assert_eq!(scene.corrections, 0);
    }
}
