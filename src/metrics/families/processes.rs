//! The families of configured processes: what they are doing, and what their trees hold.

use crate::ledger::snapshot::{ProcessView, RunView, Snapshot};
use crate::memory::parts::Parts;
use crate::memory::{LeakState, MemoryLevel, TreeSample};
use crate::metrics::catalogue as row;
use crate::metrics::families::{Families, container, count};
use crate::supervise::lifecycle::PhaseName;
use crate::units::{ExitStatus, Wall};

/// Adds what processes are doing, in the order of the catalogue.
pub(super) fn put(families: &mut Families, snapshot: &Snapshot) {
    let each = || snapshot.processes.iter();
    let runs = || live(snapshot);
    families.each(&row::PROCESS_UP, each().map(|p| ([p.name.as_str()], f64::from(is_up(p)))));
    families.each(&row::PROCESS_STATE, each().flat_map(states));
    families.each(
        &row::PROCESS_STARTED,
        runs().map(|(p, run)| ([p.name.as_str()], run.started.seconds())),
    );
    families.each(&row::PROCESS_RESTARTS, each().map(|p| ([p.name.as_str()], count(p.restarts))));
    families.each(&row::PROCESS_EXITS, each().flat_map(exits));
    families.each(&row::PROCESS_LAST_EXIT, each().filter_map(|p| seen(p, last_exit(p))));
    families.each(&row::PROCESS_LAST_EXIT_CODE, each().filter_map(|p| seen(p, last_code(p))));
    families.each(&row::PROCESS_SPAWN_FAILURES, each().flat_map(spawn_failures));
    families.each(
        &row::PROCESS_FORCED_KILLS,
        each().map(|p| ([p.name.as_str()], count(p.forced_kills))),
    );
    families
        .each(&row::PROCESS_CRASH_LOOPS, each().map(|p| ([p.name.as_str()], count(p.crash_loops))));
}

/// Adds what their trees hold and whether that looks like a leak, in the order of the catalogue.
pub(super) fn put_memory(families: &mut Families, snapshot: &Snapshot) {
    let each = || snapshot.processes.iter();
    let runs = || live(snapshot);
    let sampled = |figure: fn(&TreeSample) -> f64| {
        runs().filter_map(move |(p, run)| seen(p, run.sample.as_ref().map(figure)))
    };
    families.each(&row::MEMORY_RESIDENT, sampled(|sample| count(sample.resident.0)));
    families.each(&row::MEMORY_ANONYMOUS, sampled(|sample| count(sample.anonymous.0)));
    families.each(&row::MEMORY_VIRTUAL, sampled(|sample| count(sample.virtual_size.0)));
    let read = |figure: fn(&Parts) -> Option<u64>| {
        runs().filter_map(move |(p, run)| seen(p, figure(&run.parts?.parts).map(count)))
    };
    families.each(&row::MEMORY_PROPORTIONAL, read(|parts| parts.proportional.map(|it| it.0)));
    families.each(&row::MEMORY_UNIQUE, read(|parts| parts.unique.map(|it| it.0)));
    families.each(&row::MEMORY_SWAP, read(|parts| parts.swap.map(|it| it.0)));
    let when = |run: &RunView| run.parts.map(|tree| tree.at.wall.seconds());
    families.each(&row::PARTS_TIME, runs().filter_map(|(p, run)| seen(p, when(run))));
    families.each(
        &row::MEMORY_PEAK,
        runs().filter_map(|(p, run)| seen(p, run.peak_resident.map(|peak| count(peak.0)))),
    );
    families.each(&row::MEMORY_THRESHOLD, each().flat_map(thresholds));
    let size = |run: &RunView| run.size.map(|(size, _)| count(size.0));
    families.each(&row::MEMORY_SIZE, runs().filter_map(|(p, run)| seen(p, size(run))));
    families.each(&row::MEMORY_LEVEL, runs().flat_map(|(p, run)| levels(p, run)));
    families.each(&row::MEMORY_ENDS, each().map(|p| ([p.name.as_str()], count(p.memory_ends))));
    families.each(&row::TREE_PROCESSES, sampled(|sample| f64::from(sample.processes)));
    families.each(&row::ZOMBIES, sampled(|sample| f64::from(sample.zombies)));
    families.each(
        &row::OLDEST_ZOMBIE,
        runs().filter_map(|(p, run)| seen(p, run.sample?.oldest_zombie.map(Wall::seconds))),
    );
    families.each(&row::TREE_THREADS, read(|parts| parts.threads));
    families.each(&row::TREE_FDS, read(|parts| parts.open_fds));
    families.each(&row::IO_READ, each().filter_map(|p| seen(p, moved(p, 0))));
    families.each(&row::IO_WRITTEN, each().filter_map(|p| seen(p, moved(p, 1))));
    families.each(&row::PROCESS_CPU, each().map(|p| ([p.name.as_str()], cpu_seconds(p))));
    families.each(&row::SAMPLE_TIME, sampled(|sample| sample.at.wall.seconds()));
    families.one(&row::SAMPLES_SKIPPED, count(snapshot.house.samples_skipped));
    container::put(families, &snapshot.house);
    families.each(&row::LEAK_SUSPECTED, runs().filter_map(|(p, run)| seen(p, suspected(run))));
    families.each(&row::LEAK_CONFIRMED, runs().filter_map(|(p, run)| seen(p, confirmed(run))));
    families.each(&row::LEAK_GROWTH, runs().filter_map(|(p, run)| seen(p, growth(run))));
    families.each(&row::LEAK_TO_LIMIT, runs().filter_map(|(p, run)| to_limit(p, run)));
    families
        .each(&row::LEAKS_SUSPECTED, each().map(|p| ([p.name.as_str()], count(p.leaks_suspected))));
    families
        .each(&row::LEAKS_CONFIRMED, each().map(|p| ([p.name.as_str()], count(p.leaks_confirmed))));
    let alike = |p: &ProcessView| p.recurring.map_or(0.0, |found| count(found.runs as u64));
    families.each(&row::LEAK_RECURRING, each().map(|p| ([p.name.as_str()], alike(p))));
    families
        .each(&row::LEAKS_RECURRING, each().map(|p| ([p.name.as_str()], count(p.leaks_recurring))));
}

