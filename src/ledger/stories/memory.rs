//! Stories of memory: what is acted upon, what follows, and leaks that outlive restarts.

use serde_json::json;

use super::*;
use crate::config::plan::{MemoryActions, MemoryEnd};
use crate::ledger::request::{HookCause, Hooked, Knock, Refusal, Reply, Request};
use crate::memory::MemoryLevel;
use crate::memory::PartsCost;
use crate::memory::container::ContainerFigures;
use crate::memory::level::Basis;
use crate::memory::parts::{Parts, TreeParts};

const MIB: u64 = 1 << 20;
const SECOND: u64 = 1000;

/// A ledger whose `web` has these thresholds.
fn guarded(thresholds: Thresholds) -> Ledger {
    let mut plan = plan();
    plan.processes[0].thresholds = thresholds;
    Ledger::new(&plan, at(0), true, |_| Box::new(Scripted(None)), 7)
}

fn restarts(size: u64) -> Thresholds {
    let on_critical = MemoryActions { end: Some(MemoryEnd::Restart), ..MemoryActions::default() };
    Thresholds { on_critical, ..Thresholds::of_sizes(Bytes(size / 2), Bytes(size)) }
}

fn kinds(batches: &[Batch]) -> Vec<String> {
    let rows = batches.iter().flat_map(|batch| &batch.rows);
    let kind = |row: &Row| match row {
        Row::Event(event) => Some(event.event_type.to_string()),
        _ => None,
    };
    rows.filter_map(kind).collect()
}

fn parts(ms: u64, n: u64, proportional: Option<u64>) -> Entry {
    let parts = Parts {
        proportional: proportional.map(Bytes),
        peak: Some(Bytes(7 * MIB)),
        read: Some(50),
        ..Parts::NOTHING
    };
    let trees = vec![TreeParts { run: RunId(n), at: at(ms), parts }];
    Entry::PartsRead { at: at(ms), trees, cost: PartsCost { readings: 1, ..PartsCost::default() } }
}

#[test]
fn what_is_acted_on_is_proportional_while_it_is_known_and_fresh() {
    let mut ledger = guarded(Thresholds::of_sizes(Bytes(100), Bytes(200)));
    ledger.fold(opened(0, 1, WEB, 0));
    ledger.fold(ready(0, 1));
    ledger.fold(parts(1, 1, Some(40)));
    // Forks of a process that wrote nothing: summed they look like four times as much.
    assert_eq!(kinds(&ledger.fold(sampled(&[sample(2, 1, 900, 160)]))), [""; 0]);
    let run = |ledger: &Ledger| ledger.snapshot(1, at(0)).processes[0].run.clone().expect("a run");
    assert_eq!(run(&ledger).size, Some((Bytes(40), Basis::Proportional)));
    assert_eq!(run(&ledger).peak_resident, Some(Bytes(7 * MIB)), "between two samples");
    let late = sample(122 * SECOND, 1, 900, 160);
    assert_eq!(kinds(&ledger.fold(sampled(&[late]))), ["memory_warning"], "read too long ago");
    ledger.fold(parts(123 * SECOND, 1, None));
    ledger.fold(sampled(&[sample(124 * SECOND, 1, 900, 160)]));
    assert_eq!(run(&ledger).size, Some((Bytes(160), Basis::Anonymous)), "not every member read");
    ledger.fold(parts(125 * SECOND, 9, Some(1)));
    ledger.fold(exited(126 * SECOND, 1, 0));
    assert_eq!(ledger.snapshot(1, at(0)).processes[0].moved_ended, [Some(50), Some(0)]);
}

