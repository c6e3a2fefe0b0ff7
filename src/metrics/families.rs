//! Projects a snapshot onto the catalogue: one family for each of its rows, made of constants.
//!
//! What can be known from the configuration is there from the first scrape, since the ledger begins
//! its counters at 0: `increase()` misses a series that is born at 1. What is not known is absent
//! rather than 0, and the gauges of what ended are gone.
//!
//! How many series there can be is bounded: by the plan's processes, by [`LIVE_SESSIONS_SHOWN`], and
//! for the names that logs bring (agents, providers, models) by the ledger, which counts everything
//! beyond its bound as `other`. It has to happen there, because a bound that is applied to a picture
//! could take a model its series away again, and counters must not go backwards.

mod care;
mod house;
mod output;
mod processes;
mod sessions;
mod tokens;

use std::sync::Arc;

use prometheus::proto::{Counter, Gauge, LabelPair, MetricFamily, MetricType};

use crate::ledger::snapshot::Snapshot;
use crate::memory::SelfFigures;
use crate::metrics::catalogue::{Kind, Metric};
use crate::metrics::label;
use crate::output::figures::OutputFigures;

pub use sessions::LIVE_SESSIONS_SHOWN;

/// A metric with its series, for whoever only passes it on.
pub type Family = MetricFamily;

/// Every family that has something to say, in the order of the catalogue.
pub fn project(
    snapshot: &Snapshot,
    own: &SelfFigures,
    output: &[(Arc<str>, OutputFigures)],
) -> Vec<MetricFamily> {
    let mut all = Vec::new();
    project_each(snapshot, own, output, &mut |family| all.push(family));
    all
}

/// The same, handed over one by one: of a thousand processes all families together are many times
/// larger than what is written of them.
pub fn project_each(
    snapshot: &Snapshot,
    own: &SelfFigures,
    output: &[(Arc<str>, OutputFigures)],
    take: &mut dyn FnMut(MetricFamily),
) {
    let mut families = Families(take);
    house::put(&mut families, snapshot, own);
    processes::put(&mut families, snapshot);
    care::put(&mut families, snapshot);
    output::put(&mut families, output);
    sessions::put(&mut families, snapshot);
    processes::put_memory(&mut families, snapshot);
    tokens::put(&mut families, snapshot);
}

/// Whoever takes the families.
struct Families<'t>(&'t mut dyn FnMut(MetricFamily));

impl Families<'_> {
    /// Adds a metric without labels, unless its value is not known.
    fn one(&mut self, metric: &Metric, value: impl Into<Option<f64>>) {
        self.each(metric, value.into().map(|value| ([], value)));
    }

    /// Adds a metric with a series for each item; a metric without any is left out.
    fn each<'a, const LABELS: usize>(
        &mut self,
        metric: &Metric,
        series: impl IntoIterator<Item = ([&'a str; LABELS], f64)>,
    ) {
        debug_assert_eq!(metric.labels.len(), LABELS, "{}", metric.name);
        let metrics: Vec<_> = series
            .into_iter()
            .filter(|(_, value)| value.is_finite())
            .map(|(values, value)| constant(metric, &values, value))
            .collect();
        if metrics.is_empty() {
            return;
        }
        let mut family = MetricFamily::default();
        family.set_name(metric.name.to_owned());
        family.set_help(metric.help.to_owned());
        family.set_field_type(match metric.kind {
            Kind::Counter => MetricType::COUNTER,
            // Text 0.0.4 has no type for information; the OpenMetrics encoder knows it by name.
            Kind::Gauge | Kind::Info => MetricType::GAUGE,
        });
        family.set_metric(metrics);
        (self.0)(family);
    }
}

/// A sample that will not change any more.
fn constant(metric: &Metric, values: &[&str], value: f64) -> prometheus::proto::Metric {
    let labels = metric.labels.iter().zip(values).map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value(label::fit(value).into_owned());
        pair
    });
    let mut sample = prometheus::proto::Metric::from_label(labels.collect());
    match metric.kind {
        Kind::Counter => {
            let mut counter = Counter::default();
            counter.set_value(value);
            sample.set_counter(counter);
        }
        Kind::Gauge | Kind::Info => {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            sample.set_gauge(gauge);
        }
    }
    sample
}

/// A count as a sample's value: exact up to 2^53.
fn count(n: u64) -> f64 {
    n as f64
}
