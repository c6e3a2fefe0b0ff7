//! The families of how processes are looked after: health, hooks, stops and rests.

use std::time::Duration;

use crate::ledger::care::{Care, Rest};
use crate::ledger::snapshot::{ProcessView, Snapshot};
use crate::ledger::spans::STARTS;
use crate::metrics::catalogue::{self as row, Metric};
use crate::metrics::families::sessions::distribution;
use crate::metrics::families::{Families, count};
use crate::supervise::lifecycle::Health;
use crate::units::Wall;

/// Adds them in the order of the catalogue.
pub(super) fn put(families: &mut Families, snapshot: &Snapshot) {
    let each = || snapshot.processes.iter();
    let numbers: Vec<String> =
        each().map(|p| p.replica.map_or(String::new(), |number| number.to_string())).collect();
    families.each(
        &row::PROCESS_INFO,
        each().zip(&numbers).map(|(p, number)| ([&p.name[..], &p.family[..], &number[..]], 1.0)),
    );
    families.histograms(
        &row::PROCESS_STARTUP,
        each().map(|p| ([p.name.as_str()], distribution(&STARTS, &p.startups))),
    );
    let mut maybe = |metric: &Metric, figure: fn(&ProcessView) -> Option<f64>| {
        let seen = each().filter_map(|p| figure(p).map(|value| ([p.name.as_str()], value)));
        families.each(metric, seen);
    };
    maybe(&row::PROCESS_READY_SECONDS, |p| {
        p.run.as_ref()?.ready.as_ref().map(Duration::as_secs_f64)
    });
    families.each(&row::PROCESS_HEALTH, each().flat_map(health));
    let mut maybe = |metric: &Metric, figure: fn(&Care) -> Option<f64>| {
        let seen = each().filter_map(|p| figure(&p.care).map(|value| ([p.name.as_str()], value)));
        families.each(metric, seen);
    };
    maybe(&row::PROCESS_TESTS_FAILED, |care| care.tests_failed.map(count));
    families.each(&row::PROCESS_HOOKS_FAILED, each().flat_map(hooks));
    let mut maybe = |metric: &Metric, figure: fn(&Care) -> Option<f64>| {
        let seen = each().filter_map(|p| figure(&p.care).map(|value| ([p.name.as_str()], value)));
        families.each(metric, seen);
    };
    maybe(&row::PROCESS_STOPS, |care| Some(count(care.stops)));
    maybe(&row::PROCESS_STOP_SECONDS, |care| Some(care.stop_time.as_secs_f64()));
    maybe(&row::PROCESS_LAST_STOP, |care| care.last_stop.as_ref().map(Duration::as_secs_f64));
    maybe(&row::PROCESS_HOLDERS, |care| Some(count(care.holders)));
    maybe(&row::PROCESS_UNKILLABLE, |care| Some(count(care.unkillable)));
    maybe(&row::PROCESS_ORPHANS, |care| Some(count(care.orphans)));
    maybe(&row::PROCESS_BACKOFF, |care| care.rest.map(|rest| rest.delay.as_secs_f64()));
    maybe(&row::PROCESS_STREAK, |care| care.rest.map(|rest: Rest| f64::from(rest.streak)));
    maybe(&row::PROCESS_NEXT_START, |care| care.rest.map(|rest| Wall::seconds(rest.until)));
    maybe(&row::PROCESS_SCHEDULE_SKIPS, |care| care.schedule_skips.map(count));
}

fn health(process: &ProcessView) -> impl Iterator<Item = ([&str; 2], f64)> {
    let known = process.care.health;
    Health::ALL
        .into_iter()
        .filter(move |_| known.is_some())
        .map(move |one| ([process.name.as_str(), one.as_str()], f64::from(known == Some(one))))
}

fn hooks(process: &ProcessView) -> impl Iterator<Item = ([&str; 2], f64)> {
    let failed = process.care.hooks_failed.iter();
    failed.map(|(hook, times)| ([process.name.as_str(), *hook], count(*times)))
}