#[test]
fn a_member_that_grows_is_acted_on_before_its_tree_is_read_again() {
    let mut ledger = guarded(restarts(200));
    ledger.fold(opened(0, 1, WEB, 0));
    ledger.fold(ready(0, 1));
    ledger.fold(parts(1, 1, Some(40)));
    let grown = |ms| {
        let Entry::Sampled { mut samples, unreaped, skipped } = sampled(&[sample(ms, 1, 900, 260)])
        else {
            panic!("a sample")
        };
        samples[0].largest = Bytes(210);
        Entry::Sampled { samples, unreaped, skipped }
    };
    assert_eq!(kinds(&ledger.fold(grown(2))), ["memory_critical"]);
    ledger.fold(grown(3));
    assert_eq!(kinds(&ledger.fold(grown(4))), ["memory_action"]);
    let run = ledger.snapshot(1, at(0)).processes[0].run.clone().expect("a run");
    assert_eq!(run.size, Some((Bytes(210), Basis::Anonymous)));
}

#[test]
fn one_reading_of_a_peak_ends_nobody_however_many_samples_have_it() {
    let mut ledger = guarded(restarts(200));
    ledger.fold(opened(0, 1, WEB, 0));
    ledger.fold(ready(0, 1));
    let after = |ledger: &mut Ledger, ms| {
        ledger.fold(sampled(&[sample(ms, 1, 900, 160)]));
        ledger.take_knocks().len()
    };
    ledger.fold(parts(1, 1, Some(210)));
    assert_eq!((2..9).map(|ms| after(&mut ledger, ms)).sum::<usize>(), 0);
    ledger.fold(parts(10, 1, Some(210)));
    assert_eq!((11..14).map(|ms| after(&mut ledger, ms)).sum::<usize>(), 0);
    ledger.fold(parts(15, 1, Some(210)));
    assert_eq!((16..19).map(|ms| after(&mut ledger, ms)).sum::<usize>(), 1);
}

#[test]
fn what_was_moved_stays_known_when_a_member_cannot_be_read_and_when_the_run_is_over() {
    let mut ledger = guarded(Thresholds::default());
    let moved = |ledger: &Ledger| {
        let web = ledger.snapshot(1, at(0)).processes[0].clone();
        web.moved(web.run.as_ref().map(|run| run.moved).unwrap_or_default())
    };
    let read = |ms, n, read, written| {
        let parts = Parts { read, written, ..Parts::NOTHING };
        let trees = vec![TreeParts { run: RunId(n), at: at(ms), parts }];
        Entry::PartsRead { at: at(ms), trees, cost: PartsCost::default() }
    };
    ledger.fold(opened(0, 1, WEB, 0));
    ledger.fold(ready(0, 1));
    assert_eq!(moved(&ledger), [None, None], "nothing is known, which is not 0");
    ledger.fold(read(1, 1, Some(50), Some(0)));
    ledger.fold(read(2, 1, None, None));
    assert_eq!(moved(&ledger), [Some(50), Some(0)], "a counter does not fall");
    ledger.fold(exited(3, 1, 0));
    assert_eq!(moved(&ledger), [Some(50), Some(0)]);
    ledger.fold(opened(4, 2, WEB, 1));
    ledger.fold(ready(4, 2));
    assert_eq!(moved(&ledger), [Some(50), Some(0)]);
    ledger.fold(read(5, 2, Some(7), Some(3)));
    assert_eq!(moved(&ledger), [Some(57), Some(3)]);
}

#[test]
fn what_is_read_before_the_program_is_executed_is_of_our_own_image() {
    let mut ledger = guarded(Thresholds::default());
    let peak = |ledger: &Ledger| {
        let web = ledger.snapshot(1, at(0)).processes[0].clone();
        web.run.and_then(|run| run.peak_resident.or(run.parts.and_then(|tree| tree.parts.peak)))
    };
    ledger.fold(opened(0, 1, WEB, 0));
    ledger.fold(parts(1, 1, Some(40)));
    assert_eq!(peak(&ledger), None, "it has none yet");
    ledger.fold(ready(3, 1));
    ledger.fold(parts(2, 1, Some(40)));
    assert_eq!(peak(&ledger), None, "it was read before that");
    ledger.fold(parts(4, 1, Some(40)));
    assert_eq!(peak(&ledger), Some(Bytes(7 * MIB)));
}

