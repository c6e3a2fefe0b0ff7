//! The families of the supervisor itself.

use crate::faults::Faults;
use crate::ledger::entry::StoreHealth;
use crate::ledger::snapshot::HouseView;
use crate::ledger::store_figures::{BUCKETS, Latency, StoreFigures};
use crate::memory::SelfFigures;
use crate::metrics::catalogue as row;
use crate::metrics::families::{Distribution, Families, Seen, count};
use crate::supervise::lifecycle::Order;
use crate::units::Wall;

/// Adds them in the order of the catalogue.
pub(super) fn put(families: &mut Families, seen: Seen) {
    let Seen { snapshot, own, .. } = seen;
    let house = &snapshot.house;
    families.few(&row::BUILD_INFO, [([env!("CARGO_PKG_VERSION")], 1.0)]);
    families.one(&row::HOUSE_STARTED, house.started.seconds());
    families.one(&row::HOUSE_PID1, f64::from(house.pid1));
    families.one(&row::HOUSE_STOPPING, f64::from(house.stopping));
    families.one(&row::SNAPSHOT_GENERATION, count(snapshot.generation));
    families.few(
        &row::REAPED,
        [(["run"], count(house.reaped_runs)), (["orphan"], count(house.reaped_orphans))],
    );
    families.one(&row::UNREAPED, f64::from(house.unreaped));
    families.one(&row::UNREAPED_PEAK, f64::from(house.unreaped_peak));
    families.one(&row::ORPHANS, house.orphans.map(f64::from));
    families.few(
        &row::ORPHANS_ENDED,
        [(["ended"], count(house.orphans_ended)), (["killed"], count(house.orphans_killed))],
    );
    put_signals(families, house);
    put_orders(families, house);
    put_loop(families, own);
    families.one(&row::LISTENER_UP, house.listener_up.map(f64::from));
    families.one(&row::ENTRIES_DROPPED, count(house.entries_dropped));
    put_store(families, seen.store.or(house.store.as_ref()));
    families.one(&row::EVENTS_UNTOLD, house.events_untold.map(count));
    put_spool(families, seen.store.or(house.store.as_ref()));
    families.few(
        &row::SURVIVORS,
        [(["ended"], count(house.survivors_ended)), (["adopted"], count(house.survivors_adopted))],
    );
    put_own(families, own);
}

fn put_signals(families: &mut Families, house: &HouseView) {
    let signals: Vec<_> = house
        .signals
        .iter()
        .map(|((signal, response), times)| (signal.to_string(), *response, *times))
        .collect();
    families.few(
        &row::SIGNALS,
        signals.iter().map(|(signal, response, times)| ([signal, *response], count(*times))),
    );
}

fn put_orders(families: &mut Families, house: &HouseView) {
    let result = |accepted| if accepted { "accepted" } else { "refused" };
    let orders = Order::ALL.into_iter().flat_map(|order| [(order, true), (order, false)]);
    families.few(
        &row::ORDERS,
        orders.map(|(order, accepted)| {
            let given = house.orders.get(&(order, accepted)).copied().unwrap_or(0);
            ([order.as_str(), result(accepted)], count(given))
        }),
    );
    let reloads = [(["accepted"], house.reloads), (["refused"], house.reloads_failed)];
    families.few(&row::RELOADS, reloads.map(|(result, times)| (result, count(times))));
    families.one(&row::RELOAD_WORKED, house.last_reload_worked.map(f64::from));
    families.one(&row::RELOAD_TIME, house.last_reload.map(Wall::seconds));
}

fn put_loop(families: &mut Families, own: &SelfFigures) {
    families.one(&row::LOOP_TURNS, own.turns.map(|turns| count(turns.count)));
    families.one(&row::LOOP_SECONDS, own.turns.map(|turns| turns.total.as_secs_f64()));
    families.one(&row::LOOP_LONGEST, own.turns.map(|turns| turns.longest.as_secs_f64()));
    let faults = own.faults.iter().flat_map(Faults::by_room);
    families.few(&row::PANICS, faults.map(|(room, caught)| ([room], count(caught))));
}

fn put_store(families: &mut Families, store: Option<&StoreHealth>) {
    families.one(&row::STORE_UP, store.map(|store| f64::from(store.up)));
    families.one(&row::STORE_PENDING, store.map(|store| count(store.pending)));
    families.one(&row::STORE_FAILURES, store.map(|store| count(store.failures)));
    families.one(&row::STORE_DROPPED, store.map(|store| count(store.dropped)));
    let figures = store.map(|store| store.figures);
    let errors = figures.iter().flat_map(StoreFigures::errors);
    families.few(
        &row::STORE_ERRORS,
        errors.map(|(category, times)| ([category.as_str()], count(times))),
    );
    let times = figures.iter().flat_map(StoreFigures::latencies);
    families.histograms(
        &row::STORE_SECONDS,
        times.map(|(operation, latency)| ([operation.as_str()], distribution(latency))),
    );
    families.one(&row::STORE_SET_ASIDE, figures.map(|figures| count(figures.set_aside)));
}

fn put_spool(families: &mut Families, store: Option<&StoreHealth>) {
    let spooled = store.map(|store| store.spooled);
    families.one(&row::SPOOL_BYTES, spooled.map(|spooled| count(spooled.bytes.0)));
    families.one(&row::SPOOL_ROWS, spooled.map(|spooled| count(spooled.rows)));
    families.one(&row::SPOOL_DROPPED, spooled.map(|spooled| count(spooled.dropped)));
    families.one(&row::SPOOL_REPLAYED, spooled.map(|spooled| count(spooled.replayed)));
}

fn distribution(latency: &Latency) -> Distribution<'_> {
    let total = latency.total.as_secs_f64();
    Distribution { ends: &BUCKETS, counts: &latency.buckets, count: latency.count, total }
}

fn put_own(families: &mut Families, own: &SelfFigures) {
    families.one(&row::SELF_CPU, own.cpu_seconds);
    families.one(&row::SELF_RESIDENT, own.resident.map(|bytes| count(bytes.0)));
    families.one(&row::SELF_VIRTUAL, own.virtual_size.map(|bytes| count(bytes.0)));
    families.one(&row::SELF_FDS, own.open_fds.map(count));
    families.one(&row::SELF_MAX_FDS, own.max_fds.map(count));
    families.one(&row::SELF_STARTED, own.start_time_seconds);
}
