//! Folders: whose they are, and those that come later.

use std::fs;
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::{mpsc, watch};

use crate::clock;
use crate::secret::masker::Masker;
use crate::tokens::TokenResume;
use crate::tokens::price::Prices;
use crate::tokens::source::Source;
use crate::tokens::tail::corpus::append;
use crate::tokens::tail::scene::{EARLY, claim, line, line_of, owner};
use crate::tokens::tail::{Follower, Start, Tidings, follow};

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
        [("a", "/src/a"), ("b", "/src/b")].map(|(p, dir)| claim(root, owner(p, Some(dir))));
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

#[tokio::test]
async fn a_full_queue_is_waited_for_and_the_end_closes_what_is_open() {
    let dir = tempfile::tempdir().expect("a folder");
    for id in 0..50 {
        let text = line_of(&format!("m{id}"), 1, "s", &format!("/{id}"));
        append(&dir.path().join("s.jsonl"), text.as_bytes());
    }
    let claims = (0..50).map(|p| claim(dir.path(), owner(&p.to_string(), Some(&format!("/{p}")))));
    let start = Start {
        at: EARLY,
        resume: TokenResume::default(),
        count_history: false,
        prices: Prices::embedded(),
        excerpts: Some(Masker::default()),
    };
    let follower = Follower::new(Source::merged(claims), start);
    let (sender, mut receiver) = mpsc::channel(1);
    let (_told, sources) = watch::channel(Vec::new());
    let task = tokio::spawn(follow(follower, tidings(sources), sender, std::future::ready(())));
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
    let outer = vec![claim(dir.path(), owner("outer", None))];
    let start = Start {
        at: EARLY,
        resume: TokenResume::default(),
        count_history: false,
        prices: Prices::embedded(),
        excerpts: Some(Masker::default()),
    };
    let (told, sources) = watch::channel(Source::merged(outer.clone()));
    let follower = Follower::new(sources.borrow().clone(), start);
    let (sender, mut receiver) = mpsc::channel(8);
    let task = tokio::spawn(follow(follower, tidings(sources), sender, std::future::pending()));
    append(&dir.path().join("a.jsonl"), line("first", 1).as_bytes());
    let mut next = async || loop {
        let batch = receiver.recv().await.expect("it follows");
        if let [usage] = batch.usages.as_slice() {
            return (batch.process.map(|process| process.to_string()), usage.tokens.output);
        }
    };
    assert_eq!(next().await, (Some("outer".to_owned()), 1));
    let both = outer.into_iter().chain([claim(&inner, owner("inner", None))]);
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

/// Of folders that may change, and of prices that do not.
fn is_rung(bell: &std::os::fd::OwnedFd) -> bool {
    let mut waited = [PollFd::new(bell.as_fd(), PollFlags::POLLIN)];
    poll(&mut waited, PollTimeout::ZERO).expect("it can be waited for") > 0
}

#[test]
fn a_folder_that_is_made_later_and_one_that_is_made_again_ring_when_they_are_written_to() {
    let dir = tempfile::tempdir().expect("a folder");
    let root = dir.path().join("later");
    let mut follower = crate::tokens::tail::scene::follower(&root, EARLY, TokenResume::default());
    let bell = follower.bell().expect("the kernel tells");
    let mut look = || {
        for _ in 0..3 {
            follower.poll(clock::now());
        }
    };
    look();
    for life in 1..=2 {
        fs::create_dir(&root).expect("made");
        look();
        assert!(!is_rung(&bell), "all was heard, time {life}");
        append(&root.join("s.jsonl"), line("a", life).as_bytes());
        assert!(is_rung(&bell), "time {life}");
        look();
        append(&root.join("s.jsonl"), line("b", life).as_bytes());
        assert!(is_rung(&bell), "time {life}, written on");
        fs::remove_dir_all(&root).expect("removed");
        look();
    }
}

fn tidings(sources: watch::Receiver<Vec<Source>>) -> Tidings {
    Tidings {
        sources,
        prices: watch::channel(Prices::embedded()).1,
        register: |_| Err(std::io::Error::other("nothing is awaited here")),
    }
}
