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

mod budgets;
mod care;
mod container;
mod house;
mod output;
mod processes;
mod sessions;
mod tokens;

use std::sync::Arc;

use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, MetricFamily, MetricType};

use crate::ledger::entry::StoreHealth;
use crate::ledger::snapshot::Snapshot;
use crate::memory::SelfFigures;
use crate::metrics::catalogue::{Kind, Metric};
use crate::metrics::negotiate::Format;
use crate::metrics::{label, line};
use crate::output::figures::OutputFigures;

pub use sessions::LIVE_SESSIONS_SHOWN;

/// What an exposition is made from.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// The latest picture; by its place in memory it is told from others.
    pub snapshot: &'a Arc<Snapshot>,
    /// What the kernel says of procession itself.
    pub own: &'a SelfFigures,
    /// What processes wrote, by name.
    pub output: &'a [(Arc<str>, OutputFigures)],
    /// How the store is by now, where that is known better than by the picture.
    pub store: Option<&'a StoreHealth>,
}

/// A stretch of the exposition; all of them in this order are the whole, in the catalogue's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chapter {
    /// The supervisor itself.
    House,
    /// What processes are doing, and how they are looked after.
    Processes,
    /// What processes write.
    Output,
    /// Sessions, memory and tokens.
    Figures,
}

/// What a chapter is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nothing but the picture.
    Picture,
    /// Nothing but what was written.
    Output,
    /// What is asked anew each time.
    Moment,
}

impl Chapter {
    /// Every chapter, in order.
    pub const ALL: [Self; 4] = [Self::House, Self::Processes, Self::Output, Self::Figures];

    /// What it is made of, so that the same always has the same one.
    pub fn source(self) -> Source {
        match self {
            Self::House => Source::Moment,
            Self::Processes | Self::Figures => Source::Picture,
            Self::Output => Source::Output,
        }
    }

    /// Writes its families and hands them over one by one: of a thousand processes, all of them
    /// together are megabytes.
    pub fn write(self, format: Format, seen: Seen, take: &mut dyn FnMut(&str)) {
        let mut families = Families { format, text: String::new(), take };
        match self {
            Self::House => house::put(&mut families, seen),
            Self::Processes => {
                processes::put(&mut families, seen.snapshot);
                care::put(&mut families, seen.snapshot);
            }
            Self::Output => output::put(&mut families, seen.output),
            Self::Figures => {
                sessions::put(&mut families, seen.snapshot);
                processes::put_memory(&mut families, seen.snapshot);
                tokens::put(&mut families, seen.snapshot);
            }
        }
    }
}

/// The whole exposition: every family that has something to say, in the order of the catalogue.
pub fn exposition(format: Format, seen: Seen) -> String {
    let mut text = String::new();
    for chapter in Chapter::ALL {
        chapter.write(format, seen, &mut |family| text.push_str(family));
    }
    text + format.end()
}

/// Writes families for whoever takes them.
struct Families<'t> {
    format: Format,
    /// The family that is being written; kept for its room.
    text: String,
    take: &'t mut dyn FnMut(&str),
}

impl Families<'_> {
    /// Adds a metric without labels, unless its value is not known.
    fn one(&mut self, metric: &Metric, value: impl Into<Option<f64>>) {
        self.few(metric, value.into().map(|value| ([], value)));
    }

    /// Adds a metric with a handful of series, however many processes there are; one without any is
    /// left out.
    fn few<'a, const LABELS: usize>(
        &mut self,
        metric: &Metric,
        series: impl IntoIterator<Item = ([&'a str; LABELS], f64)>,
    ) {
        debug_assert_eq!(metric.labels.len(), LABELS, "{}", metric.name);
        let known = series.into_iter().filter(|(_, value)| value.is_finite());
        let samples = known.map(|(values, value)| constant(metric, &values, value)).collect();
        self.family(metric, samples);
    }

    /// Adds a metric with a handful of distributions.
    fn histograms<'a, const LABELS: usize>(
        &mut self,
        metric: &Metric,
        series: impl IntoIterator<Item = ([&'a str; LABELS], Distribution<'a>)>,
    ) {
        debug_assert_eq!(metric.labels.len(), LABELS, "{}", metric.name);
        let sample = |(values, distribution): ([&str; LABELS], Distribution<'_>)| {
            let mut sample = labelled(metric, &values);
            sample.set_histogram(distribution.cumulated());
            sample
        };
        let samples = series.into_iter().map(sample).collect();
        self.family(metric, samples);
    }

    fn family(&mut self, metric: &Metric, samples: Vec<prometheus::proto::Metric>) {
        let mut family = MetricFamily::default();
        family.set_name(metric.name.to_owned());
        family.set_help(metric.help.to_owned());
        family.set_field_type(match metric.kind {
            Kind::Counter => MetricType::COUNTER,
            // Text 0.0.4 has no type for information; the OpenMetrics encoder knows it by name.
            Kind::Gauge | Kind::Info => MetricType::GAUGE,
            Kind::Histogram => MetricType::HISTOGRAM,
        });
        family.set_metric(samples);
        self.format.write(&mut self.text, &family);
        self.hand_over();
    }

    /// Adds a metric with a series for each item, straight as text: with each process there are
    /// more. One without any is left out.
    fn each<'a, const LABELS: usize>(
        &mut self,
        metric: &Metric,
        series: impl IntoIterator<Item = ([&'a str; LABELS], f64)>,
    ) {
        debug_assert_eq!(metric.labels.len(), LABELS, "{}", metric.name);
        for (values, value) in series.into_iter().filter(|(_, value)| value.is_finite()) {
            if self.text.is_empty() {
                self.format.announce(&mut self.text, metric);
            }
            let labels = metric.labels.iter().copied().zip(values);
            line::write(&mut self.text, metric.name, labels, value);
        }
        self.hand_over();
    }

    fn hand_over(&mut self) {
        if !self.text.is_empty() {
            (self.take)(&self.text);
            self.text.clear();
        }
    }
}

/// How often something was how much.
struct Distribution<'a> {
    /// The upper ends of the buckets.
    ends: &'a [f64],
    /// How often something was in each of them.
    counts: &'a [u64],
    /// How often it was anything, what is beyond the last bucket included.
    count: u64,
    /// The sum of all.
    total: f64,
}