/// Where somebody in the container holds gibibytes, proportional memory is read once in a minute: what
/// has grown by then is seen all the same, and forks that share are not taken for growth.
#[test]
fn a_part_of_the_limit_is_known_with_the_container() {
    let part = Thresholds { warning: Threshold::Percent(80), ..Thresholds::default() };
    let mut ledger = guarded(part);
    ledger.fold(opened(0, 1, WEB, 0));
    ledger.fold(ready(0, 1));
    assert_eq!(kinds(&ledger.fold(sampled(&[sample(1, 1, 900, 80)]))), [""; 0]);
    assert_eq!(ledger.snapshot(1, at(1)).processes[0].bounds.warning, None);
    let limit = Some(Bytes(100));
    let figures = ContainerFigures { at: at(2), limit, ..ContainerFigures::default() };
    ledger.fold(Entry::ContainerRead(Box::new(figures)));
    assert_eq!(kinds(&ledger.fold(sampled(&[sample(3, 1, 900, 80)]))), ["memory_warning"]);
    let bounds = ledger.snapshot(1, at(3)).processes[0].bounds;
    assert_eq!((bounds.warning, bounds.critical), (Some(Bytes(80)), Some(Bytes(90))));
}

#[test]
fn a_process_that_stays_critical_is_restarted_but_not_in_a_circle() {
    let mut ledger = guarded(restarts(200));
    let knock = || Knock::Restart("web".to_owned());
    for (run, minute, asked) in [(1, 0, true), (2, 5, false), (3, 11, true)] {
        let began = minute * 60 * SECOND;
        ledger.fold(opened(began, run, WEB, u32::try_from(run).expect("few") - 1));
        ledger.fold(ready(began, run));
        for nth in 1..=4 {
            let told = ledger.fold(sampled(&[sample(began + nth * SECOND, run, 900, 220)]));
            let acts = kinds(&told).iter().any(|kind| kind == "memory_action");
            assert_eq!(acts, asked && nth == 3, "run {run}, sample {nth}");
            let expected = if acts { vec![knock()] } else { vec![] };
            assert_eq!(ledger.take_knocks(), expected);
        }
        ledger.fold(exited(began + 10 * SECOND, run, 0));
    }
    assert_eq!(ledger.snapshot(1, at(0)).processes[0].memory_ends, 2);
}

#[test]
fn the_command_of_a_level_is_run_as_it_is_reached_and_once_a_minute() {
    let on_warning = MemoryActions { hook: true, ..MemoryActions::default() };
    let mut ledger = guarded(Thresholds { on_warning, ..restarts(200) });
    ledger.fold(opened(0, 1, WEB, 0));
    ledger.fold(ready(0, 1));
    let asked = |ledger: &mut Ledger, second: u64, size: u64| {
        let told = ledger.fold(sampled(&[sample(second * SECOND, 1, 900, size)]));
        let knocks = ledger.take_knocks();
        let acts = kinds(&told).iter().filter(|kind| *kind == "memory_action").count();
        assert_eq!(acts, knocks.len(), "second {second}");
        knocks
    };
    let cause = |size| HookCause::Memory { level: MemoryLevel::Warning, size: Bytes(size) };
    let hook = |size| Knock::Hook(Hooked { process: Some("web".to_owned()), cause: cause(size) });
    assert_eq!(asked(&mut ledger, 1, 110), [hook(110)]);
    assert_eq!(asked(&mut ledger, 2, 120), [], "it is still so");
    asked(&mut ledger, 3, 90);
    assert_eq!(asked(&mut ledger, 60, 110), [], "too soon");
    asked(&mut ledger, 62, 90);
    assert_eq!(asked(&mut ledger, 63, 130), [hook(130)]);
    assert_eq!(asked(&mut ledger, 200, 210), [], "critical has none");
    assert_eq!(asked(&mut ledger, 201, 150), [], "on the way down");
}

