//! One life after another, each ended by a kill: nothing is lost and nothing counts twice.

use std::collections::HashSet;

use crate::tokens::Usage;
use crate::tokens::tail::corpus::Corpus;
use crate::tokens::tail::scene::{EARLY, Scene, line};

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