/// The processes that have a live run.
fn live(snapshot: &Snapshot) -> impl Iterator<Item = (&ProcessView, &RunView)> {
    snapshot.processes.iter().filter_map(|p| p.run.as_ref().map(|run| (p, run)))
}

/// A series of the process, if there is a value.
fn seen(process: &ProcessView, value: Option<f64>) -> Option<([&str; 1], f64)> {
    value.map(|value| ([process.name.as_str()], value))
}

/// Whether a program runs: also while it is being stopped, as long as its run is not over.
fn is_up(process: &ProcessView) -> bool {
    let executed = matches!(process.phase, PhaseName::Ready | PhaseName::Stopping);
    executed && process.run.as_ref().is_some_and(|run| run.main.is_some())
}

fn states(process: &ProcessView) -> impl Iterator<Item = ([&str; 2], f64)> {
    PhaseName::ALL
        .into_iter()
        .map(|phase| ([process.name.as_str(), phase.as_str()], f64::from(phase == process.phase)))
}

fn exits(process: &ProcessView) -> impl Iterator<Item = ([&str; 2], f64)> {
    let exits = process.exits.iter();
    exits.map(|(end, ended)| ([process.name.as_str(), end.as_str()], count(*ended)))
}

fn last_exit(process: &ProcessView) -> Option<f64> {
    process.last_exit.map(Wall::seconds)
}

fn last_code(process: &ProcessView) -> Option<f64> {
    process
        .last_status
        .filter(|status| *status != ExitStatus::Unknown)
        .map(|status| f64::from(status.code()))
}

fn spawn_failures(process: &ProcessView) -> impl Iterator<Item = ([&str; 2], f64)> {
    let failures = process.spawn_failures.iter();
    failures.map(|(reason, failed)| ([process.name.as_str(), *reason], count(*failed)))
}

fn thresholds(process: &ProcessView) -> impl Iterator<Item = ([&str; 2], f64)> {
    let levels = [MemoryLevel::Warning, MemoryLevel::Critical].into_iter();
    levels.filter_map(|level| {
        let threshold = process.bounds.of_level(level)?;
        Some(([process.name.as_str(), level.as_str()], count(threshold.0)))
    })
}

/// Nothing before the first sample: what was not measured has no level.
fn levels<'a>(
    process: &'a ProcessView,
    run: &'a RunView,
) -> impl Iterator<Item = ([&'a str; 2], f64)> {
    MemoryLevel::ALL
        .into_iter()
        .filter(|_| run.sample.is_some())
        .map(|level| ([process.name.as_str(), level.as_str()], f64::from(level == run.level)))
}

fn cpu_seconds(process: &ProcessView) -> f64 {
    let sample = process.run.as_ref().and_then(|run| run.sample.as_ref());
    process.cpu_seconds_ended + sample.map_or(0.0, |sample| sample.cpu_seconds)
}

/// What all runs fetched (0) or sent (1); `None` where it was never known of any.
fn moved(process: &ProcessView, which: usize) -> Option<f64> {
    let now = process.run.as_ref().map(|run| run.moved).unwrap_or_default();
    process.moved(now)[which].map(count)
}

fn suspected(run: &RunView) -> Option<f64> {
    run.verdict.as_ref()?.state.is_suspected().map(f64::from)
}

fn confirmed(run: &RunView) -> Option<f64> {
    run.verdict.as_ref()?.state.is_confirmed().map(f64::from)
}

fn to_limit<'a>(process: &'a ProcessView, run: &RunView) -> Option<([&'a str; 2], f64)> {
    let span = run.verdict.as_ref()?.to_limit?;
    Some(([process.name.as_str(), run.limit?.of.as_str()], span.as_secs_f64()))
}

fn growth(run: &RunView) -> Option<f64> {
    run.verdict.as_ref().filter(|verdict| verdict.state != LeakState::Unknown)?.growth
}