#[test]
fn a_peak_between_two_samples_ends_nobody() {
    let mut ledger = guarded(restarts(200));
    ledger.fold(opened(0, 1, WEB, 0));
    ledger.fold(ready(0, 1));
    for (nth, size) in [220, 220, 150, 220, 220].into_iter().enumerate() {
        let ms = (nth as u64 + 1) * SECOND;
        ledger.fold(sampled(&[sample(ms, 1, 900, size)]));
    }
    assert_eq!(ledger.take_knocks(), []);
}

/// A run of ten minutes that grows by so much a sample, and what is told at its end.
fn lives(ledger: &mut Ledger, n: u64, growth: u64) -> Vec<String> {
    let batches = batches_of_life(ledger, n, growth);
    kinds(&batches)
}

fn lives_rows(ledger: &mut Ledger, n: u64, growth: u64) -> Vec<Row> {
    batches_of_life(ledger, n, growth).into_iter().flat_map(|batch| batch.rows).collect()
}

fn batches_of_life(ledger: &mut Ledger, n: u64, growth: u64) -> Vec<Batch> {
    let began = n * 20 * 60 * SECOND;
    ledger.fold(opened(began, n, WEB, u32::try_from(n).expect("few")));
    ledger.fold(ready(began, n));
    for nth in 0..120 {
        let size = 100 * MIB + nth * growth;
        ledger.fold(sampled(&[sample(began + nth * 5 * SECOND, n, size, size - size % 2)]));
    }
    let end = ended(began + 601 * SECOND, n, ExitStatus::Code(0), EndReason::Requested, false);
    ledger.fold(end)
}

#[test]
fn a_leak_that_each_run_has_alike_is_found_though_none_lived_long() {
    let mut ledger = guarded(Thresholds::default());
    assert_eq!(lives(&mut ledger, 1, MIB), ["memory_history", "ended"]);
    assert_eq!(lives(&mut ledger, 2, MIB), ["memory_history", "ended"]);
    assert_eq!(lives(&mut ledger, 3, MIB), ["memory_history", "leak_recurring", "ended"]);
    assert_eq!(lives(&mut ledger, 4, MIB), ["memory_history", "ended"], "told once");
    let web = ledger.snapshot(1, at(0)).processes[0].clone();
    assert_eq!(web.leaks_recurring, 1);
    let found = web.recurring.expect("a leak");
    assert_eq!(found.runs, 4);
    let growth = MIB as f64 / 5.0;
    assert!((found.slope / growth - 1.0).abs() < 0.05, "{}", found.slope);
    assert_eq!(lives(&mut ledger, 5, 0), ["memory_history", "ended"]);
    assert_eq!(ledger.snapshot(1, at(0)).processes[0].recurring, None, "it was mended");
}

/// What an event of this type tells.
fn detail(batches: &[Batch], event_type: &str) -> Option<(String, serde_json::Value)> {
    batches.iter().flat_map(|batch| &batch.rows).find_map(|row| match row {
        Row::Event(event) if event.event_type == event_type => {
            Some((event.trigger.clone(), event.detail.clone()))
        }
        _ => None,
    })
}

#[test]
fn what_was_said_of_a_run_is_kept_as_it_changes_and_with_its_end() {
    let mut ledger = guarded(Thresholds::default());
    let mut live = |n: u64, anonymous: u64| {
        ledger.fold(opened(n * 10 * SECOND, n, WEB, 0));
        ledger.fold(ready(n * 10 * SECOND, n));
        let sample = sample((n * 10 + 1) * SECOND, n, 900, anonymous);
        let said = ledger.fold(sampled(&[sample]));
        let end = ended((n * 10 + 2) * SECOND, n, ExitStatus::Code(0), EndReason::Requested, false);
        (said, ledger.fold(end))
    };
    // An odd size is suspected; it lives for two seconds.
    let (said, end) = live(1, 81);
    let (trigger, told) = detail(&said, "leak_suspected").expect("an event");
    assert!(trigger.starts_with("leak rule: "), "{trigger}");
    assert_eq!(told["state"], "suspected");
    assert_eq!(told["history"].as_array().map(Vec::len), Some(1));
    let (_, kept) = detail(&end, "memory_history").expect("what it held");
    assert_eq!(kept["leak"]["state"], "suspected");
    for told in [&told, &kept["leak"]] {
        let figures = told["explained"].as_array().expect("figures");
        assert!(
            figures.iter().any(|one| one["name"] == "samples" && one["met"] == false),
            "{told}"
        );
    }
    assert_eq!(kept.get("slope_bytes_per_second"), None, "too short for a trend");
    let (said, end) = live(2, 80);
    assert_eq!(detail(&said, "leak_suspected"), None);
    assert_eq!(detail(&end, "memory_history"), None, "nothing is known of it");
}

