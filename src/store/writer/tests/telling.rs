//! What the ledger is woken for, and what is only there for whoever looks.

use super::*;
use crate::ledger::store_figures::Operation;

/// How often something was committed.
fn commits(health: &StoreHealth) -> u64 {
    let mut counted = health.figures.latencies();
    counted.find(|(operation, _)| *operation == Operation::Commit).map_or(0, |(_, it)| it.count)
}

#[test]
fn nobody_is_woken_for_a_commit_of_samples_alone_and_whoever_looks_finds_it() {
    let fake = Fake::default();
    let (writer, mut reports) = fake.start();
    wait_for_health(&reports, |health| health.up);
    reports.health.borrow_and_update();
    for count in 1..4_u32 {
        submit(&writer, vec![sample(count.into())]);
        wait_for_health(&reports, |health| commits(health) == u64::from(count));
        assert!(!reports.health.has_changed().expect("it goes on"), "after {count}");
    }
    submit(&writer, vec![sample(4), event(0)]);
    wait_for_health(&reports, |health| commits(health) == 4);
    assert!(reports.health.has_changed().expect("it goes on"));
    reports.health.borrow_and_update();
    fake.set(Trouble::Full);
    submit(&writer, vec![sample(5)]);
    wait_for_health(&reports, |health| !health.up);
    assert!(reports.health.has_changed().expect("it goes on"), "that it fails is worth a word");
    fake.set(Trouble::None);
    assert_eq!(writer.close(PATIENCE), 0);
}