impl Distribution<'_> {
    /// As it is told: each bucket with all that is below it.
    fn cumulated(&self) -> Histogram {
        let mut below = 0;
        let buckets = self.ends.iter().zip(self.counts).map(|(end, count)| {
            below += count;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(*end);
            bucket.set_cumulative_count(below);
            bucket
        });
        let mut histogram = Histogram::default();
        histogram.set_bucket(buckets.collect());
        histogram.set_sample_count(self.count);
        histogram.set_sample_sum(self.total);
        histogram
    }
}

fn labelled(metric: &Metric, values: &[&str]) -> prometheus::proto::Metric {
    let labels = metric.labels.iter().zip(values).map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value(label::fit(value).into_owned());
        pair
    });
    prometheus::proto::Metric::from_label(labels.collect())
}

/// A sample that will not change any more.
fn constant(metric: &Metric, values: &[&str], value: f64) -> prometheus::proto::Metric {
    let mut sample = labelled(metric, values);
    match metric.kind {
        Kind::Counter => {
            let mut counter = Counter::default();
            counter.set_value(value);
            sample.set_counter(counter);
        }
        Kind::Gauge | Kind::Info | Kind::Histogram => {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::catalogue::{BUILD_INFO, COST, LEAK_GROWTH, PROCESS_EXITS, PROCESS_UP};

    /// What is said of the series by the library's types, and straight.
    fn both<const LABELS: usize>(
        format: Format,
        metric: &Metric,
        series: &[([&str; LABELS], f64)],
    ) -> [String; 2] {
        let said = |write: &dyn Fn(&mut Families)| {
            let mut said = String::new();
            let mut take = |family: &str| said.push_str(family);
            write(&mut Families { format, text: String::new(), take: &mut take });
            said
        };
        [
            said(&|families| families.few(metric, series.iter().copied())),
            said(&|families| families.each(metric, series.iter().copied())),
        ]
    }

    #[test]
    fn what_is_written_straight_is_what_the_library_writes() {
        let long = "x".repeat(label::LONGEST + 1);
        let odd = ["", "web", "a\\b\"c", "a\nb", "a\u{7f}b", "\u{85}", "名前", &long];
        let values = [0.0, -0.0, 7.0, -3.0, 0.1, 1e-9, 1e21, 9_007_199_254_740_993.0, f64::NAN];
        let each = || odd.into_iter().flat_map(|name| values.map(|value| (name, value)));
        let one: Vec<_> = each().map(|(name, value)| ([name], value)).collect();
        let two: Vec<_> = each().map(|(name, value)| ([name, "failed"], value)).collect();
        let four: Vec<_> = each().map(|(name, value)| (["a", name, "b", name], value)).collect();
        for format in [Format::Text004, Format::OpenMetrics100] {
            for [few, straight] in [
                both(format, &PROCESS_UP, &one),
                both(format, &BUILD_INFO, &one),
                both(format, &LEAK_GROWTH, &one),
                both(format, &PROCESS_EXITS, &two),
                both(format, &COST, &four),
            ] {
                assert_eq!(few, straight);
                assert_eq!(few.lines().filter(|line| !line.starts_with('#')).count(), 64);
            }
        }
    }

    #[test]
    fn a_metric_without_a_known_series_is_left_out() {
        for format in [Format::Text004, Format::OpenMetrics100] {
            assert_eq!(both::<1>(format, &PROCESS_UP, &[]), ["", ""]);
            assert_eq!(both(format, &PROCESS_UP, &[(["web"], f64::INFINITY)]), ["", ""]);
        }
    }
}