#[test]
fn a_leak_that_runs_have_alike_is_found_over_a_restart_of_ours_and_not_told_twice() {
    let told = |ledger: &mut Ledger, n| {
        let rows = lives_rows(ledger, n, MIB);
        let events = rows.into_iter().filter_map(|row| match row {
            Row::Event(event) if event.event_type == "memory_history" => Some(event.detail),
            _ => None,
        });
        ("web".to_owned(), events.last().expect("what it held"))
    };
    let mut before = guarded(Thresholds::default());
    let held: Vec<_> = (1..=3).map(|n| told(&mut before, n)).collect();
    let other = ("nobody".to_owned(), json!({}));
    // Two of them, and a third run of this life.
    let mut ledger = guarded(Thresholds::default());
    ledger.fold(Entry::HeldFound(vec![held[0].clone(), other, held[1].clone()]));
    assert_eq!(ledger.snapshot(1, at(0)).processes[0].recurring, None);
    assert_eq!(lives(&mut ledger, 4, MIB), ["memory_history", "leak_recurring", "ended"]);
    // All three: known from the start, and told by the life before.
    let mut ledger = guarded(Thresholds::default());
    ledger.fold(Entry::HeldFound(held));
    let found = ledger.snapshot(1, at(0)).processes[0].recurring.expect("three alike");
    assert_eq!(found.runs, 3);
    assert_eq!(lives(&mut ledger, 4, MIB), ["memory_history", "ended"]);
    assert_eq!(ledger.snapshot(1, at(0)).processes[0].recurring.map(|it| it.runs), Some(4));
    // What an older version kept says nothing.
    let mut ledger = guarded(Thresholds::default());
    let old = || ("web".to_owned(), json!({"history": [], "slope_bytes_per_second": 1.0}));
    ledger.fold(Entry::HeldFound(vec![old(), old(), old()]));
    assert_eq!(ledger.snapshot(1, at(0)).processes[0].recurring, None);
}

#[test]
fn a_sample_can_be_said_to_stand_for_something() {
    let mut ledger = guarded(Thresholds::default());
    let label = |process: &str| {
        let (process, label) = (process.to_owned(), "before the load".to_owned());
        Request::Label { process, label }
    };
    let (reply, _) = ledger.ask(at(1), label("web"));
    assert_eq!(reply, Reply::Refused(Refusal::Unknown("web".to_owned())), "it does not run");
    ledger.fold(opened(2, 1, WEB, 0));
    ledger.fold(ready(2, 1));
    ledger.fold(sampled(&[sample(3, 1, 900, 80)]));
    let (reply, batches) = ledger.ask(at(4), label("web"));
    assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
    assert_eq!(kinds(&batches), ["memory_label"]);
    let run = ledger.snapshot(1, at(5)).processes[0].run.clone().expect("a run");
    assert_eq!(run.label.as_deref(), Some("before the load"));
    let kept = |ledger: &mut Ledger, ms| {
        let batches = ledger.fold(sampled(&[sample(ms, 1, 900, 80)]));
        let Some(Row::Sample(sample)) = batches.into_iter().flat_map(|it| it.rows).next() else {
            panic!("no sample is kept");
        };
        sample.label.into_owned()
    };
    assert_eq!(kept(&mut ledger, 6), "before the load", "the next one is kept under it");
    assert_eq!(kept(&mut ledger, 7), "interval");
}
