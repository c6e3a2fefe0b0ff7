//! The families of the container's memory, and what reading memory costs.

use crate::ledger::snapshot::HouseView;
use crate::memory::Unread;
use crate::memory::container::{ContainerFigures, GroupMode, Pressure, Stall};
use crate::metrics::catalogue as row;
use crate::metrics::families::{Families, count};
use crate::units::Bytes;

/// Adds them in the order of the catalogue. Before the first reading nothing is said of the
/// container, and what it does not tell is left out.
pub(super) fn put(families: &mut Families, house: &HouseView) {
    let cost = &house.parts_cost;
    families.one(&row::PARTS_READINGS, count(cost.readings));
    families.one(&row::PARTS_SECONDS, cost.spent.as_secs_f64());
    let unread = Unread::ALL.into_iter().zip(cost.unread);
    families.few(&row::PARTS_UNREAD, unread.map(|(why, often)| ([why.as_str()], count(often))));
    let Some(figures) = &house.container else { return };
    let is_it = |mode: GroupMode| f64::from(mode == figures.mode);
    let modes = GroupMode::ALL.into_iter().map(|mode| ([mode.as_str()], is_it(mode)));
    families.few(&row::CGROUP_MODE, modes);
    let size = |bytes: Option<Bytes>| bytes.map(|bytes| count(bytes.0));
    families.one(&row::CONTAINER_USAGE, size(figures.usage));
    families.one(&row::CONTAINER_LIMIT, size(figures.limit));
    families.one(&row::CONTAINER_HIGH, size(figures.high));
    families.one(&row::CONTAINER_WORKING_SET, size(figures.working_set));
    families.one(&row::CONTAINER_SWAP, size(figures.swap));
    families.one(&row::CONTAINER_PEAK, size(figures.peak));
    families.few(&row::CONTAINER_PARTS, made_of(figures));
    let events = figures.events.by_name().into_iter();
    families.few(
        &row::CONTAINER_EVENTS,
        events.filter_map(|(event, often)| Some(([event], count(often?)))),
    );
    let pressure = figures.pressure.iter();
    families.few(&row::PRESSURE_RATIO, pressure.clone().flat_map(ratios));
    families.few(&row::PRESSURE_SECONDS, pressure.flat_map(seconds));
}

fn made_of(figures: &ContainerFigures) -> impl Iterator<Item = ([&'static str; 1], f64)> {
    let parts = figures.parts.by_name().into_iter();
    parts.filter_map(|(part, bytes)| Some(([part], count(bytes?.0))))
}

fn scope(pressure: &Pressure) -> &'static str {
    if pressure.of_machine { "machine" } else { "container" }
}

fn stalls(pressure: &Pressure) -> impl Iterator<Item = (&'static str, Stall)> + use<> {
    let full = pressure.full.map(|full| ("full", full));
    [("some", pressure.some)].into_iter().chain(full)
}

fn ratios(pressure: &Pressure) -> impl Iterator<Item = ([&'static str; 3], f64)> + use<> {
    let scope = scope(pressure);
    stalls(pressure).flat_map(move |(share, stall)| {
        [([scope, share, "10s"], stall.last_10s), ([scope, share, "60s"], stall.last_60s)]
    })
}

fn seconds(pressure: &Pressure) -> impl Iterator<Item = ([&'static str; 2], f64)> + use<> {
    let scope = scope(pressure);
    stalls(pressure).map(move |(share, stall)| ([scope, share], stall.seconds))
}
